/* SPDX-License-Identifier: GPL-2.0 */
/*
 * space.h - who owns which block of the delta device.
 *
 * Two bitmaps (invariants S1-S5 in Documentation/deltarec-design.rst):
 *
 *   disk  exactly the blocks that the trees in hand name, plus the fixed
 *         ones. Written at a commit; touched only by whoever holds the
 *         transaction.
 *   busy  what must not be handed out: disk, and slots that the journal or
 *         the memtables name, and blocks given up that a durable root, the
 *         journal or a reader may still lead to. Protected by env->lock.
 *
 * So disk is a subset of busy, and a block given up leaves disk at once and
 * busy later (dr_txn_release()). Data slots are handed out upwards from a
 * cursor, so that random writes become a sequential stream; large writes have
 * a cursor of their own, which passes what is too short for them (S13); nodes
 * come from the other end, so that they do not cut data into pieces.
 */
#ifndef DR_SPACE_H
#define DR_SPACE_H

#include "env.h"

struct dr_space {
	u64 nr_blocks;
	u32 nr_regions;
	u32 nr_index;
	u32 slot_blocks;
	u32 journal_blocks;
	u64 reserve;		/* blocks that data may not take */
	struct dr_disk_bitmap *disk;	/* nr_regions pages */
	u64 *busy;		/* nr_regions * DR_REGION_BLOCKS bits */
	u32 *nr_free;		/* in busy, for each region */
	u8 *dirty;		/* disk page differs from what was written */
	struct dr_disk_index *index;	/* nr_index pages */
	u8 *index_dirty;
	struct dr_disk_ref *super;	/* DR_SUPER_INDEX, in the superblock */
	u64 free;		/* sum of nr_free */
	u64 pending;		/* given up, not free yet */
	u64 nodes;		/* blocks used by trees */
	u64 taken;		/* blocks handed out to data, ever since the open */
	u64 data_cursor;
	u64 run_cursor;		/* where large writes go on */
	u64 node_cursor;
};

/* How many blocks of a device of @nr can be used (region headers fit) */
u64 dr_space_usable(u64 nr);

/**
 * dr_space_init() - empty bitmaps with the fixed blocks set
 * @super: the superblock's page references, changed by dr_space_commit()
 * Context: may sleep.
 */
int dr_space_init(struct dr_space *sp, const struct dr_env *env, u64 nr_blocks,
		  u32 slot_blocks, u32 journal_blocks,
		  struct dr_disk_ref *super);
void dr_space_exit(struct dr_space *sp, const struct dr_env *env);

/* Read and verify all pages that the superblock names. May sleep. */
int dr_space_load(struct dr_space *sp, const struct dr_env *env,
		  const u8 *uuid);

/* After a load or a commit: nothing is busy but what the disk says */
void dr_space_take_disk(struct dr_space *sp);

/*
 * Write the pages that changed to the places that the durable superblock does
 * not name, and change @super in memory. A barrier and the superblock must
 * follow; after an error the device may only be read.
 */
int dr_space_commit(struct dr_space *sp, const struct dr_env *env, u64 gen,
		    const u8 *uuid);

/**
 * dr_space_grow() - extend to @nr_blocks
 * @old: as it was, to go back to; the caller ends it with dr_space_exit(), or
 *	with dr_space_undo_grow() once every change since then was undone
 * Context: may sleep; nothing else may run.
 * Return: 0 or -ENOMEM, then nothing has changed.
 */
int dr_space_grow(struct dr_space *sp, const struct dr_env *env, u64 nr_blocks,
		  struct dr_space *old);
void dr_space_undo_grow(struct dr_space *sp, const struct dr_env *env,
			struct dr_space *old);

/**
 * dr_space_take_data() - take slots for data (S13)
 * @want: how many at most
 * @got: how many consecutive ones were taken
 * Context: env->lock held.
 * Return: the first slot, or 0 when only the reserve is left.
 */
u64 dr_space_take_data(struct dr_space *sp, u32 want, u32 *got);

/* Take one block for a node, out of the reserve if need be; 0: none left. */
u64 dr_space_take_node(struct dr_space *sp);

/* Change busy; env->lock held. Both are idempotent. */
void dr_space_set_busy(struct dr_space *sp, u64 block, u64 nr);
void dr_space_clear_busy(struct dr_space *sp, u64 block, u64 nr);
bool dr_space_is_busy(const struct dr_space *sp, u64 block);

/* Change disk. Return: how many of the bits did change. */
u64 dr_space_set_disk(struct dr_space *sp, u64 block, u64 nr);
u64 dr_space_clear_disk(struct dr_space *sp, u64 block, u64 nr);
bool dr_space_is_disk(const struct dr_space *sp, u64 block);

/* Is this one of the blocks with a fixed use? */
bool dr_space_fixed(const struct dr_space *sp, u64 block);

/* Does [block, block + nr) lie inside the device, off the fixed blocks? */
bool dr_space_valid(const struct dr_space *sp, u64 block, u64 nr);

/*
 * The last free blocks, which only what makes room may take: drops, reclaim, and
 * activation (S4)
 */
static inline u64 dr_space_spare(const struct dr_space *sp)
{
	return min_t(u64, sp->reserve / 8, 256);
}

#endif
