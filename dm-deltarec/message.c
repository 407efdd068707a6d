// SPDX-License-Identifier: GPL-2.0
/*
 * message.c - what 'dmsetup message' can ask for (the words: core/names.h).
 *
 * dm core holds the live table during a message. A checkpoint therefore runs
 * in a worker and can be given up on by a signal; it happens all the same.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "deltarec.h"

#define MAX_RANGES	2048u	/* in one page of a diff */
#define RANGE_CHARS	42u	/* " <start>+<len>", the longest */
#define EPOCH_CHARS	192u	/* a line of epochs, the longest */

void deltarec_reply(struct deltarec_reply *reply, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reply->len += vscnprintf(reply->buf + reply->len,
				 reply->size - reply->len, fmt, ap);
	va_end(ap);
}

const char *deltarec_remedy(int error)
{
	switch (error) {
	case -EINVAL:
		return "the base is always there";
	case -EEXIST:
		return "another epoch has this label, choose another one";
	case -EBUSY:
		return "it is the head, or in use by a replay or a commit: see 'dmdelta status'";
	case -ETXTBSY:
		return "a view shows it or needs it ('dmdelta views'), or it is being committed";
	case -EADDRINUSE:
		return "the device may go back to it: see 'dmdelta start', or end the session";
	case -ENOENT:
		return "there is no such epoch to be used here: see 'dmdelta log'";
	case -ENODATA:
		return "the epoch before it was dropped: choose an earlier one";
	case -ENXIO:
		return "no replay is open: begin one";
	case -EROFS:
		return "the device has become read-only: close it and run 'dmdelta check'";
	case -ENOSPC:
		return "no space left: drop epochs or enlarge the delta device";
	case -E2BIG:
		return "too many rules: " __stringify(DR_MAX_RULES) " at most, of "
		       __stringify(DR_MAX_KINDS) " different <from> <to> and kinds";
	case -EUSERS:
		return "there are too many epochs: drop some";
	case -ERANGE:
		return "the range is not inside the device";
	case -EINTR:
		return "interrupted";
	default:
		return "see the messages before this one";
	}
}

int deltarec_refuse(struct deltarec *dt, const char *what, int error)
{
	DMERR_LIMIT("%s: %s: %s (error %d)", dt->s->name, what,
		    deltarec_remedy(error), error);
	return error == -ETXTBSY || error == -EADDRINUSE ? -EBUSY : error;
}

int deltarec_may_switch(struct deltarec *dt, const char *what)
{
	if (!dm_suspended(dt->ti)) {
		DMERR_LIMIT("%s: %s: suspend the device first ('dmdelta' does)",
			    dt->s->name, what);
		return -EOPNOTSUPP;
	}
	if (dt->noflush) {
		DMERR_LIMIT("%s: %s: suspended with noflush: resume and suspend without",
			    dt->s->name, what);
		return -EOPNOTSUPP;
	}
	return 0;
}

int deltarec_lock_merged(struct deltarec_store *s)
{
	int r = mutex_lock_killable(&s->meta);

	if (r)
		return -EINTR;
	r = deltarec_merge(s);
	if (r >= 0)
		return 0;
	mutex_unlock(&s->meta);
	return r;
}

int deltarec_bad_arguments(struct deltarec *dt, const char *usage)
{
	DMERR_LIMIT("%s: bad arguments: the message is '%s'", dt->s->name,
		    usage);
	return -EINVAL;
}

static int answer(struct deltarec *dt, struct deltarec_reply *reply,
		  const char *what, s64 r)
{
	if (r < 0)
		return deltarec_refuse(dt, what, r);
	deltarec_reply(reply, "%lld", r);
	return 1;
}

/* --- checkpoint ---------------------------------------------------------- */

struct request {
	struct work_struct work;
	struct completion done;
	refcount_t refs;
	struct deltarec_store *s;
	char label[DR_LABEL_MAX + 1];
	u16 flags;
	s64 result;
};

