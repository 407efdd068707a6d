// SPDX-License-Identifier: GPL-2.0
/*
 * switch.c - exclusive open, suspend, message, resume, drop the cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "guard.h"
#include "names.h"
#include "switch.h"
#include "use.h"

/* Room for the node, and for the command that resumes by hand */
#define NODE_MAX	512

static int fail_in_use(const char *name, dev_t devno)
{
	char *users = use_describe(devno);
	int code;

	code = fail(DR_EXIT_OPERATIONAL, name,
		    "unmount or stop what uses it, then try again",
		    "in use: %s", users && *users ? users :
		    "claimed by the kernel or in another mount namespace");
	free(users);
	return code;
}

int switch_open(struct switcher *sw, const char *name)
{
	struct device_status status;
	char node[NODE_MAX];
	int code;

	sw->name = name;
	sw->fd = -1;
	/* A device that someone left suspended would hang us in fsync. */
	code = device_status(name, &status);
	if (code)
		return code;
	mapper_node(name, node, sizeof(node));
	/* For writing: udev looks again at what is on it when it is closed. */
	sw->fd = use_open_excl(node, O_RDWR);
	if (sw->fd == -EROFS || sw->fd == -EACCES)
		sw->fd = use_open_excl(node, O_RDONLY);
	if (sw->fd == -EBUSY)
		return fail_in_use(name, status.info.devno);
	if (sw->fd < 0)
		return fail_errno(node, "exclusive open", sw->fd);
	if (fsync(sw->fd) || ioctl(sw->fd, BLKFLSBUF)) {
		code = fail_errno(node, "flush", -errno);
		switch_close(sw);
	}
	return code;
}

static void resume_for_good(void *arg)
{
	struct switcher *sw = arg;

	mapper_resume(sw->name);
	ioctl(sw->fd, BLKFLSBUF);
}

static int wake(struct switcher *sw)
{
	char remedy[NODE_MAX];
	int ret = mapper_resume(sw->name);

	if (!ret)
		return DR_EXIT_OK;
	snprintf(remedy, sizeof(remedy), "'dmsetup resume %s'", sw->name);
	return fail(DR_EXIT_OPERATIONAL, sw->name, remedy,
		    "resume: %s", strerror(-ret));
}

static int suspended_message(void *arg)
{
	struct switcher *sw = arg;
	int ret = mapper_suspend(sw->name);
	int code;

	if (ret) {
		/* It may be half-way: resume does no harm to a live one. */
		mapper_resume(sw->name);
		return device_fail(sw->name, "suspend", ret);
	}
	sw->error = mapper_message(sw->name, &sw->reply, "%s", sw->message);
	code = wake(sw);
	if (!code && ioctl(sw->fd, BLKFLSBUF))
		code = fail_errno(sw->name, "dropping the page cache", -errno);
	return code;
}

int switch_message(struct switcher *sw, char **reply, int *error,
		   const char *message)
{
	int code;

	sw->message = message;
	sw->reply = NULL;
	sw->error = 0;
	code = guard_suspended(sw->name, suspended_message, resume_for_good,
			       sw);
	*reply = sw->reply;
	*error = sw->error;
	return code;
}

void switch_close(struct switcher *sw)
{
	if (sw->fd >= 0)
		close(sw->fd);
	sw->fd = -1;
}

int switch_rollback(struct switcher *sw, uint32_t epoch, uint64_t *head)
{
	char message[64], thing[32], *reply;
	int code, error;

	snprintf(message, sizeof(message), DR_MSG_ROLLBACK " %u", epoch);
	code = switch_message(sw, &reply, &error, message);
	if (!code && error) {
		snprintf(thing, sizeof(thing), "%u", epoch);
		code = message_fail(thing, "rollback", error);
	}
	if (!code)
		code = message_number(sw->name, reply, head);
	free(reply);
	return code;
}
