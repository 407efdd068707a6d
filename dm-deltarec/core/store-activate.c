// SPDX-License-Identifier: GPL-2.0
/*
 * store-activate.c - what a crash, or a close, left in the journal comes into the
 * trees, before anybody reads or writes.
 */
#include "recover.h"
#include "start.h"

struct redo {
	struct dr_store *st;
	struct dr_disk_journal *buf;	/* the block in hand */
	struct dr_disk_journal *ahead;	/* one of those after it */
	bool marked;			/* all of those: see mark_rest() */
};

static void mark_slots(struct dr_store *st, const struct dr_disk_map *d)
{
	struct dr_map m;

	dr_map_decode(&m, d);
	if (dr_slot_is_data(m.slot) &&
	    dr_space_valid(&st->space, m.slot, (u64)m.len * st->slot_blocks))
		dr_space_set_busy(&st->space, m.slot,
				  (u64)m.len * st->slot_blocks);
}

static void mark_block(struct dr_store *st, const struct dr_disk_journal *d)
{
	const struct dr_disk_map *m = (const void *)d->data;
	u16 kind = le16_to_cpu(d->kind);
	u32 i, nr = le16_to_cpu(d->nr);

	st->journal.claims = max_t(u64, st->journal.claims,
				   le64_to_cpu(d->claims));
	/* A claim begins with its version. */
	if (kind == DR_JOURNAL_MAP || kind == DR_JOURNAL_CLAIM)
		for (i = 0; i < nr; i++)
			mark_slots(st, m + i);
}

/*
 * Everything that the journal names is busy before anything is taken (S3). What
 * fits a table is read once: only a merge before the end has to know the rest.
 */
static int mark_rest(struct redo *x)
{
	struct dr_store *st = x->st;
	struct dr_journal j = st->journal;
	int r;

	if (x->marked)
		return 0;
	while ((r = dr_journal_read(&j, &st->env, st->uuid, x->ahead)) == 1)
		mark_block(st, x->ahead);
	x->marked = !r;
	return r;
}

/*
 * Merge what replay has collected so far; nobody reads yet. The tail stays
 * before the block that is being replayed.
 */
static int merge_all(struct redo *x)
{
	struct dr_store *st = x->st;
	bool known = st->tail_known;
	int r = mark_rest(x);

	if (r || !dr_store_freeze(st))
		return r;
	st->tail_known = known;
	do {
		r = dr_merge_step(st);
		if (r >= 0)
			dr_store_release(st, false);
	} while (r == 1);
	return r;
}

/*
 * The superblock may be newer than the record: the head that it knows was sealed
 * later than what the tables get.
 */
static void redo_since(struct dr_store *st, u32 epoch)
{
	st->active_since = min(st->active_since, epoch);
}

static int redo_version(struct redo *x, const struct dr_map *m)
{
	struct dr_store *st = x->st;
	u64 slot;
	u32 i;
	int r;

	if (m->block + m->len > st->nr_map_blocks || m->epoch > st->head ||
	    !dr_epochs_find(&st->epochs, m->epoch) ||
	    (m->flags & ~DR_MAP_MERGED) || m->slot == DR_SLOT_ORIGIN)
		return -EUCLEAN;
	if (dr_slot_is_data(m->slot) &&
	    ((m->slot & (st->slot_blocks - 1)) ||
	     !dr_space_valid(&st->space, m->slot,
			     (u64)m->len * st->slot_blocks)))
		return -EUCLEAN;
	for (i = 0; i < m->len; i++) {
		slot = dr_slot_plus(m->slot, i, st->slot_blocks);
		if (!dr_mem_room(st->active, 1)) {
			r = merge_all(x);
			if (r)
				return r;
		}
		if (dr_slot_is_data(slot))
			dr_space_set_busy(&st->space, slot, st->slot_blocks);
		redo_since(st, m->epoch);
		st->active->reserved++;
		dr_store_publish(st, m->block + i, 1, slot, m->epoch, m->flags);
	}
	return 0;
}

static int redo_range(struct redo *x, const struct dr_disk_range *d)
{
	struct dr_store *st = x->st;
	u64 block = le64_to_cpu(d->block), len = le64_to_cpu(d->len);
	u32 epoch = le32_to_cpu(d->epoch);
	int r;

	if (block >= st->nr_map_blocks || len > st->nr_map_blocks - block ||
	    !len || epoch > st->head || !dr_epochs_find(&st->epochs, epoch))
		return -EUCLEAN;
	if (!dr_mem_room(st->active, dr_mem_zero_cost(len)) ||
	    st->active->nr_ranges == st->active->max_ranges) {
		r = merge_all(x);
		if (r)
			return r;
	}
	redo_since(st, epoch);
	return dr_store_publish_zero(st, block, len, epoch) ? 0 : -EUCLEAN;
}

/*
 * Has the data of a claim arrived? What cannot be read may have been acknowledged:
 * reads are to fail rather than show what was there before.
 */
