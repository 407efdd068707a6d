/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gauge.h - how much space is left, as events and status tell it.
 *
 * One level, changed in one place (S8). It gets worse as soon as a mark is
 * passed or something finds no room, and better only when a bit more than that
 * is free again: what a commit takes and gives back at a mark makes no noise.
 */
#ifndef DR_GAUGE_H
#define DR_GAUGE_H

#include "space.h"

enum dr_level {
	DR_LEVEL_OK,
	DR_LEVEL_LOW,
	DR_LEVEL_CRITICAL,
	DR_LEVEL_FULL,		/* something found no room */
	DR_NR_LEVELS
};

struct dr_gauge {
	u64 low;		/* marks: free blocks, below which it is that */
	u64 critical;
	u64 full;		/* free when nothing was found */
	enum dr_level level;
};

extern const char *const dr_level_words[DR_NR_LEVELS];

/*
 * Set the marks: percent of the device that is free beside the reserve, which
 * data cannot have; 0: what suits most. Then look.
 */
void dr_gauge_set(struct dr_gauge *g, const struct dr_space *sp, u32 low,
		  u32 critical);
/* Free space has changed. Return: has the level got worse? */
bool dr_gauge_look(struct dr_gauge *g, const struct dr_space *sp);
/* Something found no room. Return: as before. */
bool dr_gauge_refused(struct dr_gauge *g, const struct dr_space *sp);

#endif
