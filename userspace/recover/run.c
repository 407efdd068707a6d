// SPDX-License-Identifier: GPL-2.0
/*
 * run.c - a three-way merge of files on a live device.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "changes.h"
#include "checkpoint.h"
#include "cli.h"
#include "device.h"
#include "notes.h"
#include "output.h"
#include "owner/owner.h"
#include "past/live.h"
#include "past/mount.h"
#include "recover/begun.h"
#include "recover/files-find.h"
#include "recover/recipe.h"
#include "recover/room.h"
#include "recover/run.h"

/* One volume: its three trees and what becomes of it */
struct part {
	const struct live_volume *live;
	const struct past_volume *base, *bad;
	struct files_plan plan;
	struct files_result result;
	bool planned;
};

struct work {
	struct run *run;
	struct live live;
	struct past base, bad;
	struct range *changed;
	size_t nr_changed;
	struct owner_map base_owner, bad_owner;
	struct part *part;
	size_t nr;
	bool tty;
};

/* --- one at a time --------------------------------------------------------------- */

/* Not /run/lock: there, anybody could hold our lock. */
#define LOCK_DIR	"/run/dmdelta"

/* The kernel lets go of it, however we end. */
int run_lock(const char *device)
{
	static int lock = -1;
	struct device_status status;
	char path[64];
	int code;

	if (lock >= 0)
		return DR_EXIT_OK;
	code = device_status(device, &status);
	if (code)
		return code;
	mkdir(LOCK_DIR, 0700);
	snprintf(path, sizeof(path), LOCK_DIR "/recover-%u:%u",
		 major(status.info.devno), minor(status.info.devno));
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0)
		return fail_errno(path, "open", -errno);
	if (!flock(lock, LOCK_EX | LOCK_NB))
		return DR_EXIT_OK;
	code = errno == EWOULDBLOCK ?
	       fail(DR_EXIT_OPERATIONAL, device, "wait for it",
		    "another recovery is at work; nothing was changed") :
	       fail_errno(path, "lock", -errno);
	close(lock);
	lock = -1;
	return code;
}

/* --- labels -------------------------------------------------------------------- */

static bool read_label(const struct epoch *e, unsigned int *before)
{
	char word[16], again[DR_LABEL_MAX + 1];
	unsigned int from, to;

	if (sscanf(e->label, "%15[a-z]-%u-%u-%u", word, &from, &to,
		   before) != 4 ||
	    (strcmp(word, RUN_RECOVER) && strcmp(word, RUN_UNDO)))
		return false;
	snprintf(again, sizeof(again), "%s-%u-%u-%u", word, from, to, *before);
	return !strcmp(again, e->label) && e->has_parent &&
	       e->parent >= *before;
}

bool run_made(const struct epoch *e)
{
	unsigned int before;

	return read_label(e, &before);
}

const struct epoch *run_first(const struct epochs *epochs,
			      const struct epoch *e)
{
	unsigned int before;

	if (!read_label(e, &before))
		return NULL;
	while (e->parent != before) {
		if (e->has_prev)
			return NULL;
		e = epochs_parent(epochs, e);
		if (!e || e->has_prev || !e->has_parent || run_made(e) ||
		    e->parent < before)
			return NULL;
	}
	return e;
}

/* --- checkpoints ------------------------------------------------------------------ */

static int seal(struct run *run, const char *label, bool skip_empty,
		uint32_t *epoch)
{
	struct checkpoint_options o = {
		.label = label, .skip_empty = skip_empty,
	};
	struct device_status status;
	struct checkpoint cp;
	int code = device_status(run->device, &status);

	if (!code)
		code = checkpoint_make(run->device, status.info.devno, &o,
				       &cp);
	if (code)
		return code;
	*epoch = cp.epoch;
	if (cp.made && !cp.frozen)
		warn(run->device, "nothing could be frozen for checkpoint %u",
		     cp.epoch);
	checkpoint_free(&cp);
	return DR_EXIT_OK;
}

/*
 * What was interrupted, and whatever was written since, counts as one: undo
 * takes all of it back. So the state just before it goes on gets an epoch.
 */
static int seal_between(struct run *run)
{
	uint32_t epoch;
	int code = seal(run, NULL, true, &epoch);

	if (code)
		return code;
	run->resumed = epoch != run->before;
	warn(run->device,
	     "interrupted after epoch %u, it goes on; epoch %u is the state in between",
	     run->before, epoch);
	return DR_EXIT_OK;
}

