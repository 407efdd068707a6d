// SPDX-License-Identifier: GPL-2.0
/*
 * crashload.c - a load whose every step is marked, for tests/states.
 *
 * usage: crashload fill ORIGIN
 *        crashload mark MARKS TEXT
 *        crashload [-S seed] [-n operations] [-c commits] run NAME DEVICE MARKS
 *
 * One thread writes stamped sectors to a deltarec device, discards, flushes,
 * and asks for whatever changes the past. It knows nothing of what must be
 * there: that follows from the marks (marks.h). What it needs to know of the
 * epochs it asks the device for. Exit status: 0, or 2 if something failed.
 */
#define _GNU_SOURCE
#include <linux/fs.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "dm-send.h"
#include "marks.h"

#define BLOCK		8u	/* sectors */
#define MAX_RUN		(64u * BLOCK)
#define MAX_EPOCHS	256u
#define KEEP		9u	/* epochs, about */

struct epoch {
	uint32_t id, parent;
	char state[16], how[16];
};

static struct epoch epochs[MAX_EPOCHS];
static uint32_t nr_epochs, head, base;
static char words[32][64];	/* of the status */
static const char *name;
static int fd, marks;
static off_t marks_at;
static uint32_t seq, nr_sectors;
static uint32_t committing;	/* this epoch, or 0 */
static uint64_t state;
static uint8_t *buf;		/* aligned */

static void die(const char *what, int error)
{
	fprintf(stderr, "crashload: %s: %s\n", what, strerror(error));
	exit(2);
}

static uint32_t rnd(uint32_t below)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return ((z ^ z >> 31) >> 32) % below;
}

/* --- marks ---------------------------------------------------------------- */

__attribute__((format(printf, 1, 2)))
static void mark(const char *format, ...)
{
	static uint8_t text[MARK_BYTES] __attribute__((aligned(4096)));
	va_list ap;

	memset(text, 0, sizeof(text));
	strcpy((char *)text, MARK_WORD);
	va_start(ap, format);
	vsnprintf((char *)text + strlen(MARK_WORD),
		  MARK_BYTES - strlen(MARK_WORD), format, ap);
	va_end(ap);
	if (pwrite(marks, text, MARK_BYTES, marks_at) != MARK_BYTES)
		die("marks", errno);
	marks_at += MARK_BYTES;
}

/* Where the marks of earlier runs end, and their last write */
static void marks_open(const char *path)
{
	uint32_t s;

	marks = open(path, O_RDWR | O_DIRECT);
	if (marks < 0)
		die(path, errno);
	while (pread(marks, buf, MARK_BYTES, marks_at) == MARK_BYTES &&
	       !memcmp(buf, MARK_WORD, strlen(MARK_WORD))) {
		if (sscanf((char *)buf, MARK_WORD "w %u", &s) == 1)
			seq = s;
		marks_at += MARK_BYTES;
	}
}

/* --- the device ------------------------------------------------------------- */

static const char *reply;

