// SPDX-License-Identifier: GPL-2.0
/*
 * ranges.c - sets of sectors.
 */
#include <stdlib.h>

#include "grow.h"
#include "ranges.h"

void range_list_add(struct range_list *list, uint64_t start, uint64_t len)
{
	struct range *more;

	if (!len || list->no_memory)
		return;
	if (list->nr && range_end(&list->range[list->nr - 1]) == start) {
		list->range[list->nr - 1].len_sectors += len;
		return;
	}
	more = grow(list->range, list->nr, &list->room, sizeof(*more));
	if (!more) {
		list->no_memory = true;
		return;
	}
	list->range = more;
	more[list->nr++] = (struct range){ start, len };
}

void range_list_join(struct range_list *list)
{
	if (list->nr)
		list->nr = ranges_join(list->range, list->nr);
}

void range_list_free(struct range_list *list)
{
	free(list->range);
	*list = (struct range_list){ 0 };
}

void ranges_and(const struct range *a, size_t nr_a, const struct range *b,
		size_t nr_b, struct range_list *out)
{
	uint64_t start, end, end_a, end_b;
	size_t i = 0, j = 0;

	while (i < nr_a && j < nr_b) {
		end_a = range_end(&a[i]);
		end_b = range_end(&b[j]);
		start = a[i].start_sectors > b[j].start_sectors ?
			a[i].start_sectors : b[j].start_sectors;
		end = end_a < end_b ? end_a : end_b;
		if (start < end)
			range_list_add(out, start, end - start);
		if (end_a < end_b)
			i++;
		else
			j++;
	}
}

void ranges_minus(const struct range *a, size_t nr_a, const struct range *b,
		  size_t nr_b, struct range_list *out)
{
	uint64_t at, end;
	size_t i, j = 0;

	for (i = 0; i < nr_a; i++) {
		at = a[i].start_sectors;
		end = range_end(&a[i]);
		while (j < nr_b && range_end(&b[j]) <= at)
			j++;
		/* A range of b may reach into the next one of a: keep j. */
		for (; at < end && j < nr_b && b[j].start_sectors < end; j++) {
			if (b[j].start_sectors > at)
				range_list_add(out, at,
					       b[j].start_sectors - at);
			at = range_end(&b[j]);
			if (at >= end)
				break;
		}
		if (at < end)
			range_list_add(out, at, end - at);
	}
}

uint64_t ranges_total(const struct range *ranges, size_t nr)
{
	uint64_t total = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		total += ranges[i].len_sectors;
	return total;
}

size_t ranges_align(struct range *ranges, size_t nr, uint64_t unit,
		    uint64_t end)
{
	struct range *r;
	uint64_t stop;

	for (r = ranges; unit > 1 && r < ranges + nr; r++) {
		stop = range_end(r) + unit - 1;
		stop -= stop % unit;
		if (stop > end)
			stop = end;
		r->start_sectors -= r->start_sectors % unit;
		r->len_sectors = stop - r->start_sectors;
	}
	return ranges_join(ranges, nr);
}
