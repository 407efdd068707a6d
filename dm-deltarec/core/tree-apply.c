// SPDX-License-Identifier: GPL-2.0
/*
 * tree-apply.c - bulk update of an immutable tree.
 *
 * A walk down the old tree visits the nodes that the sorted batch touches and
 * hands their entries, merged with the batch, to a builder for each level.
 * Subtrees that the batch does not touch go to the builder of their parents'
 * level as they are. Builders write nodes as they fill up: full ones while
 * more follows, and two halves at a break, so that appends pack densely and
 * random inserts leave room. A neighbour is pulled in where a builder would
 * otherwise have to write a node less than a quarter full.
 *
 * Invariants T1-T4: written nodes never change; a parent's key for a child is
 * the child's first key; all leaves are at level 0; nodes are not empty.
 */
#include "txn.h"

static int build_flush(struct dr_txn *txn, u32 level);

static u32 level_esize(const struct dr_txn *txn, u32 level)
{
	return level ? sizeof(struct dr_disk_child) : txn->t->esize;
}

static int build_add(struct dr_txn *txn, u32 level, const void *entries,
		     u32 nr);

/*
 * Of more entries than fit into its first node, a builder is to write @nr: the
 * others of that node go to the front of the second one.
 */
static void build_shift(struct dr_builder *b, u32 nr, u32 max, u32 esize)
{
	u8 *second = b->node[1]->data;
	size_t left = (size_t)(max - nr) * esize;

	memmove(second + left, second, (size_t)(b->nr - max) * esize);
	memcpy(second, b->node[0]->data + (size_t)nr * esize, left);
}

/*
 * Write the first @nr entries of a builder, which it has in its first node unless
 * it has more than @nr, and tell the level above
 */
static int build_write(struct dr_txn *txn, u32 level, u32 nr)
{
	struct dr_builder *b = txn->build + level;
	u32 esize = level_esize(txn, level), crc, max = dr_node_max(txn->t, level);
	struct dr_disk_node *n = b->node[0];
	struct dr_disk_child child = {};
	struct dr_key key;
	u64 block = dr_txn_take_node(txn);
	int r;

	if (!block)
		return -ENOSPC;
	if (level + 1 > DR_MAX_LEVEL)
		return -EFBIG;
	if (nr < max && b->nr > max)
		build_shift(b, nr, max, esize);
	memset(n, 0, offsetof(struct dr_disk_node, data));
	memset(n->data + (size_t)nr * esize, 0,
	       sizeof(n->data) - (size_t)nr * esize);
	n->level = cpu_to_le16(level);
	n->nr = cpu_to_le16(nr);
	n->tree = txn->t->id;
	crc = dr_head_seal(n, DR_TYPE_NODE, block, txn->gen, txn->uuid);
	r = txn->env->write(txn->env->ctx, block, n);
	if (r)
		return r;
	txn->env->cache(txn->env->ctx, block, n);
	if (level) {
		memcpy(&child, n->data, sizeof(child));
	} else {
		key = txn->t->key(n->data);
		child.key_hi = cpu_to_le64(key.hi);
		child.key_lo = cpu_to_le64(key.lo);
	}
	child.block = cpu_to_le64(block);
	child.crc = cpu_to_le32(crc);
	b->nr -= nr;
	swap(b->node[0], b->node[1]);
	return build_add(txn, level + 1, &child, 1);
}

static int build_add(struct dr_txn *txn, u32 level, const void *entries, u32 nr)
{
	struct dr_builder *b = txn->build + level;
	u32 max = dr_node_max(txn->t, level), esize = level_esize(txn, level);
	u32 at, n;
	int r;

	for (; nr; nr -= n, entries += (size_t)n * esize) {
		if (b->nr == 2 * max) {
			r = build_write(txn, level, max);
			if (r)
				return r;
		}
		at = b->nr < max ? b->nr : b->nr - max;
		n = min(nr, max - at);
		memcpy(b->node[b->nr >= max]->data + (size_t)at * esize, entries,
		       (size_t)n * esize);
		b->nr += n;
	}
	return 0;
}

