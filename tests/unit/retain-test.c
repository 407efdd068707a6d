// SPDX-License-Identifier: GPL-2.0
/*
 * retain-test.c - policies, as text and applied (K1-K6).
 */
#include "mem-env.h"
#include "retain.h"

#define HOUR	3600
#define DAY	(24 * HOUR)
#define NOW	1795000000LL	/* 2026-11-18 11:06:40 UTC, a Wednesday */

static struct mem_env m;
static struct dr_epochs t;
static struct dr_policy p;
static u8 why[4096];
static u32 head;

static void begin(void)
{
	mem_env_init(&m, 1);
	memset(&t, 0, sizeof(t));
	head = 0;
}

static void end(void)
{
	dr_epochs_exit(&t, &m.env);
	mem_env_exit(&m);
}

static struct dr_epoch *add(u32 parent, s64 time)
{
	u32 id = t.nr ? t.e[t.nr - 1].id + 1 : 1;
	struct dr_epoch *e;

	assert_int_equal(dr_epochs_reserve(&t, &m.env, 1), 0);
	e = dr_epochs_add(&t, id, parent, DR_EPOCH_SEALED,
			  DR_MADE_BY_CHECKPOINT);
	e->time = time;
	return e;
}

/* A chain of @nr epochs, the last sealed at NOW, and a head on top of it */
static void chain(u32 nr, u32 seconds)
{
	u32 i;

	for (i = 0; i < nr; i++)
		add(i, NOW - (s64)(nr - 1 - i) * seconds);
	add(nr, NOW)->state = DR_EPOCH_HEAD;
	head = nr + 1;
}

static struct dr_epoch *epoch(u32 id)
{
	return dr_epochs_find(&t, id);
}

static void apply(const char *text)
{
	u32 at;

	assert_null(dr_policy_parse(&p, text, &at));
	dr_retain(&t, &p, head, why);
}

static u8 fate(u32 id)
{
	return why[dr_epochs_from(&t, id)];
}

static u32 count(u8 reason)
{
	u32 i, n = 0;

	for (i = 0; i < t.nr; i++)
		n += why[i] == reason;
	return n;
}

static void text_is_read(void **state)
{
	u32 at;

	assert_null(dr_policy_parse(&p, "", &at));
	assert_false(p.drops);
	assert_int_equal(p.around, 1);
	assert_null(dr_policy_parse(&p, "every=10m  written=2G around=3 ", &at));
	assert_false(p.drops);
	assert_int_equal(p.every, 600);
	assert_int_equal(p.written, 2048);
	assert_int_equal(p.around, 3);
	assert_null(dr_policy_parse(&p, "newest=7 hourly=48 monthly=12", &at));
	assert_true(p.drops);
	assert_int_equal(p.newest, 7);
	assert_int_equal(p.keep[DR_PERIOD_HOUR], 48);
	assert_int_equal(p.keep[DR_PERIOD_MONTH], 12);
	assert_int_equal(p.low, 0);
	assert_null(dr_policy_parse(&p, "critical=3 low=12", &at));
	assert_false(p.drops);
	assert_int_equal(p.low, 12);
	assert_int_equal(p.critical, 3);
	assert_null(dr_policy_parse(&p, "critical=50", &at));
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct { const char *text, *wrong; u32 at; } bad[] = {
		{ "newest=3 newest=4", "given twice", 9 },
		{ "newest", "unknown word", 0 },
		{ "  yearly=3", "unknown word", 2 },
		{ "newest=", "a number is needed", 0 },
		{ "newest=x", "a number is needed", 0 },
		{ "newest=0", "the number is too small or too large", 0 },
		{ "newest=3d", "a number without a unit is needed", 0 },
		{ "every=3y", "the unit is not s, m, h, d or w", 0 },
		{ "every=3dd", "the unit is not s, m, h, d or w", 0 },
		{ "every=400d", "the number is too small or too large", 0 },
		{ "every=99999999999999999999999", "the number is too small or too large", 0 },
		{ "every=4000000000w", "the number is too small or too large", 0 },
		{ "daily=2 written=5k", "the unit is not M, G or T", 8 },
		{ "around=33", "the number is too small or too large", 0 },
		{ "low=5%", "a number without a unit is needed", 0 },
		{ "low=100", "the number is too small or too large", 0 },
		{ "low=5 critical=5", "critical is not below low", 6 },
		{ "critical=9 low=8", "critical is not below low", 11 },
	};
	char text[300];
	u32 i, at;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_string_equal(dr_policy_parse(&p, bad[i].text, &at),
				    bad[i].wrong);
		assert_int_equal(at, bad[i].at);
	}
	memset(text, ' ', sizeof(text));
	text[256] = '\0';
	assert_string_equal(dr_policy_parse(&p, text, &at), "too long");
	text[255] = '\0';
	assert_null(dr_policy_parse(&p, text, &at));
}

