/* SPDX-License-Identifier: GPL-2.0 */
/*
 * freeze.h - stop the file systems of a device for a moment.
 *
 * 1. Only what we froze is thawed, by us or by the guard if we die.
 * 2. One dmdelta at a time freezes a device: a lock file, held from before
 *    the first freeze until after the last thaw. So no other process of ours
 *    thaws between our freeze and our checkpoint.
 * 3. Between freeze_begin() and freeze_end() signals are held, and nothing
 *    may be written to any file: it could be on a frozen file system.
 */
#ifndef DR_FREEZE_H
#define DR_FREEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "guard.h"

struct freeze_fs {
	char *dir;
	int fd;
	int error;		/* negative errno of a freeze that failed */
};

struct freeze {
	struct freeze_fs *fs;
	size_t nr;
	size_t nr_frozen;
	unsigned char *frozen;	/* one for each; shared with the guard */
	struct guard guard;
	int lock;
};

/**
 * freeze_begin() - freeze every file system mounted from a device
 * @devno: the device; file systems on volumes upon it are frozen, too
 * @name: for messages
 *
 * A file system that cannot be frozen (its kind has no freeze) is written
 * out, and nr_frozen < nr says so. One that somebody else keeps frozen is an
 * error. On failure everything is thawed.
 * Return: exit code, has said why; DR_EXIT_OK: freeze_end() must follow.
 */
int freeze_begin(struct freeze *fr, dev_t devno, const char *name);

/* Thaw. Return: exit code. The list of file systems stays. */
int freeze_end(struct freeze *fr);

void freeze_free(struct freeze *fr);

#endif
