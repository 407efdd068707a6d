// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - committing the past to the origin, round by round, while all else
 * goes on.
 *
 * The origin is a second disk with a cache of its own: what was not flushed is,
 * sector by sector, as before or as after. To the oracle nothing that is
 * retained changes: what was seen in the epochs that become the origin, or in
 * the origin, stays as a "kept" version of whoever saw it.
 */
#include "fold.h"
#include "model.h"

void origin_init(struct model *m)
{
	u64 s, nr = m->o.nr_blocks * m->spb;

	m->origin = calloc(nr, sizeof(*m->origin));
	m->origin_was = calloc(nr, sizeof(*m->origin_was));
	for (s = 0; s < nr; s++) {
		m->origin[s] = OR_ORIGIN | s;
		m->origin_was[s] = OR_ORIGIN | s;
	}
}

void origin_exit(struct model *m)
{
	free(m->origin);
	free(m->origin_was);
}

static void origin_flush(struct model *m)
{
	memcpy(m->origin_was, m->origin,
	       m->o.nr_blocks * m->spb * sizeof(*m->origin));
}

void origin_crash(struct model *m)
{
	u32 keep = rnd(&m->rng, 101);
	u64 s;

	for (s = 0; s < m->o.nr_blocks * m->spb; s++)
		if (!chance(&m->rng, keep))
			m->origin[s] = m->origin_was[s];
	origin_flush(m);
}

int origin_save(void *ctx, const struct dr_copy *copy)
{
	struct sim_disk *d = ctx;
	struct model *m = (void *)((u8 *)d - offsetof(struct model, disk));

	if (d->locked || d->inside)
		d->misuse++;
	return sim_write_data(d, copy->slot * DR_BLOCK_SECTORS,
			      copy->nr * m->spb,
			      m->origin + copy->block * m->spb);
}

/* --- the oracle --------------------------------------------------------------- */

static struct or_ver *kept(struct model *m, u32 id, u64 block)
{
	struct or_ver *v = calloc(1, sizeof(*v) + m->spb * sizeof(u64));
	u32 i;

	v->kept = true;
	v->slot = 1ULL << 50 | ++m->nr_kept;	/* no slot is compared with it */
	for (i = 0; i < m->spb; i++)
		v->val[i] = or_value(&m->o, id, block * m->spb + i);
	return v;
}

/* What is seen in the epochs up to @epoch stays with who sees it. */
void fold_begun(struct model *m, u32 epoch)
{
	struct or_ver *v;
	u64 b;
	u32 i, w;

	for (i = m->o.nr; i-- > 0;) {
		struct or_epoch *e = m->o.e[i];
		bool on_it = or_descends(&m->o, epoch, e->id);

		if (e->dropped || (on_it && e->id != epoch) ||
		    or_descends(&m->o, e->parent, epoch))
			continue;
		for (b = 0; b < m->o.nr_blocks; b++) {
			w = or_writer(&m->o, e->id, b);
			if (!on_it && !or_descends(&m->o, epoch, w))
				continue;
			v = kept(m, e->id, b);
			or_set(&m->o, e->id, b, v);
			free(v);
		}
	}
	for (i = 0; i < m->o.nr; i++)
		if (m->o.e[i]->id != epoch &&
		    or_descends(&m->o, epoch, m->o.e[i]->id))
			m->o.e[i]->dropped = true;
	m->fold = epoch;
	m->folded = true;
}

/* An epoch leaves the table: what it kept for others they keep themselves. */
void pass_on_kept(struct model *m, const struct or_epoch *gone)
{
	u64 b;
	u32 i;

	for (i = 0; i < m->o.nr; i++)
		for (b = 0; b < m->o.nr_blocks; b++)
			if (m->o.e[i]->parent == gone->id && gone->ver[b] &&
			    gone->ver[b]->kept &&
			    !m->o.e[i]->ver[b])
				or_set(&m->o, m->o.e[i]->id, b, gone->ver[b]);
}

/* Nothing of what the origin holds now is left on the delta. */
static void verify_folded(struct model *m)
{
	struct dr_cursor c;
	const void *entry;
	struct dr_map v;
	int r;

	r = dr_cursor_init(&c, &m->env, m->st->uuid, &dr_tree_map, &m->st->map);
	if (!r)
		r = dr_cursor_ge(&c, dr_map_key(0, 0), &entry);
	for (; r == 1; r = dr_cursor_next(&c, &entry)) {
		dr_map_decode(&v, entry);
		if (or_find(&m->o, v.epoch) &&
		    or_descends(&m->o, m->fold, v.epoch))
			fail(m, "the commit has left block %llu of epoch %u",
			     ull(v.block), v.epoch);
	}
	dr_cursor_exit(&c);
}

void fold_done(struct model *m)
{
	u64 s;

	say(m, "the past up to %u is the origin", m->fold);
	verify_folded(m);
	if (!m->o.base)
		m->o.base = calloc(m->o.nr_blocks * m->spb, sizeof(u64));
	for (s = 0; s < m->o.nr_sectors; s++) {
		m->o.base[s] = or_value(&m->o, m->fold, s);
		if (m->origin[s] != m->o.base[s])
			fail(m, "origin: sector %llu is %llx, should be %llx",
			     ull(s), ull(m->origin[s]), ull(m->o.base[s]));
	}
	m->fold = 0;
}

