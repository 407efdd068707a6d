// SPDX-License-Identifier: GPL-2.0
/*
 * freeze.c - FIFREEZE and FITHAW, with nobody left frozen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "freeze.h"
#include "use.h"

/* Not /run/lock: there, anybody could hold our lock. */
#define LOCK_DIR	"/run/dmdelta"
#define BUSY_TRIES	50
#define BUSY_WAIT_NS	100000000L	/* 0.1 s */

enum { THAWED, TRYING, FROZEN };

/* Also in the guard: what was being tried when we died counts as frozen. */
static void thaw_all(void *arg)
{
	struct freeze *fr = arg;
	size_t i = fr->nr;

	while (i--) {
		if (fr->frozen[i] == THAWED)
			continue;
		if (!ioctl(fr->fs[i].fd, FITHAW, 0) || errno == EINVAL)
			fr->frozen[i] = THAWED;
	}
}

/* Somebody else may have it frozen for a moment, for a backup. */
static int freeze_one(struct freeze *fr, size_t i)
{
	struct timespec wait = { .tv_nsec = BUSY_WAIT_NS };
	int tries, ret = -EBUSY;

	for (tries = 0; ret == -EBUSY && tries < BUSY_TRIES; tries++) {
		if (tries)
			nanosleep(&wait, NULL);
		fr->frozen[i] = TRYING;
		ret = ioctl(fr->fs[i].fd, FIFREEZE, 0) ? -errno : 0;
		fr->frozen[i] = ret ? THAWED : FROZEN;
	}
	return ret;
}

static int freeze_all(struct freeze *fr)
{
	size_t i;

	for (i = 0; i < fr->nr; i++) {
		int ret = freeze_one(fr, i);

		fr->fs[i].error = ret;
		if (!ret)
			fr->nr_frozen++;
		else if (ret == -EOPNOTSUPP || ret == -ENOTTY)
			syncfs(fr->fs[i].fd);
		else
			return ret;
	}
	return 0;
}

static int open_file_systems(struct freeze *fr, dev_t devno, const char *name)
{
	struct use_mounts mounts;
	size_t i;
	int ret = use_mounts(devno, true, &mounts);

	if (ret)
		return fail_errno(name, "looking for mounts", ret);
	fr->fs = calloc(mounts.nr + 1, sizeof(*fr->fs));
	fr->frozen = mmap(NULL, mounts.nr + 1, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!fr->fs || fr->frozen == MAP_FAILED) {
		fr->frozen = NULL;
		use_mounts_free(&mounts);
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	for (i = 0; i < mounts.nr; i++) {
		struct freeze_fs *fs = &fr->fs[fr->nr];

		fs->fd = open(mounts.mounts[i].dir, O_RDONLY | O_CLOEXEC);
		if (fs->fd < 0) {
			ret = fail_errno(mounts.mounts[i].dir, "open", -errno);
			break;
		}
		fs->dir = mounts.mounts[i].dir;
		mounts.mounts[i].dir = NULL;
		fr->nr++;
	}
	use_mounts_free(&mounts);
	return ret;
}

/* Without the directory there is no lock; then FIFREEZE's EBUSY must do. */
static int take_lock(struct freeze *fr, dev_t devno, const char *name)
{
	char path[64];

	mkdir(LOCK_DIR, 0700);
	snprintf(path, sizeof(path), LOCK_DIR "/freeze-%u:%u", major(devno),
		 minor(devno));
	fr->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fr->lock < 0 || !flock(fr->lock, LOCK_EX))
		return DR_EXIT_OK;
	return errno == EINTR ? fail_cancelled(name) :
	       fail_errno(path, "lock", -errno);
}

static int fail_freeze(struct freeze *fr, int error)
{
	size_t i;

	for (i = 0; i < fr->nr - 1 && !fr->fs[i].error; i++)
		;
	if (error == -EBUSY)
		return fail(DR_EXIT_OPERATIONAL, fr->fs[i].dir,
			    "thaw it ('fsfreeze -u'), or use --no-freeze",
			    "somebody else keeps it frozen");
	return fail(DR_EXIT_OPERATIONAL, fr->fs[i].dir, "use --no-freeze",
		    "freeze: %s", strerror(-error));
}

int freeze_begin(struct freeze *fr, dev_t devno, const char *name)
{
	size_t i;
	int code, ret;

	memset(fr, 0, sizeof(*fr));
	fr->lock = -1;
	code = take_lock(fr, devno, name);
	if (!code)
		code = open_file_systems(fr, devno, name);
	if (!code && cancelled())
		code = fail_cancelled(name);
	if (code) {
		freeze_free(fr);
		return code;
	}
	/* Most of the writing happens before anybody has to wait for us. */
	for (i = 0; i < fr->nr; i++)
		syncfs(fr->fs[i].fd);
	hold_signals();
	ret = guard_start(&fr->guard, thaw_all, fr);
	if (ret) {
		release_signals();
		code = fail_errno(name, "fork", ret);
		freeze_free(fr);
		return code;
	}
	ret = freeze_all(fr);
	if (!ret)
		return DR_EXIT_OK;
	freeze_end(fr);
	code = fail_freeze(fr, ret);
	freeze_free(fr);
	return code;
}

int freeze_end(struct freeze *fr)
{
	size_t i;

	thaw_all(fr);
	guard_stop(&fr->guard);
	release_signals();
	for (i = 0; i < fr->nr; i++)
		if (fr->frozen[i] != THAWED)
			return fail(DR_EXIT_OPERATIONAL, fr->fs[i].dir,
				    "'fsfreeze -u' thaws it", "still frozen");
	return DR_EXIT_OK;
}

void freeze_free(struct freeze *fr)
{
	size_t i;

	for (i = 0; i < fr->nr; i++) {
		close(fr->fs[i].fd);
		free(fr->fs[i].dir);
	}
	if (fr->frozen)
		munmap(fr->frozen, fr->nr + 1);
	free(fr->fs);
	if (fr->lock >= 0)
		close(fr->lock);
}
