// SPDX-License-Identifier: GPL-2.0
/*
 * log.c - the recording, in the format of the kernel's dm-log-writes.
 *
 * Why QEMU's blklogwrites wrote it and not dm-log-writes: it needs no module in
 * the guest, so that every kernel can be recorded, it sees what the virtual disk
 * sees and when, flushes of their own included, and it cannot be lost with the
 * guest. All that was acknowledged before a flush was issued stands before the
 * flush.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "marks.h"
#include "states.h"

#define LOG_MAGIC	0x6a736677736872ULL
enum { LOG_FLUSH = 1, LOG_FUA = 2, LOG_DISCARD = 4, LOG_MARK = 8 };

#define OWN_SECTORS	1048576u	/* of a state, more than it ever writes */
#define STALE		0x6b		/* a new disk, or what was discarded */

struct disk_super {
	__le64 magic;
	__le64 version;
	__le64 nr_entries;
	__le32 sector_size;
} __attribute__((packed));

struct disk_entry {
	__le64 sector;
	__le64 nr;
	__le64 flags;
	__le64 data_len;
} __attribute__((packed));

static void add(struct log *l, const struct rec *r)
{
	if (!(l->nr & (l->nr - 1)))
		l->rec = realloc(l->rec, (l->nr ? 2 * l->nr : 1) *
					 sizeof(*l->rec));
	l->rec[l->nr++] = *r;
}

static u64 key_of(const u8 *p)
{
	static const u8 zeroes[SIM_SECTOR];
	u64 key;

	if (!memcmp(p, zeroes, SIM_SECTOR))
		return KEY_ZERO;
	return stamp_read(p, &key) ? key : KEY_BAD;
}

static bool overlaps(const struct piece *p, u64 sector, u64 nr)
{
	return sector < p->start + p->nr && sector + nr > p->start;
}

/* What part of the entry lies in this piece, which begins at @at in the image */
static void add_piece(struct log *l, const struct piece *p, u32 at,
		      const struct disk_entry *e, u32 data)
{
	u64 first = le64toh(e->sector), end = first + le64toh(e->nr), x;
	struct rec r = { .kind = REC_WRITE };

	if (!overlaps(p, first, end - first))
		return;
	x = max(first, p->start);
	r.at = at + (x - p->start);
	r.nr = min(end, p->start + p->nr) - x;
	r.durable = le64toh(e->flags) & LOG_FUA;
	r.data = l->gone;
	if (!(le64toh(e->flags) & LOG_DISCARD)) {
		r.data = data + (x - first);
		for (x = 0; x < r.nr; x++)
			l->key[r.data + x] =
				key_of(sector_data(l, r.data + x));
	}
	add(l, &r);
}

static void add_entry(struct log *l, const struct disk_entry *e, u32 data)
{
	u64 first = le64toh(e->sector), nr = le64toh(e->nr);

	if (le64toh(e->flags) & LOG_FLUSH)
		add(l, &(struct rec){ .kind = REC_FLUSH });
	if (!nr)
		return;
	if (overlaps(&l->marks, first, nr) &&
	    !memcmp(sector_data(l, data), MARK_WORD, strlen(MARK_WORD)))
		add(l, &(struct rec){ .kind = REC_MARK, .data = data });
	add_piece(l, &l->origin, 0, e, data);
	add_piece(l, &l->delta, l->origin.nr, e, data);
}

/* The file, and room behind it, as one array of sectors */
static u32 map_file(struct log *l, const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	size_t len;
	u32 nr;

	if (fd < 0 || fstat(fd, &st))
		die("%s: %s", path, strerror(errno));
	nr = st.st_size / SIM_SECTOR;
	len = ((size_t)nr + OWN_SECTORS) * SIM_SECTOR;
	/* To whole pages: the last one of the file is copied. */
	l->arena = mmap(NULL, len, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->arena == MAP_FAILED ||
	    mmap(l->arena, st.st_size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		die("%s: %s", path, strerror(errno));
	close(fd);
	/* What lies behind the file in its last page is ours as well. */
	l->zero = (nr + 7) & ~7u;
	l->gone = l->zero + 1;
	l->own = l->zero + 8;
	l->max = nr + OWN_SECTORS - 8;
	l->key = malloc((size_t)(nr + OWN_SECTORS) * sizeof(*l->key));
	memset(l->key, 0xff, (size_t)(nr + OWN_SECTORS) * sizeof(*l->key));
	l->key[l->zero] = KEY_ZERO;
	memset(sector_data(l, l->gone), STALE, SIM_SECTOR);
	return nr;
}

void log_read(struct log *l, const char *path)
{
	u32 nr = map_file(l, path), at = 1;
	const struct disk_super *s = (void *)l->arena;
	const struct disk_entry *e;
	u64 data;

	if (!nr || le64toh(s->magic) != LOG_MAGIC || le64toh(s->version) != 1 ||
	    le32toh(s->sector_size) != SIM_SECTOR)
		die("%s: not a recording, or one with other sectors", path);
	/* Its number of entries is that of the last flush: it is not relied on. */
	while (at < nr) {
		e = (void *)sector_data(l, at);
		if (!le64toh(e->nr) && !le64toh(e->flags))
			break;
		if (le64toh(e->flags) & LOG_MARK)
			die("%s: a mark of dm-log-writes", path);
		data = le64toh(e->flags) & LOG_DISCARD ? 0 : le64toh(e->nr);
		if (data > nr - at - 1)
			break;
		add_entry(l, e, at + 1);
		at += 1 + data;
	}
}
