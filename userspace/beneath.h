/* SPDX-License-Identifier: GPL-2.0 */
/*
 * beneath.h - openat2(2), which the C library does not have.
 */
#ifndef DR_BENEATH_H
#define DR_BENEATH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <linux/openat2.h>

/* Neither out of the folder nor through any link that was planted in it */
#define BENEATH_PLAIN	(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | \
			 RESOLVE_NO_MAGICLINKS)

/**
 * open_beneath() - open a path that others may have made
 * @flags: O_...; O_CLOEXEC is added
 * @resolve: RESOLVE_..., and how @path is followed
 *
 * Return: a descriptor or a negative errno.
 */
int open_beneath(int dirfd, const char *path, uint64_t flags, uint64_t resolve);

/* The same, plainly, below the folder @dir. @path may begin with '/'. */
int open_in_tree(const char *dir, const char *path, uint64_t flags);
bool stat_in_tree(const char *dir, const char *path, struct stat *st);

#endif
