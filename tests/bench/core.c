// SPDX-License-Identifier: GPL-2.0
/*
 * core.c - the core by itself, natively: what a version, a checkpoint, a lookup
 * cost in a history that is as long as one likes, what activation takes, and
 * what a policy's drop and the reclaim after it cost.
 *
 * usage: core [--epochs N] [--versions N] [--blocks N] [--keep N]
 *             [--rollbacks N] [--json]
 *        core --turns N [--blocks N] [--delta N] [--keep N] [--written N] [--json]
 *        core --parts [--versions N] [--blocks N] [--json]
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
 * With --parts each part by itself (parts.c), the map with so many versions.
 *
 * A checkpoint is the seal and its record: what was written before is recorded
 * already, as after an fsync, and no merge runs meanwhile.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parts.h"
#include "ram.h"

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
		"       core --turns N [--blocks N] [--delta N] [--keep N] [--written N] [--json]\n"
		"       core --parts [--versions N] [--blocks N] [--json]\n");
	return 2;
}

static u64 number(const char *s)
{
	return strtoull(s, NULL, 0);
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

static void json_head(u64 versions, u64 blocks)
{
	printf("{ \"versions\": %llu, \"blocks\": %llu",
	       (unsigned long long)versions, (unsigned long long)blocks);
}

static void json_more(u32 epochs, u32 keep, u32 turns, u64 delta)
{
	printf(", \"epochs\": %u, \"keep\": %u, \"turns\": %u, \"delta\": %llu",
	       epochs, keep, turns, (unsigned long long)delta);
}

/* What the command line says; the options that take a number, in this order */
enum { EPOCHS, VERSIONS, BLOCKS, KEEP, ROLLBACKS, TURNS, DELTA, WRITTEN, NUMBERS, PARTS, JSON };

static const struct option options[] = {
	{ "epochs", required_argument, NULL, EPOCHS },
	{ "versions", required_argument, NULL, VERSIONS },
	{ "blocks", required_argument, NULL, BLOCKS },
	{ "keep", required_argument, NULL, KEEP },
	{ "rollbacks", required_argument, NULL, ROLLBACKS },
	{ "turns", required_argument, NULL, TURNS },
	{ "delta", required_argument, NULL, DELTA },
	{ "written", required_argument, NULL, WRITTEN },
	{ "parts", no_argument, NULL, PARTS },
	{ "json", no_argument, NULL, JSON }, {}
};

int main(int argc, char **argv)
{
	u64 n[NUMBERS] = {
		[EPOCHS] = 1000, [VERSIONS] = 1000000, [BLOCKS] = 1000000, [KEEP] = 100,
	};
	bool apart = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c >= 0 && c < NUMBERS)
			n[c] = number(optarg);
		else if (c == PARTS)
			apart = true;
		else if (c == JSON)
			json = true;
		else
			return help();
	}
	if (!n[EPOCHS] || !n[KEEP] || !n[BLOCKS] || n[VERSIONS] < n[EPOCHS] ||
	    optind < argc || n[WRITTEN] > n[BLOCKS])
		return help();
	if (!n[WRITTEN])
		n[WRITTEN] = n[BLOCKS] / 4;
	if (!n[DELTA])
		n[DELTA] = n[VERSIONS] + n[VERSIONS] / 16 + (1u << 20);
	make(n[DELTA], n[BLOCKS]);
	if (json)
		json_head(n[VERSIONS], n[BLOCKS]);
	if (json && !apart)
		json_more(n[EPOCHS], n[KEEP], n[TURNS], n[DELTA]);
	if (apart)
		parts(n[VERSIONS], n[BLOCKS]);
	else if (n[TURNS])
		turn_over(n[TURNS], n[BLOCKS], n[KEEP], n[WRITTEN]);
	else
		history(n[EPOCHS], n[VERSIONS], n[BLOCKS], n[ROLLBACKS], n[KEEP]);
	tell("memory_mib", memory_mib(), "MiB at most, what is used of the device included");
	if (json)
		printf(" }\n");
	dr_store_close(&st);
	return 0;
}
