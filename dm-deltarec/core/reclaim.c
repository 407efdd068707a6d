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
 * A drop changes the fate of versions in that epoch, and in the dropped ones
 * right below it, and nowhere else: beyond the first retained ancestor, that
 * one sees what the dropped epoch saw (R3). These have the flag DR_EPOCH_VISIT,
 * and a pass goes through their blocks, in order of block and of many epochs at
 * a time, so that a leaf of the map is rewritten once and not once an epoch.
 *
 * A step ends when the log is half full, when there is room for no more (S11) or
 * when somebody waits; a pass is repeatable: a crash in the middle only means
 * that some of the versions are gone already.
 */
#include "note.h"
#include "recover.h"

#ifndef PASS_EPOCHS	/* tests make it small */
#define PASS_EPOCHS	1024u	/* that one pass looks for, at most */
#endif
#define LOOK_RUNS	64u	/* at least, before somebody else is let in */

/* A version of the run in hand, and the place of its epoch in the tree */
struct seat {
	u32 pos;
	u32 end;		/* first place behind what descends from it */
	u32 at;			/* in the stack */
	u32 seen;		/* retained epochs that look through to it */
};

struct stack {
	struct dr_map *v;	/* by epoch */
	struct seat *seat;	/* by place */
	struct dr_ver *ver;	/* to be deleted, by epoch */
	u32 *open;		/* seats around the one in hand */
	bool *needed;		/* as v */
	u32 nr;
	u32 max;
	bool shares;		/* slots may be shown by more than one version */
};

/* What a step changes of an epoch's record */
struct was {
	u32 parent;
	u16 flags;
	bool gone;
	u8 pass;
};

struct reclaim {
	struct dr_store *st;
	struct dr_walk walk;
	struct dr_plan plan;
	struct stack stack;		/* of the run in hand */
	/* By table position: places in a preorder of the tree */
	u32 *pos;
	u32 *end;
	u32 *kept;			/* by place: retained ones before it */
	u32 looked;			/* runs, in this step */
	/* To go back to when the step cannot be committed (S6) */
	struct was *was;		/* by table position */
	u64 at_block;
};

static bool dropped(const struct dr_epoch *e)
{
	return e->state == DR_EPOCH_DROPPED && !e->gone;
}

u32 dr_reclaim_pending(const struct dr_store *st)
{
	u32 i, n = 0;

	for (i = 0; i < st->epochs.nr; i++)
		n += dropped(st->epochs.e + i) &&
		     st->epochs.e[i].flags & DR_EPOCH_VISIT;
	return n;
}

/* --- one step: setting up, going back ------------------------------------- */

static void stack_exit(struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;
	struct stack *s = &rc->stack;

	env->free(env->ctx, s->v);
	env->free(env->ctx, s->seat);
	env->free(env->ctx, s->ver);
	env->free(env->ctx, s->open);
	env->free(env->ctx, s->needed);
	memset(s, 0, sizeof(*s));
}

static void reclaim_exit(struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;

	if (rc->plan.txn)
		dr_plan_exit(&rc->plan);
	dr_walk_exit(&rc->walk);
	stack_exit(rc);
	env->free(env->ctx, rc->pos);
	env->free(env->ctx, rc->end);
	env->free(env->ctx, rc->kept);
	env->free(env->ctx, rc->was);
}

static void remember(struct reclaim *rc)
{
	const struct dr_epochs *t = &rc->st->epochs;
	u32 i;

	for (i = 0; i < t->nr; i++)
		rc->was[i] = (struct was){ t->e[i].parent, t->e[i].flags,
					   t->e[i].gone, t->e[i].pass };
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
		st->epochs.e[i].pass = rc->was[i].pass;
	}
	st->reclaim_block = rc->at_block;
}

/* Position of an epoch's parent in the table, or nr: the base */
static u32 parent_of(const struct dr_epochs *t, u32 i)
{
	return t->e[i].parent ? dr_epochs_from(t, t->e[i].parent) : t->nr;
}

