/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sim-disk.h - a disk with a volatile cache, which can lose power.
 *
 * Each sector that was written since the last flush ends, when the power
 * fails, as any of the contents that it has had since then, independently of
 * all others. A barrier is a flush and a write that is durable when it
 * returns. The disk can be told to die at its n-th write or flush: what that
 * one wrote may be there in part, and every later call fails with -EIO.
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "env-file.h"

struct rng {
	u64 s;
};

static inline u64 rnd64(struct rng *r)
{
	u64 z = r->s += 0x9e3779b97f4a7c15ULL;	/* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 .. n - 1 */
static inline u32 rnd(struct rng *r, u32 n)
{
	return (rnd64(r) >> 32) % n;
}

/* True in @percent of all cases */
static inline bool chance(struct rng *r, u32 percent)
{
	return rnd(r, 100) < percent;
}

#define SIM_SECTOR	512u
#define SIM_STALE	0xe5	/* what a fresh disk is full of */

struct sim_old {		/* a content that a block has had */
	struct sim_old *next;
	u8 mask;		/* sectors that it concerns */
	u8 data[DR_BLOCK_SIZE];
};

struct sim_block {
	u8 data[DR_BLOCK_SIZE];
	struct sim_old *old;	/* since the last flush; the last is durable */
};

struct sim_disk {
	u64 nr;			/* blocks */
	u64 max;		/* that it can grow to */
	struct sim_block **b;
	u64 *dirty;
	u32 nr_dirty;
	u32 max_dirty;
	u64 steps;		/* writes and flushes so far */
	u64 die_at;		/* 0: live */
	bool dead;
	bool locked;		/* inside env->lock */
	u32 inside;		/* inside env->enter */
	u32 reports;
	u32 super_reports;	/* of them, about superblocks */
	u32 misuse;		/* calls that the context forbids */
	u32 fail_alloc;		/* 1: the next one, 0: none */
	bool verbose;
	struct rng *rng;
	struct dr_node_cache nodes;
};

int sim_init(struct sim_disk *d, struct dr_env *env, u64 nr, u64 max,
	     u32 nodes, struct rng *rng);
void sim_exit(struct sim_disk *d);

/* Some sectors of data, by absolute number; @val: first bytes of each */
int sim_write_data(struct sim_disk *d, u64 sector, u32 n, const u64 *val);
u64 sim_read_data(const struct sim_disk *d, u64 sector);
/* A block as it would be read now, or NULL if it was never written */
const void *sim_block(const struct sim_disk *d, u64 block);
/* Power off and on again. */
void sim_crash(struct sim_disk *d);

#endif
