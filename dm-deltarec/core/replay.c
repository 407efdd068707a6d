// SPDX-License-Identifier: GPL-2.0
/*
 * replay.c - history without the writes that a recipe excludes.
 *
 * The result is an epoch on top of the head that was: for each block whose
 * newest version is excluded it holds a version that shows the newest one
 * which is not, sharing its slot. Nothing is copied and nothing destroyed; the
 * cost follows the blocks that the excluded epochs wrote inside the recipe's
 * ranges, which the index finds (P1-P4).
 *
 * Over whole-block versions this equals rolling back to before the first
 * excluded epoch and writing again every later write but the excluded ones.
 * A version that was made by merging part of a block over an excluded one
 * carries bytes of it; such blocks are counted as mixed.
 */
#include "recover.h"

#ifndef WINDOW	/* tests make it small */
#define WINDOW	1024u
#endif

static void replay_free(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	const struct dr_env *env = &st->env;

	if (!rp)
		return;
	st->replay = NULL;
	if (rp->plan) {
		dr_plan_exit(rp->plan);
		env->free(env->ctx, rp->plan);
	}
	env->free(env->ctx, rp->rule);
	env->free(env->ctx, rp);
}

s64 dr_replay_begin(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct dr_replay *rp;
	int r;

	if (st->replay)
		return -EBUSY;
	if (st->next_epoch > DR_LAST_EPOCH - DR_REPLAY_GAP)
		return -EUSERS;
	r = dr_epochs_reserve(&st->epochs, env, 1);
	rp = r ? NULL : env->alloc(env->ctx, sizeof(*rp));
	if (!rp)
		return r ? r : -ENOMEM;
	st->replay = rp;
	rp->plan = env->alloc(env->ctx, sizeof(*rp->plan));
	if (!rp->plan) {
		replay_free(st);
		return -ENOMEM;
	}
	r = dr_plan_init(rp->plan, &st->txn, &st->new_map, &st->new_index,
			 st->slot_blocks);
	if (r) {
		env->free(env->ctx, rp->plan);
		rp->plan = NULL;
		replay_free(st);
		return r;
	}
	/* Whatever is older is in the trees. */
	rp->since = min(st->head, st->active_since);
	env->lock(env->ctx);
	rp->epoch = st->next_epoch + DR_REPLAY_GAP;
	dr_epochs_add(&st->epochs, rp->epoch,
		      dr_epochs_find(&st->epochs, st->head)->parent,
		      DR_EPOCH_BUILDING, DR_MADE_BY_REPLAY);
	env->unlock(env->ctx);
	return rp->epoch;
}

/* --- rules --------------------------------------------------------------- */

/* Highest epoch of the lineage below @e; 0: the origin */
static u32 below(const struct dr_lineage *l, u32 e)
{
	if (e > 1 && dr_lineage_has(l, e - 1))
		return e - 1;
	return dr_lineage_below(l, e);
}

/* The newest epoch with a record below @e on the head's lineage */
static const struct dr_epoch *record_below(const struct dr_store *st, u32 e)
{
	u32 i = dr_epochs_from(&st->epochs, e);

	while (i--)
		if (dr_lineage_has(st->lineage, st->epochs.e[i].id) &&
		    st->epochs.e[i].id <= st->head)
			return st->epochs.e + i;
	return NULL;
}

