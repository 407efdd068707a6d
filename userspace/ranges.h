/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ranges.h - sets of sectors, as sorted lists of disjoint ranges.
 */
#ifndef DR_RANGES_H
#define DR_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

/* All zeroes: empty. Allocation failures are kept and told at the end. */
struct range_list {
	struct range *range;
	size_t nr;
	size_t room;
	bool no_memory;
};

static inline uint64_t range_end(const struct range *range)
{
	return range->start_sectors + range->len_sectors;
}

/* Append; joined with the last one where it continues that. */
void range_list_add(struct range_list *list, uint64_t start, uint64_t len);
/* After adding in any order: make it a set again. */
void range_list_join(struct range_list *list);
void range_list_free(struct range_list *list);

/* What is in both sets, appended to @out. */
void ranges_and(const struct range *a, size_t nr_a, const struct range *b,
		size_t nr_b, struct range_list *out);

/* What is in @a and not in @b, appended to @out. */
void ranges_minus(const struct range *a, size_t nr_a, const struct range *b,
		  size_t nr_b, struct range_list *out);

uint64_t ranges_total(const struct range *ranges, size_t nr);

/* Widen each to whole units of @unit sectors, not behind @end, and join. */
size_t ranges_align(struct range *ranges, size_t nr, uint64_t unit,
		    uint64_t end);

#endif
