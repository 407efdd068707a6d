// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-cp.c - copy out of the past, by cp(1): it keeps modes, owners, times,
 * extended attributes, hard links and holes.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "past/at.h"
#include "tool.h"

static const struct out_column columns[] = {
	{ "name", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "epoch", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "path", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "destination", "copied to", OUT_TEXT, OUT_BOTH },
};

/* Into a folder that is there, under its old name; else as named */
static int destination(const struct past_at *at, const char *word, char *dest,
		       size_t size)
{
	const char *end = at->path + strlen(at->path), *base;
	struct stat st;
	int n;

	while (end > at->path && end[-1] == '/')
		end--;
	for (base = end; base > at->path && base[-1] != '/'; base--)
		;
	if (!stat(word, &st) && S_ISDIR(st.st_mode))
		n = snprintf(dest, size, "%s%s%.*s", word,
			     word[strlen(word) - 1] == '/' ? "" : "/",
			     (int)(end - base), base);
	else
		n = snprintf(dest, size, "%s", word);
	if (n >= (int)size)
		return fail(DR_EXIT_OPERATIONAL, word, NULL, "path too long");
	return DR_EXIT_OK;
}

/*
 * Where it lies in our name space, without symbolic links: the mount is ours
 * and read-only, so nobody can change what the path means.
 */
static int source(const struct past_at *at, bool tree, char *path, size_t size)
{
	int code = DR_EXIT_OK, fd = at_find(at, !tree, &code);
	char link[32];
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return code;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, size - 1);
	if (n < 0 || n >= (ssize_t)size - 1 || fstat(fd, &st))
		code = fail_errno(at->word, "path", n < 0 ? -errno :
				  -ENAMETOOLONG);
	else if (S_ISDIR(st.st_mode) && !tree)
		code = fail(DR_EXIT_OPERATIONAL, at->word,
			    "-r copies it with all that is in it",
			    "a directory");
	else if (!tree && !S_ISREG(st.st_mode))
		code = fail(DR_EXIT_OPERATIONAL, at->word,
			    "-r copies it as what it is", "not a regular file");
	else
		path[n] = '\0';
	close(fd);
	return code;
}

static int copy(const struct past_at *at, const char *from, const char *to)
{
	const char *const argv[] = {
		"cp", "--archive", "--no-target-directory",
		"--", from, to, NULL
	};
	struct tool_result result;
	int code, ret = tool_run(argv, &result);

	if (ret)
		code = fail_errno("cp", "run", ret);
	else if (!result.status)
		code = DR_EXIT_OK;
	else if (cancelled())
		code = fail(DR_EXIT_CANCELLED, at->word, NULL,
			    "stopped by a signal; a part has been copied");
	else
		code = scratch_check(&at->past.scratch, at->word);
	if (!ret && result.status && !code)
		code = tool_fail(at->word, "cp", "coreutils", &result);
	tool_free(&result);
	return code;
}

static int cp(const struct past_at *at, const char *word, bool tree)
{
	char from[PATH_MAX], to[PATH_MAX];
	int code = source(at, tree, from, sizeof(from));

	if (!code)
		code = destination(at, word, to, sizeof(to));
	if (!code && cancelled())
		code = fail_cancelled(at->word);
	if (!code)
		code = copy(at, from, to);
	if (code)
		return code;
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(at->device), out_number(at->epoch),
		out_text(at->path), out_text(to) });
	return DR_EXIT_OK;
}

int cmd_cp(const struct cmd_line *line)
{
	struct past_at at;
	int code = at_parse(line->argv[0], true, &at);

	if (!code)
		code = at_resolve(&at);
	if (!code)
		code = at_open(&at, cli_option(line, "volume"));
	if (!code)
		code = cp(&at, line->argv[1], cli_option(line, "recursive"));
	at_close(&at);
	return code;
}
