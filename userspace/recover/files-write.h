/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-write.h - make objects as base has them. Functions return 0 or a
 * negative errno.
 */
#ifndef DR_FILES_WRITE_H
#define DR_FILES_WRITE_H

#include "files-entry.h"

/**
 * write_object() - make @name in @dirfd a copy of @base
 * @temp: a name that may be used on the way; nothing may have it
 * @written: bytes of content are added
 *
 * The name appears when content and attributes are complete and, for regular
 * files, on stable storage. Flags are left to write_flags(): nothing could be
 * done with an immutable file any more. Directories are made empty.
 * -EEXIST: @name is taken.
 */
int write_object(int dirfd, const char *name, const char *temp,
		 struct entry *base, uint64_t *written);

/**
 * write_attrs() - in place
 * @set: ENTRY_*: which ones become as in @base
 * @xattrs: names (each with its NUL, then an empty one), or NULL: all
 */
int write_attrs(struct entry *now, struct entry *base, unsigned int set,
		const char *xattrs);

/* Access and modification time, of @base */
int write_times(const struct entry *now, const struct entry *base);

/* FS_IMMUTABLE_FL and FS_APPEND_FL become @flags; other flags stay. */
int write_flags(const struct entry *now, uint32_t flags);

/* rename, with RENAME_NOREPLACE or RENAME_EXCHANGE */
int write_rename(int from_dir, const char *from, int to_dir, const char *to,
		 unsigned int flags);

#endif
