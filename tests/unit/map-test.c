// SPDX-License-Identifier: GPL-2.0
/*
 * map-test.c - what a block contains, seen from an epoch.
 */
#include "mem-env.h"

static struct mem_txn x;
static struct dr_root root;
static struct dr_batch b;
static struct dr_memtable active, frozen;
static struct dr_epochs t;
static u32 slot_blocks;

static void begin(u32 epochs, u32 slot)
{
	u32 i;

	slot_blocks = slot;
	mem_txn_init(&x, 8192, slot);
	memset(&root, 0, sizeof(root));
	memset(&t, 0, sizeof(t));
	dr_batch_init(&b, &x.m.env, &dr_tree_map, 50000);
	dr_mem_init(&active, &x.m.env, 1000);
	dr_mem_init(&frozen, &x.m.env, 1000);
	dr_epochs_reserve(&t, &x.m.env, epochs + 1);
	for (i = 1; i <= epochs; i++)
		dr_epochs_add(&t, i, i - 1, DR_EPOCH_SEALED, 0);
}

static void end(void)
{
	dr_batch_exit(&b, &x.m.env);
	dr_mem_exit(&active, &x.m.env);
	dr_mem_exit(&frozen, &x.m.env);
	dr_epochs_exit(&t, &x.m.env);
	mem_txn_exit(&x);
}

static void put(u64 block, u16 len, u32 epoch, u64 slot)
{
	struct dr_map m = { .block = block, .len = len, .epoch = epoch,
			    .slot = slot };

	dr_map_encode(dr_batch_at(&b, b.nr), &m);
	b.del[b.nr++] = 0;
}

static void build(void)
{
	assert_int_equal(mem_txn_apply(&x, &root, &b), 0);
	b.nr = 0;
}

/*
 * The same answer with and without waiting; only without it what continues the
 * run is followed.
 */
static void compare(struct dr_lineage *l, u32 epoch, u64 block,
		    const struct dr_state *st)
{
	struct dr_state slow;
	struct dr_cursor c;
	u64 n;

	dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
	for (n = 0; n < st->len; n += slow.len) {
		assert_int_equal(dr_map_state(&c, l, epoch, block + n,
					      st->len - n, slot_blocks, &slow),
				 0);
		assert_true(slow.slot == dr_slot_plus(st->slot, n, slot_blocks));
		assert_int_equal(slow.epoch, st->epoch);
	}
	dr_cursor_exit(&c);
}

static struct dr_state look(u32 epoch, u64 block, u64 max)
{
	struct dr_lineage *l = dr_lineage_make(&t, &x.m.env, epoch);
	struct dr_snap snap = { .active = &active, .frozen = &frozen,
				.map = root, .lineage = l, .head = epoch };
	struct dr_state st;
	struct dr_want want;
	int r;

	for (;;) {
		x.m.env.enter(&x.m);
		r = dr_map_lookup(&x.m.env, &snap, l, epoch, block, max,
				  slot_blocks, &st, &want);
		x.m.env.leave(&x.m);
		if (r != -EAGAIN)
			break;
		assert_int_equal(dr_tree_load(&x.m.env, x.uuid, &want), 0);
	}
	assert_int_equal(r, 0);
	assert_in_range(st.len, 1, max);
	if (!active.used && !frozen.used)
		compare(l, epoch, block, &st);
	free(l);
	return st;
}

static void is(struct dr_state s, u64 slot, u64 len, u32 epoch)
{
	assert_true(s.slot == slot);
	assert_int_equal(s.len, len);
	assert_int_equal(s.epoch, epoch);
}

static void what_was_never_written_is_the_origin_s(void **state)
{
	begin(3, 1);
	is(look(3, 0, 1000), DR_SLOT_ORIGIN, 1000, 0);
	is(look(0, 7, 1), DR_SLOT_ORIGIN, 1, 0);
	end();
}

static void a_run_and_the_holes_around_it(void **state)
{
	begin(3, 16);
	put(100, 50, 2, 1600);
	build();
	is(look(3, 0, 1000), DR_SLOT_ORIGIN, 100, 0);
	is(look(3, 99, 1000), DR_SLOT_ORIGIN, 1, 0);
	is(look(3, 100, 1000), 1600, 50, 2);
	is(look(3, 110, 1000), 1760, 40, 2);
	is(look(3, 149, 1000), 1600 + 49 * 16, 1, 2);
	is(look(3, 150, 1000), DR_SLOT_ORIGIN, 1000, 0);
	is(look(3, 120, 5), 1600 + 20 * 16, 5, 2);
	is(look(1, 100, 1000), DR_SLOT_ORIGIN, 1000, 0);
	is(look(1, 120, 30), DR_SLOT_ORIGIN, 30, 0);
	is(look(1, 50, 1000), DR_SLOT_ORIGIN, 1000, 0);
	end();
}

