// SPDX-License-Identifier: GPL-2.0
/*
 * tree.c - reading immutable trees: search, verification, cursors.
 */
#include "tree.h"

static struct dr_key map_key(const void *entry)
{
	const struct dr_disk_map *e = entry;

	return (struct dr_key){ dr_disk_map_block(e), le32_to_cpu(e->epoch) };
}

static struct dr_key index_key(const void *entry)
{
	const struct dr_disk_extent *e = entry;

	return (struct dr_key){ le32_to_cpu(e->epoch), le64_to_cpu(e->block) };
}

static struct dr_key epoch_key(const void *entry)
{
	const struct dr_disk_epoch *e = entry;

	return (struct dr_key){ le32_to_cpu(e->id), 0 };
}

static struct dr_key note_key(const void *entry)
{
	const struct dr_disk_note *e = entry;

	return (struct dr_key){ le32_to_cpu(e->epoch),
				(u64)le16_to_cpu(e->kind) << 32 |
				le32_to_cpu(e->index) };
}

const struct dr_tree_type dr_tree_map = {
	.id = DR_TREE_MAP, .esize = sizeof(struct dr_disk_map), .key = map_key,
};

const struct dr_tree_type dr_tree_index = {
	.id = DR_TREE_INDEX, .esize = sizeof(struct dr_disk_extent),
	.key = index_key,
};

const struct dr_tree_type dr_tree_epochs = {
	.id = DR_TREE_EPOCHS, .esize = sizeof(struct dr_disk_epoch),
	.key = epoch_key,
};

const struct dr_tree_type dr_tree_notes = {
	.id = DR_TREE_NOTES, .esize = sizeof(struct dr_disk_note),
	.key = note_key,
};

static const struct dr_tree_type *type_of(u8 id)
{
	switch (id) {
	case DR_TREE_MAP:
		return &dr_tree_map;
	case DR_TREE_INDEX:
		return &dr_tree_index;
	case DR_TREE_EPOCHS:
		return &dr_tree_epochs;
	case DR_TREE_NOTES:
		return &dr_tree_notes;
	}
	return NULL;
}

static struct dr_key child_key(const void *child)
{
	const struct dr_disk_child *c = child;

	return (struct dr_key){ le64_to_cpu(c->key_hi), le64_to_cpu(c->key_lo) };
}

static const struct dr_disk_child *children(const struct dr_disk_node *n)
{
	return (const struct dr_disk_child *)n->data;
}

static struct dr_key node_key(const struct dr_tree_type *t,
			      const struct dr_disk_node *n, u32 i)
{
	if (le16_to_cpu(n->level))
		return child_key(children(n) + i);
	return t->key(n->data + i * t->esize);
}

/* A map entry's own fields; whether versions fit together is check.c's */
static const char *map_entry_bad(const struct dr_disk_map *d)
{
	struct dr_map m;

	dr_map_decode(&m, d);
	if (!m.epoch)
		return "version of epoch 0";
	if (m.flags & ~DR_MAP_MERGED)
		return "unknown flags";
	if (!m.slot)
		return "slot 0";
	return NULL;
}

static const char *note_entry_bad(const struct dr_disk_note *d)
{
	u32 len = le16_to_cpu(d->len);

	return !len || len > DR_NOTE_CHUNK ? "piece of an impossible length" :
					     NULL;
}

const char *dr_node_verify(const void *buf, const u8 *uuid,
			   const struct dr_want *want)
{
	const struct dr_tree_type *t = type_of(want->tree);
	const struct dr_disk_node *n = buf;
	const char *why = dr_head_verify(buf, DR_TYPE_NODE, want->block, uuid);
	u32 i, nr = le16_to_cpu(n->nr);

	if (why)
		return why;
	if (le32_to_cpu(n->head.crc) != want->crc)
		return "is not the node that its parent names";
	if (!t || n->tree != want->tree)
		return "belongs to another tree";
	if (le16_to_cpu(n->level) != want->level)
		return "is of another level";
	if (!nr || nr > dr_node_max(t, want->level))
		return "impossible number of entries";
	for (i = 0; i < nr; i++) {
		if (i && dr_key_cmp(node_key(t, n, i - 1),
				    node_key(t, n, i)) >= 0)
			return "keys out of order";
		if (want->level) {
			if (!le64_to_cpu(children(n)[i].block))
				return "child at block 0";
		} else if (t->id == DR_TREE_MAP) {
			why = map_entry_bad((void *)(n->data + i * t->esize));
		} else if (t->id == DR_TREE_NOTES) {
			why = note_entry_bad((void *)(n->data + i * t->esize));
		}
		if (why)
			return why;
	}
	return NULL;
}

int dr_tree_load(const struct dr_env *env, const u8 *uuid,
		 const struct dr_want *want)
{
	void *buf = env->alloc(env->ctx, DR_BLOCK_SIZE);
	const char *why;
	int r;

	if (!buf)
		return -ENOMEM;
	r = env->read(env->ctx, want->block, 1, buf);
	if (r) {
		env->report(env->ctx, "node", want->block, "cannot be read");
		goto out;
	}
	why = dr_node_verify(buf, uuid, want);
	if (why) {
		env->report(env->ctx, "node", want->block, why);
		r = -EUCLEAN;
		goto out;
	}
	env->cache(env->ctx, want->block, buf);
out:
	env->free(env->ctx, buf);
	return r;
}

