// SPDX-License-Identifier: GPL-2.0
/*
 * claim-test.c - first writes that are recorded beside their data (J8-J12).
 */
#include "mem-env.h"

static struct mem_store s;
static u8 buf[DR_BLOCK_SIZE];
static u64 gen;

static void begin(void)
{
	mem_store_init(&s, 1, 100000, 40000);
}

static void end(void)
{
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* Slots of a first write */
static u64 take(u32 n)
{
	u32 got = n;
	u64 slot;

	assert_int_equal(dr_store_begin_write(&s.st, &got, &slot), 0);
	assert_int_equal(got, n);
	return slot;
}

/* The data of it, as it arrives */
static void put_data(u64 slot, u32 n, u8 what)
{
	u32 i;

	for (i = 0; i < n; i++)
		memset(mem_block(&s.m, slot + i), what + i, DR_BLOCK_SIZE);
}

static u32 data_crc(u32 n, u8 what)
{
	u8 data[DR_BLOCK_SIZE];
	u32 i, crc = ~0u;

	for (i = 0; i < n; i++) {
		memset(data, what + i, sizeof(data));
		crc = crc32c(crc, data, sizeof(data));
	}
	return crc;
}

/* The claim of it, as it is written */
static void put_claim(u64 block, u32 n, u64 slot, u8 what)
{
	struct dr_map m = { .block = block, .len = n, .slot = slot,
			    .epoch = s.st.head };

	gen = s.st.tail_gen;
	assert_int_equal(dr_store_claim(&s.st, buf, &m, data_crc(n, what)), 0);
	memcpy(mem_block(&s.m, s.st.group.place), buf, sizeof(buf));
	dr_store_filled(&s.st);
}

static void publish(u64 block, u32 n, u64 slot)
{
	dr_store_publish_claimed(&s.st, block, n, slot, s.st.head, 0, gen);
}

/* All of it, and a flush after that */
static u64 claimed(u64 block, u32 n)
{
	u64 slot = take(n);

	put_data(slot, n, block);
	put_claim(block, n, slot, block);
	publish(block, n, slot);
	return slot;
}

static bool may(u64 block)
{
	struct dr_state was = mem_state(&s, s.st.head, block, 1);

	return dr_store_may_claim(&s.st, &was);
}

static bool in_place(u64 block)
{
	struct dr_state is = mem_state(&s, s.st.head, block, 1);
	struct dr_snap snap;

	dr_store_snap(&s.st, &snap);
	return is.epoch == s.st.head && dr_slot_is_data(is.slot) &&
	       !dr_snap_claims(&snap, &is);
}

static void it_counts_if_its_data_has_arrived(void **state)
{
	static const struct { u32 arrived; bool holds; } c[] = {
		{ 0, false }, { 1, false }, { 2, false }, { 3, true },
	};
	u64 slot, free;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		begin();
		free = s.st.space.free;
		slot = take(3);
		put_claim(7, 3, slot, 'a');
		put_data(slot, c[i].arrived, 'a');
		mem_store_restart(&s);
		assert_true(mem_slot(&s, 1, 9) ==
			    (c[i].holds ? slot + 2 : DR_SLOT_ORIGIN));
		assert_true(dr_space_is_busy(&s.st.space, slot) == c[i].holds);
		assert_true(s.st.space.free == free - (c[i].holds ? 5 : 0));
		end();
	}
}

static void what_cannot_be_read_counts(void **state)
{
	u64 slot;

	begin();
	slot = claimed(7, 1);
	put_data(slot, 1, 'x');
	mem_store_stop(&s);
	assert_int_equal(mem_store_open(&s), 0);
	/* The journal's block, the one after it, then the data */
	s.m.fail_read = 3;
	assert_int_equal(dr_store_activate(&s.st), 0);
	assert_int_equal(s.m.fail_read, 0);
	assert_true(mem_slot(&s, 1, 7) == slot);
	end();
}

