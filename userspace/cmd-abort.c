// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-abort.c - give up a replay that another process left open.
 */
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "names.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "aborted replay", OUT_NUMBER, OUT_BOTH },
};

int cmd_abort(const struct cmd_line *line)
{
	struct device_status status;
	const char *name;
	uint64_t epoch;
	char *reply;
	int code = device_name(line->argv[0], &name), ret;

	if (!code)
		code = device_status(name, &status);
	if (code)
		return code;
	if (!status.replaying)
		return fail(DR_EXIT_OPERATIONAL, name, NULL,
			    "no replay is open");
	ret = mapper_message(name, &reply, DR_MSG_REPLAY " " DR_WORD_ABORT);
	if (ret)
		return message_fail(name, "replay abort", ret);
	code = message_number(name, reply, &epoch);
	free(reply);
	if (!code)
		out_record(columns, 1,
			   (struct out_value[]){ out_number(epoch) });
	return code;
}
