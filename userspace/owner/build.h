/* SPDX-License-Identifier: GPL-2.0 */
/*
 * build.h - what the readers of file systems and owner.c share while a map is
 * made. Functions return 0 or a negative errno.
 *
 * A reader adds extents in sectors of its volume, in any order and even
 * overlapping; owner.c lays them out on the device and decides who is in
 * front. It adds names, too, as it meets them; who has an inode number gets
 * its path when the volume is done.
 */
#ifndef DR_OWNER_BUILD_H
#define DR_OWNER_BUILD_H

#include "grow.h"
#include "owner.h"
#include "past/inside.h"

/* Who covers whom: later ones are in front */
enum owner_depth {
	DEPTH_DEVICE,		/* what is in no volume */
	DEPTH_VOLUME,		/* what its file system does not know */
	DEPTH_SPACE,		/* space of the file system */
	DEPTH_LOOSE,		/* an owner that may give way to others */
	DEPTH_OWNER,
};

struct owner_item {
	struct owner_extent e;
	enum owner_depth depth;
};

/* One name in a directory; tree is 0 but for btrfs */
struct owner_node {
	uint64_t tree, ino;
};

struct owner_name {
	struct owner_node parent, child;
	const char *name;
	const char *path;	/* of the child; in its first entry */
	bool busy;		/* its path is being made: a loop if met again */
};

struct owner_build {
	struct owner_map *map;
	const struct range *ranges;
	size_t nr_ranges;
	struct owner_item *item;
	size_t nr, room;
	/* of the volume in hand */
	const struct inside_volume *vol;
	const char *volume;
	const char *node;	/* block device or image */
	const char *dir;	/* mounted here, or NULL */
	struct owner_node root;
	struct owner_name *name;
	size_t nr_names, room_names;
};

/* As large as its device is, whatever the file system says */
uint64_t owner_volume_sectors(const struct inside_volume *vol);

/* @e: start in sectors of the volume, or of the device when @b->vol is NULL */
int owner_add(struct owner_build *b, enum owner_depth depth,
	      const struct owner_extent *e);

/* The same, for what has neither file nor offset */
int owner_add_meta(struct owner_build *b, uint64_t start, uint64_t sectors,
		   const char *what);

/* A copy that lives as long as the map, or NULL. */
const char *owner_string(struct owner_build *b, const char *s, size_t len);

/* names.c: paths from directory entries */
int owner_name_add(struct owner_build *b, struct owner_node parent,
		   struct owner_node child, const char *name, size_t len);
int owner_names_resolve(struct owner_build *b, size_t first_item);

/*
 * Readers. -EOPNOTSUPP and others make the volume unknown; *@why then says
 * it in words (a constant string).
 */
int owner_ext(struct owner_build *b, const char **why);
int owner_xfs(struct owner_build *b, const char **why);
int owner_btrfs(struct owner_build *b, const char **why);

/* Partition tables and what lies around volumes: on the whole device */
int owner_tables(struct owner_build *b, const char *node, uint64_t sectors);

#endif
