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

struct scratch {
	char name[DM_NAME_MAX + 1];
	char node[PATH_MAX];
	struct layer layer;
};

/**
 * scratch_options() - take --scratch and --scratch-size
 *
 * They hold for all layers that the command makes. Where they are not given:
 * in SCRATCH_DIR, and as large as the device below, but at most half of what is
 * free where the file lies, or a quarter of the memory that is available, swap
 * included. The file is sparse: it takes what is written. More memory than is
 * available is refused.
 * Return: exit code, has said why.
 */
struct cmd_line;
int scratch_options(const struct cmd_line *line);

/**
 * scratch_place() - where layers above epochs of @device are to be kept
 * @device: the live one
 * @where: SCRATCH_MEMORY, a folder, or a file that is not there yet
 *
 * Never on the device itself or on what it consists of: it may be full, or be
 * suspended while it waits for us. Memory then, or a refusal if it was asked
 * for. Return: exit code, has said why.
 */
int scratch_place(const char *device, const char **where);

/**
 * scratch_open() - make a writable layer
 * @lower: node of the device below, which has to be read-only or unused
 * @where: as scratch_place() says
 * @s: set in every case: scratch_close() is always fine
 *
 * Return: exit code, has said why.
 */
int scratch_open(const char *lower, const char *where, struct scratch *s);
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

#endif
