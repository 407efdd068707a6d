// SPDX-License-Identifier: GPL-2.0
/*
 * claim.c - a small first write that is recorded beside its data.
 *
 * When a flush has come after each few writes lately, one is likely to come after
 * the next as well. Instead of waiting for it, the record is written at the same
 * time as the data: a claim, with the checksum of the data. The flush then finds
 * nothing to do but to flush the device (J8-J12 in Documentation/deltarec-design.rst).
 *
 * One claim is under way at a time: writes that come together are recorded
 * together, by the flush. The data is copied first: whoever owns the pages may
 * change them while they are being written, and the checksum has to be that of
 * what arrives.
 */
#include <linux/crc32c.h>
#include <linux/mm.h>

#include "deltarec.h"

/* First writes between two flushes for which claims are worth while */
#define CLAIM_WRITES	4u

bool deltarec_claim_begin(struct deltarec_store *s, struct deltarec_io *io, u32 nr,
			  const struct dr_state *was)
{
	const struct deltarec_journal *j = &s->journal;
	const struct bio *bio = io->bio;
	u64 bytes = (u64)nr << (s->block_shift + SECTOR_SHIFT);

	lockdep_assert_held(&s->lock);
	if (!j->before_flush || j->before_flush > CLAIM_WRITES ||
	    j->since_flush > CLAIM_WRITES)
		return false;
	if (bytes > DR_CLAIM_BLOCKS * DR_BLOCK_SIZE || nr > was->len ||
	    bio->bi_iter.bi_size != bytes || bio->bi_opf & REQ_FUA)
		return false;
	/* Is the last one's data still on its way? Pairs with claim_put(). */
	if (smp_load_acquire(&s->claim.io) || !dr_store_may_claim(&s->st, was) ||
	    !deltarec_journal_begin(s))
		return false;
	s->claim.io = io;
	return true;
}

static void claim_put(struct deltarec_claim *c)
{
	struct deltarec_io *io = c->io;

	if (!atomic_dec_and_test(&c->left))
		return;
	io->tail_gen = c->tail_gen;
	io->bio->bi_status = c->bio.bi_status;
	bio_uninit(&c->bio);
	/* The next one may have it (pairs with deltarec_claim_begin). */
	smp_store_release(&c->io, NULL);
	bio_endio(io->bio);
}

static void data_endio(struct bio *bio)
{
	claim_put(bio->bi_private);
}

void deltarec_claim_written(struct deltarec_store *s, bool failed)
{
	if (failed)
		s->claim.tail_gen = DR_NO_CLAIM;
	claim_put(&s->claim);
}

/* The data, to @sector */
static void submit_data(struct deltarec_store *s, struct bio *orig, u64 sector)
{
	struct deltarec_claim *c = &s->claim;
	struct bio *bio = &c->bio;

	bio_init(bio, s->delta, &c->vec, 1,
		 REQ_OP_WRITE | (orig->bi_opf & DELTAREC_HINTS));
	bio_clone_blkg_association(bio, orig);
	bio->bi_ioprio = orig->bi_ioprio;
	bio->bi_iter.bi_sector = sector;
	bio->bi_end_io = data_endio;
	bio->bi_private = c;
	__bio_add_page(bio, virt_to_page(c->data), orig->bi_iter.bi_size, 0);
	submit_bio_noacct(bio);
}

bool deltarec_claim_start(struct deltarec_io *io, u64 sector)
{
	struct deltarec_store *s = io->dt->s;
	struct deltarec_claim *c = &s->claim;
	struct dr_map map = {
		.block = io->block, .len = io->nr, .slot = io->slot,
		.epoch = io->epoch, .flags = io->map_flags,
	};
	unsigned long flags;
	u32 crc;
	int r;

	deltarec_copy_data(c->data, io->bio);
	crc = crc32c(~0u, c->data, io->bio->bi_iter.bi_size);
	spin_lock_irqsave(&s->lock, flags);
	c->tail_gen = s->st.tail_gen;
	r = dr_store_claim(&s->st, s->journal.buf, &map, crc);
	if (r)
		c->io = NULL;
	spin_unlock_irqrestore(&s->lock, flags);
	if (r) {
		io->flags &= ~DELTAREC_IO_CLAIM;
		deltarec_journal_end(s);
		return false;
	}
	atomic_set(&c->left, 2);
	submit_data(s, io->bio, sector);
	deltarec_journal_claim(s);
	return true;
}

int deltarec_claim_init(struct deltarec_store *s)
{
	s->claim.data = alloc_pages_exact(DR_CLAIM_BLOCKS * DR_BLOCK_SIZE,
					  GFP_KERNEL);
	return s->claim.data ? 0 : -ENOMEM;
}

void deltarec_claim_exit(struct deltarec_store *s)
{
	if (s->claim.data)
		free_pages_exact(s->claim.data, DR_CLAIM_BLOCKS * DR_BLOCK_SIZE);
}
