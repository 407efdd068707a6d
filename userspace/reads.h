/* SPDX-License-Identifier: GPL-2.0 */
/*
 * reads.h - what was read while an epoch was the head, as the feature
 * track_reads has noted it: coarse, and not what the page cache answered.
 */
#ifndef DR_READS_H
#define DR_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

/**
 * reads_of() - ranges that were read in an epoch
 * @ranges: allocated; sorted and disjoint
 * @known: false: reads were not tracked, or nothing was read
 *
 * Return: exit code, has said why.
 */
int reads_of(const char *device, uint32_t epoch, struct range **ranges,
	     size_t *nr, bool *known);

#endif
