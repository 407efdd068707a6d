// SPDX-License-Identifier: GPL-2.0
/*
 * scratch.c - dm-snapshot over a loop device over a file without a name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli.h"
#include "device.h"
#include "loop.h"
#include "output.h"
#include "past/scratch.h"
#include "rests.h"
#include "volume.h"

#define CHUNK_SECTORS	8	/* 4 KiB: journals write small pieces */
#define MIN_BYTES	(1024u * 1024)

static const char remedy_size[] =
	"give more with --scratch-size, or another place with --scratch";

static const char remedy_memory[] =
	"--scratch-size takes less, --scratch names a folder on another disk";

/* What the command line says */
static struct {
	const char *where;	/* NULL: nothing */
	uint64_t bytes;		/* 0: nothing */
} asked;

/* --- where the copies lie ------------------------------------------------- */

struct parts {
	dev_t devs[3];		/* the device, its origin, its delta */
	size_t nr;
};

/* "<origin> <delta> ...": by number, as the kernel says it */
static int take_parts(uint64_t start, uint64_t sectors, const char *type,
		      const char *params, void *arg)
{
	unsigned int major[2], minor[2];
	struct parts *parts = arg;

	(void)start;
	(void)sectors;
	if (!strcmp(type, DR_TARGET_NAME) &&
	    sscanf(params, "%u:%u %u:%u", &major[0], &minor[0], &major[1],
		   &minor[1]) == 4) {
		parts->devs[parts->nr++] = makedev(major[0], minor[0]);
		parts->devs[parts->nr++] = makedev(major[1], minor[1]);
	}
	return 1;
}

/* The folder that a file which is not there yet will be in; allocated */
static char *folder_of(const char *where)
{
	const char *slash = strrchr(where, '/');
	struct stat st;

	if (!stat(where, &st))
		return strdup(where);
	return slash ? strndup(where, slash > where ? slash - where : 1) :
	       strdup(".");
}

int scratch_place(const char *device, const char **where)
{
	static bool said;
	struct mapper_info info;
	struct parts parts = { .nr = 1 };
	char *folder;
	bool rests;

	*where = asked.where ? asked.where : SCRATCH_DIR;
	if (!strcmp(*where, SCRATCH_MEMORY) || mapper_info(device, &info))
		return DR_EXIT_OK;
	parts.devs[0] = info.devno;
	mapper_table(device, take_parts, &parts);
	folder = folder_of(*where);
	if (!folder)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	rests = rests_on(folder, parts.devs, parts.nr);
	free(folder);
	if (!rests)
		return DR_EXIT_OK;
	if (asked.where)
		return fail(DR_EXIT_OPERATIONAL, *where,
			    "choose a place on another disk, or --scratch memory",
			    "it lies on %s: nothing may be written there now",
			    device);
	if (!said)
		warn(SCRATCH_DIR, "it lies on %s: taking memory; --scratch names another place",
		     device);
	said = true;
	*where = SCRATCH_MEMORY;
	return DR_EXIT_OK;
}

/* A file that nobody else can see; where the file system has none such, one
 * that is there for a moment.
 */
