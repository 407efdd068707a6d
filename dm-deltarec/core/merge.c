// SPDX-License-Identifier: GPL-2.0
/*
 * merge.c - from a frozen memtable into the trees.
 *
 * The sorted entries and the ranges are read side by side as a sequence of
 * runs of blocks with the same versions, each run being one change for the
 * plan. When the transaction's log is half full, there is room for no more
 * changes at once (S11) or somebody waits (S14), what there is gets committed and
 * the merge goes on in the next step: doing a part of it twice after a crash gives
 * the same trees, since the journal is only left behind by the last commit (J7).
 */
#include "store.h"

int dr_merge_init(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	u32 i;
	int r;

	r = dr_plan_init(&st->merge.plan, &st->txn, &st->new_map,
			 &st->new_index, st->slot_blocks);
	if (r)
		return r;
	for (i = 0; i < 2; i++) {
		st->merge.ver[i] = env->alloc(env->ctx, DR_STACK_MAX *
					      sizeof(struct dr_ver));
		if (!st->merge.ver[i])
			return -ENOMEM;
	}
	st->merge.age = env->alloc(env->ctx, DR_STACK_MAX * sizeof(u32));
	return st->merge.age ? 0 : -ENOMEM;
}

void dr_merge_exit(struct dr_store *st)
{
	u32 i;

	if (st->merge.plan.txn)
		dr_plan_exit(&st->merge.plan);
	for (i = 0; i < 2; i++)
		st->env.free(st->env.ctx, st->merge.ver[i]);
	st->env.free(st->env.ctx, st->merge.age);
	memset(&st->merge, 0, sizeof(st->merge));
}

static void sort_cuts(u64 *a, u32 n)
{
	u32 i, j;
	u64 v;

	for (i = 1; i < n; i++) {
		v = a[i];
		for (j = i; j && a[j - 1] > v; j--)
			a[j] = a[j - 1];
		a[j] = v;
	}
}

static void merge_start(struct dr_store *st)
{
	struct dr_memtable *m = st->frozen;
	struct dr_merge *g = &st->merge;
	u32 i;

	g->under_way = true;
	g->nodes = st->space.nodes;
	g->nr_sorted = dr_mem_sort(m);
	g->nr_taken = m->used;
	g->next = 0;
	g->pos = 0;
	g->nr_cuts = 0;
	for (i = 0; i < m->nr_ranges; i++) {
		const struct dr_mem_entry *e = m->e + m->range[i];

		g->cut[g->nr_cuts++] = e->block;
		g->cut[g->nr_cuts++] = e->block + e->v;
	}
	sort_cuts(g->cut, g->nr_cuts);
}

/* First place after @block where the set of ranges changes */
static u64 next_cut(const struct dr_merge *g, u64 block)
{
	u32 i;

	for (i = 0; i < g->nr_cuts; i++)
		if (g->cut[i] > block)
			return g->cut[i];
	return ~0ULL;
}

/*
 * Add a version to the stack that is being collected, in order of epoch; of
 * two of one epoch the later in the log counts. @at: index in the log, kept
 * in @age beside the stack.
 */
static int stack_put(struct dr_store *st, struct dr_ver *ver, u32 *age, u32 *nr,
		     u32 epoch, u64 slot, u8 flags, u32 at)
{
	u32 i = *nr;

	while (i && ver[i - 1].epoch > epoch)
		i--;
	if (i && ver[i - 1].epoch == epoch) {
		i--;
		if (age[i] > at) {
			/* Overtaken: whoever wrote this slot has lost it. */
			if (dr_slot_is_data(slot) && slot != ver[i].slot)
				return dr_txn_give(&st->txn, slot,
						   st->slot_blocks);
			return 0;
		}
		if (dr_slot_is_data(ver[i].slot) && slot != ver[i].slot) {
			int r = dr_txn_give(&st->txn, ver[i].slot,
					    st->slot_blocks);

			if (r)
				return r;
		}
	} else {
		/* dr_store_seal() sees to it; a journal may be hostile. */
		if (*nr == DR_STACK_MAX)
			return -E2BIG;
		memmove(ver + i + 1, ver + i, (*nr - i) * sizeof(*ver));
		memmove(age + i + 1, age + i, (*nr - i) * sizeof(*age));
		++*nr;
	}
	ver[i] = (struct dr_ver){ .slot = slot, .epoch = epoch,
				  .flags = flags, .change = DR_SET_OWN };
	age[i] = at;
	return 0;
}

