/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model.h - the model test: one history of a store on a simulated disk.
 *
 * embed.c plays the embedder as the kernel does it, with several requests in
 * flight; write.c and past.c are the operations of users; crash.c cuts the
 * power and starts again; verify.c holds the store against the oracle.
 *
 * Functions that do I/O return 0 or -EIO once the disk has died; anything
 * else that goes wrong ends the history in fail().
 */
#ifndef MODEL_H
#define MODEL_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "recover.h"
#include "start.h"
#include "sim-disk.h"

enum io_kind { IO_READ, IO_FIRST, IO_INPLACE };

struct io {			/* a request in flight */
	struct io *next;
	enum io_kind kind;
	u64 block;
	u32 n;			/* blocks */
	u64 slot;
	u32 epoch;
	u64 era;
	bool merged;
	bool on_disk;
	bool claimed;		/* by tail_gen */
	u64 tail_gen;
	u32 s0;			/* sectors of the block that are concerned */
	u32 sn;
	u64 *val;
};

enum pend_kind {		/* control record that is not durable yet */
	PEND_NONE, PEND_SEAL, PEND_ROLLBACK, PEND_REPLAY, PEND_DROP,
	PEND_ABORT,
};

struct view {			/* somebody who looks at the past */
	struct dr_recipe rc;
	u64 *val;		/* what each sector shows; NULL: not open */
};

struct or_rules {		/* what the oracle needs to know of a recipe */
	u32 epoch;
	const struct dr_rule *rule;
	u32 nr;
};

enum fold_phase { FOLD_PLAN, FOLD_COPY, FOLD_APPLY };

struct model {
	u64 seed;
	struct rng rng;
	bool verbose;
	jmp_buf failed;
	struct sim_disk disk;
	struct dr_env env;
	struct dr_store *st;
	struct oracle o;
	u32 spb;		/* sectors in a block */
	u32 percent[24];	/* profile: weights of the operations */
	u32 mem_max;
	u32 tight;		/* blocks for data in each session; 0: all */
	u32 claims;		/* percent: how often first writes are claimed */
	u32 lazy;		/* percent: how seldom merges are made */

	struct io *io;		/* in flight */
	u32 nr_io;
	u64 era;
	u64 tag;		/* of the last write */

	u8 jbuf[8 * DR_BLOCK_SIZE];
	int jn;			/* blocks of the group under way */
	bool jdone;		/* it has been written */
	bool *lost;		/* blocks that a claim of a failed write has */
	struct io *jclaim;	/* it is the claim of this one */
	u64 barriers;
	u64 barrier_tried;

	enum pend_kind pend;
	u64 pend_era;		/* what began before it drains */
	u32 pend_sealed;
	u32 pend_head;
	u32 pend_other;		/* replay's epoch, or the one dropped */
	char pend_label[DR_LABEL_MAX + 1];

	bool committing;	/* inside commit_lock */
	bool merging;		/* a merge has steps left */
	bool release;		/* due when the era has drained */
	bool release_final;
	u64 release_era;

	struct dr_rule rule[16];	/* of the open replay */
	u32 nr_rules;
	struct view view[3];
	bool clean_replay;	/* nothing written since it began */
	struct or_note replay_note;	/* of its epoch */
	u32 note_epoch;		/* whose note is being replaced, 0: none */
	struct or_note note_next;
	u64 counted;
	u32 nr_ops;

	u64 *origin;		/* content of its sectors now, */
	u64 *origin_was;	/* and when it was flushed last */
	u32 fold;		/* being committed, 0: none */
	u32 fold_try;		/* while that begins */
	enum fold_phase fold_phase;
	bool folded;		/* there has been one */
	u64 nr_kept;
	u8 mode;		/* enum dr_start_mode, of all activations */
	u32 start;		/* where they begin */
	u32 start_next;		/* the same, being set */
	u32 since;		/* first head of the run, if it is discarded */
};

