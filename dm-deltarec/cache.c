// SPDX-License-Identifier: GPL-2.0
/*
 * cache.c - see cache.h.
 */
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cache.h"
#include "format.h"

/*
 * Nodes allocated at once, so that there is always one to take over when
 * memory is short: a lookup that waits for a node must get on.
 */
#define CACHE_MIN	64u
#define NO_BLOCK	(~0ULL)

struct deltarec_node {
	struct hlist_node hash;
	struct rcu_head rcu;
	u64 block;
	unsigned int index;	/* in cache->node */
	bool used;		/* since the hand last passed */
	void *data;
};

static struct deltarec_node *node_alloc(gfp_t gfp)
{
	struct deltarec_node *n = kmalloc(sizeof(*n), gfp);

	if (!n)
		return NULL;
	n->data = (void *)__get_free_page(gfp);
	if (n->data)
		return n;
	kfree(n);
	return NULL;
}

static void node_free(struct deltarec_node *n)
{
	free_page((unsigned long)n->data);
	kfree(n);
}

static void node_free_rcu(struct rcu_head *rcu)
{
	node_free(container_of(rcu, struct deltarec_node, rcu));
}

static struct hlist_head *bucket_of(struct deltarec_cache *c, u64 block)
{
	return c->bucket + hash_64(block, c->bits);
}

int deltarec_cache_init(struct deltarec_cache *c, unsigned int max)
{
	struct deltarec_node *n;

	max = max(max, 2 * CACHE_MIN);
	spin_lock_init(&c->lock);
	c->nr = 0;
	c->max = max;
	c->hand = 0;
	c->bits = ilog2(max);
	c->bucket = kvcalloc(1UL << c->bits, sizeof(*c->bucket), GFP_KERNEL);
	c->node = kvcalloc(max, sizeof(*c->node), GFP_KERNEL);
	if (!c->bucket || !c->node)
		goto fail;
	while (c->nr < CACHE_MIN) {
		n = node_alloc(GFP_KERNEL);
		if (!n)
			goto fail;
		n->block = NO_BLOCK;
		n->used = false;
		n->index = c->nr;
		hlist_add_head_rcu(&n->hash, bucket_of(c, n->block));
		c->node[c->nr++] = n;
	}
	return 0;
fail:
	deltarec_cache_exit(c);
	return -ENOMEM;
}

void deltarec_cache_exit(struct deltarec_cache *c)
{
	while (c->nr)
		node_free(c->node[--c->nr]);
	kvfree(c->node);
	kvfree(c->bucket);
	c->node = NULL;
	c->bucket = NULL;
}

static struct deltarec_node *find(struct deltarec_cache *c, u64 block)
{
	struct deltarec_node *n;

	hlist_for_each_entry_rcu(n, bucket_of(c, block), hash,
				 lockdep_is_held(&c->lock))
		if (n->block == block)
			return n;
	return NULL;
}

const void *deltarec_cache_peek(struct deltarec_cache *c, u64 block)
{
	struct deltarec_node *n = find(c, block);

	if (!n)
		return NULL;
	/* A read that often spares the write, which others would feel. */
	if (!READ_ONCE(n->used))
		WRITE_ONCE(n->used, true);
	return n->data;
}

/* The node that has to go. c->lock held, c->nr is not 0. */
static struct deltarec_node *clock_victim(struct deltarec_cache *c)
{
	struct deltarec_node *n;

	for (;;) {
		if (c->hand >= c->nr)
			c->hand = 0;
		n = c->node[c->hand++];
		if (!READ_ONCE(n->used))
			return n;
		WRITE_ONCE(n->used, false);
	}
}

/* Take a node out of the cache for another use */
static struct deltarec_node *node_steal(struct deltarec_cache *c)
{
	struct deltarec_node *n, *last;

	spin_lock(&c->lock);
	if (!c->nr) {
		spin_unlock(&c->lock);
		return NULL;
	}
	n = clock_victim(c);
	hlist_del_rcu(&n->hash);
	last = c->node[--c->nr];
	last->index = n->index;
	c->node[n->index] = last;
	spin_unlock(&c->lock);
	synchronize_rcu();
	return n;
}

void deltarec_cache_put(struct deltarec_cache *c, u64 block, const void *buf)
{
	struct deltarec_node *n, *old;

	n = node_alloc(GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	if (!n)
		n = node_steal(c);
	if (!n)
		return;
	memcpy(n->data, buf, DR_BLOCK_SIZE);
	n->block = block;
	n->used = true;

	spin_lock(&c->lock);
	old = find(c, block);
	if (!old && c->nr == c->max)
		old = clock_victim(c);
	if (old) {
		n->index = old->index;
		hlist_del_rcu(&old->hash);
	} else {
		n->index = c->nr++;
	}
	c->node[n->index] = n;
	hlist_add_head_rcu(&n->hash, bucket_of(c, block));
	spin_unlock(&c->lock);
	if (old)
		call_rcu(&old->rcu, node_free_rcu);
}
