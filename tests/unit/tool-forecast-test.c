// SPDX-License-Identifier: GPL-2.0
/*
 * tool-forecast-test.c - how long the delta lasts: rates, and what a policy
 * needs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "forecast.h"

#define NOW	1700000000
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define HOUR	3600
#define DAY	86400
#define GIB	(1024ull * 1024 * 1024)

static struct epoch list[512];
static struct epochs epochs = { .epochs = list };
static struct dr_policy policy;

/* One that was sealed so many seconds ago; 0: the head */
static struct epoch *add(uint32_t id, int64_t ago, uint64_t blocks)
{
	struct epoch *e = &list[epochs.nr++];

	memset(e, 0, sizeof(*e));
	e->id = id;
	e->has_time = true;
	e->time = NOW - ago;
	e->nr_blocks = blocks;
	strcpy(e->state, ago ? DR_STATE_SEALED : DR_STATE_HEAD);
	strcpy(e->how, id > 1 ? DR_HOW_CHECKPOINT : DR_HOW_FORMAT);
	return e;
}

static struct forecast_in begin(int64_t created)
{
	epochs.nr = 0;
	memset(&policy, 0, sizeof(policy));
	add(0, created, 0);
	/* 1 GiB, of which a half is free for data */
	return (struct forecast_in){
		.total = GIB / 4096, .used = GIB / 4096 / 4,
		.reserve = GIB / 4096 / 4, .unit = 1, .device = 1 << 20,
		.now = NOW, .epochs = &epochs, .policy = &policy,
	};
}

static struct forecast make(const struct forecast_in *in)
{
	struct forecast f;

	forecast_make(in, &f);
	return f;
}

/* A block a second, an epoch an hour, for two days */
static void even_rate(void **state)
{
	struct forecast_in in = begin(48 * HOUR);
	struct forecast f;
	uint32_t i;

	for (i = 1; i <= 47; i++)
		add(i, (48 - i) * HOUR, HOUR);
	add(48, 0, HOUR);
	f = make(&in);
	assert_true(f.known && f.ends);
	assert_int_equal(f.window, DAY);
	assert_true(f.rate > 4095.9 && f.rate < 4096.1);
	assert_in_range(f.seconds, 131071, 131073);
	assert_false(f.has_need);
}

/* What was written in one stretch counts for the part inside the window. */
static void part_of_an_epoch(void **state)
{
	struct forecast_in in = begin(10 * HOUR);
	struct forecast f;

	add(1, HOUR / 2, 9 * HOUR + HOUR / 2);
	add(2, 0, 0);
	f = make(&in);
	/* 9.5 hours at one a second in ten, half an hour of it in the last */
	assert_int_equal(f.window, 10 * HOUR);
	assert_true(f.rate > 0.94 * 4096 && f.rate < 0.96 * 4096);
}

/* The last hour was busier than the day: it counts. */
static void higher_of_two(void **state)
{
	struct forecast_in in = begin(48 * HOUR);
	struct forecast f;

	add(1, HOUR, 47);
	add(2, 0, 3600 * 10);
	f = make(&in);
	assert_int_equal(f.window, HOUR);
	assert_true(f.rate > 40959 && f.rate < 40961);
}

static void not_known(void **state)
{
	struct forecast_in in = begin(59);
	struct forecast f;
	char text[256];

	add(1, 0, 1000);
	f = make(&in);
	assert_false(f.known || f.ends || f.has_need);
	forecast_text(&f, text, sizeof(text));
	assert_non_null(strstr(text, "unknown"));
	/* A minute is something. */
	list[0].time--;
	assert_true(make(&in).known);
}

static void nothing_written(void **state)
{
	struct forecast_in in = begin(2 * DAY);
	struct forecast f;
	char text[256];

	add(1, 0, 0);
	f = make(&in);
	assert_true(f.known && !f.ends && f.rate == 0);
	assert_string_equal(forecast_text(&f, text, sizeof(text)),
			    "nothing was written (last 24 hours)");
	in.used = in.total - in.reserve + 1;
	f = make(&in);
	assert_true(f.ends && !f.seconds);
	assert_string_equal(forecast_text(&f, text, sizeof(text)), "full");
}

/* Of dropped epochs nothing is listed after a while: no rate from a hole. */
static void holes(void **state)
{
	struct forecast_in in = begin(2 * DAY);
	struct forecast f;

	add(97, 300, 1000000);
	add(98, 200, 100);
	add(99, 100, 100);
	add(100, 0, 100);
	f = make(&in);
	assert_int_equal(f.window, 300);
	assert_true(f.rate > 4095.9 && f.rate < 4096.1);
	/* Less than a minute: what was counted since the open has to do. */
	list[1].time = NOW - 30;
	list[2].time = NOW - 20;
	list[3].time = NOW - 10;
	assert_false(make(&in).known);
	in.taken = 7 * 2 * DAY;
	in.active = 2 * DAY;
	f = make(&in);
	assert_true(f.known && f.since_open);
	assert_int_equal(f.window, 2 * DAY);
	assert_true(f.rate == 7 * 4096);
}

