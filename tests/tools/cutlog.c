// SPDX-License-Identifier: GPL-2.0
/*
 * cutlog.c - what must be there after the power was cut.
 *
 * Writes to a deltarec device, flushes, takes checkpoints, rolls back, replays
 * and drops, and keeps a log on another disk: what is about to happen, and what
 * was acknowledged. After the cut the log says what every sector may hold.
 *
 *      cutlog [-S seed] [-o ops] [-w n] run NAME DEVICE LOG SECTORS
 *        cutlog [-S seed] [-n epochs] check NAME DEVICE LOG SECTORS
 *        cutlog log LOG
 *
 * fill gives an origin its first content. -o: letters of c(heckpoint),
 * r(ollback), p(replay), d(rop), and m for partial-block writes; not m with p,
 * since a merged block cannot be taken apart. -w: writes between two
 * flushes. check -n: epochs to roll back to and to look at; the device is left
 * rolled back to what it showed.
 *
 * The model: write s covers sectors that follow from s alone, each
 * sector holds {s, its own place}. own[e][x] is the last write to sector x in
 * epoch e; the state of an epoch is its own writes over its parent's state.
 * Only one write is under way at a time, and none during an operation; a second
 * process writes behind the first SECTORS, so that the device never rests.
 *
 * Exit status: 0 all as it must be, 1 not, 2 trouble.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "dm-send.h"
#include "marks.h"

#define MAX_EPOCH	1048576u	/* numbers that we can remember */
#define MAX_RUN		64u		/* sectors of one write */
#define MAX_UNACKED	256u		/* writes between two flushes */
#define CHUNK		2048u		/* sectors read at a time */
#define MERGED		0x80000000u	/* a write that may cover half a block */
#define ORIGIN		(~0u)		/* what a replay put back */

struct epoch {
	uint32_t parent;
	bool dropped, replayed;
	uint32_t own[];
};

static struct epoch *epochs[MAX_EPOCH];
static uint32_t max_epoch;
static uint32_t head;
static uint32_t seq = 1, acked = 1;	/* next write; all before are durable */
static bool merged;
static uint32_t nr_sectors;
static const char *name;
static int fd, log_fd;
static off_t log_at;
static uint64_t state;
static uint8_t *buf;		/* aligned */

static void die(const char *what)
{
	fprintf(stderr, "cutlog: %s: %s\n", what, strerror(errno));
	exit(2);
}

__attribute__((format(printf, 1, 2)))
static void wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "cutlog: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, " (head %u, next write %u, acknowledged below %u)\n",
		head, seq, acked);
	exit(1);
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint64_t rnd(uint64_t below)
{
	state += 0x9e3779b97f4a7c15ULL;
	return mix(state) % below;
}

/* --- the model ------------------------------------------------------------- */

static void epoch_make(uint32_t id, uint32_t parent)
{
	if (id >= MAX_EPOCH || epochs[id])
		wrong("epoch number %u was given twice, or is too high", id);
	epochs[id] = calloc(1, sizeof(**epochs) +
			    nr_sectors * sizeof(epochs[id]->own[0]));
	if (!epochs[id])
		die("memory");
	epochs[id]->parent = parent;
	max_epoch = id > max_epoch ? id : max_epoch;
}

/* The write that sector @x shows at epoch @id, without what @skip wrote */
static uint32_t shown(uint32_t id, uint32_t x, uint32_t skip)
{
	uint32_t own;

	for (; id; id = epochs[id]->parent) {
		own = epochs[id]->own[x];
		if (own && id != skip)
			return own == ORIGIN ? 0 : own;
	}
	return 0;
}

static uint32_t number(uint32_t s)
{
	return merged ? s | MERGED : s;
}

/* Which sectors does a write cover? */
static void covers(uint32_t s, uint32_t *first, uint32_t *len)
{
	uint64_t h = mix(s * 0x9e3779b97f4a7c15ULL);

	if (s & MERGED) {
		*len = 1 + h % 20;
		*first = (h >> 16) % (nr_sectors - *len);
	} else {
		*len = 8 * (1 + (h >> 8 & 1) * (h % 4));
		*first = (h >> 16) % ((nr_sectors - *len) / 8) * 8;
	}
}