static void zeroes_and_origin_do_not_advance(void **state)
{
	begin(3, 16);
	put(100, 50, 2, DR_SLOT_ZERO);
	put(100, 50, 3, DR_SLOT_ORIGIN);
	build();
	is(look(2, 110, 1000), DR_SLOT_ZERO, 40, 2);
	is(look(3, 110, 1000), DR_SLOT_ORIGIN, 40, 3);
	end();
}

static void each_epoch_sees_its_version(void **state)
{
	u32 e;

	begin(20, 1);
	for (e = 2; e <= 20; e += 2)
		put(100, 10, e, 1000 * e);
	build();
	for (e = 1; e <= 20; e++) {
		if (e == 1) {
			is(look(e, 105, 9), DR_SLOT_ORIGIN, 9, 0);
			continue;
		}
		is(look(e, 100, 9), 1000 * (e & ~1), 9, e & ~1);
		is(look(e, 105, 9), 1000 * (e & ~1) + 5, 5, e & ~1);
	}
	end();
}

static void stacks_taller_than_a_leaf(void **state)
{
	u32 e, n = 2000;

	begin(n, 1);
	put(0, 1, 1, 5);
	for (e = 1; e <= n; e++)
		put(100, 10, e, 100000 + 10 * e);
	put(110, 1, 1, 6);
	build();
	assert_true(root.level >= 1);
	for (e = 1; e <= n; e += 13) {
		is(look(e, 100, 100), 100000 + 10 * e, 10, e);
		is(look(e, 109, 100), 100009 + 10 * e, 1, e);
		is(look(e, 110, 1), 6, 1, 1);
		is(look(e, 50, 1000), DR_SLOT_ORIGIN, 50, 0);
	}
	end();
}

static void an_abandoned_branch_costs_one_more_search(void **state)
{
	struct dr_epoch *e;
	u64 peeks;
	u32 i;

	begin(3000, 1);
	for (i = 1; i <= 3000; i++)
		put(100, 10, i, 100000 + 10 * i);
	build();
	/* 3001 is a child of 5; all from 6 on was abandoned. */
	e = dr_epochs_add(&t, 3001, 5, DR_EPOCH_HEAD, 0);
	assert_non_null(e);
	look(3001, 103, 7);
	x.m.peeks = 0;
	is(look(3001, 103, 7), 100000 + 50 + 3, 7, 5);
	peeks = x.m.peeks;
	/* Two ways of asking, each three searches at most */
	assert_true(peeks <= 2 * 3 * (root.level + 1));
	end();
}

static void lookups_through_many_branches_equal_a_walk(void **state)
{
	u64 seed = 77, block;
	u32 epochs = 120, i, e;
	static u64 want[8][121];

	memset(want, 0, sizeof(want));
	begin(0, 1);
	assert_int_equal(dr_epochs_reserve(&t, &x.m.env, epochs), 0);
	for (i = 1; i <= epochs; i++)
		dr_epochs_add(&t, i, i == 1 ? 0 : mem_random(&seed) % 3 ? i - 1 :
			      mem_random(&seed) % i, DR_EPOCH_SEALED, 0);
	/* Eight runs of 10 blocks, each version with a slot of its own */
	for (block = 0; block < 8; block++)
		for (i = 1; i <= epochs; i++) {
			if (mem_random(&seed) % 4 >= (block + 1) / 2)
				continue;
			want[block][i] = 100000 + 1000 * block * epochs +
					 10 * i;
			put(20 * block, 10, i, want[block][i]);
		}
	build();
	for (block = 0; block < 8; block++)
		for (e = 1; e <= epochs; e++) {
			u32 at = e;
			u64 in = mem_random(&seed) % 10;

			while (at && !want[block][at])
				at = dr_epochs_find(&t, at)->parent;
			is(look(e, 20 * block + in, 1),
			   at ? want[block][at] + in : DR_SLOT_ORIGIN, 1, at);
		}
	end();
}

