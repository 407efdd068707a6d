// SPDX-License-Identifier: GPL-2.0
/*
 * owner-btrfs.c - owners in btrfs, by searches in the trees of the mounted
 * file system.
 *
 * Trees speak of logical addresses; the chunk tree says where on the device
 * they are, once or (dup, raid1) in several places. The extent tree has all
 * that is in use. Tree blocks are metadata; what is data and referred to by
 * no file any more (the rest of an extent that was overwritten in part) gives
 * way to the files, which are read from the trees of all subvolumes.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "owner/build.h"

#define SEARCH_BYTES	262144u
#define SUPER_BYTES	4096u

struct chunk {
	uint64_t logical, bytes;
	uint64_t *stripe;		/* copies on the device */
	unsigned int nr_stripes;
};

struct btrfs {
	struct owner_build *b;
	int fd;
	uint32_t node_bytes;
	struct chunk *chunk;		/* ascending */
	size_t nr_chunks, room_chunks;
	uint64_t *tree;			/* subvolumes */
	size_t nr_trees, room_trees;
	/* of the tree in hand */
	uint64_t id, ino;
	uint32_t generation;
	const char **why;
};

/* --- searches -------------------------------------------------------------- */

struct item {
	struct btrfs_ioctl_search_header key;
	const void *data;
};

struct search {
	uint64_t tree;
	uint8_t min_type, max_type;
	int (*each)(struct btrfs *fs, const struct item *item);
};

/* Behind the last key; false: there is nothing behind it. */
static bool step(struct btrfs_ioctl_search_key *key,
		 const struct btrfs_ioctl_search_header *last)
{
	key->min_objectid = last->objectid;
	key->min_type = last->type;
	key->min_offset = last->offset + 1;
	if (key->min_offset)
		return true;
	if (key->min_type++ < UINT8_MAX)
		return true;
	key->min_type = 0;
	return ++key->min_objectid;
}

/* Items of the wanted types in the buffer; *@last is the last one's key. */
static int take(struct btrfs *fs, const struct search *s,
		const struct btrfs_ioctl_search_args_v2 *args,
		struct btrfs_ioctl_search_header *last)
{
	const char *p = (const char *)args->buf;
	struct item item;
	uint32_t i;
	int ret = 0;

	for (i = 0; !ret && i < args->key.nr_items; i++) {
		memcpy(&item.key, p, sizeof(item.key));
		item.data = p + sizeof(item.key);
		p += sizeof(item.key) + item.key.len;
		*last = item.key;
		if (item.key.type >= s->min_type &&
		    item.key.type <= s->max_type)
			ret = s->each(fs, &item);
	}
	return ret;
}

static int search(struct btrfs *fs, const struct search *s)
{
	struct btrfs_ioctl_search_args_v2 *args;
	struct btrfs_ioctl_search_header last = { 0 };
	int ret = 0;

	args = calloc(1, sizeof(*args) + SEARCH_BYTES);
	if (!args)
		return -ENOMEM;
	args->buf_size = SEARCH_BYTES;
	args->key = (struct btrfs_ioctl_search_key){
		.tree_id = s->tree,
		.max_objectid = UINT64_MAX,
		.max_offset = UINT64_MAX,
		.max_transid = UINT64_MAX,
		.min_type = s->min_type,
		.max_type = s->max_type,
	};
	do {
		args->key.nr_items = UINT32_MAX;
		if (cancelled())
			ret = -ECANCELED;
		else if (ioctl(fs->fd, BTRFS_IOC_TREE_SEARCH_V2, args))
			ret = -errno;
		else
			ret = take(fs, s, args, &last);
	} while (!ret && args->key.nr_items && step(&args->key, &last));
	free(args);
	return ret;
}

/* --- chunks ---------------------------------------------------------------- */

#define COPIES	(BTRFS_BLOCK_GROUP_DUP | BTRFS_BLOCK_GROUP_RAID1_MASK)

