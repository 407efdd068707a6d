// SPDX-License-Identifier: GPL-2.0
/*
 * store-open.c - delta devices that are in use, one store each.
 *
 * A store is found by its delta device and bound to one mapped device: a table
 * that replaces the live one shares it, any other mapped device is refused.
 * Opening reads and verifies; the first write happens when a table that uses
 * the store is resumed, since one that is loaded may be cleared again.
 *
 * Views share the store and keep it alive (V5). When the mapped device goes,
 * its suspend has recorded everything and stopped the background, and nothing
 * starts either again; the next device over this delta finds the store as it
 * is, caches and all. Each user has the delta and the origin open by himself:
 * device-mapper claims a device in the name of all its mapped devices alike,
 * so neither keeps the other from it, and everybody else is kept out as long
 * as one is left.
 */
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "deltarec.h"

static DEFINE_MUTEX(registry_mutex);
static LIST_HEAD(registry);

/* --- mode, events, snapshots --------------------------------------------- */

static void event_work(struct work_struct *work)
{
	struct deltarec_store *s = container_of(work, struct deltarec_store,
						event_work);

	mutex_lock(&s->ti_lock);
	if (s->ti)
		dm_table_event(s->ti->table);
	mutex_unlock(&s->ti_lock);
}

void deltarec_event(struct deltarec_store *s)
{
	schedule_work(&s->event_work);
}

void deltarec_set_mode(struct deltarec_store *s, enum deltarec_mode mode,
		       const char *why)
{
	unsigned long flags;
	bool lower;

	spin_lock_irqsave(&s->lock, flags);
	lower = mode > s->mode;
	if (lower)
		WRITE_ONCE(s->mode, mode);
	spin_unlock_irqrestore(&s->lock, flags);
	if (!lower)
		return;
	DMERR("%s: %s: the device is %s from now on; close it and run 'dmdelta check'",
	      s->name, why, mode == DELTAREC_RO ? "read-only" : "out of use");
	wake_up_all(&s->ctl_wait);
	deltarec_wake_parked(s);
	deltarec_journal_kick(s);
	deltarec_event(s);
}

struct deltarec_snap *deltarec_snap_alloc(void)
{
	/* A hundred bytes: such an allocation does not fail in practice. */
	return kzalloc(sizeof(struct deltarec_snap),
		       GFP_NOIO | __GFP_NOFAIL);
}

void deltarec_snap_publish(struct deltarec_store *s, struct deltarec_snap *new)
{
	struct deltarec_snap *old;

	dr_store_snap(&s->st, &new->s);
	old = rcu_dereference_protected(s->snap, lockdep_is_held(&s->lock));
	rcu_assign_pointer(s->snap, new);
	if (old)
		kfree_rcu(old, rcu);
	if (static_branch_unlikely(&deltarec_tracking))
		deltarec_reads_sealed(s);
}

/* --- opening ------------------------------------------------------------- */

static u64 delta_blocks(struct block_device *bdev)
{
	return bdev_nr_sectors(bdev) / DR_BLOCK_SECTORS;
}

/* Entries of each memtable: a quarter of the cache, but no more than fit */
static u32 mem_entries(const struct deltarec_features *f, u64 blocks)
{
	u64 bytes = ((u64)f->cache_mb << 20) / 4;
	u32 each = dr_mem_bytes(1u << 16) >> 16;
	u64 n = div_u64(bytes, each + 1);

	n = min(n, max_t(u64, blocks, 4096));
	return clamp_t(u64, n, 4096, 1u << 20);
}

/* Half of the cache holds nodes */
static unsigned int cache_nodes(const struct deltarec_features *f)
{
	return f->cache_mb * ((1u << 19) / DR_BLOCK_SIZE);
}

