/* SPDX-License-Identifier: GPL-2.0 */
/*
 * states.h - every state that a power cut could have left, from a recording.
 *
 * log.c reads what QEMU recorded of a disk that held an origin, a delta and
 * marks (tests/tools/marks.h); disk.c lays out origin and delta as they may be
 * after a cut, as an array of references to recorded sectors, and is the core's
 * environment; want.c knows from the marks what must be there; state.c opens
 * the store in such a state and holds it against that; main.c chooses.
 */
#ifndef STATES_H
#define STATES_H

#include <stdio.h>

#include "check.h"
#include "env-file.h"
#include "fold.h"
#include "recover.h"
#include "sim-disk.h"	/* struct rng */

#define PER_BLOCK	(DR_BLOCK_SIZE / SIM_SECTOR)
#define ull(x)		((unsigned long long)(x))

void die(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* --- log.c ---------------------------------------------------------------- */

struct piece {			/* of the recorded disk, in sectors */
	u64 start;
	u64 nr;
};

enum rec_kind { REC_WRITE, REC_FLUSH, REC_MARK };

struct rec {
	u8 kind;
	bool durable;		/* FUA */
	u32 at;			/* sector of the image; the origin comes first */
	u32 nr;
	u32 data;		/* first sector in the arena, or SEC_GONE */
};

/*
 * Sectors by number: the file's, then some with a meaning, then those that a
 * state writes itself. The key of one is what its stamp says.
 */
#define KEY_ZERO	(~0ULL - 1)	/* nothing but zeroes */
#define KEY_BAD		(~0ULL)		/* anything else without a stamp */

struct log {
	struct piece origin, delta, marks;
	struct rec *rec;
	u32 nr;
	u8 *arena;
	u64 *key;
	u32 zero;		/* a sector of zeroes */
	u32 gone;		/* what a discard leaves, and a new disk has */
	u32 own;		/* the first of a state's own */
	u32 max;
};

static inline u32 image_sectors(const struct log *l)
{
	return l->origin.nr + l->delta.nr;
}

static inline u8 *sector_data(const struct log *l, u32 sector)
{
	return l->arena + (size_t)sector * SIM_SECTOR;
}

void log_read(struct log *l, const char *path);

/* --- disk.c --------------------------------------------------------------- */

/* Which flushes the reader of the recording pretends not to see (a control) */
struct deaf {
	u32 origin, delta;	/* each n-th for this one, 0: none */
	bool core;		/* barriers of the recovery */
};

struct undo {
	u32 at;
	u32 was;
};

struct disk {
	const struct log *log;
	struct rng rng;
	u32 *img;		/* for each sector of the image, one of the arena */
	/* The recording: what is in the caches, in order */
	u32 *cached;		/* records */
	u32 nr_cached, max_cached;
	bool origin_caches;	/* and the delta does not; or the reverse */
	struct deaf deaf;
	u32 flushes[2];
	/* The state under construction */
	struct undo *undo;
	u32 nr_undo, max_undo;
	u32 own;		/* next free sector */
	u32 *seen;		/* by sector of the image: in vol[] if == round */
	u32 round;
	struct undo *vol;	/* what the core wrote since its last barrier */
	u32 nr_vol, max_vol;
	u32 steps, die_at;	/* writes and barriers; 0: live on */
	bool dead;
	struct dr_node_cache nodes;
	u32 reports;
	char report[160];
};

void disk_init(struct disk *d, const struct log *l, struct dr_env *env);
/* The next record but a mark */
void disk_apply(struct disk *d, u32 rec);
/* Mark A */
void disk_caches(struct disk *d, bool origin);

enum state_kind { STATE_ALL, STATE_SOME, STATE_TORN };

/* Begin a state: what is in the caches gets there, all or some of it. */
void disk_cut(struct disk *d, enum state_kind kind);
/* What the core wrote since its last barrier gets there or not; power is on. */
void disk_cut_core(struct disk *d);
/* Back to the recording */
void disk_restore(struct disk *d);
/* Copy sectors within the image, with @from ~0: zeroes */
void disk_copy(struct disk *d, u32 to, u32 from, u32 nr);

/* --- want.c --------------------------------------------------------------- */

struct epoch {
	u32 id;
	u32 parent;
	bool dropped;
	bool below;		/* the commit that is begun or under way drops it */
	u64 *key;		/* what it shows, by sector */
	u32 *writer;		/* the epoch that wrote it, by block */
};

struct late {			/* written since the last flush */
	u32 x, nr;
	u32 s;			/* write, 0: zeroes */
};

struct want {
	u32 nr_sectors;		/* 0: it has not begun */
	u32 nr_blocks;
	struct epoch *e;
	u32 nr, max;
	u32 head;
	u64 *durable;		/* of the head, at the last flush */
	struct late *late;
	u32 nr_late, max_late;
	u64 *origin;		/* what epoch 0 shows */
	u32 base;		/* epoch that the origin holds */
	u32 fold;		/* acknowledged to be under way, or 0 */
	/* Asked for, and not acknowledged: a letter, or 0 */
	char asked;
	u32 arg;
	u64 *next_key;		/* what the new head shows if it is done */
	u32 *next_writer;
	u32 seen;		/* marks */
	bool over;
	char last[48];		/* mark */
};

void want_init(struct want *w);
/* One mark. Return: 'A' if the caches change (*@origin), or another letter */
char want_mark(struct want *w, const char *text, bool *origin);
struct epoch *want_find(const struct want *w, u32 id);
/* May sector @x of the head hold this, if nothing since came to be? */
bool want_head(const struct want *w, u32 x, u64 key);

/* --- state.c -------------------------------------------------------------- */

struct counts {
	u64 states, all, some, torn, twice, on;
	u64 fold, reclaim, replay;	/* these were under way on disk */
	u64 finished, unfinished;		/* of what was asked for and not answered */
	u64 asked[128];
	u64 journal;			/* with records to be replayed */
	u64 points, writes, flushes;
};

struct trial {
	const struct log *log;
	struct disk *disk;
	const struct want *want;
	struct dr_env env;
	struct counts *counts;
	bool twice;		/* cut the power during the recovery as well */
	bool on;		/* let a commit and reclaim come to their ends */
};

/* The state is laid out. Return: NULL, or what is wrong with it */
const char *state_try(struct trial *t);

#endif
