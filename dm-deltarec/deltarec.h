/* SPDX-License-Identifier: GPL-2.0 */
/*
 * deltarec.h - the target around the core.
 *
 * How a bio travels:
 *
 *   io.c          .map: what the map knows at once is remapped without locks;
 *                 a first write of whole blocks takes slots here
 *   defer.c       everything that may have to wait: nodes to be read, waits
 *                 for another write or for space, discards, bios that span
 *                 several extents
 *   merge-io.c    a write of part of a block: brings what is around it
 *   claim.c       a small first write that is recorded beside its data
 *   pending.c     first writes under way, who waits for them, their end
 *   full.c        space that runs short: what is told, and who waits for what
 *   journal-io.c  FLUSH and FUA: group commit of what is not yet recorded
 *   worker.c      merges, reclaim, replay in the background
 *   reads.c       what was read, when that is wanted
 *   policy.c      checkpoints and drops that nobody asks for
 *   commit.c      the past becomes the origin's content, in the background
 *   message-start.c  where the next activation begins
 *   view.c        the other target: an epoch of the past, read-only. Its reads
 *                 take the same way, with a lineage of their own
 *
 * Locks, from the outside in:
 *
 *   registry mutex (store-open.c)
 *   store->note.mutex  the note that is being sent (message-note.c)
 *   store->policy.mutex  the policy is being set (policy.c)
 *   store->meta     whoever changes the trees: merges, reclaim, replay
 *   store->epochs   rwsem: written by who changes the shape of the epoch table,
 *                   read by who walks it for long (reclaim, replay, diff)
 *   store->ctl      from sealing an epoch until its record is durable, and
 *                   the committing part of whoever holds meta. Protects the
 *                   shape of the epoch table
 *   store->lock     spinlock, from any context: memtables, allocator, journal
 *                   state, pending writes, parked bios, mode
 *
 * Lookups take none of them: they use one snapshot under RCU and count in an
 * era (era.h).
 */
#ifndef DELTAREC_H
#define DELTAREC_H

#define DM_MSG_PREFIX "deltarec"

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/completion.h>
#include <linux/device-mapper.h>
#include <linux/dm-io.h>
#include <linux/dm-kcopyd.h>
#include <linux/jump_label.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "core/fold.h"
#include "core/gauge.h"
#include "core/recipe.h"
#include "core/recover.h"
#include "core/start.h"
#include "cache.h"
#include "era.h"

#define DELTAREC_WINDOW		256u	/* blocks; no write spans two of these */
#define DELTAREC_PENDING_BITS	8u
#define DELTAREC_NR_WRITES	64u	/* metadata writes in flight */
#define DELTAREC_GROUP		16u	/* journal blocks in one write */
/* How much a bio matters: also for one that is made in its place */
#define DELTAREC_HINTS		(REQ_SYNC | REQ_IDLE | REQ_META | REQ_PRIO)

enum deltarec_mode {		/* only ever rises */
	DELTAREC_RW,
	DELTAREC_RO,		/* no writes, nothing changes any more */
	DELTAREC_FAIL,		/* no I/O at all */
};

enum deltarec_when_full {	/* what happens to a write that finds no room */
	DELTAREC_FULL_ERROR,
	DELTAREC_FULL_QUEUE,
	DELTAREC_FULL_RECLAIM,	/* drop epochs for it, then as ERROR */
};

struct deltarec_features {
	unsigned int cache_mb;
	bool cache_given;
	enum deltarec_when_full when_full;
	bool full_given;	/* the policy was named in the table */
	unsigned int queue_seconds;	/* 0: for ever */
	bool discard_passdown;
	bool track_reads;
	u8 start_mode;		/* enum dr_start_mode */
};

/* What a lookup uses from end to end */
struct deltarec_snap {
	struct dr_snap s;
	struct rcu_head rcu;
};

/* For room that nothing under way makes, in jiffies */
struct deltarec_wait {
	unsigned long since;		/* 0: not now */
	unsigned long before;		/* so long, earlier */
};

