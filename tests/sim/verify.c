// SPDX-License-Identifier: GPL-2.0
/*
 * verify.c - the store against the oracle.
 */
#include "model.h"

/* One state against the oracle's content of @epoch */
static void compare(struct model *m, const struct dr_state *s, u32 epoch,
		    u64 block, u64 n, const char *how)
{
	const struct or_ver *v = NULL;
	u64 sector = block * m->spb, i, val;

	for (i = 0; i < n * m->spb && sector < m->o.nr_sectors; i++, sector++) {
		if (!(i % m->spb))
			v = or_state(&m->o, epoch, sector / m->spb);
		val = read_sector(m, s, block, i);
		if (val == or_sector(&m->o, v, sector))
			continue;
		fail(m, "%s: epoch %u sector %llu is %llx, should be %llx (slot %llu of epoch %u)",
		     how, epoch, ull(sector), ull(val),
		     ull(or_sector(&m->o, v, sector)), ull(s->slot), s->epoch);
	}
}

static void verify_view(struct model *m, const struct dr_lineage *l, u32 epoch)
{
	u64 b = 0, max;
	struct dr_snap snap;
	struct dr_state s;

	dr_store_snap(m->st, &snap);
	while (b < m->o.nr_blocks) {
		max = m->o.nr_blocks - b;
		if (chance(&m->rng, 50))
			max = 1 + rnd(&m->rng, max);
		if (lookup(m, &snap, l, epoch, b, max, &s))
			return;
		compare(m, &s, epoch, b, s.len, "lookup");
		b += s.len;
	}
}

/*
 * Is a version of a dropped epoch needed? What the head wrote counts when it is
 * sealed: until then its parent counts as one that sees.
 */
static bool is_needed(const struct model *m, u32 epoch, u64 block)
{
	const struct or_epoch *e;
	u32 i;

	for (i = 0; i < m->o.nr; i++) {
		e = m->o.e[i];
		if (!e->dropped && or_writer(&m->o, e->id, block) == epoch)
			return true;
		if (e->id == m->st->head &&
		    or_writer(&m->o, e->parent, block) == epoch)
			return true;
	}
	return false;
}

/* Dropped epochs that stay have versions: @full, by table position */
static void verify_no_empty(struct model *m, const bool *full)
{
	const struct dr_epochs *t = &m->st->epochs;
	u32 i;

	for (i = 0; i < t->nr; i++)
		if (t->e[i].state == DR_EPOCH_DROPPED && !full[i])
			fail(m, "reclaim has left epoch %u, which is empty",
			     t->e[i].id);
}

/* R3: a reclaim that says that it is done has left nothing behind. */
void verify_reclaimed(struct model *m)
{
	const struct dr_epoch *e;
	struct dr_cursor c;
	const void *entry;
	struct dr_map v;
	bool *full;
	u64 b;
	int r;

	/* What is in memory is visited when it has been merged. */
	if (m->st->replay || m->fold || m->st->ctl_state != DR_CTL_NONE ||
	    m->st->active->used || m->st->frozen)
		return;
	full = calloc(m->st->epochs.nr, sizeof(*full));
	r = dr_cursor_init(&c, &m->env, m->st->uuid, &dr_tree_map, &m->st->map);
	if (!r)
		r = dr_cursor_ge(&c, dr_map_key(0, 0), &entry);
	for (; r == 1; r = dr_cursor_next(&c, &entry)) {
		dr_map_decode(&v, entry);
		e = dr_epochs_find(&m->st->epochs, v.epoch);
		if (e)
			full[e - m->st->epochs.e] = true;
		/* The oracle does not know where a commit keeps what. */
		if (!e || e->state != DR_EPOCH_DROPPED ||
		    e->flags & DR_EPOCH_SHARES)
			continue;
		for (b = v.block; b < v.block + v.len; b++)
			if (!is_needed(m, v.epoch, b))
				fail(m, "reclaim has left block %llu of epoch %u",
				     ull(b), v.epoch);
	}
	dr_cursor_exit(&c);
	if (!r)
		verify_no_empty(m, full);
	free(full);
}

void verify_head(struct model *m)
{
	verify_view(m, m->st->lineage, m->st->head);
}

