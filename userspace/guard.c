// SPDX-License-Identifier: GPL-2.0
/*
 * guard.c - a second process that cleans up when the first one dies.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "guard.h"

/* Where that is not to be had we go on: few have their root on the device. */
static void lock_memory(void)
{
	mlockall(MCL_CURRENT | MCL_FUTURE);
}

static void watch(int fd, void (*undo)(void *arg), void *arg, bool locked)
{
	char byte = 0;
	ssize_t n;

	setsid();
	prctl(PR_SET_NAME, "dmdelta-guard");
	/* What was locked before the fork is not here. */
	if (locked)
		lock_memory();
	do {
		n = write(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	do {
		n = read(fd, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		undo(arg);
	_exit(0);
}

static int start(struct guard *guard, void (*undo)(void *arg), void *arg,
		 bool locked)
{
	int fds[2], error;
	char byte;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
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
		watch(fds[0], undo, arg, locked);
	}
	close(fds[0]);
	guard->fd = fds[1];
	/* Signals are held; end of file: it is dead already. */
	if (read(guard->fd, &byte, 1) == 1)
		return 0;
	guard_stop(guard);
	return -ECHILD;
}

int guard_start(struct guard *guard, void (*undo)(void *arg), void *arg)
{
	return start(guard, undo, arg, false);
}

int guard_suspended(const char *name, int (*work)(void *arg),
		    void (*undo)(void *arg), void *arg)
{
	struct guard guard;
	int code, ret;

	if (cancelled())
		return fail_cancelled(name);
	hold_signals();
	lock_memory();
	ret = start(&guard, undo, arg, true);
	if (ret) {
		code = fail_errno(name, "fork", ret);
	} else {
		code = work(arg);
		guard_stop(&guard);
	}
	munlockall();
	release_signals();
	return code;
}

void guard_stop(struct guard *guard)
{
	ssize_t n = write(guard->fd, "", 1);

	(void)n;	/* the guard is gone: then there is nobody to tell */
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
