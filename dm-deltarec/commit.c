// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - the past up to an epoch becomes the origin's content.
 *
 * The core plans a round and deletes what it has made needless (core/fold.h);
 * here is the I/O between: copies from the delta to the origin, which are made
 * without a lock, and durable before the core goes on. A work item does one
 * round, rests, and comes again until all is done. It goes on after a crash, a
 * close or a suspend where the superblock says so; what was copied in a round
 * that was not finished is copied again.
 *
 * The table has the origin open for reading only, as it may well be a device
 * that cannot be written. So it is opened a second time while a commit is under
 * way; device-mapper's claim on it keeps others out.
 */
#include <linux/sched/mm.h>

#include "deltarec.h"

#define REST		9	/* of so many tenths of the time */
#define SOON		(HZ / 4)
#define RETRY		(5 * HZ)

static void come_again(struct deltarec_store *s, unsigned long delay)
{
	if (!READ_ONCE(s->stopping))
		queue_delayed_work(s->ctl_wq, &s->commit.work, delay);
}

/* --- copies ------------------------------------------------------------------- */

struct copies {
	atomic_t left;
	int error;
	struct completion done;
};

static void copied(int read_err, unsigned long write_err, void *context)
{
	struct copies *c = context;

	if (read_err || write_err)
		WRITE_ONCE(c->error, -EIO);
	if (atomic_dec_and_test(&c->left))
		complete(&c->done);
}

static int copies_end(struct copies *c)
{
	copied(0, 0, c);
	wait_for_completion(&c->done);
	return READ_ONCE(c->error);
}

static void copies_begin(struct copies *c)
{
	atomic_set(&c->left, 1);
	c->error = 0;
	init_completion(&c->done);
}

/* Where the blocks lie in the origin; the last one may be a part only */
static struct dm_io_region in_origin(const struct deltarec_store *s,
				     const struct dr_copy *copy)
{
	u64 start = copy->block << s->block_shift;

	return (struct dm_io_region){
		.bdev = s->commit.origin.bdev, .sector = start,
		.count = min_t(u64, copy->nr << s->block_shift,
			       s->st.origin_sectors - start),
	};
}

static void copy_one(struct deltarec_store *s, const struct dr_copy *copy,
		     struct copies *c)
{
	struct dm_io_region to = in_origin(s, copy), from = {
		.bdev = s->delta, .sector = copy->slot * DR_BLOCK_SECTORS,
		.count = to.count,
	};

	if (copy->slot == DR_SLOT_ORIGIN)
		return;
	atomic_inc(&c->left);
	if (copy->slot == DR_SLOT_ZERO)
		dm_kcopyd_zero(s->kcopyd, 1, &to, 0, copied, c);
	else
		dm_kcopyd_copy(s->kcopyd, &from, 1, &to, 0, copied, c);
}

/* All copies of the round, and durable. Only this work changes them. */
static int copy_round(struct deltarec_store *s)
{
	const struct dr_fold *f = &s->st.fold;
	struct copies c;
	u32 i;
	int r;

	copies_begin(&c);
	for (i = 0; i < f->nr; i++)
		copy_one(s, f->copy + i, &c);
	r = copies_end(&c);
	return r ? r : blkdev_issue_flush(s->commit.origin.bdev);
}

int deltarec_commit_save(struct deltarec_store *s, const struct dr_copy *copy)
{
	struct dm_io_region from = in_origin(s, copy), to = {
		.bdev = s->delta, .sector = copy->slot * DR_BLOCK_SECTORS,
		.count = from.count,
	};
	struct copies c;

	copies_begin(&c);
	atomic_inc(&c.left);
	dm_kcopyd_copy(s->kcopyd, &from, 1, &to, 0, copied, &c);
	return copies_end(&c);
}

/* --- rounds -------------------------------------------------------------------- */

static const char *reason(int error)
{
	switch (error) {
	case -ENOSPC:
		return "no room to keep what branches see: drop epochs or enlarge the delta device";
	case -ENOMEM:
		return "no memory";
	case -E2BIG:
		return "too many branches stand on what is committed: drop some";
	case -EROFS:
		return "the origin is read-only: make it writable";
	case -EMLINK:
		return "another deltarec device has the same origin: close it";
	case -EBUSY:
		return "the head stands on a branch of the past: make a checkpoint";
	default:
		return "the origin has I/O errors";
	}
}

