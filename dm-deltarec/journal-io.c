// SPDX-License-Identifier: GPL-2.0
/*
 * journal-io.c - FLUSH and FUA, in groups.
 *
 * Flushes wait in @next. A round takes them all over to @now, writes what has
 * been published so far and is not recorded, and ends them together; those
 * that come meanwhile wait for the next round. Each write begins with a flush,
 * so the data is durable before the record that names it, and ends with FUA.
 * A round that has nothing to record flushes the device instead.
 *
 * One group is in flight at a time. Who sets @busy works on the engine, until
 * it hands over to the completion of a write or finds nothing to do. It stops
 * in the middle of a round (busy is false, round is true) when the core can
 * not go on: a seal drains, or the ring is full; deltarec_journal_kick() after
 * the drain or the merge takes it up again.
 */
#include <linux/mm.h>

#include "deltarec.h"

static void write_endio(struct bio *bio);

/* End all flushes of a list that nobody else can reach */
static void end_all(struct list_head *list, blk_status_t status)
{
	struct deltarec_io *io, *next;

	list_for_each_entry_safe(io, next, list, list) {
		if (io->bio) {
			io->bio->bi_status = status;
			bio_endio(io->bio);
		} else {
			io->status = status;
			complete(io->done);
		}
	}
}

/* Is all durable that this round's flushes are for? Lock held. */
static bool round_done(struct deltarec_store *s)
{
	return s->st.ctl_state != DR_CTL_READY &&
	       dr_store_recorded(&s->st) >= s->journal.target;
}

enum next_step {
	NEXT_IDLE,		/* nothing to do, or it cannot go on */
	NEXT_WRITE,		/* nr blocks */
	NEXT_FLUSH,
	NEXT_FULL,		/* the ring: as idle, and a merge is needed */
	NEXT_FAIL,		/* end @ended with an error */
	NEXT_END,		/* end @ended well */
};

static enum next_step fill(struct deltarec_store *s, u32 *nr)
{
	struct deltarec_journal *j = &s->journal;
	int r = dr_store_fill(&s->st, j->buf, DELTAREC_GROUP);

	if (r > 0) {
		*nr = r;
		return NEXT_WRITE;
	}
	j->busy = false;
	return r == -EAGAIN ? NEXT_FULL : NEXT_IDLE;
}

static enum next_step next_locked(struct deltarec_store *s, u32 *nr,
				  struct list_head *ended)
{
	struct deltarec_journal *j = &s->journal;

	if (!j->round) {
		if (list_empty(&j->next) && !j->confirm &&
		    s->st.ctl_state != DR_CTL_READY) {
			j->busy = false;
			return NEXT_IDLE;
		}
		list_splice_tail_init(&j->next, &j->now);
		j->target = j->confirm ? s->st.published :
					 dr_store_bare(&s->st);
		j->confirm = false;
		j->round = true;
		j->wrote = false;
		j->wait = (struct deltarec_wait){};
	}
	if (s->mode != DELTAREC_RW && !round_done(s)) {
		list_splice_init(&j->now, ended);
		list_splice_tail_init(&j->next, ended);
		j->round = false;
		j->busy = false;
		return NEXT_FAIL;
	}
	if (!round_done(s)) {
		enum next_step next = fill(s, nr);

		if (next != NEXT_FULL || s->merge_stall.error != -ENOSPC) {
			deltarec_wait_pause(&j->wait);
			return next;
		}
		if (deltarec_stays(s, &j->wait))
			return next;
		/* As a write that finds no room; what it is for goes on. */
		list_splice_init(&j->now, ended);
		list_splice_tail_init(&j->next, ended);
		j->round = false;
		return NEXT_FAIL;
	}
	if (!j->wrote && !list_empty(&j->now))
		return NEXT_FLUSH;
	j->round = false;
	list_splice_init(&j->now, ended);
	return NEXT_END;
}

