// SPDX-License-Identifier: GPL-2.0
/*
 * worker.c - merges, replay and reclaim in the background.
 *
 * One work item does the most urgent thing, lets go of store->meta and comes
 * again while there is more: merges first, since writers may wait for them.
 * While the device is being suspended only merges go on, and once no bio is left
 * nothing does (S15).
 */
#include <linux/sched/mm.h>

#include "deltarec.h"

#define DELAY_MIN	(HZ / 10)
#define DELAY_MAX	(5 * HZ)
#define RECLAIM_REST	15	/* of so many sixteenths of the time */
#define REST_MAX	(10 * HZ)
#define IDLE_AFTER	(HZ / 2)	/* without a bio */

void deltarec_kick_meta(struct deltarec_store *s)
{
	if (!READ_ONCE(s->stopping))
		queue_work(s->meta_wq, &s->meta_work);
}

/* --- steps that found no room or no memory --------------------------------- */

void deltarec_again_work(struct work_struct *work)
{
	deltarec_kick_meta(container_of(to_delayed_work(work),
					struct deltarec_store, again));
}

/* At the earliest time that anything asks for */
static void come_again(struct deltarec_store *s, unsigned long delay)
{
	lockdep_assert_held(&s->meta);
	if (!READ_ONCE(s->stopping) &&
	    (!delayed_work_pending(&s->again) ||
	     time_before(jiffies + delay, s->again.timer.expires)))
		mod_delayed_work(s->meta_wq, &s->again, delay);
}

/* Is it too early to try again? */
static bool stalled(struct deltarec_store *s, struct deltarec_stall *stall)
{
	unsigned long delay = 0;

	spin_lock_irq(&s->lock);
	if (stall->error && time_before(jiffies, stall->until))
		delay = stall->until - jiffies;
	spin_unlock_irq(&s->lock);
	if (delay)
		come_again(s, delay);
	return delay;
}

void deltarec_step_failed(struct deltarec_store *s,
			  struct deltarec_stall *stall, int error)
{
	unsigned int delay;

	lockdep_assert_held(&s->meta);
	if (error != -ENOSPC && error != -ENOMEM) {
		deltarec_set_mode(s, DELTAREC_RO, "cannot commit metadata");
		return;
	}
	if (!stall)
		return;
	spin_lock_irq(&s->lock);
	delay = clamp_t(unsigned int, 2 * stall->delay, DELAY_MIN, DELAY_MAX);
	stall->error = error;
	stall->delay = delay;
	stall->until = jiffies + delay;
	if (error == -ENOSPC)
		deltarec_tell_full(s);
	spin_unlock_irq(&s->lock);
	come_again(s, delay);
	/* Flushes that wait for a merge may have to fail. */
	deltarec_journal_kick(s);
}

static void succeeded(struct deltarec_store *s, struct deltarec_stall *stall)
{
	spin_lock_irq(&s->lock);
	stall->error = 0;
	stall->delay = 0;
	spin_unlock_irq(&s->lock);
}

/*
 * What found no room or no memory may find it now. It is tried before anybody
 * is refused for it again: the delay stays, in case that it fails. Lock held.
 */
static bool try_again(struct deltarec_store *s)
{
	bool stalled = s->merge_stall.error || s->reclaim_stall.error ||
		       s->back_stall.error;

	if (s->merge_stall.error)
		s->merge_wanted = true;
	s->merge_stall.error = 0;
	s->reclaim_stall.error = 0;
	s->back_stall.error = 0;
	return stalled;
}

void deltarec_hurry(struct deltarec_store *s)
{
	unsigned long flags;

	spin_lock_irqsave(&s->lock, flags);
	try_again(s);
	s->merge_stall.delay = 0;
	s->reclaim_stall.delay = 0;
	s->back_stall.delay = 0;
	spin_unlock_irqrestore(&s->lock, flags);
	deltarec_kick_meta(s);
}

void deltarec_meta_rest(struct deltarec_store *s, bool yes)
{
	WRITE_ONCE(s->resting, yes);
}

void deltarec_meta_stop(struct deltarec_store *s)
{
	deltarec_meta_rest(s, true);
	deltarec_full_stop(s);
	cancel_delayed_work_sync(&s->idle);
	cancel_delayed_work_sync(&s->again);
	flush_work(&s->meta_work);
	/* That may have asked to come again. */
	cancel_delayed_work_sync(&s->again);
}

