// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-suspects.c - which epochs look like an attack, from the blocks alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "draw/look.h"
#include "epochs.h"
#include "output.h"
#include "owner/touched.h"
#include "past/now.h"
#include "ranges.h"
#include "recover/suspects.h"

#define HISTORY		32u	/* epochs before --from that show what is usual */
#define DEVICE_SAMPLES	1024u	/* for how much is compressible at all */

static const struct out_column columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "compared_with", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "time", "sealed", OUT_TIME, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "written_bytes", "written", OUT_BYTES, OUT_BOTH },
	{ "read_first", "read first", OUT_SHARE, OUT_BOTH },
	{ "entropy_before", "before", OUT_HUNDREDTHS, OUT_BOTH },
	{ "entropy_after", "after", OUT_HUNDREDTHS, OUT_BOTH },
	{ "became_random", "became random", OUT_SHARE, OUT_BOTH },
	{ "new_random", "new random", OUT_SHARE, OUT_BOTH },
	{ "zeroed", "zeroed", OUT_SHARE, OUT_BOTH },
	{ "since", "since", OUT_SHARE, OUT_BOTH },
	{ "nr_samples", "samples", OUT_NUMBER, OUT_BOTH },
	{ "nr_files", "files", OUT_NUMBER, OUT_BOTH },
	{ "mark", "mark", OUT_TEXT, OUT_BOTH },
};

enum { COLUMN_FILES = 13, NR_COLUMNS = ARRAY_SIZE(columns) };

static const struct out_column reason_columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "reason", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "share", NULL, OUT_SHARE, OUT_ONLY_JSON },
	{ "usual", NULL, OUT_SHARE, OUT_ONLY_JSON },
	{ "limit", NULL, OUT_SHARE, OUT_ONLY_JSON },
	{ "text", "why", OUT_TEXT, OUT_BOTH },
};

static const struct out_column totals[] = {
	{ "nr_suspects", "suspects", OUT_NUMBER, OUT_BOTH },
	{ "nr_notices", "notices", OUT_NUMBER, OUT_BOTH },
	{ "since_epoch", "since epoch", OUT_NUMBER, OUT_BOTH },
	{ "compressible_bytes", "compressible then", OUT_BYTES, OUT_BOTH },
	{ "became_random_bytes", "random by now", OUT_BYTES, OUT_BOTH },
};

static const char *const mark_words[] = {
	[MARK_NOTICE] = "notice",
	[MARK_SUSPECT] = "suspect",
};

static const char *const reason_words[NR_REASONS] = {
	[REASON_JUMPED] = "became_random",
	[REASON_READ_FIRST] = "read_first",
	[REASON_FRESH] = "new_random",
	[REASON_ZEROED] = "zeroed",
	[REASON_SLOW] = "slow",
};

static const char *const reason_texts[NR_REASONS] = {
	[REASON_JUMPED] = "of what was written made compressible data random, in place",
	[REASON_READ_FIRST] = "of what was written had been read shortly before",
	[REASON_FRESH] = "of what was written is random and new, as archives and media are",
	[REASON_ZEROED] = "of what was written is zeroes in the place of data",
	[REASON_SLOW] = "of what was compressible once: little alone, but see 'since'",
};

/* An epoch that is read */
struct side {
	const struct epoch *epoch;
	struct look look;
	struct owner_map owners;	/* with --files */
};

/* What differs between two sides */
struct changes {
	struct range *range;
	size_t nr;
};

struct search {
	const char *name;
	struct device_status status;
	struct epochs epochs;
	uint32_t from, to;
	struct suspect *suspects;
	size_t nr;
	bool files;			/* --files */
	const struct epoch *start;	/* before the first one listed */
	struct side start_side;
	uint64_t compressible_sectors;
};

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static bool is_seen(const struct epoch *e)
{
	return !epoch_is(e->state, DR_STATE_DROPPED);
}

static const struct epoch *seen_parent(const struct search *s,
				       const struct epoch *e)
{
	do {
		e = epochs_parent(&s->epochs, e);
	} while (e && !is_seen(e));
	return e;
}

/*
 * Those from --from to --to on the way to the last one, the oldest first,
 * and before them some that show what is usual.
 */
