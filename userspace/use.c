// SPDX-License-Identifier: GPL-2.0
/*
 * use.c - who uses a block device: mounts, holders, swap, processes.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <libmount.h>

#include "use.h"

#define MAX_DEPTH	8	/* of devices upon devices */
#define MAX_PROCESSES	4	/* that are named */

static bool is_device(const char *path, dev_t devno)
{
	struct stat st;

	return path && path[0] == '/' && !stat(path, &st) &&
	       S_ISBLK(st.st_mode) && st.st_rdev == devno;
}

static int add_mount(struct use_mounts *mounts, struct libmnt_fs *fs)
{
	struct use_mount *m;
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		if (mounts->mounts[i].devno == mnt_fs_get_devno(fs))
			return 0;
	m = realloc(mounts->mounts, (mounts->nr + 1) * sizeof(*m));
	if (!m)
		return -ENOMEM;
	mounts->mounts = m;
	m += mounts->nr;
	m->devno = mnt_fs_get_devno(fs);
	m->read_only = mnt_fs_match_options(fs, "ro");
	m->dir = strdup(mnt_fs_get_target(fs) ? mnt_fs_get_target(fs) : "");
	if (!m->dir)
		return -ENOMEM;
	mounts->nr++;
	return 0;
}

static int mounts_of(struct libmnt_table *table, dev_t devno,
		     struct use_mounts *mounts)
{
	struct libmnt_iter *iter = mnt_new_iter(MNT_ITER_FORWARD);
	struct libmnt_fs *fs;
	int ret = iter ? 0 : -ENOMEM;

	while (!ret && !mnt_table_next_fs(table, iter, &fs)) {
		/* btrfs has device numbers of its own: ask the source, too */
		if (mnt_fs_get_devno(fs) == devno ||
		    is_device(mnt_fs_get_srcpath(fs), devno))
			ret = add_mount(mounts, fs);
	}
	mnt_free_iter(iter);
	return ret;
}

/* Call @each for every device that holds @devno. */
static int for_holders(dev_t devno,
		       int (*each)(const char *kernel_name, dev_t holder,
				   void *arg), void *arg)
{
	unsigned int major, minor;
	char path[512], text[32];
	struct dirent *entry;
	int ret = 0, n;
	FILE *f;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders",
		 major(devno), minor(devno));
	dir = opendir(path);
	while (dir && !ret && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/class/block/%s/dev",
			 entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		n = fgets(text, sizeof(text), f) ?
		    sscanf(text, "%u:%u", &major, &minor) : 0;
		fclose(f);
		if (n == 2)
			ret = each(entry->d_name, makedev(major, minor), arg);
	}
	if (dir)
		closedir(dir);
	return ret;
}

struct below {
	struct libmnt_table *table;
	struct use_mounts *mounts;
	int depth;
};

static int holder_mounts(const char *kernel_name, dev_t holder, void *arg)
{
	struct below *below = arg, deeper = *below;
	int ret;

	(void)kernel_name;
	ret = mounts_of(below->table, holder, below->mounts);
	if (!ret && ++deeper.depth < MAX_DEPTH)
		ret = for_holders(holder, holder_mounts, &deeper);
	return ret;
}

int use_mounts(dev_t devno, bool below, struct use_mounts *mounts)
{
	struct below all = { .mounts = mounts };
	int ret;

	memset(mounts, 0, sizeof(*mounts));
	all.table = mnt_new_table();
	if (!all.table)
		return -ENOMEM;
	ret = mnt_table_parse_mtab(all.table, NULL);
	if (ret > 0)
		ret = -EIO;
	if (!ret)
		ret = mounts_of(all.table, devno, mounts);
	if (!ret && below)
		ret = for_holders(devno, holder_mounts, &all);
	mnt_unref_table(all.table);
	if (ret)
		use_mounts_free(mounts);
	return ret;
}

