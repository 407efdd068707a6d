// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-checkpoint.c - seal the head, with file systems frozen meanwhile.
 */
#include <stdlib.h>

#include "checkpoint.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "output.h"
#include "parse.h"

static const struct out_column columns[] = {
	{ "epoch", NULL, OUT_NUMBER, OUT_BOTH },
	{ "label", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "frozen", NULL, OUT_BOOL, OUT_ONLY_JSON },
};

static void report(const struct checkpoint *cp, const char *label)
{
	const struct freeze *fr = &cp->freeze;
	char **dirs = calloc(fr->nr + 1, sizeof(*dirs));
	size_t i, nr = 0;

	for (i = 0; i < fr->nr; i++) {
		if (!fr->fs[i].error && dirs)
			dirs[nr++] = fr->fs[i].dir;
		else if (fr->fs[i].error)
			warn(fr->fs[i].dir,
			     "its file system cannot be frozen; it was written out");
	}
	out_record(columns, 3, (struct out_value[]){
		out_number(cp->epoch), out_text(label),
		out_number(cp->frozen) });
	if (out_is_json())
		out_words("file_systems", NULL, dirs, nr);
	free(dirs);
}

int cmd_checkpoint(const struct cmd_line *line)
{
	struct checkpoint_options o = {
		.label = cli_option(line, "label"),
		.no_freeze = cli_option(line, "no-freeze"),
	};
	struct device_status status;
	struct checkpoint cp;
	const char *name, *problem;
	int code = device_name(line->argv[0], &name);

	if (code)
		return code;
	problem = o.label ? parse_label(o.label) : NULL;
	if (problem)
		return fail_usage(o.label, "%s", problem);
	code = device_status(name, &status);
	if (!code)
		code = checkpoint_make(name, status.info.devno, &o, &cp);
	if (code)
		return code;
	report(&cp, o.label);
	checkpoint_free(&cp);
	return DR_EXIT_OK;
}
