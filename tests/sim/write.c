// SPDX-License-Identifier: GPL-2.0
/*
 * write.c - what users of the device do: write, discard, read.
 */
#include "model.h"

static void pick_range(struct model *m, u64 *block, u64 *n)
{
	u64 nr = m->o.nr_blocks;

	*block = rnd(&m->rng, nr);
	if (chance(&m->rng, 40))
		*n = 1;
	else if (chance(&m->rng, 80))
		*n = 1 + rnd(&m->rng, 8);
	else
		*n = 1 + rnd(&m->rng, nr);
	if (*n > nr - *block)
		*n = nr - *block;
}

static void fill_tags(struct model *m, struct io *io, u32 nr)
{
	u64 s = io->block * m->spb + io->s0;
	u32 i;

	m->tag++;
	for (i = 0; i < nr; i++)
		io->val[i] = s + i < m->o.nr_sectors ? m->tag << 16 | i : 0;
}

/* The request is on its way: some of it may happen at once. */
static int io_sent(struct model *m, struct io *io)
{
	int r = 0;

	if (chance(&m->rng, 50))
		r = io_write(m, io);
	if (!r && chance(&m->rng, 30))
		r = io_end(m, io);
	while (!r && m->nr_io > 12)
		r = io_end_random(m);
	return r;
}

/* Slots for up to *@n blocks. 1: none are left */
static int take_slots(struct model *m, u32 *n, u64 *slot)
{
	u32 want = *n, tries = 0;
	int r;

	for (;;) {
		*n = want;
		lock(m);
		r = dr_store_begin_write(m->st, n, slot);
		unlock(m);
		if (!r)
			return 0;
		if (r == -EAGAIN) {
			r = make_room(m);
			if (r)
				return r;
			continue;
		}
		if (r != -ENOSPC)
			fail(m, "begin_write: %d", r);
		say(m, "no space, %llu free, %llu pending",
		    ull(m->st->space.free), ull(m->st->space.pending));
		/* What is pending is waited for before anybody is told. */
		if (tries++ || !m->st->space.pending)
			return 1;
		r = merge_all(m);
		if (r)
			return r;
	}
}

/* Record a first write beside its data, or do not */
static int maybe_claim(struct model *m, struct io *io)
{
	u8 data[DR_CLAIM_BLOCKS * DR_BLOCK_SIZE] = {};
	struct dr_map map = {
		.block = io->block, .len = io->n, .slot = io->slot,
		.epoch = io->epoch, .flags = io->merged ? DR_MAP_MERGED : 0,
	};
	size_t bytes = (size_t)io->n * m->spb * 512;
	struct dr_state s;
	bool may;
	u32 i;
	int r;

	if (bytes > sizeof(data) || !chance(&m->rng, m->claims) || m->jn)
		return 0;
	r = lookup_head(m, io->block, io->n, &s);
	if (r)
		return r;
	for (i = 0; i < io->n * m->spb; i++)
		memcpy(data + i * 512, io->val + i, 8);
	lock(m);
	may = s.len == io->n && dr_store_may_claim(m->st, &s);
	unlock(m);
	/* The lock is let go while the checksum is made. */
	lock(m);
	if (may && chance(&m->rng, 5))
		dr_store_freeze(m->st);
	io->tail_gen = m->st->tail_gen;
	if (may)
		io->claimed = !dr_store_claim(m->st, m->jbuf, &map,
					      crc32c(~0u, data, bytes));
	unlock(m);
	if (!io->claimed)
		return 0;
	say(m, "  claimed, journal block at %llu", ull(m->st->group.place));
	m->jn = 1;
	m->jdone = false;
	m->jclaim = io;
	for (i = 0; i < io->n; i++)
		or_claim(&m->o, io->epoch, io->block + i, io->val + i * m->spb);
	return chance(&m->rng, 50) ? journal_write(m) : 0;
}

/* First write of [block, block + n). 1: no space */
static int first_write(struct model *m, u64 block, u32 n)
{
	struct io *io;
	u32 got;
	u64 slot;
	int r = 0;

	while (!r && n) {
		got = n;
		r = take_slots(m, &got, &slot);
		if (r)
			return r;
		say(m, "first write %llu+%u slot %llu epoch %u", ull(block),
		    got, ull(slot), m->st->head);
		io = io_start(m, IO_FIRST, block, got, slot, m->st->head);
		fill_tags(m, io, got * m->spb);
		r = maybe_claim(m, io);
		if (!r)
			r = io_sent(m, io);
		block += got;
		n -= got;
		/* Nothing says that the head is still the same. */
	}
	return r;
}

static int inplace(struct model *m, u64 block, u64 slot, u32 s0, u32 sn)
{
	struct io *io;
	int r;

	expect_no_first(m, block);
	r = io_wait_blocks(m, block, 1, true);
	if (r)
		return r;
	say(m, "in place %llu slot %llu sectors %u+%u epoch %u", ull(block),
	    ull(slot), s0, sn, m->st->head);
	io = io_start(m, IO_INPLACE, block, 1, slot, m->st->head);
	io->s0 = s0;
	io->sn = sn;
	fill_tags(m, io, sn);
	return io_sent(m, io);
}

static bool settled(const struct model *m, const struct dr_state *s)
{
	return s->epoch == m->st->head && dr_slot_is_data(s->slot);
}

/*
 * Look up what is to be written. A first write waits for others of the same blocks,
 * one in place only until what is there is recorded.
 */
