// SPDX-License-Identifier: GPL-2.0
/*
 * files-write.c - make objects as base has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli.h"
#include "files-write.h"

#define COPY_BYTES	(1024u * 1024)
#define ENTRY_FLAG_BITS	(FS_IMMUTABLE_FL | FS_APPEND_FL)

static const char *proc_name(const struct entry *e, char *buf, size_t size)
{
	snprintf(buf, size, "/proc/self/fd/%d", e->fd);
	return buf;
}

int write_rename(int from_dir, const char *from, int to_dir, const char *to,
		 unsigned int flags)
{
	return renameat2(from_dir, from, to_dir, to, flags) ? -errno : 0;
}

int write_flags(const struct entry *now, uint32_t flags)
{
	int fd, was, ret = 0;

	if (now->flags == flags || !(S_ISREG(now->mode) || S_ISDIR(now->mode)))
		return 0;
	fd = entry_reopen(now, O_RDONLY);
	if (fd < 0)
		return fd;
	if (ioctl(fd, FS_IOC_GETFLAGS, &was)) {
		ret = -errno;
	} else {
		was = (was & ~ENTRY_FLAG_BITS) | flags;
		if (ioctl(fd, FS_IOC_SETFLAGS, &was))
			ret = -errno;
	}
	close(fd);
	return ret;
}

int write_times(const struct entry *now, const struct entry *base)
{
	struct timespec t[2] = {
		{ base->atime.sec, base->atime.nsec },
		{ base->mtime.sec, base->mtime.nsec },
	};

	return utimensat(now->fd, "", t, AT_EMPTY_PATH) ? -errno : 0;
}

/* Labels that a security module gives cannot always be taken away. */
static bool may_stay(const char *name)
{
	return !strcmp(name, "security.selinux") ||
	       !strncmp(name, "security.SMACK64", 16);
}

static int write_xattr(struct entry *now, struct entry *base,
		       const char *name)
{
	const struct entry_xattr *x = entry_xattr(base, name);
	char proc[64];

	proc_name(now, proc, sizeof(proc));
	if (x)
		return setxattr(proc, name, x->value, x->size, 0) ? -errno : 0;
	if (removexattr(proc, name) && errno != ENODATA && !may_stay(name))
		return -errno;
	return 0;
}

static int write_all_xattrs(struct entry *now, struct entry *base)
{
	size_t i;
	int ret = entry_read_xattrs(base);

	if (!ret)
		ret = entry_read_xattrs(now);
	for (i = 0; !ret && i < now->nr_xattrs; i++)
		if (!entry_xattr(base, now->xattr[i].name))
			ret = write_xattr(now, base, now->xattr[i].name);
	for (i = 0; !ret && i < base->nr_xattrs; i++)
		if (!entry_same_xattr(now, base, base->xattr[i].name))
			ret = write_xattr(now, base, base->xattr[i].name);
	return ret;
}

static int write_xattrs(struct entry *now, struct entry *base,
			const char *names)
{
	int ret;

	if (!names)
		return write_all_xattrs(now, base);
	ret = entry_read_xattrs(base);
	for (; !ret && *names; names += strlen(names) + 1)
		ret = write_xattr(now, base, names);
	return ret;
}

/*
 * The order matters: a change of owner clears set-user-id and capabilities,
 * an ACL changes the mode, and the mode the ACL's mask.
 */
int write_attrs(struct entry *now, struct entry *base, unsigned int set,
		const char *xattrs)
{
	const struct entry_xattr *caps = NULL;
	uid_t uid = set & ENTRY_UID ? base->uid : (uid_t)-1;
	gid_t gid = set & ENTRY_GID ? base->gid : (gid_t)-1;
	mode_t mode = set & ENTRY_MODE ? base->mode : now->mode;
	bool owner = set & (ENTRY_UID | ENTRY_GID);
	char proc[64];
	int ret = 0;

	proc_name(now, proc, sizeof(proc));
	if (owner) {
		ret = entry_read_xattrs(now);
		if (!ret)
			caps = entry_xattr(now, ENTRY_CAPABILITY);
		if (!ret && fchownat(now->fd, "", uid, gid, AT_EMPTY_PATH))
			ret = -errno;
	}
	if (!ret && caps &&
	    setxattr(proc, ENTRY_CAPABILITY, caps->value, caps->size, 0))
		ret = -errno;
	if (!ret && (set & ENTRY_XATTRS))
		ret = write_xattrs(now, base, xattrs);
	if (!ret && (owner || (set & ENTRY_MODE)) && !S_ISLNK(now->mode) &&
	    chmod(proc, mode & 07777))
		ret = -errno;
	return ret;
}

