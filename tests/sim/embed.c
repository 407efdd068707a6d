// SPDX-License-Identifier: GPL-2.0
/*
 * embed.c - the embedder: requests in flight, journal writes, merges.
 *
 * A request belongs to the era in which it began. What a commit gives up is
 * released, and a seal is recorded, when all older eras have ended; the model
 * makes that happen by ending requests, in random order.
 */
#include "model.h"

int check_ret(struct model *m, const char *what, int r)
{
	if (dead(m))
		return -EIO;
	if (r < 0)
		fail(m, "%s: %s", what, strerror(-r));
	return r;
}

/* --- lookups ------------------------------------------------------------- */

int lookup(struct model *m, const struct dr_snap *snap,
	   const struct dr_lineage *l, u32 epoch, u64 block, u64 max,
	   struct dr_state *s)
{
	struct dr_want want;
	int r;

	for (;;) {
		m->env.enter(m->env.ctx);
		r = dr_map_lookup(&m->env, snap, l, epoch, block, max,
				  m->st->slot_blocks, s, &want);
		m->env.leave(m->env.ctx);
		if (r != -EAGAIN)
			break;
		r = dr_tree_load(&m->env, m->st->uuid, &want);
		if (r)
			break;
	}
	if (check_ret(m, "lookup", r) < 0)
		return -EIO;
	if (!s->len || s->len > max)
		fail(m, "looked up %llu: length %llu of %llu", ull(block),
		     ull(s->len), ull(max));
	return 0;
}

int lookup_head(struct model *m, u64 block, u64 max, struct dr_state *s)
{
	struct dr_snap snap;

	dr_store_snap(m->st, &snap);
	return lookup(m, &snap, snap.lineage, snap.head, block, max, s);
}

/* Sector @i of @block, which lies in the state from its first block on */
u64 read_sector(struct model *m, const struct dr_state *s, u64 block, u32 i)
{
	if (s->slot == DR_SLOT_ORIGIN)
		return m->origin[block * m->spb + i];
	if (s->slot == DR_SLOT_ZERO)
		return 0;
	return sim_read_data(&m->disk, s->slot * DR_BLOCK_SECTORS + i);
}

/* --- requests in flight -------------------------------------------------- */

struct io *io_start(struct model *m, enum io_kind kind, u64 block, u32 n,
		    u64 slot, u32 epoch)
{
	struct io *io = calloc(1, sizeof(*io));

	*io = (struct io){
		.next = m->io, .kind = kind, .block = block, .n = n,
		.slot = slot, .epoch = epoch, .era = m->era, .sn = m->spb,
		.val = calloc((size_t)n * m->spb, sizeof(u64)),
	};
	m->io = io;
	m->nr_io++;
	return io;
}

/* Reads under way of the slots that are written in place see either. */
static void update_reads(struct model *m, const struct io *w)
{
	struct io *io;
	u32 i;

	for (io = m->io; io; io = io->next)
		for (i = 0; io->kind == IO_READ && io->slot == w->slot &&
		     i < w->sn; i++)
			io->val[w->s0 + i] = w->val[i];
}

/* The data reaches the disk's cache. */
int io_write(struct model *m, struct io *io)
{
	u32 i, nr = io->kind == IO_INPLACE ? io->sn : io->n * m->spb;
	u64 at = io->slot * DR_BLOCK_SECTORS + io->s0;

	if (io->on_disk || io->kind == IO_READ)
		return dead(m) ? -EIO : 0;
	io->on_disk = true;
	if (io->kind == IO_INPLACE) {
		for (i = 0; i < nr; i++)
			or_inplace(&m->o, io->epoch, io->slot,
				   io->block * m->spb + io->s0 + i, io->val[i]);
		update_reads(m, io);
	}
	return check_ret(m, "data", sim_write_data(&m->disk, at, nr, io->val));
}

static void check_read(struct model *m, const struct io *io)
{
	struct dr_state s = { .slot = io->slot };
	u32 i;

	for (i = 0; i < m->spb; i++) {
		if (io->block * m->spb + i >= m->o.nr_sectors)
			break;
		if (read_sector(m, &s, io->block, i) != io->val[i])
			fail(m, "read in flight of block %llu (slot %llu) changed",
			     ull(io->block), ull(io->slot));
	}
}

