// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-version.c - versions of what has to fit together.
 */
#include "cli.h"
#include "commands.h"
#include "dm.h"
#include "names.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "dmdelta", "dmdelta", OUT_TEXT, OUT_BOTH },
	{ "library", "libdevmapper", OUT_TEXT, OUT_BOTH },
	{ "driver", "device-mapper", OUT_TEXT, OUT_BOTH },
	{ "target", "target " DR_TARGET_NAME, OUT_TEXT, OUT_BOTH },
};

int cmd_version(const struct cmd_line *line)
{
	char library[64], driver[64], target[64];

	(void)line;
	/* What cannot be asked is shown as absent. */
	mapper_versions(DR_TARGET_NAME, library, driver, target,
			sizeof(library));
	out_record(columns, 4, (struct out_value[]){
		out_text(DMDELTA_VERSION),
		out_text(library[0] ? library : NULL),
		out_text(driver[0] ? driver : NULL),
		out_text(target[0] ? target : NULL) });
	return DR_EXIT_OK;
}