struct deltarec_journal {
	struct list_head next;	/* flushes that wait for the next round */
	struct list_head now;	/* those that this round serves */
	u64 target;		/* to be recorded, as of when the round began */
	bool busy;		/* somebody works on it */
	bool round;
	bool wrote;		/* this round has flushed the device */
	bool confirm;		/* a round is wanted without a flush */
	bool awaited;		/* some of store->parked wait for records */
	bool claim;		/* what is being written is one */
	u32 since_flush;	/* first writes since the last flush, */
	u32 before_flush;	/* and before it, since the one before */
	struct deltarec_wait wait;
	void *buf;		/* DELTAREC_GROUP blocks */
	struct bio bio;
	struct bio_vec vec;
	struct work_struct work;
};

/* A first write that is recorded beside its data, see claim.c */
struct deltarec_claim {
	struct deltarec_io *io;	/* NULL: none is under way */
	u64 tail_gen;		/* or DR_NO_CLAIM */
	atomic_t left;		/* of data and record */
	void *data;		/* DR_CLAIM_BLOCKS */
	struct bio bio;
	struct bio_vec vec;
};

struct deltarec_write {
	struct deltarec_store *s;
	void *buf;
	u64 block;
	bool busy;
};

/* What status tells of a replay, without looking into the core's */
struct deltarec_replay_info {
	u32 epoch;		/* 0: none is open */
	u32 rules;
	u32 done;		/* ranges that they cover, of */
	u32 queued;
};

/* A note that is being sent; see message-note.c */
struct deltarec_note {
	struct mutex mutex;	/* for all below */
	bool open;
	u32 ticket;		/* of the last one that was begun */
	u32 epoch;
	u32 size;
	u32 got;
	u8 *data;
};

/* A step that found no room or no memory, and comes again; see worker.c */
struct deltarec_stall {
	int error;		/* 0: it did not */
	unsigned int delay;	/* jiffies; doubles */
	unsigned long until;	/* not before */
};

struct deltarec_policy {
	struct mutex mutex;	/* who starts or stops the tick */
	struct dr_policy p;	/* changes with meta held, and the tick off */
	struct delayed_work tick;
	time64_t sealed;	/* of the clock that never jumps: head opened */
	unsigned long dropped;	/* jiffies: of the last look */
};

/* A commit to the origin; see commit.c. All but the first under meta */
struct deltarec_commit {
	struct delayed_work work;
	struct deltarec_bdev origin;	/* open while there is one */
	bool merged;			/* since it began */
	bool stopped;			/* by message */
	bool copied;			/* the copies in hand are durable */
	int error;			/* why it waits, or 0 */
	unsigned long ios;		/* bios that were there */
};

/* Blocks that are put together in memory; see merge-io.c */
struct deltarec_whole;
struct deltarec_wholes {
	struct list_head free;		/* lock */
	unsigned int nr;		/* lock: of all, free or not */
	atomic_t reading;
	struct llist_head read;		/* to be written */
	atomic_t nr_read;
	struct delayed_work work;
	struct workqueue_struct *wq;
};

struct deltarec_reads;		/* reads.c */

struct deltarec_store {
	struct dr_store st;
	spinlock_t lock;			/* see above */
	struct deltarec_snap __rcu *snap;	/* written under lock */
	struct deltarec_era era;
	enum deltarec_mode mode;		/* lock; read anywhere */

	/* Set when opened */
	struct list_head list;			/* registry */
	unsigned int users;			/* tables and views; users_lock */
	unsigned int heads;			/* tables of md; users_lock */
	dev_t dev;				/* of the delta device */
	struct mapped_device *md;		/* registry; NULL: views only */
	dev_t md_dev;				/* registry; 0: none */
	dev_t origin_dev;			/* of the table resumed last */
	char name[32];				/* of md, for the log */
	struct block_device *delta;		/* all users have it open */
	unsigned int block_shift;		/* sectors to blocks */

