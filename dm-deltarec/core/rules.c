// SPDX-License-Identifier: GPL-2.0
/*
 * rules.c - many rules, and which of them cover a block (recipe.h).
 *
 * A recovery has many ranges and few epochs. So rules are kept as ranges, apart
 * for each kind, and joined: what a lookup costs depends on the number of kinds
 * and not on how the rules overlap.
 */
#include "recipe.h"

static int by_place(const void *a, const void *b)
{
	const struct dr_rule_range *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

void dr_rules_exit(struct dr_rules *rs, const struct dr_env *env)
{
	env->free(env->ctx, rs->rule);
	env->free(env->ctx, rs->kind);
	env->free(env->ctx, rs->range);
	env->free(env->ctx, rs->hull.r);
	memset(rs, 0, sizeof(*rs));
}

static bool is_kind(const struct dr_rule_kind *k, const struct dr_rule *r)
{
	return k->from == r->from && k->to == r->to &&
	       k->drop_later == r->drop_later;
}

/* Number of the rule's kind, which may be a new one; or an error */
static int find_kind(struct dr_rules *rs, const struct dr_env *env,
		     const struct dr_rule *rule)
{
	u32 i;

	for (i = 0; i < rs->nr_kinds; i++)
		if (is_kind(rs->kind + i, rule))
			return i;
	if (i == DR_MAX_KINDS)
		return -E2BIG;
	if (!rs->kind)
		rs->kind = env->alloc(env->ctx, (DR_MAX_KINDS + 1) *
				      sizeof(*rs->kind));
	if (!rs->kind)
		return -ENOMEM;
	rs->kind[i].from = rule->from;
	rs->kind[i].to = rule->to;
	rs->kind[i].drop_later = rule->drop_later;
	/* It has no ranges yet. */
	rs->kind[i].first = rs->nr_ranges;
	rs->kind[i + 1].first = rs->nr_ranges;
	rs->nr_kinds++;
	return i;
}

static int more_rules(struct dr_rules *rs, const struct dr_env *env)
{
	u32 max = max_t(u32, 64, 2 * rs->max);
	struct dr_rule *n = env->alloc(env->ctx, max * sizeof(*n));

	if (!n)
		return -ENOMEM;
	if (rs->nr)
		memcpy(n, rs->rule, rs->nr * sizeof(*n));
	env->free(env->ctx, rs->rule);
	rs->rule = n;
	rs->max = max;
	return 0;
}

s64 dr_rules_add(struct dr_rules *rs, const struct dr_env *env,
		 const struct dr_rule *rule)
{
	int kind;

	if (rs->nr == DR_MAX_RULES)
		return -E2BIG;
	if (rs->nr == rs->max && more_rules(rs, env))
		return -ENOMEM;
	kind = find_kind(rs, env, rule);
	if (kind < 0)
		return kind;
	rs->rule[rs->nr] = *rule;
	rs->rule[rs->nr].kind = kind;
	return ++rs->nr;
}

/* Append a range that does not begin before the last one */
static void put(struct dr_rule_ranges *l, const struct dr_rule_range *x)
{
	struct dr_rule_range *last = l->nr ? l->r + l->nr - 1 : NULL;

	if (last && last->kind == x->kind && x->block <= last->end)
		last->end = max(last->end, x->end);
	else
		l->r[l->nr++] = *x;
}

/* The rules that are not ready, sorted and joined */
static int gather_new(const struct dr_rules *rs, const struct dr_env *env,
		      struct dr_rule_ranges *new)
{
	u32 i, n = rs->nr - rs->nr_ready;

	new->nr = 0;
	new->max = n;
	new->r = env->alloc(env->ctx, (size_t)n * sizeof(*new->r));
	if (!new->r)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		const struct dr_rule *rule = rs->rule + rs->nr_ready + i;

		new->r[i] = (struct dr_rule_range){
			rule->block, rule->block + rule->len, rule->kind,
		};
	}
	dr_sort(new->r, n, sizeof(*new->r), by_place);
	for (i = 0; i < n; i++)
		put(new, new->r + i);
	return 0;
}

static void merge(const struct dr_rules *rs, const struct dr_rule_ranges *new,
		  struct dr_rule_ranges *all)
{
	u32 i = 0, k = 0;

	while (i < rs->nr_ranges || k < new->nr) {
		if (k == new->nr || (i < rs->nr_ranges &&
				     by_place(rs->range + i, new->r + k) < 0))
			put(all, rs->range + i++);
		else
			put(all, new->r + k++);
	}
}

/* Append to @fresh what is new in @new; it has room */
static void subtract(const struct dr_rules *rs,
		     const struct dr_rule_ranges *new,
		     struct dr_rule_ranges *fresh)
{
	const struct dr_rule_range *old = rs->range;
	const struct dr_rule_range *end = old + rs->nr_ranges, *o, *x;
	u64 pos;

