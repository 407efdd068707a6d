/* SPDX-License-Identifier: GPL-2.0 */
/*
 * classes-sum.h - what classes.c has done to the plan that it walked. Each
 * returns 0 or -ENOMEM.
 */
#ifndef DR_CLASSES_SUM_H
#define DR_CLASSES_SUM_H

#include "recover/classes.h"

struct range_list;

/* Of an item whose file is not where it was: known by its address */
extern const char why_gone[];

struct file_name {
	const char *volume, *path;
};

struct file_names {
	struct file_name *name;		/* sorted; to be freed */
	size_t nr;
};

/* The files before the damage that an item picked by @pick belongs to */
int file_names_find(const struct blocks_plan *plan,
		    bool (*pick)(const struct blocks_item *item),
		    struct file_names *names);
bool file_names_have(const struct file_names *names, const char *volume,
		     const char *path);

/* Reverted because it may be, not because of --force */
bool item_goes_back(const struct blocks_item *item);

/*
 * A file of which some blocks are where they were and others are not would
 * become neither what it was nor what it is: refuse all of it.
 */
int classes_refuse_parts(struct blocks_plan *plan);

/* How many blocks of @meant were written, and later with other bytes */
int classes_count_later(const struct classes_input *in,
			const struct range_list *meant,
			struct blocks_plan *plan);

void classes_sum_up(const struct classes_input *in, struct blocks_plan *plan);
int classes_make_rules(const struct classes_input *in,
		       struct blocks_plan *plan);

#endif
