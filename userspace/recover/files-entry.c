// SPDX-License-Identifier: GPL-2.0
/*
 * files-entry.c - look at one object of a tree, compare two.
 *
 * Everything goes through an O_PATH descriptor, so that the object that was
 * looked at is the one that is read, and fifos and devices are not opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "beneath.h"
#include "cli.h"
#include "files-entry.h"

#define COMPARE_BYTES	(256u * 1024)
#define NAME_ROOM	32	/* of /proc/self/fd/<n> */

static int beneath(int dirfd, const char *path, uint64_t flags)
{
	return open_beneath(dirfd, path, flags,
			    BENEATH_PLAIN | RESOLVE_NO_XDEV);
}

static const char *proc_name(int fd, char *buf)
{
	snprintf(buf, NAME_ROOM, "/proc/self/fd/%d", fd);
	return buf;
}

static struct entry_time time_of(const struct statx_timestamp *t)
{
	return (struct entry_time){ t->tv_sec, t->tv_nsec };
}

static int read_target(struct entry *e)
{
	char buf[PATH_MAX];
	ssize_t len = readlinkat(e->fd, "", buf, sizeof(buf));

	if (len < 0)
		return -errno;
	e->target = strndup(buf, len);
	return e->target ? 0 : -ENOMEM;
}

int entry_of_path(int fd, struct entry *e)
{
	struct statx st;
	int ret = 0;

	*e = ENTRY_NONE;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st))
		return -errno;
	e->fd = fd;
	e->mode = st.stx_mode;
	e->uid = st.stx_uid;
	e->gid = st.stx_gid;
	e->nlink = st.stx_nlink;
	e->ino = st.stx_ino;
	e->size = st.stx_size;
	e->blocks = st.stx_blocks;
	e->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	e->rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor);
	e->atime = time_of(&st.stx_atime);
	e->mtime = time_of(&st.stx_mtime);
	e->ctime = time_of(&st.stx_ctime);
	if (st.stx_attributes & STATX_ATTR_IMMUTABLE)
		e->flags |= FS_IMMUTABLE_FL;
	if (st.stx_attributes & STATX_ATTR_APPEND)
		e->flags |= FS_APPEND_FL;
	if (S_ISLNK(e->mode))
		ret = read_target(e);
	if (ret)
		*e = ENTRY_NONE;
	return ret;
}

int entry_open(int dirfd, const char *name, struct entry *e)
{
	int fd, ret;

	*e = ENTRY_NONE;
	fd = beneath(dirfd, name, O_PATH | O_NOFOLLOW);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	ret = entry_of_path(fd, e);
	if (ret)
		close(fd);
	return ret;
}

void entry_close(struct entry *e)
{
	size_t i;

	if (e->fd >= 0)
		close(e->fd);
	for (i = 0; i < e->nr_xattrs; i++) {
		free(e->xattr[i].name);
		free(e->xattr[i].value);
	}
	free(e->xattr);
	free(e->target);
	*e = ENTRY_NONE;
}

