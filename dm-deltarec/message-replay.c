// SPDX-License-Identifier: GPL-2.0
/*
 * message-replay.c - the messages that make a replay, step by step.
 *
 * begin seals the head and may come while the device is in use; rules are
 * computed in the background; only commit needs the device suspended.
 */
#include <linux/ktime.h>
#include <linux/slab.h>

#include "deltarec.h"

#define REPLAY_RULE_ARGS	"<start> <sectors> <from> <to> " \
				DR_WORD_KEEP_LATER "|" DR_WORD_DROP_LATER

static int usage(struct deltarec *dt, const char *text)
{
	DMERR_LIMIT("%s: bad arguments: the message is '" DR_MSG_REPLAY " %s'",
		    dt->s->name, text);
	return -EINVAL;
}

static int replay_begin(struct deltarec *dt, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	s64 r;

	if (READ_ONCE(s->replay.epoch))
		return deltarec_refuse(dt, "replay begin", -EBUSY);
	r = deltarec_checkpoint(s, "", 0);
	if (r >= 0)
		r = deltarec_lock_merged(s);
	if (r >= 0) {
		down_write(&s->epochs);
		mutex_lock(&s->ctl);
		r = dr_replay_begin(&s->st);
		mutex_unlock(&s->ctl);
		up_write(&s->epochs);
		deltarec_replay_update(s);
		mutex_unlock(&s->meta);
	}
	if (r < 0)
		return deltarec_refuse(dt, "replay begin", r);
	deltarec_event(s);
	deltarec_reply(reply, "%lld", r);
	return 1;
}

int deltarec_parse_rule(const char *start, const char *sectors,
			const char *from, const char *to, const char *later,
			struct deltarec_rule_args *a)
{
	if (kstrtou64(start, 10, &a->start) ||
	    kstrtou64(sectors, 10, &a->sectors) ||
	    kstrtou32(from, 10, &a->from) || kstrtou32(to, 10, &a->to))
		return -EINVAL;
	a->drop_later = !strcasecmp(later, DR_WORD_DROP_LATER);
	if (!a->drop_later && strcasecmp(later, DR_WORD_KEEP_LATER))
		return -EINVAL;
	return 0;
}

/* argv: <start> <sectors> <from> <to> keep_later|drop_later; meta held */
static int parse_rule(struct deltarec *dt, char **argv, struct dr_rule *rule)
{
	struct deltarec_store *s = dt->s;
	struct deltarec_rule_args a;
	int r;

	r = deltarec_parse_rule(argv[0], argv[1], argv[2], argv[3], argv[4],
				&a);
	if (r)
		return r;
	mutex_lock(&s->ctl);
	r = dr_replay_make_rule(&s->st, rule, a.start, a.sectors, a.from, a.to,
				a.drop_later);
	mutex_unlock(&s->ctl);
	return r;
}

static int replay_rule(struct deltarec *dt, char **argv, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	struct dr_rule one;
	s64 r;

	if (mutex_lock_killable(&s->meta))
		return -EINTR;
	r = s->mode == DELTAREC_RW ? parse_rule(dt, argv, &one) : -EROFS;
	if (!r)
		r = dr_replay_rule(&s->st, &one);
	deltarec_replay_update(s);
	mutex_unlock(&s->meta);
	if (r == -EINVAL)
		return usage(dt, DR_WORD_RULE " " REPLAY_RULE_ARGS);
	if (r < 0)
		return deltarec_refuse(dt, "replay rule", r);
	deltarec_kick_meta(s);
	deltarec_reply(reply, "%lld", r);
	return 1;
}

static int replay_count(struct deltarec *dt, char **argv,
			struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	struct dr_replay_count n;
	struct dr_rule one;
	u64 cursor, start;
	int r;

	if (kstrtou64(argv[0], 10, &start) || kstrtou64(argv[5], 10, &cursor))
		return usage(dt, DR_WORD_COUNT " " REPLAY_RULE_ARGS
			     " <cursor>");
	/* The following pages count what the first one has merged. */
	r = cursor > start ? mutex_lock_killable(&s->meta) :
			     deltarec_lock_merged(s);
	if (!r) {
		down_read(&s->epochs);
		r = parse_rule(dt, argv, &one);
		if (!r)
			r = dr_replay_count(&s->st, &one,
					    cursor >> s->block_shift, &n);
		up_read(&s->epochs);
		mutex_unlock(&s->meta);
	}
	if (r == -EINVAL)
		return usage(dt, DR_WORD_COUNT " " REPLAY_RULE_ARGS
			     " <cursor>");
	if (r < 0)
		return deltarec_refuse(dt, "replay count", r);
	if (n.next == ~0ULL)
		deltarec_reply(reply, DR_WORD_NONE);
	else
		deltarec_reply(reply, "%llu", n.next << s->block_shift);
	deltarec_reply(reply, " %llu %llu %llu", n.changed, n.kept, n.mixed);
	return 1;
}

