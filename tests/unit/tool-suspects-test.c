// SPDX-License-Identifier: GPL-2.0
/*
 * tool-suspects-test.c - which epochs stand out, and which do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "owner/touched.h"
#include "recover/suspects.h"

#define MAX	64

static struct epoch epochs[MAX];
static struct suspect list[MAX];
static size_t nr;

/* An epoch of which so many of 256 samples are ... */
static struct suspect *add(size_t jumped, size_t fresh, size_t zeroed)
{
	struct suspect *s = &list[nr];

	epochs[nr].id = nr + 1;
	epochs[nr].nr_blocks = 1000;
	*s = (struct suspect){
		.epoch = &epochs[nr++],
		.listed = true,
		.changed_sectors = 8000,
		.nr_samples = 256,
		.nr_jumped = jumped,
		.nr_fresh = fresh,
		.nr_zeroed = zeroed,
	};
	return s;
}

static void mark(uint64_t compressible)
{
	assert_int_equal(suspects_mark(list, nr, compressible), 0);
}

static size_t marked(enum suspect_mark which)
{
	size_t n = 0, i;

	for (i = 0; i < nr; i++)
		n += list[i].mark == which;
	return n;
}

static int begin(void **state)
{
	nr = 0;
	return 0;
}

static void the_attack_and_nothing_else(void **state)
{
	size_t i;

	for (i = 0; i < 20; i++)
		add(i == 11 ? 180 : i % 4, i % 7, i % 5);
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 1);
	assert_int_equal(marked(MARK_NOTICE), 0);
	assert_int_equal(list[11].mark, MARK_SUSPECT);
	assert_true(list[11].finding[REASON_JUMPED].stands_out);
	assert_true(list[11].finding[REASON_JUMPED].usual < 0.02);
}

static void three_attacks_do_not_hide_each_other(void **state)
{
	size_t i;

	for (i = 0; i < 12; i++)
		add(i % 5 == 1 ? 200 : 1, 0, 0);
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 3);
}

/* A server that compresses its logs in place every night: that is usual. */
static void what_is_usual_is_not_marked(void **state)
{
	size_t i;

	for (i = 0; i < 20; i++)
		add(60 + i * 7 % 30, 0, 0);
	mark(0);
	assert_int_equal(marked(MARK_NONE), 20);
	list[7].nr_jumped = 250;
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 1);
	assert_int_equal(list[7].mark, MARK_SUSPECT);
}

static void archives_are_a_notice(void **state)
{
	size_t i;

	for (i = 0; i < 10; i++)
		add(0, i == 4 ? 230 : 0, 0);
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 0);
	assert_int_equal(list[4].mark, MARK_NOTICE);
	assert_true(list[4].finding[REASON_FRESH].stands_out);
}

/* Random before and after, all of it: no share at all. */
static void an_encrypted_file_system_is_quiet(void **state)
{
	size_t i;

	for (i = 0; i < 10; i++) {
		add(0, i ? 0 : 256, 0);
		list[i].bits_before = 256 * 7.95;
		list[i].bits_after = 256 * 7.95;
	}
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 0);
	/* Its first epoch filled an empty device. */
	assert_int_equal(list[0].mark, MARK_NOTICE);
	assert_int_equal(marked(MARK_NOTICE), 1);
}

static void a_wiper_is_a_notice(void **state)
{
	size_t i;

	for (i = 0; i < 10; i++)
		add(0, 0, i == 9 ? 250 : 3);
	mark(0);
	assert_int_equal(list[9].mark, MARK_NOTICE);
	assert_true(list[9].finding[REASON_ZEROED].stands_out);
	assert_int_equal(marked(MARK_NONE), 9);
}

static void few_samples_prove_nothing(void **state)
{
	size_t i;

	for (i = 0; i < 10; i++)
		add(0, 0, 0);
	list[3].nr_samples = 7;
	list[3].nr_jumped = 7;
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 0);
	list[3].nr_samples = 8;
	list[3].nr_jumped = 8;
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 1);
}

static void without_a_history_the_floor_is_higher(void **state)
{
	add(40, 0, 0);
	add(0, 0, 0);
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 0);
	list[0].nr_jumped = 70;
	mark(0);
	assert_int_equal(list[0].mark, MARK_SUSPECT);
	begin(NULL);
	add(200, 0, 0);
	mark(0);
	assert_int_equal(list[0].mark, MARK_SUSPECT);
}

static void reads_count_where_they_are_counted(void **state)
{
	double share;
	size_t i;

	for (i = 0; i < 10; i++)
		add(0, 0, 0);
	assert_false(suspect_share(&list[0], REASON_READ_FIRST, &share));
	for (i = 0; i < 10; i++) {
		list[i].has_read_first = true;
		list[i].read_first_blocks = i == 2 ? 900 : 40 + i;
	}
	mark(0);
	assert_int_equal(list[2].mark, MARK_NOTICE);
	assert_int_equal(marked(MARK_NONE), 9);
	assert_true(suspect_share(&list[2], REASON_READ_FIRST, &share));
	assert_float_equal(share, 0.9, 0.001);
}

/* Five percent of the samples in each of 20 epochs: none stands out. */
static void slow_attack(size_t each)
{
	size_t i;

	for (i = 0; i < 20; i++) {
		add(i < 5 ? 0 : each, 0, 0);
		list[i].has_since = true;
		list[i].since_samples = 256;
		list[i].since_sectors = 8000 * (i + 1);
		list[i].since_jumped = i < 5 ? 0 : each * (i - 4) / (i + 1);
	}
}

