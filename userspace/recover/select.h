/* SPDX-License-Identifier: GPL-2.0 */
/*
 * select.h - which files and which blocks a recovery is about.
 *
 * A path pattern is held against whole paths, from the root of the file
 * system: it has components, each a shell pattern (fnmatch), and "**" as a
 * component stands for any number of them. A pattern names what it matches
 * and all that is below it.
 */
#ifndef DR_SELECT_H
#define DR_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "parse.h"

struct cmd_line;

/* So many sectors of one file, from a place in it; no pattern */
struct select_part {
	char *path;
	struct range range;
};

/*
 * Nothing given selects everything. Kinds are and-ed, the same kind or-ed;
 * parts of files come on top of what the others select.
 */
struct select {
	char **path, **not_path;
	size_t nr_path, nr_not_path;
	uint32_t *uid;
	size_t nr_uid;
	/*
	 * Changed at or after, and before: the later one of mtime and ctime at
	 * the end of the damage, seconds since 1970; 0: not given
	 */
	int64_t newer, older;
	struct range *range;	/* sorted, disjoint; blocks only */
	size_t nr_range;
	struct select_part *part;	/* blocks only */
	size_t nr_part;
};

/* The options --path, --not-path, --uid, --newer, --older, --range, --part. */
int select_from_line(const struct cmd_line *line, struct select *s);
void select_free(struct select *s);

/* NULL, or what is wrong with a pattern; with the path of a part */
const char *select_check_pattern(const char *pattern);
const char *select_check_path(const char *path);

/*
 * Pieces of a pattern: the component at @s (@s moves to the next one; false:
 * there is none); does a component match a name; is it "**"?
 */
bool select_next_part(const char **s, const char **part, size_t *len);
bool select_part(const char *pattern, size_t len, const char *part,
		 size_t part_len);
bool select_is_deep(const char *part, size_t len);

/* By patterns alone. @path begins at the root of its file system. */
bool select_path(const struct select *s, const char *path);

/* By owner and times alone, of a file at the end of the damage. */
bool select_stat(const struct select *s, const struct stat *st);

/* Does it need a look at the file itself? */
static inline bool select_needs_stat(const struct select *s)
{
	return s->nr_uid || s->newer || s->older;
}

/* Are files chosen at all, or is every one meant? */
static inline bool select_names_files(const struct select *s)
{
	return s->nr_path || s->nr_not_path || select_needs_stat(s);
}

/* The first selector that only blocks can follow, with its dashes; or NULL */
const char *select_needs_blocks(const struct select *s);

#endif
