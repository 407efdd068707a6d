// SPDX-License-Identifier: GPL-2.0
/*
 * store-test.c - format, superblocks, opening, activation, growing.
 */
#include "mem-env.h"

static struct mem_store s;

static void formatting_says_what_does_not_fit(void **state)
{
	static const u32 bad[] = { 0, 3, 48, 257, 512, ~0u };
	u32 i;

	mem_env_init(&s.m, 8192);
	for (i = 0; i < 6; i++)
		assert_int_equal(mem_store_format(&s, bad[i], 100, 8192),
				 -EINVAL);
	assert_int_equal(mem_store_format(&s, 1, 0, 8192), -EINVAL);
	assert_int_equal(mem_store_format(&s, 1, DR_MAX_ORIGIN_BLOCKS, 8192),
			 -EFBIG);
	assert_int_equal(mem_store_format(&s, 1, 100, DR_MIN_BLOCKS - 1),
			 -ENOSPC);
	assert_int_equal(s.m.writes, 0);
	mem_env_exit(&s.m);
}

static void the_smallest_device_works_for_every_block_size(void **state)
{
	u32 slot;
	u64 min;

	for (slot = 1; slot <= 256; slot *= 2) {
		min = dr_format_min_blocks(slot);
		mem_env_init(&s.m, min);
		assert_int_equal(mem_store_format(&s, slot, 100, min - 1),
				 -ENOSPC);
		assert_int_equal(mem_store_format(&s, slot, 100, min), 0);
		assert_int_equal(mem_store_start(&s), 0);
		mem_write(&s, 7, 4);
		mem_checkpoint(&s, "");
		mem_write(&s, 8, 1);
		mem_flush(&s);
		mem_merge(&s);
		assert_int_equal(mem_store_errors(&s), 0);
		mem_store_exit(&s);
	}
}

static void opening_writes_nothing(void **state)
{
	mem_store_init(&s, 1, 1000, 4096);
	mem_write(&s, 1, 10);
	mem_flush(&s);
	mem_store_stop(&s);
	s.m.writes = 0;
	s.m.barriers = 0;
	assert_int_equal(mem_store_open(&s), 0);
	assert_true(s.m.writes == 0 && s.m.barriers == 0);
	mem_store_exit(&s);
}

static void what_is_not_ours_is_told_from_what_is_damaged(void **state)
{
	struct dr_disk_super sb;
	u8 *a, *b;

	mem_env_init(&s.m, 4096);
	assert_int_equal(dr_super_read(&s.m.env, &sb), -EMEDIUMTYPE);
	assert_int_equal(s.m.reports, 0);
	mem_env_exit(&s.m);
	mem_store_init(&s, 1, 1000, 4096);
	mem_store_stop(&s);
	a = mem_block(&s.m, 0);
	b = mem_block(&s.m, 1);
	a[100] ^= 1;
	b[100] ^= 1;
	assert_int_equal(dr_super_read(&s.m.env, &sb), -EUCLEAN);
	assert_int_equal(s.m.reports, 2);
	s.m.fail_read = 1;
	assert_int_equal(dr_super_read(&s.m.env, &sb), -EUCLEAN);
	mem_store_exit(&s);
}

static void the_higher_generation_counts(void **state)
{
	struct dr_disk_super *a, *b, sb;
	u64 gen;

	mem_store_init(&s, 1, 1000, 4096);
	mem_write(&s, 1, 1);
	mem_merge(&s);
	gen = s.st.gen;
	a = mem_block(&s.m, gen & 1);
	b = mem_block(&s.m, !(gen & 1));
	assert_true(le64_to_cpu(a->head.gen) == gen);
	assert_true(le64_to_cpu(b->head.gen) == gen - 1);
	assert_int_equal(dr_super_read(&s.m.env, &sb), 0);
	assert_true(le64_to_cpu(sb.head.gen) == gen);
	/* One that cannot be read is no worse than a torn one. */
	s.m.fail_read = (gen & 1) + 1;
	assert_int_equal(dr_super_read(&s.m.env, &sb), 0);
	assert_true(le64_to_cpu(sb.head.gen) == gen - 1);
	mem_store_exit(&s);
}

