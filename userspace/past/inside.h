/* SPDX-License-Identifier: GPL-2.0 */
/*
 * inside.h - what lies inside a block device: a file system on the whole of
 * it, on partitions, on LVM volumes. All of it is only read.
 */
#ifndef DR_PAST_INSIDE_H
#define DR_PAST_INSIDE_H

#include "past/layer.h"

struct inside_segment {
	uint64_t fs_start, dev_start, sectors;
};

#define INSIDE_DEVICE	"device"	/* what: the whole of it */

struct inside_volume {
	char *what;		/* "device", "partition 2", "vg0/root" */
	char *type;		/* "ext4", "xfs", "btrfs", ...; "" unknown */
	char *uuid, *label;	/* "" when it has none */
	char *why;		/* cannot be put together: why; else NULL */
	uint64_t sectors;
	struct inside_segment *seg;	/* linear pieces, in order */
	size_t nr_seg;
};

struct inside {
	char *ptable;		/* "gpt", "dos", "" */
	struct inside_volume *vol;
	size_t nr;
};

/**
 * inside_probe() - find the volumes of a block device
 * @node: the device: a view, a scratch layer, or the live one
 * @in: to be freed with inside_free() in every case
 *
 * Never activates, repairs or writes anything. Physical volumes of LVM are
 * not volumes themselves; what is in them is. A volume that has parts
 * elsewhere, or parts that are not linear, is listed with @why.
 * Return: exit code, has said why.
 */
int inside_probe(const char *node, struct inside *in);
void inside_free(struct inside *in);

/**
 * inside_layer() - a volume as a device of its own
 * @node: the device that it lies in
 *
 * Return: exit code, has said why.
 */
int inside_layer(const char *node, const struct inside_volume *vol,
		 bool read_only, struct layer *layer);

/**
 * inside_pick() - the volume that the user means
 * @word: NULL: the only one with a file system; else "partition 2", "2",
 *	  "vg0/root", a label or a uuid
 * @thing: the device, for messages
 *
 * Lists them where the choice is not clear. Return: exit code.
 */
int inside_pick(const struct inside *in, const char *word, const char *thing,
		size_t *nr);

/* Does it have a file system, one that can be mounted as far as we know? */
bool inside_mountable(const struct inside_volume *vol);

/* For inside.c and lvm.c: append a volume, NULL when memory is out. */
struct inside_volume *inside_add(struct inside *in, const char *what);
int inside_add_segment(struct inside_volume *vol, uint64_t dev_start,
		       uint64_t sectors);

#endif
