// SPDX-License-Identifier: GPL-2.0
/*
 * control.c - changes of the epochs: checkpoint, rollback, drop.
 *
 * Each is one record in the journal. store->ctl is held from the change in
 * memory until the record is durable, so that no commit writes one without the
 * other. A checkpoint never takes store->meta while it holds ctl: it does not
 * wait for a merge, unless there would be no room for its record. It does wait
 * for a step of reclaim, replay or diff, which hold the epoch table.
 */
#include <linux/ktime.h>

#include "deltarec.h"

static bool ctl_idle(struct deltarec_store *s)
{
	bool idle;

	spin_lock_irq(&s->lock);
	idle = s->st.ctl_state == DR_CTL_NONE || s->mode != DELTAREC_RW;
	spin_unlock_irq(&s->lock);
	return idle;
}

void deltarec_ctl_begin(struct deltarec_store *s)
{
	lockdep_assert_held(&s->ctl);
	if (!s->st.lineage_old)
		return;
	cond_synchronize_rcu(s->lineage_left);
	dr_store_free_old(&s->st);
}

int deltarec_ctl_finish(struct deltarec_store *s)
{
	lockdep_assert_held(&s->ctl);
	if (s->st.lineage_old)
		s->lineage_left = start_poll_synchronize_rcu();
	deltarec_journal_kick(s);
	wait_event(s->ctl_wait, ctl_idle(s));
	return s->mode == DELTAREC_RW ? 0 : -EIO;
}

static int merge_now(struct deltarec_store *s)
{
	int r;

	mutex_lock(&s->meta);
	r = deltarec_merge(s);
	mutex_unlock(&s->meta);
	return r;
}

/* Seal the head in memory. ctl held. */
static s64 seal(struct deltarec_store *s, const char *label, u16 flags)
{
	struct deltarec_snap *new;
	s64 r;

	if (s->mode != DELTAREC_RW)
		return -EROFS;
	deltarec_ctl_begin(s);
	r = dr_store_prepare(&s->st);
	if (r)
		return r;
	new = deltarec_snap_alloc();
	spin_lock_irq(&s->lock);
	if (dr_store_ring_has_room(&s->st))
		r = dr_store_seal(&s->st, label, flags, ktime_get_real_seconds());
	else
		r = -EAGAIN;
	if (r >= 0) {
		deltarec_snap_publish(s, new);
		new = NULL;
	}
	spin_unlock_irq(&s->lock);
	kfree(new);
	return r;
}

s64 deltarec_checkpoint(struct deltarec_store *s, const char *label, u16 flags)
{
	s64 epoch;
	int r;

	for (;;) {
		down_write(&s->epochs);
		mutex_lock(&s->ctl);
		epoch = seal(s, label, flags);
		up_write(&s->epochs);
		if (epoch >= 0)
			break;
		mutex_unlock(&s->ctl);
		if (epoch != -EAGAIN)
			return epoch;
		r = merge_now(s);
		if (r < 0)
			return r;
	}
	deltarec_policy_sealed(s);
	/* Writers go on in the new epoch; those of the old one finish. */
	deltarec_era_drain(&s->era);
	spin_lock_irq(&s->lock);
	dr_store_drained(&s->st);
	spin_unlock_irq(&s->lock);
	deltarec_wake_parked(s);
	r = deltarec_ctl_finish(s);
	mutex_unlock(&s->ctl);
	deltarec_event(s);
	return r ? r : epoch;
}

/* -EAGAIN: merge, and come again */
static s64 try_rollback(struct deltarec_store *s, u32 epoch)
{
	struct deltarec_snap *new = deltarec_snap_alloc();
	s64 head;
	int r;

	down_write(&s->epochs);
	mutex_lock(&s->ctl);
	deltarec_ctl_begin(s);
	head = s->mode != DELTAREC_RW ? -EROFS : dr_store_prepare(&s->st);
	/* A resume since the message was looked at waits for ctl, or came. */
	if (!head && !s->quiet)
		head = -EOPNOTSUPP;
	if (!head && s->st.replay)
		head = -EBUSY;
	if (!head && !dr_store_ring_has_room(&s->st))
		head = -EAGAIN;
	if (!head)
		head = dr_store_rollback(&s->st, epoch,
					 ktime_get_real_seconds());
	up_write(&s->epochs);
	if (head > 0) {
		spin_lock_irq(&s->lock);
		deltarec_snap_publish(s, new);
		spin_unlock_irq(&s->lock);
		new = NULL;
		r = deltarec_ctl_finish(s);
		if (r)
			head = r;
	}
	mutex_unlock(&s->ctl);
	kfree(new);
	return head;
}