static void without_a_policy_all_stay(void **state)
{
	begin();
	chain(10, HOUR);
	apply("every=60s");
	assert_int_equal(count(DR_KEEP_ALL), 10);
	assert_int_equal(fate(head), DR_KEEP_STATE);
	end();
}

static void the_newest_are_those_the_head_stands_on(void **state)
{
	begin();
	chain(10, HOUR);
	/* a branch that was left */
	add(8, NOW - 10);
	add(t.nr, NOW - 5);
	apply("newest=3");
	assert_int_equal(count(DR_KEEP_NEWEST), 3);
	assert_int_equal(fate(10), DR_KEEP_NEWEST);
	assert_int_equal(fate(8), DR_KEEP_NEWEST);
	assert_int_equal(fate(7), DR_KEEP_NOT);
	assert_int_equal(fate(12), DR_KEEP_NOT);
	end();
}

static void of_each_period_the_last_one_stays(void **state)
{
	begin();
	chain(200, HOUR / 4);	/* 50 hours, to 11:06:40 */
	apply("hourly=10");
	/* 11:06:40, and the last of each hour before: x:51:40 */
	assert_int_equal(fate(200), DR_KEEP_NEWEST);
	assert_int_equal(count(DR_KEEP_HOUR), 9);
	assert_int_equal(fate(199), DR_KEEP_HOUR);
	assert_int_equal(fate(198), DR_KEEP_NOT);
	assert_int_equal(fate(195), DR_KEEP_HOUR);
	assert_int_equal(fate(199 - 4 * 8), DR_KEEP_HOUR);
	assert_int_equal(fate(199 - 4 * 9), DR_KEEP_NOT);
	apply("daily=2 hourly=2");
	/* The day before: its last one, 23:51:40 */
	assert_int_equal(count(DR_KEEP_DAY), 1);
	assert_int_equal(fate(199 - 4 * 11), DR_KEEP_DAY);
	end();
}

static void weeks_begin_on_mondays_and_months_on_the_first(void **state)
{
	s64 monday = NOW - 2 * DAY - (11 * HOUR + 400);
	s64 first = NOW - 17 * DAY - (11 * HOUR + 400);

	begin();
	add(0, first - 1);	/* October */
	add(1, first);		/* November 1st, a Sunday */
	add(2, monday - 1);
	add(3, monday);
	add(4, NOW);
	add(5, NOW)->state = DR_EPOCH_HEAD;
	head = 6;
	apply("newest=1 weekly=1");
	assert_int_equal(count(DR_KEEP_WEEK), 0);
	apply("newest=1 weekly=2");
	assert_int_equal(fate(4), DR_KEEP_NOT);
	assert_int_equal(fate(3), DR_KEEP_WEEK);
	apply("newest=1 monthly=2");
	assert_int_equal(fate(1), DR_KEEP_MONTH);
	assert_int_equal(count(DR_KEEP_MONTH), 1);
	end();
}

/* K3: what it keeps of a period that is over stays the same, run after run */
static void to_apply_it_again_and_again_is_to_apply_it_once(void **state)
{
	u32 i, n, kept;

	begin();
	for (i = 0; i < 3000; i++) {
		add(t.nr ? t.e[t.nr - 1].id : 0, NOW + i * 600);
		/* The last one is the parent of what comes; drop the others. */
		head = t.e[t.nr - 1].id;
		apply("newest=2 hourly=24 daily=7");
		for (n = t.nr; n-- > 0;)
			if (why[n] == DR_KEEP_NOT)
				t.e[n].gone = true;
		for (n = 0; n < t.nr; n++)
			t.e[n].dirty = false;
		dr_epochs_purge(&t);
		for (n = 0; n < t.nr; n++)
			t.e[n].parent = n ? t.e[n - 1].id : 0;
	}
	kept = t.nr;
	/* 24 hours, six more days, and what is newest: no gap, and no more */
	assert_in_range(kept, 24 + 6, 24 + 7 + 2);
	end();
}

static void marks_names_and_their_neighbours_stay(void **state)
{
	begin();
	chain(20, HOUR);
	epoch(2)->marks = DR_MARK_PINNED;
	strcpy(epoch(4)->label, "release");
	strcpy(epoch(5)->label, "loose");
	epoch(5)->marks = DR_MARK_LOOSE;
	epoch(10)->marks = DR_MARK_SUSPECT;
	epoch(11)->marks = DR_MARK_SUSPECT;
	epoch(14)->held = 1;
	add(11, NOW);		/* a branch on top of the suspect one */
	apply("newest=1");
	assert_int_equal(fate(2), DR_KEEP_PINNED);
	assert_int_equal(fate(4), DR_KEEP_NAMED);
	assert_int_equal(fate(5), DR_KEEP_NOT);
	assert_int_equal(fate(8), DR_KEEP_NOT);
	assert_int_equal(fate(9), DR_KEEP_AROUND);
	assert_int_equal(fate(10), DR_KEEP_SUSPECT);
	assert_int_equal(fate(11), DR_KEEP_SUSPECT);
	assert_int_equal(fate(12), DR_KEEP_AROUND);
	assert_int_equal(fate(22), DR_KEEP_AROUND);
	assert_int_equal(fate(13), DR_KEEP_NOT);
	assert_int_equal(fate(14), DR_KEEP_HELD);
	apply("newest=1 around=3");
	assert_int_equal(fate(7), DR_KEEP_AROUND);
	assert_int_equal(fate(6), DR_KEEP_NOT);
	assert_int_equal(fate(13), DR_KEEP_AROUND);
	apply("newest=1 around=0");
	assert_int_equal(count(DR_KEEP_AROUND), 0);
	end();
}

