// SPDX-License-Identifier: GPL-2.0
/*
 * io.c - the way of a bio through .map.
 *
 * What the snapshot answers from memory is remapped at once, without locks and
 * without waiting. So is a first write of whole blocks, under the store's
 * spinlock for a moment; one of part of a block begins here, if there is memory
 * to put it together in. All else goes to defer.c: .map must not wait, since
 * bios that are submitted from it queue up behind it.
 */
#include "deltarec.h"

static u64 device_end(const struct deltarec *dt)
{
	return dt->ti->len;
}

void deltarec_range_of(const struct deltarec *dt, const struct bio *bio,
		       struct deltarec_range *r)
{
	const struct deltarec_store *s = dt->s;
	u32 mask = deltarec_block_sectors(s) - 1;
	u64 end;

	r->start = dm_target_offset(dt->ti, bio->bi_iter.bi_sector);
	r->sectors = bio_sectors(bio);
	r->block = r->start >> s->block_shift;
	r->off = r->start & mask;
	end = r->start + r->sectors;
	/* The last block of the device is whole when nothing follows it. */
	if (end == device_end(dt))
		end += mask;
	end >>= s->block_shift;
	r->whole = !r->off && end > r->block ? end - r->block : 0;
}

/*
 * Is what a lookup found in the journal or in the trees? dr_store_is_recorded()
 * asks about the tables of now, this one about those of the snapshot.
 */
static bool is_recorded(const struct dr_snap *snap, const struct dr_state *st)
{
	if (st->in_active)
		return st->at < READ_ONCE(snap->active->recorded);
	if (st->in_frozen)
		return st->at < READ_ONCE(snap->frozen->recorded);
	return true;
}

/* Has anything been published for these blocks since @used entries? */
static bool published_since(const struct dr_memtable *m, u32 used, u64 block,
			    u64 nr)
{
	const struct dr_mem_entry *e;
	u64 len;
	u32 i;

	for (i = used; i < m->used; i++) {
		e = m->e + i;
		len = e->next == DR_MEM_IS_RANGE ? e->v : 1;
		if (e->block < block + nr && block < e->block + len)
			return true;
	}
	return false;
}

struct lookup {
	struct deltarec *dt;
	struct deltarec_io *carrier;
	struct deltarec_io *waiter;
	const struct dr_snap *snap;
	struct deltarec_range range;
	struct dr_state state;
	u32 used;		/* entries of snap->active before the lookup */
	bool may_copy;		/* with kcopyd: in a worker */
	bool mixed;		/* what a view shows keeps excluded bytes */
};

static int look(struct lookup *l, u64 block, u64 max, struct dr_state *state,
		struct dr_want *want)
{
	const struct dr_store *st = &l->dt->s->st;

	if (l->dt->view)
		return dr_recipe_lookup(&st->env, l->snap,
					&l->dt->view->recipe, block, max,
					st->slot_blocks, state, &l->mixed,
					want);
	return dr_map_lookup(&st->env, l->snap, l->snap->lineage, l->snap->head,
			     block, max, st->slot_blocks, state, want);
}

static bool settled(const struct lookup *l, const struct dr_state *state)
{
	return state->epoch == l->snap->head && dr_slot_is_data(state->slot);
}

/* Send as much as l->state covers to its slots */
static enum deltarec_todo to_slot(struct lookup *l, u64 slot, u64 nr,
				  struct deltarec_step *step)
{
	const struct deltarec_store *s = l->dt->s;
	const struct deltarec_range *r = &l->range;

	step->sectors = min_t(u64, r->sectors,
			      (nr << s->block_shift) - r->off);
	step->bdev = s->delta;
	step->sector = slot * DR_BLOCK_SECTORS + r->off;
	return DELTAREC_REMAP;
}

static enum deltarec_todo resolve_read(struct lookup *l,
				       struct deltarec_step *step)
{
	const struct deltarec_range *r = &l->range;
	enum deltarec_todo todo = to_slot(l, l->state.slot, l->state.len, step);

