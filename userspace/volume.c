// SPDX-License-Identifier: GPL-2.0
/*
 * volume.c - sizes, identities, signatures (libblkid).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blkid.h>

#include "cli.h"
#include "use.h"
#include "volume.h"

static int fail_open(const char *path, int error)
{
	struct stat st;
	char *users;
	int code;

	switch (-error) {
	case EBUSY:
		users = stat(path, &st) ? NULL : use_describe(st.st_rdev);
		code = fail(DR_EXIT_OPERATIONAL, path,
			    "close or unmount what uses it, then try again",
			    "in use: %s", users && *users ? users :
			    "claimed by the kernel");
		free(users);
		return code;
	case ENOTBLK:
		return fail(DR_EXIT_OPERATIONAL, path, NULL,
			    "neither a block device nor a file");
	case EACCES:
	case EPERM:
		return fail(DR_EXIT_OPERATIONAL, path, "run it as root",
			    "open: not permitted");
	}
	return fail_errno(path, "open", error);
}

static int measure(struct volume *v)
{
	struct stat st;

	if (fstat(v->fd, &st))
		return -errno;
	v->is_block = S_ISBLK(st.st_mode);
	v->devno = v->is_block ? st.st_rdev : st.st_dev;
	v->inode = v->is_block ? 0 : st.st_ino;
	v->bytes = st.st_size;
	if (v->is_block && ioctl(v->fd, BLKGETSIZE64, &v->bytes))
		return -errno;
	return 0;
}

int volume_open(struct volume *v, const char *path, enum volume_open how)
{
	int flags = how == VOLUME_WRITE_EXCL ? O_RDWR : O_RDONLY;
	struct stat st;
	int ret;

	v->path = path;
	if (how != VOLUME_READ) {
		v->fd = use_open_excl(path, flags);
	} else if (!stat(path, &st) && !S_ISBLK(st.st_mode) &&
		   !S_ISREG(st.st_mode)) {
		v->fd = -ENOTBLK;
	} else {
		v->fd = open(path, flags | O_CLOEXEC);
		if (v->fd < 0)
			v->fd = -errno;
	}
	if (v->fd < 0)
		return fail_open(path, v->fd);
	ret = measure(v);
	if (!ret)
		return DR_EXIT_OK;
	volume_close(v);
	return fail_errno(path, "size", ret);
}

void volume_close(struct volume *v)
{
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
}

bool volume_same(const struct volume *a, const struct volume *b)
{
	return a->is_block == b->is_block && a->devno == b->devno &&
	       a->inode == b->inode;
}

/* A probe over the whole volume for superblocks and partition tables. */
static blkid_probe probe_new(const struct volume *v, int extra_flags)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe || blkid_probe_set_device(probe, v->fd, 0, 0)) {
		blkid_free_probe(probe);
		return NULL;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE |
					  BLKID_SUBLKS_UUID | extra_flags);
	blkid_probe_enable_partitions(probe, 1);
	if (extra_flags)
		blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	return probe;
}

void volume_identity(const struct volume *v, char *buf, size_t size)
{
	static const char *const tags[] = { "UUID", "PTUUID" };
	blkid_probe probe = probe_new(v, 0);
	const char *value;
	size_t i;

	buf[0] = '\0';
	if (!probe)
		return;
	/* Two file systems at once are no identity: then there is none. */
	if (!blkid_do_safeprobe(probe)) {
		for (i = 0; i < 2 && !buf[0]; i++)
			if (!blkid_probe_lookup_value(probe, tags[i], &value,
						      NULL))
				snprintf(buf, size, "%s=%s", tags[i], value);
	}
	blkid_free_probe(probe);
}

int volume_signature(const struct volume *v, char *buf, size_t size)
{
	blkid_probe probe = probe_new(v, BLKID_SUBLKS_MAGIC);
	const char *value = NULL;
	int ret;

	buf[0] = '\0';
	if (!probe)
		return -errno;
	ret = blkid_do_probe(probe);
	if (!ret && blkid_probe_lookup_value(probe, "TYPE", &value, NULL) &&
	    blkid_probe_lookup_value(probe, "PTTYPE", &value, NULL))
		value = "unknown";
	if (!ret)
		snprintf(buf, size, "%s", value);
	blkid_free_probe(probe);
	return ret < 0 ? -EIO : 0;
}

int volume_wipe(const struct volume *v)
{
	blkid_probe probe = probe_new(v, BLKID_SUBLKS_MAGIC);
	int ret;

	if (!probe)
		return -errno;
	while (!(ret = blkid_do_probe(probe)))
		if (blkid_do_wipe(probe, 0))
			break;
	blkid_free_probe(probe);
	/* 1: nothing (more) found */
	return ret == 1 ? 0 : -EIO;
}
