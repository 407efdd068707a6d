/* SPDX-License-Identifier: GPL-2.0 */
/*
 * html.h - a recovery plan as one page that an incident report can carry.
 *
 * The page needs nothing but itself: no network, no script. A small script
 * adds sorting and filtering where scripts run; the page's content security
 * policy lets that one alone run, known by its hash, so that nothing else
 * could, even if a name found its way out of its quotes.
 */
#ifndef DR_DRAW_HTML_H
#define DR_DRAW_HTML_H

#include <stdint.h>
#include <stdio.h>

#include "epochs.h"

struct json_object;

#define HTML_MAX_ITEMS	5000u	/* rows of the table; totals count all */

struct html_plan {
	struct json_object *plan;	/* as plan --json has it */
	const struct epochs *epochs;	/* of the device, or NULL */
	uint64_t sectors;		/* of the device */
	uint64_t time;			/* when it was made */
	const char *command;		/* how, or NULL */
};

/* Errors are those of @f, for the caller to ask with ferror(). */
void html_put_plan(FILE *f, const struct html_plan *page);

#endif
