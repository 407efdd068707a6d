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
	dr_rules_exit(&rp->rules, env);
	env->free(env->ctx, rp->todo.r);
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

s64 dr_replay_rule(struct dr_store *st, const struct dr_rule *rule)
{
	if (!st->replay)
		return -ENXIO;
	return dr_rules_add(&st->replay->rules, &st->env, rule);
}

/* --- going through what rules touch -------------------------------------- */

/* Blocks that some epochs wrote, and what the rules leave of them */
struct survey {
	struct dr_walk walk;
	struct dr_judge judge;
	struct dr_tree_view view;
	u32 from;		/* epochs in_span() */
	u32 to;
	/* 1: enough for now, this one comes again */
	int (*each)(struct survey *s, u64 block, const struct dr_verdict *v);
	struct dr_replay_count *count;
};

static bool in_span(void *arg, const struct dr_epoch *e)
{
	const struct survey *s = arg;

	return e->id >= s->from && e->id <= s->to &&
	       dr_lineage_has(s->judge.lineage, e->id);
}

static int judge_run(struct dr_walk *w, u64 *pos, u64 end)
{
	struct survey *s = w->arg;
	struct dr_verdict v;
	int r;

	for (; *pos < end; *pos += v.len) {
		r = dr_judge(&s->judge, *pos, end - *pos, &v);
		if (!r)
			r = s->each(s, *pos, &v);
		if (r)
			return r;
	}
	return 0;
}

/* Judged from the head. @s->each and what in_span() needs are set. */
static int survey_init(struct survey *s, struct dr_store *st,
		       const struct dr_rules *rules)
{
	s->walk.st = st;
	s->walk.visit = judge_run;
	s->walk.arg = s;
	if (!s->walk.wanted)
		s->walk.wanted = in_span;
	s->judge = (struct dr_judge){
		.rules = rules, .lineage = st->lineage, .epoch = st->head,
		.state = dr_judge_tree, .arg = &s->view,
	};
	s->view = (struct dr_tree_view){ &s->walk.map, st->slot_blocks };
	return dr_walk_init(&s->walk);
}

static void survey_exit(struct survey *s)
{
	dr_walk_exit(&s->walk);
}

/* --- computing ----------------------------------------------------------- */

/* Put a verdict into the replay's epoch. 1: the log is half full */
static int put_verdict(struct survey *s, u64 block, const struct dr_verdict *v)
{
	struct dr_store *st = s->walk.st;
	struct dr_replay *rp = st->replay;
	struct dr_ver ver = {
		.epoch = rp->epoch,
		.slot = v->keep.slot,
		.flags = v->keep.flags,
		.change = v->keep.slot != v->now.slot ? DR_SET_SHARED :
							DR_DELETE,
	};
	struct dr_urun u = { .block = block, .len = v->len, .nr = 1,
			     .ver = &ver };

	if (!dr_txn_roomy(&st->txn))
		return 1;
	if (v->mixed)
		rp->mixed += v->len;
	return dr_plan_feed(rp->plan, &u);
}

/* Epochs from..to inside a range, from rp->at_block on. 1: enough for now */
static int compute_range(struct dr_store *st, const struct dr_rule_range *x,
			 u32 from, u32 to)
{
	struct dr_replay *rp = st->replay;
	struct survey s = { .from = from, .to = to, .each = put_verdict };
	int r = survey_init(&s, st, &rp->rules);

	rp->at_block = max(rp->at_block, x->block);
	while (!r && rp->at_block < x->end)
		r = dr_txn_roomy(&st->txn) ?
			dr_walk_window(&s.walk, &rp->at_block, x->end) : 1;
	survey_exit(&s);
	if (!r)
		rp->at_block = 0;
	return r;
}

/*
 * There may be writes and rules before the next attempt to commit. It looks at
 * all again that was written since the beginning.
 */
static void not_now(struct dr_replay *rp)
{
	if (!rp->committing)
		return;
	rp->done = rp->todo.nr;
	rp->at_block = 0;
	rp->committing = false;
}

/* One range after the other, from rp->done on. 1: enough for now */
static int compute_some(struct dr_store *st, bool since)
{
	struct dr_replay *rp = st->replay;
	const struct dr_rules *rs = &rp->rules;
	u32 nr = since ? rs->nr_ranges : rp->todo.nr;
	int r = 0;

	for (; !r && rp->done < nr; rp->done += !r) {
		const struct dr_rule_range *x = since ? rs->range + rp->done :
						rp->todo.r + rp->done;
		const struct dr_rule_kind *k = rs->kind + x->kind;

		r = since ? compute_range(st, x, rp->since, st->head) :
			    compute_range(st, x, k->from, k->to);
	}
	return r;
}

