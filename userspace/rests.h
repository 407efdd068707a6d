/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rests.h - on which block devices a file system lies, all the way down.
 */
#ifndef DR_RESTS_H
#define DR_RESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * rests_on() - does what is written to @path arrive on one of @devs?
 * @path: a file or folder that is there
 *
 * Follows partitions, device-mapper, md and the like, loop devices to the file
 * that is behind them, overlays to their upper layer, and all devices of a
 * btrfs. What cannot be followed (a network, fuse) counts as elsewhere.
 */
bool rests_on(const char *path, const dev_t *devs, size_t nr);

#endif