static int each_chunk(struct btrfs *fs, const struct item *item)
{
	const struct btrfs_chunk *disk = item->data;
	uint64_t type = le64toh(disk->type);
	const struct btrfs_stripe *stripe = &disk->stripe;
	unsigned int i, nr = le16toh(disk->num_stripes);
	struct chunk *c;

	if (nr > 1 && !(type & COPIES)) {
		*fs->why = "its data is striped";
		return -EOPNOTSUPP;
	}
	c = grow(fs->chunk, fs->nr_chunks, &fs->room_chunks, sizeof(*c));
	if (!c)
		return -ENOMEM;
	fs->chunk = c;
	c += fs->nr_chunks;
	c->logical = item->key.offset;
	c->bytes = le64toh(disk->length);
	c->nr_stripes = nr;
	c->stripe = calloc(nr + 1, sizeof(*c->stripe));
	if (!c->stripe)
		return -ENOMEM;
	fs->nr_chunks++;
	for (i = 0; i < nr; i++)
		c->stripe[i] = le64toh(stripe[i].offset);
	return 0;
}

/* The first chunk that ends behind @logical */
static const struct chunk *find_chunk(const struct btrfs *fs, uint64_t logical)
{
	size_t low = 0, high = fs->nr_chunks, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (fs->chunk[mid].logical + fs->chunk[mid].bytes <= logical)
			low = mid + 1;
		else
			high = mid;
	}
	return fs->chunk + low;
}

/* Add what lies at @logical, wherever that is; @e: all but the place. */
static int add(struct btrfs *fs, enum owner_depth depth, uint64_t logical,
	       uint64_t bytes, const struct owner_extent *e)
{
	struct owner_extent piece;
	const struct chunk *c;
	uint64_t from, to;
	unsigned int i;
	int ret = 0;

	for (c = find_chunk(fs, logical);
	     !ret && c < fs->chunk + fs->nr_chunks; c++) {
		from = c->logical > logical ? c->logical : logical;
		to = c->logical + c->bytes;
		if (to > logical + bytes)
			to = logical + bytes;
		if (from >= to)
			break;
		piece = *e;
		piece.sectors = (to - from) >> SECTOR_SHIFT;
		if (e->ino)
			piece.offset += from - logical;
		for (i = 0; !ret && i < c->nr_stripes; i++) {
			piece.start = (c->stripe[i] + from - c->logical) >>
				      SECTOR_SHIFT;
			ret = owner_add(fs->b, depth, &piece);
		}
	}
	return ret;
}

static int add_space(struct btrfs *fs, uint64_t bytes)
{
	static const uint64_t supers[] = { 1ull << 16, 1ull << 26,
					   1ull << 38 };
	struct owner_extent e = {
		.sectors = bytes >> SECTOR_SHIFT,
		.kind = OWNER_NONE,
	};
	int ret = owner_add(fs->b, DEPTH_SPACE, &e);
	size_t i;

	if (!ret)
		ret = owner_add_meta(fs->b, 0, supers[0] >> SECTOR_SHIFT,
				     "boot block");
	for (i = 0; !ret && i < ARRAY_SIZE(supers); i++)
		if (supers[i] + SUPER_BYTES <= bytes)
			ret = owner_add_meta(fs->b, supers[i] >> SECTOR_SHIFT,
					     SUPER_BYTES >> SECTOR_SHIFT,
					     "superblock");
	return ret;
}

/* --- extents --------------------------------------------------------------- */

static const char *tree_word(uint64_t id)
{
	switch (id) {
	case BTRFS_ROOT_TREE_OBJECTID:
		return "root tree";
	case BTRFS_EXTENT_TREE_OBJECTID:
		return "extent tree";
	case BTRFS_CHUNK_TREE_OBJECTID:
		return "chunk tree";
	case BTRFS_DEV_TREE_OBJECTID:
		return "device tree";
	case BTRFS_CSUM_TREE_OBJECTID:
		return "checksum tree";
	case BTRFS_QUOTA_TREE_OBJECTID:
		return "quota tree";
	case BTRFS_FREE_SPACE_TREE_OBJECTID:
		return "free space tree";
	case BTRFS_FS_TREE_OBJECTID:
		return "file tree";
	}
	return id >= BTRFS_FIRST_FREE_OBJECTID &&
	       id <= BTRFS_LAST_FREE_OBJECTID ? "file tree" : "tree";
}

/* Whose block it is stands in the first reference, if that is in the item. */
static const char *tree_of(const struct item *item, bool skinny)
{
	size_t at = sizeof(struct btrfs_extent_item) +
		    (skinny ? 0 : sizeof(struct btrfs_tree_block_info));
	struct btrfs_extent_inline_ref ref;

	if (at + sizeof(ref) > item->key.len)
		return tree_word(0);
	memcpy(&ref, (const char *)item->data + at, sizeof(ref));
	return tree_word(ref.type == BTRFS_TREE_BLOCK_REF_KEY ?
			 le64toh(ref.offset) : BTRFS_FS_TREE_OBJECTID);
}

