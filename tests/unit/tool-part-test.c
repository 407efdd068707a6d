// SPDX-License-Identifier: GPL-2.0
/*
 * tool-part-test.c - where the parts of files lie that --part names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* cmocka has a fail() of its own. */
#include "cli.h"
#include "recover/blocks.h"
#include "recover/parts.h"
#undef fail
#include <cmocka.h>

#define BLOCK	8u	/* sectors */

static char dir[32];
static struct inside_volume inside = { .what = "device", .type = "ext4" };
static struct past_volume past = { .vol = &inside, .dir = dir };
static struct plan_volume volume = { .what = "device", .before = &past,
				     .now = &past };

/* A file of the folder, without content; its inode */
static uint64_t make(const char *name)
{
	char path[64];
	struct stat st;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static struct owner_extent extent(const char *path, uint64_t ino,
				  uint64_t start, uint64_t sectors,
				  uint64_t at)
{
	return (struct owner_extent){ .start = start, .sectors = sectors,
				      .kind = OWNER_FILE, .volume = "device",
				      .path = path, .offset = at << 9,
				      .ino = ino };
}

/* What a warning says, or ""; the exit code as @code */
static char *gather(const char *path, uint64_t start, uint64_t len,
		    struct owner_extent *e, size_t nr, struct range_list *found,
		    int *code)
{
	struct select_part part = { (char *)path, { start, len } };
	struct select select = { .part = &part, .nr_part = 1 };
	struct sight s = { .volume = &volume, .nr_volumes = 1 };
	struct blocks_facts f = { .before = { .e = e, .nr = nr } };
	char *text = calloc(1, 1024);
	FILE *said = tmpfile();
	int was = dup(STDERR_FILENO);

	s.status.block_sectors = BLOCK;
	s.status.sectors = 4096;
	assert_true(text && said && was >= 0);
	fflush(NULL);
	dup2(fileno(said), STDERR_FILENO);
	*code = parts_gather(&s, &select, &f);
	fflush(NULL);
	dup2(was, STDERR_FILENO);
	close(was);
	rewind(said);
	fread(text, 1, 1023, said);
	fclose(said);
	*found = f.parts;
	range_list_free(&f.only);
	return text;
}

static void any_name(void **state)
{
	uint64_t ino = make("first"), other = make("other");
	char from[64], to[64], *said;
	struct range_list found;
	int code;

	snprintf(from, sizeof(from), "%s/first", dir);
	snprintf(to, sizeof(to), "%s/second", dir);
	assert_int_equal(link(from, to), 0);
	/* The map has the first name alone, or has lost it; no two volumes. */
	struct owner_extent e[] = {
		extent("/first", ino, 100 * BLOCK, 4 * BLOCK, 0),
		extent("/other", other, 200 * BLOCK, 8 * BLOCK, 0),
		extent(NULL, ino, 300 * BLOCK, 4 * BLOCK, 4 * BLOCK),
		extent("/first", ino, 400 * BLOCK, 8 * BLOCK, 0),
	};

	e[3].volume = "partition 2";
	said = gather("/second", 2 * BLOCK, 4 * BLOCK, e, 4, &found, &code);
	assert_int_equal(code, 0);
	assert_string_equal(said, "");
	assert_int_equal(found.nr, 2);
	assert_int_equal(found.range[0].start_sectors, 102 * BLOCK);
	assert_int_equal(found.range[0].len_sectors, 2 * BLOCK);
	assert_int_equal(found.range[1].start_sectors, 300 * BLOCK);
	assert_int_equal(found.range[1].len_sectors, 2 * BLOCK);
	range_list_free(&found);
	free(said);
	unlink(from);
	unlink(to);
}

/* A hole, the end, and nothing at all */
static void less_than_asked_for(void **state)
{
	uint64_t ino = make("holes");
	struct owner_extent e[] = {
		extent("/holes", ino, 100 * BLOCK, 4 * BLOCK, 0),
		extent("/holes", ino, 200 * BLOCK, 4 * BLOCK, 8 * BLOCK),
	};
	struct range_list found;
	char *said;
	int code;

	said = gather("/holes", 0, 4 * BLOCK, e, 2, &found, &code);
	assert_int_equal(code, 0);
	assert_string_equal(said, "");
	range_list_free(&found);
	free(said);
	said = gather("/holes", 2 * BLOCK, 8 * BLOCK, e, 2, &found, &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(said, "/holes: warning: only 16 KiB of the 32 KiB"));
	assert_int_equal(ranges_total(found.range, found.nr), 4 * BLOCK);
	range_list_free(&found);
	free(said);
	said = gather("/holes", 12 * BLOCK, 8 * BLOCK, e, 2, &found, &code);
	assert_int_equal(code, DR_EXIT_USAGE);
	range_list_free(&found);
	free(said);
}

/* What is not mounted is known by the name that the map has. */
static void by_name(void **state)
{
	struct owner_extent e[] = {
		extent("/gone", 12, 100 * BLOCK, 4 * BLOCK, 0),
	};
	struct range_list found;
	char *said;
	int code;

	past.dir = NULL;
	said = gather("/gone", 0, 4 * BLOCK, e, 1, &found, &code);
	past.dir = dir;
	assert_int_equal(code, 0);
	assert_string_equal(said, "");
	assert_int_equal(ranges_total(found.range, found.nr), 4 * BLOCK);
	range_list_free(&found);
	free(said);
}

static int set_up(void **state)
{
	strcpy(dir, "/tmp/dmdelta-part-XXXXXX");
	return !mkdtemp(dir);
}

static int tear_down(void **state)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/other", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/holes", dir);
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_name),
		cmocka_unit_test(less_than_asked_for),
		cmocka_unit_test(by_name),
	};

	return cmocka_run_group_tests_name("tool-part", tests, set_up,
					   tear_down);
}
