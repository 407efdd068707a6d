// SPDX-License-Identifier: GPL-2.0
/*
 * files-apply.c - carry a plan out, in three passes.
 *
 *   1. forward: a directory before what it holds. Everything that is made,
 *      exchanged or changed in place.
 *   2. backward: what it holds before the directory. Everything that is
 *      moved away, and directories that become something else: by now they
 *      are empty, or hold what must be kept.
 *   3. Times and flags of directories, which the work in them has changed.
 *
 * Between items nothing is half done, so that we may stop there.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli.h"
#include "files-apply.h"
#include "files-write.h"
#include "recover/room.h"

#define ITEM_BYTES	512u	/* of a name and an inode, on the average */

/* --- the directory that is worked in ---------------------------------------- */

void dir_leave(struct applier *a)
{
	struct work_dir *d = &a->dir;
	struct entry self;
	int fd;

	if (!d->path)
		return;
	/* A look at it as it is: its own item may have set other flags */
	if (d->flags) {
		fd = openat(d->fd, ".", O_PATH | O_CLOEXEC);
		if (fd >= 0 && !entry_of_path(fd, &self)) {
			write_flags(&self, self.flags | d->flags);
			entry_close(&self);
		}
	}
	entry_close(&d->self);
	close(d->fd);
	free(d->path);
	memset(d, 0, sizeof(*d));
}

static int by_name(const void *key, const void *t)
{
	return strcmp(key, ((const struct files_times *)t)->path);
}

/* Our work in the directory has changed its times. */
static void mark_entered(struct applier *a)
{
	const struct files_plan *plan = a->plan;
	struct files_times *t = NULL;
	char *path;

	if (!plan->nr_dir_times || !a->dir.path ||
	    asprintf(&path, "/%s", a->dir.path) < 0)
		return;
	t = bsearch(path, plan->dir_time, plan->nr_dir_times, sizeof(*t),
		    by_name);
	free(path);
	if (t)
		a->entered[t - plan->dir_time] = true;
}

/* Directories of base that now has not, from the root down */
static int make_parents(struct applier *a, const char *parent)
{
	struct entry base;
	char temp[64], path[strlen(parent) + 2], *end;
	uint64_t none = 0;
	int fd, ret = 0;

	snprintf(path, sizeof(path), "/%s", parent);
	for (end = strchr(path + 1, '/'); !ret; end = strchr(end + 1, '/')) {
		char *up;
		const char *name;

		if (end)
			*end = '\0';
		name = entry_split(path, &up);
		fd = name ? entry_open_dir(a->now_root, up) : -ENOMEM;
		free(up);
		ret = fd < 0 ? fd : entry_open_path(a->base_root, path, &base);
		if (!ret) {
			ret = write_object(fd, name,
					   entry_temp_name(path, temp), &base,
					   &none);
			if (ret == -EEXIST)
				ret = 0;
			entry_close(&base);
		}
		if (fd >= 0)
			close(fd);
		if (!end)
			break;
		*end = '/';
	}
	return ret;
}

/* In an immutable directory nothing can be made or renamed. */
static void unlock_dir(struct work_dir *d, const struct files_item *item)
{
	bool changes = item->leftover || (item->action != FILES_DONE &&
					  item->action != FILES_ATTRS);

	if (changes && d->self.flags && !d->flags && !write_flags(&d->self, 0))
		d->flags = d->self.flags;
}

int dir_enter(struct applier *a, const struct files_item *item,
	      const char **name)
{
	struct work_dir *d = &a->dir;
	char *parent;
	int fd, ret = 0;

	*name = entry_split(item->path, &parent);
	if (!*name)
		return -ENOMEM;
	if (d->path && !strcmp(d->path, parent)) {
		free(parent);
		unlock_dir(d, item);
		return 0;
	}
	dir_leave(a);
	fd = entry_open_dir(a->now_root, parent);
	if (fd == -ENOENT && item->parent_gone &&
	    item->action == FILES_BRING_BACK) {
		ret = make_parents(a, parent);
		fd = ret ? ret : entry_open_dir(a->now_root, parent);
	}
	if (fd < 0) {
		free(parent);
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? LATE :
		       fd;
	}
	d->path = parent;
	d->fd = fd;
	d->self = ENTRY_NONE;
	ret = openat(fd, ".", O_PATH | O_CLOEXEC);
	ret = ret < 0 ? -errno : entry_of_path(ret, &d->self);
	if (!ret)
		unlock_dir(d, item);
	return ret;
}

/* --- what was seen -------------------------------------------------------------- */

