/* SPDX-License-Identifier: GPL-2.0 */
/*
 * changes.h - what differs between epochs of a live device, and what epochs
 * wrote, by the target's own knowledge: versions, not content. A block that
 * was written again with the same bytes counts as changed.
 *
 * Ranges are in sectors, sorted and disjoint; those that touch are joined.
 * Functions that return int return an exit code and have said why when it is
 * not DR_EXIT_OK. They can be cancelled.
 */
#ifndef DR_CHANGES_H
#define DR_CHANGES_H

#include <stddef.h>
#include <stdint.h>

#include "parse.h"

struct epochs;

/**
 * changes_each() - call @each for every range that differs, as they come
 * @from, @to: epochs of one branch or of two, the open head included
 *
 * Needs no memory that grows with the device.
 */
int changes_each(const char *device, uint32_t from, uint32_t to,
		 void (*each)(const struct range *range, void *arg),
		 void *arg);

/* The same, collected; *@ranges is to be freed. */
int changes_between(const char *device, uint32_t from, uint32_t to,
		    struct range **ranges, size_t *nr);

/**
 * changes_written() - what was written in the epochs @from to @to
 * @epochs: of the device
 * @from: first epoch; not the base
 * @to: last epoch, on the branch of the head, as @from
 *
 * Also what was written in one of them and again in another. Epochs between
 * them that were dropped are seen through the next one that was not.
 */
int changes_written(const char *device, const struct epochs *epochs,
		    uint32_t from, uint32_t to, struct range **ranges,
		    size_t *nr);

#endif
