// SPDX-License-Identifier: GPL-2.0
/*
 * store-epoch-test.c - seal, roll back, drop; replaying their records.
 */
#include "mem-env.h"

static struct mem_store s;

static void begin(void)
{
	mem_store_init(&s, 1, 100000, 40000);
}

static void end(void)
{
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static const struct dr_epoch *epoch(u32 id)
{
	const struct dr_epoch *e = dr_epochs_find(&s.st.epochs, id);

	assert_non_null(e);
	return e;
}

static void sealing_opens_a_child(void **state)
{
	u64 a, b;

	begin();
	a = mem_write(&s, 1, 1);
	assert_int_equal(mem_checkpoint(&s, "first"), 1);
	b = mem_write(&s, 1, 1);
	assert_int_equal(s.st.head, 2);
	assert_int_equal(epoch(1)->state, DR_EPOCH_SEALED);
	assert_string_equal(epoch(1)->label, "first");
	assert_int_equal(epoch(1)->nr_blocks, 1);
	assert_int_equal(epoch(2)->parent, 1);
	assert_int_equal(epoch(2)->state, DR_EPOCH_HEAD);
	assert_true(mem_slot(&s, 1, 1) == a && mem_slot(&s, 2, 1) == b);
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 1) == a && mem_slot(&s, 2, 1) == b);
	assert_string_equal(epoch(1)->label, "first");
	assert_int_equal(epoch(1)->how, DR_MADE_BY_FORMAT);
	assert_int_equal(epoch(2)->how, DR_MADE_BY_CHECKPOINT);
	assert_int_equal(epoch(1)->nr_blocks, 1);
	end();
}

static void a_label_is_taken_once(void **state)
{
	begin();
	mem_checkpoint(&s, "x");
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_int_equal(dr_store_seal(&s.st, "x", 0, 1), -EEXIST);
	mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	/* Of a dropped epoch it is free again. */
	mem_drop(&s, 1);
	assert_int_equal(mem_checkpoint(&s, "x"), 4);
	end();
}

static void nothing_is_recorded_while_the_old_epoch_drains(void **state)
{
	u8 *buf = malloc(8 * DR_BLOCK_SIZE);
	struct dr_disk_journal *d = (void *)buf;
	struct dr_disk_ctl *c;
	struct dr_map m;
	u32 n = 1;
	u64 late;

	begin();
	assert_int_equal(dr_store_prepare(&s.st), 0);
	/* A write of epoch 1 is under way; one of epoch 2 overtakes it. */
	assert_int_equal(dr_store_begin_write(&s.st, &n, &late), 0);
	assert_int_equal(dr_store_seal(&s.st, "", DR_EPOCH_FROZEN, 77), 1);
	assert_int_equal(s.st.ctl_state, DR_CTL_DRAINING);
	assert_int_equal(dr_store_seal(&s.st, "", 0, 1), -EBUSY);
	mem_write(&s, 20, 1);
	assert_int_equal(dr_store_fill(&s.st, buf, 8), 0);
	dr_store_publish(&s.st, 10, 1, late, 1, 0);
	dr_store_drained(&s.st);
	assert_int_equal(dr_store_seal(&s.st, "", 0, 1), -EBUSY);
	/* Epoch 1's record, the seal, epoch 2's */
	assert_int_equal(dr_store_fill(&s.st, buf, 8), 3);
	dr_map_decode(&m, (void *)d[0].data);
	assert_true(m.block == 10 && m.epoch == 1);
	assert_int_equal(le16_to_cpu(d[1].kind), DR_JOURNAL_CTL);
	c = (void *)d[1].data;
	assert_int_equal(le16_to_cpu(c->type), DR_CTL_SEAL);
	assert_int_equal(le16_to_cpu(c->flags), DR_EPOCH_FROZEN);
	assert_int_equal(le32_to_cpu(c->epoch), 1);
	assert_int_equal(le32_to_cpu(c->head), 2);
	assert_int_equal(le64_to_cpu(c->time), 77);
	assert_int_equal(le64_to_cpu(c->nr_blocks), 1);
	dr_map_decode(&m, (void *)d[2].data);
	assert_true(m.block == 20 && m.epoch == 2);
	assert_int_equal(s.m.env.barrier(&s.m, s.st.group.place, 3, buf), 0);
	assert_false(dr_store_freeze(&s.st));
	dr_store_filled(&s.st);
	assert_int_equal(s.st.ctl_state, DR_CTL_NONE);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 10) == late);
	assert_true(mem_slot(&s, 1, 20) == DR_SLOT_ORIGIN);
	assert_true(dr_slot_is_data(mem_slot(&s, 2, 20)));
	assert_int_equal(epoch(1)->flags, DR_EPOCH_FROZEN);
	free(buf);
	end();
}