	/* Set by preresume */
	bool activated;
	time64_t since;			/* of the clock that never jumps */
	struct deltarec_features f;
	struct mutex ti_lock;			/* for ti */
	struct dm_target *ti;			/* ti_lock: for events */

	/* Bios; lock */
	struct hlist_head pending[1u << DELTAREC_PENDING_BITS];
	struct list_head parked;		/* wait for space, merge, drain */
	struct dr_gauge gauge;			/* how much space is left */
	bool suspending;
	bool noflush;
	bool quiet;				/* meta and ctl: no bio is left */
	struct bio_set bs;
	struct workqueue_struct *defer_wq;
	struct dm_kcopyd_client *kcopyd;
	struct deltarec_wholes wholes;

	struct deltarec_journal journal;
	struct workqueue_struct *journal_wq;
	struct deltarec_claim claim;

	/* Metadata I/O */
	struct dm_io_client *io;
	struct deltarec_cache __rcu *cache;	/* meta; exchanged under lock */
	spinlock_t write_lock;			/* for write[] */
	wait_queue_head_t write_wait;
	void *barrier_buf;			/* one block */
	struct deltarec_write write[DELTAREC_NR_WRITES];
	unsigned int nr_writes;			/* write_lock: in flight */
	int write_error;			/* write_lock: first one */

	/* Background */
	struct mutex meta;			/* see above */
	struct rw_semaphore epochs;		/* see above */
	struct mutex ctl;			/* see above */
	wait_queue_head_t ctl_wait;		/* ctl_state or mode changed */
	unsigned long lineage_left;		/* ctl: readers of lineage_old have */
	struct workqueue_struct *meta_wq;
	struct work_struct meta_work;
	struct delayed_work again;		/* kicks meta_work */
	struct delayed_work idle;		/* is it time for a merge? */
	unsigned long idle_ios;			/* idle: bios until it last looked */
	struct deltarec_stall merge_stall;	/* lock */
	struct deltarec_stall reclaim_stall;	/* lock */
	struct deltarec_stall back_stall;	/* lock: replay, reads */
	bool merge_wanted;			/* lock */
	u32 merges;				/* lock: of all that was there */
	bool drop_wanted;			/* lock: room is, by dropping */
	unsigned long drop_after;		/* lock: jiffies; not before */
	u32 drop_batch;				/* meta */
	struct delayed_work short_work;		/* ends waits of queue_seconds */
	bool reclaim_merged;			/* lock: since the last drop */
	bool reclaim_stuck;			/* lock: only a merge helps it */
	bool at_work;				/* meta: who holds it is meta_work */
	/* meta, but status looks without: this is what it does, until its space is free */
	bool reclaiming;
	bool resting;				/* it ends what it does, and waits */
	unsigned long reclaim_after;		/* jiffies; meta */
	unsigned long reclaim_began;		/* the step in hand; jiffies; meta */
	unsigned long reclaim_ios;		/* bios that were there; meta */
	bool stopping;				/* no mapped device, no work */
	struct deltarec_replay_info replay;	/* lock */
	struct deltarec_note note;
	struct deltarec_policy policy;
	struct deltarec_commit commit;
	struct deltarec_reads *reads;		/* NULL: never tracked */
	struct workqueue_struct *ctl_wq;
	struct work_struct event_work;
};

/* What a view shows; does not change while its table lives */
struct deltarec_view {
	struct dr_recipe recipe;
	atomic64_t mixed;		/* reads of such blocks */
};

struct deltarec {			/* one table's target */
	struct dm_target *ti;
	struct deltarec_store *s;
	struct deltarec_view *view;	/* or NULL: the head */
	struct dm_dev *origin;
	struct dm_dev *delta;
	struct deltarec_features f;
	bool noflush;			/* how it was suspended */
};