/*
 * Places in a preorder, so that what descends from an epoch is an interval.
 * Children have higher numbers than their parents (E1): sizes come from a walk
 * down the table, places from one up.
 */
static void number_tree(struct reclaim *rc)
{
	const struct dr_epochs *t = &rc->st->epochs;
	u32 i, p, next = 0, *size = rc->end, *free = rc->kept;

	for (i = 0; i < t->nr; i++)
		size[i] = 1;
	for (i = t->nr; i-- > 0;) {
		p = parent_of(t, i);
		if (p < t->nr)
			size[p] += size[i];
	}
	/* free: the next place below an epoch */
	for (i = 0; i < t->nr; i++) {
		p = parent_of(t, i);
		rc->pos[i] = p < t->nr ? free[p] : next;
		*(p < t->nr ? &free[p] : &next) += size[i];
		free[i] = rc->pos[i] + 1;
	}
	for (i = 0; i < t->nr; i++)
		rc->end[i] = rc->pos[i] + size[i];
	memset(rc->kept, 0, (t->nr + 1) * sizeof(*rc->kept));
	for (i = 0; i < t->nr; i++)
		rc->kept[rc->pos[i] + 1] = t->e[i].state != DR_EPOCH_DROPPED;
	for (i = 0; i < t->nr; i++)
		rc->kept[i + 1] += rc->kept[i];
}

static bool in_pass(void *arg, const struct dr_epoch *e)
{
	(void)arg;
	return e->pass == DR_PASS_IN;
}

static int visit(struct dr_walk *w, u64 *pos, u64 end);

static int reclaim_init(struct reclaim *rc, struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	size_t n = st->epochs.nr + 1;
	int r;

	memset(rc, 0, sizeof(*rc));
	rc->st = st;
	rc->pos = env->alloc(env->ctx, n * sizeof(u32));
	rc->end = env->alloc(env->ctx, n * sizeof(u32));
	rc->kept = env->alloc(env->ctx, n * sizeof(u32));
	rc->was = env->alloc(env->ctx, n * sizeof(*rc->was));
	if (!rc->pos || !rc->end || !rc->kept || !rc->was)
		return -ENOMEM;
	remember(rc);
	number_tree(rc);
	rc->walk = (struct dr_walk){
		.st = st, .wanted = in_pass, .visit = visit, .arg = rc,
	};
	r = dr_plan_init(&rc->plan, &st->txn, &st->new_map, &st->new_index,
			 st->slot_blocks);
	return r ? r : dr_walk_init(&rc->walk);
}

/* --- a run ------------------------------------------------------------------ */

static int stack_grow(struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;
	struct stack old = rc->stack, *s = &rc->stack;
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
	env->free(env->ctx, old.v);
	env->free(env->ctx, old.seat);
	env->free(env->ctx, old.ver);
	env->free(env->ctx, old.open);
	env->free(env->ctx, old.needed);
	return s->v && s->seat && s->ver && s->open && s->needed ? 0 : -ENOMEM;
}

