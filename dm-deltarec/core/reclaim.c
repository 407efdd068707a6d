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
 * one sees what the dropped epoch saw. And only where each epoch above that is
 * retained, any one of them, or one on the way to it, has a version (R3). The
 * epoch has the flag DR_EPOCH_VISIT, and a pass goes through the blocks of the
 * ones or of the others, in order of block and of many epochs at a time, so that
 * a leaf of the map is rewritten once and not once an epoch.
 *
 * Epochs that the journal or a memtable may have versions of are left alone
 * until these are merged (R6), so a step needs no merge before it.
 *
 * A step ends when the log is half full, when there is room for no more (S11) or
 * when somebody waits; a pass is repeatable: a crash in the middle only means
 * that some of the versions are gone already.
 */
#include "note.h"
#include "seen.h"

#ifndef PASS_EPOCHS	/* tests make it small */
#define PASS_EPOCHS	1024u	/* that one pass looks for, at most */
#endif

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
	struct dr_stack stack;		/* the run in hand */
	struct dr_order order;
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

static bool to_visit(const struct dr_store *st, const struct dr_epoch *e)
{
	return dropped(e) && e->flags & DR_EPOCH_VISIT && dr_epoch_in_trees(st, e);
}

static bool any_to_visit(const struct dr_store *st)
{
	u32 i;

	if (st->reclaim_pass)
		return true;
	for (i = 0; i < st->epochs.nr; i++)
		if (to_visit(st, st->epochs.e + i))
			return true;
	return false;
}

bool dr_reclaim_ready(const struct dr_store *st)
{
	return any_to_visit(st) || !dr_reclaim_pending(st);
}

/* --- one step: setting up, going back ------------------------------------- */

static void reclaim_exit(struct reclaim *rc)
{
	const struct dr_env *env = &rc->st->env;

	if (rc->plan.txn)
		dr_plan_exit(&rc->plan);
	dr_walk_exit(&rc->walk);
	dr_stack_exit(&rc->stack, env);
	dr_order_exit(&rc->order, env);
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

static bool in_pass(void *arg, const struct dr_epoch *e)
{
	(void)arg;
	return e->pass & DR_PASS_VISIT;
}

static int visit(struct dr_walk *w, u64 *pos, u64 end);

static int reclaim_init(struct reclaim *rc, struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	int r;

	memset(rc, 0, sizeof(*rc));
	rc->st = st;
	rc->was = env->alloc(env->ctx, (size_t)st->epochs.nr *
				       sizeof(*rc->was));
	r = rc->was ? dr_order_make(&rc->order, st) : -ENOMEM;
	if (r)
		return r;
	remember(rc);
	rc->walk = (struct dr_walk){
		.st = st, .wanted = in_pass, .visit = visit, .arg = rc,
	};
	r = dr_plan_init(&rc->plan, &st->txn, &st->new_map, &st->new_index,
			 st->slot_blocks);
	return r ? r : dr_walk_init(&rc->walk);
}

/* --- a run ------------------------------------------------------------------ */

/*
 * Which epochs may have lost their last version: the end of the pass looks, and
 * after a crash the next one does.
 */
static void touch(struct reclaim *rc)
{
	struct dr_epochs *t = &rc->st->epochs;
	const struct dr_stack *s = &rc->stack;
	struct dr_epoch *e;
	u32 i;

	for (i = 0; i < s->nr; i++) {
		if (s->needed[i])
			continue;
		e = t->e + dr_epochs_from(t, s->v[i].epoch);
		if (e->flags & DR_EPOCH_VISIT)
			continue;
		e->flags |= DR_EPOCH_VISIT;
		e->pass |= DR_PASS_SERVED;
		e->dirty = true;
	}
}

/* Look at the versions in [*at, end). Return: 1 when it is enough for now. */
static int visit(struct dr_walk *w, u64 *at, u64 end)
{
	struct reclaim *rc = w->arg;
	u64 to;
	int r;

	for (; *at < end; *at = to) {
		if (!dr_txn_roomy(&rc->st->txn))
			return 1;
		r = dr_stack_at(&rc->stack, rc->st, &rc->order, &w->map, *at);
		if (r)
			return r;
		to = min(end, rc->stack.v->block + rc->stack.v->len);
		touch(rc);
		r = dr_stack_delete(&rc->stack, &rc->plan, &w->map, *at, to);
		if (r < 0)
			return r;
		if (r)
			to = *at;
	}
	return 0;
}

/* --- the end of a pass -------------------------------------------------------- */

int dr_epoch_has_versions(struct dr_store *st, u32 d)
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

		p = dr_parent_of(t, i);
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

		/* One that was flagged since waits for the next pass. */
		if (!(e->pass & DR_PASS_SERVED) || !dropped(e)) {
			e->pass = 0;
			continue;
		}
		/* Half of the log is more than the longest note needs. */
		if (!dr_txn_roomy(&st->txn)) {
			r = 1;
			break;
		}
		st->txn.fed++;
		r = dr_epoch_has_versions(st, e->id);
		e->gone = !r;
		if (!r)
			r = dr_note_forget(st, e->id);
		if (r < 0)
			break;
		any |= e->gone;
		e->flags &= ~(DR_EPOCH_VISIT | DR_EPOCH_SPREAD);
		e->pass = 0;
		e->dirty = true;
		r = 0;
	}
	if (any)
		rewire(t);
	return r;
}

