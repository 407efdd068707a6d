// SPDX-License-Identifier: GPL-2.0
/*
 * begin.c - activations that go back to where the device begins (B1-B5).
 */
#include "model.h"

int op_start(struct model *m)
{
	u32 id = chance(&m->rng, 20) ? 0 : random_sealed(m, 0);
	int r = ctl_pump(m);

	if (!r)
		r = release(m);
	/* The drop that was pending may have been of this one. */
	if (r || (id && or_find(&m->o, id)->dropped))
		return r;
	m->start_next = id;
	r = check_ret(m, "start", dr_start_set(m->st, id));
	say(m, "begins with %u: %d", id, r);
	if (r)
		return r;
	m->start = id;
	commit_made(m);
	return 0;
}

u32 head_found(struct model *m, u32 was)
{
	const struct dr_epoch *h = dr_epochs_find(&m->st->epochs, m->st->head);
	const struct or_epoch *o = or_find(&m->o, h->id);
	bool open = m->pend == PEND_SEAL || m->pend == PEND_ROLLBACK ||
		    m->pend == PEND_REPLAY;
	bool lost = open && !dr_epochs_find(&m->st->epochs, was);

	/*
	 * The number of a head whose record was lost is given out again: it is
	 * that of the record if that stood where this one stands.
	 */
	if (open && h->id == was && o->parent != h->parent)
		lost = true;
	else if (o)
		return h->id;
	return lost ? m->pend_sealed : was;
}

/* Does the activation discard it (B4)? */
static bool discards(const struct model *m, const struct or_epoch *o)
{
	return m->mode == DR_START_DISCARD && m->since && o->id >= m->since &&
	       !protects(m, o);
}

static void adopt_drops(struct model *m)
{
	const struct dr_epoch *e;
	struct or_epoch *o;
	bool drop, dropped;
	u32 i;

	/* Then nobody can tell whether a policy has dropped it before. */
	for (i = 0; i < m->o.nr; i++)
		if (discards(m, m->o.e[i]))
			m->o.e[i]->going = false;
	retain_done(m);
	for (i = 0; i < m->o.nr; i++) {
		o = m->o.e[i];
		if (!o->sealed || o->dropped)
			continue;
		e = dr_epochs_find(&m->st->epochs, o->id);
		drop = discards(m, o);
		dropped = e && e->state == DR_EPOCH_DROPPED;
		if (!e || dropped != drop)
			fail(m, "epoch %u is %s", o->id,
			     drop ? "not discarded" : "dropped");
		o->dropped = drop;
	}
}

void adopt_start(struct model *m, u32 found)
{
	u32 head = m->st->head, b;
	const struct dr_epoch *h = dr_epochs_find(&m->st->epochs, head);
	struct dr_start s;

	dr_start_get(m->st, &s);
	if (s.epoch != m->start && s.epoch != m->start_next)
		fail(m, "begins with %u, not %u", s.epoch, m->start);
	m->start = s.epoch;
	m->start_next = s.epoch;
	if (head != found) {
		say(m, "has gone back to %u, head %u", h->parent, head);
		or_exact(&m->o, found);
		or_add(&m->o, head, h->parent);
	}
	if (m->mode != DR_START_ORDINARY) {
		/* While the base is being written, what it is going to be */
		u32 on = m->start ? m->start : m->fold;

		if (h->parent != on)
			fail(m, "head %u stands on %u, not %u", head, h->parent,
			     on);
		for (b = 0; b < m->o.nr_blocks; b++) {
			const struct or_ver *v = or_find(&m->o, head)->ver[b];

			/* What a commit left of an epoch that is gone is no write. */
			if (v && !v->kept)
				fail(m, "head %u is not empty", head);
		}
	} else if (head != found) {
		fail(m, "gone back from %u to %u", found, h->parent);
	}
	adopt_drops(m);
	m->since = m->mode == DR_START_DISCARD ? head : 0;
}
