// SPDX-License-Identifier: GPL-2.0
/*
 * loop.c - see loop.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"
#include "loop.h"
#include "tool.h"

#define LOOP_TRIES	64	/* others take free loop devices, too */

uint64_t memory_available(FILE *f)
{
	unsigned long long kib;
	uint64_t bytes = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1 ||
		    sscanf(line, "SwapFree: %llu kB", &kib) == 1)
			bytes += kib * 1024;
	if (f)
		fclose(f);
	return bytes;
}

static int open_control(void)
{
	const char *const modprobe[] = { "modprobe", "-q", "loop", NULL };
	struct tool_result result;
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	tool_run(modprobe, &result);
	tool_free(&result);
	return open("/dev/loop-control", O_RDWR | O_CLOEXEC);
}

/*
 * Tie @file to a free loop device that lets go of it when nobody has it open
 * any more. Return: its descriptor, or -1.
 */
static int attach_one(int control, int file, struct stat *st)
{
	struct loop_config config = {
		.fd = file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
	};
	int number = ioctl(control, LOOP_CTL_GET_FREE), fd, error;
	char node[32];

	if (number < 0)
		return -1;
	snprintf(node, sizeof(node), "/dev/loop%d", number);
	fd = open(node, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!ioctl(fd, LOOP_CONFIGURE, &config) && !fstat(fd, st))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int loop_attach(const char *thing, int file, int *fd, struct stat *st)
{
	int control = open_control(), i, error;

	if (control < 0)
		return fail(DR_EXIT_OPERATIONAL, "/dev/loop-control",
			    "'modprobe loop'", "no loop devices: %s",
			    strerror(errno));
	for (i = 0; i < LOOP_TRIES; i++) {
		*fd = attach_one(control, file, st);
		error = errno;
		if (*fd >= 0 || error != EBUSY)
			break;
	}
	close(control);
	return *fd >= 0 ? DR_EXIT_OK :
	       fail_errno(thing, "loop device", -error);
}