/* A session inside the window was counted block by block. */
static void counted(void **state)
{
	struct forecast_in in = begin(2 * DAY);
	struct forecast f;

	in.active = HOUR;
	in.taken = 2 * HOUR;
	/* A discard of a million blocks takes no space. */
	add(1, HOUR, 0);
	add(2, 0, 1000000);
	f = make(&in);
	assert_int_equal(f.window, HOUR);
	assert_true(f.rate == 2 * 4096);
	/* An open that is older than the window is a bound for it. */
	in.active = 2 * DAY;
	f = make(&in);
	assert_true(f.rate <= 2 * 4096);
}

/* A replay's own epoch names versions that are there already. */
static void replays(void **state)
{
	struct forecast_in in = begin(HOUR);
	struct epoch *e;

	add(1, HOUR / 2, 0);
	e = add(4097, HOUR / 2, 1000000);
	strcpy(e->how, DR_HOW_REPLAY);
	e = add(4098, 0, HOUR);
	strcpy(e->how, DR_HOW_REPLAY);
	e->has_prev = true;
	assert_int_equal(make(&in).window, HOUR);
	assert_true(make(&in).rate == 4096);
}

static void clock_put_back(void **state)
{
	struct forecast_in in = begin(DAY);
	struct forecast f;

	add(1, HOUR, HOUR);
	add(2, 2 * HOUR, HOUR);
	add(3, -HOUR, 5);
	add(4, 0, HOUR);
	f = make(&in);
	assert_true(f.known && f.rate > 0 && f.rate < 10 * 4096);
}

/* A block a second: an epoch a minute for an hour, one an hour for a day */
static void policy_need(void **state)
{
	struct forecast_in in = begin(3 * DAY);
	struct forecast f;
	uint32_t i, nr = 3 * 24;

	for (i = 1; i <= nr; i++)
		add(i, (nr - i) * HOUR, HOUR);
	in.used = 3 * DAY;
	policy.drops = true;
	policy.every = 60;
	policy.newest = 60;
	policy.keep[DR_PERIOD_HOUR] = 24;
	f = make(&in);
	assert_true(f.has_need && f.known && f.ends);
	/* The last day at that rate, and what is older than a day */
	assert_in_range(f.need, 3ull * DAY * 4096 - 8192, 3ull * DAY * 4096 + 8192);
	assert_false(f.fits);
	in.total = 4 * DAY;
	in.reserve = DAY / 2;
	assert_true(make(&in).fits);
	/* A small device: of what is written again within the hour one stays. */
	in.device = 360;
	f = make(&in);
	assert_in_range(f.need, (2ull * DAY + HOUR + 23 * 360) * 4096 - 8192,
			(2ull * DAY + HOUR + 23 * 360) * 4096 + 8192);
}

/* A policy that only makes epochs needs no figure; nor one without a rate. */
static void policy_without(void **state)
{
	struct forecast_in in = begin(30);

	policy.every = 60;
	add(1, 0, 10);
	assert_false(make(&in).has_need);
	policy.drops = true;
	policy.newest = 10;
	assert_false(make(&in).has_need);
	in.now += HOUR;
	assert_true(make(&in).has_need);
}

static void words(void **state)
{
	static const struct { uint64_t seconds; const char *text; } is[] = {
		{ 0, "0 seconds" }, { 1, "1 second" }, { 60, "1 minute" },
		{ 61, "1 minute 1 second" }, { 3600, "1 hour" },
		{ 3 * DAY + 4 * HOUR + 59, "3 days 4 hours" },
		{ 400ull * DAY, "1 year 35 days" },
	};
	struct forecast f = {
		.known = true, .ends = true, .rate = 1258291.2, .window = DAY,
		.seconds = 3 * DAY + 4 * HOUR,
	};
	char text[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(is); i++)
		assert_string_equal(forecast_duration(is[i].seconds, text,
						      sizeof(text)),
				    is[i].text);
	assert_string_equal(forecast_text(&f, text, sizeof(text)),
			    "full in about 3 days 4 hours at 1.2 MiB/s (last 24 hours)");
	f.has_need = true;
	f.window = HOUR;
	assert_string_equal(forecast_text(&f, text, sizeof(text)),
			    "full in about 3 days 4 hours at 1.2 MiB/s (last hour), if nothing were dropped");
	f.since_open = true;
	f.window = 120;
	f.rate = 0.1;
	assert_string_equal(forecast_text(&f, text, sizeof(text)),
			    "full in about 3 days 4 hours at 1 B/s (since the open 2 minutes ago), if nothing were dropped");
	f.need = GIB;
	assert_string_equal(forecast_policy_text(&f, GIB / 2048, text,
						 sizeof(text)),
			    "about 1 GiB of 2 GiB by estimate, more than there is room for at this rate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(even_rate),
		cmocka_unit_test(part_of_an_epoch),
		cmocka_unit_test(higher_of_two),
		cmocka_unit_test(not_known),
		cmocka_unit_test(nothing_written),
		cmocka_unit_test(holes),
		cmocka_unit_test(counted),
		cmocka_unit_test(replays),
		cmocka_unit_test(clock_put_back),
		cmocka_unit_test(policy_need),
		cmocka_unit_test(policy_without),
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
