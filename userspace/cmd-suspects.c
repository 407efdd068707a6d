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
	{ "mark", "mark", OUT_TEXT, OUT_BOTH },
};

enum { NR_COLUMNS = ARRAY_SIZE(columns) };

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

struct search {
	const char *name;
	struct device_status status;
	struct epochs epochs;
	uint32_t from, to;
	struct suspect *suspects;
	size_t nr;
	const struct epoch *start;	/* before the first one listed */
	struct look start_look;
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

/* --- samples --------------------------------------------------------------- */

static bool is_compressible(const struct sample *x)
{
	return !x->zero && x->bits < ENTROPY_COMPRESSIBLE;
}

static bool has_jumped(const struct sample *before, const struct sample *after)
{
	return is_compressible(before) && after->bits > ENTROPY_RANDOM;
}

static void take_pair(struct suspect *x, const struct sample *before,
		      const struct sample *after)
{
	if (!before->read || !after->read)
		return;
	x->nr_samples++;
	x->bits_before += before->bits;
	x->bits_after += after->bits;
	x->nr_jumped += has_jumped(before, after);
	x->nr_fresh += before->zero && after->bits > ENTROPY_RANDOM;
	x->nr_zeroed += !before->zero && after->zero;
}

/* What differs, sampled on both sides. Return: exit code. */
static int compare(const struct search *s, const struct epoch *from,
		   const struct look *from_look, const struct look *to_look,
		   const struct epoch *to, struct sample *before,
		   struct sample *after, size_t *nr, uint64_t *sectors)
{
	struct range *ranges = NULL;
	size_t nr_ranges = 0, i;
	int code = changes_between(s->name, from->id, to->id, &ranges,
				   &nr_ranges);

	*nr = 0;
	*sectors = 0;
	if (code)
		return code;
	for (i = 0; i < nr_ranges; i++)
		*sectors += ranges[i].len_sectors;
	*nr = samples_pick(ranges, nr_ranges, SUSPECT_SAMPLES, before);
	memcpy(after, before, *nr * sizeof(*before));
	samples_read(from_look->fd, before, *nr);
	samples_read(to_look->fd, after, *nr);
	free(ranges);
	return cancelled() ? fail_cancelled(s->name) : DR_EXIT_OK;
}

static int measure_one(struct search *s, struct suspect *x,
		       const struct look *base, const struct look *look)
{
	struct sample before[SUSPECT_SAMPLES], after[SUSPECT_SAMPLES];
	size_t nr, i;
	int code;

	code = compare(s, x->base, base, look, x->epoch, before, after, &nr,
		       &x->changed_sectors);
	for (i = 0; i < nr; i++)
		take_pair(x, &before[i], &after[i]);
	if (code || !x->listed)
		return code;
	code = compare(s, s->start, &s->start_look, look, x->epoch, before,
		       after, &nr, &x->since_sectors);
	for (i = 0; i < nr; i++) {
		if (!before[i].read || !after[i].read)
			continue;
		x->since_samples++;
		x->since_jumped += has_jumped(&before[i], &after[i]);
	}
	x->has_since = true;
	return code;
}

/* How much of the device was compressible before the first one listed */
static int measure_start(struct search *s)
{
	struct range all = { 0, s->status.sectors };
	struct sample samples[DEVICE_SAMPLES];
	size_t n, i, read = 0, hits = 0;
	int code = look_open(&s->start_look, s->name, s->start);

	if (code)
		return code;
	n = samples_pick(&all, 1, DEVICE_SAMPLES, samples);
	samples_read(s->start_look.fd, samples, n);
	for (i = 0; i < n; i++) {
		read += samples[i].read;
		hits += samples[i].read && is_compressible(&samples[i]);
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

/* One view at a time and the one before it: each is opened once. */
static int measure(struct search *s)
{
	struct look base, look;
	int code, ret;
	size_t i;

	code = measure_start(s);
	if (!code)
		code = look_open(&base, s->name, s->suspects[0].base);
	if (code)
		return code;
	for (i = 0; !code && i < s->nr; i++) {
		progress(s, i);
		code = look_open(&look, s->name, s->suspects[i].epoch);
		if (!code)
			code = measure_one(s, &s->suspects[i], &base, &look);
		ret = look_close(&base);
		base = look;
		code = code ? code : ret;
	}
	progress(s, s->nr);
	ret = look_close(&base);
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
		out_number(x->nr_samples), out_text(mark_words[x->mark]) });
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
	uint64_t nr[MARK_SUSPECT + 1] = { 0 };
	const struct suspect *last = end - 1;
	int reason;

	out_table("epochs", columns, NR_COLUMNS);
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

int cmd_suspects(const struct cmd_line *line)
{
	struct search s = { .to = UINT32_MAX, .start_look.fd = -1 };
	int code = device_name(line->argv[0], &s.name), ret;

	if (!code)
		code = device_status(s.name, &s.status);
	if (!code)
		code = epoch_option(s.name, cli_option(line, "from"), &s.from);
	if (!code)
		code = epoch_option(s.name, cli_option(line, "to"), &s.to);
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
	ret = look_close(&s.start_look);
	code = code ? code : ret;
	if (!code && suspects_mark(s.suspects, s.nr, s.compressible_sectors))
		code = no_memory();
	if (!code)
		put_result(&s);
	free(s.suspects);
	epochs_free(&s.epochs);
	return code;
}
