/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store.h - a delta device as a whole: superblock, write path, merges.
 *
 * What happens to a first write, and who calls what:
 *
 *   dr_store_begin_write()   take slots, promise room in the memtable  (lock)
 *     ... the embedder writes the data into the slots ...
 *   dr_store_publish()       versions become visible                   (lock)
 *   dr_store_claim()         or before that: record it beside the data (lock)
 *   dr_store_fill()          encode what is unrecorded as journal blocks(lock)
 *     ... the embedder writes them with PREFLUSH and FUA ...
 *   dr_store_filled()        they are durable                          (lock)
 *   dr_store_freeze()        when most is used: a new table            (lock)
 *   dr_merge_step()          the old one goes into the trees        (sleeps)
 *     ... the embedder publishes a new snapshot, waits for readers ...
 *   dr_store_release()       space that was given up is free           (lock)
 *
 * Ordering (J1-J7 in Documentation/deltarec-design.rst):
 *   a version is published after its data has arrived; recorded by a journal
 *   block whose write begins with a flush, so the data is durable before the
 *   record that names it; acknowledged to a flush after that record is durable.
 *   A seal record follows every record of its epoch and precedes every record
 *   of the next. A superblock is written after all that it leads to is
 *   durable, and what it gave up is used again only after it is durable itself
 *   and the readers of the older roots have left.
 *
 * Locking: "(lock)" functions are called with env->lock held. The sleeping
 * ones are called by one thread at a time. Commits and control records
 * exclude each other: dr_merge_step() and other committing functions must not
 * run their last part while a control record is pending; the embedder holds
 * one mutex around both and hands it over in the commit_lock/unlock calls.
 */
#ifndef DR_STORE_H
#define DR_STORE_H

#include "journal.h"
#include "map.h"
#include "plan.h"
#include "space.h"
#include "txn.h"

enum dr_ctl_state {
	DR_CTL_NONE,
	DR_CTL_DRAINING,	/* waits for I/O of the old epoch to end */
	DR_CTL_READY,		/* to be recorded */
};

/* A group of journal blocks that was handed out to be written */
struct dr_group {
	struct dr_memtable *table;
	u64 first;		/* of the table, to know it again */
	u32 recorded;		/* what table->recorded becomes */
	bool ctl;		/* the pending control record is among them */
	u64 place;		/* first block on the device */
	u32 nr;
};

/* Epochs that may have versions in one memtable; bounds dr_urun.nr */
#define DR_SPAN_MAX	1024u

struct dr_merge {
	struct dr_plan plan;
	bool under_way;
	u32 nr_sorted;
	u32 nr_taken;		/* entries of the table, ranges too */
	u32 next;		/* position in the sorted order */
	u64 pos;		/* blocks before this one are merged */
	struct dr_ver *ver[2];	/* the run being collected, and the next one */
	u32 *age;		/* beside the one being collected */
	u32 nr[2];
	u64 cut[2 * DR_MEM_RANGES];	/* where ranges begin and end, sorted */
	u32 nr_cuts;
	u64 nodes;		/* of the trees before it */
	u64 merged;		/* entries lately, and */
	u64 grown;		/* nodes that the trees have grown by for them */
};

#define DR_FOLD_COPIES	64u	/* in one round */

/* A commit of the past to the origin, see fold.h */
struct dr_fold {
	u32 epoch;		/* up to this one; 0: none is under way */
	struct dr_lineage *lineage;	/* of it; NULL: not made yet */
	/* The pass under way: epochs in [from, to], blocks before @block done */
	u32 from;
	u32 to;
	u64 block;
	/* The round under way */
	u64 next;		/* block that it ends before */
	struct dr_copy copy[DR_FOLD_COPIES];
	u32 nr;			/* copies; 0: the next thing is a plan */
	u32 applied;		/* of them, done */
	u64 applied_at;		/* block in the next one, or 0 */
};

struct dr_store {
	struct dr_env env;
	struct dr_disk_super sb;	/* as it was written last */
	u8 uuid[DR_UUID_LEN];
	u64 gen;		/* of the durable superblock */
	u32 slot_blocks;
	u64 origin_sectors;
	u64 nr_map_blocks;	/* of the mapped device, the last may be partial */
	u64 device_blocks;	/* size of the delta device when opened */

