// SPDX-License-Identifier: GPL-2.0
/*
 * txn-test.c - what a transaction takes, names and gives up; undoing it.
 */
#include "mem-env.h"

struct picture {
	struct dr_disk_bitmap disk;
	u64 busy[DR_REGION_BLOCKS / 64];
	u64 free, pending, nodes;
};

static void look(const struct mem_txn *x, struct picture *p)
{
	memcpy(&p->disk, x->sp.disk, sizeof(p->disk));
	memcpy(p->busy, x->sp.busy, sizeof(p->busy));
	p->free = x->sp.free;
	p->pending = x->sp.pending;
	p->nodes = x->sp.nodes;
}

/* A slot that a memtable names, and one that a tree names as well */
static void busy(struct mem_txn *x, u64 block, u64 nr)
{
	dr_space_set_busy(&x->sp, block, nr);
}

static void in_use(struct mem_txn *x, u64 block, u64 nr)
{
	busy(x, block, nr);
	dr_space_set_disk(&x->sp, block, nr);
}

static void a_node_taken_is_in_both_bitmaps(void **state)
{
	struct mem_txn x;
	u64 b;

	mem_txn_init(&x, 4096, 1);
	dr_txn_begin(&x.txn, 1);
	b = dr_txn_take_node(&x.txn);
	assert_true(dr_space_is_busy(&x.sp, b) && dr_space_is_disk(&x.sp, b));
	assert_int_equal(x.sp.nodes, 1);
	mem_txn_exit(&x);
}

static void what_is_given_up_stays_busy_until_release(void **state)
{
	struct mem_txn x;
	u64 free;

	mem_txn_init(&x, 4096, 1);
	in_use(&x, 500, 10);
	free = x.sp.free;
	dr_txn_begin(&x.txn, 1);
	assert_int_equal(dr_txn_give(&x.txn, 502, 4), 0);
	assert_false(dr_space_is_disk(&x.sp, 502));
	assert_true(dr_space_is_disk(&x.sp, 501));
	assert_true(dr_space_is_busy(&x.sp, 502));
	assert_true(x.sp.free == free && x.sp.pending == 4);
	dr_txn_release(&x.txn, false);
	assert_false(dr_space_is_busy(&x.sp, 502));
	assert_true(dr_space_is_busy(&x.sp, 506));
	assert_true(x.sp.free == free + 4 && x.sp.pending == 0);
	mem_txn_exit(&x);
}

static void what_only_the_journal_names_waits_for_a_final_release(void **state)
{
	struct mem_txn x;

	mem_txn_init(&x, 4096, 1);
	busy(&x, 700, 2);
	dr_txn_begin(&x.txn, 1);
	assert_int_equal(dr_txn_give(&x.txn, 700, 2), 0);
	dr_txn_release(&x.txn, false);
	assert_true(dr_space_is_busy(&x.sp, 700));
	assert_int_equal(x.sp.pending, 2);
	/* It survives a transaction that is undone. */
	dr_txn_begin(&x.txn, 2);
	dr_txn_take_node(&x.txn);
	dr_txn_abort(&x.txn);
	assert_true(dr_space_is_busy(&x.sp, 700));
	dr_txn_begin(&x.txn, 2);
	dr_txn_release(&x.txn, true);
	assert_false(dr_space_is_busy(&x.sp, 700));
	assert_int_equal(x.sp.pending, 0);
	mem_txn_exit(&x);
}

static void naming_sets_the_disk_bitmap_and_twice_is_an_error(void **state)
{
	struct mem_txn x;

	mem_txn_init(&x, 4096, 16);
	busy(&x, 1024, 32);
	dr_txn_begin(&x.txn, 1);
	assert_int_equal(dr_txn_name(&x.txn, 1024, 16), 0);
	assert_true(dr_space_is_disk(&x.sp, 1039));
	assert_false(dr_space_is_disk(&x.sp, 1040));
	assert_int_equal(dr_txn_name(&x.txn, 1024, 16), -EUCLEAN);
	mem_txn_exit(&x);
}

