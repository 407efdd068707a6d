// SPDX-License-Identifier: GPL-2.0
/*
 * diff.c - what differs between two epochs.
 *
 * Only blocks that an epoch on the way from either to their common ancestor
 * wrote can differ; for those the two states are compared. Two states are the
 * same if they are the same slot, or both zeroes, or both the origin's.
 */
#include "recover.h"

struct diff {
	struct dr_store *st;
	struct dr_lineage *a, *b;
	u32 from, to;
	struct dr_range *out;
	u32 n;
	u32 max;
};

static bool on(const struct dr_lineage *l, u32 bound, u32 e)
{
	return e <= bound && dr_lineage_has(l, e);
}

/* On one lineage only: between an epoch and the common ancestor */
static bool on_one(void *arg, const struct dr_epoch *e)
{
	const struct diff *d = arg;

	return on(d->a, d->from, e->id) != on(d->b, d->to, e->id);
}

static bool put_range(struct diff *d, u64 block, u64 len)
{
	struct dr_range *last = d->n ? d->out + d->n - 1 : NULL;

	if (last && last->block + last->len == block) {
		last->len += len;
		return true;
	}
	if (d->n == d->max)
		return false;
	d->out[d->n++] = (struct dr_range){ block, len };
	return true;
}

/* Compare both sides over one run */
static int compare(struct dr_walk *w, u64 *pos, u64 end)
{
	u32 slot_blocks = w->st->slot_blocks;
	struct diff *d = w->arg;
	struct dr_state x, y;
	u64 len;
	int r;

	while (*pos < end) {
		r = dr_map_state(&w->map, d->a, d->from, *pos, end - *pos,
				 slot_blocks, &x);
		if (!r)
			r = dr_map_state(&w->map, d->b, d->to, *pos,
					 end - *pos, slot_blocks, &y);
		if (r)
			return r;
		len = min(x.len, y.len);
		if (x.slot != y.slot && !put_range(d, *pos, len))
			return 1;
		*pos += len;
	}
	return 0;
}

static int diff_windows(struct diff *d, u64 cursor, u64 *next)
{
	struct dr_store *st = d->st;
	struct dr_walk w = {
		.st = st, .wanted = on_one, .visit = compare, .arg = d,
	};
	int r = dr_walk_init(&w);

	/* A page that is mostly full is enough for one call. */
	while (!r && cursor < st->nr_map_blocks && d->n <= d->max / 2)
		r = dr_walk_window(&w, &cursor, st->nr_map_blocks);
	dr_walk_exit(&w);
	*next = cursor < st->nr_map_blocks ? cursor : ~0ULL;
	return r < 0 ? r : 0;
}

static bool can_see(const struct dr_store *st, u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	return epoch == DR_BASE_EPOCH || (e && e->state != DR_EPOCH_DROPPED &&
					  e->state != DR_EPOCH_BUILDING);
}

int dr_diff(struct dr_store *st, u32 from, u32 to, u64 cursor,
	    struct dr_range *out, u32 max, u64 *next)
{
	const struct dr_env *env = &st->env;
	struct diff d = {
		.st = st, .from = from, .to = to, .out = out, .max = max,
	};
	int r = -ENOMEM;

	*next = ~0ULL;
	if (!can_see(st, from) || !can_see(st, to))
		return -ENOENT;
	d.a = dr_lineage_make(&st->epochs, env, from);
	d.b = dr_lineage_make(&st->epochs, env, to);
	if (d.a && d.b)
		r = diff_windows(&d, cursor, next);
	env->free(env->ctx, d.a);
	env->free(env->ctx, d.b);
	return r ? r : (int)d.n;
}
