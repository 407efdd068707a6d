// SPDX-License-Identifier: GPL-2.0
/*
 * defer.c - bios that .map could not deal with at once.
 *
 * A worker takes the bio apart from its beginning. Each piece is a clone that
 * is submitted as soon as it is known where it goes; when the next one has to
 * wait, the bio itself is parked with what is left of it, never a piece: so
 * pieces always end by themselves, and the bio_set they come from cannot run
 * dry for good. The bio ends with its last piece.
 */
#include <linux/sched/mm.h>

#include "deltarec.h"

static void run(struct deltarec_io *io);

static void defer_work(struct work_struct *work)
{
	struct deltarec_io *io = container_of(work, struct deltarec_io, work);
	unsigned int noio = memalloc_noio_save();

	run(io);
	memalloc_noio_restore(noio);
}

static void set_up(struct deltarec_io *io)
{
	if (io->flags & DELTAREC_IO_DEFERRED)
		return;
	io->flags |= DELTAREC_IO_DEFERRED;
	INIT_WORK(&io->work, defer_work);
	atomic_set(&io->pieces, 1);
	io->status = BLK_STS_OK;
}

void deltarec_defer(struct deltarec_io *io)
{
	set_up(io);
	queue_work(io->dt->s->defer_wq, &io->work);
}

void deltarec_park(struct deltarec_io *io, struct list_head *list)
{
	set_up(io);
	list_add_tail(&io->list, list);
}

void deltarec_defer_all(struct list_head *list)
{
	struct deltarec_io *io, *next;

	list_for_each_entry_safe(io, next, list, list)
		deltarec_defer(io);
}

void deltarec_wake_parked(struct deltarec_store *s)
{
	unsigned long flags;
	LIST_HEAD(parked);

	spin_lock_irqsave(&s->lock, flags);
	list_splice_init(&s->parked, &parked);
	spin_unlock_irqrestore(&s->lock, flags);
	deltarec_defer_all(&parked);
}

static void io_put(struct deltarec_io *io)
{
	if (!atomic_dec_and_test(&io->pieces))
		return;
	io->bio->bi_status = io->status;
	bio_endio(io->bio);
}

void deltarec_unpark(struct deltarec_io *io, blk_status_t status)
{
	if (!(io->flags & DELTAREC_IO_JOINED)) {
		deltarec_defer(io);
		return;
	}
	if (status)
		WRITE_ONCE(io->status, status);
	io_put(io);
}

static void piece_endio(struct bio *bio)
{
	struct deltarec_piece *p = container_of(bio, struct deltarec_piece, bio);
	struct deltarec_io *parent = p->io.parent;

	deltarec_io_end(&p->io, bio->bi_status);
	if (bio->bi_status)
		WRITE_ONCE(parent->status, bio->bi_status);
	bio_put(bio);
	io_put(parent);
}

static struct bio *piece_alloc(struct deltarec_io *io)
{
	struct bio *bio = bio_alloc_clone(io->bio->bi_bdev, io->bio, GFP_NOIO,
					  &io->dt->s->bs);
	struct deltarec_piece *p = container_of(bio, struct deltarec_piece, bio);

	p->io.dt = io->dt;
	p->io.bio = bio;
	p->io.parent = io;
	p->io.done = NULL;
	p->io.era = -1;
	p->io.flags = 0;
	bio->bi_end_io = piece_endio;
	return bio;
}

/* Cut the piece to size, take it off the bio, and send it on its way. */
static void piece_start(struct deltarec_io *io, struct bio *bio,
			enum deltarec_todo todo,
			const struct deltarec_step *step)
{
	struct deltarec_piece *p = container_of(bio, struct deltarec_piece, bio);
	bool zeroes = bio_op(bio) == REQ_OP_WRITE_ZEROES;

	bio->bi_iter.bi_size = step->sectors << SECTOR_SHIFT;
	bio_advance(io->bio, step->sectors << SECTOR_SHIFT);
	atomic_inc(&io->pieces);
	switch (todo) {
	case DELTAREC_ZERO:
		zero_fill_bio(bio);
		bio_endio(bio);
		break;
	case DELTAREC_COPY:
		deltarec_copy_start(&p->io, step);
		break;
	default:
		if (zeroes) {
			deltarec_zero_start(&p->io, step);
			break;
		}
		bio_set_dev(bio, step->bdev);
		bio->bi_iter.bi_sector = step->sector;
		submit_bio_noacct(bio);
	}
}