static void a_seal_goes_through_a_small_buffer(void **state)
{
	u8 *buf = malloc(DR_BLOCK_SIZE);
	u32 i, n = 0;

	begin();
	assert_int_equal(dr_store_prepare(&s.st), 0);
	for (i = 0; i < 600; i++)
		mem_write(&s, 5000 - 2 * i, 1);
	assert_int_equal(dr_store_seal(&s.st, "", 0, 1), 1);
	for (i = 0; i < 600; i++)
		mem_write(&s, 5000 - 2 * i, 1);
	dr_store_drained(&s.st);
	for (; dr_store_fill(&s.st, buf, 1) == 1; n++) {
		assert_int_equal(s.m.env.barrier(&s.m, s.st.group.place, 1,
						 buf), 0);
		dr_store_filled(&s.st);
		/* Not before all that goes with it is. */
		assert_int_equal(s.st.ctl_state == DR_CTL_NONE, n >= 6);
	}
	assert_int_equal(n, 7);
	mem_store_restart(&s);
	assert_int_equal(s.st.head, 2);
	assert_true(mem_slot(&s, 1, 5000) != mem_slot(&s, 2, 5000));
	assert_int_equal(epoch(1)->nr_blocks, 600);
	free(buf);
	end();
}

static void an_unrecorded_seal_is_lost_whole(void **state)
{
	begin();
	mem_write(&s, 1, 1);
	mem_flush(&s);
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_int_equal(dr_store_seal(&s.st, "lost", 0, 1), 1);
	mem_write(&s, 1, 1);
	mem_store_restart(&s);
	assert_int_equal(s.st.head, 1);
	assert_int_equal(epoch(1)->state, DR_EPOCH_HEAD);
	end();
}

static void rolling_back_and_undoing_it(void **state)
{
	u64 a, b, c;

	begin();
	a = mem_write(&s, 1, 1);
	mem_checkpoint(&s, "good");
	b = mem_write(&s, 1, 1);
	mem_write(&s, 2, 1);
	mem_checkpoint(&s, "bad");
	assert_int_equal(mem_rollback(&s, 1), 4);
	assert_int_equal(epoch(4)->parent, 1);
	assert_int_equal(epoch(4)->prev, 3);
	assert_int_equal(epoch(4)->how, DR_MADE_BY_ROLLBACK);
	assert_true(mem_slot(&s, 4, 1) == a);
	assert_true(mem_slot(&s, 4, 2) == DR_SLOT_ORIGIN);
	c = mem_write(&s, 2, 1);
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 4, 1) == a && mem_slot(&s, 4, 2) == c);
	/* The abandoned branch is all there; back to it. */
	assert_int_equal(mem_rollback(&s, 3), 5);
	assert_true(mem_slot(&s, 5, 1) == b);
	assert_true(mem_slot(&s, 5, 2) != c);
	assert_true(mem_slot(&s, 4, 2) == c);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 5, 1) == b && mem_slot(&s, 4, 1) == a);
	end();
}

static void rolling_back_to_the_base_and_to_the_head(void **state)
{
	u64 a;

	begin();
	a = mem_write(&s, 1, 1);
	assert_int_equal(mem_rollback(&s, 0), 2);
	assert_true(mem_slot(&s, 2, 1) == DR_SLOT_ORIGIN);
	assert_int_equal(mem_rollback(&s, 1), 3);
	assert_true(mem_slot(&s, 3, 1) == a);
	/* To the head itself: its writes are kept, it is sealed. */
	assert_int_equal(mem_rollback(&s, 3), 4);
	assert_int_equal(epoch(4)->parent, 3);
	assert_true(mem_slot(&s, 4, 1) == a);
	assert_int_equal(dr_store_rollback(&s.st, 99, 1), -ENOENT);
	mem_drop(&s, 2);
	assert_int_equal(dr_store_rollback(&s.st, 2, 1), -ENOENT);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 4, 1) == a);
	end();
}

static void heads_after_a_rollback_are_sealed_like_any(void **state)
{
	u64 want[40];
	u32 i;

	begin();
	want[1] = mem_write(&s, 1, 1);
	for (i = 2; i < 40; i++) {
		if (i % 5 == 0) {
			assert_int_equal(mem_rollback(&s, i / 2), i);
			want[i] = want[i / 2];
		} else {
			mem_checkpoint(&s, "");
			want[i] = want[i - 1];
		}
		assert_int_equal(s.st.head, i);
		if (i % 3 == 0)
			want[i] = mem_write(&s, 1, 1);
		if (i % 11 == 0) {
			mem_flush(&s);
			mem_store_restart(&s);
		}
		if (i % 7 == 0)
			mem_merge(&s);
	}
	for (i = 1; i < 40; i++)
		assert_true(mem_slot(&s, i, 1) == want[i]);
	end();
}

