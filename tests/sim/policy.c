// SPDX-License-Identifier: GPL-2.0
/*
 * policy.c - marks, and drops by a policy: each is one commit (K5), so a crash
 * finds all of it or nothing. Which epochs a policy names is for the unit tests.
 */
#include <stdlib.h>

#include "model.h"
#include "retain.h"
#include "seen.h"

static struct dr_policy policy;
static u32 ids[4], max_ids, nr_dropped;
static u8 set, clear;
static u32 to_mark;

static int drop_now(struct dr_store *st)
{
	return max_ids ? dr_retain_drop_oldest(st, &policy, max_ids, ids,
					       &nr_dropped) :
			 dr_retain_drop(st, &policy, &nr_dropped);
}

static int mark_now(struct dr_store *st)
{
	return dr_mark(st, to_mark, set, clear);
}

static void pick(struct model *m)
{
	u32 k;

	policy = (struct dr_policy){
		.drops = true, .newest = rnd(&m->rng, 4),
		.around = rnd(&m->rng, 3),
	};
	for (k = 0; k < DR_NR_PERIODS; k++)
		policy.keep[k] = chance(&m->rng, 30) ? rnd(&m->rng, 3) : 0;
	max_ids = chance(&m->rng, 40) ? 1 + rnd(&m->rng, 4) : 0;
}

/* Those that may go. Return: how many */
static u32 choose(struct model *m)
{
	const struct dr_epochs *t = &m->st->epochs;
	bool spare = max_ids && !dr_reclaim_ready(m->st);
	u8 *why = malloc(t->nr);
	struct or_epoch *o;
	u32 i, n = 0;

	if (max_ids)
		dr_retain_oldest(t, &policy, m->st->head, why);
	else
		dr_retain(t, &policy, m->st->head, why);
	for (i = 0; i < t->nr; i++) {
		if (why[i] != DR_KEEP_NOT ||
		    (spare && !dr_epoch_in_trees(m->st, t->e + i)))
			continue;
		o = or_find(&m->o, t->e[i].id);
		if (!o || !o->sealed || o->dropped || protects(m, o))
			fail(m, "a policy would drop epoch %u", t->e[i].id);
		o->going = true;
		n++;
	}
	free(why);
	return n;
}

u32 retain_done(struct model *m)
{
	bool over = false, dropped;
	struct or_epoch *o;
	u32 i, n = 0;

	for (i = 0; i < m->o.nr; i++) {
		o = m->o.e[i];
		if (!o->going)
			continue;
		o->going = false;
		dropped = dr_epochs_find(&m->st->epochs, o->id)->state ==
			  DR_EPOCH_DROPPED;
		/* The oldest, when there is no room for all */
		if (dropped && over)
			fail(m, "epoch %u is dropped, an older one is not",
			     o->id);
		over |= !dropped;
		o->dropped = dropped;
		n += dropped;
	}
	return n;
}

static int drop_some(struct model *m)
{
	u32 n, may;
	int r;

	pick(m);
	may = choose(m);
	r = step_or_not(m, drop_now);
	if (dead(m))
		return -EIO;
	n = retain_done(m);
	say(m, "a policy drops %u of %u: %d", n, may, r);
	if (r == -EAGAIN)
		return 0;
	if (r && r != -ENOSPC)
		fail(m, "drop by a policy: %d", r);
	if (n != nr_dropped)
		fail(m, "%u dropped, %u told", n, nr_dropped);
	if (n < may && !max_ids && !m->tight && m->st->space.free > 64)
		fail(m, "%u of %u dropped", n, may);
	return n;
}

static int mark_one(struct model *m)
{
	static const u8 marks[] = { DR_MARK_PINNED, DR_MARK_SUSPECT,
				    DR_MARK_LOOSE };
	struct or_epoch *o = or_find(&m->o, random_sealed(m, 0));
	u8 bit = marks[rnd(&m->rng, ARRAY_SIZE(marks))];
	int r;

	if (!o)
		return 0;
	to_mark = o->id;
	set = o->marks & bit ? 0 : bit;
	clear = set ? 0 : bit;
	o->marks_next = o->marks ^ bit;
	r = step_or_not(m, mark_now);
	if (dead(m))
		return -EIO;
	if (r && r != -EAGAIN && r != -ENOSPC)
		fail(m, "mark %u: %d", o->id, r);
	say(m, "mark %u with %u: %d", o->id, o->marks_next, r);
	o->marks = r ? o->marks : o->marks_next;
	o->marks_next = o->marks;
	return !r;
}

void adopt_marks(struct model *m)
{
	const struct dr_epoch *e;
	struct or_epoch *o;
	u32 i;

	for (i = 0; i < m->o.nr; i++) {
		o = m->o.e[i];
		e = dr_epochs_find(&m->st->epochs, o->id);
		if (e && e->marks == o->marks_next)
			o->marks = o->marks_next;
		o->marks_next = o->marks;
	}
}

bool protects(const struct model *m, const struct or_epoch *o)
{
	return (*o->label && !(o->marks & DR_MARK_LOOSE)) ||
	       o->marks & (DR_MARK_PINNED | DR_MARK_SUSPECT) ||
	       o->id == m->start || o->id == m->fold ||
	       is_viewed(m, o->id);
}

int op_retain(struct model *m)
{
	int r = ctl_pump(m);

	if (!r)
		r = release(m);
	if (r || m->st->replay)
		return r;
	r = chance(&m->rng, 50) ? mark_one(m) : drop_some(m);
	if (r <= 0)
		return r;
	commit_made(m);
	return 0;
}
