// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-rollback.c - continue from an earlier epoch.
 */
#include "cli.h"
#include "commands.h"
#include "epochs.h"
#include "output.h"
#include "switch.h"

static const struct out_column columns[] = {
	{ "epoch", "rolled back to", OUT_NUMBER, OUT_BOTH },
	{ "previous_head", "left behind", OUT_NUMBER, OUT_BOTH },
	{ "head", "new head", OUT_NUMBER, OUT_BOTH },
};

static int rollback(struct switcher *sw, const char *word,
		    const struct epoch_ref *ref)
{
	struct device_status status;
	uint64_t head;
	uint32_t epoch;
	int code = device_status(sw->name, &status);

	if (!code)
		code = epoch_resolve(sw->name, word, ref, &epoch);
	if (!code)
		code = switch_rollback(sw, epoch, &head);
	if (code)
		return code;
	out_record(columns, 3, (struct out_value[]){
		out_number(epoch), out_number(status.head),
		out_number(head) });
	out_say("'dmdelta undo %s' takes it back.", sw->name);
	return DR_EXIT_OK;
}

int cmd_rollback(const struct cmd_line *line)
{
	struct switcher sw;
	struct epoch_ref ref;
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code)
		code = switch_open(&sw, name);
	if (code)
		return code;
	code = rollback(&sw, line->argv[1], &ref);
	switch_close(&sw);
	return code;
}
