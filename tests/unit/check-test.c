// SPDX-License-Identifier: GPL-2.0
/*
 * check-test.c - damage of every kind is noticed, and none of it crashes.
 */
#include "history.h"

static struct history h;
static struct mem_store *s = &h.s;
static struct mem_meta *list;
static u32 nr;

/* Three trees of two levels at least, versions of all kinds, a replay */
static void begin(void)
{
	u32 i;

	memset(&h, 0, sizeof(h));
	mem_store_init(s, 1, 50000, 40000);
	for (i = 0; i < 1000; i++)
		mem_write(s, 3 * i, 1);
	mem_zero(s, 20000, 5000);
	for (i = 0; i < 100; i++)
		mem_checkpoint(s, "");
	for (i = 0; i < 500; i++)
		mem_write(s, 5 * i, 2);
	mem_merge(s);
	mem_store_restart(s);
	nr = mem_survey(&s->m, &list);
	mem_store_stop(s);
}

static void end(void)
{
	free(list);
	mem_store_exit(s);
}

/* Everything that can be done with a store, whatever comes of it */
static int use(void)
{
	struct dr_range out[8];
	struct dr_rule rule;
	u64 next = 0;
	u32 i;
	int r;

	mem_forget(&s->m);
	r = mem_store_start(s);
	if (r)
		return r;
	for (i = 0; i < 200 && dr_mem_room(s->st.active, 60); i++)
		if (dr_store_zero(&s->st, i * 97 % s->st.nr_map_blocks, 1))
			break;
	dr_store_zero(&s->st, 0, s->st.nr_map_blocks);
	if (dr_store_freeze(&s->st))
		for (i = 0, r = 1; r == 1 && i < 50; i++) {
			r = dr_merge_step(&s->st);
			if (r >= 0)
				dr_store_release(&s->st, !r);
		}
	if (!r)
		r = dr_diff(&s->st, 1, s->st.head, 0, out, 8, &next);
	r = min(r, 0);
	if (!r && dr_replay_begin(&s->st) > 0) {
		if (!dr_replay_make_rule(&s->st, &rule, 0, 10000, 1, 50, true))
			dr_replay_rule(&s->st, &rule);
		r = dr_replay_step(&s->st);
		dr_store_release(&s->st, false);
		dr_replay_end(&s->st);
	}
	if (r >= 0 && !dr_store_may_drop(&s->st, 1) &&
	    !dr_store_drop(&s->st, 1)) {
		r = dr_reclaim_step(&s->st);
		if (r >= 0)
			dr_store_release(&s->st, false);
	}
	mem_store_stop(s);
	return r;
}

/* Does open or check say that something is wrong? */
static bool noticed(void)
{
	struct dr_check ck = {};
	int r;

	mem_forget(&s->m);
	s->m.reports = 0;
	r = mem_store_open(s);
	if (!r) {
		r = dr_check(&s->st, &ck);
		assert_int_equal(r, 0);
		mem_store_stop(s);
		assert_true(!ck.errors || s->m.reports);
		return ck.errors;
	}
	assert_true(s->m.reports || r == -ENXIO || r == -EPROTONOSUPPORT);
	return true;
}

static void a_sound_store_has_no_errors(void **state)
{
	struct dr_check ck = {};

	begin();
	assert_int_equal(mem_store_open(s), 0);
	assert_int_equal(dr_check(&s->st, &ck), 0);
	assert_int_equal(ck.errors, 0);
	assert_true(ck.nodes == s->st.space.nodes);
	assert_true(ck.versions == s->st.map.nr);
	assert_true(ck.extents == s->st.index.nr);
	assert_true(ck.slots == 2000);
	assert_true(ck.blocks == 7000);
	assert_int_equal(s->m.reports, 0);
	end();
}

