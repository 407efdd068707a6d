// SPDX-License-Identifier: GPL-2.0
/*
 * store-write-test.c - slots, publication, journal records.
 */
#include "mem-env.h"

static struct mem_store s;
static u8 *buf;

static void begin(u32 slot_blocks)
{
	mem_store_init(&s, slot_blocks, 100000, 40000);
	buf = malloc(64 * DR_BLOCK_SIZE);
}

static void end(void)
{
	free(buf);
	mem_store_exit(&s);
}

static u64 data(u64 block)
{
	u64 slot = mem_slot(&s, s.st.head, block);

	assert_true(dr_slot_is_data(slot));
	return slot;
}

static void a_write_is_seen_when_it_is_published(void **state)
{
	u32 n = 5, e;
	u64 slot;

	for (e = 1; e <= 256; e *= 16) {
		begin(e);
		n = 5;
		assert_int_equal(dr_store_begin_write(&s.st, &n, &slot), 0);
		assert_true(mem_slot(&s, 1, 100) == DR_SLOT_ORIGIN);
		dr_store_publish(&s.st, 100, n, slot, 1, 0);
		assert_true(mem_slot(&s, 1, 100 + n - 1) ==
			    slot + (u64)(n - 1) * e);
		assert_true(mem_state(&s, 1, 100, 9).len == n);
		assert_int_equal(s.st.head_blocks, n);
		end();
	}
}

static void a_write_that_failed_gives_everything_back(void **state)
{
	u32 n = 5;
	u64 slot, free;

	begin(16);
	free = s.st.space.free;
	assert_int_equal(dr_store_begin_write(&s.st, &n, &slot), 0);
	assert_int_equal(s.st.active->reserved, n);
	assert_true(s.st.space.free == free - 16 * n);
	dr_store_cancel_write(&s.st, slot, n, false);
	assert_true(s.st.space.free == free);
	assert_int_equal(s.st.active->reserved, 0);
	end();
}

static void a_full_table_makes_writers_wait(void **state)
{
	u32 n = MEM_ENTRIES - 3;
	u64 slot;

	begin(1);
	s.st.active->reserved = n;
	n = 10;
	assert_int_equal(dr_store_begin_write(&s.st, &n, &slot), 0);
	assert_int_equal(n, 3);
	assert_int_equal(dr_store_begin_write(&s.st, &n, &slot), -EAGAIN);
	assert_int_equal(dr_store_zero(&s.st, 0, 1), -EAGAIN);
	assert_int_equal(dr_store_zero(&s.st, 0, 1000), -EAGAIN);
	end();
}

