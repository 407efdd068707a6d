/* SPDX-License-Identifier: GPL-2.0 */
/*
 * live.h - the file systems of the live device, by their roots.
 *
 * Each is mounted once more, in a name space of our own (mount.h): where the
 * user has it mounted, that may be a part of it only (a subvolume, a bind
 * mount), and other file systems may lie on top. Where nobody has it mounted,
 * ours is the only mount, and ends with us.
 */
#ifndef DR_PAST_LIVE_H
#define DR_PAST_LIVE_H

#include "past/inside.h"

struct live_volume {
	const struct inside_volume *vol;
	char *node;
	char *dir;		/* its root; NULL: see why */
	char *where;		/* where the user has it mounted, or NULL */
	bool ours;		/* nobody else has it mounted */
	char *why;		/* it is not mounted: why */
	struct layer layer;
};

struct live {
	struct inside inside;
	struct live_volume *vol;
	size_t nr;
};

/**
 * live_open() - mount the file systems of the live device for us
 * @writable: they are going to be changed; else journals are not replayed
 *	      where nobody has them mounted
 * @l: set in every case: live_close() is always fine
 *
 * A volume that cannot be mounted is no failure: it says why.
 * Return: exit code, has said why.
 */
int live_open(const char *device, bool writable, struct live *l);
int live_close(struct live *l);

#endif
