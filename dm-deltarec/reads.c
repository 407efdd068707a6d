// SPDX-License-Identifier: GPL-2.0
/*
 * reads.c - what was read, as evidence: the feature track_reads.
 *
 * Two things are noted of a read, without locks and without waiting. For each
 * block a place in a table of recent reads, with the second: a block that is
 * written for the first time in the head within WINDOW of that was probably
 * read by the one who writes it. And a bit in the head's coarse map of all that
 * was read, which is kept with the epoch when it has been sealed.
 *
 * Blocks that share a place overwrite each other, and whoever reads and whoever
 * writes need not be the same: some reads are missed, some that mean nothing
 * are counted. Reads that the page cache answers never come here.
 *
 * While no device has the feature, .map passes over a patched-out branch.
 */
#include <linux/hash.h>
#include <linux/slab.h>

#include "deltarec.h"
#include "core/note.h"

#define RECENT_BITS	15u	/* 256 KiB */
#define NEAR_BITS	6u	/* so many blocks lie side by side in it */
#define NEAR_MASK	((1u << NEAR_BITS) - 1)
#define STAMP_BITS	24u
#define STAMP_MASK	((1u << STAMP_BITS) - 1)
#define WINDOW		10u	/* seconds */
#define MOST		64u	/* blocks of one bio that are noted */
#define RANGE_CHARS	42u	/* " <start>+<sectors>", the longest */

DEFINE_STATIC_KEY_FALSE(deltarec_tracking);

struct read_map {
	struct list_head list;
	struct rcu_head rcu;
	u32 epoch;
	unsigned long bits[DR_READS_BITS / BITS_PER_LONG];
};

struct deltarec_reads {
	bool on;
	u32 shift;			/* sectors to bits */
	struct read_map __rcu *map;	/* of the head; replaced under lock */
	struct list_head sealed;	/* to be stored; lock */
	u64 recent[1u << RECENT_BITS];	/* block and second */
};

static u64 *recent(struct deltarec_reads *rd, u64 block)
{
	u32 near = hash_64(block >> NEAR_BITS, RECENT_BITS - NEAR_BITS);

	return rd->recent + (near << NEAR_BITS | (block & NEAR_MASK));
}

static u32 stamp_now(void)
{
	return jiffies / HZ & STAMP_MASK;
}

static void mark(struct read_map *map, u64 from, u64 to)
{
	for (; from <= to; from++)
		if (!test_bit_le(from, map->bits))
			set_bit_le(from, map->bits);
}

void deltarec_reads_seen(struct deltarec *dt, const struct bio *bio)
{
	struct deltarec_reads *rd = READ_ONCE(dt->s->reads);
	struct deltarec_range r;
	struct read_map *map;
	u32 i, nr, stamp;

	if (!rd || !READ_ONCE(rd->on) || !bio_sectors(bio))
		return;
	deltarec_range_of(dt, bio, &r);
	nr = (r.off + r.sectors + deltarec_block_sectors(dt->s) - 1)
		>> dt->s->block_shift;
	stamp = stamp_now();
	for (i = 0; i < min(nr, MOST); i++)
		WRITE_ONCE(*recent(rd, r.block + i),
			   (r.block + i) << STAMP_BITS | stamp);
	rcu_read_lock();
	map = rcu_dereference(rd->map);
	if (map)
		mark(map, r.start >> rd->shift,
		     (r.start + r.sectors - 1) >> rd->shift);
	rcu_read_unlock();
}

void deltarec_reads_first(struct deltarec_store *s, u64 block, u32 nr)
{
	struct deltarec_reads *rd = s->reads;
	u32 i, now, found = 0;
	u64 seen;

	lockdep_assert_held(&s->lock);
	if (!rd || !rd->on)
		return;
	now = stamp_now();
	for (i = 0; i < nr; i++) {
		seen = READ_ONCE(*recent(rd, block + i));
		if (seen >> STAMP_BITS == block + i &&
		    ((now - (u32)seen) & STAMP_MASK) <= WINDOW)
			found++;
	}
	if (found && s->st.head_read_first < ~0u - found)
		WRITE_ONCE(s->st.head_read_first,
			   s->st.head_read_first + found);
}

void deltarec_reads_sealed(struct deltarec_store *s)
{
	struct deltarec_reads *rd = s->reads;
	struct read_map *old, *new;

	lockdep_assert_held(&s->lock);
	if (!rd || !rd->on)
		return;
	old = rcu_dereference_protected(rd->map, lockdep_is_held(&s->lock));
	if (!old || old->epoch == s->st.head)
		return;
	/* Without memory the next epoch has what was read in both. */
	new = kzalloc(sizeof(*new), GFP_NOWAIT | __GFP_NOWARN);
	if (!new)
		return;
	new->epoch = s->st.head;
	rcu_assign_pointer(rd->map, new);
	list_add_tail(&old->list, &rd->sealed);
	deltarec_kick_meta(s);
}

static struct deltarec_reads *reads_alloc(struct deltarec_store *s)
{
	struct deltarec_reads *rd = kvzalloc(sizeof(*rd), GFP_NOIO);

	if (!rd)
		return NULL;
	INIT_LIST_HEAD(&rd->sealed);
	rd->shift = dr_reads_shift(&s->st);
	/* A block that there is not */
	memset(rd->recent, 0xff, sizeof(rd->recent));
	return rd;
}