static int alloc_cache(struct deltarec_store *s,
		       const struct deltarec_features *f)
{
	struct deltarec_cache *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int r;

	if (!c)
		return -ENOMEM;
	r = deltarec_cache_init(c, cache_nodes(f));
	if (r) {
		kfree(c);
		return r;
	}
	/* Readers find it at once; status looks under the lock. */
	spin_lock_irq(&s->lock);
	rcu_assign_pointer(s->cache, c);
	spin_unlock_irq(&s->lock);
	return 0;
}

static void free_cache(struct deltarec_cache *c)
{
	if (c)
		deltarec_cache_exit(c);
	kfree(c);
}

static int alloc_queues(struct deltarec_store *s)
{
	unsigned int flags = WQ_UNBOUND | WQ_MEM_RECLAIM;

	s->defer_wq = alloc_workqueue("deltarec_defer", flags, 0);
	/* Not of those who may wait for a piece to end, which may wait for this. */
	s->wholes.wq = alloc_workqueue("deltarec_whole", flags, 1);
	s->journal_wq = alloc_workqueue("deltarec_journal",
					flags | WQ_HIGHPRI, 1);
	s->meta_wq = alloc_ordered_workqueue("deltarec_meta", WQ_MEM_RECLAIM);
	s->ctl_wq = alloc_workqueue("deltarec_ctl", WQ_UNBOUND, 0);
	if (!s->defer_wq || !s->wholes.wq || !s->journal_wq || !s->meta_wq ||
	    !s->ctl_wq)
		return -ENOMEM;
	return 0;
}

static void store_init(struct deltarec_store *s)
{
	spin_lock_init(&s->lock);
	mutex_init(&s->meta);
	init_rwsem(&s->epochs);
	mutex_init(&s->ctl);
	mutex_init(&s->ti_lock);
	deltarec_note_init(&s->note);
	deltarec_policy_init(s);
	deltarec_commit_init(s);
	deltarec_full_init(s);
	init_waitqueue_head(&s->ctl_wait);
	INIT_LIST_HEAD(&s->list);
	INIT_LIST_HEAD(&s->parked);
	deltarec_wholes_init(s);
	INIT_WORK(&s->meta_work, deltarec_meta_work);
	INIT_DELAYED_WORK(&s->again, deltarec_again_work);
	INIT_DELAYED_WORK(&s->idle, deltarec_idle_work);
	INIT_WORK(&s->event_work, event_work);
}

static int store_alloc(struct deltarec_store *s,
		       const struct deltarec_features *f)
{
	int r;

	/* The environment first: taking things down needs it. */
	r = deltarec_env_init(s);
	if (!r)
		r = deltarec_era_init(&s->era);
	if (!r)
		r = alloc_cache(s, f);
	if (!r)
		r = deltarec_journal_init(s);
	if (!r)
		r = deltarec_claim_init(s);
	if (!r)
		r = bioset_init(&s->bs, 64, offsetof(struct deltarec_piece, bio),
				0);
	if (!r)
		r = alloc_queues(s);
	if (r)
		return r;
	s->kcopyd = dm_kcopyd_client_create(NULL);
	if (!IS_ERR(s->kcopyd))
		return 0;
	r = PTR_ERR(s->kcopyd);
	s->kcopyd = NULL;
	return r;
}

/* Nobody uses it any more; also after an allocation that failed half-way. */
static void store_free(struct deltarec_store *s)
{
	WRITE_ONCE(s->stopping, true);
	deltarec_policy_stop(s);
	deltarec_commit_end(s);
	if (s->ctl_wq)
		destroy_workqueue(s->ctl_wq);
	deltarec_meta_stop(s);
	if (s->meta_wq)
		destroy_workqueue(s->meta_wq);
	if (s->journal_wq)
		destroy_workqueue(s->journal_wq);
	/* All that it had to do is done; it may have been asked once more. */
	cancel_delayed_work_sync(&s->wholes.work);
	if (s->wholes.wq)
		destroy_workqueue(s->wholes.wq);
	if (s->defer_wq)
		destroy_workqueue(s->defer_wq);
	cancel_work_sync(&s->event_work);
	if (s->kcopyd)
		dm_kcopyd_client_destroy(s->kcopyd);
	dr_replay_end(&s->st);
	dr_store_close(&s->st);
	deltarec_note_exit(&s->note);
	deltarec_reads_free(s);
	bioset_exit(&s->bs);
	deltarec_wholes_exit(s);
	deltarec_journal_exit(s);
	deltarec_claim_exit(s);
	deltarec_env_exit(s);
	free_cache(rcu_dereference_protected(s->cache, true));
	deltarec_era_exit(&s->era);
	kfree(rcu_dereference_protected(s->snap, true));
	kvfree(s);
}

