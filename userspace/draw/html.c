// SPDX-License-Identifier: GPL-2.0
/*
 * html.c - a recovery plan as one page.
 *
 * Members of the plan are looked up by name and may be missing; words that
 * come from the device (paths, labels, reasons that quote them) go through
 * text_put() and nothing else.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "cli.h"
#include "commands.h"
#include "draw/html.h"
#include "draw/text.h"
#include "output.h"

#define STRIP_WIDTH	1000
#define STRIP_BUCKETS	250

/* What becomes of something: how it is written, and its colour */
enum fate { FATE_PUT, FATE_KEPT, FATE_LEFT, FATE_BAD, NR_FATES };

static const char *const fate_colour[NR_FATES] = {
	"#447be4", "#dcb43c", "#4a4a4a", "#d5351b",
};

static const char *const fate_class[NR_FATES] = {
	"put", "keep", "left", "left",
};

/* Whoever changes page.js changes this, too; a test sees whether it runs. */
static const char script_hash[] =
	"sha256-PGcITFIzCxibCwylKhM9Lb7pwaoCAqEVGxIk7UNHItY=";

static const char style[] =
#include "page.css.h"
;

static const char script[] =
#include "page.js.h"
;

/* Head of a table, then its body; \145 because a checker takes it for a typo */
#define HEAD_BEGIN	"<th\145ad><tr>"
#define HEAD_END	"</tr></th\145ad><tbody>\n"

struct page {
	FILE *f;
	const struct html_plan *in;
	struct json_object *items;
	const char *device;
	bool blocks;
};

/* --- the document ---------------------------------------------------------- */

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return value;
}

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value ? json_object_get_string(value) : NULL;
}

static uint64_t number_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value ? json_object_get_uint64(value) : 0;
}

static bool flag_of(struct json_object *o, const char *key)
{
	struct json_object *value = member(o, key);

	return value && json_object_get_boolean(value);
}

static size_t length_of(struct json_object *o)
{
	return o && json_object_is_type(o, json_type_array) ?
	       json_object_array_length(o) : 0;
}

/* --- what the words of a plan mean ----------------------------------------- */

struct kind {
	const char *word;	/* in the plan */
	const char *name;	/* on the page */
	const char *meaning;
	enum fate fate;
	const char *remedy;	/* when refused */
};

static const struct kind kinds[] = {
	{ "C0", "revert",
	  "written in the damaged epochs alone; becomes as before",
	  FATE_PUT, NULL },
	{ "C1", "keep later write",
	  "the same owner wrote it again afterwards; the later write stays",
	  FATE_KEPT, NULL },
	{ "C2", "owner changed",
	  "belongs to something else now than before the damage",
	  FATE_LEFT, "recover files instead of blocks (--mode files)" },
	{ "C3", "file system metadata",
	  "inode tables, directories, bitmaps: never put back singly",
	  FATE_LEFT, "recover files instead of blocks (--mode files), or roll back" },
	{ "C4", "journal",
	  "the file system's journal: the newest is kept",
	  FATE_KEPT, NULL },
	{ "C5", "suspect",
	  "written later by something that had read a damaged block; stays",
	  FATE_KEPT, NULL },
	{ "C6", "bring back discarded",
	  "thrown away in the damaged epochs; the old content comes back",
	  FATE_PUT, NULL },
	{ "free", "free space",
	  "owned by nobody, before and now; left alone",
	  FATE_KEPT, NULL },
	{ "restore", "restore",
	  "is as the damage left it; becomes as it was before",
	  FATE_PUT, NULL },
	{ "bring back", "bring back",
	  "was deleted in the damaged epochs and is still absent; made again",
	  FATE_PUT, NULL },
	{ "quarantine", "quarantine",
	  "appeared in the damaged epochs; moved away, not deleted",
	  FATE_PUT, NULL },
	{ "attributes", "attributes",
	  "only owner, mode or attributes differ; put back",
	  FATE_PUT, NULL },
	{ "mixed", "mixed",
	  "was changed again after the damage: kept as it is, look at it",
	  FATE_KEPT, "recover --beside puts the copy from before next to it" },
	{ "done", "nothing to do",
	  "is as before the damage already",
	  FATE_KEPT, NULL },
};

static const struct kind *kind_find(const char *word)
{
	static const struct kind unknown = { "", "", "", FATE_KEPT, NULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].word, word))
			return &kinds[i];
	return &unknown;
}

