// SPDX-License-Identifier: GPL-2.0
/*
 * live.c - find the device of each volume that lies in the live device, and
 * mount its root.
 *
 * A partition or logical volume of the live device may be active as a mapped
 * device of its own. Then that is the one to use: two block devices over the
 * same sectors have two caches.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "device.h"
#include "past/live.h"
#include "past/mount.h"
#include "use.h"

#define MAX_DEPTH	8	/* of devices upon devices */

/* --- which device -------------------------------------------------------------- */

struct flat {
	dev_t live;
	struct inside_volume *into;	/* pieces of the live device */
	uint64_t skip, left;		/* of the table that is looked at */
	int depth;
};

static int flatten(dev_t devno, uint64_t start, uint64_t sectors,
		   struct flat *flat);

/* One target, of which maybe only a part is wanted */
static int flatten_target(uint64_t start, uint64_t sectors, const char *type,
			  const char *params, void *arg)
{
	struct flat *flat = arg, below = *flat;
	unsigned int major, minor;
	uint64_t offset;
	int ret;

	(void)start;
	if (!flat->left)
		return 0;
	if (flat->skip >= sectors) {
		flat->skip -= sectors;
		return 0;
	}
	if (strcmp(type, "linear") ||
	    sscanf(params, "%u:%u %" SCNu64, &major, &minor, &offset) != 3)
		return -EINVAL;
	sectors -= flat->skip;
	if (sectors > flat->left)
		sectors = flat->left;
	below.depth++;
	ret = flatten(makedev(major, minor), offset + flat->skip, sectors,
		      &below);
	flat->skip = 0;
	flat->left -= sectors;
	return ret;
}

/* Sectors of @devno as pieces of the live device; fails when they are not. */
static int flatten(dev_t devno, uint64_t start, uint64_t sectors,
		   struct flat *flat)
{
	struct inside_volume *into = flat->into;
	char name[DM_NAME_MAX + 1];
	int ret;

	if (devno == flat->live) {
		struct inside_segment *last = into->nr_seg ?
			&into->seg[into->nr_seg - 1] : NULL;

		if (last && last->dev_start + last->sectors == start) {
			last->sectors += sectors;
			return 0;
		}
		return inside_add_segment(into, start, sectors);
	}
	if (flat->depth >= MAX_DEPTH)
		return -ELOOP;
	ret = mapper_name_of(devno, name, sizeof(name));
	if (ret)
		return ret;
	flat->skip = start;
	flat->left = sectors;
	ret = mapper_table(name, flatten_target, flat);
	return !ret && flat->left ? -EINVAL : ret;
}

/* Pieces that touch count as one. */
static bool same_place(const struct inside_volume *flat,
		       const struct inside_volume *vol)
{
	size_t i, k = 0;
	uint64_t done = 0;

	for (i = 0; i < vol->nr_seg; i++) {
		const struct inside_segment *seg = &vol->seg[i];

		if (k == flat->nr_seg ||
		    flat->seg[k].dev_start + done != seg->dev_start ||
		    flat->seg[k].sectors - done < seg->sectors)
			return false;
		done += seg->sectors;
		if (done == flat->seg[k].sectors) {
			done = 0;
			k++;
		}
	}
	return k == flat->nr_seg;
}

struct search {
	dev_t live;
	const struct inside_volume *vol;
	char *node;
	dev_t devno;
};

static int look_at(const char *name, void *arg)
{
	struct inside_volume pieces = { 0 };
	struct search *s = arg;
	struct flat flat = { .live = s->live, .into = &pieces };
	struct mapper_info info;
	char node[PATH_MAX];
	int found = 0;

	if (mapper_info(name, &info) || info.devno == s->live || !info.live)
		return 0;
	if (!flatten(info.devno, 0, s->vol->sectors, &flat) &&
	    same_place(&pieces, s->vol)) {
		s->devno = info.devno;
		s->node = strdup(mapper_node(name, node, sizeof(node)));
		found = 1;
	}
	free(pieces.seg);
	return found;
}

/* Return: exit code, has said why. */
static int find_device(const char *live_node, dev_t live,
		       struct live_volume *lv, dev_t *devno)
{
	struct search search = { .live = live, .vol = lv->vol };
	int code;

