// SPDX-License-Identifier: GPL-2.0
/*
 * core.c - the core by itself, natively: what a version, a checkpoint, a lookup
 * cost in a history that is as long as one likes, what activation takes, and
 * what a policy's drop and the reclaim after it cost.
 *
 * usage: core [--epochs N] [--versions N] [--blocks N] [--keep N]
 *             [--rollbacks N] [--json]
 *        core --turns N [--blocks N] [--delta N] [--keep N] [--written N] [--json]
 *   versions in all, spread over the epochs, each of a random block of a
 *   device of so many, and so many rollbacks by three epochs on the way; then
 *   all but the newest --keep epochs are dropped.
 *
 * With --turns N the delta has so many blocks as --delta says and is turned over
 * N times: epochs, of which --keep are kept, that each write --written blocks (a
 * quarter of the device), half of that at random in pieces of 1 to 4 blocks, half
 * in a sequence; before the first, all of the device is written. How many pieces a
 * sequential MiB comes to lie in is told for each tenth, and what the reclaim of
 * the oldest epoch costs once that has begun.
 *
 * A checkpoint is the seal and its record: what was written before is recorded
 * already, as after an fsync, and no merge runs meanwhile.
 *
 * The delta device is memory that is not there until it is used; data is never
 * written. So the times are of the code, without any device: processor time.
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "recover.h"
#include "retain.h"

#define ENTRIES		1048576u	/* of a memtable */
#define GROUP		64u

static struct {
	u8 *disk;
	u64 nr_blocks;
	u8 *known;	/* by block: a node that was verified */
	u64 written;
	u64 used;	/* bytes of the core, and */
	u64 peak;	/* at most, since it was set to that */
} mem;

static struct dr_store st;
static u64 seed = 1;
static s64 now;
static bool json;

static void die(const char *what, long r)
{
	fprintf(stderr, "core: %s: %ld\n", what, r);
	exit(1);
}

static void must(const char *what, s64 r)
{
	if (r < 0)
		die(what, r);
}

/* --- environment ------------------------------------------------------------ */

static void nothing(void *ctx)
{
	(void)ctx;
}

static const void *peek(void *ctx, u64 block)
{
	(void)ctx;
	return mem.known[block] ? mem.disk + block * DR_BLOCK_SIZE : NULL;
}

/* The block itself: nodes are immutable, and stay while anybody may look. */
static void cache(void *ctx, u64 block, const void *buf)
{
	(void)ctx;
	(void)buf;
	mem.known[block] = 1;
}

static int read_blocks(void *ctx, u64 block, u32 nr, void *buf)
{
	(void)ctx;
	if (block + nr > mem.nr_blocks)
		return -EIO;
	memcpy(buf, mem.disk + block * DR_BLOCK_SIZE, (size_t)nr * DR_BLOCK_SIZE);
	return 0;
}

static int barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	(void)ctx;
	if (block + nr > mem.nr_blocks)
		return -EIO;
	if (nr)
		memcpy(mem.disk + block * DR_BLOCK_SIZE, buf,
		       (size_t)nr * DR_BLOCK_SIZE);
	mem.written += nr;
	return 0;
}

static int write_block(void *ctx, u64 block, const void *buf)
{
	mem.known[block] = 0;
	return barrier(ctx, block, 1, buf);
}

static void *alloc(void *ctx, size_t size)
{
	void *p = calloc(1, size ? size : 1);

	(void)ctx;
	mem.used += malloc_usable_size(p);
	if (mem.used > mem.peak)
		mem.peak = mem.used;
	return p;
}

static void release(void *ctx, void *p)
{
	(void)ctx;
	mem.used -= malloc_usable_size(p);
	free(p);
}

static void report(void *ctx, const char *what, u64 block, const char *why)
{
	(void)ctx;
	fprintf(stderr, "core: %s %llu: %s\n", what, (unsigned long long)block,
		why);
}

static bool cancelled(void *ctx)
{
	(void)ctx;
	return false;
}

