// SPDX-License-Identifier: GPL-2.0
/*
 * files-touched.c - inodes whose blocks lie in ranges of the device.
 *
 * Only numbers are kept: in a device with several file systems one number
 * may stand for several files, and all of them are read then.
 */
#include <stdlib.h>

#include "files-touched.h"
#include "owner/owner.h"
#include "parse.h"

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int inodes_touched(const struct owner_map *map, const struct range *ranges,
		   size_t nr, struct inodes *inodes, bool *complete)
{
	size_t e = 0, r = 0;

	while (e < map->nr && r < nr) {
		const struct owner_extent *x = &map->e[e];
		uint64_t start = ranges[r].start_sectors;
		uint64_t end = start + ranges[r].len_sectors;
		uint64_t *more;

		if (x->start + x->sectors <= start) {
			e++;
			continue;
		}
		if (end <= x->start) {
			r++;
			continue;
		}
		e++;
		if ((x->flags & OWNER_SHARED) ||
		    (x->kind == OWNER_UNKNOWN && x->volume))
			*complete = false;
		if (!x->ino)
			continue;
		more = grow(inodes->ino, inodes->nr, &inodes->room,
			    sizeof(*more));
		if (!more)
			return -ENOMEM;
		inodes->ino = more;
		inodes->ino[inodes->nr++] = x->ino;
	}
	if (inodes->nr)
		qsort(inodes->ino, inodes->nr, sizeof(*inodes->ino),
		      by_number);
	return 0;
}

bool inodes_have(const struct inodes *inodes, uint64_t ino)
{
	return inodes->nr && bsearch(&ino, inodes->ino, inodes->nr,
				     sizeof(ino), by_number);
}
