// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-diff.c - ranges that differ between two epochs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"
#include "parse.h"

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
	struct range last;	/* not printed yet: the next may continue it */
	uint64_t nr_ranges;
	uint64_t total_sectors;
};

static void put_last(struct diff *diff)
{
	uint64_t start = diff->last.start_sectors, len = diff->last.len_sectors;
	char text[64];

	if (!len)
		return;
	snprintf(text, sizeof(text), "%" PRIu64 "+%" PRIu64, start, len);
	out_row((struct out_value[]){
		out_text(text), out_number(start), out_number(len),
		out_number(start << SECTOR_SHIFT),
		out_number(len << SECTOR_SHIFT) });
	diff->nr_ranges++;
	diff->total_sectors += len;
}

static void add(struct diff *diff, const struct range *range)
{
	struct range *last = &diff->last;

	if (last->len_sectors &&
	    last->start_sectors + last->len_sectors == range->start_sectors) {
		last->len_sectors += range->len_sectors;
		return;
	}
	put_last(diff);
	*last = *range;
}

/* A reply is words, on one line or on several. */
static char *next_word(char *reply, char **save)
{
	static const char space[] = { ' ', '\n', '\0' };

	return strtok_r(reply, space, save);
}

static int not_understood(struct diff *diff, const char *word)
{
	return fail(DR_EXIT_OPERATIONAL, diff->name,
		    "use the tool that came with the module",
		    "answer to diff not understood: '%s'", word);
}

/* One reply; *@more is false after the last one. */
static int take_page(struct diff *diff, char *reply, uint64_t *cursor,
		     bool *more)
{
	char *save, *word = next_word(reply, &save);
	struct range range;
	uint64_t next;

	if (!word)
		return not_understood(diff, "");
	*more = strcmp(word, DR_WORD_NONE) != 0;
	if (*more) {
		if (parse_number(word, &next) || next <= *cursor)
			return not_understood(diff, word);
		*cursor = next;
	}
	while ((word = next_word(NULL, &save))) {
		if (parse_range(word, &range))
			return not_understood(diff, word);
		add(diff, &range);
	}
	return DR_EXIT_OK;
}

static int list(struct diff *diff)
{
	int code = DR_EXIT_OK, ret;
	uint64_t cursor = 0;
	bool more = true;
	char thing[32], *reply;

	while (!code && more) {
		if (cancelled())
			return fail(DR_EXIT_CANCELLED, diff->name, NULL,
				    "stopped by a signal");
		ret = mapper_message(diff->name, &reply,
				     DR_MSG_DIFF " %u %u %" PRIu64,
				     diff->from, diff->to, cursor);
		if (ret) {
			snprintf(thing, sizeof(thing), "%u..%u", diff->from,
				 diff->to);
			return message_fail(thing, "diff", ret);
		}
		code = take_page(diff, reply, &cursor, &more);
		free(reply);
	}
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
	if (code)
		return code;
	out_table("ranges", columns, 5);
	code = list(&diff);
	if (code)
		return code;
	put_last(&diff);
	out_table_end();
	out_say("%s", "");
	out_record(totals, 5, (struct out_value[]){
		out_number(diff.from), out_number(diff.to),
		out_number(diff.nr_ranges), out_number(diff.total_sectors),
		out_number(diff.total_sectors << SECTOR_SHIFT) });
	return DR_EXIT_OK;
}
