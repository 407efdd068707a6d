// SPDX-License-Identifier: GPL-2.0
/*
 * env.c - what the core asks for (core/env.h): metadata I/O and memory.
 *
 * Writes of single blocks go out at once from private copies; a read of such a
 * block, or another write of it, waits for its end, and barrier() for all of
 * them. All of this works while the mapped device is suspended, and never
 * allocates in a way that could wait for I/O to it.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "deltarec.h"

#define STEP_TIME	(HZ / 20)	/* of reclaim, with other I/O */

static void env_enter(void *ctx) __acquires(RCU)
{
	rcu_read_lock();
}

static void env_leave(void *ctx) __releases(RCU)
{
	rcu_read_unlock();
}

static const void *env_peek(void *ctx, u64 block)
{
	struct deltarec_store *s = ctx;

	return deltarec_cache_peek(rcu_dereference(s->cache), block);
}

/*
 * May sleep, so no RCU: whoever calls holds meta or counts in the era, and an
 * exchange of the cache waits for both.
 */
static void env_cache(void *ctx, u64 block, const void *buf)
{
	struct deltarec_store *s = ctx;

	deltarec_cache_put(rcu_dereference_raw(s->cache), block, buf);
}

static void *env_alloc(void *ctx, size_t size)
{
	unsigned int noio = memalloc_noio_save();
	void *p = kvzalloc(size, GFP_KERNEL);

	memalloc_noio_restore(noio);
	return p;
}

static void env_free(void *ctx, void *p)
{
	kvfree(p);
}

static void env_lock(void *ctx) __acquires(store_lock)
{
	struct deltarec_store *s = ctx;

	spin_lock_irq(&s->lock);
}

static void env_unlock(void *ctx) __releases(store_lock)
{
	struct deltarec_store *s = ctx;

	spin_unlock_irq(&s->lock);
}

static void env_report(void *ctx, const char *what, u64 block, const char *why)
{
	struct deltarec_store *s = ctx;

	DMERR_LIMIT("%s: %s %llu: %s", s->name, what, block, why);
}

/* Until this returns the blocks are nobody's, so the order is clear. */
static void env_freed(void *ctx, u64 block, u64 nr)
{
	struct deltarec_store *s = ctx;

	if (READ_ONCE(s->f.discard_passdown) &&
	    bdev_max_discard_sectors(s->delta))
		blkdev_issue_discard(s->delta, block * DR_BLOCK_SECTORS,
				     nr * DR_BLOCK_SECTORS, GFP_NOIO);
}

/*
 * A suspend waits for the background worker. A step of reclaim or replay holds the
 * epochs for reading; a checkpoint wants to write. And while there is other I/O a
 * step of reclaim takes so long only as nobody notices.
 */
static bool env_waited_for(void *ctx)
{
	struct deltarec_store *s = ctx;

	if (rwsem_is_contended(&s->epochs) ||
	    (s->at_work && READ_ONCE(s->resting)))
		return true;
	return s->reclaiming &&
	       time_after(jiffies, s->reclaim_began + STEP_TIME) &&
	       deltarec_era_entered(&s->era) != s->reclaim_ios;
}

/* --- I/O ----------------------------------------------------------------- */

static int sync_io(struct deltarec_store *s, blk_opf_t opf, u64 block, u32 nr,
		   void *buf)
{
	struct dm_io_region where = {
		.bdev = s->delta,
		.sector = block * DR_BLOCK_SECTORS,
		.count = (sector_t)nr * DR_BLOCK_SECTORS,
	};
	struct dm_io_request req = { .bi_opf = opf, .client = s->io };
	unsigned long bits = 0;
	int r;

	if (is_vmalloc_addr(buf)) {
		req.mem.type = DM_IO_VMA;
		req.mem.ptr.vma = buf;
	} else {
		req.mem.type = DM_IO_KMEM;
		req.mem.ptr.addr = buf;
	}
	r = deltarec_dm_io(&req, &where, &bits);
	return r ? r : bits ? -EIO : 0;
}

static bool in_flight(struct deltarec_store *s, u64 block, u32 nr)
{
	unsigned int i;

	for (i = 0; s->nr_writes && i < ARRAY_SIZE(s->write); i++)
		if (s->write[i].busy && s->write[i].block - block < nr)
			return true;
	return false;
}

static bool landed(struct deltarec_store *s, u64 block, u32 nr)
{
	bool yes;

	spin_lock_irq(&s->write_lock);
	yes = !in_flight(s, block, nr);
	spin_unlock_irq(&s->write_lock);
	return yes;
}

static int env_read(void *ctx, u64 block, u32 nr, void *buf)
{
	struct deltarec_store *s = ctx;

	wait_event(s->write_wait, landed(s, block, nr));
	return sync_io(s, REQ_OP_READ | REQ_META, block, nr, buf);
}

/* A free place, once no older write of the block is in flight */
static struct deltarec_write *claim(struct deltarec_store *s, u64 block)
{
	struct deltarec_write *w = NULL;
	unsigned int i;