/* Class of a block, or action of a file */
static const char *word_of(struct json_object *item)
{
	return text_of(item, "action") ?: text_of(item, "class") ?: "";
}

static enum fate fate_of(struct json_object *item)
{
	enum fate fate = kind_find(word_of(item))->fate;
	const char *outcome = text_of(item, "outcome");

	if (flag_of(item, "refused"))
		return FATE_LEFT;
	/* Blocks say it themselves. */
	if (outcome && !strcmp(outcome, "revert"))
		return FATE_PUT;
	if (outcome)
		return fate == FATE_PUT ? FATE_KEPT : fate;
	/* What is refused by itself and was not here was forced. */
	return fate == FATE_LEFT ? FATE_PUT : fate;
}

/* --- words ----------------------------------------------------------------- */

static void put_size(FILE *f, uint64_t bytes)
{
	char text[32];

	fputs(out_size(bytes, text, sizeof(text)), f);
}

static void put_time(FILE *f, uint64_t when)
{
	char text[64] = "-";
	time_t time = when;
	struct tm tm;

	if (localtime_r(&time, &tm))
		strftime(text, sizeof(text), "%F %T %z", &tm);
	fputs(text, f);
}

static void begin_fact(FILE *f, const char *name)
{
	fprintf(f, "<dt>%s</dt><dd>", name);
}

static void end_fact(FILE *f)
{
	fputs("</dd>\n", f);
}

static void put_fact(FILE *f, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	begin_fact(f, name);
	text_put(f, value);
	end_fact(f);
}

/* "3 “nightly”, sealed 2026-11-22 04:10:00 +0000, frozen" */
static void put_epoch(const struct page *page, const char *name,
		      const char *key)
{
	struct json_object *value = member(page->in->plan, key);
	const struct epoch *e = NULL;
	FILE *f = page->f;

	if (!value)
		return;
	if (page->in->epochs)
		e = epochs_find(page->in->epochs,
				json_object_get_uint64(value));
	begin_fact(f, name);
	fputs("epoch ", f);
	text_put(f, json_object_get_string(value));
	if (e && e->label[0]) {
		fputs(" <b>", f);
		text_put(f, e->label);
		fputs("</b>", f);
	}
	if (e && e->has_time) {
		fputs(", sealed ", f);
		put_time(f, e->time);
	}
	if (e && e->consistency[0])
		fputs(epoch_is(e->consistency, DR_SEAL_FROZEN) ?
		      ", frozen (file systems at rest)" :
		      ", crash-consistent (as after a power cut)", f);
	end_fact(f);
}

static void put_head(const struct page *page)
{
	struct json_object *plan = page->in->plan;
	FILE *f = page->f;

	fputs("<h1>Recovery plan for ", f);
	text_put(f, page->device);
	fputs("</h1>\n<p class=\"dim\">What a recovery would do.", f);
	fputs(" Making this plan has changed nothing.</p>\n<dl>\n", f);
	begin_fact(f, "device");
	text_put(f, page->device);
	if (page->in->sectors) {
		fputs(", ", f);
		put_size(f, page->in->sectors << SECTOR_SHIFT);
	}
	if (text_of(plan, "device_uuid")) {
		fputs(", delta ", f);
		text_put(f, text_of(plan, "device_uuid"));
	}
	end_fact(f);
	put_epoch(page, "before the damage", "base");
	if (number_of(plan, "from") == number_of(plan, "to")) {
		put_epoch(page, "the damage", "from");
	} else {
		put_epoch(page, "the damage, first", "from");
		put_epoch(page, "the damage, last", "to");
	}
	put_epoch(page, "now", "now");
	put_fact(f, "mode", page->blocks ?
		 "blocks: versions of blocks are chosen, no data are moved" :
		 "files: a three-way merge of before, damage and now");
	put_fact(f, "why this mode", text_of(plan, "reason"));
	begin_fact(f, "made");
	if (page->in->time) {
		put_time(f, page->in->time);
		fputs(" by ", f);
	}
	fputs("dmdelta " DMDELTA_VERSION, f);
	end_fact(f);
	if (page->in->command) {
		begin_fact(f, "command");
		fputs("<code>", f);
		text_put(f, page->in->command);
		fputs("</code>", f);
		end_fact(f);
	}
	fputs("</dl>\n", f);
}

/* --- totals ---------------------------------------------------------------- */

