/* SPDX-License-Identifier: GPL-2.0 */
/*
 * touched.h - whose data what was written has hit.
 */
#ifndef DR_OWNER_TOUCHED_H
#define DR_OWNER_TOUCHED_H

#include "owner/owner.h"

/**
 * owner_files_touched() - how many files own blocks of @ranges
 * @before, @after: maps of the two ends, made at least for @ranges
 *
 * A file counts once, whether it owns them before, after or both. Files are
 * told apart by volume and path: one that was renamed counts under each name
 * that it has at an end, and only if its data were written.
 * Return: 0 or -ENOMEM.
 */
int owner_files_touched(const struct owner_map *before,
			const struct owner_map *after,
			const struct range *ranges, size_t nr, uint64_t *count);

/* Nobody's content: free, or preallocated and never written. */
bool owner_is_free(const struct owner_map *map, uint64_t sector);

#endif
