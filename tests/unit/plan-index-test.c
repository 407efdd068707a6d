// SPDX-License-Identifier: GPL-2.0
/*
 * plan-index-test.c - the index holds exactly the blocks that an epoch wrote.
 */
#include "plan-env.h"

static struct plan_env p;

static void ok(int r)
{
	assert_int_equal(r, 0);
}

/* The extent at a position, as text of three numbers */
static void extent_is(u32 at, u32 epoch, u64 block, u64 len)
{
	struct dr_cursor c;
	const void *e;
	const struct dr_disk_extent *x;
	int r;

	dr_cursor_init(&c, &p.x.m.env, p.x.uuid, &dr_tree_index, &p.index);
	r = dr_cursor_ge(&c, (struct dr_key){}, &e);
	while (r == 1 && at--)
		r = dr_cursor_next(&c, &e);
	assert_int_equal(r, 1);
	x = e;
	assert_int_equal(le32_to_cpu(x->epoch), epoch);
	assert_true(le64_to_cpu(x->block) == block);
	assert_true(le32_to_cpu(x->len) == len);
	dr_cursor_exit(&c);
}

static void neighbours_become_one_extent(void **state)
{
	pe_begin(&p, 8192);
	ok(pe_feed(&p, 10, 10, 1, 1000, DR_SET_OWN));
	ok(pe_feed(&p, 30, 10, 1, 2000, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 2);
	ok(pe_feed(&p, 20, 10, 1, 3000, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 1);
	extent_is(0, 1, 10, 30);
	/* Another epoch's do not. */
	ok(pe_feed(&p, 40, 10, 2, 3100, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 2);
	pe_compare(&p);
	pe_end(&p);
}

static void removal_from_the_middle_and_the_ends(void **state)
{
	pe_begin(&p, 8192);
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 90, 20, 1, 0, DR_DELETE));
	ok(pe_feed(&p, 150, 10, 1, 0, DR_DELETE));
	ok(pe_feed(&p, 170, 1, 1, 0, DR_DELETE));
	ok(pe_feed(&p, 195, 50, 1, 0, DR_DELETE));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 3);
	extent_is(0, 1, 110, 40);
	extent_is(1, 1, 160, 10);
	extent_is(2, 1, 171, 24);
	pe_compare(&p);
	pe_end(&p);
}

