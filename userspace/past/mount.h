/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mount.h - an epoch mounted: a view, scratch above it, and the file systems
 * in it.
 *
 * For our own eyes: the process has a mount name space of its own from the
 * first call on, so nothing stays mounted when it dies. What happens outside
 * (an umount) still arrives there; what we mount is seen by us and our
 * children alone.
 *
 * Journals are replayed, into the scratch layer. What differs from a plain
 * mount: xfs is not asked whether its uuid is unique; btrfs gets a new one
 * (btrfs.h) and shows its top level, with all subvolumes; ext2, 3 and 4 never
 * panic, whatever their superblock says about errors.
 */
#ifndef DR_PAST_MOUNT_H
#define DR_PAST_MOUNT_H

#include "past/inside.h"
#include "past/scratch.h"
#include "past/view.h"

struct past_volume {
	const struct inside_volume *vol;
	char *node;		/* writable, to fsck; NULL: see why */
	char *dir;		/* mounted here, or NULL, and then */
	int error;		/* errno of mount(2); 0: not a file system */
	char *why;		/* in words, the kernel's included */
	struct layer layer;
};

struct past {
	struct view view;
	struct scratch scratch;
	struct inside inside;
	struct past_volume *vol;
	size_t nr;
};

#define PAST_WRITABLE	1	/* dir is mounted rw */
#define PAST_NO_MOUNT	2	/* only the devices */

/* How the user wants it mounted */
struct past_options {
	unsigned long flags;	/* MS_... */
	char *data;		/* of the file system, allocated; or NULL */
};

/**
 * past_options_parse() - as of mount -o
 * @word: or NULL: nodev and nosuid, and read-only unless @writable
 * @o: data is to be freed in every case
 *
 * Return: exit code, has said why.
 */
int past_options_parse(const char *word, bool writable, struct past_options *o);

/**
 * past_open() - open an epoch, or an epoch with rules on top
 * @flags: PAST_...
 * @p: set in every case: past_close() is always fine
 *
 * A volume that cannot be mounted is no failure: it says why.
 * Return: exit code, has said why.
 */
int past_open(const char *device, uint32_t epoch, const struct view_rule *rules,
	      size_t nr, unsigned int flags, struct past *p);
int past_close(struct past *p);

/**
 * past_mount() - mount one volume on @dir, where others see it
 * @thing: for messages
 *
 * In the name space that we are in now. Return: exit code, has said why.
 */
int past_mount(struct past *p, size_t nr, const char *thing, const char *dir,
	       const struct past_options *o);

/* The same for our own eyes: vol[nr].dir is set. past_close() unmounts it. */
int past_mount_own(struct past *p, size_t nr, const char *thing,
		   unsigned int flags);

/* Let go of all layers, without a wait: a mount keeps them. */
void past_release(struct past *p);

/**
 * own_name_space() - from now on, mounts are seen by us alone
 * @dir: of PATH_MAX; an empty folder that nobody else sees
 *
 * Return: exit code, has said why.
 */
int own_name_space(char *dir);

/**
 * mount_volume() - mount(2), and what the kernel logged if it failed
 * @data: options beside those that the type needs; or ""
 * @why: allocated when it fails
 *
 * Return: 0 or a negative errno.
 */
int mount_volume(const char *node, dev_t devno, const char *type,
		 const char *dir, unsigned long flags, const char *data,
		 char **why);

#endif
