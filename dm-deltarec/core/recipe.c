// SPDX-License-Identifier: GPL-2.0
/*
 * recipe.c - see recipe.h.
 */
#include "recipe.h"

/* Holding the origin is not needed: it cannot be dropped. */
static void hold(struct dr_store *st, u32 epoch)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (e)
		e->held++;
}

static void let_go(struct dr_store *st, u32 epoch)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (e)
		e->held--;
}

int dr_recipe_open(struct dr_store *st, struct dr_recipe *rc, u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (epoch != DR_BASE_EPOCH) {
		if (!e || e->state == DR_EPOCH_DROPPED)
			return -ENOENT;
		if (e->state == DR_EPOCH_BUILDING)
			return -EINPROGRESS;
		if (e->state != DR_EPOCH_SEALED)
			return -EBUSY;
	}
	rc->lineage = dr_lineage_make(&st->epochs, &st->env, epoch);
	if (!rc->lineage)
		return -ENOMEM;
	rc->epoch = epoch;
	hold(st, epoch);
	return 0;
}

void dr_recipe_close(struct dr_store *st, struct dr_recipe *rc)
{
	if (!rc->lineage)
		return;
	let_go(st, rc->epoch);
	st->env.free(st->env.ctx, rc->lineage);
	rc->lineage = NULL;
}

int dr_recipe_lookup(const struct dr_env *env, const struct dr_snap *snap,
		     const struct dr_recipe *rc, u64 block, u64 max,
		     u32 slot_blocks, struct dr_state *s,
		     struct dr_want *want)
{
	if (rc->epoch != DR_BASE_EPOCH)
		return dr_map_lookup(env, snap, rc->lineage, rc->epoch, block,
				     max, slot_blocks, s, want);
	*s = (struct dr_state){ .slot = DR_SLOT_ORIGIN, .len = max };
	return 0;
}
