// SPDX-License-Identifier: GPL-2.0
/*
 * reclaim.c - what dropped epochs leave behind.
 *
 * A version (b, d) of a dropped epoch d is needed while some epoch that is
 * retained looks through to it: one that can be reached from d downwards
 * without passing an epoch that has a version of b (R1). All versions of a
 * block lie side by side, so this is decided by looking at that block alone;
 * its slot is free when no version that stays shows it (R2). A dropped epoch
 * without versions leaves the table, and its children become its parent's.
 *
 * A pass visits every dropped epoch once. It is repeatable: a crash in the
 * middle only means that some of the versions are gone already.
 */
#include "note.h"
#include "recover.h"

struct stack {
	struct dr_map *v;
	u32 nr;
	u32 max;
};

/* What a pass changes of an epoch's record */
struct was {
	u32 parent;
	u16 flags;
	bool gone;
};

struct reclaim {
	struct dr_store *st;
	struct dr_plan plan;
	struct dr_cursor index;		/* over the index as it was */
	struct dr_cursor map;		/* over the map as it becomes */
	struct stack stack;		/* of the run in hand */
	u32 *child;			/* 1 + first child, by table position */
	u32 *sibling;
	u32 *todo;			/* depth-first search */
	/* To go back to when the step cannot be committed (S6) */
	struct was *was;		/* by table position */
	u32 at_epoch;
	u64 at_block;
};

u32 dr_reclaim_pending(const struct dr_store *st)
{
	u32 i, n = 0;

	for (i = 0; i < st->epochs.nr; i++)
		n += st->epochs.e[i].state == DR_EPOCH_DROPPED &&
		     !st->epochs.e[i].gone;
	return n;
}

static void reclaim_exit(struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;

	if (rc->plan.txn)
		dr_plan_exit(&rc->plan);
	dr_cursor_exit(&rc->index);
	dr_cursor_exit(&rc->map);
	env->free(env->ctx, rc->stack.v);
	env->free(env->ctx, rc->child);
	env->free(env->ctx, rc->sibling);
	env->free(env->ctx, rc->todo);
	env->free(env->ctx, rc->was);
}

static void remember(struct reclaim *rc)
{
	const struct dr_epochs *t = &rc->st->epochs;
	u32 i;

	for (i = 0; i < t->nr; i++)
		rc->was[i] = (struct was){ t->e[i].parent, t->e[i].flags,
					   t->e[i].gone };
	rc->at_epoch = rc->st->reclaim_epoch;
	rc->at_block = rc->st->reclaim_block;
}

/*
 * The trees are as they were before the step, and so must the table be: an
 * epoch that has versions has a record. It stays dirty, which does no harm.
 */
static void go_back(struct reclaim *rc)
{
	struct dr_store *st = rc->st;
	u32 i;

	for (i = 0; i < st->epochs.nr; i++) {
		st->epochs.e[i].parent = rc->was[i].parent;
		st->epochs.e[i].flags = rc->was[i].flags;
		st->epochs.e[i].gone = rc->was[i].gone;
	}
	st->reclaim_epoch = rc->at_epoch;
	st->reclaim_block = rc->at_block;
}

static int reclaim_init(struct reclaim *rc, struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	size_t bytes = st->epochs.nr * sizeof(u32);
	u32 i, p;
	int r;

	memset(rc, 0, sizeof(*rc));
	rc->st = st;
	rc->child = env->alloc(env->ctx, bytes);
	rc->sibling = env->alloc(env->ctx, bytes);
	rc->todo = env->alloc(env->ctx, bytes);
	rc->was = env->alloc(env->ctx, st->epochs.nr * sizeof(*rc->was));
	if (!rc->child || !rc->sibling || !rc->todo || !rc->was)
		return -ENOMEM;
	remember(rc);
	for (i = 0; i < st->epochs.nr; i++) {
		if (st->epochs.e[i].gone || !st->epochs.e[i].parent)
			continue;
		p = dr_epochs_from(&st->epochs, st->epochs.e[i].parent);
		rc->sibling[i] = rc->child[p];
		rc->child[p] = i + 1;
	}
	r = dr_plan_init(&rc->plan, &st->txn, &st->new_map, &st->new_index,
			 st->slot_blocks);
	if (!r)
		r = dr_cursor_init(&rc->index, env, st->uuid, &dr_tree_index,
				   &st->index);
	if (!r)
		r = dr_cursor_init(&rc->map, env, st->uuid, &dr_tree_map,
				   &st->map);
	return r;
}

