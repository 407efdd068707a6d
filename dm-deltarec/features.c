// SPDX-License-Identifier: GPL-2.0
/*
 * features.c - the optional arguments of the table.
 */
#include <linux/kernel.h>

#include "deltarec.h"

#define MAX_ARGS	8u

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

static int parse_full(struct dm_target *ti, struct deltarec_features *f,
		      bool queue)
{
	if (f->full_given) {
		ti->error = "Give only one of error_if_full and queue_if_full";
		return -EINVAL;
	}
	f->full_given = true;
	f->queue_if_full = queue;
	return 0;
}

int deltarec_parse_features(struct dm_target *ti, struct dm_arg_set *as,
			    struct deltarec_features *f)
{
	static const struct dm_arg count = {
		0, MAX_ARGS, "Invalid number of feature arguments",
	};
	unsigned int left;
	const char *word;
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
	while (!r && as->argc) {
		word = dm_shift_arg(as);
		if (!strcasecmp(word, DR_FEAT_CACHE_MB)) {
			r = parse_cache(ti, as, f);
		} else if (!strcasecmp(word, DR_FEAT_ERROR_IF_FULL)) {
			r = parse_full(ti, f, false);
		} else if (!strcasecmp(word, DR_FEAT_QUEUE_IF_FULL)) {
			r = parse_full(ti, f, true);
		} else if (!strcasecmp(word, DR_FEAT_DISCARD_PASSDOWN)) {
			if (f->discard_passdown) {
				ti->error = "Give discard_passdown once";
				r = -EINVAL;
			}
			f->discard_passdown = true;
		} else if (!strcasecmp(word, DR_FEAT_TRACK_READS)) {
			if (f->track_reads) {
				ti->error = "Give track_reads once";
				r = -EINVAL;
			}
			f->track_reads = true;
		} else {
			ti->error = "Unknown feature argument";
			r = -EINVAL;
		}
	}
	return r;
}

unsigned int deltarec_print_features(const struct deltarec_features *f,
				     char *buf, unsigned int size)
{
	unsigned int nr = 0, n;

	if (f->cache_mb != DR_CACHE_MB_DEFAULT)
		nr += 2;
	nr += f->full_given + f->discard_passdown + f->track_reads;
	n = scnprintf(buf, size, "%u", nr);
	if (f->cache_mb != DR_CACHE_MB_DEFAULT)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_CACHE_MB " %u",
			       f->cache_mb);
	if (f->full_given)
		n += scnprintf(buf + n, size - n, " %s", f->queue_if_full ?
			       DR_FEAT_QUEUE_IF_FULL : DR_FEAT_ERROR_IF_FULL);
	if (f->discard_passdown)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_DISCARD_PASSDOWN);
	if (f->track_reads)
		n += scnprintf(buf + n, size - n, " " DR_FEAT_TRACK_READS);
	return n;
}