/* Without its note, nobody could tell that it was interrupted. */
static int check_note(struct run *run)
{
	char *text;
	int code = DR_EXIT_OK;

	if (run->dry_run)
		return DR_EXIT_OK;
	text = begun_text(run, run->recipe->to, BEGUN);
	if (!text)
		code = fail(DR_EXIT_OPERATIONAL, run->device,
			    "select fewer paths: by folders, or by patterns",
			    "the recipe is longer than a note may be, %u bytes; nothing was changed",
			    DR_NOTE_MAX);
	free(text);
	return code;
}

/* The same one that was interrupted goes on from where it had started. */
static int seal_before(struct run *run)
{
	int code = check_note(run);

	if (!code && !run->dry_run)
		code = begun_by(run);
	if (!code && run->begun)
		code = seal_between(run);
	else if (!code)
		code = seal(run, NULL, true, &run->before);
	/* --to head, and nothing was written to it */
	if (!code && run->to > run->before)
		run->to = run->before;
	if (!code && run->from > run->to)
		code = fail(DR_EXIT_OPERATIONAL, run->device,
			    "'dmdelta log' shows what was written when",
			    "nothing was written from epoch %u on", run->from);
	return code;
}

/* So that it can be read, repeated and audited. */
static void keep_recipe(struct run *run, uint32_t epoch,
			enum begun_state state)
{
	char *text;

	run->recipe->to = run->to;
	text = begun_text(run, run->before, state);
	if (!text || note_set(run->device, epoch, text))
		warn(run->device, "epoch %u has no note of what was selected",
		     epoch);
	free(text);
}

/*
 * Does the head stand right on the checkpoint, and on nothing else? Others may
 * have sealed it while we were planning. A checkpoint that has a note, as the
 * one that another recovery has left, keeps it.
 */
static int stands(const struct run *run, bool *does)
{
	const struct epoch *head, *before;
	struct epochs epochs;
	int code = epochs_load(run->device, &epochs);

	if (code)
		return code;
	head = epochs_head(&epochs);
	before = epochs_find(&epochs, run->before);
	*does = head && before && !head->has_prev &&
		head->parent == before->id && !before->note_bytes;
	epochs_free(&epochs);
	return DR_EXIT_OK;
}

static void forget_note(const struct run *run, uint32_t epoch)
{
	if (note_set(run->device, epoch, ""))
		warn(run->device, "epoch %u keeps its note of a recovery",
		     epoch);
}

/* From now on things are changed. */
static int begin(struct run *run)
{
	bool does;
	int code;

	if (run->begun)
		return DR_EXIT_OK;
	code = stands(run, &does);
	if (!code && !does)
		code = seal(run, NULL, false, &run->before);
	if (code)
		return code;
	keep_recipe(run, run->before, BEGUN);
	run->begun = true;
	/* What is left as it is will not be finished, nor taken for unfinished. */
	if (run->left_so)
		forget_note(run, run->left_so);
	return DR_EXIT_OK;
}

/* It has come to its end: label and note of the next epoch tell of it. */
static void end(struct run *run)
{
	if (run->begun)
		forget_note(run, run->before);
}

static int seal_after(struct run *run)
{
	char label[DR_LABEL_MAX + 1];
	int code;

	snprintf(label, sizeof(label), "%s-%u-%u-%u", run->word, run->from,
		 run->to, run->before);
	code = seal(run, label, false, &run->after);
	if (!code)
		keep_recipe(run, run->after,
			    run->resumed ? BEGUN_LATE : BEGUN_ENDED);
	return code;
}

/* --- volumes ---------------------------------------------------------------------- */

static const struct past_volume *past_volume(const struct past *p,
					     const char *what)
{
	size_t i;

	for (i = 0; i < p->nr; i++)
		if (!strcmp(p->vol[i].vol->what, what))
			return &p->vol[i];
	return NULL;
}

static int not_mounted(struct work *w, const char *what, const char *when,
		       const char *why)
{
	warn(what, "cannot be mounted %s: %s; see 'plan --mode blocks'",
	     when, why ? why : "it is not there");
	w->run->left = true;
	return 0;
}

