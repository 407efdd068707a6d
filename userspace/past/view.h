/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view.h - an epoch, or an epoch with rules on top, as a read-only device
 * (the kernel's target deltarec-view).
 */
#ifndef DR_PAST_VIEW_H
#define DR_PAST_VIEW_H

#include "device.h"
#include "past/layer.h"

/* As in the table line and in recipes */
struct view_rule {
	uint64_t start, sectors;	/* of the device, 512 bytes each */
	uint32_t from, to;
	bool drop_later;
};

struct view {
	char name[DM_NAME_MAX + 1];	/* mapped device */
	char node[PATH_MAX];
	uint64_t sectors;
	uint32_t epoch;
	struct layer layer;		/* of a private view */
};

/**
 * view_open() - make a view
 * @device: name of the live device
 * @epoch: a sealed one, of any branch; checked here, so that the reason can
 *	   be said: unknown, dropped, still open, being built
 * @viewname: NULL: a private view, which goes away with its last user, even
 *	      if we are killed; else it stays until view_remove()
 * @view: set in every case: view_close() is always fine
 *
 * Return: exit code, has said why.
 */
int view_open(const char *device, uint32_t epoch, const struct view_rule *rules,
	      size_t nr, const char *viewname, struct view *view);

/* Let go of a private view. */
int view_close(struct view *view);

/* Is @epoch one that can be looked at? Return: exit code, has said why. */
int view_check_epoch(const char *device, uint32_t epoch);

/* What a view says of itself. */
struct view_info {
	char name[DM_NAME_MAX + 1];
	char uuid[MAPPER_UUID_SIZE];
	char device_uuid[DELTA_UUID_TEXT];	/* of the delta; "" */
	dev_t devno;
	uint32_t epoch;
	uint64_t nr_rules;
	bool has_mixed;
	uint64_t mixed_reads;
	uint64_t sectors;
	int open_count;
	bool private;
};

/* Is @name a view? -ENXIO: no such device; -EINVAL: something else. */
int view_info(const char *name, struct view_info *info);

/**
 * view_each() - call @each for all open views
 * @device_uuid: only those of this delta, or NULL
 *
 * Return: 0, what @each returned, or a negative errno.
 */
int view_each(const char *device_uuid,
	      int (*each)(const struct view_info *info, void *arg), void *arg);

/* The delta's uuid, from a live device's own dm uuid; "" if it has none. */
void view_device_uuid(const char *device, char *buf, size_t size);

/* Take a named view away. Return: exit code, has said why. */
int view_remove(const char *name);

#endif
