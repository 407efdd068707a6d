// SPDX-License-Identifier: GPL-2.0
/*
 * tool-owner-test.c - owners of blocks, where what is read was made to hurt.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Its readers of items are not for others; cmocka has a fail() of its own. */
#include "owner/owner-btrfs.c"
#include <ext2fs/ext2fs.h>
#include <cmocka.h>

#define SECTORS	2048

static void put_le(unsigned char *p, uint64_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*p++ = value;
}

/* Owners in an image that begins with an LVM label of this header offset */
static size_t owners_of_lvm(uint32_t offset)
{
	unsigned char image[2 * 512] = "", *label = image + 512;
	char name[] = "/tmp/dmdelta-owner-XXXXXX";
	int fd = mkstemp(name);
	struct owner_map map = { 0 };
	struct owner_build b = { .map = &map };
	size_t i;

	memcpy(label, "LABELONE", 8);
	memcpy(label + 24, "LVM2 001", 8);
	put_le(label + 20, offset, 4);
	/* where the areas of data and of metadata are named, if offset is 32 */
	put_le(label + 72, 1 << 20, 8);
	put_le(label + 104, 4096, 8);
	put_le(label + 112, 512, 8);
	assert_true(fd >= 0 && !ftruncate(fd, SECTORS * 512));
	assert_int_equal(pwrite(fd, image, sizeof(image), 0), sizeof(image));
	assert_int_equal(owner_tables(&b, name, SECTORS), 0);
	for (i = 0; i < b.nr; i++)
		assert_string_equal(b.item[i].e.what, "lvm metadata");
	free(b.item);
	owner_map_free(&map);
	close(fd);
	unlink(name);
	return b.nr;
}

static void lvm_label(void **state)
{
	uint32_t offset;

	assert_int_equal(owners_of_lvm(32), 2);
	/* behind the sector; so far that the sum begins again at nothing */
	assert_int_equal(owners_of_lvm(512), 0);
	for (offset = UINT32_MAX; offset > UINT32_MAX - 64; offset--)
		owners_of_lvm(offset);
}

/* A name is said to be longer than the item that it is in. */
static void btrfs_names(void **state)
{
	struct btrfs_inode_ref ref = { .name_len = htole16(60000) };
	struct btrfs_inode_extref extref = { .name_len = htole16(60000) };
	struct btrfs_root_ref root = { .name_len = htole16(60000) };
	struct owner_map map = { 0 };
	struct owner_build b = { .map = &map };
	struct btrfs fs = { .b = &b };
	struct item item = { 0 };
	void *data;

	item.key.len = sizeof(ref) + 1;
	data = calloc(1, item.key.len);
	item.data = data;
	memcpy(data, &ref, sizeof(ref));
	assert_int_equal(add_refs(&fs, &item), 0);
	free(data);
	item.key.len = sizeof(extref) + 1;
	data = calloc(1, item.key.len);
	item.data = data;
	memcpy(data, &extref, sizeof(extref));
	assert_int_equal(add_extrefs(&fs, &item), 0);
	free(data);
	item.key.type = BTRFS_ROOT_BACKREF_KEY;
	item.key.len = sizeof(root) + 1;
	data = calloc(1, item.key.len);
	item.data = data;
	memcpy(data, &root, sizeof(root));
	assert_int_equal(each_root(&fs, &item), 0);
	free(data);
	assert_int_equal(b.nr_names, 0);
}

/* A chain of directories, each of which has blocks */
static void deep_names(void **state)
{
	struct owner_map map = { 0 };
	struct owner_build b = { .map = &map, .root = { 0, 1 } };
	struct owner_node up = b.root, node = b.root;
	size_t i, bytes = 0;
	char name[200];

	memset(name, 'n', sizeof(name));
	for (i = 0; i < 1000; i++) {
		node.ino++;
		assert_int_equal(owner_name_add(&b, up, node, name,
						sizeof(name)), 0);
		assert_int_equal(owner_add(&b, DEPTH_OWNER,
					   &(struct owner_extent){
					   .start = i, .sectors = 1,
					   .ino = node.ino }), 0);
		up = node;
	}
	assert_int_equal(owner_names_resolve(&b, 0), 0);
	assert_int_equal(strlen(b.item[9].e.path), 10 * 201);
	assert_null(b.item[999].e.path);
	for (i = 0; i < map.nr_strings; i++)
		bytes += strlen(map.strings[i]);
	assert_in_range(bytes, 0, 2 << 20);
	free(b.item);
	free(b.name);
	owner_map_free(&map);
}

/* --- ext4 ------------------------------------------------------------------ */

#define EXT_BLOCK	4096u
#define TREE_AT		1000u	/* blocks that nobody else has */
#define TIND_AT		1001u
#define DIR_AT		1500u
#define NR_EVIL		300

static void put_header(unsigned char *p, unsigned int nr, unsigned int max,
		       unsigned int depth)
{
	put_le(p, 0xf30a, 2);
	put_le(p + 2, nr, 2);
	put_le(p + 4, max, 2);
	put_le(p + 6, depth, 2);
	put_le(p + 8, 0, 4);
}