static int write_full(int fd, const char *buf, size_t size, off_t at)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, buf + done, size - done, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += n;
	}
	return 0;
}

/* Holes stay holes. */
static int copy_content(int to, int from, off_t size, uint64_t *written)
{
	char *buf = malloc(COPY_BYTES);
	off_t at = 0, end;
	ssize_t n;
	int ret = buf ? 0 : -ENOMEM;

	while (!ret && at < size) {
		off_t data = lseek(from, at, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			break;
		at = data < 0 ? at : data;
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			end = size;
		while (!ret && at < end) {
			if (cancelled())
				ret = -ECANCELED;
			n = ret ? 0 : pread(from, buf, end - at < COPY_BYTES ?
					    end - at : COPY_BYTES, at);
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				if (!ret)
					ret = n ? -errno : -EIO;
				break;
			}
			ret = write_full(to, buf, n, at);
			at += n;
			*written += n;
		}
	}
	if (!ret && ftruncate(to, size))
		ret = -errno;
	free(buf);
	return ret;
}

/* The object that @fd is open on, as an entry of its own */
static int entry_of(int fd, struct entry *e)
{
	char proc[64];
	int dir, ret;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	dir = open(proc, O_PATH | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	ret = entry_of_path(dir, e);
	if (ret)
		close(dir);
	return ret;
}

static int finish(struct entry *made, struct entry *base)
{
	int ret = write_attrs(made, base, ENTRY_ATTRS, NULL);

	return ret ? ret : write_times(made, base);
}

/* Without a name until it is complete, where the file system can do that. */
static int open_unnamed(int dirfd, const char *temp, bool *named)
{
	int fd = openat(dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	*named = false;
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR ||
		       errno == EINVAL)) {
		*named = true;
		fd = openat(dirfd, temp, O_CREAT | O_EXCL | O_RDWR |
			    O_NOFOLLOW | O_CLOEXEC, 0600);
	}
	return fd < 0 ? -errno : fd;
}

static int give_name(int dirfd, const char *name, const char *temp,
		     const struct entry *made, bool named)
{
	char proc[64];

	if (named)
		return strcmp(name, temp) ?
		       write_rename(dirfd, temp, dirfd, name,
				    RENAME_NOREPLACE) : 0;
	proc_name(made, proc, sizeof(proc));
	return linkat(AT_FDCWD, proc, dirfd, name, AT_SYMLINK_FOLLOW) ?
	       -errno : 0;
}

static int write_regular(int dirfd, const char *name, const char *temp,
			 struct entry *base, uint64_t *written)
{
	struct entry made = ENTRY_NONE;
	bool named = false;
	int from, to, ret;

	from = entry_reopen(base, O_RDONLY | O_NOATIME);
	if (from < 0)
		return from;
	to = open_unnamed(dirfd, temp, &named);
	ret = to < 0 ? to : copy_content(to, from, base->size, written);
	if (!ret)
		ret = entry_of(to, &made);
	if (!ret)
		ret = finish(&made, base);
	if (!ret && fsync(to))
		ret = -errno;
	if (!ret)
		ret = give_name(dirfd, name, temp, &made, named);
	if (ret && named)
		unlinkat(dirfd, temp, 0);
	entry_close(&made);
	if (to >= 0)
		close(to);
	close(from);
	return ret;
}

static int make_node(int dirfd, const char *name, const struct entry *base)
{
	switch (base->mode & S_IFMT) {
	case S_IFDIR:
		return mkdirat(dirfd, name, 0700) ? -errno : 0;
	case S_IFLNK:
		return symlinkat(base->target, dirfd, name) ? -errno : 0;
	}
	return mknodat(dirfd, name, (base->mode & S_IFMT) | 0600,
		       base->rdev) ? -errno : 0;
}

int write_object(int dirfd, const char *name, const char *temp,
		 struct entry *base, uint64_t *written)
{
	struct entry made = ENTRY_NONE;
	int ret;

	if (S_ISREG(base->mode))
		return write_regular(dirfd, name, temp, base, written);
	ret = make_node(dirfd, temp, base);
	if (ret)
		return ret;
	ret = entry_open(dirfd, temp, &made);
	/* Who may write to the directory may have put something else there. */
	if (!ret && (!entry_there(&made) || made.uid != geteuid() ||
		     ((made.mode ^ base->mode) & S_IFMT)))
		ret = -ESTALE;
	if (!ret)
		ret = finish(&made, base);
	entry_close(&made);
	if (!ret && strcmp(name, temp))
		ret = write_rename(dirfd, temp, dirfd, name, RENAME_NOREPLACE);
	if (ret)
		unlinkat(dirfd, temp, S_ISDIR(base->mode) ? AT_REMOVEDIR : 0);
	return ret;
}