/* --- merges ------------------------------------------------------------------ */

void deltarec_merge_idle(struct deltarec_store *s)
{
	if (!delayed_work_pending(&s->idle) && !READ_ONCE(s->stopping))
		queue_delayed_work(s->meta_wq, &s->idle, IDLE_AFTER);
}

/*
 * A merge that had to come soon is better made while nobody reads or writes: it
 * takes no time from what comes next, and of a crash less is left to be replayed.
 */
void deltarec_idle_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(to_delayed_work(work),
						struct deltarec_store, idle);
	unsigned long ios = deltarec_era_entered(&s->era);
	bool idle = ios == s->idle_ios, worth;

	s->idle_ios = ios;
	spin_lock_irq(&s->lock);
	worth = dr_store_worth_merging(&s->st);
	if (worth && idle)
		s->merge_wanted = true;
	spin_unlock_irq(&s->lock);
	if (worth && idle)
		deltarec_kick_meta(s);
	else if (worth)
		deltarec_merge_idle(s);
}

/*
 * Readers of older roots leave before what these named is used again: those
 * that only look (RCU) and those whose I/O is under way (era).
 */
void deltarec_committed(struct deltarec_store *s, bool final)
{
	struct deltarec_snap *new = deltarec_snap_alloc();
	bool again;

	lockdep_assert_held(&s->meta);
	spin_lock_irq(&s->lock);
	deltarec_snap_publish(s, new);
	spin_unlock_irq(&s->lock);
	synchronize_rcu();
	deltarec_era_drain(&s->era);
	dr_store_release(&s->st, final);
	spin_lock_irq(&s->lock);
	again = try_again(s);
	deltarec_space_look(s);
	spin_unlock_irq(&s->lock);
	if (again)
		deltarec_kick_meta(s);
	/* Flushes may have waited for room in the ring. */
	deltarec_journal_kick(s);
	deltarec_wake_parked(s);
}

/* Freeze the active table; no control record is pending while we hold ctl. */
static void freeze(struct deltarec_store *s)
{
	struct deltarec_snap *new = deltarec_snap_alloc();

	mutex_lock(&s->ctl);
	spin_lock_irq(&s->lock);
	if (dr_store_freeze(&s->st)) {
		deltarec_snap_publish(s, new);
		new = NULL;
	}
	spin_unlock_irq(&s->lock);
	mutex_unlock(&s->ctl);
	kfree(new);
	/* The new table has room already. */
	deltarec_wake_parked(s);
}

/*
 * Control records fill the ring, and count as epochs, without an entry that
 * would make a table to be merged. With the table empty the journal holds
 * nothing that a commit of the epochs alone does not make durable as well.
 */
static int commit_epochs(struct deltarec_store *s)
{
	struct dr_store *st = &s->st;
	bool needed;
	int r;

	spin_lock_irq(&s->lock);
	needed = !st->active->used && st->ctl_state == DR_CTL_NONE &&
		 !st->group.nr && dr_store_half_full(st);
	if (needed) {
		/* A record that is placed from now on sets it again. */
		dr_store_forget_tail(st);
		needed = dr_journal_used(&st->journal);
	}
	spin_unlock_irq(&s->lock);
	if (!needed)
		return 0;
	dr_store_begin(st);
	r = dr_store_commit(st, true);
	if (r) {
		dr_store_abort(st);
		deltarec_step_failed(s, &s->merge_stall, r);
		return r;
	}
	deltarec_committed(s, true);
	succeeded(s, &s->merge_stall);
	return 1;
}

/* Is somebody waiting for the worker to end? What is left is wanted again. */
static bool has_to_rest(struct deltarec_store *s)
{
	lockdep_assert_held(&s->meta);
	if (!s->at_work || !READ_ONCE(s->resting))
		return false;
	spin_lock_irq(&s->lock);
	s->merge_wanted = true;
	spin_unlock_irq(&s->lock);
	return true;
}