static void write_block(ext2_filsys fs, blk64_t block, void *data)
{
	assert_int_equal(io_channel_write_blk64(fs->io, block, 1, data), 0);
}

/* An extent tree that is its own subtree 340 times over, at each depth */
static void put_loop(ext2_filsys fs, struct ext2_inode *inode)
{
	static unsigned char block[EXT_BLOCK];
	unsigned char *root = (void *)inode->i_block;
	unsigned int i;

	put_header(block, 340, 340, 1);
	for (i = 0; i < 340; i++) {
		put_le(block + 12 + 12 * i, i, 4);
		put_le(block + 12 + 12 * i + 4, TREE_AT, 8);
	}
	write_block(fs, TREE_AT, block);
	put_header(root, 1, 4, 4);
	put_le(root + 12, 0, 4);
	put_le(root + 16, TREE_AT, 8);
	inode->i_flags = EXT4_EXTENTS_FL;
}

/* The same of indirect blocks: 1024 times over, three levels */
static void put_indirect_loop(ext2_filsys fs, struct ext2_inode *inode)
{
	static unsigned char block[EXT_BLOCK];
	unsigned int i;

	for (i = 0; i < EXT_BLOCK / 4; i++)
		put_le(block + 4 * i, TIND_AT, 4);
	write_block(fs, TIND_AT, block);
	inode->i_block[EXT2_TIND_BLOCK] = TIND_AT;
}

/* A directory of which all have the same many blocks */
static void put_shared_dir(ext2_filsys fs, struct ext2_inode *inode)
{
	unsigned char *root = (void *)inode->i_block;

	inode->i_mode = LINUX_S_IFDIR | 0755;
	inode->i_flags = EXT4_EXTENTS_FL;
	put_header(root, 1, 4, 0);
	put_le(root + 12, 0, 4);
	put_le(root + 16, 2000, 2);
	put_le(root + 18, 0, 2);
	put_le(root + 20, DIR_AT, 4);
}

static void put_inodes(ext2_filsys fs, ext2_ino_t first,
		       void (*put)(ext2_filsys fs, struct ext2_inode *inode))
{
	struct ext2_inode inode;
	ext2_ino_t ino;

	for (ino = first; ino < first + NR_EVIL; ino++) {
		memset(&inode, 0, sizeof(inode));
		inode.i_mode = LINUX_S_IFREG | 0644;
		inode.i_links_count = 1;
		inode.i_size = 1 << 30;
		inode.i_blocks = 8;
		put(fs, &inode);
		assert_int_equal(ext2fs_write_inode(fs, ino, &inode), 0);
	}
}

static void ext_loops(void **state)
{
	char name[] = "/tmp/dmdelta-owner-XXXXXX", command[256];
	struct owner_map map = { 0 };
	struct inside_segment all = { .sectors = (16 << 20) / SECTOR_BYTES };
	struct inside_volume vol = { .seg = &all, .nr_seg = 1 };
	struct owner_build b = {
		.map = &map, .vol = &vol, .node = name, .volume = "v"
	};
	int fd = mkstemp(name);
	const char *why;
	ext2_filsys fs;
	size_t i;

	assert_true(fd >= 0 && !ftruncate(fd, 16 << 20));
	snprintf(command, sizeof(command),
		 "%s mke2fs -q -F -t ext4 -b %u -N 2048 -O %s %s",
		 "PATH=$PATH:/sbin:/usr/sbin", EXT_BLOCK,
		 "^metadata_csum,^has_journal,^resize_inode", name);
	assert_int_equal(system(command), 0);
	assert_int_equal(ext2fs_open(name, EXT2_FLAG_RW, 0, 0, unix_io_manager,
				     &fs), 0);
	put_inodes(fs, 100, put_loop);
	put_inodes(fs, 500, put_indirect_loop);
	put_inodes(fs, 1000, put_shared_dir);
	assert_int_equal(ext2fs_close(fs), 0);
	/* For ever, without a limit; the tests are given two minutes. */
	assert_int_equal(owner_ext(&b, &why), 0);
	assert_in_range(b.nr, NR_EVIL, 20000);
	for (i = 0; i < b.nr && b.item[i].e.start != 8 * TREE_AT; i++)
		;
	assert_string_equal(b.item[i].e.what, "extent tree");
	/* What it says of its size must not make us take memory for it. */
	all.sectors /= 2;
	assert_int_not_equal(owner_ext(&b, &why), 0);
	assert_non_null(strstr(why, "larger"));
	free(b.item);
	free(b.name);
	owner_map_free(&map);
	close(fd);
	unlink(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lvm_label),
		cmocka_unit_test(btrfs_names),
		cmocka_unit_test(deep_names),
		cmocka_unit_test(ext_loops),
	};

	return cmocka_run_group_tests_name("tool-owner", tests, NULL, NULL);
}
