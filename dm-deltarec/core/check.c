// SPDX-License-Identifier: GPL-2.0
/*
 * check.c - see check.h. Invariants by number: Documentation/deltarec-design.rst
 *
 * One walk over each tree from its root, by its own reads and not through the
 * cache, marking every block that is named; then the marks must equal the
 * bitmap on disk (S1), and map and index must say the same (M6).
 */
#include "check.h"

struct checker {
	struct dr_store *st;
	struct dr_check *ck;
	u64 *seen;			/* a bit for each block */
	struct dr_disk_node *node[DR_MAX_LEVEL + 1];
	struct dr_cursor index;
	u64 index_blocks;		/* sum of the lengths in the index */
	u64 total;			/* nodes expected */
	/* The run whose stack is being read, and what came before */
	struct dr_map *stack;
	u32 nr;
	u32 max;
	struct dr_disk_extent last;	/* of the index */
	bool has_last;
	u32 heads;
	u64 epochs;
	struct dr_disk_note piece;	/* the last one; epoch 0: none yet */
	u64 note_bytes;			/* of it and those before it */
	u64 noted;			/* bytes of all notes, by the records */
	u64 note_total;			/* the same, by the tree */
};

static void bad(struct checker *c, const char *what, u64 where,
		const char *why)
{
	c->ck->errors++;
	c->st->env.report(c->st->env.ctx, what, where, why);
}

static bool marked(const struct checker *c, u64 block)
{
	return c->seen[block / 64] >> (block % 64) & 1;
}

static void mark(struct checker *c, u64 block, u64 nr)
{
	for (; nr; nr--, block++)
		c->seen[block / 64] |= 1ULL << (block % 64);
}

/* --- map ----------------------------------------------------------------- */

static int stack_push(struct checker *c, const struct dr_map *m)
{
	const struct dr_env *env = &c->st->env;
	struct dr_map *n;
	u32 max;

	if (c->nr == c->max) {
		max = c->max ? 2 * c->max : 256;
		n = env->alloc(env->ctx, max * sizeof(*n));
		if (!n)
			return -ENOMEM;
		if (c->nr)
			memcpy(n, c->stack, c->nr * sizeof(*n));
		env->free(env->ctx, c->stack);
		c->stack = n;
		c->max = max;
	}
	c->stack[c->nr++] = *m;
	return 0;
}

/* A slot may be shown by several versions of the same block only (R2) */
static void check_slot(struct checker *c, const struct dr_map *m)
{
	u32 n = c->st->slot_blocks, i;
	u64 nr = (u64)m->len * n;

	if (!dr_slot_is_data(m->slot))
		return;
	if ((m->slot & (n - 1)) || !dr_space_valid(&c->st->space, m->slot, nr)) {
		bad(c, "version of block", m->block, "slot is impossible");
		return;
	}
	for (i = 0; i < c->nr; i++)
		if (c->stack[i].slot == m->slot)
			return;
	for (i = 0; i < nr; i++)
		if (marked(c, m->slot + i)) {
			bad(c, "version of block", m->block,
			    "slot belongs to another block or to a node");
			return;
		}
	mark(c, m->slot, nr);
	c->ck->slots += nr;
}

static int check_indexed(struct checker *c, const struct dr_map *m)
{
	const struct dr_disk_extent *x;
	const void *entry;
	u64 block, end;
	int r;

	r = dr_cursor_le(&c->index, (struct dr_key){ m->epoch, m->block },
			 &entry);
	if (r < 0) {
		/* Reported where it was read, or by the walk of the index. */
		if (!c->ck->errors)
			c->ck->errors++;
		return r == -ENOMEM ? r : 0;
	}
	if (r) {
		x = entry;
		block = le64_to_cpu(x->block);
		end = block + le32_to_cpu(x->len);
		if (le32_to_cpu(x->epoch) == m->epoch && block <= m->block &&
		    end >= m->block + m->len)
			return 0;
	}
	bad(c, "version of block", m->block, "is not in the index");
	return 0;
}

