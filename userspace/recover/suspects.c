// SPDX-License-Identifier: GPL-2.0
/*
 * suspects.c - which epochs of a history stand out.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "suspects.h"

#define MAD_TO_SIGMA	1.4826	/* for what is distributed normally */
#define SLOW_HITS	2	/* samples, for an epoch to have taken part */

/*
 * For each reason: the least share that is worth a word, the same without a
 * history, the least deviation (a history of zeroes has none of its own), and
 * the least number of samples behind it: shares of a handful mean nothing.
 */
static const struct rule {
	double floor, floor_alone, least_deviation;
	size_t least_hits;
	enum suspect_mark mark;
} rules[NR_REASONS] = {
	[REASON_JUMPED] = { 0.10, 0.25, 0.02, 8, MARK_SUSPECT },
	[REASON_READ_FIRST] = { 0.30, 0.60, 0.05, 16, MARK_NOTICE },
	[REASON_FRESH] = { 0.30, 0.60, 0.05, 16, MARK_NOTICE },
	[REASON_ZEROED] = { 0.30, 0.60, 0.05, 16, MARK_NOTICE },
};

static size_t hits_of(const struct suspect *s, enum suspect_reason reason)
{
	switch (reason) {
	case REASON_JUMPED:
		return s->nr_jumped;
	case REASON_FRESH:
		return s->nr_fresh;
	case REASON_ZEROED:
		return s->nr_zeroed;
	case REASON_READ_FIRST:
		return s->has_read_first ? s->read_first_blocks : 0;
	default:
		return 0;
	}
}

bool suspect_share(const struct suspect *s, enum suspect_reason reason,
		   double *share)
{
	uint64_t of = reason == REASON_READ_FIRST ?
		      (s->has_read_first ? s->epoch->nr_blocks : 0) :
		      s->nr_samples;

	if (!of || reason == REASON_SLOW)
		return false;
	*share = (double)hits_of(s, reason) / of;
	return true;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts @values. */
static double median(double *values, size_t nr)
{
	qsort(values, nr, sizeof(*values), by_value);
	return nr % 2 ? values[nr / 2] :
	       (values[nr / 2 - 1] + values[nr / 2]) / 2;
}

/* What is usual elsewhere: all but @self. Return: how many others. */
static size_t usual_of(const struct suspect *suspects, size_t nr, size_t self,
		       enum suspect_reason reason, double *values,
		       struct suspect_finding *finding)
{
	size_t n = 0, i;

	for (i = 0; i < nr; i++)
		if (i != self && suspect_share(&suspects[i], reason, &values[n]))
			n++;
	if (n < SUSPECT_MIN_HISTORY)
		return n;
	finding->usual = median(values, n);
	for (i = 0; i < n; i++)
		values[i] = fabs(values[i] - finding->usual);
	finding->deviation = fmax(MAD_TO_SIGMA * median(values, n),
				  rules[reason].least_deviation);
	return n;
}

static void judge(struct suspect *suspects, size_t nr, size_t i,
		  enum suspect_reason reason, double *values)
{
	struct suspect *s = &suspects[i];
	struct suspect_finding *finding = &s->finding[reason];
	const struct rule *rule = &rules[reason];

	*finding = (struct suspect_finding){ 0 };
	if (!suspect_share(s, reason, &finding->share))
		return;
	if (usual_of(suspects, nr, i, reason, values, finding) <
	    SUSPECT_MIN_HISTORY)
		finding->limit = rule->floor_alone;
	else
		finding->limit = fmax(rule->floor, finding->usual +
				SUSPECT_DEVIATIONS * finding->deviation);
	finding->stands_out = finding->share > finding->limit &&
			      hits_of(s, reason) >= rule->least_hits;
	if (finding->stands_out && rule->mark > s->mark)
		s->mark = rule->mark;
}

/* Sectors that went from compressible to random, by the samples */
static double jumped_sectors(const struct suspect *s)
{
	return s->nr_samples ? (double)s->changed_sectors * s->nr_jumped /
			       s->nr_samples : 0;
}

static void add_up(struct suspect *suspects, size_t nr, uint64_t compressible)
{
	struct suspect *s;

	for (s = suspects; s < suspects + nr; s++) {
		s->since_share = 0;
		if (!s->has_since || !s->since_samples || !compressible)
			continue;
		s->since_share = (double)s->since_sectors * s->since_jumped /
				 s->since_samples / compressible;
		/* Both are estimates. */
		if (s->since_share > 1)
			s->since_share = 1;
	}
}

static void mark_slow(struct suspect *suspects, size_t nr,
		      uint64_t compressible)
{
	const struct suspect *last = NULL;
	struct suspect *s;
	double found = 0;

	for (s = suspects; s < suspects + nr; s++) {
		if (s->has_since)
			last = s;
		if (s->listed && s->mark == MARK_SUSPECT)
			found += jumped_sectors(s);
	}
	if (!last || last->since_share < SUSPECT_SLOW_SHARE ||
	    found > last->since_share * compressible / 2)
		return;
	for (s = suspects; s < suspects + nr; s++) {
		if (!s->listed || s->nr_jumped < SLOW_HITS)
			continue;
		s->finding[REASON_SLOW].stands_out = true;
		s->finding[REASON_SLOW].share = jumped_sectors(s) /
						compressible;
		if (s->mark < MARK_NOTICE)
			s->mark = MARK_NOTICE;
	}
}

int suspects_mark(struct suspect *suspects, size_t nr,
		  uint64_t compressible_sectors)
{
	double *values = calloc(nr + 1, sizeof(*values));
	enum suspect_reason reason;
	size_t i;

	if (!values)
		return -ENOMEM;
	for (i = 0; i < nr; i++) {
		suspects[i].mark = MARK_NONE;
		suspects[i].finding[REASON_SLOW] =
			(struct suspect_finding){ 0 };
		for (reason = 0; reason < REASON_SLOW; reason++)
			judge(suspects, nr, i, reason, values);
	}
	free(values);
	add_up(suspects, nr, compressible_sectors);
	mark_slow(suspects, nr, compressible_sectors);
	return 0;
}
