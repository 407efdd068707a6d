/* SPDX-License-Identifier: GPL-2.0 */
/*
 * run.h - a three-way merge of files on a live device, from checkpoint to
 * checkpoint. recover and undo are this, with different epochs.
 *
 *   1. The live file systems are opened (mounted for us alone if nobody has
 *      them), and a checkpoint is made: what undo returns to.
 *   2. base and bad are opened; for each volume a plan is made.
 *   3. The checkpoint gets a note (begun.h), and the plans are applied. If
 *      others have sealed the head by then, another one is made first.
 *   4. A second checkpoint seals what was done, with a label by which undo
 *      finds it (run_label_parse()) and the recipe as its note.
 *
 * Both checkpoints freeze. Nobody is kept from writing in between: what they
 * write is in the epoch of the recovery, too, and undo keeps it as it keeps
 * everything that is not as the recovery left it.
 */
#ifndef DR_RUN_H
#define DR_RUN_H

#include "epochs.h"
#include "recover/files.h"
#include "recover/select.h"

struct recipe;

struct run {
	const char *device;
	const char *word;	/* of the label: RUN_RECOVER or RUN_UNDO */
	uint32_t from, to;	/* what is taken back; @to may be the head */
	uint32_t base;		/* the state before @from */
	const struct select *select;	/* or NULL */
	const char *volume;	/* or NULL: all */
	bool beside, dry_run;
	bool force;		/* even if there seems to be no room */
	const char *quarantine;
	struct recipe *recipe;	/* becomes the note */
	/* results */
	uint32_t before;	/* checkpoint that undo returns to */
	uint32_t after;		/* what was done; 0: nothing was */
	bool left;		/* something could not be looked at or done */
	bool begun;		/* the checkpoint before has a note of it */
	bool resumed;		/* and something was written since then */
	uint32_t left_so;	/* where another one began that is not finished */
};

#define RUN_RECOVER	"recover"
#define RUN_UNDO	"undo"

/*
 * Only one at a time on a device, rehearsals included: each would take what
 * the other does for the work of somebody else. Held until we end; run_files()
 * takes it, a caller may do so before, to look at what cannot change then.
 * Return: exit code, has said why.
 */
int run_lock(const char *device);

/* Prints its tables and totals. Return: exit code, has said why. */
int run_files(struct run *run);

/*
 * Was @e made by run_files()? "recover-<from>-<to>-<before>", where <before>
 * is its parent or came earlier: for pictures, by the label alone.
 */
bool run_made(const struct epoch *e);

/*
 * The same, sure: from <before> to @e nothing but checkpoints were made, ours
 * or by others. Return: the first epoch above <before>, or NULL.
 */
const struct epoch *run_first(const struct epochs *epochs,
			      const struct epoch *e);

#endif
