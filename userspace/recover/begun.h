/* SPDX-License-Identifier: GPL-2.0 */
/*
 * begun.h - a recovery of files that may not have come to its end.
 *
 * Before it changes anything, the checkpoint that it starts from gets the
 * recipe as its note, with that very checkpoint as "now". At the end the epoch
 * that was made gets label and note (run.h), and this one goes. So a note of
 * this kind below an epoch without such a label: killed, or the power failed.
 */
#ifndef DR_BEGUN_H
#define DR_BEGUN_H

#include <stdbool.h>
#include <stdint.h>

#include "epochs.h"

struct recipe;

/* @r with @epoch as its "now", as a note: allocated, NULL: it has no room */
char *begun_text(struct recipe *r, uint32_t epoch);

/*
 * Is there an interrupted recovery in @e: a child of such a checkpoint, and not
 * what a recovery, rollback or replay has made?
 */
bool begun_in(const char *device, const struct epochs *epochs,
	      const struct epoch *e);

/**
 * begun_by() - is the open head that of @r itself, to be continued?
 * @before: the checkpoint that it started from
 *
 * Return: exit code, has said why.
 */
int begun_by(const char *device, const struct recipe *r, uint32_t *before,
	     bool *found);

#endif
