// SPDX-License-Identifier: GPL-2.0
/*
 * retain-store-test.c - what a policy does to a device (K4, K5), and what it
 * commits to the origin by itself.
 */
#include "mem-env.h"
#include "retain.h"
#include "start.h"

#define EPOCHS	40u

static struct mem_store s;
static struct dr_policy p;

/* Sealed one second after another; the head is the next one */
static void begin(const char *policy)
{
	u32 i, at;

	assert_null(dr_policy_parse(&p, policy, &at));
	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 64, 32000);
	for (i = 1; i <= EPOCHS; i++) {
		mem_write(&s, i, 1);
		assert_int_equal(mem_checkpoint(&s, ""), i);
	}
}

static void end(void)
{
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static struct dr_epoch *epoch(u32 id)
{
	return dr_epochs_find(&s.st.epochs, id);
}

static void what_is_older_than_the_lag_is_committed(void **state)
{
	begin("lag=10s");
	assert_int_equal(dr_retain_commit(&s.st, &p), EPOCHS - 10);
	p.lag = 0;
	assert_int_equal(dr_retain_commit(&s.st, &p), 0);
	end();
}

static void suspect_epochs_are_not_committed(void **state)
{
	begin("lag=10s around=2");
	epoch(20)->marks = DR_MARK_SUSPECT;
	assert_int_equal(dr_retain_commit(&s.st, &p), 17);
	p.around = 0;
	assert_int_equal(dr_retain_commit(&s.st, &p), 19);
	/* Nor anything with a pinned one below it, which may be committed itself */
	epoch(20)->marks = DR_MARK_PINNED;
	assert_int_equal(dr_retain_commit(&s.st, &p), 20);
	epoch(EPOCHS - 2)->marks = DR_MARK_SUSPECT;
	assert_int_equal(dr_retain_commit(&s.st, &p), 20);
	end();
}

/* Each commit costs: a sixteenth of the lag is its pace. */
static void commits_by_policy_have_a_pace(void **state)
{
	begin("lag=32s");
	assert_int_equal(dr_retain_commit(&s.st, &p), 8);
	s.st.sb.base_epoch = cpu_to_le32(7);
	s.st.sb.base_time = cpu_to_le64(epoch(7)->time);
	assert_int_equal(dr_retain_commit(&s.st, &p), 0);
	s.st.sb.base_epoch = cpu_to_le32(6);
	s.st.sb.base_time = cpu_to_le64(epoch(6)->time);
	assert_int_equal(dr_retain_commit(&s.st, &p), 8);
	end();
}

static void who_needs_the_base_keeps_it(void **state)
{
	static const u8 modes[] = { DR_START_KEEP, DR_START_DISCARD };
	u32 i;

	begin("lag=10s");
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		s.st.start_mode = modes[i];
		assert_int_equal(dr_retain_commit(&s.st, &p), 0);
		s.st.epochs.start = 5;
		assert_true(dr_retain_commit(&s.st, &p) > 0);
		s.st.epochs.start = 0;
	}
	s.st.start_mode = DR_START_ORDINARY;
	s.st.base_held = 1;
	assert_int_equal(dr_retain_commit(&s.st, &p), 0);
	s.st.base_held = 0;
	assert_int_equal(dr_retain_commit(&s.st, &p), EPOCHS - 10);
	end();
}

/* It counts on what it has looked at. */
static void nothing_is_dropped_while_a_replay_is_open(void **state)
{
	u32 nr, ids[4];

	begin("newest=1");
	mem_merge(&s);
	assert_true(dr_replay_begin(&s.st) > 0);
	assert_int_equal(dr_retain_drop(&s.st, &p, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(dr_retain_drop_oldest(&s.st, &p, 4, ids, &nr), 0);
	assert_int_equal(nr, 0);
	assert_int_equal(dr_drop_now(&s.st, 3), -EBUSY);
	dr_replay_end(&s.st);
	mem_store_restart(&s);
	assert_int_equal(dr_retain_drop(&s.st, &p, &nr), 0);
	assert_int_equal(nr, EPOCHS - 1);
	dr_store_release(&s.st, false);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_older_than_the_lag_is_committed),
		TEST(suspect_epochs_are_not_committed),
		TEST(commits_by_policy_have_a_pace),
		TEST(who_needs_the_base_keeps_it),
		TEST(nothing_is_dropped_while_a_replay_is_open),
	};

	return mem_tests("retain-store", tests);
}
