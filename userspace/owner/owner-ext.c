// SPDX-License-Identifier: GPL-2.0
/*
 * owner-ext.c - owners in ext2, ext3 and ext4, by libext2fs.
 *
 * One pass over the inodes, one over the directories. The file system may be
 * mounted: it was made for us alone and nobody writes to it.
 *
 * Whoever had the disk may have made its trees of extents and indirect blocks
 * into loops, or into one that a million inodes share: each block that maps
 * others is looked into once, and of directories no more blocks than there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <ext2fs/ext2fs.h>

#include "cli.h"
#include "owner/build.h"

#define RESERVED	"reserved group descriptors"
#define STEPS		4096

struct ext {
	struct owner_build *b;
	ext2_filsys fs;
	uint64_t block_sectors;
	ext2_ino_t *dir;
	size_t nr_dirs, room_dirs;
	ext2fs_block_bitmap mapping;	/* blocks that map others, met so far */
	uint64_t dir_blocks;	/* of all directories */
	uint64_t nr_steps;	/* since we asked whether to stop */
	uint64_t nr_bad;	/* inodes and directories that cannot be read */
	int error;		/* ours, out of a callback */
};

/* What the blocks of one inode are */
struct ext_inode {
	struct ext *ext;
	struct owner_extent e;
	const char *map;	/* name of the blocks that map it */
	uint64_t nr_blocks;
	bool bad;		/* its tree is none */
	/* a run of blocks that is not added yet (indirect blocks) */
	blk64_t lblk, pblk, len;
};

static int add_blocks(struct ext *ext, blk64_t block, blk64_t len,
		      const struct owner_extent *as)
{
	struct owner_extent e = *as;

	e.start = block * ext->block_sectors;
	e.sectors = len * ext->block_sectors;
	return owner_add(ext->b, DEPTH_OWNER, &e);
}

static int add_meta(struct ext *ext, blk64_t block, blk64_t len,
		    const char *what)
{
	return owner_add_meta(ext->b, block * ext->block_sectors,
			      len * ext->block_sectors, what);
}

/* --- groups ---------------------------------------------------------------- */

static int add_group(struct ext *ext, dgrp_t group)
{
	ext2_filsys fs = ext->fs;
	blk64_t super, old_desc, new_desc;
	blk64_t nr_desc = fs->desc_blocks;
	blk64_t nr_reserved = fs->super->s_reserved_gdt_blocks;
	blk_t used;
	int ret = 0;

	if (ext2fs_has_feature_meta_bg(fs->super))
		nr_desc = fs->super->s_first_meta_bg;
	if (ext2fs_super_and_bgd_loc2(fs, group, &super, &old_desc, &new_desc,
				      &used))
		return -EIO;
	if (super || !group)
		ret = add_meta(ext, super, 1, "superblock");
	if (!ret && old_desc)
		ret = add_meta(ext, old_desc, nr_desc, "group descriptors");
	if (!ret && old_desc && nr_reserved)
		ret = add_meta(ext, old_desc + nr_desc, nr_reserved,
			       RESERVED);
	if (!ret && new_desc)
		ret = add_meta(ext, new_desc, 1, "group descriptors");
	if (!ret)
		ret = add_meta(ext, ext2fs_block_bitmap_loc(fs, group), 1,
			       "block bitmap");
	if (!ret)
		ret = add_meta(ext, ext2fs_inode_bitmap_loc(fs, group), 1,
			       "inode bitmap");
	if (!ret)
		ret = add_meta(ext, ext2fs_inode_table_loc(fs, group),
			       fs->inode_blocks_per_group, "inode table");
	return ret;
}

static int add_groups(struct ext *ext)
{
	struct ext2_super_block *super = ext->fs->super;
	struct owner_extent space = {
		.sectors = ext2fs_blocks_count(super) * ext->block_sectors,
		.kind = OWNER_NONE,
	};
	int ret = owner_add(ext->b, DEPTH_SPACE, &space);
	dgrp_t group;

	if (!ret && super->s_first_data_block)
		ret = add_meta(ext, 0, super->s_first_data_block, "boot block");
	if (!ret && ext2fs_has_feature_mmp(super))
		ret = add_meta(ext, super->s_mmp_block, 1,
			       "multi-mount protection");
	for (group = 0; !ret && group < ext->fs->group_desc_count; group++)
		ret = add_group(ext, group);
	return ret;
}