static void io_free(struct model *m, struct io *io)
{
	struct io **p = &m->io;

	while (*p != io)
		p = &(*p)->next;
	*p = io->next;
	m->nr_io--;
	free(io->val);
	free(io);
}

static void io_publish(struct model *m, const struct io *io)
{
	u8 flags = io->merged ? DR_MAP_MERGED : 0;
	u32 i;

	lock(m);
	if (io->claimed)
		dr_store_publish_claimed(m->st, io->block, io->n, io->slot,
					 io->epoch, flags, io->tail_gen);
	else
		dr_store_publish(m->st, io->block, io->n, io->slot, io->epoch,
				 flags);
	unlock(m);
	for (i = 0; i < io->n; i++)
		or_publish(&m->o, io->epoch, io->block + i,
			   io->slot + i * m->st->slot_blocks, io->merged,
			   io->val + i * m->spb);
}

int io_end(struct model *m, struct io *io)
{
	bool lost = io->kind == IO_FIRST && chance(&m->rng, 2);
	u32 i;
	int r = 0;

	/* What a claim names may be believed if it has arrived. */
	lost = lost && !(io->claimed && io->on_disk);
	while (!r && m->jclaim == io)
		r = journal_write(m);
	if (!r && !(io->claimed && lost))
		r = io_write(m, io);
	say(m, "end %s of %llu+%u slot %llu epoch %u",
	    io->kind == IO_READ ? "read" : io->kind == IO_FIRST ? "first" :
	    "inplace", ull(io->block), io->n, ull(io->slot), io->epoch);
	if (!r && io->kind == IO_READ)
		check_read(m, io);
	if (!r && lost) {
		say(m, "  as failed");
		for (i = 0; io->claimed && i < io->n * m->st->slot_blocks; i++)
			m->lost[io->slot + i] = true;
		lock(m);
		dr_store_cancel_write(m->st, io->slot, io->n, io->claimed);
		unlock(m);
	} else if (!r && io->kind == IO_FIRST) {
		io_publish(m, io);
	}
	for (i = 0; !r && io->kind == IO_INPLACE && i < io->sn; i++)
		or_done(&m->o, io->epoch, io->block * m->spb + io->s0 + i,
			io->val[i]);
	io_free(m, io);
	return r;
}

int io_end_random(struct model *m)
{
	struct io *io = m->io;
	u32 k;

	if (!m->nr_io)
		return 0;
	for (k = rnd(&m->rng, m->nr_io); k; k--)
		io = io->next;
	return io_end(m, io);
}

int io_drain(struct model *m, u64 era)
{
	struct io *io;
	int r = 0;

	for (io = m->io; !r && io;) {
		if (io->era >= era) {
			io = io->next;
			continue;
		}
		r = io_end(m, io);
		io = m->io;
	}
	return r;
}

/* What is written in place is nobody's first write. */
void expect_no_first(struct model *m, u64 block)
{
	const struct io *io;

	for (io = m->io; io; io = io->next)
		if (io->kind == IO_FIRST && io->block <= block &&
		    block < io->block + io->n)
			fail(m, "block %llu is settled, and is being written first",
			     ull(block));
}

int io_wait_blocks(struct model *m, u64 block, u64 n, bool all)
{
	struct io *io;
	int r = 0;

	for (io = m->io; !r && io;) {
		if (io->kind == IO_READ ||
		    (io->kind == IO_INPLACE && !all) ||
		    io->block >= block + n || io->block + io->n <= block) {
			io = io->next;
			continue;
		}
		r = io_end(m, io);
		io = m->io;
	}
	return r;
}

void io_forget(struct model *m)
{
	while (m->io)
		io_free(m, m->io);
}

/* --- journal ------------------------------------------------------------- */

static int barrier(struct model *m, u64 place, u32 nr, const void *buf)
{
	u64 mark = ++m->barrier_tried;
	int r = check_ret(m, "barrier", m->env.barrier(m->env.ctx, place, nr,
						       buf));

	if (!r)
		m->barriers = mark;
	return r;
}

/* 1: a group is under way; 0: nothing to do; -EAGAIN: ring full */
int journal_fill(struct model *m)
{
	int n;

	if (m->jn)
		return 1;
	lock(m);
	n = dr_store_fill(m->st, m->jbuf, 1 + rnd(&m->rng, 8));
	unlock(m);
	if (n > 0) {
		say(m, "journal: %d blocks at %llu", n,
		    ull(m->st->group.place));
		m->jn = n;
		m->jdone = false;
		return 1;
	}
	if (n && n != -EAGAIN)
		fail(m, "fill: %d", n);
	return n;
}

