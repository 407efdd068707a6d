// SPDX-License-Identifier: GPL-2.0
/*
 * space-test.c - bitmaps, the allocator, growing, pages on disk.
 */
#include "mem-env.h"

#define REGION	((u64)DR_REGION_BLOCKS)

static const u8 uuid[DR_UUID_LEN] = "space";

struct fix {
	struct mem_env m;
	struct dr_disk_ref super[DR_SUPER_INDEX];
	struct dr_space sp;
};

static void fix_init(struct fix *f, u64 nr, u32 slot_blocks)
{
	memset(f, 0, sizeof(*f));
	mem_env_init(&f->m, nr);
	assert_int_equal(dr_space_init(&f->sp, &f->m.env, nr, slot_blocks,
				       DR_JOURNAL_MIN, f->super), 0);
}

static void fix_exit(struct fix *f)
{
	dr_space_exit(&f->sp, &f->m.env);
	mem_env_exit(&f->m);
}

static void commit(struct fix *f)
{
	assert_int_equal(dr_space_commit(&f->sp, &f->m.env, 1, uuid), 0);
}

/* The bitmaps anew, from what is on the disk */
static int load(struct fix *f)
{
	u64 nr = f->sp.nr_blocks;
	u32 slot_blocks = f->sp.slot_blocks;

	dr_space_exit(&f->sp, &f->m.env);
	assert_int_equal(dr_space_init(&f->sp, &f->m.env, nr, slot_blocks,
				       DR_JOURNAL_MIN, f->super), 0);
	return dr_space_load(&f->sp, &f->m.env, uuid);
}

static void usable_size_leaves_out_a_stub_of_a_region(void **state)
{
	assert_true(dr_space_usable(2048) == 2048);
	assert_true(dr_space_usable(REGION) == REGION);
	assert_true(dr_space_usable(REGION + 1) == REGION);
	assert_true(dr_space_usable(REGION + 8) == REGION);
	assert_true(dr_space_usable(REGION + 9) == REGION + 9);
	assert_true(dr_space_usable(~0ULL) == DR_MAX_BLOCKS);
	assert_true(dr_space_usable(DR_MAX_BLOCKS + 1) == DR_MAX_BLOCKS);
}

static void fixed_blocks_are_where_the_format_says(void **state)
{
	struct dr_space sp = { .journal_blocks = 100 };
	u64 b, index = REGION * DR_INDEX_PAGES;

	for (b = 0; b < 200; b++)
		assert_int_equal(dr_space_fixed(&sp, b), b < 108);
	for (b = 0; b < 20; b++) {
		assert_int_equal(dr_space_fixed(&sp, REGION + b),
				 b == 2 || b == 3);
		assert_int_equal(dr_space_fixed(&sp, index + b),
				 b >= 2 && b <= 5);
		assert_int_equal(dr_space_fixed(&sp, index + REGION + b),
				 b == 2 || b == 3);
	}
}

static void validity_of_ranges_at_every_border(void **state)
{
	struct dr_space sp = { .journal_blocks = 64,
			       .nr_blocks = 2 * REGION + 100 };

	assert_true(dr_space_valid(&sp, 72, 1));
	assert_false(dr_space_valid(&sp, 71, 1));
	assert_false(dr_space_valid(&sp, 71, 2));
	assert_false(dr_space_valid(&sp, 0, 1));
	assert_true(dr_space_valid(&sp, REGION - 1, 1));
	assert_true(dr_space_valid(&sp, REGION - 1, 3));
	assert_false(dr_space_valid(&sp, REGION - 1, 4));
	assert_false(dr_space_valid(&sp, REGION + 3, 1));
	assert_true(dr_space_valid(&sp, REGION + 4, 1));
	assert_false(dr_space_valid(&sp, 80, 2 * REGION));
	assert_true(dr_space_valid(&sp, 2 * REGION + 4, 96));
	assert_false(dr_space_valid(&sp, 2 * REGION + 4, 97));
	assert_false(dr_space_valid(&sp, 2 * REGION + 100, 1));
	assert_false(dr_space_valid(&sp, 100, 0));
	assert_false(dr_space_valid(&sp, ~0ULL, 1));
	assert_false(dr_space_valid(&sp, 100, ~0ULL));
	assert_false(dr_space_valid(&sp, ~0ULL, ~0ULL));
}

