// SPDX-License-Identifier: GPL-2.0
/*
 * files.c - make a plan: walk base and bad side by side, find what differs.
 *
 * Directories of the same path are read together, names in order of their
 * bytes; now is looked at only where base and bad differ. Descriptors are
 * kept for the way down, so that no path is ever too long.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "files-plan.h"
#include "files-touched.h"

const char *const files_action_words[NR_FILES_ACTIONS] = {
	[FILES_RESTORE] = "restore",
	[FILES_BRING_BACK] = "bring back",
	[FILES_QUARANTINE] = "quarantine",
	[FILES_ATTRS] = "attributes",
	[FILES_MIXED] = "mixed",
	[FILES_DONE] = "done",
};

/*
 * Each directory on the way down has a descriptor a tree, and each path in it
 * is kept whole: a tree that was made deep enough would have all of them.
 */
#define MAX_DEPTH	1024
#define TOO_DEEP	"below more than %d directories"

struct names {
	char **name;
	size_t nr, room;
};

static void names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->nr; i++)
		free(names->name[i]);
	free(names->name);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_read(int fd, struct names *names)
{
	int copy = fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY |
					O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	int ret = 0;

	memset(names, 0, sizeof(*names));
	if (fd < 0)
		return 0;
	if (!dir) {
		ret = -errno;
		if (copy >= 0)
			close(copy);
		return ret;
	}
	while (errno = 0, (d = readdir(dir))) {
		char **more;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		more = grow(names->name, names->nr, &names->room,
			    sizeof(*more));
		if (!more)
			break;
		names->name = more;
		more[names->nr] = strdup(d->d_name);
		if (!more[names->nr])
			break;
		names->nr++;
	}
	ret = -errno;
	closedir(dir);
	if (ret)
		names_free(names);
	else if (names->nr)
		qsort(names->name, names->nr, sizeof(*names->name), by_bytes);
	return ret;
}

void place_look(struct place *place)
{
	int fd;

	if (place->now_error <= 0 || !place->up)
		return;
	place_look(place->up);
	place->now_error = place->up->now_error;
	if (place->up->now < 0)
		return;
	fd = entry_open_dir(place->up->now, place->name);
	place->now = fd < 0 ? -1 : fd;
	place->now_error = fd < 0 ? fd : 0;
}

/* --- one name ---------------------------------------------------------- */

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
	       a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
	       a->st_size == b->st_size && a->st_nlink == b->st_nlink &&
	       a->st_rdev == b->st_rdev &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Can it be told without reading it that both trees have the same? Files
 * whose content is in the inode have no blocks that a range could touch.
 */
static bool surely_same(const struct maker *m, int base, int bad,
			const char *name)
{
	struct stat a, b;

	if (!m->trust_inodes || base < 0 || bad < 0 ||
	    fstatat(base, name, &a, AT_SYMLINK_NOFOLLOW) ||
	    fstatat(bad, name, &b, AT_SYMLINK_NOFOLLOW) || !same_inode(&a, &b))
		return false;
	if (S_ISDIR(a.st_mode))
		return true;
	if (S_ISLNK(a.st_mode) || a.st_nlink > 1 ||
	    (a.st_size && !a.st_blocks))
		return false;
	return !inodes_have(&m->touched[IN_BASE], a.st_ino) &&
	       !inodes_have(&m->touched[IN_BAD], b.st_ino);
}

static bool is_dir(const struct entry *e)
{
	return entry_there(e) && S_ISDIR(e->mode);
}

static int add_dir_time(struct maker *m, const char *path,
			const struct entry_time *mtime)
{
	struct files_plan *plan = m->plan;
	struct files_times *t = grow(plan->dir_time, plan->nr_dir_times,
				     &m->room_times, sizeof(*t));

	if (!t)
		return -ENOMEM;
	plan->dir_time = t;
	t += plan->nr_dir_times;
	t->path = strdup(path);
	if (!t->path)
		return -ENOMEM;
	t->sec = mtime->sec;
	t->nsec = mtime->nsec;
	plan->nr_dir_times++;
	return 0;
}