static void undoing_puts_everything_back(void **state)
{
	static struct picture before, after;
	u64 node[50], seed = 1;
	struct mem_txn x;
	u32 i;

	mem_txn_init(&x, 4096, 1);
	in_use(&x, 500, 400);
	busy(&x, 1000, 400);
	in_use(&x, 3000, 1);
	x.sp.nodes = 1;
	look(&x, &before);
	dr_txn_begin(&x.txn, 7);
	for (i = 0; i < 50; i++) {
		node[i] = dr_txn_take_node(&x.txn);
		assert_int_equal(dr_txn_name(&x.txn, 1000 + 4 * i, 2), 0);
		assert_int_equal(dr_txn_give(&x.txn, 500 + 3 * i, 1 + i % 3),
				 0);
		if (i % 5 == 0)
			assert_int_equal(dr_txn_give(&x.txn, 1000 + 4 * i, 2),
					 0);
		if (mem_random(&seed) % 2)
			assert_int_equal(dr_txn_give_node(&x.txn, node[i], 7),
					 0);
		if (i == 25)
			dr_txn_settle(&x.txn);
	}
	assert_int_equal(dr_txn_give(&x.txn, 1398, 2), 0);
	assert_int_equal(dr_txn_give_node(&x.txn, 3000, 3), 0);
	dr_txn_abort(&x.txn);
	look(&x, &after);
	assert_memory_equal(before.busy, after.busy, sizeof(before.busy));
	assert_memory_equal(before.disk.bits, after.disk.bits,
			    sizeof(before.disk.bits));
	assert_true(before.free == after.free);
	assert_true(before.pending == after.pending);
	assert_true(before.nodes == after.nodes);
	mem_txn_exit(&x);
}

static void own_nodes_are_taken_again_only_after_settling(void **state)
{
	struct mem_txn x;
	u64 a, b;

	mem_txn_init(&x, 4096, 1);
	dr_txn_begin(&x.txn, 1);
	a = dr_txn_take_node(&x.txn);
	assert_int_equal(dr_txn_give_node(&x.txn, a, 1), 0);
	b = dr_txn_take_node(&x.txn);
	assert_true(b != a);
	dr_txn_settle(&x.txn);
	assert_true(dr_txn_take_node(&x.txn) == a);
	assert_true(dr_space_is_disk(&x.sp, a));
	assert_true(dr_txn_take_node(&x.txn) != a);
	assert_int_equal(x.sp.nodes, 3);
	dr_txn_release(&x.txn, true);
	assert_true(dr_space_is_busy(&x.sp, a));
	mem_txn_exit(&x);
}

static void own_nodes_given_up_are_free_after_release(void **state)
{
	struct mem_txn x;
	u64 a, free;
	u32 i;

	mem_txn_init(&x, DR_REGION_BLOCKS, 1);
	free = x.sp.free;
	dr_txn_begin(&x.txn, 1);
	/* More than the list of such nodes holds */
	for (i = 0; i < DR_TXN_FRESH + 10; i++) {
		a = dr_txn_take_node(&x.txn);
		assert_true(a);
		assert_int_equal(dr_txn_give_node(&x.txn, a, 1), 0);
	}
	assert_int_equal(x.sp.nodes, 0);
	dr_txn_release(&x.txn, true);
	assert_true(x.sp.free == free);
	assert_int_equal(x.sp.pending, 0);
	mem_txn_exit(&x);
}

static void nodes_of_older_generations_wait_for_release(void **state)
{
	struct mem_txn x;
	u64 a;

	mem_txn_init(&x, 4096, 1);
	dr_txn_begin(&x.txn, 1);
	a = dr_txn_take_node(&x.txn);
	dr_txn_release(&x.txn, true);
	dr_txn_begin(&x.txn, 2);
	assert_int_equal(dr_txn_give_node(&x.txn, a, 1), 0);
	dr_txn_settle(&x.txn);
	assert_true(dr_txn_take_node(&x.txn) != a);
	assert_true(dr_space_is_busy(&x.sp, a));
	dr_txn_release(&x.txn, true);
	assert_false(dr_space_is_busy(&x.sp, a));
	mem_txn_exit(&x);
}

static void neighbours_share_an_entry_of_the_log(void **state)
{
	struct mem_txn x;
	u32 i;

	mem_txn_init(&x, 4096, 1);
	in_use(&x, 500, 100);
	dr_txn_begin(&x.txn, 1);
	for (i = 0; i < 100; i++)
		assert_int_equal(dr_txn_give(&x.txn, 500 + i, 1), 0);
	assert_int_equal(x.txn.nr_log, 1);
	mem_txn_exit(&x);
}

