// SPDX-License-Identifier: GPL-2.0
/*
 * message-note.c - the note of an epoch, in pieces that fit into messages.
 *
 * What is sent is collected in memory and replaces the old note when it is
 * complete, so that nobody ever sees a part of one. One note is under way at a
 * time: who begins another takes the place, and the ticket of the former is
 * void. Bytes travel as hexadecimal digits, which need no escapes.
 */
#include <linux/slab.h>

#include "deltarec.h"
#include "core/note.h"

#define REPLY_MAX	16384u	/* bytes of a note in one answer */
#define REPLY_WORDS	32u	/* characters before them */

static int usage(struct deltarec *dt, const char *text)
{
	DMERR_LIMIT("%s: bad arguments: the message is '" DR_MSG_NOTE " %s'",
		    dt->s->name, text);
	return -EINVAL;
}

static const char *why(int error)
{
	switch (error) {
	case -ENOENT:
		return "there is no such epoch: see 'dmdelta log'";
	case -ENODATA:
		return "the epoch has no note";
	case -EBUSY:
		return "the head cannot have one: make a checkpoint";
	case -EFBIG:
		return "it is too long";
	case -ESTALE:
		return "another note was begun meanwhile: begin again";
	case -ERANGE:
		return "the offset is not where it goes on";
	default:
		return deltarec_remedy(error);
	}
}

static int refuse(struct deltarec *dt, const char *what, int error)
{
	DMERR_LIMIT("%s: note %s: %s (error %d)", dt->s->name, what,
		    why(error), error);
	return error;
}

void deltarec_note_init(struct deltarec_note *note)
{
	mutex_init(&note->mutex);
}

void deltarec_note_exit(struct deltarec_note *note)
{
	kvfree(note->data);
	note->data = NULL;
	note->open = false;
}

static int note_begin(struct deltarec *dt, char **argv,
		      struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	struct deltarec_note *note = &s->note;
	u32 epoch, size;
	u8 *data = NULL;
	int r;

	if (kstrtou32(argv[0], 10, &epoch) || kstrtou32(argv[1], 10, &size))
		return usage(dt, DR_WORD_BEGIN " <epoch> <bytes>");
	if (mutex_lock_killable(&s->ctl))
		return -EINTR;
	r = s->mode == DELTAREC_RW ? dr_note_may(&s->st, epoch, size) : -EROFS;
	mutex_unlock(&s->ctl);
	if (!r && size) {
		data = kvzalloc(size, GFP_NOIO);
		if (!data)
			r = -ENOMEM;
	}
	if (!r && mutex_lock_killable(&note->mutex)) {
		kvfree(data);
		r = -EINTR;
	}
	if (r)
		return refuse(dt, DR_WORD_BEGIN, r);
	deltarec_note_exit(note);
	note->open = true;
	note->ticket++;
	note->epoch = epoch;
	note->size = size;
	note->got = 0;
	note->data = data;
	deltarec_reply(reply, "%u", note->ticket);
	mutex_unlock(&note->mutex);
	return 1;
}

static int note_add(struct deltarec *dt, char **argv,
		    struct deltarec_reply *reply)
{
	struct deltarec_note *note = &dt->s->note;
	size_t digits = strlen(argv[2]);
	u32 ticket, offset;
	int r = 0;

	if (kstrtou32(argv[0], 10, &ticket) ||
	    kstrtou32(argv[1], 10, &offset) || !digits || digits % 2)
		return usage(dt, DR_WORD_ADD " <ticket> <offset> <hex digits>");
	if (mutex_lock_killable(&note->mutex))
		return refuse(dt, DR_WORD_ADD, -EINTR);
	if (!note->open || note->ticket != ticket)
		r = -ESTALE;
	else if (offset != note->got)
		r = -ERANGE;
	else if (digits / 2 > note->size - note->got)
		r = -EFBIG;
	else if (hex2bin(note->data + offset, argv[2], digits / 2))
		r = -EINVAL;
	else
		note->got += digits / 2;
	if (!r)
		deltarec_reply(reply, "%u", note->got);
	mutex_unlock(&note->mutex);
	if (r == -EINVAL)
		return usage(dt, DR_WORD_ADD " <ticket> <offset> <hex digits>");
	return r ? refuse(dt, DR_WORD_ADD, r) : 1;
}