/* Times are put back where nothing was added or removed since. */
static int note_dir_time(struct maker *m, struct place *place,
			 const char *name, const char *path,
			 const struct entry *base, const struct entry *bad)
{
	struct entry now;
	int ret = 0;

	place_look(place);
	if (place->now < 0 || entry_open(place->now, name, &now))
		return 0;
	if (is_dir(&now) && now.mtime.sec == bad->mtime.sec &&
	    now.mtime.nsec == bad->mtime.nsec)
		ret = add_dir_time(m, path, &base->mtime);
	entry_close(&now);
	return ret;
}

static int walk(struct maker *m, struct place *place, size_t *nr_leaving);

/* A directory that is to go, or to become something else, must be empty. */
static int check_empty(struct place *place, struct files_item *item,
		       size_t nr_leaving)
{
	struct names names;
	size_t i, nr = 0;
	int ret;

	place_look(place);
	if (place->now < 0)
		return 0;
	ret = names_read(place->now, &names);
	if (ret) {
		item_mixed(item, "cannot be read: %s", strerror(-ret));
		return 0;
	}
	for (i = 0; i < names.nr; i++)
		nr += !!strncmp(names.name[i], ENTRY_TEMP, strlen(ENTRY_TEMP));
	names_free(&names);
	if (nr > nr_leaving)
		item_mixed(item, "holds %zu that %s kept", nr - nr_leaving,
			   nr - nr_leaving == 1 ? "is" : "are");
	return 0;
}

static int open_below(const struct entry *e, const char *path, int *fd)
{
	*fd = -1;
	if (!is_dir(e))
		return 0;
	*fd = entry_reopen(e, O_RDONLY | O_DIRECTORY);
	if (*fd >= 0)
		return 0;
	warn(path, "cannot be read: %s", strerror(-*fd));
	return error_is_ours(*fd) ? *fd : 1;
}

static int descend(struct maker *m, struct place *up, const char *name,
		   const char *path, const struct entry *base,
		   const struct entry *bad, size_t item)
{
	struct place place = {
		.up = up, .path = strdup(path), .name = name, .base = -1,
		.bad = -1, .now = -1, .now_error = 1, .will_be = false,
		.bad_time = is_dir(bad) ? bad->ctime : up->bad_time,
		.depth = up->depth + 1,
	};
	size_t nr_leaving = 0;
	int ret = place.path ? 0 : -ENOMEM;

	if (!ret && place.depth > MAX_DEPTH) {
		if (item != NO_ITEM)
			item_mixed(&m->plan->item[item], TOO_DEEP, MAX_DEPTH);
		else
			warn(path, TOO_DEEP "; left as it is", MAX_DEPTH);
		goto out;
	}

	if (!ret)
		ret = open_below(base, path, &place.base);
	if (!ret)
		ret = open_below(bad, path, &place.bad);
	if (ret > 0) {
		if (item != NO_ITEM)
			item_mixed(&m->plan->item[item], "cannot be read");
		ret = 0;
		goto out;
	}
	if (!ret && is_dir(base) && item != NO_ITEM) {
		enum files_action action = m->plan->item[item].action;

		place.will_be = action == FILES_BRING_BACK ||
				action == FILES_RESTORE;
	} else if (is_dir(base) && !entry_there(bad)) {
		/* Not selected itself, but needed for what is */
		place_look(&place);
		place.will_be = place.now_error == -ENOENT &&
				(up->now >= 0 || up->will_be);
	}
	if (!ret)
		ret = walk(m, &place, &nr_leaving);
	if (!ret && item != NO_ITEM && !is_dir(base) &&
	    (m->plan->item[item].action == FILES_QUARANTINE ||
	     m->plan->item[item].action == FILES_RESTORE))
		ret = check_empty(&place, &m->plan->item[item], nr_leaving);
out:
	if (place.base >= 0)
		close(place.base);
	if (place.bad >= 0)
		close(place.bad);
	if (place.now >= 0)
		close(place.now);
	free(place.path);
	return ret;
}

