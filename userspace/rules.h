/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rules.h - the option --recipe of commands that show what a recipe of blocks
 * would make of an epoch.
 */
#ifndef DR_RULES_H
#define DR_RULES_H

#include "recover/recipe.h"

struct cmd_line;

/**
 * rules_of() - the rules that --recipe names; none without it
 * @device: live; the recipe must be for it
 * @r: to be freed with recipe_free() in every case
 *
 * Return: exit code, has said why.
 */
int rules_of(const struct cmd_line *line, const char *device,
	     struct recipe *r);

#endif