static int choose(struct search *s)
{
	const struct epoch *e = s->to == UINT32_MAX ? epochs_head(&s->epochs) :
				epochs_find(&s->epochs, s->to);
	size_t history = 0, i = s->epochs.nr;

	s->suspects = calloc(s->epochs.nr + 1, sizeof(*s->suspects));
	if (!s->suspects)
		return no_memory();
	if (e && !is_seen(e))
		e = seen_parent(s, e);
	/* From the end, newest last; moved to the front afterwards */
	for (; e && e->id != DR_BASE_EPOCH && history < HISTORY;
	     e = seen_parent(s, e)) {
		s->suspects[--i] = (struct suspect){
			.epoch = e,
			.base = seen_parent(s, e),
			.listed = e->id >= s->from,
			.has_read_first = e->has_read_first,
			.read_first_blocks = e->read_first,
		};
		if (e->id < s->from)
			history++;
		else
			s->start = s->suspects[i].base;
	}
	s->nr = s->epochs.nr - i;
	memmove(s->suspects, s->suspects + i, s->nr * sizeof(*s->suspects));
	if (!s->start)
		return fail(DR_EXIT_OPERATIONAL, s->name,
			    "'dmdelta log' lists the epochs",
			    "nothing to compare from %u to %u", s->from, s->to);
	return DR_EXIT_OK;
}

/* --- sides ----------------------------------------------------------------- */

static int side_open(const struct search *s, const struct epoch *epoch,
		     struct side *side)
{
	memset(side, 0, sizeof(*side));
	side->epoch = epoch;
	return look_open(&side->look, s->name, epoch);
}

static int side_close(struct side *side)
{
	owner_map_free(&side->owners);
	return look_close(&side->look);
}

/* Who owns what in one of two sets of ranges. */
static int side_owners(const struct search *s, struct side *side,
		       const struct changes *a, const struct changes *b)
{
	struct range_list both = { 0 };
	int code = DR_EXIT_OK;
	size_t i;

	if (!s->files)
		return DR_EXIT_OK;
	for (i = 0; i < a->nr; i++)
		range_list_add(&both, a->range[i].start_sectors,
			       a->range[i].len_sectors);
	for (i = 0; i < b->nr; i++)
		range_list_add(&both, b->range[i].start_sectors,
			       b->range[i].len_sectors);
	range_list_join(&both);
	if (both.no_memory)
		code = no_memory();
	else if (both.nr)
		code = owner_map_at(s->name, side->epoch->id, both.range,
				    both.nr, &side->owners);
	range_list_free(&both);
	return code;
}

static int find_changes(const struct search *s, const struct epoch *from,
			const struct epoch *to, struct changes *changes)
{
	changes->range = NULL;
	changes->nr = 0;
	return changes_between(s->name, from->id, to->id, &changes->range,
			       &changes->nr);
}

/* --- samples --------------------------------------------------------------- */

/* A sample, and was it in the free space of a file system? */
struct piece {
	const struct sample *sample;
	bool free;
};

static struct piece piece_of(const struct side *side,
			     const struct sample *sample)
{
	return (struct piece){
		sample, owner_is_free(&side->owners, sample->sector)
	};
}

static bool is_compressible(struct piece x)
{
	return !x.free && !x.sample->zero &&
	       x.sample->bits < ENTROPY_COMPRESSIBLE;
}

static bool has_jumped(struct piece before, const struct sample *after)
{
	return is_compressible(before) && after->bits > ENTROPY_RANDOM;
}

static void take_pair(struct suspect *x, struct piece before,
		      const struct sample *after)
{
	bool was_empty = before.free || before.sample->zero;

	if (!before.sample->read || !after->read)
		return;
	x->nr_samples++;
	x->bits_before += before.sample->bits;
	x->bits_after += after->bits;
	x->nr_jumped += has_jumped(before, after);
	x->nr_fresh += was_empty && after->bits > ENTROPY_RANDOM;
	x->nr_zeroed += !was_empty && after->zero;
}

/* Samples of what differs, on both sides. Return: exit code. */
static int compare(const struct search *s, const struct changes *changes,
		   const struct side *from, const struct side *to,
		   struct sample *before, struct sample *after, size_t *nr)
{
	*nr = samples_pick(changes->range, changes->nr, SUSPECT_SAMPLES,
			   before);
	memcpy(after, before, *nr * sizeof(*before));
	samples_read(from->look.fd, before, *nr);
	samples_read(to->look.fd, after, *nr);
	return cancelled() ? fail_cancelled(s->name) : DR_EXIT_OK;
}

