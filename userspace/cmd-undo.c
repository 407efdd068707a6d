// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-undo.c - take back the last rollback, replay or recovery of files.
 *
 * A rollback or replay recorded, with the epoch that it opened, the head that
 * it had sealed ("prev"). Undo is a rollback to that one, and so leaves a
 * record of the same kind: undo of an undo does it again.
 *
 * A recovery of files left an epoch of its own on a checkpoint (recover/run.h).
 * While the device is in use, or when anything was written since, it is taken
 * back as it was made, by a merge of files, so that later work stays; this
 * leaves an epoch of the same kind. Otherwise nothing can be lost by a
 * rollback to the checkpoint, which is exact. One that was interrupted has no
 * epoch of its own yet (recover/begun.h): all that was written since counts as
 * its work, also when it went on later, and must be meant. An undo that was
 * interrupted is not undone but goes on.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "epochs.h"
#include "output.h"
#include "recover/begun.h"
#include "recover/recipe.h"
#include "recover/run.h"
#include "switch.h"

static const struct out_column columns[] = {
	{ "undone", "undone", OUT_TEXT, OUT_BOTH },
	{ "undone_epoch", "which made epoch", OUT_NUMBER, OUT_BOTH },
	{ "epoch", "back at epoch", OUT_NUMBER, OUT_BOTH },
	{ "previous_head", "left behind", OUT_NUMBER, OUT_BOTH },
	{ "left_blocks", "blocks left behind", OUT_NUMBER, OUT_BOTH },
	{ "head", "new head", OUT_NUMBER, OUT_BOTH },
};

enum kind {
	NOTHING,
	SWITCH,			/* a rollback or replay */
	FILES,			/* a recovery of files */
	FILES_LATE,		/* one that was interrupted, went on and ended */
	FILES_CUT,		/* one that was interrupted */
	UNDO_CUT,		/* an undo of one was: to be finished */
};

/* What is to be undone */
struct last {
	enum kind kind;
	bool stuck;		/* CUT, an undo that cannot be finished */
	uint32_t id, back;	/* the epoch it made, the state before */
	uint32_t first;		/* of a recovery of files, above that */
	char how[16];
	uint64_t taken;		/* blocks in all of its epochs */
	bool dropped;		/* the state before is gone */
	uint64_t blocks;	/* written since */
};

static bool made_by_switch(const struct epoch *e)
{
	return e->has_prev && (epoch_is(e->how, DR_HOW_ROLLBACK) ||
			       epoch_is(e->how, DR_HOW_REPLAY));
}

static bool is_there(const struct epochs *epochs, uint32_t id)
{
	const struct epoch *e = epochs_find(epochs, id);

	return e && !epoch_is(e->state, DR_STATE_DROPPED);
}

/*
 * One that was interrupted. An undo goes on, if it can; with --force it is
 * taken back like all else.
 */
static bool find_cut(const char *name, const struct epochs *epochs, bool force,
		     struct last *last)
{
	struct begun b;

	if (!begun_find(name, epochs, &b))
		return false;
	if (b.undo && !force && is_there(epochs, b.to) &&
	    is_there(epochs, b.base)) {
		last->kind = UNDO_CUT;
		last->first = b.from;
		last->id = b.to;
		last->back = b.base;
		return true;
	}
	last->kind = FILES_CUT;
	last->stuck = b.undo;
	last->first = b.first;
	last->id = epochs_head(epochs)->id;
	last->back = b.before;
	return true;
}

/*
 * The newest recovery in the head's lineage; blocks written since. A replay
 * is recorded with the head that it opened, above the epoch that it made:
 * what it put there itself is not counted, it can be made again. A recovery
 * of files is itself the epoch that holds what it wrote.
 */
static void find_last(const char *name, const struct epochs *epochs,
		      struct last *last)
{
	const struct epoch *e = epochs_head(epochs), *first;

	for (; e; e = epochs_parent(epochs, e)) {
		first = run_first(epochs, e);
		if (first) {
			last->kind = begun_late(name, e) ? FILES_LATE : FILES;
			last->first = first->id;
			last->back = first->parent;
			last->id = e->id;
			return;
		}
		last->blocks += e->nr_blocks;
		if (made_by_switch(e)) {
			last->kind = SWITCH;
			last->back = e->prev;
			last->id = e->id;
			return;
		}
	}
}

static bool by_merge(const struct last *last, bool in_use)
{
	return last->kind > FILES ||
	       (last->kind == FILES && (last->blocks || in_use));
}

