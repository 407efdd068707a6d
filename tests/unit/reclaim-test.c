// SPDX-License-Identifier: GPL-2.0
/*
 * reclaim-test.c - what dropped epochs leave behind.
 */
#include "history.h"

static struct history h;
static struct mem_store s;

static void drop(u32 e)
{
	mem_drop(&h.s, e);
	h.live[e] = false;
}

static void a_version_that_a_later_epoch_shows_is_kept(void **state)
{
	u64 a;

	mem_store_init(&s, 1, 1000, 32000);
	a = mem_write(&s, 5, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 6, 1);
	mem_checkpoint(&s, "");
	mem_drop(&s, 1);
	mem_reclaim(&s);
	assert_true(mem_slot(&s, 3, 5) == a && mem_slot(&s, 2, 5) == a);
	assert_non_null(dr_epochs_find(&s.st.epochs, 1));
	assert_int_equal(dr_reclaim_pending(&s.st), 0);
	assert_false(s.st.reclaim_wanted);
	/* When it is overwritten for all who see it, it goes. */
	mem_write(&s, 5, 1);
	mem_checkpoint(&s, "");
	mem_drop(&s, 2);
	mem_reclaim(&s);
	assert_false(dr_space_is_busy(&s.st.space, a));
	assert_null(dr_epochs_find(&s.st.epochs, 1));
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void space_comes_back(void **state)
{
	u64 free;
	u32 i;

	mem_store_init(&s, 16, 1000, 60000);
	mem_merge(&s);
	free = s.st.space.free;
	for (i = 0; i < 3; i++) {
		mem_write(&s, 0, 1000);
		mem_checkpoint(&s, "");
	}
	mem_rollback(&s, 0);
	for (i = 1; i <= 4; i++)
		mem_drop(&s, i);
	mem_reclaim(&s);
	assert_int_equal(dr_reclaim_pending(&s.st), 0);
	assert_int_equal(s.st.epochs.nr, 1);
	assert_true(s.st.map.block == 0 && s.st.index.block == 0);
	/* Nodes given up by the last commit are free after the next. */
	mem_zero(&s, 0, 1);
	mem_merge(&s);
	assert_in_range(s.st.space.free, free - 4, free);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void children_of_what_is_gone_become_its_parent_s(void **state)
{
	mem_store_init(&s, 1, 1000, 32000);
	mem_checkpoint(&s, "");
	mem_write(&s, 1, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 1, 1);
	mem_checkpoint(&s, "");
	mem_rollback(&s, 2);
	mem_drop(&s, 1);
	mem_reclaim(&s);
	assert_null(dr_epochs_find(&s.st.epochs, 1));
	assert_int_equal(dr_epochs_find(&s.st.epochs, 2)->parent, 0);
	mem_store_restart(&s);
	assert_int_equal(dr_epochs_find(&s.st.epochs, 2)->parent, 0);
	assert_null(dr_epochs_find(&s.st.epochs, 1));
	mem_store_exit(&s);
}

static void random_drops_change_no_other_epoch(void **state)
{
	static const u32 sizes[] = { 1, 16 };
	u32 round, k, e;

	for (round = 0; round < 8; round++) {
		h_begin(&h, sizes[round % 2], 40 + round);
		for (k = 0; k < 8; k++) {
			h_grow(&h, 4, 3);
			for (e = 1; e < h.s.st.head; e++)
				if (h.live[e] && h_rand(&h, 3) == 0)
					drop(e);
			mem_reclaim(&h.s);
			h_compare(&h);
			if (h_rand(&h, 3) == 0)
				mem_store_restart(&h.s);
			assert_int_equal(mem_store_errors(&h.s), 0);
		}
		/* All but the head */
		for (e = 1; e < h.s.st.head; e++)
			if (h.live[e])
				drop(e);
		mem_reclaim(&h.s);
		h_compare(&h);
		assert_int_equal(mem_store_errors(&h.s), 0);
		h_end(&h);
	}
}

static void a_pass_in_small_steps(void **state)
{
	u32 i, steps = 0;
	int r;

	mem_store_init(&s, 1, 30000, 80000);
	for (i = 0; i < 12000; i++)
		mem_write(&s, i * 7 % 30000, 1);
	mem_checkpoint(&s, "");
	for (i = 0; i < 12000; i += 2)
		mem_write(&s, i * 7 % 30000, 1);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_drop(&s, 1);
	s.st.txn.max_log = 3000;
	do {
		r = dr_reclaim_step(&s.st);
		assert_true(r >= 0);
		dr_store_release(&s.st, false);
		assert_true(steps++ < 200);
		assert_int_equal(mem_store_errors(&s), 0);
	} while (r);
	assert_true(steps > 3);
	for (i = 0; i < 12000; i++)
		assert_true(dr_slot_is_data(mem_slot(&s, 2, i * 7 % 30000)));
	/* Just what epoch 2 overwrote is gone. */
	assert_true(s.st.map.nr == 12000);
	mem_store_exit(&s);
}

static void a_large_stretch_that_was_scattered(void **state)
{
	u64 i, blocks = 80000, free;

	mem_store_init(&s, 1, blocks, 120000);
	mem_merge(&s);
	free = s.st.space.free;
	for (i = 0; i < blocks; i++)
		mem_write(&s, i * 7919 % blocks, 1);
	mem_rollback(&s, 0);
	mem_merge(&s);
	assert_true(s.st.index.nr == 1);
	mem_drop(&s, 1);
	mem_reclaim(&s);
	mem_zero(&s, 0, 1);
	mem_merge(&s);
	assert_in_range(s.st.space.free, free - 10, free);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* Just as many as one change holds, and more */
static void more_versions_of_a_block_than_a_change_holds(void **state)
{
	static const u32 count[] = { DR_STACK_MAX, DR_STACK_MAX + 7 };
	u32 i, k;

	for (k = 0; k < 2; k++) {
		mem_store_init(&s, 1, 100, 60000);
		for (i = 0; i < count[k]; i++) {
			mem_write(&s, 5, 1);
			mem_checkpoint(&s, "");
			if (i % 500 == 0)
				mem_merge(&s);
		}
		mem_rollback(&s, 0);
		mem_merge(&s);
		for (i = 1; i <= count[k] + 1; i++) {
			mem_drop(&s, i);
			if (i % 20 == 0)
				mem_merge(&s);
		}
		mem_reclaim(&s);
		assert_int_equal(s.st.epochs.nr, 1);
		assert_true(s.st.map.block == 0);
		assert_int_equal(mem_store_errors(&s), 0);
		mem_store_exit(&s);
	}
}

static void errors_are_undone(void **state)
{
	u64 free;
	u32 i;
	int r = -1;

	h_begin(&h, 1, 8);
	h_grow(&h, 10, 5);
	mem_merge(&h.s);
	for (i = 1; i < h.s.st.head; i += 2)
		if (h.live[i])
			drop(i);
	mem_merge(&h.s);
	free = h.s.st.space.free;
	for (i = 1; i < 100 && r < 0; i++) {
		h.s.m.fail_alloc = i;
		r = dr_reclaim_step(&h.s.st);
		if (r < 0) {
			assert_int_equal(r, -ENOMEM);
			assert_true(h.s.st.space.free == free);
		}
	}
	assert_true(i > 10);
	h.s.m.fail_alloc = 0;
	dr_store_release(&h.s.st, false);
	h_compare(&h);
	h_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_that_a_later_epoch_shows_is_kept),
		TEST(space_comes_back),
		TEST(children_of_what_is_gone_become_its_parent_s),
		TEST(random_drops_change_no_other_epoch),
		TEST(a_pass_in_small_steps),
		TEST(a_large_stretch_that_was_scattered),
		TEST(more_versions_of_a_block_than_a_change_holds),
		TEST(errors_are_undone),
	};

	return mem_tests("reclaim", tests);
}
