/* SPDX-License-Identifier: GPL-2.0 */
/*
 * now.h - what the device holds now, as an epoch that can be viewed.
 */
#ifndef DR_PAST_NOW_H
#define DR_PAST_NOW_H

#include <stdint.h>

/**
 * now_epoch() - a sealed epoch that holds what the device holds
 * @device: name of the mapped device
 * @epoch: where to
 *
 * The head's parent when nothing was written since; otherwise the head is
 * sealed, with its file systems frozen meanwhile, and a message says so. (A
 * file system that is mounted writes when it is thawed, so that a second call
 * seals another, small epoch: ask once.)
 * Return: exit code, has said why.
 */
int now_epoch(const char *device, uint32_t *epoch);

#endif
