// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-ls.c - list a folder of the past.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

static const struct out_column columns[] = {
	{ "mode", "mode", OUT_TEXT, OUT_BOTH },
	{ "nr_links", "links", OUT_NUMBER, OUT_BOTH },
	{ "uid", "uid", OUT_NUMBER, OUT_BOTH },
	{ "gid", "gid", OUT_NUMBER, OUT_BOTH },
	{ "size_bytes", "size", OUT_NUMBER, OUT_BOTH },
	{ "mtime", "modified", OUT_TIME, OUT_BOTH },
	{ "inode", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "name", "name", OUT_TEXT, OUT_BOTH },
	{ "target", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

/* "drwxr-sr-t" */
static void mode_text(mode_t mode, char *text)
{
	static const char types[] = "?pc?d?b?-?l?s???";
	static const char bits[] = "rwxrwxrwx";
	int i;

	text[0] = types[(mode & S_IFMT) >> 12];
	for (i = 0; i < 9; i++)
		text[1 + i] = mode & (0400 >> i) ? bits[i] : '-';
	if (mode & S_ISUID)
		text[3] = mode & 0100 ? 's' : 'S';
	if (mode & S_ISGID)
		text[6] = mode & 0010 ? 's' : 'S';
	if (mode & S_ISVTX)
		text[9] = mode & 0001 ? 't' : 'T';
	text[10] = '\0';
}

static int add_entry(int dir, const char *name, const char *title)
{
	char mode[11], target[PATH_MAX] = "", text[NAME_MAX + PATH_MAX + 8];
	struct stat st;
	ssize_t n;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -errno;
	mode_text(st.st_mode, mode);
	if (S_ISLNK(st.st_mode)) {
		n = readlinkat(dir, name, target, sizeof(target) - 1);
		if (n < 0)
			return -errno;
		target[n] = '\0';
	}
	snprintf(text, sizeof(text), "%s%s%s", title,
		 target[0] && !out_is_json() ? " -> " : "",
		 out_is_json() ? "" : target);
	out_row((struct out_value[]){
		out_text(mode), out_number(st.st_nlink), out_number(st.st_uid),
		out_number(st.st_gid), out_number(st.st_size),
		out_maybe(st.st_mtime >= 0, st.st_mtime),
		out_number(st.st_ino), out_text(text),
		out_text(target[0] ? target : NULL) });
	return 0;
}

static int no_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_dir(const struct past_at *at, int path)
{
	int dir = openat(path, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int n = -1, i, ret = 0, code = DR_EXIT_OK;
	struct dirent **entries = NULL;

	if (dir >= 0)
		n = scandirat(dir, ".", &entries, no_dots, by_name);
	if (n < 0)
		ret = -errno;
	for (i = 0; i < n && !cancelled(); i++) {
		ret = add_entry(dir, entries[i]->d_name, entries[i]->d_name);
		if (ret)
			code = fail_errno(entries[i]->d_name, "stat", ret);
	}
	if (n < 0)
		code = fail_errno(at->word, "read", ret);
	else if (i < n)
		code = fail(DR_EXIT_CANCELLED, at->word, NULL,
			    "stopped by a signal");
	for (i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	if (dir >= 0)
		close(dir);
	return code;
}

static int list(const struct past_at *at)
{
	const char *slash = strrchr(at->path, '/');
	int code = DR_EXIT_OK, path = at_find(at, false, &code), ret;
	struct stat st;

	if (path < 0)
		return code;
	if (fstat(path, &st)) {
		close(path);
		return fail_errno(at->word, "stat", -errno);
	}
	out_table("files", columns, ARRAY_SIZE(columns));
	if (S_ISDIR(st.st_mode)) {
		code = list_dir(at, path);
	} else {
		ret = add_entry(path, "", slash[1] ? slash + 1 : slash);
		if (ret)
			code = fail_errno(at->word, "stat", ret);
	}
	out_table_end();
	close(path);
	return code;
}

int cmd_ls(const struct cmd_line *line)
{
	struct past_at at;
	int code = at_parse(line->argv[0], true, &at);

	if (!code)
		code = at_resolve(&at);
	if (!code)
		code = at_open(&at, cli_option(line, "volume"));
	if (!code)
		code = list(&at);
	at_close(&at);
	return code;
}
