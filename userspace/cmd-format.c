// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-format.c - make a delta device for an origin.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "delta.h"
#include "output.h"
#include "parse.h"

static const struct out_column columns[] = {
	{ "delta", "formatted", OUT_TEXT, OUT_BOTH },
	{ "uuid", "uuid", OUT_TEXT, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "block_bytes", "block size", OUT_BYTES, OUT_BOTH },
	{ "origin", "origin", OUT_TEXT, OUT_BOTH },
	{ "origin_bytes", "origin size", OUT_BYTES, OUT_BOTH },
	{ "origin_identity", "origin identity", OUT_TEXT, OUT_BOTH },
	{ "total_bytes", "delta size", OUT_BYTES, OUT_BOTH },
};

static int parse_block_size(const struct cmd_line *line, u32 *slot_blocks)
{
	const char *word = cli_option(line, "block-size"), *problem;
	u64 bytes = DR_BLOCK_SIZE;

	problem = word ? parse_size(word, 1, &bytes) : NULL;
	if (problem)
		return fail_usage(word, "%s", problem);
	if (bytes < DR_BLOCK_SIZE ||
	    bytes > (u64)DR_MAX_SLOT_BLOCKS * DR_BLOCK_SIZE ||
	    bytes & (bytes - 1))
		return fail_usage(word,
				  "block size is not a power of two from 4K to 1M");
	*slot_blocks = bytes / DR_BLOCK_SIZE;
	return DR_EXIT_OK;
}

/* Does the delta device hold something that somebody may want to keep? */
static int check_signature(struct delta *d)
{
	const char *path = d->volume.path;
	struct dr_disk_super sb;
	char what[64];
	int ret;

	ret = d->nr_blocks < 2 ? -EMEDIUMTYPE : dr_super_read(&d->env, &sb);
	if (!ret || ret == -EUCLEAN || ret == -EPROTONOSUPPORT)
		return fail(DR_EXIT_OPERATIONAL, path,
			    "--force overwrites it with all its history",
			    "is a deltarec delta device already");
	ret = volume_signature(&d->volume, what, sizeof(what));
	if (ret)
		return fail(DR_EXIT_OPERATIONAL, path, "--force goes on",
			    "cannot be probed for signatures: %s",
			    strerror(-ret));
	if (what[0])
		return fail(DR_EXIT_OPERATIONAL, path, "--force overwrites it",
			    "holds %s", what);
	return DR_EXIT_OK;
}

static int format(struct delta *d, const struct volume *origin,
		  const struct cmd_line *line, u32 slot_blocks)
{
	const char *label = cli_option(line, "label");
	char uuid[DELTA_UUID_TEXT];
	struct delta_format f = {
		.slot_blocks = slot_blocks, .label = label ? label : "",
		.force = cli_option(line, "force"),
	};
	int code = DR_EXIT_OK;

	if (volume_same(&d->volume, origin))
		return fail(DR_EXIT_OPERATIONAL, origin->path,
			    "give two different ones",
			    "origin and delta are the same device");
	if (!f.force)
		code = check_signature(d);
	if (!code)
		code = delta_format(d, origin, &f);
	if (code)
		return code;
	out_record(columns, 8, (struct out_value[]){
		out_text(d->volume.path), out_text(delta_uuid(f.uuid, uuid)),
		out_text(label),
		out_number((u64)slot_blocks * DR_BLOCK_SIZE),
		out_text(origin->path), out_number(origin->bytes),
		out_text(f.origin_id[0] ? f.origin_id : NULL),
		out_number(d->volume.bytes) });
	return DR_EXIT_OK;
}

int cmd_format(const struct cmd_line *line)
{
	const char *label = cli_option(line, "label"), *problem;
	struct volume origin;
	u32 slot_blocks = 1;
	struct delta d;
	int code;

	code = parse_block_size(line, &slot_blocks);
	if (code)
		return code;
	problem = label ? parse_label(label) : NULL;
	if (problem)
		return fail_usage(label, "%s", problem);
	code = volume_open(&origin, line->argv[0], VOLUME_READ);
	if (code)
		return code;
	code = delta_open(&d, line->argv[1], VOLUME_WRITE_EXCL);
	if (!code) {
		code = format(&d, &origin, line, slot_blocks);
		delta_close(&d);
	}
	volume_close(&origin);
	return code;
}