void fail(struct model *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void say(struct model *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define ull(x)	((unsigned long long)(x))

static inline bool dead(const struct model *m)
{
	return m->disk.dead;
}

static inline void lock(struct model *m)
{
	m->env.lock(m->env.ctx);
}

static inline void unlock(struct model *m)
{
	m->env.unlock(m->env.ctx);
}

/* A result of the core: errors are allowed only when the disk has died. */
int check_ret(struct model *m, const char *what, int r);

/* embed.c */
int lookup(struct model *m, const struct dr_snap *snap,
	   const struct dr_lineage *l, u32 epoch, u64 block, u64 max,
	   struct dr_state *s);
int lookup_head(struct model *m, u64 block, u64 max, struct dr_state *s);
u64 read_sector(struct model *m, const struct dr_state *s, u64 block, u32 i);
struct io *io_start(struct model *m, enum io_kind kind, u64 block, u32 n,
		    u64 slot, u32 epoch);
int io_write(struct model *m, struct io *io);
int io_end(struct model *m, struct io *io);
int io_end_random(struct model *m);
int io_drain(struct model *m, u64 era);
/* End whatever first writes are pending in these blocks */
int io_wait_blocks(struct model *m, u64 block, u64 n, bool all);
void io_forget(struct model *m);
int journal_fill(struct model *m);
int journal_write(struct model *m);
void expect_no_first(struct model *m, u64 block);
int journal_pump(struct model *m);
int flush_all(struct model *m);
int ctl_pump(struct model *m);
/*
 * A step of the core, which finds no room or no memory now and then. -EAGAIN:
 * so it did, and is to be made again
 */
int step_or_not(struct model *m, int (*step)(struct dr_store *st));
int merge_step(struct model *m);
int release(struct model *m);
int merge_all(struct model *m);
int reclaim_all(struct model *m);
int make_room(struct model *m);
/* With the tables empty, the journal tells of nothing but epochs. */
int commit_epochs(struct model *m);
/* Whoever places a control record waits for this. */
int ring_room(struct model *m);

/* write.c */
int op_write(struct model *m);
int op_partial(struct model *m);
int op_discard(struct model *m);
int op_read(struct model *m);

/* past.c */
int op_checkpoint(struct model *m);
int op_rollback(struct model *m);
int op_replay(struct model *m);
int op_drop(struct model *m);
int op_reclaim(struct model *m);
int op_purge(struct model *m);
int op_grow(struct model *m);

/* notes.c */
int op_note(struct model *m);
void verify_notes(struct model *m);
/* After a crash: has the note that was being replaced become another? */
void adopt_note(struct model *m);

/* begin.c */
int op_start(struct model *m);
/* Which epoch did the activation find as the head? @was: when we crashed */
u32 head_found(struct model *m, u32 was);
/* What the activation did with it has to be what its mode asks for. */
void adopt_start(struct model *m, u32 found);

void ctl_done(struct model *m);
void sync_gone(struct model *m);

/* view.c */
int op_view(struct model *m);
/* Newest version that no rule passes over; NULL: the origin's */
const struct or_ver *survivor(const struct model *m, const struct or_rules *rs,
			      u64 block);
/* 0, -ENOENT, -ENODATA */
int random_rule(struct model *m, const struct dr_lineage *l, u32 epoch,
		struct dr_rule *rule);
void verify_views(struct model *m);
void verify_preview(struct model *m, u32 sealed, u32 replay, u64 mixed);
void open_views(struct model *m);
void close_views(struct model *m);
bool is_viewed(const struct model *m, u32 epoch);

/* commit.c */
int op_fold(struct model *m);
void origin_init(struct model *m);
void origin_exit(struct model *m);
void origin_crash(struct model *m);
int origin_save(void *ctx, const struct dr_copy *copy);
void fold_begun(struct model *m, u32 epoch);
void fold_done(struct model *m);
void adopt_fold(struct model *m);
void pass_on_kept(struct model *m, const struct or_epoch *gone);

void commit_made(struct model *m);

/* policy.c */
int op_retain(struct model *m);
/* What was going is dropped, or some of it. Return: how many */
u32 retain_done(struct model *m);
void adopt_marks(struct model *m);
/* Is no policy to drop it? */
bool protects(const struct model *m, const struct or_epoch *o);

/* crash.c */
int op_reopen(struct model *m);
void crash_and_open(struct model *m);
void open_store(struct model *m);

/* verify.c */
void verify_head(struct model *m);
void verify_epochs(struct model *m);
void verify_diff(struct model *m, u32 from, u32 to);
void verify_space(struct model *m);
void verify_reclaimed(struct model *m);
void verify_metadata(struct model *m);
/* One that @from descends from, or any (0). Return: 0 if there is none */
u32 random_sealed(struct model *m, u32 from);

#endif
