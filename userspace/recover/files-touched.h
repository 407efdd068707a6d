/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-touched.h - inodes whose blocks lie in ranges of the device.
 */
#ifndef DR_FILES_TOUCHED_H
#define DR_FILES_TOUCHED_H

#include "files-plan.h"

/*
 * @ranges: sorted. @complete becomes false when a range holds blocks that
 * cannot be laid at one file's door: shared ones, or those of a file system
 * that the map does not understand.
 * Return: 0 or -ENOMEM; @inodes is allocated.
 */
int inodes_touched(const struct owner_map *map, const struct range *ranges,
		   size_t nr, struct inodes *inodes, bool *complete);
bool inodes_have(const struct inodes *inodes, uint64_t ino);

#endif