/* The same from the trees alone; everything is merged */
static void verify_tree(struct model *m, const struct dr_lineage *l, u32 epoch)
{
	struct dr_cursor c;
	struct dr_state s;
	u64 b;
	int r;

	r = dr_cursor_init(&c, &m->env, m->st->uuid, &dr_tree_map, &m->st->map);
	for (b = 0; !r && b < m->o.nr_blocks; b += s.len) {
		r = dr_map_state(&c, l, epoch, b, m->o.nr_blocks - b,
				 m->st->slot_blocks, &s);
		if (!r)
			compare(m, &s, epoch, b, s.len, "state");
	}
	dr_cursor_exit(&c);
	check_ret(m, "state", r);
}

static void verify_records(struct model *m)
{
	const struct dr_epoch *e;
	const struct or_epoch *x;
	u32 i;

	for (i = 0; i < m->st->epochs.nr; i++) {
		e = m->st->epochs.e + i;
		if (!e->gone && e->state != DR_EPOCH_DROPPED &&
		    e->state != DR_EPOCH_BUILDING && !or_find(&m->o, e->id))
			fail(m, "epoch %u is new", e->id);
	}
	for (i = 0; i < m->o.nr; i++) {
		x = m->o.e[i];
		e = dr_epochs_find(&m->st->epochs, x->id);
		if (!e)
			fail(m, "epoch %u is missing", x->id);
		if (x->sealed && x->marks != e->marks)
			fail(m, "epoch %u: marks %u, should be %u", x->id,
			     e->marks, x->marks);
		if (x->sealed && strcmp(x->label, e->label))
			fail(m, "epoch %u: label '%s', should be '%s'", x->id,
			     e->label, x->label);
		if (x->sealed && !x->dropped && e->state != DR_EPOCH_SEALED &&
		    !(m->pend == PEND_DROP && m->pend_other == x->id))
			fail(m, "epoch %u: state %u", x->id, e->state);
		if (e->held && !is_viewed(m, x->id) && x->id != m->fold)
			fail(m, "epoch %u: held by nobody", x->id);
		if (e->parent != x->parent)
			fail(m, "epoch %u: parent %u, should be %u", x->id,
			     e->parent, x->parent);
	}
}

void verify_epochs(struct model *m)
{
	bool merged = !m->st->frozen && !m->st->active->used;
	struct dr_lineage *l;
	u32 i;

	verify_records(m);
	for (i = 0; i < m->o.nr && !dead(m); i++) {
		const struct or_epoch *e = m->o.e[i];

		if (!e->sealed || e->dropped)
			continue;
		l = dr_lineage_make(&m->st->epochs, &m->env, e->id);
		verify_view(m, l, e->id);
		if (merged)
			verify_tree(m, l, e->id);
		m->env.free(m->env.ctx, l);
	}
}

/* --- diff ---------------------------------------------------------------- */

static bool differs(struct model *m, u32 a, u32 b, u64 block)
{
	return !or_same(&m->o, or_state(&m->o, a, block),
			or_state(&m->o, b, block), block);
}

void verify_diff(struct model *m, u32 from, u32 to)
{
	u8 *in = calloc(1, m->o.nr_blocks);
	u64 cursor = 0, b, last = 0;
	struct dr_range out[16];
	u32 max = 1 + rnd(&m->rng, 16);
	int i, n;

	while (cursor != ~0ULL) {
		n = dr_diff(m->st, from, to, cursor, out, max, &cursor);
		if (check_ret(m, "diff", n) < 0)
			goto out;
		for (i = 0; i < n; i++) {
			if (!out[i].len || out[i].block < last ||
			    out[i].block + out[i].len > m->o.nr_blocks)
				fail(m, "diff: range %llu+%llu after %llu",
				     ull(out[i].block), ull(out[i].len),
				     ull(last));
			last = out[i].block + out[i].len;
			memset(in + out[i].block, 1, out[i].len);
		}
	}
	for (b = 0; b < m->o.nr_blocks; b++) {
		if (in[b] == differs(m, from, to, b))
			continue;
		if (!in[b] || or_state(&m->o, from, b) ==
			      or_state(&m->o, to, b))
			fail(m, "diff %u %u: block %llu %s", from, to, ull(b),
			     in[b] ? "is the same" : "is missing");
	}
out:
	free(in);
}

/* --- space --------------------------------------------------------------- */

