/* SPDX-License-Identifier: GPL-2.0 */
/*
 * oracle.h - what the device ought to contain, as an array of versions.
 *
 * For each epoch and block: the content written in that epoch, if any. What a
 * sector of the origin contains follows from its number; zero is zero; every
 * other write has a number of its own. Beside that, for each sector of an
 * epoch that is not durable yet, the contents that a crash may leave: what it
 * was when last known durable, and all that was written since.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include "format.h"

#define OR_ORIGIN	0x8000000000000000ULL

struct or_ver {
	u64 slot;		/* as published */
	bool merged;
	bool kept;		/* nobody wrote it: a commit left it, see commit.c */
	u64 val[];		/* one for each sector */
};

struct or_val {
	u64 val;
	u64 done;		/* when the write was completed; 0: it is not */
};

struct or_cand {
	struct or_val *v;	/* in order of writing */
	u16 n;
	u16 max;
	bool nobase;		/* what is below the epoch cannot show */
};

struct or_note {
	u32 len;
	u64 seed;		/* that its bytes follow from */
};

struct or_epoch {
	u32 id;
	u32 parent;
	bool dropped;
	bool sealed;		/* and acknowledged */
	bool going;		/* a policy is dropping it */
	u8 marks;
	u8 marks_next;		/* the same, while it is being marked */
	char label[DR_LABEL_MAX + 1];
	struct or_note note;
	struct or_ver **ver;	/* by block */
	bool *keeps;		/* a commit left it that one */
	struct or_cand *cand;	/* by sector, while not durable */
};

struct oracle {
	u64 nr_blocks;
	u64 nr_sectors;
	u32 spb;		/* sectors in a block */
	u64 clock;
	u64 *base;		/* what the origin contains; NULL: OR_ORIGIN */
	u32 nr;
	u32 max;
	struct or_epoch **e;	/* by id */
};

void or_init(struct oracle *o, u64 nr_sectors, u32 spb);
void or_exit(struct oracle *o);

struct or_epoch *or_find(const struct oracle *o, u32 id);
struct or_epoch *or_add(struct oracle *o, u32 id, u32 parent);
void or_remove(struct oracle *o, u32 id);

/* Newest version of a block seen from an epoch; NULL: the origin's */
const struct or_ver *or_state(const struct oracle *o, u32 id, u64 block);
/* The epoch that wrote it, 0: none */
u32 or_writer(const struct oracle *o, u32 id, u64 block);
u64 or_value(const struct oracle *o, u32 id, u64 sector);
/* A sector of a version (NULL: the origin) */
u64 or_sector(const struct oracle *o, const struct or_ver *v, u64 sector);
/* Have two versions of a block the same content? */
bool or_same(const struct oracle *o, const struct or_ver *x,
	     const struct or_ver *y, u64 block);
/* Is @anc on the way from @id to the root? */
bool or_descends(const struct oracle *o, u32 id, u32 anc);

/* A version becomes visible; @val NULL: zeroes. */
void or_publish(struct oracle *o, u32 id, u64 block, u64 slot, bool merged,
		const u64 *val);
/* A version that nobody sees yet may be there after a crash. */
void or_claim(struct oracle *o, u32 id, u64 block, const u64 *val);
/* Set a version without a trace */
void or_set(struct oracle *o, u32 id, u64 block, const struct or_ver *v);
void or_clear(struct oracle *o, u32 id, u64 block);
/* One sector of a slot is written in place; and that is completed. */
void or_inplace(struct oracle *o, u32 id, u64 slot, u64 sector, u64 val);
void or_done(struct oracle *o, u32 id, u64 sector, u64 val);
/* All that was completed before @mark is durable. */
void or_flushed(struct oracle *o, u64 mark);
/* The epoch is exactly what its versions say. */
void or_exact(struct oracle *o, u32 id);
/* All of the head is durable as it is. */
void or_settle(struct oracle *o, u32 id);
/* May the sector contain this after a crash, if the epoch is the head? */
bool or_allowed(const struct oracle *o, u32 id, u64 sector, u64 val);

#endif