	for (x = new->r; x < new->r + new->nr; x++) {
		while (old < end && (old->kind < x->kind ||
				     (old->kind == x->kind &&
				      old->end <= x->block)))
			old++;
		pos = x->block;
		for (o = old; o < end && o->kind == x->kind &&
		     o->block < x->end; o++) {
			if (o->block > pos)
				fresh->r[fresh->nr++] = (struct dr_rule_range){
					pos, o->block, x->kind };
			pos = max(pos, o->end);
		}
		if (pos < x->end)
			fresh->r[fresh->nr++] = (struct dr_rule_range){
				pos, x->end, x->kind };
	}
}

static int make_room(struct dr_rule_ranges *l, const struct dr_env *env,
		     u32 more)
{
	struct dr_rule_range *r;
	u32 max = max(l->nr + more, 2 * l->max);

	if (l->nr + more <= l->max)
		return 0;
	r = env->alloc(env->ctx, (size_t)max * sizeof(*r));
	if (!r)
		return -ENOMEM;
	if (l->nr)
		memcpy(r, l->r, l->nr * sizeof(*r));
	env->free(env->ctx, l->r);
	l->r = r;
	l->max = max;
	return 0;
}

/* All ranges, whatever their kind, joined */
static int make_hull(const struct dr_rule_ranges *all, const struct dr_env *env,
		     struct dr_rule_ranges *hull)
{
	struct dr_rule_range *r;
	u32 i;
	int e = make_room(hull, env, all->nr);

	if (e)
		return e;
	r = hull->r;
	memcpy(r, all->r, all->nr * sizeof(*r));
	for (i = 0; i < all->nr; i++)
		r[i].kind = 0;
	dr_sort(r, all->nr, sizeof(*r), by_place);
	for (i = 0; i < all->nr; i++)
		put(hull, r + i);
	return 0;
}

static void replace(struct dr_rules *rs, const struct dr_rule_ranges *all)
{
	u32 i, k = 0;

	rs->range = all->r;
	rs->nr_ranges = all->nr;
	rs->nr_ready = rs->nr;
	for (i = 0; i < all->nr; i++)
		while (k <= all->r[i].kind)
			rs->kind[k++].first = i;
	while (k <= rs->nr_kinds)
		rs->kind[k++].first = all->nr;
}

int dr_rules_ready(struct dr_rules *rs, const struct dr_env *env,
		   struct dr_rule_ranges *fresh)
{
	struct dr_rule_ranges new, all = {}, hull = {};
	int r;

	if (rs->nr_ready == rs->nr)
		return 0;
	r = gather_new(rs, env, &new);
	if (!r)
		r = make_room(&all, env, rs->nr_ranges + new.nr);
	/* Between two ranges that are new lies one that is not. */
	if (!r && fresh)
		r = make_room(fresh, env, rs->nr_ranges + new.nr);
	if (!r) {
		merge(rs, &new, &all);
		r = make_hull(&all, env, &hull);
	}
	if (r) {
		env->free(env->ctx, all.r);
	} else {
		if (fresh)
			subtract(rs, &new, fresh);
		env->free(env->ctx, rs->range);
		env->free(env->ctx, rs->hull.r);
		rs->hull = hull;
		replace(rs, &all);
	}
	env->free(env->ctx, new.r);
	return r;
}

/* First of the ranges lo..hi - 1 that ends behind @block, or @hi */
static u32 first_behind(const struct dr_rule_range *r, u32 lo, u32 hi,
			u64 block)
{
	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (r[mid].end <= block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

u64 dr_rules_cover(const struct dr_rules *rs, u64 block, u64 max,
		   struct dr_cover *cover)
{
	u64 end = block + max;
	u32 k, i;

	cover->nr = 0;
	/* Most blocks are covered by no rule: no need to ask each kind. */
	i = first_behind(rs->hull.r, 0, rs->hull.nr, block);
	if (i == rs->hull.nr)
		return max;
	if (rs->hull.r[i].block > block)
		return min(max, rs->hull.r[i].block - block);
	for (k = 0; k < rs->nr_kinds; k++) {
		i = first_behind(rs->range, rs->kind[k].first,
				 rs->kind[k + 1].first, block);
		if (i == rs->kind[k + 1].first)
			continue;
		if (rs->range[i].block <= block) {
			cover->kind[cover->nr++] = k;
			end = min(end, rs->range[i].end);
		} else {
			end = min(end, rs->range[i].block);
		}
	}
	return end - block;
}

bool dr_rules_name(const struct dr_rules *rs, u32 epoch)
{
	u32 k;

	for (k = 0; k < rs->nr_kinds; k++)
		if (epoch >= rs->kind[k].from && epoch <= rs->kind[k].to)
			return true;
	return false;
}