static void a_check_writes_nothing_and_can_be_cancelled(void **state)
{
	struct dr_check ck = {};
	u32 i;

	begin();
	assert_int_equal(mem_store_open(s), 0);
	s->m.writes = 0;
	s->m.cancel = 5;
	assert_int_equal(dr_check(&s->st, &ck), -EINTR);
	for (i = 1; ; i++) {
		memset(&ck, 0, sizeof(ck));
		s->m.fail_alloc = i;
		if (!dr_check(&s->st, &ck) && !ck.errors)
			break;
		assert_true(i < 500);
	}
	assert_true(i > 12);
	assert_true(s->m.writes == 0);
	s->m.fail_alloc = 0;
	end();
}

static void a_flipped_byte_in_any_block_of_metadata(void **state)
{
	u32 i, k;

	begin();
	assert_true(nr > 20);
	for (i = 1; i < nr; i++)
		for (k = 0; k < 3; k++) {
			static const u32 at[] = { 1, 49, 3000 };
			u8 *p = mem_block(&s->m, list[i].block);

			p[at[k]] ^= 0x40;
			assert_true(noticed());
			p[at[k]] ^= 0x40;
		}
	assert_false(noticed());
	end();
}

static void an_unreadable_block_of_metadata(void **state)
{
	u32 i;

	begin();
	for (i = 1; i < nr; i++) {
		s->m.fail_read = 2 + i;		/* two superblocks first */
		assert_true(noticed());
		s->m.fail_read = 0;
	}
	end();
}

#define FORGE(block, type, expression) do {				\
		static struct mem_env good;				\
		type *n = mem_block(&s->m, block);			\
		mem_copy(&good, &s->m);					\
		expression;						\
		mem_reseal(&s->m, list, nr);				\
		if (!noticed())						\
			fail_msg("not noticed: %s", #expression);	\
		use();							\
		mem_copy(&s->m, &good);					\
		mem_env_exit(&good);					\
		memset(&good, 0, sizeof(good));				\
	} while (0)

static void forged_versions(void **state)
{
	u64 leaf, top;

	begin();
	leaf = mem_meta_find(list, nr, DR_TYPE_NODE, DR_TREE_MAP, 0)->block;
	top = mem_meta_find(list, nr, DR_TYPE_NODE, DR_TREE_MAP, 1)->block;
#define E	((struct dr_disk_map *)n->data)
#define C	((struct dr_disk_child *)n->data)
	/* Its slot: another's, outside, fixed, a node, freed */
	FORGE(leaf, struct dr_disk_node, E[3].v = E[4].v);
	FORGE(leaf, struct dr_disk_node, E[3].v |= cpu_to_le64(1ULL << 38));
	FORGE(leaf, struct dr_disk_node,
	      E[3].v = cpu_to_le64(DR_SLOT_ORIGIN - 1));
	FORGE(leaf, struct dr_disk_node, E[3].v = cpu_to_le64(3));
	FORGE(leaf, struct dr_disk_node, E[3].v = cpu_to_le64(leaf));
	FORGE(leaf, struct dr_disk_node, E[3].v = cpu_to_le64(DR_SLOT_ZERO));
	FORGE(leaf, struct dr_disk_node, E[3].v = cpu_to_le64(20000));
	/* Its length: over its neighbour, over the end, within a stack */
	FORGE(leaf, struct dr_disk_node,
	      E[3].v |= cpu_to_le64(0xfffULL << 40));
	FORGE(leaf, struct dr_disk_node, E[3].epoch = cpu_to_le32(77));
	FORGE(leaf, struct dr_disk_node, E[3].epoch = cpu_to_le32(~0u));
	FORGE(leaf, struct dr_disk_node, E[3].block_lo += cpu_to_le32(1));
	FORGE(leaf, struct dr_disk_node,
	      E[le16_to_cpu(n->nr) - 1].block_lo = cpu_to_le32(~0u));
	FORGE(leaf, struct dr_disk_node,
	      n->nr = cpu_to_le16(le16_to_cpu(n->nr) - 1));
	/* Inner nodes */
	FORGE(top, struct dr_disk_node, C[1].block = C[0].block);
	FORGE(top, struct dr_disk_node, (C[1].block = C[0].block,
					 C[1].crc = C[0].crc));
	FORGE(top, struct dr_disk_node, C[1].block = cpu_to_le64(1ULL << 50));
	FORGE(top, struct dr_disk_node, C[1].block = cpu_to_le64(top));
	FORGE(top, struct dr_disk_node, C[1].key_hi += cpu_to_le64(1));
	FORGE(top, struct dr_disk_node, C[1].key_hi -= cpu_to_le64(1));
	FORGE(top, struct dr_disk_node, C[0].key_hi += cpu_to_le64(1));
	FORGE(top, struct dr_disk_node,
	      n->nr = cpu_to_le16(le16_to_cpu(n->nr) - 1));
	end();
}