static char *open_error(int r)
{
	switch (r) {
	case -EMEDIUMTYPE:
		return "The delta device is not formatted: use 'dmdelta format'";
	case -EUCLEAN:
		return "The delta device is damaged: see the log, use 'dmdelta check'";
	case -EPROTONOSUPPORT:
		return "The delta device needs a newer module";
	case -ENXIO:
		return "The delta device is smaller than it was";
	case -ENOMEM:
		return "Not enough memory: use a smaller cache_mb";
	case -EIO:
		return "The delta device cannot be read";
	default:
		return "The delta device cannot be opened";
	}
}

/* Bind a store to a mapped device. registry_mutex held, or not in it yet */
static void attach(struct deltarec_store *s, const struct deltarec *dt)
{
	s->md = dm_table_get_md(dt->ti->table);
	WRITE_ONCE(s->md_dev, disk_devt(dm_disk(s->md)));
	strscpy(s->name, dm_device_name(s->md), sizeof(s->name));
}

/* The activation would refuse it, too (B8), but could not say so that well. */
static int check_session(const struct deltarec_store *s,
			 const struct deltarec *dt)
{
	struct dr_start start;

	dr_start_get(&s->st, &start);
	if (!dr_start_passes_over(&start, dt->f.start_mode))
		return 0;
	dt->ti->error = "A session is open: open it undoable, and close it with an answer";
	return -EBUSY;
}

static int open_new(struct deltarec *dt, struct deltarec_store **out)
{
	struct block_device *bdev = dt->delta->bdev;
	struct deltarec_store *s;
	u64 blocks = delta_blocks(bdev);
	int r;

	s = kvzalloc(sizeof(*s), GFP_KERNEL);
	if (!s) {
		dt->ti->error = open_error(-ENOMEM);
		return -ENOMEM;
	}
	store_init(s);
	s->delta = bdev;
	s->dev = bdev->bd_dev;
	attach(s, dt);
	s->f = dt->f;
	r = store_alloc(s, &dt->f);
	if (!r)
		r = dr_store_open(&s->st, blocks, mem_entries(&dt->f, blocks));
	if (r)
		dt->ti->error = open_error(r);
	else
		r = check_session(s, dt);
	if (r) {
		store_free(s);
		return r;
	}
	s->block_shift = ilog2(s->st.slot_blocks * DR_BLOCK_SECTORS);
	*out = s;
	return 0;
}

/*
 * Who uses a store, and over which origin. A resume must not wait for the mutex:
 * it is held while devices are opened and read, perhaps that which is resumed.
 */
static DEFINE_SPINLOCK(users_lock);

/*
 * Views keep the origin that they were opened with, and what a commit writes to
 * another one would be missing there. users_lock held
 */
static bool views_elsewhere(const struct deltarec_store *s,
			    const struct deltarec *dt)
{
	return s->users > s->heads && s->origin_dev &&
	       s->origin_dev != dt->origin->bdev->bd_dev;
}

