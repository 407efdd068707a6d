// SPDX-License-Identifier: GPL-2.0
/*
 * recipe.c - what rules leave of a block, and looking at the past (recipe.h).
 */
#include "recipe.h"

/* --- rules ----------------------------------------------------------------- */

int dr_rule_make(const struct dr_store *st, const struct dr_lineage *l,
		 u32 epoch, struct dr_rule *rule, u64 sector, u64 sectors,
		 u32 from, u32 to, bool drop_later)
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
	    t->state != DR_EPOCH_SEALED || to > epoch ||
	    !dr_lineage_has(l, from) || !dr_lineage_has(l, to))
		return -ENOENT;
	/* What was there before must still be known. */
	before = dr_epochs_find(&st->epochs, f->parent);
	if ((before && before->state == DR_EPOCH_DROPPED) ||
	    (f->flags & DR_EPOCH_CUT))
		return -ENODATA;
	rule->block = div_u64(sector, per);
	rule->len = div_u64(sector + sectors + per - 1, per) - rule->block;
	rule->from = from;
	rule->to = to;
	rule->before = f->parent;
	rule->drop_later = drop_later;
	return 0;
}

/* --- the judgement --------------------------------------------------------- */

/* Highest epoch of the lineage below @e; 0: the origin */
static u32 below(const struct dr_lineage *l, u32 e)
{
	if (e > 1 && dr_lineage_has(l, e - 1))
		return e - 1;
	return dr_lineage_below(l, e);
}

/* What is being judged: a block, and the kinds of rules that cover it */
struct at {
	const struct dr_judge *j;
	u64 block;
	struct dr_cover cover;
	struct dr_verdict *v;
};

static const struct dr_rule_kind *kind(const struct at *at, u32 i)
{
	return at->j->rules->kind + at->cover.kind[i];
}

/* The first epoch that any rule excludes here; 0: there is no rule */
static u32 first_from(const struct at *at)
{
	u32 from = 0, i;

	for (i = 0; i < at->cover.nr; i++)
		if (!from || kind(at, i)->from < from)
			from = kind(at, i)->from;
	return from;
}

/*
 * Is a version passed over? From the epoch @cut on, all are. Return: 0, or the
 * epoch from which on all versions up to this one are.
 */
static u32 excluded(const struct at *at, u32 cut, u32 epoch)
{
	const struct dr_rule_kind *k;
	u32 from = 0, i;

	if (epoch >= cut)
		return cut;
	if (!epoch)
		return 0;
	for (i = 0; i < at->cover.nr; i++) {
		k = kind(at, i);
		if (epoch >= k->from && epoch <= k->to &&
		    (!from || k->from < from))
			from = k->from;
	}
	return from;
}

static int state_at(const struct at *at, u32 epoch, struct dr_state *s)
{
	struct dr_verdict *v = at->v;
	int r = 0;

	if (epoch)
		r = at->j->state(at->j, epoch, at->block, v->len, s);
	else
		*s = (struct dr_state){ .slot = DR_SLOT_ORIGIN, .len = v->len };
	if (!r)
		v->len = min(v->len, s->len);
	return r;
}

/*
 * A rule that drops later writes does so where the block has a version that
 * it excludes: then nothing from that epoch on counts.
 */
static int find_cut(const struct at *at, u32 *cut)
{
	const struct dr_rule_kind *k;
	struct dr_state s;
	u32 i;
	int r;

	*cut = ~0u;
	for (i = 0; i < at->cover.nr; i++) {
		k = kind(at, i);
		if (!k->drop_later || k->from >= *cut)
			continue;
		r = state_at(at, k->to, &s);
		if (r)
			return r;
		if (s.epoch >= k->from)
			*cut = k->from;
	}
	return 0;
}

/* Is what stays, or what it was merged over, made of excluded bytes? */
static int find_mixed(const struct at *at, u32 first, u32 cut)
{
	struct dr_verdict *v = at->v;
	struct dr_state s = v->keep;
	u32 merged;
	int r;

	while (s.epoch > first) {
		merged = s.flags & DR_MAP_MERGED;
		r = state_at(at, below(at->j->lineage, s.epoch), &s);
		if (r)
			return r;
		if (excluded(at, cut, s.epoch)) {
			v->later = true;
			v->mixed = merged;
			break;
		}
		if (!merged)
			break;
	}
	return 0;
}

int dr_judge(const struct dr_judge *j, u64 block, u64 max,
	     struct dr_verdict *v)
{
	u32 cut, from, first;
	struct at at;	/* not cleared: a cover is large, and most are empty */
	int r;