static void submit(struct deltarec_store *s, u32 nr, blk_opf_t flags)
{
	struct deltarec_journal *j = &s->journal;
	struct bio *bio = &j->bio;

	bio_init(bio, s->delta, &j->vec, 1, REQ_OP_WRITE | REQ_SYNC | flags);
	bio->bi_end_io = write_endio;
	bio->bi_private = s;
	if (nr) {
		bio->bi_iter.bi_sector = s->st.group.place * DR_BLOCK_SECTORS;
		__bio_add_page(bio, virt_to_page(j->buf), nr * DR_BLOCK_SIZE,
			       0);
	}
	submit_bio_noacct(bio);
}

/* Go on until a write is in flight or nothing is left; the caller set busy. */
static void work_on(struct deltarec_store *s)
{
	enum next_step next;
	blk_status_t status;
	unsigned long flags;
	LIST_HEAD(ended);
	u32 nr = 0;

	for (;;) {
		spin_lock_irqsave(&s->lock, flags);
		next = next_locked(s, &nr, &ended);
		if (next == NEXT_FULL)
			s->merge_wanted = true;
		status = s->mode == DELTAREC_RW ? deltarec_full_status(s) :
						  BLK_STS_IOERR;
		spin_unlock_irqrestore(&s->lock, flags);
		switch (next) {
		case NEXT_WRITE:
			submit(s, nr, REQ_PREFLUSH | REQ_FUA | REQ_META);
			return;
		case NEXT_FLUSH:
			submit(s, 0, REQ_PREFLUSH);
			return;
		case NEXT_FULL:
			deltarec_kick_meta(s);
			return;
		case NEXT_FAIL:
			end_all(&ended, status);
			/* Who waits for records finds out as well. */
			deltarec_wake_parked(s);
			return;
		case NEXT_END:
			end_all(&ended, BLK_STS_OK);
			INIT_LIST_HEAD(&ended);
			break;
		default:
			return;
		}
	}
}

static void journal_work(struct work_struct *work)
{
	work_on(container_of(work, struct deltarec_store, journal.work));
}

/*
 * A group has been written. The usual round ends right here; the rest of the
 * work is for a worker, this may be an interrupt.
 */
static void write_endio(struct bio *bio)
{
	struct deltarec_store *s = bio->bi_private;
	struct deltarec_journal *j = &s->journal;
	bool go_on, ctl, claim, failed = bio->bi_status;
	unsigned long flags;
	LIST_HEAD(ended);
	LIST_HEAD(parked);

	bio_uninit(bio);
	if (failed)
		deltarec_set_mode(s, DELTAREC_RO, "cannot write the journal");
	spin_lock_irqsave(&s->lock, flags);
	ctl = s->st.group.ctl;
	if (!failed) {
		dr_store_filled(&s->st);
		j->wrote = true;
	}
	if (!failed && round_done(s)) {
		list_splice_init(&j->now, &ended);
		j->round = false;
	}
	go_on = j->round || j->confirm || !list_empty(&j->next) ||
		s->st.ctl_state == DR_CTL_READY;
	j->busy = go_on;
	claim = j->claim;
	j->claim = false;
	/* Under the lock: who waits for the record may close the store. */
	if (j->awaited)
		list_splice_init(&s->parked, &parked);
	j->awaited = false;
	if (ctl)
		wake_up_all(&s->ctl_wait);
	if (go_on)
		queue_work(s->journal_wq, &j->work);
	spin_unlock_irqrestore(&s->lock, flags);
	end_all(&ended, BLK_STS_OK);
	deltarec_defer_all(&parked);
	if (claim)
		deltarec_claim_written(s, failed);
}

/* Lock held. Return: true if the caller has to work on it. */
static bool take(struct deltarec_journal *j)
{
	bool mine = !j->busy;

	j->busy = true;
	return mine;
}

bool deltarec_journal_begin(struct deltarec_store *s)
{
	struct deltarec_journal *j = &s->journal;

	lockdep_assert_held(&s->lock);
	return !j->round && list_empty(&j->next) && take(j);
}

