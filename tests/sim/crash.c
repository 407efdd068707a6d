// SPDX-License-Identifier: GPL-2.0
/*
 * crash.c - the end of a session, and what the next one finds.
 */
#include "check.h"
#include "model.h"

static void commit_lock(void *ctx)
{
	struct sim_disk *d = ctx;
	struct model *m = (void *)((u8 *)d - offsetof(struct model, disk));

	/* Whoever seals holds the mutex until his record is durable. */
	m->committing = true;
	ctl_pump(m);
	m->committing = false;
}

static void commit_unlock(void *ctx)
{
	(void)ctx;
}

static void check_store(struct model *m)
{
	struct dr_check ck = {};
	int r = dr_check(m->st, &ck);

	if (r || ck.errors)
		fail(m, "check: %d, %llu errors", r, ull(ck.errors));
}

static void close_store(struct model *m)
{
	close_views(m);
	dr_replay_end(m->st);
	dr_store_close(m->st);
	io_forget(m);
	m->jn = 0;
	m->jclaim = NULL;
	m->release = false;
	m->merging = false;
}

/* Begin anywhere, so that free space comes in pieces. */
static void move_cursors(struct model *m)
{
	struct dr_space *sp = &m->st->space;

	if (chance(&m->rng, 50))
		sp->data_cursor = rnd(&m->rng, sp->nr_blocks) &
				  ~(sp->slot_blocks - 1);
	if (chance(&m->rng, 50))
		sp->node_cursor = rnd(&m->rng, 400);
	else if (chance(&m->rng, 50))
		sp->node_cursor = rnd(&m->rng, sp->nr_blocks);
}

void open_store(struct model *m)
{
	struct dr_store *st = m->st;
	int r;

	memset(m->lost, 0, m->disk.max * sizeof(*m->lost));
	for (;;) {
		memset(st, 0, sizeof(*st));
		st->env = m->env;
		st->commit_lock = commit_lock;
		st->commit_unlock = commit_unlock;
		st->start_mode = m->mode;
		st->start_now = m->nr_ops;
		r = dr_store_open(st, m->disk.nr, 8 + rnd(&m->rng, m->mem_max));
		if (r)
			fail(m, "open: %s", strerror(-r));
		check_store(m);
		move_cursors(m);
		if (chance(&m->rng, 30))
			m->disk.die_at = m->disk.steps + 1 + rnd(&m->rng, 40);
		r = dr_store_activate(st);
		if (!dead(m))
			break;
		say(m, "crash during activation");
		dr_store_close(st);
		sim_crash(&m->disk);
	}
	m->disk.die_at = 0;
	/* A device that fills up soon: most of it is kept in reserve. */
	if (m->tight && st->space.free > st->space.reserve + m->tight)
		st->space.reserve = st->space.free - m->tight;
	m->disk.reports -= m->disk.super_reports;
	m->disk.super_reports = 0;
	if (r)
		fail(m, "activate: %s", strerror(-r));
	if (m->disk.reports)
		fail(m, "reports");
}

/* Did the control record that nobody was told of make it? */
static void adopt_ctl(struct model *m, u32 was, u32 found)
{
	struct dr_store *st = m->st;
	const struct dr_epoch *e;
	bool open = m->pend == PEND_SEAL || m->pend == PEND_ROLLBACK ||
		    m->pend == PEND_REPLAY;

	if (found == was) {
		if (open)
			ctl_done(m);
	} else if (open && found == m->pend_sealed) {
		or_remove(&m->o, m->pend_head);
		if (m->pend == PEND_REPLAY)
			or_remove(&m->o, m->pend_other);
	} else {
		fail(m, "head is %u, was %u", found, was);
	}
	e = dr_epochs_find(&st->epochs, m->pend_other);
	if (m->pend == PEND_DROP && (!e || e->state == DR_EPOCH_DROPPED))
		ctl_done(m);
	m->pend = PEND_NONE;
	sync_gone(m);
}

static void adopt_block(struct model *m, const struct dr_lineage *l, u32 head,
			u64 block)
{
	struct or_ver *v = calloc(1, sizeof(*v) + m->spb * sizeof(u64));
	struct dr_snap snap;
	struct dr_state s;
	u64 sector, val;
	u32 i;

	dr_store_snap(m->st, &snap);
	if (lookup(m, &snap, l, head, block, 1, &s))
		fail(m, "lookup after a crash");
	v->slot = s.slot;
	v->merged = s.flags & DR_MAP_MERGED;
	for (i = 0; i < m->spb; i++) {
		sector = block * m->spb + i;
		if (sector >= m->o.nr_sectors)
			break;
		val = read_sector(m, &s, block, i);
		if (!or_allowed(&m->o, head, sector, val))
			fail(m, "sector %llu: %llx after the crash (epoch %u, slot %llu)",
			     ull(sector), ull(val), s.epoch, ull(s.slot));
		v->val[i] = val;
	}
	/* What was published over what a commit left is lost, that is not. */
	v->kept = s.epoch != head;
	if (s.epoch == head || or_find(&m->o, head)->keeps[block])
		or_set(&m->o, head, block, v);
	else
		or_clear(&m->o, head, block);
	free(v);
}

/* What the store says of itself must be one of the possible outcomes. */
static void adopt(struct model *m, u32 was)
{
	u32 found = head_found(m, was);
	struct dr_lineage *l = dr_lineage_make(&m->st->epochs, &m->env, found);
	u64 b;

	adopt_fold(m);
	adopt_ctl(m, was, found);
	adopt_marks(m);
	for (b = 0; b < m->o.nr_blocks; b++)
		adopt_block(m, l, found, b);
	m->env.free(m->env.ctx, l);
	adopt_start(m, found);
	or_settle(&m->o, m->st->head);
	adopt_note(m);
	verify_head(m);
	verify_epochs(m);
	verify_notes(m);
}

void crash_and_open(struct model *m)
{
	u32 was = m->st->head;

	say(m, "crash");
	close_store(m);
	sim_crash(&m->disk);
	origin_crash(m);
	open_store(m);
	adopt(m, was);
}

/* Close as the kernel does: everything ends and is flushed. */
int op_reopen(struct model *m)
{
	u32 was = m->st->head;

	if (ctl_pump(m) || io_drain(m, ~0ULL))
		return -EIO;
	if (chance(&m->rng, 60) && merge_all(m))
		return -EIO;
	if (flush_all(m))
		return -EIO;
	say(m, "close and open");
	close_store(m);
	open_store(m);
	adopt(m, was);
	return 0;
}
