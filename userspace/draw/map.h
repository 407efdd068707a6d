/* SPDX-License-Identifier: GPL-2.0 */
/*
 * map.h - a history as a picture: epochs against addresses, as plain data.
 *
 * A row is an epoch, or a run of epochs without a branch or a recovery in it
 * when there are more than rows: then it shows what differs between its two
 * ends. Rows are in the order of their last epoch, the newest first, so that
 * a row comes before that of its parent. The device is cut into buckets of
 * equal size; the last one may be smaller.
 */
#ifndef DR_DRAW_MAP_H
#define DR_DRAW_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "entropy.h"
#include "epochs.h"

#define MAP_BUCKETS		240u
#define MAP_ROWS		160u	/* default for --rows */
#define MAP_BUCKET_SAMPLES	4u	/* of a bucket in a row, at most */
#define MAP_ROW_SAMPLES		512u	/* of a row, at most */

struct map_cell {
	uint64_t sectors;	/* written */
	uint32_t nr_samples;
	uint32_t nr_zero;
	double bits;		/* sum over the samples */
};

struct map_row {
	const struct epoch *first, *last;	/* the same: one epoch */
	size_t nr_epochs;
	size_t nr_labels;
	const struct epoch *labelled;	/* the newest one that has a label */
	const struct map_row *parent;	/* or NULL */
	size_t lane;			/* in the graph, from the left */
	/* What it is compared with: the nearest ancestor that can be seen */
	const struct epoch *seen, *base;	/* NULL: nothing to be seen */
	uint64_t written_sectors;	/* as its epochs counted */
	uint64_t differs_sectors;	/* between base and seen */
	size_t nr_ranges;
	size_t nr_samples;
	struct map_cell *cells;		/* nr_buckets, or NULL */
};

struct map {
	const char *device;
	const char *command;		/* how it was made, or NULL */
	uint64_t time;
	uint64_t sectors;
	uint64_t bucket_sectors;
	size_t nr_buckets;
	size_t nr_epochs;		/* that the rows stand for */
	size_t run;			/* epochs in a row at most */
	size_t nr_lanes;
	struct map_row *rows;
	size_t nr;
	bool sampled;
};

/**
 * map_rows() - make rows of the epochs from @from to @to
 * @epochs: stay with the caller, and must outlive the map
 * @max: so many rows are aimed at; branches and recoveries add to them
 *
 * Return: 0 or a negative errno. map_free() must follow in either case.
 */
int map_rows(struct map *map, const struct epochs *epochs, uint32_t from,
	     uint32_t to, size_t max);
void map_free(struct map *map);

/* Cut a device into buckets. */
void map_buckets(struct map *map, uint64_t sectors, size_t max);

/* Take ranges (sorted, disjoint, within the device) into the row's cells. */
int map_add_ranges(const struct map *map, struct map_row *row,
		   const struct range *ranges, size_t nr);
void map_add_sample(const struct map *map, struct map_row *row,
		    const struct sample *sample);

/*
 * Mean entropy of what the row wrote: each bucket counts by how much of it was
 * written, not by how many samples it happens to have. 0 without samples.
 */
double map_row_bits(const struct map *map, const struct map_row *row);

/**
 * map_pick() - the samples of a row
 * @samples: room for MAP_ROW_SAMPLES
 *
 * At most MAP_BUCKET_SAMPLES of a bucket.
 * Return: how many.
 */
size_t map_pick(const struct map *map, const struct range *ranges, size_t nr,
		struct sample *samples);

#endif
