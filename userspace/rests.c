// SPDX-License-Identifier: GPL-2.0
/*
 * rests.c - follow a file system down to its disks, by sysfs and mountinfo.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <libmount.h>

#include "rests.h"

#define MAX_DEPTH	24	/* of devices upon files upon devices */

struct walk {
	const dev_t *devs;
	size_t nr;
	int depth;
};

static bool path_rests(const char *path, struct walk *w);
static bool device_rests(dev_t devno, struct walk *w);

/* First line of a file in sysfs */
static bool read_line(char *buf, size_t size, const char *path)
{
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(buf, size, f);

	if (f)
		fclose(f);
	if (ok)
		buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

static bool read_dev(const char *path, dev_t *devno)
{
	unsigned int major, minor;
	char text[32];

	if (!read_line(text, sizeof(text), path) ||
	    sscanf(text, "%u:%u", &major, &minor) != 2)
		return false;
	*devno = makedev(major, minor);
	return true;
}

/* Each entry of @dir that is a block device */
static bool any_rests(const char *dir, struct walk *w)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	dev_t devno;
	DIR *d = opendir(dir);

	while (d && !found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' ||
		    snprintf(path, sizeof(path), "%s/%s/dev", dir,
			     entry->d_name) >= (int)sizeof(path))
			continue;
		found = read_dev(path, &devno) && device_rests(devno, w);
	}
	if (d)
		closedir(d);
	return found;
}

static bool look_below(const char *sys, struct walk *w)
{
	char path[PATH_MAX], text[PATH_MAX];
	dev_t whole;

	snprintf(path, sizeof(path), "%s/slaves", sys);
	if (any_rests(path, w))
		return true;
	snprintf(path, sizeof(path), "%s/partition", sys);
	if (read_line(text, sizeof(text), path)) {
		snprintf(path, sizeof(path), "%s/../dev", sys);
		return read_dev(path, &whole) && device_rests(whole, w);
	}
	snprintf(path, sizeof(path), "%s/loop/backing_file", sys);
	return read_line(text, sizeof(text), path) && path_rests(text, w);
}

static bool device_rests(dev_t devno, struct walk *w)
{
	bool found = false;
	char sys[64];
	size_t i;

	for (i = 0; i < w->nr; i++)
		if (w->devs[i] == devno)
			return true;
	if (w->depth++ < MAX_DEPTH) {
		snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u",
			 major(devno), minor(devno));
		found = look_below(sys, w);
	}
	w->depth--;
	return found;
}

/* A btrfs names one of its devices as the source of a mount. */
static bool btrfs_rests(dev_t source, struct walk *w)
{
	struct walk self = { .devs = &source, .nr = 1 };
	static const char all[] = "/sys/fs/btrfs";
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *d = opendir(all);

	while (d && !found && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/devices", all,
			 entry->d_name);
		found = any_rests(path, &self) && any_rests(path, w);
	}
	if (d)
		closedir(d);
	return found;
}

static bool mount_rests(struct libmnt_fs *fs, struct walk *w)
{
	const char *type = mnt_fs_get_fstype(fs);
	const char *source = mnt_fs_get_srcpath(fs);
	struct stat st;
	char *upper;
	size_t size;
	bool found;

	if (type && !strcmp(type, "overlay")) {
		if (mnt_fs_get_option(fs, "upperdir", &upper, &size))
			return false;
		upper = strndup(upper, size);
		found = upper && path_rests(upper, w);
		free(upper);
		return found;
	}
	if (!source || stat(source, &st) || !S_ISBLK(st.st_mode))
		return false;
	return device_rests(st.st_rdev, w) ||
	       (type && !strcmp(type, "btrfs") && btrfs_rests(st.st_rdev, w));
}

/* What has no device number of its own: the table of mounts knows the source */
static bool look_up_mount(const char *path, struct walk *w)
{
	struct libmnt_table *table = mnt_new_table();
	char *whole = realpath(path, NULL);
	struct libmnt_fs *fs = NULL;
	bool found;

	if (table && whole && !mnt_table_parse_mtab(table, NULL))
		fs = mnt_table_find_mountpoint(table, whole,
					       MNT_ITER_BACKWARD);
	found = fs && mount_rests(fs, w);
	free(whole);
	mnt_unref_table(table);
	return found;
}

static bool path_rests(const char *path, struct walk *w)
{
	bool found = false;
	struct stat st;

	if (stat(path, &st))
		return false;
	if (device_rests(st.st_dev, w))
		return true;
	if (w->depth++ < MAX_DEPTH)
		found = !major(st.st_dev) && look_up_mount(path, w);
	w->depth--;
	return found;
}

bool rests_on(const char *path, const dev_t *devs, size_t nr)
{
	struct walk w = { .devs = devs, .nr = nr };

	return path_rests(path, &w);
}