/* A record that waits for reclaim is nobody's neighbour. */
static void dropped_epochs_are_no_neighbours(void **state)
{
	u32 id;

	begin();
	chain(20, HOUR);
	epoch(10)->marks = DR_MARK_SUSPECT;
	for (id = 7; id <= 13; id++)
		if (id != 10)
			epoch(id)->state = DR_EPOCH_DROPPED;
	epoch(8)->gone = true;
	add(9, NOW);		/* on what the suspect one stands on */
	apply("newest=1");
	assert_int_equal(fate(6), DR_KEEP_AROUND);
	assert_int_equal(fate(14), DR_KEEP_AROUND);
	assert_int_equal(count(DR_KEEP_AROUND), 2);
	apply("newest=1 around=2");
	assert_int_equal(fate(5), DR_KEEP_AROUND);
	assert_int_equal(fate(15), DR_KEEP_AROUND);
	assert_int_equal(count(DR_KEEP_AROUND), 4);
	end();
}

/* The nearest one counts, whatever lies on the way to another. */
static void neighbours_are_counted_from_the_nearest(void **state)
{
	begin();
	chain(100, HOUR);
	epoch(40)->marks = DR_MARK_SUSPECT;
	epoch(60)->marks = DR_MARK_SUSPECT;
	epoch(70)->marks = DR_MARK_SUSPECT | DR_MARK_PINNED;
	apply("newest=1 around=32");
	assert_int_equal(fate(7), DR_KEEP_NOT);
	assert_int_equal(fate(8), DR_KEEP_AROUND);
	assert_int_equal(fate(50), DR_KEEP_AROUND);
	assert_int_equal(fate(70), DR_KEEP_PINNED);
	assert_int_equal(fate(99), DR_KEEP_AROUND);
	epoch(70)->marks = 0;
	apply("newest=1 around=32");
	assert_int_equal(fate(92), DR_KEEP_AROUND);
	assert_int_equal(fate(93), DR_KEEP_NOT);
	end();
}

static void what_undo_returns_to_stays(void **state)
{
	begin();
	chain(10, HOUR);
	epoch(head)->state = DR_EPOCH_SEALED;
	add(4, NOW)->prev = head;	/* a rollback to 4 */
	add(t.nr, NOW)->state = DR_EPOCH_HEAD;
	head = t.nr;
	apply("newest=1");
	assert_int_equal(fate(11), DR_KEEP_UNDO);
	assert_int_equal(fate(12), DR_KEEP_NEWEST);
	assert_int_equal(fate(4), DR_KEEP_NOT);
	end();
}

static void the_oldest_that_nobody_protects_goes_first(void **state)
{
	u32 at;

	begin();
	chain(5, HOUR);
	epoch(1)->marks = DR_MARK_PINNED;
	assert_null(dr_policy_parse(&p, "daily=9999", &at));
	assert_int_equal(dr_retain_oldest(&t, &p, head, why), 2);
	epoch(2)->state = DR_EPOCH_DROPPED;
	assert_int_equal(dr_retain_oldest(&t, &p, head, why), 3);
	epoch(3)->held = 1;
	strcpy(epoch(4)->label, "name");
	/* The newest is what the last checkpoint promised. */
	assert_int_equal(dr_retain_oldest(&t, &p, head, why), 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_read),
		cmocka_unit_test(what_is_wrong_is_told_with_its_place),
		cmocka_unit_test(without_a_policy_all_stay),
		cmocka_unit_test(the_newest_are_those_the_head_stands_on),
		cmocka_unit_test(of_each_period_the_last_one_stays),
		cmocka_unit_test(weeks_begin_on_mondays_and_months_on_the_first),
		cmocka_unit_test(to_apply_it_again_and_again_is_to_apply_it_once),
		cmocka_unit_test(marks_names_and_their_neighbours_stay),
		cmocka_unit_test(dropped_epochs_are_no_neighbours),
		cmocka_unit_test(neighbours_are_counted_from_the_nearest),
		cmocka_unit_test(what_undo_returns_to_stays),
		cmocka_unit_test(the_oldest_that_nobody_protects_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
