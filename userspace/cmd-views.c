// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-views.c - list the open views, and who uses them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "output.h"
#include "past/stack.h"
#include "past/view.h"
#include "use.h"

static const struct out_column columns[] = {
	{ "view", "view", OUT_TEXT, OUT_BOTH },
	{ "name", "of", OUT_TEXT, OUT_BOTH },
	{ "device_uuid", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "nr_rules", "rules", OUT_NUMBER, OUT_BOTH },
	{ "mixed_reads", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "private", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ "open_count", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "scratch", "scratch", OUT_TEXT, OUT_BOTH },
	{ "scratch_used_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "scratch_total_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "used_by", "used by", OUT_TEXT, OUT_BOTH },
};

/* "mounted on /mnt, /srv", or what else is known */
static char *users_of(const struct view_info *info)
{
	struct use_mounts mounts;
	char *text = NULL;
	size_t i, size;
	FILE *f;

	if (!info->open_count)
		return strdup("");
	if (use_mounts(info->devno, true, &mounts))
		return strdup("");
	f = open_memstream(&text, &size);
	if (f) {
		for (i = 0; i < mounts.nr; i++)
			fprintf(f, "%s%s", i ? ", " : "mounted on ",
				mounts.mounts[i].dir);
		if (!mounts.nr)
			fputs(info->private ? "a running command" : "a process",
			      f);
		fclose(f);
	}
	use_mounts_free(&mounts);
	return text;
}

static int add_line(const struct view_info *info, void *arg)
{
	uint64_t used = 0, total = 0;
	char *users = users_of(info);
	char name[DM_NAME_MAX + 1];
	const char *fill = NULL;
	bool invalid = false;
	int scratch;

	(void)arg;
	stack_live_name(info->device_uuid, name, sizeof(name));
	scratch = stack_scratch(info->devno, &invalid, &used, &total);
	if (scratch)
		fill = invalid ? "full" : "ok";
	out_row((struct out_value[]){
		out_text(info->name), out_text(name[0] ? name : NULL),
		out_text(info->device_uuid[0] ? info->device_uuid : NULL),
		out_number(info->epoch), out_number(info->nr_rules),
		out_maybe(info->has_mixed, info->mixed_reads),
		out_number(info->private), out_number(info->open_count),
		out_text(fill),
		out_maybe(scratch && !invalid, used << SECTOR_SHIFT),
		out_maybe(scratch && !invalid, total << SECTOR_SHIFT),
		out_text(users && *users ? users : NULL) });
	free(users);
	return 0;
}

int cmd_views(const struct cmd_line *line)
{
	struct device_status status;
	char uuid[MAPPER_UUID_SIZE] = "";
	const char *name = NULL;
	int code = DR_EXIT_OK, ret;

	if (line->argc)
		code = device_name(line->argv[0], &name);
	if (!code && name)
		code = device_status_any(name, &status);
	if (code)
		return code;
	if (name)
		view_device_uuid(name, uuid, sizeof(uuid));
	out_table("views", columns, ARRAY_SIZE(columns));
	ret = view_each(name ? uuid : NULL, add_line, NULL);
	if (ret)
		code = device_fail("views", "list of devices", ret);
	out_table_end();
	return code;
}