/* --- blocks of an inode ---------------------------------------------------- */

/* Inside of the loops that only the disk's content limits */
static int step(struct ext *ext)
{
	return !(++ext->nr_steps % STEPS) && cancelled() ? -ECANCELED : 0;
}

static int add_mapping_block(struct ext_inode *in, blk64_t block)
{
	struct owner_extent e = in->e;
	ext2_filsys fs = in->ext->fs;

	if (block < fs->super->s_first_data_block ||
	    block >= ext2fs_blocks_count(fs->super) ||
	    ext2fs_mark_block_bitmap2(in->ext->mapping, block)) {
		in->bad = true;
		return 0;
	}
	/* the journal's extent tree is not written by the journal's wrapping */
	e.kind = OWNER_META;
	e.what = in->map;
	return add_blocks(in->ext, block, 1, &e);
}

static int add_extent(struct ext_inode *in, const struct ext2fs_extent *extent)
{
	struct owner_extent e = in->e;

	in->nr_blocks += extent->e_len;
	e.offset = extent->e_lblk * in->ext->fs->blocksize;
	if (extent->e_flags & EXT2_EXTENT_FLAGS_UNINIT &&
	    e.kind == OWNER_FILE) {
		e.kind = OWNER_NONE;
		e.what = "preallocated";
	}
	return add_blocks(in->ext, extent->e_pblk, extent->e_len, &e);
}

/* Return: our own errors; what cannot be read is counted. */
static int add_extents(struct ext_inode *in, ext2_ino_t ino,
		       struct ext2_inode *inode)
{
	ext2_extent_handle_t handle;
	struct ext2fs_extent extent;
	errcode_t err = ext2fs_extent_open2(in->ext->fs, ino, inode, &handle);
	int op = EXT2_EXTENT_ROOT, ret = 0;

	if (err) {
		in->ext->nr_bad++;
		in->bad = true;
		return 0;
	}
	while (!ret && !in->bad &&
	       !(err = ext2fs_extent_get(handle, op, &extent))) {
		op = EXT2_EXTENT_NEXT;
		ret = step(in->ext);
		if (ret)
			break;
		if (extent.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT)
			continue;
		if (extent.e_flags & EXT2_EXTENT_FLAGS_LEAF)
			ret = add_extent(in, &extent);
		else
			ret = add_mapping_block(in, extent.e_pblk);
	}
	/* A tree without a single extent has no current one. */
	if (err && err != EXT2_ET_EXTENT_NO_NEXT &&
	    err != EXT2_ET_NO_CURRENT_NODE)
		in->bad = true;
	in->ext->nr_bad += in->bad;
	ext2fs_extent_free(handle);
	return ret;
}

static int put_run(struct ext_inode *in)
{
	struct ext2fs_extent extent = {
		.e_lblk = in->lblk, .e_pblk = in->pblk, .e_len = in->len };

	in->len = 0;
	return extent.e_len ? add_extent(in, &extent) : 0;
}

static int each_block(ext2_filsys fs, blk64_t *block, e2_blkcnt_t count,
		      blk64_t ref_block, int ref_offset, void *arg)
{
	struct ext_inode *in = arg;
	int ret = step(in->ext);

	(void)fs, (void)ref_block, (void)ref_offset;
	if (ret) {
		/* asked to stop */
	} else if (count < 0) {
		ret = add_mapping_block(in, *block);
	} else if (in->len && in->pblk + in->len == *block &&
		   in->lblk + in->len == (blk64_t)count &&
		   in->len < UINT32_MAX) {
		in->len++;
	} else {
		ret = put_run(in);
		in->lblk = count;
		in->pblk = *block;
		in->len = 1;
	}
	in->ext->error = ret;
	return ret || in->bad ? BLOCK_ABORT : 0;
}

static int add_indirect(struct ext_inode *in, ext2_ino_t ino)
{
	if (ext2fs_block_iterate3(in->ext->fs, ino, BLOCK_FLAG_READ_ONLY, NULL,
				  each_block, in) && !in->ext->error)
		in->bad = true;
	in->ext->nr_bad += in->bad;
	return in->ext->error ? in->ext->error : put_run(in);
}

/* Inodes with a purpose of their own */
static bool is_special(const struct ext *ext, ext2_ino_t ino,
		       struct owner_extent *e)
{
	const struct ext2_super_block *super = ext->fs->super;

