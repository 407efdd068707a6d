// SPDX-License-Identifier: GPL-2.0
/*
 * tool-draw-test.c - entropy, samples, rows and columns of maps, escaping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "draw/entropy.h"
#include "draw/map.h"
#include "draw/text.h"

static void entropy_of_known_content(void **state)
{
	unsigned char block[4096];
	uint32_t x = 1;
	size_t i;

	memset(block, 0, sizeof(block));
	assert_true(entropy_bits(block, sizeof(block)) == 0);
	assert_true(is_zeroes(block, sizeof(block)));
	block[4095] = 1;
	assert_false(is_zeroes(block, sizeof(block)));
	block[4095] = 0;
	block[0] = 1;
	assert_false(is_zeroes(block, sizeof(block)));
	for (i = 0; i < sizeof(block); i++)
		block[i] = i % 2;
	assert_float_equal(entropy_bits(block, sizeof(block)), 1, 0.001);
	for (i = 0; i < sizeof(block); i++)
		block[i] = i;
	assert_float_equal(entropy_bits(block, sizeof(block)), 8, 0.001);
	for (i = 0; i < sizeof(block); i++) {
		x = x * 1664525 + 1013904223;
		block[i] = x >> 24;
	}
	assert_true(entropy_bits(block, sizeof(block)) > ENTROPY_RANDOM);
	for (i = 0; i < sizeof(block); i++)
		block[i] = "It was a bright cold day in April. "[i % 35];
	assert_true(entropy_bits(block, sizeof(block)) < ENTROPY_COMPRESSIBLE);
	assert_true(entropy_bits(block, 0) == 0);
}

static void samples_are_spread_and_the_same_each_time(void **state)
{
	const struct range ranges[] = { { 0, 8 }, { 80, 8000 }, { 90000, 12 } };
	struct sample a[64], b[64];
	size_t n = samples_pick(ranges, 3, 64, a), i;

	assert_int_equal(n, 64);
	assert_int_equal(samples_pick(ranges, 3, 64, b), 64);
	for (i = 0; i < n; i++) {
		assert_true(a[i].sector == b[i].sector);
		assert_false(a[i].read);
		if (i)
			assert_true(a[i].sector > a[i - 1].sector);
		assert_true(a[i].sector < 8 || a[i].sector >= 80);
		assert_true(a[i].sector < 8080 || a[i].sector >= 90000);
		assert_true(a[i].sector < 90012);
		/* One of each 64th */
		if (a[i].sector >= 80 && a[i].sector < 8080)
			assert_in_range(1 + (a[i].sector - 80) / 8,
					1003 * i / 64, 1003 * (i + 1) / 64);
	}
}

static void few_pieces_are_all_taken(void **state)
{
	const struct range ranges[] = { { 8, 8 }, { 100, 20 } };
	struct sample s[8];

	assert_int_equal(samples_pick(ranges, 2, 8, s), 4);
	assert_true(s[0].sector == 8 && s[1].sector == 100 &&
		    s[2].sector == 108 && s[3].sector == 116);
	assert_int_equal(samples_pick(ranges, 0, 8, s), 0);
	assert_int_equal(samples_pick(ranges, 2, 0, s), 0);
}

static void a_huge_device_does_not_overflow(void **state)
{
	const struct range all = { 0, UINT64_MAX >> SECTOR_SHIFT };
	struct sample s[256];
	size_t i;

	assert_int_equal(samples_pick(&all, 1, 256, s), 256);
	for (i = 1; i < 256; i++)
		assert_true(s[i].sector > s[i - 1].sector);
	assert_true(s[255].sector > all.len_sectors / 256 * 255 - 8);
}

/* --- columns --------------------------------------------------------------- */