static void put_bar(FILE *f, double share, enum fate fate)
{
	fputs("<svg viewBox=\"0 0 160 12\" preserveAspectRatio=\"none\"", f);
	fputs(" aria-hidden=\"true\">", f);
	fputs("<rect width=\"160\" height=\"12\" fill=\"#f0f0ee\"/>", f);
	fprintf(f, "<rect width=\"%.4g\" height=\"12\" fill=\"%s\"/></svg>",
		share > 0 ? 1 + 159 * share : 0, fate_colour[fate]);
}

static void put_number_cell(FILE *f, const char *label, uint64_t number)
{
	fprintf(f, "<td class=\"n\" data-l=\"%s\" data-v=\"%" PRIu64 "\">",
		label, number);
	fprintf(f, "%" PRIu64 "</td>", number);
}

static void put_size_cell(FILE *f, const char *label, uint64_t bytes)
{
	fprintf(f, "<td class=\"n\" data-l=\"%s\" data-v=\"%" PRIu64 "\">",
		label, bytes);
	put_size(f, bytes);
	fputs("</td>", f);
}

static void put_total(const struct page *page, const char *word,
		      struct json_object *total, uint64_t all)
{
	const struct kind *kind = kind_find(word);
	uint64_t bytes = number_of(total, "bytes");
	bool refused = number_of(total, "refused");
	enum fate fate = kind->fate;
	FILE *f = page->f;

	if (fate == FATE_LEFT && member(total, "refused") && !refused)
		fate = FATE_PUT;
	fprintf(f, "<tr><td><span class=\"tag %s\">", fate_class[fate]);
	text_put(f, kind->name[0] ? kind->name : word);
	fputs("</span></td><td>", f);
	if (page->blocks)
		text_put(f, word);
	fputs("</td><td>", f);
	text_put(f, kind->meaning);
	fputs("</td>", f);
	put_number_cell(f, "items", number_of(total, "items"));
	if (page->blocks)
		put_number_cell(f, "blocks", number_of(total, "blocks"));
	put_size_cell(f, "size", bytes);
	fputs("<td class=\"bar\">", f);
	put_bar(f, all ? (double)bytes / all : 0, fate);
	fputs("</td></tr>\n", f);
}

static void put_totals(const struct page *page)
{
	struct json_object *totals = member(page->in->plan, "totals");
	uint64_t all = 0;
	FILE *f = page->f;

	if (!totals || !json_object_is_type(totals, json_type_object))
		return;
	json_object_object_foreach(totals, key, value) {
		(void)key;
		if (json_object_is_type(value, json_type_object))
			all += number_of(value, "bytes");
	}
	fputs("<h2>What would be done</h2>\n<table id=\"totals\">" HEAD_BEGIN,
	      f);
	fprintf(f, "<th>action</th><th>%s</th><th>meaning</th>",
		page->blocks ? "class" : "");
	fprintf(f, "<th class=\"n\">items</th>%s<th class=\"n\">size</th>",
		page->blocks ? "<th class=\"n\">blocks</th>" : "");
	fputs("<th></th>" HEAD_END, f);
	json_object_object_foreach(totals, word, total) {
		if (json_object_is_type(total, json_type_object) &&
		    (number_of(total, "items") || number_of(total, "blocks")))
			put_total(page, word, total, all);
	}
	fputs("</tbody></table>\n", f);
}

/* --- refusals -------------------------------------------------------------- */

static void put_refusal(const struct page *page, const struct kind *kind)
{
	uint64_t nr = 0, bytes = 0;
	const char *first = NULL;
	struct json_object *item;
	FILE *f = page->f;
	size_t i;

	for (i = 0; i < length_of(page->items); i++) {
		item = json_object_array_get_idx(page->items, i);
		if (!flag_of(item, "refused") ||
		    strcmp(word_of(item), kind->word))
			continue;
		first = first ?: text_of(item, "why");
		bytes += number_of(item, "bytes");
		nr++;
	}
	if (!nr)
		return;
	fprintf(f, "<div class=\"refused\"><p><b>%s (%s): %" PRIu64 " refused, ",
		kind->name, kind->word, nr);
	put_size(f, bytes);
	fputs("</b></p><p>", f);
	text_put(f, first ?: kind->meaning);
	if (kind->remedy) {
		fputs("</p><p>What to do: ", f);
		text_put(f, kind->remedy);
	}
	fputs("</p></div>\n", f);
}