/* After a crash or a close: has it begun, or ended? */
void adopt_fold(struct model *m)
{
	u32 now = m->st->fold.epoch;

	if (!m->fold && now && now == m->fold_try)
		fold_begun(m, now);
	if (m->fold && !now)
		fold_done(m);
	if (m->fold != now)
		fail(m, "commit of %u under way, should be %u", now, m->fold);
	m->fold_try = 0;
	m->fold_phase = FOLD_PLAN;
}

/* --- the operation -------------------------------------------------------------- */

static u32 to_fold, refused_by;

static int begin_now(struct dr_store *st)
{
	return dr_fold_begin(st, to_fold, &refused_by);
}

/* Something was committed: what it gave up is given back before the next. */
void commit_made(struct model *m)
{
	m->release = true;
	m->release_final = false;
	m->release_era = ++m->era;
}

/* Somebody who may not go: named, where the device begins, or looked at */
static bool may_refuse(const struct model *m, int r)
{
	const struct or_epoch *who = or_find(&m->o, refused_by);

	if (r == -EPERM)
		return who && protects(m, who);
	return r == -ETXTBSY && is_viewed(m, refused_by);
}

static int begin(struct model *m)
{
	int r;

	to_fold = random_sealed(m, m->st->head);
	if (!to_fold || m->st->replay)
		return 0;
	r = ctl_pump(m);
	if (!r)
		r = merge_all(m);
	if (!r)
		r = release(m);
	if (r)
		return r;
	m->fold_try = to_fold;
	r = step_or_not(m, begin_now);
	if (dead(m))
		return -EIO;
	m->fold_try = 0;
	if (r == -EAGAIN || may_refuse(m, r))
		return 0;
	if (r)
		fail(m, "commit of %u: %d, because of %u", to_fold, r,
		     refused_by);
	say(m, "commit of %u begins", to_fold);
	fold_begun(m, to_fold);
	commit_made(m);
	return 0;
}

/* Somebody reads an epoch while what it shows is being put elsewhere. */
static int read_past(struct model *m)
{
	u64 block = rnd(&m->rng, m->o.nr_blocks), s0 = block * m->spb;
	u32 id = random_sealed(m, 0), i;
	struct dr_lineage *l;
	struct dr_snap snap;
	struct dr_state s;
	struct io *io;
	int r;

	if (!id)
		return 0;
	l = dr_lineage_make(&m->st->epochs, &m->env, id);
	dr_store_snap(m->st, &snap);
	r = lookup(m, &snap, l, id, block, 1, &s);
	m->env.free(m->env.ctx, l);
	if (r || s.slot == DR_SLOT_ZERO)
		return r;
	io = io_start(m, IO_READ, block, 1, s.slot, s.epoch);
	for (i = 0; i < m->spb && s0 + i < m->o.nr_sectors; i++)
		io->val[i] = or_value(&m->o, id, s0 + i);
	return 0;
}

static int plan_round(struct model *m)
{
	u32 n = rnd(&m->rng, 4);
	int r = 0;

	while (!r && n--)
		r = read_past(m);
	if (r)
		return r;
	r = step_or_not(m, dr_fold_plan);

	/* Branches keep what they see of the origin, in slots. */
	if (r == -EAGAIN || (r == -ENOSPC && m->tight))
		return 0;
	/* The head begins a branch, or what does is not merged yet. */
	if (r == -EBUSY)
		return op_checkpoint(m);
	say(m, "commit, plan: %d, %u copies", r, m->st->fold.nr);
	if (check_ret(m, "plan", r) < 0)
		return -EIO;
	commit_made(m);
	if (r)
		m->fold_phase = FOLD_COPY;
	else
		fold_done(m);
	return 0;
}

static int copy_one(struct model *m, const struct dr_copy *c)
{
	struct dr_state s = { .slot = c->slot };
	u64 b;
	u32 i;

	for (b = 0; b < c->nr; b++)
		for (i = 0; i < m->spb; i++)
			m->origin[(c->block + b) * m->spb + i] =
				read_sector(m, &s, c->block,
					    b * m->spb + i);
	return dead(m) ? -EIO : 0;
}

static int copy_round(struct model *m)
{
	u32 i, n = m->st->fold.nr;
	bool fails = chance(&m->rng, 15);

	if (fails)
		n = rnd(&m->rng, n + 1);
	for (i = 0; i < n; i++)
		if (m->st->fold.copy[i].slot != DR_SLOT_ORIGIN &&
		    copy_one(m, m->st->fold.copy + i))
			return -EIO;
	say(m, "commit, copy: %s", fails ? "failed" : "done");
	if (fails) {
		dr_fold_redo(m->st);
		m->fold_phase = FOLD_PLAN;
	} else {
		origin_flush(m);
		m->fold_phase = FOLD_APPLY;
	}
	return 0;
}

static int apply_round(struct model *m)
{
	int r = step_or_not(m, dr_fold_apply);

	if (r == -EAGAIN)
		return 0;
	say(m, "commit, apply: %d", r);
	if (check_ret(m, "apply", r) < 0)
		return -EIO;
	commit_made(m);
	if (!r)
		m->fold_phase = FOLD_PLAN;
	return 0;
}

int op_fold(struct model *m)
{
	int r;

	if (!m->fold)
		return chance(&m->rng, 25) ? begin(m) : 0;
	/* What a commit gave up is given back before the next one. */
	r = merge_all(m);
	if (!r)
		r = release(m);
	if (r)
		return r;
	switch (m->fold_phase) {
	case FOLD_PLAN:
		return m->st->replay ? 0 : plan_round(m);
	case FOLD_COPY:
		return copy_round(m);
	default:
		return apply_round(m);
	}
}
