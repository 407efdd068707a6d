/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cache.h - nodes in memory, found without locks.
 *
 * A hash table read under RCU. Nodes on disk never change, so neither do the
 * copies; a block that is used for another node gets a new copy in place of
 * the old one. When the cache is full the clock algorithm (Corbato 1968)
 * chooses who goes.
 */
#ifndef DELTAREC_CACHE_H
#define DELTAREC_CACHE_H

#include <linux/rculist.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct deltarec_node;

struct deltarec_cache {
	spinlock_t lock;		/* for all but lookups */
	struct hlist_head *bucket;
	unsigned int bits;
	struct deltarec_node **node;	/* [0, nr) are there */
	unsigned int nr;
	unsigned int max;
	unsigned int hand;		/* of the clock */
};

/* @max: nodes. May sleep. */
int deltarec_cache_init(struct deltarec_cache *c, unsigned int max);
void deltarec_cache_exit(struct deltarec_cache *c);

/* Node at @block or NULL; inside rcu_read_lock(), valid as long. */
const void *deltarec_cache_peek(struct deltarec_cache *c, u64 block);

/* Keep a copy of a node, in place of an older one of that block. May sleep. */
void deltarec_cache_put(struct deltarec_cache *c, u64 block, const void *buf);

#endif
