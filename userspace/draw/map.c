// SPDX-License-Identifier: GPL-2.0
/*
 * map.c - from epochs, ranges and samples to rows and cells.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "map.h"
#include "recover/run.h"

#define NONE	SIZE_MAX

/* One for each epoch of the list, while rows are made */
struct place {
	size_t nr_children;
	size_t row;		/* in the order in which rows began */
};

static bool in_map(const struct epoch *e, uint32_t from, uint32_t to)
{
	return e && e->id >= from && e->id <= to &&
	       !epoch_is(e->state, DR_STATE_BUILDING);
}

/*
 * May @e stand in one row with its parent? Then nothing but checkpoints
 * happened in between, and nobody else branches off there.
 */
static bool continues(const struct epoch *e, const struct place *parent)
{
	return parent->nr_children == 1 && !e->has_prev && !run_made(e) &&
	       epoch_is(e->how, DR_HOW_CHECKPOINT) &&
	       !epoch_is(e->state, DR_STATE_HEAD);
}

static bool is_seen(const struct epoch *e)
{
	return !epoch_is(e->state, DR_STATE_DROPPED);
}

static void take_epoch(struct map_row *row, const struct epoch *e)
{
	if (!row->nr_epochs++)
		row->first = e;
	row->last = e;
	row->written_sectors += e->nr_blocks;	/* blocks as yet */
	if (is_seen(e))
		row->seen = e;
	if (e->label[0]) {
		row->nr_labels++;
		row->labelled = e;
	}
}

static int by_last(const void *a, const void *b)
{
	const struct map_row *x = a, *y = b;

	return x->last->id > y->last->id ? -1 : x->last->id < y->last->id;
}

static const struct map_row *find_row(const struct map *map,
				      const struct epochs *epochs,
				      const struct place *places,
				      const size_t *now_at,
				      const struct epoch *e)
{
	size_t i = e - epochs->epochs;

	return places[i].row == NONE ? NULL :
	       &map->rows[now_at[places[i].row]];
}

/* Parents, what to compare with, and lanes, once the order is known. */
static int link_rows(struct map *map, const struct epochs *epochs,
		     const struct place *places, const size_t *now_at)
{
	const struct epoch *head = epochs_head(epochs), *e;
	struct graph graph;
	struct map_row *row;
	int ret;

	ret = graph_begin(&graph, head ? head->id : DR_BASE_EPOCH);
	for (row = map->rows; !ret && row < map->rows + map->nr; row++) {
		e = epochs_parent(epochs, row->first);
		row->parent = e ? find_row(map, epochs, places, now_at, e) :
			      NULL;
		ret = graph_take(&graph, row->last->id, e, e ? e->id : 0,
				 &row->lane);
		if (row->lane >= map->nr_lanes)
			map->nr_lanes = row->lane + 1;
		while (e && !is_seen(e))
			e = epochs_parent(epochs, e);
		/* A row that begins with the base shows what came after it. */
		if (!e && row->seen != row->first && is_seen(row->first))
			e = row->first;
		row->base = row->seen ? e : NULL;
	}
	graph_free(&graph);
	return ret;
}

/* Ascending: a parent's row is known before its children ask for it. */
static void fill_rows(struct map *map, const struct epochs *epochs,
		      struct place *places, uint32_t from, uint32_t to)
{
	const struct epoch *e, *p;
	struct place *parent;
	size_t i;

	for (i = 0; i < epochs->nr; i++) {
		e = &epochs->epochs[i];
		places[i].row = NONE;
		if (!in_map(e, from, to))
			continue;
		p = epochs_parent(epochs, e);
		parent = p ? &places[p - epochs->epochs] : NULL;
		places[i].row = parent && parent->row != NONE &&
				map->rows[parent->row].nr_epochs < map->run &&
				continues(e, parent) ? parent->row : map->nr++;
		take_epoch(&map->rows[places[i].row], e);
	}
}

/* Newest first; @now_at says where a row has come to. */
static void sort_rows(struct map *map, size_t *now_at)
{
	size_t i;

	for (i = 0; i < map->nr; i++)
		map->rows[i].lane = i;		/* lent for the sorting */
	qsort(map->rows, map->nr, sizeof(*map->rows), by_last);
	for (i = 0; i < map->nr; i++)
		now_at[map->rows[i].lane] = i;
}

int map_rows(struct map *map, const struct epochs *epochs, uint32_t from,
	     uint32_t to, size_t max)
{
	struct place *places = calloc(epochs->nr + 1, sizeof(*places));
	size_t *now_at = calloc(epochs->nr + 1, sizeof(*now_at));
	const struct epoch *e;
	int ret = -ENOMEM;
	size_t i;

	map->nr_epochs = 0;
	map->nr = 0;
	map->nr_lanes = 0;
	map->rows = calloc(epochs->nr + 1, sizeof(*map->rows));
	if (!places || !now_at || !map->rows)
		goto out;
	for (i = 0; i < epochs->nr; i++) {
		if (!in_map(&epochs->epochs[i], from, to))
			continue;
		map->nr_epochs++;
		e = epochs_parent(epochs, &epochs->epochs[i]);
		if (e)
			places[e - epochs->epochs].nr_children++;
	}
	map->run = max ? (map->nr_epochs + max - 1) / max : 1;
	if (!map->run)
		map->run = 1;
	fill_rows(map, epochs, places, from, to);
	sort_rows(map, now_at);
	ret = link_rows(map, epochs, places, now_at);
out:
	free(places);
	free(now_at);
	return ret;
}

