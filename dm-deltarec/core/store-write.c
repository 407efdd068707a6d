// SPDX-License-Identifier: GPL-2.0
/*
 * store-write.c - the way of a write: slots, publication, journal records.
 *
 * All of it runs under env->lock and none of it sleeps or does I/O: events
 * go in, blocks to write come out.
 */
#include "store.h"

#define WORTH_MERGING	4096u	/* entries: enough of them share nodes */

/*
 * A write cuts a run of many versions in two: what is written of them again, twice
 * in the map and twice in the index, fills a node for each so many of them.
 */
#define VERSIONS_A_NODE	64u
#define VERSIONS_LOW	4u	/* as if a run had so many, beside its epochs */
#define VERSIONS_TALL	128u	/* more are expected only where they were met */

/*
 * Nodes that a full table is expected to take: what the last ones took, and if
 * these were cheap, as if each write cut a run that has a version of each epoch.
 * How tall runs are is not known after opening, later it is.
 */
static u64 expected_growth(const struct dr_store *st)
{
	u32 tall = st->growth ? min(st->epochs.nr, VERSIONS_TALL) :
				st->epochs.nr;
	u64 max = st->active->max;

	return max(st->growth,
		   max * (VERSIONS_LOW + tall) / VERSIONS_A_NODE + 1);
}

/*
 * How many more entries can be merged, if each takes twice the nodes that are
 * expected (S12)? When that is little, what is in memory is to be merged first;
 * an empty table takes entries anyway.
 */
static u64 mergeable(const struct dr_store *st)
{
	const struct dr_memtable *m = st->active, *f = st->frozen;
	u64 entries = (u64)m->used + m->reserved + (f ? f->used : 0), fit;
	u64 free = st->space.free, spare = dr_space_spare(&st->space);

	if (!(m->used || m->reserved || f))
		return ~0ULL;
	fit = free > spare ? div64_u64((free - spare) * m->max,
				       2 * expected_growth(st)) : 0;
	return fit > entries ? fit - entries : 0;
}

int dr_store_begin_write(struct dr_store *st, u32 *n, u64 *slot)
{
	u64 fit = mergeable(st);
	u32 got, want;

	want = min_t(u64, *n, fit);
	if (!dr_mem_room(st->active, want)) {
		want = st->active->max - st->active->used -
		       st->active->reserved;
		if (!want)
			return -EAGAIN;
	}
	/* Where a merge alone does not help, nobody is to wait for one. */
	if (!want && st->space.free >= st->space.reserve + st->slot_blocks)
		return -EAGAIN;
	*slot = dr_space_take_data(&st->space, max(want, 1u), &got);
	if (!*slot)
		return -ENOSPC;
	st->active->reserved += got;
	*n = got;
	return 0;
}

void dr_store_cancel_write(struct dr_store *st, u64 slot, u32 n, bool claimed)
{
	/*
	 * Nobody but the write that failed has ever known these slots. A claim in
	 * the journal would believe whatever is written there next (J12).
	 */
	if (claimed)
		st->claims_out--;
	else
		dr_space_clear_busy(&st->space, slot, (u64)n * st->slot_blocks);
	st->active->reserved -= n;
}

static void count_written(struct dr_store *st, u32 epoch, u64 n)
{
	struct dr_epoch *e;

	if (epoch == st->head) {
		st->head_blocks += n;
		return;
	}
	e = dr_epochs_find(&st->epochs, epoch);
	if (e) {
		e->nr_blocks += n;
		e->dirty = true;
	}
}

/*
 * Only of a write that was under way when its epoch was sealed is the epoch older
 * than the head, and then it has not been dropped.
 */
static void note_oldest(struct dr_store *st, u32 epoch)
{
	if (!st->active->used || epoch < st->active_oldest)
		st->active_oldest = epoch;
}

static void publish(struct dr_store *st, u64 block, u32 n, u64 slot, u32 epoch,
		    u8 flags)
{
	u32 i;

	note_oldest(st, epoch);
	/* A freeze hands promises on to the new table, so they are here. */
	for (i = 0; i < n; i++)
		dr_mem_add(st->active, block + i, epoch,
			   slot + (u64)i * st->slot_blocks, flags);
	st->active->reserved -= n;
	st->published += n;
	count_written(st, epoch, n);
}