static int open_in(const char *dir)
{
	char path[PATH_MAX];
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR &&
			errno != EINVAL))
		return fd;
	if (snprintf(path, sizeof(path), "%s/.dmdelta-XXXXXX", dir) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static int open_new(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Of memory, by this command; it is not used yet, so nobody else counts it. */
static uint64_t promised;

/*
 * The most that a file gets unasked: of a disk half, and of memory less, as a
 * command may have three of them open. If more than all of the memory is asked
 * for, by all of them together, it is refused: a disk says that it is full, of
 * memory we would be killed.
 */
static int find_most(const char *where, int fd, uint64_t asked_bytes,
		     uint64_t *bytes)
{
	char asked_text[32], free_text[32];
	struct statvfs space;

	if (strcmp(where, SCRATCH_MEMORY)) {
		*bytes = fstatvfs(fd, &space) ? 0 :
			 (uint64_t)space.f_bavail * space.f_frsize / 2;
		return DR_EXIT_OK;
	}
	*bytes = memory_available(fopen("/proc/meminfo", "re"));
	promised += asked_bytes;
	if (promised > *bytes)
		return fail(DR_EXIT_OPERATIONAL, where, remedy_memory,
			    "%s asked for, by all layers together, %s available, swap included",
			    out_size(promised, asked_text, sizeof(asked_text)),
			    out_size(*bytes, free_text, sizeof(free_text)));
	*bytes /= 4;
	return DR_EXIT_OK;
}

static int set_size(const char *where, uint64_t bytes, uint64_t lower_bytes,
		    int fd)
{
	bool memory = !strcmp(where, SCRATCH_MEMORY);
	uint64_t most, whole = lower_bytes + lower_bytes / 32 + MIN_BYTES;
	int code;

	/* More than all of the device, and what the layer needs, is no use. */
	if (bytes > whole)
		bytes = whole;
	code = find_most(where, fd, bytes, &most);
	if (code)
		return code;
	if (!bytes)
		bytes = lower_bytes < most ? lower_bytes : most;
	bytes -= bytes % (CHUNK_SECTORS * SECTOR_BYTES);
	if (bytes < MIN_BYTES)
		return fail(DR_EXIT_OPERATIONAL, where,
			    memory ? remedy_memory : remedy_size,
			    "too little room for a scratch layer");
	if (ftruncate(fd, bytes))
		return fail(DR_EXIT_OPERATIONAL, where, remedy_size,
			    "scratch file: %s", strerror(errno));
	return DR_EXIT_OK;
}

/* Return: exit code. *@fd is a file of @bytes (0: chosen here). */
static int make_file(const char *where, uint64_t bytes, uint64_t lower_bytes,
		     int *fd)
{
	struct stat st;

	if (!strcmp(where, SCRATCH_MEMORY))
		*fd = memfd_create("dmdelta-scratch", MFD_CLOEXEC);
	else if (!stat(where, &st) && S_ISDIR(st.st_mode))
		*fd = open_in(where);
	else
		*fd = open_new(where);
	if (*fd < 0 && errno == EEXIST)
		return fail(DR_EXIT_OPERATIONAL, where,
			    "name a folder, or a file that is not there yet",
			    "the scratch file is there already");
	if (*fd < 0)
		return fail(DR_EXIT_OPERATIONAL, where,
			    "choose another place with --scratch",
			    "scratch file: %s", strerror(errno));
	return set_size(where, bytes, lower_bytes, *fd);
}

/* --- the layer -------------------------------------------------------------- */

static int make_layer(const struct volume *lower, dev_t cow, struct scratch *s)
{
	char params[96];
	struct mapper_target target = {
		.sectors = lower->bytes >> SECTOR_SHIFT,
		.type = "snapshot", .params = params,
	};
	struct layer_spec spec = {
		.kind = LAYER_SCRATCH, .of = "", .targets = &target, .nr = 1,
	};
	int code;

	/* N: its table of copies is in memory alone */
	snprintf(params, sizeof(params), "%u:%u %u:%u N %u",
		 major(lower->devno), minor(lower->devno), major(cow),
		 minor(cow), CHUNK_SECTORS);
	code = layer_open("scratch", &spec, &s->layer);
	if (code)
		return code;
	strcpy(s->name, s->layer.name);
	strcpy(s->node, s->layer.node);
	return DR_EXIT_OK;
}

int scratch_open(const char *lower, const char *where, struct scratch *s)
{
	int file = -1, loop = -1, code;
	struct volume volume;
	struct stat cow;

	memset(s, 0, sizeof(*s));
	s->layer.fd = -1;
	code = volume_open(&volume, lower, VOLUME_READ);
	if (code)
		return code;
	code = make_file(where, asked.bytes, volume.bytes, &file);
	if (!code)
		code = loop_attach("scratch", file, &loop, &cow);
	if (!code)
		code = make_layer(&volume, cow.st_rdev, s);
	/* The layer has the loop device now, the loop device the file. */
	if (loop >= 0)
		close(loop);
	if (file >= 0)
		close(file);
	volume_close(&volume);
	return code;
}

int scratch_close(struct scratch *s)
{
	layer_close(&s->layer);
	return DR_EXIT_OK;
}

int scratch_status(const char *name, bool *invalid, uint64_t *used_sectors,
		   uint64_t *total_sectors)
{
	char type[32], *params = NULL;
	uint64_t sectors;
	int ret = mapper_status(name, type, &sectors, &params);

	if (ret)
		return ret;
	*used_sectors = 0;
	*total_sectors = 0;
	*invalid = false;
	/* "<used>/<total> <metadata>", or a word when it is of no use */
	if (strcmp(type, "snapshot"))
		ret = -EINVAL;
	else if (sscanf(params, "%" SCNu64 "/%" SCNu64, used_sectors,
			total_sectors) != 2)
		*invalid = true;
	free(params);
	return ret;
}

int scratch_check(const struct scratch *s, const char *thing)
{
	uint64_t used, total;
	bool invalid;
	int ret = scratch_status(s->name, &invalid, &used, &total);

	if (ret)
		return fail_errno(thing, "scratch layer", ret);
	if (!invalid)
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, thing, remedy_size,
		    "the scratch layer is full");
}

int scratch_options(const struct cmd_line *line)
{
	const char *word = cli_option(line, "scratch-size"), *problem;

	asked.where = cli_option(line, "scratch");
	if (!word)
		return DR_EXIT_OK;
	problem = parse_size(word, 1, &asked.bytes);
	if (problem)
		return fail_usage("--scratch-size", "%s", problem);
	if (asked.bytes < MIN_BYTES)
		return fail_usage("--scratch-size", "less than 1 MiB");
	return DR_EXIT_OK;
}
