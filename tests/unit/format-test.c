// SPDX-License-Identifier: GPL-2.0
/*
 * format-test.c - checksums, headers, map entries.
 */
#include "mem-env.h"

/* The table-driven crc32c, which machines with the instruction never take */
#define crc32c crc32c_again
#include "port.c"
#undef crc32c

static void crc_of_known_text(void **state)
{
	assert_int_equal(~crc32c(~0u, "123456789", 9), 0xe3069283);
	assert_int_equal(~crc_table(~0u, (const u8 *)"123456789", 9),
			 0xe3069283);
	/* RFC 3720, B.4: 32 bytes of zeroes, and of ones */
	u8 buf[32] = {};

	assert_int_equal(~crc32c(~0u, buf, 32), 0x8a9136aa);
	memset(buf, 0xff, 32);
	assert_int_equal(~crc32c(~0u, buf, 32), 0x62a8ab43);
}

static void crc_continues_at_any_cut_and_alignment(void **state)
{
	u8 buf[80];
	u32 i, at, whole;

	for (i = 0; i < sizeof(buf); i++)
		buf[i] = i * 37 + 5;
	for (at = 0; at < 9; at++) {
		whole = crc32c(~0u, buf + at, 70);
		assert_int_equal(crc_table(~0u, buf + at, 70), whole);
		for (i = 0; i <= 70; i++)
			assert_int_equal(crc32c(crc32c(~0u, buf + at, i),
						buf + at + i, 70 - i), whole);
	}
}

static void map_entry_keeps_extreme_values(void **state)
{
	static const u64 blocks[] = { 0, 1, 0xffffffff, 1ULL << 32,
				      DR_ADDR_MASK };
	static const u64 slots[] = { 1, DR_SLOT_ORIGIN - 1, DR_SLOT_ORIGIN,
				     DR_SLOT_ZERO };
	static const u16 lens[] = { 1, 2, DR_RUN_MAX - 1, DR_RUN_MAX };
	struct dr_disk_map d;
	struct dr_map m, n;
	u32 i;

	for (i = 0; i < 5 * 4 * 4 * 2 * 2; i++) {
		m = (struct dr_map){
			.block = blocks[i % 5], .slot = slots[i / 5 % 4],
			.len = lens[i / 20 % 4], .flags = i / 80 % 2 ? 15 : 0,
			.epoch = i / 160 ? ~0u : 1,
		};
		dr_map_encode(&d, &m);
		dr_map_decode(&n, &d);
		assert_true(n.block == m.block && n.slot == m.slot);
		assert_true(n.len == m.len && n.flags == m.flags);
		assert_true(n.epoch == m.epoch);
		assert_true(dr_disk_map_block(&d) == m.block);
	}
}

static void map_entry_has_the_documented_bits(void **state)
{
	struct dr_map m = { .block = 0xab12345678, .slot = 0x1234567890,
			    .epoch = 0x0badcafe, .len = 0x124, .flags = 1 };
	static const u8 bytes[16] = {
		0x78, 0x56, 0x34, 0x12, 0xfe, 0xca, 0xad, 0x0b,
		0x90, 0x78, 0x56, 0x34, 0x12, 0x23, 0xb1, 0x1a,
	};
	struct dr_disk_map d;

	dr_map_encode(&d, &m);
	assert_memory_equal(&d, bytes, 16);
}

static void slots_advance_but_zero_and_origin_stay(void **state)
{
	assert_true(dr_slot_plus(256, 3, 16) == 304);
	assert_true(dr_slot_plus(DR_SLOT_ZERO, 3, 16) == DR_SLOT_ZERO);
	assert_true(dr_slot_plus(DR_SLOT_ORIGIN, 3, 16) == DR_SLOT_ORIGIN);
	assert_true(dr_slot_is_data(DR_SLOT_ORIGIN - 1));
}

static void header_accepts_what_was_sealed(void **state)
{
	static u8 buf[DR_BLOCK_SIZE], uuid[DR_UUID_LEN] = "0123456789abcde";
	const struct dr_disk_head *h = (void *)buf;
	u32 crc;

	memset(buf, 0xee, sizeof(buf));
	crc = dr_head_seal(buf, DR_TYPE_NODE, 77, 5, uuid);
	assert_null(dr_head_verify(buf, DR_TYPE_NODE, 77, uuid));
	assert_null(dr_head_verify(buf, DR_TYPE_NODE, 77, NULL));
	assert_int_equal(crc, le32_to_cpu(h->crc));
	assert_int_equal(le64_to_cpu(h->gen), 5);
	assert_int_equal(h->reserved0, 0);
	assert_int_equal(h->reserved1, 0);
	/* What is after the header belongs to the caller. */
	assert_int_equal(buf[sizeof(*h)], 0xee);
}

static void header_says_what_is_wrong(void **state)
{
	static u8 buf[DR_BLOCK_SIZE], uuid[DR_UUID_LEN] = "a";
	static const u8 other[DR_UUID_LEN] = "b";

	dr_head_seal(buf, DR_TYPE_NODE, 77, 5, uuid);
	assert_string_equal(dr_head_verify(buf, DR_TYPE_BITMAP, 77, uuid),
			    "is of another type");
	assert_string_equal(dr_head_verify(buf, DR_TYPE_NODE, 78, uuid),
			    "belongs to another place");
	assert_string_equal(dr_head_verify(buf, DR_TYPE_NODE, 77, other),
			    "belongs to another device");
	buf[4] ^= 1;
	assert_string_equal(dr_head_verify(buf, DR_TYPE_NODE, 77, uuid),
			    "no magic");
	buf[4] ^= 1;
	buf[4095] ^= 1;
	assert_string_equal(dr_head_verify(buf, DR_TYPE_NODE, 77, uuid),
			    "checksum mismatch");
}

static void header_notices_any_flipped_bit(void **state)
{
	static u8 buf[DR_BLOCK_SIZE], uuid[DR_UUID_LEN] = "a";
	u32 i;

	dr_head_seal(buf, DR_TYPE_NODE, 77, 5, uuid);
	for (i = 0; i < DR_BLOCK_SIZE; i++) {
		buf[i] ^= 1 << i % 8;
		assert_non_null(dr_head_verify(buf, DR_TYPE_NODE, 77, uuid));
		buf[i] ^= 1 << i % 8;
	}
	assert_null(dr_head_verify(buf, DR_TYPE_NODE, 77, uuid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(crc_of_known_text),
		TEST(crc_continues_at_any_cut_and_alignment),
		TEST(map_entry_keeps_extreme_values),
		TEST(map_entry_has_the_documented_bits),
		TEST(slots_advance_but_zero_and_origin_stay),
		TEST(header_accepts_what_was_sealed),
		TEST(header_says_what_is_wrong),
		TEST(header_notices_any_flipped_bit),
	};

	return mem_tests("format", tests);
}
