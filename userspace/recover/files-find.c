// SPDX-License-Identifier: GPL-2.0
/*
 * files-find.c - do patterns of paths name anything at all?
 *
 * Component by component, so that only folders are read in which a pattern
 * may go on, and only until it names something.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files-entry.h"
#include "files-find.h"
#include "recover/select.h"

static bool find_in(int fd, const char *pattern);

static bool is_literal(const char *part, size_t len)
{
	return strcspn(part, "*?[\\") >= len;
}

/* Does @pattern name @name in @fd, or something below it? */
static bool find_below(int fd, const char *name, const char *pattern)
{
	struct entry e;
	bool found = false;
	int dir;

	if (entry_open(fd, name, &e) || !entry_there(&e))
		return false;
	if (select_is_all(pattern)) {
		found = true;
	} else if (S_ISDIR(e.mode)) {
		dir = entry_reopen(&e, O_RDONLY | O_DIRECTORY);
		if (dir >= 0) {
			found = find_in(dir, pattern);
			close(dir);
		}
	}
	entry_close(&e);
	return found;
}

static bool find_in(int fd, const char *pattern)
{
	const char *part, *rest = pattern;
	struct dirent *d;
	char name[NAME_MAX + 1];
	bool deep, found;
	size_t len;
	DIR *dir;

	if (select_is_all(pattern))
		return true;
	select_next_part(&rest, &part, &len);
	deep = select_is_deep(part, len);
	if (deep && find_in(fd, rest))
		return true;
	if (!deep && is_literal(part, len)) {
		memcpy(name, part, len);
		name[len] = '\0';
		return find_below(fd, name, rest);
	}
	fd = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	for (found = false; dir && !found && !cancelled();) {
		d = readdir(dir);
		if (!d)
			break;
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (!deep)
			found = select_part(part, len, d->d_name,
					    strlen(d->d_name)) &&
				find_below(fd, d->d_name, rest);
		else if (d->d_type == DT_DIR || d->d_type == DT_UNKNOWN)
			found = find_below(fd, d->d_name, pattern);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return found;
}

static bool find_from(const char *root, const char *pattern)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool found = fd >= 0 && find_in(fd, pattern);

	if (fd >= 0)
		close(fd);
	return found;
}

int files_find_patterns(const struct select *s, const char *const *dir,
			size_t nr)
{
	bool found;
	size_t i, k;

	for (i = 0; i < s->nr_path; i++) {
		for (found = false, k = 0; k < nr && !found; k++)
			found = dir[k] && find_from(dir[k], s->path[i]);
		if (cancelled())
			return fail_cancelled(s->path[i]);
		if (!found)
			return fail(DR_EXIT_USAGE, s->path[i],
				    "give the path from the root of its file system; 'dmdelta ls' shows what there was",
				    "nothing is named so, neither before the damage nor at its end nor now");
	}
	return DR_EXIT_OK;
}
