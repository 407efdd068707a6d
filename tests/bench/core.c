// SPDX-License-Identifier: GPL-2.0
/*
 * core.c - the core by itself, natively: what a version, a checkpoint, a lookup
 * cost in a history that is as long as one likes, what activation takes, and
 * what a policy's drop and the reclaim after it cost.
 *
 * usage: core [--epochs N] [--versions N] [--blocks N] [--keep N] [--json]
 *   versions in all, spread over the epochs, each of a random block of a
 *   device of so many; then all but the newest --keep epochs are dropped.
 *
 * The delta device is memory that is not there until it is used; data is never
 * written. So the times are of the code, without any device.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "recover.h"
#include "retain.h"

#define CACHE_BITS	20u
#define NR_CACHED	1048576u	/* nodes that lookups find at once */
#define ENTRIES		1048576u	/* of a memtable */
#define GROUP		64u

static struct {
	u8 *disk;
	u64 nr_blocks;
	const void *node[NR_CACHED];
	u64 block[NR_CACHED];
	u64 written;
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

static u32 slot_of(u64 block)
{
	return block * 0x9e3779b97f4a7c15ULL >> (64 - CACHE_BITS);
}

static const void *peek(void *ctx, u64 block)
{
	u32 i = slot_of(block);

	(void)ctx;
	return mem.node[i] && mem.block[i] == block ? mem.node[i] : NULL;
}

/* The block itself: nodes are immutable, and stay while anybody may look. */
static void cache(void *ctx, u64 block, const void *buf)
{
	u32 i = slot_of(block);

	(void)ctx;
	(void)buf;
	mem.block[i] = block;
	mem.node[i] = mem.disk + block * DR_BLOCK_SIZE;
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
	u32 i = slot_of(block);

	if (mem.block[i] == block)
		mem.node[i] = NULL;
	return barrier(ctx, block, 1, buf);
}

static void *alloc(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size ? size : 1);
}

