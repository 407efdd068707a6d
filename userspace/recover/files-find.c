// SPDX-License-Identifier: GPL-2.0
/*
 * files-find.c - do patterns of paths name anything at all?
 *
 * A folder is read once for a pattern, whatever "**" there is in it: what goes
 * down is the set of all places in the pattern that its path has led to, as a
 * finite automaton is run. Only folders are read in which the pattern may go
 * on, and only until it names something.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "files-entry.h"
#include "files-find.h"
#include "recover/select.h"

/*
 * Below this many folders nothing is looked for: a descriptor and a frame are
 * held for each, and anybody can make such a tree. Whether there is something
 * of that name is not known then, which is no reason to refuse it.
 */
#define MAX_DEPTH	256

struct pattern {
	size_t nr;
	struct part {
		const char *text;
		size_t len;
		bool deep;
	} part[PATH_MAX / 2];
};

/* at[i]: the first i components have been matched. at[nr]: all of them */
typedef bool places[PATH_MAX / 2 + 1];

static bool read_pattern(const char *text, struct pattern *p)
{
	struct part part;

	p->nr = 0;
	while (select_next_part(&text, &part.text, &part.len)) {
		if (p->nr == ARRAY_SIZE(p->part))
			return false;
		part.deep = select_is_deep(part.text, part.len);
		p->part[p->nr++] = part;
	}
	return true;
}

/* "**" stands for no folder as well. */
static void pass_deep(const struct pattern *p, bool *at)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		if (at[i] && p->part[i].deep)
			at[i + 1] = true;
}

/* Where the pattern is after a folder called @name; false: nowhere */
static bool step(const struct pattern *p, const bool *at, const char *name,
		 bool *next)
{
	size_t i, len = strlen(name);
	bool any = false;

	memset(next, 0, p->nr + 1);
	for (i = 0; i < p->nr; i++) {
		if (!at[i])
			continue;
		if (p->part[i].deep)
			next[i] = true;
		else if (select_part(p->part[i].text, p->part[i].len, name,
				     len))
			next[i + 1] = true;
		else
			continue;
		any = true;
	}
	pass_deep(p, next);
	return any;
}

/* The one name that can go on from here, if there is but one */
static bool only_name(const struct pattern *p, const bool *at, char *name)
{
	const struct part *only = NULL;
	size_t i;

	for (i = 0; i < p->nr; i++) {
		if (!at[i])
			continue;
		if (only || p->part[i].deep || p->part[i].len > NAME_MAX ||
		    strcspn(p->part[i].text, "*?[\\") < p->part[i].len)
			return false;
		only = &p->part[i];
	}
	if (!only)
		return false;
	memcpy(name, only->text, only->len);
	name[only->len] = '\0';
	return true;
}

static bool find_in(int fd, const struct pattern *p, const bool *at,
		    int depth);

/*
 * Does the pattern name @name in @fd, or something below it? @leaf: there is
 * nothing below.
 */
static bool find_below(int fd, const char *name, const struct pattern *p,
		       const bool *at, int depth, bool leaf)
{
	bool *next = malloc(p->nr + 1), found = false;
	struct entry e;
	int dir = -1;

	if (next && step(p, at, name, next) && (next[p->nr] || !leaf) &&
	    !entry_open(fd, name, &e) && entry_there(&e)) {
		found = next[p->nr];
		if (!found && S_ISDIR(e.mode))
			dir = entry_reopen(&e, O_RDONLY | O_DIRECTORY);
		entry_close(&e);
	}
	if (dir >= 0)
		found = find_in(dir, p, next, depth + 1);
	free(next);
	return found;
}

/* @fd is closed. */
static bool find_in(int fd, const struct pattern *p, const bool *at, int depth)
{
	bool found = depth > MAX_DEPTH;
	char name[NAME_MAX + 1];
	struct dirent *d;
	DIR *dir = NULL;

	if (found || only_name(p, at, name))
		found = found || find_below(fd, name, p, at, depth, false);
	else
		dir = fdopendir(fd);
	while (dir && !found && !cancelled()) {
		d = readdir(dir);
		if (!d)
			break;
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			found = find_below(fd, d->d_name, p, at, depth,
					   d->d_type != DT_DIR &&
					   d->d_type != DT_UNKNOWN);
	}
	if (dir)
		closedir(dir);
	else
		close(fd);
	return found;
}

static bool find_from(const char *root, const struct pattern *p)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	places at = { true };

	pass_deep(p, at);
	if (fd >= 0 && !at[p->nr])
		return find_in(fd, p, at, 0);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool find_anywhere(const struct pattern *p,
			  const char *(*root)(const void *of, size_t volume,
					      enum files_when when),
			  const void *of, size_t nr_volumes)
{
	const char *dir;
	size_t i;
	int when;

	for (i = 0; i < nr_volumes; i++)
		for (when = FILES_BASE; when <= FILES_NOW; when++) {
			dir = root(of, i, when);
			if (dir && find_from(dir, p))
				return true;
		}
	return false;
}

int files_find_patterns(const struct select *s,
			const char *(*root)(const void *of, size_t volume,
					    enum files_when when),
			const void *of, size_t nr_volumes)
{
	struct pattern p;
	bool found;
	size_t i;

	for (i = 0; s && i < s->nr_path; i++) {
		/* Longer than any path can be: it names nothing. */
		found = read_pattern(s->path[i], &p) &&
			find_anywhere(&p, root, of, nr_volumes);
		if (cancelled())
			return fail_cancelled(s->path[i]);
		if (!found)
			return fail(DR_EXIT_USAGE, s->path[i],
				    "give the path from the root of its file system; 'dmdelta ls' shows what there was",
				    "nothing is named so, neither before the damage nor at its end nor now");
	}
	return DR_EXIT_OK;
}
