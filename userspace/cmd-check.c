// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-check.c - verify a delta device that is not open; writes nothing.
 *
 * A superblock of which one of two copies is bad is no error: a power cut may
 * leave it so, and the next commit mends it. It is a warning here.
 */
#include "check.h"
#include "cli.h"
#include "commands.h"
#include "delta.h"
#include "output.h"

#define MEM_ENTRIES	1024u	/* nothing will be written: the least will do */

static const struct out_column defect_columns[] = {
	{ "corrupt", "corrupt", OUT_TEXT, OUT_BOTH },
	{ "where", "where", OUT_NUMBER, OUT_BOTH },
	{ "reason", "reason", OUT_TEXT, OUT_BOTH },
};

static const struct out_column columns[] = {
	{ "delta", "checked", OUT_TEXT, OUT_BOTH },
	{ "result", "result", OUT_TEXT, OUT_BOTH },
	{ "nr_errors", "errors", OUT_NUMBER, OUT_BOTH },
	{ "nr_epochs", "epochs", OUT_NUMBER, OUT_BOTH },
	{ "nr_nodes", "nodes", OUT_NUMBER, OUT_BOTH },
	{ "nr_versions", "map entries", OUT_NUMBER, OUT_BOTH },
	{ "nr_blocks", "blocks in them", OUT_NUMBER, OUT_BOTH },
	{ "nr_extents", "index entries", OUT_NUMBER, OUT_BOTH },
	{ "nr_notes", "notes", OUT_NUMBER, OUT_BOTH },
	{ "data_bytes", "data", OUT_BYTES, OUT_BOTH },
	{ "journal_blocks", "journal to replay", OUT_NUMBER, OUT_BOTH },
};

static bool any_defect;

static void defect(const char *what, u64 where, const char *why)
{
	if (!any_defect && !out_is_json())
		out_table("defects", defect_columns,
			  ARRAY_SIZE(defect_columns));
	any_defect = true;
	out_row((struct out_value[]){
		out_text(what), out_number(where), out_text(why) });
}

static int check(struct delta *d, struct dr_store *st)
{
	struct dr_check ck = { 0 };
	int ret;

	if (d->file.reports)
		warn(d->volume.path, "%s", d->report);
	d->on_report = defect;
	if (out_is_json())
		out_table("defects", defect_columns,
			  ARRAY_SIZE(defect_columns));
	ret = dr_check(st, &ck);
	out_table_end();
	if (ret)
		return delta_fail(d, "check", ret);
	if (any_defect)
		out_say("%s", "");
	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_text(d->volume.path),
		out_text(ck.errors ? "damaged" : "sound"),
		out_number(ck.errors), out_number(st->epochs.nr),
		out_number(ck.nodes), out_number(ck.versions),
		out_number(ck.blocks), out_number(ck.extents),
		out_number(ck.notes), out_number(ck.slots * DR_BLOCK_SIZE),
		out_number(ck.journal_blocks) });
	if (!ck.errors)
		return DR_EXIT_OK;
	return fail(DR_EXIT_UNCORRECTED, d->volume.path,
		    "keep a copy of it before anything else",
		    "damaged: %llu errors", (unsigned long long)ck.errors);
}

int cmd_check(const struct cmd_line *line)
{
	struct dr_store st = { 0 };
	struct dr_disk_super sb;
	struct delta d;
	int code, ret;

	code = delta_open(&d, line->argv[0], VOLUME_READ_EXCL);
	if (code)
		return code;
	code = delta_super(&d, &sb);
	if (!code) {
		/* Opening reads the superblock again: do not tell it twice. */
		d.file.reports = 0;
		st.env = d.env;
		ret = dr_store_open(&st, d.nr_blocks, MEM_ENTRIES);
		if (ret) {
			code = delta_fail(&d, "check", ret);
		} else {
			code = check(&d, &st);
			dr_store_close(&st);
		}
	}
	delta_close(&d);
	return code;
}