	struct dr_space space;
	struct dr_txn txn;
	struct dr_epochs epochs;
	struct dr_journal journal;
	struct dr_root map;
	struct dr_root index;
	struct dr_root etree;
	struct dr_root notes;

	struct dr_memtable table[2];
	struct dr_memtable *active;
	struct dr_memtable *frozen;	/* or NULL */
	struct dr_memtable *retired;	/* waits for dr_store_release() */
	u64 published;		/* entries ever */
	struct dr_lineage *lineage;	/* of head */
	struct dr_lineage *lineage_next; /* for the next seal, if it needs one */
	struct dr_lineage *lineage_old;	/* dr_store_free_old() */
	u32 head;
	u32 next_epoch;
	u64 head_blocks;	/* published in head */
	bool track_reads;	/* a new head counts: */
	u32 head_read_first;	/* as in its record; lock */
	u32 active_since;	/* head when the active table became that */
	u32 frozen_since;	/* the same of the frozen one */
	u32 active_oldest;	/* epoch in the active table, if that has any; lock */
	u32 frozen_oldest;

	enum dr_ctl_state ctl_state;
	struct dr_disk_ctl ctl;
	u32 ctl_epoch;		/* that it seals */
	u32 ctl_at;		/* entries of active when it became ready */
	u32 fill_pass;		/* before the seal / after it */
	u32 fill_pos;
	struct dr_group group;	/* being written; nr 0: none */
	bool tail_known;	/* active's first record has been placed: */
	u64 tail_seq;		/* at this block, */
	u32 tail_prev_crc;	/* after this one */
	u32 claims_out;		/* whose writes are under way */
	u64 tail_gen;		/* which of the tables, or of their beginnings, it is */

	struct dr_merge merge;
	/* Nodes that a full table takes, lately; 0: not known (lock) */
	u64 growth;
	struct dr_root new_map;	/* under construction */
	struct dr_root new_index;
	struct dr_root new_etree;
	struct dr_root new_notes;
	bool broken;		/* a superblock may or may not be durable */
	bool active_ok;		/* activated */
	u8 start_mode;		/* enum dr_start_mode, set before activation */
	s64 start_now;		/* and the time, seconds since 1970 */
	bool reclaim_wanted;	/* an epoch has DR_EPOCH_VISIT */
	bool reclaim_pass;	/* one is under way, and goes on */
	u64 reclaim_block;	/* here */
	struct dr_replay *replay;	/* replay.c, or NULL */
	struct dr_fold fold;
	u32 base_held;		/* by those who look at the origin (recipe.h) */

	/* Bracket the committing part of a merge; may be NULL. */
	void (*commit_lock)(void *ctx);
	void (*commit_unlock)(void *ctx);
};

struct dr_format_params {
	u32 slot_blocks;
	u64 origin_sectors;
	u64 delta_blocks;
	s64 now;		/* seconds since 1970 */
	u8 uuid[DR_UUID_LEN];
	const char *label;	/* or "" */
	const char *origin_id;	/* or "" */
};

/* Smallest delta device, in 4 KiB blocks, for these parameters */
u64 dr_format_min_blocks(u32 slot_blocks);

/**
 * dr_format() - make an empty store
 * Return: 0, -EINVAL (block size), -ENOSPC (too small), -EFBIG (origin too
 * large), or what I/O returned.
 */
int dr_format(const struct dr_env *env, const struct dr_format_params *p);

/*
 * Read the valid superblock with the higher generation. 0 or -errno:
 * -EMEDIUMTYPE nothing of ours, -EUCLEAN damaged, -EPROTONOSUPPORT unknown
 * features.
 */
int dr_super_read(const struct dr_env *env, struct dr_disk_super *sb);

/**
 * dr_store_open() - read and verify; write nothing
 * @st: zeroed but for @env
 * @device_blocks: size of the delta device in 4 KiB blocks
 * @mem_entries: capacity of each memtable; less if the journal is small
 * Context: may sleep.
 * Return: 0; those of dr_super_read(); -ENXIO the device has shrunk; -ENOMEM.
 */
int dr_store_open(struct dr_store *st, u64 device_blocks, u32 mem_entries);
void dr_store_close(struct dr_store *st);

/*
 * Replay the journal and begin a session, using what the device has grown by.
 * First to write; after an error only dr_store_close(). May sleep.
 */
int dr_store_activate(struct dr_store *st);

