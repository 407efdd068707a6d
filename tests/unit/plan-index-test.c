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
	};

	return mem_tests("plan-index", tests);
}
