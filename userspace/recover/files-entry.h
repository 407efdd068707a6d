/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-entry.h - one object of a tree: what it is, how it differs from
 * another one. Functions return 0 or a negative errno.
 */
#ifndef DR_FILES_ENTRY_H
#define DR_FILES_ENTRY_H

#include "files.h"

/* In what two objects differ; also which attributes to set */
#define ENTRY_TYPE	0x01u
#define ENTRY_CONTENT	0x02u	/* bytes, link target, device number */
#define ENTRY_MODE	0x04u
#define ENTRY_UID	0x08u
#define ENTRY_GID	0x10u
#define ENTRY_XATTRS	0x20u
#define ENTRY_FLAGS	0x40u	/* immutable, append-only */
#define ENTRY_ATTRS	(ENTRY_MODE | ENTRY_UID | ENTRY_GID | ENTRY_XATTRS | \
			 ENTRY_FLAGS)

#define ENTRY_CAPABILITY "security.capability"

/* Prefix of names that exist only while a file is exchanged */
#define ENTRY_TEMP	".dmdelta-tmp-"

struct entry_xattr {
	char *name;
	void *value;
	size_t size;
};

struct entry {
	int fd;			/* O_PATH; -1: there is none */
	uint32_t mode;
	uint32_t uid, gid, nlink;
	uint32_t flags;		/* FS_IMMUTABLE_FL, FS_APPEND_FL */
	uint64_t ino, size, blocks;
	uint64_t dev, rdev;
	struct entry_time {
		int64_t sec;
		uint32_t nsec;
	} atime, mtime, ctime;
	char *target;		/* of a symbolic link */
	struct entry_xattr *xattr;	/* sorted by name */
	size_t nr_xattrs;
	bool has_xattrs;	/* they have been read */
};

static inline bool entry_there(const struct entry *e)
{
	return e->fd >= 0;
}

#define ENTRY_NONE	((struct entry){ .fd = -1 })

/*
 * Beneath @dirfd, no symbolic link followed, no mount point crossed. -ENOENT
 * is no error: the entry is not there then.
 */
int entry_open(int dirfd, const char *name, struct entry *e);
void entry_close(struct entry *e);

/* Of an O_PATH descriptor, which then belongs to the entry. */
int entry_of_path(int fd, struct entry *e);

/* A directory beneath @dirfd, by a path of any length ("" or "." itself). */
int entry_open_dir(int dirfd, const char *path);

/* The object itself, for reading, by its O_PATH descriptor. */
int entry_reopen(const struct entry *e, int flags);

int entry_read_xattrs(struct entry *e);
const struct entry_xattr *entry_xattr(const struct entry *e, const char *name);

/**
 * entry_diff() - in what @a and @b differ, content included
 * @read_bytes: what was read is added
 * @diff: ENTRY_*; only ENTRY_TYPE when the types differ
 *
 * What both trees cannot read (-EIO, -EUCLEAN) is the same.
 */
int entry_diff(struct entry *a, struct entry *b, uint64_t *read_bytes,
	       unsigned int *diff);

/* Have both, whose attributes have been read, the same ones? */
bool entry_same_xattrs(const struct entry *a, const struct entry *b);

/* The same for the extended attribute @name alone. */
bool entry_same_xattr(const struct entry *a, const struct entry *b,
		      const char *name);

char entry_type(const struct entry *e);
void entry_seen(const struct entry *e, struct files_seen *seen);

/* Name for the exchange of @path; @buf has 64 bytes. */
const char *entry_temp_name(const char *path, char *buf);

/*
 * "/a/b/c" -> "a/b", as a path beneath the root, allocated; and "c". The root
 * itself is "." in "". NULL: no memory.
 */
const char *entry_split(const char *path, char **parent);

/* -ENOENT when it is not there. */
int entry_open_path(int root, const char *path, struct entry *e);

#endif
