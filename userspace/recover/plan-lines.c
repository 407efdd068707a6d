// SPDX-License-Identifier: GPL-2.0
/*
 * plan-lines.c - a plan summed up, and as a document.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "output.h"
#include "recover/plan.h"

static const char *const class_becomes[NR_CLASSES] = {
	[CLASS_C0] = "becomes as before",
	[CLASS_C1] = "mixed: the later write stays",
	[CLASS_C2] = "owner changed: not touched",
	[CLASS_C3] = "file-system metadata: not touched",
	[CLASS_C4] = "journal: the newest stays",
	[CLASS_C5] = "suspect: look at it",
	[CLASS_C6] = "discarded or zeroed: the old content comes back",
	[CLASS_FREE] = "nobody's: not touched",
};

static const char *const action_becomes[NR_FILES_ACTIONS] = {
	[FILES_RESTORE] = "becomes as before",
	[FILES_BRING_BACK] = "deleted: made again",
	[FILES_QUARANTINE] = "came with the damage: moved away",
	[FILES_ATTRS] = "attributes become as before",
	[FILES_MIXED] = "mixed: later work stays",
	[FILES_DONE] = "as before already",
};

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

/* --- lines --------------------------------------------------------------- */

static uint64_t in_blocks(const struct plan *p, uint64_t start,
			  uint64_t sectors)
{
	uint64_t unit = p->sight.status.block_sectors;

	return (start + sectors + unit - 1) / unit - start / unit;
}

static struct plan_line line_of_block(const struct plan *p,
				      const struct blocks_item *item)
{
	return (struct plan_line){
		.volume = item->volume,
		.path = item->path_before ? item->path_before :
			item->path_now,
		.what = item->what,
		.class = block_class_words[item->class],
		.action = block_action_words[item->action],
		.why = item->why,
		.refused = item->action == BLOCK_REFUSE,
		.forced = item->forced,
		.blocks = in_blocks(p, item->start, item->sectors),
		.bytes = item->sectors << SECTOR_SHIFT,
	};
}

static int by_owner(const void *a, const void *b)
{
	const struct plan_line *x = a, *y = b;
	int c = compare_text(x->volume, y->volume);

	if (!c)
		c = compare_text(x->path, y->path);
	if (!c)
		c = compare_text(x->what, y->what);
	if (!c)
		c = compare_text(x->class, y->class);
	if (!c)
		c = compare_text(x->action, y->action);
	return c ? c : compare_text(x->why, y->why);
}

static int by_size(const void *a, const void *b)
{
	const struct plan_line *x = a, *y = b;

	if (x->refused != y->refused)
		return x->refused ? -1 : 1;
	if (x->bytes != y->bytes)
		return x->bytes > y->bytes ? -1 : 1;
	return by_owner(a, b);
}

static size_t sum_up(struct plan_line *line, size_t nr)
{
	size_t i, to = 0;

	if (!nr)
		return 0;
	qsort(line, nr, sizeof(*line), by_owner);
	for (i = 1; i < nr; i++) {
		if (by_owner(&line[to], &line[i])) {
			line[++to] = line[i];
			continue;
		}
		line[to].blocks += line[i].blocks;
		line[to].bytes += line[i].bytes;
	}
	return to + 1;
}

static void add_files(const struct plan *p, size_t i, struct plan_line *line)
{
	const struct files_plan *f = &p->files[i];
	const struct files_item *item = f->item;

	for (; item < f->item + f->nr; item++)
		*line++ = (struct plan_line){
			.volume = p->sight.volume[i].what,
			.path = item->path,
			.action = files_action_words[item->action],
			.why = item->why,
			.type = item->type,
			.bytes = item->bytes,
		};
}

int plan_lines(const struct plan *p, struct plan_line **lines, size_t *nr)
{
	size_t i, n = p->blocks.nr;

	for (i = 0; p->files && i < p->sight.nr_volumes; i++)
		n += p->files[i].nr;
	*nr = 0;
	*lines = calloc(n + 1, sizeof(**lines));
	if (!*lines)
		return -ENOMEM;
	for (i = 0; i < p->blocks.nr; i++)
		(*lines)[(*nr)++] = line_of_block(p, &p->blocks.item[i]);
	*nr = sum_up(*lines, *nr);
	for (i = 0; p->files && i < p->sight.nr_volumes; i++) {
		add_files(p, i, *lines + *nr);
		*nr += p->files[i].nr;
	}
	if (*nr)
		qsort(*lines, *nr, sizeof(**lines), by_size);
	return 0;
}

/* --- totals -------------------------------------------------------------- */

static size_t block_totals(const struct plan *p, struct plan_total *totals)
{
	const struct blocks_item *item = p->blocks.item;
	struct plan_total all[NR_CLASSES] = { 0 }, *t;
	size_t i, nr = 0;

	for (; item < p->blocks.item + p->blocks.nr; item++) {
		t = &all[item->class];
		t->items++;
		t->blocks += in_blocks(p, item->start, item->sectors);
		t->bytes += item->sectors << SECTOR_SHIFT;
		t->refused += item->action == BLOCK_REFUSE;
		t->forced += item->forced;
	}
	for (i = 0; i < NR_CLASSES; i++) {
		if (!all[i].items)
			continue;
		totals[nr] = all[i];
		totals[nr].word = block_class_words[i];
		totals[nr++].becomes = class_becomes[i];
	}
	return nr;
}

