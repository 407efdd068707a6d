// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - looking at the past, with and without rules, while history goes on.
 *
 * What a view shows is worked out by the oracle when it is opened, and must be
 * the same until it is closed, whatever is dropped, reclaimed, merged or
 * rolled back meanwhile.
 */
#include "model.h"

/* --- what the oracle says of rules ------------------------------------------- */

static bool covered(const struct dr_rule *r, u64 block, u32 epoch)
{
	return block - r->block < r->len && epoch >= r->from && epoch <= r->to;
}

static bool excluded(const struct or_rules *rs, u64 block, u32 epoch, u32 cut)
{
	u32 i;

	if (epoch >= cut)
		return true;
	for (i = 0; i < rs->nr; i++)
		if (covered(rs->rule + i, block, epoch))
			return true;
	return false;
}

/* First epoch from which on a block loses everything */
static u32 cut_of(const struct model *m, const struct or_rules *rs, u64 block)
{
	const struct or_epoch *e;
	u32 i, cut = ~0u;

	for (e = or_find(&m->o, rs->epoch); e; e = or_find(&m->o, e->parent)) {
		if (!e->ver[block] || e->ver[block]->kept)
			continue;
		for (i = 0; i < rs->nr; i++)
			if (rs->rule[i].drop_later &&
			    covered(rs->rule + i, block, e->id))
				cut = min(cut, rs->rule[i].from);
	}
	return cut;
}

const struct or_ver *survivor(const struct model *m, const struct or_rules *rs,
			      u64 block)
{
	u32 cut = cut_of(m, rs, block);
	const struct or_epoch *e;

	for (e = or_find(&m->o, rs->epoch); e; e = or_find(&m->o, e->parent))
		if (e->ver[block] && !excluded(rs, block, e->id, cut))
			return e->ver[block];
	return NULL;
}

int random_rule(struct model *m, const struct dr_lineage *l, u32 epoch,
		struct dr_rule *rule)
{
	u32 from = random_sealed(m, epoch), to = random_sealed(m, epoch);
	u64 start = rnd(&m->rng, m->o.nr_sectors), len;
	int r;

	if (!from)
		return -ENOENT;
	len = 1 + rnd(&m->rng, m->o.nr_sectors - start);
	if (chance(&m->rng, 40)) {
		start = 0;
		len = m->o.nr_sectors;
	}
	r = dr_rule_make(m->st, l, epoch, rule, start, len, min(from, to),
			 max(from, to), chance(&m->rng, 35));
	if (r && r != -ENODATA)
		fail(m, "rule: %d", r);
	return r;
}

/* --- lookups ------------------------------------------------------------------ */

static int look(struct model *m, const struct dr_recipe *rc, u64 block, u64 max,
		struct dr_state *s, bool *mixed)
{
	struct dr_snap snap;
	struct dr_want want;
	int r;

	dr_store_snap(m->st, &snap);
	for (;;) {
		m->env.enter(m->env.ctx);
		r = dr_recipe_lookup(&m->env, &snap, rc, block, max,
				     m->st->slot_blocks, s, mixed, &want);
		m->env.leave(m->env.ctx);
		if (r != -EAGAIN)
			break;
		r = dr_tree_load(&m->env, m->st->uuid, &want);
		if (r)
			break;
	}
	if (check_ret(m, "view", r) < 0)
		return -EIO;
	if (!s->len || s->len > max)
		fail(m, "view of %llu: length %llu of %llu", ull(block),
		     ull(s->len), ull(max));
	return 0;
}

static void compare(struct model *m, const struct view *v,
		    const struct dr_state *s, u64 block)
{
	u64 sector = block * m->spb, i, val;

	for (i = 0; i < s->len * m->spb && sector < m->o.nr_sectors;
	     i++, sector++) {
		val = read_sector(m, s, block, i);
		if (val != v->val[sector])
			fail(m, "view of %u, %u rules: sector %llu is %llx, was %llx (slot %llu)",
			     v->rc.epoch, v->rc.rules.nr, ull(sector), ull(val),
			     ull(v->val[sector]), ull(s->slot));
	}
}

static void verify_one(struct model *m, const struct view *v)
{
	struct dr_state s;
	u64 b, max;
	bool mixed;

	for (b = 0; b < m->o.nr_blocks; b += s.len) {
		max = m->o.nr_blocks - b;
		if (chance(&m->rng, 50))
			max = 1 + rnd(&m->rng, max);
		if (look(m, &v->rc, b, max, &s, &mixed))
			return;
		compare(m, v, &s, b);
	}
}

void verify_views(struct model *m)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(m->view); i++)
		if (m->view[i].val)
			verify_one(m, m->view + i);
}

/* A read that is under way for a while: its slot must stay what it is. */
static int read_some(struct model *m, const struct view *v)
{
	u64 block = rnd(&m->rng, m->o.nr_blocks), s0 = block * m->spb;
	struct dr_state s;
	struct io *io;
	bool mixed;
	u32 i;

	if (look(m, &v->rc, block, 1, &s, &mixed))
		return -EIO;
	if (s.slot == DR_SLOT_ZERO)
		return 0;
	io = io_start(m, IO_READ, block, 1, s.slot, s.epoch);
	for (i = 0; i < m->spb && s0 + i < m->o.nr_sectors; i++)
		io->val[i] = v->val[s0 + i];
	return 0;
}

/* --- opening and closing ------------------------------------------------------- */

static void close_view(struct model *m, struct view *v)
{
	say(m, "close the view of %u", v->rc.epoch);
	dr_recipe_close(m->st, &v->rc);
	free(v->val);
	memset(v, 0, sizeof(*v));
}

