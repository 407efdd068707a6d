// SPDX-License-Identifier: GPL-2.0
/*
 * sight.c - before, at the end of the damage, now: opened side by side.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "recover/blocks.h"

static const struct past_volume *find(const struct past *past,
				      const char *what)
{
	size_t i;

	for (i = 0; i < past->nr; i++)
		if (!strcmp(past->vol[i].vol->what, what))
			return &past->vol[i];
	return NULL;
}

static const char *text(const char *s)
{
	return s ? s : "";
}

/* The same file system, and it can be mounted */
static bool still_there(const struct past_volume *before,
			const struct past_volume *now)
{
	return now && now->dir &&
	       !strcmp(text(before->vol->type), text(now->vol->type)) &&
	       !strcmp(text(before->vol->uuid), text(now->vol->uuid));
}

static void add_volume(struct sight *s, const struct past_volume *pv)
{
	struct plan_volume *v = s->volume;

	for (; v < s->volume + s->nr_volumes; v++)
		if (!strcmp(v->what, pv->vol->what))
			return;
	v->what = pv->vol->what;
	v->before = find(&s->base, v->what);
	v->bad = find(&s->bad, v->what);
	v->now = find(&s->now, v->what);
	v->lost = v->before && v->before->dir &&
		  !still_there(v->before, v->now);
	v->copy_on_write = !strcmp(text(pv->vol->type), "btrfs");
	s->nr_volumes++;
}

static int match_volumes(struct sight *s)
{
	const struct past *pasts[] = { &s->base, &s->bad, &s->now };
	size_t i, j;

	s->volume = calloc(s->base.nr + s->bad.nr + s->now.nr + 1,
			   sizeof(*s->volume));
	if (!s->volume)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; i < ARRAY_SIZE(pasts); i++)
		for (j = 0; j < pasts[i]->nr; j++)
			add_volume(s, &pasts[i]->vol[j]);
	return DR_EXIT_OK;
}

int sight_open(const char *device, const struct recipe *r, struct sight *s)
{
	int code;

	memset(s, 0, sizeof(*s));
	s->device = device;
	code = device_status(device, &s->status);
	if (!code)
		code = past_open(device, r->base, NULL, 0, 0, &s->base);
	if (code)
		return code;
	code = past_open(device, r->to, NULL, 0, 0, &s->bad);
	if (code) {
		past_close(&s->base);
		return code;
	}
	code = past_open(device, r->now, NULL, 0, 0, &s->now);
	if (code) {
		past_close(&s->bad);
		past_close(&s->base);
		return code;
	}
	code = match_volumes(s);
	if (code)
		sight_close(s);
	return code;
}

void sight_close(struct sight *s)
{
	if (!s->device)
		return;
	free(s->volume);
	past_close(&s->now);
	past_close(&s->bad);
	past_close(&s->base);
	memset(s, 0, sizeof(*s));
}
