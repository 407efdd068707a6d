/* SPDX-License-Identifier: GPL-2.0 */
/*
 * suspects.h - which epochs of a history stand out, by what blocks show.
 *
 * What an epoch wrote is compared with what it replaced, in samples. A block
 * that was compressible (text, tables, programs) and came out random was
 * encrypted or compressed in place. One that was zeroes, or free space where
 * that is known, and came out random is new data: archives, pictures and
 * encrypted containers look so, and are no reason for alarm by themselves.
 *
 * An epoch stands out when its share is above a floor and, by six robust
 * standard deviations (1.4826 times the median absolute deviation, and never
 * less than a least one), above the median of all other epochs; with fewer
 * than SUSPECT_MIN_HISTORY others there is no usual, and a higher floor
 * decides alone. The epoch itself is left out of the median, so that one
 * attack cannot make itself usual. Many small ones can: for these there is
 * the cumulative share, see suspects_mark().
 */
#ifndef DR_SUSPECTS_H
#define DR_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epochs.h"

#define SUSPECT_SAMPLES		256u	/* pairs of an epoch */
#define SUSPECT_MIN_HISTORY	4u
#define SUSPECT_DEVIATIONS	6.0
#define SUSPECT_SLOW_SHARE	0.05	/* of what was compressible once */

enum suspect_reason {
	REASON_JUMPED,		/* compressible before, random after */
	REASON_READ_FIRST,	/* overwritten after having been read */
	REASON_FRESH,		/* random data where there were none */
	REASON_ZEROED,		/* data replaced by zeroes, or discarded */
	REASON_SLOW,		/* small by itself, part of a large sum */
	NR_REASONS
};

enum suspect_mark { MARK_NONE, MARK_NOTICE, MARK_SUSPECT };

/* One epoch */
struct suspect {
	const struct epoch *epoch;
	const struct epoch *base;	/* compared with; NULL: nothing */
	bool listed;			/* else only there for the history */
	uint64_t changed_sectors;
	/* Samples of which both sides could be read */
	size_t nr_samples;
	size_t nr_jumped, nr_fresh, nr_zeroed;
	double bits_before, bits_after;	/* sums over them */
	bool has_read_first;		/* feature track_reads */
	uint64_t read_first_blocks;
	bool has_files;
	uint64_t nr_files;
	/* Since the epoch before the first one listed, up to this one */
	bool has_since;
	size_t since_samples, since_jumped;
	uint64_t since_sectors;		/* that differ */
	/* suspects_mark() fills in: */
	enum suspect_mark mark;
	struct suspect_finding {
		bool stands_out;
		double share, usual, deviation, limit;
	} finding[NR_REASONS];
	double since_share;		/* of what was compressible */
};

/* A share that this feature of an epoch has; false: nothing to go by. */
bool suspect_share(const struct suspect *s, enum suspect_reason reason,
		   double *share);

/**
 * suspects_mark() - find those that stand out
 * @suspects: in the order of their age
 * @compressible_sectors: of the device before the first one that is listed,
 *	as sampled; 0: not known
 *
 * REASON_JUMPED makes a suspect, the others a notice. If at the end more
 * than SUSPECT_SLOW_SHARE of what was compressible has become random, and
 * the suspects found one by one explain less than half of that, all that
 * have taken part get REASON_SLOW.
 * Return: 0 or a negative errno.
 */
int suspects_mark(struct suspect *suspects, size_t nr,
		  uint64_t compressible_sectors);

#endif