static void a_torn_superblock_leaves_its_twin(void **state)
{
	u64 slot, gen;
	u8 *p;

	mem_store_init(&s, 1, 1000, 4096);
	slot = mem_write(&s, 1, 1);
	mem_flush(&s);
	gen = s.st.gen;
	/* The merge that follows is torn in its last write. */
	mem_merge(&s);
	assert_true(s.st.gen == gen + 1);
	mem_store_stop(&s);
	p = mem_block(&s.m, (gen + 1) & 1);
	memset(p + 1024, 0, 512);
	mem_forget(&s.m);
	assert_int_equal(mem_store_start(&s), 0);
	assert_true(mem_slot(&s, 1, 1) == slot);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void generations_alternate_between_the_places(void **state)
{
	u64 gen;
	u32 i;

	mem_store_init(&s, 1, 1000, 4096);
	for (i = 0; i < 6; i++) {
		struct dr_disk_super *sb;

		gen = s.st.gen;
		mem_write(&s, i, 1);
		mem_merge(&s);
		assert_true(s.st.gen == gen + 1);
		sb = mem_block(&s.m, s.st.gen & 1);
		assert_true(le64_to_cpu(sb->head.gen) == s.st.gen);
		assert_null(dr_head_verify(sb, DR_TYPE_SUPER, s.st.gen & 1,
					   s.st.uuid));
	}
	mem_store_exit(&s);
}

static int open_with(struct dr_disk_super *sb, u64 gen)
{
	int r;

	dr_head_seal(sb, DR_TYPE_SUPER, gen & 1, gen, sb->head.uuid);
	r = mem_store_start(&s);
	mem_store_stop(&s);
	return r;
}

static void impossible_fields_are_refused(void **state)
{
	struct dr_disk_super *sb, good;
	u64 gen;

	mem_store_init(&s, 1, 1000, 40000);
	gen = s.st.gen;
	mem_store_stop(&s);
	sb = mem_block(&s.m, gen & 1);
	memset(mem_block(&s.m, !(gen & 1)), 0, DR_BLOCK_SIZE);
	good = *sb;
	assert_int_equal(open_with(sb, gen), 0);
	/* That activation wrote the other place. */
	gen++;
	sb = mem_block(&s.m, gen & 1);
	memset(mem_block(&s.m, !(gen & 1)), 0, DR_BLOCK_SIZE);
	good = *sb;
#define BAD(change, want) do {						\
		*sb = good;						\
		change;							\
		assert_int_equal(open_with(sb, gen), want);		\
	} while (0)
	BAD(sb->version = 0, -EUCLEAN);
	BAD(sb->version = cpu_to_le32(2), -EUCLEAN);
	BAD(sb->slot_blocks = 0, -EUCLEAN);
	BAD(sb->slot_blocks = cpu_to_le32(3), -EUCLEAN);
	BAD(sb->slot_blocks = cpu_to_le32(512), -EUCLEAN);
	BAD(sb->nr_blocks = 0, -EUCLEAN);
	BAD(sb->nr_blocks = cpu_to_le64(DR_REGION_BLOCKS + 8), -EUCLEAN);
	BAD(sb->nr_blocks = cpu_to_le64(~0ULL), -EUCLEAN);
	BAD(sb->nr_blocks = cpu_to_le64(40001), -ENXIO);
	BAD(sb->journal_blocks = 0, -EUCLEAN);
	BAD(sb->journal_blocks = cpu_to_le32(DR_JOURNAL_MAX + 1), -EUCLEAN);
	BAD(sb->reserve = cpu_to_le32(40000), -EUCLEAN);
	BAD(sb->origin_sectors = 0, -EUCLEAN);
	BAD(sb->origin_sectors = cpu_to_le64(~0ULL), -EUCLEAN);
	BAD(sb->map.block = cpu_to_le64(40000), -EUCLEAN);
	BAD(sb->map.block = cpu_to_le64(~0ULL), -EUCLEAN);
	BAD(sb->index.level = cpu_to_le16(DR_MAX_LEVEL), -EUCLEAN);
	BAD(sb->epochs.block = 0, -EUCLEAN);
	BAD(sb->epochs.block = cpu_to_le64(3), -EUCLEAN);
	BAD(sb->epochs.crc = cpu_to_le32(7), -EUCLEAN);
	BAD(sb->head_epoch = 0, -EUCLEAN);
	BAD(sb->head_epoch = cpu_to_le32(5), -EUCLEAN);
	BAD(sb->next_epoch = cpu_to_le32(1), -EUCLEAN);
	BAD(sb->label[47] = 'x', -EUCLEAN);
	BAD(sb->commit_epoch = cpu_to_le32(1), -EUCLEAN);
	BAD(sb->commit_epoch = cpu_to_le32(9), -EUCLEAN);
	BAD(sb->origin_id[63] = 'x', -EUCLEAN);
	BAD(sb->incompat = cpu_to_le64(1), -EPROTONOSUPPORT);
	BAD(sb->incompat = cpu_to_le64(1ULL << 63), -EPROTONOSUPPORT);
	BAD(sb->ro_compat = cpu_to_le64(64), -EPROTONOSUPPORT);
	BAD(sb->policy[DR_POLICY_MAX] = 'x', -EUCLEAN);
	BAD(sb->start.flags = cpu_to_le32(DR_START_FLAGS + 1), -EUCLEAN);
	BAD(sb->start.epoch = cpu_to_le32(9), -EUCLEAN);
	BAD(sb->start.epoch = sb->head_epoch, -EUCLEAN);
	BAD(sb->start.session = cpu_to_le32(9), -EUCLEAN);
	BAD(sb->compat = cpu_to_le64(~0ULL), 0);
	mem_store_exit(&s);
}

