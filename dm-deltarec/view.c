// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - an epoch of the past as a device of its own, read-only.
 *
 * Table: 0 <sectors> deltarec-view [delta:]<dev> <epoch> [<#rules> <rule>*]
 * A rule: <start> <sectors> <from> <to> keep_later|drop_later
 *
 * A view shares the store of the deltarec device and reads through the same
 * snapshots, nodes and eras, along a lineage of its own (V1). It never looks
 * at the mapped device of the head: that may be in use, suspended or gone.
 */
#include "deltarec.h"

#define RULE_WORDS	5u

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

static char *refused(int error, bool base)
{
	if (error == -EBUSY && base)
		return "A commit is writing to the origin: wait for its end";
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

static char *rule_refused(int error)
{
	switch (error) {
	case -ERANGE:
		return "The range of a rule is not inside the device";
	case -ENOENT:
		return "A rule names an epoch that the view's does not descend from";
	case -ENODATA:
		return "The epoch before that of a rule was dropped: choose an earlier one";
	case -E2BIG:
		return "The rules have more than " __stringify(DR_MAX_KINDS)
		       " different <from> <to> keep_later|drop_later";
	case -ENOMEM:
		return refused(error, false);
	default:
		return "A rule needs <start> <sectors> <from> <to> keep_later|drop_later";
	}
}

static int add_rule(struct deltarec *dt, struct dm_arg_set *as)
{
	const char *start = dm_shift_arg(as), *sectors = dm_shift_arg(as);
	const char *from = dm_shift_arg(as), *to = dm_shift_arg(as);
	const char *later = dm_shift_arg(as);
	struct deltarec_rule_args a;
	int r;

	r = deltarec_parse_rule(start, sectors, from, to, later, &a);
	if (!r)
		r = dr_recipe_add(&dt->s->st, &dt->view->recipe, a.start,
				  a.sectors, a.from, a.to, a.drop_later);
	if (r)
		dt->ti->error = rule_refused(r);
	return r;
}

/*
 * A step of reclaim may have committed and not have published yet. Its trees
 * and the lineage belong together: what it deleted is on a number that the
 * lineage may bridge.
 */
static void publish_now(struct deltarec_store *s)
{
	struct deltarec_snap *new = deltarec_snap_alloc();

	spin_lock_irq(&s->lock);
	deltarec_snap_publish(s, new);
	spin_unlock_irq(&s->lock);
}

/* Hold the epoch and what its rules need. epochs and ctl held. */
static int open_locked(struct deltarec *dt, u32 epoch, struct dm_arg_set *as)
{
	int r = dr_recipe_open(&dt->s->st, &dt->view->recipe, epoch);

	if (r)
		dt->ti->error = refused(r, epoch == DR_BASE_EPOCH);
	else
		publish_now(dt->s);
	while (!r && as->argc)
		r = add_rule(dt, as);
	return r;
}

/* No change of the epochs is under way then (V4). */
static int open_epoch(struct deltarec *dt, u32 epoch, struct dm_arg_set *as)
{
	struct deltarec_store *s = dt->s;
	int r = -EINTR;

	dt->ti->error = refused(r, false);
	/* A step of reclaim that is under way has made up its mind. */
	if (!down_write_killable(&s->epochs)) {
		if (!mutex_lock_killable(&s->ctl)) {
			r = open_locked(dt, epoch, as);
			mutex_unlock(&s->ctl);
		}
		up_write(&s->epochs);
	}
	if (!r) {
		r = dr_recipe_ready(&s->st, &dt->view->recipe);
		dt->ti->error = refused(r, false);
	}
	return r == -EINPROGRESS ? -EBUSY : r;
}

static int check_store(struct deltarec *dt)
{
	struct dm_target *ti = dt->ti;

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

static void set_up(struct dm_target *ti)
{
	/* Nothing is written: there is nothing to flush, discard or zero. */
	ti->num_flush_bios = 0;
	ti->num_discard_bios = 0;
	ti->per_io_data_size = sizeof(struct deltarec_io);
}

struct view_args {
	dev_t dev;
	bool delta;			/* it names the delta device */
	u32 epoch;
	struct dm_arg_set rules;	/* RULE_WORDS each */
};

static int read_args(struct dm_target *ti, struct dm_arg_set *as,
		     struct view_args *a)
{
	static const struct dm_arg count = {
		0, DR_MAX_RULES, "Invalid number of rules: a table takes "
		__stringify(DR_MAX_RULES) " at most",
	};
	const char *path = dm_shift_arg(as), *epoch = dm_shift_arg(as);
	unsigned int nr = 0;
	int r;

	if (!epoch || kstrtou32(epoch, 10, &a->epoch)) {
		ti->error = "Needs a deltarec device and the number of an epoch";
		return -EINVAL;
	}
	r = as->argc ? dm_read_arg(&count, as, &nr, &ti->error) : 0;
	if (r)
		return r;
	if (as->argc != nr * RULE_WORDS) {
		ti->error = "The number of rules does not match";
		return -EINVAL;
	}
	a->rules = *as;
	a->delta = str_has_prefix(path, DR_PREFIX_DELTA);
	r = parse_dev(path + (a->delta ? strlen(DR_PREFIX_DELTA) : 0),
		      &a->dev);
	if (r)
		ti->error = "The deltarec device cannot be found";
	return r;
}

/*
 * A device that looks writable and is not would have file systems try to
 * replay their journal, and fail; one that says that it is read-only makes
 * them do without, or say why they cannot.
 */
static int check_mode(struct dm_target *ti)
{
	if (!(dm_table_get_mode(ti->table) & BLK_OPEN_WRITE))
		return 0;
	ti->error = "A view is read-only: load it with 'dmsetup --readonly'";
	return -EACCES;
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
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct deltarec *dt;
	struct view_args a;
	int r;

	r = read_args(ti, &as, &a);
	if (!r)
		r = check_mode(ti);
	if (r)
		return r;
	dt = kzalloc(sizeof(*dt), GFP_KERNEL);
	if (dt)
		dt->view = kzalloc(sizeof(*dt->view), GFP_KERNEL);
	if (!dt || !dt->view) {
		ti->error = refused(-ENOMEM, false);
		kfree(dt);
		return -ENOMEM;
	}
	dt->ti = ti;
	r = deltarec_store_find(dt, a.dev, a.delta);
	if (!r)
		r = check_store(dt);
	if (!r)
		r = open_epoch(dt, a.epoch, &a.rules);
	if (r) {
		view_close(dt);
		return r;
	}
	set_up(ti);
	ti->private = dt;
	return 0;
}

static void view_dtr(struct dm_target *ti)
{
	view_close(ti->private);
}

static void view_info(const struct deltarec *dt, struct deltarec_reply *out)
{
	const struct dr_recipe *rc = &dt->view->recipe;

	if (READ_ONCE(dt->s->mode) == DELTAREC_FAIL) {
		deltarec_reply(out, DR_MODE_FAIL);
		return;
	}
	deltarec_reply(out, "%u %u ", rc->epoch, rc->rules.nr);
	if (rc->rules.nr)
		deltarec_reply(out, "%lld", atomic64_read(&dt->view->mixed));
	else
		deltarec_reply(out, DR_WORD_NONE);
}

static void view_table(const struct deltarec *dt, struct deltarec_reply *out)
{
	const struct dr_recipe *rc = &dt->view->recipe;
	u32 i, shift = dt->s->block_shift;
	bool delta;
	dev_t dev = deltarec_store_dev(dt->s, &delta);

	deltarec_reply(out, "%s%u:%u %u", delta ? DR_PREFIX_DELTA : "",
		       MAJOR(dev), MINOR(dev), rc->epoch);
	if (rc->rules.nr)
		deltarec_reply(out, " %u", rc->rules.nr);
	for (i = 0; i < rc->rules.nr; i++) {
		const struct dr_rule *rule = rc->rules.rule + i;
		u64 start = rule->block << shift;

		deltarec_reply(out, " %llu %llu %u %u %s", start,
			       min_t(u64, rule->len << shift,
				     dt->ti->len - start),
			       rule->from, rule->to, rule->drop_later ?
			       DR_WORD_DROP_LATER : DR_WORD_KEEP_LATER);
	}
}

static void view_ima(const struct deltarec *dt, struct deltarec_reply *out)
{
	const struct target_type *type = dt->ti->type;

	deltarec_reply(out, "target_name=%s,target_version=%u.%u.%u",
		       type->name, type->version[0], type->version[1],
		       type->version[2]);
	deltarec_reply(out, ",origin_device_name=%s,delta_device_name=%s",
		       dt->origin->name, dt->delta->name);
	deltarec_reply(out, ",delta_uuid=%pU,epoch=%u,rules=%u;",
		       dt->s->st.uuid, dt->view->recipe.epoch,
		       dt->view->recipe.rules.nr);
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
