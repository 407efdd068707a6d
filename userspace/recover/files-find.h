/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-find.h - do patterns of paths name anything at all?
 */
#ifndef DR_FILES_FIND_H
#define DR_FILES_FIND_H

#include <stddef.h>

struct select;

/**
 * files_find_patterns() - refuse a --path that names nothing
 * @dir: roots of trees, of several times and file systems; NULLs are passed
 *       over
 *
 * A word that was mistyped must not look like a recovery with nothing to do.
 * Return: exit code, has said why.
 */
int files_find_patterns(const struct select *s, const char *const *dir,
			size_t nr);

#endif
