// SPDX-License-Identifier: GPL-2.0
/*
 * worker.c - merges, replay and reclaim in the background.
 *
 * One work item does the most urgent thing, lets go of store->meta and comes
 * again while there is more: merges first, since writers may wait for them.
 * While the device is being suspended only merges go on.
 */
#include <linux/sched/mm.h>

#include "deltarec.h"

void deltarec_kick_meta(struct deltarec_store *s)
{
	if (!READ_ONCE(s->stopping))
		queue_work(s->meta_wq, &s->meta_work);
}

/*
 * Readers of older roots leave before what these named is used again: those
 * that only look (RCU) and those whose I/O is under way (era).
 */
void deltarec_committed(struct deltarec_store *s, bool final)
{
	struct deltarec_snap *new = deltarec_snap_alloc();

	lockdep_assert_held(&s->meta);
	spin_lock_irq(&s->lock);
	deltarec_snap_publish(s, new);
	spin_unlock_irq(&s->lock);
	synchronize_rcu();
	deltarec_era_drain(&s->era);
	dr_store_release(&s->st, final);
	/* Flushes may have waited for room in the ring. */
	deltarec_journal_kick(s);
	deltarec_wake_parked(s);
}

void deltarec_commit_failed(struct deltarec_store *s, int error)
{
	lockdep_assert_held(&s->meta);
	if (error != -ENOSPC && error != -ENOMEM)
		deltarec_set_mode(s, DELTAREC_RO, "cannot commit metadata");
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
		st->tail_known = false;
		st->active_since = st->head;
		needed = dr_journal_used(&st->journal);
	}
	spin_unlock_irq(&s->lock);
	if (!needed)
		return 0;
	dr_store_begin(st);
	r = dr_store_commit(st, true);
	if (r) {
		dr_store_abort(st);
		deltarec_set_mode(s, DELTAREC_RO, "cannot commit metadata");
		return r;
	}
	deltarec_committed(s, true);
	return 1;
}

int deltarec_merge(struct deltarec_store *s)
{
	int r;

	lockdep_assert_held(&s->meta);
	if (s->mode != DELTAREC_RW)
		return -EROFS;
	freeze(s);
	if (!s->st.frozen)
		return commit_epochs(s);
	do {
		r = dr_merge_step(&s->st);
		if (r < 0) {
			deltarec_set_mode(s, DELTAREC_RO,
					  "cannot commit metadata");
			return r;
		}
		deltarec_committed(s, !r);
	} while (r);
	return 1;
}

void deltarec_replay_update(struct deltarec_store *s)
{
	const struct dr_replay *rp = s->st.replay;

	lockdep_assert_held(&s->meta);
	spin_lock_irq(&s->lock);
	if (rp)
		s->replay = (struct deltarec_replay_info){
			.epoch = rp->epoch, .rules = rp->rules.nr,
			.done = rp->done, .queued = rp->rules.nr,
		};
	else
		s->replay = (struct deltarec_replay_info){};
	spin_unlock_irq(&s->lock);
}

/* After a step of replay or reclaim. Return: is there more to do? */
static bool stepped(struct deltarec_store *s, int r)
{
	if (r < 0 && r != -EINTR)
		deltarec_set_mode(s, DELTAREC_RO, "cannot commit metadata");
	/* Reclaim may have committed its last step with a 0. */
	if (r >= 0)
		deltarec_committed(s, false);
	return r == 1;
}

static bool run_reclaim(struct deltarec_store *s)
{
	bool merged;
	int r;

	spin_lock_irq(&s->lock);
	merged = s->reclaim_merged;
	s->reclaim_merged = true;
	spin_unlock_irq(&s->lock);
	/* What the dropped epochs have in memory goes first. */
	if (!merged && deltarec_merge(s) < 0)
		return false;
	down_read(&s->epochs);
	/* A drop since then: it may be of an epoch that was not merged. */
	if (!READ_ONCE(s->reclaim_merged)) {
		up_read(&s->epochs);
		return true;
	}
	r = dr_reclaim_step(&s->st);
	up_read(&s->epochs);
	if (!stepped(s, r) && !r)
		deltarec_event(s);
	return r == 1;
}

static bool run_replay(struct deltarec_store *s)
{
	struct dr_replay *rp = s->st.replay;
	bool more;
	int r;

	if (!rp || rp->committing || rp->done == rp->rules.nr)
		return false;
	down_read(&s->epochs);
	r = dr_replay_step(&s->st);
	up_read(&s->epochs);
	more = stepped(s, r);
	deltarec_replay_update(s);
	if (!more && s->mode == DELTAREC_RW)
		deltarec_event(s);
	return more;
}

/* Return: come again */
static bool step(struct deltarec_store *s)
{
	bool merge, quiet;
	int r;

	spin_lock_irq(&s->lock);
	merge = s->merge_wanted || dr_store_half_full(&s->st);
	s->merge_wanted = false;
	quiet = s->suspending || !s->activated;
	s->meta_busy = merge || s->st.reclaim_wanted;
	spin_unlock_irq(&s->lock);
	r = merge ? deltarec_merge(s) : 0;
	if (r)
		return r > 0;
	if (quiet)
		return false;
	if (run_replay(s) || deltarec_reads_store(s))
		return true;
	return s->st.reclaim_wanted && run_reclaim(s);
}

void deltarec_meta_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(work, struct deltarec_store,
						meta_work);
	unsigned int noio = memalloc_noio_save();
	bool more = false;

	mutex_lock(&s->meta);
	if (s->mode == DELTAREC_RW && !READ_ONCE(s->stopping))
		more = step(s);
	spin_lock_irq(&s->lock);
	s->meta_busy = more;
	spin_unlock_irq(&s->lock);
	mutex_unlock(&s->meta);
	/* Whoever waited for this finds room now, or has to fail. */
	deltarec_wake_parked(s);
	if (more)
		deltarec_kick_meta(s);
	memalloc_noio_restore(noio);
}
