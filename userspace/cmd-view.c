// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-view.c - an epoch as the read-only device /dev/mapper/<viewname>.
 */
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"
#include "past/view.h"
#include "rules.h"

static const struct out_column columns[] = {
	{ "view", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "name", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "node", "view", OUT_TEXT, OUT_BOTH },
	{ "size_bytes", "size", OUT_BYTES, OUT_BOTH },
};

int cmd_view(const struct cmd_line *line)
{
	struct device_status status;
	const char *name, *viewname;
	struct recipe recipe;
	struct epoch_ref ref;
	struct view view;
	uint32_t epoch;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = device_name(line->argv[2], &viewname);
	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &epoch);
	if (code)
		return code;
	code = rules_of(line, name, &recipe);
	if (!code)
		code = view_open(name, epoch, recipe.rule, recipe.nr_rules,
				 viewname, &view);
	recipe_free(&recipe);
	if (code)
		return code;
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(viewname), out_text(name), out_number(epoch),
		out_text(view.node),
		out_number(view.sectors << SECTOR_SHIFT) });
	return DR_EXIT_OK;
}