static int merge_frozen(struct deltarec_store *s)
{
	int r;

	do {
		if (has_to_rest(s))
			return -EINTR;
		r = dr_merge_step(&s->st);
		if (r < 0) {
			deltarec_step_failed(s, &s->merge_stall, r);
			return r;
		}
		deltarec_committed(s, !r);
	} while (r);
	succeeded(s, &s->merge_stall);
	/* It may have shown more to reclaim; who merges need not be the worker. */
	if (s->st.reclaim_wanted)
		deltarec_kick_meta(s);
	return 1;
}

/* All that was there when a merge began is merged. */
static void count_merge(struct deltarec_store *s)
{
	spin_lock_irq(&s->lock);
	s->merges++;
	s->reclaim_stuck = false;
	spin_unlock_irq(&s->lock);
}

int deltarec_merge(struct deltarec_store *s)
{
	int r, left = 0;

	lockdep_assert_held(&s->meta);
	if (s->mode != DELTAREC_RW)
		return -EROFS;
	/* An earlier attempt may have found no room. */
	if (s->st.frozen)
		left = merge_frozen(s);
	if (left < 0)
		return left;
	freeze(s);
	r = s->st.frozen ? merge_frozen(s) : commit_epochs(s);
	if (r >= 0)
		count_merge(s);
	return r ? r : left;
}

void deltarec_replay_update(struct deltarec_store *s)
{
	const struct dr_replay *rp = s->st.replay;

	lockdep_assert_held(&s->meta);
	spin_lock_irq(&s->lock);
	if (rp)
		s->replay = (struct deltarec_replay_info){
			.epoch = rp->epoch, .rules = rp->rules.nr,
			.done = rp->done,
			.queued = rp->done + dr_replay_left(rp),
		};
	else
		s->replay = (struct deltarec_replay_info){};
	spin_unlock_irq(&s->lock);
}

/* After a step of replay or reclaim. Return: is there more to do? */
static bool stepped(struct deltarec_store *s, struct deltarec_stall *stall,
		    int r)
{
	if (r < 0) {
		deltarec_step_failed(s, stall, r);
		return false;
	}
	/* Reclaim may have committed its last step with a 0. */
	deltarec_committed(s, false);
	succeeded(s, stall);
	return r == 1;
}

/* What the dropped epochs have in memory goes into the trees first. */
static bool merge_for_reclaim(struct deltarec_store *s)
{
	bool merged;

	spin_lock_irq(&s->lock);
	merged = s->reclaim_merged;
	s->reclaim_merged = true;
	spin_unlock_irq(&s->lock);
	if (merged)
		return true;
	if (!stalled(s, &s->merge_stall) && deltarec_merge(s) >= 0)
		return true;
	spin_lock_irq(&s->lock);
	s->reclaim_merged = false;
	spin_unlock_irq(&s->lock);
	return false;
}

/* While there is other I/O reclaim works a sixteenth of the time. */
static void pace(struct deltarec_store *s)
{
	unsigned long took = max(jiffies - s->reclaim_began, 1UL);
	unsigned long ios = deltarec_era_entered(&s->era);

	lockdep_assert_held(&s->meta);
	s->reclaim_after = jiffies;
	if (ios != s->reclaim_ios)
		s->reclaim_after += min_t(unsigned long, RECLAIM_REST * took,
						  REST_MAX);
	s->reclaim_ios = ios;
}

/* Not yet time for the next step? When space is short others wait for it. */
static bool rests(struct deltarec_store *s)
{
	unsigned long now = jiffies;
	bool urgent;

	lockdep_assert_held(&s->meta);
	spin_lock_irq(&s->lock);
	urgent = !list_empty(&s->parked) || s->gauge.level > DR_LEVEL_OK;
	spin_unlock_irq(&s->lock);
	if (urgent || time_after_eq(now, s->reclaim_after))
		return false;
	come_again(s, s->reclaim_after - now);
	return true;
}

void deltarec_dropped(struct deltarec_store *s)
{
	lockdep_assert_held(&s->lock);
	s->reclaim_merged = false;
	s->reclaim_stuck = false;
}

/*
 * Without a merge it goes through the epochs that are wholly in the trees (R6):
 * how else should there be room for the merge? s->epochs held. Return: is there
 * any? Otherwise it waits for a merge, and nobody for it if that has no room.
 */