static void a_device_that_has_shrunk_is_refused(void **state)
{
	mem_store_init(&s, 1, 1000, 4096);
	mem_store_stop(&s);
	s.m.nr_blocks = 4095;
	assert_int_equal(mem_store_start(&s), -ENXIO);
	s.m.nr_blocks = 4096;
	assert_int_equal(mem_store_start(&s), 0);
	mem_store_exit(&s);
}

static void text_and_sizes_are_kept(void **state)
{
	mem_store_init(&s, 16, 1000, 40000);
	assert_string_equal(s.st.sb.label, "unit");
	assert_string_equal(s.st.sb.origin_id, "origin");
	assert_true(s.st.nr_map_blocks == 1000);
	assert_int_equal(s.st.head, 1);
	assert_int_equal(s.st.journal.blocks, 40000 / 32);
	/* An origin that ends within a block */
	mem_store_exit(&s);
	mem_env_init(&s.m, 40000);
	struct dr_format_params p = { .slot_blocks = 16, .label = "",
				      .origin_id = "", .delta_blocks = 40000,
				      .origin_sectors = 1000 * 128 + 1 };
	assert_int_equal(dr_format(&s.m.env, &p), 0);
	assert_int_equal(mem_store_start(&s), 0);
	assert_true(s.st.nr_map_blocks == 1001);
	mem_store_exit(&s);
}

static void activation_makes_a_new_session_durable_first(void **state)
{
	u64 session;

	mem_store_init(&s, 1, 1000, 4096);
	session = s.st.journal.session;
	mem_write(&s, 3, 1);
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(s.st.journal.session == session + 1);
	assert_true(le64_to_cpu(mem_super(&s.m)->session) == session + 1);
	assert_true(dr_journal_used(&s.st.journal) == 0);
	mem_store_exit(&s);
}

