// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-start.c - where a nonpersistent device begins.
 */
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "begins with", OUT_NUMBER, OUT_BOTH },
};

/* The target refuses it, but cannot say as well what to do. */
static int check(const struct device_status *status, const char *word,
		 uint32_t epoch)
{
	if (epoch == status->head)
		return fail(DR_EXIT_OPERATIONAL, word,
			    "'dmdelta checkpoint' seals it",
			    "the head: it is still written");
	if (status->update[0])
		return fail(DR_EXIT_OPERATIONAL, word,
			    "'dmdelta update' with end or cancel ends it",
			    "an update is %s", status->update);
	return DR_EXIT_OK;
}

int cmd_start(const struct cmd_line *line)
{
	struct device_status status;
	struct epoch_ref ref;
	const char *name;
	uint64_t start;
	uint32_t epoch;
	char *reply;
	int code = device_name(line->argv[0], &name), ret;

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &epoch);
	if (!code)
		code = check(&status, line->argv[1], epoch);
	if (code)
		return code;
	ret = mapper_message(name, &reply, DR_MSG_START " %u", epoch);
	if (ret)
		return message_fail(line->argv[1], "start", ret);
	code = message_number(name, reply, &start);
	free(reply);
	if (!code)
		out_record(columns, 1, (struct out_value[]){
			out_number(start) });
	return code;
}