static void runs_that_go_on_are_one_extent(void **state)
{
	u32 i;

	begin(9, 16);
	/* Written in one go in epochs 2 and 6, one by one in 4 */
	for (i = 0; i < 1000; i++) {
		put(100 + i, 1, 2, 16000 + 16 * i);
		put(100 + i, 1, 4, 90000 + 16 * (i * 7 % 1000));
		if (i >= 400 && i < 700)
			put(100 + i, 1, 6, 160000 + 16 * i);
	}
	build();
	assert_true(root.level >= 1);
	for (i = 0; i < 1200; i++)
		look(9, i, 1);
	is(look(1, 0, 5000), DR_SLOT_ORIGIN, 5000, 0);
	is(look(2, 100, 5000), 16000, 1000, 2);
	is(look(3, 150, 700), 16000 + 16 * 50, 700, 2);
	is(look(5, 100, 1000), 90000, 1, 4);
	is(look(7, 500, 1000), 160000 + 16 * 400, 300, 6);
	is(look(9, 1100, 1000), DR_SLOT_ORIGIN, 1000, 0);
	dr_mem_add(&active, 600, 9, 160000 + 16 * 500, 0);
	is(look(9, 500, 1000), 160000 + 16 * 400, 100, 6);
	end();
}

static void extents_through_stacks_of_any_height_equal_a_walk(void **state)
{
	const u32 n = 400;
	u64 seed = 11, block, whole = 0;
	u32 e, epoch, len, each, runs = 0;

	begin(n, 1);
	for (block = 0; block < 300; block += len + mem_random(&seed) % 2) {
		len = 1 + mem_random(&seed) % 3;
		each = runs++ % 7 ? 1 + mem_random(&seed) % 40 : 1;
		for (e = 1 + mem_random(&seed) % each; e <= n; e += each)
			put(block, len, e, mem_random(&seed) % 8 ?
			    1000 * e + block : DR_SLOT_ZERO);
	}
	build();
	assert_true(root.level >= 1);
	for (block = 0; block < 300; block++)
		look(n, block, 1);
	for (epoch = 0; epoch <= n; epoch += 1 + epoch / 9)
		for (block = 0; block < 320; block++)
			whole += look(epoch, block, 320 - block).len > 3;
	assert_true(whole > 100);
	end();
}

static void memtables_come_before_the_tree(void **state)
{
	struct dr_state s;

	begin(5, 1);
	put(100, 50, 1, 1000);
	build();
	dr_mem_add(&frozen, 110, 2, 5000, 0);
	dr_mem_add(&frozen, 120, 2, 5001, 0);
	dr_mem_add(&active, 120, 3, 6000, DR_MAP_MERGED);
	is(look(5, 100, 50), 1000, 10, 1);
	s = look(5, 110, 50);
	is(s, 5000, 1, 2);
	assert_true(s.in_frozen && !s.in_active && s.at == 0);
	is(look(5, 111, 50), 1011, 9, 1);
	s = look(5, 120, 50);
	is(s, 6000, 1, 3);
	assert_true(s.in_active && s.flags == DR_MAP_MERGED);
	is(look(2, 120, 50), 5001, 1, 2);
	is(look(1, 100, 100), 1000, 50, 1);
	is(look(1, 115, 100), 1015, 35, 1);
	end();
}

static void an_extent_is_recorded_when_its_latest_block_is(void **state)
{
	struct dr_state s;

	begin(5, 1);
	dr_mem_add(&frozen, 50, 4, 1000, 0);
	dr_mem_add(&frozen, 80, 4, 7000, 0);
	dr_mem_add(&frozen, 51, 4, 1001, 0);
	dr_mem_add(&active, 52, 4, 1002, 0);
	s = look(5, 50, 9);
	is(s, 1000, 2, 4);
	assert_true(s.in_frozen && s.at == 2);
	s = look(5, 52, 9);
	assert_true(s.in_active && s.len == 1 && s.at == 0);
	end();
}

static void neighbours_in_a_memtable_are_one_extent(void **state)
{
	struct dr_state s;
	u32 i;

	begin(5, 16);
	for (i = 0; i < 10; i++)
		dr_mem_add(&active, 200 + i, 4, 1600 + 16 * i, 0);
	dr_mem_add(&active, 210, 4, 16000, 0);
	dr_mem_add(&active, 211, 5, 16016, 0);
	s = look(5, 200, 100);
	is(s, 1600, 10, 4);
	assert_int_equal(s.at, 9);	/* the latest decides "recorded" */
	is(look(5, 205, 3), 1680, 3, 4);
	is(look(5, 210, 100), 16000, 1, 4);
	assert_true(dr_mem_add_zero(&active, 300, 1000, 5));
	is(look(5, 310, 100), DR_SLOT_ZERO, 100, 5);
	end();
}