enum deltarec_io_flags {
	DELTAREC_IO_PENDING	= 1,	/* is in store->pending */
	DELTAREC_IO_RECORD	= 2,	/* may end when it is in the journal */
	DELTAREC_IO_DEFERRED	= 4,	/* work and pieces are set up */
	DELTAREC_IO_SHORT	= 8,	/* found no room: merges is set */
	DELTAREC_IO_JOINED	= 16,	/* ends as what it waits for does */
	DELTAREC_IO_CLAIM	= 32,	/* is recorded beside its data */
};

/* Of each bio from dm, and of each piece of one that was deferred */
struct deltarec_io {
	struct list_head list;		/* parked, waiting, or in a round */
	struct work_struct work;
	struct deltarec *dt;
	struct bio *bio;		/* NULL: deltarec_journal_sync() */
	struct deltarec_io *parent;	/* of a piece */
	struct completion *done;
	atomic_t pieces;		/* that have not ended, and the worker */
	blk_status_t status;
	s8 era;				/* that it counts in, or -1 */
	u8 flags;
	u32 merges;			/* while SHORT: store->merges then, */
	struct deltarec_wait wait;
	/* While PENDING: a first write of blocks to slots */
	u8 map_flags;
	u32 nr;
	u32 epoch;
	struct hlist_node hash;
	u64 block;
	u64 slot;
	struct list_head waiters;
	u64 tail_gen;			/* of its claim, if CLAIM */
	struct deltarec_whole *whole;	/* merge-io.c; or NULL, and */
	atomic_t copies;		/* that kcopyd makes */
};

struct deltarec_piece {
	struct deltarec_io io;
	struct bio bio;			/* last, for the bio_set */
};

/* What to do with a bio, or its beginning */
enum deltarec_todo {
	DELTAREC_REMAP,			/* to step->bdev, step->sector */
	DELTAREC_ZERO,			/* reads as zeroes */
	DELTAREC_COPY,			/* part of a block: bring the rest, too */
	DELTAREC_LOAD,			/* step->want is not in memory */
	DELTAREC_DEFER,			/* only a worker can do this */
	DELTAREC_WAIT,			/* it is on a list; hands off */
	DELTAREC_ERROR,			/* step->status */
	DELTAREC_AGAIN,			/* within io.c */
};

struct deltarec_step {
	u32 sectors;
	struct block_device *bdev;
	sector_t sector;
	struct dr_state old;		/* COPY: what the block held */
	struct dr_want want;
	blk_status_t status;
};

/* Where a bio lies, in blocks */
struct deltarec_range {
	u64 start;			/* sector in the target */
	u64 block;
	u32 off;			/* sectors into block */
	u32 sectors;
	u64 whole;			/* whole blocks from block on, off is 0 */
};

static inline u32 deltarec_block_sectors(const struct deltarec_store *s)
{
	return 1u << s->block_shift;
}

void deltarec_range_of(const struct deltarec *dt, const struct bio *bio,
		       struct deltarec_range *r);

/* features.c */
int deltarec_parse_features(struct dm_target *ti, struct dm_arg_set *as,
			    struct deltarec_features *f);
/* Print them as in the table, with their number. */
unsigned int deltarec_print_features(const struct deltarec_features *f,
				     char *buf, unsigned int size);

/* How a device begins, or what an answer is: a word of the status line */
const char *deltarec_start_word(unsigned int mode);

/* target.c */
int deltarec_iterate_devices(struct dm_target *ti,
			     iterate_devices_callout_fn fn, void *data);
/* Limits that do not depend on whether there are writes */
void deltarec_read_hints(const struct deltarec *dt,
			 struct queue_limits *limits);
/* Close what the two constructors opened. */
void deltarec_destroy(struct deltarec *dt);

/* view.c */
extern struct target_type deltarec_view_target;

/* store-open.c */
int deltarec_store_get(struct deltarec *dt);
/*
 * The living store whose mapped device, or else whose delta device, is @dev (or
 * only the latter); opens its devices for @dt. 0, or an error with ti->error
 * set
 */
