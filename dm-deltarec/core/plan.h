/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plan.h - from changes of versions to batches for the trees.
 *
 * A plan takes changes in order of block and turns them into sorted batches
 * for the map tree and the index tree, keeping M4 (runs are disjoint, each
 * version covers the whole run, runs split only where versions differ) and M6
 * (the index holds exactly the blocks that have a version in an epoch). The
 * bitmaps follow in the same transaction.
 */
#ifndef DR_PLAN_H
#define DR_PLAN_H

#include "map.h"
#include "txn.h"

enum dr_change {
	DR_SET_OWN,	/* version with a slot of its own, or ZERO */
	DR_SET_SHARED,	/* version that shows a slot another version owns */
	DR_DELETE,	/* no such version any more */
	DR_DELETE_FREE,	/* the same, and nobody needs its slot */
};

struct dr_ver {
	u64 slot;
	u32 epoch;
	u8 flags;
	u8 change;	/* enum dr_change */
};

/* Changes to all of [block, block + len): versions in order of epoch */
struct dr_urun {
	u64 block;
	u64 len;
	u32 nr;
	const struct dr_ver *ver;
};

#ifndef DR_PLAN_BATCH	/* tests make these small */
#define DR_PLAN_BATCH	8192u
#endif
#define DR_STACK_MAX	4096u	/* versions in one dr_urun */

struct dr_index_change {
	u64 block;
	u32 epoch;
	u32 len;
	bool remove;
};

struct dr_plan {
	struct dr_txn *txn;
	struct dr_root *map;	/* roots that the batches are applied to */
	struct dr_root *index;
	u32 slot_blocks;
	struct dr_cursor c;	/* over *map as it was at the last flush */
	struct dr_cursor stack;	/* a second one, to copy stacks */
	struct dr_cursor ic;	/* over *index as it was at its last apply */
	struct dr_batch batch;
	struct dr_batch ibatch;
	struct dr_index_change *ich;
	struct dr_index_change *ich_spare;	/* to sort them */
	u32 nr_ich;
	u32 i_at;		/* in ibatch, the extent added last */
	/* The run of *map that is being cut, and how far that has come */
	bool in_run;
	u64 run;
	u64 run_end;
	u64 cut;
	u64 done;		/* blocks before this one are planned */
};

int dr_plan_init(struct dr_plan *p, struct dr_txn *txn, struct dr_root *map,
		 struct dr_root *index, u32 slot_blocks);
void dr_plan_exit(struct dr_plan *p);

/* Take one more change; may sleep; -EFBIG and the like end the transaction. */
int dr_plan_feed(struct dr_plan *p, const struct dr_urun *u);

/* Bring everything fed so far into the trees. */
int dr_plan_flush(struct dr_plan *p);

/* The index tree's part of it (plan-index.c) */
int dr_index_apply(struct dr_plan *p);

/* Start over from the roots, as after another user changed them. */
void dr_plan_restart(struct dr_plan *p);

#endif
