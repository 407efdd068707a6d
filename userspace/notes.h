/* SPDX-License-Identifier: GPL-2.0 */
/*
 * notes.h - the note of an epoch: a text that is kept on the delta device with
 * it, such as the recipe of the recovery that made it.
 */
#ifndef DR_NOTES_H
#define DR_NOTES_H

#include <stdint.h>

/**
 * note_set() - replace the note of an epoch
 * @device: a live device
 * @epoch: a sealed epoch: durable on return; or that of the open replay:
 * durable and visible with its commit, gone with its abort
 * @text: at most DR_NOTE_MAX bytes; "": the epoch has no note any more
 *
 * Nobody ever sees a part of a note, and a failure leaves the old one.
 * Return: exit code, has said why.
 */
int note_set(const char *device, uint32_t epoch, const char *text);

/**
 * note_get() - read the note of an epoch
 * @text: allocated; NULL when the epoch has none
 *
 * Return: exit code, has said why.
 */
int note_get(const char *device, uint32_t epoch, char **text);

/* The same, without a word: NULL also when it cannot be read. */
char *note_look(const char *device, uint32_t epoch);

#endif