size_t plan_totals(const struct plan *p, struct plan_total *totals)
{
	size_t i, v, nr = 0;

	if (!p->files)
		return block_totals(p, totals);
	for (i = 0; i < NR_FILES_ACTIONS; i++) {
		struct plan_total t = {
			.word = files_action_words[i],
			.becomes = action_becomes[i],
		};

		for (v = 0; v < p->sight.nr_volumes; v++) {
			t.items += p->files[v].count[i];
			t.bytes += p->files[v].bytes[i];
		}
		if (t.items)
			totals[nr++] = t;
	}
	return nr;
}

/* --- the document -------------------------------------------------------- */

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

static void add_flag(struct json_object *o, const char *key, bool flag)
{
	json_object_object_add(o, key, json_object_new_boolean(flag));
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? out_string(text) :
			       NULL);
}

static struct json_object *totals_json(const struct plan *p)
{
	struct plan_total totals[PLAN_MAX_TOTALS];
	size_t i, nr = plan_totals(p, totals);
	struct json_object *all = json_object_new_object(), *o;

	for (i = 0; i < nr; i++) {
		o = json_object_new_object();
		add_number(o, "items", totals[i].items);
		if (!p->files)
			add_number(o, "blocks", totals[i].blocks);
		add_number(o, "bytes", totals[i].bytes);
		/* Absent: there was nothing to refuse. */
		if (totals[i].refused || totals[i].forced)
			add_number(o, "refused", totals[i].refused);
		if (totals[i].forced)
			add_number(o, "forced", totals[i].forced);
		json_object_object_add(all, totals[i].word, o);
	}
	return all;
}

static struct json_object *volumes_json(const struct plan *p)
{
	struct json_object *all = json_object_new_array(), *o;
	const struct plan_volume *v = p->sight.volume;

	for (; v < p->sight.volume + p->sight.nr_volumes; v++) {
		o = json_object_new_object();
		add_text(o, "volume", v->what);
		add_text(o, "before", v->before && v->before->dir ?
			 v->before->vol->type : NULL);
		add_text(o, "now", v->now && v->now->dir ?
			 v->now->vol->type : NULL);
		add_flag(o, "lost", v->lost);
		json_object_array_add(all, o);
	}
	return all;
}

static struct json_object *line_json(const struct plan_line *line)
{
	struct json_object *o = json_object_new_object();
	char type[2] = { line->type, '\0' };

	add_text(o, "volume", line->volume);
	add_text(o, "path", line->path);
	if (line->class) {
		add_text(o, "what", line->what);
		add_text(o, "class", line->class);
		add_text(o, "outcome", line->action);
		add_flag(o, "forced", line->forced);
		add_number(o, "blocks", line->blocks);
	} else {
		add_text(o, "type", type);
		add_text(o, "action", line->action);
	}
	add_number(o, "bytes", line->bytes);
	add_flag(o, "refused", line->refused);
	add_text(o, "why", line->why);
	return o;
}

static struct json_object *item_json(const struct plan *p,
				     const struct blocks_item *item)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "start", item->start);
	add_number(o, "sectors", item->sectors);
	add_number(o, "blocks", in_blocks(p, item->start, item->sectors));
	add_number(o, "bytes", item->sectors << SECTOR_SHIFT);
	add_text(o, "volume", item->volume);
	add_text(o, "path", item->path_before ? item->path_before :
		 item->path_now);
	add_text(o, "path_before", item->path_before);
	add_text(o, "path_now", item->path_now);
	add_text(o, "what", item->what);
	add_text(o, "class", block_class_words[item->class]);
	add_text(o, "outcome", block_action_words[item->action]);
	add_flag(o, "forced", item->forced);
	add_flag(o, "refused", item->action == BLOCK_REFUSE);
	add_text(o, "why", item->why);
	return o;
}

static struct json_object *lines_json(const struct plan *p)
{
	struct json_object *all = json_object_new_array();
	struct plan_line *lines = NULL;
	size_t i, nr = 0;

	if (!plan_lines(p, &lines, &nr))
		for (i = 0; i < nr; i++)
			json_object_array_add(all, line_json(&lines[i]));
	free(lines);
	return all;
}

static void add_blocks(const struct plan *p, struct json_object *o)
{
	struct json_object *items = json_object_new_array();
	size_t i;

	add_number(o, "written_blocks", p->blocks.nr_written);
	add_number(o, "later_blocks", p->blocks.nr_later);
	add_number(o, "revert_blocks", p->blocks.nr_revert);
	add_number(o, "forced_blocks", p->blocks.nr_forced);
	json_object_object_add(o, "paths", lines_json(p));
	for (i = 0; i < p->blocks.nr; i++)
		json_object_array_add(items,
				      item_json(p, &p->blocks.item[i]));
	json_object_object_add(o, "items", items);
}

struct json_object *plan_json(const struct plan *p)
{
	struct json_object *o = json_object_new_object();
	const struct recipe *r = p->recipe;

	add_text(o, "format", PLAN_FORMAT);
	add_number(o, "version", PLAN_VERSION);
	add_text(o, "device", p->sight.device);
	add_text(o, "device_uuid", r->device_uuid);
	add_number(o, "device_sectors", p->sight.status.sectors);
	add_number(o, "block_sectors", p->sight.status.block_sectors);
	add_number(o, "from", r->from);
	add_number(o, "to", r->to);
	add_number(o, "base", r->base);
	add_number(o, "now", r->now);
	add_text(o, "mode", recipe_mode_word(r->mode));
	add_text(o, "reason", p->reason);
	add_flag(o, "refused", p->refused);
	json_object_object_add(o, "totals", totals_json(p));
	json_object_object_add(o, "volumes", volumes_json(p));
	if (p->files)
		json_object_object_add(o, "items", lines_json(p));
	else
		add_blocks(p, o);
	json_object_object_add(o, "recipe", recipe_json(r));
	return o;
}