/* --- the beginning of a pass ---------------------------------------------------- */

/* What it costs to visit the blocks that a drop can have changed, either way */
struct ways {
	u64 down;	/* those of the epoch and of the dropped ones below it */
	u64 up;		/* those of the epochs above, to a retained one */
	u32 via;	/* the first of these, by table position */
	u32 steps;	/* how many they are */
};

#define NO_WAY	(~0ULL)

/* What is flagged below is visited in any case. */
static void look_down(const struct dr_epochs *t, struct ways *w)
{
	u32 i, p;

	for (i = 0; i < t->nr; i++) {
		p = dr_parent_of(t, i);
		w[i] = (struct ways){ t->e[i].nr_blocks + 1, NO_WAY, t->nr, 0 };
		if (p < t->nr && dropped(t->e + p) &&
		    !(t->e[p].flags & DR_EPOCH_VISIT))
			w[i].down += w[p].down;
	}
}

/* Is the way over @i the best one for its parent? What is visited costs nothing. */
static void look_up(const struct dr_store *st, struct ways *w, u32 i)
{
	const struct dr_epochs *t = &st->epochs;
	const struct dr_epoch *e = t->e + i;
	bool more = !(e->pass & DR_PASS_VISIT);
	u64 cost = more ? e->nr_blocks + 1 : 0;
	u32 p = dr_parent_of(t, i), steps = more;

	if (p >= t->nr || !dr_epoch_in_trees(st, e))
		return;
	if (dropped(e)) {
		if (w[i].up == NO_WAY)
			return;
		cost += w[i].up;
		steps += w[i].steps;
	}
	if (cost >= w[p].up)
		return;
	w[p].up = cost;
	w[p].via = i;
	w[p].steps = steps;
}

/* The epochs above @i, to a retained one, are visited for it (R3). */
static u32 go_up(struct dr_epochs *t, const struct ways *w, u32 i)
{
	u32 n = 0;

	t->e[i].pass |= DR_PASS_SERVED;
	do {
		i = w[i].via;
		n += !(t->e[i].pass & DR_PASS_VISIT);
		t->e[i].pass |= DR_PASS_VISIT;
	} while (dropped(t->e + i));
	return n;
}

static u32 go_down(struct dr_store *st, u32 i)
{
	struct dr_epochs *t = &st->epochs;
	struct dr_epoch *e = t->e + i;
	u32 p = dr_parent_of(t, i);

	if (e->flags & DR_EPOCH_SPREAD) {
		e->flags &= ~DR_EPOCH_SPREAD;
		e->dirty = true;
		if (p < t->nr && dropped(t->e + p)) {
			t->e[p].flags |= DR_EPOCH_VISIT | DR_EPOCH_SPREAD;
			t->e[p].dirty = true;
		}
	}
	if (!to_visit(st, e))
		return 0;
	e->pass |= DR_PASS_VISIT | DR_PASS_SERVED;
	return 1;
}

/*
 * Which epochs this pass visits: for those that are flagged, either themselves
 * and the dropped ones that they stand on, or those above, whichever is less
 * (R3); but not many more than a search for each may cost.
 */
static void begin_pass(struct dr_store *st, struct ways *w)
{
	struct dr_epochs *t = &st->epochs;
	u32 i, n = 0;

	for (i = 0; i < t->nr; i++)
		t->e[i].pass = 0;
	look_down(t, w);
	/* From above, so that for each one all above it is decided. */
	for (i = t->nr; n < PASS_EPOCHS && i-- > 0;) {
		struct dr_epoch *e = t->e + i;

		if (e->flags & DR_EPOCH_SPREAD && to_visit(st, e) &&
		    w[i].up < w[i].down && w[i].steps <= PASS_EPOCHS)
			n += go_up(t, w, i);
		else if (dropped(e) && e->flags & DR_EPOCH_VISIT)
			n += go_down(st, i);
		look_up(st, w, i);
	}
	st->reclaim_pass = true;
}

static int choose_pass(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct ways *w;

	w = env->alloc(env->ctx, (size_t)st->epochs.nr * sizeof(*w));
	if (!w)
		return -ENOMEM;
	begin_pass(st, w);
	env->free(env->ctx, w);
	return 0;
}

static int reclaim_some(struct reclaim *rc)
{
	struct dr_store *st = rc->st;
	int r = 0, f;

	while (!r && st->reclaim_block < st->nr_map_blocks)
		r = !dr_txn_roomy(&st->txn) ? 1 : dr_walk_window(&rc->walk,
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

	r = st->reclaim_pass ? 0 : choose_pass(st);
	if (r)
		return r;
	dr_store_begin(st);
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
	if (r)
		dr_store_abort(st);
	return r ? r : more;
}

int dr_reclaim_step(struct dr_store *st)
{
	int r;

	st->reclaim_wanted = dr_reclaim_pending(st);
	if (!any_to_visit(st))
		return 0;
	do
		r = reclaim_try(st);
	while (r == -ENOSPC && dr_txn_smaller(&st->txn));
	if (r < 0)
		return r;
	dr_txn_larger(&st->txn);
	if (r)
		return 1;
	st->reclaim_pass = false;
	st->reclaim_block = 0;
	st->reclaim_wanted = dr_reclaim_pending(st);
	return any_to_visit(st);
}