	e->kind = OWNER_META;
	if (ino == super->s_journal_inum) {
		e->kind = OWNER_JOURNAL;
		e->what = "journal";
	} else if (ino == EXT2_RESIZE_INO) {
		e->what = RESERVED;
	} else if (ino == EXT2_BAD_INO) {
		e->kind = OWNER_UNKNOWN;
		e->what = "bad blocks";
	} else if (ino == EXT2_BOOT_LOADER_INO) {
		e->what = "boot loader";
	} else if (ext2fs_has_feature_quota((struct ext2_super_block *)super) &&
		   (ino == super->s_usr_quota_inum ||
		    ino == super->s_grp_quota_inum ||
		    ino == super->s_prj_quota_inum)) {
		e->what = "quota";
	} else if (ext2fs_has_feature_orphan_file((void *)super) &&
		   ino == super->s_orphan_file_inum) {
		e->what = "orphan file";
	} else {
		return false;
	}
	return true;
}

static bool describe(const struct ext *ext, ext2_ino_t ino,
		     const struct ext2_inode *inode, struct owner_extent *e)
{
	e->ino = ino;
	e->generation = inode->i_generation;
	if (is_special(ext, ino, e))
		return true;
	if (S_ISDIR(inode->i_mode)) {
		e->kind = OWNER_META;
		e->what = "directory";
	} else if (inode->i_flags & EXT4_EA_INODE_FL) {
		e->kind = OWNER_META;
		e->what = "extended attribute";
	} else if (S_ISREG(inode->i_mode) || S_ISLNK(inode->i_mode)) {
		e->kind = OWNER_FILE;
		e->what = NULL;
	} else {
		return false;
	}
	return true;
}

static int add_attributes(struct ext *ext, ext2_ino_t ino,
			  const struct ext2_inode *inode)
{
	blk64_t block = ext2fs_file_acl_block(ext->fs, inode);
	struct owner_extent e = {
		.kind = OWNER_META,
		.what = "extended attributes",
		.ino = ino,
		.generation = inode->i_generation,
	};

	return block ? add_blocks(ext, block, 1, &e) : 0;
}

static int keep_dir(struct ext *ext, ext2_ino_t ino)
{
	ext2_ino_t *dir = grow(ext->dir, ext->nr_dirs, &ext->room_dirs,
			       sizeof(*dir));

	if (!dir)
		return -ENOMEM;
	ext->dir = dir;
	dir[ext->nr_dirs++] = ino;
	return 0;
}

static int add_inode(struct ext *ext, ext2_ino_t ino, struct ext2_inode *inode)
{
	bool extents = inode->i_flags & EXT4_EXTENTS_FL;
	struct ext_inode in = {
		.ext = ext,
		.map = extents ? "extent tree" : "indirect block",
	};
	int ret = add_attributes(ext, ino, inode);

	if (!ret && describe(ext, ino, inode, &in.e) &&
	    ext2fs_inode_has_valid_blocks2(ext->fs, inode))
		ret = extents ? add_extents(&in, ino, inode) :
				add_indirect(&in, ino);
	/* An encrypted name is not the one that a mount shows. */
	if (ret || !S_ISDIR(inode->i_mode) || in.bad ||
	    inode->i_flags & EXT4_ENCRYPT_FL)
		return ret;
	ext->dir_blocks += in.nr_blocks;
	if (ext->dir_blocks > ext2fs_blocks_count(ext->fs->super)) {
		ext->nr_bad++;
		return 0;
	}
	return keep_dir(ext, ino);
}

/* --- the two passes -------------------------------------------------------- */

static bool in_use(const struct ext *ext, ext2_ino_t ino,
		   const struct ext2_inode *inode)
{
	if (inode->i_links_count || ino == EXT2_BAD_INO)
		return true;
	/* Unlinked, but open when the epoch was sealed */
	return inode->i_mode && ext->fs->inode_map &&
	       ext2fs_test_inode_bitmap2(ext->fs->inode_map, ino);
}