/* It waits for better times: say so, once for each reason. meta held */
static void hold_on(struct deltarec_store *s, int error)
{
	lockdep_assert_held(&s->meta);
	if (s->commit.error != error) {
		DMERR_LIMIT("%s: commit of epoch %u waits (error %d): %s",
			    s->name, s->st.fold.epoch, error, reason(error));
		deltarec_event(s);
	}
	WRITE_ONCE(s->commit.error, error);
}

static int open_origin(struct deltarec_store *s)
{
	struct deltarec_bdev *b = &s->commit.origin;
	int r;

	lockdep_assert_held(&s->meta);
	/* A table that was loaded since may have it elsewhere. */
	if (b->bdev && b->bdev->bd_dev == READ_ONCE(s->origin_dev))
		return 0;
	deltarec_bdev_close(b);
	r = deltarec_bdev_open(b, READ_ONCE(s->origin_dev));
	if (!r && bdev_read_only(b->bdev)) {
		deltarec_bdev_close(b);
		r = -EROFS;
	}
	return r == -EACCES || r == -EPERM ? -EROFS : r;
}

/* Nothing was begun, or all is done. Who reads the origin looks anew. */
static void close_origin(struct deltarec_store *s)
{
	lockdep_assert_held(&s->meta);
	if (s->commit.origin.bdev)
		invalidate_bdev(s->commit.origin.bdev);
	deltarec_bdev_close(&s->commit.origin);
}

/* Is there something to do now? Else *delay says when to ask. meta held */
static bool ready(struct deltarec_store *s, unsigned long *delay)
{
	struct deltarec_commit *c = &s->commit;
	bool quiet;

	*delay = 0;
	spin_lock_irq(&s->lock);
	quiet = s->suspending || !s->activated || !s->st.fold.epoch;
	spin_unlock_irq(&s->lock);
	if (quiet || c->stopped || s->mode != DELTAREC_RW ||
	    READ_ONCE(s->stopping))
		return false;
	/* What may free room goes first, and a replay is not disturbed. */
	if (s->st.replay || (s->st.reclaim_wanted && !s->reclaim_stall.error &&
			     !s->reclaim_stuck))
		*delay = SOON;
	return !*delay;
}

/* 1: there are copies to be made; 0: nothing now. meta held */
static int plan_round(struct deltarec_store *s)
{
	struct deltarec_commit *c = &s->commit;
	u32 epoch = s->st.fold.epoch;
	int r = deltarec_origin_shared(s, false);

	if (r == -EAGAIN)
		return 0;
	/* Another device may have been opened over it since. */
	r = r ? -EMLINK : open_origin(s);
	if (r) {
		hold_on(s, r);
		return 0;
	}
	if (!c->merged && deltarec_merge(s) < 0)
		return 0;
	c->merged = true;
	down_read(&s->epochs);
	r = dr_fold_plan(&s->st);
	up_read(&s->epochs);
	if (r == -ENOSPC || r == -ENOMEM || r == -E2BIG || r == -EREMOTEIO ||
	    r == -EBUSY) {
		hold_on(s, r);
		return 0;
	}
	if (r < 0) {
		deltarec_step_failed(s, NULL, r);
		return 0;
	}
	deltarec_committed(s, false);
	if (r)
		return 1;
	WRITE_ONCE(c->error, 0);
	close_origin(s);
	DMINFO("%s: the origin is what epoch %u was", s->name, epoch);
	spin_lock_irq(&s->lock);
	s->reclaim_merged = false;
	spin_unlock_irq(&s->lock);
	deltarec_hurry(s);
	deltarec_event(s);
	return 0;
}

/* meta held. False: it could not be finished now */
static bool apply_round(struct deltarec_store *s)
{
	int r = 1;

	while (r == 1) {
		if (s->mode != DELTAREC_RW)
			return false;
		down_read(&s->epochs);
		r = dr_fold_apply(&s->st);
		up_read(&s->epochs);
		if (r >= 0)
			deltarec_committed(s, false);
	}
	if (r == -ENOSPC || r == -ENOMEM)
		hold_on(s, r);
	else if (r)
		deltarec_step_failed(s, NULL, r);
	if (!r) {
		s->commit.copied = false;
		WRITE_ONCE(s->commit.error, 0);
	}
	return !r;
}

