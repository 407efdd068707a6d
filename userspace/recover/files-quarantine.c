// SPDX-License-Identifier: GPL-2.0
/*
 * files-quarantine.c - move away what base has not.
 *
 * The quarantine is a folder that only root can enter: what is in it may be
 * a trojan with a set-user-id bit. On the same file system things are
 * renamed; to another one they are copied, made durable and then removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "cli.h"
#include "files-apply.h"
#include "files-write.h"

#define OWN_DIR		".dmdelta-quarantine-"
#define NAME_TRIES	1000

/* Not in all <linux/magic.h> */
#define EXFAT_MAGIC	0x2011bab0
#define NTFS_MAGIC	0x5346544e
#define NTFS3_MAGIC	0x7366746e

/* These show one mode for all folders, whatever they are made with. */
static bool keeps_modes(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st))
		return true;
	switch ((unsigned long)st.f_type) {
	case MSDOS_SUPER_MAGIC:
	case EXFAT_MAGIC:
	case NTFS_MAGIC:
	case NTFS3_MAGIC:
		return false;
	}
	return true;
}

/* Is there nobody but us who could take out, or put in? */
static int check_private(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (!(st.st_mode & 077))
		return 0;
	/* Nobody has set-user-id bits or owners there, either. */
	return (st.st_mode & 022) || keeps_modes(fd) ? -EPERM : 0;
}

static const char *folder_of(const struct applier *a, char *buf, size_t size)
{
	if (a->o->quarantine)
		return a->o->quarantine;
	snprintf(buf, size, OWN_DIR "%u", a->o->epoch);
	return buf;
}

/* The one that was asked for has to be there. */
static int open_folder(const struct applier *a, bool make)
{
	char name[64];
	const char *dir = folder_of(a, name, sizeof(name));
	int fd, ret;

	if (a->o->quarantine) {
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	} else {
		if (make && mkdirat(a->now_root, dir, 0700) &&
		    errno != EEXIST)
			return -errno;
		fd = entry_open_dir(a->now_root, dir);
	}
	ret = fd < 0 ? fd : check_private(fd);
	if (ret && fd >= 0)
		close(fd);
	return ret ? ret : fd;
}

static int open_quarantine(struct applier *a)
{
	char name[64];
	int fd;

	if (a->q_root >= 0)
		return 0;
	fd = open_folder(a, true);
	if (fd < 0)
		return fd;
	a->q_root = fd;
	if (!a->result->quarantine)
		a->result->quarantine = strdup(folder_of(a, name,
							 sizeof(name)));
	return 0;
}

/*
 * Our own quarantine is damage only where its recovery is taken back: what is
 * in it is in bad, too, and need not be kept twice.
 */
static bool is_own(const struct files_item *item)
{
	return !strncmp(item->path + 1, OWN_DIR, strlen(OWN_DIR));
}

bool quarantine_wanted(const struct files_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr; i++)
		if (plan->item[i].action == FILES_QUARANTINE &&
		    !is_own(&plan->item[i]))
			return true;
	return false;
}

int quarantine_check(const struct applier *a)
{
	static const char remedy[] =
		"make one that only you can enter (mkdir -m 700) and name it with --quarantine";
	char name[64];
	const char *dir = folder_of(a, name, sizeof(name));
	int fd = open_folder(a, false);

	if (fd >= 0)
		close(fd);
	if (fd >= 0 || (fd == -ENOENT && !a->o->quarantine))
		return DR_EXIT_OK;
	if (fd == -EPERM)
		return fail(DR_EXIT_OPERATIONAL, dir, remedy,
			    "others own the quarantine, or may enter it; nothing was changed");
	return fail(DR_EXIT_OPERATIONAL, dir, remedy,
		    "quarantine: %s; nothing was changed", strerror(-fd));
}

/* The directory in the quarantine for what was in @parent */
static int enter(struct applier *a, const char *parent)
{
	char part[NAME_MAX + 1];
	int fd = entry_open_dir(a->q_root, ""), next;

	while (fd >= 0 && *parent) {
		size_t len = strcspn(parent, "/");

		memcpy(part, parent, len);
		part[len] = '\0';
		parent += len + (parent[len] == '/');
		if (mkdirat(fd, part, 0700) && errno != EEXIST)
			next = -errno;
		else
			next = entry_open_dir(fd, part);
		close(fd);
		fd = next;
	}
	return fd;
}

/* A name that nothing has there: @name, then @name.1 ... */
static int move_name(int from, const char *name, int to, char *as)
{
	char tail[16] = "";
	int nth, ret;

	for (nth = 0; nth < NAME_TRIES; nth++) {
		int len = nth ? snprintf(tail, sizeof(tail), ".%d", nth) : 0;

		snprintf(as, NAME_MAX + 1, "%.*s%s", NAME_MAX - len, name,
			 tail);
		ret = write_rename(from, name, to, as, RENAME_NOREPLACE);
		if (ret != -EEXIST)
			return ret;
	}
	return -EEXIST;
}

