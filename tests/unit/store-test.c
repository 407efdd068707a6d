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
#define BAD(field, value, want) do {					\
		*sb = good;						\
		memcpy(&sb->field, &(u64){ value }, sizeof(sb->field));	\
		assert_int_equal(open_with(sb, gen), want);		\
	} while (0)
	BAD(version, 0, -EUCLEAN);
	BAD(version, 2, -EUCLEAN);
	BAD(slot_blocks, 0, -EUCLEAN);
	BAD(slot_blocks, 3, -EUCLEAN);
	BAD(slot_blocks, 512, -EUCLEAN);
	BAD(nr_blocks, 0, -EUCLEAN);
	BAD(nr_blocks, DR_REGION_BLOCKS + 8, -EUCLEAN);
	BAD(nr_blocks, ~0ULL, -EUCLEAN);
	BAD(nr_blocks, 40001, -ENXIO);
	BAD(journal_blocks, 0, -EUCLEAN);
	BAD(journal_blocks, DR_JOURNAL_MAX + 1, -EUCLEAN);
	BAD(reserve, 40000, -EUCLEAN);
	BAD(origin_sectors, 0, -EUCLEAN);
	BAD(origin_sectors, ~0ULL, -EUCLEAN);
	BAD(map.block, 40000, -EUCLEAN);
	BAD(map.block, ~0ULL, -EUCLEAN);
	BAD(index.level, DR_MAX_LEVEL, -EUCLEAN);
	BAD(epochs.block, 0, -EUCLEAN);
	BAD(epochs.block, 3, -EUCLEAN);
	BAD(epochs.crc, 7, -EUCLEAN);
	BAD(head_epoch, 0, -EUCLEAN);
	BAD(head_epoch, 5, -EUCLEAN);
	BAD(next_epoch, 1, -EUCLEAN);
	BAD(label[47], 'x', -EUCLEAN);
	BAD(origin_id[63], 'x', -EUCLEAN);
	BAD(incompat, 1, -EPROTONOSUPPORT);
	BAD(incompat, 1ULL << 63, -EPROTONOSUPPORT);
	BAD(ro_compat, 1, -EPROTONOSUPPORT);
	BAD(compat, ~0ULL, 0);
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
	assert_int_equal(s.st.journal.blocks, 40000 / 64);
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
	assert_int_equal(mem_store_start(&s), 0);
	mem_write(&s, 5, 10);
	free = s.st.space.free;
	assert_int_equal(dr_store_grow(&s.st, r + 5), 0);
	assert_true(s.st.space.nr_blocks == r);
	assert_in_range(s.st.space.free, free + 90, free + 100);
	assert_int_equal(dr_store_grow(&s.st, 3 * r), 0);
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
		cmocka_unit_test(formatting_says_what_does_not_fit),
		cmocka_unit_test(
			the_smallest_device_works_for_every_block_size),
		cmocka_unit_test(opening_writes_nothing),
		cmocka_unit_test(what_is_not_ours_is_told_from_what_is_damaged),
		cmocka_unit_test(the_higher_generation_counts),
		cmocka_unit_test(a_torn_superblock_leaves_its_twin),
		cmocka_unit_test(generations_alternate_between_the_places),
		cmocka_unit_test(impossible_fields_are_refused),
		cmocka_unit_test(a_device_that_has_shrunk_is_refused),
		cmocka_unit_test(text_and_sizes_are_kept),
		cmocka_unit_test(activation_makes_a_new_session_durable_first),
		cmocka_unit_test(a_stale_tail_of_the_journal_is_not_replayed),
		cmocka_unit_test(
			without_memory_nothing_opens_and_nothing_leaks),
		cmocka_unit_test(formatting_without_memory_fails_cleanly),
		cmocka_unit_test(growing_is_durable),
		cmocka_unit_test(
			an_error_of_the_last_write_keeps_the_old_state),
		cmocka_unit_test(seventy_thousand_epochs_are_kept),
	};

	return mem_tests("store", tests);
}
