// SPDX-License-Identifier: GPL-2.0
/*
 * tree-test.c - search, cursors, and what they do with damaged nodes.
 */
#include "mem-env.h"

static struct mem_txn x;
static struct dr_root root;

static void put(struct dr_batch *b, u64 block, u32 epoch)
{
	struct dr_map m = { .block = block, .epoch = epoch, .len = 1,
			    .slot = 1 + block };

	dr_map_encode(dr_batch_at(b, b->nr), &m);
	b->del[b->nr++] = 0;
}

/* Blocks 0, 10, 20, ... of epoch 1 */
static void grow(u32 nr)
{
	struct dr_batch b;
	u32 i;

	mem_txn_init(&x, 8192, 1);
	memset(&root, 0, sizeof(root));
	assert_int_equal(dr_batch_init(&b, &x.m.env, &dr_tree_map, nr + 1), 0);
	for (i = 0; i < nr; i++)
		put(&b, 10 * i, 1);
	assert_int_equal(mem_txn_apply(&x, &root, &b), 0);
	dr_batch_exit(&b, &x.m.env);
}

static struct dr_key key(u64 block, u32 epoch)
{
	return (struct dr_key){ block, epoch };
}

static u64 block_of(const void *entry)
{
	return dr_disk_map_block(entry);
}

static int seek(struct dr_key k, struct dr_spot *spot, struct dr_want *want)
{
	int r;

	x.m.env.enter(&x.m);
	r = dr_tree_seek(&x.m.env, &dr_tree_map, &root, k, spot, want);
	x.m.env.leave(&x.m);
	return r;
}

static void an_empty_tree_has_nothing(void **state)
{
	struct dr_cursor c;
	struct dr_spot spot;
	struct dr_want want;
	const void *e;

	grow(0);
	assert_int_equal(seek(key(5, 5), &spot, &want), 0);
	assert_null(spot.leaf);
	assert_int_equal(spot.pos, -1);
	assert_false(spot.has_next);
	dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
	assert_int_equal(dr_cursor_le(&c, key(~0ULL, ~0u), &e), 0);
	assert_int_equal(dr_cursor_ge(&c, key(0, 0), &e), 0);
	assert_int_equal(dr_cursor_next(&c, &e), 0);
	dr_cursor_exit(&c);
	mem_txn_exit(&x);
}

static void one_entry_from_all_sides(void **state)
{
	struct dr_cursor c;
	struct dr_batch b;
	const void *e;

	grow(0);
	dr_batch_init(&b, &x.m.env, &dr_tree_map, 1);
	put(&b, 100, 7);
	assert_int_equal(mem_txn_apply(&x, &root, &b), 0);
	dr_batch_exit(&b, &x.m.env);
	dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
	assert_int_equal(dr_cursor_le(&c, key(100, 6), &e), 0);
	assert_int_equal(dr_cursor_le(&c, key(100, 7), &e), 1);
	assert_int_equal(dr_cursor_le(&c, key(100, 8), &e), 1);
	assert_true(block_of(e) == 100);
	assert_int_equal(dr_cursor_next(&c, &e), 0);
	assert_int_equal(dr_cursor_ge(&c, key(100, 8), &e), 0);
	assert_int_equal(dr_cursor_ge(&c, key(100, 7), &e), 1);
	assert_int_equal(dr_cursor_ge(&c, key(0, 0), &e), 1);
	dr_cursor_exit(&c);
	mem_txn_exit(&x);
}

static void a_cursor_visits_all_in_order(void **state)
{
	static const u32 sizes[] = { 1, 251, 252, 253, 504, 505, 40000 };
	struct dr_cursor c;
	const void *e;
	u32 i, n;
	int r;

	for (i = 0; i < 7; i++) {
		grow(sizes[i]);
		mem_forget(&x.m);
		dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
		n = 0;
		for (r = dr_cursor_ge(&c, key(0, 0), &e); r == 1;
		     r = dr_cursor_next(&c, &e))
			assert_true(block_of(e) == 10 * n++);
		assert_int_equal(r, 0);
		assert_int_equal(n, sizes[i]);
		assert_true(root.nr == n);
		dr_cursor_exit(&c);
		mem_txn_exit(&x);
	}
}

