// SPDX-License-Identifier: GPL-2.0
/*
 * merge-test.c - from a frozen memtable into the trees.
 */
#include "history.h"

static struct history h;
static struct mem_store s;

static void a_merge_changes_nothing_that_can_be_seen(void **state)
{
	static const u32 sizes[] = { 1, 2, 16 };
	u32 i, k;

	for (i = 0; i < 3; i++) {
		h_begin(&h, sizes[i], 100 + i);
		for (k = 0; k < 6; k++) {
			h_grow(&h, 4, 4);
			h_compare(&h);
			mem_merge(&h.s);
			h_compare(&h);
		}
		mem_flush(&h.s);
		mem_store_restart(&h.s);
		h_compare(&h);
		assert_int_equal(mem_store_errors(&h.s), 0);
		h_end(&h);
	}
}

static void overtaken_slots_become_free(void **state)
{
	u64 free;
	u32 i;

	mem_store_init(&s, 16, 1000, 40000);
	mem_write(&s, 5, 1);
	mem_merge(&s);
	free = s.st.space.free;
	for (i = 0; i < 50; i++)
		mem_write(&s, 5, 1);
	mem_merge(&s);
	assert_true(s.st.space.free == free);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void of_a_write_and_a_discard_the_later_stays(void **state)
{
	u64 a, b;

	mem_store_init(&s, 1, 100000, 40000);
	mem_write(&s, 50, 1);
	mem_zero(&s, 0, 1000);
	a = mem_write(&s, 60, 1);
	mem_zero(&s, 55, 100);
	b = mem_write(&s, 60, 1);
	mem_zero(&s, 70, 2);
	assert_true(a != b);
	mem_merge(&s);
	assert_true(mem_slot(&s, 1, 50) == DR_SLOT_ZERO);
	assert_true(mem_slot(&s, 1, 60) == b);
	assert_true(mem_state(&s, 1, 61, 5000).len == 1000 - 61);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void a_stack_of_300_versions_in_one_table(void **state)
{
	u64 slot[301];
	u32 i;

	mem_store_init(&s, 1, 1000, 40000);
	for (i = 1; i <= 300; i++) {
		slot[i] = mem_write(&s, 5, 1);
		assert_int_equal(dr_store_prepare(&s.st), 0);
		assert_int_equal(dr_store_seal(&s.st, "", 0, 1), i);
		dr_store_drained(&s.st);
		mem_flush(&s);
	}
	assert_int_equal(s.st.active->used, 300);
	mem_write(&s, 6, 1);
	mem_merge(&s);
	assert_true(s.st.map.nr == 301);
	for (i = 1; i <= 300; i++)
		assert_true(mem_slot(&s, i, 5) == slot[i]);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void discarding_a_whole_large_device(void **state)
{
	u64 blocks = 1ULL << 24;	/* 64 GiB */

	mem_store_init(&s, 1, blocks, 40000);
	mem_write(&s, 5, 10);
	mem_checkpoint(&s, "");
	mem_zero(&s, 0, blocks);
	mem_flush(&s);
	mem_merge(&s);
	assert_true(mem_slot(&s, 2, 5) == DR_SLOT_ZERO);
	assert_true(mem_slot(&s, 2, blocks - 1) == DR_SLOT_ZERO);
	assert_true(dr_slot_is_data(mem_slot(&s, 1, 5)));
	assert_true(s.st.index.nr == 2);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 2, blocks - 1) == DR_SLOT_ZERO);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* Every block once, in an order that gives neighbours distant slots */
static void scatter(u64 blocks)
{
	u64 i;

	for (i = 0; i < blocks; i++)
		mem_write(&s, i * 7919 % blocks, 1);
	mem_merge(&s);
}

static void discarding_what_was_scattered_in_the_same_epoch(void **state)
{
	u64 blocks = 80000, free;

	mem_store_init(&s, 1, blocks, 120000);
	free = s.st.space.free;
	scatter(blocks);
	mem_zero(&s, 0, blocks);
	mem_merge(&s);
	assert_true(mem_slot(&s, 1, 4711) == DR_SLOT_ZERO);
	assert_true(free - s.st.space.free < 800);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void a_crash_between_two_parts_of_a_merge(void **state)
{
	u32 i, parts = 0;
	u64 want[4000];
	int r;

	mem_store_init(&s, 1, 100000, 60000);
	for (i = 0; i < 4000; i++)
		mem_write(&s, i * 13 % 4000, 1);
	mem_merge(&s);
	/* Overwritten once more, in steps of a small log */
	for (i = 0; i < 3500; i++)
		mem_write(&s, i * 17 % 4000, 1);
	for (i = 0; i < 4000; i++)
		want[i] = mem_slot(&s, 1, i);
	mem_flush(&s);
	s.st.txn.max_log = 2000;
	assert_true(dr_store_freeze(&s.st));
	do {
		r = dr_merge_step(&s.st);
		assert_true(r >= 0);
		dr_store_release(&s.st, !r);
		parts++;
	} while (r && parts < 3);
	assert_int_equal(parts, 3);
	for (i = 0; i < 4000; i++)
		assert_true(mem_slot(&s, 1, i) == want[i]);
	mem_store_restart(&s);
	for (i = 0; i < 4000; i++)
		assert_true(mem_slot(&s, 1, i) == want[i]);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void a_merge_that_failed_is_undone(void **state)
{
	u64 free, nodes;
	u32 i;
	int r;

	mem_store_init(&s, 1, 100000, 60000);
	for (i = 0; i < 3000; i++)
		mem_write(&s, i * 13 % 4000, 1);
	mem_flush(&s);
	assert_true(dr_store_freeze(&s.st));
	free = s.st.space.free;
	nodes = s.st.space.nodes;
	for (i = 1; i < 40; i += 3) {
		s.m.fail_alloc = i > 20 ? 1 : 0;
		s.m.fail_write = i > 20 ? 0 : i;
		r = dr_merge_step(&s.st);
		if (!r)
			break;
		assert_true(s.st.space.free == free);
		assert_true(s.st.space.nodes == nodes);
		assert_int_equal(s.st.space.pending, 0);
	}
	assert_true(i > 10);
	mem_store_exit(&s);
}

static bool always(void *ctx)
{
	return true;
}

static int short_step(void)
{
	int r;

	s.st.env.waited_for = always;
	r = dr_merge_step(&s.st);
	s.st.env.waited_for = NULL;
	assert_true(r >= 0);
	dr_store_release(&s.st, !r);
	return r;
}

#define BLOCKS	3000u

/* Scattered blocks of a head, frozen and recorded; @want: where they are */
static void begin_scattered(u64 *want)
{
	u32 i;

	mem_store_init(&s, 1, 100000, 60000);
	for (i = 0; i < BLOCKS; i++)
		mem_write(&s, i * 13 % BLOCKS * 2, 1);
	for (i = 0; i < BLOCKS; i++)
		want[i] = mem_slot(&s, s.st.head, 2 * i);
	mem_flush(&s);
	assert_true(dr_store_freeze(&s.st));
}

static void compare_scattered(const u64 *want, u32 epoch)
{
	u32 i;

	for (i = 0; i < BLOCKS; i++)
		assert_true(mem_slot(&s, epoch, 2 * i) == want[i]);
}

/* It does some work all the same: who waits again and again does not stop it. */
static void a_step_ends_for_who_waits(void **state)
{
	static u64 want[BLOCKS];
	u32 steps = 0;
	u64 before;
	int r;

	begin_scattered(want);
	do {
		before = s.st.map.nr;
		r = short_step();
		steps++;
		assert_in_range(s.st.map.nr - before, r ? DR_TXN_PIECES : 0,
				DR_TXN_PIECES + DR_TXN_EACH);
	} while (r);
	assert_in_range(steps, BLOCKS / (DR_TXN_PIECES + DR_TXN_EACH),
			BLOCKS / DR_TXN_PIECES + 1);
	assert_true(s.st.map.nr == BLOCKS);
	compare_scattered(want, 1);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* What a suspend leaves: a part of the table is in the trees, and it is frozen. */
static void a_rollback_between_two_parts_of_a_merge(void **state)
{
	static u64 want[BLOCKS];
	u32 crash, head;

	for (crash = 0; crash < 2; crash++) {
		begin_scattered(want);
		assert_int_equal(short_step(), 1);
		head = mem_rollback(&s, 0);
		assert_int_equal(head, 2);
		assert_non_null(s.st.frozen);
		if (crash)
			mem_store_restart(&s);
		compare_scattered(want, 1);
		assert_true(mem_slot(&s, 2, 4) == DR_SLOT_ORIGIN);
		mem_write(&s, 4, 1);
		mem_merge(&s);
		mem_merge(&s);
		assert_null(s.st.frozen);
		compare_scattered(want, 1);
		assert_true(dr_slot_is_data(mem_slot(&s, 2, 4)));
		mem_store_restart(&s);
		compare_scattered(want, 1);
		assert_int_equal(mem_store_errors(&s), 0);
		mem_store_exit(&s);
	}
}

/* Each version of each block takes entries of the transaction's log. */
static void many_versions_of_scattered_blocks(void **state)
{
	static u32 perm[4032];
	u64 seed = 99;
	u32 i, j, t;
	int r;

	memset(&s, 0, sizeof(s));
	mem_env_init(&s.m, 600000);
	s.entries = 128000;
	assert_int_equal(mem_store_format(&s, 1, 10000, 600000), 0);
	assert_int_equal(mem_store_start(&s), 0);
	for (i = 0; i < ARRAY_SIZE(perm); i++)
		perm[i] = i;
	for (i = ARRAY_SIZE(perm) - 1; i; i--) {
		j = mem_random(&seed) % (i + 1);
		t = perm[i];
		perm[i] = perm[j];
		perm[j] = t;
	}
	for (i = 0; i < ARRAY_SIZE(perm); i++)
		mem_write(&s, perm[i], 1);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	for (i = 0; i < 18; i++) {
		mem_write(&s, 0, ARRAY_SIZE(perm));
		mem_checkpoint(&s, "");
	}
	mem_flush(&s);
	assert_true(s.st.active->used > DR_TXN_LOG);
	assert_true(dr_store_freeze(&s.st));
	do {
		r = dr_merge_step(&s.st);
		assert_true(r >= 0);
		dr_store_release(&s.st, !r);
	} while (r);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* The journal goes back to what a partial merge has left behind already. */
static void a_slot_named_again_by_the_journal_stays_taken(void **state)
{
	u64 slot;
	u32 i;

	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 10000, 30000);
	mem_write(&s, 5, 1);
	for (i = 0; i < 63; i++)
		mem_write(&s, 400 - 2 * i, 1);
	mem_zero(&s, 5, 1);
	slot = mem_write(&s, 5, 1);
	mem_flush(&s);
	s.st.txn.max_log = 64;
	assert_true(dr_store_freeze(&s.st));
	assert_int_equal(dr_merge_step(&s.st), 1);
	s.entries = 64;
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 5) == slot);
	assert_true(dr_space_is_busy(&s.st.space, slot));
	assert_true(dr_space_is_disk(&s.st.space, slot));
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_merge_changes_nothing_that_can_be_seen),
		TEST(overtaken_slots_become_free),
		TEST(of_a_write_and_a_discard_the_later_stays),
		TEST(a_stack_of_300_versions_in_one_table),
		TEST(discarding_a_whole_large_device),
		TEST(discarding_what_was_scattered_in_the_same_epoch),
		TEST(a_crash_between_two_parts_of_a_merge),
		TEST(a_step_ends_for_who_waits),
		TEST(a_rollback_between_two_parts_of_a_merge),
		TEST(a_merge_that_failed_is_undone),
		TEST(many_versions_of_scattered_blocks),
		TEST(a_slot_named_again_by_the_journal_stays_taken),
	};

	return mem_tests("merge", tests);
}
