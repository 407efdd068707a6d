// SPDX-License-Identifier: GPL-2.0
/*
 * start.c - see start.h.
 */
#include "recover.h"
#include "start.h"

#define ANSWERS		(DR_START_SESSION_KEEP | DR_START_SESSION_DISCARD)
#define UPDATES		(DR_START_UPDATE_WANTED | DR_START_UPDATING)

void dr_start_decode(struct dr_start *s, const struct dr_disk_start *d)
{
	s->epoch = le32_to_cpu(d->epoch);
	s->flags = le32_to_cpu(d->flags);
	s->since = le32_to_cpu(d->since);
	s->session = le32_to_cpu(d->session);
}

void dr_start_get(const struct dr_store *st, struct dr_start *s)
{
	dr_start_decode(s, &st->sb.start);
}

static void put(struct dr_store *st, const struct dr_start *s)
{
	const struct dr_env *env = &st->env;
	struct dr_disk_start *d = &st->sb.start;

	env->lock(env->ctx);
	d->epoch = cpu_to_le32(s->epoch);
	d->flags = cpu_to_le32(s->flags);
	d->since = cpu_to_le32(s->since);
	d->session = cpu_to_le32(s->session);
	st->epochs.start = s->epoch;
	st->epochs.session = s->session;
	env->unlock(env->ctx);
}

bool dr_start_used(const struct dr_store *st)
{
	const struct dr_disk_start *d = &st->sb.start;

	return d->epoch || d->flags || d->since || d->session;
}

/* 0: the base, or an epoch that is sealed */
static bool is_sealed(const struct dr_store *st, u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	return epoch == DR_BASE_EPOCH || (e && e->state == DR_EPOCH_SEALED);
}

const char *dr_start_load(struct dr_store *st)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (!is_sealed(st, s.epoch))
		return "the one where the device begins is not sealed";
	if (!is_sealed(st, s.session))
		return "the one that the session began with is not sealed";
	st->epochs.start = s.epoch;
	st->epochs.session = s.session;
	return NULL;
}

bool dr_start_due(const struct dr_start *s, u8 mode)
{
	return mode != DR_START_ORDINARY || s->flags & ANSWERS ||
	       (s->since && !(s->flags & DR_START_SESSION));
}

static bool nonpersistent(u8 mode)
{
	return mode == DR_START_KEEP || mode == DR_START_DISCARD;
}

bool dr_start_passes_over(const struct dr_start *s, u8 mode)
{
	return nonpersistent(mode) && s->flags & DR_START_SESSION &&
	       !(s->flags & ANSWERS);
}

/* --- activation ------------------------------------------------------------- */

/* Have a head on top of @to that nothing was written to (B3) */
static int go_back(struct dr_store *st, u32 to)
{
	const struct dr_epoch *h = dr_epochs_find(&st->epochs, st->head);
	int r;

	/* The base is about to be what the epoch that is being committed was. */
	if (to == DR_BASE_EPOCH && st->fold.epoch)
		to = st->fold.epoch;
	if (!is_sealed(st, to))
		return -EUCLEAN;
	if (h->parent == to) {
		r = dr_epoch_has_versions(st, st->head);
		if (r <= 0)
			return r;
	}
	return dr_store_reopen(st, to, DR_MADE_BY_ROLLBACK, st->start_now);
}

/* Drop what was made since, but for what somebody wants to keep (B4) */
static void drop_since(struct dr_store *st, u32 since)
{
	struct dr_epochs *t = &st->epochs;
	struct dr_epoch *e, *h;
	u32 i;

	if (!since)
		return;
	for (i = dr_epochs_from(t, since); i < t->nr; i++) {
		if (dr_retain_protects(t, t->e + i) != DR_KEEP_NOT)
			continue;
		t->e[i].state = DR_EPOCH_DROPPED;
		dr_store_visit(st, t->e + i);
	}
	/* Then there is no undo of this. */
	h = dr_epochs_find(t, st->head);
	e = dr_epochs_find(t, h->prev);
	if (e && e->state == DR_EPOCH_DROPPED)
		h->prev = 0;
}

/* What was said of the session, which ends with it */
static int act_on_answer(struct dr_store *st, struct dr_start *s)
{
	int r = 0;

	if (!(s->flags & ANSWERS))
		return 0;
	if (s->flags & DR_START_SESSION_DISCARD) {
		r = go_back(st, s->session);
		if (!r)
			drop_since(st, s->since);
	}
	s->flags &= ~(DR_START_SESSION | ANSWERS);
	s->since = 0;
	s->session = 0;
	return r;
}

