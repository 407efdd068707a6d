// SPDX-License-Identifier: GPL-2.0
/*
 * pending.c - first writes that are under way.
 *
 * From taking its slots until it is published a first write stands in
 * store->pending. Another write or discard of the same blocks waits for its
 * end, or joins it (merge-io.c); reads do not, they see the older version. No
 * write spans two windows of DELTAREC_WINDOW blocks, so that one bucket has all
 * that may overlap.
 */
#include <linux/hash.h>

#include "deltarec.h"

static struct hlist_head *bucket_of(struct deltarec_store *s, u64 block)
{
	u64 window = div_u64(block, DELTAREC_WINDOW);

	return s->pending + hash_64(window, DELTAREC_PENDING_BITS);
}

static struct deltarec_io *find_in(struct hlist_head *bucket, u64 block,
				   u64 nr)
{
	struct deltarec_io *io;

	hlist_for_each_entry(io, bucket, hash)
		if (io->block < block + nr && block < io->block + io->nr)
			return io;
	return NULL;
}

struct deltarec_io *deltarec_pending_find(struct deltarec_store *s, u64 block,
					  u64 nr)
{
	struct deltarec_io *io;
	unsigned int i;

	lockdep_assert_held(&s->lock);
	if (div_u64(block, DELTAREC_WINDOW) ==
	    div_u64(block + nr - 1, DELTAREC_WINDOW))
		return find_in(bucket_of(s, block), block, nr);
	/* A discard */
	for (i = 0; i < ARRAY_SIZE(s->pending); i++) {
		io = find_in(s->pending + i, block, nr);
		if (io)
			return io;
	}
	return NULL;
}

int deltarec_pending_add(struct deltarec_store *s, struct deltarec_io *io,
			 u64 block, u32 *nr, u8 map_flags,
			 struct deltarec_whole *whole)
{
	int r;

	lockdep_assert_held(&s->lock);
	r = dr_store_begin_write(&s->st, nr, &io->slot);
	if (r)
		return r;
	s->journal.since_flush++;
	io->flags |= DELTAREC_IO_PENDING;
	io->block = block;
	io->nr = *nr;
	io->epoch = s->st.head;
	io->map_flags = map_flags;
	io->whole = whole;
	INIT_LIST_HEAD(&io->waiters);
	hlist_add_head(&io->hash, bucket_of(s, block));
	if (static_branch_unlikely(&deltarec_tracking))
		deltarec_reads_first(s, block, *nr);
	deltarec_space_look(s);
	return 0;
}

/* Its data has arrived, or not. Lock held. */
static void publish(struct deltarec_io *io, blk_status_t status)
{
	struct deltarec_store *s = io->dt->s;
	bool claimed = io->flags & DELTAREC_IO_CLAIM;

	if (status) {
		dr_store_cancel_write(&s->st, io->slot, io->nr, claimed);
		return;
	}
	if (!claimed) {
		dr_store_publish(&s->st, io->block, io->nr, io->slot,
				 io->epoch, io->map_flags);
		return;
	}
	dr_store_publish_claimed(&s->st, io->block, io->nr, io->slot, io->epoch,
				 io->map_flags, io->tail_gen);
	/* What follows is mostly written in place, once it is recorded. */
	if (s->st.active->used - s->st.active->recorded >= DR_JOURNAL_RECORDS / 2)
		deltarec_journal_confirm(s, NULL);
}

void deltarec_pending_end(struct deltarec_io *io, blk_status_t status)
{
	struct deltarec_store *s = io->dt->s;
	struct deltarec_io *waiter, *next;
	unsigned long flags;
	LIST_HEAD(waiters);
	bool merge;

	spin_lock_irqsave(&s->lock, flags);
	hlist_del(&io->hash);
	io->flags &= ~DELTAREC_IO_PENDING;
	publish(io, status);
	list_splice(&io->waiters, &waiters);
	if (io->whole)
		deltarec_whole_put(s, io->whole);
	/* Who found nothing to merge yet waits for this one. */
	merge = dr_store_half_full(&s->st) || s->merge_wanted;
	spin_unlock_irqrestore(&s->lock, flags);

	list_for_each_entry_safe(waiter, next, &waiters, list)
		deltarec_unpark(waiter, status);
	if (merge)
		deltarec_kick_meta(s);
	else
		deltarec_merge_idle(s);
}
