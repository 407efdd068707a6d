// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-update.c - an administrator's update of a nonpersistent device.
 */
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "cli.h"
#include "commands.h"
#include "device.h"
#include "output.h"
#include "parse.h"

static const struct out_column columns[] = {
	{ "update", "update", OUT_TEXT, OUT_BOTH },
	{ "start_epoch", "begins with", OUT_NUMBER, OUT_BOTH },
};

static void report(const char *update, uint64_t start)
{
	out_record(columns, 2, (struct out_value[]){
		out_text(update[0] ? update : NULL), out_number(start) });
}

static int fail_none(const char *name, const struct device_status *status)
{
	if (status->update[0])
		return fail(DR_EXIT_OPERATIONAL, name,
			    "close and open the device: then make the update",
			    "the update begins with the next opening");
	return fail(DR_EXIT_OPERATIONAL, name, "'dmdelta update begin'",
		    "no update is under way");
}

/*
 * Has anything been written? What lies in page caches has, too: it must not
 * come later and be taken for a part of the update.
 */
static int send_begin(const char *name, dev_t devno, char **reply)
{
	struct freeze fr = { .lock = -1 };
	int code, ret;

	*reply = NULL;
	checkpoint_write_cache(name);
	code = freeze_begin(&fr, devno, name);
	if (code)
		return code;
	ret = mapper_message(name, reply, DR_MSG_UPDATE " " DR_WORD_BEGIN);
	code = freeze_end(&fr);
	freeze_free(&fr);
	return ret ? message_fail(name, "update", ret) : code;
}

static int begin(const char *name, const struct device_status *status)
{
	char *reply;
	int code;

	if (strcmp(status->begins, DR_WORD_KEEP) &&
	    strcmp(status->begins, DR_WORD_DISCARD))
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'dmdelta start' chooses where it begins when it is",
			    "not open as nonpersistent: what is written stays anyway");
	code = send_begin(name, status->info.devno, &reply);
	if (code) {
		free(reply);
		return code;
	}
	report(reply, status->start);
	if (!strcmp(reply, DR_WORD_WANTED))
		out_say("%s was written to: the update begins when it is opened again.",
			name);
	free(reply);
	return DR_EXIT_OK;
}

static int cancel(const char *name, const struct device_status *status)
{
	char *reply;
	int ret;

	if (!status->update[0])
		return fail_none(name, status);
	ret = mapper_message(name, &reply, DR_MSG_UPDATE " " DR_WORD_CANCEL);
	if (ret)
		return message_fail(name, "update", ret);
	free(reply);
	report("", status->start);
	return DR_EXIT_OK;
}

static int end(const char *name, const struct device_status *status,
	       const struct cmd_line *line)
{
	struct checkpoint_options o = {
		.message = DR_MSG_UPDATE " " DR_WORD_END,
		.label = cli_option(line, "label"),
		.no_freeze = cli_option(line, "no-freeze"),
	};
	struct checkpoint cp;
	int code;

	if (strcmp(status->update, DR_WORD_UPDATING))
		return fail_none(name, status);
	code = checkpoint_make(name, status->info.devno, &o, &cp);
	if (code)
		return code;
	report("", cp.epoch);
	checkpoint_free(&cp);
	return DR_EXIT_OK;
}

int cmd_update(const struct cmd_line *line)
{
	const char *word = line->argv[0], *label = cli_option(line, "label");
	const char *name, *problem = label ? parse_label(label) : NULL;
	bool ends = !strcmp(word, DR_WORD_END);
	struct device_status status;
	int code;

	if (!ends && strcmp(word, DR_WORD_BEGIN) &&
	    strcmp(word, DR_WORD_CANCEL))
		return fail_usage(word, "neither " DR_WORD_BEGIN ", "
				  DR_WORD_END " nor " DR_WORD_CANCEL);
	if (!ends && (label || cli_option(line, "no-freeze")))
		return fail_usage(label ? "--label" : "--no-freeze",
				  "belongs to " DR_WORD_END);
	if (problem)
		return fail_usage(label, "%s", problem);
	code = device_name(line->argv[1], &name);
	if (!code)
		code = device_status(name, &status);
	if (code)
		return code;
	if (ends)
		return end(name, &status, line);
	return !strcmp(word, DR_WORD_BEGIN) ? begin(name, &status) :
					      cancel(name, &status);
}