static void a_slow_attack_shows_in_the_sum(void **state)
{
	slow_attack(14);
	mark(64000);
	assert_int_equal(marked(MARK_SUSPECT), 0);
	assert_int_equal(marked(MARK_NOTICE), 15);
	assert_false(list[2].finding[REASON_SLOW].stands_out);
	assert_true(list[12].finding[REASON_SLOW].stands_out);
	assert_true(list[19].since_share > 0.09);
	/* Of a device with far more on it, it is next to nothing. */
	mark(6400000);
	assert_int_equal(marked(MARK_NOTICE), 0);
}

static void a_sum_that_is_explained_is_not_slow(void **state)
{
	slow_attack(1);
	list[9].nr_jumped = 240;
	list[9].changed_sectors = 40000;
	list[19].since_jumped = 60;
	mark(64000);
	assert_int_equal(marked(MARK_SUSPECT), 1);
	assert_int_equal(marked(MARK_NOTICE), 0);
}

static void history_that_is_not_listed_only_compares(void **state)
{
	size_t i;

	for (i = 0; i < 12; i++) {
		add(90, 0, 0);
		list[i].listed = i >= 10;
	}
	mark(0);
	assert_int_equal(marked(MARK_NONE), 12);
	begin(NULL);
	add(90, 0, 0);
	add(90, 0, 0);
	mark(0);
	assert_int_equal(marked(MARK_SUSPECT), 2);
}

/* --- files ----------------------------------------------------------------- */

static struct owner_extent data_of(const char *path, uint64_t start,
				   uint64_t sectors)
{
	return (struct owner_extent){
		.start = start, .sectors = sectors, .kind = OWNER_FILE,
		.path = path,
	};
}

static void files_count_once(void **state)
{
	struct owner_extent before[] = {
		data_of("/a", 0, 8), data_of("/b", 8, 8), data_of("/a", 16, 8),
		{ .start = 24, .sectors = 8, .kind = OWNER_META,
		  .path = "/dir", .what = "directory" },
		{ .start = 32, .sectors = 68, .kind = OWNER_NONE },
	};
	struct owner_extent after[] = {
		data_of("/a", 0, 8), data_of("/c", 8, 8), data_of("/a", 16, 8),
		data_of("/d", 24, 8), data_of("/e", 40, 60),
	};
	const struct owner_map from = { .e = before, .nr = 5 };
	const struct owner_map to = { .e = after, .nr = 5 };
	const struct range in_two[] = { { 4, 2 }, { 12, 6 } };
	const struct range behind = { 24, 20 };
	uint64_t n;

	assert_int_equal(owner_files_touched(&from, &to, in_two, 2, &n), 0);
	assert_int_equal(n, 3);		/* a, b and c */
	assert_int_equal(owner_files_touched(&from, &to, &behind, 1, &n), 0);
	assert_int_equal(n, 2);		/* d and e, no directory */
	assert_int_equal(owner_files_touched(&from, &to, NULL, 0, &n), 0);
	assert_int_equal(n, 0);
	after[0].volume = "partition 2";
	assert_int_equal(owner_files_touched(&from, &to, in_two, 1, &n), 0);
	assert_int_equal(n, 2);
	assert_true(owner_is_free(&from, 99));
	assert_false(owner_is_free(&from, 24));
	assert_false(owner_is_free(&from, 100));
}

static void a_thousand_files_in_pieces(void **state)
{
	static struct owner_extent e[20000];
	static char names[1000][16];
	const struct owner_map map = { .e = e, .nr = 20000 }, none = { 0 };
	const struct range all = { 0, 160000 };
	uint64_t n;
	size_t i;

	for (i = 0; i < 1000; i++)
		snprintf(names[i], sizeof(names[i]), "/f%zu", i);
	for (i = 0; i < 20000; i++)
		e[i] = data_of(names[i * 7 % 1000], i * 8, 8);
	assert_int_equal(owner_files_touched(&map, &map, &all, 1, &n), 0);
	assert_int_equal(n, 1000);
	assert_int_equal(owner_files_touched(&none, &map, &all, 1, &n), 0);
	assert_int_equal(n, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_attack_and_nothing_else, begin),
		cmocka_unit_test_setup(three_attacks_do_not_hide_each_other, begin),
		cmocka_unit_test_setup(what_is_usual_is_not_marked, begin),
		cmocka_unit_test_setup(archives_are_a_notice, begin),
		cmocka_unit_test_setup(an_encrypted_file_system_is_quiet, begin),
		cmocka_unit_test_setup(a_wiper_is_a_notice, begin),
		cmocka_unit_test_setup(few_samples_prove_nothing, begin),
		cmocka_unit_test_setup(without_a_history_the_floor_is_higher, begin),
		cmocka_unit_test_setup(reads_count_where_they_are_counted, begin),
		cmocka_unit_test_setup(a_slow_attack_shows_in_the_sum, begin),
		cmocka_unit_test_setup(a_sum_that_is_explained_is_not_slow, begin),
		cmocka_unit_test_setup(history_that_is_not_listed_only_compares, begin),
		cmocka_unit_test(files_count_once),
		cmocka_unit_test(a_thousand_files_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