/* Has the volume all three trees? */
static bool complete(struct work *w, struct part *part)
{
	const char *what = part->live->vol->what;

	part->base = past_volume(&w->base, what);
	part->bad = past_volume(&w->bad, what);
	if (!part->base || !part->base->dir || !part->bad || !part->bad->dir) {
		const struct past_volume *v = part->base && part->base->dir ?
					      part->bad : part->base;

		/* What never was a file system is nobody's loss here. */
		if (!inside_mountable(part->live->vol) && !part->base)
			return false;
		return not_mounted(w, what, v == part->bad && part->base &&
				   part->base->dir ?
				   "at the end of the damage" :
				   "before the damage", v ? v->why : NULL);
	}
	if (!part->live->dir)
		return not_mounted(w, what, "now", part->live->why);
	return true;
}

static int choose_volumes(struct work *w)
{
	size_t i, only = 0;
	int code;

	if (w->run->volume) {
		code = inside_pick(&w->live.inside, w->run->volume,
				   w->run->device, &only);
		if (code)
			return code;
	}
	w->part = calloc(w->live.nr + 1, sizeof(*w->part));
	if (!w->part)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; i < w->live.nr; i++) {
		struct part *part = &w->part[w->nr];

		if (w->run->volume && i != only)
			continue;
		part->live = &w->live.vol[i];
		if (complete(w, part))
			w->nr++;
	}
	if (w->nr)
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, w->run->device,
		    "'dmdelta plan --mode blocks' takes blocks back",
		    "no file system that can be mounted before the damage, at its end and now");
}

static const char *root_of(const void *of, size_t volume, enum files_when when)
{
	const struct part *part = &((const struct work *)of)->part[volume];

	return when == FILES_BASE ? part->base->dir :
	       when == FILES_BAD ? part->bad->dir : part->live->dir;
}

static int open_past(struct work *w)
{
	struct run *run = w->run;
	int code = past_open(run->device, run->base, NULL, 0, 0, &w->base);

	if (!code)
		code = past_open(run->device, run->to, NULL, 0, 0, &w->bad);
	if (!code)
		code = changes_between(run->device, run->base, run->to,
				       &w->changed, &w->nr_changed);
	if (!code)
		code = owner_map_make(&w->base, w->changed, w->nr_changed,
				      &w->base_owner);
	if (!code)
		code = owner_map_make(&w->bad, w->changed, w->nr_changed,
				      &w->bad_owner);
	return code;
}

static void work_close(struct work *w)
{
	size_t i;

	for (i = 0; w->part && i < w->nr; i++) {
		files_plan_free(&w->part[i].plan);
		files_result_free(&w->part[i].result);
	}
	free(w->part);
	owner_map_free(&w->base_owner);
	owner_map_free(&w->bad_owner);
	free(w->changed);
	past_close(&w->bad);
	past_close(&w->base);
	live_close(&w->live);
}

/* --- plan and apply ----------------------------------------------------------------- */

static void progress(const struct files_plan *plan, size_t nr_done, void *arg)
{
	const struct work *w = arg;

	if (w->tty && (nr_done % 64 == 0 || nr_done == plan->nr))
		fprintf(stderr, "\r%zu of %zu paths%s", nr_done, plan->nr,
			nr_done == plan->nr ? "\n" : "");
}

static int plan_all(struct work *w)
{
	int code = DR_EXIT_OK;
	size_t i;

	for (i = 0; !code && i < w->nr; i++) {
		struct part *part = &w->part[i];

		if (w->tty)
			fprintf(stderr, "comparing files: %s\n",
				part->live->vol->what);
		code = files_plan_make(part->base->dir, part->bad->dir,
				       part->live->dir, w->run->select,
				       &w->base_owner, &w->bad_owner,
				       w->changed, w->nr_changed, &part->plan);
		part->planned = !code;
	}
	return code;
}

/*
 * All at once, before the first of them is begun: on the delta, and in each
 * file system.
 */
static int check_room(const struct work *w)
{
	struct room_use use = { .items = 0 };
	int code = DR_EXIT_OK;
	size_t i;

	for (i = 0; !code && i < w->nr; i++) {
		const struct part *part = &w->part[i];

		use.content += part->plan.write_bytes;
		use.items += files_plan_changes(&part->plan);
		use.folders += files_plan_folders(&part->plan);
		code = files_plan_check_space(&part->plan, part->live->dir,
					      part->live->where ?
					      part->live->where :
					      part->live->vol->what);
	}
	return code ? code : room_check(w->run->device, &use);
}

