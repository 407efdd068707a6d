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
	r.to = r.from + rnd(3);
	return r;
}

static bool covers(const struct dr_rule *r, u64 block)
{
	return block >= r->block && block < r->block + r->len;
}

/* Both ways find the same rules, each once. */
static void compare_at(const struct dr_rules *rs, u64 block)
{
	bool *seen = calloc(rs->nr + 1, sizeof(*seen));
	const struct dr_rule *r;
	u64 same = 100, b;
	u32 pos = 0, i, n = 0;

	while ((r = dr_rules_next(rs, block, &pos))) {
		assert_true(covers(r, block));
		assert_false(seen[r - rs->rule]);
		seen[r - rs->rule] = true;
		n++;
	}
	for (i = 0; i < rs->nr; i++)
		n -= covers(rs->rule + i, block);
	assert_int_equal(n, 0);
	for (i = 0; i < rs->nr; i++)
		for (b = 1; b < same; b++)
			if (covers(rs->rule + i, block) !=
			    covers(rs->rule + i, block + b))
				same = b;
	assert_int_equal(dr_rules_same(rs, block, 100), same);
	free(seen);
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

static void compare(u32 nr, u32 max_len)
{
	struct dr_rules rs = {};
	struct dr_rule r;
	u32 i;

	for (i = 0; i < nr; i++) {
		r = any_rule(max_len);
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
		if (i % 13 == 0)
			compare_at(&rs, rnd(SPACE + 10));
	}
	for (i = 0; i < 40; i++)
		compare_at(&rs, rnd(SPACE + 10));
	assert_int_equal(dr_rules_sort(&rs, &env), 0);
	assert_int_equal(rs.nr_sorted, nr);
	for (i = 0; i < SPACE; i += 3)
		compare_at(&rs, i);
	compare_names(&rs);
	dr_rules_exit(&rs, &env);
}

static void a_search_finds_what_looking_at_each_does(void **state)
{
	static const u32 nr[] = { 0, 1, 2, 3, 31, 32, 33, 64, 65, 200 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nr); i++) {
		seed = i;
		compare(nr[i], 4);
		compare(nr[i], 60);
		compare(nr[i], SPACE);
	}
}

static void adding_one_at_a_time_sorts_now_and_then(void **state)
{
	struct dr_rules rs = {};
	struct dr_rule r = { .len = 1, .from = 1, .to = 1 };
	u32 sorts = 0, was = 0, i;

	for (i = 0; i < DR_MAX_RULES; i++) {
		r.block = mem_random(&seed) % 1000000;
		assert_int_equal(dr_rules_add(&rs, &env, &r), i + 1);
		sorts += rs.nr_sorted != was;
		was = rs.nr_sorted;
		assert_true(rs.nr - rs.nr_sorted <= 33 + rs.nr_sorted / 8);
	}
	assert_true(sorts < 100);
	assert_int_equal(dr_rules_add(&rs, &env, &r), -ENOSPC);
	dr_rules_exit(&rs, &env);
}

static void without_memory_nothing_is_lost(void **state)
{
	struct dr_env poor = env;
	struct dr_rules rs = {};
	struct dr_rule r = { .block = 5, .len = 2, .from = 1, .to = 1 };
	u32 pos = 0;

	poor.alloc = no_alloc;
	assert_int_equal(dr_rules_add(&rs, &poor, &r), -ENOMEM);
	assert_int_equal(dr_rules_add(&rs, &env, &r), 1);
	assert_int_equal(dr_rules_sort(&rs, &poor), -ENOMEM);
	assert_non_null(dr_rules_next(&rs, 6, &pos));
	assert_null(dr_rules_next(&rs, 6, &pos));
	dr_rules_exit(&rs, &env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_search_finds_what_looking_at_each_does),
		cmocka_unit_test(adding_one_at_a_time_sorts_now_and_then),
		cmocka_unit_test(without_memory_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
