// SPDX-License-Identifier: GPL-2.0
/*
 * blocks.c - from a device and a recipe to the facts, and to the classes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "beneath.h"
#include "changes.h"
#include "cli.h"
#include "epochs.h"
#include "reads.h"
#include "recover/blocks.h"
#include "recover/parts.h"

#define NR_MEMO		4096u

/* Is a file selected? The same ones are asked for again and again. */
struct chooser {
	const struct sight *s;
	const struct select *select;
	struct memo {
		const char *path;	/* by address: a map's own string */
		bool yes;
	} memo[NR_MEMO];
};

static bool chosen_by_stat(const struct chooser *c,
			   const struct owner_extent *e)
{
	const struct plan_volume *v = c->s->volume;
	const struct plan_volume *end = v + c->s->nr_volumes;
	struct stat st;

	while (v < end && strcmp(v->what, e->volume))
		v++;
	if (v == end)
		return false;
	if ((!v->bad || !v->bad->dir ||
	     !stat_in_tree(v->bad->dir, e->path, &st)) &&
	    (!v->before || !v->before->dir ||
	     !stat_in_tree(v->before->dir, e->path, &st)))
		return false;
	return select_stat(c->select, &st);
}

static bool chosen(void *arg, const struct owner_extent *e)
{
	struct chooser *c = arg;
	struct memo *m = &c->memo[((uintptr_t)e->path >> 3) % NR_MEMO];

	if (!e->path || !e->volume)
		return false;
	if (m->path == e->path)
		return m->yes;
	m->path = e->path;
	m->yes = select_path(c->select, e->path) &&
		 (!select_needs_stat(c->select) || chosen_by_stat(c, e));
	return m->yes;
}

/* --- gathering ----------------------------------------------------------- */

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static int gather_changes(const struct sight *s, const struct recipe *r,
			  struct blocks_facts *f)
{
	uint64_t unit = s->status.block_sectors, end = s->status.sectors;
	struct epochs epochs;
	size_t i;
	int code = epochs_load(s->device, &epochs);

	if (code)
		return code;
	code = changes_written(s->device, &epochs, r->from, r->to,
			       &f->written.range, &f->written.nr);
	epochs_free(&epochs);
	if (!code && r->now != r->to)
		code = changes_between(s->device, r->to, r->now,
				       &f->later.range, &f->later.nr);
	if (code)
		return code;
	f->written.nr = ranges_align(f->written.range, f->written.nr, unit,
				     end);
	f->later.nr = ranges_align(f->later.range, f->later.nr, unit, end);
	for (i = 0; i < r->select.nr_range; i++)
		range_list_add(&f->only, r->select.range[i].start_sectors,
			       r->select.range[i].len_sectors);
	if (f->only.no_memory)
		return no_memory();
	f->only.nr = ranges_align(f->only.range, f->only.nr, unit, end);
	return DR_EXIT_OK;
}

static int gather_owners(const struct sight *s, struct blocks_facts *f)
{
	int code = owner_map_make(&s->base, NULL, 0, &f->before);

	if (!code)
		code = owner_map_make(&s->bad, NULL, 0, &f->bad);
	return code ? code : owner_map_make(&s->now, NULL, 0, &f->now);
}

/* Volumes by what the classes have to know of them */
struct names {
	const char **lost, **cow, **opaque;
};

static bool has_owners(const struct owner_map *map, const char *volume)
{
	size_t i;

	for (i = 0; i < map->nr; i++)
		if (map->e[i].kind != OWNER_UNKNOWN && map->e[i].volume &&
		    !strcmp(map->e[i].volume, volume))
			return true;
	return false;
}

static void name_volumes(const struct sight *s, const struct blocks_facts *f,
			 const struct names *names, struct classes_input *in)
{
	const struct plan_volume *v = s->volume;

	for (; v < s->volume + s->nr_volumes; v++) {
		if (v->lost)
			names->lost[in->nr_lost++] = v->what;
		else if (v->copy_on_write)
			names->cow[in->nr_cow++] = v->what;
		else if (v->now && v->now->dir && !has_owners(&f->now, v->what))
			names->opaque[in->nr_opaque++] = v->what;
	}
	/* With them goes what is in no volume: the partition table. */
	if (in->nr_lost)
		names->lost[in->nr_lost++] = NULL;
	in->lost = names->lost;
	in->cow = names->cow;
	in->opaque = names->opaque;
}