static int check_map(struct checker *c, const void *entry)
{
	struct dr_store *st = c->st;
	const struct dr_map *prev;
	struct dr_map m;
	int r;

	dr_map_decode(&m, entry);
	c->ck->versions++;
	c->ck->blocks += m.len;
	if (m.block + m.len > st->nr_map_blocks)
		bad(c, "version of block", m.block, "lies outside the device");
	if (!dr_epochs_find(&st->epochs, m.epoch))
		bad(c, "version of block", m.block,
		    "belongs to an epoch that does not exist");
	prev = c->nr ? c->stack + c->nr - 1 : NULL;
	if (prev && prev->block == m.block) {
		if (prev->len != m.len)
			bad(c, "version of block", m.block,
			    "covers another run than its neighbours");
	} else {
		if (prev && prev->block + prev->len > m.block)
			bad(c, "version of block", m.block, "runs overlap");
		c->nr = 0;
	}
	check_slot(c, &m);
	r = check_indexed(c, &m);
	return r ? r : stack_push(c, &m);
}

/* --- index and epochs ---------------------------------------------------- */

static void check_index(struct checker *c, const void *entry)
{
	const struct dr_disk_extent *x = entry, *l = &c->last;
	u64 block = le64_to_cpu(x->block);
	u32 len = le32_to_cpu(x->len);

	c->ck->extents++;
	c->index_blocks += len;
	if (!len || block >= c->st->nr_map_blocks ||
	    len > c->st->nr_map_blocks - block)
		bad(c, "extent of epoch", le32_to_cpu(x->epoch),
		    "lies outside the device");
	if (c->has_last && l->epoch == x->epoch &&
	    le64_to_cpu(l->block) + le32_to_cpu(l->len) > block)
		bad(c, "extent of epoch", le32_to_cpu(x->epoch),
		    "overlaps another");
	c->last = *x;
	c->has_last = true;
}

static void check_epoch(struct checker *c, const void *entry)
{
	struct dr_epoch e;
	const char *why = dr_epoch_decode(&e, entry);

	c->epochs++;
	if (why)
		bad(c, "epoch", e.id, why);
	if (e.parent && !dr_epochs_find(&c->st->epochs, e.parent))
		bad(c, "epoch", e.id, "parent is missing");
	if (e.state == DR_EPOCH_HEAD) {
		c->heads++;
		if (e.id != c->st->head)
			bad(c, "epoch", e.id, "is a head but not the head");
	}
	if (e.id >= c->st->next_epoch && e.state != DR_EPOCH_BUILDING)
		bad(c, "epoch", e.id, "has a number not given out yet");
	if (e.note_bytes) {
		c->ck->notes++;
		c->noted += e.note_bytes;
	}
}

/* --- notes --------------------------------------------------------------- */

/* The last piece of a note has been seen: is it as long as it ought to be? */
static void check_note_end(struct checker *c)
{
	u32 epoch = le32_to_cpu(c->piece.epoch);
	const struct dr_epoch *e = dr_epochs_find(&c->st->epochs, epoch);

	if (!epoch)
		return;
	switch (le16_to_cpu(c->piece.kind)) {
	case DR_NOTE_TEXT:
		c->note_total += c->note_bytes;
		if (e && e->note_bytes != c->note_bytes)
			bad(c, "note of epoch", epoch,
			    "is not as long as its record says");
		break;
	case DR_NOTE_READS:
		if (c->note_bytes != DR_READS_BYTES)
			bad(c, "reads of epoch", epoch,
			    "are not as many bits as there must be");
		break;
	default:
		bad(c, "note of epoch", epoch, "is of an unknown kind");
	}
}

static void check_piece(struct checker *c, const void *entry)
{
	const struct dr_disk_note *d = entry, *l = &c->piece;
	u32 epoch = le32_to_cpu(d->epoch);

	c->ck->pieces++;
	if (d->epoch != l->epoch || d->kind != l->kind) {
		check_note_end(c);
		c->note_bytes = 0;
		if (!dr_epochs_find(&c->st->epochs, epoch))
			bad(c, "note of epoch", epoch,
			    "belongs to an epoch that does not exist");
		if (d->index)
			bad(c, "note of epoch", epoch, "has no beginning");
	} else if (le32_to_cpu(d->index) != le32_to_cpu(l->index) + 1 ||
		   le16_to_cpu(l->len) != DR_NOTE_CHUNK) {
		bad(c, "note of epoch", epoch, "has a gap");
	}
	c->note_bytes += le16_to_cpu(d->len);
	c->piece = *d;
}

