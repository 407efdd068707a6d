/* SPDX-License-Identifier: GPL-2.0 */
/*
 * entropy.h - how random the content of a block looks, and which blocks of
 * many are looked at.
 *
 * The measure is Shannon's, of single bytes, in bits per byte: 0 for a block
 * of one value, 8 at most. 4 KiB of random, encrypted or well compressed data
 * come to 7.95 +- 0.01 (256 values counted in 4096 bytes); text, tables and
 * programs to 3..6.5. It says nothing about why data look random.
 *
 * Samples are the same in every run: they depend on the ranges alone.
 */
#ifndef DR_DRAW_ENTROPY_H
#define DR_DRAW_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

#define ENTROPY_COMPRESSIBLE	6.0	/* below: text, tables, programs */
#define ENTROPY_RANDOM		7.8	/* above: compressed or encrypted */

#define SAMPLE_BYTES		4096u
#define SAMPLE_SECTORS		(SAMPLE_BYTES >> SECTOR_SHIFT)

/* Bits per byte; 0 for no bytes at all. */
double entropy_bits(const void *data, size_t bytes);

bool is_zeroes(const void *data, size_t bytes);

/* What one sample looked like */
struct sample {
	uint64_t sector;
	double bits;
	bool zero;		/* nothing but zero bytes: never written, discarded */
	bool read;		/* false: could not be read */
};

/**
 * samples_pick() - which blocks of @ranges to look at
 * @ranges: sorted and disjoint
 * @max: how many samples at most; one for each stratum of equal size
 * @samples: where to, sorted by sector; only the sectors are set
 *
 * Ranges are cut into pieces of SAMPLE_SECTORS from their beginning; when
 * there are no more than @max of them, all are taken.
 * Return: how many.
 */
size_t samples_pick(const struct range *ranges, size_t nr, size_t max,
		    struct sample *samples);

/**
 * samples_read() - look at blocks of a device
 * @fd: the device
 *
 * A piece that cannot be read, or lies behind the end, stays !read. Stops
 * early when cancelled().
 */
void samples_read(int fd, struct sample *samples, size_t nr);

#endif