/**
 * dr_store_grow() - use what a device has grown by
 * Context: may sleep; nobody writes. Views may read.
 * Return: 1 committed: go on as after dr_merge_step(); 0: it has not grown;
 * -ENOSPC and -ENOMEM: nothing has changed; any other error: the store may
 * only be read.
 */
int dr_store_grow(struct dr_store *st, u64 device_blocks);

static inline void dr_store_snap(const struct dr_store *st, struct dr_snap *s)
{
	s->active = st->active;
	s->frozen = st->frozen;
	s->map = st->map;
	s->lineage = st->lineage;
	s->head = st->head;
}

/* --- write path (lock) ------------------------------------------------- */

/**
 * dr_store_begin_write() - slots for a first write of whole blocks
 * @n: blocks wanted; on success, blocks granted
 * @slot: first slot
 * Return: 0, -EAGAIN (memtable full: wait for a merge), -ENOSPC.
 */
int dr_store_begin_write(struct dr_store *st, u32 *n, u64 *slot);
/*
 * The data did not arrive: give slots and promise back. With a claim (@claimed) the
 * slots stay taken until the next activation.
 */
void dr_store_cancel_write(struct dr_store *st, u64 slot, u32 n, bool claimed);
/* The data has arrived. @epoch: head when the write began. */
void dr_store_publish(struct dr_store *st, u64 block, u32 n, u64 slot,
		      u32 epoch, u8 flags);
/*
 * The same with a claim; @tail_gen: as it was when that was made, or DR_NO_CLAIM:
 * it could not be written
 */
#define DR_NO_CLAIM	(~0ULL)
void dr_store_publish_claimed(struct dr_store *st, u64 block, u32 n, u64 slot,
			      u32 epoch, u8 flags, u64 tail_gen);
/* Publish zeroes of @epoch. Return: false: the table has no room for them. */
bool dr_store_publish_zero(struct dr_store *st, u64 block, u64 len, u32 epoch);
/* The same, of the head. Return: 0, -EAGAIN, or -ENOSPC: what tells of them has none. */
int dr_store_zero(struct dr_store *st, u64 block, u64 len);

/* Should a merge be started? */
bool dr_store_half_full(const struct dr_store *st);
/* ... when there is nothing else to do? */
bool dr_store_worth_merging(const struct dr_store *st);

static inline bool dr_store_is_recorded(const struct dr_store *st,
					const struct dr_state *s)
{
	if (s->in_active)
		return s->at < st->active->recorded;
	if (s->in_frozen)
		return !st->frozen || s->at < st->frozen->recorded;
	return true;
}

/*
 * Is @s perhaps in a claim only, so that what it names may not be written in place
 * before it is recorded (J9)? No lock.
 */
static inline bool dr_snap_claims(const struct dr_snap *snap,
				  const struct dr_state *s)
{
	const struct dr_memtable *m = s->in_active ? snap->active :
				      s->in_frozen ? snap->frozen : NULL;
	u32 recorded;

	if (!m)
		return false;
	recorded = READ_ONCE(m->recorded);
	return s->at >= recorded && READ_ONCE(m->claimed) > recorded;
}

/* --- journal (lock) ---------------------------------------------------- */

/*
 * Is there room for a control record and all that it may have to follow? No
 * merge can make room while one is pending, so ask before.
 */
bool dr_store_ring_has_room(const struct dr_store *st);

/* Entries published so far, and of them recorded */
u64 dr_store_recorded(const struct dr_store *st);

/* Entries that a flush needs to have recorded: those before this one */
u64 dr_store_bare(const struct dr_store *st);

/* No group is out. The next block is the first that the active table is recorded in. */
void dr_store_forget_tail(struct dr_store *st);

/* May a first write be claimed, whose blocks are in state @was (J10)? */
bool dr_store_may_claim(const struct dr_store *st, const struct dr_state *was);

/**
 * dr_store_claim() - encode the claim of a first write
 * @buf: room for a block
 * @m: the version
 * @crc: of its data; at most DR_CLAIM_BLOCKS
 * Describes the block in st->group. st->tail_gen is to be remembered.
 * Return: 0, or -EBUSY: it may not be claimed any more.
 */
int dr_store_claim(struct dr_store *st, void *buf, const struct dr_map *m,
		   u32 crc);

