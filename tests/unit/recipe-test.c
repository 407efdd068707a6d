// SPDX-License-Identifier: GPL-2.0
/*
 * recipe-test.c - looking at the past, and what is held meanwhile.
 */
#include "history.h"
#include "recipe.h"

static struct history h;
static struct mem_store *s = &h.s;

/* What a recipe shows of a block: a slot */
static u64 shows(const struct dr_recipe *rc, u64 block, bool *mixed)
{
	const struct dr_env *env = &s->st.env;
	struct dr_snap snap;
	struct dr_state st;
	struct dr_want want;
	int r;

	dr_store_snap(&s->st, &snap);
	do {
		env->enter(env->ctx);
		r = dr_recipe_lookup(env, &snap, rc, block, 1,
				     s->st.slot_blocks, &st, mixed, &want);
		env->leave(env->ctx);
		if (r == -EAGAIN)
			assert_int_equal(dr_tree_load(env, s->st.uuid, &want),
					 0);
	} while (r == -EAGAIN);
	assert_int_equal(r, 0);
	assert_int_equal(st.len, 1);
	return st.slot;
}

static void every_epoch_shows_what_it_did(void **state)
{
	struct dr_recipe rc[H_EPOCHS] = {};
	bool mixed;
	u32 e, b, round;

	h_begin(&h, 1, 7);
	h_grow(&h, 30, 6);
	h_checkpoint(&h);
	for (e = 0; e < s->st.head; e++)
		if (h.live[e])
			assert_int_equal(dr_recipe_open(&s->st, rc + e, e), 0);
	for (round = 0; round < 3; round++) {
		for (e = 0; e < H_EPOCHS; e++)
			for (b = 0; rc[e].lineage && b < H_BLOCKS; b += 3)
				assert_int_equal(shows(rc + e, b, &mixed),
						 h_state(&h, e, b));
		h_write(&h, 20);
		h_checkpoint(&h);
		if (round == 0)
			mem_merge(s);
		else
			h_rollback(&h, 3);
	}
	for (e = 0; e < H_EPOCHS; e++)
		dr_recipe_close(&s->st, rc + e);
	h_end(&h);
}

static void what_cannot_be_seen_is_refused(void **state)
{
	struct dr_recipe rc = {};
	s64 building;

	h_begin(&h, 1, 3);
	mem_write(s, 1, 1);
	mem_checkpoint(s, "");		/* 1 */
	mem_checkpoint(s, "");		/* 2 */
	assert_int_equal(dr_recipe_open(&s->st, &rc, 3), -EBUSY);
	assert_int_equal(dr_recipe_open(&s->st, &rc, 4), -ENOENT);
	assert_int_equal(dr_store_drop(&s->st, 2), 0);
	mem_flush(s);
	assert_int_equal(dr_recipe_open(&s->st, &rc, 2), -ENOENT);
	mem_merge(s);
	building = dr_replay_begin(&s->st);
	assert_true(building > 0);
	assert_int_equal(dr_recipe_open(&s->st, &rc, building), -EINPROGRESS);
	assert_null(rc.lineage);
	dr_replay_end(&s->st);
	h_end(&h);
}

static int held(u32 epoch)
{
	return dr_store_may_drop(&s->st, epoch);
}

static void a_view_holds_what_its_rules_bring_to_light(void **state)
{
	struct dr_recipe plain = {}, rc = {};
	u64 slot[6];
	bool mixed;
	u32 e;

	h_begin(&h, 1, 3);
	for (e = 1; e < 6; e++) {
		slot[e] = mem_write(s, 10, 1);
		assert_int_equal(mem_checkpoint(s, ""), e);
	}
	assert_int_equal(dr_recipe_open(&s->st, &plain, 5), 0);
	assert_int_equal(dr_recipe_open(&s->st, &rc, 5), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 80, 8, 3, 5, false), 0);
	assert_int_equal(dr_recipe_ready(&s->st, &rc), 0);
	assert_int_equal(shows(&plain, 10, &mixed), slot[5]);
	assert_int_equal(shows(&rc, 10, &mixed), slot[2]);
	assert_int_equal(shows(&rc, 11, &mixed), DR_SLOT_ORIGIN);
	assert_int_equal(held(1), 0);
	for (e = 2; e < 6; e++)
		assert_int_equal(held(e), e == 4 ? 0 : -ETXTBSY);
	assert_int_equal(dr_store_drop(&s->st, 2), -ETXTBSY);
	dr_recipe_close(&s->st, &rc);
	assert_int_equal(held(2), 0);
	assert_int_equal(held(3), 0);
	assert_int_equal(held(5), -ETXTBSY);
	dr_recipe_close(&s->st, &plain);
	assert_int_equal(held(5), 0);
	dr_recipe_close(&s->st, &plain);
	assert_int_equal(held(5), 0);
	h_end(&h);
}

