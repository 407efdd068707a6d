/* SPDX-License-Identifier: GPL-2.0 */
/*
 * watch/events.h - what happens to a device, from how it was and how it is.
 *
 * device-mapper says that something happened, not what. So two states are
 * compared, and what differs has happened in between.
 */
#ifndef DR_EVENTS_H
#define DR_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"
#include "epochs.h"
#include "output.h"
#include "policy.h"

/* The names and what they tell are in the table in events.c. */
enum event_kind {
	EVENT_PRESENT,
	EVENT_OPENED,
	EVENT_CLOSED,
	EVENT_MODE,
	EVENT_SPACE,
	EVENT_EXTENDED,
	EVENT_CHECKPOINT,
	EVENT_ROLLBACK,
	EVENT_REPLAY_BEGUN,
	EVENT_REPLAY_COMPUTED,
	EVENT_REPLAYED,
	EVENT_REPLAY_ABORTED,
	EVENT_MARKED,
	EVENT_POLICY,
	EVENT_DROPPED,
	EVENT_RECLAIMED,
	EVENT_COMMIT_BEGUN,
	EVENT_COMMIT_STATE,
	EVENT_COMMITTED,
	EVENT_BEGINS,
	NR_EVENTS
};

enum event_key {
	KEY_NONE,		/* ends a list */
	KEY_EPOCH,
	KEY_LABEL,
	KEY_FROZEN,
	KEY_FROM,
	KEY_TO,
	KEY_HEAD,
	KEY_MARKS,
	KEY_MODE,
	KEY_SPACE,
	KEY_POLICY,
	KEY_STATE,
	KEY_WAS,		/* of what has the name of the event */
	KEY_USED,
	KEY_TOTAL,
	KEY_RESERVE,
	KEY_WAS_TOTAL,
	KEY_START,
	KEY_SESSION,
	KEY_UPDATE,
	KEY_ANSWER,
	NR_KEYS
};

#define EVENT_MAX_KEYS	6

struct event_info {
	const char *name;
	const char *help;
	enum event_key keys[EVENT_MAX_KEYS];
};

extern const struct event_info event_infos[NR_EVENTS];
extern const struct out_column event_keys[NR_KEYS];

/* Values in the order of event_infos[kind].keys; text lives as the states do. */
struct event {
	enum event_kind kind;
	struct out_value values[EVENT_MAX_KEYS];
};

/* By name; NR_EVENTS: none */
enum event_kind event_find(const char *name);
size_t event_nr_keys(enum event_kind kind);

struct device_state {
	bool there;		/* else nothing below is set */
	struct device_status status;
	bool has_epochs;
	struct epochs epochs;
	bool has_policy;
	struct policy_text policy;
	/* As they were before the epochs were listed, for state.c: */
	uint64_t generation;
	uint64_t reclaim_pending;
};

/**
 * events_diff() - call @each for all that happened
 * @old: as it was, or NULL: the device was not looked at before
 *
 * A pure function. The order tells nothing about the order in time, but that
 * a device is opened first and closed last, and that epochs come as they were
 * made.
 */
void events_diff(const struct device_state *old,
		 const struct device_state *now,
		 void (*each)(const struct event *event, void *arg), void *arg);

/* Is it another device than it was, of the same name? */
bool events_replaced(const struct device_state *old,
		     const struct device_state *now);

#endif
