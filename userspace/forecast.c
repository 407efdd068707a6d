// SPDX-License-Identifier: GPL-2.0
/*
 * forecast.c - rates from the records of epochs, and what follows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "forecast.h"
#include "output.h"

#define HOUR		3600
#define DAY		(24 * HOUR)
#define MONTH		(DAY * 30.44)
#define SHORTEST	60	/* less says nothing about a rate */
#define NR_INTERVALS	32	/* checkpoints that tell how often there is one */

/* Blocks that an epoch wrote between two moments */
struct span {
	int64_t from, to;
	uint64_t blocks;
	bool live;
};

/* Epochs in order; those that a replay made wrote nothing new. */
struct walk {
	const struct forecast_in *in;
	size_t next;
	int64_t time;		/* the last one was sealed */
	uint32_t id;		/* its number */
	bool gap;		/* one before this span is not known any more */
};

static bool made_by_replay(const struct epoch *e)
{
	return epoch_is(e->how, DR_HOW_REPLAY) && !e->has_prev;
}

static bool walk_next(struct walk *w, struct span *s)
{
	const struct epochs *epochs = w->in->epochs;
	const struct epoch *e;

	while (w->next < epochs->nr) {
		e = &epochs->epochs[w->next++];
		w->gap = e->id > w->id + 1;
		w->id = e->id;
		if (e->id == DR_BASE_EPOCH)
			w->time = e->time;
		if (e->id == DR_BASE_EPOCH || made_by_replay(e))
			continue;
		s->from = w->time;
		s->to = epoch_is(e->state, DR_STATE_HEAD) ? w->in->now :
							    (int64_t)e->time;
		s->blocks = e->nr_blocks;
		s->live = !epoch_is(e->state, DR_STATE_DROPPED);
		w->time = s->to;
		return true;
	}
	return false;
}

/* What of a span lies after @lo and not after @hi */
static double overlap(const struct span *s, int64_t lo, int64_t hi)
{
	int64_t from = s->from > lo ? s->from : lo;
	int64_t to = s->to < hi ? s->to : hi;

	/* A clock that was put back */
	if (s->to <= s->from)
		return s->to > lo && s->to <= hi ? s->blocks : 0;
	return to <= from ? 0 :
	       (double)s->blocks * (to - from) / (s->to - s->from);
}

static double written(const struct forecast_in *in, int64_t lo, int64_t hi,
		      bool only_live)
{
	struct walk w = { .in = in };
	double sum = 0;
	struct span s;

	while (walk_next(&w, &s))
		if (s.live || !only_live)
			sum += overlap(&s, lo, hi);
	return sum * in->unit;
}

/* For how long back do the records tell all that was written? */
static int64_t coverage(const struct forecast_in *in)
{
	struct walk w = { .in = in };
	int64_t since = in->now;
	bool first = true;
	struct span s;

	while (walk_next(&w, &s)) {
		/* When it began is known from the end of the one before. */
		if (w.gap)
			since = s.to;
		else if (first)
			since = s.from;
		first = false;
	}
	return in->now - since;
}

/*
 * Mean rate of the last @window seconds, in 4 KiB. What was taken since the
 * open is exact; records count what was discarded, too.
 */
static bool mean(const struct forecast_in *in, int64_t window, double *rate,
		 int64_t *span)
{
	int64_t now = in->now, s = coverage(in);
	bool counted = in->active > 0;
	double blocks;

	if (s > window)
		s = window;
	if (counted && in->active <= window && in->active > s)
		s = in->active;
	if (s < SHORTEST)
		return false;
	if (counted && in->active <= s) {
		blocks = in->taken + written(in, now - s, now - in->active,
					     false);
	} else {
		blocks = written(in, now - s, now, false);
		if (counted && blocks > in->taken)
			blocks = in->taken;
	}
	*rate = blocks / s;
	*span = s;
	return true;
}

static void find_rate(const struct forecast_in *in, struct forecast *out)
{
	double hour = 0, day = 0;
	int64_t hour_span, day_span;
	bool has_hour = mean(in, HOUR, &hour, &hour_span);
	bool has_day = mean(in, DAY, &day, &day_span);

	out->known = true;
	if (has_day && (!has_hour || day >= hour)) {
		out->rate = day;
		out->window = day_span;
	} else if (has_hour) {
		out->rate = hour;
		out->window = hour_span;
	} else if (in->active >= SHORTEST) {
		out->rate = (double)in->taken / in->active;
		out->window = in->active;
		out->since_open = true;
	} else {
		out->known = false;
	}
}

/* --- what a policy will need ------------------------------------------------ */

/* Seconds between checkpoints, as the policy or the last ones have it; or 0 */
static double interval(const struct forecast_in *in)
{
	int64_t times[NR_INTERVALS];
	struct walk w = { .in = in };
	size_t nr = 0, first;
	struct span s;

	if (in->policy->every)
		return in->policy->every;
	while (walk_next(&w, &s))
		times[nr++ % NR_INTERVALS] = s.from;
	if (nr < 2)
		return 0;
	first = nr > NR_INTERVALS ? nr - NR_INTERVALS : 0;
	return (double)(times[(nr - 1) % NR_INTERVALS] -
			times[first % NR_INTERVALS]) / (nr - 1 - first);
}