static int each_extent(struct btrfs *fs, const struct item *item)
{
	const struct btrfs_extent_item *disk = item->data;
	bool skinny = item->key.type == BTRFS_METADATA_ITEM_KEY;
	struct owner_extent e = { .kind = OWNER_META };

	if (!skinny && item->key.type != BTRFS_EXTENT_ITEM_KEY)
		return 0;
	if (skinny || le64toh(disk->flags) & BTRFS_EXTENT_FLAG_TREE_BLOCK) {
		e.what = tree_of(item, skinny);
		return add(fs, DEPTH_OWNER, item->key.objectid,
			   fs->node_bytes, &e);
	}
	e.kind = OWNER_NONE;
	e.what = "rest of an extent";
	return add(fs, DEPTH_LOOSE, item->key.objectid, item->key.offset, &e);
}

/* --- files ----------------------------------------------------------------- */

static int add_file_extent(struct btrfs *fs, const struct item *item)
{
	const struct btrfs_file_extent_item *disk = item->data;
	struct owner_extent e = {
		.kind = OWNER_FILE,
		.offset = item->key.offset,
		.ino = fs->ino,
		.tree = fs->id,
		.generation = fs->generation,
	};
	uint64_t logical, bytes;

	if (disk->type == BTRFS_FILE_EXTENT_INLINE || !disk->disk_bytenr)
		return 0;
	logical = le64toh(disk->disk_bytenr);
	if (disk->compression || disk->encryption || disk->other_encoding) {
		/* The blocks are of use as a whole only. */
		e.flags = OWNER_ENCODED;
		bytes = le64toh(disk->disk_num_bytes);
	} else {
		logical += le64toh(disk->offset);
		bytes = le64toh(disk->num_bytes);
	}
	if (fs->id == BTRFS_ROOT_TREE_OBJECTID) {
		e = (struct owner_extent){ .kind = OWNER_META,
					   .what = "free space cache" };
	} else if (disk->type == BTRFS_FILE_EXTENT_PREALLOC) {
		e.kind = OWNER_NONE;
		e.what = "preallocated";
	}
	return add(fs, DEPTH_OWNER, logical, bytes, &e);
}

static int add_name(struct btrfs *fs, uint64_t parent, const char *name,
		    size_t len)
{
	struct owner_node from = { fs->id, parent }, to = { fs->id, fs->ino };

	if (parent == fs->ino)		/* the top of a subvolume */
		return 0;
	return owner_name_add(fs->b, from, to, name, len);
}

static int add_refs(struct btrfs *fs, const struct item *item)
{
	const char *p = item->data, *end = p + item->key.len;
	struct btrfs_inode_ref ref;
	int ret = 0;

	while (!ret && end - p >= (ptrdiff_t)sizeof(ref)) {
		memcpy(&ref, p, sizeof(ref));
		p += sizeof(ref);
		/* The kernel has not looked into all of them. */
		if (le16toh(ref.name_len) > end - p)
			break;
		ret = add_name(fs, item->key.offset, p, le16toh(ref.name_len));
		p += le16toh(ref.name_len);
	}
	return ret;
}

static int add_extrefs(struct btrfs *fs, const struct item *item)
{
	const char *p = item->data, *end = p + item->key.len;
	struct btrfs_inode_extref ref;
	int ret = 0;

	while (!ret && end - p >= (ptrdiff_t)sizeof(ref)) {
		memcpy(&ref, p, sizeof(ref));
		p += sizeof(ref);
		/* The kernel has not looked into all of them. */
		if (le16toh(ref.name_len) > end - p)
			break;
		ret = add_name(fs, le64toh(ref.parent_objectid), p,
			       le16toh(ref.name_len));
		p += le16toh(ref.name_len);
	}
	return ret;
}

static int each_file_item(struct btrfs *fs, const struct item *item)
{
	const struct btrfs_inode_item *inode = item->data;

	fs->ino = item->key.objectid;
	switch (item->key.type) {
	case BTRFS_INODE_ITEM_KEY:
		fs->generation = le64toh(inode->generation);
		return 0;
	case BTRFS_INODE_REF_KEY:
		return add_refs(fs, item);
	case BTRFS_INODE_EXTREF_KEY:
		return add_extrefs(fs, item);
	case BTRFS_EXTENT_DATA_KEY:
		return add_file_extent(fs, item);
	}
	return 0;
}

