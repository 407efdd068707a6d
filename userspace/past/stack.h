/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stack.h - which layer stands on which, as device-mapper tells it.
 */
#ifndef DR_PAST_STACK_H
#define DR_PAST_STACK_H

#include "past/layer.h"

#define STACK_MAX	8

struct stack {
	struct stack_layer {
		char name[DM_NAME_MAX + 1];
		char uuid[MAPPER_UUID_SIZE];
	} layer[STACK_MAX];	/* from the top to the view */
	size_t nr;
};

/* The layers of ours at and below @top; none: it is not ours. */
void stack_below(dev_t top, struct stack *stack);

/* The scratch layer above the view @devno, if there is one. */
bool stack_scratch(dev_t devno, bool *invalid, uint64_t *used_sectors,
		   uint64_t *total_sectors);

/* Name of the live device that has this delta; "" when it is not open. */
void stack_live_name(const char *device_uuid, char *name, size_t size);

#endif