	spin_lock_irq(&s->write_lock);
	if (s->nr_writes < ARRAY_SIZE(s->write) && !in_flight(s, block, 1)) {
		for (i = 0; s->write[i].busy; i++)
			;
		w = s->write + i;
		w->busy = true;
		w->block = block;
		s->nr_writes++;
	}
	spin_unlock_irq(&s->write_lock);
	return w;
}

static void written(unsigned long error, void *context)
{
	struct deltarec_write *w = context;
	struct deltarec_store *s = w->s;
	unsigned long flags;

	spin_lock_irqsave(&s->write_lock, flags);
	w->busy = false;
	s->nr_writes--;
	if (error && !s->write_error)
		s->write_error = -EIO;
	/* Under the lock: who waits for the last one may free the store. */
	wake_up_all(&s->write_wait);
	spin_unlock_irqrestore(&s->write_lock, flags);
}

static int env_write(void *ctx, u64 block, const void *buf)
{
	struct deltarec_store *s = ctx;
	struct dm_io_region where = {
		.bdev = s->delta,
		.sector = block * DR_BLOCK_SECTORS,
		.count = DR_BLOCK_SECTORS,
	};
	struct dm_io_request req = {
		.bi_opf = REQ_OP_WRITE | REQ_META,
		.mem.type = DM_IO_KMEM,
		.notify.fn = written,
		.client = s->io,
	};
	struct deltarec_write *w;
	int r;

	/* Of all long work the place that is passed often enough */
	cond_resched();
	wait_event(s->write_wait, (w = claim(s, block)) != NULL);
	memcpy(w->buf, buf, DR_BLOCK_SIZE);
	req.mem.ptr.addr = w->buf;
	req.notify.context = w;
	r = deltarec_dm_io(&req, &where, NULL);
	if (r)
		written(1, w);
	return r;
}

static bool all_landed(struct deltarec_store *s, int *error)
{
	bool yes;

	spin_lock_irq(&s->write_lock);
	yes = !s->nr_writes;
	if (yes) {
		*error = s->write_error;
		s->write_error = 0;
	}
	spin_unlock_irq(&s->write_lock);
	return yes;
}

static int env_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	struct deltarec_store *s = ctx;
	int r;

	wait_event(s->write_wait, all_landed(s, &r));
	if (r)
		return r;
	if (!nr)
		return blkdev_issue_flush(s->delta);
	/*
	 * The superblock, and nothing else: a commit that has come this far
	 * cannot be undone, so there must be memory for it.
	 */
	if (WARN_ON_ONCE(nr > 1))
		return -EINVAL;
	memcpy(s->barrier_buf, buf, DR_BLOCK_SIZE);
	return sync_io(s, REQ_OP_WRITE | REQ_META | REQ_PREFLUSH | REQ_FUA,
		       block, 1, s->barrier_buf);
}

static void commit_lock(void *ctx)
{
	struct deltarec_store *s = ctx;

	mutex_lock(&s->ctl);
}

static void commit_unlock(void *ctx)
{
	struct deltarec_store *s = ctx;

	mutex_unlock(&s->ctl);
}

static int env_save(void *ctx, const struct dr_copy *copy)
{
	return deltarec_commit_save(ctx, copy);
}

static const struct dr_env env_ops = {
	.enter = env_enter,
	.leave = env_leave,
	.peek = env_peek,
	.cache = env_cache,
	.read = env_read,
	.write = env_write,
	.barrier = env_barrier,
	.alloc = env_alloc,
	.free = env_free,
	.lock = env_lock,
	.unlock = env_unlock,
	.report = env_report,
	.freed = env_freed,
	.waited_for = env_waited_for,
	.save = env_save,
};

int deltarec_env_init(struct deltarec_store *s)
{
	unsigned int i;

	s->st.env = env_ops;
	s->st.env.ctx = s;
	s->st.commit_lock = commit_lock;
	s->st.commit_unlock = commit_unlock;
	spin_lock_init(&s->write_lock);
	init_waitqueue_head(&s->write_wait);
	s->barrier_buf = (void *)__get_free_page(GFP_KERNEL);
	if (!s->barrier_buf)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(s->write); i++) {
		s->write[i].s = s;
		s->write[i].buf = (void *)__get_free_page(GFP_KERNEL);
		if (!s->write[i].buf)
			return -ENOMEM;
	}
	s->io = dm_io_client_create();
	if (!IS_ERR(s->io))
		return 0;
	i = PTR_ERR(s->io);
	s->io = NULL;
	return i;
}

/* Also after an init that failed half-way */
void deltarec_env_exit(struct deltarec_store *s)
{
	unsigned int i;

	if (s->io)
		dm_io_client_destroy(s->io);
	for (i = 0; i < ARRAY_SIZE(s->write); i++)
		free_page((unsigned long)s->write[i].buf);
	free_page((unsigned long)s->barrier_buf);
}
