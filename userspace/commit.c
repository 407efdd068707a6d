// SPDX-License-Identifier: GPL-2.0
/*
 * commit.c - see commit.h. The target does the work (dm-deltarec/commit.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "commit.h"
#include "device.h"
#include "output.h"
#include "past/view.h"
#include "use.h"

#define POLL_USECS	200000u
#define POLLS_STUCK	50		/* waiting all that while: ten seconds */

/* --- who else has the origin ---------------------------------------------------- */

static const char *our_name;

static bool is_ours(const char *name)
{
	struct view_info info;
	char uuid[DELTA_UUID_TEXT];

	if (!strcmp(name, our_name))
		return true;
	view_device_uuid(our_name, uuid, sizeof(uuid));
	return uuid[0] && !view_info(name, &info) &&
	       !strcmp(info.device_uuid, uuid);
}

static int take_origin(uint64_t start, uint64_t sectors, const char *type,
		       const char *params, void *arg)
{
	unsigned int major, minor;
	dev_t *devno = arg;

	(void)start;
	(void)sectors;
	(void)type;
	if (sscanf(params, "%u:%u", &major, &minor) == 2)
		*devno = makedev(major, minor);
	return 1;
}

int commit_check_origin(const char *name)
{
	dev_t devno = 0;
	char *users;

	mapper_table(name, take_origin, &devno);
	our_name = name;
	if (!devno || use_held_by(devno, is_ours))
		return DR_EXIT_OK;
	users = use_describe(devno);
	fail(DR_EXIT_OPERATIONAL, name,
	     "close what else uses the origin: it would change below it",
	     "its origin is not its own: %s", users ? users : "in use");
	free(users);
	return DR_EXIT_OPERATIONAL;
}

/* --- beginning -------------------------------------------------------------------- */

/* What the target's errors mean here; NULL: message_fail() knows */
static const char *refusal(int error, const char **remedy)
{
	*remedy = "the kernel log names the epoch";
	switch (-error) {
	case ENOENT:
		*remedy = "'dmdelta log' shows the epochs";
		return "there is no such epoch to be committed";
	case ESTALE:
		*remedy = "choose an ancestor of the head ('dmdelta log')";
		return "the head does not stand on it";
	case EPERM:
		*remedy = "'dmdelta mark' lets go of it; the kernel log names it";
		return "it, or an epoch below it, is pinned, named, suspect or gone back to";
	case EBUSY:
		*remedy = "'dmdelta status' and 'dmdelta views' tell which";
		return "it is the head, or a view, a replay or a commit is in the way";
	case EROFS:
		*remedy = "make it writable ('blockdev --setrw')";
		return "the origin is read-only";
	case EMLINK:
		*remedy = "close the other device first";
		return "another deltarec device has the same origin";
	case E2BIG:
		*remedy = "drop some of them";
		return "too many branches stand on what would be committed";
	default:
		return NULL;
	}
}

static int send(const char *name, uint32_t epoch, const char *word)
{
	char *reply, thing[16];
	const char *why, *remedy;
	int ret = mapper_message(name, &reply, DR_MSG_COMMIT " %u%s", epoch,
				 word);

	if (!ret) {
		free(reply);
		return DR_EXIT_OK;
	}
	snprintf(thing, sizeof(thing), "%u", epoch);
	why = refusal(ret, &remedy);
	if (!why)
		return message_fail(thing, "commit", ret);
	return fail(DR_EXIT_OPERATIONAL, thing, remedy, "commit: %s", why);
}

int commit_try(const char *name, uint32_t epoch, bool ended)
{
	int code = commit_check_origin(name);

	return code ? code :
	       send(name, epoch, ended ? " " DR_WORD_TRY " " DR_WORD_ENDED :
					 " " DR_WORD_TRY);
}

int commit_begin(const char *name, uint32_t epoch)
{
	int code = commit_check_origin(name);

	return code ? code : send(name, epoch, "");
}

/* --- waiting ---------------------------------------------------------------------- */

static void progress(const struct device_status *s, bool end)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%" PRIu64 " %% looked at, %s%s",
		100 * s->commit_done / (s->commit_total ? s->commit_total : 1),
		s->commit, end ? "\r\033[K" : "  ");
	fflush(stderr);
}

static int still_waits(const char *name, const struct device_status *s)
{
	if (!strcmp(s->commit, DR_COMMIT_STOPPED))
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'dmdelta commit' of the same epoch goes on",
			    "the commit was stopped");
	return fail(DR_EXIT_OPERATIONAL, name,
		    "the kernel log says for what; it goes on by itself",
		    "the commit of epoch %" PRIu64 " waits", s->commit_epoch);
}

int commit_wait(const char *name, uint32_t epoch)
{
	struct device_status status;
	unsigned int stuck = 0;
	int code;

	for (;;) {
		code = device_status(name, &status);
		if (code || !status.committing || status.commit_epoch != epoch)
			break;
		if (strcmp(status.mode, DR_MODE_RW)) {
			progress(&status, true);
			return still_waits(name, &status);
		}
		progress(&status, false);
		stuck = strcmp(status.commit, DR_COMMIT_RUNNING) ? stuck + 1 : 0;
		if (stuck == POLLS_STUCK) {
			progress(&status, true);
			return still_waits(name, &status);
		}
		if (cancelled()) {
			progress(&status, true);
			out_say("The commit goes on; 'dmdelta status %s' tells how far it is.",
				name);
			return fail_cancelled(name);
		}
		usleep(POLL_USECS);
	}
	if (!code)
		progress(&status, true);
	return code;
}