static void buckets_cover_the_device(void **state)
{
	static const uint64_t sizes[] = {
		1, 8, 9, 1920, 1921, 2048, 786432, 1ull << 40, 0
	};
	struct map map = { 0 };
	size_t i;

	for (i = 0; sizes[i]; i++) {
		map_buckets(&map, sizes[i], MAP_BUCKETS);
		assert_in_range(map.nr_buckets, 1, MAP_BUCKETS);
		assert_true(map.bucket_sectors % SAMPLE_SECTORS == 0);
		assert_true(map.nr_buckets * map.bucket_sectors >= sizes[i]);
		assert_true((map.nr_buckets - 1) * map.bucket_sectors <
			    sizes[i]);
	}
}

static void ranges_are_cut_at_buckets(void **state)
{
	const struct range ranges[] = {
		{ 0, 8 }, { 16, 200 }, { 1000, 24 }, { 1592, 16 },
	};
	struct map_row row = { 0 };
	struct map map = { 0 };
	size_t i, sum = 0;

	map_buckets(&map, 1600, 10);	/* ten of 160 */
	assert_int_equal(map.bucket_sectors, 160);
	assert_int_equal(map_add_ranges(&map, &row, ranges, 4), 0);
	assert_int_equal(row.cells[0].sectors, 8 + 144);
	assert_int_equal(row.cells[1].sectors, 56);
	assert_int_equal(row.cells[6].sectors, 24);
	assert_int_equal(row.nr_ranges, 4);
	for (i = 0; i < map.nr_buckets; i++)
		sum += row.cells[i].sectors;
	assert_int_equal(sum, row.differs_sectors);
	free(row.cells);
}

static void the_mean_counts_what_was_written(void **state)
{
	const struct range ranges[] = { { 0, 8 }, { 160, 72 } };
	struct sample s[] = {
		{ .sector = 0, .bits = 0, .read = true },
		{ .sector = 160, .bits = 8, .read = true },
		{ .sector = 168, .bits = 1, .read = false },
	};
	struct map_row row = { 0 };
	struct map map = { 0 };
	size_t i;

	map_buckets(&map, 1600, 10);
	assert_true(map_row_bits(&map, &row) == 0);
	map_add_ranges(&map, &row, ranges, 2);
	for (i = 0; i < 3; i++)
		map_add_sample(&map, &row, &s[i]);
	assert_int_equal(row.nr_samples, 2);
	assert_float_equal(map_row_bits(&map, &row), 7.2, 0.001);
	free(row.cells);
}

static void samples_are_at_most_so_many(void **state)
{
	struct sample samples[MAP_ROW_SAMPLES];
	struct range many[3000];
	struct map_row row = { 0 };
	struct map map = { 0 };
	size_t n, i;

	map_buckets(&map, 48000, MAP_BUCKETS);
	for (i = 0; i < 3000; i++)
		many[i] = (struct range){ i * 16, 8 };
	n = map_pick(&map, many, 3000, samples);
	assert_in_range(n, MAP_BUCKETS, MAP_ROW_SAMPLES);
	map_add_ranges(&map, &row, many, 3000);
	for (i = 0; i < n; i++) {
		samples[i].read = true;
		samples[i].bits = 2;
		map_add_sample(&map, &row, &samples[i]);
	}
	for (i = 0; i < map.nr_buckets; i++)
		assert_in_range(row.cells[i].nr_samples, 1,
				MAP_BUCKET_SAMPLES);
	assert_int_equal(row.nr_samples, n);
	assert_float_equal(map_row_bits(&map, &row), 2, 0.001);
	free(row.cells);
	many[0] = (struct range){ 0, 48000 };
	assert_in_range(map_pick(&map, many, 1, samples), MAP_BUCKETS,
			MAP_ROW_SAMPLES);
	many[0] = (struct range){ 8, 8 };
	assert_int_equal(map_pick(&map, many, 1, samples), 1);
	assert_int_equal(map_pick(&map, many, 0, samples), 0);
}

/* --- rows ------------------------------------------------------------------ */

static struct epochs list;

static struct epoch *add(uint32_t parent, const char *how)
{
	struct epoch *e;

	list.epochs = realloc(list.epochs, (list.nr + 1) * sizeof(*e));
	e = &list.epochs[list.nr];
	memset(e, 0, sizeof(*e));
	e->id = list.nr++;
	e->has_parent = e->id;
	e->parent = parent;
	e->nr_blocks = 1;
	strcpy(e->state, "sealed");
	strcpy(e->how, how);
	return e;
}

