// SPDX-License-Identifier: GPL-2.0
/* Are the limits of discards set through max_hw_discard_sectors? */
#include <linux/blkdev.h>
#include <linux/limits.h>

/* Older kernels have the field too, but derive nothing from it. */
void probe(struct queue_limits *limits);
void probe(struct queue_limits *limits)
{
	limits->max_hw_discard_sectors = 0;
	limits->max_user_discard_sectors = 0;
}
