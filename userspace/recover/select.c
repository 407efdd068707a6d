// SPDX-License-Identifier: GPL-2.0
/*
 * select.c - selectors: read from a command line, held against files.
 */
#include <fnmatch.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ranges.h"
#include "recover/select.h"
#include "text.h"

#define ANY_DEPTH	"**"

/* --- patterns ------------------------------------------------------------ */

bool select_next_part(const char **s, const char **part, size_t *len)
{
	while (**s == '/')
		(*s)++;
	*part = *s;
	*len = strcspn(*s, "/");
	*s += *len;
	return *len;
}

static bool part_is(const char *part, size_t len, const char *word)
{
	return len == strlen(word) && !memcmp(part, word, len);
}

bool select_part(const char *pattern, size_t len, const char *part,
		 size_t part_len)
{
	char p[NAME_MAX + 1], s[NAME_MAX + 1];

	if (len > NAME_MAX || part_len > NAME_MAX)
		return false;
	memcpy(p, pattern, len);
	memcpy(s, part, part_len);
	p[len] = '\0';
	s[part_len] = '\0';
	return !fnmatch(p, s, 0);
}

bool select_is_deep(const char *part, size_t len)
{
	return part_is(part, len, ANY_DEPTH);
}

/*
 * A later "**" can do all that an earlier one could by taking more, so only
 * the last one met is ever tried again: the time is at most the product of
 * the two lengths.
 */
static bool matches(const char *pattern, const char *path)
{
	const char *again_pattern = NULL, *again_path = NULL, *p, *s;
	size_t p_len, s_len;

	for (;;) {
		if (!select_next_part(&pattern, &p, &p_len))
			return true;	/* it, or something below it */
		if (select_is_deep(p, p_len)) {
			again_pattern = pattern;
			again_path = path;
			continue;
		}
		if (select_next_part(&path, &s, &s_len) &&
		    select_part(p, p_len, s, s_len))
			continue;
		if (!again_path || !select_next_part(&again_path, &s, &s_len))
			return false;
		pattern = again_pattern;
		path = again_path;
	}
}

static bool any_matches(char *const *patterns, size_t nr, const char *path)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (matches(patterns[i], path))
			return true;
	return false;
}

bool select_path(const struct select *s, const char *path)
{
	if (s->nr_path && !any_matches(s->path, s->nr_path, path))
		return false;
	return !any_matches(s->not_path, s->nr_not_path, path);
}

const char *select_check_pattern(const char *pattern)
{
	const char *part;
	size_t len;

	if (!text_utf8(pattern))
		return "not UTF-8, as a recipe has to be: write '?' for each such byte";
	if (pattern[0] != '/' && strncmp(pattern, ANY_DEPTH "/", 3) &&
	    strcmp(pattern, ANY_DEPTH))
		return "a path begins with '/', the root of its file system";
	while (select_next_part(&pattern, &part, &len)) {
		if (len > NAME_MAX)
			return "a component is longer than a name can be";
		if (part_is(part, len, ".") || part_is(part, len, ".."))
			return "'.' and '..' are not followed";
	}
	return NULL;
}

const char *select_check_path(const char *path)
{
	const char *problem = path[0] == '/' ? NULL :
			      "a path begins with '/', the root of its file system";

	if (!problem && !text_utf8(path))
		problem =
			"not UTF-8, as a recipe has to be: take another name, or --range";
	if (!problem)
		problem = select_check_pattern(path);
	if (!problem && path[strlen(path) - 1] == '/')
		problem = "a file's name does not end so";
	return problem;
}

const char *select_needs_blocks(const struct select *s)
{
	return s->nr_range ? "--range" : s->nr_part ? "--part" : NULL;
}

/* --- files --------------------------------------------------------------- */

bool select_stat(const struct select *s, const struct stat *st)
{
	int64_t changed = st->st_mtime > st->st_ctime ? st->st_mtime :
			  st->st_ctime;
	size_t i;

	if (s->newer && changed < s->newer)
		return false;
	if (s->older && changed >= s->older)
		return false;
	for (i = 0; i < s->nr_uid; i++)
		if (s->uid[i] == st->st_uid)
			return true;
	return !s->nr_uid;
}

/* --- the command line ---------------------------------------------------- */

static size_t count(const struct cmd_line *line, const char *option)
{
	size_t nr = 0;

	while (cli_option_nth(line, option, nr))
		nr++;
	return nr;
}

