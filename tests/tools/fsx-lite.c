// SPDX-License-Identifier: GPL-2.0
/*
 * fsx-lite.c - random operations on a file or block device, each held against
 * a copy in memory; in the spirit of fsx, which Debian 12 does not have.
 *
 * usage: fsx-lite [option...] FILE
 *   -N n      operations (default 1000)
 *   -S n      seed (default 1)
 *   -l bytes  largest size of a file (default 262144)
 *   -o bytes  largest operation (default 65536)
 *   -a bytes  offsets and lengths are multiples of it (default 1; 512 with -d)
 *   -d        O_DIRECT
 *   -b        FILE is a block device: read, write, flush, discard, zero
 *   -B bytes  -b: a discard zeroes whole blocks of this size (default 4096)
 *   -n        neither discards nor zeroes
 *   -m FILE   the expected content: read at the beginning if it is there,
 *             written at the end
 *   -c        check only: hold FILE against -m, no operations
 *
 * Exit status: 0 all as expected, 1 not (says what and where), 2 trouble.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NR_NOTES	24	/* operations that are told after a failure */
#define WHOLE		1048576u

static struct {
	const char *path, *mirror;
	long ops;
	uint64_t max_size, max_op, align, block;
	bool direct, device, plain, check;
} opt = { .ops = 1000, .max_size = 262144, .max_op = 65536, .block = 4096 };

static int fd;
static uint8_t *good;		/* what FILE should hold: [0, size) */
static uint8_t *buf;		/* aligned for O_DIRECT */
static uint64_t size;
static uint64_t state;
static char notes[NR_NOTES][96];
static long nr_notes;

static void die(const char *what)
{
	fprintf(stderr, "fsx-lite: %s: %s: %s\n", opt.path, what,
		strerror(errno));
	exit(2);
}

static void tell(void)
{
	long i = nr_notes > NR_NOTES ? nr_notes - NR_NOTES : 0;

	for (; i < nr_notes; i++)
		fprintf(stderr, "  %ld: %s\n", i, notes[i % NR_NOTES]);
}

static void note(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(notes[nr_notes++ % NR_NOTES], sizeof(notes[0]), format, ap);
	va_end(ap);
}

/* xorshift64*: the same everywhere */
static uint64_t rnd(uint64_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return below ? (state * 0x2545f4914f6cdd1dULL >> 16) % below : 0;
}

static void compare(const uint8_t *got, uint64_t at, uint64_t len)
{
	uint64_t i, wrong = 0, first = len, last = 0;

	if (!memcmp(got, good + at, len))
		return;
	for (i = 0; i < len; i++) {
		if (got[i] == good[at + i])
			continue;
		first = first < i ? first : i;
		last = i;
		wrong++;
	}
	fprintf(stderr,
		"fsx-lite: %s: %llu wrong bytes in %llu..%llu (sectors %llu..%llu), the first is %02x, should be %02x; seed-driven operations:\n",
		opt.path, (unsigned long long)wrong,
		(unsigned long long)(at + first),
		(unsigned long long)(at + last),
		(unsigned long long)(at + first) >> 9,
		(unsigned long long)(at + last) >> 9, got[first],
		good[at + first]);
	tell();
	exit(1);
}

static void do_read(uint64_t at, uint64_t len)
{
	ssize_t n = pread(fd, buf, len, at);

	if (n < 0)
		die("read");
	if ((uint64_t)n != len) {
		fprintf(stderr, "fsx-lite: short read at %llu: %zd of %llu\n",
			(unsigned long long)at, n, (unsigned long long)len);
		tell();
		exit(1);
	}
	compare(buf, at, len);
}

static void check_all(void)
{
	uint64_t at, len;
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	if (!opt.device && (uint64_t)st.st_size != size) {
		fprintf(stderr, "fsx-lite: size is %lld, should be %llu\n",
			(long long)st.st_size, (unsigned long long)size);
		tell();
		exit(1);
	}
	for (at = 0; at < size; at += len) {
		len = size - at < WHOLE ? size - at : WHOLE;
		do_read(at, len);
	}
}

static void fill(uint64_t at, uint64_t len)
{
	uint64_t i, word = rnd(0) + state;

	/* Words that tell where they were meant to be */
	for (i = 0; i < len; i++) {
		if (i % 8 == 0)
			word = word * 0x9e3779b97f4a7c15ULL + at + i;
		buf[i] = word >> (i % 8 * 8);
	}
}

