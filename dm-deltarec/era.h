/* SPDX-License-Identifier: GPL-2.0 */
/*
 * era.h - how many bios are in flight, in two eras.
 *
 * A bio that reads or writes slots counts from before its lookup until it
 * ends. deltarec_era_drain() starts a new era and waits for all of the old
 * one: afterwards nobody uses a snapshot, or a slot found through one, that
 * was replaced before (A1). Starts and ends are counted apart, on each
 * processor, as SRCU does, since a bio may end on another one than it began
 * on.
 *
 * A bio must not wait for anything that waits for a drain while it counts:
 * who parks leaves first, and enters again when woken (A2).
 */
#ifndef DELTAREC_ERA_H
#define DELTAREC_ERA_H

#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/wait.h>

struct deltarec_era_count {
	unsigned long start[2];
	unsigned long end[2];
};

struct deltarec_era {
	unsigned int seq;	/* the current era is seq & 1 */
	bool draining;
	struct deltarec_era_count __percpu *count;
	wait_queue_head_t wait;
	struct mutex flip;	/* one drain at a time */
};

int deltarec_era_init(struct deltarec_era *era);
void deltarec_era_exit(struct deltarec_era *era);

/* Context: any. @i is what deltarec_era_enter() returned. */
static inline void deltarec_era_leave(struct deltarec_era *era, int i)
{
	/* All that the bio did comes before (pairs with era_empty()). */
	smp_mb();
	this_cpu_inc(era->count->end[i]);
	/*
	 * Without a barrier the flag may be seen late; the drain looks again
	 * by itself after a tick, which is cheaper than one here.
	 */
	if (unlikely(READ_ONCE(era->draining)))
		wake_up(&era->wait);
}

/* Context: any. Return: the era, for deltarec_era_leave(). */
static inline int deltarec_era_enter(struct deltarec_era *era)
{
	unsigned int seq;

	for (;;) {
		seq = READ_ONCE(era->seq);
		this_cpu_inc(era->count->start[seq & 1]);
		/* Either the drain sees the count or we see its new era. */
		smp_mb();
		if (likely(READ_ONCE(era->seq) == seq))
			return seq & 1;
		deltarec_era_leave(era, seq & 1);
	}
}

/* Bios that ever entered; may wrap around. Context: any. */
unsigned long deltarec_era_entered(const struct deltarec_era *era);

/* Start a new era and wait until the old one is empty. May sleep. */
void deltarec_era_drain(struct deltarec_era *era);

#endif