static __always_inline int search(const struct dr_disk_node *n, u32 size,
				  struct dr_key (*key_of)(const void *),
				  struct dr_key key)
{
	int lo = 0, hi = le16_to_cpu(n->nr);

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (dr_key_cmp(key_of(n->data + mid * size), key) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo - 1;
}

/*
 * Last entry of @n with a key <= @key, or -1. Lookups of bios spend much of their
 * time here: no indirect calls for them.
 */
static int node_find(const struct dr_tree_type *t, const struct dr_disk_node *n,
		     struct dr_key key)
{
	if (n->level)
		return search(n, sizeof(struct dr_disk_child), child_key, key);
	if (t == &dr_tree_map)
		return search(n, sizeof(struct dr_disk_map), map_key, key);
	return search(n, t->esize, t->key, key);
}

int dr_tree_seek(const struct dr_env *env, const struct dr_tree_type *t,
		 const struct dr_root *root, struct dr_key key,
		 struct dr_spot *spot, struct dr_want *want)
{
	struct dr_want w = {
		.block = root->block, .crc = root->crc,
		.level = root->level, .tree = t->id,
	};
	const struct dr_disk_node *n;
	int pos;

	spot->leaf = NULL;
	spot->pos = -1;
	spot->has_next = false;
	if (!root->block)
		return 0;
	for (;;) {
		n = env->peek(env->ctx, w.block);
		if (!n || le32_to_cpu(n->head.crc) != w.crc) {
			*want = w;
			return -EAGAIN;
		}
		/* A damaged parent may name a node of another kind. */
		if (le16_to_cpu(n->level) != w.level || n->tree != w.tree)
			return -EUCLEAN;
		pos = node_find(t, n, key);
		if (!w.level)
			break;
		/* Left of everything: the first entry is still the next one. */
		if (pos < 0)
			pos = 0;
		if (pos + 1 < le16_to_cpu(n->nr)) {
			spot->has_next = true;
			spot->next = child_key(children(n) + pos + 1);
		}
		w.block = le64_to_cpu(children(n)[pos].block);
		w.crc = le32_to_cpu(children(n)[pos].crc);
		w.level--;
	}
	spot->leaf = n;
	spot->pos = pos;
	return 0;
}

int dr_cursor_init(struct dr_cursor *c, const struct dr_env *env,
		   const u8 *uuid, const struct dr_tree_type *t,
		   const struct dr_root *root)
{
	memset(c, 0, sizeof(*c));
	c->env = env;
	c->uuid = uuid;
	c->t = t;
	c->root = *root;
	c->leaf = env->alloc(env->ctx, DR_BLOCK_SIZE);
	return c->leaf ? 0 : -ENOMEM;
}

void dr_cursor_exit(struct dr_cursor *c)
{
	if (c->env)
		c->env->free(c->env->ctx, c->leaf);
	memset(c, 0, sizeof(*c));
}

void dr_cursor_reset(struct dr_cursor *c, const struct dr_root *root)
{
	c->root = *root;
	c->valid = false;
}

/* Copy the leaf in which the last entry <= key is, or would be */
static int cursor_seek(struct dr_cursor *c, struct dr_key key)
{
	const struct dr_env *env = c->env;
	struct dr_spot spot;
	struct dr_want want;
	int r;

	/* Still the same leaf? Walks and sorted batches mostly are. */
	if (c->valid && dr_key_cmp(node_key(c->t, c->leaf, 0), key) <= 0 &&
	    (!c->has_next || dr_key_cmp(key, c->next) < 0)) {
		c->pos = node_find(c->t, c->leaf, key);
		return 0;
	}
	c->valid = false;
	for (;;) {
		env->enter(env->ctx);
		r = dr_tree_seek(env, c->t, &c->root, key, &spot, &want);
		if (!r && spot.leaf) {
			memcpy(c->leaf, spot.leaf, DR_BLOCK_SIZE);
			c->valid = true;
			c->pos = spot.pos;
			c->has_next = spot.has_next;
			c->next = spot.next;
		}
		env->leave(env->ctx);
		if (r != -EAGAIN)
			return r;
		r = dr_tree_load(env, c->uuid, &want);
		if (r)
			return r;
	}
}

static int cursor_entry(struct dr_cursor *c, const void **entry)
{
	*entry = c->leaf->data + c->pos * c->t->esize;
	return 1;
}

int dr_cursor_le(struct dr_cursor *c, struct dr_key key, const void **entry)
{
	int r = cursor_seek(c, key);

	if (r)
		return r;
	if (!c->valid || c->pos < 0)
		return 0;
	return cursor_entry(c, entry);
}

int dr_cursor_next(struct dr_cursor *c, const void **entry)
{
	int r;

	if (!c->valid)
		return 0;
	if (c->pos + 1 < le16_to_cpu(c->leaf->nr)) {
		c->pos++;
		return cursor_entry(c, entry);
	}
	if (!c->has_next)
		return 0;
	r = cursor_seek(c, c->next);
	if (r)
		return r;
	/* A damaged parent may name a node that begins elsewhere. */
	if (c->pos < 0)
		return -EUCLEAN;
	return cursor_entry(c, entry);
}

int dr_cursor_ge(struct dr_cursor *c, struct dr_key key, const void **entry)
{
	int r = cursor_seek(c, key);

	if (r)
		return r;
	if (!c->valid)
		return 0;
	if (c->pos >= 0 &&
	    !dr_key_cmp(node_key(c->t, c->leaf, c->pos), key))
		return cursor_entry(c, entry);
	return dr_cursor_next(c, entry);
}