static void a_flush_has_nothing_to_record(void **state)
{
	begin();
	claimed(7, 1);
	assert_true(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_write(&s, 9, 1);
	assert_false(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	claimed(11, 1);
	assert_false(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_flush(&s);
	assert_true(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_zero(&s, 9, 1);
	assert_false(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	end();
}

static void it_is_not_written_in_place_before_it_is_recorded(void **state)
{
	u64 slot;

	begin();
	mem_write(&s, 5, 1);
	assert_true(in_place(5));
	slot = claimed(7, 1);
	assert_false(in_place(7));
	mem_flush(&s);
	assert_true(in_place(7));
	put_data(slot, 1, 'x');
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 7) == slot);
	end();
}

static void what_is_recorded_otherwise_needs_no_data(void **state)
{
	u64 slot, other;

	begin();
	slot = claimed(7, 1);
	mem_flush(&s);
	/* In place */
	put_data(slot, 1, 'x');
	other = claimed(9, 1);
	put_data(other, 1, 'x');
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 7) == slot);
	assert_true(mem_slot(&s, 1, 9) == DR_SLOT_ORIGIN);
	end();
}

static void of_a_failed_write_it_ends_with_the_next_record(void **state)
{
	u64 slot;
	u32 i;

	for (i = 0; i < 2; i++) {
		begin();
		slot = take(1);
		put_data(slot, 1, 'a');
		put_claim(7, 1, slot, 'a');
		dr_store_cancel_write(&s.st, slot, 1, true);
		/* Nobody else may have what it would believe. */
		assert_true(dr_space_is_busy(&s.st.space, slot));
		if (i) {
			mem_write(&s, 9, 1);
			mem_flush(&s);
		} else {
			mem_checkpoint(&s, "");
		}
		mem_store_restart(&s);
		assert_true(mem_slot(&s, s.st.head, 7) == DR_SLOT_ORIGIN);
		assert_false(dr_space_is_busy(&s.st.space, slot));
		end();
	}
}

static void records_void_none_that_is_under_way(void **state)
{
	u64 slot;

	begin();
	slot = take(1);
	put_claim(7, 1, slot, 'a');
	mem_write(&s, 9, 1);
	mem_flush(&s);
	put_data(slot, 1, 'a');
	publish(7, 1, slot);
	assert_true(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 7) == slot);
	end();
}

/* A drop is recorded without waiting for what is under way. */
static void a_drop_voids_none_that_counts(void **state)
{
	u64 slot;
	u32 e;

	begin();
	e = mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	slot = take(1);
	put_claim(7, 1, slot, 'a');
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_int_equal(dr_store_drop(&s.st, e), 0);
	put_data(slot, 1, 'a');
	publish(7, 1, slot);
	mem_flush(&s);
	assert_true(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_store_restart(&s);
	assert_true(mem_slot(&s, s.st.head, 7) == slot);
	end();
}

static void none_is_made_over_what_was_frozen_meanwhile(void **state)
{
	struct dr_map m = { .block = 7, .len = 1, .epoch = 1 };

	begin();
	mem_write(&s, 9, 1);
	assert_true(may(7));
	m.slot = take(1);
	assert_true(dr_store_freeze(&s.st));
	assert_int_equal(dr_store_claim(&s.st, buf, &m, 0), -EBUSY);
	assert_int_equal(s.st.group.nr, 0);
	dr_store_cancel_write(&s.st, m.slot, 1, false);
	end();
}

static void the_tail_passes_none_that_counts(void **state)
{
	u64 slot;

	/* Its table is merged before it is published. */
	begin();
	mem_write(&s, 9, 1);
	mem_flush(&s);
	slot = take(1);
	put_claim(7, 1, slot, 'a');
	put_data(slot, 1, 'a');
	mem_merge(&s);
	publish(7, 1, slot);
	assert_false(dr_store_recorded(&s.st) >= dr_store_bare(&s.st));
	mem_flush(&s);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 7) == slot);

	/* It is the first that the journal has of its table. */
	slot = claimed(11, 1);
	assert_true(dr_store_freeze(&s.st));
	assert_false(may(13));
	mem_merge(&s);
	slot = claimed(13, 1);
	mem_write(&s, 15, 1);
	assert_true(s.st.tail_known);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 13) == slot);
	end();
}

