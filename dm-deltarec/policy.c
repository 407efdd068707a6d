// SPDX-License-Identifier: GPL-2.0
/*
 * policy.c - checkpoints made by themselves, and epochs dropped by policy.
 *
 * The policy lies with the device and is carried out here, not by a program
 * outside: it goes on when userspace hangs, and whoever breaks into the machine
 * above cannot stop it without the device's administrator. What a module cannot
 * do is freeze the file systems above, so these epochs are as a power cut leaves
 * them; who wants frozen ones has a timer run 'dmdelta checkpoint', beside this
 * or instead.
 *
 * A tick a second while there is a policy. It looks, and nearly always goes.
 */
#include <linux/ktime.h>
#include <linux/sched/mm.h>

#include "deltarec.h"

#define DROP_EACH	(10 * HZ)	/* many at once cost what one does */

static bool works(const struct dr_policy *p)
{
	return p->every || p->written || p->drops || p->lag;
}

static void next_tick(struct deltarec_store *s)
{
	if (!READ_ONCE(s->stopping))
		queue_delayed_work(s->ctl_wq, &s->policy.tick,
				   round_jiffies_relative(HZ));
}

/* Is it time for a checkpoint? Nothing was written: never. */
static bool is_due(struct deltarec_store *s)
{
	const struct dr_policy *p = &s->policy.p;
	u64 mib, blocks;
	bool due = false;

	spin_lock_irq(&s->lock);
	blocks = s->st.head_blocks;
	mib = blocks << s->block_shift >> (20 - SECTOR_SHIFT);
	if (blocks && !s->suspending && s->mode == DELTAREC_RW) {
		due = p->written && mib >= p->written;
		due |= p->every && ktime_get_seconds() - s->policy.sealed >=
				   p->every;
	}
	spin_unlock_irq(&s->lock);
	return due;
}

static int change_drops(struct dr_store *st, const void *arg)
{
	u32 nr;
	int r = dr_retain_drop(st, arg, &nr);

	/* Nothing to commit */
	return r || nr ? r : 1;
}

/* One commit for all that the policy does not keep any more */
static void drop(struct deltarec_store *s)
{
	int r = 1;

	mutex_lock(&s->meta);
	if (!READ_ONCE(s->stopping))
		r = deltarec_commit_drops(s, change_drops, &s->policy.p);
	mutex_unlock(&s->meta);
	if (r)
		return;
	deltarec_hurry(s);
	deltarec_event(s);
}

static void tick(struct work_struct *work)
{
	struct deltarec_store *s = container_of(to_delayed_work(work),
						struct deltarec_store,
						policy.tick);
	struct deltarec_policy *policy = &s->policy;
	unsigned int noio = memalloc_noio_save();
	bool late;
	s64 r;

	if (is_due(s)) {
		r = deltarec_checkpoint(s, "", 0);
		/* -EBUSY: a replay is open. What else may be is in the log. */
		if (r < 0 && r != -EBUSY)
			DMERR_LIMIT("%s: no checkpoint as the policy wants (error %lld)",
				    s->name, r);
	}
	late = time_after_eq(jiffies, policy->dropped + DROP_EACH);
	if (late) {
		policy->dropped = jiffies;
		if (policy->p.lag)
			deltarec_commit_lag(s);
	}
	/* What may go is not waited for while space is short. */
	if (policy->p.drops && (late || READ_ONCE(s->gauge.level)))
		drop(s);
	next_tick(s);
	memalloc_noio_restore(noio);
}

void deltarec_policy_sealed(struct deltarec_store *s)
{
	WRITE_ONCE(s->policy.sealed, ktime_get_seconds());
}

void deltarec_policy_init(struct deltarec_store *s)
{
	mutex_init(&s->policy.mutex);
	INIT_DELAYED_WORK(&s->policy.tick, tick);
}

static void start(struct deltarec_store *s)
{
	struct deltarec_policy *policy = &s->policy;
	struct dr_policy p;
	const char *wrong;
	u32 at;

	mutex_lock(&s->meta);
	wrong = dr_policy_parse(&p, s->st.sb.policy, &at);
	if (wrong) {
		DMERR("%s: the policy is not understood (%s): all epochs are kept",
		      s->name, wrong);
		memset(&p, 0, sizeof(p));
	}
	policy->p = p;
	mutex_unlock(&s->meta);
	deltarec_space_marks(s, &p);
	deltarec_policy_sealed(s);
	policy->dropped = jiffies - DROP_EACH;
	/* Otherwise the resume does it. */
	if (works(&policy->p) && !READ_ONCE(s->suspending))
		next_tick(s);
}