static int check_quarantines(const struct work *w)
{
	struct files_apply_options o = {
		.epoch = w->run->to, .quarantine = w->run->quarantine,
	};
	int code = DR_EXIT_OK;
	size_t i;

	for (i = 0; !code && i < w->nr; i++)
		code = files_plan_check_quarantine(&w->part[i].plan,
						   w->part[i].live->dir, &o);
	return code;
}

static bool anything(const struct files_plan *plan)
{
	size_t i;

	for (i = 0; i < plan->nr; i++)
		if ((plan->item[i].action != FILES_MIXED &&
		     plan->item[i].action != FILES_DONE) ||
		    plan->item[i].leftover)
			return true;
	return false;
}

static bool was_done(const struct work *w)
{
	size_t i;
	int k;

	for (i = 0; i < w->nr; i++) {
		for (k = 0; k < NR_FILES_ACTIONS; k++)
			if (w->part[i].result.count[k])
				return true;
		if (w->part[i].result.nr_beside)
			return true;
	}
	return false;
}

static int apply_all(struct work *w)
{
	struct run *run = w->run;
	struct files_apply_options o = {
		.epoch = run->to, .beside = run->beside,
		.quarantine = run->quarantine, .each = progress, .arg = w,
	};
	bool goes_on = run->begun;
	char *again = NULL;
	int code = DR_EXIT_OK, sealed = DR_EXIT_OK;
	size_t i;

	for (i = 0; !code && i < w->nr; i++) {
		struct part *part = &w->part[i];

		if (!anything(&part->plan) &&
		    !(run->beside && part->plan.count[FILES_MIXED]))
			continue;
		code = begin(run);
		if (code)
			break;
		if (!again)
			again = begun_command(run);
		o.again = again;
		code = files_plan_apply(&part->plan, part->base->dir,
					part->live->dir, &o, &part->result);
		if (code == DR_EXIT_UNCORRECTED) {
			run->left = true;
			code = DR_EXIT_OK;
		}
	}
	free(again);
	/*
	 * Also what was done before an error must be easy to take back; the
	 * signal that stopped us shall not stop this.
	 */
	hold_signals();
	if ((goes_on && !code) || was_done(w))
		sealed = seal_after(run);
	if (!sealed && (!goes_on || run->after))
		end(run);
	release_signals();
	return code ? code : sealed;
}

/* --- what is printed ---------------------------------------------------------------- */