/* Write what a builder holds: one node, or two of like size */
static int build_flush(struct dr_txn *txn, u32 level)
{
	struct dr_builder *b = txn->build + level;
	u32 max = dr_node_max(txn->t, level);
	int r = 0;

	if (b->nr > max)
		r = build_write(txn, level, (b->nr + 1) / 2);
	if (!r && b->nr)
		r = build_write(txn, level, b->nr);
	return r;
}

/* Would a break now leave a node less than a quarter full below @level? */
static bool build_lean(const struct dr_txn *txn, u32 level)
{
	u32 i;

	for (i = 0; i < level; i++)
		if (txn->build[i].nr &&
		    txn->build[i].nr < dr_node_max(txn->t, i) / 4)
			return true;
	return false;
}

static int read_old(struct dr_txn *txn, const struct dr_want *want)
{
	const struct dr_env *env = txn->env;
	const struct dr_disk_node *n;
	int r;

	for (;;) {
		env->enter(env->ctx);
		n = env->peek(env->ctx, want->block);
		if (n && le32_to_cpu(n->head.crc) == want->crc) {
			memcpy(txn->old[want->level], n, DR_BLOCK_SIZE);
			env->leave(env->ctx);
			n = txn->old[want->level];
			if (le16_to_cpu(n->level) != want->level ||
			    n->tree != want->tree)
				return -EUCLEAN;
			return dr_txn_give_node(txn, want->block,
						le64_to_cpu(txn->old[want->level]->head.gen));
		}
		env->leave(env->ctx);
		r = dr_tree_load(env, txn->uuid, want);
		if (r)
			return r;
	}
}

static struct dr_key batch_key(const struct dr_txn *txn, u32 i)
{
	return txn->t->key(dr_batch_at(txn->batch, i));
}

/* First entry of a leaf, from @i on, whose key is >= @key; it is near, or far */
static u32 leaf_split(const struct dr_txn *txn, u32 i, u32 nr, struct dr_key key)
{
	const u8 *data = txn->old[0]->data;
	u32 esize = txn->t->esize, step = 1, end = nr;

	for (; i < nr; step *= 2) {
		u32 next = min(i + step, nr) - 1;

		if (dr_key_cmp(txn->t->key(data + next * esize), key) >= 0) {
			end = next;
			break;
		}
		i = next + 1;
	}
	while (i < end) {
		u32 mid = i + (end - i) / 2;

		if (dr_key_cmp(txn->t->key(data + mid * esize), key) < 0)
			i = mid + 1;
		else
			end = mid;
	}
	return i;
}

static int apply_leaf(struct dr_txn *txn, u32 lo, u32 hi)
{
	const struct dr_disk_node *n = txn->old[0];
	u32 esize = txn->t->esize, i = 0, next, nr = le16_to_cpu(n->nr);
	struct dr_key key;
	bool same;
	int r;

	for (; lo < hi; lo++) {
		key = batch_key(txn, lo);
		next = leaf_split(txn, i, nr, key);
		r = build_add(txn, 0, n->data + i * esize, next - i);
		if (r)
			return r;
		i = next;
		same = i < nr && !dr_key_cmp(txn->t->key(n->data + i * esize),
					     key);
		i += same;
		txn->delta += !txn->batch->del[lo] - same;
		if (txn->batch->del[lo])
			continue;
		r = build_add(txn, 0, dr_batch_at(txn->batch, lo), 1);
		if (r)
			return r;
	}
	return build_add(txn, 0, n->data + i * esize, nr - i);
}