/* Back to @horizon seconds ago an epoch is kept in each @gap seconds. */
struct kept {
	double gap, horizon;
};

static size_t kept_classes(const struct forecast_in *in, struct kept *kept)
{
	static const double lengths[DR_NR_PERIODS] = {
		60, HOUR, DAY, 7 * DAY, MONTH,
	};
	double every = interval(in);
	struct kept k;
	size_t nr = 0, i, at;

	for (i = 0; i <= DR_NR_PERIODS; i++) {
		k.gap = i ? lengths[i - 1] : every;
		k.horizon = k.gap * (i ? in->policy->keep[i - 1] :
				     in->policy->newest);
		if (k.gap < every)
			k.gap = every;
		if (k.horizon <= 0 || k.gap <= 0)
			continue;
		/* Sorted by gap */
		for (at = nr++; at && kept[at - 1].gap > k.gap; at--)
			kept[at] = kept[at - 1];
		kept[at] = k;
	}
	return nr;
}

static void find_need(const struct forecast_in *in, struct forecast *out)
{
	struct kept kept[DR_NR_PERIODS + 1];
	double before = 0, need = 0, recent, most, device;
	size_t nr = kept_classes(in, kept), i;

	device = (double)in->device * in->unit;
	for (i = 0; i < nr; i++) {
		if (kept[i].horizon <= before)
			continue;
		/* Of what is written twice between two of them one stays. */
		most = device / kept[i].gap;
		need += (kept[i].horizon - before) *
			(out->rate < most ? out->rate : most);
		before = kept[i].horizon;
	}
	out->has_need = nr;
	/* And what is older, as much as there is of it now */
	recent = written(in, in->now - (int64_t)before, in->now, true);
	need += in->used > recent ? in->used - recent : 0;
	out->fits = need + in->reserve <= in->total;
	out->need = need * UNIT_BLOCK_BYTES;
}

void forecast_make(const struct forecast_in *in, struct forecast *out)
{
	uint64_t taken = in->used + in->reserve;
	double seconds;

	memset(out, 0, sizeof(*out));
	find_rate(in, out);
	if (!out->known)
		return;
	if (in->policy->drops)
		find_need(in, out);
	if (taken >= in->total || out->rate > 0) {
		seconds = taken >= in->total ? 0 :
			  (in->total - taken) / out->rate;
		out->ends = seconds < (double)(1ULL << 62);
		out->seconds = out->ends ? seconds : 0;
	}
	out->rate *= UNIT_BLOCK_BYTES;
}

/* --- in words ------------------------------------------------------------------ */

const char *forecast_duration(uint64_t seconds, char *buf, size_t size)
{
	static const struct { uint64_t seconds; const char *word; } units[] = {
		{ 365 * DAY, "year" }, { DAY, "day" }, { HOUR, "hour" },
		{ 60, "minute" }, { 1, "second" },
	};
	uint64_t first, second = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(units) - 1; i++)
		if (seconds >= units[i].seconds)
			break;
	first = seconds / units[i].seconds;
	if (i < ARRAY_SIZE(units) - 1)
		second = seconds % units[i].seconds / units[i + 1].seconds;
	if (second)
		snprintf(buf, size, "%" PRIu64 " %s%s %" PRIu64 " %s%s", first,
			 units[i].word, first == 1 ? "" : "s", second,
			 units[i + 1].word, second == 1 ? "" : "s");
	else
		snprintf(buf, size, "%" PRIu64 " %s%s", first, units[i].word,
			 first == 1 ? "" : "s");
	return buf;
}

static const char *window_text(const struct forecast *f, char *buf, size_t size)
{
	char span[64];

	forecast_duration(f->window, span, sizeof(span));
	if (f->window == HOUR)
		snprintf(buf, size, "last hour");
	else if (f->window == DAY)
		snprintf(buf, size, "last 24 hours");
	else
		snprintf(buf, size, f->since_open ? "since the open %s ago" :
			 "last %s", span);
	return buf;
}

const char *forecast_text(const struct forecast *f, char *buf, size_t size)
{
	char when[64], window[96], rate[32];

	window_text(f, window, sizeof(window));
	forecast_duration(f->seconds, when, sizeof(when));
	/* What is not nothing is not shown as such. */
	out_size(f->rate + 0.999, rate, sizeof(rate));
	if (!f->known)
		snprintf(buf, size, "unknown: the records tell of less than a minute");
	else if (!f->ends)
		snprintf(buf, size, "nothing was written (%s)", window);
	else if (!f->seconds)
		snprintf(buf, size, "full");
	else
		snprintf(buf, size, "full in about %s at %s/s (%s)%s", when,
			 rate, window,
			 f->has_need ? ", if nothing were dropped" : "");
	return buf;
}

const char *forecast_policy_text(const struct forecast *f, uint64_t total,
				 char *buf, size_t size)
{
	char need[32], all[32];

	out_size(f->need, need, sizeof(need));
	out_size(total * UNIT_BLOCK_BYTES, all, sizeof(all));
	snprintf(buf, size, "about %s of %s by estimate, %s", need, all,
		 f->fits ? "does not fill at this rate" :
		 "more than there is room for at this rate");
	return buf;
}
