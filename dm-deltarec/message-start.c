// SPDX-License-Identifier: GPL-2.0
/*
 * message-start.c - where the next activation begins: the start epoch of a
 * nonpersistent device, updates of it, and what becomes of a session.
 *
 * Each is a commit of a few words in the superblock (core/start.h). Nothing is
 * done with what was written before the device is opened again (B2).
 */
#include "deltarec.h"

static const char *why(int error)
{
	switch (error) {
	case -EALREADY:
		return "an update is wanted or under way: end or cancel it first";
	case -EBUSY:
		return "it is the head: make a checkpoint first";
	case -EOPNOTSUPP:
		return "the device is not nonpersistent";
	case -ENXIO:
		return "there is none: see 'dmdelta status'";
	default:
		return deltarec_remedy(error);
	}
}

static int refuse(struct deltarec *dt, const char *what, int error)
{
	DMERR_LIMIT("%s: %s: %s (error %d)", dt->s->name, what, why(error),
		    error);
	return error == -EALREADY ? -EBUSY : error;
}

/* --- start ------------------------------------------------------------------ */

static int change_start(struct dr_store *st, const void *arg)
{
	const u32 *epoch = arg;

	return dr_start_set(st, *epoch);
}

int deltarec_message_start(struct deltarec *dt, unsigned int argc, char **argv,
			   struct deltarec_reply *reply)
{
	u32 epoch;
	int r;

	if (argc != 2 || kstrtou32(argv[1], 10, &epoch))
		return deltarec_bad_arguments(dt, DR_MSG_START " <epoch>");
	r = deltarec_change(dt->s, change_start, &epoch);
	if (r)
		return refuse(dt, DR_MSG_START, r);
	deltarec_reply(reply, "%u", epoch);
	return 1;
}

/* --- update ----------------------------------------------------------------- */

struct update_end {
	u32 epoch;
	const char *label;
};

static int change_begin(struct dr_store *st, const void *arg)
{
	return dr_update_begin(st);
}

static int change_cancel(struct dr_store *st, const void *arg)
{
	return dr_update_cancel(st);
}

static int change_end(struct dr_store *st, const void *arg)
{
	const struct update_end *end = arg;

	return dr_update_end(st, end->epoch, end->label);
}

static int may_end(struct deltarec_store *s, const char *label)
{
	int r;

	if (mutex_lock_killable(&s->ctl))
		return -EINTR;
	r = dr_update_may_end(&s->st, label);
	mutex_unlock(&s->ctl);
	return r;
}

/* Between the two steps it is still under way (B6). */
static int update_end(struct deltarec *dt, unsigned int argc, char **argv,
		      const char *usage, struct deltarec_reply *reply)
{
	struct update_end end;
	u16 flags;
	s64 epoch;
	int r;

	r = deltarec_parse_seal(dt, argc, argv, usage, &end.label, &flags);
	if (r)
		return r;
	r = may_end(dt->s, end.label);
	if (r)
		return refuse(dt, DR_MSG_UPDATE, r);
	epoch = deltarec_checkpoint_killable(dt->s, "", flags);
	if (epoch < 0)
		return deltarec_refuse(dt, DR_MSG_UPDATE, epoch);
	end.epoch = epoch;
	r = deltarec_change(dt->s, change_end, &end);
	if (r)
		return refuse(dt, DR_MSG_UPDATE, r);
	deltarec_reply(reply, "%u", end.epoch);
	return 1;
}

static void tell_update(struct deltarec_store *s, struct deltarec_reply *reply)
{
	struct dr_start start;

	spin_lock_irq(&s->lock);
	dr_start_get(&s->st, &start);
	spin_unlock_irq(&s->lock);
	if (start.flags & DR_START_UPDATING)
		deltarec_reply(reply, DR_WORD_UPDATING);
	else if (start.flags & DR_START_UPDATE_WANTED)
		deltarec_reply(reply, DR_WORD_WANTED);
	else
		deltarec_reply(reply, DR_WORD_NONE);
}

int deltarec_message_update(struct deltarec *dt, unsigned int argc,
			    char **argv, struct deltarec_reply *reply)
{
	static const char usage[] =
		DR_MSG_UPDATE " " DR_WORD_BEGIN "|" DR_WORD_CANCEL "|"
		DR_WORD_END " [<label>|- [" DR_WORD_FROZEN "]]";
	const char *word = argc > 1 ? argv[1] : "";
	int r;

	if (!strcasecmp(word, DR_WORD_END))
		return update_end(dt, argc - 2, argv + 2, usage, reply);
	if (argc == 2 && !strcasecmp(word, DR_WORD_BEGIN))
		r = deltarec_change(dt->s, change_begin, NULL);
	else if (argc == 2 && !strcasecmp(word, DR_WORD_CANCEL))
		r = deltarec_change(dt->s, change_cancel, NULL);
	else
		return deltarec_bad_arguments(dt, usage);
	if (r)
		return refuse(dt, DR_MSG_UPDATE, r);
	tell_update(dt->s, reply);
	return 1;
}

/* --- session ---------------------------------------------------------------- */

static int change_session(struct dr_store *st, const void *arg)
{
	const u32 *answer = arg;

	if (*answer == DR_START_SESSION)
		return dr_session_end(st);
	return dr_session_answer(st, *answer);
}

int deltarec_message_session(struct deltarec *dt, unsigned int argc,
			     char **argv, struct deltarec_reply *reply)
{
	static const struct { const char *word; u32 answer; } answers[] = {
		{ DR_WORD_KEEP, DR_START_SESSION_KEEP },
		{ DR_WORD_DISCARD, DR_START_SESSION_DISCARD },
		{ DR_WORD_ASK, 0 },
		{ DR_WORD_END, DR_START_SESSION },	/* now, and kept */
	};
	unsigned int i;
	int r;

	for (i = 0; argc == 2 && i < ARRAY_SIZE(answers); i++)
		if (!strcasecmp(argv[1], answers[i].word))
			break;
	if (argc != 2 || i == ARRAY_SIZE(answers))
		return deltarec_bad_arguments(dt, DR_MSG_SESSION " "
					      DR_WORD_KEEP "|" DR_WORD_DISCARD
					      "|" DR_WORD_ASK "|" DR_WORD_END);
	r = deltarec_change(dt->s, change_session, &answers[i].answer);
	if (r)
		return refuse(dt, DR_MSG_SESSION, r);
	deltarec_reply(reply, "%s", answers[i].word);
	return 1;
}
