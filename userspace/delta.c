// SPDX-License-Identifier: GPL-2.0
/*
 * delta.c - the core over a delta device or an image of one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "delta.h"

static void env_report(void *ctx, const char *what, u64 block, const char *why)
{
	struct delta *d = (struct delta *)((char *)ctx -
					   offsetof(struct delta, file));

	d->file.reports++;
	snprintf(d->report, sizeof(d->report), "corrupt %s: %llu, %s", what,
		 (unsigned long long)block, why);
	if (d->on_report)
		d->on_report(what, block, why);
}

static bool env_cancelled(void *ctx)
{
	(void)ctx;
	return cancelled();
}

int delta_open(struct delta *d, const char *path, enum volume_open how)
{
	int code;

	memset(d, 0, sizeof(*d));
	code = volume_open(&d->volume, path, how);
	if (code)
		return code;
	d->nr_blocks = d->volume.bytes / DR_BLOCK_SIZE;
	if (dr_env_file_init(&d->env, &d->file, d->volume.fd)) {
		volume_close(&d->volume);
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	d->env.report = env_report;
	d->env.cancelled = env_cancelled;
	return DR_EXIT_OK;
}

void delta_close(struct delta *d)
{
	dr_env_file_exit(&d->file);
	volume_close(&d->volume);
}

int delta_fail(const struct delta *d, const char *doing, int error)
{
	const char *path = d->volume.path;

	switch (-error) {
	case EMEDIUMTYPE:
		return fail(DR_EXIT_OPERATIONAL, path,
			    "'dmdelta format' makes one",
			    "not formatted: not a delta device");
	case EUCLEAN:
		return fail(DR_EXIT_UNCORRECTED, path,
			    "keep a copy of it before anything else",
			    "%s: damaged%s%s", doing,
			    d->report[0] ? ", " : "", d->report);
	case EPROTONOSUPPORT:
		return fail(DR_EXIT_OPERATIONAL, path, "use a newer version",
			    "it has features that this version does not know");
	case ENXIO:
		return fail(DR_EXIT_OPERATIONAL, path,
			    "give it back the size it had",
			    "the device is smaller than when it was formatted");
	case EINTR:
		return fail_cancelled(path);
	}
	return fail_errno(path, doing, error);
}

int delta_super(struct delta *d, struct dr_disk_super *sb)
{
	int ret;

	/* A file that has no room for two superblocks holds nothing of ours. */
	ret = d->nr_blocks < 2 ? -EMEDIUMTYPE : dr_super_read(&d->env, sb);
	return ret ? delta_fail(d, "superblock", ret) : DR_EXIT_OK;
}

const char *delta_uuid(const u8 *uuid, char *buf)
{
	char *p = buf;
	int i;

	for (i = 0; i < 16; i++)
		p += sprintf(p, i == 4 || i == 6 || i == 8 || i == 10 ?
			     "-%02x" : "%02x", uuid[i]);
	return buf;
}