static void a_full_log_refuses_and_can_be_undone(void **state)
{
	static struct picture before, after;
	struct mem_txn x;
	u32 i;

	mem_txn_init(&x, 4096, 1);
	in_use(&x, 500, 2000);
	look(&x, &before);
	x.txn.max_log = 100;
	dr_txn_begin(&x.txn, 1);
	for (i = 0; i < 100; i++)
		assert_int_equal(dr_txn_give(&x.txn, 500 + 2 * i, 1), 0);
	assert_false(dr_txn_roomy(&x.txn));
	assert_int_equal(dr_txn_give(&x.txn, 1000, 1), -ENOSPC);
	assert_true(dr_txn_take_node(&x.txn) == 0);
	assert_true(dr_space_is_disk(&x.sp, 1000));
	dr_txn_abort(&x.txn);
	look(&x, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	mem_txn_exit(&x);
}

static void a_full_device_has_no_node(void **state)
{
	struct mem_txn x;

	mem_txn_init(&x, 2048, 1);
	dr_txn_begin(&x.txn, 1);
	while (dr_txn_take_node(&x.txn))
		;
	assert_true(x.sp.free == 0);
	dr_txn_abort(&x.txn);
	assert_true(x.sp.free == 2048 - 72);
	assert_int_equal(x.sp.nodes, 0);
	mem_txn_exit(&x);
}

static void blocks_outside_the_device_and_fixed_ones_are_refused(void **state)
{
	static const u64 blocks[] = { 0, 3, 8, 71, 4096, 1ULL << 39, ~0ULL };
	struct mem_txn x;
	u32 i;

	mem_txn_init(&x, 4096, 1);
	dr_txn_begin(&x.txn, 1);
	for (i = 0; i < 7; i++) {
		assert_int_equal(dr_txn_give(&x.txn, blocks[i], 1), -EUCLEAN);
		assert_int_equal(dr_txn_name(&x.txn, blocks[i], 1), -EUCLEAN);
		assert_int_equal(dr_txn_give_node(&x.txn, blocks[i], 1),
				 -EUCLEAN);
		assert_int_equal(dr_txn_give_node(&x.txn, blocks[i], 0),
				 -EUCLEAN);
	}
	assert_int_equal(dr_txn_give(&x.txn, 4095, 2), -EUCLEAN);
	assert_int_equal(dr_txn_give(&x.txn, 100, ~0u), -EUCLEAN);
	dr_txn_abort(&x.txn);
	mem_txn_exit(&x);
}

static void without_memory_there_is_none(void **state)
{
	struct mem_txn x;
	u32 i;

	mem_txn_init(&x, 4096, 1);
	dr_txn_exit(&x.txn);
	for (i = 1; i <= 3 + DR_MAX_LEVEL + DR_MAX_LEVEL + 1; i++) {
		x.m.fail_alloc = i;
		assert_int_equal(dr_txn_init(&x.txn, &x.m.env, &x.sp, x.uuid),
				 -ENOMEM);
	}
	x.m.fail_alloc = 0;
	assert_int_equal(dr_txn_init(&x.txn, &x.m.env, &x.sp, x.uuid), 0);
	mem_txn_exit(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_node_taken_is_in_both_bitmaps),
		TEST(what_is_given_up_stays_busy_until_release),
		TEST(what_only_the_journal_names_waits_for_a_final_release),
		TEST(naming_sets_the_disk_bitmap_and_twice_is_an_error),
		TEST(undoing_puts_everything_back),
		TEST(own_nodes_are_taken_again_only_after_settling),
		TEST(own_nodes_given_up_are_free_after_release),
		TEST(nodes_of_older_generations_wait_for_release),
		TEST(neighbours_share_an_entry_of_the_log),
		TEST(a_full_log_refuses_and_can_be_undone),
		TEST(a_full_device_has_no_node),
		TEST(blocks_outside_the_device_and_fixed_ones_are_refused),
		TEST(without_memory_there_is_none),
	};

	return mem_tests("txn", tests);
}
