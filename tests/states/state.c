// SPDX-License-Identifier: GPL-2.0
/*
 * state.c - one state: opened, checked, activated, held against the marks.
 *
 * What was asked for and not answered is there wholly or not at all; what was
 * answered is there. Which of the two it is the store says once, by its head,
 * its table and its superblock, and all else has to agree with that.
 */
#include <stdarg.h>

#include "states.h"

#define MEM_ENTRIES	512u

static const char *wrong(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static const char *wrong(const char *format, ...)
{
	static char text[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return text;
}

/* --- contents ------------------------------------------------------------------ */

static int lookup(const struct trial *t, const struct dr_store *st,
		  const struct dr_lineage *l, u32 epoch, u64 block,
		  struct dr_state *s)
{
	struct dr_want want;
	struct dr_snap snap;
	int r;

	dr_store_snap(st, &snap);
	for (;;) {
		r = dr_map_lookup(&t->env, &snap, l, epoch, block,
				  st->nr_map_blocks - block, st->slot_blocks, s,
				  &want);
		if (r != -EAGAIN)
			return r;
		r = dr_tree_load(&t->env, st->uuid, &want);
		if (r)
			return r;
	}
}

/* Where sector @i of what the state shows lies in the image; ~0: zeroes */
static u32 image_at(const struct trial *t, const struct dr_state *s, u64 block,
		    u32 i)
{
	if (s->slot == DR_SLOT_ZERO)
		return ~0u;
	if (s->slot == DR_SLOT_ORIGIN)
		return block * PER_BLOCK + i;
	return t->log->origin.nr + s->slot * PER_BLOCK + i;
}

/* @exact: what each sector must hold; NULL: it is the head after a cut */
static const char *check_sectors(const struct trial *t, u32 epoch,
				 const struct dr_state *s, u64 block,
				 const u64 *exact)
{
	const struct want *w = t->want;
	u32 x = block * PER_BLOCK, i, at;
	u64 key;

	for (i = 0; i < s->len * PER_BLOCK && x < w->nr_sectors; i++, x++) {
		at = image_at(t, s, block, i);
		key = at == ~0u ? KEY_ZERO : t->log->key[t->disk->img[at]];
		if (exact ? key == exact[x] : want_head(w, x, key))
			continue;
		return wrong("epoch %u, sector %u: %llx, not %llx%s (version of %u, slot %llu)",
			     epoch, x, ull(key),
			     ull(exact ? exact[x] : w->durable[x]),
			     exact ? "" : " or later", s->epoch, ull(s->slot));
	}
	return NULL;
}

static const char *check_epoch(const struct trial *t, const struct dr_store *st,
			       u32 epoch, const u64 *exact)
{
	struct dr_lineage *l = dr_lineage_make(&st->epochs, &st->env, epoch);
	const char *why = NULL;
	struct dr_state s;
	u64 b;
	int r;

	for (b = 0; !why && b < st->nr_map_blocks; b += s.len) {
		r = lookup(t, st, l, epoch, b, &s);
		if (r || !s.len)
			why = wrong("epoch %u, block %llu: lookup %d", epoch,
				    ull(b), r);
		else
			why = check_sectors(t, epoch, &s, b, exact);
	}
	free(l);
	return why;
}

/* --- epochs ---------------------------------------------------------------------- */

/* What the store says of whatever was under way */
struct outcome {
	bool moved;		/* there is a new head */
	bool begun;		/* the commit that was asked for */
	u32 made;		/* the replay's epoch, if it is done */
	u32 base;
};

static const struct dr_epoch *retained(const struct dr_store *st, u32 id)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, id);

	return e && e->state != DR_EPOCH_DROPPED &&
	       e->state != DR_EPOCH_BUILDING ? e : NULL;
}

static const char *find_head(const struct trial *t, const struct dr_store *st,
			     struct outcome *o)
{
	const struct want *w = t->want;
	const struct dr_epoch *h = retained(st, st->head), *made;
	u32 parent;

	if (!h)
		return wrong("the head %u is not in the table", st->head);
	o->moved = st->head != w->head;
	if (!o->moved)
		return NULL;
	if (!w->asked || !strchr("crpq", w->asked))
		return wrong("the head is %u, should be %u", st->head, w->head);
	parent = w->asked == 'r' ? w->arg : w->head;
	if (w->asked == 'q') {
		o->made = h->parent;
		made = retained(st, o->made);
		if (!made || made->state != DR_EPOCH_SEALED ||
		    want_find(w, o->made) || made->parent != parent)
			return wrong("the new head %u stands on %u", st->head,
				     h->parent);
		return NULL;
	}
	if (h->parent != parent)
		return wrong("the new head %u stands on %u, not on %u",
			     st->head, h->parent, parent);
	return NULL;
}

