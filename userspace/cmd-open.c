// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-open.c - make /dev/mapper/<name>.
 *
 * What can be known beforehand is checked here, where it can be said in
 * words; the target checks all of it again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cli.h"
#include "commands.h"
#include "delta.h"
#include "device.h"
#include "output.h"
#include "parse.h"
#include "past/view.h"
#include "use.h"

static const struct out_column columns[] = {
	{ "name", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "device", "opened", OUT_TEXT, OUT_BOTH },
	{ "size_bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "uuid", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

struct features {
	u64 cache_mb;		/* 0: not given */
	bool error_if_full;
	bool queue_if_full;
	bool discard_passdown;
	bool track_reads;
};

static int take_cache(struct features *f, const char *thing, const char *word)
{
	const char *problem = parse_number(word, &f->cache_mb);

	if (problem)
		return fail_usage(thing, "%s", problem);
	if (f->cache_mb < DR_CACHE_MB_MIN || f->cache_mb > DR_CACHE_MB_MAX)
		return fail_usage(thing, "not from %u to %u", DR_CACHE_MB_MIN,
				  DR_CACHE_MB_MAX);
	return DR_EXIT_OK;
}

static int take_feature(struct features *f, const char *word)
{
	static const char cache[] = DR_FEAT_CACHE_MB "=";

	if (!strncmp(word, cache, sizeof(cache) - 1))
		return take_cache(f, word, word + sizeof(cache) - 1);
	if (!strcmp(word, DR_FEAT_ERROR_IF_FULL))
		f->error_if_full = true;
	else if (!strcmp(word, DR_FEAT_QUEUE_IF_FULL))
		f->queue_if_full = true;
	else if (!strcmp(word, DR_FEAT_DISCARD_PASSDOWN))
		f->discard_passdown = true;
	else if (!strcmp(word, DR_FEAT_TRACK_READS))
		f->track_reads = true;
	else
		return fail_usage(word, "no such feature");
	return DR_EXIT_OK;
}

static int parse_features(const struct cmd_line *line, struct features *f)
{
	const char *word = cli_option(line, "cache-mb");
	int i, code = DR_EXIT_OK;

	if (word)
		code = take_cache(f, "--cache-mb", word);
	if (cli_option(line, "error-if-full"))
		f->error_if_full = true;
	if (cli_option(line, "queue-if-full"))
		f->queue_if_full = true;
	if (cli_option(line, "discard-passdown"))
		f->discard_passdown = true;
	if (cli_option(line, "track-reads"))
		f->track_reads = true;
	for (i = 3; !code && i < line->argc; i++)
		code = take_feature(f, line->argv[i]);
	if (!code && f->error_if_full && f->queue_if_full)
		return fail_usage(DR_FEAT_QUEUE_IF_FULL, "contradicts "
				  DR_FEAT_ERROR_IF_FULL);
	return code;
}

/* "<origin> <delta> [<#words> <word>*]" */
static void make_params(const struct features *f, const struct volume *origin,
			const struct volume *delta, char *buf, size_t size)
{
	char words[128] = "";
	size_t n = 0;
	int nr = 0;

	if (f->cache_mb) {
		n += snprintf(words, sizeof(words), " " DR_FEAT_CACHE_MB
			      " %" PRIu64, f->cache_mb);
		nr += 2;
	}
	if (f->error_if_full) {
		n += snprintf(words + n, sizeof(words) - n,
			      " " DR_FEAT_ERROR_IF_FULL);
		nr++;
	}
	if (f->queue_if_full) {
		n += snprintf(words + n, sizeof(words) - n,
			      " " DR_FEAT_QUEUE_IF_FULL);
		nr++;
	}
	if (f->discard_passdown) {
		n += snprintf(words + n, sizeof(words) - n,
			      " " DR_FEAT_DISCARD_PASSDOWN);
		nr++;
	}
	if (f->track_reads) {
		snprintf(words + n, sizeof(words) - n,
			 " " DR_FEAT_TRACK_READS);
		nr++;
	}
	n = snprintf(buf, size, "%u:%u %u:%u", major(origin->devno),
		     minor(origin->devno), major(delta->devno),
		     minor(delta->devno));
	if (nr)
		snprintf(buf + n, size - n, " %d%s", nr, words);
}

static int check_block(const struct volume *v)
{
	return v->is_block ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, v->path,
		    "'losetup --find --show' makes one of a file",
		    "not a block device");
}

static int check_origin(const struct volume *origin,
			const struct dr_disk_super *sb)
{
	u64 recorded = le64_to_cpu(sb->origin_sectors);
	char identity[DR_ORIGIN_ID_LEN];

	if (origin->bytes >> SECTOR_SHIFT != recorded)
		return fail(DR_EXIT_OPERATIONAL, origin->path,
			    "give the origin that the delta was formatted for",
			    "wrong origin: it has %llu sectors, the delta was formatted for %llu",
			    (unsigned long long)origin->bytes >> SECTOR_SHIFT,
			    (unsigned long long)recorded);
	if (!sb->origin_id[0])
		return DR_EXIT_OK;
	volume_identity(origin, identity, sizeof(identity));
	if (!strncmp(identity, sb->origin_id, sizeof(sb->origin_id)))
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, origin->path,
		    "give the origin that the delta was formatted for",
		    "wrong origin: it has %s, the delta was formatted for %.*s",
		    identity[0] ? identity : "no identity",
		    (int)sizeof(sb->origin_id), sb->origin_id);
}

