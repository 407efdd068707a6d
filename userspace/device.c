// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - status of a live device, and what its errors mean.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "device.h"
#include "parse.h"

#define DM_SYSFS	"/sys/class/misc/device-mapper"

int device_name(const char *word, const char **name)
{
	const char *problem = parse_name(word, name);

	return problem ? fail_usage(word, "%s", problem) : DR_EXIT_OK;
}

int device_uuid_parse(const char *known, char *uuid)
{
	static const char prefix[] = DEVICE_UUID_PREFIX;

	if (strncmp(known, prefix, strlen(prefix)) ||
	    strlen(known + strlen(prefix)) != DELTA_UUID_TEXT - 1)
		return -ENOENT;
	strcpy(uuid, known + strlen(prefix));
	return 0;
}

int device_uuid(const char *name, char *uuid)
{
	struct mapper_info info;
	int ret = mapper_info(name, &info);

	if (ret)
		return device_fail(name, "status", ret);
	if (device_uuid_parse(info.uuid, uuid))
		return fail(DR_EXIT_OPERATIONAL, name,
			    "close it and open it with 'dmdelta open'",
			    "the device does not bear the UUID of its delta");
	return DR_EXIT_OK;
}

int device_fail(const char *name, const char *doing, int error)
{
	char remedy[DM_NAME_MAX + 64];

	switch (-error) {
	case ENXIO:
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'dmdelta status' lists the open ones",
			    "no such device");
	case EACCES:
	case EPERM:
		return fail(DR_EXIT_OPERATIONAL, name, "run it as root",
			    "%s: not permitted", doing);
	case EBUSY:
		snprintf(remedy, sizeof(remedy),
			 "see who uses /dev/mapper/%s", name);
		return fail(DR_EXIT_OPERATIONAL, name, remedy, "%s: busy",
			    doing);
	}
	if (geteuid())
		return fail(DR_EXIT_OPERATIONAL, name, "run it as root",
			    "%s: device-mapper cannot be reached", doing);
	if (access(DM_SYSFS, F_OK))
		return fail(DR_EXIT_OPERATIONAL, name, "'modprobe dm-mod'",
			    "%s: this kernel has no device-mapper", doing);
	return fail_errno(name, doing, error);
}

int message_fail(const char *thing, const char *doing, int error)
{
	const char *problem, *remedy = NULL;

	switch (-error) {
	case ENOENT:
		problem = "no such epoch";
		remedy = "'dmdelta log' lists them";
		break;
	case EEXIST:
		problem = "another epoch has this label";
		remedy = "choose another";
		break;
	case EBUSY:
		problem = "in use, or a replay is open";
		remedy = "see 'dmdelta status'; 'dmdelta abort' ends a replay";
		break;
	case EOPNOTSUPP:
		problem = "not in this state of the device";
		remedy = "see 'dmdelta status' and the kernel log";
		break;
	case ENOSPC:
		problem = "the delta device is full";
		remedy = "drop an epoch or enlarge the delta device";
		break;
	case EROFS:
		problem = "the device has become read-only after an error";
		remedy = "see the kernel log, then close and check it";
		break;
	case EIO:
		problem = "I/O error";
		remedy = "see the kernel log";
		break;
	case EINVAL:
		problem = "the target does not accept it";
		remedy = "see the kernel log";
		break;
	default:
		return device_fail(thing, doing, error);
	}
	return fail(DR_EXIT_OPERATIONAL, thing, remedy, "%s: %s", doing,
		    problem);
}

int message_number(const char *name, const char *reply, uint64_t *number)
{
	char word[32] = "";

	if (sscanf(reply, "%31s", word) == 1 && !parse_number(word, number))
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, name,
		    "use the tool that came with the module",
		    "unexpected answer '%s'", reply);
}

/* Fields of the INFO line; each takes its word. */
static bool take_pair(const char *word, uint64_t *a, uint64_t *b)
{
	int end = 0;

	return sscanf(word, "%" SCNu64 "/%" SCNu64 "%n", a, b, &end) == 2 &&
	       !word[end];
}

static bool take_maybe(const char *word, bool *present, uint64_t *number)
{
	*present = strcmp(word, DR_WORD_NONE) != 0;
	return !*present || !parse_number(word, number);
}

static bool take_word(const char *word, char *to, size_t size)
{
	return (size_t)snprintf(to, size, "%s", word) < size;
}

static bool take_replay(const char *word, struct device_status *s)
{
	int end = 0;

	s->replaying = strcmp(word, DR_WORD_NONE) != 0;
	return !s->replaying ||
	       (sscanf(word, "%" SCNu64 ",%" SCNu64 ",%" SCNu64 "/%" SCNu64
		       "%n", &s->replay_epoch, &s->replay_rules,
		       &s->replay_done, &s->replay_queued, &end) == 4 &&
		!word[end]);
}

static bool take_some(const char *word, char *to, size_t size)
{
	return take_word(strcmp(word, DR_WORD_NONE) ? word : "", to, size);
}

/* "-" or "<start>,<session>,<how it begins>,<update>,<answer>" */
static bool take_start(const char *word, struct device_status *s)
{
	char part[5][24] = { "", "", "", "", "" };
	int end = 0;

	if (!strcmp(word, DR_WORD_NONE))
		return true;
	return sscanf(word, "%23[^,],%23[^,],%23[^,],%23[^,],%23[^,]%n", part[0],
		      part[1], part[2], part[3], part[4], &end) == 5 &&
	       !word[end] && !parse_number(part[0], &s->start) &&
	       take_maybe(part[1], &s->in_session, &s->session) &&
	       take_some(part[2], s->begins, sizeof(s->begins)) &&
	       take_some(part[3], s->update, sizeof(s->update)) &&
	       take_some(part[4], s->answer, sizeof(s->answer));
}