static const char *find_commit(const struct trial *t, const struct dr_store *st,
			       struct outcome *o)
{
	const struct want *w = t->want;
	u32 asked = w->asked == 'm' ? w->arg : 0;
	u32 now = st->fold.epoch;

	o->base = le32_to_cpu(st->sb.base_epoch);
	if (now ? now != asked && now != w->fold :
		  o->base != (w->fold ? w->fold : w->base) &&
		  !(asked && o->base == asked))
		return wrong("commit of %u, the origin holds %u; should be %u, %u",
			     now, o->base, w->fold, w->base);
	o->begun = asked && (now == asked || o->base == asked);
	if (now && o->base != w->base)
		return wrong("the origin held %u, not %u, before the commit of %u",
			     w->base, o->base, now);
	return NULL;
}

static bool must_be(const struct want *w, const struct outcome *o,
		    const struct epoch *e)
{
	return !e->dropped && !(o->begun && e->below);
}

/* Nothing is there that should not be. */
static const char *check_table(const struct trial *t, const struct dr_store *st,
			       const struct outcome *o)
{
	const struct epoch *x;
	const struct dr_epoch *e;
	u32 i;

	for (i = 0; i < st->epochs.nr; i++) {
		e = st->epochs.e + i;
		if (!retained(st, e->id) || e->id == st->head ||
		    (o->made && e->id == o->made))
			continue;
		x = want_find(t->want, e->id);
		if (!x)
			return wrong("epoch %u came from nowhere", e->id);
		if (!must_be(t->want, o, x))
			return wrong("epoch %u was dropped", e->id);
		if (e->state != DR_EPOCH_SEALED)
			return wrong("epoch %u is in state %u", e->id,
				     e->state);
	}
	return NULL;
}

static const char *check_origin(const struct trial *t,
				const struct dr_store *st,
				const struct outcome *o)
{
	const struct want *w = t->want;
	const u64 *key = o->base == w->base ? w->origin :
			 want_find(w, o->base)->key;
	u64 is;
	u32 x;

	/* Neither what it was nor what it is going to be */
	if (st->fold.epoch)
		return NULL;
	for (x = 0; x < w->nr_sectors; x++) {
		is = t->log->key[t->disk->img[x]];
		if (is != key[x])
			return wrong("the origin, as of %u, sector %u: %llx, not %llx",
				     o->base, x, ull(is), ull(key[x]));
	}
	return NULL;
}

static const char *check_past(const struct trial *t, const struct dr_store *st,
			      const struct outcome *o)
{
	const struct want *w = t->want;
	const char *why = NULL;
	struct epoch *e;
	u32 i;

	for (i = 0; !why && i < w->nr; i++) {
		e = w->e + i;
		if (!must_be(w, o, e) || (e->id == w->head && !o->moved))
			continue;
		if (retained(st, e->id))
			why = check_epoch(t, st, e->id, e->key);
		else if (w->asked != 'd' || w->arg != e->id)
			why = wrong("epoch %u is missing", e->id);
	}
	return why;
}

static const char *check_want(const struct trial *t, const struct dr_store *st,
			      struct outcome *o)
{
	const char *why;

	memset(o, 0, sizeof(*o));
	why = find_head(t, st, o);
	if (!why)
		why = find_commit(t, st, o);
	if (!why)
		why = check_table(t, st, o);
	if (!why)
		why = check_past(t, st, o);
	if (!why)
		why = check_epoch(t, st, st->head, o->moved ? t->want->next_key :
							      NULL);
	if (!why && o->made)
		why = check_epoch(t, st, o->made, t->want->next_key);
	return why ? why : check_origin(t, st, o);
}

/* --- the way back ------------------------------------------------------------------ */

static const char *open_store(const struct trial *t, struct dr_store *st)
{
	struct dr_check ck = { 0 };
	int r;

	memset(st, 0, sizeof(*st));
	st->env = t->env;
	t->disk->reports = 0;
	r = dr_store_open(st, t->log->delta.nr / PER_BLOCK, MEM_ENTRIES);
	if (r)
		return wrong("open: %s (%s)", strerror(-r), t->disk->report);
	r = dr_check(st, &ck);
	if (!r && !ck.errors && !t->disk->reports)
		return NULL;
	dr_store_close(st);
	return wrong("check: %d, %llu errors (%s)", r, ull(ck.errors),
		     t->disk->report);
}

