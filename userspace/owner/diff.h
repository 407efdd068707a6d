/* SPDX-License-Identifier: GPL-2.0 */
/*
 * diff.h - what differs between two epochs, by files and structures.
 */
#ifndef DR_OWNER_DIFF_H
#define DR_OWNER_DIFF_H

#include <stdint.h>

/* List it. @from and @to are sealed. Return: exit code, has said why. */
int owner_diff(const char *device, uint32_t from, uint32_t to);

#endif
