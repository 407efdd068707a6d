// SPDX-License-Identifier: GPL-2.0
/*
 * store-activate-test.c - what an activation has to do with a journal.
 */
#include "mem-env.h"

static struct mem_store s;

/* Blocks of the journal that are to be replayed, after a crash */
static u64 crash(void)
{
	u64 blocks;

	mem_flush(&s);
	blocks = dr_journal_used(&s.st.journal);
	mem_store_stop(&s);
	assert_int_equal(mem_store_open(&s), 0);
	s.m.reads = 0;
	return blocks;
}

static void a_journal_that_fits_a_table_is_read_once(void **state)
{
	u64 blocks, want[3000];
	u32 i;

	mem_store_init(&s, 1, 100000, 40000);
	for (i = 0; i < 3000; i++)
		want[i] = mem_write(&s, i * 7 % 3000 * 2, 1);
	blocks = crash();
	assert_in_range(blocks, 10, 20);
	assert_int_equal(dr_store_activate(&s.st), 0);
	/* And the block after its end. No node was there to be read. */
	assert_in_range(s.m.reads, blocks, blocks + 1);
	for (i = 0; i < 3000; i++)
		assert_true(mem_slot(&s, 1, i * 7 % 3000 * 2) == want[i]);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* A version in a slot where nodes lie otherwise */
static u64 write_high(u64 block)
{
	u64 slot = dr_space_take_node(&s.st.space);

	assert_true(slot);
	s.st.active->reserved++;
	dr_store_publish(&s.st, block, 1, slot, s.st.head, 0);
	return slot;
}

/*
 * It is merged on the way, and no node may come to lie in a slot that is named
 * later in the journal (S3).
 */
static void a_longer_one_is_marked_before_anything_is_taken(void **state)
{
	u64 blocks, want[3000];
	u32 i;

	mem_store_init(&s, 1, 100000, 40000);
	for (i = 0; i < 3000; i++)
		want[i] = i < 1500 ? mem_write(&s, i * 7 % 3000 * 2, 1) :
				     write_high(i * 7 % 3000 * 2);
	s.entries = 300;
	blocks = crash();
	assert_int_equal(dr_store_activate(&s.st), 0);
	/* What comes after the first merge was read ahead, all of it once. */
	assert_in_range(s.m.reads, 2 * blocks - 2, 2 * blocks + 2);
	for (i = 0; i < 3000; i++)
		assert_true(mem_slot(&s, 1, i * 7 % 3000 * 2) == want[i]);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_journal_that_fits_a_table_is_read_once),
		TEST(a_longer_one_is_marked_before_anything_is_taken),
	};

	return mem_tests("store-activate", tests);
}