static int measure_since(const struct search *s, struct suspect *x,
			 const struct side *side)
{
	struct sample before[SUSPECT_SAMPLES], after[SUSPECT_SAMPLES];
	struct changes changes;
	size_t nr = 0, i;
	int code = find_changes(s, s->start, x->epoch, &changes);

	if (!code)
		code = compare(s, &changes, &s->start_side, side, before,
			       after, &nr);
	for (i = 0; i < nr; i++) {
		if (!before[i].read || !after[i].read)
			continue;
		x->since_samples++;
		x->since_jumped += has_jumped(piece_of(&s->start_side,
						       &before[i]), &after[i]);
	}
	x->since_sectors = ranges_total(changes.range, changes.nr);
	x->has_since = true;
	free(changes.range);
	return code;
}

static int measure_one(const struct search *s, struct suspect *x,
		       const struct changes *changes, const struct side *base,
		       const struct side *side)
{
	struct sample before[SUSPECT_SAMPLES], after[SUSPECT_SAMPLES];
	size_t nr, i;
	int code;

	code = compare(s, changes, base, side, before, after, &nr);
	for (i = 0; i < nr; i++)
		take_pair(x, piece_of(base, &before[i]), &after[i]);
	x->changed_sectors = ranges_total(changes->range, changes->nr);
	x->has_files = s->files;
	if (!code && s->files &&
	    owner_files_touched(&base->owners, &side->owners, changes->range,
				changes->nr, &x->nr_files))
		code = no_memory();
	return code || !x->listed ? code : measure_since(s, x, side);
}

/* How much of the device was compressible before the first one listed */
static int measure_start(struct search *s)
{
	struct range all = { 0, s->status.sectors };
	struct sample samples[DEVICE_SAMPLES];
	size_t n, i, read = 0, hits = 0;
	int code = side_open(s, s->start, &s->start_side);

	if (!code && s->files)
		code = owner_map_at(s->name, s->start->id, NULL, 0,
				    &s->start_side.owners);
	if (code)
		return code;
	n = samples_pick(&all, 1, DEVICE_SAMPLES, samples);
	samples_read(s->start_side.look.fd, samples, n);
	for (i = 0; i < n; i++) {
		read += samples[i].read;
		hits += samples[i].read &&
			is_compressible(piece_of(&s->start_side, &samples[i]));
	}
	if (read)
		s->compressible_sectors = (double)s->status.sectors * hits /
					  read;
	return DR_EXIT_OK;
}

static void progress(const struct search *s, size_t done)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%zu of %zu epochs%s", done, s->nr,
		done == s->nr ? "\r\033[K" : "");
	fflush(stderr);
}

/* One epoch at a time and the one before it: each is opened once. */
static int measure_all(struct search *s, struct side *base)
{
	struct changes here = { 0 }, next = { 0 };
	struct side side;
	size_t i;
	int code = find_changes(s, base->epoch, s->suspects[0].epoch, &next);
	int ret;

	if (!code)
		code = side_owners(s, base, &here, &next);
	for (i = 0; !code && i < s->nr; i++) {
		struct suspect *x = &s->suspects[i];

		progress(s, i);
		free(here.range);
		here = next;
		next = (struct changes){ 0 };
		if (i + 1 < s->nr)
			code = find_changes(s, x->epoch, x[1].epoch, &next);
		if (code)
			break;
		code = side_open(s, x->epoch, &side);
		if (!code)
			code = side_owners(s, &side, &here, &next);
		if (!code)
			code = measure_one(s, x, &here, base, &side);
		ret = side_close(base);
		*base = side;
		code = code ? code : ret;
	}
	progress(s, s->nr);
	free(here.range);
	free(next.range);
	return code;
}

static int measure(struct search *s)
{
	struct side base;
	int code = measure_start(s), ret;

	if (code)
		return code;
	code = side_open(s, s->suspects[0].base, &base);
	if (!code)
		code = measure_all(s, &base);
	ret = side_close(&base);
	return code ? code : ret;
}

/* --- listing --------------------------------------------------------------- */

static uint64_t permille(double share)
{
	return share * 1000 + 0.5;
}

static struct out_value share_value(const struct suspect *x,
				    enum suspect_reason reason)
{
	double share = 0;
	bool present = suspect_share(x, reason, &share);

	return out_maybe(present, permille(share));
}

static struct out_value mean_value(const struct suspect *x, double sum)
{
	return out_maybe(x->nr_samples, x->nr_samples ?
			 sum / x->nr_samples * 100 + 0.5 : 0);
}

