// SPDX-License-Identifier: GPL-2.0
/*
 * owncheck.c - hold a map of owners against the device and the mounted file
 * system that it was made of. The device is read directly: its page cache may
 * keep what was metadata before the block became a file's.
 *
 * usage: owncheck write FILE START COUNT [STEP]
 *            COUNT blocks of 4 KiB from block START on, every STEPth; each
 *            sector begins with a tag that no other sector has
 *        owncheck check MAP DEVICE DIR
 *            MAP: lines of start, sectors, kind, flags, path, what, offset,
 *            with tabs between them; "-" for none
 *
 * What check wants:
 *   1. the map covers the device without gap or overlap;
 *   2. what the map says to be data of a file is, byte for byte, what a read
 *      of the file gives;
 *   3. each sector of each file that does not read as zeros is in the map
 *      once, but for what FIEMAP calls inline, encoded or shared (then it may
 *      be another file's in the map);
 *   4. no sector with a tag belongs to metadata or to nobody known. (In free
 *      space and in a journal there may be old ones.)
 *
 * Exit status: 0 so it is, 1 not (says what), 2 trouble.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR		512
#define BLOCK		4096
#define CHUNK		1048576
#define TAG		"OwnerTag"
#define MAX_SAID	20

struct line {
	uint64_t start, sectors, offset;
	char kind[16], *path, *what;
	bool encoded;
};

static struct line *lines;
static size_t nr_lines;
static const char *top;
static int device;
static unsigned long nr_wrong, nr_compared, nr_files, nr_tags;
static unsigned char *one, *two;

/* Names of files with several: the first in strcmp order counts. */
static struct name {
	ino_t ino;
	dev_t dev;
	char *path;
} *names;
static size_t nr_names;

static void die(const char *what)
{
	fprintf(stderr, "owncheck: %s: %s\n", what, strerror(errno));
	exit(2);
}