static void clear(struct map *map)
{
	map_free(map);
	free(list.epochs);
	memset(&list, 0, sizeof(list));
}

static void every_epoch_has_its_row(void **state)
{
	struct map map = { 0 };

	add(0, "format");
	add(0, "checkpoint");
	strcpy(add(1, "checkpoint")->state, "dropped");
	add(2, "checkpoint");
	add(1, "rollback")->has_prev = true;
	strcpy(add(4, "checkpoint")->state, "head");
	assert_int_equal(map_rows(&map, &list, 0, UINT32_MAX, 10), 0);
	assert_int_equal(map.nr, 6);
	assert_int_equal(map.run, 1);
	assert_int_equal(map.rows[0].last->id, 5);
	assert_int_equal(map.rows[0].lane, 0);
	assert_int_equal(map.rows[0].base->id, 4);
	assert_ptr_equal(map.rows[1].parent, &map.rows[4]);
	/* 3 looks past 2, which was dropped, and stands in a lane of its own. */
	assert_int_equal(map.rows[2].last->id, 3);
	assert_int_equal(map.rows[2].base->id, 1);
	assert_int_equal(map.rows[2].lane, 1);
	assert_null(map.rows[3].seen);
	assert_null(map.rows[5].base);
	assert_int_equal(map.nr_lanes, 2);
	map_free(&map);
	assert_int_equal(map_rows(&map, &list, 3, 4, 10), 0);
	assert_int_equal(map.nr, 2);
	assert_null(map.rows[0].parent);
	clear(&map);
}

static void runs_stop_at_branches_and_recoveries(void **state)
{
	struct map map = { 0 };
	uint32_t i, n = 0;

	add(0, "format");
	for (i = 1; i < 1000; i++) {
		if (i == 700)
			add(350, "rollback")->has_prev = true;
		else if (i == 900)
			add(899, "replay")->has_prev = true;
		else
			add(i - 1, "checkpoint");
	}
	strcpy(list.epochs[999].state, "head");
	assert_int_equal(map_rows(&map, &list, 0, UINT32_MAX, 20), 0);
	assert_int_equal(map.nr_epochs, 1000);
	assert_int_equal(map.run, 50);
	assert_in_range(map.nr, 20, 26);
	for (i = 0; i < map.nr; i++) {
		const struct map_row *row = &map.rows[i];

		n += row->nr_epochs;
		assert_in_range(row->nr_epochs, 1, 50);
		assert_int_equal(row->written_sectors, row->nr_epochs);
		if (row->parent)
			assert_true(row->parent > row);
		if (row->first->id < 700)
			assert_true(row->last->id < 700);
		/* 350 has two children: nothing goes on in its row. */
		if (row->first->id <= 350)
			assert_true(row->last->id <= 350);
		if (row->first->id <= 899)
			assert_true(row->last->id <= 899);
	}
	assert_int_equal(n, 1000);
	assert_int_equal(map.rows[0].nr_epochs, 1);	/* the head */
	clear(&map);
}

static void a_recovery_of_files_begins_a_row(void **state)
{
	struct map map = { 0 };
	uint32_t i;

	add(0, "format");
	for (i = 1; i < 9; i++)
		add(i - 1, "checkpoint");
	strcpy(list.epochs[4].label, "recover-2-2-9");	/* not below it */
	strcpy(list.epochs[6].label, "recover-2-3-5");
	strcpy(list.epochs[7].label, "undo-6-6-6");
	strcpy(list.epochs[8].state, "head");
	assert_int_equal(map_rows(&map, &list, 0, UINT32_MAX, 1), 0);
	assert_int_equal(map.nr, 4);
	assert_int_equal(map.rows[1].first->id, 7);
	assert_int_equal(map.rows[2].first->id, 6);
	assert_int_equal(map.rows[3].last->id, 5);
	clear(&map);
}

