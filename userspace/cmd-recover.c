// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-recover.c - take damage back file by file, on the live device.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "recover/recipe.h"
#include "recover/run.h"

/* From a file, or from the options that plan has, too. */
static int read_recipe(const struct cmd_line *line, const char *device,
		       struct recipe *r)
{
	static const char *const others[] = {
		"from", "to", "path", "not-path", "uid", "newer", "older",
	};
	const char *file = cli_option(line, "recipe");
	size_t i;
	int code;

	if (!file)
		return recipe_from_line(line, device, r);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		if (cli_option(line, others[i]))
			return fail_usage(others[i],
					  "cannot be given with --recipe");
	code = recipe_load(file, device, r);
	if (!code)
		code = recipe_check(device, r);
	if (!code && r->mode == RECIPE_BLOCKS)
		code = fail(DR_EXIT_USAGE, file,
			    "'dmdelta replay --recipe' applies it",
			    "a recipe for blocks, not for files");
	return code;
}

int cmd_recover(const struct cmd_line *line)
{
	struct recipe r = { .mode = RECIPE_FILES };
	struct run run = {
		.word = RUN_RECOVER, .select = &r.select, .recipe = &r,
		.volume = cli_option(line, "volume"),
		.beside = cli_option(line, "beside"),
		.dry_run = cli_option(line, "dry-run"),
		.force = cli_option(line, "force"),
		.quarantine = cli_option(line, "quarantine"),
	};
	struct device_status status;
	int code = device_name(line->argv[0], &run.device);

	if (!code && !cli_option(line, "recipe") &&
	    (!cli_option(line, "from") || !cli_option(line, "to")))
		code = fail_usage("--from", "give it and --to, or --recipe");
	if (!code)
		code = device_status(run.device, &status);
	if (!code)
		code = run_lock(run.device);
	if (!code)
		code = read_recipe(line, run.device, &r);
	if (!code) {
		run.from = r.from;
		run.to = r.to;
		run.base = r.base;
		code = run_files(&run);
	}
	recipe_free(&r);
	return code;
}