static bool covers_sector(uint32_t s, uint32_t x)
{
	uint32_t first, len;

	covers(s, &first, &len);
	return x - first < len;
}

/* Which write does this sector hold? */
static uint32_t sector_read(const uint8_t *p, uint32_t x)
{
	uint64_t key;

	if (!stamp_read(p, &key) || (uint32_t)key != x)
		wrong("sector %u holds neither an old nor a new write", x);
	return key >> 32;
}

static void apply_write(uint32_t s)
{
	uint32_t first, len;

	for (covers(s, &first, &len); len--; first++)
		epochs[head]->own[first] = s;
}

static void apply_head(uint32_t parent, uint32_t new)
{
	epoch_make(new, parent);
	head = new;
}

static void apply_replay(uint32_t skip, uint32_t made, uint32_t new)
{
	uint32_t x, keep;

	epoch_make(made, head);
	epochs[made]->replayed = true;
	for (x = 0; x < nr_sectors; x++) {
		keep = shown(head, x, skip);
		if (keep != shown(head, x, 0))
			epochs[made]->own[x] = keep ? keep : ORIGIN;
	}
	apply_head(made, new);
}

/* --- the log ---------------------------------------------------------------- */

static char pending[512];	/* what was about to happen when the log ended */

__attribute__((format(printf, 1, 2)))
static void record(const char *format, ...)
{
	va_list ap;

	memset(buf, 0, 512);
	va_start(ap, format);
	vsnprintf((char *)buf, 512, format, ap);
	va_end(ap);
	if (pwrite(log_fd, buf, 512, log_at) != 512)
		die("log");
	log_at += 512;
}

static void log_line(const char *line)
{
	uint32_t a, b, c;

	if (line[0] == 'I') {
		strcpy(pending, line);
		return;
	}
	/* A sealed head is acknowledged before the operation that sealed it. */
	if (line[0] != 'F')
		pending[0] = '\0';
	if (sscanf(line, "F %u", &a) == 1) {
		for (; acked < a; acked++)
			apply_write(number(acked));
	} else if (sscanf(line, "S %u %u", &a, &b) == 2) {
		acked = a;
		merged = b;
	} else if (sscanf(line, "U %u %u", &a, &b) == 2) {
		epochs[head]->own[a] = b;
	} else if (sscanf(line, "D c %u", &a) == 1) {
		apply_head(head, a);
	} else if (sscanf(line, "D r %u %u", &a, &b) == 2) {
		apply_head(a, b);
	} else if (sscanf(line, "D p %u %u %u", &a, &b, &c) == 3) {
		apply_replay(a, b, c);
	} else if (sscanf(line, "D d %u", &a) == 1) {
		epochs[a]->dropped = true;
	} else if (line[0] != 'X') {
		wrong("log line '%s'", line);
	}
}

static void log_load(const char *path)
{
	char line[513] = "";

	log_fd = open(path, O_RDWR | O_DIRECT | O_DSYNC);
	if (log_fd < 0)
		die(path);
	epoch_make(1, 0);
	head = 1;
	while (pread(log_fd, buf, 512, log_at) == 512 && buf[0]) {
		memcpy(line, buf, 512);
		log_line(line);
		log_at += 512;
	}
	seq = acked;
}

/* --- the device --------------------------------------------------------------- */

static char reply[DM_SEND_MAX];

static int dm(unsigned long command, uint32_t flags, const char *message)
{
	const char *answer;
	int r = dm_send(name, command, flags, message, DM_SEND_MAX, &answer);

	strcpy(reply, answer);
	return r;
}

__attribute__((format(printf, 1, 2)))
static int message(const char *format, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return dm(DM_TARGET_MSG, 0, text);
}

static int suspended(const char *text)
{
	int r = dm(DM_DEV_SUSPEND, DM_SUSPEND_FLAG, NULL), r2;
	char was[256];

	if (r)
		return r;
	r = message("%s", text);
	memcpy(was, reply, sizeof(was));
	was[sizeof(was) - 1] = '\0';
	r2 = dm(DM_DEV_SUSPEND, 0, NULL);
	if (r2)
		wrong("resume: %s", strerror(-r2));
	strcpy(reply, was);
	return r;
}

