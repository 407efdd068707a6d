/* SPDX-License-Identifier: GPL-2.0 */
/*
 * beneath.h - openat2(2), which the C library does not have.
 */
#ifndef DR_BENEATH_H
#define DR_BENEATH_H

#include <stdint.h>

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

#endif
