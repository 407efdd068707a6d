// SPDX-License-Identifier: GPL-2.0
/*
 * plan.c - changes of versions become batches for the map tree.
 *
 * The run that a change falls into is cut from left to right: what lies
 * before the change is written again with its shorter length, then the piece
 * that changes, and what remains when the next change lies beyond the run.
 * Both cursors stay on the root that was current when the run was entered,
 * even when a batch is applied in the middle of a tall stack: nodes of that
 * root are not used again before dr_txn_settle().
 */
#include "plan.h"

int dr_plan_init(struct dr_plan *p, struct dr_txn *txn, struct dr_root *map,
		 struct dr_root *index, u32 slot_blocks)
{
	const struct dr_env *env = txn->env;
	int r;

	memset(p, 0, sizeof(*p));
	p->txn = txn;
	p->map = map;
	p->index = index;
	p->slot_blocks = slot_blocks;
	r = dr_cursor_init(&p->c, env, txn->uuid, &dr_tree_map, map);
	if (!r)
		r = dr_cursor_init(&p->stack, env, txn->uuid, &dr_tree_map,
				   map);
	if (!r)
		r = dr_cursor_init(&p->ic, env, txn->uuid, &dr_tree_index,
				   index);
	if (!r)
		r = dr_batch_init(&p->batch, env, &dr_tree_map, DR_PLAN_BATCH);
	if (!r)
		r = dr_batch_init(&p->ibatch, env, &dr_tree_index,
				  DR_PLAN_BATCH);
	p->ich = env->alloc(env->ctx, DR_PLAN_BATCH * sizeof(*p->ich));
	p->ich_spare = env->alloc(env->ctx, DR_PLAN_BATCH * sizeof(*p->ich));
	if (!r && (!p->ich || !p->ich_spare))
		r = -ENOMEM;
	if (r)
		dr_plan_exit(p);
	return r;
}

void dr_plan_exit(struct dr_plan *p)
{
	const struct dr_env *env = p->txn->env;

	dr_cursor_exit(&p->c);
	dr_cursor_exit(&p->stack);
	dr_cursor_exit(&p->ic);
	dr_batch_exit(&p->batch, env);
	dr_batch_exit(&p->ibatch, env);
	env->free(env->ctx, p->ich);
	env->free(env->ctx, p->ich_spare);
	p->ich = NULL;
	p->ich_spare = NULL;
}

void dr_plan_restart(struct dr_plan *p)
{
	dr_cursor_reset(&p->c, p->map);
	dr_cursor_reset(&p->stack, p->map);
	dr_cursor_reset(&p->ic, p->index);
	p->batch.nr = 0;
	p->ibatch.nr = 0;
	p->nr_ich = 0;
	p->in_run = false;
	p->done = 0;
}

static int apply_map(struct dr_plan *p)
{
	int r = dr_tree_apply(p->txn, p->map, &p->batch);

	p->batch.nr = 0;
	return r;
}

static int emit_entry(struct dr_plan *p, const struct dr_map *m, bool del)
{
	int r;

	if (p->batch.nr == p->batch.max) {
		r = apply_map(p);
		if (r)
			return r;
	}
	dr_map_encode(dr_batch_at(&p->batch, p->batch.nr), m);
	p->batch.del[p->batch.nr++] = del;
	return 0;
}

static int note_index(struct dr_plan *p, u32 epoch, u64 block, u64 len,
		      bool remove)
{
	struct dr_index_change *i;
	int r;

	if (p->nr_ich) {
		i = p->ich + p->nr_ich - 1;
		if (i->epoch == epoch && i->remove == remove &&
		    i->block + i->len == block && i->len + len < ~0u) {
			i->len += len;
			return 0;
		}
	}
	if (p->nr_ich == DR_PLAN_BATCH) {
		r = dr_index_apply(p);
		if (r)
			return r;
	}
	p->ich[p->nr_ich++] = (struct dr_index_change){
		.block = block, .epoch = epoch, .len = len, .remove = remove,
	};
	return 0;
}

