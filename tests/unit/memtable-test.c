// SPDX-License-Identifier: GPL-2.0
/*
 * memtable-test.c - versions that are not in the tree yet.
 */
#include "mem-env.h"

static struct mem_env m;
static struct dr_memtable t;

/* One interval from 1 up */
static struct {
	struct dr_lineage l;
	struct dr_interval iv[3];
} straight = { { 1 }, { { 1, ~0u } } },
branch = { { 2 }, { { 8, ~0u }, { 1, 3 } } };	/* 4..7 were abandoned */

static void begin(u32 max)
{
	mem_env_init(&m, 1);
	assert_int_equal(dr_mem_init(&t, &m.env, max), 0);
}

static void end(void)
{
	dr_mem_exit(&t, &m.env);
	mem_env_exit(&m);
}

static u64 find(const struct dr_lineage *l, u32 epoch, u64 block)
{
	struct dr_mem_hit hit;

	return dr_mem_find(&t, l, epoch, block, &hit) ? hit.slot : 0;
}

static void the_newest_entry_counts(void **state)
{
	struct dr_mem_hit hit;

	begin(100);
	assert_int_equal(find(&straight.l, 9, 5), 0);
	dr_mem_add(&t, 5, 1, 100, 0);
	dr_mem_add(&t, 6, 1, 200, 0);
	dr_mem_add(&t, 5, 1, 300, DR_MAP_MERGED);
	assert_true(dr_mem_find(&t, &straight.l, 1, 5, &hit));
	assert_true(hit.slot == 300 && hit.epoch == 1 && hit.at == 2);
	assert_int_equal(hit.flags, DR_MAP_MERGED);
	assert_int_equal(find(&straight.l, 1, 6), 200);
	end();
}

static void an_older_epoch_sees_older_versions(void **state)
{
	u32 e;

	begin(100);
	for (e = 1; e <= 9; e++)
		dr_mem_add(&t, 5, e, 100 + e, 0);
	for (e = 1; e <= 9; e++)
		assert_int_equal(find(&straight.l, e, 5), 100 + e);
	assert_int_equal(find(&straight.l, 0, 5), 0);
	end();
}

static void abandoned_branches_are_not_seen(void **state)
{
	begin(1000);
	dr_mem_add(&t, 5, 3, 103, 0);
	dr_mem_add(&t, 5, 5, 105, 0);
	dr_mem_add(&t, 6, 7, 107, 0);
	assert_true(dr_mem_add_zero(&t, 0, 100, 6));
	assert_int_equal(find(&branch.l, 9, 5), 103);
	assert_int_equal(find(&branch.l, 9, 6), 0);
	dr_mem_add(&t, 6, 8, 108, 0);
	assert_int_equal(find(&branch.l, 9, 6), 108);
	end();
}

static void a_range_and_an_entry_count_by_age(void **state)
{
	struct dr_mem_hit hit;

	begin(100);
	dr_mem_add(&t, 50, 1, 500, 0);
	assert_true(dr_mem_add_zero(&t, 40, 32, 1));
	assert_int_equal(t.nr_ranges, 1);
	assert_int_equal(t.used, 2);
	assert_true(find(&straight.l, 1, 50) == DR_SLOT_ZERO);
	assert_true(find(&straight.l, 1, 40) == DR_SLOT_ZERO);
	assert_true(find(&straight.l, 1, 71) == DR_SLOT_ZERO);
	assert_int_equal(find(&straight.l, 1, 72), 0);
	assert_int_equal(find(&straight.l, 1, 39), 0);
	dr_mem_add(&t, 50, 1, 501, 0);
	assert_int_equal(find(&straight.l, 1, 50), 501);
	assert_true(dr_mem_find(&t, &straight.l, 1, 51, &hit));
	assert_true(hit.at == 1 && hit.epoch == 1);
	/* The newest of overlapping ranges */
	assert_true(dr_mem_add_zero(&t, 0, 1000, 2));
	assert_true(dr_mem_find(&t, &straight.l, 2, 51, &hit));
	assert_int_equal(hit.epoch, 2);
	assert_true(dr_mem_find(&t, &straight.l, 1, 51, &hit));
	assert_int_equal(hit.epoch, 1);
	end();
}