/* "-" or "<epoch>,<done>/<total>,<word>" */
static bool take_commit(const char *word, struct device_status *s)
{
	int end = 0;

	if (!strcmp(word, DR_WORD_NONE))
		return true;
	s->committing = true;
	return sscanf(word, "%" SCNu64 ",%" SCNu64 "/%" SCNu64 ",%11[a-z]%n",
		      &s->commit_epoch, &s->commit_done, &s->commit_total,
		      s->commit, &end) == 4 && !word[end];
}

/* "-" or "<dropped>[,<done>/<total>]" */
static bool take_reclaim(const char *word, struct device_status *s)
{
	int first = 0, end = 0;

	s->reclaiming = strcmp(word, DR_WORD_NONE) != 0;
	if (!s->reclaiming)
		return true;
	return sscanf(word, "%" SCNu64 "%n,%" SCNu64 "/%" SCNu64 "%n",
		      &s->reclaim_pending, &first, &s->reclaim_done,
		      &s->reclaim_total, &end) >= 1 &&
	       !word[end ? end : first];
}

/* Newer modules may tell more. */
enum { NR_STATUS_WORDS = 19 };

static const char *parse_words(char *const *w, struct device_status *s)
{
	if (!take_word(w[0], s->mode, sizeof(s->mode)))
		return "mode";
	if (parse_number(w[1], &s->head))
		return "head";
	if (!take_maybe(w[2], &s->has_parent, &s->parent))
		return "parent";
	if (!take_pair(w[3], &s->used, &s->total))
		return "used";
	if (parse_number(w[4], &s->metadata_used))
		return "metadata";
	if (parse_number(w[5], &s->reserve))
		return "reserve";
	if (!take_word(w[6], s->space, sizeof(s->space)))
		return "space";
	if (parse_number(w[7], &s->block_sectors))
		return "block size";
	if (parse_number(w[8], &s->nr_epochs))
		return "epochs";
	if (parse_number(w[9], &s->head_blocks))
		return "blocks of the head";
	if (!take_pair(w[10], &s->journal_used, &s->journal_total))
		return "journal";
	if (parse_number(w[11], &s->unrecorded))
		return "unrecorded";
	if (!take_pair(w[12], &s->cache_used, &s->cache_total))
		return "cache";
	if (!take_reclaim(w[13], s))
		return "reclaim";
	if (!take_replay(w[14], s))
		return "replay";
	if (parse_number(w[15], &s->generation))
		return "generation";
	if (!take_pair(w[16], &s->taken, &s->active_seconds))
		return "taken";
	if (!take_commit(w[17], s))
		return "commit";
	return take_start(w[18], s) ? NULL : "start";
}

const char *device_status_parse(const char *params,
				struct device_status *status)
{
	char *words[NR_STATUS_WORDS] = { NULL }, *copy, *rest, *word;
	const char *wrong = "number of words";
	int nr = 0;

	copy = strdup(params);
	rest = copy;
	if (!copy)
		return "memory";
	while ((word = strsep(&rest, " ")) && nr < NR_STATUS_WORDS)
		if (*word)
			words[nr++] = word;
	if (nr == 1 && !strcmp(words[0], DR_MODE_FAIL)) {
		status->fail = true;
		strcpy(status->mode, DR_MODE_FAIL);
		wrong = NULL;
	} else if (nr == NR_STATUS_WORDS) {
		wrong = parse_words(words, status);
	}
	free(copy);
	return wrong;
}

int device_status_any(const char *name, struct device_status *status)
{
	const char *wrong = NULL;
	char type[32], *params;
	int ret;

	memset(status, 0, sizeof(*status));
	ret = mapper_info(name, &status->info);
	if (!ret)
		ret = mapper_status(name, type, &status->sectors, &params);
	if (ret)
		return device_fail(name, "status", ret);
	if (!type[0])
		ret = fail(DR_EXIT_OPERATIONAL, name,
			   "remove it with 'dmsetup remove'",
			   "the device has no table");
	else if (strcmp(type, DR_TARGET_NAME))
		ret = fail(DR_EXIT_OPERATIONAL, name,
			   "'dmdelta status' lists deltarec devices",
			   "not a " DR_TARGET_NAME " device but '%s'", type);
	else
		wrong = device_status_parse(params, status);
	if (wrong)
		ret = fail(DR_EXIT_OPERATIONAL, name,
			   "use the tool that came with the module",
			   "status '%s' not understood: %s", params, wrong);
	free(params);
	return ret;
}

int device_status(const char *name, struct device_status *status)
{
	int code = device_status_any(name, status);
	char remedy[DM_NAME_MAX + 32];

	if (code)
		return code;
	if (status->info.suspended) {
		snprintf(remedy, sizeof(remedy), "'dmsetup resume %s'", name);
		return fail(DR_EXIT_OPERATIONAL, name, remedy,
			    "the device is suspended");
	}
	if (status->fail)
		return fail(DR_EXIT_OPERATIONAL, name,
			    "see the kernel log, then close and check it",
			    "the device has failed");
	return DR_EXIT_OK;
}