static void map_of(struct dr_map *m, const struct dr_ver *v, u64 block,
		   u64 offset, u64 len, u32 slot_blocks)
{
	m->block = block;
	m->len = len;
	m->epoch = v->epoch;
	m->flags = v->flags;
	m->slot = dr_slot_plus(v->slot, offset, slot_blocks);
}

/* The bitmap's side of a change; @base: version it replaces, or NULL */
static int account(struct dr_plan *p, const struct dr_ver *v,
		   const struct dr_map *base, u64 len, u64 slot)
{
	u32 n = p->slot_blocks;
	int r = 0;

	if (base && dr_slot_is_data(base->slot) &&
	    (v->change == DR_SET_OWN || v->change == DR_DELETE_FREE))
		r = dr_txn_give(p->txn, base->slot, len * n);
	if (!r && v->change == DR_SET_OWN && dr_slot_is_data(slot))
		r = dr_txn_name(p->txn, slot, len * n);
	return r;
}

/*
 * Put one version of a piece, which lies @offset into the change, over what
 * the tree has for the same epoch (@base, cut to the piece, or NULL).
 * @keyed: the tree has an entry with the key of @base, to be replaced.
 */
static int put_version(struct dr_plan *p, const struct dr_ver *v, u64 offset,
		       u64 block, u64 len, const struct dr_map *base,
		       bool keyed)
{
	bool set = v->change == DR_SET_OWN || v->change == DR_SET_SHARED;
	struct dr_map m;
	int r = 0;

	map_of(&m, v, block, offset, len, p->slot_blocks);
	if (base && set && base->slot == m.slot && base->flags == m.flags)
		return emit_entry(p, &m, false);
	if (base || set)
		r = account(p, v, base, len, m.slot);
	if (!r && !!base != set)
		r = note_index(p, v->epoch, block, len, !set);
	if (!r && (set || (base && keyed)))
		r = emit_entry(p, &m, !set);
	return r;
}

/* A piece where the tree has nothing yet */
static int put_gap(struct dr_plan *p, const struct dr_urun *u, u64 block,
		   u64 end)
{
	u64 len;
	u32 i;
	int r;

	for (; block < end; block += len) {
		len = min_t(u64, end - block, DR_RUN_MAX);
		for (i = 0; i < u->nr; i++) {
			r = put_version(p, u->ver + i, block - u->block, block,
					len, NULL, false);
			if (r)
				return r;
		}
	}
	return 0;
}

/* First version of the run being cut, or the one after: 1, 0, error */
static int stack_first(struct dr_plan *p, struct dr_map *m)
{
	const void *e;
	int r = dr_cursor_ge(&p->stack, dr_map_key(p->run, 0), &e);

	if (r == 1) {
		dr_map_decode(m, e);
		r = m->block == p->run;
	}
	return r;
}

static int stack_next(struct dr_plan *p, struct dr_map *m)
{
	const void *e;
	int r = dr_cursor_next(&p->stack, &e);

	if (r == 1) {
		dr_map_decode(m, e);
		r = m->block == p->run;
	}
	return r;
}

static void cut_to(const struct dr_plan *p, struct dr_map *m, u64 from, u64 to)
{
	m->slot = dr_slot_plus(m->slot, from - p->run, p->slot_blocks);
	m->block = from;
	m->len = to - from;
}

/* Write [from, to) of the run again as it is */
static int put_copy(struct dr_plan *p, u64 from, u64 to)
{
	struct dr_map m;
	int r;

	for (r = stack_first(p, &m); r == 1; r = stack_next(p, &m)) {
		cut_to(p, &m, from, to);
		r = emit_entry(p, &m, false);
		if (r)
			return r;
	}
	return r;
}