static void short_discards_are_entries_of_their_own(void **state)
{
	begin(100);
	assert_int_equal(dr_mem_zero_cost(31), 31);
	assert_int_equal(dr_mem_zero_cost(32), 1);
	assert_int_equal(dr_mem_zero_cost(1ULL << 40), 1);
	assert_true(dr_mem_add_zero(&t, 7, 31, 1));
	assert_int_equal(t.used, 31);
	assert_int_equal(t.nr_ranges, 0);
	assert_true(find(&straight.l, 1, 37) == DR_SLOT_ZERO);
	assert_int_equal(find(&straight.l, 1, 38), 0);
	end();
}

static void the_list_of_ranges_is_bounded(void **state)
{
	u32 i;

	begin(1000);
	for (i = 0; i < DR_MEM_RANGES; i++)
		assert_true(dr_mem_add_zero(&t, 1000 * i, 100, 1));
	assert_false(dr_mem_add_zero(&t, 0, 100, 1));
	assert_int_equal(t.used, DR_MEM_RANGES);
	assert_true(dr_mem_add_zero(&t, 0, 3, 1));
	end();
}

static void the_whole_device_in_one_range(void **state)
{
	begin(10);
	assert_true(dr_mem_add_zero(&t, 0, 1ULL << 40, 1));
	assert_true(find(&straight.l, 1, (1ULL << 40) - 1) == DR_SLOT_ZERO);
	assert_true(find(&straight.l, 1, 0) == DR_SLOT_ZERO);
	assert_int_equal(find(&straight.l, 1, 1ULL << 40), 0);
	end();
}

static void promises_count_as_used(void **state)
{
	begin(10);
	assert_true(dr_mem_room(&t, 10));
	t.reserved = 4;
	assert_true(dr_mem_room(&t, 6));
	assert_false(dr_mem_room(&t, 7));
	dr_mem_add(&t, 1, 1, 1, 0);
	assert_false(dr_mem_room(&t, 6));
	assert_false(dr_mem_room(&t, ~0u));
	end();
}

static void a_full_table_finds_everything(void **state)
{
	u64 seed = 9;
	u32 i, n = 5000;
	u64 *block = calloc(n, sizeof(*block));

	begin(n);
	for (i = 0; i < n; i++) {
		block[i] = mem_random(&seed) >> 24;
		dr_mem_add(&t, block[i], 1, 1 + i, 0);
	}
	assert_false(dr_mem_room(&t, 1));
	for (i = 0; i < n; i++)
		assert_int_equal(find(&straight.l, 1, block[i]), 1 + i);
	free(block);
	end();
}

static u64 run(u64 block, u64 max, u32 slot_blocks)
{
	struct dr_mem_hit hit;

	assert_true(dr_mem_find(&t, &straight.l, 9, block, &hit));
	return dr_mem_run(&t, hit.at, max, slot_blocks);
}

static void what_was_published_together_is_one_run(void **state)
{
	u32 i;

	begin(300);
	for (i = 0; i < 100; i++)
		dr_mem_add(&t, 50 + i, 1, 1600 + 16 * i, 0);
	assert_int_equal(run(50, 1000, 16), 100);
	assert_int_equal(run(60, 1000, 16), 90);
	assert_int_equal(run(60, 7, 16), 7);
	/* Another slot, another epoch, flags; and a newer one in the middle */
	dr_mem_add(&t, 150, 1, 9000, 0);
	dr_mem_add(&t, 151, 2, 9016, 0);
	dr_mem_add(&t, 152, 2, 9032, DR_MAP_MERGED);
	assert_int_equal(run(149, 1000, 16), 1);
	assert_int_equal(run(150, 1000, 16), 1);
	assert_int_equal(run(151, 1000, 16), 1);
	assert_int_equal(run(152, 1000, 16), 1);
	dr_mem_add(&t, 80, 2, 8000, 0);
	assert_int_equal(run(60, 1000, 16), 20);
	assert_int_equal(run(81, 1000, 16), 69);
	/* What has no slot does not advance. */
	assert_true(dr_mem_add_zero(&t, 400, 10, 2));
	assert_int_equal(run(400, 1000, 16), 10);
	/* A range that is newer may hide any of them, one that is older none. */
	assert_true(dr_mem_add_zero(&t, 70, 100, 3));
	assert_int_equal(run(60, 1000, 16), 1);
	for (i = 0; i < 10; i++)
		dr_mem_add(&t, 60 + i, 3, 5000 + 16 * i, 0);
	assert_int_equal(run(60, 1000, 16), 10);
	end();
}