/* Everything up to the durable record; meta held */
static int commit_locked(struct deltarec_store *s)
{
	struct deltarec_snap *new;
	int r;

	do {
		down_read(&s->epochs);
		r = dr_replay_finish(&s->st);
		up_read(&s->epochs);
		if (r == 1)
			deltarec_committed(s, false);
	} while (r == 1);
	if (r) {
		deltarec_step_failed(s, NULL, r);
		return r;
	}
	new = deltarec_snap_alloc();
	down_write(&s->epochs);
	mutex_lock(&s->ctl);
	deltarec_ctl_begin(s);
	r = dr_replay_seal(&s->st, ktime_get_real_seconds());
	up_write(&s->epochs);
	if (!r) {
		spin_lock_irq(&s->lock);
		deltarec_snap_publish(s, new);
		spin_unlock_irq(&s->lock);
		new = NULL;
		r = deltarec_ctl_finish(s);
	}
	mutex_unlock(&s->ctl);
	kfree(new);
	return r;
}

static int replay_commit(struct deltarec *dt, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u64 changed, mixed;
	u32 epoch;
	int r;

	r = deltarec_may_switch(dt, "replay commit");
	if (r)
		return r;
	r = deltarec_lock_merged(s);
	if (r)
		return deltarec_refuse(dt, "replay commit", r);
	/* Resumed since we looked? A resume waits for meta from now on. */
	r = s->quiet ? -ENXIO : -EOPNOTSUPP;
	if (s->quiet && s->st.replay) {
		epoch = s->st.replay->epoch;
		r = commit_locked(s);
	}
	if (!r) {
		changed = s->st.replay->changed;
		mixed = s->st.replay->mixed;
		deltarec_reply(reply, "%u %u %llu %llu", epoch, s->st.head,
			       changed, mixed);
		mutex_lock(&s->ctl);
		dr_replay_end(&s->st);
		mutex_unlock(&s->ctl);
	}
	deltarec_replay_update(s);
	mutex_unlock(&s->meta);
	if (r)
		return deltarec_refuse(dt, "replay commit", r);
	deltarec_event(s);
	return 1;
}

static int replay_abort(struct deltarec *dt, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u32 epoch = 0;
	int r;

	/* The ring has room after a merge, unless writers are very fast. */
	for (;;) {
		r = deltarec_lock_merged(s);
		if (r)
			return deltarec_refuse(dt, "replay abort", r);
		down_write(&s->epochs);
		mutex_lock(&s->ctl);
		if (dr_store_ring_has_room(&s->st))
			break;
		mutex_unlock(&s->ctl);
		up_write(&s->epochs);
		mutex_unlock(&s->meta);
	}
	if (s->st.replay)
		epoch = s->st.replay->epoch;
	r = s->mode == DELTAREC_RW ? dr_replay_abort(&s->st) : -EROFS;
	up_write(&s->epochs);
	if (!r) {
		spin_lock_irq(&s->lock);
		deltarec_dropped(s);
		spin_unlock_irq(&s->lock);
		r = deltarec_ctl_finish(s);
	}
	mutex_unlock(&s->ctl);
	deltarec_replay_update(s);
	mutex_unlock(&s->meta);
	deltarec_hurry(s);
	if (r)
		return deltarec_refuse(dt, "replay abort", r);
	deltarec_event(s);
	deltarec_reply(reply, "%u", epoch);
	return 1;
}

int deltarec_message_replay(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcasecmp(word, DR_WORD_BEGIN) && argc == 2)
		return replay_begin(dt, reply);
	if (!strcasecmp(word, DR_WORD_RULE)) {
		if (argc == 7)
			return replay_rule(dt, argv + 2, reply);
		return usage(dt, DR_WORD_RULE " " REPLAY_RULE_ARGS);
	}
	if (!strcasecmp(word, DR_WORD_COUNT)) {
		if (argc == 8)
			return replay_count(dt, argv + 2, reply);
		return usage(dt, DR_WORD_COUNT " " REPLAY_RULE_ARGS
			     " <cursor>");
	}
	if (!strcasecmp(word, DR_WORD_COMMIT) && argc == 2)
		return replay_commit(dt, reply);
	if (!strcasecmp(word, DR_WORD_ABORT) && argc == 2)
		return replay_abort(dt, reply);
	return usage(dt, DR_WORD_BEGIN "|" DR_WORD_RULE "|" DR_WORD_COUNT "|"
		     DR_WORD_COMMIT "|" DR_WORD_ABORT);
}
