// SPDX-License-Identifier: GPL-2.0
/*
 * map.c - lookups, see map.h.
 *
 * In the tree, runs of blocks are disjoint and every version of a run covers
 * all of it (M4). So the last entry <= (block, epoch) names the run that holds
 * the block, if there is one; when the run begins before the block, that entry
 * is the run's newest version at all, and a second search, from the run's
 * first block, finds the one that is wanted. An abandoned branch costs one
 * more search, however many versions it has. From there on the leaves are gone
 * through, for what continues it (M5).
 */
#include "map.h"

/* One search: where it ended, and the entry at or before the key */
struct probe {
	struct dr_spot spot;
	struct dr_map m;
	bool found;
};

static const struct dr_disk_map *entries(const struct dr_disk_node *leaf)
{
	return (const struct dr_disk_map *)leaf->data;
}

static bool until(const struct dr_disk_map *e, u64 block, u32 epoch)
{
	u64 b = dr_disk_map_block(e);

	return b == block ? le32_to_cpu(e->epoch) <= epoch : b < block;
}

#define LOW_STACK	4

/*
 * First entry of a leaf from @i on that comes after (block, epoch). It is looked
 * for near @i first, as most stacks are low (Bentley and Yao 1976, unbounded
 * search).
 */
static int first_after(const struct dr_disk_node *leaf, int i, u64 block,
		       u32 epoch)
{
	const struct dr_disk_map *e = entries(leaf);
	int nr = le16_to_cpu(leaf->nr), end = min(nr, i + LOW_STACK), step = 1;

	for (; i < end; i++)
		if (!until(e + i, block, epoch))
			return i;
	while (end < nr && until(e + end, block, epoch)) {
		i = end + 1;
		end += step;
		step *= 2;
	}
	end = min(end, nr);
	while (i < end) {
		int mid = (i + end) / 2;

		if (until(e + mid, block, epoch))
			i = mid + 1;
		else
			end = mid;
	}
	return i;
}

typedef int (*probe_fn)(void *arg, struct dr_key key, struct probe *p);

static void set_hole(struct dr_state *st, u64 len)
{
	memset(st, 0, sizeof(*st));
	st->slot = DR_SLOT_ORIGIN;
	st->len = len;
}

static void set_found(struct dr_state *st, const struct dr_map *m, u64 block,
		      u64 max, u32 slot_blocks)
{
	memset(st, 0, sizeof(*st));
	st->slot = dr_slot_plus(m->slot, block - m->block, slot_blocks);
	st->len = min(max, m->block + m->len - block);
	st->epoch = m->epoch;
	st->flags = m->flags;
}

/* A hole that begins at @block, up to what follows the entry before it */
static u64 hole_len(const struct dr_spot *spot, u64 block, u64 max)
{
	struct dr_map m;

	if (spot->leaf && spot->pos + 1 < le16_to_cpu(spot->leaf->nr)) {
		dr_map_decode(&m, entries(spot->leaf) + spot->pos + 1);
	} else if (spot->has_next) {
		/* Its length is in a leaf not at hand: 1 is always true. */
		m.block = spot->next.hi;
		m.len = 1;
	} else {
		return max;
	}
	/* A run at this very block, with newer versions only? */
	return min_t(u64, max, m.block <= block ? m.len : m.block - block);
}

/*
 * State according to the tree; @probe is the only thing that reads it, and @p
 * where that ended.
 */
static int tree_state(probe_fn probe, void *arg, const struct dr_lineage *l,
		      u32 epoch, u64 block, u64 max, u32 slot_blocks,
		      struct probe *p, struct dr_state *st)
{
	u64 run, run_len;
	u32 bound;
	int r;

	r = probe(arg, dr_map_key(block, epoch), p);
	if (r)
		return r;
	if (!p->found || p->m.block + p->m.len <= block) {
		set_hole(st, hole_len(&p->spot, block, max));
		return 0;
	}
	run = p->m.block;
	run_len = min(max, run + p->m.len - block);
	bound = epoch;
	for (;;) {
		/* Above the bound: the stack's top, seen from inside the run */
		if (p->m.epoch <= bound) {
			if (p->m.epoch == epoch ||
			    dr_lineage_has(l, p->m.epoch)) {
				set_found(st, &p->m, block, max, slot_blocks);
				return 0;
			}
			bound = dr_lineage_below(l, p->m.epoch);
			if (!bound)
				break;
		}
		r = probe(arg, dr_map_key(run, bound), p);
		if (r)
			return r;
		if (!p->found || p->m.block != run)
			break;
		/* Versions of a run are of one length, but in a damaged tree. */
		if (run + p->m.len <= block)
			return -EUCLEAN;
	}
	set_hole(st, run_len);
	return 0;
}

