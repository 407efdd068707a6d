// SPDX-License-Identifier: GPL-2.0
/*
 * pass-test.c - which blocks a pass visits (R3), and that it forgets none.
 */
#include "mem-env.h"

#define BASE	3000u	/* blocks of the first epoch */
#define STEP	100u	/* runs of each of the others */

static struct mem_store s;

static bool always(void *ctx)
{
	(void)ctx;
	return true;
}

/* STEP blocks, ten apart */
static void each_tenth(u32 at)
{
	u32 i;

	for (i = 0; i < STEP; i++)
		mem_write(&s, 10 * i + at, 1);
}

/*
 * Epoch 1 has BASE blocks, 2 and 3 have STEP of these each, the second of them
 * all of their own, and the head has none.
 */
static void begin(void)
{
	u32 e;

	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	for (e = 2; e <= 3; e++) {
		each_tenth(e);
		mem_checkpoint(&s, "");
	}
	mem_merge(&s);
}

static void end(void)
{
	mem_store_exit(&s);
}

static struct dr_epoch *epoch(u32 id)
{
	return dr_epochs_find(&s.st.epochs, id);
}

/* Blocks that have a slot, as epoch 3 shows them */
static u32 shown(void)
{
	u32 b, n = 0;

	for (b = 0; b < BASE; b++)
		n += mem_slot(&s, 3, b) != 0;
	return n;
}

/* Blocks of all versions that there are, in sound trees */
static u64 kept(void)
{
	struct dr_check ck = {};

	assert_int_equal(dr_check(&s.st, &ck), 0);
	assert_int_equal(ck.errors, 0);
	return ck.blocks;
}

/* One step, which ends as soon as it may, since somebody waits. */
static int step(void)
{
	int r;

	s.st.env.waited_for = always;
	r = dr_reclaim_step(&s.st);
	s.st.env.waited_for = NULL;
	assert_true(r >= 0);
	dr_store_release(&s.st, false);
	return r;
}

static void a_drop_of_the_oldest_visits_the_epoch_above(void **state)
{
	u64 free;

	begin();
	mem_drop(&s, 1);
	assert_int_equal(step(), 1);
	assert_false(epoch(1)->pass & DR_PASS_VISIT);
	assert_true(epoch(1)->pass & DR_PASS_SERVED);
	assert_true(epoch(2)->pass & DR_PASS_VISIT);
	assert_false(epoch(3)->pass & DR_PASS_VISIT);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE + STEP);
	assert_false(epoch(1)->flags & (DR_EPOCH_VISIT | DR_EPOCH_SPREAD));
	/* The next one, with a dropped one below that holds much */
	free = s.st.space.free;
	mem_drop(&s, 2);
	assert_int_equal(step(), 1);
	assert_false(epoch(1)->pass & DR_PASS_VISIT);
	assert_false(epoch(2)->pass & DR_PASS_VISIT);
	assert_true(epoch(3)->pass & DR_PASS_VISIT);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE);
	assert_true(s.st.space.free >= free + STEP);
	assert_int_equal(shown(), BASE);
	end();
}

static void a_small_epoch_below_a_large_one_is_visited_itself(void **state)
{
	begin();
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_drop(&s, 3);
	assert_int_equal(step(), 1);
	assert_true(epoch(3)->pass & DR_PASS_VISIT);
	assert_false(epoch(4)->pass & DR_PASS_VISIT);
	mem_reclaim(&s);
	assert_null(epoch(3));
	assert_int_equal(kept(), 2 * BASE + STEP);
	end();
}

static void steps(void)
{
	while (step() == 1)
		;
}

/* What somebody writes during a pass makes none that it has begun wait (R6). */
static void a_write_meanwhile_spares_nothing(void **state)
{
	begin();
	each_tenth(5);
	mem_merge(&s);
	mem_rollback(&s, 3);
	mem_drop(&s, 4);
	assert_int_equal(step(), 1);
	assert_true(epoch(4)->pass & DR_PASS_VISIT);
	mem_write(&s, 7, 1);
	steps();
	assert_null(epoch(4));
	mem_merge(&s);
	assert_int_equal(kept(), BASE + 2 * STEP + 1);
	end();
}

/*
 * What hides a version comes into the trees after the epoch that it is of was
 * dropped, too.
 */
static void a_merge_visits_below_what_was_dropped(void **state)
{
	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_write(&s, 0, STEP);
	mem_checkpoint(&s, "");
	mem_drop(&s, 1);
	steps();
	assert_int_equal(kept(), BASE);
	/* This is less to visit for the next drop than what that has itself. */
	mem_write(&s, BASE - 1, 1);
	mem_checkpoint(&s, "");
	mem_drop(&s, 2);
	steps();
	mem_merge(&s);
	assert_int_equal(kept(), BASE + STEP + 1);
	steps();
	assert_int_equal(kept(), BASE);
	end();
}

/* The end of a branch has nothing above it that could be visited. */
static void a_branch_that_ends_is_visited_itself(void **state)
{
	begin();
	mem_rollback(&s, 1);
	mem_merge(&s);
	mem_drop(&s, 4);	/* what the head was until then */
	mem_drop(&s, 3);
	mem_drop(&s, 2);
	mem_reclaim(&s);
	assert_null(epoch(2));
	assert_null(epoch(3));
	assert_int_equal(kept(), BASE);
	end();
}