static bool is_subvolume(uint64_t id)
{
	return id == BTRFS_FS_TREE_OBJECTID ||
	       (id >= BTRFS_FIRST_FREE_OBJECTID &&
		id <= BTRFS_LAST_FREE_OBJECTID);
}

/* The root tree: subvolumes, and their names in others */
static int each_root(struct btrfs *fs, const struct item *item)
{
	struct owner_node parent, top = { item->key.objectid,
					  BTRFS_FIRST_FREE_OBJECTID };
	const struct btrfs_root_ref *ref = item->data;
	uint64_t *tree;

	if (item->key.type == BTRFS_ROOT_BACKREF_KEY) {
		if (item->key.len < sizeof(*ref) ||
		    le16toh(ref->name_len) > item->key.len - sizeof(*ref))
			return 0;
		parent = (struct owner_node){ item->key.offset,
					      le64toh(ref->dirid) };
		return owner_name_add(fs->b, parent, top,
				      (const char *)(ref + 1),
				      le16toh(ref->name_len));
	}
	if (item->key.type != BTRFS_ROOT_ITEM_KEY ||
	    !is_subvolume(item->key.objectid))
		return 0;
	tree = grow(fs->tree, fs->nr_trees, &fs->room_trees,
		    sizeof(*tree));
	if (!tree)
		return -ENOMEM;
	fs->tree = tree;
	tree[fs->nr_trees++] = item->key.objectid;
	return 0;
}

static int read_files(struct btrfs *fs)
{
	struct search roots = { BTRFS_ROOT_TREE_OBJECTID, BTRFS_ROOT_ITEM_KEY,
				BTRFS_ROOT_BACKREF_KEY, each_root };
	struct search caches = { BTRFS_ROOT_TREE_OBJECTID,
				 BTRFS_EXTENT_DATA_KEY, BTRFS_EXTENT_DATA_KEY,
				 each_file_item };
	struct search files = { 0, BTRFS_INODE_ITEM_KEY, BTRFS_EXTENT_DATA_KEY,
				each_file_item };
	int ret = search(fs, &roots);
	size_t i;

	fs->id = BTRFS_ROOT_TREE_OBJECTID;
	if (!ret)
		ret = search(fs, &caches);
	for (i = 0; !ret && i < fs->nr_trees; i++) {
		fs->id = fs->tree[i];
		files.tree = fs->id;
		ret = search(fs, &files);
	}
	return ret;
}

/* --- all ------------------------------------------------------------------- */

static int read_all(struct btrfs *fs)
{
	struct search chunks = { BTRFS_CHUNK_TREE_OBJECTID,
				 BTRFS_CHUNK_ITEM_KEY, BTRFS_CHUNK_ITEM_KEY,
				 each_chunk };
	struct search extents = { BTRFS_EXTENT_TREE_OBJECTID,
				  BTRFS_EXTENT_ITEM_KEY,
				  BTRFS_METADATA_ITEM_KEY, each_extent };
	struct btrfs_ioctl_fs_info_args info = { 0 };
	struct btrfs_ioctl_dev_info_args dev = { 0 };
	int ret;

	if (ioctl(fs->fd, BTRFS_IOC_FS_INFO, &info))
		return -errno;
	if (info.num_devices != 1) {
		*fs->why = "it has several devices";
		return -EOPNOTSUPP;
	}
	dev.devid = info.max_id;
	if (ioctl(fs->fd, BTRFS_IOC_DEV_INFO, &dev))
		return -errno;
	fs->node_bytes = info.nodesize;
	ret = add_space(fs, dev.total_bytes);
	if (!ret)
		ret = search(fs, &chunks);
	if (!ret)
		ret = search(fs, &extents);
	return ret ? ret : read_files(fs);
}

int owner_btrfs(struct owner_build *b, const char **why)
{
	struct btrfs fs = { .b = b, .why = why };
	size_t i;
	int ret;

	if (!b->dir) {
		*why = "it cannot be mounted";
		return -EIO;
	}
	fs.fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fs.fd < 0)
		return -errno;
	b->root = (struct owner_node){ BTRFS_FS_TREE_OBJECTID,
				       BTRFS_FIRST_FREE_OBJECTID };
	ret = read_all(&fs);
	for (i = 0; i < fs.nr_chunks; i++)
		free(fs.chunk[i].stripe);
	free(fs.chunk);
	free(fs.tree);
	close(fs.fd);
	return ret;
}
