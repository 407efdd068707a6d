// SPDX-License-Identifier: GPL-2.0
/*
 * model.c - random histories of a store, each from a seed of its own.
 *
 * usage: model [--histories N] [--seed S [--verbose]]
 */
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "model.h"

#define PER_LINE	1000u
#define SECONDS_EACH	60u
#define FAILURES_MAX	5u

static u64 current_seed;
static struct model model;

void __sanitizer_set_death_callback(void (*callback)(void));
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void print_replay(u64 seed)
{
	printf("# replay: ./model --seed %llu --verbose\n", ull(seed));
	fflush(stdout);
}

static void on_death(void)
{
	printf("not ok - history %llu died\n", ull(current_seed));
	print_replay(current_seed);
}

static void on_abort(int sig)
{
	(void)sig;
	on_death();
	_exit(1);
}

static void on_alarm(int sig)
{
	(void)sig;
	printf("not ok - history %llu does not end\n", ull(current_seed));
	print_replay(current_seed);
	_exit(1);
}

void say(struct model *m, const char *fmt, ...)
{
	va_list ap;

	if (!m->verbose)
		return;
	va_start(ap, fmt);
	printf("# %4u: ", m->nr_ops);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	fflush(stdout);
}

void fail(struct model *m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	printf("# FAILED, seed %llu, operation %u: ", ull(m->seed), m->nr_ops);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
	print_replay(m->seed);
	longjmp(m->failed, 1);
}

/* --- one history --------------------------------------------------------- */

static void format(struct model *m)
{
	static const u32 slots[] = { 1, 1, 1, 1, 1, 2, 4, 8, 16 };
	struct dr_format_params p = {
		.slot_blocks = slots[rnd(&m->rng, ARRAY_SIZE(slots))],
		.now = 1, .label = "model", .origin_id = "",
	};
	u64 blocks = 24 + rnd(&m->rng, p.slot_blocks > 4 ? 25 : 73), nr;
	int r;

	m->spb = p.slot_blocks * DR_BLOCK_SECTORS;
	p.origin_sectors = blocks * m->spb;
	if (chance(&m->rng, 50))
		p.origin_sectors -= rnd(&m->rng, m->spb);
	nr = 2048 + (chance(&m->rng, 30) ? rnd(&m->rng, 2048) : 0);
	p.delta_blocks = nr;
	memset(p.uuid, 7, sizeof(p.uuid));
	m->lost = calloc(nr + 512, sizeof(*m->lost));
	if (sim_init(&m->disk, &m->env, nr, nr + 512, 16 << rnd(&m->rng, 4),
		     &m->rng))
		fail(m, "no memory");
	m->disk.verbose = m->verbose;
	m->env.save = origin_save;
	or_init(&m->o, p.origin_sectors, m->spb);
	or_add(&m->o, 1, 0);
	origin_init(m);
	r = dr_format(&m->env, &p);
	if (r)
		fail(m, "formatting failed: %d", r);
	say(m, "%llu blocks of %u sectors, delta of %llu blocks", ull(blocks),
	    m->spb, ull(nr));
}

static int journal_some(struct model *m)
{
	int r = journal_pump(m);

	return r < 0 ? r : 0;
}

static int diff_some(struct model *m)
{
	u32 a = random_sealed(m, 0), b = random_sealed(m, 0);
	int r = ctl_pump(m);

	if (!r)
		r = merge_all(m);
	if (!r)
		verify_diff(m, a, b);
	return r;
}

static int end_some(struct model *m)
{
	u32 n = 1 + rnd(&m->rng, 4);
	int r = 0;

	while (!r && n--)
		r = io_end_random(m);
	return r;
}

static const struct {
	int (*op)(struct model *m);
	u32 weight;
} ops[] = {
	{ op_write, 30 }, { op_partial, 14 }, { op_discard, 6 },
	{ op_read, 6 }, { end_some, 16 }, { flush_all, 8 },
	{ journal_some, 8 }, { make_room, 6 }, { op_checkpoint, 14 },
	{ op_rollback, 4 }, { op_replay, 10 }, { op_drop, 5 },
	{ op_reclaim, 4 }, { op_reopen, 1 }, { op_grow, 1 },
	{ diff_some, 3 }, { op_note, 4 }, { op_view, 12 }, { op_purge, 4 },
	{ op_fold, 12 },
	{ op_start, 3 }, { op_retain, 6 },
};

static void pick_profile(struct model *m)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		m->percent[i] = chance(&m->rng, 20) ? 0 :
				ops[i].weight * (1 + rnd(&m->rng, 4));
	m->percent[0] += 10;
	m->mem_max = 8u << rnd(&m->rng, 5);
	m->lazy = rnd(&m->rng, 100);
	m->claims = chance(&m->rng, 50) ? rnd(&m->rng, 100) : 0;
	m->tight = chance(&m->rng, 25) ? 40 + rnd(&m->rng, 200) : 0;
}

/* Past half, a merge is due; the journal should not fill up. */
static int merge_if_due(struct model *m)
{
	const struct dr_store *st = m->st;

	if (!dr_store_half_full(st) ||
	    (dr_journal_used(&st->journal) <= st->journal.blocks / 8 * 5 &&
	     chance(&m->rng, m->lazy)))
		return 0;
	if (st->active->used || m->release || st->frozen)
		return make_room(m);
	return st->ctl_state == DR_CTL_NONE ? commit_epochs(m) : 0;
}