static int judge(struct maker *m, struct place *place, const char *name,
		 const char *path, struct entry *base, struct entry *bad,
		 size_t *item)
{
	unsigned int diff = ENTRY_TYPE;
	bool both = entry_there(base) && entry_there(bad);
	int ret = 0;

	if (both)
		ret = entry_diff(base, bad, &m->plan->compared_bytes, &diff);
	if (error_is_ours(ret))
		return ret;
	if (ret) {
		*item = plan_add(m, path, FILES_MIXED, entry_type(base));
		if (*item == NO_ITEM)
			return -ENOMEM;
		item_mixed(&m->plan->item[*item], "cannot be read: %s",
			   strerror(-ret));
		return 0;
	}
	if (diff && path_selected(m, place, path, base, bad))
		ret = decide(m, place, name, path, base, bad, diff, item);
	if (!ret && ((entry_there(base) && S_ISREG(base->mode) &&
		      base->nlink > 1) ||
		     (entry_there(bad) && S_ISREG(bad->mode) &&
		      bad->nlink > 1)))
		ret = links_note(m, place, name, path, base, bad, *item);
	return ret;
}

static int visit(struct maker *m, struct place *place, const char *name,
		 const char *path, bool *leaving)
{
	struct entry base = ENTRY_NONE, bad = ENTRY_NONE;
	size_t item = NO_ITEM, nr;
	bool same = surely_same(m, place->base, place->bad, name);
	int ret = 0;

	m->plan->nr_paths++;
	if (place->base >= 0)
		ret = entry_open(place->base, name, &base);
	if (!ret && place->bad >= 0)
		ret = entry_open(place->bad, name, &bad);
	if (ret) {
		warn(path, "cannot be looked at: %s", strerror(-ret));
		entry_close(&base);
		return error_is_ours(ret) ? ret : 0;
	}
	if (!same)
		ret = judge(m, place, name, path, &base, &bad, &item);
	nr = m->plan->nr;
	if (!ret && (is_dir(&base) || is_dir(&bad)))
		ret = descend(m, place, name, path, &base, &bad, item);
	if (!ret && m->plan->nr > nr && is_dir(&base) && is_dir(&bad))
		ret = note_dir_time(m, place, name, path, &base, &bad);
	if (item != NO_ITEM && !ret)
		*leaving = m->plan->item[item].action == FILES_QUARANTINE;
	entry_close(&base);
	entry_close(&bad);
	return ret;
}

/* @nr_leaving: how many names of now's directory the plan takes away */
static int walk(struct maker *m, struct place *place, size_t *nr_leaving)
{
	struct names base = {}, bad = {};
	size_t i = 0, j = 0;
	int ret = names_read(place->base, &base);

	if (!ret)
		ret = names_read(place->bad, &bad);
	if (ret && !error_is_ours(ret)) {
		warn(*place->path ? place->path : "/",
		     "cannot be read: %s; left as it is", strerror(-ret));
		ret = 0;
		goto out;
	}
	while (!ret && (i < base.nr || j < bad.nr)) {
		int order = i == base.nr ? 1 : j == bad.nr ? -1 :
			    strcmp(base.name[i], bad.name[j]);
		const char *name = order <= 0 ? base.name[i] : bad.name[j];
		bool leaving = false;
		char *path = NULL;

		i += order <= 0;
		j += order >= 0;
		if (cancelled())
			ret = -ECANCELED;
		else if (asprintf(&path, "%s/%s", place->path, name) < 0)
			ret = -ENOMEM;
		else
			ret = visit(m, place, name, path, &leaving);
		*nr_leaving += leaving;
		free(path);
	}
out:
	names_free(&base);
	names_free(&bad);
	return ret;
}

/* --- the whole ------------------------------------------------------------ */

/* A directory comes right before what it holds: '/' is the lowest byte. */
static int by_path(const void *a, const void *b)
{
	const unsigned char *x, *y;

	x = (const void *)((const struct files_item *)a)->path;
	y = (const void *)((const struct files_item *)b)->path;
	while (*x && *x == *y) {
		x++;
		y++;
	}
	if (!*x || !*y)
		return !!*x - !!*y;
	return (*x == '/' ? 0 : *x) - (*y == '/' ? 0 : *y);
}