/* One piece. Return: false when the bio is somebody else's now. */
static bool run_piece(struct deltarec_io *io)
{
	struct deltarec *dt = io->dt;
	struct bio *bio = piece_alloc(io);
	struct deltarec_piece *p = container_of(bio, struct deltarec_piece, bio);
	const struct dr_store *st = &dt->s->st;
	struct deltarec_step step;
	enum deltarec_todo todo;
	int r;

	/* The era is held while nodes are read, so they stay what they are. */
	for (;;) {
		todo = deltarec_resolve(dt, &p->io, io, bio, &step);
		if (todo != DELTAREC_LOAD)
			break;
		r = dr_tree_load(&st->env, st->uuid, &step.want);
		if (r) {
			if (r != -ENOMEM)
				deltarec_set_mode(dt->s, DELTAREC_RO,
						  "cannot read the map");
			step.status = BLK_STS_IOERR;
			todo = DELTAREC_ERROR;
			deltarec_io_end(&p->io, step.status);
			break;
		}
	}
	switch (todo) {
	case DELTAREC_WAIT:
		bio_put(bio);
		return false;
	case DELTAREC_ERROR:
		bio_put(bio);
		WRITE_ONCE(io->status, step.status);
		bio_advance(io->bio, io->bio->bi_iter.bi_size);
		return true;
	default:
		piece_start(io, bio, todo, &step);
		return true;
	}
}

/*
 * Make [block, block + nr) zeroes in the head. False: waits. After an error
 * nothing is left of the bio.
 */
static bool publish_zeroes(struct deltarec_io *io, u64 block, u64 nr)
{
	struct deltarec_store *s = io->dt->s;
	blk_status_t status = BLK_STS_OK;
	struct deltarec_io *other;
	bool half, wait = true;
	int r;

	spin_lock_irq(&s->lock);
	other = deltarec_pending_find(s, block, nr);
	if (other) {
		deltarec_park(io, &other->waiters);
	} else {
		r = dr_store_zero(&s->st, block, nr);
		wait = r && deltarec_wait_for_room(s, io, r, &status);
		if (!r)
			io->flags &= ~DELTAREC_IO_SHORT;
		if (!r && io->bio->bi_opf & REQ_FUA)
			io->flags |= DELTAREC_IO_RECORD;
	}
	half = dr_store_half_full(&s->st);
	spin_unlock_irq(&s->lock);
	if (half)
		deltarec_kick_meta(s);
	else
		deltarec_merge_idle(s);
	if (status) {
		WRITE_ONCE(io->status, status);
		bio_advance(io->bio, io->bio->bi_iter.bi_size);
	}
	return !wait;
}

/* Whole blocks inside; what is left at the ends has not been asked for. */
static bool run_discard(struct deltarec_io *io)
{
	struct deltarec_store *s = io->dt->s;
	u32 bs = deltarec_block_sectors(s), skip;
	struct bio *bio = io->bio;
	struct deltarec_range r;

	deltarec_range_of(io->dt, bio, &r);
	skip = r.off ? min(bs - r.off, r.sectors) : 0;
	if (skip) {
		bio_advance(bio, skip << SECTOR_SHIFT);
		if (!bio->bi_iter.bi_size)
			return true;
		deltarec_range_of(io->dt, bio, &r);
	}
	if (r.whole && !publish_zeroes(io, r.block, r.whole))
		return false;
	bio_advance(bio, bio->bi_iter.bi_size);
	return true;
}

static bool run_zeroes(struct deltarec_io *io)
{
	struct deltarec_store *s = io->dt->s;
	struct bio *bio = io->bio;
	struct deltarec_range r;
	u64 sectors;

	deltarec_range_of(io->dt, bio, &r);
	if (!r.whole)
		return run_piece(io);
	if (!publish_zeroes(io, r.block, r.whole))
		return false;
	sectors = min_t(u64, r.whole << s->block_shift, bio_sectors(bio));
	bio_advance(bio, sectors << SECTOR_SHIFT);
	return true;
}

static void run(struct deltarec_io *io)
{
	struct deltarec_store *s = io->dt->s;
	struct bio *bio = io->bio;
	bool on = true;

	if (op_is_write(bio_op(bio)) && READ_ONCE(s->mode) != DELTAREC_RW) {
		WRITE_ONCE(io->status, BLK_STS_IOERR);
		bio_advance(bio, bio->bi_iter.bi_size);
	}
	while (on && bio->bi_iter.bi_size) {
		switch (bio_op(bio)) {
		case REQ_OP_DISCARD:
			on = run_discard(io);
			break;
		case REQ_OP_WRITE_ZEROES:
			on = run_zeroes(io);
			break;
		default:
			on = run_piece(io);
		}
	}
	if (on)
		io_put(io);
}