/* Takes everything that data may have, and checks each slot */
static u64 take_all(struct fix *f, u32 want)
{
	u32 n = f->sp.slot_blocks, got, i;
	u64 first, total = 0;

	while ((first = dr_space_take_data(&f->sp, want, &got))) {
		assert_in_range(got, 1, want);
		assert_true(first % n == 0);
		assert_true(dr_space_valid(&f->sp, first, (u64)got * n));
		assert_true(first / REGION ==
			    (first + (u64)got * n - 1) / REGION);
		for (i = 0; i < got * n; i++)
			assert_true(dr_space_is_busy(&f->sp, first + i));
		total += (u64)got * n;
	}
	return total;
}

static void slots_of_every_size_are_aligned_and_never_fixed(void **state)
{
	static const u32 sizes[] = { 1, 2, 16, 64, 128, 256 };
	struct fix f;
	u32 i;
	u64 free, total;

	for (i = 0; i < 6; i++) {
		fix_init(&f, 2 * REGION + 1000, sizes[i]);
		/* As a larger block size or a grown device may leave it */
		f.sp.data_cursor = 101;
		free = f.sp.free;
		total = take_all(&f, 7);
		assert_true(f.sp.free == free - total);
		/* Lost is at most what an aligned slot cannot use. */
		assert_true(f.sp.free < 8ULL * sizes[i] + 1);
		fix_exit(&f);
	}
}

static void data_leaves_the_reserve_to_nodes(void **state)
{
	struct fix f;
	u64 free, node, last = ~0ULL;
	u32 n = 0;

	fix_init(&f, 4096, 1);
	f.sp.reserve = 300;
	free = f.sp.free;
	assert_true(take_all(&f, 1000) == free - 300);
	assert_true(f.sp.free == 300);
	while ((node = dr_space_take_node(&f.sp))) {
		assert_true(dr_space_valid(&f.sp, node, 1));
		assert_true(node < last);
		last = node;
		n++;
	}
	assert_int_equal(n, 300);
	assert_true(f.sp.free == 0);
	fix_exit(&f);
}

static void data_grows_upwards_and_nodes_downwards(void **state)
{
	struct fix f;
	u32 got;

	fix_init(&f, 4096, 1);
	assert_true(dr_space_take_data(&f.sp, 10, &got) == 72);
	assert_int_equal(got, 10);
	assert_true(dr_space_take_data(&f.sp, 10, &got) == 82);
	assert_true(dr_space_take_node(&f.sp) == 4095);
	assert_true(dr_space_take_node(&f.sp) == 4094);
	fix_exit(&f);
}

static void freed_space_behind_the_cursor_is_found_again(void **state)
{
	struct fix f;
	u32 got;

	fix_init(&f, 2 * REGION, 16);
	take_all(&f, 4096);
	dr_space_clear_busy(&f.sp, 320, 16);
	assert_true(dr_space_take_data(&f.sp, 4, &got) == 320);
	assert_int_equal(got, 1);
	assert_true(dr_space_take_data(&f.sp, 1, &got) == 0);
	/* Free, but in no place where a slot fits */
	dr_space_clear_busy(&f.sp, 328, 16);
	dr_space_set_busy(&f.sp, 336, 1);
	assert_true(dr_space_take_data(&f.sp, 1, &got) == 0);
	while (dr_space_take_node(&f.sp))
		;
	assert_true(f.sp.free == 0);
	dr_space_clear_busy(&f.sp, 90, 1);
	assert_true(dr_space_take_node(&f.sp) == 90);
	fix_exit(&f);
}

static void few_slots_end_at_a_hole_and_at_the_region(void **state)
{
	struct fix f;
	u32 got;

	fix_init(&f, 2 * REGION, 1);
	dr_space_set_busy(&f.sp, 80, 1);
	assert_true(dr_space_take_data(&f.sp, 15, &got) == 72);
	assert_int_equal(got, 8);
	f.sp.data_cursor = REGION - 5;
	assert_true(dr_space_take_data(&f.sp, 15, &got) == REGION - 5);
	assert_int_equal(got, 5);
	assert_true(dr_space_take_data(&f.sp, 15, &got) == REGION);
	assert_int_equal(got, 2);	/* then the bitmap's places */
	fix_exit(&f);
}

/* S13 */
static void many_slots_pass_holes_and_find_the_longest_run(void **state)
{
	struct fix f;
	u32 got, b;

	fix_init(&f, 2 * REGION, 1);
	dr_space_set_busy(&f.sp, 80, 1);
	dr_space_set_busy(&f.sp, 200, 1);
	assert_true(dr_space_take_data(&f.sp, 100, &got) == 81);
	assert_int_equal(got, 100);
	/* Up to the region's end, which no run crosses */
	f.sp.run_cursor = REGION - 100;
	assert_true(dr_space_take_data(&f.sp, 100, &got) == REGION - 100);
	assert_int_equal(got, 100);
	/* Where none is long enough: the longest that is near */
	for (b = 72; b < 2 * REGION; b += 32)
		dr_space_set_busy(&f.sp, b, 12);
	dr_space_clear_busy(&f.sp, 3208, 12);
	f.sp.run_cursor = 2000;
	assert_true(dr_space_take_data(&f.sp, 100, &got) == 3188);
	assert_int_equal(got, 52);
	fix_exit(&f);
}

