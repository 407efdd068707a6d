/* SPDX-License-Identifier: GPL-2.0 */
/*
 * begun.h - a recovery of files, or the undo of one, that may not have come to
 * its end.
 *
 * Before it changes anything, the checkpoint that it starts from gets a note:
 * the recipe, with that very checkpoint as "now", and as "run" the command and
 * what it was given. When it has come to its end this note goes, and the epoch
 * that was made gets label (run.h) and a note that says so. So a note with the
 * state "begun" means killed, or the power failed, and nothing else.
 *
 * What went on after that says in its last note that it was interrupted: others
 * may have written in between, in its epochs, and undo must know.
 */
#ifndef DR_BEGUN_H
#define DR_BEGUN_H

#include <stdbool.h>
#include <stdint.h>

#include "epochs.h"
#include "recover/run.h"

enum begun_state {
	BEGUN,
	BEGUN_ENDED,
	BEGUN_LATE,		/* it was interrupted, went on, and ended */
};

/* The note of a run with @now as its epoch; allocated, NULL: it has no room */
char *begun_text(struct run *run, uint32_t now, enum begun_state state);

/* One that was interrupted */
struct begun {
	bool undo;		/* an undo, or a recovery */
	uint32_t from, to, base;	/* what it takes back */
	uint32_t before;	/* the checkpoint that it started from */
	uint32_t first;		/* above that */
};

/* Is there one in the head or, with nothing but checkpoints between, below it? */
bool begun_find(const char *device, const struct epochs *epochs,
		struct begun *b);

/* Was that which made @e interrupted, before it came to its end? */
bool begun_late(const char *device, const struct epoch *e);

/**
 * begun_by() - is there one below the head, that of @run itself?
 *
 * Then it is to be continued: @run->begun and @run->before are set. Another
 * one is refused or, with @run->force, left as it is (@run->left_so).
 * Return: exit code, has said why.
 */
int begun_by(struct run *run);

/* What a shell takes to do the same again, with numbers; allocated or NULL */
char *begun_command(const struct run *run);

#endif
