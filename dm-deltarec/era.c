// SPDX-License-Identifier: GPL-2.0
/*
 * era.c - see era.h.
 */
#include <linux/errno.h>

#include "era.h"

int deltarec_era_init(struct deltarec_era *era)
{
	era->seq = 0;
	era->draining = false;
	init_waitqueue_head(&era->wait);
	mutex_init(&era->flip);
	era->count = alloc_percpu(struct deltarec_era_count);
	return era->count ? 0 : -ENOMEM;
}

void deltarec_era_exit(struct deltarec_era *era)
{
	free_percpu(era->count);
	era->count = NULL;
}

/*
 * Ends first: an end that is counted has its start counted too, so the sums
 * can only be equal when nobody was inside at some moment in between.
 */
static bool era_empty(struct deltarec_era *era, int i)
{
	unsigned long started = 0, ended = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		ended += READ_ONCE(per_cpu_ptr(era->count, cpu)->end[i]);
	/* Pairs with the barriers of enter and leave. */
	smp_mb();
	for_each_possible_cpu(cpu)
		started += READ_ONCE(per_cpu_ptr(era->count, cpu)->start[i]);
	return started == ended;
}

unsigned long deltarec_era_entered(const struct deltarec_era *era)
{
	unsigned long n = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		const struct deltarec_era_count *c = per_cpu_ptr(era->count, cpu);

		n += READ_ONCE(c->start[0]) + READ_ONCE(c->start[1]);
	}
	return n;
}

void deltarec_era_drain(struct deltarec_era *era)
{
	int old;

	mutex_lock(&era->flip);
	old = era->seq & 1;
	WRITE_ONCE(era->draining, true);
	/* What was published before is seen by all of the new era. */
	smp_store_release(&era->seq, era->seq + 1);
	/* Pairs with deltarec_era_enter(). */
	smp_mb();
	while (!wait_event_timeout(era->wait, era_empty(era, old), 2))
		;
	WRITE_ONCE(era->draining, false);
	mutex_unlock(&era->flip);
}
