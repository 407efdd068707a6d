// SPDX-License-Identifier: GPL-2.0
/*
 * seen.c - all versions of a run, and which of them are seen; see seen.h.
 */
#include "seen.h"

u32 dr_parent_of(const struct dr_epochs *t, u32 i)
{
	return t->e[i].parent ? dr_epochs_from(t, t->e[i].parent) : t->nr;
}

/* What a replay computes goes straight into the trees. No head: no prev */
static bool made_in_trees(const struct dr_epoch *e)
{
	return e->how == DR_MADE_BY_REPLAY && !e->prev;
}

bool dr_epoch_in_trees(const struct dr_store *st, const struct dr_epoch *e)
{
	u32 oldest = st->head;

	/* Pairs with dr_mem_add(): what was noted before is seen. */
	if (smp_load_acquire(&st->active->used))
		oldest = READ_ONCE(st->active_oldest);
	if (st->frozen)
		oldest = min(oldest, st->frozen_oldest);
	return e->id < oldest || made_in_trees(e);
}

/*
 * Children have higher numbers than their parents (E1): sizes come from a walk
 * down the table, places from one up.
 */
static void number_tree(struct dr_order *o, const struct dr_epochs *t)
{
	u32 i, p, next = 0, *size = o->end, *free = o->kept;

	for (i = 0; i < t->nr; i++)
		size[i] = 1;
	for (i = t->nr; i-- > 0;) {
		p = dr_parent_of(t, i);
		if (p < t->nr)
			size[p] += size[i];
	}
	/* free: the next place below an epoch */
	for (i = 0; i < t->nr; i++) {
		p = dr_parent_of(t, i);
		o->pos[i] = p < t->nr ? free[p] : next;
		*(p < t->nr ? &free[p] : &next) += size[i];
		free[i] = o->pos[i] + 1;
	}
	for (i = 0; i < t->nr; i++)
		o->end[i] = o->pos[i] + size[i];
	memset(o->kept, 0, (t->nr + 1) * sizeof(*o->kept));
	for (i = 0; i < t->nr; i++)
		o->kept[o->pos[i] + 1] = t->e[i].state != DR_EPOCH_DROPPED;
	for (i = 0; i < t->nr; i++)
		o->kept[i + 1] += o->kept[i];
}

int dr_order_make(struct dr_order *o, const struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	size_t n = st->epochs.nr + 1;

	o->pos = env->alloc(env->ctx, n * sizeof(u32));
	o->end = env->alloc(env->ctx, n * sizeof(u32));
	o->kept = env->alloc(env->ctx, n * sizeof(u32));
	if (!o->pos || !o->end || !o->kept)
		return -ENOMEM;
	number_tree(o, &st->epochs);
	return 0;
}

void dr_order_exit(struct dr_order *o, const struct dr_env *env)
{
	env->free(env->ctx, o->pos);
	env->free(env->ctx, o->end);
	env->free(env->ctx, o->kept);
	memset(o, 0, sizeof(*o));
}

/* --- a run ------------------------------------------------------------------ */

void dr_stack_exit(struct dr_stack *s, const struct dr_env *env)
{
	env->free(env->ctx, s->v);
	env->free(env->ctx, s->seat);
	env->free(env->ctx, s->ver);
	env->free(env->ctx, s->open);
	env->free(env->ctx, s->needed);
	memset(s, 0, sizeof(*s));
}

static int grow(struct dr_stack *s, const struct dr_env *env)
{
	struct dr_stack old = *s;
	u32 max = old.max ? 2 * old.max : 256;

	memset(s, 0, sizeof(*s));
	s->nr = old.nr;
	s->max = max;
	s->v = env->alloc(env->ctx, max * sizeof(*s->v));
	s->seat = env->alloc(env->ctx, max * sizeof(*s->seat));
	s->ver = env->alloc(env->ctx, max * sizeof(*s->ver));
	s->open = env->alloc(env->ctx, max * sizeof(*s->open));
	s->needed = env->alloc(env->ctx, max * sizeof(*s->needed));
	if (s->v && old.nr)
		memcpy(s->v, old.v, old.nr * sizeof(*s->v));
	dr_stack_exit(&old, env);
	return s->v && s->seat && s->ver && s->open && s->needed ? 0 : -ENOMEM;
}

static int read_versions(struct dr_stack *s, const struct dr_env *env,
			 struct dr_cursor *c, u64 run)
{
	const void *entry;
	int r;