static int fail_create(const char *name, enum mapper_step step, int error)
{
	char library[64], driver[64], module[64] = "";

	if (step == MAPPER_CREATE && error == -EEXIST)
		return fail(DR_EXIT_OPERATIONAL, name, "choose another name",
			    "a device of this name is there already");
	if (step == MAPPER_CREATE)
		return device_fail(name, "create", error);
	if (step == MAPPER_NODE)
		return device_fail(name, "waiting for the device node", error);
	if (step == MAPPER_LOAD &&
	    !mapper_versions(DR_TARGET_NAME, library, driver, module,
			     sizeof(module)) && !module[0])
		return fail(DR_EXIT_OPERATIONAL, name,
			    "'modprobe dm-" DR_TARGET_NAME "'",
			    "the kernel has no target " DR_TARGET_NAME);
	return fail(DR_EXIT_OPERATIONAL, name, "see the kernel log",
		    "%s: %s", step == MAPPER_LOAD ? "table" : "activation",
		    strerror(-error));
}

static int create(const char *name, const struct dr_disk_super *sb,
		  const char *params)
{
	char text[DELTA_UUID_TEXT], uuid[DELTA_UUID_TEXT + 16], node[512];
	u64 sectors = le64_to_cpu(sb->origin_sectors);
	enum mapper_step step;
	int ret;

	if (cancelled())
		return fail_cancelled(name);
	delta_uuid(sb->head.uuid, text);
	snprintf(uuid, sizeof(uuid), DEVICE_UUID_PREFIX "%s", text);
	hold_signals();
	ret = mapper_create(name, uuid, sectors, DR_TARGET_NAME, params, &step);
	release_signals();
	if (ret)
		return fail_create(name, step, ret);
	out_record(columns, 4, (struct out_value[]){
		out_text(name), out_text(mapper_node(name, node, sizeof(node))),
		out_number(sectors << SECTOR_SHIFT), out_text(text) });
	return DR_EXIT_OK;
}

static bool is_view(const char *name)
{
	struct view_info info;

	return !view_info(name, &info);
}

/* Views go on when a device is closed, and do not keep it from coming back. */
static enum volume_open how_to_open(const char *delta)
{
	struct stat st;

	if (!stat(delta, &st) && S_ISBLK(st.st_mode) &&
	    use_held_by(st.st_rdev, is_view))
		return VOLUME_READ;
	return VOLUME_READ_EXCL;
}

int cmd_open(const struct cmd_line *line)
{
	struct features features = { 0 };
	struct dr_disk_super sb;
	struct volume origin;
	char params[256];
	const char *name;
	struct delta d;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = parse_features(line, &features);
	if (!code)
		code = volume_open(&origin, line->argv[1], VOLUME_READ);
	if (code)
		return code;
	code = delta_open(&d, line->argv[2], how_to_open(line->argv[2]));
	if (code) {
		volume_close(&origin);
		return code;
	}
	code = delta_super(&d, &sb);
	if (!code)
		code = check_origin(&origin, &sb);
	if (!code)
		code = check_block(&origin);
	if (!code)
		code = check_block(&d.volume);
	make_params(&features, &origin, &d.volume, params, sizeof(params));
	/* The target will want the delta for itself. */
	delta_close(&d);
	volume_close(&origin);
	return code ? code : create(name, &sb, params);
}
