// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-umount.c - unmount an epoch, and wait until its layers are gone.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <libmount.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "past/scratch.h"
#include "past/stack.h"

static const struct out_column columns[] = {
	{ "directory", "unmounted", OUT_TEXT, OUT_BOTH },
};

/* The device that is mounted on @dir; 0: none. btrfs has numbers of its own. */
static dev_t source_of(const char *dir)
{
	struct libmnt_table *table = mnt_new_table();
	struct libmnt_fs *fs = NULL;
	dev_t devno = 0;
	struct stat st;

	if (table && !mnt_table_parse_mtab(table, NULL))
		fs = mnt_table_find_target(table, dir, MNT_ITER_BACKWARD);
	if (fs && mnt_fs_get_srcpath(fs) &&
	    !stat(mnt_fs_get_srcpath(fs), &st) && S_ISBLK(st.st_mode))
		devno = st.st_rdev;
	else if (fs)
		devno = mnt_fs_get_devno(fs);
	mnt_unref_table(table);
	return devno;
}

static void warn_if_full(const struct stack *stack, const char *dir)
{
	uint64_t used, total;
	bool invalid;
	size_t i;

	for (i = 0; i < stack->nr; i++)
		if (!scratch_status(stack->layer[i].name, &invalid, &used,
				    &total) && invalid)
			warn(dir, "its scratch layer was full; give it a larger --scratch-size");
}

int cmd_umount(const struct cmd_line *line)
{
	char dir[PATH_MAX];
	struct stack stack;
	size_t i;

	if (!realpath(line->argv[0], dir))
		return fail_errno(line->argv[0], "path", -errno);
	stack_below(source_of(dir), &stack);
	if (!stack.nr)
		return fail(DR_EXIT_OPERATIONAL, dir,
			    "'dmdelta views' lists the mounts of epochs",
			    "no epoch is mounted here");
	if (cancelled())
		return fail_cancelled(dir);
	warn_if_full(&stack, dir);
	if (umount2(dir, UMOUNT_NOFOLLOW))
		return errno == EBUSY ?
		       fail(DR_EXIT_OPERATIONAL, dir,
			    "stop what uses it ('fuser -vm' names it)",
			    "in use") : fail_errno(dir, "umount", -errno);
	for (i = 0; i < stack.nr; i++)
		if (!layer_wait_gone(stack.layer[i].name,
				     stack.layer[i].uuid)) {
			warn(dir, "its devices are still in use (see views)");
			break;
		}
	out_record(columns, ARRAY_SIZE(columns),
		   (struct out_value[]){ out_text(dir) });
	return DR_EXIT_OK;
}
