/* SPDX-License-Identifier: GPL-2.0 */
/*
 * format.h - the on-disk format of a delta device (normative text:
 * Documentation/deltarec-format.rst).
 *
 * Everything is little-endian and naturally aligned, in metadata blocks of
 * 4 KiB that carry magic, own block number, device uuid, generation and
 * crc32c. A block number counts 4 KiB units from the start of the delta
 * device. Data slots are slot_blocks consecutive, aligned blocks.
 */
#ifndef DR_FORMAT_H
#define DR_FORMAT_H

#include "dr_port.h"
#include "names.h"

#define DR_BLOCK_SHIFT		12u
#define DR_BLOCK_SIZE		4096u
#define DR_BLOCK_SECTORS	8u
#define DR_FORMAT_VERSION	1u
#define DR_UUID_LEN		16u

/*
 * Regions: each carries two places for its bitmap page; the first of every
 * DR_INDEX_PAGES regions also the two places of their index page.
 */
#define DR_REGION_BLOCKS	32256u		/* bits in one bitmap page */
#define DR_REGION_BITMAP	2u		/* offset of the bitmap places */
#define DR_REGION_INDEX		4u		/* offset of the index places */
#define DR_INDEX_PAGES		504u		/* bitmap pages in one index page */
#define DR_SUPER_INDEX		384u		/* index pages in the superblock */
#define DR_MAX_REGIONS		(DR_INDEX_PAGES * DR_SUPER_INDEX)
#define DR_MAX_BLOCKS		((u64)DR_MAX_REGIONS * DR_REGION_BLOCKS)
#define DR_JOURNAL_START	8u
#ifndef DR_JOURNAL_MIN	/* tests make it small */
#define DR_JOURNAL_MIN		64u
#endif
#define DR_JOURNAL_MAX		16384u
#define DR_MIN_BLOCKS		2048u		/* 8 MiB: smallest delta device */
#define DR_MAX_SLOT_BLOCKS	256u		/* block size at most 1 MiB */

/* Limits of the fields of a map entry */
#define DR_ADDR_BITS		40u
#define DR_ADDR_MASK		((1ULL << DR_ADDR_BITS) - 1)
#define DR_RUN_MAX		4096u		/* blocks in one map entry */
#define DR_SLOT_ZERO		(DR_ADDR_MASK)		/* reads as zeroes */
#define DR_SLOT_ORIGIN		(DR_ADDR_MASK - 1)	/* look at the origin */
#define DR_MAX_ORIGIN_BLOCKS	(DR_ADDR_MASK + 1)

enum dr_block_type {
	DR_TYPE_SUPER	= 1,
	DR_TYPE_INDEX	= 2,
	DR_TYPE_BITMAP	= 3,
	DR_TYPE_NODE	= 4,
	DR_TYPE_JOURNAL	= 5,
};

#define DR_MAGIC		0x31435244u	/* "DRC1" */

/* First in every metadata block */
struct dr_disk_head {
	__le32 crc;		/* crc32c, seed ~0, of all that follows */
	__le32 magic;
	__le64 block;		/* where this block lives */
	u8 uuid[DR_UUID_LEN];
	__le64 gen;		/* generation that wrote it */
	__le16 type;
	__le16 reserved0;
	__le32 reserved1;
};

struct dr_disk_root {
	__le64 block;		/* 0: the tree is empty */
	__le64 nr;		/* entries in the tree */
	__le32 crc;
	__le16 level;		/* of the root node; leaves are 0 */
	__le16 reserved;
};

struct dr_disk_ref {		/* to one of the two places of a page */
	__le32 crc;
	__le32 place;
};

#define DR_ORIGIN_ID_LEN	64u

/* Feature bits */
#define DR_RO_COMPAT_NOTES	1ULL	/* the tree of notes is not empty */
#define DR_RO_COMPAT_MARKS	2ULL	/* there were marks or a policy */
#define DR_RO_COMPAT_COMMIT	4ULL	/* something was committed to the origin */
#define DR_RO_COMPAT_START	8ULL	/* dr_disk_start is not all zero */

/* What an activation does with what was written before (B1-B8) */
struct dr_disk_start {
	__le32 epoch;		/* where a nonpersistent device begins; 0: base */
	__le32 flags;		/* DR_START_* */
	__le32 since;		/* from here on a discard drops; 0: nothing */
	__le32 session;		/* with SESSION: the epoch it began with */
};

