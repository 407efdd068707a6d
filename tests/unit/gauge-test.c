// SPDX-License-Identifier: GPL-2.0
/*
 * gauge-test.c - levels of free space: marks, events, hysteresis.
 */
#include "gauge.h"
#include "mem-env.h"

static struct dr_space sp;
static struct dr_gauge g;

static void device(u64 nr_blocks, u64 reserve, u32 slot_blocks)
{
	memset(&g, 0, sizeof(g));
	sp = (struct dr_space){ .nr_blocks = nr_blocks, .reserve = reserve,
				.slot_blocks = slot_blocks,
				.free = nr_blocks };
}

/* Return: was it told? */
static bool at(u64 free)
{
	sp.free = free;
	return dr_gauge_look(&g, &sp);
}

static void marks_lie_above_the_reserve(void **state)
{
	u64 sizes[] = { 2048, 10240, 1u << 18, 1ULL << 28 }, nr;
	u32 i, slot;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		for (slot = 1; slot <= 256; slot *= 4) {
			nr = sizes[i];
			device(nr, clamp_t(u64, nr / 32, 256, 65536), slot);
			dr_gauge_set(&g, &sp, 0, 0);
			assert_true(g.critical >= sp.reserve + 4 * slot);
			assert_true(g.low >= g.critical);
			assert_true(g.low >= nr / 16);
			dr_gauge_set(&g, &sp, 10, 2);
			assert_true(g.low == sp.reserve + nr / 10);
			assert_true(g.critical == sp.reserve + nr / 50);
			dr_gauge_set(&g, &sp, 1, 0);
			assert_true(g.low == sp.reserve + nr / 100);
			assert_true(g.critical <= g.low);
			dr_gauge_set(&g, &sp, 0, 90);
			assert_true(g.low == g.critical);
		}
}

/* Down at once and once; up with some slack, and then down again. */
static void each_mark_is_told_once_a_crossing(void **state)
{
	u64 slack = 100;
	u32 round;

	device(12800, 400, 1);
	dr_gauge_set(&g, &sp, 10, 2);
	for (round = 0; round < 3; round++) {
		assert_false(at(g.low));
		assert_true(at(g.low - 1));
		assert_int_equal(g.level, DR_LEVEL_LOW);
		assert_false(at(g.low + slack - 1));
		assert_int_equal(g.level, DR_LEVEL_LOW);
		assert_false(at(g.low - 1));
		assert_true(at(g.critical - 1));
		assert_int_equal(g.level, DR_LEVEL_CRITICAL);
		assert_false(at(g.critical + slack - 1));
		assert_false(at(g.critical - 1));
		assert_int_equal(g.level, DR_LEVEL_CRITICAL);
		assert_false(at(g.critical + slack));
		assert_int_equal(g.level, DR_LEVEL_LOW);
		assert_true(at(g.critical - 1));
		assert_false(at(g.low + slack));
		assert_int_equal(g.level, DR_LEVEL_OK);
	}
	/* Two at once are one event. */
	assert_true(at(g.critical - 1));
	assert_int_equal(g.level, DR_LEVEL_CRITICAL);
}

/* Room that is found by luck makes no event, nor ends what was told. */
static void full_lasts_until_there_is_room(void **state)
{
	device(12800, 400, 1);
	dr_gauge_set(&g, &sp, 0, 0);
	assert_true(at(400));
	assert_true(dr_gauge_refused(&g, &sp));
	assert_false(dr_gauge_refused(&g, &sp));
	assert_false(at(450));
	assert_false(at(400));
	assert_false(dr_gauge_refused(&g, &sp));
	assert_int_equal(g.level, DR_LEVEL_FULL);
	assert_false(at(500));
	assert_int_equal(g.level, DR_LEVEL_CRITICAL);
	assert_true(dr_gauge_refused(&g, &sp));
	assert_false(at(12000));
	assert_int_equal(g.level, DR_LEVEL_OK);
	/* Also where much is free, but in pieces, or not for this one */
	assert_true(dr_gauge_refused(&g, &sp));
	assert_int_equal(g.level, DR_LEVEL_FULL);
	assert_false(at(12099));
	assert_int_equal(g.level, DR_LEVEL_FULL);
	assert_false(at(12100));
	assert_int_equal(g.level, DR_LEVEL_OK);
}

/* Other marks count at once. */
static void marks_can_be_set_while_it_is_short(void **state)
{
	device(10000, 300, 1);
	dr_gauge_set(&g, &sp, 0, 0);
	assert_false(at(2000));
	dr_gauge_set(&g, &sp, 50, 20);
	assert_true(at(2000));
	assert_int_equal(g.level, DR_LEVEL_CRITICAL);
	dr_gauge_set(&g, &sp, 0, 0);
	assert_false(at(2000));
	assert_int_equal(g.level, DR_LEVEL_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(marks_lie_above_the_reserve),
		TEST(each_mark_is_told_once_a_crossing),
		TEST(full_lasts_until_there_is_room),
		TEST(marks_can_be_set_while_it_is_short),
	};

	return mem_tests("gauge", tests);
}
