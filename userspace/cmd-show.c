// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-show.c - all about one epoch.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "notes.h"
#include "output.h"
#include "reads.h"

static const struct out_column columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "state", "state", OUT_TEXT, OUT_BOTH },
	{ "time", "time", OUT_TIME, OUT_BOTH },
	{ "consistency", "consistency", OUT_TEXT, OUT_BOTH },
	{ "how", "made by", OUT_TEXT, OUT_BOTH },
	{ "parent", "parent", OUT_NUMBER, OUT_BOTH },
	{ "prev", "head before it", OUT_NUMBER, OUT_BOTH },
	{ "nr_blocks", "blocks written", OUT_NUMBER, OUT_BOTH },
	{ "bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "read_first_blocks", "written after a read", OUT_NUMBER, OUT_BOTH },
	{ "note_bytes", "note", OUT_BYTES, OUT_BOTH },
	{ "note", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

static const struct out_column reads_columns[] = {
	{ "range", "read", OUT_TEXT, OUT_BOTH },
	{ "start_sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "len_sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "len_bytes", "size", OUT_BYTES, OUT_BOTH },
};

static int put_reads(const char *name, uint32_t id)
{
	struct range *ranges;
	char text[64];
	bool known;
	size_t nr, i;
	int code = reads_of(name, id, &ranges, &nr, &known);

	if (code)
		return code;
	if (!known)
		warn(name, "it is not known what was read in epoch %u: see --track-reads of open",
		     id);
	out_say("%s", "");
	out_table("reads", reads_columns, ARRAY_SIZE(reads_columns));
	for (i = 0; i < nr; i++) {
		snprintf(text, sizeof(text), "%" PRIu64 "+%" PRIu64,
			 ranges[i].start_sectors, ranges[i].len_sectors);
		out_row((struct out_value[]){
			out_text(text), out_number(ranges[i].start_sectors),
			out_number(ranges[i].len_sectors),
			out_number(ranges[i].len_sectors << SECTOR_SHIFT) });
	}
	out_table_end();
	free(ranges);
	return DR_EXIT_OK;
}

static int put_children(const struct epochs *epochs, uint32_t id)
{
	char (*text)[16] = calloc(epochs->nr, sizeof(*text)), **words;
	size_t i, nr = 0;

	words = calloc(epochs->nr, sizeof(*words));
	if (!text || !words) {
		free(text);
		free(words);
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	for (i = 0; i < epochs->nr; i++) {
		const struct epoch *e = &epochs->epochs[i];

		if (!e->has_parent || e->parent != id)
			continue;
		snprintf(text[nr], sizeof(text[nr]), "%u", e->id);
		words[nr] = text[nr];
		nr++;
	}
	if (nr || out_is_json())
		out_words("children", "children", words, nr);
	free(words);
	free(text);
	return DR_EXIT_OK;
}

static int put(const struct epochs *epochs, const struct epoch *e,
	       const struct device_status *status, const char *note)
{
	bool head = epoch_is(e->state, DR_STATE_HEAD);
	uint64_t blocks = head ? status->head_blocks : e->nr_blocks;
	int code;

	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_number(e->id), out_text(e->label[0] ? e->label : NULL),
		out_text(e->state), out_maybe(e->has_time, e->time),
		out_text(e->consistency[0] ? e->consistency : NULL),
		out_text(e->how[0] ? e->how : NULL),
		out_maybe(e->has_parent, e->parent),
		out_maybe(e->has_prev, e->prev), out_number(blocks),
		out_number((blocks * status->block_sectors) << SECTOR_SHIFT),
		out_maybe(e->has_read_first, e->read_first),
		out_maybe(e->note_bytes, e->note_bytes), out_text(note) });
	code = put_children(epochs, e->id);
	if (!code && note)
		out_say("\n%s", note);
	return code;
}

/* The note as it is, without a byte more */
static int write_note(const char *path, const char *note)
{
	FILE *f = fopen(path, "we");
	bool bad;

	if (!f)
		return fail_errno(path, "create", -errno);
	bad = fputs(note, f) < 0;
	bad |= fclose(f) != 0;
	return bad ? fail_errno(path, "write", -errno) : DR_EXIT_OK;
}

static int show(const char *name, const struct epochs *epochs,
		const char *word, uint32_t id, const char *file)
{
	const struct epoch *e = epochs_find(epochs, id);
	struct device_status status;
	char *note = NULL;
	int code;

	if (!e)
		return fail(DR_EXIT_OPERATIONAL, word,
			    "'dmdelta log' lists them", "no such epoch");
	code = device_status(name, &status);
	if (!code && e->note_bytes)
		code = note_get(name, id, &note);
	if (!code && file && !note)
		code = fail(DR_EXIT_OPERATIONAL, word,
			    "only recoveries keep theirs",
			    "the epoch has no recipe");
	if (!code && file)
		code = write_note(file, note);
	if (!code)
		code = put(epochs, e, &status, note);
	free(note);
	return code;
}

int cmd_show(const struct cmd_line *line)
{
	struct epochs epochs;
	struct epoch_ref ref;
	const char *name;
	uint32_t id;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &id);
	if (!code)
		code = epochs_load(name, &epochs);
	if (code)
		return code;
	code = show(name, &epochs, line->argv[1], id,
		    cli_option(line, "recipe"));
	if (!code && cli_option(line, "reads"))
		code = put_reads(name, id);
	epochs_free(&epochs);
	return code;
}