/* Write the group under way, or say that it has been written */
int journal_write(struct model *m)
{
	enum dr_ctl_state was = m->st->ctl_state;
	int r;

	if (!m->jn)
		return 0;
	if (!m->jdone) {
		if (m->jclaim)
			r = check_ret(m, "claim",
				      m->env.write(m->env.ctx, m->st->group.place,
						   m->jbuf));
		else
			r = barrier(m, m->st->group.place, m->jn, m->jbuf);
		if (r)
			return r;
		m->jdone = true;
		/* Sometimes the news of it comes later. */
		if (chance(&m->rng, 20))
			return 0;
	}
	lock(m);
	dr_store_filled(m->st);
	unlock(m);
	m->jn = 0;
	m->jclaim = NULL;
	if (was != DR_CTL_NONE && m->st->ctl_state == DR_CTL_NONE)
		ctl_done(m);
	return 0;
}

static void poll_drained(struct model *m)
{
	const struct io *io;

	if (m->st->ctl_state != DR_CTL_DRAINING)
		return;
	for (io = m->io; io; io = io->next)
		if (io->era < m->pend_era)
			return;
	lock(m);
	dr_store_drained(m->st);
	unlock(m);
	dr_store_free_old(m->st);
}

/* One round: 1 something was written, 0 nothing to record now, -EIO */
int journal_pump(struct model *m)
{
	int r;

	poll_drained(m);
	r = journal_fill(m);
	if (r == -EAGAIN) {
		if (m->committing)
			fail(m, "journal full, and its merge waits for it");
		r = make_room(m);
		return r ? r : 1;
	}
	if (r == 1) {
		r = journal_write(m);
		return r ? r : 1;
	}
	return r;
}

int flush_all(struct model *m)
{
	u64 target = dr_store_bare(m->st), mark = m->o.clock;
	u64 tried = m->barrier_tried;
	int r;

	while (dr_store_recorded(m->st) < target) {
		r = journal_pump(m);
		if (r < 0)
			return r;
		if (!r && m->st->ctl_state == DR_CTL_DRAINING)
			r = io_drain(m, m->pend_era);
		else if (!r && dr_store_recorded(m->st) < target)
			fail(m, "flush is stuck");
		if (r < 0)
			return r;
	}
	r = m->barriers > tried ? 0 : barrier(m, 0, 0, NULL);
	if (!r)
		or_flushed(&m->o, mark);
	return r;
}

/* Until the pending control record is durable */
int ctl_pump(struct model *m)
{
	int r = 0;

	while (r >= 0 && m->st->ctl_state != DR_CTL_NONE) {
		if (m->st->ctl_state == DR_CTL_DRAINING)
			r = io_drain(m, m->pend_era);
		if (r >= 0)
			r = journal_pump(m);
	}
	return r < 0 ? r : 0;
}

/* --- merges -------------------------------------------------------------- */

int release(struct model *m)
{
	int r;

	if (!m->release)
		return 0;
	r = io_drain(m, m->release_era);
	if (r)
		return r;
	say(m, "given back%s", m->release_final ? ", final" : "");
	m->release = false;
	dr_store_release(m->st, m->release_final);
	return 0;
}

/* Readers that began before a commit go on with the snapshot they have. */
static int check_old_snap(struct model *m, const struct dr_snap *snap)
{
	struct dr_state s;
	u64 b = rnd(&m->rng, m->o.nr_blocks);
	u32 i;

	if (lookup(m, snap, snap->lineage, snap->head, b, 1, &s))
		return -EIO;
	for (i = 0; i < m->spb && b * m->spb + i < m->o.nr_sectors; i++)
		if (read_sector(m, &s, b, i) !=
		    or_value(&m->o, snap->head, b * m->spb + i))
			fail(m, "old snapshot: block %llu differs", ull(b));
	return 0;
}

static int without_memory(struct model *m, int (*step)(struct dr_store *st))
{
	int r;

	m->disk.fail_alloc = 1 + rnd(&m->rng, 8);
	r = step(m->st);
	m->disk.fail_alloc = 0;
	return r;
}

