// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-close.c - take a device away, or a view of one.
 */
#include <errno.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "output.h"
#include "past/view.h"
#include "use.h"

static const struct out_column columns[] = {
	{ "name", "closed", OUT_TEXT, OUT_BOTH },
};

static int close_view(const char *name)
{
	int code = view_remove(name);

	if (!code)
		out_record(columns, 1, (struct out_value[]){ out_text(name) });
	return code;
}

/* They go on without the head, and must not be a surprise later. */
static int say_view(const struct view_info *info, void *arg)
{
	(void)arg;
	if (!info->private)
		out_say("The view %s of epoch %u stays open.", info->name,
			info->epoch);
	return 0;
}

static int fail_in_use(const char *name, const char *users)
{
	return fail(DR_EXIT_OPERATIONAL, name,
		    "unmount or stop what uses it, then try again",
		    "in use: %s", *users ? users :
		    "claimed by the kernel or in another mount namespace");
}

int cmd_close(const struct cmd_line *line)
{
	char *users = NULL, uuid[MAPPER_UUID_SIZE];
	struct device_status status;
	struct view_info view;
	const char *name;
	int code = device_name(line->argv[0], &name), ret;

	if (!code && !view_info(name, &view))
		return close_view(name);
	/* A failed device, too, can be taken away. */
	if (!code)
		code = device_status_any(name, &status);
	if (code)
		return code;
	/* udev may have it open for a moment: only a user we can name counts */
	if (status.info.open_count > 0)
		users = use_describe(status.info.devno);
	if (users && *users) {
		code = fail_in_use(name, users);
		free(users);
		return code;
	}
	free(users);
	view_device_uuid(name, uuid, sizeof(uuid));
	ret = mapper_remove(name);
	if (ret == -EBUSY) {
		users = use_describe(status.info.devno);
		code = fail_in_use(name, users ? users : "");
		free(users);
	} else if (ret) {
		code = device_fail(name, "remove", ret);
	} else {
		out_record(columns, 1, (struct out_value[]){ out_text(name) });
		if (uuid[0])
			view_each(uuid, say_view, NULL);
	}
	return code;
}