int dr_rule_make(const struct dr_store *st, struct dr_rule *rule, u64 sector,
		 u64 sectors, u32 from, u32 to, bool drop_later)
{
	const struct dr_epoch *f = dr_epochs_find(&st->epochs, from);
	const struct dr_epoch *t = dr_epochs_find(&st->epochs, to), *before;
	u32 per = st->slot_blocks * DR_BLOCK_SECTORS;

	if (!sectors || from > to)
		return -EINVAL;
	if (sector >= st->origin_sectors ||
	    sectors > st->origin_sectors - sector)
		return -ERANGE;
	if (!f || !t || f->state != DR_EPOCH_SEALED ||
	    t->state != DR_EPOCH_SEALED || !dr_lineage_has(st->lineage, from) ||
	    !dr_lineage_has(st->lineage, to))
		return -ENOENT;
	/* What was there before must still be known. */
	before = record_below(st, from);
	if ((before && before->state == DR_EPOCH_DROPPED) ||
	    (f->flags & DR_EPOCH_CUT))
		return -ENODATA;
	rule->block = div_u64(sector, per);
	rule->len = div_u64(sector + sectors + per - 1, per) - rule->block;
	rule->from = from;
	rule->to = to;
	rule->drop_later = drop_later;
	return 0;
}

s64 dr_replay_rule(struct dr_store *st, const struct dr_rule *rule)
{
	const struct dr_env *env = &st->env;
	struct dr_replay *rp = st->replay;
	struct dr_rule *n;
	u32 max;

	if (!rp)
		return -ENXIO;
	if (rp->nr_rules == DR_MAX_RULES)
		return -ENOSPC;
	if (rp->nr_rules == rp->max_rules) {
		max = max_t(u32, 64, 2 * rp->max_rules);
		n = env->alloc(env->ctx, max * sizeof(*n));
		if (!n)
			return -ENOMEM;
		if (rp->nr_rules)
			memcpy(n, rp->rule, rp->nr_rules * sizeof(*n));
		env->free(env->ctx, rp->rule);
		rp->rule = n;
		rp->max_rules = max;
	}
	rp->rule[rp->nr_rules] = *rule;
	return ++rp->nr_rules;
}

/* --- what survives ------------------------------------------------------- */

struct recipe {
	const struct dr_rule *rule;
	u32 nr;
	u32 cut;	/* of the block in hand: all from here on is excluded */
};

static bool covers(const struct dr_rule *r, u64 block)
{
	return block - r->block < r->len;
}

static bool excluded(const struct recipe *rc, u64 block, u32 epoch)
{
	u32 i;

	if (epoch >= rc->cut)
		return true;
	for (i = 0; epoch && i < rc->nr; i++)
		if (covers(rc->rule + i, block) &&
		    epoch >= rc->rule[i].from && epoch <= rc->rule[i].to)
			return true;
	return false;
}

/* For how many blocks from @block on do the same rules hold? */
static u64 same_rules(const struct recipe *rc, u64 block, u64 max)
{
	u64 end = block + max;
	u32 i;

	for (i = 0; i < rc->nr; i++) {
		const struct dr_rule *r = rc->rule + i;

		if (r->block > block)
			end = min(end, r->block);
		else if (r->block + r->len > block)
			end = min(end, r->block + r->len);
	}
	return end - block;
}

struct verdict {
	struct dr_state now;
	struct dr_state keep;	/* newest version that is not excluded */
	u64 len;		/* blocks that it holds for */
	bool mixed;
	bool later;		/* something later than an excluded one stays */
};

static int state_at(struct dr_store *st, struct dr_cursor *c, u32 epoch,
		    u64 block, struct verdict *v, struct dr_state *s)
{
	int r = 0;

	if (epoch)
		r = dr_map_state(c, st->lineage, epoch, block, v->len,
				 st->slot_blocks, s);
	else
		*s = (struct dr_state){ .slot = DR_SLOT_ORIGIN, .len = v->len };
	v->len = min(v->len, s->len);
	return r;
}

/*
 * A rule that drops later writes does so where the block has a version that
 * it excludes: then nothing from that epoch on counts.
 */
static int find_cut(struct dr_store *st, struct recipe *rc,
		    struct dr_cursor *c, u64 block, struct verdict *v)
{
	struct dr_state s;
	u32 i;
	int r = 0;