/* S13 */
static void few_slots_leave_runs_alone_where_holes_are_near(void **state)
{
	struct fix f;
	u32 got;

	fix_init(&f, 2 * REGION, 1);
	dr_space_set_busy(&f.sp, 72, 56);
	dr_space_set_busy(&f.sp, 640, 10);
	assert_true(dr_space_take_data(&f.sp, 1, &got) == 650);
	assert_int_equal(got, 1);
	assert_true(dr_space_take_data(&f.sp, 100, &got) == 128);
	/* To the end of what was begun, then where the run has ended */
	assert_true(dr_space_take_data(&f.sp, 15, &got) == 651);
	f.sp.data_cursor = 704;
	assert_true(dr_space_take_data(&f.sp, 1, &got) == 704);
	fix_exit(&f);
}

static void marking_twice_counts_once_across_a_border(void **state)
{
	struct fix f;
	u64 free;

	fix_init(&f, 3 * REGION, 1);
	free = f.sp.free;
	dr_space_set_busy(&f.sp, REGION - 10, 12);
	dr_space_set_busy(&f.sp, REGION - 10, 12);
	assert_true(f.sp.free == free - 12);
	assert_true(f.sp.nr_free[1] == REGION - 2 - 2);
	assert_false(dr_space_is_busy(&f.sp, REGION - 11));
	assert_true(dr_space_is_busy(&f.sp, REGION + 1));
	dr_space_clear_busy(&f.sp, REGION - 10, 12);
	dr_space_clear_busy(&f.sp, REGION - 10, 12);
	assert_true(f.sp.free == free);
	assert_true(dr_space_set_disk(&f.sp, REGION - 3, 5) == 5);
	assert_true(dr_space_set_disk(&f.sp, REGION - 5, 5) == 2);
	assert_true(dr_space_clear_disk(&f.sp, REGION - 10, 12) == 7);
	assert_true(dr_space_clear_disk(&f.sp, REGION - 10, 12) == 0);
	fix_exit(&f);
}

static void beyond_the_end_of_a_partial_region_nothing_is_free(void **state)
{
	struct fix f;
	u64 b, node;

	fix_init(&f, REGION + 9, 1);
	for (b = REGION + 9; b < 2 * REGION; b++)
		assert_true(dr_space_is_busy(&f.sp, b) &&
			    dr_space_is_disk(&f.sp, b));
	assert_int_equal(f.sp.nr_free[1], 7);
	node = dr_space_take_node(&f.sp);
	assert_true(node == REGION + 8);
	fix_exit(&f);
}

static void pages_come_back_as_they_were_written(void **state)
{
	struct fix f;
	u64 free;

	fix_init(&f, 2 * REGION + 500, 1);
	dr_space_set_disk(&f.sp, 1000, 77);
	dr_space_set_disk(&f.sp, REGION - 1, 3);
	dr_space_set_busy(&f.sp, 1000, 77);
	dr_space_set_busy(&f.sp, REGION - 1, 3);
	free = f.sp.free;
	commit(&f);
	dr_space_set_busy(&f.sp, 5000, 5);	/* not on disk */
	assert_int_equal(load(&f), 0);
	assert_true(f.sp.free == free);
	assert_true(dr_space_is_busy(&f.sp, 1076));
	assert_false(dr_space_is_busy(&f.sp, 1077));
	assert_false(dr_space_is_busy(&f.sp, 5000));
	assert_true(dr_space_is_disk(&f.sp, REGION + 1));
	fix_exit(&f);
}

static void a_commit_writes_changed_pages_to_the_other_places(void **state)
{
	struct dr_disk_ref before[DR_SUPER_INDEX];
	struct fix f;

	fix_init(&f, 4 * REGION, 1);
	commit(&f);
	assert_int_equal(f.m.writes, 5);
	memcpy(before, f.super, sizeof(before));
	dr_space_set_disk(&f.sp, 2 * REGION + 50, 1);
	commit(&f);
	assert_int_equal(f.m.writes, 7);
	assert_int_not_equal(before[0].place, f.super[0].place);
	/* No superblock was written: what the old one names is all there. */
	memcpy(f.super, before, sizeof(before));
	assert_int_equal(load(&f), 0);
	assert_false(dr_space_is_disk(&f.sp, 2 * REGION + 50));
	/* And the next commit does not touch that either. */
	dr_space_set_disk(&f.sp, 2 * REGION + 60, 1);
	commit(&f);
	memcpy(f.super, before, sizeof(before));
	assert_int_equal(load(&f), 0);
	fix_exit(&f);
}

