// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-close.c - take a device away, or a view of one.
 *
 * What becomes of an undoable device's session is said first, and done when the
 * device is opened again (B7): if it cannot be taken away after all, the answer
 * is taken back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "cli.h"
#include "commands.h"
#include "commit.h"
#include "device.h"
#include "output.h"
#include "past/view.h"
#include "use.h"

static const struct out_column columns[] = {
	{ "name", "closed", OUT_TEXT, OUT_BOTH },
};

static int close_view(const char *name)
{
	int code = view_remove(name);

	if (!code)
		out_record(columns, 1, (struct out_value[]){ out_text(name) });
	return code;
}

/* They go on without the head, and must not be a surprise later. */
static int say_view(const struct view_info *info, void *arg)
{
	(void)arg;
	if (!info->private)
		out_say("The view %s of epoch %u stays open.", info->name,
			info->epoch);
	return 0;
}

static int fail_in_use(const char *name, const char *users)
{
	return fail(DR_EXIT_OPERATIONAL, name,
		    "unmount or stop what uses it, then try again",
		    "in use: %s", *users ? users :
		    "claimed by the kernel or in another mount namespace");
}

/* --- what becomes of the session ----------------------------------------------- */

struct answer {
	const char *word;	/* the option, and what is typed */
	const char *message;	/* to the target; all but END wait for an open */
};

static const struct answer answers[] = {
	{ "commit", DR_WORD_END },	/* and then commit_session() */
	{ "keep", DR_WORD_KEEP },
	{ "discard", DR_WORD_DISCARD },
};

/* "keep or discard", with what comes before each and between the last two */
static const char *all_answers(const char *before, const char *last)
{
	static char text[96];
	size_t n = 0, i;

	for (i = 0; i < ARRAY_SIZE(answers); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%s%s",
			      !i ? "" : i + 1 < ARRAY_SIZE(answers) ? ", " :
			      last, before, answers[i].word);
	return text;
}

/* The option that was given, if any. Return: exit code, has said why */
static int take_option(const struct cmd_line *line, const struct answer **answer)
{
	size_t i;

	*answer = NULL;
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		if (!cli_option(line, answers[i].word))
			continue;
		if (*answer)
			return fail_usage(answers[i].word, "contradicts --%s",
					  (*answer)->word);
		*answer = answers + i;
	}
	return DR_EXIT_OK;
}

static int ask(const char *name, const struct device_status *status,
	       const struct answer **answer)
{
	char typed[64];
	size_t i;

	if (out_is_json() || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return fail_usage(name, "what becomes of its session? Give %s",
				  all_answers("--", " or "));
	while (!*answer) {
		fprintf(stderr, "What was written to %s since epoch %" PRIu64
			": %s? ", name, status->session,
			all_answers("", " or "));
		fflush(stderr);
		if (cancelled() || !fgets(typed, sizeof(typed), stdin))
			return fail_cancelled(name);
		typed[strcspn(typed, "\n")] = '\0';
		for (i = 0; i < ARRAY_SIZE(answers); i++)
			if (!strcmp(typed, answers[i].word))
				*answer = answers + i;
	}
	return DR_EXIT_OK;
}

static int send_answer(const char *name, const char *word)
{
	char *reply;
	int ret = mapper_message(name, &reply, DR_MSG_SESSION " %s", word);

	if (ret)
		return message_fail(name, "session", ret);
	free(reply);
	return DR_EXIT_OK;
}

/*
 * Its end cannot be taken back, so whether the commit can begin is known before;
 * what still goes wrong afterwards has come in between.
 */
static int end_and_commit(const char *name, uint32_t epoch)
{
	bool any = epoch != DR_BASE_EPOCH;
	int code = any ? commit_try(name, epoch, true) : DR_EXIT_OK;

	if (!code)
		code = send_answer(name, DR_WORD_END);
	if (code) {
		out_say("The session of %s goes on, and %s stays open.", name,
			name);
		return code;
	}
	if (any)
		code = commit_begin(name, epoch);
	if (any && !code)
		code = commit_wait(name, epoch);
	if (!code)
		return DR_EXIT_OK;
	out_say("The session has ended, what it wrote is kept, and %s stays open.",
		name);
	out_say("'dmdelta commit %s %u' commits it, 'dmdelta close %s' does without.",
		name, epoch, name);
	return code;
}

/* What it wrote becomes the origin, before the device is taken away. */
static int commit_session(const char *name, const struct device_status *status)
{
	struct checkpoint_options o = { .skip_empty = true };
	struct checkpoint cp;
	int code = checkpoint_make(name, status->info.devno, &o, &cp);

	if (code)
		return code;
	code = end_and_commit(name, cp.epoch);
	checkpoint_free(&cp);
	return code;
}

/*
 * Say what becomes of the session, if one is open. One that was answered before
 * is not asked about again, nor one that the device was not opened for; with a
 * device that may only be read it goes on.
 */
static int answer_session(const char *name, const struct device_status *status,
			  const struct answer *answer)
{
	int code = DR_EXIT_OK;

	if (!status->in_session && answer)
		return fail_usage(name, "no session is open: '%s' says nothing",
				  answer->word);
	if (!answer && status->in_session && !status->answer[0] &&
	    !strcmp(status->begins, DR_FEAT_UNDOABLE) &&
	    !strcmp(status->mode, DR_MODE_RW))
		code = ask(name, status, &answer);
	if (!code && answer && !strcmp(answer->message, DR_WORD_END))
		return commit_session(name, status);
	if (!code && answer)
		code = send_answer(name, answer->message);
	return code;
}

/* It stays: whatever is written to it now must not be lost by the answer. */
static void take_answer_back(const char *name,
			     const struct device_status *before)
{
	if (before->in_session)
		send_answer(name, before->answer[0] ? before->answer :
						      DR_WORD_ASK);
}

/* --- closing ----------------------------------------------------------------------- */

static int remove_device(const char *name, const struct device_status *status)
{
	char *users, uuid[MAPPER_UUID_SIZE];
	int code = DR_EXIT_OK, ret;

	view_device_uuid(name, uuid, sizeof(uuid));
	ret = mapper_remove(name);
	if (ret == -EBUSY) {
		users = use_describe(status->info.devno);
		code = fail_in_use(name, users ? users : "");
		free(users);
	} else if (ret) {
		code = device_fail(name, "remove", ret);
	} else {
		out_record(columns, 1, (struct out_value[]){ out_text(name) });
		if (uuid[0])
			view_each(uuid, say_view, NULL);
	}
	return code;
}

int cmd_close(const struct cmd_line *line)
{
	const struct answer *answer = NULL;
	struct device_status status;
	struct view_info view;
	char *users = NULL;
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = take_option(line, &answer);
	if (!code && !answer && !view_info(name, &view))
		return close_view(name);
	/* A failed device, too, can be taken away. */
	if (!code)
		code = device_status_any(name, &status);
	if (code)
		return code;
	/* udev may have it open for a moment: only a user we can name counts */
	if (status.info.open_count > 0)
		users = use_describe(status.info.devno);
	if (users && *users) {
		code = fail_in_use(name, users);
		free(users);
		return code;
	}
	free(users);
	code = answer_session(name, &status, answer);
	if (code)
		return code;
	code = remove_device(name, &status);
	if (code && !(answer && !strcmp(answer->message, DR_WORD_END)))
		take_answer_back(name, &status);
	return code;
}
