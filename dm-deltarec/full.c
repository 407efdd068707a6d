// SPDX-License-Identifier: GPL-2.0
/*
 * full.c - space that runs short: what is told, and who waits for what.
 *
 * A write that finds no room is refused when nothing can make any more (S9):
 * reclaim has looked at all that was dropped, and two merges have passed since
 * the write came, as the one under way may have been past what was given up
 * since. Whatever it waits for ends: a step of the worker either commits, and
 * wakes it, or fails, and is then no longer waited for.
 */
#include "deltarec.h"

/* --- what is told ------------------------------------------------------------ */

static void tell(struct deltarec_store *s)
{
	static const char *const what[DR_NR_LEVELS] = {
		[DR_LEVEL_OK] = "has space again",
		[DR_LEVEL_LOW] = "is getting full",
		[DR_LEVEL_CRITICAL] = "is nearly full",
		[DR_LEVEL_FULL] = "is full",
	};

	DMWARN_LIMIT("%s: delta device %s: drop epochs or enlarge it", s->name,
		     what[s->gauge.level]);
	deltarec_event(s);
}

/* May epochs be dropped for room? Lock held. */
static bool may_drop(const struct deltarec_store *s)
{
	return s->f.when_full == DELTAREC_FULL_RECLAIM && !s->suspending &&
	       s->reclaim_stall.error != -ENOSPC &&
	       time_after_eq(jiffies, s->drop_after);
}

static void want_drop(struct deltarec_store *s)
{
	s->drop_wanted = true;
	deltarec_kick_meta(s);
}

void deltarec_space_look(struct deltarec_store *s)
{
	lockdep_assert_held(&s->lock);
	if (dr_gauge_look(&s->gauge, &s->st.space))
		tell(s);
	/* Before anybody has to wait for it */
	if (s->gauge.level >= DR_LEVEL_CRITICAL && !s->drop_wanted &&
	    !s->st.reclaim_wanted && may_drop(s))
		want_drop(s);
}

void deltarec_space_marks(struct deltarec_store *s, const struct dr_policy *p)
{
	spin_lock_irq(&s->lock);
	dr_gauge_set(&s->gauge, &s->st.space, p->low, p->critical);
	deltarec_space_look(s);
	spin_unlock_irq(&s->lock);
}

void deltarec_tell_full(struct deltarec_store *s)
{
	lockdep_assert_held(&s->lock);
	if (dr_gauge_refused(&s->gauge, &s->st.space))
		tell(s);
}

/* --- who waits --------------------------------------------------------------- */

/* Reclaim stands still while the device is being suspended. */
static bool reclaim_helps(const struct deltarec_store *s)
{
	return s->st.reclaim_wanted && !s->suspending && !s->reclaim_stuck &&
	       s->reclaim_stall.error != -ENOSPC;
}

/* Is there anything in memory to be merged? */
static bool has_entries(const struct dr_store *st)
{
	return st->frozen || st->retired || st->active->used;
}

/* Slots that were overtaken in memory, or wait to become free */
static bool merge_helps(const struct deltarec_store *s,
			const struct deltarec_io *io)
{
	return s->merge_stall.error != -ENOSPC && s->merges - io->merges < 2 &&
	       (s->st.space.pending || has_entries(&s->st));
}

blk_status_t deltarec_full_status(const struct deltarec_store *s)
{
	lockdep_assert_held(&s->lock);
	return s->f.when_full != DELTAREC_FULL_ERROR && s->suspending &&
	       s->noflush ? BLK_STS_DM_REQUEUE : BLK_STS_NOSPC;
}

bool deltarec_wait_for_room(struct deltarec_store *s, struct deltarec_io *io,
			    int error, blk_status_t *status)
{
	bool merge;

	lockdep_assert_held(&s->lock);
	if (!(io->flags & DELTAREC_IO_SHORT)) {
		io->flags |= DELTAREC_IO_SHORT;
		io->merges = s->merges;
		io->wait = (struct deltarec_wait){};
	}
	/* A merge without room itself is not waited for. */
	merge = error == -EAGAIN ? s->merge_stall.error != -ENOSPC :
				   merge_helps(s, io);
	if (merge || reclaim_helps(s)) {
		deltarec_wait_pause(&io->wait);
		s->merge_wanted |= merge;
		deltarec_park(io, &s->parked);
		/* With writes under way only, the first one that ends does it. */
		if (error != -EAGAIN || has_entries(&s->st))
			deltarec_kick_meta(s);
		return true;
	}
	if (deltarec_stays(s, &io->wait)) {
		deltarec_park(io, &s->parked);
		return true;
	}
	*status = deltarec_full_status(s);
	return false;
}