/* A part of what compute() has to do, in one commit */
static int compute_step(struct dr_store *st, bool since)
{
	struct dr_replay *rp = st->replay, was = *rp;
	int r, f;

	dr_store_begin(st);
	st->txn.leave = dr_space_spare(&st->space);
	dr_plan_restart(rp->plan);
	r = compute_some(st, since);
	if (r >= 0) {
		f = dr_plan_flush(rp->plan);
		r = f ? f : r;
	}
	if (r >= 0) {
		f = dr_store_commit(st, false);
		r = f ? f : 1;
	}
	if (r < 0) {
		/* What was computed in a transaction is gone with it (S6). */
		dr_store_abort(st);
		rp->done = was.done;
		rp->at_block = was.at_block;
		rp->mixed = was.mixed;
	}
	return r;
}

/*
 * What the rules cover and was not computed yet, or (@since) all of it, but
 * only what was written since the beginning
 */
static int compute(struct dr_store *st, bool since)
{
	struct dr_replay *rp = st->replay;
	int r = dr_rules_ready(&rp->rules, &st->env, &rp->todo);

	if (r)
		return r;
	/* The record of the commit names an epoch that must be in the tree. */
	if (rp->done == (since ? rp->rules.nr_ranges : rp->todo.nr) &&
	    !dr_epochs_find(&st->epochs, rp->epoch)->dirty)
		return 0;
	do
		r = compute_step(st, since);
	while (r == -ENOSPC && dr_txn_smaller(&st->txn));
	if (r >= 0)
		dr_txn_larger(&st->txn);
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
	const struct survey *s = arg;
	const struct dr_replay *rp = s->walk.st->replay;

	return e->id <= s->judge.epoch &&
	       dr_lineage_has(s->judge.lineage, e->id) &&
	       (e->id >= rp->since || dr_rules_name(&rp->rules, e->id));
}

static int add_mixed(struct survey *s, u64 block, const struct dr_verdict *v)
{
	if (v->mixed)
		s->walk.st->replay->mixed += v->len;
	return 0;
}

/*
 * The steps may have met a mixed block more than once, through several rules.
 * Where they met any, each is counted once here.
 */
static int count_mixed(struct dr_store *st)
{
	struct dr_replay *rp = st->replay;
	struct survey s = { .walk.wanted = in_recipe, .each = add_mixed };
	u64 cursor = 0, was = rp->mixed;
	int r = survey_init(&s, st, &rp->rules);

	rp->mixed = 0;
	while (!r && cursor < st->nr_map_blocks)
		r = dr_walk_window(&s.walk, &cursor, st->nr_map_blocks);
	survey_exit(&s);
	/* It comes again, and must not look as if there were none. */
	if (r)
		rp->mixed = was;
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
	if (r)
		return r;
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
	if (!r)
		r = settle_counts(st);
	if (r < 0)
		not_now(rp);
	return r;
}

int dr_replay_seal(struct dr_store *st, s64 now)
{
	int r = dr_epochs_reserve(&st->epochs, &st->env, 1);

	if (!r)
		r = dr_store_open_replay(st, st->replay->epoch, now);
	if (r)
		not_now(st->replay);
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

static int add_count(struct survey *s, u64 block, const struct dr_verdict *v)
{
	if (v->keep.slot != v->now.slot)
		s->count->changed += v->len;
	if (v->later)
		s->count->kept += v->len;
	if (v->mixed)
		s->count->mixed += v->len;
	return 0;
}

int dr_replay_count(struct dr_store *st, const struct dr_rule *rule,
		    u64 cursor, struct dr_replay_count *count)
{
	struct survey s = { .from = rule->from, .to = rule->to,
			    .each = add_count, .count = count };
	u64 end = rule->block + rule->len;
	struct dr_rules rules = {};
	s64 r;

	memset(count, 0, sizeof(*count));
	cursor = max(cursor, rule->block);
	r = dr_rules_add(&rules, &st->env, rule);
	if (r > 0)
		r = dr_rules_ready(&rules, &st->env, NULL);
	if (!r)
		r = survey_init(&s, st, &rules);
	if (!r)
		r = dr_walk_window(&s.walk, &cursor, end);
	survey_exit(&s);
	dr_rules_exit(&rules, &st->env);
	count->next = cursor < end ? cursor : ~0ULL;
	return r;
}
