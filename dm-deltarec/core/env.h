/* SPDX-License-Identifier: GPL-2.0 */
/*
 * env.h - what the core asks of whoever embeds it (module, tool, simulator).
 *
 * The core has no locks, clock, output or allocation policy of its own. The
 * functions here give it metadata I/O, memory, and two brackets: enter/leave
 * (cached nodes stay put; nothing inside may sleep) and lock/unlock (the
 * allocator and the write path's state; nothing inside may sleep).
 */
#ifndef DR_ENV_H
#define DR_ENV_H

#include "format.h"

struct dr_root {
	u64 block;		/* 0: empty */
	u64 nr;			/* entries */
	u32 crc;
	u16 level;
};

/* A node that a search needed and did not find in memory */
struct dr_want {
	u64 block;
	u32 crc;
	u16 level;
	u8 tree;
};

/* Blocks of the mapped device and the slots that they are copied to or from */
struct dr_copy {
	u64 block;
	u64 slot;		/* of the first one, or DR_SLOT_ZERO, -_ORIGIN */
	u64 nr;
};

struct dr_env {
	void *ctx;

	/* Read-side section that keeps nodes returned by peek() in place. */
	void (*enter)(void *ctx);
	void (*leave)(void *ctx);
	/*
	 * Node at @block if it is in memory, else NULL. Inside enter/leave;
	 * never sleeps.
	 */
	const void *(*peek)(void *ctx, u64 block);
	/*
	 * Hand over a verified node for caching; it is copied. May evict
	 * others. May be called where sleeping is allowed only.
	 */
	void (*cache)(void *ctx, u64 block, const void *buf);

	/* May sleep. 0 or a negative errno. */
	int (*read)(void *ctx, u64 block, u32 nr, void *buf);
	/*
	 * Write one metadata block; @buf is copied or written before it
	 * returns. May be buffered: an error may surface in a later call or
	 * in barrier(). May sleep.
	 */
	int (*write)(void *ctx, u64 block, const void *buf);
	/*
	 * All that write() took, and all data that anybody wrote and was told
	 * of, is durable; then write @nr blocks of @buf durably. @nr 0: only
	 * the first half. May sleep.
	 */
	int (*barrier)(void *ctx, u64 block, u32 nr, const void *buf);

	/* May sleep; zeroed, aligned to 8 bytes; any size. */
	void *(*alloc)(void *ctx, size_t size);
	void (*free)(void *ctx, void *p);

	void (*lock)(void *ctx);
	void (*unlock)(void *ctx);

	/* Report a defect of the metadata or of I/O; @what is constant. */
	void (*report)(void *ctx, const char *what, u64 block, const char *why);
	/*
	 * Nobody needs these blocks any more, and nobody has them yet: they
	 * may be discarded. May sleep. Optional.
	 */
	void (*freed)(void *ctx, u64 block, u64 nr);
	/* Long work asks now and then; true: give up with -EINTR. Optional. */
	bool (*cancelled)(void *ctx);
	/*
	 * Does somebody wait for what a long step excludes? It ends then, and
	 * is continued later. May be NULL.
	 */
	bool (*waited_for)(void *ctx);
	/*
	 * Copy blocks of the origin into slots. Not durable before the next
	 * barrier(). 0 or a negative errno; may sleep. NULL: commits of the
	 * origin are not possible.
	 */
	int (*save)(void *ctx, const struct dr_copy *copy);
};

#endif
