// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-checkpoint.c - seal the head, with file systems frozen meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "freeze.h"
#include "output.h"
#include "parse.h"

static const struct out_column columns[] = {
	{ "epoch", NULL, OUT_NUMBER, OUT_BOTH },
	{ "label", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "frozen", NULL, OUT_BOOL, OUT_ONLY_JSON },
};

/*
 * Nothing is mounted: what was written through the device's own page cache
 * must still be in the epoch.
 */
static void write_cache_out(const char *name)
{
	char node[512];
	int fd = open(mapper_node(name, node, sizeof(node)),
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		warn(node, "page cache not written out (errno %d)", errno);
	if (fd >= 0)
		close(fd);
}

static int seal(const char *name, const char *label, bool frozen,
		char **reply)
{
	if (frozen)
		return mapper_message(name, reply,
				      DR_MSG_CHECKPOINT " %s " DR_WORD_FROZEN,
				      label ? label : DR_WORD_NONE);
	if (label)
		return mapper_message(name, reply, DR_MSG_CHECKPOINT " %s",
				      label);
	return mapper_message(name, reply, DR_MSG_CHECKPOINT);
}

static void report(const struct freeze *fr, uint64_t epoch, const char *label,
		   bool frozen)
{
	char **dirs = calloc(fr->nr + 1, sizeof(*dirs));
	size_t i, nr = 0;

	for (i = 0; i < fr->nr; i++) {
		if (!fr->fs[i].error && dirs)
			dirs[nr++] = fr->fs[i].dir;
		else if (fr->fs[i].error)
			warn(fr->fs[i].dir,
			     "its file system cannot be frozen; it was written out");
	}
	out_record(columns, 3, (struct out_value[]){
		out_number(epoch), out_text(label), out_number(frozen) });
	if (out_is_json())
		out_words("file_systems", NULL, dirs, nr);
	free(dirs);
}

static int checkpoint(const char *name, dev_t devno, const char *label,
		      bool may_freeze)
{
	struct freeze fr = { .lock = -1 };
	char *reply = NULL;
	uint64_t epoch = 0;
	bool frozen;
	int code = DR_EXIT_OK, ret;

	if (may_freeze) {
		code = freeze_begin(&fr, devno, name);
		if (code)
			return code;
	}
	/* "frozen" is a promise about everything that is mounted from it. */
	frozen = fr.nr && fr.nr_frozen == fr.nr;
	ret = seal(name, label, frozen, &reply);
	if (may_freeze)
		code = freeze_end(&fr);
	if (ret)
		code = message_fail(name, "checkpoint", ret);
	else if (!message_number(name, reply, &epoch))
		report(&fr, epoch, label, frozen);
	else
		code = DR_EXIT_OPERATIONAL;
	free(reply);
	freeze_free(&fr);
	return code;
}

int cmd_checkpoint(const struct cmd_line *line)
{
	const char *label = cli_option(line, "label");
	bool may_freeze = !cli_option(line, "no-freeze");
	struct device_status status;
	const char *name, *problem;
	int code = device_name(line->argv[0], &name);

	if (code)
		return code;
	problem = label ? parse_label(label) : NULL;
	if (problem)
		return fail_usage(label, "%s", problem);
	code = device_status(name, &status);
	if (code)
		return code;
	if (may_freeze)
		write_cache_out(name);
	return checkpoint(name, status.info.devno, label, may_freeze);
}