static void what_is_not_recorded_is_not_overtaken(void **state)
{
	u32 i;

	begin();
	assert_true(may(7));
	mem_write(&s, 7, 1);
	assert_true(!may(7) && may(8));
	mem_zero(&s, 8, 1);
	assert_false(may(8));
	mem_flush(&s);
	assert_true(may(7) && may(8));
	/* Nor while a record of another kind is due */
	s.st.ctl_state = DR_CTL_DRAINING;
	assert_false(may(9));
	s.st.ctl_state = DR_CTL_NONE;
	/* What was frozen is recorded first. */
	mem_write(&s, 20, 1);
	assert_true(dr_store_freeze(&s.st));
	assert_false(may(9));
	mem_flush(&s);
	assert_true(may(9));
	mem_merge(&s);
	for (i = 0; may(100 + i); i++)
		claimed(100 + i, 1);
	assert_true(dr_journal_used(&s.st.journal) ==
		    s.st.journal.blocks / 2);
	end();
}

/* A claim in the journal of an empty device */
static int forged(const struct dr_map *m, u32 crc, u64 claims)
{
	struct dr_disk_journal *d = (struct dr_disk_journal *)buf;
	struct dr_disk_claim *c = (struct dr_disk_claim *)d->data;
	u64 place = dr_journal_place(&s.st.journal, s.st.journal.seq);
	struct dr_journal j = s.st.journal;
	int r;

	memset(buf, 0, sizeof(buf));
	d->kind = cpu_to_le16(DR_JOURNAL_CLAIM);
	d->nr = cpu_to_le16(1);
	dr_map_encode(&c->map, m);
	c->crc = cpu_to_le32(crc);
	j.claims = claims;
	dr_journal_seal(&j, d, s.st.uuid);
	memcpy(mem_block(&s.m, place), buf, sizeof(buf));
	mem_store_stop(&s);
	r = mem_store_start(&s);
	if (r) {
		mem_store_stop(&s);
		memset(mem_block(&s.m, place), 0, DR_BLOCK_SIZE);
		assert_int_equal(mem_store_start(&s), 0);
	}
	return r;
}

static void forged_claims_are_refused(void **state)
{
	static const struct dr_map bad[] = {
		{ .block = 5, .len = 1, .epoch = 2, .slot = 9000 },
		{ .block = 5, .len = 1, .epoch = 0, .slot = 9000 },
		{ .block = 100000, .len = 1, .epoch = 1, .slot = 9000 },
		{ .block = 5, .len = DR_CLAIM_BLOCKS + 1, .epoch = 1,
		  .slot = 9000 },
		{ .block = 5, .len = 2, .epoch = 1, .slot = 39999 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = 20 },
		{ .block = 5, .len = 1, .epoch = 1, .slot = DR_SLOT_ZERO },
		{ .block = 5, .len = 1, .epoch = 1, .slot = DR_SLOT_ORIGIN },
	};
	struct dr_map m = { .block = 5, .len = 1, .epoch = 1, .slot = 9000 };
	u32 i;

	begin();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		put_data(9000, 1, 'a');
		assert_int_equal(forged(bad + i, data_crc(1, 'a'), 0), -EUCLEAN);
	}
	/* Void from somewhere in the future on */
	assert_int_equal(forged(&m, data_crc(1, 'a'), 1ULL << 60), -EUCLEAN);
	assert_int_equal(forged(&m, data_crc(1, 'b'), 0), 0);
	assert_true(mem_slot(&s, 1, 5) == DR_SLOT_ORIGIN);
	assert_int_equal(forged(&m, data_crc(1, 'a'), 0), 0);
	assert_true(mem_slot(&s, 1, 5) == 9000);
	end();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(it_counts_if_its_data_has_arrived),
		TEST(what_cannot_be_read_counts),
		TEST(a_flush_has_nothing_to_record),
		TEST(it_is_not_written_in_place_before_it_is_recorded),
		TEST(what_is_recorded_otherwise_needs_no_data),
		TEST(of_a_failed_write_it_ends_with_the_next_record),
		TEST(records_void_none_that_is_under_way),
		TEST(a_drop_voids_none_that_counts),
		TEST(none_is_made_over_what_was_frozen_meanwhile),
		TEST(the_tail_passes_none_that_counts),
		TEST(what_is_not_recorded_is_not_overtaken),
		TEST(forged_claims_are_refused),
	};

	return mem_tests("claim", tests);
}
