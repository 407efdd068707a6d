/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memtable.h - versions that are not in the tree yet.
 *
 * A memtable is a log of versions in order of publication, preallocated, with
 * a hash over single blocks. Entries never change and never leave before the
 * whole table is recycled (after a grace period), so readers need no lock:
 * the first hit in a bucket is the newest version (M1). A discard of many
 * blocks is one entry, kept in a short list of ranges; of an entry and a
 * range for the same block and epoch, the later in the log counts (M2).
 *
 * The log is also the queue of what the journal has yet to record: entries
 * from @recorded on (M3).
 */
#ifndef DR_MEMTABLE_H
#define DR_MEMTABLE_H

#include "epoch.h"

#define DR_MEM_RANGES		128u	/* ranges in one table */
#define DR_MEM_RANGE_MIN	32u	/* shorter discards are single blocks */

struct dr_mem_entry {
	u64 block;
	u64 v;			/* slot, flags in bits 60-63; range: length */
	u32 epoch;
	u32 next;		/* 1 + older entry of the bucket, 0, or RANGE */
};

#define DR_MEM_IS_RANGE		(~0u)

struct dr_memtable {
	struct dr_mem_entry *e;
	u32 max;
	u32 used;
	u32 reserved;		/* promised to writes under way */
	u32 recorded;		/* entries before this one are in the journal */
	u32 claimed;		/* from here on no entry has a claim in the journal, */
	u32 bare;		/* from here on every entry has one (J9) */
	u64 first;		/* how many were published before this table */
	u32 nr_ranges;
	u32 max_ranges;		/* at most DR_MEM_RANGES */
	u32 range[DR_MEM_RANGES];	/* entries, in order of publication */
	u32 *bucket;		/* 1 + newest entry */
	u32 mask;
	u64 *filter;		/* regions of 256 blocks that have entries */
	u32 *order;		/* for sorting */
	u32 *spare;
};

#define DR_MEM_FILTER_BITS	4096u
#define DR_MEM_FILTER_SHIFT	8u

struct dr_mem_hit {
	u64 slot;
	u32 epoch;
	u32 at;			/* index in the log */
	u8 flags;
};

int dr_mem_init(struct dr_memtable *m, const struct dr_env *env, u32 max);
void dr_mem_exit(struct dr_memtable *m, const struct dr_env *env);
/* Bytes that a table of @max entries takes */
size_t dr_mem_bytes(u32 max);
/* Forget everything; no reader may be left. */
void dr_mem_reset(struct dr_memtable *m);

/* Room for @n more entries, beside those promised? Writer's lock held. */
static inline bool dr_mem_room(const struct dr_memtable *m, u32 n)
{
	return n <= m->max - m->used - m->reserved;
}

/* Publish one version; the caller has made sure of room. Writer's lock. */
void dr_mem_add(struct dr_memtable *m, u64 block, u32 epoch, u64 slot,
		u8 flags);
/*
 * Publish ZERO for a range. Takes one entry when @len >= DR_MEM_RANGE_MIN,
 * else @len. Return: false if the list of ranges is full. Writer's lock.
 */
bool dr_mem_add_zero(struct dr_memtable *m, u64 block, u64 len, u32 epoch);

static inline u32 dr_mem_zero_cost(u64 len)
{
	return len >= DR_MEM_RANGE_MIN ? 1 : len;
}

/**
 * dr_mem_find() - newest version of a block on a lineage
 * @epoch: look at no newer ones
 * Context: the table may not be recycled meanwhile (env->enter or the
 * writer's lock). Return: true and @hit.
 */
bool dr_mem_find(const struct dr_memtable *m, const struct dr_lineage *l,
		 u32 epoch, u64 block, struct dr_mem_hit *hit);

/*
 * What was published together lies together: for how many blocks, at most @max,
 * are the entries from @at on the newest ones and continue each other? Context and
 * visibility as found by dr_mem_find() for the first of them.
 */
u64 dr_mem_run(const struct dr_memtable *m, u32 at, u64 max, u32 slot_blocks);

/* How many blocks from @block on, at most @max, surely have no entry? */
u64 dr_mem_absent(const struct dr_memtable *m, u64 block, u64 max);

/* Sort m->order by (block, epoch, age), ranges left out. Return: how many. */
u32 dr_mem_sort(struct dr_memtable *m);

static inline u64 dr_mem_slot(const struct dr_mem_entry *e)
{
	return e->v & DR_ADDR_MASK;
}

#endif