/* --- files that the damage touched ---------------------------------------- */

struct file_key {
	const char *volume;
	uint64_t tree, ino;
};

static int by_key(const void *a, const void *b)
{
	const struct file_key *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	if (x->tree != y->tree)
		return x->tree < y->tree ? -1 : 1;
	return strcmp(x->volume ? x->volume : "", y->volume ? y->volume : "");
}

static struct file_key key_of(const struct owner_extent *e)
{
	return (struct file_key){ e->volume, e->tree, e->ino };
}

/* Files of today that have a block which the damaged epochs wrote */
static size_t find_touched(const struct blocks_facts *f, struct file_key *key)
{
	const struct owner_extent *e = f->now.e;
	const struct range *r = f->written.range;
	const struct range *end = r + f->written.nr;
	size_t nr = 0;

	for (; e < f->now.e + f->now.nr; e++) {
		while (r < end && range_end(r) <= e->start)
			r++;
		if (e->kind == OWNER_FILE && r < end &&
		    r->start_sectors < e->start + e->sectors)
			key[nr++] = key_of(e);
	}
	if (nr)
		qsort(key, nr, sizeof(*key), by_key);
	return nr;
}

/*
 * What has to be compared: what the damaged epochs wrote, and the rest of the
 * files that they wrote to, since that decides whether these are mixed.
 */
static int find_compared(const struct sight *s, const struct blocks_facts *f,
			 struct range_list *list)
{
	struct file_key *keys = calloc(f->now.nr + 1, sizeof(*keys)), key;
	const struct owner_extent *e = f->now.e;
	size_t i, nr;

	if (!keys)
		return no_memory();
	nr = find_touched(f, keys);
	for (i = 0; i < f->written.nr; i++)
		range_list_add(list, f->written.range[i].start_sectors,
			       f->written.range[i].len_sectors);
	for (; nr && e < f->now.e + f->now.nr; e++) {
		key = key_of(e);
		if (e->kind == OWNER_FILE &&
		    bsearch(&key, keys, nr, sizeof(key), by_key))
			range_list_add(list, e->start, e->sectors);
	}
	free(keys);
	if (list->no_memory)
		return no_memory();
	list->nr = ranges_align(list->range, list->nr,
				s->status.block_sectors, s->status.sectors);
	return DR_EXIT_OK;
}

static int gather_content(const struct sight *s, struct blocks_facts *f)
{
	struct range_list compared = { 0 };
	int code = find_compared(s, f, &compared);

	if (!code)
		code = blocks_compare(s->base.view.node, s->bad.view.node,
				      s->now.view.node,
				      s->status.block_sectors, &f->written,
				      &f->later, &compared, &f->same,
				      &f->zeroes);
	range_list_free(&compared);
	return code;
}

/* --- who had read damage ---------------------------------------------------- */

/* Data that the damaged epochs wrote: metadata and journals are always read. */
static void find_damaged_data(const struct blocks_facts *f,
			      struct range_list *list)
{
	const struct owner_extent *e = f->now.e;
	struct range_list data = { 0 };

	for (; e < f->now.e + f->now.nr; e++)
		if (e->kind == OWNER_FILE || e->kind == OWNER_UNKNOWN)
			range_list_add(&data, e->start, e->sectors);
	ranges_and(f->written.range, f->written.nr, data.range, data.nr, list);
	list->no_memory |= data.no_memory;
	range_list_free(&data);
}

/* What @e wrote is suspect if it had read any of @damage. */
static int take_epoch(const struct sight *s, const struct epoch *e,
		      const struct range_list *damage, struct range_list *list)
{
	struct range_list hit = { 0 };
	struct range *ranges = NULL;
	bool known;
	size_t nr = 0, i;
	int code = reads_of(s->device, e->id, &ranges, &nr, &known);

	if (!code && known)
		ranges_and(ranges, nr, damage->range, damage->nr, &hit);
	list->no_memory |= hit.no_memory;
	free(ranges);
	ranges = NULL;
	nr = 0;
	if (!code && hit.nr)
		code = changes_between(s->device, e->parent, e->id, &ranges,
				       &nr);
	for (i = 0; !code && i < nr; i++)
		range_list_add(list, ranges[i].start_sectors,
			       ranges[i].len_sectors);
	range_list_join(list);
	free(ranges);
	range_list_free(&hit);
	return code;
}

