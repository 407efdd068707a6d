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
	u8 kind;		/* in dr_rules */
};

/* --- many rules ------------------------------------------------------------ */

/* Rules of the same epochs are one kind: they differ in their blocks only. */
struct dr_rule_kind {
	u32 from;
	u32 to;
	u32 first;		/* of its ranges; they end where the next begin */
	bool drop_later;
};

struct dr_rule_range {
	u64 block;
	u64 end;
	u32 kind;
};

struct dr_rule_ranges {
	struct dr_rule_range *r;
	u32 nr;
	u32 max;
};

/*
 * Rules in the order in which they came, and the first nr_ready of them as
 * ranges in order of kind and block. Those of a kind neither overlap nor touch,
 * so however many rules cover a block, at most DR_MAX_KINDS ranges do (V7).
 */
struct dr_rules {
	struct dr_rule *rule;
	u32 nr;
	u32 max;
	u32 nr_ready;
	struct dr_rule_kind *kind;	/* and one more, for its first */
	u32 nr_kinds;
	struct dr_rule_range *range;
	u32 nr_ranges;
	struct dr_rule_ranges hull;	/* of all kinds together */
};

/* The kinds of rules that cover a block */
struct dr_cover {
	u32 nr;
	u8 kind[DR_MAX_KINDS];
};

/**
 * dr_rules_add() - add a rule; it counts after dr_rules_ready()
 * Context: may sleep. Costs a look at each kind.
 * Return: their number; -E2BIG: DR_MAX_RULES or DR_MAX_KINDS; -ENOMEM.
 */
s64 dr_rules_add(struct dr_rules *rs, const struct dr_env *env,
		 const struct dr_rule *rule);
/**
 * dr_rules_ready() - let all that came count
 * @fresh: what rules of the same kind did not cover before is appended here,
 *	or NULL
 * Context: may sleep; nobody looks at @rs. Sorts what is new and merges it
 * with the rest.
 * Return: 0 or -ENOMEM, then nothing has changed.
 */
int dr_rules_ready(struct dr_rules *rs, const struct dr_env *env,
		   struct dr_rule_ranges *fresh);
void dr_rules_exit(struct dr_rules *rs, const struct dr_env *env);

/*
 * Which rules cover a block? Return: for how many blocks from it on, at most
 * @max, they are the same. Costs a search for each kind where any rule covers
 * the block, and one search elsewhere.
 */
u64 dr_rules_cover(const struct dr_rules *rs, u64 block, u64 max,
		   struct dr_cover *cover);
/* Is the epoch one of from..to of any rule, ready or not? */
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
	const struct dr_rules *rules;	/* ready */
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