static void request_put(struct request *rq)
{
	if (refcount_dec_and_test(&rq->refs))
		kfree(rq);
}

static void request_work(struct work_struct *work)
{
	struct request *rq = container_of(work, struct request, work);

	rq->result = deltarec_checkpoint(rq->s, rq->label, rq->flags);
	complete(&rq->done);
	request_put(rq);
}

s64 deltarec_checkpoint_killable(struct deltarec_store *s, const char *label,
				 u16 flags)
{
	struct request *rq = kzalloc(sizeof(*rq), GFP_NOIO);
	s64 r = -EINTR;

	if (!rq)
		return -ENOMEM;
	INIT_WORK(&rq->work, request_work);
	init_completion(&rq->done);
	refcount_set(&rq->refs, 2);
	rq->s = s;
	rq->flags = flags;
	strscpy(rq->label, label, sizeof(rq->label));
	queue_work(s->ctl_wq, &rq->work);
	if (!wait_for_completion_killable(&rq->done))
		r = rq->result;
	request_put(rq);
	return r;
}

int deltarec_parse_seal(struct deltarec *dt, unsigned int argc, char **argv,
			const char *usage, const char **label, u16 *flags)
{
	*label = argc ? argv[0] : DR_WORD_NONE;
	*flags = 0;
	if (argc > 2)
		return deltarec_bad_arguments(dt, usage);
	if (argc == 2) {
		if (strcasecmp(argv[1], DR_WORD_FROZEN))
			return deltarec_bad_arguments(dt, usage);
		*flags = DR_EPOCH_FROZEN;
	}
	if (!strcmp(*label, DR_WORD_NONE)) {
		*label = "";
	} else if (!dr_label_valid(*label)) {
		DMERR_LIMIT("%s: invalid label '%s': %u of A-Za-z0-9._:+-/,= at most, no number",
			    dt->s->name, *label, DR_LABEL_MAX);
		return -EINVAL;
	}
	return 0;
}

static int checkpoint(struct deltarec *dt, unsigned int argc, char **argv,
		      struct deltarec_reply *reply)
{
	const char *label;
	u16 flags;
	int r;

	r = deltarec_parse_seal(dt, argc - 1, argv + 1, DR_MSG_CHECKPOINT
				" [<label>|- [" DR_WORD_FROZEN "]]", &label,
				&flags);
	if (r)
		return r;
	return answer(dt, reply, DR_MSG_CHECKPOINT,
		      deltarec_checkpoint_killable(dt->s, label, flags));
}

/* --- the others ---------------------------------------------------------- */

static int rollback(struct deltarec *dt, unsigned int argc, char **argv,
		    struct deltarec_reply *reply)
{
	u32 epoch;
	int r;

	if (argc != 2 || kstrtou32(argv[1], 10, &epoch))
		return deltarec_bad_arguments(dt, DR_MSG_ROLLBACK " <epoch>");
	r = deltarec_may_switch(dt, DR_MSG_ROLLBACK);
	if (r)
		return r;
	return answer(dt, reply, DR_MSG_ROLLBACK,
		      deltarec_rollback(dt->s, epoch));
}

static int drop(struct deltarec *dt, unsigned int argc, char **argv,
		struct deltarec_reply *reply)
{
	u32 epoch;

	if (argc != 2 || kstrtou32(argv[1], 10, &epoch))
		return deltarec_bad_arguments(dt, DR_MSG_DROP " <epoch>");
	return answer(dt, reply, DR_MSG_DROP, deltarec_drop(dt->s, epoch));
}

static void print_ranges(struct deltarec *dt, struct deltarec_reply *reply,
			 const struct dr_range *range, int nr, u64 next)
{
	u32 shift = dt->s->block_shift;
	u64 start, end;
	int i;

	if (next == ~0ULL)
		deltarec_reply(reply, DR_WORD_NONE);
	else
		deltarec_reply(reply, "%llu", next << shift);
	for (i = 0; i < nr; i++) {
		start = range[i].block << shift;
		end = (range[i].block + range[i].len) << shift;
		end = min_t(u64, end, dt->ti->len);
		deltarec_reply(reply, " %llu+%llu", start, end - start);
	}
}