static void a_full_device_says_so_and_keeps_its_reserve(void **state)
{
	u64 slot, block = 0;
	u32 n;
	int r = 0;

	mem_store_init(&s, 1, 100000, 2048);
	while (!r) {
		n = 100;
		r = dr_store_begin_write(&s.st, &n, &slot);
		if (!r)
			dr_store_publish(&s.st, block, n, slot, 1, 0);
		block += r ? 0 : n;
		if (r == -EAGAIN) {
			mem_flush(&s);
			mem_merge(&s);
			r = 0;
		}
	}
	assert_int_equal(r, -ENOSPC);
	/* The nodes of the last merge may have come out of it. */
	assert_true(s.st.space.free <= s.st.space.reserve);
	assert_true(s.st.space.free + 32 >= s.st.space.reserve);
	/* What is there can be flushed, merged, sealed and rolled back. */
	mem_flush(&s);
	mem_merge(&s);
	mem_checkpoint(&s, "full");
	mem_rollback(&s, 0);
	mem_zero(&s, 0, 1);
	mem_drop(&s, 1);
	mem_drop(&s, 2);
	mem_reclaim(&s);
	mem_merge(&s);
	assert_true(s.st.space.free > 1500);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void flushed_writes_survive_and_others_may_not(void **state)
{
	u64 slot;

	begin(1);
	mem_write(&s, 0, 300);
	mem_write_flags(&s, 400, DR_MAP_MERGED);
	mem_zero(&s, 5000, 90000);
	mem_zero(&s, 1000, 5);
	slot = data(299);
	assert_int_equal(mem_flush(&s), 3);
	assert_true(dr_store_recorded(&s.st) == s.st.published);
	mem_write(&s, 600, 1);
	mem_store_restart(&s);
	assert_true(data(299) == slot);
	assert_int_equal(mem_state(&s, 1, 400, 1).flags, DR_MAP_MERGED);
	assert_true(mem_slot(&s, 1, 94999) == DR_SLOT_ZERO);
	assert_true(mem_slot(&s, 1, 95000) == DR_SLOT_ORIGIN);
	assert_true(mem_slot(&s, 1, 1004) == DR_SLOT_ZERO);
	assert_true(mem_slot(&s, 1, 600) == DR_SLOT_ORIGIN);
	assert_int_equal(mem_store_errors(&s), 0);
	end();
}

static void consecutive_blocks_share_a_record(void **state)
{
	struct dr_disk_journal *d;
	struct dr_map m;

	begin(16);
	mem_write(&s, 50, 700);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	d = (void *)buf;
	assert_int_equal(le16_to_cpu(d->kind), DR_JOURNAL_MAP);
	assert_int_equal(le16_to_cpu(d->nr), 1);
	dr_map_decode(&m, (void *)d->data);
	assert_true(m.block == 50 && m.len == 700 && m.epoch == 1);
	end();
}

static void a_record_holds_at_most_4096_blocks(void **state)
{
	u64 b;

	begin(1);
	/* Two tables full, of one stream */
	for (b = 0; b < 6000; b += 100)
		mem_write(&s, b, 100);
	mem_flush(&s);
	mem_store_restart(&s);
	for (b = 0; b < 6000; b += 99)
		data(b);
	assert_int_equal(mem_store_errors(&s), 0);
	end();
}

static void a_block_holds_251_records_or_167_ranges(void **state)
{
	struct dr_disk_journal *d = NULL;
	u32 i;

	begin(1);
	s.st.active->max_ranges = DR_MEM_RANGES;
	d = (void *)buf;
	for (i = 0; i < DR_JOURNAL_RECORDS + 1; i++)
		mem_write(&s, 1000 - 2 * i, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 2);
	assert_int_equal(le16_to_cpu(d[0].nr), DR_JOURNAL_RECORDS);
	assert_int_equal(le16_to_cpu(d[1].nr), 1);
	dr_store_filled(&s.st);
	for (i = 0; i < 100; i++)
		mem_zero(&s, 2000 + 40 * i, 32);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	assert_int_equal(le16_to_cpu(d[0].kind), DR_JOURNAL_RANGE);
	assert_int_equal(le16_to_cpu(d[0].nr), 100);
	end();
}

static void one_group_at_a_time(void **state)
{
	begin(1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 0);
	mem_write(&s, 1, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	mem_write(&s, 3, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), -EBUSY);
	assert_true(dr_store_recorded(&s.st) == 0);
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == 2);
	end();
}

static void a_small_buffer_takes_a_part(void **state)
{
	u32 i;

	begin(1);
	for (i = 0; i < 3 * DR_JOURNAL_RECORDS; i++)
		mem_write(&s, 5000 - 2 * i, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 1), 1);
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == DR_JOURNAL_RECORDS);
	assert_int_equal(dr_store_fill(&s.st, buf, 2), 2);
	dr_store_filled(&s.st);
	assert_int_equal(dr_store_fill(&s.st, buf, 2), 0);
	end();
}

