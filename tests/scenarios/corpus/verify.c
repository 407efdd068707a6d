// SPDX-License-Identifier: GPL-2.0
/*
 * verify.c - what became of the files: undone, kept, garbage, harmed.
 *
 * Each path is held against every content that it may have had. What equals
 * none of them is garbage: neither the good file nor the damage, but a mixture
 * that a recovery made. A file that cannot be read is garbage, too.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "model.h"

#define CHUNK	65536

enum state { ABSENT, IS_BASE, IS_BAD, IS_WORK, GARBAGE, UNREADABLE };

static const char *const state_names[] = {
	"absent", "base", "bad", "work", "garbage", "unreadable",
};

/* One pass over the file decides on all versions. */
static enum state look(const struct model *m, const struct file *f,
		       const char *path)
{
	static char got[CHUNK], want[CHUNK];
	bool maybe[3] = { f->role != NEW,
			  f->role == VICTIM || f->role == REWRITTEN,
			  f->role == REWRITTEN || f->role == MODIFIED ||
			  f->role == NEW };
	enum state state = GARBAGE;
	struct stat st;
	uint64_t at = 0;
	ssize_t len;
	int fd, v;

	if (lstat(path, &st))
		return errno == ENOENT ? ABSENT : UNREADABLE;
	if (!S_ISREG(st.st_mode))
		return GARBAGE;
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return UNREADABLE;
	for (v = BASE; v <= WORK; v++)
		maybe[v] &= (uint64_t)st.st_size ==
			    file_size(f, v, m->attack);
	while ((maybe[BASE] || maybe[BAD] || maybe[WORK]) &&
	       (len = read(fd, got, CHUNK)) > 0) {
		for (v = BASE; v <= WORK; v++) {
			if (!maybe[v])
				continue;
			file_content(m, f, v, at, want, (len + 7) & ~7);
			maybe[v] = !memcmp(got, want, len);
		}
		at += len;
		if (at % 8 && at != (uint64_t)st.st_size)
			memset(maybe, 0, sizeof(maybe));
	}
	if (len < 0)
		state = UNREADABLE;
	else if (maybe[WORK] || maybe[BAD] || maybe[BASE])
		state = maybe[WORK] ? IS_WORK : maybe[BAD] ? IS_BAD : IS_BASE;
	close(fd);
	return state;
}

static bool right_attributes(const struct file *f, enum version version)
{
	char value[32] = "", want[32] = "";
	struct stat st;

	if (lstat(f->path, &st) || st.st_uid != f->uid || st.st_gid != f->gid)
		return false;
	if ((st.st_mode & 07777) != (version == BAD ? f->bad_mode : f->mode))
		return false;
	if (version == BAD)
		return true;
	if (f->xattr)
		snprintf(want, sizeof(want), "of-%u", f->id);
	if (lgetxattr(f->path, XATTR, value, sizeof(value) - 1) < 0 &&
	    errno != ENODATA)
		return false;
	return !strcmp(value, want);
}

static bool right_time(const struct file *f)
{
	struct stat st;

	return !lstat(f->path, &st) && st.st_mtime == f->mtime;
}

static bool linked(const struct model *m, const struct file *f)
{
	struct stat a, b;

	return f->other_name < 0 || (!lstat(f->path, &a) &&
		!lstat(m->file[f->other_name].path, &b) &&
		a.st_ino == b.st_ino);
}

/* --- files that should not be there --------------------------------------- */

struct stray {
	int left;		/* the intruder's, in place */
	int left_garbage;
	int unknown;
};

static const struct file *find(const struct model *m, const char *path,
			       const char *tail)
{
	size_t len = strlen(path), cut = strlen(tail);
	int i;

	if (len < cut || strcmp(path + len - cut, tail))
		return NULL;
	for (i = 0; i < NR_FILES; i++)
		if (strlen(m->file[i].path) == len - cut &&
		    !strncmp(m->file[i].path, path, len - cut))
			return &m->file[i];
	return NULL;
}

/* At the top: the ballast, what fsck finds, and what the tool itself leaves. */
static bool ignored(const char *name)
{
	return !strcmp(name, "lost+found") || !strcmp(name, ".ballast") ||
	       !strncmp(name, ".dmdelta", strlen(".dmdelta"));
}

