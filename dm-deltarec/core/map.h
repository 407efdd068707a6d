/* SPDX-License-Identifier: GPL-2.0 */
/*
 * map.h - what a block contains, seen from an epoch.
 *
 * state(b, E) is the newest version of b whose epoch lies on the lineage of
 * E; without one, the origin's block (invariants M1-M5). A lookup uses one
 * snapshot from end to end: never the tables of one moment with the root of
 * another.
 */
#ifndef DR_MAP_H
#define DR_MAP_H

#include "memtable.h"
#include "tree.h"

struct dr_snap {
	const struct dr_memtable *active;
	const struct dr_memtable *frozen;	/* or NULL */
	struct dr_root map;
	const struct dr_lineage *lineage;	/* of head */
	u32 head;
};

struct dr_state {
	u64 slot;	/* or DR_SLOT_ZERO, DR_SLOT_ORIGIN */
	u64 len;	/* blocks for which this holds, consecutive slots */
	u32 epoch;	/* that wrote it; 0: none did */
	u8 flags;	/* DR_MAP_* */
	bool in_active;	/* found in the active table, at index: */
	bool in_frozen;
	u32 at;		/* of the latest of these blocks */
};

/**
 * dr_map_lookup() - state of a block
 * @env: environment
 * @snap: snapshot
 * @l: lineage to look along
 * @epoch: to look from
 * @block: first block
 * @max: blocks of interest, at least 1
 * @slot_blocks: blocks in a slot
 * @st: the state of @block, and for how many blocks it continues
 * @want: on -EAGAIN, the node to load
 *
 * Context: inside env->enter/leave since before @snap was read.
 * Return: as dr_tree_seek().
 */
int dr_map_lookup(const struct dr_env *env, const struct dr_snap *snap,
		  const struct dr_lineage *l, u32 epoch, u64 block, u64 max,
		  u32 slot_blocks, struct dr_state *st, struct dr_want *want);

/**
 * dr_map_unsettled() - how far does the head have no data of its own?
 * @env: environment
 * @snap: snapshot; looked at from its head
 * @block: first block
 * @max: blocks of interest
 *
 * The question of a write that replaces whole blocks: it need not know what it
 * replaces, only that it may not go there in place: where dr_map_lookup() ends
 * with what continues one state, this goes on over all that are not the head's.
 *
 * Context: inside env->enter/leave since before @snap was read.
 * Return: from @block on surely so many blocks, at most @max; fewer than there
 * are when a node is not in memory, or where the head has given up its data.
 */
u64 dr_map_unsettled(const struct dr_env *env, const struct dr_snap *snap,
		     u64 block, u64 max);

/**
 * dr_map_state() - as dr_map_lookup(), from the tree alone and at most to the end
 * of a run, sleeping
 * @c: cursor over the map tree
 * Context: may sleep. Return: 0 or a negative errno.
 */
int dr_map_state(struct dr_cursor *c, const struct dr_lineage *l, u32 epoch,
		 u64 block, u64 max, u32 slot_blocks, struct dr_state *st);

static inline struct dr_key dr_map_key(u64 block, u32 epoch)
{
	return (struct dr_key){ block, epoch };
}

#endif