static int without_room(struct model *m, int (*step)(struct dr_store *st))
{
	struct dr_space *sp = &m->st->space;
	u64 *taken = calloc(sp->nr_blocks, sizeof(*taken)), b, n = 0;
	u64 keep = rnd(&m->rng, 12);
	int r;

	/* Enough for a part of the step, maybe */
	if (chance(&m->rng, 60))
		keep += dr_space_spare(sp) + rnd(&m->rng, 30);
	lock(m);
	for (b = 0; b < sp->nr_blocks && sp->free > keep; b++) {
		if (dr_space_is_busy(sp, b))
			continue;
		dr_space_set_busy(sp, b, 1);
		taken[n++] = b;
	}
	unlock(m);
	r = step(m->st);
	lock(m);
	while (n)
		dr_space_clear_busy(sp, taken[--n], 1);
	unlock(m);
	free(taken);
	return r;
}

int step_or_not(struct model *m, int (*step)(struct dr_store *st))
{
	u64 gen = m->st->gen;
	int r;

	if (!chance(&m->rng, 8))
		return step(m->st);
	r = chance(&m->rng, 50) ? without_memory(m, step) :
				  without_room(m, step);
	if (r != -ENOSPC && r != -ENOMEM)
		return r;
	if (m->st->gen != gen)
		fail(m, "a step that failed was committed");
	say(m, "a step found no %s", r == -ENOSPC ? "room" : "memory");
	return -EAGAIN;
}

int merge_step(struct model *m)
{
	struct dr_snap snap;
	int r;

	r = release(m);
	if (r)
		return r;
	dr_store_snap(m->st, &snap);
	r = step_or_not(m, dr_merge_step);
	if (r == -EAGAIN)
		return 0;
	say(m, "merge step: %d", r);
	if (check_ret(m, "merge", r) < 0)
		return -EIO;
	m->merging = r == 1;
	m->release = true;
	m->release_final = !r;
	m->release_era = ++m->era;
	if (m->st->ctl_state == DR_CTL_NONE && snap.head == m->st->head &&
	    chance(&m->rng, 30))
		return check_old_snap(m, &snap);
	return 0;
}

/* Do one thing that brings an empty memtable nearer */
int make_room(struct model *m)
{
	bool ok;
	int r;

	if (m->release)
		return release(m);
	if (m->st->frozen)
		return merge_step(m);
	if (m->st->ctl_state != DR_CTL_NONE) {
		if (m->st->ctl_state == DR_CTL_DRAINING) {
			r = io_drain(m, m->pend_era);
			if (r < 0)
				return r;
		}
		poll_drained(m);
		r = journal_fill(m);
		if (r == -EAGAIN)
			fail(m, "journal full under a control record");
		return r < 0 ? r : journal_write(m);
	}
	lock(m);
	ok = dr_store_freeze(m->st);
	unlock(m);
	say(m, "freeze: %d", ok);
	if (ok)
		return 0;
	if (!m->nr_io)
		fail(m, "no room, and nothing to wait for");
	return io_end_random(m);
}

/* All that is published is in the trees. */
int merge_all(struct model *m)
{
	u64 target = m->st->published;
	int r = 0;

	while (!r && (m->release || m->st->frozen ||
		      m->st->active->first < target))
		r = make_room(m);
	return r;
}

static int commit_all(struct dr_store *st)
{
	int r;

	dr_store_begin(st);
	r = dr_store_commit(st, true);
	if (r)
		dr_store_abort(st);
	return r;
}

int commit_epochs(struct model *m)
{
	int r = 0;

	while (!r && m->jn)
		r = journal_write(m);
	if (r)
		return r;
	lock(m);
	dr_store_forget_tail(m->st);
	unlock(m);
	r = step_or_not(m, commit_all);
	if (r == -EAGAIN)
		return 0;
	say(m, "commit of the epochs: %d", r);
	if (check_ret(m, "commit of the epochs", r) < 0)
		return -EIO;
	commit_made(m);
	m->release_final = true;
	return 0;
}

int ring_room(struct model *m)
{
	int r = 0;

	while (!r && !dr_store_ring_has_room(m->st)) {
		r = merge_all(m);
		if (!r && !dr_store_ring_has_room(m->st))
			r = commit_epochs(m);
		if (!r)
			r = release(m);
	}
	return r;
}