static void nothing_changed_nothing_written(void **state)
{
	struct fix f;

	fix_init(&f, 4096, 1);
	commit(&f);
	f.m.writes = 0;
	commit(&f);
	assert_int_equal(f.m.writes, 0);
	fix_exit(&f);
}

static void damaged_pages_are_refused(void **state)
{
	struct dr_disk_index *x;
	struct fix f;
	u8 *p;
	u32 i;

	fix_init(&f, 2 * REGION, 1);
	commit(&f);
	/* The first commit goes to place 1 of each. */
	for (i = 0; i < 3; i++) {
		static const u64 blocks[] = { 5, 3, REGION + 3 };

		p = mem_block(&f.m, blocks[i]);
		p[2000] ^= 0x10;
		f.m.reports = 0;
		assert_int_equal(load(&f), -EUCLEAN);
		assert_int_equal(f.m.reports, 1);
		assert_true(f.m.where == blocks[i]);
		p[2000] ^= 0x10;
		assert_int_equal(load(&f), 0);
	}
	/* A page of an older generation, in itself undamaged */
	x = mem_block(&f.m, 5);
	p = mem_block(&f.m, 3);
	dr_head_seal(p, DR_TYPE_BITMAP, 3, 99, uuid);
	assert_int_equal(load(&f), -EUCLEAN);
	x->pages[0].crc = ((struct dr_disk_head *)p)->crc;
	f.super[0].crc = cpu_to_le32(dr_head_seal(x, DR_TYPE_INDEX, 5, 99,
						  uuid));
	assert_int_equal(load(&f), 0);
	/* A place that there is not */
	x->pages[1].place = cpu_to_le32(2);
	f.super[0].crc = cpu_to_le32(dr_head_seal(x, DR_TYPE_INDEX, 5, 99,
						  uuid));
	assert_int_equal(load(&f), -EUCLEAN);
	f.super[0].place = cpu_to_le32(~0u);
	assert_int_equal(load(&f), -EUCLEAN);
	fix_exit(&f);
}

/* Changes a bitmap and makes everything above it believe that */
static void forge(struct fix *f, struct dr_disk_bitmap *b, u32 region)
{
	struct dr_disk_index *x = mem_block(&f->m, 5);
	u32 crc = dr_head_seal(b, DR_TYPE_BITMAP, region * REGION + 3, 1, uuid);

	x->pages[region].crc = cpu_to_le32(crc);
	crc = dr_head_seal(x, DR_TYPE_INDEX, 5, 1, uuid);
	f->super[0].crc = cpu_to_le32(crc);
}

static void forged_bitmaps_cannot_free_fixed_or_absent_blocks(void **state)
{
	struct dr_disk_bitmap *b;
	struct fix f;

	fix_init(&f, REGION + 500, 1);
	commit(&f);
	b = mem_block(&f.m, 3);
	b->bits[0] ^= cpu_to_le64(1);		/* a superblock */
	forge(&f, b, 0);
	assert_int_equal(load(&f), -EUCLEAN);
	b->bits[0] ^= cpu_to_le64(1);
	forge(&f, b, 0);
	assert_int_equal(load(&f), 0);
	b = mem_block(&f.m, REGION + 3);
	b->bits[500 / 64] ^= cpu_to_le64(1ULL << 500 % 64);
	forge(&f, b, 1);
	assert_int_equal(load(&f), -EUCLEAN);
	b->bits[500 / 64] ^= cpu_to_le64(1ULL << 500 % 64);
	b->region = cpu_to_le32(7);
	forge(&f, b, 1);
	assert_int_equal(load(&f), -EUCLEAN);
	fix_exit(&f);
}