/* First update at or after @lo whose key is >= @key */
static u32 batch_split(const struct dr_txn *txn, u32 lo, u32 hi,
		       struct dr_key key)
{
	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (dr_key_cmp(batch_key(txn, mid), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Recursion depth is bounded by DR_MAX_LEVEL. */
static int apply_node(struct dr_txn *txn, const struct dr_want *want, u32 lo,
		      u32 hi)
{
	u32 level = want->level, i, j, next, nr;
	const struct dr_disk_child *c;
	struct dr_want down;
	int r;

	r = read_old(txn, want);
	if (r || !level)
		return r ? r : apply_leaf(txn, lo, hi);
	c = (const struct dr_disk_child *)txn->old[level]->data;
	nr = le16_to_cpu(txn->old[level]->nr);
	for (i = 0; i < nr; i++, lo = next) {
		struct dr_key key;

		next = hi;
		if (i + 1 < nr) {
			key.hi = le64_to_cpu(c[i + 1].key_hi);
			key.lo = le64_to_cpu(c[i + 1].key_lo);
			next = batch_split(txn, lo, hi, key);
		}
		if (lo == next && !build_lean(txn, level)) {
			r = 0;
			for (j = 0; !r && j < level; j++)
				r = build_flush(txn, j);
			if (!r)
				r = build_add(txn, level, c + i, 1);
		} else {
			down.block = le64_to_cpu(c[i].block);
			down.crc = le32_to_cpu(c[i].crc);
			down.level = level - 1;
			down.tree = txn->t->id;
			r = apply_node(txn, &down, lo, next);
		}
		if (r)
			return r;
	}
	return 0;
}

/* Write what is left, from the leaves up, until one node is the root */
static int build_root(struct dr_txn *txn, struct dr_root *root)
{
	const struct dr_disk_child *c;
	u32 level, above;
	int r;

	for (level = 0; level <= DR_MAX_LEVEL; level++) {
		for (above = level + 1; above <= DR_MAX_LEVEL; above++)
			if (txn->build[above].nr)
				break;
		c = (const struct dr_disk_child *)txn->build[level].node[0]->data;
		if (level && above > DR_MAX_LEVEL &&
		    txn->build[level].nr == 1) {
			root->block = le64_to_cpu(c->block);
			root->crc = le32_to_cpu(c->crc);
			root->level = level - 1;
			return 0;
		}
		if (!txn->build[level].nr && above > DR_MAX_LEVEL) {
			root->block = 0;
			root->crc = 0;
			root->level = 0;
			return 0;
		}
		r = build_flush(txn, level);
		if (r)
			return r;
	}
	return -EFBIG;
}

/*
 * A root of level n over a single child is possible when an untouched subtree
 * was all that remained; build_root() has then named the subtree itself.
 */
int dr_tree_apply(struct dr_txn *txn, struct dr_root *root,
		  const struct dr_batch *b)
{
	struct dr_want want = {
		.block = root->block, .crc = root->crc,
		.level = root->level, .tree = b->t->id,
	};
	struct dr_root new = {};
	u32 i;
	int r = 0;

	if (!b->nr)
		return 0;
	txn->t = b->t;
	txn->batch = b;
	txn->delta = 0;
	for (i = 0; i <= DR_MAX_LEVEL; i++)
		txn->build[i].nr = 0;
	if (root->block && root->level >= DR_MAX_LEVEL)
		return -EUCLEAN;
	if (root->block) {
		r = apply_node(txn, &want, 0, b->nr);
	} else {
		memset(txn->old[0], 0, DR_BLOCK_SIZE);
		r = apply_leaf(txn, 0, b->nr);
	}
	if (!r)
		r = build_root(txn, &new);
	if (r)
		return r;
	new.nr = root->nr + txn->delta;
	*root = new;
	return 0;
}

int dr_batch_init(struct dr_batch *b, const struct dr_env *env,
		  const struct dr_tree_type *t, u32 max)
{
	b->t = t;
	b->nr = 0;
	b->max = max;
	b->entries = env->alloc(env->ctx, (size_t)max * t->esize);
	b->del = env->alloc(env->ctx, max);
	if (b->entries && b->del)
		return 0;
	dr_batch_exit(b, env);
	return -ENOMEM;
}

void dr_batch_exit(struct dr_batch *b, const struct dr_env *env)
{
	env->free(env->ctx, b->entries);
	env->free(env->ctx, b->del);
	b->entries = NULL;
	b->del = NULL;
}
