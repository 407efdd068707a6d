// SPDX-License-Identifier: GPL-2.0
/*
 * files-merge.c - the three-way merge of recover/files.h over plain
 * directories, for files.py. Prints an item a line: action, path, reason.
 *
 *   files-merge [OPTION...] BASE BAD NOW
 *	--path, --not-path, --uid, --newer, --older VALUE
 *	--beside, --quarantine DIR, --epoch N, --dry-run
 *	--force: do not look whether there is room
 *	--between COMMAND: run it after the plan is made
 *	--find: only say, by the exit status, whether each --path names anything
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "recover/files-find.h"
#include "recover/files.h"
#include "recover/select.h"
#include "text.h"

static char *paths[16], *not_paths[16];
static uint32_t uids[16];
static struct select chosen = {
	.path = paths, .not_path = not_paths, .uid = uids,
};

static struct files_apply_options apply = { .epoch = 7 };
static const char *between;
static bool dry_run, find, force;

static const struct option options[] = {
	{ "path", required_argument, NULL, 'p' },
	{ "not-path", required_argument, NULL, 'P' },
	{ "uid", required_argument, NULL, 'u' },
	{ "newer", required_argument, NULL, 'n' },
	{ "older", required_argument, NULL, 'o' },
	{ "beside", no_argument, NULL, 'b' },
	{ "force", no_argument, NULL, 'F' },
	{ "quarantine", required_argument, NULL, 'q' },
	{ "epoch", required_argument, NULL, 'e' },
	{ "between", required_argument, NULL, 'c' },
	{ "dry-run", no_argument, NULL, 'd' },
	{ "find", no_argument, NULL, 'f' },
	{}
};

static void take(int c)
{
	switch (c) {
	case 'p':
		paths[chosen.nr_path++] = optarg;
		break;
	case 'P':
		not_paths[chosen.nr_not_path++] = optarg;
		break;
	case 'u':
		uids[chosen.nr_uid++] = strtoul(optarg, NULL, 10);
		break;
	case 'n':
		chosen.newer = strtoll(optarg, NULL, 10);
		break;
	case 'o':
		chosen.older = strtoll(optarg, NULL, 10);
		break;
	case 'b':
		apply.beside = true;
		break;
	case 'F':
		force = true;
		break;
	case 'q':
		apply.quarantine = optarg;
		break;
	case 'e':
		apply.epoch = strtoul(optarg, NULL, 10);
		break;
	case 'c':
		between = optarg;
		break;
	case 'd':
		dry_run = true;
		break;
	case 'f':
		find = true;
		break;
	default:
		exit(DR_EXIT_USAGE);
	}
}

static void print(const struct files_plan *plan)
{
	char text[16384];
	size_t i;

	for (i = 0; i < plan->nr; i++)
		printf("%s\t%s\t%s\n", files_action_words[plan->item[i].action],
		       text_shown(plan->item[i].path, text, sizeof(text)),
		       plan->item[i].why ? plan->item[i].why : "");
}

static const char *root_of(const void *of, size_t volume, enum files_when when)
{
	return ((const char *const *)of)[3 * volume + when];
}

int main(int argc, char **argv)
{
	struct files_result result = {};
	struct files_plan plan;
	int c, code;

	catch_signals();
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
		take(c);
	if (argc - optind != 3)
		return DR_EXIT_USAGE;
	argv += optind;
	if (find)
		return files_find_patterns(&chosen, root_of, argv, 1);
	code = files_plan_make(argv[0], argv[1], argv[2], &chosen, NULL, NULL,
			       NULL, 0, &plan);
	if (!code && between && system(between))
		code = 99;
	if (!code && !dry_run && !force)
		code = files_plan_check_space(&plan, argv[2], argv[2]);
	if (!code && !dry_run)
		code = files_plan_apply(&plan, argv[0], argv[2], &apply,
					&result);
	print(&plan);
	files_plan_free(&plan);
	files_result_free(&result);
	return code;
}
