// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-commit.c - make the origin what an epoch is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "changes.h"
#include "cli.h"
#include "commands.h"
#include "commit.h"
#include "device.h"
#include "epochs.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "bytes", "to be copied", OUT_BYTES, OUT_BOTH },
	{ "dropped", "epochs that go", OUT_NUMBER, OUT_BOTH },
	{ "done", "done", OUT_BOOL, OUT_BOTH },
};

static void add(const struct range *range, void *arg)
{
	*(uint64_t *)arg += range->len_sectors;
}

/* Retained epochs that go: the commit drops what is below on the way down */
static int count_dropped(const char *name, uint32_t epoch, uint64_t *dropped)
{
	const struct epoch *e;
	struct epochs epochs;
	int code = epochs_load(name, &epochs);

	*dropped = 0;
	if (code)
		return code;
	e = epochs_find(&epochs, epoch);
	while (e && (e = epochs_parent(&epochs, e)) && e->id != DR_BASE_EPOCH)
		*dropped += epoch_is(e->state, DR_STATE_SEALED);
	epochs_free(&epochs);
	return DR_EXIT_OK;
}

/* "yes" on a terminal, or the option */
static int confirm(const struct cmd_line *line, uint32_t epoch, uint64_t bytes,
		   uint64_t dropped)
{
	char typed[16], size[32];

	if (cli_option(line, "yes"))
		return DR_EXIT_OK;
	if (out_is_json() || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return fail_usage(line->argv[0],
				  "a commit cannot be undone: give --yes, or --dry-run to see what it would do");
	fprintf(stderr, "Epoch %u becomes the origin: %s are copied there, %" PRIu64
		" older epochs go. It cannot be undone. Type 'yes': ", epoch,
		out_size(bytes, size, sizeof(size)), dropped);
	fflush(stderr);
	if (cancelled() || !fgets(typed, sizeof(typed), stdin) ||
	    strcmp(typed, "yes\n"))
		return fail_cancelled(line->argv[0]);
	return DR_EXIT_OK;
}

static int stop(const char *name)
{
	static const struct out_column stopped[] = {
		{ "epoch", "stopped commit of", OUT_NUMBER, OUT_BOTH },
	};
	uint64_t epoch;
	char *reply;
	int code, ret = mapper_message(name, &reply,
				       DR_MSG_COMMIT " " DR_WORD_STOP);

	if (ret == -ENODATA)
		return fail(DR_EXIT_OPERATIONAL, name, NULL,
			    "no commit is under way");
	if (ret)
		return message_fail(name, "commit", ret);
	code = message_number(name, reply, &epoch);
	free(reply);
	if (!code)
		out_record(stopped, 1,
			   (struct out_value[]){ out_number(epoch) });
	return code;
}

static int commit(const struct cmd_line *line, const char *name,
		  const struct device_status *status, uint32_t epoch)
{
	bool dry = cli_option(line, "dry-run"), again, done = false;
	uint64_t sectors = 0, dropped = 0;
	int code;

	again = status->committing && status->commit_epoch == epoch;
	code = again ? DR_EXIT_OK : commit_try(name, epoch, false);
	if (!code && !again)
		code = changes_each(name, DR_BASE_EPOCH, epoch, add, &sectors);
	if (!code && !again)
		code = count_dropped(name, epoch, &dropped);
	if (!code && !dry && !again)
		code = confirm(line, epoch, sectors << SECTOR_SHIFT, dropped);
	if (!code && !dry)
		code = commit_begin(name, epoch);
	if (!code && !dry && !cli_option(line, "background")) {
		code = commit_wait(name, epoch);
		done = !code;
	}
	if (!code)
		out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
			out_number(epoch),
			out_maybe(!again, sectors << SECTOR_SHIFT),
			out_maybe(!again, dropped), out_number(done) });
	return code;
}

int cmd_commit(const struct cmd_line *line)
{
	struct device_status status;
	struct epoch_ref ref;
	const char *name;
	uint32_t epoch;
	int code = device_name(line->argv[0], &name);

	if (!code && cli_option(line, "stop")) {
		if (line->argc > 1)
			return fail_usage(line->argv[1], "--stop takes no epoch");
		code = device_status(name, &status);
		return code ? code : stop(name);
	}
	if (!code && line->argc < 2)
		return fail_usage("epoch", "missing");
	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &epoch);
	return code ? code : commit(line, name, &status, epoch);
}
