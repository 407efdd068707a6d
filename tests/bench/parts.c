// SPDX-License-Identifier: GPL-2.0
/*
 * parts.c - the parts of the core, each by itself: a hit in a memtable, a hit in
 * the map, a merge, the journal both ways, a replay.
 */
#include <stdlib.h>
#include <string.h>

#include "parts.h"
#include "ram.h"

#define PUBLISHED	65536u		/* versions; the journal has room for them */
#define LOOKUPS		1000000u
#define REPLAYED	16384u		/* blocks, 64 MiB */

/* A table by itself, as full as it is when a merge begins at the latest */
static void memtable(u64 blocks)
{
	u64 was = seed;
	struct dr_memtable m;
	struct dr_mem_hit hit;
	double at;
	u32 i;

	memset(&m, 0, sizeof(m));
	must("table", dr_mem_init(&m, &env, ENTRIES));
	at = seconds();
	for (i = 0; i < ENTRIES / 2; i++)
		dr_mem_add(&m, rnd() % blocks, st.head, i, 0);
	tell("memtable_add_ns", (seconds() - at) / i * 1e9, "ns a version");
	seed = was;
	at = seconds();
	for (i = 0; i < ENTRIES / 2; i++)
		if (!dr_mem_find(&m, st.lineage, st.head, rnd() % blocks, &hit))
			die("not in the table", i);
	tell("memtable_hit_ns", (seconds() - at) / i * 1e9, "ns, half full");
	tell("memtable_bytes", (double)dr_mem_bytes(ENTRIES) / ENTRIES, "bytes a version");
	dr_mem_exit(&m, &env);
}

/* What was published goes to the journal, and from there into a table again */
static void journal(u64 blocks)
{
	static u8 buf[GROUP * DR_BLOCK_SIZE];
	u64 nr = 0, i;
	double at, took = 0;
	int r;

	for (i = 0; i < PUBLISHED; i++)
		write_one(rnd() % blocks);
	do {
		at = seconds();
		r = dr_store_fill(&st, buf, GROUP);
		took += seconds() - at;
		must("journal", r);
		must("write", env.barrier(NULL, st.group.place, r, buf));
		dr_store_filled(&st);
		nr += r;
	} while (r);
	tell("journal_encode_ns", took / PUBLISHED * 1e9, "ns a version");
	tell("journal_bytes", (double)nr * DR_BLOCK_SIZE / PUBLISHED,
	     "bytes a version");
	if (st.map.nr)
		die("merged before it was to be", st.map.nr);
	dr_store_close(&st);
	at = seconds();
	open_store();
	tell("journal_replay_ns", (seconds() - at) / PUBLISHED * 1e9,
	     "ns a version, by an activation, its merge included");
}

/* Hits only: what is looked for are the first blocks that were written. */
static void map(u64 versions, u64 blocks)
{
	u64 was, first = seed, i;
	double at;
	int round;

	merge();
	merging = 0;
	for (i = 0; i < versions; i++) {
		write_one(rnd() % blocks);
		if (i % (versions / 100 + 1) == 0)
			checkpoint("");
	}
	merge();
	was = seed;
	tell("apply_ns", merging / versions * 1e9, "ns a version, in bulk");
	tell("map_bytes", (double)st.space.nodes * DR_BLOCK_SIZE / st.map.nr,
	     "bytes of nodes a version");
	for (round = 0; round < 2; round++) {
		seed = first;
		at = seconds();
		for (i = 0; i < LOOKUPS && i < versions; i++)
			look(st.lineage, st.head, rnd() % blocks);
	}
	tell("map_hit_ns", (seconds() - at) / i * 1e9, "ns, nodes in the cache");
	seed = was;
}

/* The newest versions of a range are passed over. */
static void replay(void)
{
	struct dr_rule rule;
	double at;
	u32 i, bad;
	int r;

	for (i = 0; i < REPLAYED; i++)
		write_one(i);
	bad = st.head;
	checkpoint("");
	merge();
	at = seconds();
	must("begin", dr_replay_begin(&st));
	must("rule", dr_replay_make_rule(&st, &rule, 0, (u64)REPLAYED * DR_BLOCK_SECTORS,
					 bad, bad, false));
	must("rule", dr_replay_rule(&st, &rule));
	while ((r = dr_replay_step(&st)) == 1)
		dr_store_release(&st, false);
	must("step", r);
	while ((r = dr_replay_finish(&st)) == 1)
		dr_store_release(&st, false);
	must("finish", r);
	must("seal", dr_replay_seal(&st, 1));
	flush();
	dr_replay_end(&st);
	dr_store_free_old(&st);
	tell("replay_ns", (seconds() - at) / REPLAYED * 1e9, "ns a block of a bad range");
}

void parts(u64 versions, u64 blocks)
{
	if (blocks < REPLAYED)
		die("not so few blocks", blocks);
	memtable(blocks);
	journal(blocks);
	map(versions, blocks);
	replay();
}
