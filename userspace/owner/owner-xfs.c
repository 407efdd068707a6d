// SPDX-License-Identifier: GPL-2.0
/*
 * owner-xfs.c - owners in xfs, by the mounted file system's own ioctls.
 *
 * BULKSTAT names all inodes; directories are opened by handle and read for
 * names. With reverse mappings (rmapbt) GETFSMAP then tells the owner of
 * every block. Without, it knows only what is free; the blocks of files are
 * asked for one by one (GETBMAPX), the inodes' are known from INUMBERS, log
 * and headers from the superblock. The rest is in use, but by no file: it is
 * btrees, of the groups or of files with many extents, and the blocks that
 * only symlinks have, which cannot be opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <xfs/xfs.h>
#include <xfs/xfs_types.h>
#include <xfs/xfs_format.h>

#include <dirent.h>
#include <endian.h>
#include <linux/fsmap.h>

#include "cli.h"
#include "owner/build.h"

#define BATCH		1024	/* records of one ioctl */
#define BTREES		"btree or symlink"
#define GROUP_HEADERS	4	/* sectors: superblock, agf, agi, agfl */

struct xfs_node {
	uint64_t ino;
	uint32_t gen;
	uint16_t mode;
};

struct xfs {
	struct owner_build *b;
	int fd;			/* root directory */
	uint32_t device;	/* of the data, as GETFSMAP says it */
	unsigned int block_sectors, sector_sectors, inode_log;
	unsigned int group_log, in_block_log;	/* agblklog, inopblog */
	uint64_t nr_blocks, group_blocks, nr_groups;
	uint64_t log_start, log_blocks;		/* start 0: external */
	bool reverse;		/* has reverse mappings */
	xfs_handle_t fs_handle;
	struct xfs_node *node;	/* ascending */
	size_t nr, room;
	uint64_t nr_bad;
};

/* --- superblock ------------------------------------------------------------ */