#define DR_START_UPDATE_WANTED	1u	/* from the next activation on: */
#define DR_START_UPDATING	2u	/* activations do not go back */
#define DR_START_SESSION	4u	/* of undoable: no answer acted on yet */
#define DR_START_SESSION_KEEP	8u	/* the answer, for the next activation */
#define DR_START_SESSION_DISCARD 16u	/* the other one */
#define DR_START_FLAGS		31u

struct dr_disk_super {
	struct dr_disk_head head;
	__le32 version;
	__le32 slot_blocks;
	__le64 compat;
	__le64 ro_compat;
	__le64 incompat;
	__le64 origin_sectors;
	__le64 nr_blocks;	/* of the delta device that are in use */
	__le64 created;		/* seconds since 1970 */
	__le32 journal_blocks;
	__le32 reserve;		/* blocks kept for metadata and recovery */
	__le64 session;		/* of the journal */
	__le64 tail_seq;	/* first journal block that must be replayed */
	__le32 tail_prev_crc;
	__le32 head_epoch;
	__le32 next_epoch;
	__le32 nr_epochs;
	struct dr_disk_root map;
	struct dr_disk_root index;
	struct dr_disk_root epochs;
	char label[DR_LABEL_MAX + 1];
	char origin_id[DR_ORIGIN_ID_LEN];	/* as format found it, or "" */
	__le64 nodes;		/* blocks used by the trees */
	struct dr_disk_root notes;	/* with DR_RO_COMPAT_NOTES */
	char policy[DR_POLICY_MAX + 1];	/* with DR_RO_COMPAT_MARKS, or "" */
	/* With DR_RO_COMPAT_COMMIT */
	__le32 commit_epoch;	/* being committed to the origin, or 0 */
	__le32 base_epoch;	/* that the origin holds, or 0: as formatted */
	__le64 base_time;	/* when that was sealed, seconds since 1970 */
	struct dr_disk_start start;	/* with DR_RO_COMPAT_START, or zero */
	u8 reserved[376];
	struct dr_disk_ref pages[DR_SUPER_INDEX];
};

struct dr_disk_index {
	struct dr_disk_head head;
	__le32 number;
	__le32 reserved[3];
	struct dr_disk_ref pages[DR_INDEX_PAGES];
};

struct dr_disk_bitmap {
	struct dr_disk_head head;
	__le32 region;
	__le32 nr_free;
	__le64 reserved;
	__le64 bits[DR_REGION_BLOCKS / 64];	/* 1: in use */
};

/* Trees */
enum dr_tree_id {
	DR_TREE_MAP	= 1,	/* (block, epoch) -> slot */
	DR_TREE_INDEX	= 2,	/* (epoch, block) -> length */
	DR_TREE_EPOCHS	= 3,	/* epoch -> record */
	DR_TREE_NOTES	= 4,	/* (epoch, kind, index) -> piece of a note */
};

#define DR_NODE_BYTES		4032u
#define DR_MAX_LEVEL		10u

struct dr_disk_node {
	struct dr_disk_head head;
	__le16 level;
	__le16 nr;
	u8 tree;
	u8 reserved[11];
	u8 data[DR_NODE_BYTES];
};

struct dr_disk_child {		/* entry of an interior node */
	__le64 key_hi;		/* exactly the first key below it */
	__le64 key_lo;
	__le64 block;
	__le32 crc;
	__le32 reserved;
};

/*
 * Entry of a map leaf, and record of the journal: blocks
 * [block, block + len) had in this epoch the slots
 * slot, slot + slot_blocks, ... (or are all ZERO, or all ORIGIN).
 * v: slot in bits 0-39, len - 1 in 40-51, block bits 32-39 in 52-59,
 * flags in 60-63.
 */
struct dr_disk_map {
	__le32 block_lo;
	__le32 epoch;
	__le64 v;
};

#define DR_MAP_MERGED		1u	/* made over part of an older version */

struct dr_disk_extent {		/* entry of an index leaf */
	__le32 epoch;
	__le32 len;
	__le64 block;
};

struct dr_disk_epoch {		/* entry of an epoch leaf */
	__le32 id;
	__le32 parent;
	__le32 prev;		/* head that its maker sealed, else 0 */
	u8 state;		/* enum dr_epoch_state */
	u8 how;			/* enum dr_epoch_how */
	__le16 flags;		/* DR_EPOCH_* */
	__le64 time;		/* when sealed, seconds since 1970 */
	__le64 nr_blocks;	/* written in it, as counted when sealed */
	char label[DR_LABEL_MAX + 1];
	__le32 note_bytes;	/* of its note; 0: it has none */
	__le32 read_first;	/* 1 + blocks; 0: reads were not tracked */
	u8 marks;		/* DR_MARK_*, with DR_RO_COMPAT_MARKS */
	u8 reserved[39];
};

