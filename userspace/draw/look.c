// SPDX-License-Identifier: GPL-2.0
/*
 * look.c - read blocks of an epoch.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "dm.h"
#include "look.h"

/* Past the page cache where that is possible: samples are read once. */
static int open_node(const char *node)
{
	int fd = open(node, O_RDONLY | O_CLOEXEC | O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		fd = open(node, O_RDONLY | O_CLOEXEC);
	return fd;
}

int look_open(struct look *look, const char *device,
	      const struct epoch *epoch)
{
	char node[PATH_MAX];
	int code;

	memset(look, 0, sizeof(*look));
	look->fd = -1;
	if (epoch_is(epoch->state, DR_STATE_HEAD)) {
		mapper_node(device, node, sizeof(node));
	} else {
		code = view_open(device, epoch->id, NULL, 0, NULL, &look->view);
		if (code)
			return code;
		look->has_view = true;
		snprintf(node, sizeof(node), "%s", look->view.node);
	}
	look->fd = open_node(node);
	return look->fd < 0 ? fail_errno(node, "open", -errno) : DR_EXIT_OK;
}

int look_close(struct look *look)
{
	if (look->fd >= 0)
		close(look->fd);
	look->fd = -1;
	if (!look->has_view)
		return DR_EXIT_OK;
	look->has_view = false;
	return view_close(&look->view);
}
