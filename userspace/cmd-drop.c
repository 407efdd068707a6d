// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-drop.c - give up an epoch.
 */
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "dropped epoch", OUT_NUMBER, OUT_BOTH },
};

int cmd_drop(const struct cmd_line *line)
{
	struct device_status status;
	struct epoch_ref ref;
	const char *name;
	uint64_t dropped;
	uint32_t epoch;
	char *reply;
	int code = device_name(line->argv[0], &name), ret;

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &epoch);
	if (code)
		return code;
	ret = mapper_message(name, &reply, DR_MSG_DROP " %u", epoch);
	if (ret)
		return message_fail(line->argv[1], "drop", ret);
	code = message_number(name, reply, &dropped);
	free(reply);
	if (!code)
		out_record(columns, 1,
			   (struct out_value[]){ out_number(dropped) });
	return code;
}