/* What is kept with an epoch beside its record */
enum dr_note_kind {
	DR_NOTE_TEXT	= 0,	/* whatever the administrator gave */
	DR_NOTE_READS	= 1,	/* what was read while it was the head */
};

/* A bit for each 2^n sectors, the least n with which all of the device fits */
#define DR_READS_BITS	32768u
#define DR_READS_BYTES	(DR_READS_BITS / 8)

#define DR_NOTE_CHUNK	112u

struct dr_disk_note {		/* entry of a notes leaf: one piece of it */
	__le32 epoch;
	__le16 kind;		/* enum dr_note_kind */
	__le16 len;		/* bytes of data; full but in the last piece */
	__le32 index;		/* of the piece, from 0 */
	__le32 reserved;
	u8 data[DR_NOTE_CHUNK];
};

enum dr_epoch_state {
	DR_EPOCH_HEAD		= 1,
	DR_EPOCH_SEALED		= 2,
	DR_EPOCH_DROPPED	= 3,
	DR_EPOCH_BUILDING	= 4,
};

enum dr_epoch_how {
	DR_MADE_BY_FORMAT	= 0,
	DR_MADE_BY_CHECKPOINT	= 1,
	DR_MADE_BY_ROLLBACK	= 2,
	DR_MADE_BY_REPLAY	= 3,
};

#define DR_EPOCH_FROZEN		1u	/* file systems were frozen when sealed */
#define DR_EPOCH_CUT		2u	/* what it was opened on was dropped */
#define DR_EPOCH_VISIT		4u	/* dropped, and reclaim has to look at it */
#define DR_EPOCH_SPREAD		8u	/* and at the dropped ones below it */
#define DR_EPOCH_SHARES		16u	/* shows slots of other epochs */
#define DR_EPOCH_FLAGS		31u

/* What the administrator says of an epoch */
#define DR_MARK_PINNED		1u	/* never dropped */
#define DR_MARK_LOOSE		2u	/* its label does not protect it */
#define DR_MARK_SUSPECT		4u	/* damage; evidence */
#define DR_MARKS_KNOWN		7u

/* Journal */
enum dr_journal_kind {
	DR_JOURNAL_MAP	= 1,	/* nr dr_disk_map records */
	DR_JOURNAL_CTL	= 2,	/* one dr_disk_ctl */
	DR_JOURNAL_RANGE = 3,	/* nr dr_disk_range records */
	DR_JOURNAL_CLAIM = 4,	/* one dr_disk_claim */
};

struct dr_disk_range {		/* a discard: all of it is ZERO */
	__le64 block;
	__le64 len;
	__le32 epoch;
	__le32 reserved;
};

/*
 * A version whose data may not have arrived: it counts if what lies in its slots
 * has this checksum (J8).
 */
struct dr_disk_claim {
	struct dr_disk_map map;
	__le32 crc;		/* crc32c, seed ~0, of the slots */
	__le32 reserved;
};

#define DR_CLAIM_BLOCKS		4u	/* blocks of 4 KiB in one claim, at most */

#define DR_JOURNAL_RECORDS	251u
#define DR_JOURNAL_RANGES	167u

struct dr_disk_journal {
	struct dr_disk_head head;
	__le64 session;
	__le64 seq;
	__le32 prev_crc;	/* crc of block seq - 1 */
	__le16 kind;
	__le16 nr;
	__le64 claims;		/* those in blocks before this one are void (J8) */
	u8 data[DR_JOURNAL_RECORDS * 16];
};

enum dr_ctl_type {
	DR_CTL_SEAL	= 1,	/* seal epoch, open head as its child */
	DR_CTL_ROLLBACK	= 2,	/* seal epoch, open head as child of parent */
	DR_CTL_REPLAY	= 3,	/* the same, and seal replay as child of epoch */
	DR_CTL_DROP	= 4,	/* epoch is dropped */
};

struct dr_disk_ctl {
	__le16 type;
	__le16 flags;		/* DR_EPOCH_* of the sealed epoch */
	__le32 epoch;
	__le32 head;
	__le32 parent;
	__le64 time;
	__le64 nr_blocks;
	char label[DR_LABEL_MAX + 1];
	__le32 read_first;	/* of the sealed epoch */
	u8 reserved[44];
};