	rc->cut = ~0u;
	for (i = 0; !r && i < rc->nr; i++) {
		const struct dr_rule *rule = rc->rule + i;

		if (!rule->drop_later || !covers(rule, block))
			continue;
		r = state_at(st, c, rule->to, block, v, &s);
		if (!r && s.epoch >= rule->from)
			rc->cut = min(rc->cut, rule->from);
	}
	return r;
}

static int judge(struct dr_store *st, struct recipe *rc, struct dr_cursor *c,
		 u64 block, u64 max, struct verdict *v)
{
	struct dr_state s;
	int r;

	v->mixed = false;
	v->later = false;
	v->len = same_rules(rc, block, max);
	r = find_cut(st, rc, c, block, v);
	if (!r)
		r = state_at(st, c, st->head, block, v, &v->now);
	v->keep = v->now;
	while (!r && excluded(rc, block, v->keep.epoch))
		r = state_at(st, c, below(st->lineage, v->keep.epoch), block,
			     v, &v->keep);
	/* Is what stays, or what it was merged over, made of excluded bytes? */
	s = v->keep;
	while (!r && s.epoch) {
		u32 merged = s.flags & DR_MAP_MERGED;

		r = state_at(st, c, below(st->lineage, s.epoch), block, v, &s);
		if (excluded(rc, block, s.epoch)) {
			v->later = true;
			v->mixed = merged;
			break;
		}
		if (!merged)
			break;
	}
	return r;
}

/* --- computing ----------------------------------------------------------- */

struct span {
	const struct dr_store *st;
	u32 from;
	u32 to;
};

static bool in_span(void *arg, const struct dr_epoch *e)
{
	const struct span *s = arg;

	return e->id >= s->from && e->id <= s->to &&
	       dr_lineage_has(s->st->lineage, e->id);
}

/*
 * Put the verdict over [*at, end) into the replay's epoch. Return: 1 when the
 * log is half full, *@at being where to go on.
 */
static int compute_run(struct dr_store *st, struct recipe *rc,
		       struct dr_cursor *c, u64 *at, u64 end)
{
	struct dr_replay *rp = st->replay;
	struct dr_ver ver = { .epoch = rp->epoch };
	struct verdict v = {};
	struct dr_urun u;
	u64 pos;
	int r;

	for (pos = *at; pos < end; pos += v.len) {
		if (!dr_txn_roomy(&st->txn)) {
			*at = pos;
			return 1;
		}
		r = judge(st, rc, c, pos, end - pos, &v);
		if (r)
			return r;
		if (v.mixed)
			rp->mixed += v.len;
		ver.slot = v.keep.slot;
		ver.flags = v.keep.flags;
		ver.change = v.keep.slot != v.now.slot ? DR_SET_SHARED :
							 DR_DELETE;
		u = (struct dr_urun){ .block = pos, .len = v.len, .nr = 1,
				      .ver = &ver };
		r = dr_plan_feed(rp->plan, &u);
		if (r)
			return r;
	}
	return 0;
}

/* Epochs of @s inside one rule, from rp->at_block on. 1: enough for now */
static int compute_rule(struct dr_store *st, const struct dr_rule *rule,
			struct span *s)
{
	struct dr_replay *rp = st->replay;
	const struct dr_env *env = &st->env;
	struct recipe rc = { rp->rule, rp->nr_rules, ~0u };
	struct dr_range *w;
	struct dr_cursor c;
	int n, i, r;
	u64 pos;

