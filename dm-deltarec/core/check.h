/* SPDX-License-Identifier: GPL-2.0 */
/*
 * check.h - does everything on a delta device fit together?
 *
 * Works on a store that is open and not activated; writes nothing. Each
 * defect is told to env->report once, where it is found, and counted.
 */
#ifndef DR_CHECK_H
#define DR_CHECK_H

#include "store.h"

struct dr_check {
	u64 errors;
	u64 nodes;		/* read */
	u64 versions;		/* entries of the map */
	u64 blocks;		/* block-versions that they stand for */
	u64 extents;		/* entries of the index */
	u64 pieces;		/* of notes */
	u64 notes;		/* epochs with one */
	u64 slots;		/* blocks of the device that hold data */
	u64 journal_blocks;	/* that activation would replay */
	/* Progress, called now and then: @done of @total nodes. Optional. */
	void (*progress)(void *arg, u64 done, u64 total);
	void *arg;
};

/**
 * dr_check() - verify all metadata
 * @st: opened with dr_store_open()
 * @ck: zeroed but for the progress callback
 * Context: may sleep.
 * Return: 0 when it could look at everything that can be reached (see
 * @ck->errors), -EINTR when env->cancelled() said so, -ENOMEM.
 */
int dr_check(struct dr_store *st, struct dr_check *ck);

#endif
