// SPDX-License-Identifier: GPL-2.0
/*
 * beneath.c - see beneath.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "beneath.h"

int open_beneath(int dirfd, const char *path, uint64_t flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC, .resolve = resolve,
	};
	int fd;

	/* -EAGAIN: a rename elsewhere made the kernel unsure */
	do {
		fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd < 0 ? -errno : fd;
}