int deltarec_store_find(struct deltarec *dt, dev_t dev, bool delta);
void deltarec_store_put(struct deltarec *dt);
/*
 * Does another store that is open have the same origin? 1, 0, or -EAGAIN when
 * that cannot be known without waiting, and @wait is false. May sleep.
 */
int deltarec_origin_shared(const struct deltarec_store *s, bool wait);
/* What deltarec_store_find() finds just this store by, now */
dev_t deltarec_store_dev(const struct deltarec_store *s, bool *delta);
/* First write, growth, features; nothing is in flight. May sleep. */
int deltarec_store_resume(struct deltarec *dt);
/* Is it certain that no bio is in flight? Waits for changes of the head. */
void deltarec_store_quiet(struct deltarec_store *s, bool yes);
/* Lower the mode, once and for all. Any context, no locks held. */
void deltarec_set_mode(struct deltarec_store *s, enum deltarec_mode mode,
		       const char *why);
/* Raise an event from any context. */
void deltarec_event(struct deltarec_store *s);
/* A snapshot to be published; never fails, may sleep. */
struct deltarec_snap *deltarec_snap_alloc(void);
/* Make readers see the store as it is now; lock held. Takes @new. */
void deltarec_snap_publish(struct deltarec_store *s, struct deltarec_snap *new);

/* env.c */
int deltarec_env_init(struct deltarec_store *s);
void deltarec_env_exit(struct deltarec_store *s);

/* io.c */
int deltarec_map(struct dm_target *ti, struct bio *bio);
int deltarec_map_view(struct dm_target *ti, struct bio *bio);
int deltarec_end_io(struct dm_target *ti, struct bio *bio,
		    blk_status_t *error);
/*
 * Find out what to do with @bio. @carrier takes the era, and the pending write
 * if there is one; @waiter is what gets queued if it has to wait. A piece may
 * sleep afterwards to load a node, so its carrier stays in the era for LOAD.
 */
enum deltarec_todo deltarec_resolve(struct deltarec *dt,
				    struct deltarec_io *carrier,
				    struct deltarec_io *waiter,
				    struct bio *bio,
				    struct deltarec_step *step);
/* The data of @io has arrived, or not. Any context. */
void deltarec_io_end(struct deltarec_io *io, blk_status_t status);

/* defer.c */
/* Hand a bio to the worker. Any context. */
void deltarec_defer(struct deltarec_io *io);
/* The same with all of a list that nobody else can reach */
void deltarec_defer_all(struct list_head *list);
/* Put it on @list instead, from where deltarec_defer() takes it; lock held. */
void deltarec_park(struct deltarec_io *io, struct list_head *list);
/* A bio was parked, and has no more to wait for (pending.c). Any context. */
void deltarec_unpark(struct deltarec_io *io, blk_status_t status);
/* Try all again that wait for space, a merge or a drain. Any context. */
void deltarec_wake_parked(struct deltarec_store *s);

/* merge-io.c */
/* Copy what @bio writes, which may be zeroes. Any context. */
void deltarec_copy_data(void *to, struct bio *bio);
void deltarec_wholes_init(struct deltarec_store *s);
/* Nobody uses them any more. May sleep. */
void deltarec_wholes_exit(struct deltarec_store *s);
/* See that a block is free that may be put together in, if that is possible. */
void deltarec_wholes_prepare(struct deltarec_store *s);
/* One of these, or NULL; lock held */
struct deltarec_whole *deltarec_whole_take(struct deltarec_store *s);
/* It is free again; lock held. */
void deltarec_whole_put(struct deltarec_store *s, struct deltarec_whole *w);
/*
 * Write part of a block, and what is around it, into the slot that @io has;
 * without @io->whole only in a worker.
 */
void deltarec_copy_start(struct deltarec_io *io,
			 const struct deltarec_step *step);
