/* SPDX-License-Identifier: GPL-2.0 */
/*
 * history.h - a store with a history, and what every epoch of it should show:
 * a plain array of versions. Small devices only.
 */
#ifndef DR_HISTORY_H
#define DR_HISTORY_H

#include "mem-env.h"

#define H_BLOCKS	200u
#define H_EPOCHS	400u

struct history {
	struct mem_store s;
	u64 seed;
	u32 parent[H_EPOCHS];
	bool live[H_EPOCHS];		/* there, and not dropped */
	u64 own[H_EPOCHS][H_BLOCKS];	/* 0: not written in that epoch */
};

static inline u32 h_rand(struct history *h, u32 n)
{
	return mem_random(&h->seed) % n;
}

static inline void h_begin_on(struct history *h, u32 slot_blocks, u64 seed,
			      u64 delta_blocks)
{
	memset(h, 0, sizeof(*h));
	h->seed = seed;
	mem_store_init(&h->s, slot_blocks, H_BLOCKS, delta_blocks);
	h->live[0] = true;
	h->live[1] = true;
}

static inline void h_begin(struct history *h, u32 slot_blocks, u64 seed)
{
	h_begin_on(h, slot_blocks, seed, 32000);
}

static inline void h_end(struct history *h)
{
	mem_store_exit(&h->s);
}

static inline u64 h_state(const struct history *h, u32 epoch, u32 block)
{
	while (epoch && !h->own[epoch][block])
		epoch = h->parent[epoch];
	return epoch ? h->own[epoch][block] : DR_SLOT_ORIGIN;
}

static inline void h_compare(struct history *h)
{
	u32 e, b;

	for (e = 0; e < H_EPOCHS; e++)
		for (b = 0; h->live[e] && b < H_BLOCKS; b++)
			if (mem_slot(&h->s, e, b) != h_state(h, e, b))
				fail_msg("epoch %u block %u: %llx not %llx", e,
					 b, (long long)mem_slot(&h->s, e, b),
					 (long long)h_state(h, e, b));
}

/* Some writes and discards in the head */
static inline void h_write(struct history *h, u32 times)
{
	u32 head = h->s.st.head, b, n, i;

	while (times--) {
		b = h_rand(h, H_BLOCKS);
		n = 1 + h_rand(h, h_rand(h, 4) ? 5 : 60);
		n = min(n, H_BLOCKS - b);
		if (h_rand(h, 4) == 0) {
			mem_zero(&h->s, b, n);
			for (i = 0; i < n; i++)
				h->own[head][b + i] = DR_SLOT_ZERO;
			continue;
		}
		for (i = 0; i < n; i++)
			h->own[head][b + i] = mem_write(&h->s, b + i, 1);
	}
}

static inline void h_checkpoint(struct history *h)
{
	u32 sealed = mem_checkpoint(&h->s, ""), head = h->s.st.head;

	h->parent[head] = sealed;
	h->live[head] = true;
}

static inline void h_rollback(struct history *h, u32 to)
{
	u32 head = mem_rollback(&h->s, to);

	h->parent[head] = to;
	h->live[head] = true;
}

static inline u32 h_pick(struct history *h)
{
	u32 e;

	do {
		e = h_rand(h, h->s.st.head + 1);
	} while (!h->live[e]);
	return e;
}

/* A random history, with branches */
static inline void h_grow(struct history *h, u32 epochs, u32 writes)
{
	while (epochs--) {
		h_write(h, writes);
		if (h_rand(h, 6) == 0)
			mem_merge(&h->s);
		if (h_rand(h, 5) == 0)
			h_rollback(h, h_pick(h));
		else
			h_checkpoint(h);
		if (h_rand(h, 10) == 0) {
			mem_flush(&h->s);
			mem_store_restart(&h->s);
		}
	}
	h_write(h, writes);
}

#endif