static void every_key_is_found_from_both_sides(void **state)
{
	struct dr_cursor c;
	const void *e;
	u32 i, n = 3000;

	grow(n);
	dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
	for (i = 0; i < 10 * n; i += 7) {
		assert_int_equal(dr_cursor_le(&c, key(i, ~0u), &e), 1);
		assert_true(block_of(e) == i / 10 * 10);
		if (i > 10 * (n - 1)) {
			assert_int_equal(dr_cursor_ge(&c, key(i, 0), &e), 0);
			continue;
		}
		assert_int_equal(dr_cursor_ge(&c, key(i, 0), &e), 1);
		assert_true(block_of(e) == (u64)(i + 9) / 10 * 10);
	}
	dr_cursor_exit(&c);
	mem_txn_exit(&x);
}

static void left_of_everything_the_first_entry_is_next(void **state)
{
	struct dr_spot spot;
	struct dr_want want;

	grow(600);
	/* Epoch 0 of block 0 lies before the first key. */
	assert_int_equal(seek(key(0, 0), &spot, &want), 0);
	assert_int_equal(spot.pos, -1);
	assert_non_null(spot.leaf);
	assert_true(spot.has_next);
	assert_true(block_of(spot.leaf->data) == 0);
	mem_txn_exit(&x);
}

static void a_search_names_the_node_that_it_lacks(void **state)
{
	struct dr_spot spot;
	struct dr_want want;
	u32 loads = 0;

	grow(600);
	mem_forget(&x.m);
	while (seek(key(3000, 1), &spot, &want) == -EAGAIN) {
		assert_int_equal(want.level, loads ? 0 : 1);
		assert_int_equal(want.tree, DR_TREE_MAP);
		assert_int_equal(dr_tree_load(&x.m.env, x.uuid, &want), 0);
		loads++;
	}
	assert_int_equal(loads, 2);
	assert_true(block_of(spot.leaf->data + spot.pos * 16) == 3000);
	mem_txn_exit(&x);
}

static void a_cached_node_of_other_content_is_not_used(void **state)
{
	static u8 other[DR_BLOCK_SIZE];
	struct dr_spot spot;
	struct dr_want want;

	grow(10);
	dr_node_cache_put(&x.m.nodes, root.block, other);
	assert_int_equal(seek(key(10, 1), &spot, &want), -EAGAIN);
	assert_true(want.block == root.block && want.crc == root.crc);
	mem_txn_exit(&x);
}

static void errors_of_reading_come_through(void **state)
{
	struct dr_cursor c;
	const void *e;

	grow(600);
	mem_forget(&x.m);
	dr_cursor_init(&c, &x.m.env, x.uuid, &dr_tree_map, &root);
	x.m.fail_read = 2;
	assert_int_equal(dr_cursor_ge(&c, key(0, 0), &e), -EIO);
	assert_int_equal(x.m.reports, 1);
	/* Nothing is left of the attempt. */
	assert_int_equal(dr_cursor_next(&c, &e), 0);
	x.m.fail_alloc = 1;
	assert_int_equal(dr_cursor_ge(&c, key(0, 0), &e), -ENOMEM);
	assert_int_equal(dr_cursor_ge(&c, key(0, 0), &e), 1);
	dr_cursor_exit(&c);
	mem_txn_exit(&x);
}

static struct dr_disk_node *leaf_of(struct dr_want *want)
{
	struct dr_disk_node *n = mem_block(&x.m, root.block);

	*want = (struct dr_want){ .block = root.block, .crc = root.crc,
				  .tree = DR_TREE_MAP };
	assert_null(dr_node_verify(n, x.uuid, want));
	return n;
}

static void reseal(struct dr_disk_node *n, struct dr_want *want)
{
	want->crc = dr_head_seal(n, DR_TYPE_NODE, want->block, 1, x.uuid);
}

static void a_malformed_leaf_is_named(void **state)
{
	struct dr_disk_node *n, good;
	struct dr_disk_map *e;
	struct dr_want want;

	grow(20);
	n = leaf_of(&want);
	good = *n;
	e = (void *)n->data;
#define BAD(change, why) do {						\
		*n = good;						\
		change;							\
		reseal(n, &want);					\
		assert_string_equal(dr_node_verify(n, x.uuid, &want), why); \
	} while (0)
	BAD(n->nr = 0, "impossible number of entries");
	BAD(n->nr = cpu_to_le16(253), "impossible number of entries");
	BAD(n->tree = DR_TREE_INDEX, "belongs to another tree");
	BAD(n->level = cpu_to_le16(1), "is of another level");
	BAD(e[3] = e[2], "keys out of order");
	BAD(e[3].block_lo = 0, "keys out of order");
	BAD(e[3].epoch = 0, "version of epoch 0");
	BAD(e[3].v |= cpu_to_le64(2ULL << 60), "unknown flags");
	BAD(e[3].v &= ~cpu_to_le64(DR_ADDR_MASK), "slot 0");
	*n = good;
	want.crc ^= 1;
	assert_string_equal(dr_node_verify(n, x.uuid, &want),
			    "is not the node that its parent names");
	want.crc ^= 1;
	want.tree = 9;
	reseal(n, &want);
	assert_string_equal(dr_node_verify(n, x.uuid, &want),
			    "belongs to another tree");
	mem_txn_exit(&x);
}