/* The kernel takes paths below PATH_MAX; trees may be deeper. */
int entry_open_dir(int dirfd, const char *path)
{
	int fd = beneath(dirfd, ".", O_RDONLY | O_DIRECTORY), next;
	char piece[PATH_MAX / 2];

	while (fd >= 0 && *path) {
		size_t len = strlen(path);

		if (len >= sizeof(piece)) {
			len = sizeof(piece) - 1;
			while (len && path[len] != '/')
				len--;
			if (!len) {
				close(fd);
				return -ENAMETOOLONG;
			}
		}
		memcpy(piece, path, len);
		piece[len] = '\0';
		path += len;
		while (*path == '/')
			path++;
		next = beneath(fd, piece, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
		close(fd);
		fd = next;
	}
	return fd;
}

int entry_reopen(const struct entry *e, int flags)
{
	char name[NAME_ROOM];
	int fd = open(proc_name(e->fd, name), flags | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int by_name(const void *a, const void *b)
{
	const struct entry_xattr *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int read_xattr(const char *proc, const char *name,
		      struct entry_xattr *x)
{
	ssize_t size;

	do {
		size = getxattr(proc, name, NULL, 0);
		if (size < 0)
			return -errno;
		free(x->value);
		x->value = malloc(size + 1);
		if (!x->value)
			return -ENOMEM;
		size = getxattr(proc, name, x->value, size + 1);
	} while (size < 0 && errno == ERANGE);
	if (size < 0)
		return -errno;
	x->size = size;
	x->name = strdup(name);
	return x->name ? 0 : -ENOMEM;
}

int entry_read_xattrs(struct entry *e)
{
	char proc[NAME_ROOM], *list, *name;
	ssize_t size;
	size_t nr = 0;
	int ret = 0;

	if (e->has_xattrs)
		return 0;
	proc_name(e->fd, proc);
	size = listxattr(proc, NULL, 0);
	if (size < 0 && errno == EOPNOTSUPP)
		size = 0;
	if (size < 0)
		return -errno;
	list = malloc(size + 1);
	if (!list)
		return -ENOMEM;
	size = size ? listxattr(proc, list, size) : 0;
	if (size < 0)
		ret = -errno;
	for (name = list; !ret && name < list + size; name += strlen(name) + 1)
		nr++;
	e->xattr = calloc(nr + 1, sizeof(*e->xattr));
	if (!ret && !e->xattr)
		ret = -ENOMEM;
	for (name = list; !ret && name < list + size;
	     name += strlen(name) + 1) {
		ret = read_xattr(proc, name, &e->xattr[e->nr_xattrs]);
		/* Gone since it was listed */
		if (ret == -ENODATA)
			ret = 0;
		else
			e->nr_xattrs++;
	}
	free(list);
	if (ret)
		return ret;
	qsort(e->xattr, e->nr_xattrs, sizeof(*e->xattr), by_name);
	e->has_xattrs = true;
	return 0;
}

const struct entry_xattr *entry_xattr(const struct entry *e, const char *name)
{
	struct entry_xattr key = { .name = (char *)name };

	return e->nr_xattrs ? bsearch(&key, e->xattr, e->nr_xattrs,
				      sizeof(key), by_name) : NULL;
}

bool entry_same_xattr(const struct entry *a, const struct entry *b,
		      const char *name)
{
	const struct entry_xattr *x = entry_xattr(a, name);
	const struct entry_xattr *y = entry_xattr(b, name);

	if (!x || !y)
		return x == y;
	return x->size == y->size && !memcmp(x->value, y->value, x->size);
}

bool entry_same_xattrs(const struct entry *a, const struct entry *b)
{
	size_t i;

	if (a->nr_xattrs != b->nr_xattrs)
		return false;
	for (i = 0; i < a->nr_xattrs; i++)
		if (!entry_same_xattr(a, b, a->xattr[i].name))
			return false;
	return true;
}

static ssize_t read_full(int fd, char *buf, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, buf + done, size - done, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

/* Where data is next in either; what is a hole in both need not be read. */
static off_t next_data(int a, int b, off_t at, off_t size)
{
	off_t x = lseek(a, at, SEEK_DATA), y;

	if (x < 0)
		x = errno == ENXIO ? size : at;
	if (x == at)
		return at;
	y = lseek(b, at, SEEK_DATA);
	if (y < 0)
		y = errno == ENXIO ? size : at;
	return x < y ? x : y;
}

static bool unreadable(ssize_t ret)
{
	return ret == -EIO || ret == -EUCLEAN || ret == -EBADMSG;
}

/* Return: 1 different, 0 the same, or a negative errno. */
static int diff_bytes(int a, int b, off_t size, uint64_t *read_bytes)
{
	char *x = malloc(COMPARE_BYTES), *y = malloc(COMPARE_BYTES);
	ssize_t n, m;
	off_t at = 0;
	int ret = x && y ? 0 : -ENOMEM;

	while (!ret) {
		at = next_data(a, b, at, size);
		if (at >= size)
			break;
		if (cancelled()) {
			ret = -ECANCELED;
			break;
		}
		n = read_full(a, x, COMPARE_BYTES, at);
		m = read_full(b, y, COMPARE_BYTES, at);
		if (unreadable(n) && unreadable(m)) {
			at += COMPARE_BYTES;
			continue;
		}
		if (n < 0 || m < 0) {
			ret = unreadable(n) || unreadable(m) ? 1 :
			      n < 0 ? n : m;
			break;
		}
		*read_bytes += n + m;
		if (n != m || memcmp(x, y, n))
			ret = 1;
		if (!n)
			break;
		at += n;
	}
	free(x);
	free(y);
	return ret;
}

static int diff_files(struct entry *a, struct entry *b, uint64_t *read_bytes)
{
	int x, y, ret;

	if (a->size != b->size)
		return 1;
	if (!a->size)
		return 0;
	x = entry_reopen(a, O_RDONLY | O_NOATIME);
	y = x < 0 ? x : entry_reopen(b, O_RDONLY | O_NOATIME);
	ret = y < 0 ? y : diff_bytes(x, y, a->size, read_bytes);
	if (x >= 0)
		close(x);
	if (y >= 0)
		close(y);
	return ret;
}

static int diff_content(struct entry *a, struct entry *b,
			uint64_t *read_bytes)
{
	switch (a->mode & S_IFMT) {
	case S_IFREG:
		return diff_files(a, b, read_bytes);
	case S_IFLNK:
		return strcmp(a->target, b->target) != 0;
	case S_IFCHR:
	case S_IFBLK:
		return a->rdev != b->rdev;
	}
	return 0;
}

int entry_diff(struct entry *a, struct entry *b, uint64_t *read_bytes,
	       unsigned int *diff)
{
	int ret;

	*diff = 0;
	if ((a->mode ^ b->mode) & S_IFMT) {
		*diff = ENTRY_TYPE;
		return 0;
	}
	if (a->mode != b->mode)
		*diff |= ENTRY_MODE;
	if (a->uid != b->uid)
		*diff |= ENTRY_UID;
	if (a->gid != b->gid)
		*diff |= ENTRY_GID;
	if (a->flags != b->flags)
		*diff |= ENTRY_FLAGS;
	ret = entry_read_xattrs(a);
	if (!ret)
		ret = entry_read_xattrs(b);
	if (ret)
		return ret;
	if (!entry_same_xattrs(a, b))
		*diff |= ENTRY_XATTRS;
	ret = diff_content(a, b, read_bytes);
	if (ret > 0)
		*diff |= ENTRY_CONTENT;
	return ret < 0 ? ret : 0;
}

char entry_type(const struct entry *e)
{
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFCHR:
		return 'c';
	case S_IFBLK:
		return 'b';
	case S_IFIFO:
		return 'p';
	}
	return 's';
}

void entry_seen(const struct entry *e, struct files_seen *seen)
{
	memset(seen, 0, sizeof(*seen));
	seen->there = entry_there(e);
	if (!seen->there)
		return;
	seen->mode = e->mode;
	seen->uid = e->uid;
	seen->gid = e->gid;
	seen->ino = e->ino;
	seen->size = e->size;
	seen->mtime_sec = e->mtime.sec;
	seen->mtime_nsec = e->mtime.nsec;
	seen->ctime_sec = e->ctime.sec;
	seen->ctime_nsec = e->ctime.nsec;
}

/* The same for the same path in every run, whatever its length and bytes. */
const char *entry_temp_name(const char *path, char *buf)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (; *path; path++) {
		hash ^= (unsigned char)*path;
		hash *= 0x100000001b3ULL;
	}
	snprintf(buf, 64, ENTRY_TEMP "%016llx", (unsigned long long)hash);
	return buf;
}

const char *entry_split(const char *path, char **parent)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash > path ? slash - path - 1 : 0;

	*parent = strndup(path + 1, len);
	if (!*parent)
		return NULL;
	return slash[1] ? slash + 1 : ".";
}

int entry_open_path(int root, const char *path, struct entry *e)
{
	const char *name;
	char *parent;
	int fd, ret;

	*e = ENTRY_NONE;
	name = entry_split(path, &parent);
	if (!name)
		return -ENOMEM;
	fd = entry_open_dir(root, parent);
	free(parent);
	if (fd < 0)
		return fd;
	ret = entry_open(fd, name, e);
	close(fd);
	return ret ? ret : entry_there(e) ? 0 : -ENOENT;
}
