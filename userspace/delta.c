// SPDX-License-Identifier: GPL-2.0
/*
 * delta.c - the core over a delta device or an image of one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "delta.h"
#include "output.h"
#include "parse.h"

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

/* --- a new one ------------------------------------------------------------- */

/* The least number of blocks that leaves the usable ones format wants */
static u64 least_blocks(u32 slot_blocks)
{
	u64 min = dr_format_min_blocks(slot_blocks), blocks = min;

	while (dr_space_usable(blocks) < min)
		blocks++;
	return blocks;
}

static int check_sizes(const struct delta *d, const struct volume *origin,
		       u32 slot_blocks)
{
	u64 least = least_blocks(slot_blocks);
	char has[32], needs[32];

	if (!origin->bytes || origin->bytes % SECTOR_BYTES)
		return fail(DR_EXIT_OPERATIONAL, origin->path, NULL,
			    "size is not a multiple of a sector (512 bytes)");
	if (d->nr_blocks >= least)
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, d->volume.path,
		    "use a larger one",
		    "too small: it has %s (%llu bytes), at least %s (%llu bytes) are needed",
		    out_size(d->volume.bytes, has, sizeof(has)),
		    (unsigned long long)d->volume.bytes,
		    out_size(least * DR_BLOCK_SIZE, needs, sizeof(needs)),
		    (unsigned long long)least * DR_BLOCK_SIZE);
}

static int write_store(struct delta *d, const struct dr_format_params *p,
		       bool force)
{
	int ret = force ? volume_wipe(&d->volume) : 0;

	if (ret)
		return fail_errno(d->volume.path, "erasing signatures", ret);
	hold_signals();
	ret = dr_format(&d->env, p);
	if (!ret && fsync(d->volume.fd))
		ret = -errno;
	release_signals();
	return ret ? delta_fail(d, "format", ret) : DR_EXIT_OK;
}

int delta_format(struct delta *d, const struct volume *origin,
		 struct delta_format *f)
{
	struct dr_format_params p = {
		.slot_blocks = f->slot_blocks,
		.origin_sectors = origin->bytes >> SECTOR_SHIFT,
		.delta_blocks = d->nr_blocks,
		.now = time(NULL),
		.label = f->label,
		.origin_id = f->origin_id,
	};
	int code = check_sizes(d, origin, f->slot_blocks);

	if (code)
		return code;
	volume_identity(origin, f->origin_id, sizeof(f->origin_id));
	if (getrandom(f->uuid, sizeof(f->uuid), 0) != sizeof(f->uuid))
		return fail_errno("uuid", "random numbers", -errno);
	/* RFC 4122: version 4, variant 1 */
	f->uuid[6] = (f->uuid[6] & 0x0f) | 0x40;
	f->uuid[8] = (f->uuid[8] & 0x3f) | 0x80;
	memcpy(p.uuid, f->uuid, sizeof(p.uuid));
	if (cancelled())
		return fail_cancelled(d->volume.path);
	return write_store(d, &p, f->force);
}
