// SPDX-License-Identifier: GPL-2.0
/*
 * status.c - the status line (the words: core/names.h).
 */
#include <linux/ktime.h>

#include "deltarec.h"

static const char *mode_word(const struct deltarec_store *s)
{
	switch (s->mode) {
	case DELTAREC_RW:
		return DR_MODE_RW;
	case DELTAREC_RO:
		return DR_MODE_RO;
	default:
		return DR_MODE_FAIL;
	}
}

/*
 * <dropped>[,<done>/<total>]; or "-". A pass has none left as soon as its last step
 * is done, but gives back only when that is committed and its readers have left.
 */
static void reclaim_word(const struct deltarec_store *s,
			 struct deltarec_reply *out)
{
	const struct dr_store *st = &s->st;
	u32 dropped = st->reclaim_wanted ? dr_reclaim_pending(st) : 0;

	if (!dropped && !READ_ONCE(s->reclaiming)) {
		deltarec_reply(out, DR_WORD_NONE " ");
		return;
	}
	deltarec_reply(out, "%u", dropped);
	/* The pass goes on meanwhile. */
	if (st->reclaim_pass)
		deltarec_reply(out, ",%llu/%llu", READ_ONCE(st->reclaim_block),
			       st->nr_map_blocks);
	deltarec_reply(out, " ");
}

/* <start>,<session>,<how it begins>,<update>,<answer>; or "-" */
static void start_word(const struct dr_store *st, struct deltarec_reply *out)
{
	unsigned int answer = DR_START_ORDINARY;
	const char *update = DR_WORD_NONE;
	struct dr_start s;

	dr_start_get(st, &s);
	if (st->start_mode == DR_START_ORDINARY && !s.flags && !s.epoch) {
		deltarec_reply(out, " " DR_WORD_NONE);
		return;
	}
	if (s.flags & DR_START_UPDATE_WANTED)
		update = DR_WORD_WANTED;
	if (s.flags & DR_START_UPDATING)
		update = DR_WORD_UPDATING;
	if (s.flags & DR_START_SESSION_KEEP)
		answer = DR_START_KEEP;
	if (s.flags & DR_START_SESSION_DISCARD)
		answer = DR_START_DISCARD;
	deltarec_reply(out, " %u,", s.epoch);
	if (s.flags & DR_START_SESSION)
		deltarec_reply(out, "%u,", s.session);
	else
		deltarec_reply(out, DR_WORD_NONE ",");
	deltarec_reply(out, "%s,%s,%s", deltarec_start_word(st->start_mode),
		       update, deltarec_start_word(answer));
}

/* Lock held: nothing that is printed changes meanwhile. */
static void info_locked(struct deltarec_store *s, struct deltarec_reply *out)
{
	const struct dr_store *st = &s->st;
	const struct dr_space *sp = &st->space;
	const struct dr_epoch *head = dr_epochs_find(&st->epochs, st->head);
	const struct deltarec_cache *cache =
		rcu_dereference_protected(s->cache, lockdep_is_held(&s->lock));

	deltarec_reply(out, "%s %u %u %llu/%llu %llu %llu %s %u %u %llu ",
		       mode_word(s), st->head, head ? head->parent : 0,
		       sp->nr_blocks - sp->free, sp->nr_blocks, sp->nodes,
		       sp->reserve, dr_level_words[s->gauge.level],
		       deltarec_block_sectors(s),
		       st->epochs.nr, st->head_blocks);
	deltarec_reply(out, "%llu/%u %llu %u/%u ",
		       dr_journal_used(&st->journal), st->journal.blocks,
		       st->published - dr_store_recorded(st), cache->nr,
		       cache->max);
	reclaim_word(s, out);
	if (s->replay.epoch)
		deltarec_reply(out, "%u,%u,%u/%u ", s->replay.epoch,
			       s->replay.rules, s->replay.done,
			       s->replay.queued);
	else
		deltarec_reply(out, DR_WORD_NONE " ");
	deltarec_reply(out, "%llu %llu/%lld ", st->gen, sp->taken,
		       ktime_get_seconds() - s->since);
	deltarec_commit_status(s, out);
	start_word(st, out);
}

static void info(struct deltarec_store *s, struct deltarec_reply *out)
{
	if (s->mode == DELTAREC_FAIL) {
		deltarec_reply(out, DR_MODE_FAIL);
		return;
	}
	spin_lock_irq(&s->lock);
	info_locked(s, out);
	spin_unlock_irq(&s->lock);
}

static void table(const struct deltarec *dt, struct deltarec_reply *out)
{
	char features[128];

	deltarec_reply(out, "%s %s", dt->origin->name, dt->delta->name);
	deltarec_print_features(&dt->f, features, sizeof(features));
	if (strcmp(features, "0"))
		deltarec_reply(out, " %s", features);
}

static void ima(const struct deltarec *dt, struct deltarec_reply *out)
{
	const struct deltarec_store *s = dt->s;
	const struct target_type *type = dt->ti->type;

	deltarec_reply(out, "target_name=%s,target_version=%u.%u.%u",
		       type->name, type->version[0], type->version[1],
		       type->version[2]);
	deltarec_reply(out, ",origin_device_name=%s,delta_device_name=%s",
		       dt->origin->name, dt->delta->name);
	deltarec_reply(out, ",delta_uuid=%pU,block_sectors=%u",
		       s->st.uuid, deltarec_block_sectors(s));
	deltarec_reply(out, ",cache_mb=%u,queue_if_full=%c,discard_passdown=%c",
		       dt->f.cache_mb,
		       dt->f.when_full == DELTAREC_FULL_QUEUE ? 'y' : 'n',
		       dt->f.discard_passdown ? 'y' : 'n');
	deltarec_reply(out, ",track_reads=%c,reclaim_if_full=%c,queue_seconds=%u",
		       dt->f.track_reads ? 'y' : 'n',
		       dt->f.when_full == DELTAREC_FULL_RECLAIM ? 'y' : 'n',
		       dt->f.queue_seconds);
	deltarec_reply(out, ",start=%s;", deltarec_start_word(dt->f.start_mode));
}

void deltarec_status(struct dm_target *ti, status_type_t type,
		     unsigned int status_flags, char *result,
		     unsigned int maxlen)
{
	struct deltarec_reply out = { .buf = result, .size = maxlen };
	struct deltarec *dt = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		info(dt->s, &out);
		break;
	case STATUSTYPE_TABLE:
		table(dt, &out);
		break;
	case STATUSTYPE_IMA:
		ima(dt, &out);
		break;
	}
}
