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
#include "memory.h"
#include "output.h"
#include "parse.h"
#include "past/view.h"
#include "start.h"
#include "use.h"

static const struct out_column columns[] = {
	{ "name", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "device", "opened", OUT_TEXT, OUT_BOTH },
	{ "size_bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "uuid", NULL, OUT_TEXT, OUT_ONLY_JSON },
};

/* In the order that they have in the table */
enum feature {
	CACHE_MB, ERROR_IF_FULL, QUEUE_IF_FULL, QUEUE_SECONDS, RECLAIM_IF_FULL,
	DISCARD_PASSDOWN, TRACK_READS, NONPERSISTENT, UNDOABLE, NR_FEATURES
};

/* The one that can be undone comes first. */
static const char *const hows[] = { DR_WORD_KEEP, DR_WORD_DISCARD, NULL };

/* Typed as a word or an option; a number has a maximum, a choice has choices. */
static const struct {
	const char *word, *option;
	u32 min, max;
	const char *const *choices;	/* the first one: if none is given */
} infos[NR_FEATURES] = {
	[CACHE_MB] = { DR_FEAT_CACHE_MB, "cache-mb", DR_CACHE_MB_MIN,
		       DR_CACHE_MB_MAX, NULL },
	[ERROR_IF_FULL] = { .word = DR_FEAT_ERROR_IF_FULL,
			    .option = "error-if-full" },
	[QUEUE_IF_FULL] = { .word = DR_FEAT_QUEUE_IF_FULL,
			    .option = "queue-if-full" },
	[QUEUE_SECONDS] = { DR_FEAT_QUEUE_SECONDS, "queue-seconds", 1,
			    DR_QUEUE_SECONDS_MAX, NULL },
	[RECLAIM_IF_FULL] = { .word = DR_FEAT_RECLAIM_IF_FULL,
			      .option = "reclaim-if-full" },
	[DISCARD_PASSDOWN] = { .word = DR_FEAT_DISCARD_PASSDOWN,
			       .option = "discard-passdown" },
	[TRACK_READS] = { .word = DR_FEAT_TRACK_READS, .option = "track-reads" },
	[NONPERSISTENT] = { .word = DR_FEAT_NONPERSISTENT,
			    .option = "nonpersistent", .choices = hows },
	[UNDOABLE] = { .word = DR_FEAT_UNDOABLE, .option = "undoable" },
};

/* At most one of each line */
static const enum feature excludes[][2] = {
	{ QUEUE_IF_FULL, ERROR_IF_FULL },
	{ RECLAIM_IF_FULL, QUEUE_IF_FULL },
	{ RECLAIM_IF_FULL, ERROR_IF_FULL },
	{ UNDOABLE, NONPERSISTENT },
};

/* 0: not given; else the number, or which choice, counted from 1 */
struct features {
	u64 value[NR_FEATURES];
};

static int take_number(u64 *value, const char *thing, const char *text,
		       u32 min, u32 max)
{
	const char *problem = parse_number(text, value);

	if (problem)
		return fail_usage(thing, "%s", problem);
	if (*value < min || *value > max)
		return fail_usage(thing, "not from %u to %u", min, max);
	return DR_EXIT_OK;
}

static int take_choice(u64 *value, const char *thing, const char *text,
		       const char *const *choices)
{
	u64 n = 0;

	while (text && choices[n] && strcmp(choices[n], text))
		n++;
	if (!choices[n])
		return fail_usage(thing, "'%s' is neither %s nor %s", text,
				  choices[0], choices[1]);
	if (*value && *value != n + 1)
		return fail_usage(thing, "contradicts %s", choices[*value - 1]);
	*value = n + 1;
	return DR_EXIT_OK;
}

/* @text: what was given with it, or NULL */
static int take_value(struct features *f, enum feature i, const char *thing,
		      const char *text)
{
	if (infos[i].max)
		return take_number(&f->value[i], thing, text, infos[i].min,
				   infos[i].max);
	if (infos[i].choices)
		return take_choice(&f->value[i], thing, text,
				   infos[i].choices);
	f->value[i] = 1;
	return DR_EXIT_OK;
}

/* "<word>", "<word>=<value>" */
static int take_feature(struct features *f, const char *word)
{
	size_t len = strcspn(word, "=");
	bool has = word[len];
	int i;

	for (i = 0; i < NR_FEATURES; i++) {
		if (strncmp(word, infos[i].word, len) || infos[i].word[len])
			continue;
		/* A number has to be there, a choice can be. */
		if (has ? infos[i].max || infos[i].choices : !infos[i].max)
			return take_value(f, i, word,
					  has ? word + len + 1 : NULL);
	}
	return fail_usage(word, "no such feature");
}

static int check_features(const struct features *f)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(excludes); i++)
		if (f->value[excludes[i][0]] && f->value[excludes[i][1]])
			return fail_usage(infos[excludes[i][0]].word,
					  "contradicts %s",
					  infos[excludes[i][1]].word);
	if (f->value[QUEUE_SECONDS] && !f->value[QUEUE_IF_FULL])
		return fail_usage(DR_FEAT_QUEUE_SECONDS, "needs "
				  DR_FEAT_QUEUE_IF_FULL);
	return DR_EXIT_OK;
}

/* @first: of the words that are features */
static int parse_features(const struct cmd_line *line, int first,
			  struct features *f)
{
	char thing[32];
	const char *text;
	int i, code = DR_EXIT_OK;

