/* SPDX-License-Identifier: GPL-2.0 */
/*
 * use.h - who uses a block device.
 */
#ifndef DR_USE_H
#define DR_USE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct use_mount {
	char *dir;
	dev_t devno;		/* of the file system, as in mountinfo */
	bool read_only;
};

struct use_mounts {
	struct use_mount *mounts;
	size_t nr;
};

/**
 * use_mounts() - mounted file systems of a block device
 * @devno: the device
 * @below: also those of devices that hold it (volumes, partitions)
 *
 * A file system that is mounted in several places appears once.
 * Return: 0 or a negative errno.
 */
int use_mounts(dev_t devno, bool below, struct use_mounts *mounts);
void use_mounts_free(struct use_mounts *mounts);

/**
 * use_describe() - all users of a block device, in words
 * @devno: the device
 *
 * "mounted on /srv; held by dm-3 (vg-data)". Processes are looked for only
 * when nothing else is found.
 * Return: an allocated string; "" when nobody was found.
 */
char *use_describe(dev_t devno);

/**
 * use_held_by() - is a device held by mapped devices of one kind only?
 * @is: is this mapped device one of them?
 *
 * Return: false also when nobody holds it.
 */
bool use_held_by(dev_t devno, bool (*is)(const char *name));

/**
 * use_open_excl() - open a device so that nobody else can claim it
 * @flags: O_RDONLY or O_RDWR
 *
 * Regular files are opened, too; they cannot be claimed.
 * Return: a descriptor, or a negative errno; -EBUSY: use_describe() knows.
 */
int use_open_excl(const char *path, int flags);

#endif