static void what_may_be_dropped(void **state)
{
	begin();
	mem_checkpoint(&s, "");
	assert_int_equal(dr_store_may_drop(&s.st, 0), -EINVAL);
	assert_int_equal(dr_store_may_drop(&s.st, 2), -EBUSY);
	assert_int_equal(dr_store_may_drop(&s.st, 3), -ENOENT);
	assert_int_equal(dr_store_may_drop(&s.st, 1), 0);
	mem_drop(&s, 1);
	assert_int_equal(dr_store_may_drop(&s.st, 1), -ENOENT);
	assert_true(s.st.reclaim_wanted);
	mem_store_restart(&s);
	assert_int_equal(epoch(1)->state, DR_EPOCH_DROPPED);
	end();
}

static void thousands_of_checkpoints_between_merges(void **state)
{
	u64 slot[3001];
	u32 i;

	begin();
	for (i = 1; i <= 3000; i++) {
		slot[i] = mem_write(&s, 7, 1);
		assert_int_equal(mem_checkpoint(&s, ""), i);
	}
	for (i = 1; i <= 3000; i += 17)
		assert_true(mem_slot(&s, i, 7) == slot[i]);
	mem_store_restart(&s);
	for (i = 1; i <= 3000; i += 17)
		assert_true(mem_slot(&s, i, 7) == slot[i]);
	end();
}

static void a_table_of_too_many_epochs_must_be_merged_first(void **state)
{
	begin();
	mem_write(&s, 1, 1);
	s.st.active_since = s.st.head - DR_SPAN_MAX;
	assert_true(dr_store_half_full(&s.st));
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_int_equal(dr_store_seal(&s.st, "", 0, 1), -EAGAIN);
	mem_merge(&s);
	mem_checkpoint(&s, "");
	end();
}

/* One more block for the journal, of the session that has just ended */
static int replay_forged(u16 kind, const void *what, u32 len, u16 nr)
{
	struct dr_journal j = s.st.journal;
	u64 place = dr_journal_place(&j, j.seq);
	struct dr_disk_journal *d = mem_block(&s.m, place);
	int r;

	memset(d, 0, sizeof(*d));
	d->kind = cpu_to_le16(kind);
	d->nr = cpu_to_le16(nr);
	memcpy(d->data, what, len);
	dr_journal_seal(&j, d, s.st.uuid);
	mem_store_stop(&s);
	mem_forget(&s.m);
	r = mem_store_start(&s);
	if (r) {
		memset(d, 0, sizeof(*d));
		assert_int_equal(mem_store_start(&s), 0);
	}
	return r;
}

static struct dr_disk_ctl ctl(u16 type, u32 e, u32 head, u32 parent)
{
	return (struct dr_disk_ctl){ .type = cpu_to_le16(type),
		.epoch = cpu_to_le32(e), .head = cpu_to_le32(head),
		.parent = cpu_to_le32(parent) };
}

static void forged_control_records_are_refused(void **state)
{
	struct dr_disk_ctl c[] = {
		ctl(0, 2, 3, 2), ctl(9, 2, 3, 2), ctl(DR_CTL_SEAL, 1, 3, 1),
		ctl(DR_CTL_SEAL, 7, 8, 7), ctl(DR_CTL_SEAL, 2, 3, 3),
		ctl(DR_CTL_SEAL, 2, 9, 8), ctl(DR_CTL_ROLLBACK, 2, 3, 9),
		ctl(DR_CTL_REPLAY, 2, 3, 1), ctl(DR_CTL_REPLAY, 2, 3, 9),
		ctl(DR_CTL_SEAL, 2, 3, 2), ctl(DR_CTL_SEAL, 2, 3, 2),
	};
	u32 i;

	c[9].label[0] = ' ';
	memset(c[10].label, 'a', sizeof(c[10].label));
	begin();
	mem_checkpoint(&s, "");
	for (i = 0; i < ARRAY_SIZE(c); i++)
		assert_int_equal(replay_forged(DR_JOURNAL_CTL, c + i,
					       sizeof(c[i]), 1), -EUCLEAN);
	/* One as it should be */
	c[0] = ctl(DR_CTL_SEAL, 2, 3, 2);
	assert_int_equal(replay_forged(DR_JOURNAL_CTL, c, sizeof(*c), 1), 0);
	assert_int_equal(s.st.head, 3);
	/* The same again is known already. */
	assert_int_equal(replay_forged(DR_JOURNAL_CTL, c, sizeof(*c), 1), 0);
	assert_int_equal(s.st.head, 3);
	end();
}

