// SPDX-License-Identifier: GPL-2.0
/*
 * features.c - the optional arguments of the table.
 */
#include <linux/kernel.h>

#include "deltarec.h"

#define MAX_ARGS	12u

static int parse_cache(struct dm_target *ti, struct dm_arg_set *as,
		       struct deltarec_features *f)
{
	static const struct dm_arg arg = {
		DR_CACHE_MB_MIN, DR_CACHE_MB_MAX,
		"cache_mb needs a number of MiB from 4 to 16384",
	};

	if (f->cache_given) {
		ti->error = "Give cache_mb once";
		return -EINVAL;
	}
	f->cache_given = true;
	return dm_read_arg(&arg, as, &f->cache_mb, &ti->error);
}

static const char *const full_words[] = {
	[DELTAREC_FULL_ERROR] = DR_FEAT_ERROR_IF_FULL,
	[DELTAREC_FULL_QUEUE] = DR_FEAT_QUEUE_IF_FULL,
	[DELTAREC_FULL_RECLAIM] = DR_FEAT_RECLAIM_IF_FULL,
};

static bool is_full_word(const char *word, enum deltarec_when_full *w)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(full_words); i++) {
		*w = i;
		if (!strcasecmp(word, full_words[i]))
			return true;
	}
	return false;
}

static int parse_full(struct dm_target *ti, struct deltarec_features *f,
		      enum deltarec_when_full w)
{
	if (f->full_given) {
		ti->error = "Give only one of error_if_full, queue_if_full and reclaim_if_full";
		return -EINVAL;
	}
	f->full_given = true;
	f->when_full = w;
	return 0;
}

static int parse_seconds(struct dm_target *ti, struct dm_arg_set *as,
			 struct deltarec_features *f)
{
	static const struct dm_arg arg = {
		1, DR_QUEUE_SECONDS_MAX,
		"queue_seconds needs a number of seconds from 1 to 86400",
	};

	if (f->queue_seconds) {
		ti->error = "Give queue_seconds once";
		return -EINVAL;
	}
	return dm_read_arg(&arg, as, &f->queue_seconds, &ti->error);
}

static int parse_start(struct dm_target *ti, struct deltarec_features *f,
		       enum dr_start_mode mode)
{
	if (f->start_mode != DR_START_ORDINARY) {
		ti->error = "Give only one of nonpersistent and undoable, once";
		return -EINVAL;
	}
	f->start_mode = mode;
	return 0;
}

static int parse_nonpersistent(struct dm_target *ti, struct dm_arg_set *as,
			       struct deltarec_features *f)
{
	const char *word = as->argc ? dm_shift_arg(as) : "";

	if (!strcasecmp(word, DR_WORD_KEEP))
		return parse_start(ti, f, DR_START_KEEP);
	if (!strcasecmp(word, DR_WORD_DISCARD))
		return parse_start(ti, f, DR_START_DISCARD);
	ti->error = "nonpersistent needs keep or discard";
	return -EINVAL;
}

static int parse_flag(struct dm_target *ti, bool *flag, char *again)
{
	if (*flag) {
		ti->error = again;
		return -EINVAL;
	}
	*flag = true;
	return 0;
}

static int parse_one(struct dm_target *ti, struct dm_arg_set *as,
		     struct deltarec_features *f)
{
	const char *word = dm_shift_arg(as);
	enum deltarec_when_full w;

	if (is_full_word(word, &w))
		return parse_full(ti, f, w);
	if (!strcasecmp(word, DR_FEAT_CACHE_MB))
		return parse_cache(ti, as, f);
	if (!strcasecmp(word, DR_FEAT_QUEUE_SECONDS))
		return parse_seconds(ti, as, f);
	if (!strcasecmp(word, DR_FEAT_DISCARD_PASSDOWN))
		return parse_flag(ti, &f->discard_passdown,
				  "Give discard_passdown once");
	if (!strcasecmp(word, DR_FEAT_TRACK_READS))
		return parse_flag(ti, &f->track_reads, "Give track_reads once");
	if (!strcasecmp(word, DR_FEAT_NONPERSISTENT))
		return parse_nonpersistent(ti, as, f);
	if (!strcasecmp(word, DR_FEAT_UNDOABLE))
		return parse_start(ti, f, DR_START_UNDOABLE);
	ti->error = "Unknown feature argument";
	return -EINVAL;
}

int deltarec_parse_features(struct dm_target *ti, struct dm_arg_set *as,
			    struct deltarec_features *f)
{
	static const struct dm_arg count = {
		0, MAX_ARGS, "Invalid number of feature arguments",
	};
	unsigned int left;
	int r;

	*f = (struct deltarec_features){ .cache_mb = DR_CACHE_MB_DEFAULT };
	if (!as->argc)
		return 0;
	r = dm_read_arg_group(&count, as, &left, &ti->error);
	if (r)
		return r;
	if (as->argc != left) {
		ti->error = "The number of feature arguments does not match";
		return -EINVAL;
	}
	while (!r && as->argc)
		r = parse_one(ti, as, f);
	if (!r && f->queue_seconds && f->when_full != DELTAREC_FULL_QUEUE) {
		ti->error = "queue_seconds needs queue_if_full";
		r = -EINVAL;
	}
	return r;
}

const char *deltarec_start_word(unsigned int mode)
{
	switch (mode) {
	case DR_START_KEEP:
		return DR_WORD_KEEP;
	case DR_START_DISCARD:
		return DR_WORD_DISCARD;
	case DR_START_UNDOABLE:
		return DR_FEAT_UNDOABLE;
	default:
		return DR_WORD_NONE;
	}
}

unsigned int deltarec_print_features(const struct deltarec_features *f,
				     char *buf, unsigned int size)
{
	unsigned int nr = 0, n;

	if (f->cache_mb != DR_CACHE_MB_DEFAULT)
		nr += 2;
	if (f->queue_seconds)
		nr += 2;
	nr += f->full_given + f->discard_passdown + f->track_reads;
	if (f->start_mode == DR_START_UNDOABLE)
		nr++;
	else if (f->start_mode != DR_START_ORDINARY)
		nr += 2;
	n = scnprintf(buf, size, "%u", nr);
	if (f->cache_mb != DR_CACHE_MB_DEFAULT)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_CACHE_MB " %u",
			       f->cache_mb);
	if (f->full_given)
		n += scnprintf(buf + n, size - n, " %s",
			       full_words[f->when_full]);
	if (f->queue_seconds)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_QUEUE_SECONDS
			       " %u", f->queue_seconds);
	if (f->discard_passdown)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_DISCARD_PASSDOWN);
	if (f->track_reads)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_TRACK_READS);
	if (f->start_mode == DR_START_KEEP ||
	    f->start_mode == DR_START_DISCARD)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_NONPERSISTENT);
	if (f->start_mode != DR_START_ORDINARY)
		n += scnprintf(buf + n, size - n, " %s",
			       deltarec_start_word(f->start_mode));
	return n;
}
