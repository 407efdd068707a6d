// SPDX-License-Identifier: GPL-2.0
/* act.c - good work and attacks, done to real files. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "model.h"

#define CHUNK	65536

static int wrong(const char *path, const char *what)
{
	fprintf(stderr, "corpus: %s: %s: %s\n", path, what, strerror(errno));
	return 1;
}

static void make_parents(const char *path)
{
	char dir[128];
	char *p = dir;

	snprintf(dir, sizeof(dir), "%s", path);
	while ((p = strchr(p, '/'))) {
		*p = 0;
		mkdir(dir, 0755);
		*p++ = '/';
	}
}

/* Bytes that are holes in the model are not written. */
static int write_range(const struct model *m, const struct file *f,
		       enum version version, int fd, uint64_t from, uint64_t to)
{
	static char buf[CHUNK], zero[CHUNK];
	uint64_t at, len;

	for (at = from; at < to; at += len) {
		len = CHUNK - at % CHUNK;
		if (len > to - at)
			len = to - at;
		file_content(m, f, version, at, buf, (len + 7) & ~7ull);
		if (!memcmp(buf, zero, len))
			continue;
		if (pwrite(fd, buf, len, at) != (ssize_t)len)
			return wrong(f->path, "write");
	}
	return 0;
}

static int set_attributes(const struct file *f, const char *path, int fd,
			  mode_t mode, bool xattr)
{
	char value[32];

	snprintf(value, sizeof(value), "of-%u", f->id);
	if (xattr && fsetxattr(fd, XATTR, value, strlen(value), 0))
		return wrong(path, "setxattr");
	if (fchown(fd, f->uid, f->gid) || fchmod(fd, mode))
		return wrong(path, "owner and mode");
	return 0;
}

/* A file is created, or opened with these flags, and written from end to end. */
static int write_file(const struct model *m, const struct file *f,
		      enum version version, const char *path, int flags)
{
	uint64_t size = file_size(f, version, m->attack);
	struct timespec times[2] = { { .tv_sec = f->mtime },
				     { .tv_sec = f->mtime } };
	int fd, ret;

	make_parents(path);
	fd = open(path, O_RDWR | O_CREAT | flags, 0600);
	if (fd < 0)
		return wrong(path, "open");
	ret = write_range(m, f, version, fd, 0, size);
	if (!ret && ftruncate(fd, size))
		ret = wrong(path, "truncate");
	if (!ret && version == BAD)
		ret = set_attributes(f, path, fd, f->bad_mode, false);
	else if (!ret)
		ret = set_attributes(f, path, fd, f->mode, f->xattr);
	if (!ret && version == BASE && futimens(fd, times))
		ret = wrong(path, "times");
	if (close(fd) && !ret)
		ret = wrong(path, "close");
	return ret;
}

/* Read, then written over where there is something: sizes and places stay. */
static int encrypt_in_place(const struct model *m, const struct file *f)
{
	uint64_t size = f->size, at = 0, to, len;
	static char buf[CHUNK];
	int fd = open(f->path, O_RDWR), ret = 0;
	off_t data, hole;

	if (fd < 0)
		return wrong(f->path, "open");
	while (!ret && at < size) {
		data = lseek(fd, at, SEEK_DATA);
		if (data < 0)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		to = hole < 0 || (uint64_t)hole > size ? size : (uint64_t)hole;
		for (at = data; !ret && at < to; at += len) {
			len = to - at > CHUNK ? CHUNK : to - at;
			if (pread(fd, buf, len, at) != (ssize_t)len)
				ret = wrong(f->path, "read");
			else
				ret = write_range(m, f, BAD, fd, at, at + len);
		}
	}
	if (close(fd) && !ret)
		ret = wrong(f->path, "close");
	return ret;
}

static int attack_file(const struct model *m, const struct file *f)
{
	char path[128];
	const char *slash;
	int ret;

	switch (m->attack) {
	case INPLACE:
		return f->second ? 0 : encrypt_in_place(m, f);
	case TRUNCATE:
		return f->second ? 0 :
		       write_file(m, f, BAD, f->path, O_TRUNC);
	case NEWFILE:
		snprintf(path, sizeof(path), "%s" LOCKED, f->path);
		ret = write_file(m, f, BAD, path, O_EXCL);
		if (!ret && unlink(f->path))
			ret = wrong(f->path, "unlink");
		return ret;
	default:
		slash = strrchr(f->path, '/');
		snprintf(path, sizeof(path), "%.*s/.tmp%u",
			 (int)(slash - f->path), f->path, f->id);
		ret = write_file(m, f, BAD, path, O_EXCL);
		if (!ret && rename(path, f->path))
			ret = wrong(f->path, "rename");
		return ret;
	}
}

/*
 * An epoch takes longer than a file system waits before it commits: what was
 * freed early in it is used again later.
 */
static void pause_after(int i)
{
	int fd;

	if (i % 32)
		return;
	fd = open(".", O_RDONLY | O_DIRECTORY);
	if (fd < 0 || syncfs(fd))
		perror("corpus: sync");
	if (fd >= 0)
		close(fd);
}

/* Files come in an order of their own in each epoch. */
static void shuffle(const struct model *m, uint64_t what, int *order)
{
	int i, j, t;

	for (i = 0; i < NR_FILES; i++)
		order[i] = i;
	for (i = NR_FILES - 1; i > 0; i--) {
		j = mix(m->seed, what, i) % (i + 1);
		t = order[i];
		order[i] = order[j];
		order[j] = t;
	}
}

int act_base(const struct model *m)
{
	int order[NR_FILES], i, ret = 0;
	const struct file *f, *other;

	shuffle(m, 101, order);
	for (i = 0; !ret && i < NR_FILES; i++) {
		f = &m->file[order[i]];
		if (f->role == NEW || f->second)
			continue;
		ret = write_file(m, f, BASE, f->path, O_EXCL);
		if (ret || f->other_name < 0)
			continue;
		other = &m->file[f->other_name];
		make_parents(other->path);
		if (link(f->path, other->path))
			ret = wrong(other->path, "link");
	}
	return ret;
}

int act_attack(const struct model *m)
{
	int order[NR_FILES], i, ret = 0;

	shuffle(m, 102, order);
	for (i = 0; !ret && i < NR_FILES; i++) {
		const struct file *f = &m->file[order[i]];

		if (f->role == VICTIM || f->role == REWRITTEN)
			ret = attack_file(m, f);
		pause_after(i);
	}
	return ret;
}

static int modify(const struct model *m, const struct file *f)
{
	int fd = open(f->path, O_RDWR), ret;

	if (fd < 0)
		return wrong(f->path, "open");
	ret = write_range(m, f, WORK, fd, f->patch_from,
			  f->patch_to < f->work_size ? f->patch_to :
			  f->work_size);
	if (close(fd) && !ret)
		ret = wrong(f->path, "close");
	return ret;
}

int act_work(const struct model *m)
{
	int order[NR_FILES], i, ret = 0;

	shuffle(m, 103, order);
	for (i = 0; !ret && i < NR_FILES; i++) {
		const struct file *f = &m->file[order[i]];

		if (f->role == NEW)
			ret = write_file(m, f, WORK, f->path, O_EXCL);
		else if (f->role == MODIFIED)
			ret = modify(m, f);
		else if (f->role == REWRITTEN)
			ret = write_file(m, f, WORK, f->path,
					 f->in_place ? 0 : O_TRUNC);
		else if (f->role == DELETED && unlink(f->path))
			ret = wrong(f->path, "unlink");
		pause_after(i);
	}
	return ret;
}
