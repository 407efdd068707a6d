// SPDX-License-Identifier: GPL-2.0
/*
 * draw-sample.c - draws histories and plans that were made up, for tests of
 * pictures and pages.
 *
 * usage: draw-sample map one|story|wide|long
 *        draw-sample plan FILE.json
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "draw/html.h"
#include "draw/svg.h"

#define MIB		2048u	/* sectors */
#define MAX_RANGES	4096

static struct epochs history;
static uint32_t dice = 12345;

static uint32_t roll(uint32_t sides)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % sides;
}

static struct epoch *add(uint32_t parent, const char *how, const char *label)
{
	uint32_t id = history.nr;
	struct epoch *e;

	history.epochs = realloc(history.epochs, (id + 1) * sizeof(*e));
	e = &history.epochs[history.nr++];
	memset(e, 0, sizeof(*e));
	e->id = id;
	e->has_parent = id;
	e->parent = parent;
	strcpy(e->state, "sealed");
	strcpy(e->how, how);
	strcpy(e->consistency, id % 3 ? "frozen" : "crash");
	snprintf(e->label, sizeof(e->label), "%s", label);
	e->has_time = id;
	e->time = 1790000000 + id * 4000ull;
	return e;
}

static void to(struct epoch *e, int64_t prev)
{
	e->has_prev = prev >= 0;
	e->prev = prev;
}

/* Good work, an attack, a rollback, its undo, a replay */
static void story(void)
{
	uint32_t i;

	add(0, "format", "");
	add(0, "checkpoint", "installed");
	for (i = 2; i < 12; i++)
		add(i - 1, "checkpoint", i == 6 ? "before-upgrade" : "");
	strcpy(history.epochs[4].state, "dropped");
	add(11, "checkpoint", "<script>alert(1)</script>");
	to(add(6, "rollback", ""), 12);
	add(13, "checkpoint", "tried, but to no avail whatsoever, alas");
	to(add(12, "rollback", ""), 14);
	to(add(15, "replay", "without-12"), 15);
	add(16, "checkpoint", "");
	strcpy(add(17, "checkpoint", "")->state, "head");
	history.epochs[18].has_time = false;
}

static void branches(uint32_t n)
{
	uint32_t i;

	add(0, "format", "");
	for (i = 1; i < n; i++) {
		if (roll(3))
			add(i - 1, "checkpoint", "");
		else
			to(add(roll(i), "rollback", ""), i - 1);
	}
	strcpy(history.epochs[n - 1].state, "head");
}

static void line(uint32_t n)
{
	char label[32];
	uint32_t i;

	add(0, "format", "");
	for (i = 1; i < n; i++) {
		snprintf(label, sizeof(label), "night-%u", i / 24);
		if (i == 7001)
			to(add(6500, "rollback", "good again"), 7000);
		else
			add(i - 1, "checkpoint", i % 24 ? "" : label);
	}
	strcpy(history.epochs[n - 1].state, "head");
}

static void fill(struct map *map, struct map_row *row, bool attack)
{
	uint64_t at = roll(8) * 8, end = map->sectors;
	struct range ranges[MAX_RANGES];
	struct sample samples[MAP_ROW_SAMPLES];
	uint64_t share = attack ? 3 : 30;
	size_t nr = 0, n, i;

	while (at + 8 < end && nr < MAX_RANGES) {
		uint64_t len = (1 + roll(attack ? 200 : 40)) * 8;

		if (at + len > end)
			len = end - at;
		ranges[nr++] = (struct range){ at, len };
		at += len + (1 + roll(len * share)) * 8;
	}
	map_add_ranges(map, row, ranges, nr);
	n = map_pick(map, ranges, nr, samples);
	for (i = 0; i < n; i++) {
		uint64_t third = samples[i].sector * 3 / map->sectors;

		samples[i].read = roll(10) > 0;
		samples[i].zero = !attack && samples[i].sector < end / 20;
		samples[i].bits = samples[i].zero ? 0 : attack ? 7.95 :
				  third * 2.4 + roll(300) / 100.0;
		map_add_sample(map, row, &samples[i]);
	}
}

static int draw_map(const char *which)
{
	struct map map = {
		.device = "disk", .sampled = true, .time = 1790090000,
		.command = "dmdelta map disk -o history.svg",
	};
	size_t i;

	if (!strcmp(which, "one"))
		strcpy(add(0, "format", "")->state, "head");
	else if (!strcmp(which, "story"))
		story();
	else if (!strcmp(which, "wide"))
		branches(120);
	else if (!strcmp(which, "long"))
		line(10000);
	else
		return 16;
	if (map_rows(&map, &history, 0, UINT32_MAX, MAP_ROWS))
		return 8;
	map_buckets(&map, 384 * MIB, MAP_BUCKETS);
	for (i = 0; i < map.nr; i++) {
		if (!map.rows[i].base)
			continue;
		fill(&map, &map.rows[i], map.rows[i].last->id == 12);
		map.rows[i].written_sectors = map.rows[i].differs_sectors;
	}
	svg_map(stdout, &map);
	map_free(&map);
	return 0;
}

static int draw_plan(const char *file)
{
	struct html_plan page = {
		.plan = json_object_from_file(file),
		.epochs = &history, .sectors = 384 * MIB, .time = 1790090000,
		.command = "dmdelta plan disk --from 12 --to 12 -o plan.html",
	};

	if (!page.plan)
		return 8;
	story();
	html_put_plan(stdout, &page);
	json_object_put(page.plan);
	return 0;
}

int main(int argc, char **argv)
{
	int code = 16;

	if (argc == 3 && !strcmp(argv[1], "map"))
		code = draw_map(argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "plan"))
		code = draw_plan(argv[2]);
	free(history.epochs);
	return ferror(stdout) ? 8 : code;
}
