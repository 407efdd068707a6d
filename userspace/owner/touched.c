// SPDX-License-Identifier: GPL-2.0
/*
 * touched.c - whose data what was written has hit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "owner/touched.h"

struct files {
	const struct owner_extent **e;
	size_t nr, room;
};

static int compare(const char *a, const char *b)
{
	if (!a || !b)
		return !b - !a;
	return strcmp(a, b);
}

static int by_name(const void *a, const void *b)
{
	const struct owner_extent *x = *(const struct owner_extent *const *)a;
	const struct owner_extent *y = *(const struct owner_extent *const *)b;
	int cmp = compare(x->volume, y->volume);

	return cmp ? cmp : compare(x->path, y->path);
}

/* The list once sorted, each file once */
static void make_set(struct files *files)
{
	size_t i, n = 0;

	if (!files->nr)
		return;
	qsort(files->e, files->nr, sizeof(*files->e), by_name);
	for (i = 1; i < files->nr; i++)
		if (by_name(&files->e[n], &files->e[i]))
			files->e[++n] = files->e[i];
	files->nr = n + 1;
}

/* A file in a thousand pieces must not need room for each of them. */
static int add(struct files *files, const struct owner_extent *e)
{
	const struct owner_extent **more;
	size_t room;

	if (files->nr == files->room) {
		make_set(files);
		room = files->room ? 2 * files->room : 256;
		if (files->nr < files->room / 2)
			room = files->room;
		more = reallocarray(files->e, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		files->e = more;
		files->room = room;
	}
	files->e[files->nr++] = e;
	return 0;
}

static int add_map(struct files *files, const struct owner_map *map,
		   const struct range *ranges, size_t nr)
{
	const struct owner_extent *e;
	size_t i = 0;
	int ret = 0;

	for (e = map->e; !ret && e < map->e + map->nr; e++) {
		while (i < nr && ranges[i].start_sectors +
		       ranges[i].len_sectors <= e->start)
			i++;
		if (i == nr)
			break;
		if (e->kind == OWNER_FILE && e->path &&
		    ranges[i].start_sectors < e->start + e->sectors)
			ret = add(files, e);
	}
	return ret;
}

int owner_files_touched(const struct owner_map *before,
			const struct owner_map *after,
			const struct range *ranges, size_t nr, uint64_t *count)
{
	struct files files = { 0 };
	int ret = add_map(&files, before, ranges, nr);

	if (!ret)
		ret = add_map(&files, after, ranges, nr);
	make_set(&files);
	*count = files.nr;
	free(files.e);
	return ret;
}

bool owner_is_free(const struct owner_map *map, uint64_t sector)
{
	const struct owner_extent *e = owner_find(map, sector);

	return e && e->kind == OWNER_NONE;
}