static void extend(uint64_t to)
{
	if (to <= size)
		return;
	memset(good + size, 0, to - size);
	size = to;
}

static void do_write(uint64_t at, uint64_t len)
{
	fill(at, len);
	if (pwrite(fd, buf, len, at) != (ssize_t)len)
		die("write");
	extend(at + len);
	memcpy(good + at, buf, len);
}

static void do_map(uint64_t at, uint64_t len, bool write)
{
	uint64_t page = at & ~4095ULL;
	uint8_t *map;

	if (write && at + len > size && ftruncate(fd, at + len))
		die("truncate");
	if (write)
		extend(at + len);
	map = mmap(NULL, at + len - page, PROT_READ | (write ? PROT_WRITE : 0),
		   MAP_SHARED, fd, page);
	if (map == MAP_FAILED)
		die("mmap");
	if (write) {
		fill(at, len);
		memcpy(map + (at - page), buf, len);
		memcpy(good + at, buf, len);
		if (rnd(2) && msync(map, at + len - page, MS_SYNC))
			die("msync");
	} else {
		compare(map + (at - page), at, len);
	}
	munmap(map, at + len - page);
}

static void do_truncate(uint64_t to)
{
	if (ftruncate(fd, to))
		die("truncate");
	extend(to);
	size = to;
}

static void do_fallocate(uint64_t at, uint64_t len, int mode)
{
	if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, at, len)) {
		if (errno == EOPNOTSUPP)
			return;
		die("fallocate");
	}
	if (mode)
		memset(good + at, 0, len);
}

static void do_blk(uint64_t at, uint64_t len, bool discard)
{
	uint64_t range[2] = { at, len }, end = at + len;

	if (ioctl(fd, discard ? BLKDISCARD : BLKZEROOUT, range))
		die(discard ? "discard" : "zero");
	if (discard) {
		at = (at + opt.block - 1) / opt.block * opt.block;
		end = end / opt.block * opt.block;
	}
	if (at < end)
		memset(good + at, 0, end - at);
}

/* A range inside [0, limit), or *len 0 */
static void pick(uint64_t limit, uint64_t *at, uint64_t *len)
{
	uint64_t a = opt.align, nr = limit / a, max = opt.max_op / a;

	*at = *len = 0;
	if (!nr || !max)
		return;
	*at = rnd(nr);
	/* Half of them are small, some begin or end on a whole block. */
	*len = 1 + rnd(rnd(2) ? max : (max + 15) / 16);
	if (!rnd(4) && opt.block >= a)
		*at -= *at % (opt.block / a);
	if (!rnd(4) && opt.block > a && *len > opt.block / a)
		*len -= *len % (opt.block / a);
	if (*at + *len > nr)
		*len = nr - *at;
	*at *= a;
	*len *= a;
}

static void step_device(void)
{
	unsigned int what = rnd(100);
	uint64_t at, len;

	pick(size, &at, &len);
	if (!opt.plain && what >= 80 && what < 95) {
		/* Whether a discard reaches a last, partial block is open. */
		pick(what < 88 ? size / opt.block * opt.block : size, &at,
		     &len);
		note("%s %llu+%llu", what < 88 ? "discard" : "zero",
		     (unsigned long long)at, (unsigned long long)len);
		if (len)
			do_blk(at, len, what < 88);
	} else if (what < 30) {
		note("read %llu+%llu", (unsigned long long)at,
		     (unsigned long long)len);
		do_read(at, len);
	} else if (what < 95) {
		note("write %llu+%llu", (unsigned long long)at,
		     (unsigned long long)len);
		do_write(at, len);
	} else {
		note("flush");
		if (fdatasync(fd))
			die("fdatasync");
	}
}