static void forged_versions_are_refused(void **state)
{
	static const struct dr_map bad[] = {
		{ .block = 100000, .len = 1, .epoch = 1, .slot = 9000 },
		{ .block = 99999, .len = 2, .epoch = 1, .slot = 9000 },
		{ .block = DR_ADDR_MASK, .len = 4096, .epoch = 1, .slot = 9000 },
		{ .block = 5, .len = 1, .epoch = 0, .slot = 9000 },
		{ .block = 5, .len = 1, .epoch = 2, .slot = 9000 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = 9000, .flags = 2 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = 0 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = 20 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = 40000 },
		{ .block = 5, .len = 2, .epoch = 1, .slot = 39999 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = DR_SLOT_ORIGIN },
		{ .block = 5, .len = 1, .epoch = 1,
		  .slot = DR_SLOT_ORIGIN - 1 },
	};
	struct dr_disk_map d[2];
	struct dr_map m;
	u64 slot;
	u32 i;

	begin();
	slot = mem_write(&s, 77, 1);
	mem_merge(&s);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		dr_map_encode(d, bad + i);
		assert_int_equal(replay_forged(DR_JOURNAL_MAP, d, 16, 1),
				 -EUCLEAN);
	}
	/* A slot that another block has, in the tree or in the journal */
	m = (struct dr_map){ .block = 5, .len = 1, .epoch = 1, .slot = slot };
	dr_map_encode(d, &m);
	assert_int_equal(replay_forged(DR_JOURNAL_MAP, d, 16, 1), -EUCLEAN);
	m.slot = 9000;
	dr_map_encode(d, &m);
	m.block = 7;
	dr_map_encode(d + 1, &m);
	assert_int_equal(replay_forged(DR_JOURNAL_MAP, d, 32, 2), -EUCLEAN);
	assert_true(mem_slot(&s, 1, 77) == slot);
	assert_int_equal(replay_forged(DR_JOURNAL_MAP, d, 16, 1), 0);
	assert_true(mem_slot(&s, 1, 5) == 9000);
	end();
}

static void forged_ranges_are_refused(void **state)
{
	static const u64 bad[][3] = {
		{ 0, 0, 1 }, { 100000, 1, 1 }, { 99999, 2, 1 }, { 0, ~0ULL, 1 },
		{ ~0ULL, 1, 1 }, { ~0ULL, ~0ULL, 1 }, { 0, 5, 0 }, { 0, 5, 2 },
	};
	struct dr_disk_range d = {};
	u32 i;

	begin();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		d.block = cpu_to_le64(bad[i][0]);
		d.len = cpu_to_le64(bad[i][1]);
		d.epoch = cpu_to_le32(bad[i][2]);
		assert_int_equal(replay_forged(DR_JOURNAL_RANGE, &d, sizeof(d),
					       1), -EUCLEAN);
	}
	d.block = 0;
	d.len = cpu_to_le64(100000);
	d.epoch = cpu_to_le32(1);
	assert_int_equal(replay_forged(DR_JOURNAL_RANGE, &d, sizeof(d), 1), 0);
	assert_true(mem_slot(&s, 1, 99999) == DR_SLOT_ZERO);
	end();
}

static void numbers_do_not_wrap(void **state)
{
	begin();
	s.st.next_epoch = DR_LAST_EPOCH;
	mem_checkpoint(&s, "");
	assert_true(s.st.head == DR_LAST_EPOCH);
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_true(dr_store_seal(&s.st, "", 0, 1) == -EUSERS);
	assert_true(dr_store_rollback(&s.st, 1, 1) == -EUSERS);
	assert_true(dr_replay_begin(&s.st) == -EUSERS);
	mem_write(&s, 1, 1);
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(s.st.head == DR_LAST_EPOCH);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sealing_opens_a_child),
		TEST(a_label_is_taken_once),
		TEST(nothing_is_recorded_while_the_old_epoch_drains),
		TEST(a_seal_goes_through_a_small_buffer),
		TEST(an_unrecorded_seal_is_lost_whole),
		TEST(rolling_back_and_undoing_it),
		TEST(rolling_back_to_the_base_and_to_the_head),
		TEST(heads_after_a_rollback_are_sealed_like_any),
		TEST(what_may_be_dropped),
		TEST(thousands_of_checkpoints_between_merges),
		TEST(a_table_of_too_many_epochs_must_be_merged_first),
		TEST(forged_control_records_are_refused),
		TEST(forged_versions_are_refused),
		TEST(forged_ranges_are_refused),
		TEST(numbers_do_not_wrap),
	};

	return mem_tests("store-epoch", tests);
}