static int read_super(struct xfs *x)
{
	struct xfs_dsb sb;
	int fd = open(x->b->node, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : pread(fd, &sb, sizeof(sb), 0);

	if (fd >= 0)
		close(fd);
	if (got != (ssize_t)sizeof(sb) ||
	    be32toh((uint32_t)sb.sb_magicnum) != XFS_SB_MAGIC)
		return -EIO;
	x->block_sectors = be32toh((uint32_t)sb.sb_blocksize) >> SECTOR_SHIFT;
	x->sector_sectors = be16toh((uint16_t)sb.sb_sectsize) >> SECTOR_SHIFT;
	x->inode_log = sb.sb_inodelog;
	x->group_log = sb.sb_agblklog;
	x->in_block_log = sb.sb_inopblog;
	x->nr_blocks = be64toh((uint64_t)sb.sb_dblocks);
	x->group_blocks = be32toh((uint32_t)sb.sb_agblocks);
	x->nr_groups = be32toh((uint32_t)sb.sb_agcount);
	x->log_start = be64toh((uint64_t)sb.sb_logstart);
	x->log_blocks = be32toh((uint32_t)sb.sb_logblocks);
	x->reverse = be32toh((uint32_t)sb.sb_features_ro_compat) &
		     XFS_SB_FEAT_RO_COMPAT_RMAPBT;
	return 0;
}

/* Block of the device from group and block in it, as they are packed */
static uint64_t unpack_block(const struct xfs *x, uint64_t packed)
{
	return (packed >> x->group_log) * x->group_blocks +
	       (packed & ((1ull << x->group_log) - 1));
}

static int add_static(struct xfs *x)
{
	struct owner_extent space = {
		.sectors = x->nr_blocks * x->block_sectors,
		.kind = OWNER_META,
		.what = BTREES,
	};
	struct owner_extent log = {
		.start = unpack_block(x, x->log_start) * x->block_sectors,
		.sectors = x->log_blocks * x->block_sectors,
		.kind = OWNER_JOURNAL,
		.what = "log",
	};
	uint64_t group, start, len = GROUP_HEADERS * x->sector_sectors;
	int ret = owner_add(x->b, DEPTH_SPACE, &space);

	if (!ret && x->log_start)
		ret = owner_add(x->b, DEPTH_OWNER, &log);
	if (len < x->block_sectors)
		len = x->block_sectors;
	for (group = 0; !ret && group < x->nr_groups; group++) {
		start = group * x->group_blocks * x->block_sectors;
		ret = owner_add_meta(x->b, start, len, "group headers");
	}
	return ret;
}

/* --- inodes ---------------------------------------------------------------- */

static int open_inode(const struct xfs *x, const struct xfs_node *node)
{
	xfs_handle_t handle = x->fs_handle;
	xfs_fsop_handlereq_t request = {
		.oflags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOATIME,
		.ihandle = &handle,
		.ihandlen = sizeof(handle),
	};
	int fd;

	handle.ha_fid = (xfs_fid_t){
		.fid_len = sizeof(handle.ha_fid) -
			   sizeof(handle.ha_fid.fid_len),
		.fid_gen = node->gen,
		.fid_ino = node->ino,
	};
	fd = ioctl(x->fd, XFS_IOC_OPEN_BY_HANDLE, &request);
	return fd < 0 ? -errno : fd;
}

static int get_fs_handle(struct xfs *x)
{
	uint32_t len = sizeof(x->fs_handle);
	xfs_fsop_handlereq_t request = {
		.path = (char *)x->b->dir,
		.ohandle = &x->fs_handle,
		.ohandlen = &len,
	};

	return ioctl(x->fd, XFS_IOC_PATH_TO_FSHANDLE, &request) ? -errno : 0;
}

static int read_names(struct xfs *x, const struct xfs_node *node, int fd)
{
	struct owner_node parent = { 0, node->ino }, child = { 0, 0 };
	DIR *dir = fdopendir(dup(fd));
	struct dirent *d;
	int ret = 0;

	if (!dir) {
		x->nr_bad++;
		return 0;
	}
	errno = 0;
	while (!ret && (d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		child.ino = d->d_ino;
		ret = owner_name_add(x->b, parent, child, d->d_name,
				     strlen(d->d_name));
	}
	if (!ret && errno)
		x->nr_bad++;
	closedir(dir);
	return ret;
}

static void describe(const struct xfs_node *node, struct owner_extent *e)
{
	e->kind = OWNER_FILE;
	e->ino = node->ino;
	e->generation = node->gen;
	if (S_ISDIR(node->mode)) {
		e->kind = OWNER_META;
		e->what = "directory";
	}
}

static void describe_unwritten(struct owner_extent *e)
{
	if (e->kind == OWNER_FILE) {
		e->kind = OWNER_NONE;
		e->what = "preallocated";
	}
}

static int add_bmap(struct xfs *x, const struct getbmapx *map,
		    const struct xfs_node *node, bool attributes)
{
	struct owner_extent e = {
		.start = map->bmv_block,
		.sectors = map->bmv_length,
		.offset = map->bmv_offset << SECTOR_SHIFT,
	};

	if (map->bmv_block < 0)		/* a hole, or not written yet */
		return 0;
	describe(node, &e);
	if (attributes) {
		e.kind = OWNER_META;
		e.what = "extended attributes";
	} else if (map->bmv_oflags & BMV_OF_PREALLOC) {
		describe_unwritten(&e);
	}
	return owner_add(x->b, DEPTH_OWNER, &e);
}

/* The blocks of one fork */
static int read_bmap(struct xfs *x, const struct xfs_node *node, int fd,
		     bool attributes)
{
	struct getbmapx map[BATCH] = { {
		.bmv_length = -1,
		.bmv_count = BATCH,
		.bmv_iflags = BMV_IF_PREALLOC | BMV_IF_NO_HOLES |
			      (attributes ? BMV_IF_ATTRFORK : 0),
	} };
	int i, ret = 0;

	while (!ret) {
		if (ioctl(fd, XFS_IOC_GETBMAPX, map)) {
			/* no such fork */
			if (errno != ENOENT)
				x->nr_bad++;
			break;
		}
		for (i = 1; !ret && i <= map[0].bmv_entries; i++)
			ret = add_bmap(x, &map[i], node, attributes);
		if (map[0].bmv_entries < BATCH - 1)
			break;
	}
	return ret;
}

static int read_inode(struct xfs *x, const struct xfs_bulkstat *bs)
{
	struct xfs_node node = { bs->bs_ino, bs->bs_gen, bs->bs_mode };
	bool map = !x->reverse && bs->bs_blocks;
	int fd, ret = 0;

	/* What cannot be opened; data on the real-time device is not here. */
	if (!S_ISDIR(bs->bs_mode) && (!S_ISREG(bs->bs_mode) || !map))
		return 0;
	fd = open_inode(x, &node);
	if (fd < 0) {
		x->nr_bad++;
		return 0;
	}
	if (S_ISDIR(bs->bs_mode))
		ret = read_names(x, &node, fd);
	if (!ret && map && !(bs->bs_xflags & FS_XFLAG_REALTIME))
		ret = read_bmap(x, &node, fd, false);
	if (!ret && map && bs->bs_aextents)
		ret = read_bmap(x, &node, fd, true);
	close(fd);
	return ret;
}

static int keep_inode(struct xfs *x, const struct xfs_bulkstat *bs)
{
	struct xfs_node *node = grow(x->node, x->nr, &x->room,
				     sizeof(*node));

	if (!node)
		return -ENOMEM;
	x->node = node;
	node[x->nr++] = (struct xfs_node){ bs->bs_ino, bs->bs_gen,
					   bs->bs_mode };
	return 0;
}

static int read_inodes(struct xfs *x)
{
	struct xfs_bulkstat_req *request;
	uint32_t i;
	int ret = 0;

	request = calloc(1, XFS_BULKSTAT_REQ_SIZE(BATCH));
	if (!request)
		return -ENOMEM;
	request->hdr.icount = BATCH;
	do {
		if (cancelled())
			ret = -ECANCELED;
		else if (ioctl(x->fd, XFS_IOC_BULKSTAT, request))
			ret = -errno;
		for (i = 0; !ret && i < request->hdr.ocount; i++) {
			ret = keep_inode(x, &request->bulkstat[i]);
			if (!ret)
				ret = read_inode(x, &request->bulkstat[i]);
		}
	} while (!ret && request->hdr.ocount);
	free(request);
	return ret;
}

/* Chunks of 64 inodes; a sparse one has places that others may own. */
static int read_chunks(struct xfs *x)
{
	struct owner_extent e = { .kind = OWNER_META, .what = "inodes" };
	struct xfs_inumbers_req *request;
	uint32_t i;
	int ret = 0;

	request = calloc(1, XFS_INUMBERS_REQ_SIZE(BATCH));
	if (!request)
		return -ENOMEM;
	request->hdr.icount = BATCH;
	e.sectors = (XFS_INODES_PER_CHUNK << x->inode_log) >> SECTOR_SHIFT;
	do {
		if (cancelled())
			ret = -ECANCELED;
		else if (ioctl(x->fd, XFS_IOC_INUMBERS, request))
			ret = -errno;
		for (i = 0; !ret && i < request->hdr.ocount; i++) {
			e.start = unpack_block(x,
					       request->inumbers[i].xi_startino
					       >> x->in_block_log) *
				  x->block_sectors;
			ret = owner_add(x->b, DEPTH_LOOSE, &e);
		}
	} while (!ret && request->hdr.ocount);
	free(request);
	return ret;
}

/* --- GETFSMAP -------------------------------------------------------------- */

static const struct xfs_node *find_node(const struct xfs *x, uint64_t ino)
{
	size_t low = 0, high = x->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (x->node[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->nr && x->node[low].ino == ino ? &x->node[low] : NULL;
}

static int add_special(struct xfs *x, const struct fsmap *map,
		       struct owner_extent *e)
{
	static const struct {
		uint64_t owner;
		enum owner_kind kind;
		const char *what;
	} owners[] = {
		{ XFS_FMR_OWN_FREE, OWNER_NONE, NULL },
		{ XFS_FMR_OWN_COW, OWNER_NONE, "copy-on-write staging" },
		{ XFS_FMR_OWN_FS, OWNER_META, "group headers" },
		{ XFS_FMR_OWN_LOG, OWNER_JOURNAL, "log" },
		{ XFS_FMR_OWN_AG, OWNER_META, "free space btree" },
		{ XFS_FMR_OWN_INOBT, OWNER_META, "inode btree" },
		{ XFS_FMR_OWN_INODES, OWNER_META, "inodes" },
		{ XFS_FMR_OWN_REFC, OWNER_META, "reference count btree" },
		{ XFS_FMR_OWN_DEFECTIVE, OWNER_UNKNOWN, "bad blocks" },
	};
	size_t i;

	/* What is in use by somebody is found otherwise. */
	for (i = 0; i < ARRAY_SIZE(owners); i++) {
		if (map->fmr_owner != owners[i].owner)
			continue;
		e->kind = owners[i].kind;
		e->what = owners[i].what;
		return owner_add(x->b, DEPTH_OWNER, e);
	}
	return 0;
}

static int add_fsmap(struct xfs *x, const struct fsmap *map)
{
	struct owner_extent e = {
		.start = map->fmr_physical >> SECTOR_SHIFT,
		.sectors = map->fmr_length >> SECTOR_SHIFT,
	};
	const struct xfs_node *node;

	if (map->fmr_device != x->device)
		return 0;
	if (map->fmr_flags & FMR_OF_SPECIAL_OWNER)
		return add_special(x, map, &e);
	node = find_node(x, map->fmr_owner);
	if (!node) {
		e.kind = OWNER_META;
		e.what = "quota or internal file";
		return owner_add(x->b, DEPTH_OWNER, &e);
	}
	describe(node, &e);
	if (map->fmr_flags & FMR_OF_EXTENT_MAP) {
		e.kind = OWNER_META;
		e.what = "extent btree";
	} else if (map->fmr_flags & FMR_OF_ATTR_FORK) {
		e.kind = OWNER_META;
		e.what = "extended attributes";
	} else {
		e.offset = map->fmr_offset;
		if (map->fmr_flags & FMR_OF_PREALLOC)
			describe_unwritten(&e);
	}
	return owner_add(x->b, DEPTH_OWNER, &e);
}

static int read_fsmap(struct xfs *x)
{
	struct fsmap_head *head = calloc(1, fsmap_sizeof(BATCH));
	bool more = true;
	uint32_t i;
	int ret = 0;

	if (!head)
		return -ENOMEM;
	head->fmh_count = BATCH;
	head->fmh_keys[1] = (struct fsmap){
		.fmr_device = UINT32_MAX,
		.fmr_flags = UINT32_MAX,
		.fmr_physical = UINT64_MAX,
		.fmr_owner = UINT64_MAX,
		.fmr_offset = UINT64_MAX,
	};
	while (!ret && more) {
		if (cancelled())
			ret = -ECANCELED;
		else if (ioctl(x->fd, FS_IOC_GETFSMAP, head))
			ret = -errno;
		if (ret || !head->fmh_entries)
			break;
		for (i = 0; !ret && i < head->fmh_entries; i++)
			ret = add_fsmap(x, &head->fmh_recs[i]);
		more = !(head->fmh_recs[head->fmh_entries - 1].fmr_flags &
			 FMR_OF_LAST);
		fsmap_advance(head);
	}
	free(head);
	return ret;
}

/* --- all ------------------------------------------------------------------- */

/* As the kernel encodes the device's number for GETFSMAP */
static uint32_t encode_device(dev_t dev)
{
	return (minor(dev) & 0xff) | major(dev) << 8 |
	       (minor(dev) & ~0xffu) << 12;
}

static int read_all(struct xfs *x, const char **why)
{
	struct stat st;
	int ret = read_super(x);

	if (!ret && fstat(x->fd, &st))
		ret = -errno;
	if (ret) {
		*why = "its superblock cannot be read";
		return ret;
	}
	x->b->root = (struct owner_node){ 0, st.st_ino };
	x->device = encode_device(st.st_dev);
	ret = get_fs_handle(x);
	if (!ret)
		ret = add_static(x);
	if (!ret)
		ret = read_inodes(x);
	if (!ret && !x->reverse)
		ret = read_chunks(x);
	if (!ret)
		ret = read_fsmap(x);
	if (ret && ret != -ENOMEM && ret != -ECANCELED)
		*why = "its maps cannot be read";
	return ret;
}

int owner_xfs(struct owner_build *b, const char **why)
{
	struct xfs x = { .b = b };
	int ret;

	if (!b->dir) {
		*why = "it cannot be mounted";
		return -EIO;
	}
	x.fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (x.fd < 0)
		return -errno;
	ret = read_all(&x, why);
	if (!ret && x.nr_bad)
		warn(b->volume,
		     "%llu inodes cannot be read; what they own appears as metadata",
		     (unsigned long long)x.nr_bad);
	free(x.node);
	close(x.fd);
	return ret;
}
