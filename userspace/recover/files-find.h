/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-find.h - do patterns of paths name anything at all?
 */
#ifndef DR_FILES_FIND_H
#define DR_FILES_FIND_H

#include <stddef.h>

struct select;

enum files_when { FILES_BASE, FILES_BAD, FILES_NOW };

/**
 * files_find_patterns() - refuse a --path that names nothing
 * @s: or NULL
 * @root: called with @of: the root of one of @nr_volumes, or NULL: not there
 *
 * A word that was mistyped must not look like a recovery with nothing to do.
 * Return: exit code, has said why.
 */
int files_find_patterns(const struct select *s,
			const char *(*root)(const void *of, size_t volume,
					    enum files_when when),
			const void *of, size_t nr_volumes);

#endif
