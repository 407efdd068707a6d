/* SPDX-License-Identifier: GPL-2.0 */
/*
 * delta.h - the core over a delta device or an image of one: opened, measured,
 * its errors in words.
 */
#ifndef DR_DELTA_H
#define DR_DELTA_H

#include "device.h"
#include "env-file.h"
#include "store.h"
#include "volume.h"

struct delta {
	struct volume volume;
	struct dr_env env;
	struct dr_file file;	/* env's context */
	u64 nr_blocks;		/* of 4 KiB */
	char report[256];	/* the last defect that the core reported */
	/* Called for each one, if set */
	void (*on_report)(const char *what, u64 block, const char *why);
};

/* Open and prepare env. Return: exit code, has said why. */
int delta_open(struct delta *d, const char *path, enum volume_open how);
void delta_close(struct delta *d);

/* Superblock, or an exit code after having said what is wrong. */
int delta_super(struct delta *d, struct dr_disk_super *sb);

/* Say what a negative errno of the core means for this device. */
int delta_fail(const struct delta *d, const char *doing, int error);

struct delta_format {
	u32 slot_blocks;
	const char *label;	/* or "" */
	bool force;		/* erase signatures first */
	/* What it got: */
	u8 uuid[DR_UUID_LEN];
	char origin_id[DR_ORIGIN_ID_LEN];
};

/* Make an empty one, whatever it holds. Return: exit code, has said why. */
int delta_format(struct delta *d, const struct volume *origin,
		 struct delta_format *f);

/* @buf: DELTA_UUID_TEXT bytes */
const char *delta_uuid(const u8 *uuid, char *buf);

#endif
