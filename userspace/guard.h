/* SPDX-License-Identifier: GPL-2.0 */
/*
 * guard.h - a second process that cleans up when the first one dies.
 *
 * While a device is suspended or a file system frozen, signals wait; SIGKILL
 * and our own crashes do not. The guard sleeps in read() on a socket that only
 * we can write to. We write a byte when all is well; end of file means that
 * we died, and the guard does what we cannot do any more.
 */
#ifndef DR_GUARD_H
#define DR_GUARD_H

#include <sys/types.h>

struct guard {
	pid_t pid;
	int fd;
};

/**
 * guard_start() - fork the guard; signals must be held (cli.h)
 * @undo: called in the guard if we die; open files are shared with us
 *
 * Return: 0 or a negative errno.
 */
int guard_start(struct guard *guard, void (*undo)(void *arg), void *arg);

/**
 * guard_suspended() - do what has a device suspended for a while
 * @work: suspends, and resumes in every case; returns an exit code
 * @undo: resumes, in the guard
 *
 * Signals are held meanwhile. The memory of both processes is locked: when the
 * root file system lies on the device, no page of ours could be read before the
 * resume that we are to make. Return: exit code, has said why.
 */
int guard_suspended(const char *name, int (*work)(void *arg),
		    void (*undo)(void *arg), void *arg);

/* All is well: end the guard and wait for it. */
void guard_stop(struct guard *guard);

#endif
