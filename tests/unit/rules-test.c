// SPDX-License-Identifier: GPL-2.0
/*
 * rules-test.c - which rules cover a block, against looking at each of them.
 */
#include "mem-env.h"
#include "recipe.h"

#define SPACE	500u		/* blocks */

static void *heap_alloc(void *ctx, size_t size)
{
	return calloc(1, size);
}

static void *no_alloc(void *ctx, size_t size)
{
	return NULL;
}

static void heap_free(void *ctx, void *p)
{
	free(p);
}

static const struct dr_env env = { .alloc = heap_alloc, .free = heap_free };
static u64 seed;

static u32 rnd(u32 n)
{
	return mem_random(&seed) % n;
}

static struct dr_rule any_rule(u32 max_len)
{
	struct dr_rule r = { .block = rnd(SPACE), .from = 1 + rnd(40) };

	r.len = 1 + rnd(max_len);
	return r;
}

static bool covers(const struct dr_rule *r, u64 block)
{
	return block >= r->block && block < r->block + r->len;
}

static bool same_kind(const struct dr_rule_kind *k, const struct dr_rule *r)
{
	return k->from == r->from && k->to == r->to &&
	       k->drop_later == r->drop_later;
}

/* Both ways find the same kinds, each once. */
static void compare_at(const struct dr_rules *rs, u64 block)
{
	struct dr_cover c;
	u32 i, k, n = 0;
	u64 len, b;

	len = dr_rules_cover(rs, block, 100, &c);
	assert_in_range(len, 1, 100);
	for (k = 0; k < rs->nr_kinds; k++) {
		bool want = false, is = false, then;

		for (i = 0; i < c.nr; i++)
			is |= c.kind[i] == k;
		n += is;
		for (i = 0; i < rs->nr; i++)
			want |= same_kind(rs->kind + k, rs->rule + i) &&
				covers(rs->rule + i, block);
		assert_int_equal(is, want);
		for (b = block + 1; b < block + len; b++) {
			then = false;
			for (i = 0; i < rs->nr; i++)
				then |= rs->rule[i].kind == k &&
					covers(rs->rule + i, b);
			assert_int_equal(then, want);
		}
	}
	assert_int_equal(n, c.nr);
}

static void compare_names(const struct dr_rules *rs)
{
	u32 e, i;

	for (e = 0; e < 50; e++) {
		bool named = false;

		for (i = 0; i < rs->nr; i++)
			named |= e >= rs->rule[i].from && e <= rs->rule[i].to;
		assert_int_equal(dr_rules_name(rs, e), named);
	}
}

/* What is fresh was covered by no rule of its kind, and comes once. */
static void compare_fresh(const struct dr_rules *rs, u32 before,
			  const struct dr_rule_ranges *f, u32 from)
{
	u32 i, k, n;
	u64 b;

	for (k = 0; k < rs->nr_kinds; k++)
		for (b = 0; b < SPACE + 100; b++) {
			bool old = false, now = false;

			for (i = 0; i < rs->nr; i++)
				if (rs->rule[i].kind == k &&
				    covers(rs->rule + i, b))
					*(i < before ? &old : &now) = true;
			for (n = 0, i = from; i < f->nr; i++)
				n += f->r[i].kind == k && b >= f->r[i].block &&
				     b < f->r[i].end;
			assert_int_equal(n, now && !old);
		}
}

static void compare(u32 nr, u32 max_len, u32 kinds)
{
	struct dr_rule_ranges fresh = {};
	struct dr_rules rs = {};
	struct dr_rule r;
	u32 i, had;

	for (i = 0; i < nr; i++) {
		r = any_rule(max_len);
		r.from = 1 + r.from % kinds;
		r.to = r.from + 1;
		r.drop_later = rnd(2);
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
		if (rnd(8))
			continue;
		had = fresh.nr;
		r.len = rs.nr_ready;
		assert_int_equal(dr_rules_ready(&rs, &env, &fresh), 0);
		compare_fresh(&rs, r.len, &fresh, had);
		compare_at(&rs, rnd(SPACE + 10));
	}
	assert_int_equal(dr_rules_ready(&rs, &env, NULL), 0);
	assert_int_equal(rs.nr_ready, nr);
	for (i = 0; i < SPACE; i += 31)
		compare_at(&rs, i);
	compare_names(&rs);
	env.free(env.ctx, fresh.r);
	dr_rules_exit(&rs, &env);
}