/* While there is other I/O a commit works for a tenth of the time. */
static unsigned long rest(struct deltarec_store *s, unsigned long began)
{
	unsigned long ios = deltarec_era_entered(&s->era);
	bool others = ios != s->commit.ios;

	s->commit.ios = ios;
	return others ? min_t(unsigned long, REST * max(jiffies - began, 1UL),
			      HZ) : 0;
}

static void commit_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(to_delayed_work(work),
						struct deltarec_store,
						commit.work);
	struct deltarec_commit *c = &s->commit;
	unsigned int noio = memalloc_noio_save();
	unsigned long began = jiffies, delay;
	bool go;
	int r;

	mutex_lock(&s->meta);
	go = ready(s, &delay);
	if (go && !c->copied && !plan_round(s)) {
		go = false;
		if (s->st.fold.epoch)
			delay = RETRY;
	}
	mutex_unlock(&s->meta);
	if (!go)
		goto out;
	r = c->copied ? 0 : copy_round(s);
	mutex_lock(&s->meta);
	if (r) {
		dr_fold_redo(&s->st);
		hold_on(s, r);
		delay = RETRY;
	} else {
		c->copied = true;
		delay = apply_round(s) ? max(rest(s, began), 1UL) : RETRY;
	}
	mutex_unlock(&s->meta);
out:
	if (delay)
		come_again(s, delay);
	memalloc_noio_restore(noio);
}

void deltarec_commit_init(struct deltarec_store *s)
{
	INIT_DELAYED_WORK(&s->commit.work, commit_work);
}

void deltarec_commit_start(struct deltarec_store *s)
{
	mutex_lock(&s->meta);
	if (s->st.fold.epoch)
		come_again(s, 0);
	mutex_unlock(&s->meta);
}

void deltarec_commit_end(struct deltarec_store *s)
{
	cancel_delayed_work_sync(&s->commit.work);
	mutex_lock(&s->meta);
	/* The next table may have its origin elsewhere: copy anew. */
	if (s->st.fold.epoch)
		dr_fold_redo(&s->st);
	s->commit.copied = false;
	close_origin(s);
	mutex_unlock(&s->meta);
}

void deltarec_commit_status(struct deltarec_store *s,
			    struct deltarec_reply *reply)
{
	const struct deltarec_commit *c = &s->commit;
	u64 done, total;

	if (!s->st.fold.epoch) {
		deltarec_reply(reply, DR_WORD_NONE);
		return;
	}
	dr_fold_progress(&s->st, &done, &total);
	deltarec_reply(reply, "%u,%llu/%llu,%s", s->st.fold.epoch, done, total,
		       READ_ONCE(c->stopped) ? DR_COMMIT_STOPPED :
		       READ_ONCE(c->error) || s->st.replay ||
		       s->mode != DELTAREC_RW ?
		       DR_COMMIT_WAITING : DR_COMMIT_RUNNING);
}

/* --- beginning ------------------------------------------------------------------- */

struct beginning {
	u32 epoch;
	u32 *who;
};

static int fold_begin(struct dr_store *st, const void *arg)
{
	const struct beginning *b = arg;

	return dr_fold_begin(st, b->epoch, b->who);
}

/* meta held. 0, or why not; *@who as of dr_fold_begin() */
static int begin(struct deltarec_store *s, u32 epoch, u32 *who)
{
	struct deltarec_commit *c = &s->commit;
	struct beginning b = { epoch, who };
	int r;

	*who = epoch;
	r = s->mode == DELTAREC_RW ? open_origin(s) : -EIO;
	if (r)
		return r;
	/* What is below it goes. */
	r = deltarec_commit_drops(s, fold_begin, &b);
	if (!r) {
		c->merged = false;
		c->copied = false;
		c->error = 0;
	}
	if (!r || r == -EALREADY)
		WRITE_ONCE(c->stopped, false);
	else if (!s->st.fold.epoch)
		close_origin(s);
	return r == -EALREADY ? 0 : r;
}

static void begun(struct deltarec_store *s)
{
	deltarec_hurry(s);
	mod_delayed_work(s->ctl_wq, &s->commit.work, 0);
	deltarec_event(s);
}