/* --- trees --------------------------------------------------------------- */

static int check_leaf(struct checker *c, const struct dr_tree_type *t,
		      const struct dr_disk_node *n)
{
	u32 i, nr = le16_to_cpu(n->nr);
	int r = 0;

	for (i = 0; !r && i < nr; i++) {
		const void *entry = n->data + i * t->esize;

		if (t->id == DR_TREE_MAP)
			r = check_map(c, entry);
		else if (t->id == DR_TREE_INDEX)
			check_index(c, entry);
		else if (t->id == DR_TREE_NOTES)
			check_piece(c, entry);
		else
			check_epoch(c, entry);
	}
	return r;
}

static struct dr_key first_key(const struct dr_tree_type *t,
			       const struct dr_disk_node *n)
{
	const struct dr_disk_child *ch = (const void *)n->data;

	if (!le16_to_cpu(n->level))
		return t->key(n->data);
	return (struct dr_key){ le64_to_cpu(ch->key_hi),
				le64_to_cpu(ch->key_lo) };
}

static struct dr_key last_key(const struct dr_tree_type *t,
			      const struct dr_disk_node *n)
{
	u32 i = le16_to_cpu(n->nr) - 1;
	const struct dr_disk_child *ch = (const void *)n->data;

	if (!le16_to_cpu(n->level))
		return t->key(n->data + i * t->esize);
	return (struct dr_key){ le64_to_cpu(ch[i].key_hi),
				le64_to_cpu(ch[i].key_lo) };
}

static int read_node(struct checker *c, const struct dr_want *w)
{
	const struct dr_env *env = &c->st->env;
	struct dr_disk_node *n = c->node[w->level];
	const char *why = NULL;

	if (env->cancelled && env->cancelled(env->ctx))
		return -EINTR;
	if (!dr_space_valid(&c->st->space, w->block, 1))
		why = "lies outside the space for nodes";
	else if (marked(c, w->block))
		why = "is named twice";
	else if (env->read(env->ctx, w->block, 1, n))
		why = "cannot be read";
	else
		why = dr_node_verify(n, c->st->uuid, w);
	if (why) {
		bad(c, "node", w->block, why);
		return 1;
	}
	mark(c, w->block, 1);
	if (c->ck->progress && c->ck->nodes % 256 == 0)
		c->ck->progress(c->ck->arg, c->ck->nodes, c->total);
	c->ck->nodes++;
	return 0;
}

/* @low: the key its parent has for it; @high: first key beyond, if any */
static int check_node(struct checker *c, const struct dr_tree_type *t,
		      const struct dr_want *w, const struct dr_key *low,
		      const struct dr_key *high)
{
	const struct dr_disk_child *ch;
	struct dr_disk_node *n = c->node[w->level];
	struct dr_key key, next;
	struct dr_want down;
	u32 i, nr;
	int r = read_node(c, w);

	if (r)
		return r < 0 ? r : 0;
	key = first_key(t, n);
	if (low && dr_key_cmp(key, *low))
		bad(c, "node", w->block, "first key is not its parent's");
	if (high && dr_key_cmp(last_key(t, n), *high) >= 0)
		bad(c, "node", w->block, "reaches into its neighbour");
	if (!w->level)
		return check_leaf(c, t, n);
	nr = le16_to_cpu(n->nr);
	ch = (const void *)n->data;
	for (i = 0; i < nr; i++) {
		key.hi = le64_to_cpu(ch[i].key_hi);
		key.lo = le64_to_cpu(ch[i].key_lo);
		if (i + 1 < nr) {
			next.hi = le64_to_cpu(ch[i + 1].key_hi);
			next.lo = le64_to_cpu(ch[i + 1].key_lo);
		}
		down = (struct dr_want){
			.block = le64_to_cpu(ch[i].block),
			.crc = le32_to_cpu(ch[i].crc),
			.level = w->level - 1, .tree = w->tree,
		};
		r = check_node(c, t, &down, &key, i + 1 < nr ? &next : high);
		if (r)
			return r;
	}
	return 0;
}