static int diff(struct deltarec *dt, unsigned int argc, char **argv,
		struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u32 from, to, max = min(MAX_RANGES, reply->size / RANGE_CHARS - 1);
	struct dr_range *range;
	u64 cursor, next;
	int r;

	if (argc != 4 || kstrtou32(argv[1], 10, &from) ||
	    kstrtou32(argv[2], 10, &to) || kstrtou64(argv[3], 10, &cursor))
		return deltarec_bad_arguments(dt, DR_MSG_DIFF " <from> <to> <sector>");
	range = kvmalloc_array(max, sizeof(*range), GFP_NOIO);
	if (!range)
		return -ENOMEM;
	/* The following pages show what the first one has merged. */
	r = cursor ? mutex_lock_killable(&s->meta) : deltarec_lock_merged(s);
	if (!r) {
		down_read(&s->epochs);
		r = dr_diff(&s->st, from, to, cursor >> s->block_shift, range,
			    max, &next);
		up_read(&s->epochs);
		mutex_unlock(&s->meta);
	}
	if (r >= 0)
		print_ranges(dt, reply, range, r, next);
	kvfree(range);
	return r < 0 ? deltarec_refuse(dt, DR_MSG_DIFF, r) : 1;
}

static const char *state_word(u8 state)
{
	switch (state) {
	case DR_EPOCH_HEAD:
		return DR_STATE_HEAD;
	case DR_EPOCH_SEALED:
		return DR_STATE_SEALED;
	case DR_EPOCH_DROPPED:
		return DR_STATE_DROPPED;
	default:
		return DR_STATE_BUILDING;
	}
}

static const char *how_word(u8 how)
{
	switch (how) {
	case DR_MADE_BY_FORMAT:
		return DR_HOW_FORMAT;
	case DR_MADE_BY_CHECKPOINT:
		return DR_HOW_CHECKPOINT;
	case DR_MADE_BY_ROLLBACK:
		return DR_HOW_ROLLBACK;
	default:
		return DR_HOW_REPLAY;
	}
}

/* "pinned,suspect", or "-" */
static void print_marks(u8 marks, struct deltarec_reply *reply)
{
	static const char *const words[] = {
		DR_WORD_PINNED, DR_WORD_LOOSE, DR_WORD_SUSPECT,
	};
	const char *before = " ";
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(marks & 1u << i))
			continue;
		deltarec_reply(reply, "%s%s", before, words[i]);
		before = ",";
	}
	if (*before == ' ')
		deltarec_reply(reply, " " DR_WORD_NONE);
}

static void print_epoch(const struct dr_store *st, const struct dr_epoch *e,
			struct deltarec_reply *reply)
{
	bool head = e->state == DR_EPOCH_HEAD;
	const char *seal = DR_WORD_NONE;
	u32 note, first;

	if (e->state == DR_EPOCH_SEALED || e->state == DR_EPOCH_DROPPED)
		seal = e->flags & DR_EPOCH_FROZEN ? DR_SEAL_FROZEN :
						    DR_SEAL_CRASH;
	deltarec_reply(reply, "\n%u %u %s %lld %s %llu %s ", e->id, e->parent,
		       state_word(e->state), e->time,
		       *e->label ? e->label : DR_WORD_NONE,
		       head ? st->head_blocks : e->nr_blocks,
		       how_word(e->how));
	if (e->prev)
		deltarec_reply(reply, "%u %s", e->prev, seal);
	else
		deltarec_reply(reply, DR_WORD_NONE " %s", seal);
	/* That of an open replay shows with its commit. */
	note = e->state == DR_EPOCH_SEALED ? READ_ONCE(e->note_bytes) : 0;
	if (note)
		deltarec_reply(reply, " %u", note);
	else
		deltarec_reply(reply, " " DR_WORD_NONE);
	first = head ? READ_ONCE(st->head_read_first) : e->read_first;
	if (first)
		deltarec_reply(reply, " %u", first - 1);
	else
		deltarec_reply(reply, " " DR_WORD_NONE);
	print_marks(READ_ONCE(e->marks), reply);
}