	if (l->mixed)
		atomic64_inc(&l->dt->view->mixed);
	if (l->state.slot == DR_SLOT_ZERO)
		return DELTAREC_ZERO;
	if (l->state.slot == DR_SLOT_ORIGIN) {
		step->bdev = l->dt->origin->bdev;
		step->sector = r->start;
	}
	return todo;
}

/* How many of @max blocks can go into new slots together? */
static u64 first_run(const struct lookup *l, u64 max)
{
	u64 n = l->state.len;

	if (n >= max)
		return max;
	/* What is not in memory is left to the rest of the bio. */
	return n + dr_map_unsettled(&l->dt->s->st.env, l->snap,
				    l->range.block + n, max - n);
}

/* The part of a first write that happens under the store's lock */
static enum deltarec_todo first_locked(struct lookup *l, u32 *nr, bool copy,
				       struct deltarec_step *step)
{
	struct deltarec_store *s = l->dt->s;
	struct deltarec_whole *whole = NULL;
	struct deltarec_io *other;
	u64 block = l->range.block;
	u8 flags = 0;
	int r;

	/* The lookup was made without the lock: does it still hold? */
	if (&rcu_dereference_protected(s->snap, lockdep_is_held(&s->lock))->s !=
	    l->snap || published_since(l->snap->active, l->used, block, *nr))
		return DELTAREC_AGAIN;
	step->status = BLK_STS_IOERR;
	if (s->mode != DELTAREC_RW)
		return DELTAREC_ERROR;
	other = deltarec_pending_find(s, block, *nr);
	if (other) {
		deltarec_park(l->waiter, &other->waiters);
		return DELTAREC_WAIT;
	}
	if (copy) {
		/*
		 * While an epoch is being sealed, writes to its slots may be
		 * in flight: a copy could miss what is acknowledged later.
		 */
		if (s->st.ctl_state == DR_CTL_DRAINING) {
			deltarec_park(l->waiter, &s->parked);
			return DELTAREC_WAIT;
		}
		if (l->state.slot != DR_SLOT_ZERO)
			flags = DR_MAP_MERGED;
		whole = deltarec_whole_take(s);
		if (!whole && !l->may_copy)
			return DELTAREC_DEFER;
	}
	r = deltarec_pending_add(s, l->carrier, block, nr, flags, whole);
	if (!r) {
		l->waiter->flags &= ~DELTAREC_IO_SHORT;
		if (copy)
			return DELTAREC_COPY;
		if (!l->may_copy &&
		    deltarec_claim_begin(s, l->carrier, *nr, &l->state))
			l->carrier->flags |= DELTAREC_IO_CLAIM;
		return DELTAREC_REMAP;
	}
	if (whole)
		deltarec_whole_put(s, whole);
	if (deltarec_wait_for_room(s, l->waiter, r, &step->status))
		return DELTAREC_WAIT;
	return DELTAREC_ERROR;
}

static enum deltarec_todo resolve_first(struct lookup *l, bool fua,
					struct deltarec_step *step)
{
	struct deltarec_store *s = l->dt->s;
	bool copy = !l->range.whole;
	enum deltarec_todo todo;
	unsigned long flags;
	u32 nr = 1;

	if (copy)
		deltarec_wholes_prepare(s);
	else
		nr = first_run(l, min_t(u64, l->range.whole, DELTAREC_WINDOW -
				(l->range.block & (DELTAREC_WINDOW - 1))));
	spin_lock_irqsave(&s->lock, flags);
	todo = first_locked(l, &nr, copy, step);
	if (fua && (todo == DELTAREC_COPY || todo == DELTAREC_REMAP))
		l->waiter->flags |= DELTAREC_IO_RECORD;
	spin_unlock_irqrestore(&s->lock, flags);
	if (todo == DELTAREC_COPY || todo == DELTAREC_REMAP) {
		to_slot(l, l->carrier->slot, nr, step);
		step->old = l->state;
	}
	return todo;
}