	for (i = 0; !code && i < NR_FEATURES; i++) {
		text = cli_option(line, infos[i].option);
		snprintf(thing, sizeof(thing), "--%s", infos[i].option);
		if (text)
			code = take_value(f, i, thing, *text ? text : NULL);
	}
	for (i = first; !code && i < line->argc; i++)
		code = take_feature(f, line->argv[i]);
	return code ? code : check_features(f);
}

/* "<origin> <delta> [<#words> <word>*]" */
static void make_params(const struct features *f, const struct volume *origin,
			const struct volume *delta, char *buf, size_t size)
{
	char words[160] = "";
	size_t n = 0;
	int i, nr = 0;

	for (i = 0; i < NR_FEATURES; i++) {
		if (!f->value[i])
			continue;
		nr += 1 + (infos[i].max || infos[i].choices);
		n += snprintf(words + n, sizeof(words) - n, " %s",
			      infos[i].word);
		if (infos[i].max)
			n += snprintf(words + n, sizeof(words) - n,
				      " %" PRIu64, f->value[i]);
		else if (infos[i].choices)
			n += snprintf(words + n, sizeof(words) - n, " %s",
				      infos[i].choices[f->value[i] - 1]);
	}
	n = snprintf(buf, size, "%u:%u %u:%u", major(origin->devno),
		     minor(origin->devno), major(delta->devno),
		     minor(delta->devno));
	if (nr)
		snprintf(buf + n, size - n, " %d%s", nr, words);
}

/* As the core calls it */
static uint8_t start_mode(const struct features *f)
{
	static const uint8_t modes[] = {
		DR_START_ORDINARY, DR_START_KEEP, DR_START_DISCARD,
	};

	return f->value[UNDOABLE] ? DR_START_UNDOABLE :
				    modes[f->value[NONPERSISTENT]];
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
	/* A commit brings its own, and one that was cut short a part of that. */
	if (sb->base_epoch || sb->commit_epoch) {
		warn(origin->path, "it has %s, not %.*s as at format: has a commit changed it?",
		     identity[0] ? identity : "no identity",
		     (int)sizeof(sb->origin_id), sb->origin_id);
		return DR_EXIT_OK;
	}
	return fail(DR_EXIT_OPERATIONAL, origin->path,
		    "give the origin that the delta was formatted for",
		    "wrong origin: it has %s, the delta was formatted for %.*s",
		    identity[0] ? identity : "no identity",
		    (int)sizeof(sb->origin_id), sb->origin_id);
}

/* The target refuses these, too, but in the kernel log. */
static int check_start(const char *delta, const struct features *f,
		       const struct dr_disk_super *sb, bool views)
{
	uint8_t mode = start_mode(f);
	struct dr_start s;

	dr_start_decode(&s, &sb->start);
	if (dr_start_passes_over(&s, mode))
		return fail(DR_EXIT_OPERATIONAL, delta,
			    "open it with --undoable, and close it with --keep or --discard",
			    "a session is open on it");
	if (views && dr_start_due(&s, mode))
		return fail(DR_EXIT_OPERATIONAL, delta,
			    "'dmdelta views' lists them: close them first",
			    "views of it are open: the device cannot begin anew");
	return DR_EXIT_OK;
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

/* Check both, and make the device. */
static int open_on(const char *name, struct features *features,
		   const struct volume *origin, const char *delta)
{
	struct dr_disk_super sb;
	enum volume_open how = how_to_open(delta);
	char params[256];
	struct delta d;
	int code = delta_open(&d, delta, how);

	if (code)
		return code;
	code = delta_super(&d, &sb);
	if (!code)
		code = check_origin(origin, &sb);
	if (!code)
		code = check_block(origin);
	if (!code)
		code = check_block(&d.volume);
	if (!code)
		code = check_start(delta, features, &sb, how == VOLUME_READ);
	make_params(features, origin, &d.volume, params, sizeof(params));
	/* The target will want the delta for itself. */
	delta_close(&d);
	return code ? code : create(name, &sb, params);
}

static int open_in_memory(const char *name, struct features *features,
			  const struct volume *origin, uint64_t bytes)
{
	struct memory_delta m;
	int code;

	/* What is given up shall be memory again. */
	features->value[DISCARD_PASSDOWN] = 1;
	code = check_block(origin);
	if (code)
		return code;
	code = memory_delta_open(bytes, origin, &m);
	if (!code)
		code = open_on(name, features, origin, m.path);
	memory_delta_close(&m);
	if (!code)
		warn(name, "all that is written to it is in memory, lost at close or power-off");
	return code;
}

int cmd_open(const struct cmd_line *line)
{
	const char *memory = cli_option(line, "memory"), *name;
	struct features features = { { 0 } };
	struct volume origin;
	uint64_t bytes = 0;
	int code = device_name(line->argv[0], &name);

	if (!code && memory)
		code = memory_delta_size(memory, &bytes);
	else if (!code && line->argc < 3)
		code = fail_usage("delta", "missing");
	if (!code)
		code = parse_features(line, memory ? 2 : 3, &features);
	if (!code)
		code = volume_open(&origin, line->argv[1], VOLUME_READ);
	if (code)
		return code;
	code = memory ? open_in_memory(name, &features, &origin, bytes) :
			open_on(name, &features, &origin, line->argv[2]);
	volume_close(&origin);
	return code;
}
