/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fsck.h - what the file system's own checker says, without repairing.
 */
#ifndef DR_FSCK_H
#define DR_FSCK_H

#include <stdbool.h>

enum fsck_verdict {
	FSCK_CLEAN,
	FSCK_ERRORS,
	FSCK_NOT_RUN,	/* no checker for this kind, or it is not installed */
};

struct fsck {
	enum fsck_verdict verdict;
	const char *tool;	/* "e2fsck", or NULL */
	char *text;		/* what it said that matters, or why it did
				 * not run; "" when clean
				 */
};

/**
 * fsck_run() - check a file system that is not mounted
 * @node: a block device. Its journal has to be replayed already; it is only
 *	  read.
 * @type: as libblkid names it
 * @fsck: to be freed with fsck_free() in every case
 *
 * Return: exit code; not DR_EXIT_OK only when we could not even try.
 */
int fsck_run(const char *node, const char *type, struct fsck *fsck);
void fsck_free(struct fsck *fsck);

/* "clean", "errors", "not run" */
const char *fsck_word(enum fsck_verdict verdict);

#endif