/* What was written or put there while it was copied must not be removed. */
static int copy_away(struct applier *a, const char *path, const char *name,
		     struct entry *now, int to)
{
	char temp[64], as[NAME_MAX + 1], tail[16] = "";
	int nth, ret = -EEXIST;

	entry_temp_name(path, temp);
	for (nth = 0; ret == -EEXIST && nth < NAME_TRIES; nth++) {
		int len = nth ? snprintf(tail, sizeof(tail), ".%d", nth) : 0;

		snprintf(as, sizeof(as), "%.*s%s", NAME_MAX - len, name, tail);
		ret = write_object(to, as, temp, now,
				   &a->result->written_bytes);
	}
	if (ret)
		return ret;
	if (syncfs(to))
		ret = -errno;
	if (!ret)
		ret = displace(a, name, temp, now, RENAME_NOREPLACE);
	if (ret)
		unlinkat(to, as, 0);
	return ret;
}

/* What was put there after we had looked goes back. */
static int check_moved(struct applier *a, const char *name,
		       const struct entry *now, int to, const char *as)
{
	struct entry moved;
	int ret = entry_open(to, as, &moved);

	if (!ret)
		ret = check_displaced(&moved, now);
	entry_close(&moved);
	if (ret && write_rename(to, as, a->dir.fd, name, RENAME_NOREPLACE))
		ret = STUCK;
	return ret;
}

/* @path: stands for it in the name that a copy needs */
static int move_away(struct applier *a, const char *path, const char *name,
		     struct entry *now)
{
	char as[NAME_MAX + 1];
	int to = enter(a, a->dir.path), ret;

	if (to < 0)
		return to;
	ret = move_name(a->dir.fd, name, to, as);
	if (!ret)
		ret = check_moved(a, name, now, to, as);
	else if (ret == -EXDEV)
		ret = copy_away(a, path, name, now, to);
	close(to);
	return ret;
}

/*
 * What was in it has been moved already. Removal is what makes sure that
 * nothing came in since; then its like in the quarantine gets the attributes.
 */
static int move_dir(struct applier *a, const char *name, struct entry *now,
		    bool own)
{
	struct entry there = ENTRY_NONE;
	int to, ret;

	ret = entry_read_xattrs(now);
	if (!ret && unlinkat(a->dir.fd, name, AT_REMOVEDIR))
		ret = errno == ENOTEMPTY || errno == EEXIST ? LATE : -errno;
	if (ret || own)
		return ret;
	to = enter(a, a->dir.path);
	if (to < 0)
		return to;
	if (mkdirat(to, name, 0700) && errno != EEXIST)
		ret = -errno;
	if (!ret)
		ret = entry_open(to, name, &there);
	if (!ret && entry_there(&there) && S_ISDIR(there.mode)) {
		ret = write_attrs(&there, now, ENTRY_ATTRS, NULL);
		if (!ret)
			ret = write_times(&there, now);
	}
	entry_close(&there);
	close(to);
	return ret;
}

int quarantine_item(struct applier *a, struct files_item *item,
		    const char *name)
{
	bool own = is_own(item);
	struct entry now;
	uint32_t flags;
	int ret = open_planned(a, item, name, &now);

	if (ret)
		return ret;
	flags = now.flags;
	ret = own ? 0 : open_quarantine(a);
	if (!ret)
		ret = write_flags(&now, 0);
	if (!ret) {
		now.flags = 0;
		if (S_ISDIR(now.mode))
			ret = move_dir(a, name, &now, own);
		else if (own)
			ret = unlinkat(a->dir.fd, name, 0) ? -errno : 0;
		else
			ret = move_away(a, item->path, name, &now);
		if (ret)
			write_flags(&now, flags);
		else
			ret = own_note(a, &now);
	}
	entry_close(&now);
	return ret;
}

int leftover_item(struct applier *a, const struct files_item *item)
{
	char name[64];
	struct entry left;
	int ret;

	ret = entry_open(a->dir.fd, entry_temp_name(item->path, name), &left);
	if (ret || !entry_there(&left))
		return ret;
	write_flags(&left, 0);
	ret = -EEXIST;
	if (S_ISDIR(left.mode) || item->leftover_known)
		ret = unlinkat(a->dir.fd, name,
			       S_ISDIR(left.mode) ? AT_REMOVEDIR : 0) ?
		      -errno : 0;
	if (ret == -EEXIST || ret == -ENOTEMPTY) {
		ret = open_quarantine(a);
		if (!ret)
			ret = move_away(a, name, name, &left);
		if (!ret)
			warn(item->path, "an interrupted run left %s: in quarantine now",
			     name);
	}
	if (!ret)
		ret = own_note(a, &left);
	entry_close(&left);
	return ret;
}
