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

/* One search: the entry at or before a key, and what comes after it */
struct probe {
	struct dr_spot spot;
	struct dr_map m;
	bool found;
	u64 next_block;		/* first block of the following entry */
	u16 next_len;		/* 0: not known */
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
		/* No run, or one at this very block with newer versions only */
		if (p->next_block <= block)
			set_hole(st, min_t(u64, max, p->next_len));
		else
			set_hole(st, min(max, p->next_block - block));
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
	const struct dr_disk_map *e;
	struct dr_map m;

	p->found = false;
	p->next_block = ~0ULL;
	p->next_len = 0;
	if (!spot->leaf)
		return;
	e = entries(spot->leaf);
	if (spot->pos >= 0) {
		p->found = true;
		dr_map_decode(&p->m, e + spot->pos);
	}
	if (spot->pos + 1 < le16_to_cpu(spot->leaf->nr)) {
		dr_map_decode(&m, e + spot->pos + 1);
		p->next_block = m.block;
		p->next_len = m.len;
	} else if (spot->has_next) {
		/* Its length is in a leaf not at hand: 1 is always true. */
		p->next_block = spot->next.hi;
		p->next_len = 1;
	}
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

/* --- runs that continue a state ---------------------------------------------- */

struct follow {
	struct dr_state *st;	/* of @block, and of st->len blocks so far */
	u64 block;
	u64 max;
	u32 epoch;
	u32 slot_blocks;
};

/* Is the newest version of a run that @epoch may see what @st goes on with? */
static bool continues(const struct follow *f, const struct dr_map *m)
{
	const struct dr_state *st = f->st;

	return m->epoch == st->epoch && m->flags == st->flags &&
	       m->slot == dr_slot_plus(st->slot, st->len, f->slot_blocks);
}

/*
 * Go on through the runs of a leaf, from its entry @i. Where the newest version is
 * of another branch it ends: the next lookup finds out. False: the end was met.
 */
static bool follow_leaf(struct follow *f, const struct dr_spot *spot, int i)
{
	const struct dr_disk_node *leaf = spot->leaf;
	int end, nr = le16_to_cpu(leaf->nr);
	struct dr_state *st = f->st;
	struct dr_map m;
	u64 run;

	for (; i < nr && st->len < f->max;
	     i = first_after(leaf, end, run, ~0u)) {
		end = i;
		dr_map_decode(&m, entries(leaf) + i);
		run = m.block;
		if (run < f->block + st->len)
			continue;
		/* A hole is of epoch 0, and what no run covers goes on with it. */
		if (run > f->block + st->len) {
			if (st->epoch)
				return false;
			st->len = min(f->max, run - f->block);
		}
		end = first_after(leaf, i, run, f->epoch);
		/* Is the newest one in the next leaf? */
		if (end == nr && spot->has_next && spot->next.hi == run &&
		    spot->next.lo <= f->epoch)
			return true;
		if (end > i)
			dr_map_decode(&m, entries(leaf) + end - 1);
		if (end > i ? !continues(f, &m) : st->epoch)
			return false;
		st->len = min(f->max, st->len + m.len);
	}
	return st->len < f->max;
}

/*
 * Extend a state that was found at @spot. History cuts runs short, often to single
 * blocks, but what was written together lies together: in the tree, too.
 */
static void follow(const struct dr_env *env, const struct dr_root *root,
		   struct dr_spot *spot, struct follow *f)
{
	struct dr_want want;
	struct dr_key key;
	u64 next, seeks;
	int i = spot->pos + 1;

	/* A run takes three at most; more have a damaged tree. */
	for (seeks = 3 * f->max + 3; seeks; seeks--) {
		if (!spot->leaf || !follow_leaf(f, spot, i))
			return;
		if (!spot->has_next) {
			if (!f->st->epoch)
				f->st->len = f->max;
			return;
		}
		/* Of a stack that goes on there, to what is asked about */
		next = f->block + f->st->len;
		key = spot->next;
		if (key.hi < next)
			key = dr_map_key(next, 0);
		else if (key.hi == next && key.lo <= f->epoch)
			key.lo = f->epoch;
		if (dr_tree_seek(env, &dr_tree_map, root, key, spot, &want))
			return;
		i = spot->pos;
		if (i < 0 || !key.lo)
			i++;
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
	if (st->len < max)
		follow(env, &snap->map, &p.spot, &(struct follow){
			.st = st, .block = block, .max = max, .epoch = epoch,
			.slot_blocks = slot_blocks,
		});
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

struct pass {
	u32 head;
	u64 end;		/* the head has data there, or nobody asked */
	u64 run;		/* the last run that was looked at */
};

/* Go through the runs of a leaf. False: the end was met */
static bool pass_leaf(struct pass *p, const struct dr_disk_node *leaf, int i)
{
	struct dr_map m;

	while (i < le16_to_cpu(leaf->nr)) {
		dr_map_decode(&m, entries(leaf) + i);
		if (m.block >= p->end)
			return false;
		p->run = m.block;
		i = first_after(leaf, i, p->run, p->head);
		if (i)
			dr_map_decode(&m, entries(leaf) + i - 1);
		if (m.block == p->run && m.epoch == p->head &&
		    dr_slot_is_data(m.slot)) {
			p->end = p->run;
			return false;
		}
		i = first_after(leaf, i, p->run, ~0u);
	}
	return true;
}

/*
 * The same, as far as the tree tells. A run that began before @block has nothing
 * of the head's there.
 */
static u64 tree_unsettled(const struct dr_env *env, const struct dr_root *root,
			  u32 head, u64 block, u64 max)
{
	struct pass p = { .head = head, .end = block + max };
	struct dr_key key = dr_map_key(block, 0);
	struct dr_spot spot;
	struct dr_want want;
	u64 seeks;
	int i;

	/* A run takes three at most; more have a damaged tree. */
	for (seeks = 3 * max + 3; seeks; seeks--) {
		if (dr_tree_seek(env, &dr_tree_map, root, key, &spot, &want))
			break;
		i = spot.pos;
		/* The entry before (block, 0) is not asked about. */
		if (i < 0 || !key.lo)
			i++;
		if (!spot.leaf || !pass_leaf(&p, spot.leaf, i) ||
		    !spot.has_next || spot.next.hi >= p.end)
			/* A damaged parent may have led to what lies before. */
			return p.end > block ? p.end - block : 0;
		key = spot.next;
		/* A stack that goes on there: to the head's place, or its end */
		if (key.hi == p.run)
			key.lo = key.lo <= head ? head : ~0u;
	}
	return key.hi - block;
}

u64 dr_map_unsettled(const struct dr_env *env, const struct dr_snap *snap,
		     u64 block, u64 max)
{
	struct dr_want want;
	struct peek_arg arg = { env, &snap->map, &want };
	struct dr_state st;
	struct probe p;
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
	n = st.len;
	return n < max ? n + tree_unsettled(env, &snap->map, head, block + n,
					    max - n) : max;
}