	*devno = live;
	if (!strcmp(lv->vol->what, INSIDE_DEVICE)) {
		lv->node = strdup(live_node);
	} else if (mapper_list(look_at, &search) > 0) {
		lv->node = search.node;
		*devno = search.devno;
	} else {
		code = inside_layer(live_node, lv->vol, false, &lv->layer);
		if (code)
			return code;
		lv->node = strdup(lv->layer.node);
		*devno = lv->layer.devno;
	}
	return lv->node ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

/* --- mounts ------------------------------------------------------------------------ */

/* Without a replay of the journal: that would be a change. */
static const char *untouched(const char *type)
{
	if (!strncmp(type, "ext", 3))
		return "noload";
	if (!strcmp(type, "xfs"))
		return "norecovery";
	if (!strcmp(type, "btrfs"))
		return "rescue=nologreplay";
	return "";
}

static void mount_root(struct live_volume *lv, dev_t devno, const char *dir,
		       bool writable, bool read_only)
{
	unsigned long flags = MS_NODEV | MS_NOSUID | MS_NOEXEC |
			      MS_NOATIME;
	const char *data = "";

	/* Of a mounted one, we get the same superblock, if we ask likewise. */
	if (lv->ours && !writable) {
		flags |= MS_RDONLY;
		data = untouched(lv->vol->type);
	} else if (read_only) {
		flags |= MS_RDONLY;
	}
	if (mount_volume(lv->node, devno, lv->vol->type, dir, flags, data,
			 &lv->why))
		return;
	if (!writable && !(flags & MS_RDONLY) &&
	    mount(NULL, dir, NULL, flags | MS_REMOUNT | MS_BIND | MS_RDONLY,
		  NULL)) {
		umount2(dir, MNT_DETACH);
		lv->why = strdup("cannot be made read-only for us");
		return;
	}
	lv->dir = strdup(dir);
}

static int open_volume(const char *node, dev_t live, struct live_volume *lv,
		       bool writable)
{
	struct use_mounts mounts;
	char dir[PATH_MAX];
	bool read_only;
	dev_t devno;
	int code, ret;

	if (!inside_mountable(lv->vol)) {
		lv->why = strdup(lv->vol->why ? lv->vol->why :
				 "not a file system");
		return DR_EXIT_OK;
	}
	code = find_device(node, live, lv, &devno);
	if (!code)
		code = own_name_space(dir);
	if (code)
		return code;
	ret = use_mounts(devno, false, &mounts);
	if (ret)
		return fail_errno(lv->vol->what, "looking for mounts", ret);
	lv->ours = !mounts.nr;
	read_only = mounts.nr && mounts.mounts[0].read_only;
	if (mounts.nr)
		lv->where = strdup(mounts.mounts[0].dir);
	use_mounts_free(&mounts);
	if (writable && read_only)
		lv->why = strdup("it is mounted read-only");
	else
		mount_root(lv, devno, dir, writable, read_only);
	return DR_EXIT_OK;
}

int live_open(const char *device, bool writable, struct live *l)
{
	struct device_status status;
	char node[PATH_MAX];
	size_t i;
	int code;

	memset(l, 0, sizeof(*l));
	code = device_status(device, &status);
	mapper_node(device, node, sizeof(node));
	if (!code)
		code = inside_probe(node, &l->inside);
	if (code)
		return code;
	l->vol = calloc(l->inside.nr, sizeof(*l->vol));
	if (!l->vol) {
		inside_free(&l->inside);
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	l->nr = l->inside.nr;
	for (i = 0; i < l->nr; i++) {
		l->vol[i].vol = &l->inside.vol[i];
		l->vol[i].layer.fd = -1;
	}
	for (i = 0; i < l->nr && !code; i++)
		code = open_volume(node, status.info.devno, &l->vol[i],
				   writable);
	if (code)
		live_close(l);
	return code;
}

int live_close(struct live *l)
{
	size_t i = l->nr;

	while (i--) {
		struct live_volume *lv = &l->vol[i];

		if (lv->dir && !umount2(lv->dir, 0))
			rmdir(lv->dir);
		else if (lv->dir)
			umount2(lv->dir, MNT_DETACH);
		layer_close(&lv->layer);
		free(lv->node);
		free(lv->dir);
		free(lv->where);
		free(lv->why);
	}
	free(l->vol);
	l->vol = NULL;
	l->nr = 0;
	inside_free(&l->inside);
	return DR_EXIT_OK;
}