static int take_patterns(const struct cmd_line *line, const char *option,
			 char ***patterns, size_t *nr)
{
	size_t i, want = count(line, option);
	const char *word, *problem;

	*patterns = calloc(want + 1, sizeof(**patterns));
	for (i = 0; *patterns && i < want; i++) {
		word = cli_option_nth(line, option, i);
		problem = select_check_pattern(word);
		if (problem)
			return fail_usage(word, "%s", problem);
		(*patterns)[i] = strdup(word);
		if (!(*patterns)[i])
			break;
		*nr = i + 1;
	}
	return *patterns && *nr == want ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static int take_uids(const struct cmd_line *line, struct select *s)
{
	size_t want = count(line, "uid");
	const struct passwd *user;
	const char *word;
	uint64_t number;

	s->uid = calloc(want + 1, sizeof(*s->uid));
	if (!s->uid)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (; s->nr_uid < want; s->nr_uid++) {
		word = cli_option_nth(line, "uid", s->nr_uid);
		if (parse_number(word, &number)) {
			user = getpwnam(word);
			if (!user)
				return fail_usage(word, "no such user here; give the number");
			number = user->pw_uid;
		} else if (number >= UINT32_MAX) {
			return fail_usage(word, "too large for a user's number");
		}
		s->uid[s->nr_uid] = number;
	}
	return DR_EXIT_OK;
}

static int take_ranges(const struct cmd_line *line, struct select *s)
{
	size_t want = count(line, "range");
	const char *word, *problem;

	s->range = calloc(want + 1, sizeof(*s->range));
	if (!s->range)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (; s->nr_range < want; s->nr_range++) {
		word = cli_option_nth(line, "range", s->nr_range);
		problem = parse_range(word, &s->range[s->nr_range]);
		if (problem)
			return fail_usage(word, "%s", problem);
	}
	s->nr_range = ranges_join(s->range, s->nr_range);
	return DR_EXIT_OK;
}

/* "<path>:<start>+<len>": the place in the file as in a range */
static int take_part(const char *word, struct select_part *part)
{
	const char *colon = strrchr(word, ':'), *problem;

	if (!colon)
		return fail_usage(word, "not a part of a file, <path>:<start>+<len>");
	problem = parse_range(colon + 1, &part->range);
	if (problem)
		return fail_usage(word, "%s", problem);
	part->path = strndup(word, colon - word);
	if (!part->path)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	problem = select_check_path(part->path);
	return problem ? fail_usage(word, "%s", problem) : DR_EXIT_OK;
}

static int take_parts(const struct cmd_line *line, struct select *s)
{
	size_t want = count(line, "part");
	int code = DR_EXIT_OK;

	s->part = calloc(want + 1, sizeof(*s->part));
	if (!s->part)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (; !code && s->nr_part < want; s->nr_part++)
		code = take_part(cli_option_nth(line, "part", s->nr_part),
				 &s->part[s->nr_part]);
	return code;
}

static int take_time(const struct cmd_line *line, const char *option,
		     int64_t *time)
{
	const char *word = cli_option(line, option), *problem;

	problem = word ? parse_time(word, time) : NULL;
	return problem ? fail_usage(word, "%s", problem) : DR_EXIT_OK;
}

int select_from_line(const struct cmd_line *line, struct select *s)
{
	int code;

	memset(s, 0, sizeof(*s));
	code = take_patterns(line, "path", &s->path, &s->nr_path);
	if (!code)
		code = take_patterns(line, "not-path", &s->not_path,
				     &s->nr_not_path);
	if (!code)
		code = take_uids(line, s);
	if (!code)
		code = take_time(line, "newer", &s->newer);
	if (!code)
		code = take_time(line, "older", &s->older);
	if (!code)
		code = take_ranges(line, s);
	if (!code)
		code = take_parts(line, s);
	if (!code && s->newer && s->older && s->newer >= s->older)
		code = fail_usage("--older", "not after --newer: nothing is selected");
	return code;
}

static void free_words(char **words, size_t nr)
{
	while (nr--)
		free(words[nr]);
	free(words);
}

void select_free(struct select *s)
{
	free_words(s->path, s->nr_path);
	free_words(s->not_path, s->nr_not_path);
	free(s->uid);
	free(s->range);
	while (s->nr_part--)
		free(s->part[s->nr_part].path);
	free(s->part);
	memset(s, 0, sizeof(*s));
}
