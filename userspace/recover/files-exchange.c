// SPDX-License-Identifier: GPL-2.0
/*
 * files-exchange.c - put base's object where bad's is, in one step.
 *
 * The new object is made under a temporary name in the same directory and
 * exchanged with the old one; only then is it certain which object we have
 * replaced, and if that is not the planned one, or is being opened for
 * writing, it is exchanged back. What remains: a write through a mapping or
 * a descriptor that is opened between this last look and the removal goes
 * to a file that has no name any more, as with every rename.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files-apply.h"
#include "files-write.h"

/* --- names of one file ------------------------------------------------------ */

static const struct files_leader *find_leader(const struct applier *a,
					      size_t group)
{
	size_t i;

	for (i = 0; group && i < a->nr_leaders; i++)
		if (a->leader[i].group == group)
			return &a->leader[i];
	return NULL;
}

static int add_leader(struct applier *a, const struct files_item *item,
		      const struct entry *made)
{
	struct files_leader *l;

	if (!item->group || !S_ISREG(made->mode) ||
	    find_leader(a, item->group))
		return 0;
	l = grow(a->leader, a->nr_leaders, &a->room_leaders, sizeof(*l));
	if (!l)
		return -ENOMEM;
	a->leader = l;
	l += a->nr_leaders;
	l->path = strdup(item->path);
	if (!l->path)
		return -ENOMEM;
	l->group = item->group;
	entry_seen(made, &l->seen);
	a->nr_leaders++;
	return 0;
}

/* Return: 0 linked, LATE when there is nothing to link to, or an error. */
static int link_to_leader(struct applier *a, const struct files_item *item,
			  const char *name)
{
	const struct files_leader *leader = find_leader(a, item->group);
	char proc[64];
	struct entry e;
	int ret;

	if (!leader || entry_open_path(a->now_root, leader->path, &e))
		return LATE;
	if (!still_as(a, &e, &leader->seen)) {
		entry_close(&e);
		return LATE;
	}
	write_flags(&e, 0);
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", e.fd);
	ret = linkat(AT_FDCWD, proc, a->dir.fd, name, AT_SYMLINK_FOLLOW) ?
	      -errno : 0;
	if (!ret) {
		e.nlink++;
		ret = own_note(a, &e);
	}
	entry_close(&e);
	return ret == -EMLINK ? LATE : ret;
}

/* Base's object as @name; flags are not set yet. */
static int make(struct applier *a, const struct files_item *item,
		const char *name, struct entry *base)
{
	char temp[64];
	int ret = link_to_leader(a, item, name);

	if (ret == LATE)
		ret = write_object(a->dir.fd, name,
				   entry_temp_name(item->path, temp), base,
				   &a->result->written_bytes);
	return ret;
}

/* It has its place: what could not be done before. */
static int settle(struct applier *a, struct files_item *item,
		  const char *name, struct entry *base)
{
	struct entry made;
	int ret;

	if (S_ISDIR(base->mode)) {
		a->made[item - a->plan->item] = true;
		return 0;
	}
	ret = entry_open(a->dir.fd, name, &made);
	if (ret || !entry_there(&made))
		return ret;
	if (made.flags != base->flags)
		ret = write_flags(&made, base->flags);
	entry_close(&made);
	if (!ret)
		ret = entry_open(a->dir.fd, name, &made);
	if (ret || !entry_there(&made))
		return ret;
	ret = add_leader(a, item, &made);
	if (!ret)
		ret = own_note(a, &made);
	entry_close(&made);
	return ret;
}

/* --- exchange --------------------------------------------------------------------- */

static int remove_name(int dirfd, const char *name, uint32_t mode)
{
	return unlinkat(dirfd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0) ?
	       -errno : 0;
}

/* @fd is -1 where there are no leases, or no content to protect. */
static int take_lease(const struct entry *now, int *fd)
{
	int ret = 0;

	*fd = -1;
	if (!S_ISREG(now->mode))
		return 0;
	*fd = entry_reopen(now, O_RDONLY | O_NOATIME);
	if (*fd < 0)
		return *fd == -EIO || *fd == -EUCLEAN ? 0 : *fd;
	if (!fcntl(*fd, F_SETLEASE, F_RDLCK))
		return 0;
	if (errno == EAGAIN)
		ret = LATE;
	close(*fd);
	*fd = -1;
	return ret;
}

/* While a lease is being broken, it is said to be what it will become. */
static bool lease_holds(int fd)
{
	return fd < 0 || fcntl(fd, F_GETLEASE) == F_RDLCK;
}

int check_displaced(struct entry *is, const struct entry *was)
{
	int ret;

	if (!entry_there(is) || is->ino != was->ino || is->mode != was->mode ||
	    is->uid != was->uid || is->gid != was->gid ||
	    is->flags != was->flags || is->size != was->size ||
	    is->mtime.sec != was->mtime.sec ||
	    is->mtime.nsec != was->mtime.nsec)
		return LATE;
	ret = entry_read_xattrs(is);
	return ret ? ret : entry_same_xattrs(is, was) ? 0 : LATE;
}