static void the_ring_is_used_round_and_round(void **state)
{
	u32 i;

	mem_store_init(&s, 1, 100000, 2048);
	assert_int_equal(s.st.journal.blocks, 64);
	for (i = 0; i < 1000; i++) {
		mem_write(&s, i % 700, 1);
		mem_flush(&s);
		if (i % 90 == 89) {
			u64 slot = mem_slot(&s, 1, i % 700);

			mem_store_restart(&s);
			assert_true(mem_slot(&s, 1, i % 700) == slot);
		}
	}
	assert_true(s.st.journal.seq > 500);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void a_full_ring_asks_for_a_merge(void **state)
{
	u32 i;
	int r;

	mem_store_init(&s, 1, 100000, 2048);
	buf = malloc(64 * DR_BLOCK_SIZE);
	for (i = 0; ; i++) {
		mem_write(&s, 2 * i, 1);
		r = dr_store_fill(&s.st, buf, 8);
		if (r < 0)
			break;
		assert_int_equal(r, 1);
		assert_int_equal(s.m.env.barrier(&s.m, s.st.group.place, 1,
						 buf), 0);
		dr_store_filled(&s.st);
		if (i >= 31)
			assert_true(dr_store_half_full(&s.st));
	}
	assert_int_equal(r, -EAGAIN);
	assert_int_equal(i, 64);
	mem_merge(&s);
	assert_true(dr_store_recorded(&s.st) == 65);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_restart(&s);
	for (i = 0; i <= 64; i++)
		data(2 * i);
	end();
}

static bool worth(void)
{
	return dr_store_worth_merging(&s.st);
}

/* S16: a good part of the table, of its ranges or of the ring, not less. */
static void an_idle_merge_needs_enough_to_do(void **state)
{
	u32 i;

	mem_store_init(&s, 1, 100000, 2048);
	buf = malloc(64 * DR_BLOCK_SIZE);
	assert_false(worth());
	for (i = 0; i < min(s.st.active->max / 8, 4096u); i++) {
		assert_false(worth());
		mem_write(&s, 2 * i, 1);
	}
	assert_true(worth());
	mem_merge(&s);
	assert_false(worth());
	for (i = 0; i < 8; i++) {
		assert_false(worth());
		mem_write(&s, 2 * i, 1);
		mem_flush(&s);
	}
	assert_true(worth());
	mem_merge(&s);
	for (i = 0; i < max(s.st.active->max_ranges / 8, 1u); i++) {
		assert_false(worth());
		assert_int_equal(dr_store_zero(&s.st, 1000 + 200 * i, 100), 0);
	}
	assert_true(worth());
	end();
}

static void a_group_ends_at_the_end_of_the_ring(void **state)
{
	u32 i;

	mem_store_init(&s, 1, 100000, 2048);
	buf = malloc(64 * DR_BLOCK_SIZE);
	for (i = 0; i < 62; i++) {
		mem_write(&s, 2 * i, 1);
		mem_flush(&s);
		if (i % 20 == 19)
			mem_merge(&s);
	}
	for (i = 0; i < 3 * DR_JOURNAL_RECORDS; i++)
		mem_write(&s, 9000 - 2 * i, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 2);
	assert_true(s.st.group.place == DR_JOURNAL_START + 62);
	dr_store_filled(&s.st);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	assert_true(s.st.group.place == DR_JOURNAL_START);
	end();
}

static void the_frozen_table_is_recorded_first(void **state)
{
	begin(1);
	mem_write(&s, 1, 1);
	assert_true(dr_store_freeze(&s.st));
	assert_false(dr_store_freeze(&s.st));
	mem_write(&s, 2, 1);
	assert_true(dr_store_recorded(&s.st) == 0);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	assert_ptr_equal(s.st.group.table, s.st.frozen);
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	assert_ptr_equal(s.st.group.table, s.st.active);
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == 2);
	end();
}