static uint32_t status_head(uint32_t *parent)
{
	uint32_t id;
	int r = dm(DM_TABLE_STATUS, 0, NULL);

	if (r || sscanf(reply, "rw %u %u", &id, parent) != 2)
		wrong("status '%s': %s", reply, strerror(-r));
	return id;
}

/* --- operations ---------------------------------------------------------------- */

/* What was written before the head was sealed is durable with it. */
static void sealed_all(void)
{
	acked = seq;
	record("F %u", seq);
}

static void do_checkpoint(void)
{
	uint32_t sealed = head, id, parent;
	int r;

	record("I c 0 %u", seq);
	r = message("checkpoint");
	if (r || strtoul(reply, NULL, 10) != sealed)
		wrong("checkpoint '%s': %s", reply, strerror(-r));
	id = status_head(&parent);
	if (parent != sealed)
		wrong("head %u has parent %u", id, parent);
	sealed_all();
	record("D c %u", id);
	apply_head(sealed, id);
}

static void do_rollback(uint32_t target)
{
	char text[64];
	uint32_t new;
	int r;

	record("I r %u %u", target, seq);
	snprintf(text, sizeof(text), "rollback %u", target);
	r = suspended(text);
	new = strtoul(reply, NULL, 10);
	if (r || !new)
		wrong("%s '%s': %s", text, reply, strerror(-r));
	sealed_all();
	record("D r %u %u", target, new);
	apply_head(target, new);
}

static void do_replay(uint32_t skip)
{
	uint32_t made, new, parent;
	int r;

	record("I p %u %u", skip, seq);
	r = message("replay begin");
	if (r)
		wrong("replay begin: %s", strerror(-r));
	/* It has sealed the head. */
	new = status_head(&parent);
	if (new != head) {
		sealed_all();
		record("D c %u", new);
		apply_head(head, new);
		record("I p %u %u", skip, seq);
	}
	r = message("replay rule 0 %u %u %u keep_later", nr_sectors, skip,
		    skip);
	/* What was there before may have been dropped: that is refused. */
	if (r) {
		if (r != -ENODATA || message("replay abort"))
			wrong("replay of %u: %s", skip, strerror(-r));
		record("X");
		return;
	}
	r = suspended("replay commit");
	if (r || sscanf(reply, "%u %u", &made, &new) != 2)
		wrong("replay commit '%s': %s", reply, strerror(-r));
	sealed_all();
	record("D p %u %u %u", skip, made, new);
	apply_replay(skip, made, new);
}

static void do_drop(uint32_t id)
{
	int r;

	record("I d %u", id);
	r = message("drop %u", id);
	if (r)
		wrong("drop %u: %s", id, strerror(-r));
	record("D d %u", id);
	epochs[id]->dropped = true;
}

/* --- run ------------------------------------------------------------------------- */

static void noise(const char *path)
{
	uint64_t bytes, first = nr_sectors * 512ull;
	int n;

	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	state ^= 12345;
	n = open(path, O_WRONLY | O_DIRECT);
	if (n < 0 || ioctl(n, BLKGETSIZE64, &bytes))
		die(path);
	for (;;) {
		if (pwrite(n, buf, 4096 * (1 + rnd(4)), first +
			   rnd((bytes - first) / 4096 - 4) * 4096) < 0)
			die("noise");
		usleep(rnd(8000));
	}
}

static void do_write(void)
{
	uint32_t s = number(seq++), first, len, i;

	covers(s, &first, &len);
	for (i = 0; i < len; i++)
		stamp_fill(buf + i * 512, s, first + i);
	if (pwrite(fd, buf, len * 512, first * 512ull) != (ssize_t)len * 512)
		die("write");
	apply_write(s);
}

static void do_flush(void)
{
	if (fdatasync(fd))
		die("flush");
	acked = seq;
	record("F %u", seq);
}