static bool same_seen(const struct files_seen *a, const struct files_seen *b)
{
	return a->there == b->there && a->mode == b->mode &&
	       a->uid == b->uid && a->gid == b->gid &&
	       a->ino == b->ino && a->size == b->size &&
	       a->mtime_sec == b->mtime_sec &&
	       a->mtime_nsec == b->mtime_nsec &&
	       a->ctime_sec == b->ctime_sec && a->ctime_nsec == b->ctime_nsec;
}

/* Our own work in a directory changes its times; its content is judged alone. */
static void forget_times(struct files_seen *s)
{
	if (!S_ISDIR(s->mode))
		return;
	s->size = 0;
	s->mtime_sec = 0;
	s->ctime_sec = 0;
	s->mtime_nsec = 0;
	s->ctime_nsec = 0;
}

bool still_as(const struct applier *a, const struct entry *now,
	      const struct files_seen *seen)
{
	struct files_seen is, was = *seen;
	size_t i;

	entry_seen(now, &is);
	forget_times(&is);
	forget_times(&was);
	if (same_seen(&is, &was))
		return true;
	for (i = 0; i < a->nr_own; i++)
		if (a->own[i].ino == was.ino && same_seen(&is, &a->own[i]))
			return true;
	return false;
}

int own_note(struct applier *a, const struct entry *now)
{
	struct files_seen *s;
	struct entry is;
	size_t i;
	int fd;

	if (!entry_there(now) || !S_ISREG(now->mode) || now->nlink < 2)
		return 0;
	fd = dup(now->fd);
	if (fd < 0 || entry_of_path(fd, &is))
		return fd < 0 ? -errno : -EIO;
	for (i = 0; i < a->nr_own && a->own[i].ino != is.ino; i++)
		;
	if (i == a->nr_own) {
		s = grow(a->own, a->nr_own, &a->room_own, sizeof(*s));
		if (!s) {
			entry_close(&is);
			return -ENOMEM;
		}
		a->own = s;
		a->nr_own++;
	}
	entry_seen(&is, &a->own[i]);
	entry_close(&is);
	return 0;
}

int open_planned(struct applier *a, const struct files_item *item,
		 const char *name, struct entry *now)
{
	struct entry again = ENTRY_NONE;
	int ret = entry_open(a->dir.fd, name, now);

	/*
	 * check_displaced() wants the attributes as they were seen. What has
	 * changed by the time they are read shows in the ctime.
	 */
	if (!ret && entry_there(now))
		ret = entry_read_xattrs(now);
	if (!ret)
		ret = entry_open(a->dir.fd, name, &again);
	if (!ret && (!still_as(a, now, &item->seen) ||
		     !still_as(a, &again, &item->seen)))
		ret = LATE;
	entry_close(&again);
	if (ret)
		entry_close(now);
	return ret;
}

/* --- attributes ------------------------------------------------------------------- */

static int attrs_item(struct applier *a, struct files_item *item,
		      const char *name)
{
	struct entry base, now;
	uint32_t flags;
	int ret = open_planned(a, item, name, &now);

	if (ret)
		return ret;
	ret = entry_open_path(a->base_root, item->path, &base);
	if (ret) {
		entry_close(&now);
		return ret;
	}
	flags = item->set & ENTRY_FLAGS ? base.flags : now.flags;
	if (now.flags && (item->set & ~ENTRY_FLAGS)) {
		ret = write_flags(&now, 0);
		now.flags = ret ? now.flags : 0;
	}
	if (!ret)
		ret = write_attrs(&now, &base, item->set, item->xattrs);
	if (!ret)
		ret = write_flags(&now, flags);
	if (!ret)
		ret = own_note(a, &now);
	entry_close(&base);
	entry_close(&now);
	return ret;
}

/* --- passes ------------------------------------------------------------------------ */

static bool ends_all(int ret)
{
	return error_is_ours(ret) || ret == -ENOSPC || ret == -EDQUOT ||
	       ret == -EROFS;
}

static void set_late(struct applier *a, struct files_item *item)
{
	struct files_plan *plan = a->plan;

	plan->count[item->action]--;
	plan->bytes[item->action] -= item->bytes;
	item_mixed(item, "changed while we were at it");
	plan->count[FILES_MIXED]++;
	a->result->nr_late++;
}