void dr_store_publish(struct dr_store *st, u64 block, u32 n, u64 slot,
		      u32 epoch, u8 flags)
{
	publish(st, block, n, slot, epoch, flags);
	st->active->bare = st->active->used;
}

void dr_store_publish_claimed(struct dr_store *st, u64 block, u32 n, u64 slot,
			      u32 epoch, u8 flags, u64 tail_gen)
{
	struct dr_memtable *m = st->active;

	st->claims_out--;
	/* Who sees the entries sees that they are not to be written in place. */
	WRITE_ONCE(m->claimed, m->used + n);
	publish(st, block, n, slot, epoch, flags);
	/* The tail may pass the claim before the table is merged (J11). */
	if (tail_gen != st->tail_gen)
		m->bare = m->used;
}

bool dr_store_publish_zero(struct dr_store *st, u64 block, u64 len, u32 epoch)
{
	note_oldest(st, epoch);
	if (!dr_mem_add_zero(st->active, block, len, epoch))
		return false;
	st->published += dr_mem_zero_cost(len);
	st->active->bare = st->active->used;
	count_written(st, epoch, len);
	return true;
}

int dr_store_zero(struct dr_store *st, u64 block, u64 len)
{
	u32 cost = dr_mem_zero_cost(len);

	if (st->space.free < st->space.reserve / 2)
		return -ENOSPC;
	if (mergeable(st) < cost)
		return -EAGAIN;
	if (!dr_mem_room(st->active, cost) ||
	    !dr_store_publish_zero(st, block, len, st->head))
		return -EAGAIN;
	return 0;
}

bool dr_store_half_full(const struct dr_store *st)
{
	const struct dr_memtable *m = st->active;

	/* What is only promised cannot be merged. */
	return (m->used && m->used + m->reserved >= m->max / 4 * 3) ||
	       m->nr_ranges * 4 >= m->max_ranges * 3 ||
	       (m->used && st->head - st->active_since >= DR_SPAN_MAX / 2) ||
	       dr_journal_used(&st->journal) >= st->journal.blocks / 2;
}

bool dr_store_worth_merging(const struct dr_store *st)
{
	const struct dr_memtable *m = st->active;

	/* Without entries nothing can be frozen; a range is one as well. */
	return m->used && (m->used >= min(m->max / 8, WORTH_MERGING) ||
			   m->nr_ranges >= max(m->max_ranges / 8, 1u) ||
			   dr_journal_used(&st->journal) >= st->journal.blocks / 8);
}

bool dr_store_freeze(struct dr_store *st)
{
	struct dr_memtable *old = st->active, *new;

	if (st->frozen || st->retired || st->ctl_state != DR_CTL_NONE ||
	    !old->used)
		return false;
	new = old == st->table ? st->table + 1 : st->table;
	new->reserved = old->reserved;
	old->reserved = 0;
	new->first = st->published;
	st->frozen = old;
	st->active = new;
	st->frozen_since = st->active_since;
	st->frozen_oldest = st->active_oldest;
	dr_store_forget_tail(st);
	return true;
}

void dr_store_forget_tail(struct dr_store *st)
{
	st->active_since = st->head;
	st->tail_known = false;
	st->tail_gen++;
}

/*
 * What two tables may need, in blocks: each of their ranges may stand alone
 * between single blocks.
 */
bool dr_store_ring_has_room(const struct dr_store *st)
{
	const struct dr_memtable *m = st->active;
	u64 table = m->max / DR_JOURNAL_RECORDS + 1 + 2 * m->max_ranges;

	return dr_journal_used(&st->journal) + 2 * table + 2 <=
	       st->journal.blocks;
}

u64 dr_store_recorded(const struct dr_store *st)
{
	const struct dr_memtable *f = st->frozen;

	if (f && f->recorded < f->used)
		return f->first + f->recorded;
	return st->active->first + st->active->recorded;
}

