// SPDX-License-Identifier: GPL-2.0
/*
 * tree-apply-test.c - bulk updates: shape of the tree, immutability, undo.
 */
#include "mem-env.h"

static struct mem_txn x;
static struct dr_root root;
static struct dr_batch b;

static void begin(u64 nr_blocks, const struct dr_tree_type *t, u32 max)
{
	mem_txn_init(&x, nr_blocks, 1);
	memset(&root, 0, sizeof(root));
	assert_int_equal(dr_batch_init(&b, &x.m.env, t, max), 0);
}

static void end(void)
{
	dr_batch_exit(&b, &x.m.env);
	mem_txn_exit(&x);
}

static void put(u64 key, u64 value, bool del)
{
	void *at = dr_batch_at(&b, b.nr);
	struct dr_map m = { .block = key, .epoch = 1, .len = 1,
			    .slot = 1 + value };

	memset(at, 0, b.t->esize);
	if (b.t->id == DR_TREE_MAP) {
		dr_map_encode(at, &m);
	} else if (b.t->id == DR_TREE_INDEX) {
		((struct dr_disk_extent *)at)->block = cpu_to_le64(key);
		((struct dr_disk_extent *)at)->len = cpu_to_le32(value);
	} else {
		((struct dr_disk_epoch *)at)->id = cpu_to_le32(key);
		((struct dr_disk_epoch *)at)->nr_blocks = cpu_to_le64(value);
	}
	b.del[b.nr++] = del;
}

static u64 key_of(const void *e)
{
	struct dr_key k = b.t->key(e);

	return b.t->id == DR_TREE_INDEX ? k.lo : k.hi;
}

static u64 value_of(const void *e)
{
	struct dr_map m;

	if (b.t->id == DR_TREE_MAP) {
		dr_map_decode(&m, e);
		return m.slot - 1;
	}
	if (b.t->id == DR_TREE_INDEX)
		return le32_to_cpu(((const struct dr_disk_extent *)e)->len);
	return le64_to_cpu(((const struct dr_disk_epoch *)e)->nr_blocks);
}

static int apply(void)
{
	int r = mem_txn_apply(&x, &root, &b);

	b.nr = 0;
	return r;
}

struct shape {
	u64 nodes, leaves, entries, lean, full;
	u64 next;		/* keys seen so far are below */
};

static void walk(const struct dr_root *r, u64 block, u32 crc, u32 level,
		 const struct dr_key *first, struct shape *s)
{
	struct dr_want w = { block, crc, level, b.t->id };
	const struct dr_disk_node *n = mem_block(&x.m, block);
	const struct dr_disk_child *c = (const void *)n->data;
	u32 i, nr = le16_to_cpu(n->nr);
	struct dr_key k;

	assert_null(dr_node_verify(n, x.uuid, &w));
	assert_true(dr_space_is_disk(&x.sp, block));
	s->nodes++;
	s->lean += nr < dr_node_max(b.t, level) / 4;
	s->full += nr == dr_node_max(b.t, level);
	k = level ? (struct dr_key){ le64_to_cpu(c->key_hi),
				     le64_to_cpu(c->key_lo) } : b.t->key(c);
	if (first)
		assert_int_equal(dr_key_cmp(k, *first), 0);
	s->leaves += !level;
	for (i = 0; i < nr; i++) {
		if (!level) {
			const void *e = n->data + i * b.t->esize;

			assert_true(key_of(e) >= s->next);
			s->next = key_of(e) + 1;
			s->entries++;
			continue;
		}
		k = (struct dr_key){ le64_to_cpu(c[i].key_hi),
				     le64_to_cpu(c[i].key_lo) };
		walk(r, le64_to_cpu(c[i].block), le32_to_cpu(c[i].crc),
		     level - 1, &k, s);
	}
}

/* Sound, counted right, and nothing but its nodes is in use */
static struct shape shape(void)
{
	struct shape s = {};
	u64 i, used = 0, fixed = 0;