static int dm(unsigned long command, uint32_t flags, const char *message)
{
	return dm_send(name, command, flags, message, DM_SEND_MAX, &reply);
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

/* A message while suspended; two numbers of its answer */
static int suspended(const char *text, uint32_t *a, uint32_t *b)
{
	int r = dm(DM_DEV_SUSPEND, DM_SUSPEND_FLAG, NULL), r2;

	if (r)
		return r;
	r = message("%s", text);
	if (!r && sscanf(reply, "%u %u", a, b) < 1)
		r = -EPROTO;
	r2 = dm(DM_DEV_SUSPEND, 0, NULL);
	return r ? r : r2;
}

static void look(void)
{
	unsigned int i = 0;
	char *copy, *s, *save;
	int r;

	r = dm(DM_TABLE_STATUS, DM_NOFLUSH_FLAG, NULL);
	if (r)
		die("status", -r);
	copy = strdup(reply);
	for (s = strtok_r(copy, " ", &save); s && i < 32;
	     s = strtok_r(NULL, " ", &save))
		snprintf(words[i++], sizeof(words[0]), "%s", s);
	free(copy);
	if (i < 18 || strcmp(words[0], "rw"))
		die(reply, EIO);
	if (committing && !strcmp(words[17], "-")) {
		mark("E %u", committing);
		committing = 0;
	}
}

static void list(void)
{
	char *copy, *s, *save;
	struct epoch *e;
	int r;

	look();
	r = message("epochs 0");
	if (r)
		die("epochs", -r);
	nr_epochs = 0;
	base = 0;
	copy = strdup(reply);
	s = strtok_r(copy, "\n", &save);
	if (!s || strcmp(s, "-"))
		die("too many epochs", E2BIG);
	while ((s = strtok_r(NULL, "\n", &save)) && nr_epochs < MAX_EPOCHS) {
		e = epochs + nr_epochs;
		if (sscanf(s, "%u %u %15s %*s %*s %*s %15s", &e->id, &e->parent,
			   e->state, e->how) == 4) {
			if (!strcmp(e->state, "head"))
				head = e->id;
			nr_epochs++;
		} else if (sscanf(s, "0 - sealed %*s base - commit %u",
				  &base) != 1) {
			base = 0;
		}
	}
	free(copy);
}

static const struct epoch *find(uint32_t id)
{
	uint32_t i;

	for (i = 0; i < nr_epochs; i++)
		if (epochs[i].id == id)
			return epochs + i;
	return NULL;
}

static bool sealed(const struct epoch *e)
{
	return e && !strcmp(e->state, "sealed");
}

/* How many are sealed; *@some: one of them at random, 0: there is none */
static uint32_t any(uint32_t *some)
{
	uint32_t i, n = 0;

	*some = 0;
	for (i = 0; i < nr_epochs; i++)
		if (sealed(epochs + i) && !rnd(++n))
			*some = epochs[i].id;
	return n;
}

/* --- writes ------------------------------------------------------------------ */

/* Half of them go to an eighth of the device. */
static uint32_t place(uint32_t n)
{
	uint32_t room = nr_sectors - n;

	return rnd(rnd(2) ? room / 8 + 1 : room + 1);
}

static void do_write(uint32_t x, uint32_t n)
{
	uint32_t i;

	mark("w %u %u %u", ++seq, x, n);
	for (i = 0; i < n; i++)
		stamp_fill(buf + i * 512, seq, x + i);
	if (pwrite(fd, buf, n * 512, x * 512ull) != (ssize_t)n * 512)
		die("write", errno);
}

static void write_blocks(uint32_t most)
{
	uint32_t n = (1 + rnd(most)) * BLOCK;

	do_write(place(n) / BLOCK * BLOCK, n);
}

static void write_part(void)
{
	uint32_t n = 1 + rnd(12);

	do_write(place(n), n);
}

static void write_zeroes(void)
{
	uint32_t n = (1 + rnd(24)) * BLOCK, x = place(n) / BLOCK * BLOCK;
	uint64_t range[2] = { x * 512ull, n * 512ull };

	mark("z %u %u", x, n);
	if (ioctl(fd, rnd(2) ? BLKDISCARD : BLKZEROOUT, range))
		die("discard", errno);
}

static void do_flush(void)
{
	if (fdatasync(fd))
		die("flush", errno);
	mark("F");
}

/* --- the past ------------------------------------------------------------------- */

static void do_checkpoint(void)
{
	uint32_t was;
	int r;

	list();
	was = head;
	mark("c");
	r = message("checkpoint");
	if (r || strtoul(reply, NULL, 10) != was)
		die("checkpoint", -r);
	list();
	mark("C %u %u", was, head);
}

static void do_rollback(void)
{
	char text[64];
	uint32_t to, new, none;
	int r;

	list();
	any(&to);
	/* Nobody may go back to the origin while that changes. */
	if (!committing && !rnd(6))
		to = 0;
	else if (!to)
		return;
	mark("r %u", to);
	snprintf(text, sizeof(text), "rollback %u", to);
	r = suspended(text, &new, &none);
	if (r)
		die(text, -r);
	mark("R %u %u", to, new);
}

/*
 * An epoch that can be left out, and of which it follows from the marks what
 * that leads to: nothing that a replay made, or was made upon.
 */
static uint32_t to_leave_out(void)
{
	const struct epoch *e = find(head);
	uint32_t found = 0, n = 0;

	for (e = e ? find(e->parent) : NULL; e; e = find(e->parent)) {
		if (!strcmp(e->how, "replay") || e->id <= base)
			break;
		if (sealed(e) && sealed(find(e->parent)) && !rnd(++n))
			found = e->id;
	}
	return found;
}

static void do_replay(void)
{
	uint32_t skip, made, new;
	int r;

	list();
	skip = committing ? 0 : to_leave_out();
	if (!skip)
		return;
	mark("p");
	r = message("replay begin");
	if (r)
		die("replay begin", -r);
	list();
	mark("P %u", head);
	if (rnd(2))
		write_blocks(8);
	r = message("replay rule 0 %u %u %u keep_later", nr_sectors, skip,
		    skip);
	if (r || !rnd(3)) {
		/* What was there before may have been dropped. */
		if (r && r != -ENODATA)
			die("replay rule", -r);
		mark("x");
		r = message("replay abort");
		if (r)
			die("replay abort", -r);
		mark("X");
		return;
	}
	mark("q %u", skip);
	r = suspended("replay commit", &made, &new);
	if (r)
		die("replay commit", -r);
	mark("Q %u %u %u", skip, made, new);
}

static void do_drop(void)
{
	uint32_t id;
	int r;

	list();
	if (any(&id) < KEEP / 2)
		return;
	mark("d %u", id);
	r = message("drop %u", id);
	if (r == -EBUSY && committing)
		mark("N");
	else if (r)
		die("drop", -r);
	else
		mark("D %u", id);
}

/* Begin one, of what the head stands on. It ends while other things happen. */
static void do_commit(void)
{
	const struct epoch *e;
	uint32_t id = 0, n = 0;
	int r;

	list();
	e = find(head);
	for (e = e ? find(e->parent) : NULL; e && e->id > base;
	     e = find(e->parent))
		if (sealed(e) && !rnd(++n))
			id = e->id;
	/* There is most to do for the newest. */
	e = find(head);
	if (id && rnd(2) && sealed(find(e->parent)))
		id = e->parent;
	if (committing || !id)
		return;
	mark("m %u", id);
	r = message("commit %u", id);
	if (r)
		die("commit", -r);
	mark("M %u", id);
	committing = id;
}

/* Until reclaim has nothing more to do, but not for ever */
static void await_reclaim(void)
{
	int i;

	for (i = 0; i < 40; i++) {
		look();
		if (!strcmp(words[13], "-"))
			break;
		usleep(10000);
	}
}

static void await_commit(void)
{
	int i;

	for (i = 0; committing && i < 6000; i++) {
		usleep(50000);
		look();
	}
	if (committing)
		die("the commit does not end", ETIMEDOUT);
}

/* --- the run ---------------------------------------------------------------------- */

static void operation(void)
{
	uint32_t some;

	switch (rnd(32)) {
	case 0 ... 8:
		write_blocks(4);
		break;
	case 9 ... 10:
		write_blocks(MAX_RUN / BLOCK);
		break;
	case 11 ... 14:
		write_part();
		break;
	case 15 ... 16:
		write_zeroes();
		break;
	case 17 ... 22:
		do_flush();
		break;
	case 23 ... 26:
		do_checkpoint();
		break;
	case 27:
		do_rollback();
		break;
	case 28:
		do_replay();
		break;
	case 29:
		await_reclaim();
		break;
	default:
		do_drop();
		break;
	}
	list();
	while (any(&some) > KEEP) {
		do_drop();
		list();
	}
}

static void run(uint32_t operations, uint32_t commits)
{
	uint32_t i, each = operations / (commits + 1);

	for (i = 1; i <= operations; i++) {
		operation();
		if (commits && i % each == 0 && i / each <= commits) {
			await_commit();
			write_blocks(MAX_RUN / BLOCK);
			write_zeroes();
			write_part();
			do_checkpoint();
			do_commit();
		}
		/* It waits while the head begins a branch. */
		if (committing && i % 16 == 0)
			do_checkpoint();
	}
	if (committing)
		do_checkpoint();
	await_commit();
	do_flush();
}

static void fill(const char *path)
{
	uint32_t x;

	for (x = 0; x < nr_sectors; x++) {
		stamp_fill(buf, 0, x);
		if (pwrite(fd, buf, 512, x * 512ull) != 512)
			die(path, errno);
	}
}

static void dev_open(const char *path)
{
	uint64_t bytes;

	fd = open(path, O_RDWR | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die(path, errno);
	nr_sectors = bytes / 512;
}

int main(int argc, char **argv)
{
	uint32_t operations = 100, commits = 0;
	int c;

	while ((c = getopt(argc, argv, "+S:n:c:")) != -1) {
		if (c == 'S')
			state = strtoull(optarg, NULL, 0);
		else if (c == 'n')
			operations = atoi(optarg);
		else if (c == 'c')
			commits = atoi(optarg);
		else
			return 2;
	}
	argv += optind;
	argc -= optind;
	if (posix_memalign((void **)&buf, 4096, MAX_RUN * 512))
		die("memory", ENOMEM);
	if (argc == 2 && !strcmp(argv[0], "fill")) {
		dev_open(argv[1]);
		fill(argv[1]);
	} else if (argc == 3 && !strcmp(argv[0], "mark")) {
		marks_open(argv[1]);
		mark("%s", argv[2]);
	} else if (argc == 4 && !strcmp(argv[0], "run")) {
		name = argv[1];
		dev_open(argv[2]);
		marks_open(argv[3]);
		run(operations, commits);
		printf("write %u, head %u\n", seq, head);
	} else {
		fprintf(stderr, "usage: crashload fill|mark|run ARGUMENT...\n");
		return 2;
	}
	return 0;
}