	s->nr = 0;
	for (r = dr_cursor_ge(c, dr_map_key(run, 0), &entry); r == 1;
	     r = dr_cursor_next(c, &entry)) {
		if (s->nr == s->max && grow(s, env))
			return -ENOMEM;
		dr_map_decode(s->v + s->nr, entry);
		if (s->v[s->nr].block != run)
			return 0;
		s->nr++;
	}
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct dr_seat *x = a, *y = b;

	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* Where the run's epochs are in the tree, in order of place */
static int take_seats(struct dr_stack *s, const struct dr_store *st,
		      const struct dr_order *o)
{
	const struct dr_epochs *t = &st->epochs;
	const struct dr_epoch *e;
	bool sorted = true;
	u32 i, at;

	s->shares = false;
	for (i = 0; i < s->nr; i++) {
		at = dr_epochs_from(t, s->v[i].epoch);
		e = t->e + at;
		if (at == t->nr || e->id != s->v[i].epoch)
			return -EUCLEAN;	/* no record (N1, M6) */
		s->seat[i] = (struct dr_seat){ o->pos[at], o->end[at], i, 0 };
		sorted &= !i || s->seat[i - 1].pos < s->seat[i].pos;
		s->shares |= e->how == DR_MADE_BY_REPLAY ||
			     e->flags & DR_EPOCH_SHARES;
		s->needed[i] = e->state != DR_EPOCH_DROPPED ||
			       !dr_epoch_in_trees(st, e);
	}
	/* On one branch, numbers and places have the same order. */
	if (!sorted)
		dr_sort(s->seat, s->nr, sizeof(*s->seat), by_place);
	return 0;
}

/*
 * R1, for all versions at once: of the retained epochs below a version those
 * below another one of the run look through to that.
 */
static void judge(struct dr_stack *s, const struct dr_order *o)
{
	u32 i, n = 0, below;

	for (i = 0; i < s->nr; i++) {
		struct dr_seat *seat = s->seat + i;

		while (n && s->seat[s->open[n - 1]].end <= seat->pos)
			n--;
		below = o->kept[seat->end] - o->kept[seat->pos];
		seat->seen = below;
		if (n)
			s->seat[s->open[n - 1]].seen -= below;
		s->open[n++] = i;
	}
	for (i = 0; i < s->nr; i++)
		if (s->seat[i].seen)
			s->needed[s->seat[i].at] = true;
}

int dr_stack_at(struct dr_stack *s, const struct dr_store *st,
		const struct dr_order *o, struct dr_cursor *c, u64 block)
{
	const void *entry;
	struct dr_map m;
	int r = dr_cursor_le(c, dr_map_key(block, ~0u), &entry);

	if (r < 0)
		return r;
	if (r)
		dr_map_decode(&m, entry);
	if (!r || m.block + m.len <= block)
		return -EUCLEAN;	/* the index names no run */
	r = read_versions(s, &st->env, c, m.block);
	if (!r)
		r = take_seats(s, st, o);
	if (!r)
		judge(s, o);
	return r;
}

/*
 * R2: when the versions that are not needed go, who frees the slot of the one
 * at @at? Not this one, while another that stays shows it, or one that goes as
 * well but comes later.
 */
static bool shared(const struct dr_stack *s, u32 at)
{
	u32 i;

	for (i = 0; s->shares && i < s->nr; i++)
		if (i != at && s->v[i].slot == s->v[at].slot &&
		    (s->needed[i] || i > at))
			return true;
	return false;
}

int dr_stack_delete(struct dr_stack *s, struct dr_plan *plan,
		    struct dr_cursor *c, u64 pos, u64 to)
{
	struct dr_urun u = { .block = pos, .len = to - pos, .ver = s->ver };
	u64 max = div64_u64(plan->txn->max_fed, to - pos);
	u32 i;
	int r;

	max = clamp_t(u64, max, 1, DR_STACK_MAX);
	for (i = 0; i < s->nr; i++) {
		if (s->needed[i])
			continue;
		if (u.nr == max)
			break;
		s->ver[u.nr++] = (struct dr_ver){
			.epoch = s->v[i].epoch,
			.slot = dr_slot_plus(s->v[i].slot, pos - s->v[i].block,
					     plan->slot_blocks),
			.change = shared(s, i) ? DR_DELETE : DR_DELETE_FREE,
		};
	}
	r = u.nr ? dr_plan_feed(plan, &u) : 0;
	if (r || i == s->nr)
		return r;
	r = dr_plan_flush(plan);
	dr_cursor_reset(c, plan->map);
	return r ? r : 1;
}