static void a_range_in_memory_cuts_a_run_of_the_tree(void **state)
{
	begin(5, 1);
	put(0, 4096, 1, 10000);
	build();
	assert_true(dr_mem_add_zero(&active, 1000, 100, 5));
	is(look(5, 0, 4096), 10000, 1000, 1);
	is(look(5, 1000, 4096), DR_SLOT_ZERO, 100, 5);
	is(look(5, 1100, 4096), 11100, 2996, 1);
	is(look(4, 0, 4096), 10000, 4096, 1);
	end();
}

static void a_lookup_that_needs_a_node_says_which(void **state)
{
	struct dr_lineage *l;
	struct dr_snap snap = { .active = &active };
	struct dr_state st;
	struct dr_want want = {};
	u32 i;

	begin(2, 1);
	for (i = 0; i < 1000; i++)
		put(2 * i, 1, 1, 5000 + i);
	build();
	mem_forget(&x.m);
	l = dr_lineage_make(&t, &x.m.env, 2);
	snap.map = root;
	x.m.env.enter(&x.m);
	assert_int_equal(dr_map_lookup(&x.m.env, &snap, l, 2, 500, 1, 1, &st,
				       &want), -EAGAIN);
	x.m.env.leave(&x.m);
	assert_true(want.block == root.block && want.level == 1);
	is(look(2, 500, 5), 5250, 1, 1);
	is(look(2, 501, 5), DR_SLOT_ORIGIN, 1, 0);
	free(l);
	end();
}

/* --- where the head has no data of its own ------------------------------------ */

static u64 unsettled(u32 head, u64 block, u64 max)
{
	struct dr_lineage *l = dr_lineage_make(&t, &x.m.env, head);
	struct dr_snap snap = { .active = &active, .frozen = &frozen,
				.map = root, .lineage = l, .head = head };
	u64 n;

	x.m.env.enter(&x.m);
	n = dr_map_unsettled(&x.m.env, &snap, block, max);
	x.m.env.leave(&x.m);
	free(l);
	return n;
}

static bool settled(u32 head, u64 block)
{
	struct dr_state st = look(head, block, 1);

	return st.epoch == head && dr_slot_is_data(st.slot);
}

static void a_first_write_ends_before_what_is_settled(void **state)
{
	begin(5, 1);
	put(100, 10, 1, 1000);
	put(100, 10, 2, 2000);
	put(110, 1, 4, DR_SLOT_ZERO);
	put(120, 10, 1, 3000);
	put(120, 10, 4, 4000);
	put(120, 10, 5, 5000);
	build();
	look(5, 0, 1);
	assert_int_equal(unsettled(4, 0, 1000), 120);
	assert_int_equal(unsettled(4, 105, 10), 10);
	assert_int_equal(unsettled(4, 125, 10), 0);
	assert_int_equal(unsettled(4, 130, 10), 10);
	assert_int_equal(unsettled(3, 0, 1000), 1000);
	dr_mem_add(&frozen, 107, 4, 6000, 0);
	dr_mem_add(&active, 105, 3, 6001, 0);
	assert_int_equal(unsettled(4, 0, 1000), 107);
	assert_int_equal(unsettled(3, 0, 1000), 105);
	/* What the head has given up again is not promised. */
	assert_true(dr_mem_add_zero(&active, 100, 100, 4));
	assert_int_equal(unsettled(4, 0, 1000), 120);
	assert_int_equal(unsettled(4, 120, 1000), 0);
	end();
}

static void a_first_write_finds_the_head_in_stacks_of_any_height(void **state)
{
	const u32 n = 700;
	u64 seed = 5, block, at, wanted;
	u32 e, head, runs = 0;

	begin(n, 1);
	for (block = 0; block < 300; block += 1 + mem_random(&seed) % 4) {
		u32 len = 1 + mem_random(&seed) % 3, each;

		each = runs++ % 9 ? 97 + mem_random(&seed) % 400 : 1;
		for (e = 1 + mem_random(&seed) % each; e <= n; e += each)
			put(block, len, e, mem_random(&seed) % 8 ?
			    10000 + block * 1000 + e : DR_SLOT_ZERO);
		block += len - 1;
	}
	build();
	assert_true(root.level >= 1);
	for (block = 0; block < 300; block++)
		look(n, block, 1);
	for (head = 1; head <= n; head += head < 100 ? 1 : 37) {
		wanted = 320;
		for (at = 320; at--; ) {
			if (settled(head, at))
				wanted = at;
			assert_int_equal(unsettled(head, at, 320 - at),
					 wanted - at);
		}
	}
	end();
}