	if (root.block)
		walk(&root, root.block, root.crc, root.level, NULL, &s);
	assert_true(s.entries == root.nr);
	assert_true(s.nodes == x.sp.nodes);
	for (i = 0; i < x.sp.nr_blocks; i++) {
		fixed += dr_space_fixed(&x.sp, i);
		used += dr_space_is_disk(&x.sp, i);
		assert_true(dr_space_is_disk(&x.sp, i) ==
			    dr_space_is_busy(&x.sp, i));
	}
	assert_true(used == fixed + s.nodes);
	return s;
}

static void a_leaf_takes_252_entries_and_splits_at_253(void **state)
{
	struct shape s;
	u32 i;

	begin(4096, &dr_tree_map, 300);
	for (i = 0; i < 252; i++)
		put(i, i, false);
	assert_int_equal(apply(), 0);
	s = shape();
	assert_int_equal(root.level, 0);
	assert_int_equal(s.full, 1);
	put(1000, 0, false);
	assert_int_equal(apply(), 0);
	s = shape();
	assert_int_equal(root.level, 1);
	assert_int_equal(s.leaves, 2);
	assert_int_equal(s.lean - (root.level == 1), 0); /* the root may be */
	put(1000, 0, true);
	put(1001, 0, true);	/* never was there */
	assert_int_equal(apply(), 0);
	s = shape();
	assert_int_equal(s.entries, 252);
	end();
}

static void appends_pack_densely(void **state)
{
	struct shape s;
	u32 i;

	begin(8192, &dr_tree_map, 20000);
	for (i = 0; i < 20000; i++)
		put(i, i, false);
	assert_int_equal(apply(), 0);
	s = shape();
	/* All but the last two leaves are full. */
	assert_true(s.leaves == (20000 + 251) / 252);
	assert_true(s.full >= s.leaves - 2);
	end();
}

static void an_empty_batch_changes_nothing(void **state)
{
	struct dr_root before;

	begin(4096, &dr_tree_map, 10);
	assert_int_equal(apply(), 0);
	assert_true(root.block == 0 && x.m.writes == 0);
	put(1, 1, false);
	apply();
	before = root;
	x.m.writes = 0;
	assert_int_equal(apply(), 0);
	assert_memory_equal(&before, &root, sizeof(root));
	assert_true(x.m.writes == 0);
	end();
}

static void deleting_everything_leaves_an_empty_tree(void **state)
{
	u32 i, n = 30000;

	begin(8192, &dr_tree_map, n);
	for (i = 0; i < n; i++)
		put(i, i, false);
	assert_int_equal(apply(), 0);
	assert_int_equal(root.level, 1);
	for (i = 0; i < n; i++)
		put(i, 0, true);
	assert_int_equal(apply(), 0);
	shape();
	assert_true(root.block == 0 && root.nr == 0 && root.level == 0);
	/* Deleting from nothing is no error either. */
	put(5, 0, true);
	assert_int_equal(apply(), 0);
	assert_true(root.block == 0 && root.nr == 0);
	put(5, 0, false);
	assert_int_equal(apply(), 0);
	shape();
	assert_true(root.nr == 1);
	end();
}

static void the_root_comes_down_when_little_is_left(void **state)
{
	u32 i, n = 40000;

	begin(8192, &dr_tree_map, n);
	for (i = 0; i < n; i++)
		put(i, i, false);
	apply();
	assert_int_equal(root.level, 2);
	for (i = 0; i < n; i++)
		if (i != 20000)
			put(i, 0, true);
	assert_int_equal(apply(), 0);
	shape();
	assert_int_equal(root.level, 0);
	assert_true(root.nr == 1);
	end();
}

static void an_untouched_subtree_can_become_the_root(void **state)
{
	u64 nodes;
	u32 i, n = 60000, keep;
	const struct dr_disk_child *c;

	begin(8192, &dr_tree_map, n);
	for (i = 0; i < n; i++)
		put(i, i, false);
	apply();
	assert_int_equal(root.level, 2);
	c = (void *)((struct dr_disk_node *)mem_block(&x.m, root.block))->data;
	keep = le64_to_cpu(c[1].key_hi);
	for (i = 0; i < keep; i++)
		put(i, 0, true);
	nodes = x.sp.nodes;
	x.m.writes = 0;
	assert_int_equal(apply(), 0);
	shape();
	assert_true(root.nr == n - keep);
	assert_int_equal(root.level, 1);
	assert_true(x.m.writes <= 2);
	assert_true(x.sp.nodes < nodes);
	end();
}