/* The note replaces the old one; meta held */
static int replace(struct deltarec_store *s, const struct deltarec_note *note)
{
	int r;

	if (s->mode != DELTAREC_RW)
		return -EROFS;
	down_read(&s->epochs);
	r = dr_note_may(&s->st, note->epoch, note->size);
	if (r) {
		up_read(&s->epochs);
		return r;
	}
	r = dr_note_set(&s->st, note->epoch, note->data, note->size);
	up_read(&s->epochs);
	if (!r)
		deltarec_committed(s, false);
	else
		deltarec_step_failed(s, NULL, r);
	return r;
}

static int note_end(struct deltarec *dt, char **argv,
		    struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	struct deltarec_note *note = &s->note;
	u32 ticket;
	int r;

	if (kstrtou32(argv[0], 10, &ticket))
		return usage(dt, DR_WORD_END " <ticket>");
	if (mutex_lock_killable(&note->mutex))
		return refuse(dt, DR_WORD_END, -EINTR);
	if (!note->open || note->ticket != ticket) {
		r = -ESTALE;
	} else if (note->got != note->size) {
		r = -ERANGE;
	} else {
		r = -EINTR;
		if (!mutex_lock_killable(&s->meta)) {
			r = replace(s, note);
			mutex_unlock(&s->meta);
			deltarec_reply(reply, "%u", note->epoch);
			deltarec_note_exit(note);
		}
	}
	mutex_unlock(&note->mutex);
	return r ? refuse(dt, DR_WORD_END, r) : 1;
}

static int note_get(struct deltarec *dt, char **argv,
		    struct deltarec_reply *reply)
{
	struct deltarec_store *s = dt->s;
	u32 epoch, offset, total, max;
	u8 *buf;
	int r;

	if (kstrtou32(argv[0], 10, &epoch) || kstrtou32(argv[1], 10, &offset))
		return usage(dt, DR_WORD_GET " <epoch> <offset>");
	max = min(REPLY_MAX, (reply->size - REPLY_WORDS) / 2);
	buf = kvmalloc(max, GFP_NOIO);
	if (!buf)
		return -ENOMEM;
	r = -EINTR;
	if (!mutex_lock_killable(&s->meta)) {
		down_read(&s->epochs);
		r = dr_note_get(&s->st, epoch, offset, buf, max, &total);
		up_read(&s->epochs);
		mutex_unlock(&s->meta);
	}
	if (r > 0) {
		if (offset + r < total)
			deltarec_reply(reply, "%u %u ", offset + r, total);
		else
			deltarec_reply(reply, DR_WORD_NONE " %u ", total);
		*bin2hex(reply->buf + reply->len, buf, r) = '\0';
		reply->len += 2 * r;
	}
	kvfree(buf);
	return r < 0 ? refuse(dt, DR_WORD_GET, r) : 1;
}

int deltarec_message_note(struct deltarec *dt, unsigned int argc, char **argv,
			  struct deltarec_reply *reply)
{
	const char *word = argc > 1 ? argv[1] : "";

	if (!strcasecmp(word, DR_WORD_BEGIN) && argc == 4)
		return note_begin(dt, argv + 2, reply);
	if (!strcasecmp(word, DR_WORD_ADD) && argc == 5)
		return note_add(dt, argv + 2, reply);
	if (!strcasecmp(word, DR_WORD_END) && argc == 3)
		return note_end(dt, argv + 2, reply);
	if (!strcasecmp(word, DR_WORD_GET) && argc == 4)
		return note_get(dt, argv + 2, reply);
	return usage(dt, DR_WORD_BEGIN " <epoch> <bytes>|" DR_WORD_ADD
		     " <ticket> <offset> <hex digits>|" DR_WORD_END
		     " <ticket>|" DR_WORD_GET " <epoch> <offset>");
}
