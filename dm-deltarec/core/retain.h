/* SPDX-License-Identifier: GPL-2.0 */
/*
 * retain.h - which epochs a policy keeps, and which may go first when space is
 * short. Pure functions of the table of epochs: module and tool (--dry-run)
 * decide alike.
 */
#ifndef DR_RETAIN_H
#define DR_RETAIN_H

#include "store.h"

/* "One epoch of each ... for so many of them" */
enum dr_period {
	DR_PERIOD_MINUTE,
	DR_PERIOD_HOUR,
	DR_PERIOD_DAY,
	DR_PERIOD_WEEK,
	DR_PERIOD_MONTH,
	DR_NR_PERIODS
};

struct dr_policy {
	bool drops;		/* any of the next two was given */
	u32 newest;		/* epochs on the head's lineage */
	u32 keep[DR_NR_PERIODS];
	u32 around;		/* neighbours of a suspect one, each way */
	u32 every;		/* seconds between checkpoints; 0: none */
	u32 written;		/* MiB written that make one; 0: none */
	u32 lag;		/* seconds: what is older is committed; 0: nothing */
	u32 low;		/* marks, as of dr_gauge_set() */
	u32 critical;
};

/* Why an epoch stays; the first that holds, in this order */
enum dr_keep {
	DR_KEEP_NOT,		/* it may be dropped */
	DR_KEEP_STATE,		/* head, being made, or dropped already */
	DR_KEEP_START,		/* the device may go back to it */
	DR_KEEP_PINNED,
	DR_KEEP_NAMED,
	DR_KEEP_SUSPECT,
	DR_KEEP_AROUND,		/* beside a suspect one */
	DR_KEEP_HELD,		/* a view shows it */
	DR_KEEP_UNDO,		/* the last rollback or replay left it */
	DR_KEEP_NEWEST,
	DR_KEEP_MINUTE,		/* in the order of enum dr_period */
	DR_KEEP_HOUR,
	DR_KEEP_DAY,
	DR_KEEP_WEEK,
	DR_KEEP_MONTH,
	DR_KEEP_ALL,		/* no policy */
	DR_NR_KEEP
};

/**
 * dr_policy_parse() - read a policy: words "key=value", separated by spaces
 * @text: "" is the policy that keeps all
 * @at: if it is wrong, where the word begins that is
 *
 * Return: NULL, or what is wrong (a constant string). Context: any.
 */
const char *dr_policy_parse(struct dr_policy *p, const char *text, u32 *at);

/**
 * dr_retain() - what a policy makes of each epoch
 * @why: enum dr_keep for each record of the table, by position
 *
 * Times are counted from the newest sealed epoch on, not from a clock: on a
 * device that nobody writes to nothing grows old, and a clock that is wrong
 * does no harm before a checkpoint is made by it. Costs O(epochs).
 *
 * Context: any; the table does not change meanwhile.
 */
void dr_retain(const struct dr_epochs *t, const struct dr_policy *p, u32 head,
	       u8 *why);

/*
 * The oldest epoch that may be given up when there is no space left, whatever
 * the policy counts: only what is protected by name, mark or use stays, and the
 * newest one. Return: its number, or 0. Context: as above.
 */
u32 dr_retain_oldest(const struct dr_epochs *t, const struct dr_policy *p,
		     u32 head, u8 *why);

/*
 * Does anything protect this epoch, whatever a policy counts? enum dr_keep, up
 * to DR_KEEP_HELD.
 */
u8 dr_retain_protects(const struct dr_epochs *t, const struct dr_epoch *e);

/* What was committed last; epoch 0: nothing was */
struct dr_committed {
	u32 epoch;
	s64 time;
};

struct dr_lag {
	u32 epoch;		/* up to which the past is to be committed, or 0 */
	u32 held_up_by;		/* the lowest protected one below what is old enough, or 0 */
};

/**
 * dr_retain_lag() - up to which epoch the past is old enough to be committed
 * @why: room for a byte an epoch
 *
 * The newest one on the lineage of @head that is older than the policy's lag,
 * counted from the newest sealed epoch, with nothing below it that is protected,
 * and which is neither suspect nor beside one that is. Not before a sixteenth
 * of the lag has gone by since the last one.
 * Context: the table does not change.
 */
void dr_retain_lag(const struct dr_epochs *t, const struct dr_policy *p, u32 head,
		   const struct dr_committed *last, u8 *why, struct dr_lag *lag);

/*
 * The same for a store that is open: whether anything holds the base or the device
 * begins with it counts, too. Context: may sleep. Return: its number, or 0.
 */
u32 dr_retain_commit(const struct dr_store *st, const struct dr_policy *p);

/**
 * dr_mark() - set and clear DR_MARK_* of an epoch, durably
 * Context: may sleep; serialized with commits, and nobody adds epochs.
 * Return: 0, then go on as after dr_merge_step(); -EINVAL: the base; -ENOENT;
 * -ENOSPC and -ENOMEM: nothing has changed; any other error: the store may only
 * be read.
 */
int dr_mark(struct dr_store *st, u32 epoch, u8 set, u8 clear);

/**
 * dr_policy_set() - keep a policy with the device
 * @text: that dr_policy_parse() takes
 * Context and return value: as of dr_mark().
 */
int dr_policy_set(struct dr_store *st, const char *text);

/**
 * dr_retain_drop() - drop what the policy does not keep
 * @nr: how many that were
 *
 * One commit for all of them. Reclaim is wanted afterwards.
 * Context and return value: as of dr_mark(); with nothing to drop, 0 without a
 * commit.
 */
int dr_retain_drop(struct dr_store *st, const struct dr_policy *p, u32 *nr);

/**
 * dr_retain_drop_oldest() - drop the oldest epochs of which dr_retain_oldest()
 *	takes one, whatever the policy counts
 * @max: how many at most
 * @ids: room for as many numbers: which those were
 *
 * While reclaim waits for a merge, as it does when that has no room, only of those
 * that it need not wait for (R6).
 * Otherwise as dr_retain_drop().
 */
int dr_retain_drop_oldest(struct dr_store *st, const struct dr_policy *p,
			  u32 max, u32 *ids, u32 *nr);
/*
 * Commit what was changed in the table of epochs and in st->sb, and nothing
 * else. Context and return value: as of dr_mark(); if it fails, the caller takes
 * back what he changed (S6).
 */
int dr_commit_table(struct dr_store *st);

/**
 * dr_drop_now() - drop an epoch where the journal finds no room for a record
 * Context: as of dr_mark(). Return: as dr_mark(), or as dr_store_may_drop().
 */
int dr_drop_now(struct dr_store *st, u32 epoch);

extern const char *const dr_keep_words[DR_NR_KEEP];

#endif