static void a_lean_node_takes_in_its_neighbour(void **state)
{
	struct shape s;
	u32 i;

	begin(4096, &dr_tree_map, 3000);
	for (i = 0; i < 2520; i++)
		put(i, i, false);
	apply();
	/* One entry remains of each of the first five leaves. */
	for (i = 0; i < 5 * 252; i++)
		if (i % 252)
			put(i, 0, true);
	assert_int_equal(apply(), 0);
	s = shape();
	assert_true(s.entries == 5 + 5 * 252);
	assert_true(s.leaves <= 7);
	assert_int_equal(s.lean - 1, 0);	/* the root */
	end();
}

static void only_touched_nodes_are_written(void **state)
{
	u32 i;

	begin(8192, &dr_tree_map, 50000);
	for (i = 0; i < 50000; i++)
		put(2 * i, i, false);
	apply();
	assert_int_equal(root.level, 2);
	x.m.writes = 0;
	x.m.reads = 0;
	put(50000, 1, false);
	assert_int_equal(apply(), 0);
	assert_true(x.m.writes == 3);
	assert_true(root.nr == 50000);
	/* Of a full leaf there are two. */
	x.m.writes = 0;
	put(50001, 1, false);
	assert_int_equal(apply(), 0);
	assert_true(x.m.writes == 4);
	shape();
	end();
}

static void the_old_tree_stays_as_it_was(void **state)
{
	static struct mem_env before;
	struct dr_root old;
	u32 i;

	begin(4096, &dr_tree_map, 2000);
	for (i = 0; i < 2000; i++)
		put(2 * i, i, false);
	apply();
	old = root;
	mem_copy(&before, &x.m);
	for (i = 0; i < 2000; i += 3)
		put(2 * i + i % 2, 7, i % 4 == 0);
	dr_txn_begin(&x.txn, x.gen++);
	assert_int_equal(dr_tree_apply(&x.txn, &root, &b), 0);
	for (i = 0; i < x.sp.nr_blocks; i++)
		if (before.page[i])
			assert_memory_equal(before.page[i], x.m.page[i],
					    DR_BLOCK_SIZE);
	assert_true(old.block != root.block);
	dr_txn_release(&x.txn, true);
	mem_env_exit(&before);
	end();
}

/* Random batches against an array */
static void torture(const struct dr_tree_type *t, u32 keys, u32 rounds,
		    u32 per_round, u64 seed)
{
	u64 *want = calloc(keys, sizeof(*want)), v;
	u32 round, i, step, nr = 0;
	struct dr_cursor c;
	const void *e;
	bool del;
	int r;

	assert_non_null(want);
	begin(16384, t, per_round + 1);
	for (round = 0; round < rounds; round++) {
		u32 mode = mem_random(&seed) % 4;

		step = max_t(u32, 1, keys / per_round);
		i = 1 + mem_random(&seed) % step;
		/* Now and then all of it is in one place. */
		if (mode == 0) {
			i = 1 + mem_random(&seed) % (keys - 1);
			step = 1;
		}
		for (; i < keys && b.nr < per_round;
		     i += 1 + mem_random(&seed) % (2 * step)) {
			del = mode == 3 || mem_random(&seed) % 3 == 0;
			v = 1 + mem_random(&seed) % 1000000;
			put(i, v, del);
			nr += !del - !!want[i];
			want[i] = del ? 0 : v;
		}
		assert_int_equal(apply(), 0);
		assert_true(root.nr == nr);
		if (round % 16 && round != rounds - 1)
			continue;
		shape();
		dr_cursor_init(&c, &x.m.env, x.uuid, t, &root);
		r = dr_cursor_ge(&c, (struct dr_key){}, &e);
		for (i = 0; i < keys; i++) {
			if (!want[i])
				continue;
			assert_int_equal(r, 1);
			assert_true(key_of(e) == i && value_of(e) == want[i]);
			r = dr_cursor_next(&c, &e);
		}
		assert_int_equal(r, 0);
		dr_cursor_exit(&c);
	}
	free(want);
	end();
}