static void adding_and_removing_in_one_flush(void **state)
{
	pe_begin(&p, 8192);
	ok(pe_feed(&p, 100, 20, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 100, 5, 1, 0, DR_DELETE));
	ok(pe_feed(&p, 120, 10, 1, 1100, DR_SET_OWN));
	ok(pe_feed(&p, 125, 5, 2, 1200, DR_SET_OWN));
	ok(pe_feed(&p, 130, 5, 1, 0, DR_DELETE));
	ok(pe_feed(&p, 135, 5, 1, 1300, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	extent_is(0, 1, 105, 25);
	pe_end(&p);
}

static void thousands_of_extents_taken_in_by_one(void **state)
{
	u32 i, n = 12000;	/* more than a batch holds */

	pe_begin(&p, 200000);
	for (i = 0; i < n; i++)
		ok(pe_feed(&p, 3 * i, 1, 1, 33000 + 2 * i, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == n);
	pe_compare(&p);
	ok(pe_feed(&p, 0, 3 * n + 5, 1, DR_SLOT_ZERO, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	/* Where a batch ended two may touch; never more than that. */
	assert_in_range(p.index.nr, 1, 4);
	pe_end(&p);
}

static void one_extent_removed_in_thousands_of_pieces(void **state)
{
	u32 i, n = 12000;

	pe_begin(&p, 200000);
	ok(pe_feed(&p, 0, 3 * n, 1, DR_SLOT_ZERO, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 1);
	for (i = 0; i < n; i++)
		ok(pe_feed(&p, 3 * i, 1, 1, 0, DR_DELETE_FREE));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(p.index.nr == n);
	extent_is(n - 1, 1, 3 * n - 2, 2);
	pe_end(&p);
}

static void extents_longer_than_a_run(void **state)
{
	pe_begin(&p, 8192);
	ok(pe_feed(&p, 0, 1000000, 1, DR_SLOT_ZERO, DR_SET_OWN));
	ok(pe_feed(&p, 1000000, 1000000, 1, DR_SLOT_ZERO, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == 1);
	extent_is(0, 1, 0, 2000000);
	pe_compare(&p);
	pe_end(&p);
}

static void many_epochs_in_one_flush(void **state)
{
	u64 seed = 6, next = 1000;
	u32 i;

	pe_begin(&p, 65536);
	for (i = 0; i < 400; i++) {
		ok(pe_feed(&p, i, 1, 1 + mem_random(&seed) % 15, next++,
			   DR_SET_OWN));
		if (i % 100 == 99)
			ok(pe_flush(&p));
	}
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

/* Each of them joins what is on both its sides. */
static void holes_are_filled_in_one_pass(void **state)
{
	u32 i, n = 8000;	/* changes of one batch */
	u64 before;

	pe_begin(&p, 200000);
	for (i = 0; i <= n; i++)
		ok(pe_feed(&p, 2 * i, 1, 1, 40000 + 3 * i, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.index.nr == n + 1);
	before = p.x.m.writes;
	for (i = 0; i < n; i++)
		ok(pe_feed(&p, 2 * i + 1, 1, 1, 100000 + 3 * i, DR_SET_OWN));
	ok(pe_flush(&p));
	/* The map's nodes, and hardly any of the index; not some for each. */
	assert_in_range(p.x.m.writes - before, 1, n / 40);
	assert_true(p.index.nr == 1);
	extent_is(0, 1, 0, 2 * n + 1);
	pe_compare(&p);
	pe_end(&p);
}

static void add(u64 block, u64 len)
{
	p.plan.ich[p.plan.nr_ich++] = (struct dr_index_change){
		.block = block, .epoch = 1, .len = len,
	};
}

static void extents_as_long_as_can_be(void **state)
{
	u64 most = ~0u;

	pe_begin(&p, 8192);
	add(0, most - 1);
	add(most - 1, 10);
	ok(dr_index_apply(&p.plan));
	assert_true(p.index.nr == 2);
	extent_is(0, 1, 0, most);
	extent_is(1, 1, most, 9);
	/* It grows on, as far as what is behind it. */
	add(most + 9, 1);
	add(most + 20, 1);
	ok(dr_index_apply(&p.plan));
	assert_true(p.index.nr == 3);
	extent_is(1, 1, most, 10);
	pe_end(&p);
}

static void extents_that_would_be_too_long_together(void **state)
{
	u64 most = ~0u;

	pe_begin(&p, 8192);
	add(0, most - 10);
	add(most - 5, 100);
	ok(dr_index_apply(&p.plan));
	add(most - 10, 5);
	ok(dr_index_apply(&p.plan));
	assert_true(p.index.nr == 2);
	extent_is(0, 1, 0, most - 5);
	extent_is(1, 1, most - 5, 100);
	pe_end(&p);
	/* One that becomes as long as can be, and what touches it then */
	pe_begin(&p, 8192);
	add(0, most - 10);
	add(most - 5, 5);
	ok(dr_index_apply(&p.plan));
	add(most - 10, 5);
	add(most, 3);
	ok(dr_index_apply(&p.plan));
	assert_true(p.index.nr == 2);
	extent_is(0, 1, 0, most);
	extent_is(1, 1, most, 3);
	pe_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(neighbours_become_one_extent),
		TEST(removal_from_the_middle_and_the_ends),
		TEST(adding_and_removing_in_one_flush),
		TEST(thousands_of_extents_taken_in_by_one),
		TEST(one_extent_removed_in_thousands_of_pieces),
		TEST(extents_longer_than_a_run),
		TEST(many_epochs_in_one_flush),
		TEST(holes_are_filled_in_one_pass),
		TEST(extents_as_long_as_can_be),
		TEST(extents_that_would_be_too_long_together),
	};

	return mem_tests("plan-index", tests);
}
