/* SPDX-License-Identifier: GPL-2.0 */
/*
 * scratch.h - a writable layer above a block device that stays as it is:
 * the kernel's dm-snapshot, not persistent, its copies in a loop device over
 * a file that has no name, or over memory.
 *
 * A journal that was dirty at the checkpoint is replayed into it, a file
 * system can be checked or changed in it; all of it is gone with the last
 * user.
 */
#ifndef DR_PAST_SCRATCH_H
#define DR_PAST_SCRATCH_H

#include "past/layer.h"

#define SCRATCH_MEMORY	"memory"
#define SCRATCH_DIR	"/var/tmp"	/* the default */

struct scratch_options {
	const char *where;	/* NULL, SCRATCH_MEMORY, a folder, a new file */
	uint64_t bytes;		/* 0: see scratch_open() */
};

struct scratch {
	char name[DM_NAME_MAX + 1];
	char node[PATH_MAX];
	struct layer layer;
};

/**
 * scratch_open() - make a writable layer
 * @lower: node of the device below, which has to be read-only or unused
 * @o: NULL: the defaults. The size is that of @lower, but at most half of
 *     what is free where the file lies, or a quarter of the memory. The file
 *     is sparse: it takes what is written.
 * @s: set in every case: scratch_close() is always fine
 *
 * Return: exit code, has said why.
 */
int scratch_open(const char *lower, const struct scratch_options *o,
		 struct scratch *s);
int scratch_close(struct scratch *s);

/**
 * scratch_status() - how full it is
 * @name: of the mapped device
 * @invalid: it has overflowed, and can neither be read nor written any more
 *
 * Return: 0 or a negative errno; -EINVAL: no scratch layer.
 */
int scratch_status(const char *name, bool *invalid, uint64_t *used_sectors,
		   uint64_t *total_sectors);

/* Say that it has overflowed, if it has. Return: exit code. */
int scratch_check(const struct scratch *s, const char *thing);

/* The options --scratch and --scratch-size. Return: exit code. */
struct cmd_line;
int scratch_options(const struct cmd_line *line, struct scratch_options *o);

#endif
