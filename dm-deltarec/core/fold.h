/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fold.h - the past up to an epoch becomes the origin's content.
 *
 * A round, by one thread, while the device is in use:
 *
 *   dr_fold_plan()    what others see of the old content gets versions of its
 *                     own; the copies of the round are in st->fold (sleeps)
 *     ... go on as after dr_merge_step(): no reader has an older snapshot ...
 *     ... the embedder copies st->fold.copy[] to the origin, without a lock;
 *         what is there is durable when he goes on ...
 *   dr_fold_apply()   the versions that the origin holds now go (sleeps)
 *
 * All of it is repeatable: a crash in between leaves versions that show what is
 * copied again. The superblock says what is being committed, and with the last
 * round that it has been (F1-F6 in Documentation/deltarec-design.rst).
 */
#ifndef DR_FOLD_H
#define DR_FOLD_H

#include "recover.h"

struct dr_order;

#ifndef FOLD_BLOCKS		/* tests make these small */
#define FOLD_BLOCKS	1024u	/* 4 KiB blocks copied in a round, about */
#define FOLD_EPOCHS	1024u	/* that one pass looks for */
#define FOLD_ROOTS	1024u	/* branches that keep what they see */
#endif

/**
 * dr_fold_begin() - commit the past up to an epoch, from now on
 * @epoch: sealed, and what the head stands on
 *
 * Drops the epochs below it on its lineage, by one commit. Everything has to
 * be merged once before dr_fold_plan(), as after any drop. May sleep; nobody
 * adds epochs.
 * Return: 0, then go on as after dr_merge_step(); -EALREADY: it is under way;
 * -EBUSY: another one is, or a replay, or it is the head; -ENOENT; -ESTALE: the
 * head does not stand on it; -EPERM, -ETXTBSY: *@who may not be dropped, or is
 * looked at (0: the base); -E2BIG: too many branches; -ENOSPC, -ENOMEM: nothing
 * has changed; any other error: the store may only be read.
 */
int dr_fold_begin(struct dr_store *st, u32 epoch, u32 *who);

/*
 * Could dr_fold_begin() begin? @ended: if the open session had ended, which
 * protects where it began. Reads only; errors and *@who as above.
 */
int dr_fold_may(const struct dr_store *st, u32 epoch, bool ended, u32 *who);

/**
 * dr_fold_plan() - the next copies
 * Return: 1: there are st->fold.nr; 0: all is done, and the origin is what the
 * epoch was; in both cases go on as after dr_merge_step(). -ENOSPC, -ENOMEM,
 * -EREMOTEIO (the origin, or the slots for its old content), -E2BIG (too many
 * branches): nothing has changed. -EBUSY: a replay is open. Any other error:
 * the store may only be read.
 */
int dr_fold_plan(struct dr_store *st);

/**
 * dr_fold_apply() - the copies are durable: what showed them goes
 * Return: 1 committed, call again; 0 committed, the round is over; in both
 * cases go on as after dr_merge_step(). Errors as of dr_merge_step().
 */
int dr_fold_apply(struct dr_store *st);

/* The copies could not be made: plan them again. */
static inline void dr_fold_redo(struct dr_store *st)
{
	st->fold.nr = 0;
}

/* How far it is, in blocks looked at. Any context; env->lock held. */
void dr_fold_progress(const struct dr_store *st, u64 *done, u64 *total);

/* What the superblock says; epochs are loaded. 0 or -EUCLEAN */
int dr_fold_open(struct dr_store *st);
void dr_fold_close(struct dr_store *st);

/* --- for fold.c -------------------------------------------------------------- */

/* Is it one of the epochs that become the origin? */
static inline bool dr_fold_has(const struct dr_fold *f, u32 id)
{
	return id <= f->epoch && dr_lineage_has(f->lineage, id);
}

/* Does the epoch at @i of the table begin a branch that leaves these? */
bool dr_fold_root(const struct dr_epochs *t, const struct dr_fold *f, u32 i);

/*
 * How many of these have an epoch that is retained? @root: NULL, or room for the
 * positions of the first FOLD_ROOTS.
 */
u32 dr_fold_roots(const struct dr_epochs *t, const struct dr_fold *f,
		  const struct dr_order *o, u32 *root);

/* Hold the epoch, or let go of it. Views come and go meanwhile; they exclude commits. */
void dr_fold_hold(struct dr_store *st, int by);

#endif
