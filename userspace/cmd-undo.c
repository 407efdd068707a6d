// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-undo.c - take back the last rollback or replay.
 *
 * Each of them recorded, with the epoch that it opened, the head that it had
 * sealed ("prev"). Undo is a rollback to that one, and so leaves a record of
 * the same kind: undo of an undo does it again.
 */
#include "cli.h"
#include "commands.h"
#include "epochs.h"
#include "output.h"
#include "switch.h"

static const struct out_column columns[] = {
	{ "undone", "undone", OUT_TEXT, OUT_BOTH },
	{ "undone_epoch", "which made epoch", OUT_NUMBER, OUT_BOTH },
	{ "epoch", "back at epoch", OUT_NUMBER, OUT_BOTH },
	{ "previous_head", "left behind", OUT_NUMBER, OUT_BOTH },
	{ "left_blocks", "blocks left behind", OUT_NUMBER, OUT_BOTH },
	{ "head", "new head", OUT_NUMBER, OUT_BOTH },
};

static bool made_by_recovery(const struct epoch *e)
{
	return e->has_prev && (epoch_is(e->how, DR_HOW_ROLLBACK) ||
			       epoch_is(e->how, DR_HOW_REPLAY));
}

/*
 * The newest recovery in the head's lineage; blocks written since. A replay
 * is recorded with the head that it opened, above the epoch that it made:
 * what it put there itself is not counted, it can be made again.
 */
static const struct epoch *find_last(const struct epochs *epochs,
				     uint64_t head_blocks, uint64_t *blocks)
{
	const struct epoch *e = epochs_head(epochs);

	*blocks = head_blocks;
	for (; e; e = epochs_parent(epochs, e)) {
		if (!epoch_is(e->state, DR_STATE_HEAD))
			*blocks += e->nr_blocks;
		if (made_by_recovery(e))
			return e;
	}
	return NULL;
}

static int undo(struct switcher *sw)
{
	const struct epoch *last, *prev;
	struct device_status status;
	struct epochs epochs;
	uint64_t blocks, head;
	int code = device_status(sw->name, &status);

	if (!code)
		code = epochs_load(sw->name, &epochs);
	if (code)
		return code;
	last = find_last(&epochs, status.head_blocks, &blocks);
	prev = last ? epochs_find(&epochs, last->prev) : NULL;
	if (!last)
		code = fail(DR_EXIT_OPERATIONAL, sw->name,
			    "'dmdelta log' shows the epochs; use rollback",
			    "no rollback or replay led to the head");
	else if (!prev || epoch_is(prev->state, DR_STATE_DROPPED))
		code = fail(DR_EXIT_OPERATIONAL, sw->name,
			    "'dmdelta log' shows what is left",
			    "epoch %u, the state before, was dropped",
			    last->prev);
	else
		code = switch_rollback(sw, last->prev, &head);
	if (!code) {
		if (blocks)
			warn(sw->name, "%llu blocks written since stay behind, up to epoch %llu",
			     (unsigned long long)blocks,
			     (unsigned long long)status.head);
		out_record(columns, 6, (struct out_value[]){
			out_text(last->how), out_number(last->id),
			out_number(last->prev), out_number(status.head),
			out_number(blocks), out_number(head) });
	}
	epochs_free(&epochs);
	return code;
}

int cmd_undo(const struct cmd_line *line)
{
	struct switcher sw;
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = switch_open(&sw, name);
	if (code)
		return code;
	code = undo(&sw);
	switch_close(&sw);
	return code;
}