static void a_malformed_inner_node_is_named(void **state)
{
	struct dr_disk_node *n, good;
	struct dr_disk_child *c;
	struct dr_want want;

	grow(600);
	n = mem_block(&x.m, root.block);
	want = (struct dr_want){ .block = root.block, .crc = root.crc,
				 .level = 1, .tree = DR_TREE_MAP };
	good = *n;
	c = (void *)n->data;
	BAD(c[1].block = 0, "child at block 0");
	BAD(c[1].key_hi = 0, "keys out of order");
	BAD(n->nr = cpu_to_le16(127), "impossible number of entries");
	mem_txn_exit(&x);
}

/* The root's checksum follows a change; nodes are read anew. */
static void believe(struct dr_disk_node *n)
{
	root.crc = dr_head_seal(n, DR_TYPE_NODE, root.block, 1, x.uuid);
	mem_forget(&x.m);
}

static void a_child_that_is_a_leaf_for_one_and_inner_for_another(void **state)
{
	struct dr_disk_node *top;
	struct dr_disk_child *c;
	struct dr_cursor cur;
	const void *e;
	int r;

	/* Three levels; then the second child of the root names a leaf. */
	grow(40000);
	assert_int_equal(root.level, 2);
	top = mem_block(&x.m, root.block);
	c = (void *)top->data;
	c[1].block = ((struct dr_disk_child *)((struct dr_disk_node *)
		      mem_block(&x.m, le64_to_cpu(c[0].block)))->data)->block;
	c[1].crc = ((struct dr_disk_node *)
		    mem_block(&x.m, le64_to_cpu(c[1].block)))->head.crc;
	believe(top);
	dr_cursor_init(&cur, &x.m.env, x.uuid, &dr_tree_map, &root);
	assert_int_equal(dr_cursor_ge(&cur, key(0, 0), &e), 1);
	for (r = 1; r == 1;)
		r = dr_cursor_next(&cur, &e);
	assert_int_equal(r, -EUCLEAN);
	dr_cursor_exit(&cur);
	mem_txn_exit(&x);
}

static void a_child_that_begins_after_its_key(void **state)
{
	struct dr_disk_node *top;
	struct dr_disk_child *c;
	struct dr_cursor cur;
	const void *e;
	int r;

	grow(600);
	top = mem_block(&x.m, root.block);
	c = (void *)top->data;
	c[1].key_hi = cpu_to_le64(le64_to_cpu(c[1].key_hi) - 5);
	believe(top);
	dr_cursor_init(&cur, &x.m.env, x.uuid, &dr_tree_map, &root);
	for (r = dr_cursor_ge(&cur, key(0, 0), &e); r == 1;)
		r = dr_cursor_next(&cur, &e);
	assert_int_equal(r, -EUCLEAN);
	dr_cursor_exit(&cur);
	mem_txn_exit(&x);
}

static void a_child_outside_the_device(void **state)
{
	struct dr_disk_node *top;
	struct dr_disk_child *c;
	struct dr_cursor cur;
	const void *e;

	grow(600);
	top = mem_block(&x.m, root.block);
	c = (void *)top->data;
	c[0].block = cpu_to_le64(~0ULL);
	believe(top);
	dr_cursor_init(&cur, &x.m.env, x.uuid, &dr_tree_map, &root);
	assert_int_equal(dr_cursor_ge(&cur, key(0, 0), &e), -EIO);
	dr_cursor_exit(&cur);
	mem_txn_exit(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_tree_has_nothing),
		TEST(one_entry_from_all_sides),
		TEST(a_cursor_visits_all_in_order),
		TEST(every_key_is_found_from_both_sides),
		TEST(left_of_everything_the_first_entry_is_next),
		TEST(a_search_names_the_node_that_it_lacks),
		TEST(a_cached_node_of_other_content_is_not_used),
		TEST(errors_of_reading_come_through),
		TEST(a_malformed_leaf_is_named),
		TEST(a_malformed_inner_node_is_named),
		TEST(a_child_that_is_a_leaf_for_one_and_inner_for_another),
		TEST(a_child_that_begins_after_its_key),
		TEST(a_child_outside_the_device),
	};

	return mem_tests("tree", tests);
}
