/* SPDX-License-Identifier: GPL-2.0 */
/*
 * begun.h - a recovery of files that may not have come to its end.
 *
 * Before it changes anything, the checkpoint that it starts from gets the
 * recipe as its note, with that very checkpoint as "now". At the end the epoch
 * that was made gets label and note (run.h), and this one goes. So a note of
 * this kind below an epoch without such a label: killed, or the power failed.
 * One that goes on after that leaves this note where it is: what was written
 * in between is in its epochs, too, and undo must know.
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
 * Is there an interrupted recovery in @e or, with nothing but checkpoints in
 * between, below it? Return: the first epoch above the checkpoint that it
 * started from, or NULL.
 */
const struct epoch *begun_in(const char *device, const struct epochs *epochs,
			     const struct epoch *e);

/**
 * begun_undo() - is what was interrupted in @e or below it an undo?
 * @r: what it takes back: device, epochs, and no selectors
 *
 * It is if it takes back all of what one recovery did, and no more than that,
 * whatever command it was. Return: so it is.
 */
bool begun_undo(const char *device, const struct epochs *epochs,
		const struct epoch *e, struct recipe *r);

/*
 * Has checkpoint @id such a note? That it started from there, was interrupted
 * and then came to its end.
 */
bool begun_at(const char *device, const struct epochs *epochs, uint32_t id);

/**
 * begun_by() - is there one below the head, that of @r itself?
 * @before: the checkpoint that it started from
 * @found: yes, and it is to be continued: epochs and selectors are the same
 *
 * One of another recipe is refused, without @force.
 * Return: exit code, has said why.
 */
int begun_by(const char *device, const struct recipe *r, bool force,
	     uint32_t *before, bool *found);

/* What a shell takes to do the same again, with numbers; allocated or NULL */
char *begun_command(const char *device, const struct recipe *r);

#endif
