/* SPDX-License-Identifier: GPL-2.0 */
/*
 * volume.h - what the tool has to know about an origin or a delta before the
 * core looks at it: size, identity, signatures, who it is.
 *
 * Block devices and regular files (for tests and images) alike.
 */
#ifndef DR_VOLUME_H
#define DR_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct volume {
	const char *path;
	int fd;
	uint64_t bytes;
	bool is_block;
	dev_t devno;		/* of a block device; else of the file system */
	ino_t inode;		/* of a regular file */
};

enum volume_open {
	VOLUME_READ,		/* others may have it open: an origin */
	VOLUME_READ_EXCL,	/* a delta that is not open elsewhere */
	VOLUME_WRITE_EXCL,
};

/* Return: exit code, has said why (who uses it, when it is busy). */
int volume_open(struct volume *v, const char *path, enum volume_open how);
void volume_close(struct volume *v);

bool volume_same(const struct volume *a, const struct volume *b);

/**
 * volume_identity() - "UUID=..." of the file system, or "PTUUID=..." of the
 * partition table, or "" when there is none that is certain
 */
void volume_identity(const struct volume *v, char *buf, size_t size);

/**
 * volume_signature() - what the volume is known to hold
 * @buf: "ext4", "gpt", ...; "" when nothing is known
 *
 * Return: 0 or a negative errno.
 */
int volume_signature(const struct volume *v, char *buf, size_t size);

/* Erase all known signatures. Return: 0 or a negative errno. */
int volume_wipe(const struct volume *v);

#endif
