// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - which states of a recording are tried.
 *
 * usage: states [option...] RECORDING ORIGIN DELTA MARKS
 *        the last three are START+SECTORS of the recorded disk
 *
 *   -n N    so many states, about (default: all of the first kind)
 *   -S N    the seed of what is chosen at random
 *   -j N    processes (default 1)
 *   -a I.V  only variant V of the state after record I; says what it is
 *   -o N    be deaf to each N-th flush that is the origin's,
 *   -d N    the delta's;
 *   -c      to the barriers of the recovery
 *           (controls: with any of them something has to be found)
 *
 * After each write and each flush of the recording there is a state with all
 * that was written so far (variant 0), and as many as -n asks for with some of
 * what was written since the last flush, each second one with one write torn.
 * In some of them the power goes once more during the recovery, in others what
 * was under way is brought to its end first.
 *
 * Exit status: 0 all is as it must be, 1 not, 2 trouble.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "marks.h"
#include "states.h"

#define TWICE	8u	/* each so many-th */
#define ON	16u

struct options {
	u64 states;
	u64 seed;
	u32 jobs;
	u32 only_rec, only_variant;
	bool only;
	struct deaf deaf;
	const char *path;
};

struct shared {
	bool found;		/* by anybody */
	struct counts counts[64];
};

void die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fprintf(stderr, "states: ");
	vfprintf(stderr, format, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	exit(2);
}

/* --- one process ------------------------------------------------------------- */

struct job {
	const struct options *o;
	const struct log *log;
	struct shared *shared;
	u32 nr;
	struct disk disk;
	struct want want;
	struct trial trial;
};

static void tell(const struct job *j, u32 rec, u32 variant, const char *why)
{
	const struct want *w = &j->want;

	printf("state %u.%u: %s\n", rec, variant, why);
	printf("  mark %u '%s', head %u, asked '%c' %u, commit %u, base %u\n",
	       w->seen, w->last, w->head, w->asked ? w->asked : '-', w->arg,
	       w->fold, w->base);
	printf("  %u records in the %s's cache%s%s\n", j->disk.nr_cached,
	       j->disk.origin_caches ? "origin" : "delta",
	       j->trial.twice ? "; power cut twice" : "",
	       j->trial.on ? "; went on" : "");
	fflush(stdout);
}

static void try(struct job *j, u32 rec, u32 variant)
{
	struct counts *c = j->trial.counts;
	enum state_kind kind = !variant ? STATE_ALL :
			       variant & 1 ? STATE_SOME : STATE_TORN;
	const char *why;

	j->disk.rng.s = (j->o->seed << 40) ^ ((u64)rec << 16) ^ variant;
	j->trial.twice = !rnd(&j->disk.rng, TWICE);
	j->trial.on = !rnd(&j->disk.rng, ON);
	disk_cut(&j->disk, kind);
	why = state_try(&j->trial);
	disk_restore(&j->disk);
	c->states++;
	c->all += kind == STATE_ALL;
	c->some += kind == STATE_SOME;
	c->torn += kind == STATE_TORN;
	c->twice += j->trial.twice;
	c->on += j->trial.on;
	c->asked[j->want.asked & 127]++;
	if (why || j->o->only)
		tell(j, rec, variant, why ? why : "as it must be");
	if (why)
		j->shared->found = true;
}

static bool read_mark(struct job *j, const struct rec *r)
{
	const char *text = (char *)sector_data(j->log, r->data);
	bool origin;

	if (want_mark(&j->want, text + strlen(MARK_WORD), &origin) == 'A')
		disk_caches(&j->disk, origin);
	return !j->want.over;
}

static void run(struct job *j, u32 variants, bool count)
{
	const struct log *l = j->log;
	struct counts *c = j->trial.counts;
	u32 i, v, nr;

	for (i = 0; i < l->nr && !j->shared->found; i++) {
		const struct rec *r = l->rec + i;

		if (r->kind == REC_MARK) {
			if (!read_mark(j, r))
				return;
			continue;
		}
		disk_apply(&j->disk, i);
		if (!j->want.nr_sectors)
			continue;
		c->points++;
		c->writes += r->kind == REC_WRITE;
		c->flushes += r->kind == REC_FLUSH;
		nr = j->disk.nr_cached ? variants : 0;
		if (count || (j->o->only && i != j->o->only_rec)) {
			c->some += !!nr;
			continue;
		}
		for (v = 0; v <= nr && !j->shared->found; v++) {
			if (j->o->only ? v == j->o->only_variant :
					 (i + v) % j->o->jobs == j->nr)
				try(j, i, v);
		}
	}
	if (!j->want.over && !j->shared->found)
		die("%s: it breaks off", j->o->path);
}