/* All versions of the run that begins at @run */
static int read_stack(struct reclaim *rc, u64 run)
{
	const struct dr_env *env = &rc->st->env;
	struct stack *s = &rc->stack;
	const void *entry;
	int r;

	s->nr = 0;
	for (r = dr_cursor_ge(&rc->map, dr_map_key(run, 0), &entry); r == 1;
	     r = dr_cursor_next(&rc->map, &entry)) {
		if (s->nr == s->max) {
			u32 max = s->max ? 2 * s->max : 256;
			struct dr_map *v = env->alloc(env->ctx,
						      max * sizeof(*v));

			if (!v)
				return -ENOMEM;
			if (s->nr)
				memcpy(v, s->v, s->nr * sizeof(*v));
			env->free(env->ctx, s->v);
			s->v = v;
			s->max = max;
		}
		dr_map_decode(s->v + s->nr, entry);
		if (s->v[s->nr].block != run)
			return 0;
		s->nr++;
	}
	return r;
}

static const struct dr_map *stack_find(const struct stack *s, u32 epoch)
{
	u32 lo = 0, hi = s->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (s->v[mid].epoch < epoch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->nr && s->v[lo].epoch == epoch ? s->v + lo : NULL;
}

/* R1: does a retained epoch look through to the version of epoch @d? */
static bool needed(struct reclaim *rc, u32 d)
{
	const struct dr_epochs *t = &rc->st->epochs;
	u32 n = 0, i = rc->child[dr_epochs_from(t, d)];

	for (;;) {
		while (!i) {
			if (!n)
				return false;
			i = rc->todo[--n];
		}
		i--;
		if (rc->sibling[i])
			rc->todo[n++] = rc->sibling[i];
		if (stack_find(&rc->stack, t->e[i].id)) {
			i = 0;
			continue;
		}
		if (t->e[i].state != DR_EPOCH_DROPPED)
			return true;
		i = rc->child[i];
	}
}

/* R2: does another version of the run show the same slot? */
static bool shared(const struct stack *s, const struct dr_map *v)
{
	u32 i;

	for (i = 0; i < s->nr; i++)
		if (s->v + i != v && s->v[i].slot == v->slot)
			return true;
	return false;
}

/*
 * Look at the versions of epoch @d in [*at, end). Return: 1 when the log is
 * half full, *@at being where to go on.
 */
static int visit(struct reclaim *rc, u32 d, u64 *at, u64 end)
{
	struct dr_ver ver = { .epoch = d };
	const struct dr_map *v;
	struct dr_urun u;
	struct dr_map m;
	const void *entry;
	u64 pos, to;
	int r;

	for (pos = *at; pos < end; pos = to) {
		if (!dr_txn_roomy(&rc->st->txn)) {
			*at = pos;
			return 1;
		}
		r = dr_cursor_le(&rc->map, dr_map_key(pos, ~0u), &entry);
		if (r < 0)
			return r;
		if (r)
			dr_map_decode(&m, entry);
		if (!r || m.block + m.len <= pos)
			return -EUCLEAN;	/* the index names no run */
		to = min(end, m.block + m.len);
		r = read_stack(rc, m.block);
		if (r)
			return r;
		v = stack_find(&rc->stack, d);
		if (!v)
			return -EUCLEAN;
		if (!needed(rc, d)) {
			ver.slot = dr_slot_plus(v->slot, pos - m.block,
						rc->st->slot_blocks);
			ver.change = shared(&rc->stack, v) ? DR_DELETE :
							     DR_DELETE_FREE;
			u = (struct dr_urun){ .block = pos, .len = to - pos,
					      .nr = 1, .ver = &ver };
			r = dr_plan_feed(&rc->plan, &u);
			if (r)
				return r;
		}
	}
	return 0;
}

/* Versions of one epoch from st->reclaim_block on. 1: enough for now */
static int visit_epoch(struct reclaim *rc, u32 d)
{
	struct dr_store *st = rc->st;
	struct dr_key key = { d, st->reclaim_block };
	const struct dr_disk_extent *x;
	const void *entry;
	u64 pos, end;
	int r, v;

	dr_cursor_reset(&rc->map, &st->new_map);
	/* A run that was left in the middle begins before the place. */
	r = dr_cursor_le(&rc->index, key, &entry);
	if (!r)
		r = dr_cursor_ge(&rc->index, key, &entry);
	for (; r == 1; r = dr_cursor_next(&rc->index, &entry)) {
		x = entry;
		if (le32_to_cpu(x->epoch) > d)
			return 0;
		pos = le64_to_cpu(x->block);
		end = pos + le32_to_cpu(x->len);
		pos = max(pos, st->reclaim_block);
		if (le32_to_cpu(x->epoch) < d || pos >= end)
			continue;
		v = visit(rc, d, &pos, end);
		if (v == 1)
			st->reclaim_block = pos;
		if (v)
			return v;
	}
	return r;
}

/* Is anything left of an epoch? */
static int has_versions(struct dr_store *st, u32 d)
{
	struct dr_cursor c;
	const void *entry;
	int r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_index,
			       &st->new_index);

	if (!r)
		r = dr_cursor_ge(&c, (struct dr_key){ d, 0 }, &entry);
	if (r == 1)
		r = le32_to_cpu(((const struct dr_disk_extent *)entry)->epoch) ==
		    d;
	dr_cursor_exit(&c);
	return r;
}

