// SPDX-License-Identifier: GPL-2.0
/*
 * notes.c - notes of epochs. A note is a length and a seed for the oracle.
 */
#include "model.h"
#include "note.h"

#define LEN_MAX		2000u	/* a few nodes, and many where they are small */

static void fill(u8 *data, const struct or_note *note)
{
	struct rng r = { .s = note->seed };
	u32 i;

	for (i = 0; i < note->len; i++)
		data[i] = rnd(&r, 256);
}

/* Of a sealed epoch, or of the one that is being built */
int op_note(struct model *m)
{
	struct or_note note = { .seed = m->nr_ops + (m->seed << 8) + 1 };
	bool building = m->st->replay && chance(&m->rng, 50);
	u32 id = building ? m->st->replay->epoch : random_sealed(m, 0);
	u8 data[LEN_MAX];
	int r = 0;

	if (!id)
		return 0;
	note.len = chance(&m->rng, 20) ? 0 : 1 + rnd(&m->rng, LEN_MAX);
	fill(data, &note);
	if (m->merging || chance(&m->rng, 20))
		r = merge_all(m);
	if (!r)
		r = release(m);
	if (r)
		return r;
	r = dr_note_may(m->st, id, note.len);
	if (r == -ENOSPC)
		return 0;
	if (r)
		fail(m, "note of epoch %u: %d", id, r);
	m->note_epoch = id;
	m->note_next = note;
	r = check_ret(m, "note", dr_note_set(m->st, id, data, note.len));
	say(m, "note of %u bytes for epoch %u: %d", note.len, id, r);
	if (r)
		return r;
	m->note_epoch = 0;
	m->release = true;
	m->release_final = false;
	m->release_era = ++m->era;
	if (building)
		m->replay_note = note;
	else
		or_find(&m->o, id)->note = note;
	return 0;
}

static bool is_note(struct model *m, u32 id, const struct or_note *note)
{
	u8 want[LEN_MAX], got[LEN_MAX];
	u32 at, step = 1 + rnd(&m->rng, LEN_MAX), total;
	int r;

	if (dr_epochs_find(&m->st->epochs, id)->note_bytes != note->len)
		return false;
	fill(want, note);
	for (at = 0; at < note->len; at += r) {
		r = dr_note_get(m->st, id, at, got + at, step, &total);
		if (r <= 0 || total != note->len || r > note->len - at)
			return false;
	}
	return !memcmp(want, got, note->len) &&
	       dr_note_get(m->st, id, at, got, 1, &total) ==
	       (note->len ? -ERANGE : -ENODATA);
}

void verify_notes(struct model *m)
{
	u32 i;

	for (i = 0; i < m->o.nr && !dead(m); i++) {
		const struct or_epoch *e = m->o.e[i];

		if (e->sealed && !e->dropped &&
		    !(m->pend == PEND_DROP && m->pend_other == e->id) &&
		    !is_note(m, e->id, &e->note))
			fail(m, "note of epoch %u is not the one of %u bytes",
			     e->id, e->note.len);
	}
}

void adopt_note(struct model *m)
{
	struct or_epoch *e = or_find(&m->o, m->note_epoch);

	if (e && e->sealed && !e->dropped &&
	    is_note(m, m->note_epoch, &m->note_next))
		e->note = m->note_next;
	m->note_epoch = 0;
}