#define OWN_FIXED	1ULL
#define OWN_NODE	2ULL
#define OWN_DATA	16ULL	/* + block that it belongs to */

struct walk {
	struct model *m;
	u64 *own;
	u64 nodes;
	u64 entries;
	u64 next;		/* runs of the map begin here or later */
	u64 run;
};

static void own(struct walk *w, u64 block, u64 who)
{
	if (block >= w->m->st->space.nr_blocks)
		fail(w->m, "block %llu is outside", ull(block));
	if (w->own[block] && (who < OWN_DATA || w->own[block] != who))
		fail(w->m, "block %llu belongs to %llx and %llx", ull(block),
		     ull(w->own[block]), ull(who));
	w->own[block] = who;
}

static void walk_map(struct walk *w, const struct dr_disk_map *d)
{
	struct dr_map e;
	u32 i, k, n = w->m->st->slot_blocks;

	dr_map_decode(&e, d);
	if (e.block != w->run && e.block < w->next)
		fail(w->m, "runs overlap at block %llu", ull(e.block));
	if (e.block == w->run && e.block + e.len != w->next && w->entries)
		fail(w->m, "versions of unequal length at %llu", ull(e.block));
	w->run = e.block;
	w->next = e.block + e.len;
	for (i = 0; dr_slot_is_data(e.slot) && i < e.len; i++)
		for (k = 0; k < n; k++)
			own(w, e.slot + i * n + k, OWN_DATA + e.block + i);
}

static void walk_node(struct walk *w, const struct dr_tree_type *t, u64 block,
		      u32 level)
{
	const struct dr_disk_node *n = sim_block(&w->m->disk, block);
	u32 i;

	if (!n || le16_to_cpu(n->level) != level)
		fail(w->m, "node %llu is missing", ull(block));
	own(w, block, OWN_NODE);
	w->nodes++;
	for (i = 0; i < le16_to_cpu(n->nr); i++) {
		const struct dr_disk_child *c = (const void *)n->data;

		if (level)
			walk_node(w, t, le64_to_cpu(c[i].block), level - 1);
		else if (t == &dr_tree_map)
			walk_map(w, (const struct dr_disk_map *)n->data + i);
		w->entries += !level;
	}
}

static void walk_root(struct walk *w, const struct dr_tree_type *t,
		      const struct dr_root *r)
{
	w->entries = 0;
	w->run = ~0ULL;
	if (r->block)
		walk_node(w, t, r->block, r->level);
	if (w->entries != r->nr)
		fail(w->m, "tree %u has %llu entries, not %llu", t->id,
		     ull(w->entries), ull(r->nr));
}

/* Everything is merged and released, nothing is in flight. */
void verify_space(struct model *m)
{
	struct dr_store *st = m->st;
	struct walk w = { .m = m };
	u64 b, busy = 0;

	w.own = calloc(st->space.nr_blocks, sizeof(u64));
	for (b = 0; b < st->space.nr_blocks; b++)
		if (dr_space_fixed(&st->space, b))
			w.own[b] = OWN_FIXED;
	walk_root(&w, &dr_tree_map, &st->map);
	walk_root(&w, &dr_tree_index, &st->index);
	walk_root(&w, &dr_tree_epochs, &st->etree);
	walk_root(&w, &dr_tree_notes, &st->notes);
	for (b = 0; b < st->space.nr_blocks; b++) {
		if (dr_space_is_disk(&st->space, b) != !!w.own[b])
			fail(m, "block %llu: disk bit %d, owner %llx", ull(b),
			     dr_space_is_disk(&st->space, b), ull(w.own[b]));
		if (dr_space_is_busy(&st->space, b) != (w.own[b] || m->lost[b]))
			fail(m, "block %llu: busy bit %d, owner %llx", ull(b),
			     dr_space_is_busy(&st->space, b), ull(w.own[b]));
		busy += w.own[b] || m->lost[b];
	}
	if (busy + st->space.free != st->space.nr_blocks || st->space.pending)
		fail(m, "%llu busy, %llu free, %llu pending", ull(busy),
		     ull(st->space.free), ull(st->space.pending));
	if (w.nodes != st->space.nodes)
		fail(m, "%llu nodes, not %llu", ull(w.nodes),
		     ull(st->space.nodes));
	free(w.own);
}