/* The origin: as it was formatted, or as the epoch that was committed last */
static void print_base(const struct dr_store *st, struct deltarec_reply *reply)
{
	u32 epoch = le32_to_cpu(st->sb.base_epoch);
	u64 time = le64_to_cpu(epoch ? st->sb.base_time : st->sb.created);

	deltarec_reply(reply, "\n0 " DR_WORD_NONE " " DR_STATE_SEALED
		       " %llu base " DR_WORD_NONE " ", time);
	if (epoch)
		deltarec_reply(reply, DR_HOW_COMMIT " %u", epoch);
	else
		deltarec_reply(reply, DR_HOW_FORMAT " " DR_WORD_NONE);
	deltarec_reply(reply, " " DR_WORD_NONE " " DR_WORD_NONE " "
		       DR_WORD_NONE " " DR_WORD_NONE);
}

static int epochs(struct deltarec *dt, unsigned int argc, char **argv,
		  struct deltarec_reply *reply)
{
	u32 i, end, max = min(256u, reply->size / EPOCH_CHARS - 2);
	struct deltarec_store *s = dt->s;
	const struct dr_epochs *t = &s->st.epochs;
	u32 cursor;

	if (argc != 2 || kstrtou32(argv[1], 10, &cursor))
		return deltarec_bad_arguments(dt, DR_MSG_EPOCHS " <cursor>");
	if (mutex_lock_killable(&s->ctl))
		return -EINTR;
	i = dr_epochs_from(t, cursor);
	end = min(t->nr, i + max);
	if (end < t->nr)
		deltarec_reply(reply, "%u", t->e[end].id);
	else
		deltarec_reply(reply, DR_WORD_NONE);
	if (!cursor)
		print_base(&s->st, reply);
	for (; i < end; i++)
		print_epoch(&s->st, t->e + i, reply);
	mutex_unlock(&s->ctl);
	return 1;
}

int deltarec_message(struct dm_target *ti, unsigned int argc, char **argv,
		     char *result, unsigned int maxlen)
{
	struct deltarec_reply reply = { .buf = result, .size = maxlen };
	struct deltarec *dt = ti->private;

	if (!argc || maxlen < 4 * EPOCH_CHARS)
		return -EINVAL;
	if (!dt->s->activated || READ_ONCE(dt->s->mode) == DELTAREC_FAIL) {
		DMERR_LIMIT("%s: %s: the device is not in use", dt->s->name,
			    argv[0]);
		return -EIO;
	}
	result[0] = '\0';
	if (!strcasecmp(argv[0], DR_MSG_CHECKPOINT))
		return checkpoint(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_ROLLBACK))
		return rollback(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_DROP))
		return drop(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_DIFF))
		return diff(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_EPOCHS))
		return epochs(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_NOTE))
		return deltarec_message_note(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_READS))
		return deltarec_message_reads(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_MARK))
		return deltarec_message_mark(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_POLICY))
		return deltarec_message_policy(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_COMMIT))
		return deltarec_message_commit(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_START))
		return deltarec_message_start(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_UPDATE))
		return deltarec_message_update(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_SESSION))
		return deltarec_message_session(dt, argc, argv, &reply);
	if (!strcasecmp(argv[0], DR_MSG_REPLAY))
		return deltarec_message_replay(dt, argc, argv, &reply);
	DMERR_LIMIT("%s: unknown message '%s'", dt->s->name, argv[0]);
	return -EINVAL;
}