static int claim_holds(struct dr_store *st, const struct dr_disk_claim *c,
		       const struct dr_map *m, void *data)
{
	const struct dr_env *env = &st->env;
	u64 i, blocks = (u64)m->len * st->slot_blocks;
	u32 crc = ~0u;
	int r;

	if (!dr_slot_is_data(m->slot) || blocks > DR_CLAIM_BLOCKS ||
	    !dr_space_valid(&st->space, m->slot, blocks))
		return -EUCLEAN;
	for (i = 0; i < blocks; i++) {
		r = env->read(env->ctx, m->slot + i, 1, data);
		if (r)
			return r == -ENOMEM ? r : 1;
		crc = crc32c(crc, data, DR_BLOCK_SIZE);
	}
	return crc == le32_to_cpu(c->crc);
}

static int redo_claim(struct redo *x)
{
	const struct dr_disk_claim *c = (const void *)x->buf->data;
	struct dr_store *st = x->st;
	struct dr_map m;
	/* What follows may say that it is void. */
	int r = mark_rest(x);

	if (r || le64_to_cpu(x->buf->seq) < st->journal.claims)
		return r;
	dr_map_decode(&m, &c->map);
	r = claim_holds(st, c, &m, x->ahead);
	return r == 1 ? redo_version(x, &m) : r;
}

static int redo_block(struct redo *x)
{
	const struct dr_disk_journal *d = x->buf;
	struct dr_store *st = x->st;
	const struct dr_disk_map *rec = (const struct dr_disk_map *)d->data;
	const struct dr_disk_range *range = (const void *)d->data;
	u32 i, nr = le16_to_cpu(d->nr);
	struct dr_map m;
	int r = 0;

	switch (le16_to_cpu(d->kind)) {
	case DR_JOURNAL_CTL:
		if (st->head - st->active_since >= DR_SPAN_MAX)
			r = merge_all(x);
		return r ? r : dr_store_redo(st, (const void *)d->data);
	case DR_JOURNAL_RANGE:
		for (i = 0; !r && i < nr; i++)
			r = redo_range(x, range + i);
		return r;
	case DR_JOURNAL_CLAIM:
		return redo_claim(x);
	}
	for (i = 0; !r && i < nr; i++) {
		dr_map_decode(&m, rec + i);
		r = redo_version(x, &m);
	}
	return r;
}

/* Read and do again one block after the other: 0 at the end, or an error */
static int redo_all(struct redo *x)
{
	struct dr_store *st = x->st;
	const struct dr_env *env = &st->env;
	u64 at;
	u32 crc;
	int r;

	do {
		at = st->journal.seq;
		crc = st->journal.prev_crc;
		r = dr_journal_read(&st->journal, env, st->uuid, x->buf);
		if (r != 1)
			return r;
		mark_block(st, x->buf);
		/* A merge on the way leaves this block to be read again. */
		st->tail_known = true;
		st->tail_seq = at;
		st->tail_prev_crc = crc;
		r = redo_block(x);
		if (r == -EUCLEAN)
			env->report(env->ctx, "journal block",
				    dr_journal_place(&st->journal, at),
				    "impossible record");
	} while (!r);
	return r;
}

static int replay_journal(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct redo x = { .st = st };
	int r = -ENOMEM;

	x.buf = env->alloc(env->ctx, DR_BLOCK_SIZE);
	x.ahead = env->alloc(env->ctx, DR_BLOCK_SIZE);
	if (x.buf && x.ahead)
		r = redo_all(&x);
	x.marked = true;	/* Nothing is left. */
	if (!r)
		r = merge_all(&x);
	env->free(env->ctx, x.buf);
	env->free(env->ctx, x.ahead);
	return r;
}

/*
 * A device that was so full that its journal finds no room is enlarged while
 * it is closed: what it has grown by is of use at once. The superblock of each
 * commit names it, and a journal that was written before it does not.
 */
static int grow_first(struct dr_store *st)
{
	u64 nr = dr_space_usable(st->device_blocks);
	struct dr_space old;
	int r;

	if (nr <= st->space.nr_blocks)
		return 0;
	r = dr_space_grow(&st->space, &st->env, nr, &old);
	if (!r)
		dr_space_exit(&old, &st->env);
	return r;
}

int dr_store_activate(struct dr_store *st)
{
	u32 i;
	int r;

	r = grow_first(st);
	if (r)
		return r;
	st->txn.hold = true;
	r = replay_journal(st);
	st->txn.hold = false;
	if (r)
		return r;
	/* A replay that was under way is void; its versions are reclaimed. */
	for (i = 0; i < st->epochs.nr; i++) {
		struct dr_epoch *e = st->epochs.e + i;

		if (e->state == DR_EPOCH_BUILDING) {
			e->state = DR_EPOCH_DROPPED;
			dr_store_visit(st, e);
		}
		st->next_epoch = max(st->next_epoch, e->id + 1);
	}
	st->journal.session++;
	st->journal.prev_crc = 0;
	st->tail_known = false;
	dr_store_begin(st);
	r = dr_start_begin(st);
	if (!r)
		r = dr_store_commit(st, true);
	if (r)
		return r;
	dr_store_release(st, true);
	dr_store_free_old(st);
	/* All is in the trees. Claims may name more: they did not hold. */
	dr_space_take_disk(&st->space);
	st->active_ok = true;
	return 0;
}
