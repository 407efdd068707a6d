// SPDX-License-Identifier: GPL-2.0
/*
 * merge-io.c - a write that covers part of a block.
 *
 * The slot is new. What is before and after the written part comes from where
 * the block was, and the whole becomes visible as one version (pending.c).
 * Nothing has to come from beyond the device's end, where nobody can look.
 *
 * A small block is put together in memory: one request reads what it was, one
 * writes the whole. Writes to the same block that come while it is read join it.
 * The buffers are kept for the next one, and there is a limit to them. Without
 * one, and for large blocks, kcopyd copies what is around the data, which is then
 * written in between: it has pages in reserve, so writes go on when memory is
 * short.
 */
#include "deltarec.h"

#define WHOLE_BYTES	SZ_64K		/* the largest block */
#define WHOLES		128u		/* at most, and no more than so many */
#define WHOLES_BYTES	SZ_4M
#define WHOLES_BATCH	16		/* so many do not wait for others */
#define WHOLES_WAIT	(HZ / 100)	/* nor so long */

/* --- in memory ------------------------------------------------------------- */

struct deltarec_whole {
	struct list_head list;	/* free, or of those that are written together */
	struct llist_node node;
	struct deltarec_io *io;
	void *buf;
	u32 off;		/* bytes: where the data goes */
	u32 bytes;		/* of the block, as far as the device goes */
	struct bio bio;		/* that reads, then the one that writes */
	struct bio_vec vec;
};

static u32 block_bytes(const struct deltarec_store *s)
{
	return deltarec_block_sectors(s) << SECTOR_SHIFT;
}

static void whole_free(const struct deltarec_store *s, struct deltarec_whole *w)
{
	free_pages_exact(w->buf, block_bytes(s));
	kfree(w);
}

static struct deltarec_whole *whole_alloc(const struct deltarec_store *s)
{
	/* Reserves are for those who cannot do without. */
	const gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC;
	struct deltarec_whole *w = kmalloc(sizeof(*w), gfp);

	if (!w)
		return NULL;
	w->buf = alloc_pages_exact(block_bytes(s), gfp);
	if (w->buf)
		return w;
	kfree(w);
	return NULL;
}

void deltarec_wholes_prepare(struct deltarec_store *s)
{
	struct deltarec_wholes *ws = &s->wholes;
	struct deltarec_whole *w;
	unsigned long flags;
	unsigned int max;

	/* Looks without the lock: whoever is late finds none. */
	if (!list_empty(&ws->free) || block_bytes(s) > WHOLE_BYTES)
		return;
	max = min_t(unsigned int, WHOLES, WHOLES_BYTES /
		    max_t(unsigned int, block_bytes(s), PAGE_SIZE));
	if (READ_ONCE(ws->nr) >= max)
		return;
	w = whole_alloc(s);
	if (!w)
		return;
	spin_lock_irqsave(&s->lock, flags);
	if (ws->nr < max) {
		WRITE_ONCE(ws->nr, ws->nr + 1);
		list_add(&w->list, &ws->free);
		w = NULL;
	}
	spin_unlock_irqrestore(&s->lock, flags);
	if (w)
		whole_free(s, w);
}

struct deltarec_whole *deltarec_whole_take(struct deltarec_store *s)
{
	struct deltarec_whole *w;

	lockdep_assert_held(&s->lock);
	w = list_first_entry_or_null(&s->wholes.free, struct deltarec_whole,
				     list);
	if (w)
		list_del(&w->list);
	return w;
}

void deltarec_whole_put(struct deltarec_store *s, struct deltarec_whole *w)
{
	lockdep_assert_held(&s->lock);
	list_add(&w->list, &s->wholes.free);
}

void deltarec_copy_data(void *to, struct bio *bio)
{
	struct bvec_iter iter;
	struct bio_vec vec;

	if (bio_op(bio) == REQ_OP_WRITE_ZEROES) {
		memset(to, 0, bio->bi_iter.bi_size);
		return;
	}
	bio_for_each_segment(vec, bio, iter) {
		memcpy_from_bvec(to, &vec);
		to += vec.bv_len;
	}
}

/*
 * Writes that wait for this one go with it if they lie in its block, in the
 * order in which they came. They are of its epoch: when the head is another one
 * by now, something that they were issued after may be in that (C2).
 */