	at.j = j;
	at.block = block;
	at.v = v;
	v->mixed = false;
	v->later = false;
	v->len = dr_rules_cover(j->rules, block, max, &at.cover);
	first = first_from(&at);
	r = find_cut(&at, &cut);
	if (!r)
		r = state_at(&at, j->epoch, &v->now);
	v->keep = v->now;
	/* Most blocks of a view have no rule. */
	if (r || !first)
		return r;
	while (!r && (from = excluded(&at, cut, v->keep.epoch)))
		r = state_at(&at, below(j->lineage, from), &v->keep);
	return r ? r : find_mixed(&at, first, cut);
}

int dr_judge_tree(const struct dr_judge *j, u32 epoch, u64 block, u64 max,
		  struct dr_state *s)
{
	const struct dr_tree_view *t = j->arg;

	return dr_map_state(t->cursor, j->lineage, epoch, block, max,
			    t->slot_blocks, s);
}

/* --- an epoch of the past -------------------------------------------------- */

/* The origin cannot be dropped, but a commit writes it. */
static void hold(struct dr_store *st, u32 epoch, int by)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (e)
		e->held += by;
	else if (epoch == DR_BASE_EPOCH)
		st->base_held += by;
}

static void hold_rule(struct dr_store *st, const struct dr_rule *rule, int by)
{
	/* Nothing is seen from here, but a table that names it loads again. */
	hold(st, rule->from, by);
	hold(st, rule->to, by);
	hold(st, rule->before, by);
}

int dr_recipe_open(struct dr_store *st, struct dr_recipe *rc, u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (epoch != DR_BASE_EPOCH) {
		if (!e || e->state == DR_EPOCH_DROPPED)
			return -ENOENT;
		if (e->state == DR_EPOCH_BUILDING)
			return -EINPROGRESS;
		if (e->state != DR_EPOCH_SEALED)
			return -EBUSY;
	}
	/* It is neither what it was nor what it is going to be. */
	if (epoch == DR_BASE_EPOCH && st->fold.epoch)
		return -EBUSY;
	rc->lineage = dr_lineage_make(&st->epochs, &st->env, epoch);
	if (!rc->lineage)
		return -ENOMEM;
	rc->epoch = epoch;
	hold(st, epoch, 1);
	return 0;
}

int dr_recipe_add(struct dr_store *st, struct dr_recipe *rc, u64 sector,
		  u64 sectors, u32 from, u32 to, bool drop_later)
{
	struct dr_rule rule;
	s64 r;

	r = dr_rule_make(st, rc->lineage, rc->epoch, &rule, sector, sectors,
			 from, to, drop_later);
	if (!r)
		r = dr_rules_add(&rc->rules, &st->env, &rule);
	if (r < 0)
		return r;
	hold_rule(st, &rule, 1);
	return 0;
}

int dr_recipe_ready(struct dr_store *st, struct dr_recipe *rc)
{
	return dr_rules_ready(&rc->rules, &st->env, NULL);
}

void dr_recipe_close(struct dr_store *st, struct dr_recipe *rc)
{
	u32 i;

	if (!rc->lineage)
		return;
	for (i = 0; i < rc->rules.nr; i++)
		hold_rule(st, rc->rules.rule + i, -1);
	hold(st, rc->epoch, -1);
	dr_rules_exit(&rc->rules, &st->env);
	st->env.free(st->env.ctx, rc->lineage);
	rc->lineage = NULL;
}

struct peek_arg {
	const struct dr_env *env;
	const struct dr_snap *snap;
	struct dr_want *want;
	u32 slot_blocks;
};

static int judge_peek(const struct dr_judge *j, u32 epoch, u64 block, u64 max,
		      struct dr_state *s)
{
	const struct peek_arg *p = j->arg;

	return dr_map_lookup(p->env, p->snap, j->lineage, epoch, block, max,
			     p->slot_blocks, s, p->want);
}

int dr_recipe_lookup(const struct dr_env *env, const struct dr_snap *snap,
		     const struct dr_recipe *rc, u64 block, u64 max,
		     u32 slot_blocks, struct dr_state *s, bool *mixed,
		     struct dr_want *want)
{
	struct peek_arg arg = { env, snap, want, slot_blocks };
	struct dr_judge j = {
		.rules = &rc->rules, .lineage = rc->lineage,
		.epoch = rc->epoch, .state = judge_peek, .arg = &arg,
	};
	struct dr_verdict v;
	int r = dr_judge(&j, block, max, &v);

	if (r)
		return r;
	*s = v.keep;
	s->len = v.len;
	*mixed = v.mixed;
	return 0;
}
