// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.c - run a checker, keep what it says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "recover/fsck.h"
#include "tool.h"

#define MAX_LINES	8

static const struct checker {
	const char *type, *tool;
	const char *args[3];	/* before the device */
} checkers[] = {
	{ "ext2", "e2fsck", { "-f", "-n" } },
	{ "ext3", "e2fsck", { "-f", "-n" } },
	{ "ext4", "e2fsck", { "-f", "-n" } },
	{ "xfs", "xfs_repair", { "-n" } },
	{ "btrfs", "btrfs", { "check", "--readonly" } },
	{ "vfat", "fsck.fat", { "-n" } },
};

const char *fsck_word(enum fsck_verdict verdict)
{
	static const char *const words[] = {
		[FSCK_CLEAN] = "clean",
		[FSCK_ERRORS] = "errors",
		[FSCK_NOT_RUN] = "not run",
	};

	return words[verdict];
}

/* Lines that only say how far it has come */
static bool is_chatter(const char *line)
{
	static const char *const words[] = {
		"e2fsck ", "Pass ", "Phase ", "        - ", "Opening ",
		"Checking ", "[", "UUID: ", "WARNING: ", "No modify flag",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(line, words[i], strlen(words[i])))
			return true;
	return !*line;
}

/* The first lines that matter, allocated */
static char *sum_up(char *text)
{
	char *line, *sum = NULL;
	size_t size;
	FILE *f = open_memstream(&sum, &size);
	int nr = 0;

	while (f && nr < MAX_LINES && (line = strsep(&text, "\n")))
		if (!is_chatter(line))
			fprintf(f, "%s%s", nr++ ? "; " : "", line);
	if (f)
		fclose(f);
	return sum;
}

static int not_run(struct fsck *fsck, const char *why)
{
	fsck->verdict = FSCK_NOT_RUN;
	free(fsck->text);
	fsck->text = strdup(why);
	return fsck->text ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static int take_result(struct fsck *fsck, const struct tool_result *result)
{
	char *all = NULL;

	if (result->status == TOOL_MISSING)
		return not_run(fsck, "it is not installed");
	fsck->verdict = result->status ? FSCK_ERRORS : FSCK_CLEAN;
	if (!result->status)
		fsck->text = strdup("");
	else if (asprintf(&all, "%s%s", result->out, result->errors) >= 0)
		fsck->text = sum_up(all);
	free(all);
	return fsck->text ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static const struct checker *find(const char *type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checkers); i++)
		if (!strcmp(checkers[i].type, type))
			return &checkers[i];
	return NULL;
}

int fsck_run(const char *node, const char *type, struct fsck *fsck)
{
	const struct checker *c = find(type);
	struct tool_result result;
	const char *argv[8];
	int n = 0, code, ret;
	size_t i;

	memset(fsck, 0, sizeof(*fsck));
	if (!c)
		return not_run(fsck, "no checker is known for it");
	fsck->tool = c->tool;
	argv[n++] = c->tool;
	for (i = 0; i < ARRAY_SIZE(c->args) && c->args[i]; i++)
		argv[n++] = c->args[i];
	argv[n++] = node;
	argv[n] = NULL;
	ret = tool_run(argv, &result);
	code = ret ? fail_errno(c->tool, "run", ret) :
		     take_result(fsck, &result);
	tool_free(&result);
	return code;
}

void fsck_free(struct fsck *fsck)
{
	free(fsck->text);
	memset(fsck, 0, sizeof(*fsck));
}