static void join(struct deltarec_whole *w)
{
	struct deltarec_io *io = w->io, *other;
	struct deltarec_store *s = io->dt->s;
	struct deltarec_range r;
	LIST_HEAD(waiters);

	/* Who comes this moment waits for the end, as those who come later. */
	if (list_empty(&io->waiters))
		return;
	spin_lock_irq(&s->lock);
	if (io->epoch == s->st.head)
		list_splice_init(&io->waiters, &waiters);
	spin_unlock_irq(&s->lock);
	if (list_empty(&waiters))
		return;
	list_for_each_entry(other, &waiters, list) {
		deltarec_range_of(other->dt, other->bio, &r);
		if (bio_op(other->bio) != REQ_OP_WRITE || r.block != io->block ||
		    r.off + r.sectors > deltarec_block_sectors(s))
			continue;
		deltarec_copy_data(w->buf + (r.off << SECTOR_SHIFT), other->bio);
		other->flags |= DELTAREC_IO_JOINED;
		if (other->bio->bi_opf & REQ_FUA)
			other->flags |= DELTAREC_IO_RECORD;
	}
	spin_lock_irq(&s->lock);
	list_splice(&waiters, &io->waiters);
	spin_unlock_irq(&s->lock);
}

static void whole_end(struct deltarec_whole *w, blk_status_t status)
{
	struct bio *bio = w->io->bio;

	bio->bi_status = status;
	/* The last that is seen of w here: it may be another's (pending.c). */
	bio_endio(bio);
}

static void whole_written(struct bio *bio)
{
	bio_uninit(bio);
	whole_end(bio->bi_private, bio->bi_status);
}

/*
 * Slots are taken side by side, so those that are written together go out as few
 * requests, whatever was read for them. The last one that was under way lets the
 * others go; before that their number does, or the time that one may lose.
 */
static void whole_read(struct bio *bio)
{
	struct deltarec_whole *w = bio->bi_private;
	struct deltarec_store *s = w->io->dt->s;
	struct deltarec_wholes *ws = &s->wholes;
	blk_status_t status = bio->bi_status;
	bool enough = false;

	bio_uninit(bio);
	/*
	 * Once it is in the list its bio may end at any time, and so may the
	 * table; a grace period passes before that takes the store along.
	 */
	rcu_read_lock();
	if (!status) {
		enough = atomic_inc_return(&ws->nr_read) >= WHOLES_BATCH;
		llist_add(&w->node, &ws->read);
	}
	if (atomic_dec_and_test(&ws->reading) || enough)
		mod_delayed_work(ws->wq, &ws->work, 0);
	else if (!status)
		queue_delayed_work(ws->wq, &ws->work, WHOLES_WAIT);
	rcu_read_unlock();
	if (status)
		whole_end(w, status);
}

/* [off, off + bytes) of the buffer, from or to there */
static void whole_submit(struct deltarec_whole *w, struct block_device *bdev,
			 u64 sector, u32 off, u32 bytes, enum req_op op,
			 bio_end_io_t *end)
{
	const struct bio *user = w->io->bio;
	struct bio *bio = &w->bio;

	/* What else the user's is told is for itself alone. */
	bio_init(bio, bdev, &w->vec, 1, op | (user->bi_opf & DELTAREC_HINTS));
	bio->bi_ioprio = user->bi_ioprio;
	bio->bi_iter.bi_sector = sector + (off >> SECTOR_SHIFT);
	bio->bi_end_io = end;
	bio->bi_private = w;
	__bio_add_page(bio, virt_to_page(w->buf + off), bytes,
		       offset_in_page(w->buf + off));
	submit_bio_noacct(bio);
}

/*
 * No FUA: who asks for it is answered when the version is recorded, and that
 * begins with a flush (J3). Nor on the account of who writes, which one worker for
 * all would have to wait for.
 */
static void whole_write(struct deltarec_whole *w)
{
	whole_submit(w, w->io->dt->s->delta, w->io->slot * DR_BLOCK_SECTORS, 0,
		     w->bytes, REQ_OP_WRITE, whole_written);
}

/* Into @list by slot; most come in order. */
static void sort_in(struct deltarec_whole *w, struct list_head *list)
{
	struct list_head *at;

	list_for_each_prev(at, list)
		if (list_entry(at, struct deltarec_whole, list)->io->slot <
		    w->io->slot)
			break;
	list_add(&w->list, at);
}

static void wholes_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(to_delayed_work(work),
						struct deltarec_store,
						wholes.work);
	struct deltarec_whole *w, *next;
	struct llist_node *all;
	struct blk_plug plug;
	LIST_HEAD(sorted);

	atomic_set(&s->wholes.nr_read, 0);
	all = llist_reverse_order(llist_del_all(&s->wholes.read));
	llist_for_each_entry(w, all, node)
		sort_in(w, &sorted);
	blk_start_plug(&plug);
	list_for_each_entry_safe(w, next, &sorted, list) {
		deltarec_copy_data(w->buf + w->off, w->io->bio);
		join(w);
		whole_write(w);
	}
	blk_finish_plug(&plug);
}

