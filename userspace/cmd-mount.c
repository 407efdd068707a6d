// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-mount.c - an epoch's file system, mounted where the user wants it.
 *
 * Nothing but the mount holds the layers when the command ends: umount(8) is
 * enough to have all of them go.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "past/at.h"
#include "rules.h"

static const struct out_column columns[] = {
	{ "name", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "volume", "volume", OUT_TEXT, OUT_BOTH },
	{ "type", "type", OUT_TEXT, OUT_BOTH },
	{ "directory", "mounted on", OUT_TEXT, OUT_BOTH },
	{ "writable", NULL, OUT_BOOL, OUT_ONLY_JSON },
};

static int check_dir(const char *dir)
{
	struct stat st;

	if (stat(dir, &st))
		return fail(DR_EXIT_OPERATIONAL, dir, "make it with mkdir",
			    "%s", strerror(errno));
	return S_ISDIR(st.st_mode) ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, dir, NULL, "not a directory");
}

static int mount_at(struct past_at *at, const struct cmd_line *line,
		    const struct past_options *o)
{
	struct recipe recipe;
	char dir[PATH_MAX];
	struct past_volume *pv;
	size_t nr;
	int code;

	if (!realpath(line->argv[1], dir))
		return fail_errno(line->argv[1], "path", -errno);
	code = rules_of(line, at->device, &recipe);
	if (!code)
		code = past_open(at->device, at->epoch, recipe.rule,
				 recipe.nr_rules, PAST_NO_MOUNT, &at->past);
	recipe_free(&recipe);
	if (!code)
		code = inside_pick(&at->past.inside,
				   cli_option(line, "volume"), at->word, &nr);
	if (!code && cancelled())
		code = fail_cancelled(at->word);
	if (!code)
		code = past_mount(&at->past, nr, at->word, dir, o);
	if (code)
		return code;
	pv = &at->past.vol[nr];
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(at->device), out_number(at->epoch),
		out_text(pv->vol->what), out_text(pv->vol->type),
		out_text(dir), out_number(!(o->flags & MS_RDONLY)) });
	past_release(&at->past);
	return DR_EXIT_OK;
}

int cmd_mount(const struct cmd_line *line)
{
	struct past_options o = { 0 };
	struct past_at at;
	int code = at_parse(line->argv[0], false, &at);

	if (!code)
		code = past_options_parse(cli_option(line, "options"),
					  cli_option(line, "writable"), &o);
	if (!code)
		code = check_dir(line->argv[1]);
	if (!code)
		code = at_resolve(&at);
	if (!code)
		code = mount_at(&at, line, &o);
	free(o.data);
	at_close(&at);
	return code;
}