struct peek_arg {
	const struct dr_env *env;
	const struct dr_root *root;
	struct dr_want *want;
};

static void probe_fill(struct probe *p)
{
	const struct dr_spot *spot = &p->spot;

	p->found = spot->leaf && spot->pos >= 0;
	if (p->found)
		dr_map_decode(&p->m, entries(spot->leaf) + spot->pos);
}

static int probe_peek(void *arg, struct dr_key key, struct probe *p)
{
	struct peek_arg *a = arg;
	int r;

	r = dr_tree_seek(a->env, &dr_tree_map, a->root, key, &p->spot, a->want);
	if (!r)
		probe_fill(p);
	return r;
}

static int probe_cursor(void *arg, struct dr_key key, struct probe *p)
{
	struct dr_cursor *c = arg;
	const void *entry;
	int r;

	r = dr_cursor_le(c, key, &entry);
	if (r < 0)
		return r;
	p->spot = (struct dr_spot){
		.leaf = c->valid ? c->leaf : NULL, .pos = c->pos,
		.has_next = c->has_next, .next = c->next,
	};
	probe_fill(p);
	return 0;
}

int dr_map_state(struct dr_cursor *c, const struct dr_lineage *l, u32 epoch,
		 u64 block, u64 max, u32 slot_blocks, struct dr_state *st)
{
	struct probe p;

	return tree_state(probe_cursor, c, l, epoch, block, max, slot_blocks,
			  &p, st);
}

/* --- from run to run ---------------------------------------------------------- */

struct walk {
	const struct dr_env *env;
	const struct dr_root *root;
	struct dr_spot spot;
	int i;			/* entry of its leaf to go on from */
	u32 epoch;
	u64 block;		/* runs before this one are passed over */
	u64 seeks;		/* left; a damaged tree could go on for ever */
};

/* The runs that begin at @block or later; @p: the state before it was found there. */
static void walk_from(struct walk *w, const struct dr_env *env,
		      const struct dr_root *root, const struct probe *p,
		      u32 epoch, u64 block, u64 max)
{
	*w = (struct walk){
		.env = env, .root = root, .spot = p->spot,
		.i = p->spot.pos + 1, .epoch = epoch, .block = block,
		/* A run takes three at most. */
		.seeks = 3 * max + 3,
	};
}

/* Next run that begins in this leaf: 1, or 0 where another has to be sought */
static int walk_leaf(struct walk *w, struct dr_map *m, bool *found)
{
	const struct dr_spot *spot = &w->spot;
	int end, nr = le16_to_cpu(spot->leaf->nr);

	for (; w->i < nr; w->i = first_after(spot->leaf, w->i, m->block, ~0u)) {
		dr_map_decode(m, entries(spot->leaf) + w->i);
		if (m->block >= w->block)
			break;
	}
	if (w->i >= nr)
		return 0;
	end = first_after(spot->leaf, w->i, m->block, w->epoch);
	/* Is the newest one in the next leaf? */
	if (end == nr && spot->has_next && spot->next.hi == m->block &&
	    spot->next.lo <= w->epoch)
		return 0;
	*found = end > w->i;
	if (*found)
		dr_map_decode(m, entries(spot->leaf) + end - 1);
	w->i = first_after(spot->leaf, end, m->block, ~0u);
	w->block = m->block + m->len;
	return 1;
}

/*
 * Next run, and its newest version up to the epoch, if it is @found; otherwise
 * only block and length of @m count. Return: 1, 0 when there is none, or an error
 * when a node is not at hand: then there is none before w->block.
 */
static int walk_next(struct walk *w, struct dr_map *m, bool *found)
{
	struct dr_want want;
	struct dr_key key;
	int r;

	if (!w->spot.leaf)
		return 0;
	while (!walk_leaf(w, m, found)) {
		if (!w->spot.has_next)
			return 0;
		/* Of a stack that goes on there, to what is asked about */
		key = w->spot.next;
		if (key.hi < w->block)
			key = dr_map_key(w->block, 0);
		else if (key.lo <= w->epoch)
			key.lo = w->epoch;
		w->block = key.hi;
		r = w->seeks-- ? dr_tree_seek(w->env, &dr_tree_map, w->root, key,
					      &w->spot, &want) : -EUCLEAN;
		if (r)
			return r;
		w->i = w->spot.pos;
		/* The entry before (block, 0) is not asked about. */
		if (w->i < 0 || !key.lo)
			w->i++;
	}
	return 1;
}

/*
 * Extend a state by the runs that continue it. History cuts runs short, often to
 * single blocks, but what was written together lies together: in the tree, too.
 * A hole is of epoch 0, and goes on over what no run covers. Where the newest
 * version is of another branch it ends: the next lookup finds out.
 */
static void follow(struct walk *w, u64 block, u64 max, u32 slot_blocks,
		   struct dr_state *st)
{
	struct dr_map m;
	bool found;
	int r;