static void put_refusals(const struct page *page)
{
	struct json_object *list = member(page->in->plan, "warnings"), *warning;
	bool any = length_of(list);
	FILE *f = page->f;
	size_t i;

	for (i = 0; !any && i < length_of(page->items); i++)
		any = flag_of(json_object_array_get_idx(page->items, i),
			      "refused");
	fputs("<h2>Refused, or to be noted</h2>\n", f);
	if (!any) {
		fputs("<p>Nothing.</p>\n", f);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		put_refusal(page, &kinds[i]);
	for (i = 0; i < length_of(list); i++) {
		fputs("<div class=\"noted\"><p>", f);
		warning = json_object_array_get_idx(list, i);
		text_put(f, json_object_get_string(warning));
		fputs("</p></div>\n", f);
	}
}

/* --- where on the device --------------------------------------------------- */

/* Sectors of each fate in each bucket, as they are now and afterwards */
struct strip {
	uint64_t sectors[STRIP_BUCKETS][NR_FATES];
};

static void strip_add(struct strip *strip, uint64_t bucket_sectors,
		      uint64_t start, uint64_t sectors, enum fate fate)
{
	uint64_t bucket, room;

	while (sectors) {
		bucket = start / bucket_sectors;
		if (bucket >= STRIP_BUCKETS)
			return;
		room = bucket_sectors - start % bucket_sectors;
		if (room > sectors)
			room = sectors;
		strip->sectors[bucket][fate] += room;
		start += room;
		sectors -= room;
	}
}

/* The fate of most of a bucket colours it; fullness is the height. */
static void put_strip(FILE *f, const struct strip *strip,
		      uint64_t bucket_sectors, const char *name, double top)
{
	const double width = (double)STRIP_WIDTH / STRIP_BUCKETS, high = 34;
	uint64_t sum;
	double height;
	int i, k, most;

	fprintf(f, "<text x=\"0\" y=\"%.4g\">%s</text>\n", top - 5, name);
	fprintf(f, "<path fill=\"#f0f0ee\" d=\"M0 %.4gh%dv%.4gH0z\"/>\n", top,
		STRIP_WIDTH, high);
	for (i = 0; i < STRIP_BUCKETS; i++) {
		for (sum = 0, most = 0, k = 0; k < NR_FATES; k++) {
			sum += strip->sectors[i][k];
			if (strip->sectors[i][k] > strip->sectors[i][most])
				most = k;
		}
		if (!sum)
			continue;
		/* The root lets little things be seen beside big ones. */
		height = high * (0.25 + 0.75 * sum / bucket_sectors);
		fprintf(f, "<path fill=\"%s\" d=\"M%.5g %.5gh%.4gv%.4gh-%.4gz\"/>\n",
			fate_colour[most], i * width, top + high - height,
			width, height, width);
	}
}

static void put_axis(FILE *f, uint64_t sectors, double y)
{
	int i;

	for (i = 0; i <= 4; i++) {
		fprintf(f, "<text x=\"%d\" y=\"%.4g\" text-anchor=\"%s\">",
			STRIP_WIDTH * i / 4, y, !i ? "start" : i < 4 ? "middle" :
			"end");
		put_size(f, (sectors * i / 4) << SECTOR_SHIFT);
		fputs("</text>", f);
	}
}

static void put_map_legend(FILE *f)
{
	static const struct {
		enum fate fate;
		const char *words;
	} legend[] = {
		{ FATE_BAD, "as the damage left it" },
		{ FATE_PUT, "as before the damage" },
		{ FATE_KEPT, "kept: later writes, journal" },
		{ FATE_LEFT, "left as it is: another's, metadata, refused" },
	};
	size_t i;

	fputs("<ul class=\"legend\">", f);
	for (i = 0; i < ARRAY_SIZE(legend); i++) {
		fprintf(f, "<li><svg viewBox=\"0 0 2 1\"><path fill=\"%s\"",
			fate_colour[legend[i].fate]);
		fprintf(f, " d=\"M0 0h2v1H0z\"/></svg>%s</li>\n",
			legend[i].words);
	}
	fputs("</ul>\n", f);
}

static void put_map(const struct page *page)
{
	struct strip now = { 0 }, then = { 0 };
	uint64_t device = page->in->sectors, bucket, start, sectors;
	struct json_object *item;
	enum fate fate;
	FILE *f = page->f;
	bool any = false;
	size_t i;

	for (i = 0; device && i < length_of(page->items); i++) {
		item = json_object_array_get_idx(page->items, i);
		start = number_of(item, "start");
		sectors = number_of(item, "sectors");
		if (!sectors || start >= device)
			continue;
		bucket = (device + STRIP_BUCKETS - 1) / STRIP_BUCKETS;
		fate = fate_of(item);
		any = true;
		strip_add(&now, bucket, start, sectors,
			  fate == FATE_PUT ? FATE_BAD : fate);
		strip_add(&then, bucket, start, sectors, fate);
	}
	if (!any)
		return;
	bucket = (device + STRIP_BUCKETS - 1) / STRIP_BUCKETS;
	fputs("<h2>Where on the device</h2>\n", f);
	fprintf(f, "<svg viewBox=\"0 -18 %d 134\" role=\"img\" font-size=\"13\">\n",
		STRIP_WIDTH);
	fputs("<title>Blocks of the damage, now and afterwards</title>\n", f);
	put_strip(f, &now, bucket, "now", 2);
	put_strip(f, &then, bucket, "after the recovery", 60);
	put_axis(f, device, 110);
	fputs("</svg>\n", f);
	put_map_legend(f);
}

/* --- the table of items ---------------------------------------------------- */

static void put_path(FILE *f, struct json_object *item)
{
	const char *volume = text_of(item, "volume");
	const char *path = text_of(item, "path") ?: text_of(item, "path_before");
	const char *now = text_of(item, "path_now");
	const char *what = text_of(item, "what");

	fputs("<td class=\"path\">", f);
	if (volume && *volume && strcmp(volume, "device")) {
		fputs("<span class=\"dim\">", f);
		text_put(f, volume);
		fputs(":</span>", f);
	}
	text_put(f, path ?: what ?: "-");
	if (now && (!path || strcmp(now, path))) {
		fputs(" <span class=\"dim\">now</span> ", f);
		text_put(f, now);
	}
	fputs("</td>", f);
}

/* What a table shows beside action, size, path and reason */
#define SHOW_CLASS	1u
#define SHOW_RANGE	2u

static void put_action(FILE *f, struct json_object *item)
{
	const struct kind *kind = kind_find(word_of(item));

	fprintf(f, "<tr><td data-l=\"action\"><span class=\"tag %s\">",
		fate_class[fate_of(item)]);
	if (flag_of(item, "refused"))
		fputs("refused: ", f);
	if (flag_of(item, "forced"))
		fputs("forced: ", f);
	text_put(f, kind->name[0] ? kind->name : word_of(item));
	fputs("</span></td>", f);
}

static void put_item(FILE *f, struct json_object *item, unsigned int show)
{
	uint64_t start = number_of(item, "start");

	put_action(f, item);
	if (show & SHOW_CLASS) {
		fputs("<td data-l=\"class\">", f);
		text_put(f, word_of(item));
		fputs("</td>", f);
	}
	if (show & SHOW_RANGE) {
		fprintf(f, "<td class=\"n\" data-l=\"range\" data-v=\"%" PRIu64 "\">",
			start);
		fprintf(f, "%" PRIu64 "+%" PRIu64 "</td>", start,
			number_of(item, "sectors"));
	}
	put_size_cell(f, "size", number_of(item, "bytes"));
	put_path(f, item);
	fputs("<td data-l=\"why\">", f);
	text_put(f, text_of(item, "why") ?: "");
	fputs("</td></tr>\n", f);
}

static void put_table(FILE *f, const char *id, struct json_object *items,
		      unsigned int show)
{
	size_t nr = length_of(items), i;

	if (!nr) {
		fputs("<p>None.</p>\n", f);
		return;
	}
	fprintf(f, "<table id=\"%s\">" HEAD_BEGIN "<th>action</th>", id);
	if (show & SHOW_CLASS)
		fputs("<th>class</th>", f);
	if (show & SHOW_RANGE)
		fputs("<th class=\"n\">range, sectors</th>", f);
	fprintf(f, "<th class=\"n\">size</th><th>%s</th><th>why</th>" HEAD_END,
		show & SHOW_CLASS ? "whose" : "path");
	for (i = 0; i < nr && i < HTML_MAX_ITEMS; i++)
		put_item(f, json_object_array_get_idx(items, i), show);
	fputs("</tbody></table>\n", f);
	if (nr > HTML_MAX_ITEMS)
		fprintf(f, "<p class=\"dim\">The first %u of %zu; plan --json has all.</p>\n",
			HTML_MAX_ITEMS, nr);
}

/* Blocks have a line for each path, and behind it each range. */
static void put_items(const struct page *page)
{
	struct json_object *paths = member(page->in->plan, "paths");
	FILE *f = page->f;

	fprintf(f, "<h2>%s</h2>\n", page->blocks ? "Whose blocks" : "Paths");
	if (!page->blocks) {
		put_table(f, "items", page->items, 0);
		return;
	}
	if (!length_of(paths)) {
		put_table(f, "items", page->items, SHOW_CLASS | SHOW_RANGE);
		return;
	}
	put_table(f, "items", paths, SHOW_CLASS);
	fputs("<details><summary>Each range</summary>\n", f);
	put_table(f, "ranges", page->items, SHOW_CLASS | SHOW_RANGE);
	fputs("</details>\n", f);
}

/* --- recipe, apply, undo --------------------------------------------------- */

static void put_recipe(const struct page *page)
{
	struct json_object *recipe = member(page->in->plan, "recipe");
	const char *text;
	FILE *f = page->f;

	if (!recipe)
		return;
	text = json_object_to_json_string_ext(recipe, JSON_C_TO_STRING_PRETTY |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
	fputs("<h2>The recipe</h2>\n<p>This is what preview and the recovery", f);
	fputs(" take; it is kept with the epoch that it makes.</p>\n", f);
	fputs("<details open><summary>recipe.json</summary>\n", f);
	fputs("<pre id=\"recipe\">", f);
	text_put_json(f, text);
	fputs("</pre></details>\n", f);
}

static void put_command(const struct page *page, const char *before,
			const char *after)
{
	fprintf(page->f, "dmdelta %s ", before);
	text_put(page->f, page->device);
	fprintf(page->f, "%s\n", after);
}

static void put_how(const struct page *page)
{
	FILE *f = page->f;

	fputs("<h2>How to apply and how to undo</h2>\n", f);
	fputs("<p>Save the recipe below as recipe.json. A preview tries the", f);
	fputs(" recovery on a scratch copy, with a check of the file", f);
	fputs(" systems, and leaves the device alone:</p>\n<pre>", f);
	put_command(page, "preview", " --recipe recipe.json");
	fputs("</pre>\n<p>", f);
	if (page->blocks)
		fputs("Then unmount what is mounted from the device", f);
	else
		fputs("Then, with the file systems mounted and in use", f);
	fputs(":</p>\n<pre>", f);
	put_command(page, page->blocks ? "replay" : "recover",
		    " --recipe recipe.json");
	fputs("</pre>\n<p>The recovery lands in an epoch of its own and can", f);
	fputs(" be taken back as a whole, with the device unmounted:</p>\n", f);
	fputs("<pre>", f);
	put_command(page, "undo", "");
	fputs("</pre>\n", f);
}

static void put_frame_begin(const struct page *page)
{
	FILE *f = page->f;

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><head>\n", f);
	fputs("<meta charset=\"utf-8\">\n", f);
	fputs("<meta http-equiv=\"Content-Security-Policy\" content=\"", f);
	fputs("default-src 'none'; style-src 'unsafe-inline'; ", f);
	fprintf(f, "script-src '%s'; ", script_hash);
	fputs("base-uri 'none'; form-action 'none'\">\n", f);
	fputs("<meta name=\"viewport\" content=\"width=device-width\">\n", f);
	fputs("<title>Recovery plan for ", f);
	text_put(f, page->device);
	fprintf(f, "</title>\n<style>\n%s</style></head>\n", style);
	fputs("<body><main>\n", f);
}

void html_put_plan(FILE *f, const struct html_plan *in)
{
	const char *mode = text_of(in->plan, "mode");
	struct page page = {
		.f = f,
		.in = in,
		.items = member(in->plan, "items"),
		.device = text_of(in->plan, "device") ?: "?",
		.blocks = mode && !strcmp(mode, "blocks"),
	};

	put_frame_begin(&page);
	put_head(&page);
	put_totals(&page);
	put_refusals(&page);
	put_map(&page);
	put_items(&page);
	put_how(&page);
	put_recipe(&page);
	fprintf(f, "</main>\n<script>%s</script>\n</body></html>\n", script);
}