static void forged_extents_and_epochs(void **state)
{
	u64 leaf, epochs;

	begin();
	leaf = mem_meta_find(list, nr, DR_TYPE_NODE, DR_TREE_INDEX, 0)->block;
	epochs = mem_meta_find(list, nr, DR_TYPE_NODE, DR_TREE_EPOCHS, 0)->block;
#define X	((struct dr_disk_extent *)n->data)
#define P	((struct dr_disk_epoch *)n->data)
	FORGE(leaf, struct dr_disk_node, X[2].len = 0);
	FORGE(leaf, struct dr_disk_node, X[2].len = cpu_to_le32(2));
	FORGE(leaf, struct dr_disk_node, X[2].len = cpu_to_le32(~0u));
	FORGE(leaf, struct dr_disk_node, X[2].block += cpu_to_le64(1));
	FORGE(leaf, struct dr_disk_node, X[2].epoch = cpu_to_le32(2));
	FORGE(leaf, struct dr_disk_node,
	      X[le16_to_cpu(n->nr) - 1].block = cpu_to_le64(~0ULL));
	FORGE(leaf, struct dr_disk_node,
	      n->nr = cpu_to_le16(le16_to_cpu(n->nr) - 1));
	FORGE(epochs, struct dr_disk_node, P[3].parent = P[3].id);
	FORGE(epochs, struct dr_disk_node, P[3].id = cpu_to_le32(77777));
	FORGE(epochs, struct dr_disk_node, P[3].state = DR_EPOCH_HEAD);
	FORGE(epochs, struct dr_disk_node, P[3].state = 9);
	FORGE(epochs, struct dr_disk_node, P[3].label[0] = 1);
	FORGE(epochs, struct dr_disk_node,
	      n->nr = cpu_to_le16(le16_to_cpu(n->nr) - 1));
	end();
}

static void forged_superblocks_and_pages(void **state)
{
	u64 super, index, bitmap;

	begin();
	super = list[0].block;
	index = mem_meta_find(list, nr, DR_TYPE_INDEX, 0, 0)->block;
	bitmap = mem_meta_find(list, nr, DR_TYPE_BITMAP, 0, 0)->block;
	FORGE(super, struct dr_disk_super, n->map.nr += cpu_to_le64(1));
	FORGE(super, struct dr_disk_super, n->index.nr += cpu_to_le64(1));
	FORGE(super, struct dr_disk_super, n->epochs.nr += cpu_to_le64(1));
	FORGE(super, struct dr_disk_super, n->nr_epochs += cpu_to_le32(1));
	FORGE(super, struct dr_disk_super, n->nodes += cpu_to_le64(1));
	FORGE(super, struct dr_disk_super, n->map.level += cpu_to_le16(1));
	FORGE(super, struct dr_disk_super, n->map.block = 0);
	FORGE(super, struct dr_disk_super, n->map = n->index);
	FORGE(super, struct dr_disk_super, n->head_epoch = cpu_to_le32(5));
	FORGE(super, struct dr_disk_super, n->pages[0].place ^= 1);
	FORGE(super, struct dr_disk_super, n->pages[0].place = cpu_to_le32(9));
	FORGE(index, struct dr_disk_index, n->number = cpu_to_le32(1));
	FORGE(index, struct dr_disk_index, n->pages[0].place ^= 1);
	FORGE(bitmap, struct dr_disk_bitmap, n->region = cpu_to_le32(1));
	FORGE(bitmap, struct dr_disk_bitmap, n->nr_free += cpu_to_le32(1));
	FORGE(bitmap, struct dr_disk_bitmap,
	      n->bits[300] ^= cpu_to_le64(1ULL << 63));
	FORGE(bitmap, struct dr_disk_bitmap,
	      (n->bits[300] ^= cpu_to_le64(1),
	       n->nr_free -= cpu_to_le32(1)));
	FORGE(bitmap, struct dr_disk_bitmap,
	      (n->bits[15] ^= cpu_to_le64(1),
	       n->nr_free += cpu_to_le32(1)));
	end();
}

