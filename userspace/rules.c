// SPDX-License-Identifier: GPL-2.0
/*
 * rules.c - from --recipe to the rules of a view.
 */
#include <string.h>

#include "cli.h"
#include "rules.h"

int rules_of(const struct cmd_line *line, const char *device,
	     struct recipe *r)
{
	const char *file = cli_option(line, "recipe");
	int code;

	memset(r, 0, sizeof(*r));
	if (!file)
		return DR_EXIT_OK;
	code = recipe_load(file, device, r);
	if (code)
		return code;
	if (r->mode != RECIPE_BLOCKS)
		return fail(DR_EXIT_OPERATIONAL, file,
			    "'dmdelta preview' shows what it would do",
			    "a recipe for files has no rules for blocks");
	return DR_EXIT_OK;
}