static void a_first_write_ends_where_a_node_is_not_at_hand(void **state)
{
	u32 i;

	begin(2, 1);
	for (i = 0; i < 1000; i++)
		put(2 * i, 1, 1, 5000 + i);
	build();
	mem_forget(&x.m);
	assert_int_equal(unsettled(2, 10, 1000), 0);
	look(2, 10, 1);
	i = unsettled(2, 10, 1900);
	assert_in_range(i, 1, 1000);
	/* To where the next leaf begins, not further */
	look(2, 10 + i, 1);
	assert_true(unsettled(2, 10, 1900) > i);
	end();
}

/* --- damaged trees that every node of looks sound in ------------------------------- */

static int try(u32 epoch, u64 block, u64 max)
{
	struct dr_lineage *l = dr_lineage_make(&t, &x.m.env, epoch);
	struct dr_snap snap = { .active = &active, .frozen = &frozen,
				.map = root, .lineage = l, .head = epoch };
	struct dr_want want;
	struct dr_state st;
	int r;

	x.m.env.enter(&x.m);
	r = dr_map_lookup(&x.m.env, &snap, l, epoch, block, max, slot_blocks,
			  &st, &want);
	x.m.env.leave(&x.m);
	if (!r)
		assert_in_range(st.len, 1, max);
	free(l);
	return r;
}

static void versions_of_different_length_are_an_error(void **state)
{
	begin(2, 1);
	put(10, 1, 1, 1000);
	put(10, 4, 2, 2000);
	build();
	is(look(2, 11, 9), 2001, 3, 2);
	assert_int_equal(try(1, 11, 9), -EUCLEAN);
	assert_int_equal(try(1, 12, 9), -EUCLEAN);
	end();
}

/* The parent says that the second leaf begins later than it does. */
static void a_parent_that_leads_back_promises_nothing(void **state)
{
	struct dr_disk_child *c;
	struct dr_disk_node *n;
	u64 from;
	u32 i;

	begin(2, 1);
	for (i = 0; i < 1000; i++)
		put(20 * i, 1, 2, 1000 + 2 * i);
	build();
	assert_int_equal(root.level, 1);
	n = mem_block(&x.m, root.block);
	c = (struct dr_disk_child *)n->data + 1;
	from = le64_to_cpu(c->key_hi);
	c->key_hi = cpu_to_le64(from + 9);
	root.crc = dr_head_seal(n, DR_TYPE_NODE, root.block,
				le64_to_cpu(n->head.gen), x.uuid);
	mem_forget(&x.m);
	for (i = 0; i < 40; i++)
		while (try(2, from - 20 + i, 1) == -EAGAIN)
			look(2, from - 20 + i, 1);
	for (i = 0; i < 40; i++) {
		assert_int_equal(try(2, from - 20 + i, 20), 0);
		assert_in_range(unsettled(2, from - 20 + i, 20), 0, 20);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_never_written_is_the_origin_s),
		TEST(a_run_and_the_holes_around_it),
		TEST(zeroes_and_origin_do_not_advance),
		TEST(each_epoch_sees_its_version),
		TEST(stacks_taller_than_a_leaf),
		TEST(an_abandoned_branch_costs_one_more_search),
		TEST(lookups_through_many_branches_equal_a_walk),
		TEST(runs_that_go_on_are_one_extent),
		TEST(extents_through_stacks_of_any_height_equal_a_walk),
		TEST(memtables_come_before_the_tree),
		TEST(an_extent_is_recorded_when_its_latest_block_is),
		TEST(neighbours_in_a_memtable_are_one_extent),
		TEST(a_range_in_memory_cuts_a_run_of_the_tree),
		TEST(a_lookup_that_needs_a_node_says_which),
		TEST(a_first_write_ends_before_what_is_settled),
		TEST(a_first_write_finds_the_head_in_stacks_of_any_height),
		TEST(a_first_write_ends_where_a_node_is_not_at_hand),
		TEST(versions_of_different_length_are_an_error),
		TEST(a_parent_that_leads_back_promises_nothing),
	};

	return mem_tests("map", tests);
}