/* May a table of this mapped device use the store? registry_mutex held */
static int may_attach(const struct deltarec_store *s, const struct deltarec *dt)
{
	struct dm_target *ti = dt->ti;
	struct dr_start start;
	bool elsewhere;

	dr_start_get(&s->st, &start);
	if (s->md && s->md != dm_table_get_md(ti->table)) {
		ti->error = "The delta device is in use by another mapped device";
		return -EBUSY;
	}
	if (!s->md && READ_ONCE(s->mode) != DELTAREC_RW) {
		ti->error = "The delta device had an error: close its views and check it";
		return -EIO;
	}
	spin_lock(&users_lock);
	elsewhere = views_elsewhere(s, dt);
	spin_unlock(&users_lock);
	if (elsewhere) {
		ti->error = "Open views show another origin: close them first, or use that one";
		return -EBUSY;
	}
	/* It is activated already (B2). */
	if (!s->md && dr_start_due(&start, dt->f.start_mode)) {
		ti->error = "It has to begin anew: close the views of the delta device first";
		return -EBUSY;
	}
	return check_session(s, dt);
}

int deltarec_store_get(struct deltarec *dt)
{
	dev_t dev = dt->delta->bdev->bd_dev;
	struct deltarec_store *s;
	int r = 0;

	mutex_lock(&registry_mutex);
	list_for_each_entry(s, &registry, list)
		if (s->dev == dev)
			goto found;
	r = open_new(dt, &s);
	if (r)
		goto out;
	list_add(&s->list, &registry);
found:
	r = may_attach(s, dt);
	if (r)
		goto out;
	if (!s->md)
		attach(s, dt);
	spin_lock(&users_lock);
	s->heads++;
	s->users++;
	spin_unlock(&users_lock);
	dt->s = s;
out:
	mutex_unlock(&registry_mutex);
	return r;
}

static struct deltarec_store *find(dev_t dev, bool delta)
{
	struct deltarec_store *s;

	lockdep_assert_held(&registry_mutex);
	list_for_each_entry(s, &registry, list)
		if (!delta && s->md_dev == dev)
			return s;
	/* A delta may lie on another deltarec device, whose name goes first. */
	list_for_each_entry(s, &registry, list)
		if (s->dev == dev)
			return s;
	return NULL;
}

static int open_read(struct dm_target *ti, dev_t dev, struct dm_dev **out)
{
	char name[24];

	snprintf(name, sizeof(name), "%u:%u", MAJOR(dev), MINOR(dev));
	return dm_get_device(ti, name, BLK_OPEN_READ, out);
}

/* The mapped device has been resumed, so we know which origin is meant. */
static int find_locked(struct deltarec *dt, dev_t dev, bool delta)
{
	struct deltarec_store *s = find(dev, delta);
	struct dm_target *ti = dt->ti;
	dev_t origin;
	int r;

	if (!s) {
		ti->error = "Not a deltarec device that is open";
		return -ENODEV;
	}
	/* Pairs with activate(): the journal has been replayed. */
	if (!smp_load_acquire(&s->activated)) {
		ti->error = "The deltarec device was never resumed";
		return -ENODEV;
	}
	/* From here on the origin stays what it is. */
	spin_lock(&users_lock);
	s->users++;
	origin = s->origin_dev;
	spin_unlock(&users_lock);
	r = open_read(ti, s->dev, &dt->delta);
	if (!r)
		r = open_read(ti, origin, &dt->origin);
	if (!r) {
		dt->s = s;
		return 0;
	}
	/* Not the last one: nobody leaves while the mutex is held. */
	spin_lock(&users_lock);
	s->users--;
	spin_unlock(&users_lock);
	ti->error = "The delta or the origin device cannot be opened";
	return r;
}

int deltarec_store_find(struct deltarec *dt, dev_t dev, bool delta)
{
	int r;

	/*
	 * The mutex is held while the devices are opened: until then those of
	 * the mapped device keep s->delta what it is.
	 */
	mutex_lock(&registry_mutex);
	r = find_locked(dt, dev, delta);
	mutex_unlock(&registry_mutex);
	return r;
}

