// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-plan.c - what a recovery would do, in one screen.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "cli.h"
#include "commands.h"
#include "draw/html.h"
#include "epochs.h"
#include "output.h"
#include "recover/plan.h"

#define MAX_LINES	20	/* of text; --json has all */
#define MAX_REASONS	8

static const struct out_column heads[] = {
	{ "from", "damaged from epoch", OUT_NUMBER, OUT_BOTH },
	{ "to", "to epoch", OUT_NUMBER, OUT_BOTH },
	{ "base", "the state before", OUT_NUMBER, OUT_BOTH },
	{ "now", "now", OUT_NUMBER, OUT_BOTH },
	{ "mode", "mode", OUT_TEXT, OUT_BOTH },
	{ "reason", "because", OUT_TEXT, OUT_BOTH },
	{ "written", "blocks damaged", OUT_NUMBER, OUT_BOTH },
	{ "later", "of these, changed later", OUT_NUMBER, OUT_BOTH },
	{ "revert", "become as before", OUT_NUMBER, OUT_BOTH },
	{ "rules", "rules", OUT_NUMBER, OUT_BOTH },
};

static const struct out_column total_columns[] = {
	{ "word", "", OUT_TEXT, OUT_ONLY_TEXT },
	{ "items", "items", OUT_NUMBER, OUT_ONLY_TEXT },
	{ "bytes", "size", OUT_BYTES, OUT_ONLY_TEXT },
	{ "refused", "refused", OUT_NUMBER, OUT_ONLY_TEXT },
	{ "becomes", "what becomes of it", OUT_TEXT, OUT_ONLY_TEXT },
};

static const struct out_column line_columns[] = {
	{ "owner", "largest", OUT_TEXT, OUT_ONLY_TEXT },
	{ "class", "class", OUT_TEXT, OUT_ONLY_TEXT },
	{ "action", "action", OUT_TEXT, OUT_ONLY_TEXT },
	{ "bytes", "size", OUT_BYTES, OUT_ONLY_TEXT },
};

static bool ends_with(const char *word, const char *end)
{
	size_t n = strlen(word), m = strlen(end);

	return n > m && !strcmp(word + n - m, end);
}

static int check_outputs(const struct cmd_line *line)
{
	const char *file;
	int i;

	for (i = 0; (file = cli_option_nth(line, "output", i)); i++)
		if (!ends_with(file, ".json") && !ends_with(file, ".html"))
			return fail_usage(file, "ends neither in .json nor in .html");
	return DR_EXIT_OK;
}

/* --- the page ------------------------------------------------------------ */

static int write_html(const char *file, const struct plan *p,
		      struct json_object *o)
{
	struct html_plan page = {
		.plan = o, .sectors = p->sight.status.sectors,
		.time = time(NULL),
	};
	struct epochs epochs;
	FILE *f;
	int code = epochs_load(p->sight.device, &epochs);

	if (code)
		return code;
	page.epochs = &epochs;
	f = fopen(file, "we");
	if (f) {
		html_put_plan(f, &page);
		if (fflush(f) || ferror(f))
			code = fail_errno(file, "write", -EIO);
		if (fclose(f) && !code)
			code = fail_errno(file, "write", -errno);
	} else {
		code = fail_errno(file, "open", -errno);
	}
	epochs_free(&epochs);
	return code;
}

static int write_outputs(const struct cmd_line *line, const struct plan *p,
			 struct json_object *o)
{
	const char *file;
	int i, code = DR_EXIT_OK;

	for (i = 0; !code && (file = cli_option_nth(line, "output", i)); i++)
		code = ends_with(file, ".json") ?
		       recipe_write(file, p->recipe) : write_html(file, p, o);
	return code;
}

/* --- the screen ---------------------------------------------------------- */

static const char *owner_text(const struct plan *p,
			      const struct plan_line *line, char *buf,
			      size_t size)
{
	bool alone = p->sight.nr_volumes < 2 || !line->volume;
	const char *what = line->what ? line->what : "no owner";

	snprintf(buf, size, line->path ? "%s%s%s" : "%s%s(%s)",
		 alone ? "" : line->volume, alone ? "" : ":",
		 line->path ? line->path : what);
	return buf;
}

