/* SPDX-License-Identifier: GPL-2.0 */
/*
 * look.h - read blocks of an epoch without touching anything.
 *
 * A sealed epoch is read through a private view, the open head on the device
 * itself; there a block may be read while it is being written.
 */
#ifndef DR_DRAW_LOOK_H
#define DR_DRAW_LOOK_H

#include "entropy.h"
#include "epochs.h"
#include "past/view.h"

struct look {
	struct view view;
	bool has_view;
	int fd;
};

/* Return: exit code, has said why; look_close() in every case. */
int look_open(struct look *look, const char *device,
	      const struct epoch *epoch);
int look_close(struct look *look);

#endif
