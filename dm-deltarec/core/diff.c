// SPDX-License-Identifier: GPL-2.0
/*
 * diff.c - what differs between two epochs.
 *
 * Only blocks that an epoch on the way from either to their common ancestor
 * wrote can differ; for those the two states are compared. Two states are the
 * same if they are the same slot, or both zeroes, or both the origin's.
 */
#include "recover.h"

#ifndef WINDOW	/* tests make it small */
#define WINDOW	2048u
#endif

struct sides {
	struct dr_store *st;
	struct dr_lineage *a, *b;
	u32 from, to;
};

static bool on(const struct dr_lineage *l, u32 bound, u32 e)
{
	return e <= bound && dr_lineage_has(l, e);
}

/* On one lineage only: between an epoch and the common ancestor */
static bool on_one(void *arg, const struct dr_epoch *e)
{
	const struct sides *s = arg;

	return on(s->a, s->from, e->id) != on(s->b, s->to, e->id);
}

struct output {
	struct dr_range *out;
	u32 n;
	u32 max;
};

static bool put_range(struct output *o, u64 block, u64 len)
{
	if (o->n && o->out[o->n - 1].block + o->out[o->n - 1].len == block) {
		o->out[o->n - 1].len += len;
		return true;
	}
	if (o->n == o->max)
		return false;
	o->out[o->n++] = (struct dr_range){ block, len };
	return true;
}

/* Compare both sides over one run. Return: block to go on from, or error */
static int compare(struct sides *s, struct dr_cursor *c, struct output *o,
		   u64 *pos, u64 end)
{
	u32 slot_blocks = s->st->slot_blocks;
	struct dr_state x, y;
	u64 len;
	int r;

	while (*pos < end) {
		r = dr_map_state(c, s->a, s->from, *pos, end - *pos,
				 slot_blocks, &x);
		if (!r)
			r = dr_map_state(c, s->b, s->to, *pos, end - *pos,
					 slot_blocks, &y);
		if (r)
			return r;
		len = min(x.len, y.len);
		if (x.slot != y.slot && !put_range(o, *pos, len))
			return 1;
		*pos += len;
	}
	return 0;
}

static int diff_windows(struct sides *s, u64 cursor, struct output *o,
			u64 *next)
{
	struct dr_store *st = s->st;
	const struct dr_env *env = &st->env;
	struct dr_range *w;
	struct dr_cursor c;
	int n, i, r;
	u64 pos;

	w = env->alloc(env->ctx, WINDOW * sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = dr_cursor_init(&c, env, st->uuid, &dr_tree_map, &st->map);
	while (!r && cursor < st->nr_map_blocks) {
		n = dr_gather(st, &st->index, on_one, s, &cursor,
			      st->nr_map_blocks, w, WINDOW);
		if (n < 0)
			r = n;
		for (i = 0; !r && i < n; i++) {
			pos = w[i].block;
			r = compare(s, &c, o, &pos, pos + w[i].len);
			if (r == 1)
				cursor = pos;
		}
		/* A page that is mostly full is enough for one call. */
		if (!r && o->n > o->max / 2)
			break;
	}
	dr_cursor_exit(&c);
	env->free(env->ctx, w);
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
	struct sides s = { .st = st, .from = from, .to = to };
	struct output o = { .out = out, .max = max };
	int r = -ENOMEM;

	*next = ~0ULL;
	if (!can_see(st, from) || !can_see(st, to))
		return -ENOENT;
	s.a = dr_lineage_make(&st->epochs, env, from);
	s.b = dr_lineage_make(&st->epochs, env, to);
	if (s.a && s.b)
		r = diff_windows(&s, cursor, &o, next);
	env->free(env->ctx, s.a);
	env->free(env->ctx, s.b);
	return r ? r : (int)o.n;
}