#define DR_SIZE(t, n)	_Static_assert(sizeof(struct t) == (n), #t)
#define DR_AT(t, f, n)	_Static_assert(offsetof(struct t, f) == (n), #t "." #f)
DR_SIZE(dr_disk_head, 48);
DR_SIZE(dr_disk_root, 24);
DR_SIZE(dr_disk_super, 4096);
DR_AT(dr_disk_super, version, 48);
DR_AT(dr_disk_super, session, 112);
DR_AT(dr_disk_super, map, 144);
DR_AT(dr_disk_super, label, 216);
DR_AT(dr_disk_super, origin_id, 264);
DR_AT(dr_disk_super, notes, 336);
DR_AT(dr_disk_super, policy, 360);
DR_AT(dr_disk_super, commit_epoch, 616);
DR_AT(dr_disk_super, base_time, 624);
DR_SIZE(dr_disk_start, 16);
DR_AT(dr_disk_super, start, 632);
DR_AT(dr_disk_super, pages, 1024);
DR_SIZE(dr_disk_index, 4096);
DR_AT(dr_disk_index, pages, 64);
DR_SIZE(dr_disk_bitmap, 4096);
DR_AT(dr_disk_bitmap, bits, 64);
DR_SIZE(dr_disk_node, 4096);
DR_AT(dr_disk_node, data, 64);
DR_SIZE(dr_disk_child, 32);
DR_SIZE(dr_disk_map, 16);
DR_SIZE(dr_disk_extent, 16);
DR_SIZE(dr_disk_epoch, 128);
DR_AT(dr_disk_epoch, note_bytes, 80);
DR_AT(dr_disk_epoch, read_first, 84);
DR_AT(dr_disk_epoch, marks, 88);
DR_SIZE(dr_disk_note, 128);
DR_SIZE(dr_disk_journal, 4096);
DR_AT(dr_disk_journal, data, 80);
DR_SIZE(dr_disk_ctl, 128);
DR_AT(dr_disk_ctl, read_first, 80);
DR_SIZE(dr_disk_range, 24);

/* The same in memory */
struct dr_map {
	u64 block;
	u64 slot;		/* or DR_SLOT_ZERO, DR_SLOT_ORIGIN */
	u32 epoch;
	u16 len;		/* 1 .. DR_RUN_MAX */
	u8 flags;		/* DR_MAP_* */
};

static inline bool dr_slot_is_data(u64 slot)
{
	return slot < DR_SLOT_ORIGIN;
}

/* The slot of the block that lies @n after the first one of a run */
static inline u64 dr_slot_plus(u64 slot, u64 n, u32 slot_blocks)
{
	return dr_slot_is_data(slot) ? slot + n * slot_blocks : slot;
}

static inline u64 dr_disk_map_block(const struct dr_disk_map *d)
{
	return le32_to_cpu(d->block_lo) |
	       ((le64_to_cpu(d->v) >> 52 & 0xff) << 32);
}

static inline void dr_map_decode(struct dr_map *m, const struct dr_disk_map *d)
{
	u64 v = le64_to_cpu(d->v);

	m->block = le32_to_cpu(d->block_lo) | ((v >> 52 & 0xff) << 32);
	m->epoch = le32_to_cpu(d->epoch);
	m->slot = v & DR_ADDR_MASK;
	m->len = (v >> DR_ADDR_BITS & 0xfff) + 1;
	m->flags = v >> 60;
}

static inline void dr_map_encode(struct dr_disk_map *d, const struct dr_map *m)
{
	d->block_lo = cpu_to_le32((u32)m->block);
	d->epoch = cpu_to_le32(m->epoch);
	d->v = cpu_to_le64((m->slot & DR_ADDR_MASK) |
			   (u64)(m->len - 1) << DR_ADDR_BITS |
			   (m->block >> 32 & 0xff) << 52 |
			   (u64)m->flags << 60);
}

/**
 * dr_head_seal() - fill the header of a metadata block and its checksum
 * @buf: the block, DR_BLOCK_SIZE bytes, complete but for its header
 * @type: enum dr_block_type
 * @block: where it will live
 * @gen: generation that writes it
 * @uuid: of the device
 *
 * Return: the checksum, for whoever points at the block.
 */
u32 dr_head_seal(void *buf, u16 type, u64 block, u64 gen, const u8 *uuid);

/**
 * dr_head_verify() - is this the block that we asked for, undamaged?
 * @buf: the block as read
 * @type: enum dr_block_type that it must have
 * @block: where it was read from
 * @uuid: of the device, or NULL when not known yet
 *
 * Return: NULL if so, else what is wrong with it (a constant string).
 */
const char *dr_head_verify(const void *buf, u16 type, u64 block,
			   const u8 *uuid);

u32 dr_head_crc(const void *buf);

#endif