	while (st->len < max) {
		r = walk_next(w, &m, &found);
		/* Without a run all is a hole, as far as that is known. */
		if (!st->epoch)
			st->len = min(max, r > 0 ? m.block - block :
					   r ? w->block - block : max);
		if (r <= 0 || st->len == max || m.block != block + st->len ||
		    found != !!st->epoch)
			return;
		if (found && (m.epoch != st->epoch || m.flags != st->flags ||
			      m.slot != dr_slot_plus(st->slot, st->len,
						     slot_blocks)))
			return;
		st->len = min(max, st->len + m.len);
	}
}

static bool find_recent(const struct dr_snap *snap, const struct dr_lineage *l,
			u32 epoch, u64 block, struct dr_state *st)
{
	struct dr_mem_hit hit;
	bool active = true;

	if (!dr_mem_find(snap->active, l, epoch, block, &hit)) {
		active = false;
		if (!snap->frozen ||
		    !dr_mem_find(snap->frozen, l, epoch, block, &hit))
			return false;
	}
	st->slot = hit.slot;
	st->len = 1;
	st->epoch = hit.epoch;
	st->flags = hit.flags;
	st->in_active = active;
	st->in_frozen = !active;
	st->at = hit.at;
	return true;
}

/* First of @max blocks that a memtable may know, from @n on */
static u64 skip_absent(const struct dr_snap *snap, u64 block, u64 n, u64 max)
{
	u64 k = dr_mem_absent(snap->active, block + n, max - n);

	if (k && snap->frozen)
		k = dr_mem_absent(snap->frozen, block + n, k);
	return n + k;
}

int dr_map_lookup(const struct dr_env *env, const struct dr_snap *snap,
		  const struct dr_lineage *l, u32 epoch, u64 block, u64 max,
		  u32 slot_blocks, struct dr_state *st, struct dr_want *want)
{
	struct peek_arg arg = { env, &snap->map, want };
	struct dr_state next;
	struct probe p;
	struct walk w;
	u64 n;
	int r;

	if (find_recent(snap, l, epoch, block, st)) {
		n = 1;
		if (st->in_active) {
			n = dr_mem_run(snap->active, st->at, max, slot_blocks);
			st->at += n - 1;
		}
		for (; n < max; n++) {
			if (!find_recent(snap, l, epoch, block + n, &next) ||
			    next.epoch != st->epoch ||
			    next.flags != st->flags ||
			    next.in_active != st->in_active ||
			    next.slot != dr_slot_plus(st->slot, n, slot_blocks))
				break;
			/* The latest counts for "is it recorded?" */
			st->at = max(st->at, next.at);
		}
		st->len = n;
		return 0;
	}
	r = tree_state(probe_peek, &arg, l, epoch, block, max, slot_blocks, &p,
		       st);
	if (r)
		return r;
	if (st->len < max) {
		walk_from(&w, env, &snap->map, &p, epoch, block + st->len, max);
		follow(&w, block, max, slot_blocks, st);
	}
	for (n = 1; n < st->len; n++) {
		n = skip_absent(snap, block, n, st->len);
		if (n < st->len &&
		    find_recent(snap, l, epoch, block + n, &next))
			break;
	}
	st->len = min(n, st->len);
	return 0;
}

/* --- where the head has no data of its own ---------------------------------- */

/* How far, as the tree tells? */
static u64 tree_unsettled(struct walk *w, u64 end)
{
	struct dr_map m;
	bool found;
	int r;

	while (w->block < end) {
		r = walk_next(w, &m, &found);
		if (r < 0)
			break;
		if (!r)
			return end;
		if (found && m.epoch == w->epoch && dr_slot_is_data(m.slot))
			return min(m.block, end);
	}
	return min(w->block, end);
}

u64 dr_map_unsettled(const struct dr_env *env, const struct dr_snap *snap,
		     u64 block, u64 max)
{
	struct dr_want want;
	struct peek_arg arg = { env, &snap->map, &want };
	struct dr_state st;
	struct probe p;
	struct walk w;
	u32 head = snap->head;
	u64 n;

	for (n = 0; n < max; n++) {
		n = skip_absent(snap, block, n, max);
		if (n < max &&
		    find_recent(snap, snap->lineage, head, block + n, &st) &&
		    st.epoch == head && dr_slot_is_data(st.slot))
			break;
	}
	max = min(n, max);
	if (!max || tree_state(probe_peek, &arg, snap->lineage, head, block, max,
			       1, &p, &st) ||
	    (st.epoch == head && dr_slot_is_data(st.slot)))
		return 0;
	walk_from(&w, env, &snap->map, &p, head, block + st.len, max);
	return tree_unsettled(&w, block + max) - block;
}
