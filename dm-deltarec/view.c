// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - an epoch of the past as a device of its own, read-only.
 *
 * Table: 0 <sectors> deltarec-view <deltarec dev> <epoch>
 *
 * A view shares the store of the deltarec device and reads through the same
 * snapshots, nodes and eras, along a lineage of its own (V1). It never looks
 * at the mapped device of the head: that may be in use, suspended or gone.
 */
#include "deltarec.h"

/* As dm_get_device() takes it, but nothing is opened. */
static int parse_dev(const char *path, dev_t *dev)
{
	unsigned int major, minor;
	char dummy;

	if (sscanf(path, "%u:%u%c", &major, &minor, &dummy) == 2) {
		*dev = MKDEV(major, minor);
		return MAJOR(*dev) == major && MINOR(*dev) == minor ? 0 :
								      -ENODEV;
	}
	return lookup_bdev(path, dev);
}

static char *refused(int error)
{
	switch (error) {
	case -ENOENT:
		return "There is no such epoch, or it was dropped: see 'dmdelta log'";
	case -EBUSY:
		return "The epoch is still being written: make a checkpoint first";
	case -EINPROGRESS:
		return "A replay is making this epoch: commit it first";
	case -ENOMEM:
		return "Not enough memory";
	case -EINTR:
		return "Interrupted";
	default:
		return "The epoch cannot be opened";
	}
}

/* Find the epoch and hold it; no change of the epochs is under way then. */
static int open_epoch(struct deltarec *dt, u32 epoch)
{
	struct deltarec_store *s = dt->s;
	int r = -EINTR;

	/* A step of reclaim that is under way has made up its mind. */
	if (!down_write_killable(&s->epochs)) {
		if (!mutex_lock_killable(&s->ctl)) {
			r = dr_recipe_open(&s->st, &dt->view->recipe, epoch);
			mutex_unlock(&s->ctl);
		}
		up_write(&s->epochs);
	}
	if (r)
		dt->ti->error = refused(r);
	return r == -EINPROGRESS ? -EBUSY : r;
}

static int check_store(struct deltarec *dt)
{
	struct dm_target *ti = dt->ti;

	/* Pairs with activate(): the journal has been replayed. */
	if (!smp_load_acquire(&dt->s->activated)) {
		ti->error = "The deltarec device was never resumed";
		return -ENODEV;
	}
	if (READ_ONCE(dt->s->mode) == DELTAREC_FAIL) {
		ti->error = "The deltarec device is out of use";
		return -EIO;
	}
	if (ti->len != dt->s->st.origin_sectors) {
		ti->error = "The table must be as long as the origin";
		return -EINVAL;
	}
	return 0;
}

static int set_up(struct dm_target *ti)
{
	int r = dm_set_target_max_io_len(ti, DELTAREC_IO_SECTORS);

	if (r) {
		ti->error = "Cannot limit the size of I/O";
		return r;
	}
	/* Nothing is written: there is nothing to flush, discard or zero. */
	ti->num_flush_bios = 0;
	ti->num_discard_bios = 0;
	ti->per_io_data_size = sizeof(struct deltarec_io);
	return 0;
}

static int check_args(struct dm_target *ti, unsigned int argc, char **argv,
		      dev_t *dev, u32 *epoch)
{
	int r;

	if (argc != 2 || kstrtou32(argv[1], 10, epoch)) {
		ti->error = "Needs a deltarec device and the number of an epoch";
		return -EINVAL;
	}
	/*
	 * A device that looks writable and is not would have file systems try
	 * to replay their journal, and fail; one that says that it is
	 * read-only makes them do without, or say why they cannot.
	 */
	if (dm_table_get_mode(ti->table) & BLK_OPEN_WRITE) {
		ti->error = "A view is read-only: load it with 'dmsetup --readonly'";
		return -EACCES;
	}
	r = parse_dev(argv[0], dev);
	if (r)
		ti->error = "The deltarec device cannot be found";
	return r;
}

static void view_close(struct deltarec *dt)
{
	struct deltarec_store *s = dt->s;

	if (s) {
		mutex_lock(&s->ctl);
		dr_recipe_close(&s->st, &dt->view->recipe);
		mutex_unlock(&s->ctl);
	}
	deltarec_destroy(dt);
}

static int view_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct deltarec *dt;
	dev_t dev;
	u32 epoch;
	int r;

	r = check_args(ti, argc, argv, &dev, &epoch);
	if (r)
		return r;
	dt = kzalloc(sizeof(*dt), GFP_KERNEL);
	if (dt)
		dt->view = kzalloc(sizeof(*dt->view), GFP_KERNEL);
	if (!dt || !dt->view) {
		ti->error = refused(-ENOMEM);
		kfree(dt);
		return -ENOMEM;
	}
	dt->ti = ti;
	r = deltarec_store_find(dt, dev);
	if (!r)
		r = check_store(dt);
	if (!r)
		r = open_epoch(dt, epoch);
	if (!r)
		r = set_up(ti);
	if (r) {
		view_close(dt);
		return r;
	}
	ti->private = dt;
	return 0;
}

static void view_dtr(struct dm_target *ti)
{
	view_close(ti->private);
}

static void view_info(const struct deltarec *dt, struct deltarec_reply *out)
{
	if (READ_ONCE(dt->s->mode) == DELTAREC_FAIL)
		deltarec_reply(out, DR_MODE_FAIL);
	else
		deltarec_reply(out, "%u 0 " DR_WORD_NONE,
			       dt->view->recipe.epoch);
}

static void view_table(const struct deltarec *dt, struct deltarec_reply *out)
{
	dev_t dev = deltarec_store_dev(dt->s);

	deltarec_reply(out, "%u:%u %u", MAJOR(dev), MINOR(dev),
		       dt->view->recipe.epoch);
}

static void view_ima(const struct deltarec *dt, struct deltarec_reply *out)
{
	const struct target_type *type = dt->ti->type;

	deltarec_reply(out, "target_name=%s,target_version=%u.%u.%u",
		       type->name, type->version[0], type->version[1],
		       type->version[2]);
	deltarec_reply(out, ",origin_device_name=%s,delta_device_name=%s",
		       dt->origin->name, dt->delta->name);
	deltarec_reply(out, ",delta_uuid=%pU,epoch=%u;", dt->s->st.uuid,
		       dt->view->recipe.epoch);
}

static void view_status(struct dm_target *ti, status_type_t type,
			unsigned int status_flags, char *result,
			unsigned int maxlen)
{
	struct deltarec_reply out = { .buf = result, .size = maxlen };
	struct deltarec *dt = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		view_info(dt, &out);
		break;
	case STATUSTYPE_TABLE:
		view_table(dt, &out);
		break;
	case STATUSTYPE_IMA:
		view_ima(dt, &out);
		break;
	}
}

static void view_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	deltarec_read_hints(ti->private, limits);
}

struct target_type deltarec_view_target = {
	.name = DR_VIEW_TARGET_NAME,
	.version = { 1, 0, 0 },
	.features = DM_TARGET_SINGLETON,
	.module = THIS_MODULE,
	.ctr = view_ctr,
	.dtr = view_dtr,
	.map = deltarec_map_view,
	.end_io = deltarec_end_io,
	.status = view_status,
	.iterate_devices = deltarec_iterate_devices,
	.io_hints = view_io_hints,
};
