// SPDX-License-Identifier: GPL-2.0
/*
 * fold.c - committing the past up to an epoch to the origin, see fold.h.
 *
 * Let T be the version of a block that the epoch shows. It is copied over the
 * origin's block, and then all versions of that block on the epoch's lineage
 * go: whoever saw T sees the origin. Others may not notice (F2): those who see
 * an older version of the lineage, or through all of it to the origin, stand on
 * a branch that leaves the lineage below the epoch. Where that happens the first
 * epoch of the branch, its root, gets a version of its own that shows the same:
 * sharing the older version's slot, or a slot that the origin's old content was
 * copied to. Replays have versions that say "as the origin"; these get such a
 * slot as well.
 */
#include "fold.h"
#include "seen.h"

#define ZERO_SHARE	16u	/* as many zeroes as a block of data */

struct saved {
	u64 slot;
	u64 nr;			/* 4 KiB blocks */
};

struct fold {
	struct dr_store *st;
	struct dr_walk walk;
	struct dr_plan plan;
	struct dr_order order;
	struct dr_stack stack;
	struct dr_ver *ver;	/* DR_STACK_MAX changes of the run in hand */
	u32 *root;		/* of branches, by table position */
	u32 nr_roots;
	u64 blocks;		/* in this round's copies, of 4 KiB */
	bool changed;
	bool no_slots;		/* for the origin's old content */
	/* Slots taken in this step, to be given back if it fails */
	struct saved saved[DR_FOLD_COPIES];
	u32 nr_saved;
};

/* --- which epochs ------------------------------------------------------------ */

static bool in_pass(void *arg, const struct dr_epoch *e)
{
	const struct fold *x = arg;
	const struct dr_fold *f = &x->st->fold;

	return e->id >= f->from && e->id <= f->to && dr_fold_has(f, e->id);
}

/* The next pass: as many epochs as a search for each may cost. False: none */
static bool next_pass(struct dr_store *st)
{
	const struct dr_epochs *t = &st->epochs;
	struct dr_fold *f = &st->fold;
	u32 i, n = 0;

	f->from = f->to + 1;
	for (i = dr_epochs_from(t, f->from); i < t->nr; i++) {
		if (t->e[i].id > f->epoch || n == FOLD_EPOCHS)
			break;
		if (!dr_fold_has(f, t->e[i].id))
			continue;
		f->to = t->e[i].id;
		n++;
	}
	f->block = 0;
	return n;
}

static int find_roots(struct fold *x)
{
	const struct dr_env *env = &x->st->env;

	x->root = env->alloc(env->ctx, FOLD_ROOTS * sizeof(*x->root));
	if (!x->root)
		return -ENOMEM;
	x->nr_roots = dr_fold_roots(&x->st->epochs, &x->st->fold, &x->order,
				    x->root);
	return x->nr_roots > FOLD_ROOTS ? -E2BIG : 0;
}

/* --- a run -------------------------------------------------------------------- */

/* The version that the epoch @id of the lineage shows, in the stack; nr: none */
static u32 shown(const struct fold *x, u32 id)
{
	const struct dr_stack *s = &x->stack;
	u32 i, best = s->nr;

	for (i = 0; i < s->nr && s->v[i].epoch <= id; i++)
		if (dr_fold_has(&x->st->fold, s->v[i].epoch))
			best = i;
	return best;
}

static u64 slot_of(const struct dr_stack *s, u32 i)
{
	return i < s->nr ? s->v[i].slot : DR_SLOT_ORIGIN;
}

/* Does a retained epoch of the branch see what is below its root? */
static bool looks_through(const struct fold *x, u32 root)
{
	const struct dr_order *o = &x->order;
	const struct dr_stack *s = &x->stack;
	u32 pos = o->pos[root], end = o->end[root], i, lo = 0, hi = s->nr;
	u32 left = o->kept[end] - o->kept[pos];

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (s->seat[mid].pos < pos)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (i = lo; i < s->nr && s->seat[i].pos < end;) {
		const struct dr_seat *seat = s->seat + i;

		left -= o->kept[seat->end] - o->kept[seat->pos];
		while (i < s->nr && s->seat[i].pos < seat->end)
			i++;
	}
	return left;
}

