/* SPDX-License-Identifier: GPL-2.0 */
/*
 * device.h - a live deltarec device: its status, and errors of its messages.
 *
 * Functions that return int return an exit code and have said why when it is
 * not DR_EXIT_OK.
 */
#ifndef DR_DEVICE_H
#define DR_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "dm.h"
#include "names.h"

/* What open puts before the UUID of the delta, for device-mapper */
#define DEVICE_UUID_PREFIX	DR_TARGET_NAME "-"
#define DELTA_UUID_TEXT		37

struct device_status {
	uint64_t sectors;
	struct mapper_info info;
	bool fail;		/* unusable; nothing below is set */
	char mode[16];
	uint64_t head;
	bool has_parent;
	uint64_t parent;
	uint64_t used, total;	/* in 4 KiB, as the next two */
	uint64_t metadata_used;
	uint64_t reserve;
	char space[16];
	uint64_t block_sectors;
	uint64_t nr_epochs;
	uint64_t head_blocks;
	uint64_t journal_used, journal_total;
	uint64_t unrecorded;
	uint64_t cache_used, cache_total;
	bool reclaiming;
	uint64_t reclaim_pending;	/* epochs; a pass is so far, in blocks: */
	uint64_t reclaim_done, reclaim_total;	/* 0: none is under way */
	bool replaying;
	uint64_t replay_epoch, replay_rules, replay_done, replay_queued;
	uint64_t generation;
	uint64_t taken;		/* 4 KiB handed out to data since the open, */
	uint64_t active_seconds;	/* which was so long ago */
	bool committing;	/* to the origin: */
	uint64_t commit_epoch;	/* up to this one; of so many blocks: */
	uint64_t commit_done, commit_total;
	char commit[12];	/* DR_COMMIT_* */
	uint64_t start;		/* where a nonpersistent one begins */
	bool in_session;
	uint64_t session;	/* the epoch it began with */
	char begins[16];	/* how it was opened; the next two likewise: */
	char update[16];	/* words of names.h, "" for none */
	char answer[16];
};

/* parse_name() for a command's first word. */
int device_name(const char *word, const char **name);

/* Status of @name; refuses what is not a usable deltarec device. */
int device_status(const char *name, struct device_status *status);

/* The same, for listing: a failed or suspended device is fine, too. */
int device_status_any(const char *name, struct device_status *status);

/**
 * device_uuid() - which history this is: the UUID of the delta
 * @uuid: DELTA_UUID_TEXT bytes
 *
 * 'dmdelta open' makes the device with it. Return: exit code, has said why.
 */
int device_uuid(const char *name, char *uuid);

/* The same from what device-mapper knows it by; 0 or -ENOENT */
int device_uuid_parse(const char *known, char *uuid);

/*
 * Parse the words of an INFO line. Return: NULL, or the name of the field
 * that is not as it should be.
 */
const char *device_status_parse(const char *params,
				struct device_status *status);

/* Say why device-mapper did not do what we asked of @name. */
int device_fail(const char *name, const char *doing, int error);

/* Say why the target refused a message about @thing. */
int message_fail(const char *thing, const char *doing, int error);

/* A reply that must be one number. */
int message_number(const char *name, const char *reply, uint64_t *number);

#endif