/* A piece that is the whole run: only what changes is written */
static int put_whole(struct dr_plan *p, const struct dr_urun *u)
{
	u64 len = p->run_end - p->run;
	struct dr_map m;
	const void *e;
	bool base;
	u32 i;
	int r;

	for (i = 0; i < u->nr; i++) {
		r = dr_cursor_le(&p->stack, dr_map_key(p->run, u->ver[i].epoch),
				 &e);
		if (r < 0)
			return r;
		base = false;
		if (r) {
			dr_map_decode(&m, e);
			base = m.block == p->run &&
			       m.epoch == u->ver[i].epoch;
		}
		r = put_version(p, u->ver + i, p->run - u->block, p->run, len,
				base ? &m : NULL, true);
		if (r)
			return r;
	}
	return 0;
}

/* A piece [from, to) of the run: its stack merged with the change */
static int put_piece(struct dr_plan *p, const struct dr_urun *u, u64 from,
		     u64 to)
{
	bool keyed = from == p->run;
	struct dr_map m;
	u32 i = 0;
	int r, have;

	if (keyed && to == p->run_end)
		return put_whole(p, u);
	have = stack_first(p, &m);
	while (have == 1 || i < u->nr) {
		if (have < 0)
			return have;
		if (have && (i == u->nr || m.epoch < u->ver[i].epoch)) {
			cut_to(p, &m, from, to);
			r = emit_entry(p, &m, false);
			have = stack_next(p, &m);
		} else if (have && m.epoch == u->ver[i].epoch) {
			cut_to(p, &m, from, to);
			r = put_version(p, u->ver + i++, from - u->block, from,
					to - from, &m, keyed);
			have = stack_next(p, &m);
		} else {
			r = put_version(p, u->ver + i++, from - u->block, from,
					to - from, NULL, false);
		}
		if (r)
			return r;
	}
	return have;
}

static int close_run(struct dr_plan *p)
{
	int r = 0;

	if (p->in_run && p->cut > p->run && p->cut < p->run_end)
		r = put_copy(p, p->cut, p->run_end);
	p->in_run = false;
	return r;
}

/* Enter the run that holds @pos, or say where the gap around it ends */
static int enter_run(struct dr_plan *p, u64 pos, u64 *gap_end)
{
	struct dr_map m;
	const void *e;
	int r;

	*gap_end = ~0ULL;
	r = dr_cursor_le(&p->c, dr_map_key(pos, ~0u), &e);
	if (r < 0)
		return r;
	if (r) {
		dr_map_decode(&m, e);
		if (m.block + m.len > pos) {
			p->in_run = true;
			p->run = m.block;
			p->cut = m.block;
			p->run_end = m.block + m.len;
			return 0;
		}
		r = dr_cursor_next(&p->c, &e);
	} else {
		r = dr_cursor_ge(&p->c, dr_map_key(pos, 0), &e);
	}
	if (r == 1) {
		dr_map_decode(&m, e);
		*gap_end = m.block;
	}
	return r < 0 ? r : 0;
}

int dr_plan_feed(struct dr_plan *p, const struct dr_urun *u)
{
	u64 pos = u->block, end = u->block + u->len, to;
	int r = 0;

	p->txn->fed += u->len * u->nr;
	if (pos < p->done)
		r = dr_plan_flush(p);
	while (!r && pos < end) {
		if (p->in_run && pos >= p->run_end)
			r = close_run(p);
		to = 0;
		if (!r && !p->in_run)
			r = enter_run(p, pos, &to);
		if (r)
			break;
		to = min(end, p->in_run ? p->run_end : to);
		/* Runs of a damaged tree may overlap. */
		if (to <= pos)
			return -EUCLEAN;
		if (!p->in_run) {
			r = put_gap(p, u, pos, to);
		} else {
			if (p->cut < pos)
				r = put_copy(p, p->cut, pos);
			if (!r)
				r = put_piece(p, u, pos, to);
			p->cut = to;
		}
		pos = to;
	}
	p->done = end;
	return r;
}

int dr_plan_flush(struct dr_plan *p)
{
	int r = close_run(p);

	if (!r)
		r = apply_map(p);
	if (!r)
		r = dr_index_apply(p);
	if (r)
		return r;
	dr_plan_restart(p);
	dr_txn_settle(p->txn);
	return 0;
}