static void a_search_finds_what_looking_at_each_does(void **state)
{
	static const u32 nr[] = { 0, 1, 2, 3, 31, 32, 33, 64, 65, 200 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nr); i++) {
		seed = i;
		compare(nr[i], 4, 3);
		compare(nr[i], 60, 1);
		compare(nr[i], SPACE, 12);
	}
}

static void more_than_the_limits_is_refused(void **state)
{
	struct dr_rules rs = {};
	struct dr_rule r = { .len = 1 };
	u32 i;

	for (i = 0; i < DR_MAX_RULES; i++) {
		r.block = mem_random(&seed) % 1000000;
		r.from = 1 + i % DR_MAX_KINDS;
		r.to = r.from;
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
	}
	assert_int_equal(dr_rules_add(&rs, &env, &r), -E2BIG);
	assert_int_equal(dr_rules_ready(&rs, &env, NULL), 0);
	assert_true(rs.nr_ranges <= DR_MAX_RULES);
	dr_rules_exit(&rs, &env);
	for (i = 0; i < DR_MAX_KINDS; i++) {
		r.from = i + 1;
		r.to = i + 1;
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
	}
	r.drop_later = true;
	assert_int_equal(dr_rules_add(&rs, &env, &r), -E2BIG);
	r.drop_later = false;
	assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
	dr_rules_exit(&rs, &env);
}

/* Rules that all overlap become one range, each looked at once. */
static void many_overlapping_rules_cost_no_more_than_few(void **state)
{
	struct dr_rule_ranges fresh = {};
	struct dr_rules rs = {};
	struct dr_rule r = {};
	u64 blocks = 0, same;
	struct dr_cover c;
	u32 i;

	for (i = 0; i < 10000; i++) {
		/* Windows that slide, and some that hold others */
		r.block = i;
		r.len = i % 3 ? 5000 : 20000 - i;
		r.from = 1 + i % 4;
		r.to = 1 + i % 4;
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
		if (i % 100 == 99)
			assert_int_equal(dr_rules_ready(&rs, &env, &fresh), 0);
	}
	assert_int_equal(rs.nr_ranges, 4);
	for (i = 0; i < fresh.nr; i++)
		blocks += fresh.r[i].end - fresh.r[i].block;
	assert_true(blocks <= 4 * 20000);
	assert_true(fresh.nr < 400);
	same = dr_rules_cover(&rs, 10, 50000, &c);
	assert_int_equal(c.nr, 4);
	assert_true(same > 10000);
	env.free(env.ctx, fresh.r);
	dr_rules_exit(&rs, &env);
}

static void without_memory_nothing_is_lost(void **state)
{
	struct dr_env poor = env;
	struct dr_rules rs = {};
	struct dr_rule r = { .block = 5, .len = 2, .from = 1, .to = 1 };
	struct dr_cover c;

	poor.alloc = no_alloc;
	assert_int_equal(dr_rules_add(&rs, &poor, &r), -ENOMEM);
	assert_int_equal(dr_rules_add(&rs, &env, &r), 1);
	assert_int_equal(dr_rules_ready(&rs, &poor, NULL), -ENOMEM);
	assert_int_equal(rs.nr_ready, 0);
	assert_int_equal(dr_rules_ready(&rs, &env, NULL), 0);
	r.block = 9;
	assert_int_equal(dr_rules_add(&rs, &env, &r), 2);
	assert_int_equal(dr_rules_ready(&rs, &poor, NULL), -ENOMEM);
	assert_int_equal(dr_rules_cover(&rs, 6, 10, &c), 1);
	assert_int_equal(c.nr, 1);
	dr_rules_exit(&rs, &env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_finds_what_looking_at_each_does),
		cmocka_unit_test(more_than_the_limits_is_refused),
		cmocka_unit_test(many_overlapping_rules_cost_no_more_than_few),
		cmocka_unit_test(without_memory_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
