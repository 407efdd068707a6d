// SPDX-License-Identifier: GPL-2.0
/*
 * watch/state.c - what a device says of itself, asked as cheaply as may be.
 *
 * Marks, policies, merges and reclaim raise the superblock's generation, drops
 * by hand the number of epochs to be reclaimed. While both are as before, only
 * checkpoints, rollbacks and replays can have come, and the list is asked for
 * from the old head on. Both are kept as they were before the list was asked for, and
 * the status that is compared is asked for last: what happens in between is
 * found at the next look, which its event asks for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define MAX_TRIES	8	/* to get a list that nobody changed meanwhile */

/* Return: 0, or -ENXIO: there is no such device */
static int look(const char *name, struct device_status *s)
{
	char type[32] = "", *params = NULL;
	int ret;

	memset(s, 0, sizeof(*s));
	/* The number of the last event first: what comes later is one more. */
	ret = mapper_info(name, &s->info);
	if (!ret)
		ret = mapper_status(name, type, &s->sectors, &params);
	if (!ret && (strcmp(type, DR_TARGET_NAME) ||
		     device_status_parse(params, s)))
		ret = -ENXIO;
	free(params);
	return ret;
}

static size_t nr_heads(const struct epochs *epochs)
{
	size_t i, nr = 0;

	for (i = 0; i < epochs->nr; i++)
		nr += epoch_is(epochs->epochs[i].state, DR_STATE_HEAD);
	return nr;
}

/* Those of @old before @first, and @more. */
static int join(const struct epochs *old, uint32_t first,
		const struct epochs *more, struct epochs *out)
{
	size_t nr = 0;

	while (nr < old->nr && old->epochs[nr].id < first)
		nr++;
	out->epochs = malloc((nr + more->nr + 1) * sizeof(*out->epochs));
	if (!out->epochs)
		return -ENOMEM;
	if (nr)
		memcpy(out->epochs, old->epochs, nr * sizeof(*out->epochs));
	if (more->nr)
		memcpy(out->epochs + nr, more->epochs,
		       more->nr * sizeof(*out->epochs));
	out->nr = nr + more->nr;
	return 0;
}

static int list(const char *name, const struct epochs *old, uint32_t first,
		struct epochs *out)
{
	static const struct epochs none;
	struct epochs more;
	int tries = 0, ret;

	do {
		ret = epochs_load_from(name, first, &more);
		if (ret)
			return ret;
		ret = join(first ? old : &none, first, &more, out);
		epochs_free(&more);
		if (ret || nr_heads(out) == 1 || ++tries == MAX_TRIES)
			return ret;
		epochs_free(out);
	} while (true);
}

/* An open replay's epoch is ahead of the head, and may become something else. */
static uint32_t first_to_ask(const struct device_state *old,
			     const struct device_state *now)
{
	const struct epoch *head;

	if (!old || !old->has_epochs || old->generation != now->generation ||
	    old->reclaim_pending != now->reclaim_pending)
		return DR_BASE_EPOCH;
	head = epochs_head(&old->epochs);
	return head ? head->id : DR_BASE_EPOCH;
}

static void ask(const char *name, const struct device_state *old,
		struct device_state *now)
{
	struct epochs none = { NULL, 0 };
	uint32_t first = first_to_ask(old, now);

	now->has_epochs = !list(name, old ? &old->epochs : &none, first,
				&now->epochs);
	if (first && old->has_policy) {
		now->policy = old->policy;
		now->has_policy = true;
	} else {
		now->has_policy = !policy_read(name, &now->policy);
	}
}

/* What could not be asked is as it was. */
static void keep(const struct device_state *old, struct device_state *now)
{
	static const struct epochs none;

	if (!now->has_epochs && old->has_epochs) {
		now->has_epochs = !join(&old->epochs, UINT32_MAX, &none,
					&now->epochs);
		now->generation = old->generation;
		now->reclaim_pending = old->reclaim_pending;
	}
	if (!now->has_policy && old->has_policy) {
		now->policy = old->policy;
		now->has_policy = true;
	}
}

void state_read(const char *name, const struct device_state *old,
		struct device_state *now)
{
	struct device_status *s = &now->status;
	struct mapper_info info;

	memset(now, 0, sizeof(*now));
	if (look(name, s))
		return;
	now->there = true;
	if (old && (!old->there || events_replaced(old, now)))
		old = NULL;
	info = s->info;
	now->generation = s->generation;
	now->reclaim_pending = s->reclaim_pending;
	if (!s->fail)
		ask(name, old, now);
	/* It may have gone meanwhile; that is an event, too. */
	now->there = !look(name, s);
	s->info = info;
	if (old)
		keep(old, now);
}

void state_free(struct device_state *state)
{
	epochs_free(&state->epochs);
	memset(state, 0, sizeof(*state));
}
