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

static int build_add(struct dr_txn *txn, u32 level, const void *entry);

/* Write the first @nr entries of a builder as a node, tell the level above */
static int build_write(struct dr_txn *txn, u32 level, u32 nr)
{
	struct dr_builder *b = txn->build + level;
	u32 esize = level_esize(txn, level);
	struct dr_disk_node *n = txn->out;
	struct dr_disk_child child = {};
	struct dr_key key;
	u64 block = dr_txn_take_node(txn);
	u32 crc;
	int r;

	if (!block)
		return -ENOSPC;
	if (level + 1 > DR_MAX_LEVEL)
		return -EFBIG;
	memset(n, 0, sizeof(*n));
	n->level = cpu_to_le16(level);
	n->nr = cpu_to_le16(nr);
	n->tree = txn->t->id;
	memcpy(n->data, b->buf, (size_t)nr * esize);
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
	memmove(b->buf, b->buf + (size_t)nr * esize, (size_t)b->nr * esize);
	return build_add(txn, level + 1, &child);
}

static int build_add(struct dr_txn *txn, u32 level, const void *entry)
{
	struct dr_builder *b = txn->build + level;
	u32 max = dr_node_max(txn->t, level), esize = level_esize(txn, level);
	int r;

	if (b->nr == 2 * max) {
		r = build_write(txn, level, max);
		if (r)
			return r;
	}
	memcpy(b->buf + (size_t)b->nr++ * esize, entry, esize);
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

static int apply_leaf(struct dr_txn *txn, u32 lo, u32 hi)
{
	const struct dr_disk_node *n = txn->old[0];
	u32 esize = txn->t->esize, i = 0, nr = le16_to_cpu(n->nr);
	int r, cmp;

	while (i < nr || lo < hi) {
		if (i == nr)
			cmp = 1;
		else if (lo == hi)
			cmp = -1;
		else
			cmp = dr_key_cmp(txn->t->key(n->data + i * esize),
					 batch_key(txn, lo));
		r = 0;
		if (cmp < 0) {
			r = build_add(txn, 0, n->data + i * esize);
			i++;
		} else {
			if (!cmp)
				i++;
			txn->delta += !txn->batch->del[lo] - !cmp;
			if (!txn->batch->del[lo])
				r = build_add(txn, 0,
					      dr_batch_at(txn->batch, lo));
			lo++;
		}
		if (r)
			return r;
	}
	return 0;
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
				r = build_add(txn, level, c + i);
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
		c = (const struct dr_disk_child *)txn->build[level].buf;
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