static void what_is_dropped_during_a_pass_waits_for_the_next(void **state)
{
	begin();
	mem_drop(&s, 1);
	assert_int_equal(step(), 1);
	mem_drop(&s, 2);
	while (s.st.reclaim_pass)
		step();
	assert_false(epoch(1)->flags & DR_EPOCH_VISIT);
	assert_true(epoch(2)->flags & DR_EPOCH_VISIT);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE);
	end();
}

/* What a crash finds on the disk leads to the same end. */
static void a_pass_begins_again_after_a_crash(void **state)
{
	begin();
	mem_drop(&s, 1);
	mem_drop(&s, 2);
	assert_int_equal(step(), 1);
	mem_store_restart(&s);
	assert_true(epoch(2)->flags & DR_EPOCH_VISIT);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE);
	end();
}

/* Its flags are not lost with it, though the pass has left it empty. */
static void what_is_dropped_while_others_go_up_to_it_stays(void **state)
{
	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	mem_write(&s, 2900, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 2900, 1);
	each_tenth(3);
	mem_checkpoint(&s, "");
	each_tenth(5);
	mem_checkpoint(&s, "");
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_drop(&s, 1);
	mem_drop(&s, 4);
	assert_int_equal(step(), 1);
	assert_true(epoch(2)->pass & DR_PASS_VISIT);
	mem_drop(&s, 2);
	mem_reclaim(&s);
	assert_int_equal(kept(), 2 * BASE);
	end();
}

/* A leaf is dropped whose dropped parent has another, retained branch. */
static void what_a_drop_says_of_those_below_survives_a_crash(void **state)
{
	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	each_tenth(7);
	mem_checkpoint(&s, "");
	mem_rollback(&s, 1);
	each_tenth(2);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_drop(&s, 3);
	mem_reclaim(&s);
	mem_drop(&s, 1);
	mem_reclaim(&s);
	mem_drop(&s, 2);
	assert_int_equal(step(), 1);
	mem_store_restart(&s);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE);
	end();
}

/*
 * What hides versions is in the journal alone when a step of reclaim is committed,
 * and the crash comes then: the superblock knows a head that is newer than what
 * the journal brings.
 */
static void hidden_after_a_crash(bool discarded)
{
	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	if (discarded)
		mem_zero(&s, 0, STEP);
	else
		mem_write(&s, 0, STEP);
	mem_checkpoint(&s, "");
	mem_drop(&s, 1);
	steps();
	assert_int_equal(kept(), BASE);
	mem_store_restart(&s);
	mem_reclaim(&s);
	assert_int_equal(kept(), BASE);
	end();
}

static void a_merge_after_a_crash_visits_below_what_was_written(void **state)
{
	hidden_after_a_crash(false);
}

static void a_merge_after_a_crash_visits_below_what_was_discarded(void **state)
{
	hidden_after_a_crash(true);
}

static void an_epoch_left_empty_goes_after_a_crash_as_well(void **state)
{
	u32 i;

	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	for (i = 0; i < 50; i++)
		mem_write(&s, 10 * i + 2, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 10000, BASE);
	mem_checkpoint(&s, "");
	each_tenth(2);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_drop(&s, 1);
	mem_reclaim(&s);
	mem_drop(&s, 2);
	assert_int_equal(step(), 1);
	mem_store_restart(&s);
	mem_reclaim(&s);
	assert_null(epoch(1));
	end();
}

/* Many at once cost a few passes, not one each. */
static void a_chain_that_is_dropped_takes_few_passes(void **state)
{
	u32 i, passes = 0;

	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 50000, 40000);
	mem_write(&s, 0, BASE);
	for (i = 1; i <= 3000; i++) {
		mem_checkpoint(&s, "");
		mem_write(&s, i * 7 % 1000, 1);
	}
	mem_checkpoint(&s, "");
	mem_merge(&s);
	for (i = 1; i <= 3000; i++) {
		mem_drop(&s, i);
		if (i % 50 == 0)
			mem_merge(&s);
	}
	while (dr_reclaim_pending(&s.st)) {
		passes += !s.st.reclaim_pass;
		assert_true(passes <= 4);
		step();
	}
	assert_int_equal(kept(), BASE);
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_drop_of_the_oldest_visits_the_epoch_above),
		TEST(a_small_epoch_below_a_large_one_is_visited_itself),
		TEST(a_write_meanwhile_spares_nothing),
		TEST(a_merge_visits_below_what_was_dropped),
		TEST(a_branch_that_ends_is_visited_itself),
		TEST(what_is_dropped_during_a_pass_waits_for_the_next),
		TEST(a_pass_begins_again_after_a_crash),
		TEST(what_is_dropped_while_others_go_up_to_it_stays),
		TEST(what_a_drop_says_of_those_below_survives_a_crash),
		TEST(a_merge_after_a_crash_visits_below_what_was_written),
		TEST(a_merge_after_a_crash_visits_below_what_was_discarded),
		TEST(an_epoch_left_empty_goes_after_a_crash_as_well),
		TEST(a_chain_that_is_dropped_takes_few_passes),
	};

	return mem_tests("pass", tests);
}
