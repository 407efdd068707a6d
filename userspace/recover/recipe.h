/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recipe.h - a recovery, written down: which device, which epochs are the
 * damage, what of it is meant, and for blocks the rules that follow.
 *
 * As a file it is a JSON document; Documentation/deltarec-recipe.rst is the
 * norm. plan writes it; preview, recover and replay read it, and the target
 * keeps it with the epoch that it made.
 */
#ifndef DR_RECIPE_H
#define DR_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "parse.h"
#include "past/view.h"
#include "recover/select.h"

#define RECIPE_FORMAT	"dmdelta-recipe"
#define RECIPE_VERSION	1

struct cmd_line;
struct json_object;

enum recipe_mode {
	RECIPE_AUTO,	/* not in a file: plan decides */
	RECIPE_FILES,
	RECIPE_BLOCKS,
};

/*
 * base < from <= to < now, on the branch of the head. "now" is the epoch that
 * the plan looked at; 0 until there is one.
 */
struct recipe {
	char device_uuid[DELTA_UUID_TEXT];	/* of the delta */
	char device_name[DM_NAME_MAX + 1];	/* when it was written */
	enum recipe_mode mode;
	uint32_t from, to, base, now;
	struct select select;
	bool force;
	struct view_rule *rule;	/* blocks; sorted by start */
	size_t nr_rules;
};

/**
 * recipe_load() - read a file and hold it against the schema
 * @file: for messages, too; errors name the member ("rules[3].sectors")
 * @device: a recipe of another delta is refused; NULL: of any
 *
 * Epochs are not looked up. Return: exit code, has said why; recipe_free()
 * in every case.
 */
int recipe_load(const char *file, const char *device, struct recipe *r);

/* The same for a document in memory. @thing: for messages */
int recipe_parse(const char *text, const char *thing, const char *device,
		 struct recipe *r);

/* Return: exit code, has said why. The file appears whole or not at all. */
int recipe_write(const char *file, const struct recipe *r);

/* To be put by the caller; NULL without memory. */
struct json_object *recipe_json(const struct recipe *r);

/**
 * recipe_from_line() - the options of plan, preview, recover and replay
 * @device: live; --from and --to are looked up on it
 *
 * --from, --to, --mode, --force and the selectors; those that a command does
 * not have count as not given. Refuses what is no damage of the head's
 * branch, or whose state before is not known any more.
 */
int recipe_from_line(const struct cmd_line *line, const char *device,
		     struct recipe *r);

/* All files that these epochs changed. Return: exit code, has said why */
int recipe_for_all(const char *device, uint32_t from, uint32_t to,
		   uint32_t base, struct recipe *r);

/*
 * Hold a recipe against the live device: its epochs exist, are sealed (@to
 * may be the open head) and on the branch of the head, its ranges are inside.
 * Fills in base.
 */
int recipe_check(const char *device, struct recipe *r);

void recipe_free(struct recipe *r);

/* "files", "blocks", "auto" */
const char *recipe_mode_word(enum recipe_mode mode);

#endif
