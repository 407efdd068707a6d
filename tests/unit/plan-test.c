// SPDX-License-Identifier: GPL-2.0
/*
 * plan-test.c - changes of versions become batches; runs are cut where
 * versions differ.
 */
#include "plan-env.h"

static struct plan_env p;

static void ok(int r)
{
	assert_int_equal(r, 0);
}

static bool in_use(u64 block)
{
	return dr_space_is_disk(&p.x.sp, block);
}

static void a_version_appears_in_map_index_and_bitmap(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 10, 5, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(p.map.nr == 1 && p.index.nr == 1);
	assert_true(in_use(1000) && in_use(1004) && !in_use(1005));
	pe_end(&p);
}

static void an_overlap_cuts_a_run_in_three(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 130, 20, 2, 2000, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(p.map.nr == 4);	/* of the middle there are two */
	assert_true(p.index.nr == 2);
	assert_true(in_use(1000) && in_use(1040) && in_use(1099));
	pe_end(&p);
}

static void overlaps_at_both_ends(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_feed(&p, 300, 10, 1, 1200, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 90, 20, 2, 2000, DR_SET_OWN));
	ok(pe_feed(&p, 190, 120, 2, 2100, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

static void the_same_epoch_again_gives_the_old_slots_back(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 110, 10, 1, 2000, DR_SET_OWN));
	ok(pe_feed(&p, 150, 10, 1, DR_SLOT_ZERO, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(in_use(1009) && !in_use(1010) && !in_use(1019) &&
		    in_use(1020));
	assert_false(in_use(1055));
	assert_false(dr_space_is_busy(&p.x.sp, 1010));
	assert_true(in_use(2009));
	pe_end(&p);
}

static void the_same_version_again_changes_nothing(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_flush(&p));
	/* As when a journal is replayed that was merged in part */
	ok(pe_feed(&p, 100, 100, 1, 1000, DR_SET_OWN));
	ok(pe_feed(&p, 210, 1, 1, 1500, DR_SET_OWN));
	ok(pe_flush(&p));
	ok(pe_feed(&p, 120, 3, 1, 1020, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(in_use(1020) && in_use(1099));
	assert_true(p.index.nr == 2);
	pe_end(&p);
}

static void deleting_with_and_without_the_slot(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 10, 1, 1000, DR_SET_OWN));
	ok(pe_feed(&p, 100, 10, 3, 1000, DR_SET_SHARED));
	ok(pe_flush(&p));
	pe_compare(&p);
	ok(pe_feed(&p, 102, 3, 1, 1002, DR_DELETE));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(in_use(1002));
	ok(pe_feed(&p, 100, 10, 3, 1000, DR_DELETE_FREE));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_false(in_use(1000) || in_use(1003) || in_use(1009));
	/* What is not there can be deleted. */
	ok(pe_feed(&p, 0, 500, 5, 0, DR_DELETE_FREE));
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

static void deleting_everything(void **state)
{
	u32 i;

	pe_begin(&p, 4096);
	for (i = 0; i < 400; i++)
		ok(pe_feed(&p, i, 1, 1 + i % 3, 1000 + 2 * i, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	for (i = 1; i <= 3; i++) {
		u32 j;

		for (j = i - 1; j < 400; j += 3)
			ok(pe_feed(&p, j, 1, i, 1000 + 2 * j, DR_DELETE_FREE));
	}
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(!p.map.block && !p.index.block && !p.x.sp.nodes);
	assert_true(p.x.sp.free == 4096 - 72);
	pe_end(&p);
}

static void a_gap_is_filled_with_runs_of_at_most_4096(void **state)
{
	struct dr_cursor c;
	struct dr_map m;
	const void *e;

	pe_begin(&p, 32768);
	ok(pe_feed(&p, 0, 10000, 1, 10000, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	assert_true(p.map.nr == 3 && p.index.nr == 1);
	dr_cursor_init(&c, &p.x.m.env, p.x.uuid, &dr_tree_map, &p.map);
	assert_int_equal(dr_cursor_le(&c, dr_map_key(~0ULL, 0), &e), 1);
	dr_map_decode(&m, e);
	assert_true(m.block == 8192 && m.len == 1808 && m.slot == 18192);
	dr_cursor_exit(&c);
	pe_end(&p);
}

static void a_change_of_several_versions_at_once(void **state)
{
	struct dr_ver v[3] = {
		{ .slot = 1000, .epoch = 2, .change = DR_SET_OWN },
		{ .slot = DR_SLOT_ZERO, .epoch = 5, .change = DR_SET_OWN },
		{ .slot = 2000, .epoch = 9, .change = DR_SET_OWN },
	};
	struct dr_urun u = { .block = 50, .len = 20, .nr = 3, .ver = v };
	u32 i;

	pe_begin(&p, 4096);
	ok(pe_feed(&p, 40, 20, 4, 3000, DR_SET_OWN));
	ok(pe_flush(&p));
	for (i = 0; i < 20; i++) {
		p.want[50 + i][2] = 1000 + i;
		p.want[50 + i][5] = DR_SLOT_ZERO;
		p.want[50 + i][9] = 2000 + i;
	}
	ok(dr_plan_feed(&p.plan, &u));
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

static void tall_stacks_are_cut_whole(void **state)
{
	struct dr_ver *v = calloc(3000, sizeof(*v));
	struct dr_urun u = { .block = 100, .len = 3, .nr = 3000, .ver = v };
	struct dr_cursor c;
	struct dr_map m;
	const void *e;
	u32 i, k;

	pe_begin(&p, 32768);
	for (i = 0; i < 3000; i++)
		v[i] = (struct dr_ver){ .slot = 1000 + 3 * i, .epoch = 20 + i,
					.change = DR_SET_OWN };
	ok(dr_plan_feed(&p.plan, &u));
	ok(pe_flush(&p));
	assert_true(p.map.nr == 3000);
	/* The middle gets one more: three stacks, one of them 3001 high */
	ok(pe_feed(&p, 101, 1, 1, 20000, DR_SET_OWN));
	ok(pe_flush(&p));
	assert_true(p.map.nr == 9001);
	dr_cursor_init(&c, &p.x.m.env, p.x.uuid, &dr_tree_map, &p.map);
	for (k = 0; k < 3; k++)
		for (i = 0; i < 3000; i += 37) {
			struct dr_key key = dr_map_key(100 + k, 20 + i);

			assert_int_equal(dr_cursor_le(&c, key, &e), 1);
			dr_map_decode(&m, e);
			assert_true(m.block == 100 + k && m.epoch == 20 + i &&
				    m.slot == 1000 + 3 * i + k && m.len == 1);
		}
	dr_cursor_exit(&c);
	free(v);
	pe_end(&p);
}

static void going_back_flushes_first(void **state)
{
	pe_begin(&p, 4096);
	ok(pe_feed(&p, 100, 10, 1, 1000, DR_SET_OWN));
	ok(pe_feed(&p, 50, 60, 2, 2000, DR_SET_OWN));
	ok(pe_feed(&p, 105, 1, 1, 1100, DR_SET_OWN));
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

static void torture(u64 seed, u32 rounds)
{
	u64 next = 1000, block, len;
	u32 round, e, i;
	bool own;

	pe_begin(&p, 65536);
	for (round = 0; round < rounds; round++) {
		block = mem_random(&seed) % 40;
		while (block < PE_BLOCKS - 1) {
			len = 1 + mem_random(&seed) % 30;
			len = min(len, PE_BLOCKS - block);
			e = 1 + mem_random(&seed) % (PE_EPOCHS - 1);
			switch (mem_random(&seed) % 5) {
			case 0:
				own = true;
				for (i = block; i < block + len; i++)
					own &= dr_slot_is_data(p.want[i][e]);
				ok(pe_feed(&p, block, len, e, 0,
					   own ? DR_DELETE_FREE : DR_DELETE));
				break;
			case 1:
				ok(pe_feed(&p, block, len, e, DR_SLOT_ZERO,
					   DR_SET_OWN));
				break;
			default:
				ok(pe_feed(&p, block, len, e, next,
					   DR_SET_OWN));
				next += len;
			}
			block += len + mem_random(&seed) % 20 *
				 (mem_random(&seed) % 2);
		}
		if (next > 31000)
			break;
		if (mem_random(&seed) % 2) {
			ok(pe_flush(&p));
			pe_compare(&p);
		}
	}
	ok(pe_flush(&p));
	pe_compare(&p);
	pe_end(&p);
}

static void random_changes(void **state)
{
	torture(1, 120);
	torture(2, 120);
	torture(3, 120);
}

static void a_forged_run_outside_the_device_is_refused(void **state)
{
	struct dr_map m = { .block = 100, .len = 10, .epoch = 1,
			    .slot = 1ULL << 38 };
	struct dr_batch b;

	pe_begin(&p, 4096);
	dr_batch_init(&b, &p.x.m.env, &dr_tree_map, 1);
	dr_map_encode(dr_batch_at(&b, 0), &m);
	b.del[0] = 0;
	b.nr = 1;
	ok(dr_tree_apply(&p.x.txn, &p.map, &b));
	dr_plan_restart(&p.plan);
	assert_int_equal(pe_feed(&p, 105, 1, 1, 1000, DR_SET_OWN), -EUCLEAN);
	dr_txn_abort(&p.x.txn);
	dr_batch_exit(&b, &p.x.m.env);
	pe_end(&p);
}

static void without_memory_there_is_no_plan(void **state)
{
	struct plan_env *q = &p;
	u32 i;

	pe_begin(q, 4096);
	for (i = 1; i <= 8; i++) {
		dr_plan_exit(&q->plan);
		q->x.m.fail_alloc = i;
		assert_int_equal(dr_plan_init(&q->plan, &q->x.txn, &q->map,
					      &q->index, 1), -ENOMEM);
		q->x.m.fail_alloc = 0;
	}
	ok(dr_plan_init(&q->plan, &q->x.txn, &q->map, &q->index, 1));
	pe_end(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_version_appears_in_map_index_and_bitmap),
		TEST(an_overlap_cuts_a_run_in_three),
		TEST(overlaps_at_both_ends),
		TEST(the_same_epoch_again_gives_the_old_slots_back),
		TEST(the_same_version_again_changes_nothing),
		TEST(deleting_with_and_without_the_slot),
		TEST(deleting_everything),
		TEST(a_gap_is_filled_with_runs_of_at_most_4096),
		TEST(a_change_of_several_versions_at_once),
		TEST(tall_stacks_are_cut_whole),
		TEST(going_back_flushes_first),
		TEST(random_changes),
		TEST(a_forged_run_outside_the_device_is_refused),
		TEST(without_memory_there_is_no_plan),
	};

	return mem_tests("plan", tests);
}