/* Write zeroes for a piece that is mapped already. */
void deltarec_zero_start(struct deltarec_io *io,
			 const struct deltarec_step *step);

/* pending.c; lock held */
/* The first write under way that touches these blocks, or NULL */
struct deltarec_io *deltarec_pending_find(struct deltarec_store *s, u64 block,
					  u64 nr);
/*
 * Take slots and enter @io among the pending. @whole: what it is put together
 * in, if it is. 0, -EAGAIN, -ENOSPC
 */
int deltarec_pending_add(struct deltarec_store *s, struct deltarec_io *io,
			 u64 block, u32 *nr, u8 map_flags,
			 struct deltarec_whole *whole);
/* Its end: publish or give up. Takes the lock itself; any context. */
void deltarec_pending_end(struct deltarec_io *io, blk_status_t status);

/* full.c; lock held */
/* Free space has changed: say so if it is short. */
void deltarec_space_look(struct deltarec_store *s);
/* Something found no room: the device is full. */
void deltarec_tell_full(struct deltarec_store *s);
/*
 * No slots, or no room in the memtable: park @io (true), or fail with *@status.
 */
bool deltarec_wait_for_room(struct deltarec_store *s, struct deltarec_io *io,
			    int error, blk_status_t *status);
/*
 * No room, and nothing under way makes any: is it worth waiting on? @w: all
 * zeroes before it first was so.
 */
bool deltarec_stays(struct deltarec_store *s, struct deltarec_wait *w);
/* Something under way may make room: that does not count. */
void deltarec_wait_pause(struct deltarec_wait *w);
/* What becomes of a bio that does not stay; lock held */
blk_status_t deltarec_full_status(const struct deltarec_store *s);
void deltarec_full_init(struct deltarec_store *s);
/* Ends what runs. May sleep, no lock held. */
void deltarec_full_stop(struct deltarec_store *s);
/*
 * Drop some of the oldest epochs if that is what is to be done for room; meta
 * held. Return: has it? May sleep.
 */
bool deltarec_drop_oldest(struct deltarec_store *s);
/* The marks that a policy sets. Takes the lock itself; may sleep. */
void deltarec_space_marks(struct deltarec_store *s, const struct dr_policy *p);

/* journal-io.c */
int deltarec_journal_init(struct deltarec_store *s);
void deltarec_journal_exit(struct deltarec_store *s);
int deltarec_map_flush(struct deltarec *dt, struct bio *bio);
/* End @io->bio once all that is published now is recorded. Any context. */
void deltarec_journal_wait(struct deltarec_io *io);
/* There may be something to do, or to go on with. Any context. */
void deltarec_journal_kick(struct deltarec_store *s);
/* Record and flush everything; 0 or -EIO. May sleep. */
int deltarec_journal_sync(struct deltarec *dt);

/* For claims (lock): take the engine, if it is idle and nobody waits for it. */
bool deltarec_journal_begin(struct deltarec_store *s);
/* Give it back unused. Any context. */
void deltarec_journal_end(struct deltarec_store *s);
/* Write the block that is in its buffer, and tell deltarec_claim_written(). */
void deltarec_journal_claim(struct deltarec_store *s);
/*
 * Record what was published, so that it may be written in place; then @waiter, or
 * NULL, goes on. Lock held.
 */
void deltarec_journal_confirm(struct deltarec_store *s, struct deltarec_io *waiter);

/* claim.c */
int deltarec_claim_init(struct deltarec_store *s);
void deltarec_claim_exit(struct deltarec_store *s);
/*
 * Is a first write of @nr blocks, which has its slots, to be claimed? @was: the
 * state of the blocks before. Then the engine is taken for deltarec_claim_start().
 * Lock held.
 */
bool deltarec_claim_begin(struct deltarec_store *s, struct deltarec_io *io, u32 nr,
			  const struct dr_state *was);
/*
 * Write data and record. Return: true; false: it could not, and the bio is to take
 * the usual way. Does not sleep.
 */