static void random_batches_map(void **state)
{
	torture(&dr_tree_map, 30000, 150, 400, 42);
}

static void random_batches_index(void **state)
{
	torture(&dr_tree_index, 2000, 300, 40, 43);
}

static void random_batches_epochs(void **state)
{
	torture(&dr_tree_epochs, 6000, 200, 100, 44);
}

static void tiny_batches_make_a_deep_tree(void **state)
{
	struct shape s;
	u32 i;

	begin(16384, &dr_tree_epochs, 8);
	for (i = 1; i <= 150000; i++) {
		put(i, i, false);
		if (b.nr == 8)
			assert_int_equal(apply(), 0);
	}
	s = shape();
	assert_true(s.entries == 150000);
	assert_int_equal(root.level, 3);
	/* Half full at least, whatever the batches were */
	assert_true(s.leaves <= 150000 / 15 + 1);
	end();
}

static void an_error_can_be_undone(void **state)
{
	struct dr_root before;
	u64 free;
	u32 i, at, failed = 0;

	begin(4096, &dr_tree_map, 3000);
	for (i = 0; i < 3000; i++)
		put(2 * i, i, false);
	apply();
	before = root;
	free = x.sp.free;
	for (at = 1; at < 60; at++) {
		for (i = 0; i < 1500; i++)
			put(4 * i + 1, i, false);
		mem_forget(&x.m);
		if (at % 2)
			x.m.fail_read = at / 2 + 1;
		else
			x.m.fail_write = at / 2;
		dr_txn_begin(&x.txn, x.gen++);
		if (dr_tree_apply(&x.txn, &root, &b)) {
			failed++;
			assert_memory_equal(&root, &before, sizeof(root));
		}
		dr_txn_abort(&x.txn);
		root = before;
		b.nr = 0;
		x.m.fail_read = 0;
		x.m.fail_write = 0;
		assert_true(x.sp.free == free);
		if (at % 8 == 0)
			shape();
	}
	assert_true(failed > 15);
	end();
}

static void without_space_there_is_an_error_and_no_change(void **state)
{
	struct dr_root before;
	u32 i;

	begin(2048, &dr_tree_map, 2000);
	for (i = 0; i < 500; i++)
		put(2 * i, i, false);
	apply();
	before = root;
	dr_space_set_busy(&x.sp, 72, 2048 - 72 - x.sp.nodes - 3);
	for (i = 0; i < 2000; i++)
		put(i, i, false);
	assert_int_equal(apply(), -ENOSPC);
	assert_memory_equal(&root, &before, sizeof(root));
	assert_int_equal(x.sp.free, 3);
	end();
}

static void a_root_of_impossible_height_is_refused(void **state)
{
	begin(2048, &dr_tree_map, 4);
	put(1, 1, false);
	apply();
	root.level = DR_MAX_LEVEL;
	put(2, 1, false);
	assert_int_equal(apply(), -EUCLEAN);
	root.level = 1;		/* but it is a leaf */
	put(2, 1, false);
	assert_int_equal(apply(), -EUCLEAN);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_leaf_takes_252_entries_and_splits_at_253),
		TEST(appends_pack_densely),
		TEST(an_empty_batch_changes_nothing),
		TEST(deleting_everything_leaves_an_empty_tree),
		TEST(the_root_comes_down_when_little_is_left),
		TEST(an_untouched_subtree_can_become_the_root),
		TEST(a_lean_node_takes_in_its_neighbour),
		TEST(only_touched_nodes_are_written),
		TEST(the_old_tree_stays_as_it_was),
		TEST(random_batches_map),
		TEST(random_batches_index),
		TEST(random_batches_epochs),
		TEST(tiny_batches_make_a_deep_tree),
		TEST(an_error_can_be_undone),
		TEST(without_space_there_is_an_error_and_no_change),
		TEST(a_root_of_impossible_height_is_refused),
	};

	return mem_tests("tree-apply", tests);
}
