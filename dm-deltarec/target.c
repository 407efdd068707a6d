// SPDX-License-Identifier: GPL-2.0
/*
 * target.c - what device-mapper calls: construction, suspend and resume.
 *
 * Table: 0 <sectors> deltarec <origin> <delta> [<#features> <feature>*]
 *
 * presuspend runs before the file system writes its cache: bios go on, merges
 * too, but nobody waits for space any more and no new background work begins.
 * postsuspend runs when no bio is left: all that was published is recorded.
 * Messages work in between, and metadata I/O with them.
 */
#include <linux/module.h>

#include "deltarec.h"

void deltarec_destroy(struct deltarec *dt)
{
	/* The store first: it uses the devices to its end. */
	if (dt->s)
		deltarec_store_put(dt);
	if (dt->delta)
		dm_put_device(dt->ti, dt->delta);
	if (dt->origin)
		dm_put_device(dt->ti, dt->origin);
	kfree(dt->view);
	kfree(dt);
}

static int open_devices(struct deltarec *dt, struct dm_arg_set *as)
{
	const char *origin = dm_shift_arg(as), *delta = dm_shift_arg(as);
	struct dm_target *ti = dt->ti;
	int r;

	/*
	 * First the one that needs more: were both the same device, asking for
	 * more later would replace the dm_dev that the other one points to.
	 */
	r = dm_get_device(ti, delta, dm_table_get_mode(ti->table), &dt->delta);
	if (r) {
		ti->error = "The delta device cannot be opened";
		return r;
	}
	/* The origin is only ever read: it may be a read-only device. */
	r = dm_get_device(ti, origin, BLK_OPEN_READ, &dt->origin);
	if (r) {
		ti->error = "The origin device cannot be opened";
		return r;
	}
	if (dt->origin->bdev->bd_dev == dt->delta->bdev->bd_dev) {
		ti->error = "Origin and delta are the same device";
		return -EINVAL;
	}
	if (!(dm_table_get_mode(ti->table) & BLK_OPEN_WRITE) ||
	    bdev_read_only(dt->delta->bdev)) {
		ti->error = "The delta device must be writable";
		return -EACCES;
	}
	return 0;
}

static int check_sizes(struct deltarec *dt)
{
	const struct dr_store *st = &dt->s->st;
	struct dm_target *ti = dt->ti;

	if (bdev_nr_sectors(dt->origin->bdev) != st->origin_sectors) {
		ti->error = "Not the origin of this delta: its size differs";
		return -EINVAL;
	}
	if (ti->len != st->origin_sectors) {
		ti->error = "The table must be as long as the origin";
		return -EINVAL;
	}
	return 0;
}

static void set_up(struct deltarec *dt)
{
	struct dm_target *ti = dt->ti;

	ti->num_flush_bios = 1;
	ti->flush_supported = true;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	ti->num_write_zeroes_bios = 1;
	ti->per_io_data_size = sizeof(struct deltarec_io);
}

static int deltarec_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct deltarec *dt;
	int r;

	if (argc < 2) {
		ti->error = "Needs an origin device and a delta device";
		return -EINVAL;
	}
	dt = kzalloc(sizeof(*dt), GFP_KERNEL);
	if (!dt) {
		ti->error = "Not enough memory";
		return -ENOMEM;
	}
	dt->ti = ti;
	r = open_devices(dt, &as);
	if (!r)
		r = deltarec_parse_features(ti, &as, &dt->f);
	if (!r)
		r = deltarec_store_get(dt);
	if (!r)
		r = check_sizes(dt);
	if (r) {
		deltarec_destroy(dt);
		return r;
	}
	set_up(dt);
	ti->private = dt;
	return 0;
}

static void deltarec_dtr(struct dm_target *ti)
{
	deltarec_destroy(ti->private);
}

static int deltarec_preresume(struct dm_target *ti)
{
	return deltarec_store_resume(ti->private);
}