s64 deltarec_rollback(struct deltarec_store *s, u32 epoch)
{
	s64 head;
	int r = 0;

	do {
		head = try_rollback(s, epoch);
		if (head == -EAGAIN)
			r = merge_now(s);
	} while (head == -EAGAIN && r >= 0);
	if (head > 0)
		deltarec_event(s);
	return r < 0 ? r : head;
}

/* --- by a commit -------------------------------------------------------------- */

/* Errors with which a commit was not even tried */
static bool refused(int error)
{
	switch (error) {
	case -EADDRINUSE:
	case -EALREADY:
	case -EBUSY:
	case -EEXIST:
	case -EINVAL:
	case -ENOENT:
	case -ENXIO:
	case -EOPNOTSUPP:
	case -EPERM:
	case -ESTALE:
	case -ETXTBSY:
		return true;
	default:
		return false;
	}
}

/* meta held */
static int commit(struct deltarec_store *s,
		  int (*change)(struct dr_store *st, const void *arg),
		  const void *arg, bool drops)
{
	int r;

	lockdep_assert_held(&s->meta);
	if (s->mode != DELTAREC_RW)
		return -EROFS;
	down_read(&s->epochs);
	r = change(&s->st, arg);
	up_read(&s->epochs);
	/*
	 * Before reclaim can get meta, or somebody looks whether to wait for it:
	 * what these epochs have in memory must be in the trees when it looks.
	 */
	if (!r && drops) {
		spin_lock_irq(&s->lock);
		deltarec_dropped(s);
		spin_unlock_irq(&s->lock);
	}
	if (!r)
		deltarec_committed(s, false);
	else if (r < 0 && !refused(r))
		deltarec_step_failed(s, NULL, r);
	return r;
}

int deltarec_change(struct deltarec_store *s,
		    int (*change)(struct dr_store *st, const void *arg),
		    const void *arg)
{
	int r;

	if (mutex_lock_killable(&s->meta))
		return -EINTR;
	r = commit(s, change, arg, false);
	mutex_unlock(&s->meta);
	if (!r)
		deltarec_event(s);
	return r;
}

int deltarec_commit_drops(struct deltarec_store *s,
			  int (*drop)(struct dr_store *st, const void *arg),
			  const void *arg)
{
	return commit(s, drop, arg, true);
}

/* --- drops -------------------------------------------------------------------- */

static int try_drop(struct deltarec_store *s, u32 epoch)
{
	int r;

	/* A pass of reclaim that is under way would miss it. */
	down_write(&s->epochs);
	mutex_lock(&s->ctl);
	spin_lock_irq(&s->lock);
	if (s->mode != DELTAREC_RW)
		r = -EROFS;
	else if (s->st.replay)
		r = -EBUSY;
	else if (!dr_store_ring_has_room(&s->st))
		r = -EAGAIN;
	else
		r = dr_store_drop(&s->st, epoch);
	if (!r)
		deltarec_dropped(s);
	spin_unlock_irq(&s->lock);
	up_write(&s->epochs);
	if (!r)
		r = deltarec_ctl_finish(s);
	mutex_unlock(&s->ctl);
	return r;
}

static int drop_now(struct dr_store *st, const void *arg)
{
	return dr_drop_now(st, *(const u32 *)arg);
}

/* By a commit: the record wants a merge first, which has no room. */
static int drop_without_record(struct deltarec_store *s, u32 epoch)
{
	int r;

	mutex_lock(&s->meta);
	r = deltarec_commit_drops(s, drop_now, &epoch);
	mutex_unlock(&s->meta);
	return r;
}

s64 deltarec_drop(struct deltarec_store *s, u32 epoch)
{
	int r, m = 0;

	do {
		r = try_drop(s, epoch);
		if (r == -EAGAIN)
			m = merge_now(s);
	} while (r == -EAGAIN && m >= 0);
	if (r == -EAGAIN)
		r = m == -ENOSPC ? drop_without_record(s, epoch) : m;
	if (r)
		return r;
	deltarec_hurry(s);
	deltarec_event(s);
	return epoch;
}