void use_mounts_free(struct use_mounts *mounts)
{
	size_t i;

	for (i = 0; i < mounts->nr; i++)
		free(mounts->mounts[i].dir);
	free(mounts->mounts);
	memset(mounts, 0, sizeof(*mounts));
}

/* In words: @f is what has been said so far, separated by "; ". */
static void next_user(FILE *f)
{
	if (ftell(f) > 0)
		fputs("; ", f);
}

/* Name of a mapped device; false: it is something else */
static bool mapped_name(const char *kernel_name, char *name, size_t size)
{
	char path[512];
	bool ok;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/block/%s/dm/name",
		 kernel_name);
	f = fopen(path, "re");
	if (!f)
		return false;
	ok = fgets(name, size, f);
	fclose(f);
	if (ok)
		name[strcspn(name, "\n")] = '\0';
	return ok;
}

static int describe_holder(const char *kernel_name, dev_t holder, void *arg)
{
	char name[256];
	FILE *out = arg;

	(void)holder;
	next_user(out);
	fprintf(out, "held by %s", kernel_name);
	if (mapped_name(kernel_name, name, sizeof(name)))
		fprintf(out, " (%s)", name);
	return 0;
}

struct kind {
	bool (*is)(const char *name);
	bool any;
};

static int check_kind(const char *kernel_name, dev_t holder, void *arg)
{
	struct kind *kind = arg;
	char name[256];

	(void)holder;
	kind->any = true;
	return !mapped_name(kernel_name, name, sizeof(name)) || !kind->is(name);
}

bool use_held_by(dev_t devno, bool (*is)(const char *name))
{
	struct kind kind = { .is = is };

	return !for_holders(devno, check_kind, &kind) && kind.any;
}

static void describe_swap(dev_t devno, FILE *out)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[4096], path[4096];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%4095s", path) != 1 ||
		    !is_device(path, devno))
			continue;
		next_user(out);
		fputs("used as swap", out);
	}
	if (f)
		fclose(f);
}

static bool process_has_open(const char *pid, dev_t devno)
{
	char path[512];
	struct dirent *entry;
	struct stat st;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)))
		found = !fstatat(dirfd(dir), entry->d_name, &st, 0) &&
			S_ISBLK(st.st_mode) && st.st_rdev == devno;
	if (dir)
		closedir(dir);
	return found;
}

static void describe_processes(dev_t devno, FILE *out)
{
	char path[512], name[64];
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int nr = 0;
	FILE *f;

	while (dir && nr < MAX_PROCESSES && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) ||
		    atoi(entry->d_name) == getpid() ||
		    !process_has_open(entry->d_name, devno))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		f = fopen(path, "re");
		if (!f || !fgets(name, sizeof(name), f))
			strcpy(name, "?");
		if (f)
			fclose(f);
		next_user(out);
		fprintf(out, "open in process %s (%.*s)", entry->d_name,
			(int)strcspn(name, "\n"), name);
		nr++;
	}
	if (dir)
		closedir(dir);
}

char *use_describe(dev_t devno)
{
	struct use_mounts mounts;
	char *text = NULL;
	size_t i, size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return strdup("");
	if (!use_mounts(devno, false, &mounts)) {
		for (i = 0; i < mounts.nr; i++) {
			next_user(out);
			fprintf(out, "mounted on %s", mounts.mounts[i].dir);
		}
		use_mounts_free(&mounts);
	}
	for_holders(devno, describe_holder, out);
	describe_swap(devno, out);
	if (ftell(out) <= 0)
		describe_processes(devno, out);
	fclose(out);
	return text;
}

int use_open_excl(const char *path, int flags)
{
	struct stat st;
	int fd;

	if (stat(path, &st))
		return -errno;
	/* Without O_CREAT, O_EXCL means something for block devices only. */
	if (S_ISBLK(st.st_mode))
		flags |= O_EXCL;
	else if (!S_ISREG(st.st_mode))
		return -ENOTBLK;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