/**
 * dr_store_fill() - encode journal blocks
 * @buf: room for @max blocks
 * Describes them in st->group. One group at a time.
 * Return: number of blocks; 0: nothing to record, or it may not be recorded
 * yet (a control record is draining); -EBUSY: a group is being written;
 * -EAGAIN: the ring is full, wait for a merge.
 */
int dr_store_fill(struct dr_store *st, void *buf, u32 max);
void dr_store_filled(struct dr_store *st);

/* --- epochs ------------------------------------------------------------ */

/* Allocate what the next of these needs; may sleep; serialized with them. */
int dr_store_prepare(struct dr_store *st);
/* No reader has the lineage that the last of these replaced. */
void dr_store_free_old(struct dr_store *st);

/**
 * dr_store_seal() - seal the head and open a child of it (lock)
 * @label: or ""
 * @flags: DR_EPOCH_*
 * The caller publishes a snapshot, waits until I/O begun before has ended and
 * calls dr_store_drained(); when the journal has recorded the seal
 * (ctl_state is DR_CTL_NONE again) it is durable.
 * Return: the epoch sealed, or -EEXIST (label), -EBUSY (another record is
 * pending, or a replay has used up its gap), -EAGAIN (wait for a merge: a
 * memtable holds at most DR_SPAN_MAX epochs).
 */
s64 dr_store_seal(struct dr_store *st, const char *label, u16 flags, s64 now);
void dr_store_drained(struct dr_store *st);

/**
 * dr_store_rollback() - seal the head, open a child of @epoch (sleeps)
 * Nothing may be in flight. The record is READY when this returns.
 * Return: the new head or a negative errno (-ENOENT: no such epoch).
 */
s64 dr_store_rollback(struct dr_store *st, u32 epoch, s64 now);

/*
 * For replay.c: seal the replay's epoch and open the head that is its child;
 * and give it up (lock). The record is READY.
 */
int dr_store_open_replay(struct dr_store *st, u32 epoch, s64 now);
void dr_store_drop_replay(struct dr_store *st, u32 epoch);

/*
 * Seal the head and open one on top of @epoch, which is retained, or the head
 * itself. Activation only: there is no record of it, the commit that ends the
 * activation makes it so (B1). Return: 0, -EUSERS or -ENOMEM.
 */
int dr_store_reopen(struct dr_store *st, u32 epoch, u8 how, s64 now);
/* Has another retained epoch this label? */
bool dr_store_label_taken(const struct dr_store *st, const char *label);

/*
 * May this epoch be dropped? 0, -EINVAL, -ENOENT, -EBUSY, -ETXTBSY (held),
 * -EADDRINUSE (the device may go back to it)
 */
int dr_store_may_drop(const struct dr_store *st, u32 epoch);
/* Mark it dropped (lock); the record is READY. */
int dr_store_drop(struct dr_store *st, u32 epoch);
/* An epoch is dropped, or stands on one that was: reclaim looks at it (lock) */
void dr_store_visit(struct dr_store *st, struct dr_epoch *e);

/* Do again what a record of the journal says (activation; sleeps) */
int dr_store_redo(struct dr_store *st, const struct dr_disk_ctl *c);

/* --- commits (sleep) --------------------------------------------------- */

/*
 * Freeze the active table (lock). Return: false if one is frozen already,
 * a seal is pending, or it is empty.
 */
bool dr_store_freeze(struct dr_store *st);

/**
 * dr_merge_step() - bring the frozen table into the trees, or part of it
 * Return: 1 committed, call again after dr_store_release(); 0 all is merged
 * and committed; -ENOSPC and -ENOMEM: this step was undone, and the next call
 * does it again (S6); any other error: the store may only be read.
 */
int dr_merge_step(struct dr_store *st);

int dr_merge_init(struct dr_store *st);
void dr_merge_exit(struct dr_store *st);

/*
 * Commit st->new_* with whatever epochs changed. For merge, reclaim, replay.
 * @merged: the frozen table is in the trees now.
 * Return: 0. -ENOSPC and -ENOMEM: dr_store_abort() undoes it. Any other error:
 * the store may only be read.
 */
int dr_store_commit(struct dr_store *st, bool merged);

/*
 * Readers of older snapshots have left. @final: the journal's durable tail is
 * past everything that the merged table held.
 */
void dr_store_release(struct dr_store *st, bool final);

/* Begin / give up a change of the trees */
void dr_store_begin(struct dr_store *st);
void dr_store_abort(struct dr_store *st);

#endif