static void count(struct files_plan *plan)
{
	size_t i;

	memset(plan->count, 0, sizeof(plan->count));
	memset(plan->bytes, 0, sizeof(plan->bytes));
	for (i = 0; i < plan->nr; i++) {
		plan->count[plan->item[i].action]++;
		plan->bytes[plan->item[i].action] += plan->item[i].bytes;
	}
}

/* One descriptor a tree for each directory on the way down */
static void raise_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r))
		return;
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
}

static int walk_roots(struct maker *m, struct place *root)
{
	struct entry base = ENTRY_NONE, bad = ENTRY_NONE;
	size_t item = NO_ITEM, nr = 0;
	int ret = entry_open(root->base, ".", &base);

	if (!ret)
		ret = entry_open(root->bad, ".", &bad);
	if (!ret) {
		root->bad_time = bad.ctime;
		ret = judge(m, root, ".", "/", &base, &bad, &item);
	}
	if (!ret)
		ret = note_dir_time(m, root, ".", "/", &base, &bad);
	entry_close(&base);
	entry_close(&bad);
	if (!ret)
		ret = walk(m, root, &nr);
	if (!ret)
		ret = links_resolve(m, root->base, root->now);
	return ret;
}

static int open_root(const char *dir, int *fd)
{
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *fd < 0 ? fail_errno(dir, "open", -errno) : DR_EXIT_OK;
}

static void maker_free(struct maker *m)
{
	size_t i;

	for (i = 0; i < m->nr_links; i++)
		free(m->link[i].path);
	free(m->link);
	free(m->touched[IN_BASE].ino);
	free(m->touched[IN_BAD].ino);
	free(m->need);
}

int files_plan_make(const char *base_dir, const char *bad_dir,
		    const char *now_dir, const struct select *select,
		    const struct owner_map *base_owner,
		    const struct owner_map *bad_owner,
		    const struct range *changed, size_t nr_changed,
		    struct files_plan *plan)
{
	struct maker m = { .plan = plan, .select = select };
	struct place root = { .path = "", .name = ".", .base = -1, .bad = -1,
			      .now = -1 };
	int code, ret = 0;

	memset(plan, 0, sizeof(*plan));
	/* Sent to who holds a lease that is broken; we ask instead. */
	signal(SIGIO, SIG_IGN);
	raise_limit();
	code = open_root(base_dir, &root.base);
	if (!code)
		code = open_root(bad_dir, &root.bad);
	if (!code)
		code = open_root(now_dir, &root.now);
	m.trust_inodes = changed && base_owner && bad_owner;
	if (!code && m.trust_inodes) {
		ret = inodes_touched(base_owner, changed, nr_changed,
				     &m.touched[IN_BASE], &m.trust_inodes);
		if (!ret)
			ret = inodes_touched(bad_owner, changed, nr_changed,
					     &m.touched[IN_BAD],
					     &m.trust_inodes);
	}
	if (!code && !ret)
		ret = walk_roots(&m, &root);
	if (!code && ret)
		code = ret == -ECANCELED ? fail_cancelled(now_dir) :
		       fail_errno(now_dir, "comparing files", ret);
	if (plan->nr)
		qsort(plan->item, plan->nr, sizeof(*plan->item), by_path);
	count(plan);
	needs_add(&m);
	maker_free(&m);
	if (root.base >= 0)
		close(root.base);
	if (root.bad >= 0)
		close(root.bad);
	if (root.now >= 0)
		close(root.now);
	return code;
}

void files_plan_free(struct files_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr; i++) {
		free(plan->item[i].path);
		free(plan->item[i].why);
		free(plan->item[i].xattrs);
	}
	for (i = 0; i < plan->nr_leaders; i++)
		free(plan->leader[i].path);
	for (i = 0; i < plan->nr_dir_times; i++)
		free(plan->dir_time[i].path);
	free(plan->item);
	free(plan->leader);
	free(plan->dir_time);
	memset(plan, 0, sizeof(*plan));
}