static void step_file(void)
{
	unsigned int what = rnd(100);
	uint64_t at, len;

	pick(what < 30 || what >= 80 ? size : opt.max_size, &at, &len);
	if (!len && what < 90)
		what = 70;
	note("op %u %llu+%llu size %llu", what, (unsigned long long)at,
	     (unsigned long long)len, (unsigned long long)size);
	if (what < 20)
		do_read(at, len);
	else if (what < 30 && !opt.direct)
		do_map(at, len, false);
	else if (what < 55)
		do_write(at, len);
	else if (what < 65)
		opt.direct ? do_write(at, len) : do_map(at, len, true);
	else if (what < 75)
		do_truncate(rnd(opt.max_size / opt.align + 1) * opt.align);
	else if (what < 80)
		do_fallocate(at, len, 0);
	else if (what < 86)
		do_fallocate(at, len, FALLOC_FL_PUNCH_HOLE);
	else if (what < 90)
		do_fallocate(at, len, FALLOC_FL_ZERO_RANGE);
	else if (what < 97 ? fdatasync(fd) : fsync(fd))
		die("fsync");
}

static void load_mirror(void)
{
	int m = opt.mirror ? open(opt.mirror, O_RDONLY) : -1;
	uint64_t at = 0;
	ssize_t n;

	if (m < 0) {
		if (opt.mirror && (opt.check || errno != ENOENT))
			die(opt.mirror);
		if (!opt.device)
			return;
		/* A device's own content is what it should hold. */
		for (at = 0; at < size; at += n) {
			n = pread(fd, buf, WHOLE, at);
			if (n <= 0)
				die("read");
			memcpy(good + at, buf, n);
		}
		return;
	}
	while ((n = read(m, good + at, opt.max_size - at)) > 0)
		at += n;
	if (n < 0)
		die(opt.mirror);
	if (opt.device && at != size) {
		errno = EFBIG;
		die(opt.mirror);
	}
	size = at;
	close(m);
}

static void save_mirror(void)
{
	int m = open(opt.mirror, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	uint64_t at;
	ssize_t n;

	for (at = 0; at < size; at += n) {
		n = write(m, good + at, size - at);
		if (n <= 0)
			die(opt.mirror);
	}
	if (m < 0 || close(m))
		die(opt.mirror);
}

static void parse(int argc, char **argv)
{
	uint64_t seed = 1;
	int c;

	while ((c = getopt(argc, argv, "N:S:l:o:a:dbB:nm:c")) != -1) {
		switch (c) {
		case 'N':
			opt.ops = atol(optarg);
			break;
		case 'S':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			opt.max_size = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			opt.max_op = strtoull(optarg, NULL, 0);
			break;
		case 'a':
			opt.align = strtoull(optarg, NULL, 0);
			break;
		case 'd':
			opt.direct = true;
			break;
		case 'b':
			opt.device = true;
			break;
		case 'B':
			opt.block = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			opt.plain = true;
			break;
		case 'm':
			opt.mirror = optarg;
			break;
		case 'c':
			opt.check = true;
			break;
		default:
			exit(2);
		}
	}
	if (optind != argc - 1 || (opt.check && !opt.mirror)) {
		fprintf(stderr, "usage: fsx-lite [option...] FILE\n");
		exit(2);
	}
	opt.path = argv[optind];
	if (!opt.align)
		opt.align = opt.direct || opt.device ? 512 : 1;
	if (opt.max_op > WHOLE)
		opt.max_op = WHOLE;
	state = (seed + 1) * 0x9e3779b97f4a7c15ULL;
}

int main(int argc, char **argv)
{
	int flags = O_RDWR;
	long i;

	parse(argc, argv);
	if (!opt.device && !opt.check)
		flags |= O_CREAT;
	if (opt.check)
		flags = O_RDONLY;
	fd = open(opt.path, flags | (opt.direct ? O_DIRECT : 0), 0600);
	if (fd < 0)
		die("open");
	if (opt.device && ioctl(fd, BLKGETSIZE64, &opt.max_size))
		die("size");
	if (opt.check && !opt.device) {
		size = lseek(fd, 0, SEEK_END);
		opt.max_size = size + 1;
	}
	if (opt.device)
		size = opt.max_size;
	good = malloc(opt.max_size + 1);
	if (!good || posix_memalign((void **)&buf, 4096, WHOLE))
		die("memory");
	load_mirror();
	if (!opt.check && !opt.device && ftruncate(fd, size))
		die("truncate");
	for (i = 0; i < opt.ops && !opt.check; i++)
		opt.device ? step_device() : step_file();
	check_all();
	if (!opt.check && fsync(fd))
		die("fsync");
	if (!opt.check && opt.mirror)
		save_mirror();
	return 0;
}
