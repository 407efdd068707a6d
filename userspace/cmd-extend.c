// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-extend.c - have the target use what the delta device has grown by.
 *
 * The target looks at the size of its delta device at each resume. So this is
 * a suspend and a resume, and all else here is to say what is going on. The
 * suspend neither writes out nor freezes, and is one with noflush: writes that
 * wait for space must go on waiting, and find it. With a flush they would fail.
 * Nothing that is read changes by it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "guard.h"
#include "output.h"
#include "parse.h"
#include "space.h"

#define PATH_SIZE	512

static const struct out_column columns[] = {
	{ "was_bytes", "used before", OUT_BYTES, OUT_BOTH },
	{ "total_bytes", "used now", OUT_BYTES, OUT_BOTH },
	{ "delta_bytes", "delta device", OUT_BYTES, OUT_BOTH },
	{ "unused_bytes", "of no use", OUT_BYTES, OUT_BOTH },
	{ "extended", NULL, OUT_BOOL, OUT_ONLY_JSON },
};

/* The block device that the delta is */
struct delta_info {
	unsigned int major, minor;
	char node[PATH_SIZE + 8];	/* for messages */
	uint64_t bytes;
	char file[PATH_SIZE];	/* behind a loop device, or "" */
	uint64_t file_bytes;
};

static int take_delta(uint64_t start, uint64_t sectors, const char *type,
		      const char *params, void *arg)
{
	struct delta_info *d = arg;

	(void)start;
	(void)sectors;
	(void)type;
	return sscanf(params, "%*s %u:%u", &d->major, &d->minor) == 2 ? 0 :
								   -EINVAL;
}

/* First line of a file in the device's folder in sysfs, or "" */
static void attribute(const struct delta_info *d, const char *name, char *buf)
{
	char path[PATH_SIZE];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", d->major,
		 d->minor, name);
	f = fopen(path, "re");
	if (!f || !fgets(buf, PATH_SIZE, f))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
}

static void name_node(struct delta_info *d)
{
	char path[PATH_SIZE], target[PATH_SIZE], *base;
	ssize_t n;

	attribute(d, "dm/name", target);
	if (target[0]) {
		mapper_node(target, d->node, sizeof(d->node));
		return;
	}
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", d->major,
		 d->minor);
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	base = strrchr(target, '/');
	snprintf(d->node, sizeof(d->node), "/dev/%s", base ? base + 1 : target);
}

static int find_delta(const char *name, struct delta_info *d)
{
	uint64_t sectors;
	char text[PATH_SIZE];
	struct stat st;
	int ret;

	memset(d, 0, sizeof(*d));
	ret = mapper_table(name, take_delta, d);
	if (ret)
		return device_fail(name, "table", ret);
	attribute(d, "size", text);
	if (parse_number(text, &sectors)) {
		snprintf(text, sizeof(text), "%u:%u", d->major, d->minor);
		return fail(DR_EXIT_OPERATIONAL, text, "is sysfs mounted?",
			    "the size of the delta device is not known");
	}
	d->bytes = sectors * SECTOR_BYTES;
	name_node(d);
	attribute(d, "loop/backing_file", d->file);
	if (d->file[0] && !stat(d->file, &st) && S_ISREG(st.st_mode))
		d->file_bytes = st.st_size;
	return DR_EXIT_OK;
}

static int check_state(const char *name, const struct device_status *s,
		       const struct delta_info *d)
{
	char was[32], is[32];

	if (strcmp(s->mode, DR_MODE_RW))
		return fail(DR_EXIT_OPERATIONAL, name,
			    "see the kernel log, then close and check it",
			    "the device has become read-only after an error");
	if (d->bytes / UNIT_BLOCK_BYTES >= s->total)
		return DR_EXIT_OK;
	out_size(s->total * UNIT_BLOCK_BYTES, was, sizeof(was));
	out_size(d->bytes, is, sizeof(is));
	return fail(DR_EXIT_OPERATIONAL, d->node,
		    "make it as large as it was, at once: what lies behind its end cannot be read",
		    "the delta device has shrunk: %s are in use, it has %s",
		    was, is);
}

static void report(const struct device_status *before,
		   const struct device_status *now, const struct delta_info *d)
{
	uint64_t total = now->total * UNIT_BLOCK_BYTES;

	out_record(columns, ARRAY_SIZE(columns), (struct out_value[]){
		out_number(before->total * UNIT_BLOCK_BYTES),
		out_number(total), out_number(d->bytes),
		out_maybe(d->bytes > total, d->bytes - total),
		out_number(now->total > before->total) });
}

static int not_grown(const struct device_status *s, const struct delta_info *d)
{
	char remedy[PATH_SIZE + 64];

	if (d->file_bytes > d->bytes) {
		snprintf(remedy, sizeof(remedy),
			 "'losetup -c %s', then this again", d->node);
		return fail(DR_EXIT_OPERATIONAL, d->node, remedy,
			    "its file %s has grown, the loop device has not",
			    d->file);
	}
	report(s, s, d);
	out_say("%s has not grown%s; enlarge it first (%s).", d->node,
		d->bytes / UNIT_BLOCK_BYTES > s->total ? " by as much as can be used" :
							 "",
		d->file[0] ? "truncate its file, losetup -c" :
		"lvextend, a larger partition");
	return DR_EXIT_OK;
}

static void resume_for_good(void *arg)
{
	mapper_resume(arg);
}

static int suspend_and_resume(void *arg)
{
	const char *name = arg;
	char remedy[DM_NAME_MAX + 32];
	int ret = mapper_suspend_quietly(name), code = DR_EXIT_OK;

	if (ret)
		code = device_fail(name, "suspend", ret);
	/* A suspend that failed may be half-way. */
	ret = mapper_resume(name);
	if (code || !ret)
		return code;
	snprintf(remedy, sizeof(remedy), "'dmsetup resume %s'", name);
	return fail(DR_EXIT_OPERATIONAL, name, remedy, "resume: %s",
		    strerror(-ret));
}

int cmd_extend(const struct cmd_line *line)
{
	struct device_status before, now;
	struct delta_info delta;
	const char *name;
	int code = device_name(line->argv[0], &name);

	if (!code)
		code = device_status(name, &before);
	if (!code)
		code = find_delta(name, &delta);
	if (!code)
		code = check_state(name, &before, &delta);
	if (code)
		return code;
	if (dr_space_usable(delta.bytes / UNIT_BLOCK_BYTES) <= before.total)
		return not_grown(&before, &delta);
	code = guard_suspended(name, suspend_and_resume, resume_for_good,
			       (char *)name);
	if (!code)
		code = device_status(name, &now);
	if (code)
		return code;
	if (now.total <= before.total)
		return fail(DR_EXIT_OPERATIONAL, name,
			    "see the kernel log, enlarge it by more, and try again",
			    "the target could not use what %s has grown by",
			    delta.node);
	report(&before, &now, &delta);
	return DR_EXIT_OK;
}
