/* SPDX-License-Identifier: GPL-2.0 */
/*
 * classes.h - what becomes of each block that the damaged epochs wrote.
 *
 * A decision needs five facts of a block: who owned it before the damage, at
 * its end and now; whether it was written later; whether that left the very
 * bytes of the damage. All of them are given here, nothing is read, so that
 * every case can be tried without a device.
 *
 * 1. A block is reverted only if what comes back belongs to whoever owns the
 *    block today: the same file at the same place, or nobody that we know.
 *    So no file gets content of another one, and no metadata changes alone.
 * 2. Blocks of the map are indivisible. Where several owners share one, the
 *    one that allows least decides.
 * 3. Rules cover the blocks to be reverted, and between them only blocks that
 *    the damaged epochs did not write, on which a rule has no effect.
 * 4. A volume that was a file system before and is not the same one now has
 *    no owners to compare. If nothing was written to it later, all of it goes
 *    back: to what was there before, byte for byte. If something was, the
 *    two cannot be told apart, and it is refused as a whole.
 */
#ifndef DR_CLASSES_H
#define DR_CLASSES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "owner/owner.h"
#include "past/view.h"

/* Documentation/deltarec-recipe.rst says what they mean. */
enum block_class {
	CLASS_C0,
	CLASS_C1,
	CLASS_C2,
	CLASS_C3,
	CLASS_C4,
	CLASS_C5,
	CLASS_C6,
	CLASS_FREE,
	NR_CLASSES
};

enum block_action {
	BLOCK_REVERT,
	BLOCK_KEEP,
	BLOCK_LEAVE,
	BLOCK_REFUSE,
	BLOCK_SUSPECT,
	NR_BLOCK_ACTIONS
};

/* "C0" ... "free"; "revert" ...: in listings and JSON */
extern const char *const block_class_words[NR_CLASSES];
extern const char *const block_action_words[NR_BLOCK_ACTIONS];

/* Sets of sectors, whole blocks of the map */
struct range_set {
	const struct range *range;
	size_t nr;
};

struct classes_input {
	uint64_t sectors;		/* of the device */
	uint64_t block_sectors;		/* of the map */
	uint32_t from, to;
	const struct owner_map *before, *bad, *now;	/* all of the device */
	struct range_set written;	/* by the damaged epochs */
	struct range_set later;		/* other version now than then */
	struct range_set same;		/* of later: the same bytes, though */
	struct range_set zeroes;	/* at the end, and not before */
	struct range_set suspect;	/* later, by who had read damage */
	/* Volumes that are not the file system that they were */
	const char *const *lost;
	size_t nr_lost;
	/* Mounted file systems whose owners cannot be told */
	const char *const *opaque;
	size_t nr_opaque;
	/* Volumes that never write a block twice */
	const char *const *cow;
	size_t nr_cow;
	/* Selection: of files, or NULL for every block; of blocks, if any */
	bool (*file)(void *arg, const struct owner_extent *e);
	void *arg;
	struct range_set only;
	struct range_set parts;		/* selected whatever @file says */
	bool named;			/* paths or ranges were: say what stays */
	bool force;
};

/* One owner's blocks, next to each other. Strings are the maps' own. */
struct blocks_item {
	uint64_t start, sectors;
	enum block_class class;
	enum block_action action;
	bool drop_later;	/* of a revert */
	bool forced;		/* would have been refused or left */
	const char *volume, *path_before, *path_now, *what;
	const char *why;	/* not of a plain revert: a constant, or NULL */
};

struct blocks_plan {
	struct blocks_item *item;	/* sorted by start */
	size_t nr;
	uint64_t blocks[NR_CLASSES];
	uint64_t nr_written, nr_later, nr_revert, nr_forced;
	struct view_rule *rule;		/* sorted, disjoint */
	size_t nr_rules;
	bool refused;
};

/* Return: 0 or -ENOMEM; blocks_plan_free() in every case. */
int classes_make(const struct classes_input *in, struct blocks_plan *plan);
void blocks_plan_free(struct blocks_plan *plan);

#endif
