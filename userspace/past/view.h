/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view.h - an epoch, or an epoch with rules on top, as a read-only device
 * (the kernel's target deltarec-view).
 */
#ifndef DR_PAST_VIEW_H
#define DR_PAST_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* As in the table line and in recipes */
struct view_rule {
	uint64_t start, sectors;	/* of the device, 512 bytes each */
	uint32_t from, to;
	bool drop_later;
};

#endif
