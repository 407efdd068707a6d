/* SPDX-License-Identifier: GPL-2.0 */
/*
 * watch/state.h - look at a device, for events.h.
 */
#ifndef DR_STATE_H
#define DR_STATE_H

#include "events.h"

/**
 * state_read() - look at a device
 * @old: as it was when it was looked at last, or NULL
 * @now: to be freed with state_free() in every case
 *
 * A device that is not there, or no deltarec device, is not ->there. What
 * cannot be asked stays as it was; says nothing.
 */
void state_read(const char *name, const struct device_state *old,
		struct device_state *now);
void state_free(struct device_state *state);

#endif