void deltarec_reads_switch(struct deltarec_store *s, bool on)
{
	struct deltarec_reads *rd = s->reads;
	struct read_map *map = NULL;

	if (on == (rd && rd->on))
		return;
	if (on) {
		if (!rd)
			rd = reads_alloc(s);
		map = kzalloc(sizeof(*map), GFP_NOIO);
		if (!rd || !map) {
			DMWARN("%s: no memory to track reads", s->name);
			if (rd != s->reads)
				kvfree(rd);
			kfree(map);
			return;
		}
		WRITE_ONCE(s->reads, rd);
		static_branch_inc(&deltarec_tracking);
	} else {
		static_branch_dec(&deltarec_tracking);
	}
	spin_lock_irq(&s->lock);
	if (map)
		map->epoch = s->st.head;
	s->st.track_reads = on;
	if (on && !s->st.head_read_first)
		s->st.head_read_first = 1;
	/* No reader: what is known of this head is not all of it. */
	kfree(rcu_dereference_protected(rd->map, lockdep_is_held(&s->lock)));
	rcu_assign_pointer(rd->map, map);
	WRITE_ONCE(rd->on, on);
	spin_unlock_irq(&s->lock);
}

static struct read_map *first_sealed(struct deltarec_store *s)
{
	struct read_map *map = NULL;

	spin_lock_irq(&s->lock);
	if (s->reads)
		map = list_first_entry_or_null(&s->reads->sealed,
					       struct read_map, list);
	if (map)
		list_del(&map->list);
	spin_unlock_irq(&s->lock);
	return map;
}

bool deltarec_reads_store(struct deltarec_store *s)
{
	struct read_map *map = first_sealed(s);
	int r = -ENODATA;

	lockdep_assert_held(&s->meta);
	if (!map)
		return false;
	down_read(&s->epochs);
	if (s->mode == DELTAREC_RW &&
	    memchr_inv(map->bits, 0, sizeof(map->bits)))
		r = dr_note_may(&s->st, map->epoch, DR_READS_BYTES);
	if (!r) {
		r = dr_reads_set(&s->st, map->epoch, map->bits);
		if (r)
			deltarec_step_failed(s, &s->back_stall, r);
	}
	up_read(&s->epochs);
	if (!r)
		deltarec_committed(s, false);
	if (r == -ENOMEM) {
		spin_lock_irq(&s->lock);
		list_add(&map->list, &s->reads->sealed);
		spin_unlock_irq(&s->lock);
		return false;
	}
	kfree_rcu(map, rcu);
	return true;
}

void deltarec_reads_free(struct deltarec_store *s)
{
	struct deltarec_reads *rd = s->reads;
	struct read_map *map;

	if (!rd)
		return;
	if (rd->on)
		static_branch_dec(&deltarec_tracking);
	while ((map = first_sealed(s)))
		kfree(map);
	kfree(rcu_dereference_protected(rd->map, true));
	kvfree(rd);
	s->reads = NULL;
}

/* --- the message --------------------------------------------------------- */

/* The map of an epoch, or of the head as it is now; meta held */
static int load(struct deltarec_store *s, u32 epoch, void *bits)
{
	struct read_map *map = NULL;
	int r;

	/* What waits to be stored can be asked for already. */
	while (deltarec_reads_store(s))
		;
	rcu_read_lock();
	if (s->reads)
		map = rcu_dereference(s->reads->map);
	if (map && map->epoch == epoch) {
		memcpy(bits, map->bits, DR_READS_BYTES);
		rcu_read_unlock();
		return 0;
	}
	rcu_read_unlock();
	down_read(&s->epochs);
	r = dr_reads_get(&s->st, epoch, bits);
	up_read(&s->epochs);
	return r;
}

static void print(struct deltarec *dt, const void *bits, u32 at,
		  struct deltarec_reply *reply)
{
	u32 shift = dr_reads_shift(&dt->s->st), begin, end, next, nr;
	u32 max = reply->size / RANGE_CHARS - 1;

	/* The word that comes first tells where these end. */
	for (nr = 0, next = at; nr < max && next < DR_READS_BITS; nr++) {
		begin = find_next_bit_le(bits, DR_READS_BITS, next);
		next = find_next_zero_bit_le(bits, DR_READS_BITS, begin);
	}
	if (find_next_bit_le(bits, DR_READS_BITS, next) < DR_READS_BITS)
		deltarec_reply(reply, "%llu", (u64)next << shift);
	else
		deltarec_reply(reply, DR_WORD_NONE);
	for (end = at; end < next; ) {
		begin = find_next_bit_le(bits, DR_READS_BITS, end);
		end = find_next_zero_bit_le(bits, DR_READS_BITS, begin);
		if (begin < DR_READS_BITS)
			deltarec_reply(reply, " %llu+%llu",
				       (u64)begin << shift,
				       min_t(u64, (u64)end << shift,
					     dt->ti->len) -
				       ((u64)begin << shift));
	}
}

int deltarec_message_reads(struct deltarec *dt, unsigned int argc, char **argv,
			   struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u64 cursor;
	u32 epoch;
	void *bits;
	int r;

	if (argc != 3 || kstrtou32(argv[1], 10, &epoch) ||
	    kstrtou64(argv[2], 10, &cursor)) {
		DMERR_LIMIT("%s: bad arguments: the message is '" DR_MSG_READS
			    " <epoch> <sector>'", s->name);
		return -EINVAL;
	}
	cursor = min_t(u64, cursor, dt->ti->len);
	bits = kzalloc(DR_READS_BYTES, GFP_NOIO);
	if (!bits)
		return -ENOMEM;
	r = -EINTR;
	if (!mutex_lock_killable(&s->meta)) {
		r = load(s, epoch, bits);
		mutex_unlock(&s->meta);
	}
	if (!r)
		print(dt, bits, cursor >> dr_reads_shift(&s->st), reply);
	kfree(bits);
	if (r == -ENODATA) {
		DMERR_LIMIT("%s: " DR_MSG_READS ": epoch %u: not known, see track_reads",
			    s->name, epoch);
		return r;
	}
	return r ? deltarec_refuse(dt, DR_MSG_READS, r) : 1;
}