static int look(const char *name, bool force, struct device_status *status,
		struct last *last)
{
	const struct epoch *e;
	struct epochs epochs;
	int code = device_status(name, status);

	memset(last, 0, sizeof(*last));
	if (!code)
		code = epochs_load(name, &epochs);
	if (code)
		return code;
	epochs_count_head(&epochs, status->head_blocks);
	if (!find_cut(name, &epochs, force, last))
		find_last(name, &epochs, last);
	if (last->kind) {
		last->dropped = !is_there(&epochs, last->back);
		e = epochs_find(&epochs, last->id);
		snprintf(last->how, sizeof(last->how), "%s",
			 last->kind == SWITCH && e ? e->how : RUN_RECOVER);
		for (; e && e->id >= last->first; e = epochs_parent(&epochs, e))
			last->taken += e->nr_blocks;
	}
	epochs_free(&epochs);
	return DR_EXIT_OK;
}

static int check(const char *name, const struct last *last)
{
	if (!last->kind)
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'dmdelta log' shows the epochs; use rollback",
			    "no rollback or replay led to the head, nor a recovery of files");
	if (last->dropped)
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'dmdelta log' shows what is left",
			    "epoch %u, the state before, was dropped",
			    last->back);
	return DR_EXIT_OK;
}

static int changed_meanwhile(const char *name)
{
	return fail(DR_EXIT_OPERATIONAL, name, "try again",
		    "another recovery came in between; nothing was changed");
}

/* May it be taken back file by file? */
static int check_files(const char *name, const struct last *last, bool force)
{
	static const char *const remedy[] = {
		[FILES_LATE] = "--force takes all of that back",
		[FILES_CUT] = "the same recover again finishes it; --force takes all of that back",
	};
	int code = check(name, last);

	if (!code && last->kind == SWITCH)
		code = changed_meanwhile(name);
	if (code || force ||
	    (last->kind != FILES_LATE && last->kind != FILES_CUT))
		return code;
	return fail(DR_EXIT_UNCORRECTED, name, last->stuck ?
		    "what it needs was dropped; --force takes back what it has done" :
		    remedy[last->kind],
		    "%s was interrupted: all that was written from epoch %u to %u, %llu blocks, counts as its work",
		    last->stuck ? "an undo" : "a recovery", last->first,
		    last->id, (unsigned long long)last->taken);
}

static int by_files(const char *name, struct last *last, bool force)
{
	struct recipe recipe;
	struct run run = {
		.device = name, .word = RUN_UNDO, .force = force,
		.recipe = &recipe,
	};
	struct device_status status;
	int code = check_files(name, last, force);

	if (!code)
		code = run_lock(name);
	/* Nobody else recovers now: is it still what we saw? */
	if (!code)
		code = look(name, force, &status, last);
	if (!code)
		code = check_files(name, last, force);
	if (code)
		return code;
	run.from = last->first;
	run.to = last->id;
	run.base = last->back;
	code = recipe_for_all(name, run.from, run.to, run.base, &recipe);
	return code ? code : run_files(&run);
}

static int by_rollback(struct switcher *sw, const struct last *last,
		       const struct device_status *status)
{
	uint64_t head;
	int code = switch_rollback(sw, last->back, &head);

	if (code)
		return code;
	if (last->blocks)
		warn(sw->name, "%llu blocks written since stay behind, up to epoch %llu",
		     (unsigned long long)last->blocks,
		     (unsigned long long)status->head);
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(last->how), out_number(last->id),
		out_number(last->back), out_number(status->head),
		out_number(last->blocks), out_number(head) });
	return DR_EXIT_OK;
}

int cmd_undo(const struct cmd_line *line)
{
	struct device_status status;
	struct last last;
	struct switcher sw;
	bool force = cli_option(line, "force");
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = look(name, force, &status, &last);
	if (code)
		return code;
	if (by_merge(&last, status.info.open_count))
		return by_files(name, &last, force);
	code = switch_open(&sw, name);
	if (code)
		return code;
	/* Nobody else can change it now: is it still what we saw? */
	code = look(name, force, &status, &last);
	if (!code)
		code = check(name, &last);
	if (!code && by_merge(&last, false))
		code = changed_meanwhile(name);
	if (!code && last.blocks && !force)
		code = fail(DR_EXIT_UNCORRECTED, name,
			    "--force leaves them behind, as a branch that undo returns to",
			    "%llu blocks were written since, up to epoch %llu",
			    (unsigned long long)last.blocks,
			    (unsigned long long)status.head);
	if (!code)
		code = by_rollback(&sw, &last, &status);
	switch_close(&sw);
	return code;
}