bool deltarec_claim_start(struct deltarec_io *io, u64 sector);
/* The record has been, or could not be. Any context. */
void deltarec_claim_written(struct deltarec_store *s, bool failed);

/* worker.c */
void deltarec_meta_work(struct work_struct *work);
void deltarec_again_work(struct work_struct *work);
void deltarec_idle_work(struct work_struct *work);
/* Something was written: merge it once nothing else is to be done. Any context. */
void deltarec_merge_idle(struct deltarec_store *s);
/* Any context. */
void deltarec_kick_meta(struct deltarec_store *s);
/* There may be room: try at once what found none. Any context. */
void deltarec_hurry(struct deltarec_store *s);
/* Epochs were, or are being dropped: reclaim is to look at them. Lock held. */
void deltarec_dropped(struct deltarec_store *s);
/* The worker ends its step as soon as it can, and begins none: yes or no (S15). */
void deltarec_meta_rest(struct deltarec_store *s, bool yes);
/* The same, and wait for that. May sleep. */
void deltarec_meta_stop(struct deltarec_store *s);
/*
 * A change of the trees has failed. Without room or memory it was undone, and
 * comes again (S7) if it was a background step: @stall, else NULL. After all
 * else the store may only be read. meta held. May sleep.
 */
void deltarec_step_failed(struct deltarec_store *s,
			  struct deltarec_stall *stall, int error);
/*
 * Merge all that is in memory now; meta held. May sleep.
 * 1: something was committed; 0: nothing to do; or an error
 */
int deltarec_merge(struct deltarec_store *s);
/* After a step that committed: the sequence that store.h asks for; meta held */
void deltarec_committed(struct deltarec_store *s, bool final);
/* Bring what status tells of the replay up to date; meta held. */
void deltarec_replay_update(struct deltarec_store *s);

/* control.c: changes of the epochs; each returns a number or -errno */
s64 deltarec_checkpoint(struct deltarec_store *s, const char *label, u16 flags);
s64 deltarec_rollback(struct deltarec_store *s, u32 epoch);
s64 deltarec_drop(struct deltarec_store *s, u32 epoch);
/*
 * One of the core's commits that are no control record: @change is called with
 * nobody else at the trees and the table. A signal ends the waiting. Return: 0,
 * or an error; those that are not of the commit itself change nothing.
 */
int deltarec_change(struct deltarec_store *s,
		    int (*change)(struct dr_store *st, const void *arg),
		    const void *arg);
/*
 * The same of one that drops epochs, with meta held and no event. @drop returns 1
 * when there was nothing to be done, and so does this.
 */
int deltarec_commit_drops(struct deltarec_store *s,
			  int (*drop)(struct dr_store *st, const void *arg),
			  const void *arg);
/*
 * Before a change that may replace the head's lineage: the one that was replaced
 * last is freed, now that somebody needs its place. A rollback does not wait for
 * its readers: that would take longer than all else that it does. ctl held
 */
void deltarec_ctl_begin(struct deltarec_store *s);
/*
 * The record that is READY becomes durable, the snapshot is the new one.
 * ctl held. 0 or -EIO
 */
int deltarec_ctl_finish(struct deltarec_store *s);

/* message.c, message-note.c, message-replay.c */
struct deltarec_reply {
	char *buf;
	unsigned int size;
	unsigned int len;
};

__printf(2, 3)
void deltarec_reply(struct deltarec_reply *reply, const char *fmt, ...);
int deltarec_message(struct dm_target *ti, unsigned int argc, char **argv,
		     char *result, unsigned int maxlen);
int deltarec_message_replay(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply);
int deltarec_message_note(struct deltarec *dt, unsigned int argc, char **argv,
			  struct deltarec_reply *reply);