/* What is to be written in place has to be recorded first, and not by a claim (J9). */
static enum deltarec_todo wait_for_record(struct lookup *l,
					  struct deltarec_step *step)
{
	struct deltarec_store *s = l->dt->s;
	const struct dr_journal *j = &s->st.journal;
	enum deltarec_todo todo = DELTAREC_WAIT;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	if (&rcu_dereference_protected(s->snap, lockdep_is_held(&s->lock))->s !=
	    l->snap || !dr_snap_claims(l->snap, &l->state))
		todo = DELTAREC_AGAIN;
	else if (dr_journal_used(j) < j->blocks)
		deltarec_journal_confirm(s, l->waiter);
	/* Only a merge makes room in the journal. */
	else if (!deltarec_wait_for_room(s, l->waiter, -EAGAIN, &step->status))
		todo = DELTAREC_ERROR;
	spin_unlock_irqrestore(&s->lock, flags);
	return todo;
}

static enum deltarec_todo resolve_write(struct lookup *l, bool fua,
					struct deltarec_step *step)
{
	if (!settled(l, &l->state))
		return resolve_first(l, fua, step);
	if (dr_snap_claims(l->snap, &l->state))
		return wait_for_record(l, step);
	if (fua && !is_recorded(l->snap, &l->state))
		l->waiter->flags |= DELTAREC_IO_RECORD;
	return to_slot(l, l->state.slot, l->state.len, step);
}

static enum deltarec_todo resolve_once(struct lookup *l, struct bio *bio,
				       struct deltarec_step *step)
{
	struct deltarec_store *s = l->dt->s;
	bool write = op_is_write(bio_op(bio));
	u64 nr;
	int r;

	l->snap = &rcu_dereference(s->snap)->s;
	/* Pairs with dr_mem_add(): entries before this one are visible. */
	l->used = smp_load_acquire(&l->snap->active->used);
	nr = (l->range.off + l->range.sectors + deltarec_block_sectors(s) - 1)
		>> s->block_shift;
	/* Of a larger bio the rest comes again. */
	nr = min_t(u64, nr, DELTAREC_WINDOW -
		   (l->range.block & (DELTAREC_WINDOW - 1)));
	r = look(l, l->range.block, nr, &l->state, &step->want);
	if (r == -EAGAIN)
		return DELTAREC_LOAD;
	if (r) {
		step->status = BLK_STS_IOERR;
		return DELTAREC_ERROR;
	}
	if (write)
		return resolve_write(l, bio->bi_opf & REQ_FUA, step);
	return resolve_read(l, step);
}

enum deltarec_todo deltarec_resolve(struct deltarec *dt,
				    struct deltarec_io *carrier,
				    struct deltarec_io *waiter,
				    struct bio *bio, struct deltarec_step *step)
{
	struct deltarec_era *era = &dt->s->era;
	bool worker = carrier != waiter;
	int in = carrier->era < 0 ? deltarec_era_enter(era) : carrier->era;
	struct lookup l = {
		.dt = dt, .carrier = carrier, .waiter = waiter,
		.may_copy = worker,
	};
	enum deltarec_todo todo;

	deltarec_range_of(dt, bio, &l.range);
	do {
		rcu_read_lock();
		todo = resolve_once(&l, bio, step);
		rcu_read_unlock();
	} while (todo == DELTAREC_AGAIN);

	switch (todo) {
	case DELTAREC_WAIT:
		/* Somebody else may have it by now, unless it is a piece. */
		if (worker)
			carrier->era = -1;
		deltarec_era_leave(era, in);
		return todo;
	case DELTAREC_LOAD:
		if (!worker)
			break;
		fallthrough;
	case DELTAREC_REMAP:
	case DELTAREC_COPY:
		carrier->era = in;
		return todo;
	default:
		break;
	}
	carrier->era = -1;
	deltarec_era_leave(era, in);
	return todo;
}

