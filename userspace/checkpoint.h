/* SPDX-License-Identifier: GPL-2.0 */
/*
 * checkpoint.h - seal the head epoch, with file systems frozen meanwhile.
 */
#ifndef DR_CHECKPOINT_H
#define DR_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "freeze.h"

struct checkpoint_options {
	const char *message;	/* NULL: DR_MSG_CHECKPOINT; same words behind */
	const char *label;	/* NULL: none */
	bool no_freeze;
	bool skip_empty;	/* nothing was written: use the epoch before */
};

struct checkpoint {
	uint32_t epoch;		/* the one that was sealed */
	bool frozen;		/* all that is mounted was */
	bool made;		/* false: it was there (skip_empty) */
	struct freeze freeze;	/* the file systems, thawed again */
};

/**
 * checkpoint_make() - seal the head of a device
 * @name: the device; its status has been looked at
 *
 * Return: exit code, has said why; DR_EXIT_OK: checkpoint_free() must follow.
 */
int checkpoint_make(const char *name, dev_t devno,
		    const struct checkpoint_options *o, struct checkpoint *cp);
void checkpoint_free(struct checkpoint *cp);

/* Write the device's own page cache out; warns if that fails. */
void checkpoint_write_cache(const char *name);

#endif