void deltarec_policy_start(struct deltarec_store *s)
{
	mutex_lock(&s->policy.mutex);
	start(s);
	mutex_unlock(&s->policy.mutex);
}

void deltarec_policy_stop(struct deltarec_store *s)
{
	mutex_lock(&s->policy.mutex);
	cancel_delayed_work_sync(&s->policy.tick);
	mutex_unlock(&s->policy.mutex);
}

/* --- messages ---------------------------------------------------------------- */

struct mark {
	const char *word;
	u8 set, clear;
	u32 epoch;
};

static int change_mark(struct dr_store *st, const void *arg)
{
	const struct mark *m = arg;

	return dr_mark(st, m->epoch, m->set, m->clear);
}

static int change_policy(struct dr_store *st, const void *arg)
{
	return dr_policy_set(st, arg);
}

int deltarec_message_mark(struct deltarec *dt, unsigned int argc, char **argv,
			  struct deltarec_reply *reply)
{
	static const struct mark marks[] = {
		{ DR_WORD_PINNED, DR_MARK_PINNED, DR_MARK_LOOSE },
		{ DR_WORD_UNPINNED, DR_MARK_LOOSE, DR_MARK_PINNED },
		{ DR_WORD_SUSPECT, DR_MARK_SUSPECT, 0 },
		{ DR_WORD_GOOD, 0, DR_MARK_SUSPECT },
	};
	struct mark mark;
	unsigned int i;
	u32 epoch;
	int r;

	for (i = 0; argc == 3 && i < ARRAY_SIZE(marks); i++)
		if (!strcasecmp(argv[2], marks[i].word))
			break;
	if (argc != 3 || i == ARRAY_SIZE(marks) ||
	    kstrtou32(argv[1], 10, &epoch))
		return deltarec_bad_arguments(dt, DR_MSG_MARK " <epoch> " DR_WORD_PINNED "|"
			     DR_WORD_UNPINNED "|" DR_WORD_SUSPECT "|"
			     DR_WORD_GOOD);
	mark = marks[i];
	mark.epoch = epoch;
	r = deltarec_change(dt->s, change_mark, &mark);
	if (r)
		return deltarec_refuse(dt, DR_MSG_MARK, r);
	deltarec_reply(reply, "%u", epoch);
	return 1;
}

static int set_policy(struct deltarec *dt, unsigned int argc, char **argv)
{
	struct deltarec_store *s = dt->s;
	char text[DR_POLICY_MAX + 1];
	struct dr_policy p;
	const char *wrong;
	size_t len = 0;
	unsigned int i;
	u32 at;
	int r;

	text[0] = '\0';
	for (i = 0; i < argc; i++) {
		if (len + strlen(argv[i]) + !!i > DR_POLICY_MAX)
			return deltarec_bad_arguments(dt, DR_MSG_POLICY " " DR_WORD_SET
				     " <at most 255 characters>");
		len += scnprintf(text + len, sizeof(text) - len, "%s%s",
				 i ? " " : "", argv[i]);
	}
	wrong = dr_policy_parse(&p, text, &at);
	if (wrong) {
		DMERR_LIMIT("%s: policy: '%s': %s", s->name, text + at, wrong);
		return -EINVAL;
	}
	/* The tick looks at it, and may be in the middle. */
	cancel_delayed_work_sync(&s->policy.tick);
	r = deltarec_change(s, change_policy, text);
	start(s);
	return r ? deltarec_refuse(dt, DR_MSG_POLICY, r) : 0;
}

int deltarec_message_policy(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	int r;

	if (argc >= 2 && !strcasecmp(argv[1], DR_WORD_SET)) {
		if (mutex_lock_killable(&s->policy.mutex))
			return -EINTR;
		r = set_policy(dt, argc - 2, argv + 2);
		mutex_unlock(&s->policy.mutex);
		return r;
	}
	if (argc != 2 || strcasecmp(argv[1], DR_WORD_GET))
		return deltarec_bad_arguments(dt, DR_MSG_POLICY " " DR_WORD_GET "|" DR_WORD_SET
			     " [<key>=<number> ...]");
	if (mutex_lock_killable(&s->meta))
		return -EINTR;
	deltarec_reply(reply, "%s", *s->st.sb.policy ? s->st.sb.policy :
						       DR_WORD_NONE);
	mutex_unlock(&s->meta);
	return 1;
}