/* Some epoch but the head that can be seen; 0: there is none */
static uint32_t any_epoch(void)
{
	uint32_t id, found = 0, n = 0;

	for (id = 1; id <= max_epoch; id++)
		if (epochs[id] && id != head && !epochs[id]->dropped &&
		    !rnd(++n))
			found = id;
	return found;
}

/*
 * Some epoch above @floor that a replay may leave out and the model can follow:
 * nothing that an earlier replay has touched.
 */
static uint32_t replay_epoch(uint32_t floor)
{
	uint32_t id, found = 0, n = 0;

	for (id = epochs[head]->parent; id > floor; id = epochs[id]->parent) {
		if (epochs[id]->replayed)
			break;
		if (!epochs[id]->dropped && !rnd(++n))
			found = id;
	}
	return found;
}

static void run(const char *ops, unsigned int writes, const char *path)
{
	uint32_t floor = head, id;
	unsigned int i;

	merged = strchr(ops, 'm');
	/* Numbers that the cut left in doubt are not used again. */
	seq = acked + MAX_UNACKED + MAX_RUN;
	acked = seq;
	record("S %u %u", seq, merged);
	noise(path);
	for (;;) {
		for (i = rnd(writes) + 1; i--;)
			do_write();
		if (rnd(3)) {
			do_flush();
			continue;
		}
		switch (ops[rnd(strlen(ops))]) {
		case 'c':
			do_checkpoint();
			break;
		case 'r':
			id = any_epoch();
			if (id)
				do_rollback(id);
			break;
		case 'p':
			id = replay_epoch(floor);
			if (id)
				do_replay(id);
			break;
		case 'd':
			id = any_epoch();
			if (id)
				do_drop(id);
			break;
		}
	}
}

/* --- check ------------------------------------------------------------------------ */

/* What was about to happen has happened, or it has not. */
static void settle(void)
{
	uint32_t parent, id = status_head(&parent), target, all;
	char what;

	/* A drop changes no head: see check_list(). */
	if (id == head)
		return;
	if (sscanf(pending, "I %c %u %u", &what, &target, &all) != 3)
		what = ' ';
	for (; what != ' ' && acked < all; acked++)
		apply_write(number(acked));
	record("F %u", acked);
	if ((what == 'c' || what == 'p') && parent == head) {
		record("D c %u", id);
		apply_head(head, id);
	} else if (what == 'r' && parent == target) {
		record("D r %u %u", target, id);
		apply_head(target, id);
	} else if (what == 'p' && parent > head && parent < MAX_EPOCH &&
		   !epochs[parent]) {
		record("D p %u %u %u", target, parent, id);
		apply_replay(target, parent, id);
	} else {
		wrong("the head is %u on %u after '%s'", id, parent, pending);
	}
}

static void check_list(const char *line)
{
	uint32_t id, parent, at = 0, maybe, seen = 0, known = 0;
	char *s, *save, st[16];

	if (sscanf(line, "I d %u", &maybe) != 1)
		maybe = 0;
	do {
		if (message("epochs %u", at))
			wrong("list of epochs");
		s = strtok_r(reply, "\n", &save);
		at = s ? strtoul(s, NULL, 10) : 0;
		while ((s = strtok_r(NULL, "\n", &save))) {
			if (sscanf(s, "%u %u %15s", &id, &parent, st) != 3)
				continue;	/* the base */
			if (!strcmp(st, "dropped"))
				continue;
			if (id >= MAX_EPOCH || !epochs[id])
				wrong("epoch %u came from nowhere: %s", id, s);
			if (id == maybe)
				maybe = 0;
			if (epochs[id]->dropped)
				wrong("epoch %u had been dropped: %s", id, s);
			if (strcmp(st, id == head ? "head" : "sealed"))
				wrong("epoch %u is %s", id, st);
			seen++;
		}
	} while (at);
	if (maybe) {
		record("D d %u", maybe);
		epochs[maybe]->dropped = true;
	}
	for (id = 1; id <= max_epoch; id++)
		known += epochs[id] && !epochs[id]->dropped;
	if (seen != known)
		wrong("%u epochs are there, should be %u", seen, known);
}