static int do_item(struct applier *a, struct files_item *item)
{
	const char *name;
	int ret;

	if (cancelled())
		return -ECANCELED;
	if (!item->leftover && (item->action == FILES_MIXED ||
				item->action == FILES_DONE))
		return 0;
	ret = dir_enter(a, item, &name);
	if (!ret && item->leftover)
		ret = leftover_item(a, item);
	if (!ret) {
		switch (item->action) {
		case FILES_RESTORE:
			ret = exchange_item(a, item, name);
			break;
		case FILES_BRING_BACK:
			ret = bring_back_item(a, item, name);
			break;
		case FILES_QUARANTINE:
			ret = quarantine_item(a, item, name);
			break;
		case FILES_ATTRS:
			ret = attrs_item(a, item, name);
			break;
		default:
			break;
		}
	}
	if (!ret)
		a->result->count[item->action]++;
	if (!ret && item->action != FILES_ATTRS)
		mark_entered(a);
	if (ret == LATE)
		set_late(a, item);
	if (ret >= 0 || ends_all(ret))
		return ret < 0 ? ret : 0;
	warn(item->path, "left as it is: %s", strerror(-ret));
	a->result->nr_failed++;
	return 0;
}

/* A directory makes way only when the work below it has been done. */
static bool is_backward(const struct files_item *item)
{
	return item->action == FILES_QUARANTINE ||
	       (item->action == FILES_RESTORE && S_ISDIR(item->seen.mode));
}

static int finish_dir(struct applier *a, struct files_item *item)
{
	struct entry base, now;
	int ret = entry_open_path(a->base_root, item->path, &base);

	if (ret)
		return ret;
	ret = entry_open_path(a->now_root, item->path, &now);
	if (!ret)
		ret = write_times(&now, &base);
	if (!ret)
		ret = write_flags(&now, base.flags);
	entry_close(&base);
	entry_close(&now);
	return ret;
}

static void finish_times(struct applier *a)
{
	const struct files_plan *plan = a->plan;
	size_t i;

	for (i = 0; i < plan->nr_dir_times; i++) {
		const struct files_times *t = &plan->dir_time[i];
		struct entry base = ENTRY_NONE, now;

		if (!a->entered[i] ||
		    entry_open_path(a->now_root, t->path, &now))
			continue;
		base.atime = now.atime;
		base.mtime.sec = t->sec;
		base.mtime.nsec = t->nsec;
		write_times(&now, &base);
		entry_close(&now);
	}
}

static int passes(struct applier *a, size_t *nr_done)
{
	struct files_plan *plan = a->plan;
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < plan->nr; i++) {
		if (is_backward(&plan->item[i]))
			continue;
		ret = do_item(a, &plan->item[i]);
		*nr_done += !ret;
		if (!ret && a->o->each)
			a->o->each(plan, *nr_done, a->o->arg);
	}
	for (i = plan->nr; !ret && i--;) {
		if (!is_backward(&plan->item[i]))
			continue;
		ret = do_item(a, &plan->item[i]);
		*nr_done += !ret;
		if (!ret && a->o->each)
			a->o->each(plan, *nr_done, a->o->arg);
	}
	dir_leave(a);
	for (i = 0; !ret && a->o->beside && i < plan->nr; i++)
		if (plan->item[i].action == FILES_MIXED)
			ret = beside_item(a, &plan->item[i]);
	dir_leave(a);
	finish_times(a);
	for (i = plan->nr; i--;)
		if (a->made[i] && plan->item[i].action != FILES_MIXED)
			finish_dir(a, &plan->item[i]);
	return ret;
}

/* --- the whole ---------------------------------------------------------------------- */

static int by_time_path(const void *a, const void *b)
{
	return strcmp(((const struct files_times *)a)->path,
		      ((const struct files_times *)b)->path);
}

uint64_t files_plan_changes(const struct files_plan *plan)
{
	return plan->nr - plan->count[FILES_MIXED] - plan->count[FILES_DONE];
}

static size_t folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash - path : 0;
}

uint64_t files_plan_folders(const struct files_plan *plan)
{
	const char *before = NULL;
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < plan->nr; i++) {
		const struct files_item *item = &plan->item[i];
		size_t len = folder_length(item->path);

		if (item->action == FILES_MIXED || item->action == FILES_DONE)
			continue;
		n += !before || folder_length(before) != len ||
		     strncmp(item->path, before, len);
		before = item->path;
	}
	return n;
}

int files_plan_check_space(const struct files_plan *plan, const char *now_dir,
			   const char *thing)
{
	uint64_t changes = files_plan_changes(plan);
	struct statvfs st;

	if (!changes)
		return DR_EXIT_OK;
	if (statvfs(now_dir, &st))
		return fail_errno(thing, "free space", -errno);
	return room_compare(thing, "", plan->need_bytes + plan->largest_bytes +
			    changes * ITEM_BYTES,
			    (uint64_t)st.f_bfree * st.f_frsize,
			    "free some space, or select fewer files; --force tries it");
}

