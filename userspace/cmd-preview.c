// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-preview.c - the result of a recovery, tried where it harms nobody.
 *
 * Blocks: a view of now with the rules, which is byte by byte what the replay
 * would give. Files: a view of now in which the plan is carried out. Both
 * under a scratch layer, so that journals are replayed, mounted, and checked;
 * the device, its origin and its delta are only read.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "past/now.h"
#include "recover/fsck.h"
#include "recover/plan.h"

static const struct out_column heads[] = {
	{ "mode", "mode", OUT_TEXT, OUT_BOTH },
	{ "now", "now", OUT_NUMBER, OUT_BOTH },
	{ "nr_rules", "rules", OUT_NUMBER, OUT_BOTH },
	{ "view", "view", OUT_TEXT, OUT_BOTH },
};

static const struct out_column columns[] = {
	{ "volume", "volume", OUT_TEXT, OUT_BOTH },
	{ "type", "type", OUT_TEXT, OUT_BOTH },
	{ "mounts", "mounts", OUT_BOOL, OUT_BOTH },
	{ "check", "check", OUT_TEXT, OUT_BOTH },
	{ "files_now", "files now", OUT_NUMBER, OUT_BOTH },
	{ "files_then", "then", OUT_NUMBER, OUT_BOTH },
	{ "bytes_now", "size now", OUT_BYTES, OUT_BOTH },
	{ "bytes_then", "then", OUT_BYTES, OUT_BOTH },
	{ "tool", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "why", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

static const struct out_column done_columns[] = {
	{ "action", "action", OUT_TEXT, OUT_BOTH },
	{ "count", "items", OUT_NUMBER, OUT_BOTH },
};

struct preview {
	const char *name;
	const char *keep;		/* --keep */
	struct recipe recipe;
	struct plan plan;
	bool planned;
	uint32_t now_epoch;
	struct past now, result;
	bool opened;			/* both of them */
	struct files_result *files;	/* one for each volume, or NULL */
	bool bad;			/* a check or a mount failed */
};

/* --- what is in a file system --------------------------------------------- */

static struct count {
	uint64_t files, bytes;
} counted;

static int count_one(const char *path, const struct stat *st, int what,
		     struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	if (what != FTW_D && what != FTW_DNR)
		counted.files++;
	if (what == FTW_F)
		counted.bytes += st->st_size;
	return cancelled();
}

static struct count count_tree(const char *dir)
{
	memset(&counted, 0, sizeof(counted));
	if (dir)
		nftw(dir, count_one, 32, FTW_PHYS | FTW_MOUNT);
	return counted;
}

/* --- trying it ------------------------------------------------------------ */

static struct past_volume *find(struct past *past, const char *what)
{
	size_t i;

	for (i = 0; i < past->nr; i++)
		if (!strcmp(past->vol[i].vol->what, what))
			return &past->vol[i];
	return NULL;
}

static int apply_files(struct preview *pv)
{
	const struct sight *s = &pv->plan.sight;
	struct files_apply_options o = { .epoch = pv->recipe.to };
	struct past_volume *to;
	size_t i;
	int code = DR_EXIT_OK;

	pv->files = calloc(s->nr_volumes + 1, sizeof(*pv->files));
	if (!pv->files)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; !code && i < s->nr_volumes; i++) {
		to = find(&pv->result, s->volume[i].what);
		if (!pv->plan.files[i].nr || !to || !to->dir)
			continue;
		code = files_plan_apply(&pv->plan.files[i],
					s->volume[i].before->dir, to->dir, &o,
					&pv->files[i]);
	}
	return code;
}

static int open_result(struct preview *pv)
{
	const struct recipe *r = &pv->recipe;
	int code = DR_EXIT_OK;

	if (pv->planned)
		pv->now_epoch = r->now;
	else
		code = now_epoch(pv->name, &pv->now_epoch);
	if (!code)
		code = past_open(pv->name, pv->now_epoch, NULL, 0, 0, &pv->now);
	if (code)
		return code;
	code = past_open(pv->name, pv->now_epoch, r->rule, r->nr_rules,
			 PAST_WRITABLE, &pv->result);
	if (code) {
		past_close(&pv->now);
		return code;
	}
	pv->opened = true;
	if (r->mode == RECIPE_FILES)
		code = apply_files(pv);
	return code;
}

/* A checker wants it unmounted, with its journal empty. */
static int let_go(struct past_volume *v)
{
	if (!v->dir)
		return DR_EXIT_OK;
	if (umount2(v->dir, 0))
		return fail_errno(v->dir, "unmount", -errno);
	rmdir(v->dir);
	free(v->dir);
	v->dir = NULL;
	return DR_EXIT_OK;
}

static int try_volume(struct preview *pv, struct past_volume *v)
{
	struct past_volume *was = find(&pv->now, v->vol->what);
	struct count now = count_tree(was ? was->dir : NULL);
	struct count then = count_tree(v->dir);
	bool mounts = v->dir, mountable = inside_mountable(v->vol);
	struct fsck fsck = { .verdict = FSCK_NOT_RUN };
	const char *why;
	int code;

	if (cancelled())
		return fail_cancelled(pv->name);
	code = let_go(v);
	if (!code && v->node)
		code = fsck_run(v->node, v->vol->type, &fsck);
	if (code)
		return code;
	why = !mounts && v->why ? v->why : fsck.text;
	out_row((struct out_value[]){
		out_text(v->vol->what), out_text(v->vol->type[0] ?
						 v->vol->type : NULL),
		out_maybe(mountable, mounts), out_text(fsck_word(fsck.verdict)),
		out_maybe(was && was->dir, now.files),
		out_maybe(mounts, then.files),
		out_maybe(was && was->dir, now.bytes),
		out_maybe(mounts, then.bytes), out_text(fsck.tool),
		out_text(why && *why ? why : NULL) });
	if ((mountable && !mounts) || fsck.verdict == FSCK_ERRORS) {
		pv->bad = true;
		warn(v->vol->what, "%s%s%s", mounts ? fsck.tool :
		     "cannot be mounted", why && *why ? ": " : "",
		     why ? why : "");
	}
	fsck_free(&fsck);
	return DR_EXIT_OK;
}

static int try_all(struct preview *pv)
{
	int code = DR_EXIT_OK;
	size_t i;

	out_table("volumes", columns, ARRAY_SIZE(columns));
	for (i = 0; !code && i < pv->result.nr; i++)
		code = try_volume(pv, &pv->result.vol[i]);
	out_table_end();
	/* Whatever was found in a layer that overflowed means nothing. */
	return code ? code : scratch_check(&pv->result.scratch, pv->name);
}

/* --- telling -------------------------------------------------------------- */

static void show_done(const struct preview *pv)
{
	uint64_t count;
	size_t i, j;

	out_say("%s", "");
	out_table("done", done_columns, ARRAY_SIZE(done_columns));
	for (i = 0; i < NR_FILES_ACTIONS; i++) {
		count = 0;
		for (j = 0; j < pv->plan.sight.nr_volumes; j++)
			count += pv->files[j].count[i];
		if (count)
			out_row((struct out_value[]){
				out_text(files_action_words[i]),
				out_number(count) });
	}
	out_table_end();
}

static int show(struct preview *pv)
{
	const struct recipe *r = &pv->recipe;
	int code;

	out_record(heads, ARRAY_SIZE(heads), (struct out_value[]){
		out_text(recipe_mode_word(r->mode)),
		out_number(pv->now_epoch),
		out_maybe(r->mode == RECIPE_BLOCKS, r->nr_rules),
		out_text(pv->keep) });
	out_say("%s", "");
	code = try_all(pv);
	if (!code && pv->files)
		show_done(pv);
	if (!code && pv->planned && pv->plan.refused)
		warn(pv->name, "something is refused: 'dmdelta plan' says what and why");
	if (!code)
		out_say("Nothing was changed (preview).");
	return code;
}

/* --- the command ---------------------------------------------------------- */

static int load(struct preview *pv, const struct cmd_line *line)
{
	static const char *const others[] = {
		"from", "to", "mode", "path", "not-path", "uid", "newer",
		"older", "range", "part", "force",
	};
	const char *file = cli_option(line, "recipe");
	char dashed[16];
	size_t i;
	int code;

	if (!file)
		return recipe_from_line(line, pv->name, &pv->recipe);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		if (!cli_option(line, others[i]))
			continue;
		snprintf(dashed, sizeof(dashed), "--%s", others[i]);
		return fail_usage(dashed, "the recipe says it");
	}
	code = recipe_load(file, pv->name, &pv->recipe);
	return code ? code : recipe_check(pv->name, &pv->recipe);
}