static void a_damaged_journal_block_ends_it_a_forged_one_is_an_error(void **st)
{
	struct dr_disk_journal *d;
	struct dr_check ck = {};
	struct dr_journal j;
	u32 i;

	begin();
	assert_int_equal(mem_store_start(s), 0);
	for (i = 0; i < 5; i++) {
		mem_write(s, 40000 + i, 1);
		mem_flush(s);
	}
	j = s->st.journal;
	mem_store_stop(s);
	assert_int_equal(mem_store_open(s), 0);
	assert_int_equal(dr_check(&s->st, &ck), 0);
	assert_int_equal(ck.journal_blocks, 5);
	assert_int_equal(ck.errors, 0);
	mem_store_stop(s);
	d = mem_block(&s->m, dr_journal_place(&j, j.tail_seq + 3));
	d->data[5] ^= 1;
	memset(&ck, 0, sizeof(ck));
	assert_int_equal(mem_store_open(s), 0);
	assert_int_equal(dr_check(&s->st, &ck), 0);
	assert_int_equal(ck.journal_blocks, 3);
	mem_store_stop(s);
	d->data[5] ^= 1;
	d->nr = cpu_to_le16(300);
	d->head.crc = cpu_to_le32(dr_head_crc(d));
	assert_true(noticed());
	assert_int_equal(use(), -EUCLEAN);
	end();
}

/* Random bytes in random blocks, with every checksum made to fit */
static void hostile_metadata_never_crashes(void **state)
{
	static struct mem_env good;
	u32 round, i, missed = 0;
	u64 seed = 2024;

	begin();
	mem_copy(&good, &s->m);
	for (round = 0; round < 400; round++) {
		u32 times = 1 + mem_random(&seed) % 3;

		for (i = 0; i < times; i++) {
			struct mem_meta *e = list + mem_random(&seed) % nr;
			u8 *p = mem_block(&s->m, e->block);
			u32 at = 48 + mem_random(&seed) % 1000;

			if (mem_random(&seed) % 2)
				at = 48 + mem_random(&seed) % 64;
			switch (mem_random(&seed) % 4) {
			case 0:
				p[at] ^= 1 << mem_random(&seed) % 8;
				break;
			case 1:
				p[at] = mem_random(&seed);
				break;
			case 2:
				at &= ~7;
				memset(p + at, mem_random(&seed) % 2 ? 0xff : 0,
				       mem_random(&seed) % 2 ? 8 : 4);
				break;
			default:
				memcpy(p + (at & ~15), p + 64 +
				       (mem_random(&seed) % 1000 & ~15), 16);
			}
		}
		mem_reseal(&s->m, list, nr);
		missed += !noticed();
		use();
		mem_copy(&s->m, &good);
	}
	/* Fields without meaning, or with a meaning of their own */
	assert_true(missed < round / 3);
	mem_env_exit(&good);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_sound_store_has_no_errors),
		TEST(a_check_writes_nothing_and_can_be_cancelled),
		TEST(a_flipped_byte_in_any_block_of_metadata),
		TEST(an_unreadable_block_of_metadata),
		TEST(forged_versions),
		TEST(forged_extents_and_epochs),
		TEST(forged_superblocks_and_pages),
		TEST(a_damaged_journal_block_ends_it_a_forged_one_is_an_error),
		TEST(hostile_metadata_never_crashes),
	};

	return mem_tests("check", tests);
}
