// SPDX-License-Identifier: GPL-2.0
/*
 * gauge.c - the level of gauge.h.
 */
#include "gauge.h"

const char *const dr_level_words[DR_NR_LEVELS] = {
	[DR_LEVEL_OK] = DR_SPACE_OK,
	[DR_LEVEL_LOW] = DR_SPACE_LOW,
	[DR_LEVEL_CRITICAL] = DR_SPACE_CRITICAL,
	[DR_LEVEL_FULL] = DR_SPACE_FULL,
};

void dr_gauge_set(struct dr_gauge *g, const struct dr_space *sp, u32 low,
		  u32 critical)
{
	u64 few = max_t(u64, sp->nr_blocks / 64, 4 * sp->slot_blocks);

	g->critical = sp->reserve + few;
	g->low = max(2 * sp->reserve, sp->nr_blocks / 16);
	if (critical)
		g->critical = sp->reserve +
			      div_u64(sp->nr_blocks * critical, 100);
	if (low)
		g->low = sp->reserve + div_u64(sp->nr_blocks * low, 100);
	/* Who sets one of them means that one. */
	if (low && !critical)
		g->critical = min(g->critical, g->low);
	else if (!low)
		g->low = max(g->low, g->critical);
}

static enum dr_level level_at(const struct dr_gauge *g, u64 free)
{
	if (free < g->critical)
		return DR_LEVEL_CRITICAL;
	return free < g->low ? DR_LEVEL_LOW : DR_LEVEL_OK;
}

/* How far above a mark space has to rise to have passed it */
static u64 slack(const struct dr_space *sp)
{
	return max_t(u64, sp->nr_blocks / 128, 2 * sp->slot_blocks);
}

bool dr_gauge_look(struct dr_gauge *g, const struct dr_space *sp)
{
	enum dr_level worse = level_at(g, sp->free), better;
	u64 more = slack(sp);

	if (worse > g->level) {
		g->level = worse;
		return true;
	}
	if (g->level == DR_LEVEL_FULL && sp->free < g->full + more)
		return false;
	better = level_at(g, sp->free > more ? sp->free - more : 0);
	if (better < g->level)
		g->level = better;
	return false;
}

bool dr_gauge_refused(struct dr_gauge *g, const struct dr_space *sp)
{
	bool was = g->level == DR_LEVEL_FULL;

	g->full = sp->free;
	g->level = DR_LEVEL_FULL;
	return !was;
}