static void put_suspect(const struct search *s, const struct suspect *x)
{
	const struct epoch *e = x->epoch;

	out_row((struct out_value[]){
		out_number(e->id), out_number(x->base->id),
		out_maybe(e->has_time, e->time),
		out_text(e->label[0] ? e->label : NULL),
		out_number((e->nr_blocks * s->status.block_sectors) <<
			   SECTOR_SHIFT),
		share_value(x, REASON_READ_FIRST),
		mean_value(x, x->bits_before), mean_value(x, x->bits_after),
		share_value(x, REASON_JUMPED), share_value(x, REASON_FRESH),
		share_value(x, REASON_ZEROED),
		out_maybe(x->since_samples && s->compressible_sectors,
			  permille(x->since_share)),
		out_number(x->nr_samples), out_maybe(x->has_files, x->nr_files),
		out_text(mark_words[x->mark]) });
}

static void put_reason(const struct suspect *x, enum suspect_reason reason)
{
	const struct suspect_finding *f = &x->finding[reason];
	char text[256];
	int n;

	n = snprintf(text, sizeof(text), "%.1f %% %s", f->share * 100,
		     reason_texts[reason]);
	if (reason != REASON_SLOW && f->deviation > 0)
		snprintf(text + n, sizeof(text) - n,
			 " (usual: %.1f %%, limit: %.1f %%)", f->usual * 100,
			 f->limit * 100);
	out_row((struct out_value[]){
		out_number(x->epoch->id), out_text(reason_words[reason]),
		out_number(permille(f->share)),
		out_maybe(f->deviation > 0, permille(f->usual)),
		out_maybe(reason != REASON_SLOW, permille(f->limit)),
		out_text(text) });
}

static void put_result(const struct search *s)
{
	const struct suspect *x, *end = s->suspects + s->nr;
	struct out_column shown[NR_COLUMNS];
	uint64_t nr[MARK_SUSPECT + 1] = { 0 };
	const struct suspect *last = end - 1;
	int reason;

	memcpy(shown, columns, sizeof(shown));
	if (!s->files)
		shown[COLUMN_FILES].where = OUT_ONLY_JSON;
	out_table("epochs", shown, NR_COLUMNS);
	for (x = s->suspects; x < end; x++) {
		if (!x->listed)
			continue;
		nr[x->mark]++;
		put_suspect(s, x);
	}
	out_table_end();
	out_say("%s", "");
	out_table("reasons", reason_columns, ARRAY_SIZE(reason_columns));
	for (x = s->suspects; x < end; x++)
		for (reason = 0; x->listed && reason < NR_REASONS; reason++)
			if (x->finding[reason].stands_out)
				put_reason(x, reason);
	out_table_end();
	out_say("%s", "");
	out_record(totals, ARRAY_SIZE(totals), (struct out_value[]){
		out_number(nr[MARK_SUSPECT]), out_number(nr[MARK_NOTICE]),
		out_number(s->start->id),
		out_number(s->compressible_sectors << SECTOR_SHIFT),
		out_number((uint64_t)(last->since_share *
				      s->compressible_sectors) <<
			   SECTOR_SHIFT) });
	out_say("\nEvidence from blocks alone, by samples: it shows that data became random,");
	out_say("not who did it or why, and no mark is no proof of health.");
}

/* File systems are read in sealed epochs alone; the head becomes one. */
static int seal_head(struct search *s)
{
	if (!s->files || (s->to != UINT32_MAX && s->to != s->status.head))
		return DR_EXIT_OK;
	return now_epoch(s->name, &s->to);
}

int cmd_suspects(const struct cmd_line *line)
{
	struct search s = {
		.to = UINT32_MAX,
		.files = cli_option(line, "files"),
		.start_side.look.fd = -1,
	};
	int code = device_name(line->argv[0], &s.name), ret;

	if (!code)
		code = device_status(s.name, &s.status);
	if (!code)
		code = epoch_option(s.name, cli_option(line, "from"), &s.from);
	if (!code)
		code = epoch_option(s.name, cli_option(line, "to"), &s.to);
	if (!code)
		code = seal_head(&s);
	if (!code && s.from > s.to)
		code = fail_usage(cli_option(line, "from"),
				  "later than %u, where --to ends", s.to);
	if (!code)
		code = epochs_load(s.name, &s.epochs);
	epochs_count_head(&s.epochs, s.status.head_blocks);
	if (!code)
		code = choose(&s);
	if (!code)
		code = measure(&s);
	ret = side_close(&s.start_side);
	code = code ? code : ret;
	if (!code && suspects_mark(s.suspects, s.nr, s.compressible_sectors))
		code = no_memory();
	if (!code)
		put_result(&s);
	free(s.suspects);
	epochs_free(&s.epochs);
	return code;
}
