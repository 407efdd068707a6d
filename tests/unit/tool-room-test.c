// SPDX-License-Identifier: GPL-2.0
/*
 * tool-room-test.c - is there room on the delta for a recovery?
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "recover/room.h"

#define MIB	(1024u * 1024u)
#define TIB	(1024ull * 1024 * MIB)

static uint64_t needed(uint64_t content, uint64_t items, uint64_t folders,
		       uint64_t block, uint64_t device)
{
	struct room_use use = { content, items, folders };

	return room_needed(&use, block, device);
}

static void grows_with_what_is_written(void **state)
{
	uint64_t few = needed(10 * MIB, 100, 10, 4096, TIB);

	/* content and something for metadata, but no multiple of it */
	assert_true(few > 10 * MIB && few < 20 * MIB);
	assert_true(needed(20 * MIB, 100, 10, 4096, TIB) == few + 10 * MIB);
	assert_true(needed(10 * MIB, 101, 10, 4096, TIB) > few);
}

/* Each piece may end within a block; a journal is no longer than it is. */
static void blocks_and_journal(void **state)
{
	uint64_t many = needed(0, 1000000, 1000, 4096, TIB);

	assert_true(needed(MIB, 256, 1, 65536, TIB) >= 256 * 61440 + MIB);
	assert_true(many < 1000000ull * 600 + 80 * MIB);
}

/* Small files of a folder lie side by side; what is in others is elsewhere. */
static void large_blocks(void **state)
{
	/* many in few folders: not a block for each of them */
	assert_in_range(needed(10000 * 4096, 10000, 10, MIB, TIB), 100 * MIB,
			1000 * MIB);
	/* each in a folder of its own: the file's, the folder's, the inode's */
	assert_true(needed(1000 * 4096, 1000, 1000, MIB, TIB) >=
		    3000ull * (MIB - 4096));
	/* large ones: no more for it than for small blocks, by a little */
	assert_in_range(needed(4096ull * MIB, 4, 1, MIB, TIB),
			4096ull * MIB, 4096ull * MIB + 30 * MIB);
	assert_true(needed(MIB, 1000, 100, MIB, TIB) >
		    needed(MIB, 1000, 100, 65536, TIB));
	assert_true(needed(MIB, 1000, 100, 65536, TIB) >
		    needed(MIB, 1000, 100, 4096, TIB));
}

static void no_more_than_the_device(void **state)
{
	assert_in_range(needed(0, 100000, 100, MIB, 512 * MIB), 512 * MIB,
			540 * MIB);
	assert_in_range(needed(TIB, UINT32_MAX, 1, 4096, 512 * MIB),
			512 * MIB, 540 * MIB);
}

static void free_is_less_than_the_rest(void **state)
{
	struct device_status s = { .used = 100, .total = 1000, .reserve = 60 };

	assert_int_equal(room_free(&s), 840 * 4096);
	s.used = 950;
	assert_int_equal(room_free(&s), 0);
	s.used = UINT32_MAX;
	assert_int_equal(room_free(&s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_with_what_is_written),
		cmocka_unit_test(blocks_and_journal),
		cmocka_unit_test(large_blocks),
		cmocka_unit_test(no_more_than_the_device),
		cmocka_unit_test(free_is_less_than_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