void deltarec_note_init(struct deltarec_note *note);
void deltarec_note_exit(struct deltarec_note *note);
/* May the head be changed now? 0 or -EOPNOTSUPP, having said why. */
int deltarec_may_switch(struct deltarec *dt, const char *what);
/* What an error of the core means to the one who sent the message */
const char *deltarec_remedy(int error);
/* Log why @what failed, and what helps. Return: @error */
int deltarec_refuse(struct deltarec *dt, const char *what, int error);
/* Take store->meta unless a signal comes, and merge all. 0 with it held. */
int deltarec_lock_merged(struct deltarec_store *s);

/* Log what the words should have been. Return: -EINVAL */
int deltarec_bad_arguments(struct deltarec *dt, const char *usage);
/* Words [<label>|- [frozen]], at most two. 0, or -EINVAL having said why */
int deltarec_parse_seal(struct deltarec *dt, unsigned int argc, char **argv,
			const char *usage, const char **label, u16 *flags);
/* A checkpoint that a signal stops from being waited for: -EINTR */
s64 deltarec_checkpoint_killable(struct deltarec_store *s, const char *label,
				 u16 flags);

struct deltarec_rule_args {
	u64 start;		/* sectors */
	u64 sectors;
	u32 from;
	u32 to;
	bool drop_later;
};

/* The words of a rule, as messages and views have them. 0 or -EINVAL */
int deltarec_parse_rule(const char *start, const char *sectors,
			const char *from, const char *to, const char *later,
			struct deltarec_rule_args *a);

/* reads.c */
DECLARE_STATIC_KEY_FALSE(deltarec_tracking);
/* A bio reads; blocks are written for the first time in the head (lock held) */
void deltarec_reads_seen(struct deltarec *dt, const struct bio *bio);
void deltarec_reads_first(struct deltarec_store *s, u64 block, u32 nr);
/* Track from now on, or no more. No bio is in flight. May sleep. */
void deltarec_reads_switch(struct deltarec_store *s, bool on);
/* There is another head: the map of the former one is to be kept. Lock held */
void deltarec_reads_sealed(struct deltarec_store *s);
/* Keep the map of one former head; meta held. Return: there may be more. */
bool deltarec_reads_store(struct deltarec_store *s);
void deltarec_reads_free(struct deltarec_store *s);
int deltarec_message_reads(struct deltarec *dt, unsigned int argc, char **argv,
			   struct deltarec_reply *reply);

/* policy.c */
void deltarec_policy_init(struct deltarec_store *s);
/* Carry out what the superblock says from now on; and no more. May sleep. */
void deltarec_policy_start(struct deltarec_store *s);
void deltarec_policy_stop(struct deltarec_store *s);
/* There is a new head. */
void deltarec_policy_sealed(struct deltarec_store *s);
int deltarec_message_mark(struct deltarec *dt, unsigned int argc, char **argv,
			  struct deltarec_reply *reply);
int deltarec_message_policy(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply);

/* commit.c */
void deltarec_commit_init(struct deltarec_store *s);
/* Go on with what the superblock says; and not any more. May sleep. */
void deltarec_commit_start(struct deltarec_store *s);
void deltarec_commit_end(struct deltarec_store *s);
/* Begin one as the policy wants. May sleep, no locks held. */
void deltarec_commit_lag(struct deltarec_store *s);
/* The copy that the core asks for (env.h) */
int deltarec_commit_save(struct deltarec_store *s, const struct dr_copy *copy);
/* Word of the status line; lock held */
void deltarec_commit_status(struct deltarec_store *s,
			    struct deltarec_reply *reply);
int deltarec_message_commit(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply);
/* message-start.c */
int deltarec_message_start(struct deltarec *dt, unsigned int argc, char **argv,
			   struct deltarec_reply *reply);
int deltarec_message_update(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply);
int deltarec_message_session(struct deltarec *dt, unsigned int argc,
			     char **argv, struct deltarec_reply *reply);

/* status.c */
void deltarec_status(struct dm_target *ti, status_type_t type,
		     unsigned int status_flags, char *result,
		     unsigned int maxlen);

#endif