static const struct out_column item_columns[] = {
	{ "volume", "volume", OUT_TEXT, OUT_ONLY_JSON },
	{ "action", "action", OUT_TEXT, OUT_BOTH },
	{ "type", "type", OUT_TEXT, OUT_ONLY_JSON },
	{ "path", "path", OUT_TEXT, OUT_BOTH },
	{ "bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "why", "why", OUT_TEXT, OUT_BOTH },
};

/* In text only what needs eyes; a rehearsal shows all. */
static bool is_shown(const struct work *w, const struct files_item *item)
{
	return out_is_json() || w->run->dry_run || item->action == FILES_MIXED;
}

static bool any_shown(const struct work *w)
{
	size_t i, k;

	for (i = 0; i < w->nr; i++)
		for (k = 0; k < w->part[i].plan.nr; k++)
			if (is_shown(w, &w->part[i].plan.item[k]))
				return true;
	return out_is_json();
}

static void print_items(const struct work *w)
{
	char type[2] = "";
	size_t i, k;

	if (!any_shown(w))
		return;
	out_table("files", item_columns, ARRAY_SIZE(item_columns));
	for (i = 0; i < w->nr; i++)
		for (k = 0; k < w->part[i].plan.nr; k++) {
			const struct files_item *it =
				&w->part[i].plan.item[k];

			if (!is_shown(w, it))
				continue;
			type[0] = it->type;
			out_row((struct out_value[]){
				out_text(w->part[i].live->vol->what),
				out_text(files_action_words[it->action]),
				out_text(type),
				out_text(it->path),
				out_number(it->bytes), out_text(it->why) });
		}
	out_table_end();
	out_say("%s", "");
}

static const struct out_column volume_columns[] = {
	{ "volume", "volume", OUT_TEXT, OUT_BOTH },
	{ "type", "type", OUT_TEXT, OUT_BOTH },
	{ "restore", "restore", OUT_NUMBER, OUT_BOTH },
	{ "bring_back", "bring back", OUT_NUMBER, OUT_BOTH },
	{ "quarantine", "quarantine", OUT_NUMBER, OUT_BOTH },
	{ "attributes", "attributes", OUT_NUMBER, OUT_BOTH },
	{ "mixed", "mixed", OUT_NUMBER, OUT_BOTH },
	{ "done", "done", OUT_NUMBER, OUT_BOTH },
	{ "failed", "failed", OUT_NUMBER, OUT_BOTH },
	{ "beside", "beside", OUT_NUMBER, OUT_ONLY_JSON },
	{ "paths", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "compared_bytes", "read", OUT_BYTES, OUT_BOTH },
	{ "written_bytes", "written", OUT_BYTES, OUT_BOTH },
	{ "mounted", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "quarantine_dir", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

static void print_volumes(const struct work *w)
{
	size_t i;

	out_table("volumes", volume_columns, ARRAY_SIZE(volume_columns));
	for (i = 0; i < w->nr; i++) {
		const struct part *part = &w->part[i];
		const uint64_t *count = part->plan.count;

		out_row((struct out_value[]){
			out_text(part->live->vol->what),
			out_text(part->live->vol->type),
			out_number(count[FILES_RESTORE]),
			out_number(count[FILES_BRING_BACK]),
			out_number(count[FILES_QUARANTINE]),
			out_number(count[FILES_ATTRS]),
			out_number(count[FILES_MIXED]),
			out_number(count[FILES_DONE]),
			out_number(part->result.nr_failed),
			out_number(part->result.nr_beside),
			out_number(part->plan.nr_paths),
			out_number(part->plan.compared_bytes),
			out_number(part->result.written_bytes),
			out_text(part->live->where),
			out_text(part->result.quarantine) });
	}
	out_table_end();
}

static const struct out_column run_columns[] = {
	{ "dry_run", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ "from", "taken back from epoch", OUT_NUMBER, OUT_BOTH },
	{ "to", "to epoch", OUT_NUMBER, OUT_BOTH },
	{ "base", "as it was in epoch", OUT_NUMBER, OUT_BOTH },
	{ "before", "state before this", OUT_NUMBER, OUT_BOTH },
	{ "epoch", "state after this", OUT_NUMBER, OUT_BOTH },
};

static void print(const struct work *w, int code)
{
	const struct run *run = w->run;
	size_t i;

	print_items(w);
	print_volumes(w);
	out_record(run_columns, ARRAY_SIZE(run_columns), (struct out_value[]){
		out_number(run->dry_run), out_number(run->from),
		out_number(run->to), out_number(run->base),
		out_number(run->before),
		out_maybe(run->after, run->after) });
	for (i = 0; i < w->nr; i++)
		if (w->part[i].result.quarantine)
			out_say("What the damage had brought is in %s%s%s.",
				w->run->quarantine || !w->part[i].live->where ?
				"" : w->part[i].live->where,
				w->run->quarantine || !w->part[i].live->where ?
				"" : "/", w->part[i].result.quarantine);
	if (run->after)
		out_say("'dmdelta undo %s' takes it back.", run->device);
	else if (!run->dry_run && !code)
		out_say("Nothing was to be done.");
}

int run_files(struct run *run)
{
	struct work w = { .run = run, .tty = isatty(STDERR_FILENO) };
	int code = run_lock(run->device);

	if (!code)
		code = live_open(run->device, !run->dry_run, &w.live);
	if (!code)
		code = seal_before(run);
	if (!code)
		code = open_past(&w);
	if (!code)
		code = choose_volumes(&w);
	if (!code)
		code = files_find_patterns(run->select, root_of, &w, w.nr);
	if (!code)
		code = plan_all(&w);
	if (!code && !run->dry_run && !run->force)
		code = check_room(&w);
	if (!code && !run->dry_run)
		code = check_quarantines(&w);
	if (!code && !run->dry_run)
		code = apply_all(&w);
	if (w.nr && w.part[w.nr - 1].planned)
		print(&w, code);
	if (!code && run->left)
		code = DR_EXIT_UNCORRECTED;
	work_close(&w);
	return code;
}