/* What is on both sides of the data is read with what was in between. */
static void whole_read_start(struct deltarec_whole *w, struct block_device *bdev,
			     u64 sector)
{
	u32 end = w->off + w->io->bio->bi_iter.bi_size;
	u32 from = w->off ? 0 : end;
	u32 to = end < w->bytes ? w->bytes : w->off;

	atomic_inc(&w->io->dt->s->wholes.reading);
	whole_submit(w, bdev, sector, from, to - from, REQ_OP_READ, whole_read);
}

static void whole_start(struct deltarec_io *io, const struct dr_state *old,
			u32 off, u32 valid)
{
	struct deltarec_store *s = io->dt->s;
	struct deltarec_whole *w = io->whole;

	w->io = io;
	w->off = off << SECTOR_SHIFT;
	w->bytes = valid << SECTOR_SHIFT;
	if (old->slot == DR_SLOT_ZERO) {
		memset(w->buf, 0, w->bytes);
		deltarec_copy_data(w->buf + w->off, io->bio);
		whole_write(w);
	} else if (old->slot == DR_SLOT_ORIGIN) {
		whole_read_start(w, io->dt->origin->bdev,
				 io->block << s->block_shift);
	} else {
		whole_read_start(w, s->delta, old->slot * DR_BLOCK_SECTORS);
	}
}

void deltarec_wholes_init(struct deltarec_store *s)
{
	INIT_LIST_HEAD(&s->wholes.free);
	init_llist_head(&s->wholes.read);
	INIT_DELAYED_WORK(&s->wholes.work, wholes_work);
}

void deltarec_wholes_exit(struct deltarec_store *s)
{
	struct deltarec_whole *w, *next;

	list_for_each_entry_safe(w, next, &s->wholes.free, list)
		whole_free(s, w);
}

/* --- with kcopyd ----------------------------------------------------------- */

static void finish(struct deltarec_io *io)
{
	if (!atomic_dec_and_test(&io->copies))
		return;
	if (io->bio->bi_status || bio_op(io->bio) == REQ_OP_WRITE_ZEROES)
		bio_endio(io->bio);
	else
		submit_bio_noacct(io->bio);
}

static void copied(int read_err, unsigned long write_err, void *context)
{
	struct deltarec_io *io = context;

	if (read_err || write_err)
		WRITE_ONCE(io->bio->bi_status, BLK_STS_IOERR);
	finish(io);
}

static void zero(struct deltarec_io *io, u64 sector, u32 sectors)
{
	struct deltarec_store *s = io->dt->s;
	struct dm_io_region to = {
		.bdev = s->delta, .sector = sector, .count = sectors,
	};

	atomic_inc(&io->copies);
	dm_kcopyd_zero(s->kcopyd, 1, &to, 0, copied, io);
}

/* [off, off + sectors) of the block, from where it was */
static void copy(struct deltarec_io *io, const struct dr_state *old, u32 off,
		 u32 sectors)
{
	struct deltarec_store *s = io->dt->s;
	struct dm_io_region from, to = {
		.bdev = s->delta,
		.sector = io->slot * DR_BLOCK_SECTORS + off,
		.count = sectors,
	};

	if (!sectors)
		return;
	if (old->slot == DR_SLOT_ZERO) {
		zero(io, to.sector, sectors);
		return;
	}
	from.count = sectors;
	if (old->slot == DR_SLOT_ORIGIN) {
		from.bdev = io->dt->origin->bdev;
		from.sector = (io->block << s->block_shift) + off;
	} else {
		from.bdev = s->delta;
		from.sector = old->slot * DR_BLOCK_SECTORS + off;
	}
	atomic_inc(&io->copies);
	dm_kcopyd_copy(s->kcopyd, &from, 1, &to, 0, copied, io);
}

void deltarec_copy_start(struct deltarec_io *io,
			 const struct deltarec_step *step)
{
	struct deltarec_store *s = io->dt->s;
	u64 start = io->block << s->block_shift;
	u64 valid = min_t(u64, deltarec_block_sectors(s),
			  io->dt->ti->len - start);
	u32 off = step->sector - io->slot * DR_BLOCK_SECTORS;
	u32 end = off + step->sectors;

	if (io->whole) {
		whole_start(io, &step->old, off, valid);
		return;
	}
	atomic_set(&io->copies, 1);
	bio_set_dev(io->bio, step->bdev);
	io->bio->bi_iter.bi_sector = step->sector;
	copy(io, &step->old, 0, off);
	copy(io, &step->old, end, valid - end);
	if (bio_op(io->bio) == REQ_OP_WRITE_ZEROES)
		zero(io, step->sector, step->sectors);
	finish(io);
}

void deltarec_zero_start(struct deltarec_io *io,
			 const struct deltarec_step *step)
{
	atomic_set(&io->copies, 1);
	zero(io, step->sector, step->sectors);
	finish(io);
}