static int remove_epoch(struct dr_store *st, struct dr_epoch *d)
{
	int r = has_versions(st, d->id);
	u32 i;

	if (r)
		return r < 0 ? r : 0;
	/* Half of the log is more than the longest note needs. */
	if (!dr_txn_roomy(&st->txn))
		return 1;
	r = dr_note_forget(st, d->id);
	if (r)
		return r;
	d->gone = true;
	d->dirty = true;
	for (i = 0; i < st->epochs.nr; i++) {
		if (st->epochs.e[i].parent != d->id)
			continue;
		st->epochs.e[i].parent = d->parent;
		/*
		 * Nobody can tell any more what it began with, unless that is
		 * what its new parent ended with.
		 */
		if (d->nr_blocks)
			st->epochs.e[i].flags |= DR_EPOCH_CUT;
		st->epochs.e[i].flags |= d->flags & DR_EPOCH_CUT;
		st->epochs.e[i].dirty = true;
	}
	return 0;
}

static int reclaim_pass(struct reclaim *rc)
{
	struct dr_store *st = rc->st;
	struct dr_epoch *e;
	u32 i = dr_epochs_from(&st->epochs, st->reclaim_epoch);
	int r;

	for (; i < st->epochs.nr; i++) {
		e = st->epochs.e + i;
		if (e->state != DR_EPOCH_DROPPED || e->gone)
			continue;
		st->reclaim_epoch = e->id;
		r = visit_epoch(rc, e->id);
		/* Later epochs look at the trees as this one left them. */
		if (r >= 0) {
			int f = dr_plan_flush(&rc->plan);

			r = f ? f : r;
		}
		if (!r)
			r = remove_epoch(st, e);
		if (r)
			return r;
		st->reclaim_block = 0;
	}
	return 0;
}

int dr_reclaim_step(struct dr_store *st)
{
	struct reclaim rc;
	int r, more = 0;

	if (!dr_reclaim_pending(st)) {
		st->reclaim_wanted = false;
		return 0;
	}
	dr_store_begin(st);
	r = reclaim_init(&rc, st);
	if (!r) {
		more = reclaim_pass(&rc);
		r = min(more, 0);
		if (!r)
			r = dr_store_commit(st, false);
		if (r)
			go_back(&rc);
	}
	reclaim_exit(&rc);
	if (r) {
		dr_store_abort(st);
		return r;
	}
	if (!more)
		st->reclaim_wanted = false;
	return more;
}
