// SPDX-License-Identifier: GPL-2.0
/* ram.c - see ram.h */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#include "ram.h"

struct ram mem;
struct dr_store st;
u64 seed = 1;
bool json;
double merging;
static s64 now;

void die(const char *what, long r)
{
	fprintf(stderr, "core: %s: %ld\n", what, r);
	exit(1);
}

void must(const char *what, s64 r)
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

void release(void *ctx, void *p)
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

const struct dr_env env = {
	.enter = nothing, .leave = nothing, .lock = nothing, .unlock = nothing,
	.peek = peek, .cache = cache, .read = read_blocks, .write = write_block,
	.barrier = barrier, .alloc = alloc, .free = release, .report = report,
	.cancelled = cancelled, .freed = freed,
};

/* --- the least of an embedder -------------------------------------------------- */

u64 rnd(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545f4914f6cdd1dULL;
}

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec + t.tv_nsec / 1000000000.0;
}

void merge(void)
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

void flush(void)
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

void write_one(u64 block)
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

double checkpoint(const char *label)
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

double rollback(u32 epoch)
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

void open_store(void)
{
	memset(&st, 0, sizeof(st));
	st.env = env;
	must("open", dr_store_open(&st, mem.nr_blocks, ENTRIES));
	must("activate", dr_store_activate(&st));
}

void look(const struct dr_lineage *l, u32 epoch, u64 block)
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

/* --- figures ------------------------------------------------------------------- */

void tell(const char *key, double value, const char *unit)
{
	if (json)
		printf(", \"%s\": %.6g", key, value);
	else
		printf("%-34s %12.6g %s\n", key, value, unit);
	fflush(stdout);
}

double memory_mib(void)
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

void tell_median(const char *key, double *sec, u32 nr, const char *unit)
{
	qsort(sec, nr, sizeof(*sec), later);
	tell(key, sec[nr / 2] * 1e6, unit);
}

void *sparse(u64 size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", errno);
	return p;
}

void make(u64 delta, u64 blocks)
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