static int stack_ranges(struct dr_store *st, u64 block, struct dr_ver *ver,
			u32 *age, u32 *nr)
{
	const struct dr_memtable *m = st->frozen;
	u32 i;
	int r;

	for (i = 0; i < m->nr_ranges; i++) {
		const struct dr_mem_entry *e = m->e + m->range[i];

		if (block - e->block >= e->v)
			continue;
		r = stack_put(st, ver, age, nr, e->epoch, DR_SLOT_ZERO, 0,
			      m->range[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Blocks of one change of @nr versions: each version of each block may name
 * one slot and give up another, which takes entries of the transaction's log,
 * and that has room for a part of it only. A change is not larger than a step.
 */
static u64 piece_max(const struct dr_store *st, u32 nr)
{
	u64 each = min_t(u64, st->txn.max_log / 16, st->txn.max_fed);

	return clamp_t(u64, div_u64(each, max_t(u32, nr, 1)), 1, DR_RUN_MAX);
}

/*
 * Collect the versions of the block at g->pos into ver[k], and say for how
 * many blocks they are the same. Return: 1, 0 when nothing is left, or an
 * error.
 */
static int collect(struct dr_store *st, u32 k, u64 *block, u64 *len)
{
	const struct dr_memtable *m = st->frozen;
	struct dr_merge *g = &st->merge;
	u32 *age = g->age;
	u64 next, cut;
	int r;

	for (;;) {
		next = g->next < g->nr_sorted ?
		       m->e[m->order[g->next]].block : ~0ULL;
		g->nr[k] = 0;
		r = stack_ranges(st, g->pos, g->ver[k], age, &g->nr[k]);
		if (r)
			return r;
		cut = next_cut(g, g->pos);
		if (g->nr[k] || next == g->pos)
			break;
		if (next == ~0ULL && cut == ~0ULL)
			return 0;
		g->pos = min(next, cut);
	}
	*block = g->pos;
	if (next != g->pos) {
		/* Only ranges here */
		*len = min(min(next, cut) - g->pos,
			   piece_max(st, g->nr[k]));
		g->pos += *len;
		return 1;
	}
	*len = 1;
	for (; g->next < g->nr_sorted; g->next++) {
		const struct dr_mem_entry *e = m->e + m->order[g->next];

		if (e->block != g->pos)
			break;
		r = stack_put(st, g->ver[k], age, &g->nr[k], e->epoch,
			      dr_mem_slot(e), e->v >> 60, m->order[g->next]);
		if (r < 0)
			return r;
	}
	g->pos++;
	return 1;
}

static bool continues(const struct dr_store *st, u32 a, u64 len, u32 b)
{
	const struct dr_merge *g = &st->merge;
	u32 i;

	if (g->nr[a] != g->nr[b])
		return false;
	for (i = 0; i < g->nr[a]; i++) {
		const struct dr_ver *x = g->ver[a] + i, *y = g->ver[b] + i;

		if (x->epoch != y->epoch || x->flags != y->flags ||
		    dr_slot_plus(x->slot, len, st->slot_blocks) != y->slot)
			return false;
	}
	return true;
}

/* Feed runs until all is fed (0) or it is enough for a step (1) */
static int feed_all(struct dr_store *st)
{
	struct dr_merge *g = &st->merge;
	struct dr_urun u = {};
	u64 block, len;
	u32 k = 0;
	int r;

	r = collect(st, k, &u.block, &u.len);
	while (r == 1) {
		int more = collect(st, !k, &block, &len);

		if (more < 0)
			return more;
		if (more && block == u.block + u.len && len == 1 &&
		    u.len < piece_max(st, g->nr[k]) &&
		    continues(st, k, u.len, !k)) {
			u.len++;
			continue;
		}
		u.nr = g->nr[k];
		u.ver = g->ver[k];
		r = dr_plan_feed(&g->plan, &u);
		if (r)
			return r;
		k = !k;
		u.block = block;
		u.len = len;
		r = more;
		if (r && !dr_txn_roomy(&st->txn)) {
			/* What is collected already goes along. */
			u.nr = g->nr[k];
			u.ver = g->ver[k];
			r = dr_plan_feed(&g->plan, &u);
			return r ? r : 1;
		}
	}
	return r;
}

/*
 * How many nodes a table takes depends on what lies below its blocks: a write
 * into a run of many versions cuts all of them. What the last ones took is what
 * is expected of the next (S12).
 */
static void expect_growth(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	u64 nodes = st->space.nodes, growth;
	struct dr_merge *g = &st->merge;
	u32 max = st->active->max;

	g->merged += g->nr_taken;
	g->grown += nodes > g->nodes ? nodes - g->nodes : 0;
	/* A few entries alone tell little, but more than none. */
	if (g->merged < max / (st->growth ? 8 : 64))
		return;
	growth = div64_u64(g->grown * max, g->merged);
	env->lock(env->ctx);
	st->growth = max_t(u64, max(growth, st->growth / 2), 1);
	env->unlock(env->ctx);
	g->merged = 0;
	g->grown = 0;
}

/*
 * What epochs that were sealed since the last merge wrote, and have perhaps been
 * dropped since, is in the trees from now on, and may be all that a dropped epoch
 * below them was still needed for.
 */
static void visit_below(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct dr_epochs *t = &st->epochs;
	struct dr_epoch *below;
	u32 i;

	env->lock(env->ctx);
	for (i = dr_epochs_from(t, st->frozen_since); i < t->nr; i++) {
		below = t->e[i].state != DR_EPOCH_HEAD ?
			dr_epochs_find(t, t->e[i].parent) : NULL;
		if (below && below->state == DR_EPOCH_DROPPED)
			dr_store_visit(st, below);
	}
	env->unlock(env->ctx);
}

static int merge_some(struct dr_store *st)
{
	struct dr_merge *g = &st->merge;
	int r, more;
	u64 pos;
	u32 next;

	if (!g->under_way)
		merge_start(st);
	next = g->next;
	pos = g->pos;
	dr_store_begin(st);
	st->txn.leave = dr_space_spare(&st->space);
	dr_plan_restart(&g->plan);
	more = feed_all(st);
	r = more < 0 ? more : dr_plan_flush(&g->plan);
	if (!r && !more)
		visit_below(st);
	if (!r)
		r = dr_store_commit(st, !more);
	if (r) {
		dr_store_abort(st);
		/*
		 * The next one does this step again. Not those before, which
		 * were committed: what they gave up waits to become free, and
		 * must not be given up a second time.
		 */
		g->next = next;
		g->pos = pos;
		return r;
	}
	if (!more) {
		g->under_way = false;
		expect_growth(st);
	}
	return more;
}

int dr_merge_step(struct dr_store *st)
{
	int r;

	do
		r = merge_some(st);
	while (r == -ENOSPC && dr_txn_smaller(&st->txn));
	if (r >= 0)
		dr_txn_larger(&st->txn);
	return r;
}
