// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-owner.c - whose blocks these are, now and in an epoch.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"
#include "owner/owner.h"
#include "parse.h"
#include "past/now.h"
#include "past/view.h"

#define NR_OWNER	8	/* columns of one owner */
#define NR_NOW		(3 + NR_OWNER)	/* columns when no epoch was given */

static const struct out_column columns[] = {
	{ "range", "range", OUT_TEXT, OUT_BOTH },
	{ "start_sector", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "nr_sectors", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "now", "now", OUT_TEXT, OUT_ONLY_TEXT },
	{ "now_kind", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "now_volume", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "now_path", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "now_what", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "now_offset_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "now_inode", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "now_flags", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "then", "then", OUT_TEXT, OUT_ONLY_TEXT },
	{ "then_kind", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "then_volume", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "then_path", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "then_what", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "then_offset_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "then_inode", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "then_flags", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "same", "same", OUT_BOOL, OUT_BOTH },
};

static const struct out_column about[] = {
	{ "now_epoch", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "then_epoch", NULL, OUT_NUMBER, OUT_ONLY_JSON },
};

struct question {
	const char *name;
	struct range range;
	const char *epoch_word;	/* NULL: only now */
	struct epoch_ref epoch;
	uint32_t then, now;
};

/* "<start>+<len>[@<epoch>]"; @word is changed. */
static int parse_word(char *word, struct question *q)
{
	char *at = strrchr(word, '@');
	const char *problem;
	int code = DR_EXIT_OK;

	if (at) {
		*at = '\0';
		q->epoch_word = at + 1;
		code = epoch_parse(q->epoch_word, &q->epoch);
	}
	problem = code ? NULL : parse_range(word, &q->range);
	if (problem)
		return fail_usage(word, "%s", problem);
	return code;
}

static const char *flags_of(const struct owner_extent *e)
{
	static const char *const words[] = { "", "encoded", "shared",
					     "encoded shared" };

	return words[e->flags & (OWNER_ENCODED | OWNER_SHARED)];
}

static void put_owner(const struct owner_extent *e, uint64_t sector, char *buf,
		      size_t size, struct out_value *value)
{
	memset(value, 0, NR_OWNER * sizeof(*value));
	value[0] = out_text(owner_describe_at(e, sector, buf, size));
	if (!e)
		return;
	value[1] = out_text(owner_kind_word(e->kind));
	value[2] = out_text(e->volume);
	value[3] = out_text(e->path);
	value[4] = out_text(e->what);
	value[5] = out_maybe(e->kind == OWNER_FILE, owner_offset(e, sector));
	value[6] = out_maybe(e->ino, e->ino);
	value[7] = out_text(flags_of(e));
}

static void put_row(const struct question *q, uint64_t start, uint64_t end,
		    const struct owner_extent *now,
		    const struct owner_extent *then)
{
	static char now_text[2 * PATH_MAX], then_text[2 * PATH_MAX];
	struct out_value value[ARRAY_SIZE(columns)];
	char range[64];

	snprintf(range, sizeof(range), "%" PRIu64 "+%" PRIu64, start,
		 end - start);
	value[0] = out_text(range);
	value[1] = out_number(start);
	value[2] = out_number(end - start);
	put_owner(now, start, now_text, sizeof(now_text), value + 3);
	if (q->epoch_word) {
		put_owner(then, start, then_text, sizeof(then_text),
			  value + NR_NOW);
		value[NR_NOW + NR_OWNER] =
			out_number(now && then && owner_same(now, then, start));
	}
	out_row(value);
}

static uint64_t piece_end(const struct owner_extent *e, uint64_t end)
{
	return e && e->start + e->sectors < end ? e->start + e->sectors : end;
}

/* A row for each piece that has one owner now and one then */
static int put_pieces(const struct question *q, const struct owner_map *now,
		      const struct owner_map *then)
{
	uint64_t here = q->range.start_sectors, next;
	uint64_t end = here + q->range.len_sectors;
	const struct owner_extent *a, *b;

	out_table("pieces", columns, q->epoch_word ? ARRAY_SIZE(columns) :
		  NR_NOW);
	for (; here < end; here = next) {
		if (cancelled())
			return fail_cancelled(q->name);
		a = owner_find(now, here);
		b = owner_find(then, here);
		next = piece_end(a, piece_end(b, end));
		put_row(q, here, next, a, b);
	}
	out_table_end();
	out_record(about, q->epoch_word ? 2 : 1, (struct out_value[]){
		out_number(q->now), out_number(q->then) });
	return DR_EXIT_OK;
}

static int answer(const struct question *q)
{
	struct owner_map now, then = { 0 };
	int code = owner_map_at(q->name, q->now, &q->range, 1, &now);

	if (code)
		return code;
	if (q->epoch_word)
		code = owner_map_at(q->name, q->then, &q->range, 1, &then);
	if (!code)
		code = put_pieces(q, &now, &then);
	owner_map_free(&then);
	owner_map_free(&now);
	return code;
}

int cmd_owner(const struct cmd_line *line)
{
	struct device_status status;
	struct question q = { 0 };
	int code = device_name(line->argv[0], &q.name);

	if (!code)
		code = parse_word(line->argv[1], &q);
	if (!code)
		code = device_status(q.name, &status);
	if (code)
		return code;
	if (q.range.start_sectors >= status.sectors ||
	    q.range.len_sectors > status.sectors - q.range.start_sectors)
		return fail_usage(line->argv[1],
				  "goes behind the end of the device (%" PRIu64 " sectors)",
				  status.sectors);
	if (q.epoch_word)
		code = epoch_resolve(q.name, q.epoch_word, &q.epoch, &q.then);
	/* Before a checkpoint is made; the open head is what is there now. */
	if (!code && q.epoch_word && q.then != status.head)
		code = view_check_epoch(q.name, q.then);
	if (!code)
		code = now_epoch(q.name, &q.now);
	if (!code && q.epoch_word && q.then == status.head)
		q.then = q.now;
	return code ? code : answer(&q);
}
