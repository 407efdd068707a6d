// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-mark.c - say of epochs that they are to stay, or that they are suspect.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "output.h"

static const struct out_column columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "mark", "mark", OUT_TEXT, OUT_BOTH },
};

static const char *const words[] = {
	DR_WORD_PINNED, DR_WORD_UNPINNED, DR_WORD_SUSPECT, DR_WORD_GOOD,
};

static int take_mark(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i]))
			return DR_EXIT_OK;
	return fail_usage(word, "no such mark: " DR_WORD_PINNED ", "
			  DR_WORD_UNPINNED ", " DR_WORD_SUSPECT " or "
			  DR_WORD_GOOD);
}

static int mark_one(const char *name, uint32_t epoch, const char *mark)
{
	char *reply, thing[16];
	int ret;

	snprintf(thing, sizeof(thing), "%u", epoch);
	ret = mapper_message(name, &reply, DR_MSG_MARK " %u %s", epoch, mark);
	if (ret)
		return message_fail(thing, "mark", ret);
	free(reply);
	out_row((struct out_value[]){ out_number(epoch), out_text(mark) });
	return DR_EXIT_OK;
}

static int check(const struct epochs *epochs, uint32_t id)
{
	const struct epoch *e = epochs_find(epochs, id);
	char thing[16];

	if (id == DR_BASE_EPOCH)
		return fail(DR_EXIT_OPERATIONAL, "base", NULL,
			    "always there, and takes no mark");
	if (e && !epoch_is(e->state, DR_STATE_DROPPED))
		return DR_EXIT_OK;
	snprintf(thing, sizeof(thing), "%u", id);
	return fail(DR_EXIT_OPERATIONAL, thing,
		    "'dmdelta log' shows the epochs",
		    "no such epoch, or it was dropped");
}

/* @first..@last, on the way down from @last; those dropped take no mark */
static int mark_row(const char *name, uint32_t first, uint32_t last,
		    const char *mark)
{
	const struct epoch *e;
	struct epochs epochs;
	int code = epochs_load(name, &epochs);

	if (code)
		return code;
	code = check(&epochs, first);
	if (!code)
		code = check(&epochs, last);
	if (code) {
		epochs_free(&epochs);
		return code;
	}
	e = epochs_find(&epochs, last);
	while (e && e->id > first)
		e = epochs_parent(&epochs, e);
	if (!e || e->id != first) {
		epochs_free(&epochs);
		return fail(DR_EXIT_OPERATIONAL, "--to",
			    "'dmdelta log' shows the branches",
			    "epoch %u does not lead to epoch %u", first, last);
	}
	out_table("epochs", columns, ARRAY_SIZE(columns));
	for (e = epochs_find(&epochs, last); !code && e && e->id >= first;
	     e = epochs_parent(&epochs, e))
		if (!epoch_is(e->state, DR_STATE_DROPPED))
			code = mark_one(name, e->id, mark);
	out_table_end();
	epochs_free(&epochs);
	return code;
}

int cmd_mark(const struct cmd_line *line)
{
	const char *name, *to = cli_option(line, "to");
	struct epoch_ref ref, last;
	struct device_status status;
	uint32_t epoch, end;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = epoch_parse(line->argv[1], &ref);
	if (!code && to)
		code = epoch_parse(to, &last);
	if (!code)
		code = take_mark(line->argv[2]);
	if (!code)
		code = device_status(name, &status);
	if (!code)
		code = epoch_resolve(name, line->argv[1], &ref, &epoch);
	end = epoch;
	if (!code && to)
		code = epoch_resolve(name, to, &last, &end);
	return code ? code : mark_row(name, epoch, end, line->argv[2]);
}