static void walk(const struct model *m, const char *dir, struct stray *stray,
		 bool verbose)
{
	const struct file *f;
	struct dirent *entry;
	char path[512];
	DIR *d = opendir(*dir ? dir : ".");
	enum state state;

	while (d && (entry = readdir(d))) {
		if (!strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") ||
		    (!*dir && ignored(entry->d_name)))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", dir, *dir ? "/" : "",
			 entry->d_name);
		if (entry->d_type == DT_DIR) {
			walk(m, path, stray, verbose);
			continue;
		}
		if (find(m, path, ""))
			continue;
		f = find(m, path, LOCKED);
		state = f && m->attack == NEWFILE ? look(m, f, path) : GARBAGE;
		stray->left += state == IS_BAD;
		stray->left_garbage += f && state != IS_BAD;
		stray->unknown += !f;
		if (verbose)
			fprintf(stderr, "# %s: should not be there: %s\n", path,
				state_names[state]);
	}
	if (d)
		closedir(d);
}

/* --- the verdicts ----------------------------------------------------------- */

/* As a JSON object, with no newline: the caller puts it into a greater one. */
int verify_ideal(const struct model *m, bool verbose)
{
	int undone = 0, kept = 0, garbage = 0, unreadable = 0, collateral = 0;
	int back = 0, times = 0, links = 0, ideal = 0, i;
	struct stray stray = { 0 };

	for (i = 0; i < NR_FILES; i++) {
		const struct file *f = &m->file[i];
		enum state state = look(m, f, f->path);
		enum version v;
		bool wanted = file_at(m, f, STAGE_IDEAL, &v);
		bool good = wanted ? state == (v == BASE ? IS_BASE : IS_WORK) &&
				     right_attributes(f, v) : state == ABSENT;

		ideal += good && wanted;
		undone += good && f->role == VICTIM;
		kept += good && (f->role == REWRITTEN || f->role == MODIFIED ||
				 f->role == NEW);
		collateral += !good && f->role == QUIET;
		back += !good && f->role == DELETED;
		garbage += state >= GARBAGE;
		unreadable += state == UNREADABLE;
		times += good && v == BASE && wanted && !right_time(f);
		links += good && !f->second && !linked(m, f);
		if (verbose && !good)
			fprintf(stderr, "# %s (%s): %s\n", f->path,
				role_names[f->role], state_names[state]);
	}
	walk(m, "", &stray, verbose);
	printf("\"ideal\":%d,\"undone\":%d,\"kept\":%d,\"garbage\":%d,\"collateral\":%d,",
	       ideal, undone, kept, garbage + stray.left_garbage, collateral);
	printf("\"unreadable\":%d,\"left\":%d,\"back\":%d,\"stray\":%d,\"times\":%d,\"links\":%d",
	       unreadable, stray.left, back, stray.unknown, times, links);
	return ideal != NR_IDEAL;
}

/* Is all of it exactly as the model has it at that stage? */
int verify_stage(const struct model *m, enum stage stage)
{
	static const enum state states[] = { IS_BASE, IS_BAD, IS_WORK };
	struct stray stray = { 0 };
	int i, wrong = 0, locked = 0;
	enum version v;

	for (i = 0; i < NR_FILES; i++) {
		const struct file *f = &m->file[i];
		enum state state = look(m, f, f->path), want = ABSENT;

		if (file_at(m, f, stage, &v))
			want = states[v];
		if (state == want && (want == ABSENT || right_attributes(f, v)))
			continue;
		fprintf(stderr, "# %s (%s): %s, wanted %s\n", f->path,
			role_names[f->role], state_names[state],
			state_names[want]);
		wrong++;
	}
	walk(m, "", &stray, false);
	if (m->attack == NEWFILE &&
	    (stage == STAGE_BAD || stage == STAGE_WORK))
		locked = NR_VICTIMS + NR_REWRITTEN;
	if (stray.left != locked || stray.left_garbage || stray.unknown) {
		fprintf(stderr, "# %d files of the intruder, wanted %d; %d garbage, %d unknown\n",
			stray.left, locked, stray.left_garbage, stray.unknown);
		wrong++;
	}
	return wrong != 0;
}