/*
 * The epochs after the damage, one by one. An epoch is the grain: what read
 * and what wrote in it cannot be told apart, so this is a list to look at.
 */
static int gather_suspects(const struct sight *s, const struct recipe *r,
			   struct blocks_facts *f)
{
	struct range_list damage = { 0 };
	const struct epoch *e, *parent;
	struct epochs epochs;
	int code = epochs_load(s->device, &epochs);

	if (code)
		return code;
	find_damaged_data(f, &damage);
	for (e = epochs_find(&epochs, r->now); !code && e && e->id > r->to;
	     e = parent) {
		parent = epochs_parent(&epochs, e);
		if (parent && e->has_read_first &&
		    !epoch_is(e->state, DR_STATE_DROPPED) &&
		    !epoch_is(parent->state, DR_STATE_DROPPED))
			code = take_epoch(s, e, &damage, &f->suspect);
	}
	epochs_free(&epochs);
	if (!code && (damage.no_memory || f->suspect.no_memory))
		code = no_memory();
	range_list_free(&damage);
	if (!code)
		f->suspect.nr = ranges_align(f->suspect.range, f->suspect.nr,
					     s->status.block_sectors,
					     s->status.sectors);
	return code;
}

/* --- the plan --------------------------------------------------------------- */

static struct range_set set_of(const struct range_list *list)
{
	return (struct range_set){ list->range, list->nr };
}

static int classify(const struct sight *s, const struct recipe *r,
		    const struct blocks_facts *f, struct blocks_plan *plan)
{
	size_t nr = s->nr_volumes + 1;
	const char **words = calloc(3 * nr, sizeof(*words));
	struct names names = { words, words + nr, words + 2 * nr };
	struct chooser *c = calloc(1, sizeof(*c));
	struct classes_input in = {
		.sectors = s->status.sectors,
		.block_sectors = s->status.block_sectors,
		.from = r->from, .to = r->to,
		.before = &f->before, .bad = &f->bad, .now = &f->now,
		.written = set_of(&f->written), .later = set_of(&f->later),
		.same = set_of(&f->same), .zeroes = set_of(&f->zeroes),
		.suspect = set_of(&f->suspect), .only = set_of(&f->only),
		.parts = set_of(&f->parts),
		.file = select_names_files(&r->select) ? chosen : NULL,
		.arg = c, .force = r->force,
		.named = r->select.nr_path || select_needs_blocks(&r->select),
	};
	int ret = -ENOMEM;

	if (words && c) {
		c->s = s;
		c->select = &r->select;
		name_volumes(s, f, &names, &in);
		ret = classes_make(&in, plan);
	}
	free(words);
	free(c);
	return ret ? no_memory() : DR_EXIT_OK;
}

int blocks_plan_make(const struct sight *s, const struct recipe *r,
		     struct blocks_facts *facts, struct blocks_plan *plan)
{
	int code;

	memset(facts, 0, sizeof(*facts));
	memset(plan, 0, sizeof(*plan));
	code = gather_changes(s, r, facts);
	if (!code)
		code = gather_owners(s, facts);
	if (!code)
		code = parts_gather(s, &r->select, facts);
	if (!code)
		code = gather_content(s, facts);
	if (!code)
		code = gather_suspects(s, r, facts);
	if (!code)
		code = classify(s, r, facts, plan);
	if (!code && plan->nr_rules > DR_MAX_RULES)
		code = fail(DR_EXIT_OPERATIONAL, s->device,
			    "select less at a time, by --path or --range",
			    "the plan needs %zu rules, a replay takes %u",
			    plan->nr_rules, DR_MAX_RULES);
	return code;
}

void blocks_facts_free(struct blocks_facts *f)
{
	owner_map_free(&f->before);
	owner_map_free(&f->bad);
	owner_map_free(&f->now);
	range_list_free(&f->written);
	range_list_free(&f->later);
	range_list_free(&f->same);
	range_list_free(&f->zeroes);
	range_list_free(&f->suspect);
	range_list_free(&f->only);
	range_list_free(&f->parts);
}