static void rules_are_of_the_lineage_of_the_epoch(void **state)
{
	struct dr_recipe rc = {};
	u64 end;

	h_begin(&h, 1, 3);
	end = s->st.origin_sectors;
	mem_write(s, 1, 1);
	mem_checkpoint(s, "");		/* 1 */
	mem_write(s, 1, 1);
	mem_checkpoint(s, "");		/* 2 */
	mem_checkpoint(s, "");		/* 3 */
	mem_rollback(s, 1);		/* head 5, 4 is left */
	mem_checkpoint(s, "");		/* 5 */
	assert_int_equal(dr_recipe_open(&s->st, &rc, 2), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 2, 2, false), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 1, 2, true), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 3, 3, false),
			 -ENOENT);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 2, 3, false),
			 -ENOENT);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 5, 5, false),
			 -ENOENT);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 0, 1, false),
			 -ENOENT);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 2, 1, false),
			 -EINVAL);
	assert_int_equal(dr_recipe_add(&s->st, &rc, end, 8, 1, 1, false),
			 -ERANGE);
	assert_int_equal(rc.rules.nr, 2);
	dr_recipe_close(&s->st, &rc);
	/* A branch that the head has left */
	assert_int_equal(dr_recipe_open(&s->st, &rc, 3), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 8, 3, 3, false), 0);
	dr_recipe_close(&s->st, &rc);
	h_end(&h);
}

static void kept_bytes_of_excluded_versions_are_mixed(void **state)
{
	struct dr_recipe rc = {};
	bool mixed;

	h_begin(&h, 1, 3);
	mem_write(s, 10, 1);
	mem_write(s, 11, 1);
	mem_checkpoint(s, "");		/* 1 */
	mem_write_flags(s, 10, DR_MAP_MERGED);
	mem_write(s, 11, 1);
	mem_checkpoint(s, "");		/* 2 */
	assert_int_equal(dr_recipe_open(&s->st, &rc, 2), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 0, 800, 1, 1, false), 0);
	assert_int_equal(dr_recipe_ready(&s->st, &rc), 0);
	assert_int_equal(shows(&rc, 10, &mixed), mem_slot(s, 2, 10));
	assert_true(mixed);
	shows(&rc, 11, &mixed);
	assert_false(mixed);
	dr_recipe_close(&s->st, &rc);
	h_end(&h);
}

/* Rules pass over rows of epochs, not over one version after the other. */
static void passing_over_many_versions_is_cheap(void **state)
{
	struct dr_recipe plain = {}, rc = {};
	u64 first, peeks, plain_peeks;
	bool mixed;
	u32 e;

	h_begin(&h, 1, 3);
	first = mem_write(s, 10, 1);
	mem_checkpoint(s, "");		/* 1 */
	for (e = 2; e < 300; e++) {
		mem_write_flags(s, 10, DR_MAP_MERGED);
		mem_checkpoint(s, "");
	}
	mem_merge(s);
	assert_int_equal(dr_recipe_open(&s->st, &plain, 299), 0);
	assert_int_equal(dr_recipe_open(&s->st, &rc, 299), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 80, 8, 2, 200, true), 0);
	assert_int_equal(dr_recipe_add(&s->st, &rc, 80, 8, 150, 299, false),
			 0);
	assert_int_equal(dr_recipe_ready(&s->st, &rc), 0);
	shows(&plain, 10, &mixed);
	assert_int_equal(shows(&rc, 10, &mixed), first);
	s->m.peeks = 0;
	shows(&plain, 10, &mixed);
	plain_peeks = s->m.peeks;
	s->m.peeks = 0;
	assert_int_equal(shows(&rc, 10, &mixed), first);
	assert_false(mixed);
	peeks = s->m.peeks;
	assert_true(peeks <= 8 * plain_peeks);
	dr_recipe_close(&s->st, &plain);
	dr_recipe_close(&s->st, &rc);
	h_end(&h);
}

/* How many nodes a look at every block takes, with so many rules */
static u64 cost_of(u32 rules, u64 *shown)
{
	struct dr_recipe rc = {};
	bool mixed;
	u64 peeks;
	u32 i;

	assert_int_equal(dr_recipe_open(&s->st, &rc, 9), 0);
	for (i = 0; i < rules; i++)
		assert_int_equal(dr_recipe_add(&s->st, &rc, i % 4 * 8,
					       (H_BLOCKS - i % 50) * 8 - 24,
					       3 + i % 4, 3 + i % 4, i & 1), 0);
	assert_int_equal(dr_recipe_ready(&s->st, &rc), 0);
	for (i = 0; i < H_BLOCKS; i++)
		shown[i] = shows(&rc, i, &mixed);
	s->m.peeks = 0;
	for (i = 0; i < H_BLOCKS; i++)
		assert_true(shown[i] == shows(&rc, i, &mixed));
	peeks = s->m.peeks;
	dr_recipe_close(&s->st, &rc);
	return peeks;
}

static void ten_thousand_rules_cost_what_four_do(void **state)
{
	static u64 few[H_BLOCKS], many[H_BLOCKS];
	u64 peeks;
	u32 e;

	h_begin(&h, 1, 12);
	for (e = 1; e < 10; e++) {
		h_write(&h, 30);
		h_checkpoint(&h);
	}
	mem_merge(s);
	peeks = cost_of(200, few);
	assert_true(cost_of(10000, many) == peeks);
	assert_memory_equal(few, many, sizeof(few));
	h_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_epoch_shows_what_it_did),
		cmocka_unit_test(what_cannot_be_seen_is_refused),
		cmocka_unit_test(a_view_holds_what_its_rules_bring_to_light),
		cmocka_unit_test(rules_are_of_the_lineage_of_the_epoch),
		cmocka_unit_test(kept_bytes_of_excluded_versions_are_mixed),
		cmocka_unit_test(passing_over_many_versions_is_cheap),
		cmocka_unit_test(ten_thousand_rules_cost_what_four_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