static int check_tree(struct checker *c, const struct dr_tree_type *t,
		      const struct dr_root *root, u64 *entries)
{
	struct dr_want w = { .block = root->block, .crc = root->crc,
			     .level = root->level, .tree = t->id };
	u64 before = *entries, errors = c->ck->errors;
	int r;

	if (!root->block)
		return 0;
	r = check_node(c, t, &w, NULL, NULL);
	if (!r && errors == c->ck->errors &&
	    *entries - before != root->nr)
		bad(c, "tree", t->id, "number of entries is not its root's");
	return r;
}

/* --- space and journal --------------------------------------------------- */

static void check_space(struct checker *c)
{
	struct dr_space *sp = &c->st->space;
	u64 b, lost = 0, unset = 0, first_lost = 0, first_unset = 0;

	for (b = 0; b < sp->nr_blocks; b++) {
		bool used = marked(c, b) || dr_space_fixed(sp, b);

		if (used == dr_space_is_disk(sp, b))
			continue;
		if (used && !unset++)
			first_unset = b;
		if (!used && !lost++)
			first_lost = b;
	}
	if (unset)
		bad(c, "bitmap at block", first_unset,
		    "says free of what is in use");
	if (lost)
		bad(c, "bitmap at block", first_lost,
		    "says in use of what nothing names");
}

static int check_journal(struct checker *c)
{
	struct dr_store *st = c->st;
	struct dr_journal j = st->journal;
	void *buf = st->env.alloc(st->env.ctx, DR_BLOCK_SIZE);
	int r;

	if (!buf)
		return -ENOMEM;
	while ((r = dr_journal_read(&j, &st->env, st->uuid, buf)) == 1)
		c->ck->journal_blocks++;
	st->env.free(st->env.ctx, buf);
	if (r < 0)
		c->ck->errors++;
	return 0;
}

static int check_notes(struct checker *c)
{
	int r = check_tree(c, &dr_tree_notes, &c->st->notes, &c->ck->pieces);

	check_note_end(c);
	if (!r && c->note_total != c->noted && !c->ck->errors)
		bad(c, "notes", 0, "a note that an epoch's record names is missing");
	return r;
}

static int check_all(struct checker *c)
{
	struct dr_store *st = c->st;
	int r;

	r = check_tree(c, &dr_tree_epochs, &st->etree, &c->epochs);
	if (!r && c->epochs != le32_to_cpu(st->sb.nr_epochs))
		bad(c, "superblock", 0, "number of epochs is wrong");
	if (!r && c->heads != 1)
		bad(c, "epoch", st->head, "there must be exactly one head");
	if (!r)
		r = check_tree(c, &dr_tree_index, &st->index, &c->ck->extents);
	if (!r)
		r = check_tree(c, &dr_tree_map, &st->map, &c->ck->versions);
	if (!r)
		r = check_notes(c);
	if (!r && c->index_blocks != c->ck->blocks && !c->ck->errors)
		bad(c, "index", 0, "names blocks that the map does not have");
	if (!r && c->ck->nodes != st->space.nodes && !c->ck->errors)
		bad(c, "superblock", 0, "number of nodes is wrong");
	/* With a subtree unread, its blocks would all look lost. */
	if (!r && !c->ck->errors)
		check_space(c);
	return r ? r : check_journal(c);
}

int dr_check(struct dr_store *st, struct dr_check *ck)
{
	const struct dr_env *env = &st->env;
	struct checker c = { .st = st, .ck = ck, .total = st->space.nodes };
	u32 i;
	int r = 0;

	c.seen = env->alloc(env->ctx, (st->space.nr_blocks / 64 + 1) * 8);
	for (i = 0; i <= DR_MAX_LEVEL; i++) {
		c.node[i] = env->alloc(env->ctx, DR_BLOCK_SIZE);
		if (!c.node[i])
			r = -ENOMEM;
	}
	if (!c.seen)
		r = -ENOMEM;
	if (!r)
		r = dr_cursor_init(&c.index, env, st->uuid, &dr_tree_index,
				   &st->index);
	if (!r)
		r = check_all(&c);
	dr_cursor_exit(&c.index);
	for (i = 0; i <= DR_MAX_LEVEL; i++)
		env->free(env->ctx, c.node[i]);
	env->free(env->ctx, c.stack);
	env->free(env->ctx, c.seen);
	return r;
}
