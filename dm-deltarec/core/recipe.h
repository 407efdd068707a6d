/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recipe.h - an epoch as somebody looks at it.
 *
 * Whoever looks has a lineage of his own, made once: a number at or below a
 * sealed epoch's is never given out again, so it stays right whatever the head
 * does (V2). While he looks, the epoch is held: it cannot be dropped, so
 * reclaim keeps what can be seen from it (V3, R1).
 */
#ifndef DR_RECIPE_H
#define DR_RECIPE_H

#include "store.h"

struct dr_recipe {
	u32 epoch;
	struct dr_lineage *lineage;
};

/**
 * dr_recipe_open() - look from a sealed epoch, or from the origin (0)
 * @rc: zeroed
 * Context: sleeps; serialized with control records and reclaim.
 * Return: 0; -ENOENT: no such epoch, or dropped; -EBUSY: the head;
 * -EINPROGRESS: a replay is making it; -ENOMEM.
 */
int dr_recipe_open(struct dr_store *st, struct dr_recipe *rc, u32 epoch);
/* Also of one that was not opened. Serialized with control records. */
void dr_recipe_close(struct dr_store *st, struct dr_recipe *rc);

/**
 * dr_recipe_lookup() - state of a block, without sleeping
 *
 * Arguments, context and return value as of dr_map_lookup().
 */
int dr_recipe_lookup(const struct dr_env *env, const struct dr_snap *snap,
		     const struct dr_recipe *rc, u64 block, u64 max,
		     u32 slot_blocks, struct dr_state *s,
		     struct dr_want *want);

#endif