static int lookup_write(struct model *m, u64 block, u64 n, struct dr_state *s)
{
	struct dr_snap snap;
	int r;

	for (;;) {
		r = lookup_head(m, block, n, s);
		if (!r && !settled(m, s)) {
			r = io_wait_blocks(m, block, n, false);
			if (!r)
				r = lookup_head(m, block, n, s);
		}
		dr_store_snap(m->st, &snap);
		if (r || !settled(m, s) || !dr_snap_claims(&snap, s))
			return r;
		r = journal_pump(m);
		if (!r && m->st->ctl_state == DR_CTL_DRAINING)
			r = io_drain(m, m->pend_era);
		else if (!r)
			fail(m, "a claim is not recorded");
		if (r < 0)
			return r;
	}
}

/*
 * How far may a write of whole blocks go, of which the first *@n are not settled?
 * Each block of what is promised is looked up.
 */
static int first_run(struct model *m, u64 block, u64 max, u64 *n)
{
	struct dr_snap snap;
	struct dr_state s;
	u64 end;
	int r;

	if (*n == max)
		return 0;
	dr_store_snap(m->st, &snap);
	m->env.enter(m->env.ctx);
	end = *n + dr_map_unsettled(&m->env, &snap, block + *n, max - *n);
	m->env.leave(m->env.ctx);
	for (; *n < end; *n += s.len) {
		r = lookup_head(m, block + *n, end - *n, &s);
		if (r)
			return r;
		if (settled(m, &s))
			fail(m, "%llu is settled, and was to be written first",
			     ull(block + *n));
	}
	return 0;
}

int op_write(struct model *m)
{
	struct dr_state s;
	u64 block, n, i;
	int r;

	pick_range(m, &block, &n);
	while (n) {
		r = lookup_write(m, block, n, &s);
		if (r)
			return r;
		if (!settled(m, &s)) {
			r = first_run(m, block, n, &s.len);
			if (!r)
				r = first_write(m, block, s.len);
			if (r)
				return r < 0 ? r : 0;
		}
		for (i = 0; settled(m, &s) && i < s.len; i++) {
			r = inplace(m, block + i,
				    s.slot + i * m->st->slot_blocks, 0, m->spb);
			if (r)
				return r;
			/* A merge on the way must not have moved it. */
		}
		block += s.len;
		n -= s.len;
	}
	return 0;
}

static int merge_write(struct model *m, u64 block, u32 s0, u32 sn)
{
	struct dr_state s;
	struct io *io;
	u32 i, got = 1;
	u64 slot, sector;
	int r;

	r = take_slots(m, &got, &slot);
	if (r)
		return r;
	/* Taking may have waited, and others have gone on meanwhile. */
	r = io_wait_blocks(m, block, 1, true);
	if (!r)
		r = lookup_head(m, block, 1, &s);
	if (r)
		return r;
	io = io_start(m, IO_FIRST, block, 1, slot, m->st->head);
	io->merged = s.slot != DR_SLOT_ZERO;
	fill_tags(m, io, m->spb);
	for (i = 0; i < m->spb; i++) {
		sector = block * m->spb + i;
		if ((i < s0 || i >= s0 + sn) && sector < m->o.nr_sectors)
			io->val[i] = read_sector(m, &s, block, i);
	}
	say(m, "partial write %llu slot %llu epoch %u over slot %llu of %u",
	    ull(block), ull(slot), m->st->head, ull(s.slot), s.epoch);
	r = maybe_claim(m, io);
	return r ? r : io_sent(m, io);
}

int op_partial(struct model *m)
{
	u64 block = rnd(&m->rng, m->o.nr_blocks);
	u32 s0 = rnd(&m->rng, m->spb), sn;
	struct dr_state s;
	int r;

	sn = 1 + rnd(&m->rng, m->spb - s0);
	if (sn == m->spb)
		sn--;
	r = lookup_write(m, block, 1, &s);
	if (r)
		return r;
	if (settled(m, &s))
		return inplace(m, block, s.slot, s0, sn);
	r = merge_write(m, block, s0, sn);
	return r < 0 ? r : 0;
}

int op_discard(struct model *m)
{
	u64 block, n, len, i;
	int r = 0;

	pick_range(m, &block, &n);
	if (chance(&m->rng, 30))
		n = m->o.nr_blocks - block;
	while (!r && n) {
		len = n;
		if (dr_mem_zero_cost(len) > m->st->active->max / 2)
			len = m->st->active->max / 2;
		r = io_wait_blocks(m, block, len, false);
		if (r)
			return r;
		lock(m);
		r = dr_store_zero(m->st, block, len);
		unlock(m);
		if (r == -EAGAIN) {
			r = make_room(m);
			continue;
		}
		if (r)
			fail(m, "zero: %d", r);
		say(m, "discard %llu+%llu epoch %u", ull(block), ull(len),
		    m->st->head);
		for (i = 0; i < len; i++)
			or_publish(&m->o, m->st->head, block + i, DR_SLOT_ZERO,
				   false, NULL);
		block += len;
		n -= len;
	}
	return r;
}

int op_read(struct model *m)
{
	u64 block = rnd(&m->rng, m->o.nr_blocks);
	struct dr_state s;
	struct io *io;
	u32 i;

	if (lookup_head(m, block, 1, &s))
		return -EIO;
	if (s.slot == DR_SLOT_ZERO)
		return 0;
	io = io_start(m, IO_READ, block, 1, s.slot, s.epoch);
	for (i = 0; i < m->spb; i++)
		io->val[i] = or_value(&m->o, m->st->head, block * m->spb + i);
	return 0;
}