int displace(struct applier *a, const char *name, const char *temp,
	     const struct entry *now, unsigned int flags)
{
	struct entry gone = ENTRY_NONE;
	int dir = a->dir.fd, lease, ret;

	ret = take_lease(now, &lease);
	if (!ret)
		ret = write_rename(dir, name, dir, temp, flags);
	if (ret)
		goto out;
	ret = entry_open(dir, temp, &gone);
	if (!ret)
		ret = check_displaced(&gone, now);
	if (!ret && !lease_holds(lease))
		ret = LATE;
	if (!ret)
		ret = remove_name(dir, temp, now->mode);
	if (!ret)
		ret = own_note(a, now);
	else if (write_rename(dir, temp, dir, name, flags))
		ret = STUCK;
	else if (ret == -ENOTEMPTY)
		ret = LATE;
out:
	entry_close(&gone);
	if (lease >= 0)
		close(lease);
	return ret;
}

/* @temp is gone afterwards, unless it holds what could not be put back. */
static int exchange(struct applier *a, const char *name, const char *temp,
		    const struct entry *base, const struct entry *now)
{
	int ret = displace(a, name, temp, now, RENAME_EXCHANGE);

	if (ret && ret != STUCK)
		remove_name(a->dir.fd, temp, base->mode);
	return ret;
}

int exchange_item(struct applier *a, struct files_item *item,
		  const char *name)
{
	struct entry base, now;
	char temp[64];
	int ret = open_planned(a, item, name, &now);

	if (ret)
		return ret;
	ret = entry_open_path(a->base_root, item->path, &base);
	if (ret) {
		entry_close(&now);
		return ret;
	}
	entry_temp_name(item->path, temp);
	ret = make(a, item, temp, &base);
	if (!ret) {
		uint32_t flags = now.flags;

		/* An immutable object cannot be renamed. */
		ret = write_flags(&now, 0);
		now.flags = ret ? flags : 0;
		if (ret)
			remove_name(a->dir.fd, temp, base.mode);
		else
			ret = exchange(a, name, temp, &base, &now);
		if (ret)
			write_flags(&now, flags);
	}
	if (!ret)
		ret = settle(a, item, name, &base);
	entry_close(&base);
	entry_close(&now);
	return ret;
}

int bring_back_item(struct applier *a, struct files_item *item,
		    const char *name)
{
	struct entry base;
	int ret = entry_open_path(a->base_root, item->path, &base);

	if (ret)
		return ret;
	ret = make(a, item, name, &base);
	if (!ret)
		ret = settle(a, item, name, &base);
	else if (ret == -EEXIST)
		ret = LATE;
	entry_close(&base);
	return ret;
}

/* --- beside ------------------------------------------------------------------------- */

#define BESIDE_TRIES	100

/* Names end where the limit is; what tells them apart is kept. */
static void beside_name(char *buf, const char *name, uint32_t epoch, int nth)
{
	char tail[48];
	int len = snprintf(tail, sizeof(tail), ".before-%u", epoch);

	if (nth)
		len += snprintf(tail + len, sizeof(tail) - len, ".%d", nth);
	snprintf(buf, NAME_MAX + 1, "%.*s%s", NAME_MAX - len, name, tail);
}

static int beside_try(struct applier *a, const struct files_item *item,
		      const char *name, struct entry *base)
{
	unsigned int diff;
	struct entry there;
	uint64_t none = 0;
	char temp[64];
	int ret = entry_open(a->dir.fd, name, &there);

	if (ret)
		return ret;
	if (!entry_there(&there)) {
		ret = write_object(a->dir.fd, name,
				   entry_temp_name(item->path, temp), base,
				   &a->result->written_bytes);
		if (!ret)
			a->result->nr_beside++;
		return ret;
	}
	ret = entry_diff(base, &there, &none, &diff);
	entry_close(&there);
	return ret ? ret : diff & ~ENTRY_FLAGS ? -EEXIST : 0;
}

int beside_item(struct applier *a, const struct files_item *item)
{
	char beside[NAME_MAX + 1];
	struct entry base;
	const char *name;
	int nth, ret;

	ret = entry_open_path(a->base_root, item->path, &base);
	if (ret)
		return ret == -ENOENT || ret == -ENOTDIR || ret == -ELOOP ? 0 :
		       ret;
	ret = S_ISDIR(base.mode) ? LATE : dir_enter(a, item, &name);
	for (nth = 0; !ret && nth < BESIDE_TRIES; nth++) {
		beside_name(beside, name, a->o->epoch, nth);
		ret = beside_try(a, item, beside, &base);
		if (ret != -EEXIST)
			break;
		ret = 0;
	}
	entry_close(&base);
	return ret == LATE ? 0 : ret;
}