u64 dr_store_bare(const struct dr_store *st)
{
	const struct dr_memtable *f = st->frozen;

	if (st->active->bare)
		return st->active->first + st->active->bare;
	return f ? f->first + f->bare : 0;
}

/* --- encoding ----------------------------------------------------------- */

struct filler {
	struct dr_store *st;
	struct dr_disk_journal *d;	/* block under construction */
	u32 nr;				/* finished ones */
	u32 max;
	u16 kind;			/* 0: no block is open */
	u16 n;
	struct dr_map last;		/* of n versions, if n */
};

static void finish_block(struct filler *f)
{
	if (!f->kind)
		return;
	f->d->kind = cpu_to_le16(f->kind);
	f->d->nr = cpu_to_le16(f->n);
	dr_journal_seal(&f->st->journal, f->d, f->st->uuid);
	f->d++;
	f->nr++;
	f->kind = 0;
}

static bool next_block(struct filler *f, u16 kind)
{
	const struct dr_journal *j = &f->st->journal;

	finish_block(f);
	/* A group is one write: it ends at the end of the ring. */
	if (f->nr == f->max || dr_journal_used(j) >= j->blocks ||
	    (f->nr && dr_journal_place(j, j->seq) == DR_JOURNAL_START))
		return false;
	memset(f->d, 0, sizeof(*f->d));
	f->kind = kind;
	f->n = 0;
	return true;
}

/* Is there a block of this kind with room, or can one be opened? */
static bool open_block(struct filler *f, u16 kind, u16 max)
{
	return (f->kind == kind && f->n < max) || next_block(f, kind);
}

static bool put_entry(struct filler *f, const struct dr_mem_entry *e)
{
	struct dr_map *m = &f->last;
	struct dr_disk_range *range;
	struct dr_disk_map *rec;
	u64 slot = dr_mem_slot(e);
	u8 flags = e->v >> 60;

	if (e->next == DR_MEM_IS_RANGE) {
		if (!open_block(f, DR_JOURNAL_RANGE, DR_JOURNAL_RANGES))
			return false;
		range = (struct dr_disk_range *)f->d->data + f->n++;
		range->block = cpu_to_le64(e->block);
		range->len = cpu_to_le64(e->v);
		range->epoch = cpu_to_le32(e->epoch);
		return true;
	}
	/* Does it continue the record before it? */
	if (f->kind == DR_JOURNAL_MAP && f->n && m->block + m->len == e->block &&
	    m->epoch == e->epoch && m->flags == flags && m->len < DR_RUN_MAX &&
	    dr_slot_plus(m->slot, m->len, f->st->slot_blocks) == slot) {
		m->len++;
	} else {
		if (!open_block(f, DR_JOURNAL_MAP, DR_JOURNAL_RECORDS))
			return false;
		*m = (struct dr_map){
			.block = e->block, .slot = slot, .epoch = e->epoch,
			.len = 1, .flags = flags,
		};
		f->n++;
	}
	rec = (struct dr_disk_map *)f->d->data + f->n - 1;
	dr_map_encode(rec, m);
	return true;
}

/*
 * What was claimed so far, and not given up, is recorded in the blocks before the
 * next one, and in that.
 */
static void void_claims(struct dr_store *st)
{
	if (!st->claims_out)
		st->journal.claims = st->journal.seq;
}

static bool put_ctl(struct filler *f)
{
	struct dr_store *st = f->st;
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, st->ctl_epoch);

	if (!open_block(f, DR_JOURNAL_CTL, 1))
		return false;
	if (e)
		st->ctl.nr_blocks = cpu_to_le64(e->nr_blocks);
	if (e)
		st->ctl.read_first = cpu_to_le32(e->read_first);
	memcpy(f->d->data, &st->ctl, sizeof(st->ctl));
	f->n = 1;
	/* A drop does not drain: what was claimed may be published since. */
	if (st->active->claimed <= st->ctl_at)
		void_claims(st);
	finish_block(f);
	return true;
}

/*
 * Entries up to the point where the control record became ready, in the order
 * that its meaning asks for: those of sealed epochs, the record, the others.
 * The position is kept in st->fill_* between groups.
 */
