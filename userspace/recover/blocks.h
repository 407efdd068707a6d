/* SPDX-License-Identifier: GPL-2.0 */
/*
 * blocks.h - the facts that classes.h decides by, gathered from a device.
 */
#ifndef DR_BLOCKS_H
#define DR_BLOCKS_H

#include "past/mount.h"
#include "ranges.h"
#include "recover/classes.h"
#include "recover/recipe.h"

/* A volume that was there before, after or both */
struct plan_volume {
	const char *what;
	const struct past_volume *before, *bad, *now;	/* NULL: not there */
	bool lost;		/* a file system before, and now not that one */
	bool copy_on_write;
};

/* Three epochs, opened and mounted, and what follows from them alone */
struct sight {
	const char *device;
	struct device_status status;
	struct past base, bad, now;
	struct plan_volume *volume;
	size_t nr_volumes;
};

/**
 * sight_open() - look at the epochs of a recipe
 * @r: base, to and now are opened
 * @s: set in every case: sight_close() is always fine
 *
 * Return: exit code, has said why.
 */
int sight_open(const char *device, const struct recipe *r, struct sight *s);
void sight_close(struct sight *s);

/* What the plan of blocks rests on; its items point into the maps. */
struct blocks_facts {
	struct owner_map before, bad, now;
	struct range_list written, later, same, zeroes, suspect, only, parts;
};

/**
 * blocks_plan_make() - classify what the damaged epochs wrote
 * @facts: to be freed with blocks_facts_free() after @plan, in every case
 *
 * Reads, in the views, the blocks that the damaged epochs wrote, and what was
 * written later to the files that these belong to. Return: exit code, has said why.
 */
int blocks_plan_make(const struct sight *s, const struct recipe *r,
		     struct blocks_facts *facts, struct blocks_plan *plan);
void blocks_facts_free(struct blocks_facts *facts);

/**
 * blocks_compare() - content, block by block
 * @written: where zeroes are looked for
 * @later: has another version now; compared as far as it is in @compared
 * @same: of these: the same bytes now as at the end of the damage
 * @zeroes: of @written: zeroes at the end of the damage, and not before
 *
 * @base, @bad and @now are device nodes. Return: exit code, has said why.
 */
int blocks_compare(const char *base, const char *bad, const char *now,
		   uint64_t block_sectors, const struct range_list *written,
		   const struct range_list *later,
		   const struct range_list *compared, struct range_list *same,
		   struct range_list *zeroes);

#endif
