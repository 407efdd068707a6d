/* SPDX-License-Identifier: GPL-2.0 */
/*
 * forecast.h - how long the delta device will last at the present rate.
 *
 * Pure arithmetic over what the target tells; how it is meant is in
 * Documentation/deltarec-design.rst, "How long it lasts". What is not known is
 * said to be unknown.
 */
#ifndef DR_FORECAST_H
#define DR_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "epochs.h"
#include "retain.h"

struct forecast_in {
	uint64_t total, used, reserve;	/* in 4 KiB, as the status has them */
	uint64_t unit;			/* 4 KiB in a block of the device */
	uint64_t device;		/* its blocks */
	uint64_t taken;			/* in 4 KiB, since the open, */
	int64_t active;			/* so many seconds ago */
	int64_t now;
	const struct epochs *epochs;	/* with what the head has written */
	const struct dr_policy *policy;
};

struct forecast {
	bool known;		/* the rate is, and all but need and fits */
	double rate;		/* bytes a second, mean of */
	int64_t window;		/* the last so many seconds, */
	bool since_open;	/* which is since the open */
	bool ends;
	uint64_t seconds;	/* until data find no room, without drops */
	bool has_need;		/* the policy drops: */
	uint64_t need;		/* bytes in use when it drops as much as comes */
	bool fits;		/* there is room for that */
};

void forecast_make(const struct forecast_in *in, struct forecast *out);

/* "3 days 4 hours", the two largest units; @buf is returned. */
const char *forecast_duration(uint64_t seconds, char *buf, size_t size);

/* The sentences of 'dmdelta status'; @buf is returned. */
const char *forecast_text(const struct forecast *f, char *buf, size_t size);
const char *forecast_policy_text(const struct forecast *f, uint64_t total,
				 char *buf, size_t size);

#endif