static void a_history_of_one(void **state)
{
	struct map map = { 0 };

	strcpy(add(0, "format")->state, "head");
	assert_int_equal(map_rows(&map, &list, 0, UINT32_MAX, 160), 0);
	assert_int_equal(map.nr, 1);
	assert_null(map.rows[0].base);
	assert_null(map.rows[0].parent);
	map_free(&map);
	assert_int_equal(map_rows(&map, &list, 5, 9, 160), 0);
	assert_int_equal(map.nr, 0);
	clear(&map);
}

/* --- words of strangers ---------------------------------------------------- */

static void escapes(const char *text, size_t max, const char *want)
{
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	if (max)
		text_put_cut(f, text, max);
	else
		text_put(f, text);
	fclose(f);
	assert_string_equal(buf, want);
}

static void nothing_gets_out_of_its_quotes(void **state)
{
	escapes("plain-1.txt", 0, "plain-1.txt");
	escapes("<a b=\"c\" d='e'>&", 0,
		"&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
	escapes("a\tb\nc\x7f", 0, "a\\x09b\\x0ac\\x7f");
	escapes("gr\xc3\xbc\xc3\x9f", 0, "gr\xc3\xbc\xc3\x9f");
	escapes("\xf0\x9f\x98\x80", 0, "\xf0\x9f\x98\x80");
	/* no UTF-8: latin-1, overlong, surrogate, too large, cut off */
	escapes("gr\xfc\xdf", 0, "gr\\xfc\\xdf");
	escapes("\xc0\xbcscript", 0, "\\xc0\\xbcscript");
	escapes("\xe0\x80\xbc", 0, "\\xe0\\x80\\xbc");
	escapes("\xed\xa0\x80", 0, "\\xed\\xa0\\x80");
	escapes("\xf4\x90\x80\x80", 0, "\\xf4\\x90\\x80\\x80");
	escapes("x\xe2\x82", 0, "x\\xe2\\x82");
	/* text that turns around, or cannot be seen, or is no character */
	escapes("\xe2\x80\xae-b", 0, "\\u{202e}-b");
	escapes("\xe2\x80\x8b-b", 0, "\\u{200b}-b");
	escapes("\xef\xbf\xbf-b", 0, "\\u{ffff}-b");
	escapes("", 0, "");
}

static void json_stays_json(void **state)
{
	char buf[256] = "";
	FILE *f = fmemopen(buf, sizeof(buf), "w");

	text_put_json(f, "{\n\"a\": \"\xe2\x80\xae<\xfc\xf3\xa0\x80\xa1\"}");
	fclose(f);
	assert_string_equal(buf, "{\n&quot;a&quot;: &quot;\\u202e&lt;\\ufffd\\udb40\\udc21&quot;}");
}

static void cuts_count_characters(void **state)
{
	escapes("12345", 5, "12345");
	escapes("123456", 5, "1234\xe2\x80\xa6");
	escapes("\xc3\xbc\xc3\xbc\xc3\xbc", 2, "\xc3\xbc\xe2\x80\xa6");
	escapes("<<<<", 2, "&lt;\xe2\x80\xa6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entropy_of_known_content),
		cmocka_unit_test(samples_are_spread_and_the_same_each_time),
		cmocka_unit_test(few_pieces_are_all_taken),
		cmocka_unit_test(a_huge_device_does_not_overflow),
		cmocka_unit_test(buckets_cover_the_device),
		cmocka_unit_test(ranges_are_cut_at_buckets),
		cmocka_unit_test(the_mean_counts_what_was_written),
		cmocka_unit_test(samples_are_at_most_so_many),
		cmocka_unit_test(every_epoch_has_its_row),
		cmocka_unit_test(runs_stop_at_branches_and_recoveries),
		cmocka_unit_test(a_recovery_of_files_begins_a_row),
		cmocka_unit_test(a_history_of_one),
		cmocka_unit_test(nothing_gets_out_of_its_quotes),
		cmocka_unit_test(json_stays_json),
		cmocka_unit_test(cuts_count_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