/* Else all nodes that there ever were would stay in memory. */
static void freed(void *ctx, u64 block, u64 nr)
{
	(void)ctx;
	memset(mem.known + block, 0, nr);
	madvise(mem.disk + block * DR_BLOCK_SIZE, nr * DR_BLOCK_SIZE,
		MADV_DONTNEED);
}

static const struct dr_env env = {
	.enter = nothing, .leave = nothing, .lock = nothing, .unlock = nothing,
	.peek = peek, .cache = cache, .read = read_blocks, .write = write_block,
	.barrier = barrier, .alloc = alloc, .free = release, .report = report,
	.cancelled = cancelled, .freed = freed,
};

/* --- the least of an embedder -------------------------------------------------- */

static u64 rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1000000000.0;
}

static double merging;	/* seconds */

static void merge(void)
{
	double at = seconds();
	int r;

	if (!dr_store_freeze(&st) && !st.frozen)
		return;
	do {
		r = dr_merge_step(&st);
		must("merge", r);
		dr_store_release(&st, !r);
	} while (r);
	merging += seconds() - at;
}

static void flush(void)
{
	static u8 buf[GROUP * DR_BLOCK_SIZE];
	int r;

	while ((r = dr_store_fill(&st, buf, GROUP)) != 0) {
		if (r == -EAGAIN) {
			merge();
			continue;
		}
		must("journal", r);
		barrier(NULL, st.group.place, r, buf);
		dr_store_filled(&st);
	}
}

static void write_one(u64 block)
{
	u64 slot;
	u32 n = 1;
	int r;

	while ((r = dr_store_begin_write(&st, &n, &slot)) == -EAGAIN)
		merge();
	must("write", r);
	dr_store_publish(&st, block, 1, slot, st.head, 0);
}

/* What has to be so that nothing but the record itself is left to be done */
static void get_ready(void)
{
	flush();
	if (dr_store_half_full(&st))
		merge();
	while (!dr_store_ring_has_room(&st))
		merge();
}

/* Return: what it took, in seconds */
static double checkpoint(const char *label)
{
	double at;

	get_ready();
	at = seconds();
	must("prepare", dr_store_prepare(&st));
	must("seal", dr_store_seal(&st, label, 0, ++now));
	dr_store_drained(&st);
	flush();
	dr_store_free_old(&st);
	return seconds() - at;
}

static double rollback(u32 epoch)
{
	double at;

	get_ready();
	at = seconds();
	must("prepare", dr_store_prepare(&st));
	must("roll back", dr_store_rollback(&st, epoch, ++now));
	flush();
	dr_store_free_old(&st);
	return seconds() - at;
}

static void open_store(void)
{
	memset(&st, 0, sizeof(st));
	st.env = env;
	must("open", dr_store_open(&st, mem.nr_blocks, ENTRIES));
	must("activate", dr_store_activate(&st));
}

/* --- figures ------------------------------------------------------------------- */

static void tell(const char *key, double value, const char *unit)
{
	if (json)
		printf(", \"%s\": %.6g", key, value);
	else
		printf("%-34s %12.6g %s\n", key, value, unit);
	fflush(stdout);
}

/* Resident, without the device */
static double memory_mib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss / 1024.0;
}

