/* SPDX-License-Identifier: GPL-2.0 */
/*
 * txn.h - a transaction: the blocks that a change of the trees takes, names
 * and gives up.
 *
 * One transaction is open at a time. It ends in dr_txn_abort(), which puts the
 * bitmaps back, or in a durable superblock and then dr_txn_release(), which
 * makes what was given up available again. Between the two the caller waits
 * until no reader can hold an older root (store.h).
 */
#ifndef DR_TXN_H
#define DR_TXN_H

#include "space.h"
#include "tree.h"

enum dr_txn_op {
	DR_TXN_TAKE,	/* a node was allocated: busy and disk set */
	DR_TXN_NAME,	/* a slot is named by a tree: disk set */
	DR_TXN_GIVE,	/* given up: disk cleared, busy still set */
	DR_TXN_GIVE_NEW,/* the same, of something that was never in disk */
	DR_TXN_GIVE_NODE,/* as GIVE: no journal names a node */
};

struct dr_txn_entry {
	u64 block;
	u32 nr;
	u32 op;
};

struct dr_builder {
	u32 nr;
	struct dr_disk_node *node[2];	/* the second one after the first */
};

struct dr_txn {
	const struct dr_env *env;
	struct dr_space *sp;
	const u8 *uuid;
	u64 gen;		/* generation under construction */
	struct dr_txn_entry *log;
	u32 nr_log;
	u32 max_log;
	u32 kept;		/* entries of earlier ones, see dr_txn_release() */
	u64 fed;		/* changes in this one: versions times blocks, */
	u64 max_fed;		/* and how many there may be in a step */
	u32 asked;		/* how often whether to go on, in this one */
	u64 leave;		/* free blocks that its nodes may not take */
	bool hold;		/* the journal is being replayed, see there */
	/*
	 * Nodes that this transaction both took and gave up; the first
	 * nr_spare of them may be taken again.
	 */
	u64 *fresh;
	u32 nr_fresh;
	u32 nr_spare;
	u64 nodes_before;
	/* Workspace of dr_tree_apply() */
	const struct dr_tree_type *t;
	const struct dr_batch *batch;
	struct dr_disk_node *old[DR_MAX_LEVEL];
	struct dr_builder build[DR_MAX_LEVEL + 1];
	struct dr_root built;	/* topmost node written so far */
	s64 delta;		/* entries gained */
};

#ifndef DR_TXN_LOG	/* tests make these small */
#define DR_TXN_LOG	65536u
#define DR_TXN_FRESH	16384u
#define DR_TXN_PIECES	64u	/* at least, before it ends for who waits, */
#define DR_TXN_EACH	8u	/* and after how many more that is looked at */
#endif

int dr_txn_init(struct dr_txn *txn, const struct dr_env *env,
		struct dr_space *sp, const u8 *uuid);
void dr_txn_exit(struct dr_txn *txn);

void dr_txn_begin(struct dr_txn *txn, u64 gen);

/*
 * Asked between two pieces of work: one more, or commit first, since the log is
 * half full or somebody waits (S14)?
 */
bool dr_txn_roomy(struct dr_txn *txn);

/*
 * What a step needs at once grows with what it does (S11). After one that found
 * no room: can it be made smaller, and be tried again? After one that was
 * committed the next may be larger.
 */
bool dr_txn_smaller(struct dr_txn *txn);
void dr_txn_larger(struct dr_txn *txn);

/* A tree names a slot that so far only the journal or a memtable named. */
int dr_txn_name(struct dr_txn *txn, u64 block, u32 nr);
/* A tree no longer names a slot, or it was never named and is not needed. */
int dr_txn_give(struct dr_txn *txn, u64 block, u32 nr);

/*
 * Nodes that this transaction both wrote and replaced can be used again at
 * once; called when no root of the middle of the transaction is in use.
 */
void dr_txn_settle(struct dr_txn *txn);

/* Has it taken a block for a node, which may be on its way to the device? */
bool dr_txn_wrote(const struct dr_txn *txn);
/* No write of its nodes is on its way any more. */
void dr_txn_abort(struct dr_txn *txn);
/*
 * After the commit is durable and readers have left; env->lock not held.
 * @final: no durable journal names a slot that no tree ever named. Otherwise
 * such slots stay in the log until a release that is final; while the
 * journal is being replayed (@txn->hold) all slots that were given up do, since
 * a tree may have named them for the first time just now.
 */
void dr_txn_release(struct dr_txn *txn, bool final);

/* For tree-apply.c */
u64 dr_txn_take_node(struct dr_txn *txn);
/* @gen: generation in the header of the node */
int dr_txn_give_node(struct dr_txn *txn, u64 block, u64 gen);

#endif