	w = env->alloc(env->ctx, WINDOW * sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = dr_cursor_init(&c, env, st->uuid, &dr_tree_map, &st->map);
	rp->at_block = max(rp->at_block, rule->block);
	while (!r && rp->at_block < rule->block + rule->len) {
		if (!dr_txn_roomy(&st->txn)) {
			r = 1;
			break;
		}
		n = dr_gather(st, &st->index, in_span, s, &rp->at_block,
			      rule->block + rule->len, w, WINDOW);
		if (n < 0)
			r = n;
		for (i = 0; !r && i < n; i++) {
			pos = w[i].block;
			r = compute_run(st, &rc, &c, &pos, pos + w[i].len);
			if (r == 1)
				rp->at_block = pos;
		}
	}
	dr_cursor_exit(&c);
	env->free(env->ctx, w);
	if (!r)
		rp->at_block = 0;
	return r;
}

/* What was computed in a transaction is gone with it: do all of it again. */
static void start_over(struct dr_replay *rp)
{
	rp->done = 0;
	rp->at_block = 0;
	rp->committing = false;
}

/* Rules from rp->done on; @since: only what was written since the beginning */
static int compute(struct dr_store *st, bool since)
{
	struct dr_replay *rp = st->replay;
	int r = 0, f;

	/* The record of the commit names an epoch that must be in the tree. */
	if (rp->done == rp->nr_rules &&
	    !dr_epochs_find(&st->epochs, rp->epoch)->dirty)
		return 0;
	dr_store_begin(st);
	dr_plan_restart(rp->plan);
	for (; !r && rp->done < rp->nr_rules; rp->done += !r) {
		const struct dr_rule *rule = rp->rule + rp->done;
		struct span s = {
			.st = st,
			.from = since ? rp->since : rule->from,
			.to = since ? st->head : rule->to,
		};

		r = compute_rule(st, rule, &s);
	}
	if (r >= 0) {
		f = dr_plan_flush(rp->plan);
		r = f ? f : r;
	}
	if (r >= 0) {
		f = dr_store_commit(st, false);
		r = f ? f : 1;
	}
	if (r < 0) {
		dr_store_abort(st);
		start_over(rp);
	}
	return r;
}

int dr_replay_step(struct dr_store *st)
{
	return st->replay ? compute(st, false) : 0;
}

/* Blocks that the replay's epoch holds */
static int count_changed(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	const struct dr_disk_extent *x;
	struct dr_cursor c;
	const void *entry;
	int r;

	r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_index, &st->index);
	rp->changed = 0;
	if (!r)
		r = dr_cursor_ge(&c, (struct dr_key){ rp->epoch, 0 }, &entry);
	for (; r == 1; r = dr_cursor_next(&c, &entry)) {
		x = entry;
		if (le32_to_cpu(x->epoch) != rp->epoch)
			break;
		rp->changed += le32_to_cpu(x->len);
	}
	dr_cursor_exit(&c);
	return r < 0 ? r : 0;
}

/* Does an epoch belong to what was computed: some rule's, or since then? */
static bool in_recipe(void *arg, const struct dr_epoch *e)
{
	struct dr_store *st = arg;
	const struct dr_replay *rp = st->replay;
	u32 i;

	if (e->id > st->head || !dr_lineage_has(st->lineage, e->id))
		return false;
	for (i = 0; i < rp->nr_rules; i++)
		if (e->id >= rp->rule[i].from && e->id <= rp->rule[i].to)
			return true;
	return e->id >= rp->since;
}

/*
 * The steps may have met a mixed block more than once, through several rules.
 * Where they met any, each is counted once here.
 */
static int count_mixed(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	struct recipe rc = { rp->rule, rp->nr_rules, ~0u };
	const struct dr_env *env = &st->env;
	u64 cursor = 0, pos, end;
	struct verdict v = {};
	struct dr_range *w;
	struct dr_cursor c;
	int n, i, r;

	w = env->alloc(env->ctx, WINDOW * sizeof(*w));
	if (!w)
		return -ENOMEM;
	rp->mixed = 0;
	r = dr_cursor_init(&c, env, st->uuid, &dr_tree_map, &st->map);
	while (!r && cursor < st->nr_map_blocks) {
		n = dr_gather(st, &st->index, in_recipe, st, &cursor,
			      st->nr_map_blocks, w, WINDOW);
		if (n < 0)
			r = n;
		for (i = 0; !r && i < n; i++) {
			end = w[i].block + w[i].len;
			for (pos = w[i].block; !r && pos < end; pos += v.len) {
				r = judge(st, &rc, &c, pos, end - pos, &v);
				if (v.mixed)
					rp->mixed += v.len;
			}
		}
	}
	dr_cursor_exit(&c);
	env->free(env->ctx, w);
	return r;
}