static int later(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median does not tell of what else the machine does. */
static void tell_median(const char *key, double *sec, u32 nr, const char *unit)
{
	qsort(sec, nr, sizeof(*sec), later);
	tell(key, sec[nr / 2] * 1e6, unit);
}

static void fill(u32 epochs, u64 versions, u64 blocks, u32 rollbacks)
{
	u64 each = versions / epochs, i;
	u32 tenth = epochs / 10 ? epochs / 10 : 1;
	u32 apart = rollbacks ? epochs / rollbacks : 0, nr = 0;
	double *took = calloc(epochs + 1, sizeof(*took));
	double at = seconds(), all = 0, back = 0;
	u32 e;

	for (e = 0; e < epochs; e++) {
		for (i = 0; i < each; i++)
			write_one(rnd() % blocks);
		took[e] = checkpoint("");
		all += took[e];
		if (apart && e % apart == apart - 1 && st.head > 4) {
			back += rollback(st.head - 4);
			nr++;
		}
	}
	tell("write_ns", (seconds() - at - all - back) / versions * 1e9,
	     "ns a version, journal and merges included");
	tell("merge_ns", merging / versions * 1e9, "ns of it for merges");
	tell("checkpoint_us", all / epochs * 1e6, "us on average");
	tell_median("checkpoint_first_us", took, tenth, "us, median of the first tenth");
	tell_median("checkpoint_last_us", took + epochs - tenth, tenth,
		    "us, median of the last tenth");
	if (nr)
		tell("rollback_us", back / nr * 1e6, "us on average");
	free(took);
}

/* With a label, which no other epoch may have */
static void labelled(void)
{
	double took[101];
	char label[32];
	u32 i;

	for (i = 0; i < 101; i++) {
		snprintf(label, sizeof(label), "label%u", i);
		write_one(i);
		took[i] = checkpoint(label);
	}
	tell_median("checkpoint_label_us", took, 101, "us, with a label, median");
}

/* One search; the nodes it needs are brought in first, as a cache would */
static void look(const struct dr_lineage *l, u32 epoch, u64 block)
{
	struct dr_state state;
	struct dr_want want;
	struct dr_snap snap;
	int r;

	dr_store_snap(&st, &snap);
	while ((r = dr_map_lookup(&env, &snap, l, epoch, block, 1,
				  st.slot_blocks, &state, &want)) == -EAGAIN)
		must("load", dr_tree_load(&env, st.uuid, &want));
	must("lookup", r);
}

static void lookups(const char *key, const struct dr_lineage *l, u32 epoch,
		    u64 blocks)
{
	u64 i, was = seed, n = 1000000;
	double at;

	for (i = 0; i < n; i++)
		look(l, epoch, rnd() % blocks);
	seed = was;
	at = seconds();
	for (i = 0; i < n; i++)
		look(l, epoch, rnd() % blocks);
	tell(key, (seconds() - at) / n * 1e9, "ns, nodes in the cache");
}

/* As a view of an epoch in the middle of the history does */
static void look_back(u64 blocks)
{
	u32 epoch = st.epochs.e[st.epochs.nr / 2].id;
	double at = seconds();
	struct dr_lineage *l = dr_lineage_make(&st.epochs, &env, epoch);

	if (!l)
		die("lineage", -ENOMEM);
	tell("lineage_us", (seconds() - at) * 1e6, "us to make that of a view");
	tell("lineage_rows", l->nr, "rows of it");
	lookups("lookup_view_ns", l, epoch, blocks);
	release(NULL, l);
}

/* All but the newest @keep. Return: how many there were to drop */
static u32 drop_old(u32 keep)
{
	char text[32];
	struct dr_policy p;
	u32 nr, where;

	snprintf(text, sizeof(text), "newest=%u", keep);
	if (dr_policy_parse(&p, text, &where))
		die(text, where);
	merge();
	must("drop", dr_retain_drop(&st, &p, &nr));
	if (nr)
		dr_store_release(&st, false);
	return nr;
}

static bool reclaim_some(void)
{
	int r = dr_reclaim_step(&st);

	must("reclaim", r);
	dr_store_release(&st, false);
	return r;
}

static void drop(u32 keep)
{
	u64 before, before_mem, steps = 0;
	double at, longest = 0, step;
	bool more;
	u32 nr;

	merge();
	before = st.map.nr;
	at = seconds();
	nr = drop_old(keep);
	if (!nr)
		return;
	tell("dropped", nr, "epochs in one commit");
	tell("drop_ms", (seconds() - at) * 1e3, "ms");
	before_mem = mem.used;
	mem.peak = mem.used;
	at = seconds();
	do {
		step = seconds();
		more = reclaim_some();
		step = seconds() - step;
		longest = step > longest ? step : longest;
		steps++;
	} while (more);
	at = seconds() - at;
	tell("reclaim_s", at, "s");
	tell("reclaim_steps", steps, "steps");
	tell("reclaim_step_ms", longest * 1e3, "ms, the longest");
	tell("reclaim_kib", (mem.peak - before_mem) / 1024.0,
	     "KiB that it takes beside that, at most");
	tell("reclaimed", before - st.map.nr, "entries of the map");
	tell("reclaim_ns", at / (before - st.map.nr) * 1e9, "ns an entry");
}

/* --- turning over ---------------------------------------------------------------- */

#define SEQUENCE	64u	/* blocks in a request */

static struct {
	u32 *epoch;	/* that wrote the block last */
	u64 blocks;	/* of sequential requests, and the */
	u64 pieces;	/* that they were given */
	u64 most;	/* blocks in use */
	u32 drops;
	double reclaim;	/* seconds, of all of them */
} turn;

/* What the head has not written yet takes slots. Return: how many blocks */
static u64 write_run(u64 block, u32 len, u64 *pieces)
{
	u64 slot, end = block + len, took = 0;
	u32 n;
	int r;

	while (block < end) {
		for (n = 0; block + n < end && turn.epoch[block + n] != st.head;)
			n++;
		if (!n) {
			block++;
			continue;
		}
		while ((r = dr_store_begin_write(&st, &n, &slot)) == -EAGAIN)
			merge();
		must("write", r);
		dr_store_publish(&st, block, n, slot, st.head, 0);
		(*pieces)++;
		took += n;
		while (n--)
			turn.epoch[block++] = st.head;
	}
	return took;
}

static void turn_epoch(u64 blocks, u32 keep, u64 written)
{
	u64 none = 0, i, at = rnd() % (blocks - written / 2);
	double begin;
	u32 n;

	for (i = 0; i < written / 2;) {
		n = 1 + rnd() % 4;

		write_run(rnd() % (blocks - 4), n, &none);
		i += n;
		if (i % 16 < n && at + SEQUENCE <= blocks) {
			turn.blocks += write_run(at, SEQUENCE, &turn.pieces);
			at += SEQUENCE;
		}
	}
	checkpoint("");
	if (st.space.nr_blocks - st.space.free > turn.most)
		turn.most = st.space.nr_blocks - st.space.free;
	n = drop_old(keep);
	if (!n)
		return;
	begin = seconds();
	while (reclaim_some())
		;
	turn.reclaim += seconds() - begin;
	turn.drops += n;
}

static void turn_over(u32 turns, u64 blocks, u32 keep, u64 written)
{
	u64 none = 0, i, all;
	char key[32];
	u32 tenth;

	turn.epoch = calloc(blocks, sizeof(*turn.epoch));
	for (i = 0; i + SEQUENCE <= blocks; i += SEQUENCE)
		write_run(i, SEQUENCE, &none);
	checkpoint("");
	all = (u64)turns * st.space.nr_blocks;
	for (tenth = 1; tenth <= 10; tenth++) {
		turn.blocks = 0;
		turn.pieces = 0;
		while (st.space.taken < all / 10 * tenth)
			turn_epoch(blocks, keep, written);
		snprintf(key, sizeof(key), "pieces_%u", tenth);
		tell(key, turn.pieces * 256.0 / turn.blocks,
		     "pieces of a sequential MiB");
	}
	tell("used_most", turn.most * 100.0 / st.space.nr_blocks,
	     "percent of the delta in use at most");
	if (turn.drops)
		tell("reclaim_epoch_ms", turn.reclaim / turn.drops * 1e3,
		     "ms of reclaim for each epoch dropped");
	free(turn.epoch);
}

static int help(void)
{
	fprintf(stderr,
		"usage: core [--epochs N] [--versions N] [--blocks N] [--keep N] [--rollbacks N] [--json]\n"
		"       core --turns N [--blocks N] [--delta N] [--keep N] [--written N] [--json]\n");
	return 2;
}

static u64 number(const char *s)
{
	return strtoull(s, NULL, 0);
}

/* Memory that is not there until it is used */
static void *sparse(u64 size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	return p;
}

static void make(u64 delta, u64 blocks)
{
	struct dr_format_params p = {
		.slot_blocks = 1, .origin_sectors = blocks * DR_BLOCK_SECTORS,
		.now = 1, .label = "", .origin_id = "",
	};

	mem.nr_blocks = delta;
	p.delta_blocks = mem.nr_blocks;
	mem.disk = sparse(mem.nr_blocks * DR_BLOCK_SIZE);
	mem.known = sparse(mem.nr_blocks);
	must("format", dr_format(&env, &p));
	open_store();
}

static void history(u32 epochs, u64 versions, u64 blocks, u32 rollbacks,
		    u32 keep)
{
	double at;

	fill(epochs, versions, blocks, rollbacks);
	labelled();
	merge();
	tell("map_bytes", (double)st.space.nodes * DR_BLOCK_SIZE / st.map.nr,
	     "bytes of nodes a version");
	lookups("lookup_ns", st.lineage, st.head, blocks);
	look_back(blocks);
	dr_store_close(&st);
	at = seconds();
	open_store();
	tell("activation_ms", (seconds() - at) * 1e3, "ms");
	tell("core_mib", mem.used / 1048576.0, "MiB of the core, of which");
	tell("epochs_mib", st.epochs.max * sizeof(*st.epochs.e) / 1048576.0,
	     "MiB of the table of epochs,");
	tell("tables_mib", 2 * dr_mem_bytes(st.active->max) / 1048576.0,
	     "MiB of the tables of recent writes");
	drop(keep);
}

static void json_head(u32 epochs, u64 versions, u64 blocks, u32 keep, u32 turns, u64 delta)
{
	printf("{ \"epochs\": %u, \"versions\": %llu, \"blocks\": %llu", epochs,
	       (unsigned long long)versions, (unsigned long long)blocks);
	printf(", \"keep\": %u, \"turns\": %u, \"delta\": %llu", keep, turns,
	       (unsigned long long)delta);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "epochs", required_argument, NULL, 'e' },
		{ "versions", required_argument, NULL, 'v' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "keep", required_argument, NULL, 'k' },
		{ "turns", required_argument, NULL, 't' },
		{ "delta", required_argument, NULL, 'd' },
		{ "written", required_argument, NULL, 'w' },
		{ "rollbacks", required_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' }, {}
	};
	u64 versions = 1000000, blocks = 1000000;
	u32 epochs = 1000, keep = 100, rollbacks = 0, turns = 0;
	u64 delta = 0, written = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'e':
			epochs = number(optarg);
			break;
		case 'v':
			versions = number(optarg);
			break;
		case 'b':
			blocks = number(optarg);
			break;
		case 'k':
			keep = number(optarg);
			break;
		case 't':
			turns = number(optarg);
			break;
		case 'd':
			delta = number(optarg);
			break;
		case 'w':
			written = number(optarg);
			break;
		case 'r':
			rollbacks = number(optarg);
			break;
		case 'j':
			json = true;
			break;
		default:
			return help();
		}
	}
	if (!epochs || !keep || !blocks || versions < epochs || optind < argc ||
	    written > blocks)
		return help();
	if (!written)
		written = blocks / 4;
	if (!delta)
		delta = versions + versions / 16 + (1u << 20);
	make(delta, blocks);
	if (json)
		json_head(epochs, versions, blocks, keep, turns, delta);
	if (turns)
		turn_over(turns, blocks, keep, written);
	else
		history(epochs, versions, blocks, rollbacks, keep);
	tell("memory_mib", memory_mib(), "MiB at most, what is used of the device included");
	if (json)
		printf(" }\n");
	dr_store_close(&st);
	return 0;
}