static void show_lines(const struct plan *p, const struct plan_line *lines,
		       size_t nr)
{
	char owner[1200];
	size_t i;

	out_table("largest", line_columns, ARRAY_SIZE(line_columns));
	for (i = 0; i < nr && i < MAX_LINES; i++)
		out_row((struct out_value[]){
			out_text(owner_text(p, &lines[i], owner,
					    sizeof(owner))),
			out_text(lines[i].class), out_text(lines[i].action),
			out_number(lines[i].bytes) });
	out_table_end();
	if (nr > MAX_LINES)
		out_say("... and %zu more; --json lists all", nr - MAX_LINES);
}

/* Each reason once, with how much it is about; refusals come first */
static void show_reasons(const struct plan_line *lines, size_t nr)
{
	const char *said[MAX_REASONS];
	size_t i, j, nr_said = 0, owners;
	uint64_t bytes;
	char size[32];

	for (i = 0; i < nr && nr_said < MAX_REASONS; i++) {
		const struct plan_line *l = &lines[i];

		for (j = 0; j < nr_said && l->why && said[j] != l->why; j++)
			;
		if (!l->class || !l->why || j < nr_said)
			continue;
		said[nr_said++] = l->why;
		for (j = i, owners = 0, bytes = 0; j < nr; j++) {
			if (lines[j].why != l->why)
				continue;
			owners++;
			bytes += lines[j].bytes;
		}
		if (nr_said == 1)
			out_say("%s", "");
		out_say("%s %s (%zu, %s): %s", l->class,
			l->forced ? "forced" : l->refused ? "refused" :
			l->action, owners, out_size(bytes, size, sizeof(size)),
			l->why);
	}
}

static void show_head(const struct plan *p)
{
	const struct recipe *r = p->recipe;
	bool blocks = r->mode == RECIPE_BLOCKS;

	out_record(heads, ARRAY_SIZE(heads) - (blocks ? 0 : 4),
		   (struct out_value[]){
			out_number(r->from), out_number(r->to),
			out_number(r->base), out_number(r->now),
			out_text(recipe_mode_word(r->mode)),
			out_text(p->reason),
			out_number(p->blocks.nr_written),
			out_number(p->blocks.nr_later),
			out_number(p->blocks.nr_revert),
			out_number(p->blocks.nr_rules) });
	out_say("%s", "");
}

static void show_totals(const struct plan *p)
{
	struct plan_total totals[PLAN_MAX_TOTALS];
	size_t i, nr = plan_totals(p, totals);

	out_table("totals", total_columns, ARRAY_SIZE(total_columns));
	for (i = 0; i < nr; i++)
		out_row((struct out_value[]){
			out_text(totals[i].word), out_number(totals[i].items),
			out_number(totals[i].bytes),
			out_maybe(totals[i].refused, totals[i].refused),
			out_text(totals[i].becomes) });
	out_table_end();
	out_say("%s", "");
}

static int show_text(const struct plan *p)
{
	struct plan_line *lines;
	size_t nr;

	if (plan_lines(p, &lines, &nr))
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	show_head(p);
	if (nr) {
		show_totals(p);
		show_lines(p, lines, nr);
		show_reasons(lines, nr);
	} else {
		out_say("Nothing of what is selected was changed in these epochs.");
	}
	free(lines);
	return DR_EXIT_OK;
}

static void show_json(struct json_object *o)
{
	json_object_object_foreach(o, key, value)
		out_object(key, json_object_get(value));
}

static int show(const struct cmd_line *line, const struct plan *p)
{
	struct json_object *o = plan_json(p);
	int code = o ? write_outputs(line, p, o) :
		   fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");

	if (!code && out_is_json())
		show_json(o);
	else if (!code)
		code = show_text(p);
	json_object_put(o);
	if (!code && p->blocks.nr_forced)
		warn(p->sight.device, "--force takes %llu blocks that would be refused or left",
		     (unsigned long long)p->blocks.nr_forced);
	return code;
}

int cmd_plan(const struct cmd_line *line)
{
	struct recipe r = { 0 };
	struct plan p = { 0 };
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = check_outputs(line);
	if (!code)
		code = recipe_from_line(line, name, &r);
	if (!code)
		code = plan_make(name, &r, &p);
	if (!code)
		code = show(line, &p);
	if (!code)
		code = plan_exit(&p);
	plan_free(&p);
	recipe_free(&r);
	return code;
}