static int by_epoch(const void *a, const void *b)
{
	const struct dr_ver *x = a, *y = b;

	return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

/*
 * The versions that others need before T goes, with slots as for the first
 * block of the run; DR_SLOT_ORIGIN stands for the old content. Return: how many,
 * sorted by epoch, or -E2BIG.
 */
static int needs(struct fold *x, u32 t)
{
	const struct dr_epochs *table = &x->st->epochs;
	const struct dr_stack *s = &x->stack;
	bool overwrites = slot_of(s, t) != DR_SLOT_ORIGIN;
	u32 i, at, n = 0;

	for (i = 0; i < x->nr_roots; i++) {
		const struct dr_epoch *e = table->e + x->root[i];

		if (!looks_through(x, x->root[i]))
			continue;
		at = shown(x, e->parent);
		if (slot_of(s, at) == slot_of(s, t))
			continue;	/* it sees in the origin what it saw */
		if (n == DR_STACK_MAX)
			return -E2BIG;
		x->ver[n++] = (struct dr_ver){
			.epoch = e->id, .slot = slot_of(s, at),
			.flags = at < s->nr ? s->v[at].flags : 0,
			.change = DR_SET_SHARED,
		};
	}
	for (i = 0; overwrites && i < s->nr; i++) {
		if (s->v[i].slot != DR_SLOT_ORIGIN || !s->needed[i] ||
		    dr_fold_has(&x->st->fold, s->v[i].epoch))
			continue;
		if (n == DR_STACK_MAX)
			return -E2BIG;
		x->ver[n++] = (struct dr_ver){
			.epoch = s->v[i].epoch, .slot = DR_SLOT_ORIGIN,
			.flags = s->v[i].flags, .change = DR_SET_SHARED,
		};
	}
	dr_sort(x->ver, n, sizeof(*x->ver), by_epoch);
	return n;
}

/*
 * The old content of [pos, *to) in slots of its own; *@to may come nearer.
 * Return: the first slot, or 0: no room; or an error.
 */
static int save(struct fold *x, u64 pos, u64 *to, u64 *slot)
{
	const struct dr_env *env = &x->st->env;
	struct dr_copy copy = { .block = pos };
	u32 got;

	if (!env->save)
		return -EOPNOTSUPP;
	env->lock(env->ctx);
	copy.slot = dr_space_take_data(&x->st->space,
				       min_t(u64, *to - pos,
					     max(FOLD_BLOCKS /
						 x->st->slot_blocks, 1u)),
				       &got);
	env->unlock(env->ctx);
	x->no_slots = !copy.slot;
	if (!copy.slot)
		return -ENOSPC;
	copy.nr = got;
	*to = pos + got;
	*slot = copy.slot;
	x->saved[x->nr_saved++] = (struct saved){
		copy.slot, (u64)got * x->st->slot_blocks
	};
	/* An error of the delta itself is another thing: see dr_fold_plan() */
	return env->save(env->ctx, &copy) ? -EREMOTEIO : 0;
}

static void mark_shares(struct fold *x, u32 n)
{
	struct dr_epoch *e;
	u32 i;

	for (i = 0; i < n; i++) {
		e = dr_epochs_find(&x->st->epochs, x->ver[i].epoch);
		if (e->flags & DR_EPOCH_SHARES)
			continue;
		/* It stays if the step fails: that does no harm. */
		e->flags |= DR_EPOCH_SHARES;
		e->dirty = true;
	}
}

/* Give [pos, *to) of the run in hand the versions that @n changes name */
static int keep(struct fold *x, u64 pos, u64 *to, u32 n)
{
	const struct dr_store *st = x->st;
	u64 run = x->stack.v->block, old = 0;
	struct dr_urun u = { .block = pos, .ver = x->ver, .nr = n };
	int r = 0;
	u32 i;

	for (i = 0; !r && i < n; i++) {
		struct dr_ver *v = x->ver + i;

		if (v->slot != DR_SLOT_ORIGIN) {
			v->slot = dr_slot_plus(v->slot, pos - run,
					       st->slot_blocks);
			continue;
		}
		if (!old) {
			r = save(x, pos, to, &old);
			v->change = DR_SET_OWN;
		}
		v->slot = old;
	}
	if (r || !n)
		return r;
	mark_shares(x, n);
	u.len = *to - pos;
	x->changed = true;
	return dr_plan_feed(&x->plan, &u);
}

/* Zeroes cost the origin less than data, but not nothing. */
static u64 cost(const struct fold *x, u64 slot, u64 nr)
{
	nr *= x->st->slot_blocks;
	return dr_slot_is_data(slot) ? nr : (nr + ZERO_SHARE - 1) / ZERO_SHARE;
}

/* Enter [pos, to), which shows @slot from there on, into the round */
static void add_copy(struct fold *x, u64 pos, u64 to, u64 slot)
{
	struct dr_fold *f = &x->st->fold;
	struct dr_copy *c = f->nr ? f->copy + f->nr - 1 : NULL;

	if (slot != DR_SLOT_ORIGIN)
		x->blocks += cost(x, slot, to - pos);
	if (c && c->block + c->nr == pos &&
	    dr_slot_plus(c->slot, c->nr, x->st->slot_blocks) == slot)
		c->nr += to - pos;
	else
		f->copy[f->nr++] = (struct dr_copy){ pos, slot, to - pos };
}

/* Blocks of the device that a round may copy, or fill with zeroes */
static u64 round_blocks(const struct fold *x, u64 slot)
{
	u32 n = max(FOLD_BLOCKS / x->st->slot_blocks, 1u);

	return dr_slot_is_data(slot) ? n : (u64)n * ZERO_SHARE;
}

static bool enough(const struct fold *x)
{
	return x->st->fold.nr == DR_FOLD_COPIES ||
	       x->nr_saved == DR_FOLD_COPIES || x->blocks >= FOLD_BLOCKS ||
	       !dr_txn_roomy(&x->st->txn);
}

static int plan_run(struct dr_walk *w, u64 *at, u64 end)
{
	struct fold *x = w->arg;
	struct dr_stack *s = &x->stack;
	u32 per = x->st->slot_blocks, t;
	u64 to;
	int r;

	for (; *at < end; *at = to) {
		if (enough(x))
			return 1;
		r = dr_stack_at(s, x->st, &x->order, &w->map, *at);
		if (r)
			return r;
		to = min(end, s->v->block + s->v->len);
		t = shown(x, x->st->fold.epoch);
		if (t == s->nr)
			continue;
		if (s->v[t].slot != DR_SLOT_ORIGIN)
			to = min_t(u64, to, *at + round_blocks(x, s->v[t].slot));
		r = needs(x, t);
		if (r >= 0)
			r = keep(x, *at, &to, r);
		/* What is copied before frees room for it. */
		if (r == -ENOSPC && x->no_slots && x->st->fold.nr)
			return 1;
		if (r)
			return r;
		add_copy(x, *at, to, dr_slot_plus(s->v[t].slot,
						  *at - s->v->block, per));
	}
	return 0;
}

/* --- a step -------------------------------------------------------------------- */

static void fold_exit(struct fold *x)
{
	const struct dr_env *env = &x->st->env;

	if (x->plan.txn)
		dr_plan_exit(&x->plan);
	dr_walk_exit(&x->walk);
	dr_stack_exit(&x->stack, env);
	dr_order_exit(&x->order, env);
	env->free(env->ctx, x->ver);
	env->free(env->ctx, x->root);
}

static int fold_init(struct fold *x, struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	int r;

	memset(x, 0, sizeof(*x));
	x->st = st;
	x->ver = env->alloc(env->ctx, DR_STACK_MAX * sizeof(*x->ver));
	r = x->ver ? dr_order_make(&x->order, st) : -ENOMEM;
	if (!r)
		r = find_roots(x);
	if (r)
		return r;
	x->walk = (struct dr_walk){
		.st = st, .wanted = in_pass, .visit = plan_run, .arg = x,
	};
	r = dr_plan_init(&x->plan, &st->txn, &st->new_map, &st->new_index,
			 st->slot_blocks);
	return r ? r : dr_walk_init(&x->walk);
}

static void give_back(struct fold *x)
{
	const struct dr_env *env = &x->st->env;

	env->lock(env->ctx);
	while (x->nr_saved--)
		dr_space_clear_busy(&x->st->space, x->saved[x->nr_saved].slot,
				    x->saved[x->nr_saved].nr);
	env->unlock(env->ctx);
}

/* Commit, or undo the transaction and what was taken beside it */
static int finish(struct fold *x, int r)
{
	struct dr_store *st = x->st;

	if (!r && x->changed) {
		r = dr_plan_flush(&x->plan);
		if (!r)
			r = dr_store_commit(st, false);
	} else if (!r) {
		dr_store_abort(st);
		return 0;
	}
	if (!r)
		return 0;
	dr_store_abort(st);
	if (!st->broken)
		give_back(x);
	return r;
}

/* Copies for a round. 1: all passes are over, and there are none */
static int plan_round(struct fold *x)
{
	struct dr_store *st = x->st;
	struct dr_fold *f = &st->fold;
	int r = 0;

	f->next = f->block;
	for (;;) {
		while (!r && f->next < st->nr_map_blocks)
			r = dr_walk_window(&x->walk, &f->next,
					   st->nr_map_blocks);
		if (r < 0 || f->nr)
			return min(r, 0);
		if (!next_pass(st))
			return 1;
		f->next = 0;
	}
}

/* The origin is what the epoch was. */
static int end_fold(struct dr_store *st)
{
	struct dr_disk_super *sb = &st->sb;
	struct dr_fold *f = &st->fold;
	struct dr_epoch *e = dr_epochs_find(&st->epochs, f->epoch);
	__le32 base = sb->base_epoch;
	__le64 time = sb->base_time;
	u32 i;
	int r;

	sb->commit_epoch = 0;
	sb->base_epoch = cpu_to_le32(f->epoch);
	sb->base_time = cpu_to_le64(e->time);
	/* Those that have no versions left can go. */
	st->env.lock(st->env.ctx);
	for (i = 0; i < st->epochs.nr && st->epochs.e[i].id < f->epoch; i++)
		if (st->epochs.e[i].state == DR_EPOCH_DROPPED &&
		    dr_fold_has(f, st->epochs.e[i].id))
			dr_store_visit(st, st->epochs.e + i);
	st->env.unlock(st->env.ctx);
	r = dr_store_commit(st, false);
	if (r) {
		sb->commit_epoch = cpu_to_le32(f->epoch);
		sb->base_epoch = base;
		sb->base_time = time;
		dr_store_abort(st);
		return r;
	}
	dr_fold_hold(st, -1);
	dr_fold_close(st);
	return 0;
}

/*
 * A root is given versions: not the head, which would write to their slots (P4),
 * nor one that has versions in memory, which a merge would put over them.
 */
static bool roots_settled(const struct fold *x)
{
	const struct dr_store *st = x->st;
	const struct dr_epoch *e;
	u32 i;

	for (i = 0; i < x->nr_roots; i++) {
		e = st->epochs.e + x->root[i];
		if (e->state == DR_EPOCH_HEAD || !dr_epoch_in_trees(st, e))
			return false;
	}
	return true;
}

static int plan_try(struct dr_store *st)
{
	struct dr_fold *f = &st->fold;
	struct fold x;
	int r;

	dr_store_begin(st);
	f->nr = 0;
	r = fold_init(&x, st);
	if (!r && !roots_settled(&x))
		r = -EBUSY;
	if (!r)
		r = plan_round(&x);
	if (r == 1)
		r = end_fold(st);
	else
		r = finish(&x, r);
	fold_exit(&x);
	return r;
}

int dr_fold_plan(struct dr_store *st)
{
	struct dr_fold *f = &st->fold;
	int r;

	if (!f->epoch || st->replay)
		return -EBUSY;
	do
		r = plan_try(st);
	while (r == -ENOSPC && dr_txn_smaller(&st->txn));
	if (r)
		f->nr = 0;
	else
		dr_txn_larger(&st->txn);
	f->applied = 0;
	f->applied_at = 0;
	return r ? r : !!f->nr;
}

/* --- after the copies ----------------------------------------------------------- */

/* From *@at on as much of a copy as one run holds */
static int apply_run(struct fold *x, const struct dr_copy *c, u64 *at)
{
	struct dr_stack *s = &x->stack;
	u32 per = x->st->slot_blocks, t, i;
	u64 to;
	int r;

	r = dr_stack_at(s, x->st, &x->order, &x->walk.map, *at);
	if (r)
		return r;
	to = min(c->block + c->nr, s->v->block + s->v->len);
	t = shown(x, x->st->fold.epoch);
	/* Nothing can have come between (F3). */
	if (t == s->nr ||
	    dr_slot_plus(s->v[t].slot, *at - s->v->block, per) !=
	    dr_slot_plus(c->slot, *at - c->block, per) || needs(x, t))
		return -EUCLEAN;
	for (i = 0; i < s->nr; i++)
		s->needed[i] = !dr_fold_has(&x->st->fold, s->v[i].epoch);
	r = dr_stack_delete(s, &x->plan, &x->walk.map, *at, to);
	if (!r)
		*at = to;
	return min(r, 0);
}

/* 1: the log is half full */
static int apply_some(struct fold *x, u32 *i, u64 *at)
{
	struct dr_fold *f = &x->st->fold;
	const struct dr_copy *c;
	int r = 0;

	for (; !r && *i < f->nr; (*i)++) {
		c = f->copy + *i;
		*at = max(*at, c->block);
		while (!r && *at < c->block + c->nr) {
			if (!dr_txn_roomy(&x->st->txn))
				return 1;
			r = apply_run(x, c, at);
		}
		if (!r)
			*at = 0;
	}
	return r;
}

/* From the copy *@i on, at *@at. 1: there is more */
static int apply_try(struct dr_store *st, u32 *i, u64 *at)
{
	struct dr_fold *f = &st->fold;
	struct fold x;
	int r, more = 0;

	*i = f->applied;
	*at = f->applied_at;
	dr_store_begin(st);
	r = fold_init(&x, st);
	if (!r) {
		more = apply_some(&x, i, at);
		r = min(more, 0);
	}
	x.changed = true;
	r = finish(&x, r);
	fold_exit(&x);
	return r ? r : more;
}

int dr_fold_apply(struct dr_store *st)
{
	struct dr_fold *f = &st->fold;
	int more;
	u64 at;
	u32 i;

	do
		more = apply_try(st, &i, &at);
	while (more == -ENOSPC && dr_txn_smaller(&st->txn));
	if (more < 0)
		return more;
	dr_txn_larger(&st->txn);
	f->applied = i;
	f->applied_at = at;
	if (more)
		return 1;
	f->nr = 0;
	f->block = f->next;
	return 0;
}