/* Hold the device against the head; @cut: writes may have come after acked */
static void compare(bool cut)
{
	uint8_t *data = buf + MAX_RUN * 512;
	uint32_t x, i, n, got, want, s;

	for (x = 0; x < nr_sectors; x += n) {
		n = nr_sectors - x < CHUNK ? nr_sectors - x : CHUNK;
		if (pread(fd, data, n * 512, x * 512ull) != (ssize_t)n * 512)
			die("read");
		for (i = 0; i < n; i++) {
			got = sector_read(data + i * 512, x + i);
			want = shown(head, x + i, 0);
			if (got == want)
				continue;
			s = got & ~MERGED;
			if (!cut || got != number(s) || s < acked ||
			    s >= acked + MAX_UNACKED ||
			    !covers_sector(got, x + i))
				wrong("sector %u holds write %u, should hold %u",
				      x + i, got & ~MERGED, want & ~MERGED);
			record("U %u %u", x + i, got);
			epochs[head]->own[x + i] = got;
		}
	}
}

static void check(unsigned int nr)
{
	uint32_t was, id;
	char line[512];

	strcpy(line, pending);
	settle();
	check_list(line);
	compare(true);
	was = head;
	while (nr-- && (id = any_epoch())) {
		do_rollback(id);
		compare(false);
	}
	if (head != was) {
		do_rollback(was);
		compare(false);
	}
	printf("writes below %u, epochs to %u, head on %u\n", acked, head,
	       epochs[head]->parent);
}

static void fill(void)
{
	uint32_t x;

	for (x = 0; x < nr_sectors; x++) {
		stamp_fill(buf + x % 8 * 512, 0, x);
		if (x % 8 == 7 && pwrite(fd, buf, 4096, (x - 7) * 512ull) != 4096)
			die("fill");
	}
}

/* How much of what there is in the log so far */
static void count_log(const char *path)
{
	unsigned int flushes = 0, n[128] = { 0 };
	off_t at = 0;
	int log = open(path, O_RDONLY | O_DIRECT);

	if (log < 0)
		die(path);
	for (; pread(log, buf, 512, at) == 512 && buf[0]; at += 512) {
		flushes += buf[0] == 'F';
		if (buf[0] == 'D')
			n[buf[2] & 127]++;
	}
	printf("%u flushes, %u checkpoints, %u rollbacks, %u replays, %u drops\n",
	       flushes, n['c'], n['r'], n['p'], n['d']);
}

int main(int argc, char **argv)
{
	unsigned int writes = 8, nr = 6;
	const char *ops = "c";
	int c;

	while ((c = getopt(argc, argv, "+S:o:w:n:")) != -1) {
		switch (c) {
		case 'S':
			state = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			ops = optarg;
			break;
		case 'w':
			writes = atoi(optarg);
			break;
		case 'n':
			nr = atoi(optarg);
			break;
		default:
			exit(2);
		}
	}
	argv += optind;
	argc -= optind;
	if (posix_memalign((void **)&buf, 4096, (MAX_RUN + CHUNK) * 512))
		die("memory");
	if (argc == 2 && !strcmp(argv[0], "log")) {
		count_log(argv[1]);
		return 0;
	}
	if (argc == 3 && !strcmp(argv[0], "fill")) {
		nr_sectors = atoi(argv[2]) / 8 * 8;
		fd = open(argv[1], O_RDWR | O_DIRECT);
		if (fd < 0)
			die(argv[1]);
		fill();
		return 0;
	}
	if (argc != 5 || writes > MAX_UNACKED) {
		fprintf(stderr, "usage: cutlog [option...] fill|run|check|log ARGUMENT...\n");
		return 2;
	}
	name = argv[1];
	nr_sectors = atoi(argv[4]) / 8 * 8;
	fd = open(argv[2], O_RDWR | O_DIRECT);
	if (fd < 0)
		die(argv[2]);
	log_load(argv[3]);
	if (!strcmp(argv[0], "run"))
		run(ops, writes, argv[2]);
	else
		check(nr);
	return 0;
}