static const char *refusal(int error)
{
	switch (error) {
	case -ENOENT:
		return "there is no such epoch: see 'dmdelta log'";
	case -EBUSY:
		return "it is the head, or a replay or another commit is under way";
	case -ESTALE:
		return "the head does not stand on it";
	case -EPERM:
		return "it is pinned, named, suspect ('dmdelta mark'), or where the device begins";
	case -ETXTBSY:
		return "an open view shows it or needs it: close the view first ('dmdelta views')";
	case -EIO:
		return "the device has become read-only: close it and run 'dmdelta check'";
	default:
		return reason(error);
	}
}

void deltarec_commit_lag(struct deltarec_store *s)
{
	u32 epoch = 0, who;
	int r = -EBUSY;

	if (deltarec_origin_shared(s, false))
		return;
	mutex_lock(&s->meta);
	if (s->mode == DELTAREC_RW && !READ_ONCE(s->stopping) &&
	    !s->st.fold.epoch && !s->st.replay) {
		down_read(&s->epochs);
		epoch = dr_retain_commit(&s->st, &s->policy.p);
		up_read(&s->epochs);
	}
	if (epoch)
		r = begin(s, epoch, &who);
	mutex_unlock(&s->meta);
	if (!r)
		begun(s);
	else if (epoch)
		DMERR_LIMIT("%s: no commit as the policy wants (error %d): %s",
			    s->name, r, refusal(r));
}

static int refuse(struct deltarec *dt, u32 who, int error)
{
	DMERR_LIMIT("%s: " DR_MSG_COMMIT ": epoch %u: %s (error %d)",
		    dt->s->name, who, refusal(error), error);
	return error == -ETXTBSY ? -EBUSY : error;
}

static int stop(struct deltarec *dt, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u32 epoch;

	if (mutex_lock_killable(&s->meta))
		return -EINTR;
	epoch = s->st.fold.epoch;
	if (epoch)
		WRITE_ONCE(s->commit.stopped, true);
	mutex_unlock(&s->meta);
	if (!epoch) {
		DMERR_LIMIT("%s: " DR_MSG_COMMIT ": none is under way", s->name);
		return -ENODATA;
	}
	deltarec_event(s);
	deltarec_reply(reply, "%u", epoch);
	return 1;
}

/* Could it begin, or go on? @ended as of dr_fold_may() */
static int try(struct deltarec_store *s, u32 epoch, bool ended, u32 *who)
{
	int r = s->mode == DELTAREC_RW ? open_origin(s) : -EIO;

	*who = epoch;
	down_read(&s->epochs);
	if (!r)
		r = dr_fold_may(&s->st, epoch, ended, who);
	up_read(&s->epochs);
	if (!s->st.fold.epoch)
		close_origin(s);
	return r == -EALREADY ? 0 : r;
}

int deltarec_message_commit(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply)
{
	static const char usage[] = DR_MSG_COMMIT " <epoch> [" DR_WORD_TRY " ["
				    DR_WORD_ENDED "]]|" DR_WORD_STOP;
	struct deltarec_store *s = dt->s;
	bool only = argc > 2 && !strcasecmp(argv[2], DR_WORD_TRY);
	bool ended = only && argc == 4 && !strcasecmp(argv[3], DR_WORD_ENDED);
	unsigned int noio;
	u32 epoch, who;
	int r;

	if (argc == 2 && !strcasecmp(argv[1], DR_WORD_STOP))
		return stop(dt, reply);
	if (argc != 2 + only + ended || kstrtou32(argv[1], 10, &epoch)) {
		DMERR_LIMIT("%s: bad arguments: the message is '%s'", s->name,
			    usage);
		return -EINVAL;
	}
	if (deltarec_origin_shared(s, true)) {
		DMERR_LIMIT("%s: " DR_MSG_COMMIT ": another deltarec device has this origin",
			    s->name);
		return -EMLINK;
	}
	if (mutex_lock_killable(&s->meta))
		return -EINTR;
	/* Who waits for memory may wait for a merge. */
	noio = memalloc_noio_save();
	r = only ? try(s, epoch, ended, &who) : begin(s, epoch, &who);
	memalloc_noio_restore(noio);
	mutex_unlock(&s->meta);
	if (r)
		return refuse(dt, who, r);
	if (!only)
		begun(s);
	deltarec_reply(reply, "%u", epoch);
	return 1;
}