static void growing_makes_exactly_the_new_blocks_free(void **state)
{
	static const u64 from[] = { 4096, REGION - 1, REGION, REGION + 9,
				    2 * REGION };
	static const u64 to[] = { 5000, REGION, REGION + 9, 3 * REGION,
				  3 * REGION + 100 };
	struct fix f, fresh;
	struct dr_space old;
	u64 b;
	u32 i;

	for (i = 0; i < 5; i++) {
		fix_init(&f, from[i], 1);
		fix_init(&fresh, to[i], 1);
		dr_space_set_disk(&f.sp, 500, 3);
		dr_space_set_busy(&f.sp, 500, 3);
		assert_int_equal(dr_space_grow(&f.sp, &f.m.env, to[i], &old), 0);
		dr_space_undo_grow(&f.sp, &f.m.env, &old);
		assert_true(f.sp.nr_blocks == from[i]);
		assert_true(dr_space_is_busy(&f.sp, 501));
		assert_int_equal(dr_space_grow(&f.sp, &f.m.env, to[i], &old), 0);
		dr_space_exit(&old, &f.m.env);
		dr_space_set_disk(&fresh.sp, 500, 3);
		dr_space_set_busy(&fresh.sp, 500, 3);
		assert_true(f.sp.nr_blocks == to[i]);
		assert_true(f.sp.free == fresh.sp.free);
		for (b = 0; b < f.sp.nr_regions * REGION; b++)
			assert_true(dr_space_is_busy(&f.sp, b) ==
				    dr_space_is_busy(&fresh.sp, b) &&
				    dr_space_is_disk(&f.sp, b) ==
				    dr_space_is_disk(&fresh.sp, b));
		assert_true(dr_space_take_node(&f.sp) ==
			    dr_space_take_node(&fresh.sp));
		fix_exit(&f);
		fix_exit(&fresh);
	}
}

static void growing_across_an_index_page(void **state)
{
	u64 small = REGION * (DR_INDEX_PAGES - 1) + 77;
	u64 large = REGION * (DR_INDEX_PAGES + 1) + 9;
	struct dr_space old;
	struct fix f;

	fix_init(&f, large, 1);
	dr_space_exit(&f.sp, &f.m.env);
	assert_int_equal(dr_space_init(&f.sp, &f.m.env, small, 1,
				       DR_JOURNAL_MIN, f.super), 0);
	commit(&f);
	assert_int_equal(f.sp.nr_index, 1);
	assert_int_equal(dr_space_grow(&f.sp, &f.m.env, large, &old), 0);
	dr_space_exit(&old, &f.m.env);
	assert_int_equal(f.sp.nr_index, 2);
	commit(&f);
	assert_int_equal(load(&f), 0);
	assert_true(dr_space_is_disk(&f.sp, REGION * DR_INDEX_PAGES + 5));
	assert_false(dr_space_is_disk(&f.sp, REGION * DR_INDEX_PAGES + 6));
	fix_exit(&f);
}

static void without_memory_nothing_changes(void **state)
{
	struct dr_space old;
	struct fix f;
	u32 i;

	fix_init(&f, 4096, 1);
	for (i = 1; i <= 6; i++) {
		f.m.fail_alloc = i;
		assert_int_equal(dr_space_grow(&f.sp, &f.m.env, 9000, &old),
				 -ENOMEM);
		assert_true(f.sp.nr_blocks == 4096);
		assert_true(dr_space_is_busy(&f.sp, 0));
	}
	f.m.fail_alloc = 0;
	assert_int_equal(dr_space_grow(&f.sp, &f.m.env, 9000, &old), 0);
	dr_space_exit(&old, &f.m.env);
	fix_exit(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(usable_size_leaves_out_a_stub_of_a_region),
		TEST(fixed_blocks_are_where_the_format_says),
		TEST(validity_of_ranges_at_every_border),
		TEST(slots_of_every_size_are_aligned_and_never_fixed),
		TEST(data_leaves_the_reserve_to_nodes),
		TEST(data_grows_upwards_and_nodes_downwards),
		TEST(freed_space_behind_the_cursor_is_found_again),
		TEST(few_slots_end_at_a_hole_and_at_the_region),
		TEST(many_slots_pass_holes_and_find_the_longest_run),
		TEST(few_slots_leave_runs_alone_where_holes_are_near),
		TEST(marking_twice_counts_once_across_a_border),
		TEST(beyond_the_end_of_a_partial_region_nothing_is_free),
		TEST(pages_come_back_as_they_were_written),
		TEST(a_commit_writes_changed_pages_to_the_other_places),
		TEST(nothing_changed_nothing_written),
		TEST(damaged_pages_are_refused),
		TEST(forged_bitmaps_cannot_free_fixed_or_absent_blocks),
		TEST(growing_makes_exactly_the_new_blocks_free),
		TEST(growing_across_an_index_page),
		TEST(without_memory_nothing_changes),
	};

	return mem_tests("space", tests);
}