int deltarec_origin_shared(const struct deltarec_store *s, bool wait)
{
	const struct deltarec_store *other;
	int r = 0;

	/* Who flushes the queue that we run on holds it. */
	if (!mutex_trylock(&registry_mutex)) {
		if (!wait)
			return -EAGAIN;
		mutex_lock(&registry_mutex);
	}
	list_for_each_entry(other, &registry, list)
		r |= other != s && READ_ONCE(other->origin_dev) ==
				   READ_ONCE(s->origin_dev);
	mutex_unlock(&registry_mutex);
	return r;
}

dev_t deltarec_store_dev(const struct deltarec_store *s, bool *delta)
{
	dev_t dev = READ_ONCE(s->md_dev);

	/*
	 * A delta may lie on another deltarec device: by its number alone that
	 * one would be found.
	 */
	*delta = !dev;
	return dev ? dev : s->dev;
}

/*
 * The last table of the mapped device goes. Its suspend has ended the
 * background, but a message may have begun something since, and a checkpoint
 * goes on when the one who sent it was killed. Both end here: they could not
 * do harm later, since store_free() waits for them before anything they use
 * goes, and whoever is left keeps s->delta open; but what is closed does not
 * change by itself. registry_mutex held; neither of them takes it.
 */
static void detach(struct deltarec_store *s)
{
	flush_workqueue(s->ctl_wq);
	WRITE_ONCE(s->stopping, true);
	deltarec_meta_stop(s);
	s->md = NULL;
	s->st.start_mode = DR_START_ORDINARY;
	WRITE_ONCE(s->md_dev, 0);
	snprintf(s->name, sizeof(s->name), "delta %u:%u", MAJOR(s->dev),
		 MINOR(s->dev));
}

void deltarec_store_put(struct deltarec *dt)
{
	struct deltarec_store *s = dt->s;
	bool last, closes;

	mutex_lock(&s->ti_lock);
	if (s->ti == dt->ti)
		s->ti = NULL;
	mutex_unlock(&s->ti_lock);
	mutex_lock(&registry_mutex);
	spin_lock(&users_lock);
	closes = !dt->view && !--s->heads;
	last = !--s->users;
	spin_unlock(&users_lock);
	if (closes)
		detach(s);
	if (last) {
		list_del(&s->list);
		store_free(s);
	}
	mutex_unlock(&registry_mutex);
}

/* --- first use ----------------------------------------------------------- */

static void tell_growth(struct deltarec_store *s, u64 before)
{
	if (s->st.space.nr_blocks > before)
		DMINFO("%s: the delta device has grown from %llu to %llu blocks",
		       s->name, before, s->st.space.nr_blocks);
}

/* After an error only a store that is opened anew can try again. */
static const char *not_activated(int error)
{
	switch (error) {
	case -ENOSPC:
		return "the journal finds no room, enlarge the delta device";
	case -ENOMEM:
		return "no memory to replay the journal";
	case -EUSERS:
		return "too many epochs to begin anew: open it without, and drop some";
	case -EBUSY:
		return "a session is open: open it with undoable, close it with an answer";
	default:
		return "the journal cannot be replayed";
	}
}

static int activate(struct deltarec_store *s, const struct deltarec *dt)
{
	u64 before = s->st.space.nr_blocks;
	struct deltarec_snap *new;
	int r;

	s->st.start_mode = dt->f.start_mode;
	s->st.start_now = ktime_get_real_seconds();
	r = dr_store_activate(&s->st);
	if (r) {
		deltarec_set_mode(s, DELTAREC_FAIL, not_activated(r));
		return r;
	}
	tell_growth(s, before);
	new = deltarec_snap_alloc();
	spin_lock_irq(&s->lock);
	deltarec_snap_publish(s, new);
	if (dr_reclaim_pending(&s->st))
		s->st.reclaim_wanted = true;
	spin_unlock_irq(&s->lock);
	s->since = ktime_get_seconds();
	/* Views look for this without meta. */
	smp_store_release(&s->activated, true);
	return 0;
}