static void count_before(const struct trial *t, const struct dr_store *st)
{
	struct counts *c = t->counts;
	struct dr_journal j = st->journal;
	u8 buf[DR_BLOCK_SIZE];
	u32 i;

	c->fold += st->fold.epoch != 0;
	c->reclaim += dr_reclaim_pending(st) != 0;
	c->journal += dr_journal_read(&j, &st->env, st->uuid, (void *)buf) == 1;
	for (i = 0; i < st->epochs.nr; i++)
		c->replay += st->epochs.e[i].state == DR_EPOCH_BUILDING;
}

/* Open and activate; the power goes in the middle of that if @twice. */
static const char *recover(const struct trial *t, struct dr_store *st,
			   bool twice)
{
	const char *why;
	int r;

	for (;;) {
		why = open_store(t, st);
		if (why)
			return why;
		if (t->counts && !twice)
			count_before(t, st);
		t->disk->steps = 0;
		if (twice)
			t->disk->die_at = 1 + rnd(&t->disk->rng, 40);
		r = dr_store_activate(st);
		if (!t->disk->dead)
			break;
		dr_store_close(st);
		disk_cut_core(t->disk);
		twice = chance(&t->disk->rng, 30);
	}
	t->disk->die_at = 0;
	if (!r && !t->disk->reports)
		return NULL;
	dr_store_close(st);
	return wrong("activate: %d (%s)", r, t->disk->report);
}

static void copy_round(const struct trial *t, const struct dr_store *st)
{
	const struct dr_copy *c;
	u32 i, to, nr;

	for (i = 0; i < st->fold.nr; i++) {
		c = st->fold.copy + i;
		to = c->block * PER_BLOCK;
		nr = min((u32)(c->nr * PER_BLOCK), t->want->nr_sectors - to);
		if (c->slot == DR_SLOT_ZERO)
			disk_copy(t->disk, to, ~0u, nr);
		else if (c->slot != DR_SLOT_ORIGIN)
			disk_copy(t->disk, to, t->log->origin.nr +
				  c->slot * PER_BLOCK, nr);
	}
}

/* The commit that is under way ends, as commit.c does it. */
static int end_commit(const struct trial *t, struct dr_store *st)
{
	int r = 1;

	while (st->fold.epoch) {
		r = dr_fold_plan(st);
		/* The head begins a branch: that waits for a checkpoint. */
		if (r == -EBUSY)
			return 0;
		if (r < 0)
			return r;
		dr_store_release(st, false);
		if (!r)
			break;
		copy_round(t, st);
		do {
			r = dr_fold_apply(st);
			if (r < 0)
				return r;
			dr_store_release(st, false);
		} while (r);
	}
	return 0;
}

static int end_reclaim(struct dr_store *st)
{
	int r = 1;

	st->reclaim_wanted |= dr_reclaim_pending(st) != 0;
	while (st->reclaim_wanted && dr_reclaim_ready(st)) {
		r = dr_reclaim_step(st);
		if (r < 0)
			return r;
		dr_store_release(st, false);
	}
	return 0;
}

/* What is under way is brought to its end, and nothing else changes by it. */
static const char *go_on(const struct trial *t, struct dr_store *st,
			 const struct outcome *was)
{
	struct outcome now;
	const char *why;
	int r;

	r = end_reclaim(st);
	if (!r)
		r = end_commit(t, st);
	if (!r)
		r = end_reclaim(st);
	if (r)
		return wrong("going on: %s (%s)", strerror(-r),
			     t->disk->report);
	why = check_want(t, st, &now);
	if (!why && (now.moved != was->moved || now.made != was->made))
		why = wrong("the head has become another");
	return why;
}

const char *state_try(struct trial *t)
{
	struct counts *c = t->counts;
	struct outcome o, again;
	struct dr_store st;
	const char *why;

	why = recover(t, &st, t->twice);
	if (why)
		return why;
	why = check_want(t, &st, &o);
	if (!why && t->want->asked && (o.moved || o.begun))
		c->finished++;
	else if (!why && t->want->asked)
		c->unfinished++;
	if (!why && t->on)
		why = go_on(t, &st, &o);
	dr_store_close(&st);
	if (why || !(t->on || t->twice))
		return why;
	/* All of it is durable: what was not may be gone now. */
	disk_cut_core(t->disk);
	t->counts = NULL;
	why = recover(t, &st, false);
	t->counts = c;
	if (why)
		return why;
	why = check_want(t, &st, &again);
	if (!why && (again.moved != o.moved || again.begun != o.begun))
		why = wrong("it became another thing by being opened again");
	dr_store_close(&st);
	return why;
}