static void suspending(struct deltarec *dt, bool yes)
{
	struct deltarec_store *s = dt->s;

	dt->noflush = yes && dm_noflush_suspending(dt->ti);
	spin_lock_irq(&s->lock);
	s->suspending = yes;
	s->noflush = dt->noflush;
	spin_unlock_irq(&s->lock);
}

static void deltarec_presuspend(struct dm_target *ti)
{
	struct deltarec *dt = ti->private;

	suspending(dt, true);
	/* What waits for space has to decide otherwise now. */
	deltarec_wake_parked(dt->s);
	deltarec_journal_kick(dt->s);
}

static void deltarec_presuspend_undo(struct dm_target *ti)
{
	struct deltarec *dt = ti->private;

	suspending(dt, false);
	deltarec_kick_meta(dt->s);
	deltarec_commit_start(dt->s);
}

static void deltarec_postsuspend(struct dm_target *ti)
{
	struct deltarec *dt = ti->private;

	if (dt->s->activated && deltarec_journal_sync(dt))
		DMERR("%s: what was written last may be lost", dt->s->name);
	/*
	 * A step that is under way ends before we say that all is quiet, and soon,
	 * however much there is to be merged: nobody needs it any more.
	 */
	deltarec_meta_rest(dt->s, true);
	deltarec_policy_stop(dt->s);
	deltarec_commit_end(dt->s);
	deltarec_meta_stop(dt->s);
	deltarec_store_quiet(dt->s, true);
}

int deltarec_iterate_devices(struct dm_target *ti,
			     iterate_devices_callout_fn fn, void *data)
{
	struct deltarec *dt = ti->private;
	int r = fn(ti, dt->origin, 0, ti->len, data);

	if (!r)
		r = fn(ti, dt->delta, 0, bdev_nr_sectors(dt->delta->bdev),
		       data);
	return r;
}

void deltarec_read_hints(const struct deltarec *dt,
			 struct queue_limits *limits)
{
	unsigned int bytes = deltarec_block_sectors(dt->s) << SECTOR_SHIFT;

	limits->physical_block_size = max(limits->physical_block_size,
					  DR_BLOCK_SIZE);
	limits->io_min = max(limits->io_min, bytes);
	limits->io_opt = max(limits->io_opt, bytes);
}

static void deltarec_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	struct deltarec *dt = ti->private;
	unsigned int bytes = deltarec_block_sectors(dt->s) << SECTOR_SHIFT;

	deltarec_read_hints(dt, limits);
	/* History keeps what is discarded, so nothing is too large or small. */
	deltarec_limit_discard(limits, rounddown(UINT_MAX >> SECTOR_SHIFT,
						 deltarec_block_sectors(dt->s)),
			       bytes);
}

static struct target_type deltarec_target = {
	.name = DR_TARGET_NAME,
	.version = { 1, 0, 0 },
	.features = DM_TARGET_SINGLETON,
	.module = THIS_MODULE,
	.ctr = deltarec_ctr,
	.dtr = deltarec_dtr,
	.map = deltarec_map,
	.end_io = deltarec_end_io,
	.presuspend = deltarec_presuspend,
	.presuspend_undo = deltarec_presuspend_undo,
	.postsuspend = deltarec_postsuspend,
	.preresume = deltarec_preresume,
	.status = deltarec_status,
	.message = deltarec_message,
	.iterate_devices = deltarec_iterate_devices,
	.io_hints = deltarec_io_hints,
};

static int __init deltarec_init(void)
{
	int r = dm_register_target(&deltarec_target);

	if (r)
		return r;
	r = dm_register_target(&deltarec_view_target);
	if (r)
		dm_unregister_target(&deltarec_target);
	return r;
}

static void __exit deltarec_exit(void)
{
	dm_unregister_target(&deltarec_view_target);
	dm_unregister_target(&deltarec_target);
	/* Nodes and snapshots that are still to be freed. */
	rcu_barrier();
}

module_init(deltarec_init);
module_exit(deltarec_exit);

MODULE_DESCRIPTION(DM_NAME " target that records versions of blocks and replays them");
MODULE_AUTHOR("The dm-deltarec authors");
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: crc32c");