static void grow(struct deltarec_store *s)
{
	u64 before = s->st.space.nr_blocks;
	int r = dr_store_grow(&s->st, delta_blocks(s->delta));

	if (r == -ENOSPC || r == -ENOMEM)
		DMWARN("%s: no %s to use what the delta has grown by: suspend and resume",
		       s->name, r == -ENOSPC ? "room" : "memory");
	else if (r < 0)
		deltarec_set_mode(s, DELTAREC_RO,
				  "cannot use what the delta device has grown by");
	if (r != 1)
		return;
	deltarec_committed(s, false);
	tell_growth(s, before);
}

/*
 * A table with another cache_mb: nodes are cached anew. The memtables keep
 * their size until the next open. Views go on reading meanwhile;
 * who changes the trees holds meta.
 */
static void resize_cache(struct deltarec_store *s, unsigned int cache_mb)
{
	struct deltarec_features f = { .cache_mb = cache_mb };
	struct deltarec_cache *old;

	lockdep_assert_held(&s->meta);
	if (cache_mb == s->f.cache_mb)
		return;
	old = rcu_dereference_protected(s->cache, lockdep_is_held(&s->meta));
	if (alloc_cache(s, &f)) {
		DMWARN("%s: no memory for cache_mb %u: the cache keeps its size",
		       s->name, cache_mb);
		return;
	}
	synchronize_rcu();
	deltarec_era_drain(&s->era);
	free_cache(old);
	s->f.cache_mb = cache_mb;
}

void deltarec_store_quiet(struct deltarec_store *s, bool yes)
{
	mutex_lock(&s->meta);
	mutex_lock(&s->ctl);
	s->quiet = yes;
	mutex_unlock(&s->ctl);
	mutex_unlock(&s->meta);
}

/* A table that is never resumed, or was refused, does not count. */
static int take_origin(struct deltarec_store *s, const struct deltarec *dt)
{
	bool elsewhere;

	spin_lock(&users_lock);
	elsewhere = views_elsewhere(s, dt);
	if (!elsewhere)
		WRITE_ONCE(s->origin_dev, dt->origin->bdev->bd_dev);
	spin_unlock(&users_lock);
	if (!elsewhere)
		return 0;
	DMERR("%s: a view was opened that shows another origin: close it and resume again",
	      s->name);
	return -EBUSY;
}

int deltarec_store_resume(struct deltarec *dt)
{
	struct deltarec_store *s = dt->s;
	int r = take_origin(s, dt);

	if (r)
		return r;
	/* Closed and opened again while views were there */
	WRITE_ONCE(s->stopping, false);
	deltarec_meta_rest(s, false);
	deltarec_store_quiet(s, false);
	mutex_lock(&s->meta);
	if (!s->activated)
		r = activate(s, dt);
	/* A device that may only be read resumes as such. */
	if (!r && s->mode == DELTAREC_RW)
		grow(s);
	if (!r)
		resize_cache(s, dt->f.cache_mb);
	if (!r)
		deltarec_reads_switch(s, dt->f.track_reads);
	mutex_unlock(&s->meta);
	if (r)
		return r;
	mutex_lock(&s->ti_lock);
	s->ti = dt->ti;
	mutex_unlock(&s->ti_lock);
	spin_lock_irq(&s->lock);
	s->f.when_full = dt->f.when_full;
	s->f.queue_seconds = dt->f.queue_seconds;
	s->f.discard_passdown = dt->f.discard_passdown;
	s->suspending = false;
	spin_unlock_irq(&s->lock);
	deltarec_hurry(s);
	deltarec_policy_start(s);
	deltarec_commit_start(s);
	/* It was opened, has grown, or has other features. */
	deltarec_event(s);
	return 0;
}
