// SPDX-License-Identifier: GPL-2.0
/*
 * memory.c - see memory.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "delta.h"
#include "loop.h"
#include "memory.h"
#include "output.h"
#include "parse.h"

#define OPTION	"--memory"

int memory_delta_size(const char *word, uint64_t *bytes)
{
	const char *problem = parse_size(word, 1, bytes);

	if (problem)
		return fail_usage(OPTION, "'%s': %s", word, problem);
	*bytes -= *bytes % DR_BLOCK_SIZE;
	return *bytes ? DR_EXIT_OK :
	       fail_usage(OPTION, "'%s': less than a block", word);
}

static int check_available(uint64_t bytes)
{
	uint64_t available = memory_available(fopen("/proc/meminfo", "re"));
	char asked[32], there[32];

	if (bytes <= available)
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, OPTION, "take less, or a delta device",
		    "%s asked for, %s available, swap included",
		    out_size(bytes, asked, sizeof(asked)),
		    out_size(available, there, sizeof(there)));
}

/* *@fd: a loop device of this size */
static int make_device(uint64_t bytes, int *fd)
{
	int file = memfd_create("dmdelta-delta", MFD_CLOEXEC), code;
	struct stat st;

	if (file < 0 || ftruncate(file, bytes))
		code = fail_errno(OPTION, "file in memory", -errno);
	else
		code = loop_attach(OPTION, file, fd, &st);
	if (file >= 0)
		close(file);
	return code;
}

static int format(const struct volume *origin, const char *path)
{
	struct delta_format f = { .slot_blocks = 1, .label = "" };
	struct delta d;
	int code = delta_open(&d, path, VOLUME_WRITE_EXCL);

	if (code)
		return code;
	d.volume.path = OPTION;
	code = delta_format(&d, origin, &f);
	delta_close(&d);
	return code;
}

int memory_delta_open(uint64_t bytes, const struct volume *origin,
		      struct memory_delta *m)
{
	int code;

	m->fd = -1;
	code = check_available(bytes);
	if (!code)
		code = make_device(bytes, &m->fd);
	if (code)
		return code;
	snprintf(m->path, sizeof(m->path), "/proc/self/fd/%d", m->fd);
	return format(origin, m->path);
}

void memory_delta_close(struct memory_delta *m)
{
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
}