static void a_long_journal_through_a_small_table_with_crashes(void **state)
{
	static struct mem_env before;
	u64 want[600];
	u32 i, at;
	int r = -1;

	mem_store_init(&s, 1, 100000, 20000);
	/* Where a merge in the middle of the journal looks for nodes */
	s.st.space.data_cursor = 19280;
	for (i = 0; i < 600; i++) {
		want[i * 7 % 600] = mem_write(&s, i * 7 % 600, 1);
		if (i % 20 == 0)
			mem_flush(&s);
		if (i % 100 == 50)
			mem_checkpoint(&s, "");
	}
	for (i = 0; i < 600; i += 5)
		want[i] = mem_write(&s, i, 1);
	mem_flush(&s);
	mem_store_stop(&s);
	mem_copy(&before, &s.m);
	for (at = 1; r; at += 3) {
		mem_copy(&s.m, &before);
		s.entries = 64;
		s.m.fail_write = at;
		r = mem_store_start(&s);
		s.m.fail_write = 0;
		mem_store_stop(&s);
		mem_forget(&s.m);
		s.entries = at % 2 ? 0 : 128;
		assert_int_equal(mem_store_start(&s), 0);
		assert_int_equal(s.st.head, 7);
		for (i = 0; i < 600; i++)
			assert_true(mem_slot(&s, 7, i) == want[i]);
		assert_int_equal(mem_store_errors(&s), 0);
		mem_store_stop(&s);
	}
	assert_true(at > 30);
	mem_env_exit(&before);
	s.entries = 0;
	mem_store_exit(&s);
}

static void a_stale_tail_of_the_journal_is_not_replayed(void **state)
{
	static struct mem_env old;
	u32 i;

	mem_store_init(&s, 1, 1000, 4096);
	for (i = 0; i < 5; i++) {
		mem_write(&s, 10 + i, 1);
		mem_flush(&s);
	}
	mem_copy(&old, &s.m);
	mem_store_restart(&s);
	/* Block 2 of the old journal is seen by a session that wrote none. */
	memcpy(mem_block(&s.m, dr_journal_place(&s.st.journal,
						s.st.journal.seq)),
	       mem_block(&old, DR_JOURNAL_START + 2), DR_BLOCK_SIZE);
	mem_zero(&s, 12, 1);
	mem_merge(&s);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 12) == DR_SLOT_ZERO);
	mem_env_exit(&old);
	mem_store_exit(&s);
}

static void without_memory_nothing_opens_and_nothing_leaks(void **state)
{
	u32 i, failed = 0;

	mem_store_init(&s, 1, 1000, 4096);
	mem_write(&s, 0, 300);
	mem_checkpoint(&s, "one");
	mem_write(&s, 0, 300);
	mem_flush(&s);
	mem_store_stop(&s);
	for (i = 1; i < 500; i++) {
		s.m.fail_alloc = i;
		if (!mem_store_start(&s))
			break;
		failed++;
		s.m.fail_alloc = 0;
		/* What did get written is as good as what was there. */
		mem_forget(&s.m);
		assert_int_equal(mem_store_errors(&s), 0);
	}
	assert_in_range(failed, 40, 500);
	s.m.fail_alloc = 0;
	mem_store_exit(&s);
}

static void formatting_without_memory_fails_cleanly(void **state)
{
	u32 i;

	mem_env_init(&s.m, 4096);
	for (i = 1; ; i++) {
		s.m.fail_alloc = i;
		if (!mem_store_format(&s, 1, 1000, 4096))
			break;
		assert_true(i < 200);
	}
	assert_true(i > 30);
	s.m.fail_alloc = 0;
	assert_int_equal(mem_store_start(&s), 0);
	mem_store_exit(&s);
}