static void job_init(struct job *j, const struct options *o,
		     const struct log *l, struct shared *s, u32 nr)
{
	memset(j, 0, sizeof(*j));
	j->o = o;
	j->log = l;
	j->shared = s;
	j->nr = nr;
	disk_init(&j->disk, l, &j->trial.env);
	j->disk.deaf = o->deaf;
	want_init(&j->want);
	j->trial.log = l;
	j->trial.disk = &j->disk;
	j->trial.want = &j->want;
	j->trial.counts = s->counts + nr;
}

/* --- all of them --------------------------------------------------------------- */

static void sum(struct counts *to, const struct counts *from, u32 n)
{
	u64 *t = (u64 *)to;
	u32 i, k;

	memset(to, 0, sizeof(*to));
	for (i = 0; i < n; i++)
		for (k = 0; k < sizeof(*to) / sizeof(u64); k++)
			t[k] += ((const u64 *)(from + i))[k];
}

static void print(const struct counts *c, u32 jobs)
{
	static const char *const what[] = {
		"checkpoint", "rollback", "replay-begin", "replay-commit",
		"replay-abort", "drop", "commit",
	};
	u32 i;

	printf("records %llu\nwrites %llu\nflushes %llu\nstates %llu\n",
	       ull(c->points / jobs), ull(c->writes / jobs),
	       ull(c->flushes / jobs), ull(c->states));
	printf("all %llu\nsome %llu\ntorn %llu\ntwice %llu\nwent-on %llu\n",
	       ull(c->all), ull(c->some), ull(c->torn), ull(c->twice),
	       ull(c->on));
	printf("journal %llu\ncommitting %llu\nreclaiming %llu\nreplaying %llu\n",
	       ull(c->journal), ull(c->fold), ull(c->reclaim), ull(c->replay));
	for (i = 0; i < ARRAY_SIZE(what); i++)
		printf("asked-%s %llu\n", what[i],
		       ull(c->asked["crpqxdm"[i] & 127]));
	printf("finished %llu\nunfinished %llu\n", ull(c->finished),
	       ull(c->unfinished));
}

/* How many variants of each state there have to be */
static u32 plan(const struct options *o, const struct log *l, struct shared *s)
{
	struct job j;
	u32 n;

	job_init(&j, o, l, s, 0);
	run(&j, 1, true);
	n = j.trial.counts->points < o->states && j.trial.counts->some ?
	    (o->states - j.trial.counts->points + j.trial.counts->some - 1) /
	    j.trial.counts->some : 0;
	memset(j.trial.counts, 0, sizeof(*j.trial.counts));
	return o->only ? o->only_variant : n;
}

static int run_all(const struct options *o, const struct log *l)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct counts total;
	u32 variants, i;
	int status, ret = 0;
	struct job j;

	variants = plan(o, l, s);
	for (i = 0; i < o->jobs; i++) {
		if (fork())
			continue;
		job_init(&j, o, l, s, i);
		run(&j, variants, false);
		exit(0);
	}
	while (wait(&status) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status))
			ret = 2;
	sum(&total, s->counts, o->jobs);
	print(&total, o->jobs);
	return ret ? ret : s->found;
}

static void piece(struct piece *p, const char *text)
{
	unsigned long long start, nr;

	if (sscanf(text, "%llu+%llu", &start, &nr) != 2)
		die("'%s': START+SECTORS is wanted", text);
	p->start = start;
	p->nr = nr;
}

static bool parse(struct options *o, int argc, char **argv)
{
	const int most = ARRAY_SIZE(((struct shared *)0)->counts);
	int c;

	while ((c = getopt(argc, argv, "n:S:j:a:o:d:c")) != -1) {
		switch (c) {
		case 'n':
			o->states = strtoull(optarg, NULL, 0);
			break;
		case 'S':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'j':
			o->jobs = clamp_t(int, atoi(optarg), 1, most);
			break;
		case 'a':
			o->only = sscanf(optarg, "%u.%u", &o->only_rec,
					 &o->only_variant) == 2;
			if (!o->only)
				return false;
			break;
		case 'o':
			o->deaf.origin = atoi(optarg);
			break;
		case 'd':
			o->deaf.delta = atoi(optarg);
			break;
		case 'c':
			o->deaf.core = true;
			break;
		default:
			return false;
		}
	}
	return argc - optind == 4;
}

int main(int argc, char **argv)
{
	struct options o = { .jobs = 1 };
	struct log l = { 0 };

	if (!parse(&o, argc, argv)) {
		fprintf(stderr, "usage: states [option...] RECORDING ORIGIN DELTA MARKS\n");
		return 2;
	}
	o.path = argv[optind];
	piece(&l.origin, argv[optind + 1]);
	piece(&l.delta, argv[optind + 2]);
	piece(&l.marks, argv[optind + 3]);
	log_read(&l, o.path);
	return run_all(&o, &l);
}