static int one_op(struct model *m)
{
	u32 i, sum = 0;
	int r = 0;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		sum += m->percent[i];
	sum = rnd(&m->rng, sum);
	for (i = 0; sum >= m->percent[i]; i++)
		sum -= m->percent[i];
	if (ops[i].op == make_room && !m->st->active->used && !m->release &&
	    !m->st->frozen)
		return 0;
	r = ops[i].op(m);
	return r ? r : merge_if_due(m);
}

static void finish(struct model *m)
{
	u32 a = random_sealed(m, 0), b = random_sealed(m, 0), tries = 10000;

	m->disk.die_at = 0;
	if (ctl_pump(m) || io_drain(m, ~0ULL) || merge_all(m) ||
	    release(m) || flush_all(m))
		fail(m, "the end");
	verify_head(m);
	verify_views(m);
	close_views(m);
	verify_epochs(m);
	verify_notes(m);
	verify_diff(m, a, b);
	verify_diff(m, b, a);
	verify_diff(m, a, m->st->head);
	while (m->fold && !m->st->replay && tries--)
		if (op_fold(m))
			fail(m, "the end of a commit");
	if (m->fold && !m->st->replay && !m->tight)
		fail(m, "a commit that does not end");
	if (release(m) || reclaim_all(m) || release(m))
		fail(m, "the end, reclaimed");
	verify_head(m);
	verify_space(m);
}

static void run_history(struct model *m)
{
	u32 n = 10 + rnd(&m->rng, 51), crash = rnd(&m->rng, 3) * 4;

	pick_profile(m);
	format(m);
	m->mode = chance(&m->rng, 60) ? DR_START_ORDINARY :
		  chance(&m->rng, 50) ? DR_START_KEEP : DR_START_DISCARD;
	open_store(m);
	m->since = m->mode == DR_START_DISCARD ? m->st->head : 0;
	for (m->nr_ops = 1; m->nr_ops <= n; m->nr_ops++) {
		if (!m->disk.die_at && chance(&m->rng, crash))
			m->disk.die_at = m->disk.steps + 1 + rnd(&m->rng, 60);
		if (one_op(m) && !dead(m))
			fail(m, "operation failed");
		if (m->disk.misuse || m->disk.reports)
			fail(m, "reports");
		if (dead(m) || chance(&m->rng, crash / 4))
			crash_and_open(m);
		else if (chance(&m->rng, 10))
			verify_head(m);
		else if (chance(&m->rng, 10))
			verify_views(m);
	}
	m->nr_ops = n + 1;
	if (chance(&m->rng, 30))
		crash_and_open(m);
	if (dead(m))
		crash_and_open(m);
	finish(m);
}

static bool history(u64 seed, bool verbose)
{
	struct model *m = &model;
	bool ok = true;

	memset(m, 0, sizeof(*m));
	current_seed = seed;
	m->seed = seed;
	m->rng.s = seed * 0x2545f4914f6cdd1dULL;
	m->verbose = verbose;
	m->st = calloc(1, sizeof(*m->st));
	alarm(SECONDS_EACH);
	if (setjmp(m->failed))
		ok = false;
	else
		run_history(m);
	alarm(0);
	if (!ok)
		return false;	/* and leave everything as it is */
	dr_replay_end(m->st);
	dr_store_close(m->st);
	io_forget(m);
	or_exit(&m->o);
	origin_exit(m);
	sim_exit(&m->disk);
	free(m->lost);
	free(m->st);
	return true;
}

static int run_all(u64 first, u64 nr)
{
	u64 seed = first, end = first + nr;
	u32 failures = 0, line = 0, before;

	printf("1..%llu\n", ull((nr + PER_LINE - 1) / PER_LINE));
	while (seed < end) {
		u64 from = seed;

		before = failures;
		for (; seed < end && seed - from < PER_LINE &&
		     failures < FAILURES_MAX; seed++)
			failures += !history(seed, false);
		printf("%sok %u - histories %llu to %llu\n",
		       failures > before ? "not " : "", ++line, ull(from),
		       ull(seed - 1));
		fflush(stdout);
		if (failures >= FAILURES_MAX) {
			printf("Bail out! %u histories failed\n", failures);
			break;
		}
	}
	fflush(stdout);
	/* A history that failed leaves its memory behind. */
	if (failures)
		_exit(1);
	return 0;
}

int main(int argc, char **argv)
{
	u64 seed = 1, nr = 20000;
	bool one = false, verbose = false;
	int i;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--verbose")) {
			verbose = true;
			one = true;
		} else if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
			seed = strtoull(argv[++i], NULL, 0);
		} else if (i + 1 < argc && !strcmp(argv[i], "--histories")) {
			nr = strtoull(argv[++i], NULL, 0);
		} else {
			fprintf(stderr, "usage: %s [--histories N] [--seed S [--verbose]]\n",
				argv[0]);
			return 16;
		}
	}
	__sanitizer_set_death_callback(on_death);
	signal(SIGALRM, on_alarm);
	signal(SIGABRT, on_abort);
	if (!one)
		return run_all(seed, nr);
	printf("1..1\n");
	i = !history(seed, verbose);
	printf("%sok 1 - history %llu\n", i ? "not " : "", ull(seed));
	fflush(stdout);
	if (i)
		_exit(1);
	return 0;
}
