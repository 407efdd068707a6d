// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-log.c - the epochs as a tree, newest first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "format.h"
#include "graph.h"
#include "output.h"
#include "recover/run.h"

static const struct out_column columns[] = {
	{ NULL, "", OUT_TEXT, OUT_ONLY_TEXT },
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "parent", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "state", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "time", "time", OUT_TIME, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "nr_blocks", "blocks", OUT_NUMBER, OUT_BOTH },
	{ "bytes", "size", OUT_BYTES, OUT_BOTH },
	{ NULL, "", OUT_TEXT, OUT_ONLY_TEXT },	/* bar, with --graph */
	{ "how", "how", OUT_TEXT, OUT_BOTH },
	{ "prev", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "consistency", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "note_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "read_first_blocks", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "pinned", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ "suspect", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ NULL, "marks", OUT_TEXT, OUT_ONLY_TEXT },
};

enum { COLUMN_BAR = 8, NR_COLUMNS = ARRAY_SIZE(columns) };

#define BAR_CELLS	10	/* of the bar with --graph */

struct log {
	const struct epochs *epochs;
	const struct device_status *status;
	struct graph graph;
	bool all;
	bool pictures;		/* --graph */
	uint64_t most;		/* blocks in one epoch */
};

/* A recovery of files: the target knows no such word. */
static const char how_files[] = "files";

/* What an epoch is drawn as, in UTF-8 and in ASCII; the first that fits */
static const struct {
	const char *state, *how;	/* NULL: any */
	const char *utf8, *ascii;
} nodes[] = {
	{ DR_STATE_DROPPED, NULL, "×", "x" },
	{ DR_STATE_BUILDING, NULL, "○", "o" },
	{ NULL, DR_HOW_ROLLBACK, "◀", "<" },
	{ NULL, DR_HOW_REPLAY, "◆", "#" },
	{ DR_STATE_HEAD, NULL, "◉", "@" },
	{ NULL, how_files, "◇", "%" },
	{ NULL, NULL, "●", "*" },
};

/* By its own word or, since it is a checkpoint with a label, by that */
static bool made_how(const struct epoch *e, const char *how)
{
	return how == how_files ? run_made(e) : epoch_is(e->how, how);
}

static const char *node_of(const struct log *log, const struct epoch *e)
{
	size_t i = 0;

	if (e->id == DR_BASE_EPOCH)
		return log->graph.utf8 ? "┷" : "+";
	while ((nodes[i].state && !epoch_is(e->state, nodes[i].state)) ||
	       (nodes[i].how && !made_how(e, nodes[i].how)))
		i++;
	return log->graph.utf8 ? nodes[i].utf8 : nodes[i].ascii;
}

static bool is_shown(const struct log *log, const struct epoch *e)
{
	return log->all || !epoch_is(e->state, DR_STATE_DROPPED);
}

/* Dropped epochs between two that are shown are skipped. */
static const struct epoch *shown_parent(const struct log *log,
					const struct epoch *e)
{
	do {
		e = epochs_parent(log->epochs, e);
	} while (e && !is_shown(log, e));
	return e;
}

static uint64_t blocks_of(const struct log *log, const struct epoch *e)
{
	return epoch_is(e->state, DR_STATE_HEAD) ? log->status->head_blocks :
	       e->nr_blocks;
}

/* How much, beside the others: in eighths of a cell where the terminal can */
static const char *bar(const struct log *log, uint64_t blocks, char *buf,
		       size_t size)
{
	static const char *const eighths[] = {
		"", "▏", "▎", "▍", "▌", "▋", "▊", "▉",
	};
	unsigned int parts, i;
	size_t n = 0;

	buf[0] = '\0';
	if (!log->pictures || !blocks || !log->most)
		return buf;
	parts = (double)blocks / log->most * BAR_CELLS * 8 + 0.5;
	if (!parts)
		parts = 1;
	if (!log->graph.utf8)
		parts = (parts + 7) / 8 * 8;
	for (i = 0; i < parts / 8; i++)
		n += snprintf(buf + n, size - n, "%s",
			      log->graph.utf8 ? "█" : "=");
	snprintf(buf + n, size - n, "%s", eighths[parts % 8]);
	return buf;
}

