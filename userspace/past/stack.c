// SPDX-License-Identifier: GPL-2.0
/*
 * stack.c - follow tables downwards, search all devices upwards.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "device.h"
#include "names.h"
#include "past/scratch.h"
#include "past/stack.h"

/* Tables of ours begin with the device below. */
static int take_below(uint64_t start, uint64_t sectors, const char *type,
		      const char *params, void *arg)
{
	unsigned int major, minor;
	dev_t *below = arg;

	(void)start;
	(void)sectors;
	/* The live device is not a part of it. */
	if (strcmp(type, DR_VIEW_TARGET_NAME) &&
	    sscanf(params, "%u:%u", &major, &minor) == 2)
		*below = makedev(major, minor);
	return 1;
}

static dev_t below_of(const char *name)
{
	dev_t below = 0;

	mapper_table(name, take_below, &below);
	return below;
}

void stack_below(dev_t top, struct stack *stack)
{
	struct mapper_info info;

	stack->nr = 0;
	while (top && stack->nr < STACK_MAX) {
		struct stack_layer *layer = &stack->layer[stack->nr];

		if (mapper_name_of(top, layer->name, sizeof(layer->name)) ||
		    mapper_info(layer->name, &info) ||
		    strncmp(info.uuid, LAYER_UUID_PREFIX,
			    sizeof(LAYER_UUID_PREFIX) - 1))
			return;
		strcpy(layer->uuid, info.uuid);
		stack->nr++;
		top = below_of(layer->name);
	}
}

struct find_scratch {
	dev_t view;
	bool *invalid;
	uint64_t *used, *total;
};

static int is_above(const char *name, void *arg)
{
	static const char prefix[] = LAYER_UUID_PREFIX LAYER_SCRATCH "-";
	struct find_scratch *f = arg;
	struct mapper_info info;

	if (mapper_info(name, &info) ||
	    strncmp(info.uuid, prefix, sizeof(prefix) - 1) ||
	    below_of(name) != f->view)
		return 0;
	return !scratch_status(name, f->invalid, f->used, f->total);
}

bool stack_scratch(dev_t devno, bool *invalid, uint64_t *used_sectors,
		   uint64_t *total_sectors)
{
	struct find_scratch f = {
		devno, invalid, used_sectors, total_sectors
	};

	return mapper_list(is_above, &f) > 0;
}

struct find_live {
	const char *uuid;
	char *name;
	size_t size;
};

static int is_live(const char *name, void *arg)
{
	static const char prefix[] = DEVICE_UUID_PREFIX;
	struct find_live *f = arg;
	struct mapper_info info;

	if (mapper_info(name, &info) ||
	    strncmp(info.uuid, prefix, sizeof(prefix) - 1) ||
	    strcmp(info.uuid + sizeof(prefix) - 1, f->uuid))
		return 0;
	snprintf(f->name, f->size, "%s", name);
	return 1;
}

void stack_live_name(const char *device_uuid, char *name, size_t size)
{
	struct find_live f = { device_uuid, name, size };

	name[0] = '\0';
	if (device_uuid[0])
		mapper_list(is_live, &f);
}