static int open_roots(struct applier *a, const char *base_dir,
		      const char *now_dir)
{
	a->base_root = open(base_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->base_root < 0)
		return fail_errno(base_dir, "open", -errno);
	a->now_root = open(now_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->now_root < 0)
		return fail_errno(now_dir, "open", -errno);
	if (flock(a->now_root, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ?
		       fail(DR_EXIT_OPERATIONAL, now_dir, "wait for it",
			    "another recovery is at work") :
		       fail_errno(now_dir, "lock", -errno);
	return DR_EXIT_OK;
}

int files_plan_check_quarantine(const struct files_plan *plan,
				const char *now_dir,
				const struct files_apply_options *o)
{
	struct applier a = { .o = o };
	int code;

	if (!quarantine_wanted(plan))
		return DR_EXIT_OK;
	a.now_root = open(now_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a.now_root < 0)
		return fail_errno(now_dir, "open", -errno);
	code = quarantine_check(&a);
	close(a.now_root);
	return code;
}

static int prepare(struct applier *a)
{
	struct files_plan *plan = a->plan;
	size_t i;

	a->made = calloc(plan->nr + 1, sizeof(*a->made));
	a->entered = calloc(plan->nr_dir_times + 1, sizeof(*a->entered));
	if (!a->made || !a->entered)
		return -ENOMEM;
	if (plan->nr_dir_times)
		qsort(plan->dir_time, plan->nr_dir_times,
		      sizeof(*plan->dir_time), by_time_path);
	for (i = 0; i < plan->nr_leaders; i++) {
		struct files_leader *l = grow(a->leader, a->nr_leaders,
					      &a->room_leaders,
					      sizeof(*l));

		if (!l)
			return -ENOMEM;
		a->leader = l;
		l[a->nr_leaders] = plan->leader[i];
		l[a->nr_leaders].path = strdup(plan->leader[i].path);
		if (!l[a->nr_leaders].path)
			return -ENOMEM;
		a->nr_leaders++;
	}
	return 0;
}

static void applier_free(struct applier *a)
{
	size_t i;

	dir_leave(a);
	for (i = 0; i < a->nr_leaders; i++)
		free(a->leader[i].path);
	free(a->leader);
	free(a->own);
	free(a->made);
	free(a->entered);
	if (a->q_root >= 0)
		close(a->q_root);
	if (a->base_root >= 0)
		close(a->base_root);
	if (a->now_root >= 0)
		close(a->now_root);
}

static int say_end(const struct applier *a, const char *now_dir, int ret,
		   size_t nr_done)
{
	bool full = ret == -ENOSPC || ret == -EDQUOT;
	char *remedy = NULL;
	int code;

	if (!ret)
		return a->result->nr_failed ? DR_EXIT_UNCORRECTED : DR_EXIT_OK;
	if (asprintf(&remedy, "%s%s%s%s goes on", full ?
		     "free some space there, or on the delta ('dmdelta status'), and " : "",
		     a->o->again ? "'" : "", a->o->again ?: "running it again",
		     a->o->again ? "'" : "") < 0)
		remedy = NULL;
	if (ret == -ECANCELED)
		code = fail(DR_EXIT_CANCELLED, now_dir, remedy,
			    "stopped by a signal; %zu of %zu paths are done, the others untouched",
			    nr_done, a->plan->nr);
	else
		code = fail(DR_EXIT_OPERATIONAL, now_dir, remedy,
			    "%s; %zu of %zu paths are done, the others untouched",
			    strerror(-ret), nr_done, a->plan->nr);
	free(remedy);
	return code;
}

int files_plan_apply(struct files_plan *plan, const char *base_dir,
		     const char *now_dir, const struct files_apply_options *o,
		     struct files_result *result)
{
	struct applier a = {
		.plan = plan, .o = o, .result = result, .base_root = -1,
		.now_root = -1, .q_root = -1,
	};
	size_t nr_done = 0;
	int code, ret;

	memset(result, 0, sizeof(*result));
	code = open_roots(&a, base_dir, now_dir);
	if (!code && quarantine_wanted(plan))
		code = quarantine_check(&a);
	if (!code) {
		ret = prepare(&a);
		if (!ret)
			ret = passes(&a, &nr_done);
		dir_leave(&a);
		if (syncfs(a.now_root) && !ret)
			ret = -errno;
		code = say_end(&a, now_dir, ret, nr_done);
	}
	applier_free(&a);
	return code;
}

void files_result_free(struct files_result *result)
{
	free(result->quarantine);
	memset(result, 0, sizeof(*result));
}