__attribute__((format(printf, 1, 2)))
static void wrong(const char *format, ...)
{
	va_list args;

	if (nr_wrong++ >= MAX_SAID)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void *grow(void *array, size_t nr, size_t size)
{
	if (nr & (nr - 1))
		return array;
	array = reallocarray(array, nr ? 2 * nr : 1, size);
	if (!array)
		die("memory");
	return array;
}

/* --- write ----------------------------------------------------------------- */

static int write_tags(int argc, char **argv)
{
	uint64_t block = strtoull(argv[3], NULL, 0), at;
	uint64_t count = strtoull(argv[4], NULL, 0);
	uint64_t step = argc > 5 ? strtoull(argv[5], NULL, 0) : 1;
	unsigned char buf[BLOCK];
	struct stat st;
	size_t i;
	int fd = open(argv[2], O_RDWR | O_CREAT, 0644);

	if (fd < 0 || fstat(fd, &st))
		die(argv[2]);
	for (; count--; block += step) {
		for (i = 0; i < BLOCK; i += SECTOR) {
			memset(buf + i, 'a' + block % 26, SECTOR);
			memcpy(buf + i, TAG, 8);
			at = block * BLOCK + i;
			memcpy(buf + i + 8, &st.st_ino, 8);
			memcpy(buf + i + 16, &at, 8);
			/* files that are made again have other content */
			memcpy(buf + i + 24, &st.st_ctim, 16);
		}
		if (pwrite(fd, buf, BLOCK, block * BLOCK) != BLOCK)
			die(argv[2]);
	}
	return close(fd) ? 2 : 0;
}

/* --- the map --------------------------------------------------------------- */

static void load(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL, *field[7], *p;
	size_t room = 0;
	int i;

	if (!f)
		die(path);
	while (getline(&text, &room, f) > 0) {
		text[strcspn(text, "\n")] = '\0';
		p = text;
		for (i = 0; i < 7 && p; i++)
			field[i] = strsep(&p, "\t");
		if (i < 7)
			die("a line of the map is too short");
		lines = grow(lines, nr_lines, sizeof(*lines));
		lines[nr_lines] = (struct line){
			.start = strtoull(field[0], NULL, 10),
			.sectors = strtoull(field[1], NULL, 10),
			.encoded = strstr(field[3], "encoded"),
			.path = strdup(field[4]),
			.what = strdup(field[5]),
			.offset = strtoull(field[6], NULL, 10),
		};
		snprintf(lines[nr_lines].kind, sizeof(lines->kind), "%s",
			 field[2]);
		nr_lines++;
	}
	free(text);
	fclose(f);
}

static bool is_data(const struct line *l)
{
	return !strcmp(l->kind, "file");
}

static void check_cover(void)
{
	uint64_t end = 0, sectors;
	size_t i;

	if (ioctl(device, BLKGETSIZE64, &sectors))
		die("size");
	sectors /= SECTOR;
	for (i = 0; i < nr_lines; i++) {
		if (lines[i].start != end)
			wrong("sector %" PRIu64 " follows %" PRIu64,
			      lines[i].start, end);
		end = lines[i].start + lines[i].sectors;
	}
	if (end != sectors)
		wrong("the map ends at %" PRIu64 ", not %" PRIu64, end,
		      sectors);
}

/* --- 2: from the map to the files ------------------------------------------ */

static void compare_link(const struct line *l, const char *path)
{
	ssize_t len = readlink(path, (char *)two, CHUNK);

	/* xfs has a header before the text */
	if (len < 0 || pread(device, one, BLOCK, l->start * SECTOR) < 0 ||
	    !memmem(one, BLOCK, two, len))
		wrong("%s: its link is not at %" PRIu64, l->path, l->start);
}

static void compare_data(const struct line *l, int fd)
{
	uint64_t done = 0, bytes = l->sectors * SECTOR;
	ssize_t want, got;

	for (; done < bytes; done += CHUNK) {
		want = bytes - done < CHUNK ? bytes - done : CHUNK;
		got = pread(fd, two, want, l->offset + done);
		if (got < 0 ||
		    pread(device, one, want, l->start * SECTOR + done) != want)
			die(l->path);
		nr_compared += got / SECTOR;
		nr_tags += got && !memcmp(one, TAG, 8);
		if (memcmp(one, two, got))
			wrong("%s: at %" PRIu64 " is not its offset %" PRIu64,
			      l->path, l->start, l->offset);
	}
}

static void check_line(const struct line *l)
{
	struct stat st;
	char *path;
	int fd;

	if (!is_data(l) || l->encoded)
		return;
	if (!strcmp(l->path, "-")) {
		wrong("%" PRIu64 ": a file without a name", l->start);
		return;
	}
	if (asprintf(&path, "%s%s", top, l->path) < 0)
		die("memory");
	if (lstat(path, &st)) {
		wrong("%s: there is no such file", l->path);
	} else if (S_ISLNK(st.st_mode)) {
		compare_link(l, path);
	} else {
		fd = open(path, O_RDONLY);
		if (fd < 0)
			die(path);
		compare_data(l, fd);
		close(fd);
	}
	free(path);
}

/* --- 3: from the files to the map ------------------------------------------ */

/* Has the extent at @offset, or the next one, the flag? */
static bool extent_is(int fd, uint64_t offset, uint32_t flag)
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent;
	} m = { .map = { .fm_start = offset, .fm_length = ~0ull - offset,
			 .fm_extent_count = 1 } };

	return !ioctl(fd, FS_IOC_FIEMAP, &m) && m.map.fm_mapped_extents &&
	       m.extent.fe_flags & flag;
}

