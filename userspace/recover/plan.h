/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plan.h - what a recovery would do: by files, or by blocks.
 *
 * A plan changes nothing, but it seals the head first, so that what it looks
 * at as "now" cannot move. As a document it is JSON; the norm is
 * Documentation/deltarec-recipe.rst.
 */
#ifndef DR_PLAN_H
#define DR_PLAN_H

#include "recover/blocks.h"
#include "recover/files.h"

#define PLAN_FORMAT	"dmdelta-plan"
#define PLAN_VERSION	1

struct json_object;

struct plan {
	struct sight sight;
	struct recipe *recipe;		/* the caller's; see plan_make() */
	const char *reason;		/* of the mode */
	bool refused;			/* something is refused or left */
	/* blocks */
	struct blocks_facts facts;
	struct blocks_plan blocks;
	/* files: one for each volume of the sight; empty where lost */
	struct files_plan *files;
};

/**
 * plan_make() - look, choose the mode, and plan
 * @r: checked against the device; gets its mode, its now and its rules, and
 *     has to outlive the plan
 * @p: set in every case: plan_free() is always fine
 *
 * Return: exit code, has said why. DR_EXIT_OK also where all is refused.
 */
int plan_make(const char *device, struct recipe *r, struct plan *p);
void plan_free(struct plan *p);

/* The exit code that a plan stands for: 0 or DR_EXIT_UNCORRECTED */
int plan_exit(const struct plan *p);

/* The whole document; to be put by the caller. NULL without memory. */
struct json_object *plan_json(const struct plan *p);

/*
 * What becomes of whom, largest first: the items of a plan of blocks summed
 * up by owner, class and action, or those of a plan of files.
 */
struct plan_line {
	const char *volume;
	const char *path;	/* NULL: what names it */
	const char *what;
	const char *class;	/* "C0"; NULL: files */
	const char *action;
	const char *why;
	char type;		/* files: as ls has them; else 0 */
	bool refused, forced;
	uint64_t blocks, bytes;
};

/* Return: 0 or -ENOMEM. Strings are the plan's. */
int plan_lines(const struct plan *p, struct plan_line **lines, size_t *nr);

/* One line for each class or action that occurs */
struct plan_total {
	const char *word;
	const char *becomes;	/* in words */
	uint64_t items, blocks, bytes;
	uint64_t refused, forced;	/* of these items */
};

#define PLAN_MAX_TOTALS	16
size_t plan_totals(const struct plan *p, struct plan_total *totals);

#endif