static int begin_session(struct dr_store *st, struct dr_start *s)
{
	const struct dr_epoch *h = dr_epochs_find(&st->epochs, st->head);
	int r;

	/* One that was not answered goes on. */
	if (s->flags & DR_START_SESSION)
		return 0;
	r = dr_epoch_has_versions(st, st->head);
	/* What it begins with is sealed, and retained. */
	if (r > 0 || (!r && !is_sealed(st, h->parent)))
		r = dr_store_reopen(st, st->head, DR_MADE_BY_CHECKPOINT,
				    st->start_now);
	if (r)
		return r;
	s->session = dr_epochs_find(&st->epochs, st->head)->parent;
	s->since = st->head;
	s->flags |= DR_START_SESSION;
	return 0;
}

static int begin_at_start(struct dr_store *st, struct dr_start *s)
{
	bool discard = st->start_mode == DR_START_DISCARD;
	int r;

	if (dr_start_passes_over(s, st->start_mode))
		return -EBUSY;
	if (s->flags & DR_START_UPDATING)
		return 0;
	r = go_back(st, s->epoch);
	if (r)
		return r;
	if (discard)
		drop_since(st, s->since);
	s->since = discard ? st->head : 0;
	if (s->flags & DR_START_UPDATE_WANTED)
		s->flags ^= UPDATES;
	return 0;
}

int dr_start_begin(struct dr_store *st)
{
	struct dr_start s;
	int r;

	dr_start_get(st, &s);
	r = act_on_answer(st, &s);
	if (!r && st->start_mode == DR_START_UNDOABLE)
		r = begin_session(st, &s);
	else if (!r && nonpersistent(st->start_mode))
		r = begin_at_start(st, &s);
	else if (!(s.flags & DR_START_SESSION))
		s.since = 0;	/* What is written from now on is meant. */
	if (!r)
		put(st, &s);
	return r;
}

/* --- decisions --------------------------------------------------------------- */

static int change(struct dr_store *st, const struct dr_start *s)
{
	struct dr_start was;
	int r;

	dr_start_get(st, &was);
	put(st, s);
	r = dr_commit_table(st);
	if (r)
		put(st, &was);
	return r;
}

int dr_start_set(struct dr_store *st, u32 epoch)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (s.flags & UPDATES)
		return -EALREADY;
	if (epoch == st->head)
		return -EBUSY;
	if (!is_sealed(st, epoch))
		return -ENOENT;
	s.epoch = epoch;
	return change(st, &s);
}

int dr_update_begin(struct dr_store *st)
{
	const struct dr_epoch *h = dr_epochs_find(&st->epochs, st->head);
	struct dr_start s;

	dr_start_get(st, &s);
	if (!nonpersistent(st->start_mode))
		return -EOPNOTSUPP;
	if (s.flags & UPDATES)
		return 0;
	s.flags |= h->parent == s.epoch && !st->head_blocks ?
		   DR_START_UPDATING : DR_START_UPDATE_WANTED;
	return change(st, &s);
}

int dr_update_cancel(struct dr_store *st)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (!(s.flags & UPDATES))
		return -ENXIO;
	s.flags &= ~UPDATES;
	return change(st, &s);
}

int dr_update_may_end(const struct dr_store *st, const char *label)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (!(s.flags & DR_START_UPDATING))
		return -ENXIO;
	return dr_store_label_taken(st, label) ? -EEXIST : 0;
}

static void set_label(struct dr_store *st, struct dr_epoch *e,
		      const char *label)
{
	const struct dr_env *env = &st->env;

	env->lock(env->ctx);
	memset(e->label, 0, sizeof(e->label));
	memcpy(e->label, label, strlen(label));
	e->dirty = true;
	env->unlock(env->ctx);
}

int dr_update_end(struct dr_store *st, u32 epoch, const char *label)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	struct dr_start s;
	int r = dr_update_may_end(st, label);

	if (r)
		return r;
	if (!e || e->state != DR_EPOCH_SEALED)
		return -ENOENT;
	dr_start_get(st, &s);
	s.epoch = epoch;
	s.flags &= ~UPDATES;
	if (s.since && !(s.flags & DR_START_SESSION))
		s.since = epoch + 1;
	/* The label comes with it: what was cut short can be done again (B6). */
	set_label(st, e, label);
	r = change(st, &s);
	if (r)
		set_label(st, e, "");
	return r;
}

int dr_session_answer(struct dr_store *st, u32 answer)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (!(s.flags & DR_START_SESSION))
		return -ENXIO;
	s.flags = (s.flags & ~ANSWERS) | answer;
	return change(st, &s);
}

int dr_session_end(struct dr_store *st)
{
	struct dr_start s;

	dr_start_get(st, &s);
	if (!(s.flags & DR_START_SESSION))
		return -ENXIO;
	s.flags &= ~(DR_START_SESSION | ANSWERS);
	s.since = 0;
	s.session = 0;
	return change(st, &s);
}