void map_free(struct map *map)
{
	size_t i;

	for (i = 0; map->rows && i < map->nr; i++)
		free(map->rows[i].cells);
	free(map->rows);
	map->rows = NULL;
	map->nr = 0;
}

void map_buckets(struct map *map, uint64_t sectors, size_t max)
{
	uint64_t blocks = (sectors + SAMPLE_SECTORS - 1) / SAMPLE_SECTORS;

	map->sectors = sectors;
	map->bucket_sectors = (blocks + max - 1) / max * SAMPLE_SECTORS;
	if (!map->bucket_sectors)
		map->bucket_sectors = SAMPLE_SECTORS;
	map->nr_buckets = (sectors + map->bucket_sectors - 1) /
			  map->bucket_sectors;
}

/*
 * The piece of @ranges that begins at *@at sectors within range *@i and ends
 * with it or with its bucket; *@at and *@i go on behind it.
 */
static bool next_piece(const struct map *map, const struct range *ranges,
		       size_t nr, size_t *i, uint64_t *at, struct range *piece)
{
	uint64_t left, room;

	while (*i < nr && *at >= ranges[*i].len_sectors) {
		++*i;
		*at = 0;
	}
	if (*i == nr)
		return false;
	piece->start_sectors = ranges[*i].start_sectors + *at;
	left = ranges[*i].len_sectors - *at;
	room = map->bucket_sectors -
	       piece->start_sectors % map->bucket_sectors;
	piece->len_sectors = left < room ? left : room;
	*at += piece->len_sectors;
	return piece->start_sectors < map->sectors;
}

int map_add_ranges(const struct map *map, struct map_row *row,
		   const struct range *ranges, size_t nr)
{
	struct range piece;
	uint64_t at = 0;
	size_t i = 0;

	if (!row->cells)
		row->cells = calloc(map->nr_buckets, sizeof(*row->cells));
	if (!row->cells)
		return -ENOMEM;
	while (next_piece(map, ranges, nr, &i, &at, &piece)) {
		row->cells[piece.start_sectors / map->bucket_sectors].sectors +=
			piece.len_sectors;
		row->differs_sectors += piece.len_sectors;
	}
	row->nr_ranges += nr;
	return 0;
}

void map_add_sample(const struct map *map, struct map_row *row,
		    const struct sample *sample)
{
	struct map_cell *cell;

	if (!sample->read || !row->cells || sample->sector >= map->sectors)
		return;
	cell = &row->cells[sample->sector / map->bucket_sectors];
	cell->nr_samples++;
	cell->nr_zero += sample->zero;
	cell->bits += sample->bits;
	row->nr_samples++;
}

double map_row_bits(const struct map *map, const struct map_row *row)
{
	const struct map_cell *cell;
	double bits = 0, sectors = 0;
	size_t i;

	for (i = 0; row->cells && i < map->nr_buckets; i++) {
		cell = &row->cells[i];
		if (!cell->nr_samples)
			continue;
		bits += cell->bits / cell->nr_samples * cell->sectors;
		sectors += cell->sectors;
	}
	return sectors ? bits / sectors : 0;
}

static size_t buckets_touched(const struct map *map,
			      const struct range *ranges, size_t nr)
{
	uint64_t at = 0, bucket, last = UINT64_MAX;
	struct range piece;
	size_t i = 0, n = 0;

	while (next_piece(map, ranges, nr, &i, &at, &piece)) {
		bucket = piece.start_sectors / map->bucket_sectors;
		n += bucket != last;
		last = bucket;
	}
	return n;
}

size_t map_pick(const struct map *map, const struct range *ranges, size_t nr,
		struct sample *samples)
{
	size_t touched = buckets_touched(map, ranges, nr), i = 0, n = 0, held;
	size_t each = touched ? MAP_ROW_SAMPLES / touched : 0;
	struct range piece, *in_bucket;
	uint64_t at = 0, bucket = 0;
	bool more;

	if (each > MAP_BUCKET_SAMPLES)
		each = MAP_BUCKET_SAMPLES;
	/* Cutting at buckets makes at most one more of each range and bucket. */
	in_bucket = calloc(nr + 1, sizeof(*in_bucket));
	if (!in_bucket)
		return 0;
	more = next_piece(map, ranges, nr, &i, &at, &piece);
	while (more) {
		bucket = piece.start_sectors / map->bucket_sectors;
		for (held = 0; more && piece.start_sectors /
		     map->bucket_sectors == bucket; held++) {
			in_bucket[held] = piece;
			more = next_piece(map, ranges, nr, &i, &at, &piece);
		}
		n += samples_pick(in_bucket, held, each, samples + n);
	}
	free(in_bucket);
	return n;
}
