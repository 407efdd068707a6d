// SPDX-License-Identifier: GPL-2.0
/*
 * parts.c - see parts.h. A map of owners has one name of a file; the file
 * system is asked which file it is that a name stands for.
 */
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "beneath.h"
#include "cli.h"
#include "output.h"
#include "recover/blocks.h"
#include "recover/parts.h"

/* A file, whatever its names are */
struct part_file {
	const char *volume;
	uint64_t tree, ino;
};

/* The subvolume of a file; its inodes are numbered apart. 0: unknown */
static uint64_t tree_of(const char *dir, const char *path)
{
	struct btrfs_ioctl_ino_lookup_args args = {
		.objectid = BTRFS_FIRST_FREE_OBJECTID,
	};
	int fd = open_in_tree(dir, path, O_RDONLY | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args))
		args.treeid = 0;
	close(fd);
	return args.treeid;
}

static bool find_file(const struct past_volume *v, const char *path,
		      struct part_file *file)
{
	struct stat st;

	if (!v || !v->dir || !stat_in_tree(v->dir, path, &st) ||
	    !S_ISREG(st.st_mode))
		return false;
	file->volume = v->vol->what;
	file->ino = st.st_ino;
	file->tree = v->vol->type && !strcmp(v->vol->type, "btrfs") ?
		     tree_of(v->dir, path) : 0;
	return true;
}

static bool is_one_of(const struct owner_extent *e,
		      const struct part_file *file, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (file[i].ino == e->ino && file[i].tree == e->tree &&
		    e->volume && !strcmp(file[i].volume, e->volume))
			return true;
	return false;
}

/* Where the sectors of @part lie; how many of them were found */
static uint64_t find_part(const struct owner_map *map,
			  const struct select_part *part,
			  const struct part_file *file, size_t nr,
			  struct range_list *list)
{
	const struct owner_extent *e = map->e;
	uint64_t at, first, last, sectors = 0;

	for (; e < map->e + map->nr; e++) {
		/* By its name where the volume could not be mounted */
		if (e->kind != OWNER_FILE ||
		    (!is_one_of(e, file, nr) &&
		     (!e->path || strcmp(e->path, part->path))))
			continue;
		at = e->offset >> SECTOR_SHIFT;
		first = at > part->range.start_sectors ? at :
			part->range.start_sectors;
		last = at + e->sectors < range_end(&part->range) ?
		       at + e->sectors : range_end(&part->range);
		if (first >= last)
			continue;
		range_list_add(list, e->start + first - at, last - first);
		sectors += last - first;
	}
	return sectors;
}

static void warn_of_less(const struct select_part *part, uint64_t found)
{
	char asked_text[32], found_text[32];

	if (found >= part->range.len_sectors)
		return;
	warn(part->path,
	     "only %s of the %s of this part have blocks; holes, what lies behind the end of the file and what it shares with others have none of their own",
	     out_size(found << SECTOR_SHIFT, found_text, sizeof(found_text)),
	     out_size(part->range.len_sectors << SECTOR_SHIFT, asked_text,
		      sizeof(asked_text)));
}

/* @file: room for one in each volume */
static int gather(const struct sight *s, const struct select_part *part,
		  struct part_file *file, struct blocks_facts *f)
{
	const struct plan_volume *v, *end = s->volume + s->nr_volumes;
	uint64_t before, now;
	size_t nr;

	for (nr = 0, v = s->volume; v < end; v++)
		nr += find_file(v->before, part->path, &file[nr]);
	before = find_part(&f->before, part, file, nr, &f->parts);
	for (nr = 0, v = s->volume; v < end; v++)
		nr += find_file(v->now, part->path, &file[nr]);
	now = find_part(&f->now, part, file, nr, &f->parts);
	if (!before && !now)
		return fail(DR_EXIT_USAGE, part->path,
			    "'dmdelta ls' shows the names, from the root of the file system; small files and holes have no blocks",
			    "no blocks of this part of it are there, neither before the damage nor now");
	warn_of_less(part, before > now ? before : now);
	return DR_EXIT_OK;
}

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

int parts_gather(const struct sight *s, const struct select *select,
		 struct blocks_facts *f)
{
	struct part_file *file = calloc(s->nr_volumes + 1, sizeof(*file));
	int code = file ? DR_EXIT_OK : no_memory();
	size_t i;

	for (i = 0; !code && i < select->nr_part; i++)
		code = gather(s, &select->part[i], file, f);
	free(file);
	if (code)
		return code;
	if (f->parts.no_memory)
		return no_memory();
	f->parts.nr = ranges_align(f->parts.range, f->parts.nr,
				   s->status.block_sectors,
				   s->status.sectors);
	/* Where files are chosen in the whole of the device, nothing limits. */
	if (!select->nr_range && select_names_files(select))
		return DR_EXIT_OK;
	for (i = 0; i < f->parts.nr; i++)
		range_list_add(&f->only, f->parts.range[i].start_sectors,
			       f->parts.range[i].len_sectors);
	range_list_join(&f->only);
	return f->only.no_memory ? no_memory() : DR_EXIT_OK;
}
