/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recipe.h - history as it would be without some of its writes.
 *
 * A rule says that what epochs from..to wrote in a range of blocks is passed
 * over. Rules are judged from an epoch, along its lineage: each block shows
 * its newest version that no rule excludes. That one judgement makes replays,
 * dry runs and views, so what a view with rules shows is what a replay with
 * the same rules leaves (V6).
 *
 * Whoever looks at an epoch of the past has a lineage of his own, made once: a
 * number at or below a sealed epoch's is never given out again, so it stays
 * right whatever the head does (V2). While he looks, what can come to light is
 * held: those epochs cannot be dropped, so reclaim keeps it (V3, R1).
 */
#ifndef DR_RECIPE_H
#define DR_RECIPE_H

#include "store.h"

struct dr_rule {
	u64 block;		/* first block touched */
	u64 len;
	u32 from;		/* versions of epochs from..to are excluded, */
	u32 to;
	u32 before;		/* what comes to light was seen from here */
	bool drop_later;	/* and all later ones of those blocks too */
};

/* --- many rules ------------------------------------------------------------ */

/* A rule's place in order of first block */
struct dr_rule_key {
	u64 block;
	u32 at;			/* index into rule[] */
};

/*
 * Rules in the order in which they came. The first nr_sorted are found by
 * search, the rest (a fraction of them) by looking at each: so that adding
 * one at a time is cheap, too.
 */
struct dr_rules {
	struct dr_rule *rule;
	u32 nr;
	u32 max;
	u32 nr_sorted;
	struct dr_rule_key *key;	/* nr_sorted, by first block */
	u64 *reach;		/* tree of 2 * nr_leaves over the keys: the */
	u32 nr_leaves;		/* highest end below; leaves from nr_leaves on */
	struct dr_interval *span;	/* their epochs, joined, ascending */
	u32 nr_spans;
};

/* Return: their number; -ENOSPC: DR_MAX_RULES; -ENOMEM. May sleep. */
s64 dr_rules_add(struct dr_rules *rs, const struct dr_env *env,
		 const struct dr_rule *rule);
/* Sort all that came. 0 or -ENOMEM. May sleep. */
int dr_rules_sort(struct dr_rules *rs, const struct dr_env *env);
void dr_rules_exit(struct dr_rules *rs, const struct dr_env *env);

/*
 * The rules that cover a block, one after the other: *@pos is 0 at first.
 * Return: NULL when there are no more.
 */
const struct dr_rule *dr_rules_next(const struct dr_rules *rs, u64 block,
				    u32 *pos);
/* For how many blocks from @block on, at most @max, do the same rules hold? */
u64 dr_rules_same(const struct dr_rules *rs, u64 block, u64 max);
/* Is the epoch one of from..to of any rule? All are sorted. */
bool dr_rules_name(const struct dr_rules *rs, u32 epoch);

/**
 * dr_rule_make() - sectors to the blocks of a rule
 * @l: lineage that it is judged on
 * @epoch: that it is judged from
 * Serialized with control records and reclaim.
 * Return: 0, -EINVAL, -ERANGE (sectors), -ENOENT (epochs), -ENODATA: what was
 * before @from is not known any more.
 */
int dr_rule_make(const struct dr_store *st, const struct dr_lineage *l,
		 u32 epoch, struct dr_rule *rule, u64 sector, u64 sectors,
		 u32 from, u32 to, bool drop_later);

/* --- the judgement --------------------------------------------------------- */

struct dr_judge {
	const struct dr_rules *rules;
	const struct dr_lineage *lineage;
	u32 epoch;		/* to look from */
	/* State of a block seen from an epoch of the lineage, not 0 */
	int (*state)(const struct dr_judge *j, u32 epoch, u64 block, u64 max,
		     struct dr_state *s);
	void *arg;		/* for state() */
};

struct dr_verdict {
	struct dr_state now;
	struct dr_state keep;	/* newest version that is not excluded */
	u64 len;		/* blocks that it holds for */
	bool mixed;		/* it keeps bytes of an excluded one */
	bool later;		/* something later than an excluded one stays */
};

/* Return: 0 or what state() returned. Sleeps if that does. */
int dr_judge(const struct dr_judge *j, u64 block, u64 max,
	     struct dr_verdict *v);

/* For the trees alone, sleeping: what state() needs */
struct dr_tree_view {
	struct dr_cursor *cursor;	/* over the map */
	u32 slot_blocks;
};

/* state() of that; arg is a struct dr_tree_view. */
int dr_judge_tree(const struct dr_judge *j, u32 epoch, u64 block, u64 max,
		  struct dr_state *s);

/* --- an epoch of the past, with or without rules ---------------------------- */

struct dr_recipe {
	u32 epoch;
	struct dr_lineage *lineage;
	struct dr_rules rules;
};

/**
 * dr_recipe_open() - look from a sealed epoch, or from the origin (0)
 * @rc: zeroed
 * Context: sleeps; serialized with control records and reclaim.
 * Return: 0; -ENOENT: no such epoch, or dropped; -EBUSY: the head;
 * -EINPROGRESS: a replay is making it; -ENOMEM.
 */
int dr_recipe_open(struct dr_store *st, struct dr_recipe *rc, u32 epoch);
/* Add a rule, and hold what it needs. As dr_rule_make(), dr_rules_add(). */
int dr_recipe_add(struct dr_store *st, struct dr_recipe *rc, u64 sector,
		  u64 sectors, u32 from, u32 to, bool drop_later);
/* No more rules will come. 0 or -ENOMEM. May sleep. */
int dr_recipe_ready(struct dr_store *st, struct dr_recipe *rc);
/* Also of one that was not opened. Serialized with control records. */
void dr_recipe_close(struct dr_store *st, struct dr_recipe *rc);

/**
 * dr_recipe_lookup() - what a block shows, without sleeping
 * @mixed: does it keep bytes of an excluded version?
 *
 * Other arguments, context and return value as of dr_map_lookup().
 */
int dr_recipe_lookup(const struct dr_env *env, const struct dr_snap *snap,
		     const struct dr_recipe *rc, u64 block, u64 max,
		     u32 slot_blocks, struct dr_state *s, bool *mixed,
		     struct dr_want *want);

#endif