static int add_inodes(struct ext *ext)
{
	ext2_inode_scan scan;
	struct ext2_inode inode;
	ext2_ino_t ino;
	errcode_t err = ext2fs_open_inode_scan(ext->fs, 0, &scan);
	int ret = 0;

	if (err)
		return -EIO;
	ext2fs_inode_scan_flags(scan, EXT2_SF_DO_LAZY |
				EXT2_SF_SKIP_MISSING_ITABLE, 0);
	while (!ret) {
		if (cancelled())
			ret = -ECANCELED;
		err = ext2fs_get_next_inode(scan, &ino, &inode);
		if (!err && !ino)
			break;
		if (err == EXT2_ET_BAD_BLOCK_IN_INODE_TABLE ||
		    err == EXT2_ET_INODE_CSUM_INVALID ||
		    err == EXT2_ET_INODE_IS_GARBAGE)
			ext->nr_bad++;
		else if (err)
			ret = -EIO;
		else if (!ret && in_use(ext, ino, &inode))
			ret = add_inode(ext, ino, &inode);
	}
	ext2fs_close_inode_scan(scan);
	return ret;
}

static int each_entry(ext2_ino_t dir, int entry, struct ext2_dir_entry *dirent,
		      int offset, int blocksize, char *buf, void *arg)
{
	struct owner_node parent = { 0, dir }, child = { 0, dirent->inode };
	struct ext *ext = arg;

	(void)offset, (void)blocksize, (void)buf;
	if (entry != DIRENT_OTHER_FILE)
		return 0;
	ext->error = step(ext);
	if (!ext->error)
		ext->error = owner_name_add(ext->b, parent, child, dirent->name,
					    ext2fs_dirent_name_len(dirent));
	return ext->error ? DIRENT_ABORT : 0;
}

static int add_names(struct ext *ext)
{
	size_t i;

	for (i = 0; i < ext->nr_dirs; i++) {
		if (cancelled())
			return -ECANCELED;
		if (ext2fs_dir_iterate2(ext->fs, ext->dir[i], 0, NULL,
					each_entry, ext) && !ext->error)
			ext->nr_bad++;
		if (ext->error)
			return ext->error;
	}
	return 0;
}

static int open_fs(struct ext *ext, const char **why)
{
	errcode_t err = ext2fs_open(ext->b->node, EXT2_FLAG_64BITS |
				    EXT2_FLAG_SOFTSUPP_FEATURES |
				    EXT2_FLAG_SKIP_MMP, 0, 0, unix_io_manager,
				    &ext->fs);

	switch (err) {
	case 0:
		break;
	case EXT2_ET_UNSUPP_FEATURE:
	case EXT2_ET_RO_UNSUPP_FEATURE:
		*why = "it has features that libext2fs does not know";
		return -EOPNOTSUPP;
	default:
		*why = "its superblock or group descriptors cannot be read";
		return -EIO;
	}
	ext->block_sectors = ext->fs->blocksize >> SECTOR_SHIFT;
	/* Nobody has checked the superblock: it must not size what we take. */
	if (ext2fs_blocks_count(ext->fs->super) >
	    owner_volume_sectors(ext->b->vol) / ext->block_sectors) {
		*why = "its size is larger than the volume";
		ext2fs_free(ext->fs);
		return -EFBIG;
	}
	if (ext2fs_allocate_block_bitmap(ext->fs, "met", &ext->mapping)) {
		*why = "there is no memory for a bitmap of its blocks";
		ext2fs_free(ext->fs);
		return -EFBIG;
	}
	if (ext2fs_read_inode_bitmap(ext->fs))
		ext->nr_bad++;
	return 0;
}

int owner_ext(struct owner_build *b, const char **why)
{
	struct ext ext = { .b = b };
	int ret = open_fs(&ext, why);

	if (ret)
		return ret;
	if (ext2fs_has_feature_journal_needs_recovery(ext.fs->super))
		warn(b->volume,
		     "its journal is not replayed: owners may be out of date");
	b->root = (struct owner_node){ 0, EXT2_ROOT_INO };
	ret = add_groups(&ext);
	if (!ret)
		ret = add_inodes(&ext);
	if (!ret)
		ret = add_names(&ext);
	if (ret == -EIO)
		*why = "its inodes cannot be read";
	if (!ret && ext.nr_bad)
		warn(b->volume,
		     "%llu inodes, directories or bitmaps are damaged; what they own appears as free",
		     (unsigned long long)ext.nr_bad);
	free(ext.dir);
	ext2fs_free_block_bitmap(ext.mapping);
	ext2fs_free(ext.fs);
	return ret;
}