/* All versions of the run that begins at @run */
static int read_stack(struct reclaim *rc, u64 run)
{
	struct stack *s = &rc->stack;
	const void *entry;
	int r;

	s->nr = 0;
	for (r = dr_cursor_ge(&rc->walk.map, dr_map_key(run, 0), &entry);
	     r == 1; r = dr_cursor_next(&rc->walk.map, &entry)) {
		if (s->nr == s->max && stack_grow(rc))
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
	const struct seat *x = a, *y = b;

	return x->pos < y->pos ? -1 : x->pos > y->pos;
}

/* Where the run's epochs are in the tree, in order of place */
static int take_seats(struct reclaim *rc)
{
	const struct dr_epochs *t = &rc->st->epochs;
	struct stack *s = &rc->stack;
	bool sorted = true;
	u32 i, at;

	s->shares = false;
	for (i = 0; i < s->nr; i++) {
		at = dr_epochs_from(t, s->v[i].epoch);
		if (at == t->nr || t->e[at].id != s->v[i].epoch)
			return -EUCLEAN;	/* no record (N1, M6) */
		s->seat[i] = (struct seat){ rc->pos[at], rc->end[at], i, 0 };
		sorted &= !i || s->seat[i - 1].pos < s->seat[i].pos;
		s->shares |= t->e[at].how == DR_MADE_BY_REPLAY;
		s->needed[i] = t->e[at].state != DR_EPOCH_DROPPED;
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
static void judge(struct reclaim *rc)
{
	struct stack *s = &rc->stack;
	u32 i, n = 0, below;

	for (i = 0; i < s->nr; i++) {
		struct seat *seat = s->seat + i;

		while (n && s->seat[s->open[n - 1]].end <= seat->pos)
			n--;
		below = rc->kept[seat->end] - rc->kept[seat->pos];
		seat->seen = below;
		if (n)
			s->seat[s->open[n - 1]].seen -= below;
		s->open[n++] = i;
	}
	for (i = 0; i < s->nr; i++)
		if (s->seat[i].seen)
			s->needed[s->seat[i].at] = true;
}

/*
 * R2: does another version that stays show the slot, or one that goes as well
 * but frees it? Only replays make such versions.
 */
static bool shared(const struct stack *s, u32 at)
{
	u32 i;

	for (i = 0; s->shares && i < s->nr; i++)
		if (i != at && s->v[i].slot == s->v[at].slot &&
		    (s->needed[i] || i > at))
			return true;
	return false;
}

/*
 * Delete what nobody needs of [pos, to), which lies in the run in hand. Return:
 * 1 when that is more than one change can hold, and the run has to be read
 * again.
 */
static int delete_some(struct reclaim *rc, u64 pos, u64 to)
{
	struct dr_epochs *t = &rc->st->epochs;
	struct stack *s = &rc->stack;
	struct dr_urun u = { .block = pos, .len = to - pos, .ver = s->ver };
	struct dr_epoch *e;
	u32 i;
	int r;

	for (i = 0; i < s->nr; i++) {
		if (s->needed[i])
			continue;
		if (u.nr == DR_STACK_MAX)
			break;
		s->ver[u.nr++] = (struct dr_ver){
			.epoch = s->v[i].epoch,
			.slot = dr_slot_plus(s->v[i].slot, pos - s->v[i].block,
					     rc->st->slot_blocks),
			.change = shared(s, i) ? DR_DELETE : DR_DELETE_FREE,
		};
		e = t->e + dr_epochs_from(t, s->v[i].epoch);
		if (!e->pass)
			e->pass = DR_PASS_TOUCHED;
	}
	r = u.nr ? dr_plan_feed(&rc->plan, &u) : 0;
	if (r || i == s->nr)
		return r;
	r = dr_plan_flush(&rc->plan);
	dr_cursor_reset(&rc->walk.map, &rc->st->new_map);
	return r ? r : 1;
}

static bool enough(const struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;

	if (!dr_txn_roomy(&rc->st->txn))
		return true;
	return rc->looked >= LOOK_RUNS && env->waited_for &&
	       env->waited_for(env->ctx);
}

/* Look at the versions in [*at, end). Return: 1 when it is enough for now. */
static int visit(struct dr_walk *w, u64 *at, u64 end)
{
	struct reclaim *rc = w->arg;
	struct dr_map m;
	const void *entry;
	u64 to;
	int r;

	for (; *at < end; *at = to, rc->looked++) {
		if (enough(rc))
			return 1;
		r = dr_cursor_le(&w->map, dr_map_key(*at, ~0u), &entry);
		if (r < 0)
			return r;
		if (r)
			dr_map_decode(&m, entry);
		if (!r || m.block + m.len <= *at)
			return -EUCLEAN;	/* the index names no run */
		to = min(end, m.block + m.len);
		r = read_stack(rc, m.block);
		if (!r)
			r = take_seats(rc);
		if (r)
			return r;
		judge(rc);
		r = delete_some(rc, *at, to);
		if (r < 0)
			return r;
		if (r)
			to = *at;
	}
	return 0;
}

/* --- the end of a pass -------------------------------------------------------- */

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

/* What stood on epochs that are gone stands on what those stood on. */
static void rewire(struct dr_epochs *t)
{
	u32 i, p;

	for (i = 0; i < t->nr; i++) {
		struct dr_epoch *e = t->e + i;
		const struct dr_epoch *d;

		p = parent_of(t, i);
		d = p < t->nr ? t->e + p : NULL;
		if (!d || !d->gone)
			continue;
		/* It is lower, so it was rewired before. */
		e->parent = d->parent;
		/*
		 * Nobody can tell any more what it began with, unless that is
		 * what its new parent ended with.
		 */
		if (d->nr_blocks)
			e->flags |= DR_EPOCH_CUT;
		e->flags |= d->flags & DR_EPOCH_CUT;
		e->dirty = true;
	}
}

/* Those without versions leave the table. 1: enough for now */
static int end_pass(struct dr_store *st)
{
	struct dr_epochs *t = &st->epochs;
	bool any = false;
	int r = 0;
	u32 i;

	for (i = 0; !r && i < t->nr; i++) {
		struct dr_epoch *e = t->e + i;

		if (!e->pass || !dropped(e))
			continue;
		/* Half of the log is more than the longest note needs. */
		if (!dr_txn_roomy(&st->txn)) {
			r = 1;
			break;
		}
		st->txn.fed++;
		r = has_versions(st, e->id);
		e->gone = !r;
		if (!r)
			r = dr_note_forget(st, e->id);
		if (r < 0)
			break;
		any |= e->gone;
		/* One that was dropped since waits for the next pass. */
		if (e->pass == DR_PASS_IN)
			e->flags &= ~DR_EPOCH_VISIT;
		e->pass = 0;
		e->dirty = true;
		r = 0;
	}
	if (any)
		rewire(t);
	return r;
}

/*
 * Which epochs this pass is for: those that were dropped, the dropped ones that
 * they stand on (R3), but not more than a search for each may cost.
 */
static void begin_pass(struct dr_store *st)
{
	struct dr_epochs *t = &st->epochs;
	u32 i, p, n = 0;

	for (i = t->nr; i-- > 0;) {
		if (!(t->e[i].flags & DR_EPOCH_SPREAD))
			continue;
		t->e[i].flags &= ~DR_EPOCH_SPREAD;
		t->e[i].dirty = true;
		p = parent_of(t, i);
		if (p < t->nr && dropped(t->e + p))
			t->e[p].flags |= DR_EPOCH_VISIT | DR_EPOCH_SPREAD;
	}
	for (i = 0; i < t->nr; i++) {
		t->e[i].pass = 0;
		if (n == PASS_EPOCHS || !dropped(t->e + i) ||
		    !(t->e[i].flags & DR_EPOCH_VISIT))
			continue;
		t->e[i].pass = DR_PASS_IN;
		n++;
	}
}

static int reclaim_some(struct reclaim *rc)
{
	struct dr_store *st = rc->st;
	int r = 0, f;

	while (!r && st->reclaim_block < st->nr_map_blocks)
		r = enough(rc) ? 1 : dr_walk_window(&rc->walk,
						    &st->reclaim_block,
						    st->nr_map_blocks);
	f = r < 0 ? 0 : dr_plan_flush(&rc->plan);
	if (!r && !f)
		r = end_pass(st);
	return f ? f : r;
}

static int reclaim_try(struct dr_store *st)
{
	struct reclaim rc;
	int r, more = 0;

	if (!dr_reclaim_pending(st)) {
		st->reclaim_wanted = false;
		return 0;
	}
	dr_store_begin(st);
	if (!st->reclaim_block)
		begin_pass(st);
	r = reclaim_init(&rc, st);
	if (!r) {
		more = reclaim_some(&rc);
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
	if (more)
		return 1;
	st->reclaim_block = 0;
	more = dr_reclaim_pending(st) != 0;
	st->reclaim_wanted = more;
	return more;
}

int dr_reclaim_step(struct dr_store *st)
{
	int r;

	do
		r = reclaim_try(st);
	while (r == -ENOSPC && dr_txn_smaller(&st->txn));
	if (r >= 0)
		dr_txn_larger(&st->txn);
	return r;
}