static void release(void *ctx, void *p)
{
	(void)ctx;
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

static const struct dr_env env = {
	.enter = nothing, .leave = nothing, .lock = nothing, .unlock = nothing,
	.peek = peek, .cache = cache, .read = read_blocks, .write = write_block,
	.barrier = barrier, .alloc = alloc, .free = release, .report = report,
	.cancelled = cancelled,
};

/* --- the least of an embedder -------------------------------------------------- */

static u64 rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

static void merge(void)
{
	int r;

	if (!dr_store_freeze(&st) && !st.frozen)
		return;
	do {
		r = dr_merge_step(&st);
		must("merge", r);
		dr_store_release(&st, !r);
	} while (r);
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

static void checkpoint(void)
{
	s64 r;

	must("prepare", dr_store_prepare(&st));
	while (!dr_store_ring_has_room(&st) ||
	       (r = dr_store_seal(&st, "", 0, ++now)) == -EAGAIN)
		merge();
	must("seal", r);
	dr_store_drained(&st);
	flush();
	dr_store_free_old(&st);
	if (dr_store_half_full(&st))
		merge();
}

static void open_store(void)
{
	memset(&st, 0, sizeof(st));
	st.env = env;
	must("open", dr_store_open(&st, mem.nr_blocks, ENTRIES));
	must("activate", dr_store_activate(&st));
}

/* --- figures ------------------------------------------------------------------- */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1000000000.0;
}

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

static void fill(u32 epochs, u64 versions, u64 blocks)
{
	u64 each = versions / epochs, i;
	double at = seconds(), cp, first = 0, last = 0, all = 0;
	u32 e, tenth = epochs / 10 ? epochs / 10 : 1;

	for (e = 0; e < epochs; e++) {
		for (i = 0; i < each; i++)
			write_one(rnd() % blocks);
		cp = seconds();
		checkpoint();
		cp = seconds() - cp;
		all += cp;
		if (e < tenth)
			first += cp;
		if (e >= epochs - tenth)
			last += cp;
	}
	tell("write_ns", (seconds() - at - all) / versions * 1e9,
	     "ns a version, merges included");
	tell("checkpoint_first_us", first / tenth * 1e6, "us, first tenth");
	tell("checkpoint_last_us", last / tenth * 1e6, "us, last tenth");
}

/* One search; the nodes it needs are brought in first, as a cache would */
static void look(u64 block)
{
	struct dr_state state;
	struct dr_want want;
	struct dr_snap snap;
	int r;

	dr_store_snap(&st, &snap);
	while ((r = dr_map_lookup(&env, &snap, snap.lineage, snap.head, block,
				  1, st.slot_blocks, &state, &want)) == -EAGAIN)
		must("load", dr_tree_load(&env, st.uuid, &want));
	must("lookup", r);
}

static void lookups(u64 blocks)
{
	u64 i, was = seed, n = 1000000;
	double at;

	for (i = 0; i < n; i++)
		look(rnd() % blocks);
	seed = was;
	at = seconds();
	for (i = 0; i < n; i++)
		look(rnd() % blocks);
	tell("lookup_ns", (seconds() - at) / n * 1e9,
	     "ns, nodes in the cache");
}

static void drop(u32 keep)
{
	char text[32];
	struct dr_policy p;
	u64 before = st.map.nr, steps = 0;
	double at, longest = 0, step;
	u32 nr, where;
	int r;

	snprintf(text, sizeof(text), "newest=%u", keep);
	if (dr_policy_parse(&p, text, &where))
		die(text, where);
	merge();
	at = seconds();
	must("drop", dr_retain_drop(&st, &p, &nr));
	dr_store_release(&st, false);
	tell("dropped", nr, "epochs in one commit");
	tell("drop_ms", (seconds() - at) * 1e3, "ms");
	at = seconds();
	do {
		step = seconds();
		r = dr_reclaim_step(&st);
		must("reclaim", r);
		dr_store_release(&st, false);
		step = seconds() - step;
		longest = step > longest ? step : longest;
		steps++;
	} while (r);
	at = seconds() - at;
	tell("reclaim_s", at, "s");
	tell("reclaim_steps", steps, "steps");
	tell("reclaim_step_ms", longest * 1e3, "ms, the longest");
	tell("reclaimed", before - st.map.nr, "entries of the map");
	tell("reclaim_ns", at / (before - st.map.nr) * 1e9, "ns an entry");
}

static int help(void)
{
	fprintf(stderr,
		"usage: core [--epochs N] [--versions N] [--blocks N] [--keep N] [--json]\n");
	return 2;
}

static u64 number(const char *s)
{
	return strtoull(s, NULL, 0);
}

static void make(u64 versions, u64 blocks)
{
	struct dr_format_params p = {
		.slot_blocks = 1, .origin_sectors = blocks * DR_BLOCK_SECTORS,
		.now = 1, .label = "", .origin_id = "",
	};

	mem.nr_blocks = versions + versions / 16 + (1u << 20);
	p.delta_blocks = mem.nr_blocks;
	mem.disk = mmap(NULL, mem.nr_blocks * DR_BLOCK_SIZE,
			PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem.disk == MAP_FAILED)
		die("mmap", errno);
	must("format", dr_format(&env, &p));
	open_store();
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "epochs", required_argument, NULL, 'e' },
		{ "versions", required_argument, NULL, 'v' },
		{ "blocks", required_argument, NULL, 'b' },
		{ "keep", required_argument, NULL, 'k' },
		{ "json", no_argument, NULL, 'j' }, {}
	};
	u64 versions = 1000000, blocks = 1000000;
	u32 epochs = 1000, keep = 100;
	double at;
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
		case 'j':
			json = true;
			break;
		default:
			return help();
		}
	}
	if (!epochs || !keep || !blocks || versions < epochs || optind < argc)
		return help();
	make(versions, blocks);
	if (json)
		printf("{ \"epochs\": %u, \"versions\": %llu, \"blocks\": %llu, \"keep\": %u",
		       epochs, (unsigned long long)versions,
		       (unsigned long long)blocks, keep);
	fill(epochs, versions, blocks);
	merge();
	tell("map_bytes", (double)st.space.nodes * DR_BLOCK_SIZE / st.map.nr,
	     "bytes of nodes a version");
	lookups(blocks);
	dr_store_close(&st);
	at = seconds();
	open_store();
	tell("activation_ms", (seconds() - at) * 1e3, "ms");
	drop(keep);
	tell("memory_mib", memory_mib(), "MiB at most, what is used of the device included");
	if (json)
		printf(" }\n");
	dr_store_close(&st);
	return 0;
}