static int run(struct preview *pv, const struct cmd_line *line)
{
	struct recipe *r = &pv->recipe;
	int code = load(pv, line);

	if (code)
		return code;
	/* The rules of a recipe are what will be applied: take those. */
	if (r->mode != RECIPE_BLOCKS || !cli_option(line, "recipe")) {
		pv->planned = true;
		code = plan_make(pv->name, r, &pv->plan);
	}
	if (!code && pv->keep && r->mode == RECIPE_FILES)
		code = fail_usage("--keep", "there is no view of files that are merged");
	if (!code)
		code = open_result(pv);
	if (!code)
		code = show(pv);
	return code;
}

static int keep_view(const struct preview *pv)
{
	struct view view;

	return view_open(pv->name, pv->now_epoch, pv->recipe.rule,
			 pv->recipe.nr_rules, pv->keep, &view);
}

int cmd_preview(const struct cmd_line *line)
{
	struct preview pv = { .keep = cli_option(line, "keep") };
	const char *problem, *view;
	size_t i;
	int code = device_name(line->argv[0], &pv.name);

	problem = pv.keep ? parse_name(pv.keep, &view) : NULL;
	if (!code && problem)
		code = fail_usage(pv.keep, "%s", problem);
	if (!code)
		code = run(&pv, line);
	if (!code && pv.keep)
		code = keep_view(&pv);
	if (!code && (pv.bad || (pv.planned && pv.plan.refused)))
		code = DR_EXIT_UNCORRECTED;
	for (i = 0; pv.files && i < pv.plan.sight.nr_volumes; i++)
		files_result_free(&pv.files[i]);
	free(pv.files);
	if (pv.opened) {
		past_close(&pv.result);
		past_close(&pv.now);
	}
	plan_free(&pv.plan);
	recipe_free(&pv.recipe);
	return code;
}
