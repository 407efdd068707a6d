// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-diff.c - ranges that differ between two epochs.
 */
#include <inttypes.h>
#include <stdio.h>

#include "changes.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"
#include "owner/diff.h"
#include "parse.h"
#include "past/now.h"
#include "past/view.h"

/* The range as text can be pasted behind --range. */
static const struct out_column columns[] = {
	{ "range", "range", OUT_TEXT, OUT_BOTH },
	{ "start_sector", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "nr_sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "offset_bytes", "offset", OUT_BYTES, OUT_BOTH },
	{ "bytes", "size", OUT_BYTES, OUT_BOTH },
};

static const struct out_column totals[] = {
	{ "from", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "to", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "nr_ranges", "ranges", OUT_NUMBER, OUT_BOTH },
	{ "total_sectors", "sectors", OUT_NUMBER, OUT_BOTH },
	{ "total_bytes", "size", OUT_BYTES, OUT_BOTH },
};

struct diff {
	const char *name;
	uint32_t from, to;
	uint64_t nr_ranges;
	uint64_t total_sectors;
};

static void put(const struct range *range, void *arg)
{
	uint64_t start = range->start_sectors, len = range->len_sectors;
	struct diff *diff = arg;
	char text[64];

	snprintf(text, sizeof(text), "%" PRIu64 "+%" PRIu64, start, len);
	out_row((struct out_value[]){
		out_text(text), out_number(start), out_number(len),
		out_number(start << SECTOR_SHIFT),
		out_number(len << SECTOR_SHIFT) });
	diff->nr_ranges++;
	diff->total_sectors += len;
}

static int list_ranges(struct diff *diff)
{
	int code;

	out_table("ranges", columns, 5);
	code = changes_each(diff->name, diff->from, diff->to, put, diff);
	if (code)
		return code;
	out_table_end();
	out_say("%s", "");
	out_record(totals, 5, (struct out_value[]){
		out_number(diff->from), out_number(diff->to),
		out_number(diff->nr_ranges), out_number(diff->total_sectors),
		out_number(diff->total_sectors << SECTOR_SHIFT) });
	return DR_EXIT_OK;
}

/* Owners are asked of sealed epochs: the open head has to become one. */
static int seal_head(struct diff *diff, uint32_t head)
{
	uint32_t now;
	int code = DR_EXIT_OK;

	if (diff->from != head)
		code = view_check_epoch(diff->name, diff->from);
	if (!code && diff->to != head)
		code = view_check_epoch(diff->name, diff->to);
	if (code || (diff->from != head && diff->to != head))
		return code;
	code = now_epoch(diff->name, &now);
	if (diff->from == head)
		diff->from = now;
	if (diff->to == head)
		diff->to = now;
	return code;
}

int cmd_diff(const struct cmd_line *line)
{
	struct device_status status;
	struct epoch_ref from, to;
	struct diff diff = { 0 };
	int code = device_name(line->argv[0], &diff.name);

	if (!code)
		code = epoch_parse(line->argv[1], &from);
	if (!code)
		code = epoch_parse(line->argv[2], &to);
	if (!code)
		code = device_status(diff.name, &status);
	if (!code)
		code = epoch_resolve(diff.name, line->argv[1], &from,
				     &diff.from);
	if (!code)
		code = epoch_resolve(diff.name, line->argv[2], &to, &diff.to);
	if (code || !cli_option(line, "files"))
		return code ? code : list_ranges(&diff);
	code = seal_head(&diff, status.head);
	return code ? code : owner_diff(diff.name, diff.from, diff.to);
}
