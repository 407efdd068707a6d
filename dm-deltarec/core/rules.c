// SPDX-License-Identifier: GPL-2.0
/*
 * rules.c - many rules, and which of them cover a block (recipe.h).
 *
 * Sorted by first block, the rules that cover a block are those of a prefix
 * whose end lies behind it. A tree over the ends, each node with the highest
 * one below it, leads from one such rule to the next without looking at those
 * in between.
 */
#include "recipe.h"

/* So many may wait before all are sorted again, beside an eighth of them */
#define TAIL	32u

static int by_block(const void *a, const void *b)
{
	const struct dr_rule_key *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int by_epoch(const void *a, const void *b)
{
	const struct dr_interval *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

static u64 end_of(const struct dr_rule *r)
{
	return r->block + r->len;
}

static bool covers(const struct dr_rule *r, u64 block)
{
	return block - r->block < r->len;
}

static void forget_order(struct dr_rules *rs, const struct dr_env *env)
{
	env->free(env->ctx, rs->key);
	env->free(env->ctx, rs->reach);
	env->free(env->ctx, rs->span);
	rs->key = NULL;
	rs->reach = NULL;
	rs->span = NULL;
	rs->nr_sorted = 0;
	rs->nr_leaves = 0;
	rs->nr_spans = 0;
}

void dr_rules_exit(struct dr_rules *rs, const struct dr_env *env)
{
	forget_order(rs, env);
	env->free(env->ctx, rs->rule);
	memset(rs, 0, sizeof(*rs));
}

static void sort_keys(struct dr_rules *rs)
{
	u32 i;

	for (i = 0; i < rs->nr; i++)
		rs->key[i] = (struct dr_rule_key){ rs->rule[i].block, i };
	dr_sort(rs->key, rs->nr, sizeof(*rs->key), by_block);
	for (i = 0; i < rs->nr; i++)
		rs->reach[rs->nr_leaves + i] =
			end_of(rs->rule + rs->key[i].at);
	for (i = rs->nr_leaves; --i;)
		rs->reach[i] = max(rs->reach[2 * i], rs->reach[2 * i + 1]);
}

static void join_spans(struct dr_rules *rs)
{
	struct dr_interval *last;
	u32 i;

	for (i = 0; i < rs->nr; i++)
		rs->span[i] = (struct dr_interval){ rs->rule[i].from,
						    rs->rule[i].to };
	dr_sort(rs->span, rs->nr, sizeof(*rs->span), by_epoch);
	for (i = 0; i < rs->nr; i++) {
		last = rs->nr_spans ? rs->span + rs->nr_spans - 1 : NULL;
		if (last && rs->span[i].lo <= last->hi)
			last->hi = max(last->hi, rs->span[i].hi);
		else
			rs->span[rs->nr_spans++] = rs->span[i];
	}
}

int dr_rules_sort(struct dr_rules *rs, const struct dr_env *env)
{
	u32 leaves = 1;

	if (rs->nr_sorted == rs->nr)
		return 0;
	forget_order(rs, env);
	while (leaves < rs->nr)
		leaves *= 2;
	rs->key = env->alloc(env->ctx, rs->nr * sizeof(*rs->key));
	rs->reach = env->alloc(env->ctx, 2 * leaves * sizeof(*rs->reach));
	rs->span = env->alloc(env->ctx, rs->nr * sizeof(*rs->span));
	if (!rs->key || !rs->reach || !rs->span) {
		forget_order(rs, env);
		return -ENOMEM;
	}
	rs->nr_leaves = leaves;
	rs->nr_sorted = rs->nr;
	sort_keys(rs);
	join_spans(rs);
	return 0;
}

s64 dr_rules_add(struct dr_rules *rs, const struct dr_env *env,
		 const struct dr_rule *rule)
{
	struct dr_rule *n;
	u32 max;

	if (rs->nr == DR_MAX_RULES)
		return -ENOSPC;
	if (rs->nr == rs->max) {
		max = max_t(u32, 64, 2 * rs->max);
		n = env->alloc(env->ctx, max * sizeof(*n));
		if (!n)
			return -ENOMEM;
		if (rs->nr)
			memcpy(n, rs->rule, rs->nr * sizeof(*n));
		env->free(env->ctx, rs->rule);
		rs->rule = n;
		rs->max = max;
	}
	if (rs->nr - rs->nr_sorted >= TAIL + rs->nr_sorted / 8 &&
	    dr_rules_sort(rs, env))
		return -ENOMEM;
	rs->rule[rs->nr] = *rule;
	return ++rs->nr;
}

/* First leaf from @at on whose rule ends behind @block, or nr_sorted */
static u32 reaching(const struct dr_rules *rs, u32 at, u64 block)
{
	u32 node = rs->nr_leaves + at;

	if (at >= rs->nr_sorted)
		return rs->nr_sorted;
	while (rs->reach[node] <= block) {
		/* On to the subtree right of this one */
		while (node & 1)
			node /= 2;
		if (!node)
			return rs->nr_sorted;
		node++;
	}
	while (node < rs->nr_leaves) {
		node *= 2;
		if (rs->reach[node] <= block)
			node++;
	}
	return node - rs->nr_leaves;
}

const struct dr_rule *dr_rules_next(const struct dr_rules *rs, u64 block,
				    u32 *pos)
{
	u32 i = *pos;

	if (i < rs->nr_sorted) {
		i = reaching(rs, i, block);
		if (i < rs->nr_sorted && rs->key[i].block <= block) {
			*pos = i + 1;
			return rs->rule + rs->key[i].at;
		}
		/* All that follow begin behind the block. */
		i = rs->nr_sorted;
	}
	while (i < rs->nr && !covers(rs->rule + i, block))
		i++;
	*pos = i + 1;
	return i < rs->nr ? rs->rule + i : NULL;
}

/* First block of the first sorted rule that begins behind @block, or ~0 */
static u64 next_begin(const struct dr_rules *rs, u64 block)
{
	u32 lo = 0, hi = rs->nr_sorted;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (rs->key[mid].block <= block)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < rs->nr_sorted ? rs->key[lo].block : ~0ULL;
}

u64 dr_rules_same(const struct dr_rules *rs, u64 block, u64 max)
{
	u64 end = min(block + max, next_begin(rs, block));
	const struct dr_rule *r;
	u32 pos = 0, i;

	while ((r = dr_rules_next(rs, block, &pos)))
		end = min(end, end_of(r));
	for (i = rs->nr_sorted; i < rs->nr; i++)
		if (rs->rule[i].block > block)
			end = min(end, rs->rule[i].block);
	return end - block;
}

bool dr_rules_name(const struct dr_rules *rs, u32 epoch)
{
	u32 lo = 0, hi = rs->nr_spans;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (rs->span[mid].hi < epoch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < rs->nr_spans && rs->span[lo].lo <= epoch;
}