static const char *marks(const struct epoch *e, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	if (!epoch_is(e->state, DR_STATE_SEALED))
		n += snprintf(buf, size, "%s ", e->state);
	if (e->consistency[0])
		n += snprintf(buf + n, size - n, "%s ", e->consistency);
	if (e->has_prev)
		n += snprintf(buf + n, size - n, "undo:%u ", e->prev);
	if (e->note_bytes)
		n += snprintf(buf + n, size - n, "note ");
	if (e->marks & DR_MARK_PINNED)
		n += snprintf(buf + n, size - n, "%s ", DR_WORD_PINNED);
	if (e->marks & DR_MARK_SUSPECT)
		n += snprintf(buf + n, size - n, "%s ", DR_WORD_SUSPECT);
	if (n)
		buf[n - 1] = '\0';
	return buf;
}

static void put_joins(struct log *log, const struct epoch *e)
{
	struct out_value values[NR_COLUMNS];
	char *line;
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++)
		values[i] = out_text("");
	while (graph_joins(&log->graph, e->id, &line)) {
		values[0] = out_text(line);
		out_row(values);
		free(line);
	}
}

static void put_epoch(struct log *log, const struct epoch *e)
{
	const struct epoch *parent = shown_parent(log, e);
	uint64_t blocks = blocks_of(log, e);
	char *line = NULL, text[96], bars[BAR_CELLS * 3 + 4];

	if (!out_is_json()) {
		put_joins(log, e);
		log->graph.node = log->pictures ? node_of(log, e) : NULL;
		line = graph_node(&log->graph, e->id, parent,
				  parent ? parent->id : 0);
	}
	out_row((struct out_value[]){
		out_text(line), out_number(e->id),
		out_maybe(e->has_parent, e->parent), out_text(e->state),
		out_maybe(e->has_time, e->time),
		out_text(e->label[0] ? e->label : NULL), out_number(blocks),
		out_number((blocks * log->status->block_sectors) <<
			   SECTOR_SHIFT),
		out_text(bar(log, blocks, bars, sizeof(bars))),
		out_text(e->how[0] ? e->how : NULL),
		out_maybe(e->has_prev, e->prev),
		out_text(e->consistency[0] ? e->consistency : NULL),
		out_number(e->note_bytes),
		out_maybe(e->has_read_first, e->read_first),
		out_number(e->marks & DR_MARK_PINNED ? 1 : 0),
		out_number(e->marks & DR_MARK_SUSPECT ? 1 : 0),
		out_text(marks(e, text, sizeof(text))) });
	free(line);
}

int cmd_log(const struct cmd_line *line)
{
	struct out_column shown[NR_COLUMNS];
	struct device_status status;
	const struct epoch *head;
	struct epochs epochs;
	struct log log = {
		.epochs = &epochs,
		.status = &status,
		.all = cli_option(line, "all"),
		.pictures = cli_option(line, "graph"),
	};
	const char *name;
	size_t i;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epochs_load(name, &epochs);
	if (code)
		return code;
	head = epochs_head(&epochs);
	if (graph_begin(&log.graph, head ? head->id : DR_BASE_EPOCH)) {
		epochs_free(&epochs);
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	for (i = 0; i < epochs.nr; i++)
		if (is_shown(&log, &epochs.epochs[i]) &&
		    blocks_of(&log, &epochs.epochs[i]) > log.most)
			log.most = blocks_of(&log, &epochs.epochs[i]);
	memcpy(shown, columns, sizeof(shown));
	if (!log.pictures)
		shown[COLUMN_BAR].where = OUT_NOWHERE;
	out_table("epochs", shown, NR_COLUMNS);
	for (i = epochs.nr; i--;)
		if (is_shown(&log, &epochs.epochs[i]))
			put_epoch(&log, &epochs.epochs[i]);
	out_table_end();
	graph_free(&log.graph);
	epochs_free(&epochs);
	return DR_EXIT_OK;
}