static void absence_is_never_claimed_wrongly(void **state)
{
	u64 seed = 5, b, n;
	u32 i;

	begin(300);
	assert_true(dr_mem_absent(&t, 77, 1ULL << 40) == 1ULL << 40);
	for (i = 0; i < 300; i++)
		dr_mem_add(&t, mem_random(&seed) % 1000000, 1, 1 + i, 0);
	for (b = 0; b < 1000000; b += n + 1) {
		u64 k;

		n = dr_mem_absent(&t, b, 5000);
		assert_true(n <= 5000);
		for (k = 0; k < n; k++)
			assert_int_equal(find(&straight.l, 1, b + k), 0);
	}
	dr_mem_reset(&t);
	assert_true(dr_mem_absent(&t, 0, 1000) == 1000);
	assert_true(dr_mem_add_zero(&t, 500, 100, 1));
	assert_int_equal(dr_mem_absent(&t, 0, 1000), 0);
	end();
}

static void sorting_is_by_block_epoch_and_age(void **state)
{
	u32 i, n, max = 3000;
	u64 seed = 3;

	begin(max);
	for (i = 0; i < max; i++) {
		if (i % 100 == 7)
			assert_true(dr_mem_add_zero(&t, i, 50, 1));
		else
			dr_mem_add(&t, mem_random(&seed) % 200 << i % 3 * 13,
				   1 + (mem_random(&seed) % 5 << i % 2 * 9),
				   1 + i, 0);
	}
	n = dr_mem_sort(&t);
	assert_int_equal(n, max - max / 100);
	for (i = 1; i < n; i++) {
		const struct dr_mem_entry *a = t.e + t.order[i - 1];
		const struct dr_mem_entry *b = t.e + t.order[i];

		assert_true(a->next != DR_MEM_IS_RANGE);
		assert_true(a->block < b->block ||
			    (a->block == b->block && a->epoch < b->epoch) ||
			    (a->block == b->block && a->epoch == b->epoch &&
			     t.order[i - 1] < t.order[i]));
	}
	end();
}

static void sorting_small_tables(void **state)
{
	u32 n, i;

	begin(40);
	assert_int_equal(dr_mem_sort(&t), 0);
	for (n = 1; n < 40; n++) {
		dr_mem_add(&t, 100 - n, 1, n, 0);
		assert_int_equal(dr_mem_sort(&t), n);
		for (i = 0; i < n; i++)
			assert_int_equal(t.order[i], n - 1 - i);
	}
	end();
}

static void a_reset_table_is_empty(void **state)
{
	begin(100);
	dr_mem_add(&t, 5, 1, 100, 0);
	dr_mem_add_zero(&t, 0, 100, 1);
	t.recorded = 2;
	t.reserved = 3;
	dr_mem_reset(&t);
	assert_int_equal(find(&straight.l, 1, 5), 0);
	assert_true(dr_mem_room(&t, 100));
	assert_int_equal(t.recorded, 0);
	end();
}

static void its_size_is_told_and_memory_may_lack(void **state)
{
	u32 i;

	begin(64);
	assert_true(dr_mem_bytes(64) >= 64 * sizeof(struct dr_mem_entry));
	assert_true(dr_mem_bytes(1 << 20) < 40u << 20);
	dr_mem_exit(&t, &m.env);
	for (i = 1; i <= 5; i++) {
		m.fail_alloc = i;
		assert_int_equal(dr_mem_init(&t, &m.env, 64), -ENOMEM);
		assert_null(t.e);
	}
	m.fail_alloc = 0;
	assert_int_equal(dr_mem_init(&t, &m.env, 64), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_newest_entry_counts),
		TEST(an_older_epoch_sees_older_versions),
		TEST(abandoned_branches_are_not_seen),
		TEST(a_range_and_an_entry_count_by_age),
		TEST(short_discards_are_entries_of_their_own),
		TEST(the_list_of_ranges_is_bounded),
		TEST(the_whole_device_in_one_range),
		TEST(promises_count_as_used),
		TEST(a_full_table_finds_everything),
		TEST(what_was_published_together_is_one_run),
		TEST(absence_is_never_claimed_wrongly),
		TEST(sorting_is_by_block_epoch_and_age),
		TEST(sorting_small_tables),
		TEST(a_reset_table_is_empty),
		TEST(its_size_is_told_and_memory_may_lack),
	};

	return mem_tests("memtable", tests);
}