void close_views(struct model *m)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(m->view); i++)
		if (m->view[i].val)
			close_view(m, m->view + i);
}

/* Does a view need the epoch? */
bool is_viewed(const struct model *m, u32 epoch)
{
	const struct dr_recipe *rc;
	u32 i, k;

	for (i = 0; i < ARRAY_SIZE(m->view); i++) {
		rc = &m->view[i].rc;
		if (!m->view[i].val)
			continue;
		if (rc->epoch == epoch)
			return true;
		for (k = 0; k < rc->rules.nr; k++)
			if (rc->rules.rule[k].from == epoch ||
			    rc->rules.rule[k].to == epoch ||
			    rc->rules.rule[k].before == epoch)
				return true;
	}
	return false;
}

/* The same rule once more, from its blocks */
static void add_rule(struct model *m, struct dr_recipe *rc,
		     const struct dr_rule *rule)
{
	u64 start = rule->block * m->spb;
	u64 len = min(rule->len * m->spb, m->o.nr_sectors - start);
	int r = dr_recipe_add(m->st, rc, start, len, rule->from, rule->to,
			      rule->drop_later);

	if (r)
		fail(m, "rule of a view: %d", r);
}

static void remember(struct model *m, struct view *v)
{
	struct or_rules rs = { v->rc.epoch, v->rc.rules.rule, v->rc.rules.nr };
	const struct or_ver *ver = NULL;
	u64 s;

	v->val = calloc(m->o.nr_sectors, sizeof(*v->val));
	for (s = 0; s < m->o.nr_sectors; s++) {
		if (!(s % m->spb))
			ver = survivor(m, &rs, s / m->spb);
		v->val[s] = or_sector(&m->o, ver, s);
	}
}

static void open_view(struct model *m, struct view *v)
{
	u32 epoch = chance(&m->rng, 5) ? 0 : random_sealed(m, 0);
	u32 n = chance(&m->rng, 30) ? 0 : rnd(&m->rng, 6);
	struct dr_rule rule;
	int r = dr_recipe_open(m->st, &v->rc, epoch);

	if (r == -EBUSY && !epoch && m->fold)
		return;
	if (r)
		fail(m, "view of %u: %d", epoch, r);
	while (epoch && n--)
		if (!random_rule(m, v->rc.lineage, epoch, &rule))
			add_rule(m, &v->rc, &rule);
	if (dr_recipe_ready(m->st, &v->rc))
		fail(m, "view of %u: no memory", epoch);
	say(m, "view of %u, %u rules", epoch, v->rc.rules.nr);
	remember(m, v);
}

/* As many as there can be; no control record is pending. */
void open_views(struct model *m)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(m->view); i++)
		if (!m->view[i].val)
			open_view(m, m->view + i);
}

/* What may not be looked at: the head, what is dropped or being made */
static void open_wrongly(struct model *m)
{
	u32 i = rnd(&m->rng, m->st->epochs.nr);
	const struct dr_epoch *e = m->st->epochs.e + i;
	struct dr_recipe rc = {};
	int want = e->state == DR_EPOCH_HEAD ? -EBUSY :
		   e->state == DR_EPOCH_BUILDING ? -EINPROGRESS : -ENOENT;

	if (e->gone || e->state == DR_EPOCH_SEALED)
		return;
	if (dr_recipe_open(m->st, &rc, e->id) != want)
		fail(m, "view of %u in state %u", e->id, e->state);
}

int op_view(struct model *m)
{
	struct view *v = m->view + rnd(&m->rng, ARRAY_SIZE(m->view));

	open_wrongly(m);
	if (!v->val) {
		/* No change of the epochs is under way then. */
		if (ctl_pump(m))
			return -EIO;
		open_view(m, v);
		if (v->val)
			verify_one(m, v);
		return dead(m) ? -EIO : 0;
	}
	if (chance(&m->rng, 40))
		return read_some(m, v);
	verify_one(m, v);
	if (!dead(m) && chance(&m->rng, 40))
		close_view(m, v);
	return dead(m) ? -EIO : 0;
}

/* --- against a replay that was applied ------------------------------------------ */

/*
 * The replay that was committed on top of @sealed, and a view of that epoch
 * with the same rules: the same slot for each block.
 */
void verify_preview(struct model *m, u32 sealed, u32 replay, u64 mixed)
{
	struct dr_recipe before = {}, after = {};
	struct dr_state x, y;
	bool is_mixed, no;
	u64 b, n = 0;
	u32 i;
	int r;

	r = dr_recipe_open(m->st, &before, sealed);
	if (!r)
		r = dr_recipe_open(m->st, &after, replay);
	if (r)
		fail(m, "preview: %d", r);
	for (i = 0; i < m->nr_rules; i++)
		add_rule(m, &before, m->rule + i);
	if (dr_recipe_ready(m->st, &before))
		fail(m, "preview: no memory");
	for (b = 0; b < m->o.nr_blocks; b++) {
		if (look(m, &before, b, 1, &x, &is_mixed) ||
		    look(m, &after, b, 1, &y, &no))
			break;
		n += is_mixed;
		if (x.slot != y.slot)
			fail(m, "preview: block %llu in slot %llu, applied %llu",
			     ull(b), ull(x.slot), ull(y.slot));
	}
	if (!dead(m) && n != mixed)
		fail(m, "preview: %llu mixed, applied %llu", ull(n), ull(mixed));
	dr_recipe_close(m->st, &before);
	dr_recipe_close(m->st, &after);
}