/* --- queue_seconds ------------------------------------------------------------- */

static void short_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(to_delayed_work(work),
						struct deltarec_store,
						short_work);

	/* Whose time is over is refused, the others wait on. */
	deltarec_wake_parked(s);
	deltarec_journal_kick(s);
}

/* Lock held. All that end within a quarter of a second end together. */
static void end_wait(struct deltarec_store *s, unsigned long left)
{
	left = max_t(unsigned long, left, HZ / 4);
	if (!delayed_work_pending(&s->short_work) ||
	    time_before(jiffies + left, s->short_work.timer.expires))
		mod_delayed_work(s->defer_wq, &s->short_work, left);
}

void deltarec_wait_pause(struct deltarec_wait *w)
{
	if (w->since)
		w->before += jiffies - w->since;
	w->since = 0;
}

bool deltarec_stays(struct deltarec_store *s, struct deltarec_wait *w)
{
	unsigned long limit = s->f.queue_seconds * HZ, waited;

	lockdep_assert_held(&s->lock);
	if (may_drop(s)) {
		want_drop(s);
		return true;
	}
	deltarec_tell_full(s);
	if (s->f.when_full != DELTAREC_FULL_QUEUE || s->suspending)
		return false;
	if (!limit)
		return true;
	if (!w->since)
		w->since = jiffies ?: 1;
	waited = w->before + jiffies - w->since;
	if (waited >= limit)
		return false;
	end_wait(s, limit - waited);
	return true;
}

void deltarec_full_init(struct deltarec_store *s)
{
	INIT_DELAYED_WORK(&s->short_work, short_work);
	s->drop_after = jiffies;
	s->drop_batch = 1;
}

void deltarec_full_stop(struct deltarec_store *s)
{
	cancel_delayed_work_sync(&s->short_work);
}

/* --- reclaim_if_full ------------------------------------------------------------- */

#define DROP_MAX	32u

/* Is it wanted now? What is dropped already comes first, if it gets on. */
static bool drop_is_due(struct deltarec_store *s)
{
	bool due;

	spin_lock_irq(&s->lock);
	due = (s->drop_wanted || s->gauge.level >= DR_LEVEL_CRITICAL) &&
	      (!s->st.reclaim_wanted || s->reclaim_stuck) && may_drop(s);
	s->drop_wanted = false;
	spin_unlock_irq(&s->lock);
	return due;
}

static void tell_dropped(struct deltarec_store *s, const u32 *ids, u32 nr)
{
	char text[DROP_MAX * 11 + 1];
	size_t len = 0;
	u32 i;

	for (i = 0; i < nr; i++)
		len += scnprintf(text + len, sizeof(text) - len, " %u",
				 ids[i]);
	DMWARN("%s: space is short: dropped%s", s->name, text);
	deltarec_event(s);
}

/* Who waits for it is refused, and it is not tried for a while. */
static void no_drop(struct deltarec_store *s)
{
	spin_lock_irq(&s->lock);
	s->drop_after = jiffies + HZ;
	spin_unlock_irq(&s->lock);
	s->drop_batch = 1;
	deltarec_journal_kick(s);
	deltarec_wake_parked(s);
}

struct drops {
	const struct dr_policy *p;
	u32 max;
	u32 *ids;
	u32 *nr;
};

static int drop_oldest(struct dr_store *st, const void *arg)
{
	const struct drops *d = arg;
	int r = dr_retain_drop_oldest(st, d->p, d->max, d->ids, d->nr);

	/* Nothing to commit */
	return r || *d->nr ? r : 1;
}

/*
 * One, and if that has not made enough room, twice as many each time: what an
 * epoch alone needs is known only when reclaim has looked, which costs more than
 * to drop another one.
 */
bool deltarec_drop_oldest(struct deltarec_store *s)
{
	u32 ids[DROP_MAX], nr = 0;
	struct drops d = { &s->policy.p, s->drop_batch, ids, &nr };

	lockdep_assert_held(&s->meta);
	if (!drop_is_due(s)) {
		if (!READ_ONCE(s->st.reclaim_wanted))
			s->drop_batch = 1;
		return false;
	}
	if (deltarec_commit_drops(s, drop_oldest, &d)) {
		no_drop(s);
		return false;
	}
	tell_dropped(s, ids, nr);
	s->drop_batch = min(2 * s->drop_batch, DROP_MAX);
	return true;
}
