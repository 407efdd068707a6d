/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recover.h - what looks at or changes the past: replay, reclaim, diff.
 *
 * All of it works on the trees alone: whoever calls brings the memtables into
 * them first (freeze and merge). All of it may sleep, and is serialized with
 * dr_merge_step() by the embedder. Functions that return 1 after a commit want
 * the same sequence as dr_merge_step(): publish, wait for readers,
 * dr_store_release(st, false), call again.
 */
#ifndef DR_RECOVER_H
#define DR_RECOVER_H

#include "recipe.h"

/*
 * A replay under way. Its epoch's number was taken DR_REPLAY_GAP ahead, so
 * that heads opened meanwhile stay below it (E1).
 */
struct dr_replay {
	u32 epoch;
	u32 since;		/* writes that it began without are in >= since */
	struct dr_rules rules;
	struct dr_rule_ranges todo;	/* what they cover, each block once */
	u32 done;		/* of them, already computed */
	u64 at_block;		/* where in the next one */
	bool committing;	/* computing what was written since */
	struct dr_plan *plan;
	u64 changed;		/* blocks whose newest version was passed over */
	u64 mixed;		/* blocks that keep bytes of an excluded one */
};

/**
 * dr_replay_begin() - open a replay; the head has just been sealed and merged
 * Return: its epoch; -EBUSY: one is open.
 */
s64 dr_replay_begin(struct dr_store *st);

/* A rule for the head, see dr_rule_make() */
static inline int dr_replay_make_rule(const struct dr_store *st,
				      struct dr_rule *rule, u64 sector,
				      u64 sectors, u32 from, u32 to,
				      bool drop_later)
{
	return dr_rule_make(st, st->lineage, st->head, rule, sector, sectors,
			    from, to, drop_later);
}

/* Add a rule. Return: their number; -ENXIO: no replay is open; -E2BIG. */
s64 dr_replay_rule(struct dr_store *st, const struct dr_rule *rule);

/* Ranges and rules that dr_replay_step() has to compute yet */
static inline u32 dr_replay_left(const struct dr_replay *rp)
{
	return rp->todo.nr - rp->done + rp->rules.nr - rp->rules.nr_ready;
}

/*
 * Compute some of what the rules say. 1: committed, call again; 0: done;
 * -ENOSPC and -ENOMEM: what was not committed yet is undone, and all of it is
 * computed again (S6). Any other error: the store may only be read.
 */
int dr_replay_step(struct dr_store *st);

/**
 * dr_replay_finish() - compute what was written since begin
 *
 * Nothing is in flight, everything is merged. Call until it returns 0 (1: as
 * above). -ENOSPC and -ENOMEM: what was not committed yet is undone. Any other
 * error: the store may only be read.
 */
int dr_replay_finish(struct dr_store *st);
/**
 * dr_replay_seal() - seal the replay's epoch, open the head on top of it
 *
 * Serialized with commits and control records, unlike dr_replay_finish().
 * Then the control record is READY and the lineage is new; after the record
 * is durable call dr_replay_end().
 */
int dr_replay_seal(struct dr_store *st, s64 now);
/* Both in turn, for who has nothing to serialize with */
int dr_replay_commit(struct dr_store *st, s64 now);
/*
 * Forget the open replay; without a commit its epoch is dropped (and a record
 * of that READY).
 */
int dr_replay_abort(struct dr_store *st);
void dr_replay_end(struct dr_store *st);

struct dr_replay_count {
	u64 changed;
	u64 kept;		/* blocks with a later write that stays */
	u64 mixed;
	u64 next;		/* block to go on from; ~0: done */
};

/* Dry run of one rule from @cursor (a block) on, for a bounded stretch. */
int dr_replay_count(struct dr_store *st, const struct dr_rule *rule,
		    u64 cursor, struct dr_replay_count *count);

/**
 * dr_reclaim_step() - free what no retained epoch needs
 * Epochs that are not wholly in the trees wait for a merge (R6).
 * Return: 1 committed, call again; 0 nothing left to do without a merge, and if
 * st->reclaim_wanted is false nothing at all; -ENOSPC and -ENOMEM:
 * this step was undone, table of epochs included, and the next call does it
 * again (S6); any other error: the store may only be read.
 */
int dr_reclaim_step(struct dr_store *st);
/*
 * Dropped epochs that had no pass yet. Those that had one stay in the table as
 * long as they have versions that others need.
 */
u32 dr_reclaim_pending(const struct dr_store *st);
/* Within a transaction: has the tree a version of this epoch? May sleep. */
int dr_epoch_has_versions(struct dr_store *st, u32 epoch);
/*
 * Need a step not wait for a merge (R6)? Context: nobody freezes a
 * memtable, or changes the shape of the table of epochs.
 */
bool dr_reclaim_ready(const struct dr_store *st);

struct dr_range {
	u64 block;
	u64 len;
};

/*
 * gather.c: the blocks in [*cursor, end) that epochs with a mark were written
 * in, as sorted runs that do not overlap, at most @max; *@cursor is where to
 * go on, or @end. @wanted says whether an epoch counts.
 * Return: number of runs or a negative errno.
 */
int dr_gather(struct dr_store *st, const struct dr_root *index,
	      bool (*wanted)(void *arg, const struct dr_epoch *e), void *arg,
	      u64 *cursor, u64 end, struct dr_range *out, u32 max);

/* Going through those blocks, with a cursor over the map */
struct dr_walk {
	struct dr_store *st;
	struct dr_cursor map;
	struct dr_range *window;
	bool (*wanted)(void *arg, const struct dr_epoch *e);
	/*
	 * What to do with a run [*@pos, @end): 0 go on; 1 enough for now,
	 * *@pos being where to go on; or an error.
	 */
	int (*visit)(struct dr_walk *w, u64 *pos, u64 end);
	void *arg;		/* for both */
};

/* @w: st, wanted, visit and arg are set. May sleep. */
int dr_walk_init(struct dr_walk *w);
/*
 * A bounded stretch of [*cursor, end); *@cursor is where to go on. Return: 0,
 * or what visit() said.
 */
int dr_walk_window(struct dr_walk *w, u64 *cursor, u64 end);
void dr_walk_exit(struct dr_walk *w);

/**
 * dr_diff() - blocks whose state differs between two epochs
 * @cursor: block to begin at
 * @out: sorted ranges that do not touch, at most @max
 * @next: block to go on from, ~0 at the end
 * Return: number of ranges, or -ENOENT and the like.
 */
int dr_diff(struct dr_store *st, u32 from, u32 to, u64 cursor,
	    struct dr_range *out, u32 max, u64 *next);

#endif
