/* SPDX-License-Identifier: GPL-2.0 */
/*
 * epoch.h - the epochs as a tree, and lineages through it.
 *
 * Epoch 0 is the origin and has no record. Numbers rise and are never used
 * again; a child's number is higher than its parent's (invariant E1). The
 * table in memory is an array in order of number.
 *
 * A lineage is the set of numbers on the way from an epoch down to 0, as
 * intervals from the top down. Numbers without a record may lie inside an
 * interval: nothing carries them (E2). The topmost interval is open upwards,
 * so that a checkpoint needs no new lineage; whoever uses one bounds it by
 * the epoch that he looks from.
 */
#ifndef DR_EPOCH_H
#define DR_EPOCH_H

#include "env.h"

struct dr_epoch {
	u32 id;
	u32 parent;
	u32 prev;
	u8 state;		/* enum dr_epoch_state */
	u8 how;			/* enum dr_epoch_how */
	u16 flags;		/* DR_EPOCH_* */
	s64 time;
	u64 nr_blocks;
	u32 note_bytes;
	u32 read_first;		/* 1 + blocks; 0: reads were not tracked */
	char label[DR_LABEL_MAX + 1];
	bool dirty;		/* differs from the tree */
	bool gone;		/* to be deleted from the tree */
	u8 pass;		/* DR_PASS_* bits: of reclaim, under way */
	u8 marks;		/* DR_MARK_*: the administrator's */
	u32 held;		/* by those who look at it (recipe.h): no drop */
};

#define DR_PASS_VISIT	1u	/* its blocks are visited */
#define DR_PASS_SERVED	2u	/* when it ends, its flags are served */

struct dr_epochs {
	struct dr_epoch *e;	/* by id */
	u32 nr;
	u32 max;
	/* The device may go back to these (start.h): they are not dropped. */
	u32 start;
	u32 session;
};

struct dr_interval {
	u32 lo;
	u32 hi;
};

struct dr_lineage {
	u32 nr;
	struct dr_interval iv[];	/* from the top down */
};

/*
 * Make room for @more records. May sleep; the lock is taken for the exchange.
 * The caller excludes all who read the table without the lock.
 */
int dr_epochs_reserve(struct dr_epochs *t, const struct dr_env *env, u32 more);
void dr_epochs_exit(struct dr_epochs *t, const struct dr_env *env);

/* Record of an epoch, or NULL. Valid until the table changes. */
struct dr_epoch *dr_epochs_find(const struct dr_epochs *t, u32 id);
/* May an activation go back to this one? */
static inline bool dr_epochs_is_back(const struct dr_epochs *t, u32 id)
{
	return id && (id == t->start || id == t->session);
}

/* First record with a number >= id, as an index into t->e */
u32 dr_epochs_from(const struct dr_epochs *t, u32 id);
/* Add a record (room was reserved) */
struct dr_epoch *dr_epochs_add(struct dr_epochs *t, u32 id, u32 parent,
			       u8 state, u8 how);
/* Forget those that are gone and no longer in the tree */
void dr_epochs_purge(struct dr_epochs *t);

bool dr_label_valid(const char *label);

/**
 * dr_lineage_make() - lineage of an epoch
 * Context: may sleep (allocates).
 * Return: the lineage, to be freed with env->free, or NULL.
 */
struct dr_lineage *dr_lineage_make(const struct dr_epochs *t,
				   const struct dr_env *env, u32 epoch);

/* Is @e on the lineage? The caller has checked that it is not above it. */
static inline bool dr_lineage_has(const struct dr_lineage *l, u32 e)
{
	u32 lo = 0, hi = l->nr;

	/* First interval that begins at or below e */
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (l->iv[mid].lo > e)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->nr && e <= l->iv[lo].hi;
}

/* Highest number of the lineage below @e, which is not on it; 0: none */
static inline u32 dr_lineage_below(const struct dr_lineage *l, u32 e)
{
	u32 lo = 0, hi = l->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (l->iv[mid].lo >= e)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == l->nr)
		return 0;
	return min_t(u32, l->iv[lo].hi, e - 1);
}

void dr_epoch_encode(struct dr_disk_epoch *d, const struct dr_epoch *e);
/* Return: NULL, or what is wrong with the record. */
const char *dr_epoch_decode(struct dr_epoch *e, const struct dr_disk_epoch *d);

#endif
