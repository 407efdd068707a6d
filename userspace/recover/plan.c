// SPDX-License-Identifier: GPL-2.0
/*
 * plan.c - seal, look, choose, plan.
 */
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "cli.h"
#include "past/now.h"
#include "recover/files-find.h"
#include "recover/plan.h"

static const char why_lost[] =
	"a file system that was there before cannot be mounted now, or is another one";
static const char why_none[] =
	"no file system is known there, neither before the damage nor now";
static const char why_files[] =
	"a file system is there before and now: files are exact, whatever the attack";

/* --- the mode ------------------------------------------------------------ */

static size_t count_volumes(const struct sight *s, size_t *lost)
{
	const struct plan_volume *v = s->volume;
	size_t nr = 0;

	*lost = 0;
	for (; v < s->volume + s->nr_volumes; v++) {
		nr += v->before && v->before->dir && !v->lost;
		*lost += v->lost;
	}
	return nr;
}

/*
 * Files wherever a file system can be asked: that is exact for any attack.
 * Blocks where there is none to ask.
 */
static int choose_mode(struct plan *p)
{
	struct recipe *r = p->recipe;
	size_t lost, there = count_volumes(&p->sight, &lost);

	if (r->mode == RECIPE_FILES && !there)
		return fail(DR_EXIT_OPERATIONAL, p->sight.device,
			    "use --mode blocks",
			    "no file system that could be mounted both before the damage and now");
	if (r->mode != RECIPE_AUTO) {
		p->reason = "asked for";
		return DR_EXIT_OK;
	}
	r->mode = RECIPE_BLOCKS;
	if (r->select.nr_range)
		p->reason = "ranges are given";
	else if (r->select.nr_part)
		p->reason = "parts of files are given";
	else if (lost)
		p->reason = why_lost;
	else if (!there)
		p->reason = why_none;
	else
		r->mode = RECIPE_FILES;
	if (r->mode == RECIPE_FILES)
		p->reason = why_files;
	return DR_EXIT_OK;
}

/* --- the selectors -------------------------------------------------------- */

static const char *root_of(const void *of, size_t volume, enum files_when when)
{
	const struct plan_volume *v =
		&((const struct plan *)of)->sight.volume[volume];
	const struct past_volume *past = when == FILES_BASE ? v->before :
					 when == FILES_BAD ? v->bad : v->now;

	return past ? past->dir : NULL;
}

/* --- files --------------------------------------------------------------- */

struct files_facts {
	struct owner_map before, bad;
	struct range *changed;
	size_t nr_changed;
};

static int plan_volume(struct plan *p, const struct files_facts *f, size_t i)
{
	const struct plan_volume *v = &p->sight.volume[i];

	if (!v->before || !v->before->dir)
		return DR_EXIT_OK;
	if (v->lost || !v->bad || !v->bad->dir) {
		warn(v->what, "its file system cannot be mounted %s: %s; its files are in no plan",
		     v->lost ? "now" : "as the damage left it",
		     v->lost ? (v->now && v->now->why ? v->now->why :
				"it is gone, or another one") :
		     (v->bad && v->bad->why ? v->bad->why : "it is gone"));
		p->refused = true;
		return DR_EXIT_OK;
	}
	return files_plan_make(v->before->dir, v->bad->dir, v->now->dir,
			       &p->recipe->select, &f->before, &f->bad,
			       f->changed, f->nr_changed, &p->files[i]);
}

static int plan_files(struct plan *p)
{
	const struct sight *s = &p->sight;
	const struct recipe *r = p->recipe;
	struct files_facts f = { 0 };
	size_t i;
	int code;

	p->files = calloc(s->nr_volumes + 1, sizeof(*p->files));
	if (!p->files)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	code = changes_between(s->device, r->base, r->to, &f.changed,
			       &f.nr_changed);
	if (!code)
		code = owner_map_make(&s->base, f.changed, f.nr_changed,
				      &f.before);
	if (!code)
		code = owner_map_make(&s->bad, f.changed, f.nr_changed,
				      &f.bad);
	for (i = 0; !code && i < s->nr_volumes; i++)
		code = plan_volume(p, &f, i);
	owner_map_free(&f.before);
	owner_map_free(&f.bad);
	free(f.changed);
	return code;
}

/* --- blocks -------------------------------------------------------------- */

static int plan_blocks(struct plan *p)
{
	struct blocks_plan *b = &p->blocks;
	struct recipe *r = p->recipe;
	int code = blocks_plan_make(&p->sight, r, &p->facts, b);

	if (code)
		return code;
	p->refused = b->refused;
	free(r->rule);
	r->nr_rules = b->nr_rules;
	r->rule = calloc(b->nr_rules + 1, sizeof(*r->rule));
	if (!r->rule)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	memcpy(r->rule, b->rule, b->nr_rules * sizeof(*r->rule));
	return DR_EXIT_OK;
}

/* --- all of it ----------------------------------------------------------- */

static int seal_now(const char *device, struct recipe *r)
{
	int code = now_epoch(device, &r->now);

	/* --to head, and nothing was written to it: it ends where it begins */
	if (!code && r->to > r->now)
		r->to = r->now;
	if (!code && r->from > r->to)
		code = fail(DR_EXIT_USAGE, "--from",
			    "'dmdelta log' shows what was written when",
			    "nothing was written from epoch %u on", r->from);
	return code;
}

int plan_make(const char *device, struct recipe *r, struct plan *p)
{
	int code;

	memset(p, 0, sizeof(*p));
	p->recipe = r;
	code = seal_now(device, r);
	if (!code)
		code = sight_open(device, r, &p->sight);
	if (!code)
		code = files_find_patterns(&r->select, root_of, p,
					   p->sight.nr_volumes);
	if (!code)
		code = choose_mode(p);
	if (!code)
		code = r->mode == RECIPE_FILES ? plan_files(p) :
						 plan_blocks(p);
	return code;
}

void plan_free(struct plan *p)
{
	size_t i;

	for (i = 0; p->files && i < p->sight.nr_volumes; i++)
		files_plan_free(&p->files[i]);
	free(p->files);
	blocks_plan_free(&p->blocks);
	blocks_facts_free(&p->facts);
	sight_close(&p->sight);
	memset(p, 0, sizeof(*p));
}

int plan_exit(const struct plan *p)
{
	return p->refused ? DR_EXIT_UNCORRECTED : DR_EXIT_OK;
}