static void fill_around_ctl(struct filler *f)
{
	struct dr_store *st = f->st;
	struct dr_memtable *m = st->active;
	const struct dr_mem_entry *e;

	if (st->fill_pos == ~0u)
		st->fill_pos = m->recorded;
	for (; st->fill_pass < 3; st->fill_pass++) {
		if (st->fill_pass == 1) {
			if (!put_ctl(f))
				return;
			st->fill_pos = m->recorded;
			continue;
		}
		for (; st->fill_pos < st->ctl_at; st->fill_pos++) {
			bool old;

			e = m->e + st->fill_pos;
			old = e->epoch <= st->ctl_epoch;
			if (old != !st->fill_pass)
				continue;
			if (!put_entry(f, e))
				return;
		}
		finish_block(f);
	}
	st->group.recorded = st->ctl_at;
	st->group.ctl = true;
}

static void fill_plain(struct filler *f, struct dr_memtable *m)
{
	u32 i = m->recorded;

	while (i < m->used && put_entry(f, m->e + i))
		i++;
	f->st->group.recorded = i;
	if (i == m->used && m == f->st->active && f->kind)
		void_claims(f->st);
}

/* A group of blocks of @m's entries, the first of which is going to be @seq */
static void begin_group(struct dr_store *st, struct dr_memtable *m, u64 seq)
{
	if (m == st->active && !st->tail_known) {
		st->tail_known = true;
		st->tail_seq = seq;
		st->tail_prev_crc = st->journal.prev_crc;
	}
	st->group = (struct dr_group){
		.table = m, .first = m->first, .recorded = m->recorded,
		.place = dr_journal_place(&st->journal, seq),
	};
}

static bool may_claim(const struct dr_store *st)
{
	const struct dr_memtable *f = st->frozen;

	return st->ctl_state == DR_CTL_NONE && !st->group.nr &&
	       (!f || f->recorded == f->used) &&
	       dr_journal_used(&st->journal) < st->journal.blocks / 2;
}

bool dr_store_may_claim(const struct dr_store *st, const struct dr_state *was)
{
	return may_claim(st) && dr_store_is_recorded(st, was);
}

int dr_store_claim(struct dr_store *st, void *buf, const struct dr_map *m,
		   u32 crc)
{
	struct filler f = { .st = st, .d = buf, .max = 1 };
	struct dr_disk_claim *c = (struct dr_disk_claim *)f.d->data;

	/* A freeze, or a seal, may have come since it was asked. */
	if (!may_claim(st))
		return -EBUSY;
	/* Before the block is sealed: the tail names what comes before it. */
	begin_group(st, st->active, st->journal.seq);
	open_block(&f, DR_JOURNAL_CLAIM, 1);
	dr_map_encode(&c->map, m);
	c->crc = cpu_to_le32(crc);
	f.n = 1;
	finish_block(&f);
	st->group.nr = f.nr;
	st->claims_out++;
	return 0;
}

int dr_store_fill(struct dr_store *st, void *buf, u32 max)
{
	struct filler f = { .st = st, .d = buf, .max = max };
	struct dr_memtable *m = st->active;

	if (st->group.nr)
		return -EBUSY;
	if (st->frozen && st->frozen->recorded < st->frozen->used)
		m = st->frozen;
	else if (st->ctl_state == DR_CTL_DRAINING)
		return 0;
	begin_group(st, m, st->journal.seq);
	if (m == st->active && st->ctl_state == DR_CTL_READY)
		fill_around_ctl(&f);
	else if (m->recorded < m->used)
		fill_plain(&f, m);
	else
		return 0;
	finish_block(&f);
	st->group.nr = f.nr;
	return f.nr ? (int)f.nr : -EAGAIN;
}

void dr_store_filled(struct dr_store *st)
{
	struct dr_group *g = &st->group;
	struct dr_memtable *m = g->table;

	/* A merge may have made the table durable and emptied it meanwhile. */
	if (g->nr && m->first == g->first && g->recorded > m->recorded)
		m->recorded = g->recorded;
	if (g->ctl)
		st->ctl_state = DR_CTL_NONE;
	g->ctl = false;
	g->nr = 0;
}
