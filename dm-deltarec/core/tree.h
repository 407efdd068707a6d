/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tree.h - B+trees whose nodes are never modified once written.
 *
 * A tree is named by its root {block, crc, level}. Readers need no locks: a
 * node never changes, and its space is used again only after a root without
 * it is durable and all readers that may hold an older root have left
 * (store.h). Writers update in bulk: dr_tree_apply() takes a sorted batch and
 * returns a new root, having rewritten every touched node once (invariants
 * T1-T4 in Documentation/deltarec-design.rst). The method, a path copy per
 * batch, is that of write-anywhere file systems (Hitz et al. 1994, WAFL) and
 * of Rodeh's "B-trees, shadowing and clones" (2008) without its reference
 * counts, which the versions make needless.
 *
 * Entries are opaque here but for their size and key.
 */
#ifndef DR_TREE_H
#define DR_TREE_H

#include "env.h"

struct dr_txn;

struct dr_key {
	u64 hi;
	u64 lo;
};

struct dr_tree_type {
	u8 id;			/* enum dr_tree_id */
	u8 esize;		/* bytes of an entry, a multiple of 8 */
	struct dr_key (*key)(const void *entry);
};

extern const struct dr_tree_type dr_tree_map, dr_tree_index, dr_tree_epochs,
				 dr_tree_notes;

#define DR_ENTRY_MAX	128u	/* largest esize */

static inline int dr_key_cmp(struct dr_key a, struct dr_key b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	if (a.lo != b.lo)
		return a.lo < b.lo ? -1 : 1;
	return 0;
}

/* Tests fill nodes less, to have tall trees of few entries. */
#ifndef DR_NODE_FILL
#define DR_NODE_FILL	DR_NODE_BYTES
#endif

static inline u32 dr_node_max(const struct dr_tree_type *t, u32 level)
{
	return DR_NODE_FILL / (level ? sizeof(struct dr_disk_child) : t->esize);
}

/* Where a search ended; valid until env->leave() */
struct dr_spot {
	const struct dr_disk_node *leaf;
	int pos;		/* last entry <= key, -1 if there is none */
	bool has_next;		/* there is a leaf to the right, */
	struct dr_key next;	/* and this is its first key */
};

/**
 * dr_tree_seek() - find the last entry whose key is <= @key
 * @env: environment
 * @uuid: of the device
 * @t: type of the tree
 * @root: of the tree
 * @key: what to look for
 * @spot: where the search ended
 * @want: on -EAGAIN, the node to be loaded with dr_tree_load()
 *
 * Context: inside env->enter/leave. Does not sleep.
 * Return: 0, -EAGAIN, -EUCLEAN (damaged).
 */
int dr_tree_seek(const struct dr_env *env, const struct dr_tree_type *t,
		 const struct dr_root *root, struct dr_key key,
		 struct dr_spot *spot, struct dr_want *want);

/**
 * dr_tree_load() - read, verify and cache a node
 * Context: may sleep.
 * Return: 0, -EIO and the like, -EUCLEAN (damaged, reported).
 */
int dr_tree_load(const struct dr_env *env, const u8 *uuid,
		 const struct dr_want *want);

/**
 * dr_node_verify() - is a block a well-formed node?
 *
 * Checks what can be known from the block alone: header, checksum, counts,
 * order of keys. Return: NULL, or what is wrong.
 */
const char *dr_node_verify(const void *buf, const u8 *uuid,
			   const struct dr_want *want);

/*
 * A cursor walks a tree in key order, with its own copy of one leaf; it may
 * sleep between steps and holds no section open.
 */
struct dr_cursor {
	const struct dr_env *env;
	const u8 *uuid;
	const struct dr_tree_type *t;
	struct dr_root root;
	struct dr_disk_node *leaf;	/* the copy; DR_BLOCK_SIZE bytes */
	int pos;
	bool valid;			/* leaf holds something */
	bool has_next;
	struct dr_key next;
};

int dr_cursor_init(struct dr_cursor *c, const struct dr_env *env,
		   const u8 *uuid, const struct dr_tree_type *t,
		   const struct dr_root *root);
void dr_cursor_exit(struct dr_cursor *c);
/* Point it at another root of the same tree; the position is lost. */
void dr_cursor_reset(struct dr_cursor *c, const struct dr_root *root);
/*
 * Last entry <= key / first entry >= key / the one after the current.
 * Return: 1 and the entry in *@entry (valid until the next call), 0 when
 * there is none, or an error. May sleep.
 */
int dr_cursor_le(struct dr_cursor *c, struct dr_key key, const void **entry);
int dr_cursor_ge(struct dr_cursor *c, struct dr_key key, const void **entry);
int dr_cursor_next(struct dr_cursor *c, const void **entry);

/* A batch of updates, sorted by key, each key once */
struct dr_batch {
	const struct dr_tree_type *t;
	u32 nr;
	u32 max;
	u8 *entries;		/* nr * esize */
	u8 *del;		/* 1: delete the entry with this key */
};

int dr_batch_init(struct dr_batch *b, const struct dr_env *env,
		  const struct dr_tree_type *t, u32 max);
void dr_batch_exit(struct dr_batch *b, const struct dr_env *env);

static inline void *dr_batch_at(const struct dr_batch *b, u32 i)
{
	return b->entries + (size_t)i * b->t->esize;
}

/**
 * dr_tree_apply() - update a tree in bulk
 * @txn: transaction that accounts for nodes taken and given up
 * @root: of the tree; replaced by the new one on success only
 * @b: what to insert, replace and delete
 *
 * Deleting what is not there is no error.
 * Context: may sleep; one at a time in a store.
 * Return: 0 or a negative errno; after an error the transaction can only be
 * aborted.
 */
int dr_tree_apply(struct dr_txn *txn, struct dr_root *root,
		  const struct dr_batch *b);

#endif