static void a_promise_goes_along_with_a_freeze(void **state)
{
	u32 n = 4;
	u64 slot;

	begin(1);
	mem_write(&s, 1, 1);
	assert_int_equal(dr_store_begin_write(&s.st, &n, &slot), 0);
	assert_true(dr_store_freeze(&s.st));
	assert_int_equal(s.st.active->reserved, 4);
	assert_int_equal(s.st.frozen->reserved, 0);
	dr_store_publish(&s.st, 50, n, slot, 1, 0);
	assert_int_equal(s.st.active->reserved, 0);
	assert_true(mem_slot(&s, 1, 53) == slot + 3);
	end();
}

static void a_merge_while_a_group_is_out(void **state)
{
	begin(1);
	mem_write(&s, 1, 3);
	assert_int_equal(dr_store_fill(&s.st, buf, 64), 1);
	mem_merge(&s);
	mem_write(&s, 9, 1);
	/* The table that the group was of has been emptied. */
	dr_store_filled(&s.st);
	assert_true(dr_store_recorded(&s.st) == 3);
	mem_flush(&s);
	assert_true(dr_store_recorded(&s.st) == 4);
	end();
}

static void a_version_counts_as_recorded_when_its_block_is(void **state)
{
	struct dr_state st;

	begin(1);
	mem_write(&s, 1, 1);
	mem_flush(&s);
	mem_write(&s, 2, 1);
	st = mem_state(&s, 1, 1, 1);
	assert_true(dr_store_is_recorded(&s.st, &st));
	st = mem_state(&s, 1, 1, 9);
	assert_int_equal(st.len, 2);
	assert_false(dr_store_is_recorded(&s.st, &st));
	mem_merge(&s);
	st = mem_state(&s, 1, 2, 1);
	assert_true(dr_store_is_recorded(&s.st, &st));
	end();
}

/* Once a control record is pending, no merge can make room for it. */
static void a_ring_with_room_takes_the_worst_case(void **state)
{
	u32 i, n = 0;

	mem_store_init(&s, 1, 100000, 2048);
	buf = malloc(64 * DR_BLOCK_SIZE);
	for (i = 0; dr_store_ring_has_room(&s.st); i++) {
		mem_write(&s, 2 * i, 1);
		mem_flush(&s);
	}
	assert_true(i > 8);
	mem_merge(&s);
	while (dr_store_ring_has_room(&s.st) && n++ < 20) {
		mem_write(&s, 9000 + 2 * n, 1);
		mem_flush(&s);
	}
	/* Ranges and single blocks in turn, as many as a table takes */
	for (i = 0; i < s.st.active->max_ranges; i++) {
		assert_int_equal(dr_store_zero(&s.st, 1000 + 100 * i, 40), 0);
		mem_write(&s, 50000 + 2 * i, 1);
	}
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_true(dr_store_seal(&s.st, "", 0, 1) > 0);
	dr_store_drained(&s.st);
	while (s.st.ctl_state != DR_CTL_NONE) {
		assert_true(dr_store_fill(&s.st, buf, 16) > 0);
		dr_store_filled(&s.st);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_is_seen_when_it_is_published),
		TEST(a_write_that_failed_gives_everything_back),
		TEST(a_full_table_makes_writers_wait),
		TEST(a_full_device_says_so_and_keeps_its_reserve),
		TEST(flushed_writes_survive_and_others_may_not),
		TEST(consecutive_blocks_share_a_record),
		TEST(a_record_holds_at_most_4096_blocks),
		TEST(a_block_holds_251_records_or_167_ranges),
		TEST(one_group_at_a_time),
		TEST(a_small_buffer_takes_a_part),
		TEST(the_ring_is_used_round_and_round),
		TEST(a_full_ring_asks_for_a_merge),
		TEST(an_idle_merge_needs_enough_to_do),
		TEST(a_group_ends_at_the_end_of_the_ring),
		TEST(the_frozen_table_is_recorded_first),
		TEST(a_promise_goes_along_with_a_freeze),
		TEST(a_merge_while_a_group_is_out),
		TEST(a_version_counts_as_recorded_when_its_block_is),
		TEST(a_ring_with_room_takes_the_worst_case),
	};

	return mem_tests("store-write", tests);
}
