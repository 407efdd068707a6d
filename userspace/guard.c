// SPDX-License-Identifier: GPL-2.0
/*
 * guard.c - a second process that cleans up when the first one dies.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard.h"

static void watch(int fd, void (*undo)(void *arg), void *arg)
{
	char byte;
	ssize_t n;

	setsid();
	prctl(PR_SET_NAME, "dmdelta-guard");
	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		undo(arg);
	_exit(0);
}

int guard_start(struct guard *guard, void (*undo)(void *arg), void *arg)
{
	int fds[2], error;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	guard->pid = fork();
	if (guard->pid < 0) {
		error = errno;
		close(fds[0]);
		close(fds[1]);
		return -error;
	}
	if (!guard->pid) {
		close(fds[1]);
		watch(fds[0], undo, arg);
	}
	close(fds[0]);
	guard->fd = fds[1];
	return 0;
}

void guard_stop(struct guard *guard)
{
	ssize_t n = write(guard->fd, "", 1);

	(void)n;	/* the guard is gone: then there is nobody to tell */
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
