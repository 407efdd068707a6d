// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-drop.c - give up an epoch.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "format.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "dropped epoch", OUT_NUMBER, OUT_BOTH },
};

/* The target drops it all the same; whoever pinned it did not mean that. */
static int check_pinned(const char *name, uint32_t id)
{
	const struct epoch *e;
	struct epochs epochs;
	char thing[16];
	int code = epochs_load(name, &epochs);

	if (code)
		return code;
	e = epochs_find(&epochs, id);
	if (e && e->marks & DR_MARK_PINNED) {
		snprintf(thing, sizeof(thing), "%u", id);
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta mark' with unpinned lets it go",
			    "the epoch is pinned");
	}
	epochs_free(&epochs);
	return code;
}

/* The target refuses it, but cannot say as well what to do. */
static int check_back(const struct device_status *status, uint32_t id)
{
	bool start = id == status->start;
	char thing[16];

	if (!id || (!start && !(status->in_session && id == status->session)))
		return DR_EXIT_OK;
	snprintf(thing, sizeof(thing), "%u", id);
	return fail(DR_EXIT_OPERATIONAL, thing, start ?
		    "'dmdelta start' chooses another one" :
		    "'dmdelta close' with an answer ends it", start ?
		    "the device begins there when it is nonpersistent" :
		    "the open session began with it");
}

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
	code = check_back(&status, epoch);
	if (!code)
		code = check_pinned(name, epoch);
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