static int by_path(const void *a, const void *b)
{
	const struct line *x = *(struct line **)a, *y = *(struct line **)b;
	int cmp = strcmp(x->path, y->path);

	if (cmp)
		return cmp;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static struct line **sorted;
static size_t nr_sorted;

/* Does the map have the sector of the file, and once? */
static bool covered(const char *path, uint64_t offset)
{
	size_t low = 0, high = nr_sorted, mid, found = 0;
	int cmp;

	while (low < high) {
		mid = low + (high - low) / 2;
		cmp = strcmp(sorted[mid]->path, path);
		if (cmp < 0 || (!cmp && sorted[mid]->offset +
				sorted[mid]->sectors * SECTOR <= offset))
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < nr_sorted && !strcmp(sorted[low]->path, path) &&
	     sorted[low]->offset <= offset; low++)
		found++;
	return found == 1;
}

static void check_file(const struct name *n)
{
	const char *path = n->path + strlen(top);
	static const char zeros[SECTOR];
	uint64_t at = 0;
	ssize_t got, i;
	int fd = open(n->path, O_RDONLY);

	if (fd < 0)
		die(n->path);
	nr_files++;
	if (extent_is(fd, 0, FIEMAP_EXTENT_DATA_INLINE)) {
		close(fd);
		return;
	}
	while ((got = pread(fd, one, CHUNK, at)) > 0) {
		memset(one + got, 0, SECTOR);
		for (i = 0; i < got; i += SECTOR)
			if (memcmp(one + i, zeros, SECTOR) &&
			    !covered(path, at + i) &&
			    !extent_is(fd, at + i, FIEMAP_EXTENT_SHARED |
				       FIEMAP_EXTENT_ENCODED))
				wrong("%s: offset %" PRIu64 " is not in the map once",
				      path, at + i);
		at += got;
	}
	close(fd);
}

static int each(const char *path, const struct stat *st, int type,
		struct FTW *ftw)
{
	(void)ftw;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		return 0;
	names = grow(names, nr_names, sizeof(*names));
	names[nr_names++] = (struct name){ st->st_ino, st->st_dev,
					   strdup(path) };
	return 0;
}

static int by_inode(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return strcmp(x->path, y->path);
}

static void check_files(void)
{
	size_t i;

	sorted = calloc(nr_lines + 1, sizeof(*sorted));
	if (!sorted)
		die("memory");
	for (i = 0; i < nr_lines; i++)
		if (is_data(&lines[i]))
			sorted[nr_sorted++] = &lines[i];
	qsort(sorted, nr_sorted, sizeof(*sorted), by_path);
	if (nftw(top, each, 32, FTW_PHYS))
		die(top);
	qsort(names, nr_names, sizeof(*names), by_inode);
	for (i = 0; i < nr_names; i++)
		if (!i || names[i].ino != names[i - 1].ino ||
		    names[i].dev != names[i - 1].dev)
			check_file(&names[i]);
}

/* --- 4: from the device to the map ------------------------------------------ */

static void check_tags(const struct line *l)
{
	uint64_t done, bytes = l->sectors * SECTOR;
	ssize_t want, i;

	if (strcmp(l->kind, "metadata") && strcmp(l->kind, "unknown"))
		return;
	for (done = 0; done < bytes; done += CHUNK) {
		want = bytes - done < CHUNK ? bytes - done : CHUNK;
		if (pread(device, one, want, l->start * SECTOR + done) != want)
			die("device");
		for (i = 0; i < want; i += SECTOR) {
			if (!memcmp(one + i, TAG, 8))
				wrong("data at %" PRIu64 " belongs to %s",
				      l->start + (done + i) / SECTOR, l->what);
		}
	}
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc >= 5 && !strcmp(argv[1], "write"))
		return write_tags(argc, argv);
	if (argc != 5 || strcmp(argv[1], "check")) {
		fprintf(stderr,
			"usage: owncheck write FILE START COUNT [STEP]\n"
			"       owncheck check MAP DEVICE DIR\n");
		return 2;
	}
	one = aligned_alloc(BLOCK, CHUNK + BLOCK);
	two = aligned_alloc(BLOCK, CHUNK + BLOCK);
	top = argv[4];
	device = open(argv[3], O_RDONLY | O_DIRECT);
	if (device < 0 || !one || !two)
		die(argv[3]);
	load(argv[2]);
	check_cover();
	for (i = 0; i < nr_lines; i++) {
		check_line(&lines[i]);
		check_tags(&lines[i]);
	}
	check_files();
	printf("%zu extents, %lu files, %lu sectors compared, %lu tags, %lu wrong\n",
	       nr_lines, nr_files, nr_compared, nr_tags, nr_wrong);
	if (!nr_compared || !nr_files || !nr_tags)
		wrong("nothing was compared");
	return nr_wrong ? 1 : 0;
}
