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

int open_in_tree(const char *dir, const char *path, uint64_t flags)
{
	int root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	while (*path == '/')
		path++;
	fd = open_beneath(root, path, flags, BENEATH_PLAIN);
	close(root);
	return fd;
}

bool stat_in_tree(const char *dir, const char *path, struct stat *st)
{
	int fd = open_in_tree(dir, path, O_PATH | O_NOFOLLOW);
	bool good;

	if (fd < 0)
		return false;
	good = !fstat(fd, st);
	close(fd);
	return good;
}