static void growing_is_durable(void **state)
{
	u64 r = DR_REGION_BLOCKS, free;

	mem_store_init(&s, 1, 1000, 3 * r);
	mem_store_stop(&s);
	mem_env_exit(&s.m);
	mem_env_init(&s.m, 3 * r);
	assert_int_equal(mem_store_format(&s, 1, 1000, r - 100), 0);
	s.m.nr_blocks = r - 100;
	assert_int_equal(mem_store_start(&s), 0);
	s.m.nr_blocks = 3 * r;
	mem_write(&s, 5, 10);
	free = s.st.space.free;
	assert_int_equal(dr_store_grow(&s.st, r + 5), 1);
	dr_store_release(&s.st, false);
	assert_true(s.st.space.nr_blocks == r);
	assert_in_range(s.st.space.free, free + 90, free + 100);
	assert_int_equal(dr_store_grow(&s.st, 3 * r), 1);
	dr_store_release(&s.st, false);
	assert_true(s.st.space.nr_blocks == 3 * r);
	/* Smaller is ignored. */
	assert_int_equal(dr_store_grow(&s.st, r), 0);
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(s.st.space.nr_blocks == 3 * r);
	assert_true(dr_slot_is_data(mem_slot(&s, 1, 14)));
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void an_error_of_the_last_write_keeps_the_old_state(void **state)
{
	static struct mem_env before;
	u64 slot;
	u32 i, n;

	mem_store_init(&s, 1, 1000, 4096);
	slot = mem_write(&s, 7, 1);
	mem_checkpoint(&s, "a");
	mem_zero(&s, 7, 1);
	mem_flush(&s);
	mem_copy(&before, &s.m);
	/* A merge that fails at each of its writes */
	for (i = 1; ; i++) {
		int r;

		assert_true(dr_store_freeze(&s.st));
		s.m.fail_write = i;
		r = dr_merge_step(&s.st);
		n = s.m.fail_write;
		s.m.fail_write = 0;
		mem_store_restart(&s);
		assert_true(mem_slot(&s, 1, 7) == slot);
		assert_true(mem_slot(&s, 2, 7) == DR_SLOT_ZERO);
		assert_int_equal(mem_store_errors(&s), 0);
		if (!r && n)
			break;
		assert_int_equal(r, -EIO);
		mem_store_stop(&s);
		mem_copy(&s.m, &before);
		assert_int_equal(mem_store_open(&s), 0);
		assert_int_equal(dr_store_activate(&s.st), 0);
		mem_zero(&s, 7, 1);
	}
	assert_true(i > 4);
	mem_env_exit(&before);
	mem_store_exit(&s);
}

static void seventy_thousand_epochs_are_kept(void **state)
{
	u32 i, n = 70000;

	mem_store_init(&s, 1, 1000, 32000);
	for (i = 0; i < n; i++)
		mem_checkpoint(&s, "");
	assert_int_equal(s.st.head, n + 1);
	mem_store_restart(&s);
	assert_int_equal(s.st.head, n + 1);
	assert_int_equal(s.st.epochs.nr, n + 1);
	assert_int_equal(dr_epochs_find(&s.st.epochs, 65537)->parent, 65536);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(formatting_says_what_does_not_fit),
		TEST(the_smallest_device_works_for_every_block_size),
		TEST(opening_writes_nothing),
		TEST(what_is_not_ours_is_told_from_what_is_damaged),
		TEST(the_higher_generation_counts),
		TEST(a_torn_superblock_leaves_its_twin),
		TEST(generations_alternate_between_the_places),
		TEST(impossible_fields_are_refused),
		TEST(a_device_that_has_shrunk_is_refused),
		TEST(text_and_sizes_are_kept),
		TEST(activation_makes_a_new_session_durable_first),
		TEST(a_long_journal_through_a_small_table_with_crashes),
		TEST(a_stale_tail_of_the_journal_is_not_replayed),
		TEST(without_memory_nothing_opens_and_nothing_leaks),
		TEST(formatting_without_memory_fails_cleanly),
		TEST(growing_is_durable),
		TEST(an_error_of_the_last_write_keeps_the_old_state),
		TEST(seventy_thousand_epochs_are_kept),
	};

	return mem_tests("store", tests);
}