/* The figures, and the epoch's record with them. 1: committed */
static int settle_counts(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	struct dr_epoch *e;
	int r = count_changed(st);

	if (!r && rp->mixed)
		r = count_mixed(st);
	if (r) {
		start_over(rp);
		return r;
	}
	e = dr_epochs_find(&st->epochs, rp->epoch);
	if (e->nr_blocks == rp->changed)
		return 0;
	e->nr_blocks = rp->changed;
	e->dirty = true;
	dr_store_begin(st);
	r = dr_store_commit(st, false);
	if (!r)
		return 1;
	dr_store_abort(st);
	start_over(rp);
	return r;
}

int dr_replay_finish(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	int r;

	if (!rp)
		return -ENXIO;
	if (!rp->committing) {
		r = compute(st, false);
		if (r)
			return r;
		rp->committing = true;
		rp->done = 0;
	}
	r = compute(st, true);
	return r ? r : settle_counts(st);
}

int dr_replay_seal(struct dr_store *st, s64 now)
{
	int r = dr_epochs_reserve(&st->epochs, &st->env, 1);

	if (!r)
		r = dr_store_open_replay(st, st->replay->epoch, now);
	if (r)
		start_over(st->replay);
	return r;
}

int dr_replay_commit(struct dr_store *st, s64 now)
{
	int r = dr_replay_finish(st);

	return r ? r : dr_replay_seal(st, now);
}

void dr_replay_end(struct dr_store *st)
{
	replay_free(st);
}

int dr_replay_abort(struct dr_store *st)
{
	const struct dr_env *env = &st->env;

	if (!st->replay)
		return -ENXIO;
	if (st->ctl_state != DR_CTL_NONE)
		return -EBUSY;
	env->lock(env->ctx);
	dr_store_drop_replay(st, st->replay->epoch);
	env->unlock(env->ctx);
	replay_free(st);
	return 0;
}

/* --- dry run ------------------------------------------------------------- */

int dr_replay_count(struct dr_store *st, const struct dr_rule *rule,
		    u64 cursor, struct dr_replay_count *count)
{
	struct span s = { .st = st, .from = rule->from, .to = rule->to };
	struct recipe rc = { rule, 1, ~0u };
	const struct dr_env *env = &st->env;
	u64 end = rule->block + rule->len, pos;
	struct verdict v = {};
	struct dr_range *w;
	struct dr_cursor c;
	int n, i, r;

	memset(count, 0, sizeof(*count));
	w = env->alloc(env->ctx, WINDOW * sizeof(*w));
	if (!w)
		return -ENOMEM;
	cursor = max(cursor, rule->block);
	r = dr_cursor_init(&c, env, st->uuid, &dr_tree_map, &st->map);
	n = r ? 0 : dr_gather(st, &st->index, in_span, &s, &cursor, end, w,
			      WINDOW);
	if (n < 0)
		r = n;
	for (i = 0; !r && i < n; i++) {
		for (pos = w[i].block; !r && pos < w[i].block + w[i].len;
		     pos += v.len) {
			r = judge(st, &rc, &c, pos,
				  w[i].block + w[i].len - pos, &v);
			if (v.keep.slot != v.now.slot)
				count->changed += v.len;
			if (v.later)
				count->kept += v.len;
			if (v.mixed)
				count->mixed += v.len;
		}
	}
	dr_cursor_exit(&c);
	env->free(env->ctx, w);
	count->next = cursor < end ? cursor : ~0ULL;
	return r;
}