static bool may_reclaim(struct deltarec_store *s)
{
	bool may = dr_reclaim_ready(&s->st), tell;

	spin_lock_irq(&s->lock);
	if (!may)
		s->reclaim_merged = false;
	tell = !may && s->merge_stall.error == -ENOSPC && !s->reclaim_stuck;
	s->reclaim_stuck |= tell;
	spin_unlock_irq(&s->lock);
	if (tell)
		deltarec_wake_parked(s);
	return may;
}

/* Return: is there more to do at once? */
static bool run_reclaim(struct deltarec_store *s)
{
	bool merged, more;
	int r;

	if (rests(s))
		return false;
	merged = merge_for_reclaim(s);
	if (s->mode != DELTAREC_RW)
		return false;
	down_read(&s->epochs);
	if (!may_reclaim(s)) {
		up_read(&s->epochs);
		/* What was sealed or dropped since then is to be merged too. */
		return merged;
	}
	s->reclaim_began = jiffies;
	WRITE_ONCE(s->reclaiming, true);
	r = dr_reclaim_step(&s->st);
	up_read(&s->epochs);
	pace(s);
	more = stepped(s, &s->reclaim_stall, r);
	WRITE_ONCE(s->reclaiming, false);
	if (!more && !r && !s->st.reclaim_wanted)
		deltarec_event(s);
	return r >= 0 && s->st.reclaim_wanted;
}

static bool run_replay(struct deltarec_store *s)
{
	struct dr_replay *rp = s->st.replay;
	bool more;
	int r;

	if (!rp || rp->committing || !dr_replay_left(rp))
		return false;
	down_read(&s->epochs);
	r = dr_replay_step(&s->st);
	up_read(&s->epochs);
	more = stepped(s, &s->back_stall, r);
	deltarec_replay_update(s);
	/* The step that ends it has committed, and says that there is more. */
	if (r >= 0 && !dr_replay_left(rp))
		deltarec_event(s);
	return more;
}

enum step_result {
	STEP_DONE,
	STEP_MORE,
	STEP_WAITS,		/* for its time, and nothing else was done */
};

/* What makes room goes on when nothing else can. */
static enum step_result step_reclaim(struct deltarec_store *s)
{
	if (!s->st.reclaim_wanted)
		return STEP_DONE;
	if (stalled(s, &s->reclaim_stall))
		/* Without room nobody waits for it. */
		return s->reclaim_stall.error == -ENOMEM ? STEP_WAITS :
							   STEP_DONE;
	return run_reclaim(s) ? STEP_MORE : STEP_DONE;
}

static enum step_result step(struct deltarec_store *s)
{
	enum step_result next = STEP_DONE;
	bool merge, quiet, waits;
	int r = 0;

	spin_lock_irq(&s->lock);
	merge = s->merge_wanted || s->merge_stall.error ||
		dr_store_half_full(&s->st);
	s->merge_wanted = false;
	quiet = s->suspending || !s->activated;
	spin_unlock_irq(&s->lock);
	waits = merge && stalled(s, &s->merge_stall);
	if (merge && !waits)
		r = deltarec_merge(s);
	if (r > 0)
		return STEP_MORE;
	if (!quiet && s->mode == DELTAREC_RW) {
		if (!r && !waits && !stalled(s, &s->back_stall) &&
		    (run_replay(s) || deltarec_reads_store(s)))
			return STEP_MORE;
		next = step_reclaim(s);
		if (next == STEP_DONE && deltarec_drop_oldest(s))
			next = STEP_MORE;
	}
	return next == STEP_DONE && waits ? STEP_WAITS : next;
}

void deltarec_meta_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(work, struct deltarec_store,
						meta_work);
	unsigned int noio = memalloc_noio_save();
	enum step_result r = STEP_DONE;

	mutex_lock(&s->meta);
	s->at_work = true;
	if (s->mode == DELTAREC_RW && !READ_ONCE(s->resting))
		r = step(s);
	s->at_work = false;
	mutex_unlock(&s->meta);
	/*
	 * Whoever waited for this finds room now, or has to fail. Who would ask
	 * for the merge again before its time goes on waiting.
	 */
	if (r != STEP_WAITS)
		deltarec_wake_parked(s);
	if (r == STEP_MORE)
		deltarec_kick_meta(s);
	memalloc_noio_restore(noio);
}
