/* SPDX-License-Identifier: GPL-2.0 */
/*
 * seen.h - all versions of a run of blocks, and which of them are seen.
 *
 * All versions of a block lie side by side, so whether one is needed is decided
 * by looking at that block alone (R1). The epochs are numbered in preorder of
 * their tree, so that what descends from one is an interval, and the retained
 * ones in it are counted by two look-ups (R4).
 */
#ifndef DR_SEEN_H
#define DR_SEEN_H

#include "plan.h"
#include "recover.h"

/* Places of the epochs in a preorder of their tree; by table position */
struct dr_order {
	u32 *pos;
	u32 *end;		/* first place behind what descends from it */
	u32 *kept;		/* by place: retained epochs before it */
};

/**
 * dr_order_make() - number the tree as the table has it now
 * @o: ended by dr_order_exit() in every case
 * Context: may sleep. Return: 0 or -ENOMEM.
 */
int dr_order_make(struct dr_order *o, const struct dr_store *st);
void dr_order_exit(struct dr_order *o, const struct dr_env *env);

/* Position of an epoch's parent in the table, or nr: the base */
u32 dr_parent_of(const struct dr_epochs *t, u32 i);

/* R6: is all that it wrote in the trees, and behind the journal's tail? */
bool dr_epoch_in_trees(const struct dr_store *st, const struct dr_epoch *e);

/* A version of the run, and the place of its epoch in the tree */
struct dr_seat {
	u32 pos;
	u32 end;
	u32 at;			/* in the stack */
	u32 seen;		/* retained epochs that look through to it */
};

struct dr_stack {
	struct dr_map *v;	/* by epoch */
	struct dr_seat *seat;	/* by place */
	struct dr_ver *ver;	/* room for changes of them */
	u32 *open;		/* seats around the one in hand */
	bool *needed;		/* as v */
	u32 nr;
	u32 max;
	bool shares;		/* slots may be shown by more than one version */
};

/**
 * dr_stack_at() - read all versions of the run that holds a block, and find
 * out which are needed (R1, R6)
 * @s: zeroed at first; ended by dr_stack_exit()
 * @o: of the table as it is
 * @c: over the map
 * Context: may sleep. Return: 0, -ENOMEM, -EUCLEAN (no such run, or a version
 * without an epoch), or what reading returned.
 */
int dr_stack_at(struct dr_stack *s, const struct dr_store *st,
		const struct dr_order *o, struct dr_cursor *c, u64 block);
void dr_stack_exit(struct dr_stack *s, const struct dr_env *env);

/**
 * dr_stack_delete() - take the versions that are not needed out of the trees
 * @s: the run that holds [@pos, @to)
 * @plan: of the transaction in hand
 * @c: over the map, reset when the plan was applied to that
 * Context: may sleep. Return: 0; 1: there are more than one change can hold, and
 * the run has to be read again; or what dr_plan_feed() returned.
 */
int dr_stack_delete(struct dr_stack *s, struct dr_plan *plan,
		    struct dr_cursor *c, u64 pos, u64 to);

#endif
