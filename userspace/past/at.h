/* SPDX-License-Identifier: GPL-2.0 */
/*
 * at.h - "<name>@<epoch>" and "<name>@<epoch>:/path", from the word to the
 * file.
 *
 * Paths are looked up as if the old file system were all there is: a symbolic
 * link in it, absolute or not, never leads to a file of today.
 */
#ifndef DR_PAST_AT_H
#define DR_PAST_AT_H

#include "epochs.h"
#include "past/mount.h"

struct past_at {
	const char *word;		/* as typed, for messages */
	char *copy;			/* of it, cut in pieces: */
	const char *device;
	const char *epoch_word;
	const char *path;		/* begins with '/'; NULL: none */
	struct epoch_ref ref;
	uint32_t epoch;
	struct past past;
	int root;			/* of the file system, -1: not open */
};

/**
 * at_parse() - take a word apart
 * @with_path: it must have one; else it must have none
 * @at: set in every case: at_close() is always fine
 *
 * Return: exit code, has said why.
 */
int at_parse(const char *word, bool with_path, struct past_at *at);

/* Find the device and the number of the epoch. Return: exit code. */
int at_resolve(struct past_at *at);

/* Mount the volume (inside_pick()) read-only for us. Return: exit code. */
int at_open(struct past_at *at, const char *volume);
void at_close(struct past_at *at);

/**
 * at_find() - look the path up
 * @follow: the file that a symbolic link at the end leads to, not the link
 *
 * Return: an O_PATH descriptor, or -1 after having said why; *@code is the
 * exit code then.
 */
int at_find(const struct past_at *at, bool follow, int *code);

#endif
