// SPDX-License-Identifier: GPL-2.0
/*
 * journal-test.c - the ring: chain, end, sessions.
 */
#include "mem-env.h"

#define RING	64u

static const u8 uuid[DR_UUID_LEN] = "journal";
static struct mem_env m;
static struct dr_journal w;	/* the writer's */
static struct dr_disk_journal buf;

static void begin(u64 first)
{
	mem_env_init(&m, DR_JOURNAL_START + RING);
	w = (struct dr_journal){ .blocks = RING, .session = 3, .seq = first,
				 .prev_crc = 0x1234, .tail_seq = first,
				 .tail_prev_crc = 0x1234 };
}

static void put(u16 kind, u16 nr)
{
	u64 place = dr_journal_place(&w, w.seq);

	memset(&buf, 0, sizeof(buf));
	buf.kind = cpu_to_le16(kind);
	buf.nr = cpu_to_le16(nr);
	dr_journal_seal(&w, &buf, uuid);
	assert_null(dr_head_verify(&buf, DR_TYPE_JOURNAL, place, uuid));
	memcpy(mem_block(&m, place), &buf, sizeof(buf));
}

/* How many blocks a reader finds; or an error */
static int count(void)
{
	struct dr_journal j = w;
	int r, n = 0;

	j.seq = j.tail_seq;
	j.prev_crc = j.tail_prev_crc;
	while ((r = dr_journal_read(&j, &m.env, uuid, &buf)) == 1) {
		assert_true(le64_to_cpu(buf.seq) == j.seq - 1);
		n++;
	}
	if (!r) {
		assert_true(j.seq == j.tail_seq + n);
		if (n == dr_journal_used(&w))
			assert_int_equal(j.prev_crc, w.prev_crc);
	}
	return r ? r : n;
}

static void an_empty_journal_ends_at_once(void **state)
{
	begin(0);
	assert_int_equal(count(), 0);
	assert_int_equal(m.reports, 0);
	mem_env_exit(&m);
}

static void blocks_are_read_back_in_order(void **state)
{
	u32 i;

	begin(0);
	for (i = 0; i < 10; i++)
		put(1 + i % 3, 1);
	assert_int_equal(count(), 10);
	assert_int_equal(dr_journal_used(&w), 10);
	mem_env_exit(&m);
}

static void the_ring_wraps_around(void **state)
{
	u32 i;

	begin(1000 * RING + RING - 5);
	assert_true(dr_journal_place(&w, w.seq) ==
		    DR_JOURNAL_START + RING - 5);
	for (i = 0; i < 12; i++)
		put(DR_JOURNAL_MAP, 1);
	assert_true(dr_journal_place(&w, w.seq) == DR_JOURNAL_START + 7);
	assert_int_equal(count(), 12);
	mem_env_exit(&m);
}

static void a_full_ring_is_read_once(void **state)
{
	u32 i;

	begin(17);
	for (i = 0; i < RING; i++)
		put(DR_JOURNAL_MAP, 1);
	assert_int_equal(count(), RING);
	mem_env_exit(&m);
}

static void it_ends_before_a_torn_block(void **state)
{
	u32 i, at;
	u8 *p;

	begin(0);
	for (i = 0; i < 10; i++)
		put(DR_JOURNAL_MAP, 200);
	for (at = 0; at < 8; at++) {
		/* One sector of it still has what was there before. */
		u8 old[512];

		p = (u8 *)mem_block(&m, DR_JOURNAL_START + 6) + 512 * at;
		memcpy(old, p, 512);
		memset(p, 0x99, 512);
		assert_int_equal(count(), 6);
		memcpy(p, old, 512);
		assert_int_equal(count(), 10);
	}
	assert_int_equal(m.reports, 0);
	mem_env_exit(&m);
}

static void a_block_of_the_ring_before_is_not_taken(void **state)
{
	struct dr_journal old;
	u32 i;

	begin(0);
	for (i = 0; i < RING; i++)
		put(DR_JOURNAL_MAP, 1);
	/* The tail moves on; then four more. */
	w.tail_seq = w.seq;
	w.tail_prev_crc = w.prev_crc;
	for (i = 0; i < 4; i++)
		put(DR_JOURNAL_MAP, 2);
	assert_int_equal(count(), 4);
	/* A block of another history at the same place and number */
	old = w;
	old.prev_crc ^= 1;
	w = old;
	put(DR_JOURNAL_MAP, 1);
	assert_int_equal(count(), 4);
	mem_env_exit(&m);
}

static void a_stale_session_is_not_taken(void **state)
{
	begin(0);
	put(DR_JOURNAL_MAP, 1);
	put(DR_JOURNAL_MAP, 1);
	assert_int_equal(count(), 2);
	w.session++;
	assert_int_equal(count(), 0);
	w.session -= 2;
	assert_int_equal(count(), 0);
	mem_env_exit(&m);
}

static void another_device_s_journal_is_not_taken(void **state)
{
	struct dr_disk_journal *d;

	begin(0);
	put(DR_JOURNAL_MAP, 1);
	d = mem_block(&m, DR_JOURNAL_START);
	dr_head_seal(d, DR_TYPE_JOURNAL, DR_JOURNAL_START, 0,
		     (const u8 *)"another device..");
	assert_int_equal(count(), 0);
	dr_head_seal(d, DR_TYPE_NODE, DR_JOURNAL_START, 0, uuid);
	assert_int_equal(count(), 0);
	mem_env_exit(&m);
}

static void impossible_contents_are_an_error(void **state)
{
	static const struct { u16 kind, nr; int want; } c[] = {
		{ DR_JOURNAL_MAP, 0, 1 }, { DR_JOURNAL_MAP, 251, 1 },
		{ DR_JOURNAL_MAP, 252, -EUCLEAN },
		{ DR_JOURNAL_CTL, 1, 1 }, { DR_JOURNAL_CTL, 0, -EUCLEAN },
		{ DR_JOURNAL_CTL, 2, -EUCLEAN },
		{ DR_JOURNAL_RANGE, 167, 1 },
		{ DR_JOURNAL_RANGE, 168, -EUCLEAN },
		{ DR_JOURNAL_CLAIM, 1, 1 }, { DR_JOURNAL_CLAIM, 0, -EUCLEAN },
		{ DR_JOURNAL_CLAIM, 2, -EUCLEAN },
		{ 0, 1, -EUCLEAN }, { 5, 1, -EUCLEAN }, { 0xffff, 1, -EUCLEAN },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(c); i++) {
		begin(5);
		put(c[i].kind, c[i].nr);
		assert_int_equal(count(), c[i].want);
		assert_int_equal(m.reports, c[i].want < 0);
		mem_env_exit(&m);
	}
}

static void an_unreadable_block_is_an_error_not_the_end(void **state)
{
	begin(0);
	put(DR_JOURNAL_MAP, 1);
	put(DR_JOURNAL_MAP, 1);
	m.fail_read = 2;
	assert_int_equal(count(), -EIO);
	assert_int_equal(m.reports, 1);
	mem_env_exit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_journal_ends_at_once),
		TEST(blocks_are_read_back_in_order),
		TEST(the_ring_wraps_around),
		TEST(a_full_ring_is_read_once),
		TEST(it_ends_before_a_torn_block),
		TEST(a_block_of_the_ring_before_is_not_taken),
		TEST(a_stale_session_is_not_taken),
		TEST(another_device_s_journal_is_not_taken),
		TEST(impossible_contents_are_an_error),
		TEST(an_unreadable_block_is_an_error_not_the_end),
	};

	return mem_tests("journal", tests);
}