static int submitted(struct bio *bio, blk_status_t status)
{
	bio->bi_status = status;
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int map_data(struct deltarec *dt, struct deltarec_io *io,
		    struct bio *bio)
{
	struct deltarec_step step;
	enum deltarec_todo todo = deltarec_resolve(dt, io, io, bio, &step);

	switch (todo) {
	case DELTAREC_REMAP:
		if (io->flags & DELTAREC_IO_CLAIM &&
		    deltarec_claim_start(io, step.sector))
			return DM_MAPIO_SUBMITTED;
		if (step.sectors < bio_sectors(bio))
			dm_accept_partial_bio(bio, step.sectors);
		bio_set_dev(bio, step.bdev);
		bio->bi_iter.bi_sector = step.sector;
		return DM_MAPIO_REMAPPED;
	case DELTAREC_COPY:
		if (step.sectors < bio_sectors(bio))
			dm_accept_partial_bio(bio, step.sectors);
		deltarec_copy_start(io, &step);
		return DM_MAPIO_SUBMITTED;
	case DELTAREC_ZERO:
		if (step.sectors < bio_sectors(bio))
			dm_accept_partial_bio(bio, step.sectors);
		zero_fill_bio(bio);
		return submitted(bio, BLK_STS_OK);
	case DELTAREC_ERROR:
		return submitted(bio, step.status);
	case DELTAREC_WAIT:
		return DM_MAPIO_SUBMITTED;
	default:
		deltarec_defer(io);
		return DM_MAPIO_SUBMITTED;
	}
}

static struct deltarec_io *io_init(struct deltarec *dt, struct bio *bio)
{
	struct deltarec_io *io = dm_per_bio_data(bio, sizeof(*io));

	io->dt = dt;
	io->bio = bio;
	io->parent = NULL;
	io->done = NULL;
	io->era = -1;
	io->flags = 0;
	return io;
}

int deltarec_map_view(struct dm_target *ti, struct bio *bio)
{
	struct deltarec *dt = ti->private;

	if (bio_op(bio) != REQ_OP_READ ||
	    unlikely(READ_ONCE(dt->s->mode) == DELTAREC_FAIL))
		return DM_MAPIO_KILL;
	return map_data(dt, io_init(dt, bio), bio);
}

int deltarec_map(struct dm_target *ti, struct bio *bio)
{
	struct deltarec *dt = ti->private;
	enum deltarec_mode mode = READ_ONCE(dt->s->mode);
	struct deltarec_io *io = io_init(dt, bio);

	if (unlikely(mode == DELTAREC_FAIL))
		return DM_MAPIO_KILL;
	if (bio->bi_opf & REQ_PREFLUSH)
		return deltarec_map_flush(dt, bio);
	switch (bio_op(bio)) {
	case REQ_OP_READ:
		if (static_branch_unlikely(&deltarec_tracking))
			deltarec_reads_seen(dt, bio);
		return map_data(dt, io, bio);
	case REQ_OP_WRITE:
		if (unlikely(mode != DELTAREC_RW))
			return DM_MAPIO_KILL;
		return map_data(dt, io, bio);
	case REQ_OP_DISCARD:
	case REQ_OP_WRITE_ZEROES:
		deltarec_defer(io);
		return DM_MAPIO_SUBMITTED;
	default:
		return DM_MAPIO_KILL;
	}
}

void deltarec_io_end(struct deltarec_io *io, blk_status_t status)
{
	/* Publish first: who waits for the era to drain counts on it. */
	if (io->flags & DELTAREC_IO_PENDING)
		deltarec_pending_end(io, status);
	if (io->era >= 0) {
		deltarec_era_leave(&io->dt->s->era, io->era);
		io->era = -1;
	}
}

int deltarec_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct deltarec_io *io = dm_per_bio_data(bio, sizeof(*io));

	deltarec_io_end(io, *error);
	if (!(io->flags & DELTAREC_IO_RECORD))
		return DM_ENDIO_DONE;
	/* The journal ends it a second time, then without the flag. */
	io->flags &= ~DELTAREC_IO_RECORD;
	if (*error)
		return DM_ENDIO_DONE;
	deltarec_journal_wait(io);
	return DM_ENDIO_INCOMPLETE;
}