void deltarec_journal_end(struct deltarec_store *s)
{
	struct deltarec_journal *j = &s->journal;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	j->busy = false;
	spin_unlock_irqrestore(&s->lock, flags);
	deltarec_journal_kick(s);
}

void deltarec_journal_claim(struct deltarec_store *s)
{
	s->journal.claim = true;
	submit(s, 1, REQ_META);
}

void deltarec_journal_confirm(struct deltarec_store *s, struct deltarec_io *waiter)
{
	struct deltarec_journal *j = &s->journal;

	lockdep_assert_held(&s->lock);
	if (waiter) {
		deltarec_park(waiter, &s->parked);
		j->awaited = true;
	}
	j->confirm = true;
	if (take(j))
		queue_work(s->journal_wq, &j->work);
}

void deltarec_journal_kick(struct deltarec_store *s)
{
	struct deltarec_journal *j = &s->journal;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	if ((j->round || j->confirm || !list_empty(&j->next) ||
	     s->st.ctl_state == DR_CTL_READY) && take(j))
		queue_work(s->journal_wq, &j->work);
	spin_unlock_irqrestore(&s->lock, flags);
}

void deltarec_journal_wait(struct deltarec_io *io)
{
	struct deltarec_store *s = io->dt->s;
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	list_add_tail(&io->list, &s->journal.next);
	if (take(&s->journal))
		queue_work(s->journal_wq, &s->journal.work);
	spin_unlock_irqrestore(&s->lock, flags);
}

/*
 * With nothing to record a flush is the delta device's business alone, if at all;
 * otherwise the first one starts its round from here, without a detour.
 */
int deltarec_map_flush(struct deltarec *dt, struct bio *bio)
{
	struct deltarec_io *io = dm_per_bio_data(bio, sizeof(*io));
	struct deltarec_store *s = dt->s;
	struct deltarec_journal *j = &s->journal;
	unsigned long flags;
	bool mine;

	spin_lock_irqsave(&s->lock, flags);
	if (j->since_flush)
		j->before_flush = j->since_flush;
	j->since_flush = 0;
	if (s->st.ctl_state == DR_CTL_NONE &&
	    dr_store_recorded(&s->st) >= dr_store_bare(&s->st)) {
		spin_unlock_irqrestore(&s->lock, flags);
		if (!bdev_write_cache(s->delta)) {
			bio_endio(bio);
			return DM_MAPIO_SUBMITTED;
		}
		bio_set_dev(bio, s->delta);
		return DM_MAPIO_REMAPPED;
	}
	list_add_tail(&io->list, &j->next);
	mine = take(j);
	spin_unlock_irqrestore(&s->lock, flags);
	if (mine)
		work_on(s);
	return DM_MAPIO_SUBMITTED;
}

int deltarec_journal_sync(struct deltarec *dt)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct deltarec_io io = { .dt = dt, .done = &done, .era = -1 };

	spin_lock_irq(&dt->s->lock);
	dt->s->journal.confirm = true;
	spin_unlock_irq(&dt->s->lock);
	deltarec_journal_wait(&io);
	wait_for_completion_io(&done);
	return blk_status_to_errno(io.status);
}

int deltarec_journal_init(struct deltarec_store *s)
{
	struct deltarec_journal *j = &s->journal;

	INIT_LIST_HEAD(&j->next);
	INIT_LIST_HEAD(&j->now);
	INIT_WORK(&j->work, journal_work);
	j->buf = alloc_pages_exact(DELTAREC_GROUP * DR_BLOCK_SIZE, GFP_KERNEL);
	return j->buf ? 0 : -ENOMEM;
}

void deltarec_journal_exit(struct deltarec_store *s)
{
	if (s->journal.buf)
		free_pages_exact(s->journal.buf,
				 DELTAREC_GROUP * DR_BLOCK_SIZE);
}
