/* SPDX-License-Identifier: GPL-2.0 */
/*
 * owner.h - whose blocks these are: a map of a device at one epoch, made of
 * the metadata of the file systems in it. File data is never read.
 *
 * 1. The extents of a map are sorted, disjoint and cover the device (or at
 *    least the ranges that were asked for): free space is an owner, too, and
 *    so is what we do not understand.
 * 2. An extent belongs to one owner. Where several files share blocks, it is
 *    the one whose path comes first in strcmp order, and OWNER_SHARED is set;
 *    so does a file with several names have the first of them.
 * 3. The map holds copies of all that it names: it may outlive the past that
 *    it was made of.
 */
#ifndef DR_OWNER_H
#define DR_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

struct past;

enum owner_kind {
	OWNER_NONE,		/* free space of a file system */
	OWNER_FILE,		/* data of a regular file, or a long symlink */
	OWNER_META,		/* metadata; "what" says which */
	OWNER_JOURNAL,		/* of a file system, inside it */
	OWNER_UNKNOWN,		/* no file system that we can read */
};

/* What lies on the device is not what the file says: compressed. */
#define OWNER_ENCODED	1u
/* There are other owners; see above. */
#define OWNER_SHARED	2u

/*
 * Preallocated blocks that were never written (unwritten extents) are free
 * space of a file: OWNER_NONE, with its path. Delayed and inline data have no
 * blocks.
 */
struct owner_extent {
	uint64_t start, sectors;	/* of the device */
	enum owner_kind kind;
	unsigned int flags;
	const char *volume;	/* inside_volume.what; NULL: outside of them */
	const char *path;	/* of a file or directory, else NULL */
	const char *what;	/* which metadata, why unknown; else NULL */
	uint64_t offset;	/* bytes into the file */
	uint64_t ino;		/* 0: none */
	uint64_t tree;		/* subvolume that ino counts in (btrfs), or 0 */
	uint32_t generation;
};

struct owner_map {
	struct owner_extent *e;
	size_t nr;
	bool copy_on_write;	/* has a volume that never overwrites */
	char **strings;		/* private, as the next two */
	size_t nr_strings, room_strings;
};

/**
 * owner_map_make() - who owns what in an epoch
 * @past: opened with its file systems mounted (past/mount.h)
 * @ranges: sorted; only what touches them is wanted. NULL: all
 *
 * A volume that cannot be read, or whose file system is of no kind that we
 * know, is OWNER_UNKNOWN as a whole, with the reason in "what".
 * Return: exit code, has said why; DR_EXIT_OK: owner_map_free() must follow.
 */
int owner_map_make(const struct past *past, const struct range *ranges,
		   size_t nr, struct owner_map *map);
void owner_map_free(struct owner_map *map);

/* The same of an epoch that is not opened: opens it for the moment. */
int owner_map_at(const char *device, uint32_t epoch, const struct range *ranges,
		 size_t nr, struct owner_map *map);

/* NULL: outside of what the map was made for. */
const struct owner_extent *owner_find(const struct owner_map *map,
				      uint64_t sector);

/*
 * Same blocks of the same owner? What two epochs are compared by: volume,
 * kind, file and structure, and for data the place in the file. @a and @b
 * are compared at @sector, which both hold.
 */
bool owner_same(const struct owner_extent *a, const struct owner_extent *b,
		uint64_t sector);

/**
 * owner_ranges_of() - where the data of files lies
 * @match: is this one of them?
 * @ranges: appended to; allocated
 *
 * Data whose blocks do not hold it as it is (OWNER_ENCODED) has no ranges.
 * Return: 0 or -ENOMEM.
 */
int owner_ranges_of(const struct owner_map *map,
		    bool (*match)(void *arg, const char *volume,
				  const char *path),
		    void *arg, struct range **ranges, size_t *nr);

/* "file", "metadata" ...: in listings and JSON */
const char *owner_kind_word(enum owner_kind kind);

/*
 * An owner in words for people: "/etc/passwd", "inode table", "directory
 * /srv", with the volume in front if it is not the whole device. @e may be
 * NULL. @buf is returned.
 */
const char *owner_describe(const struct owner_extent *e, char *buf,
			   size_t size);

/* The same of the piece from @sector on: with the place in the file */
const char *owner_describe_at(const struct owner_extent *e, uint64_t sector,
			      char *buf, size_t size);

/* Byte of the file at @sector of the device */
static inline uint64_t owner_offset(const struct owner_extent *e,
				    uint64_t sector)
{
	return e->offset + ((sector - e->start) << SECTOR_SHIFT);
}

#endif
