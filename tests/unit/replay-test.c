// SPDX-License-Identifier: GPL-2.0
/*
 * replay-test.c - history without the writes that a recipe excludes.
 */
#include "history.h"

static struct history h;
static struct mem_store *s = &h.s;

static void release(int r)
{
	assert_true(r >= 0);
	dr_store_release(&s->st, false);
}

static u32 begin_replay(void)
{
	s64 e;

	mem_checkpoint(s, "");
	mem_merge(s);
	e = dr_replay_begin(&s->st);
	assert_true(e > 0);
	return e;
}

/* Blocks as sectors; the fixtures have blocks of 4 KiB */
static void rule(u64 block, u64 len, u32 from, u32 to, bool drop_later)
{
	struct dr_rule r;

	assert_int_equal(dr_replay_make_rule(&s->st, &r, block * 8, len * 8,
					     from, to, drop_later), 0);
	assert_true(dr_replay_rule(&s->st, &r) > 0);
}

static void step_all(void)
{
	int r;

	do {
		r = dr_replay_step(&s->st);
		release(r);
	} while (r);
}

static u32 commit(void)
{
	int r;

	mem_flush(s);
	mem_merge(s);
	assert_int_equal(dr_store_prepare(&s->st), 0);
	do {
		r = dr_replay_commit(&s->st, 99);
		release(r);
	} while (r);
	mem_flush(s);
	dr_store_free_old(&s->st);
	dr_replay_end(&s->st);
	return s->st.head;
}

static void start(u64 seed)
{
	h_begin(&h, 1, seed);
}

static void one_epoch_is_taken_out_and_later_writes_stay(void **state)
{
	u64 a, c;
	u32 head, made;

	start(1);
	a = mem_write(s, 10, 1);
	mem_write(s, 11, 1);
	mem_checkpoint(s, "");		/* 1 */
	mem_write(s, 10, 1);		/* bad */
	mem_write(s, 11, 1);
	mem_write(s, 12, 1);
	mem_write(s, 13, 1);		/* outside the rule */
	mem_checkpoint(s, "");		/* 2 */
	c = mem_write(s, 11, 1);
	mem_checkpoint(s, "");		/* 3 */
	made = begin_replay();
	assert_true(made > s->st.head);
	rule(10, 3, 2, 2, false);
	step_all();
	head = commit();
	assert_true(head == made + 1);
	assert_true(mem_slot(s, head, 10) == a);
	assert_true(mem_slot(s, head, 11) == c);
	assert_true(mem_slot(s, head, 12) == DR_SLOT_ORIGIN);
	assert_true(mem_slot(s, head, 13) == mem_slot(s, 2, 13));
	/* History is as it was. */
	assert_true(mem_slot(s, 2, 10) != a);
	assert_true(mem_slot(s, 3, 11) == c);
	assert_int_equal(dr_epochs_find(&s->st.epochs, made)->state,
			 DR_EPOCH_SEALED);
	assert_int_equal(dr_epochs_find(&s->st.epochs, made)->nr_blocks, 2);
	mem_store_restart(s);
	assert_true(s->st.head == head);
	assert_true(mem_slot(s, head, 10) == a);
	assert_true(mem_slot(s, head, 12) == DR_SLOT_ORIGIN);
	assert_int_equal(mem_store_errors(s), 0);
	/* Undone by rolling back to what was sealed */
	head = mem_rollback(s, dr_epochs_find(&s->st.epochs, head)->prev);
	assert_true(mem_slot(s, head, 10) == mem_slot(s, 2, 10));
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
}

static void dropping_later_writes_only_where_a_bad_one_was(void **state)
{
	u64 a, d;
	u32 head;

	start(1);
	a = mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	mem_write(s, 10, 1);
	mem_checkpoint(s, "");		/* 2: bad */
	mem_write(s, 10, 1);
	d = mem_write(s, 11, 1);
	mem_checkpoint(s, "");
	begin_replay();
	rule(0, H_BLOCKS, 2, 2, true);
	head = commit();
	assert_true(mem_slot(s, head, 10) == a);
	assert_true(mem_slot(s, head, 11) == d);
	h_end(&h);
}

static void writes_since_the_beginning_are_merged_in(void **state)
{
	u64 a, w;
	u32 head;

	start(1);
	a = mem_write(s, 10, 2);
	mem_checkpoint(s, "");
	mem_write(s, 10, 2);
	mem_checkpoint(s, "");
	begin_replay();
	rule(10, 2, 2, 2, false);
	step_all();
	/* Meanwhile life goes on, a checkpoint included. */
	w = mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	mem_write(s, 50, 1);
	head = commit();
	assert_true(mem_slot(s, head, 10) == w);
	assert_true(mem_slot(s, head, 11) == a);
	assert_true(dr_slot_is_data(mem_slot(s, head, 50)));
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
}

static void a_partial_write_over_a_bad_one_is_mixed(void **state)
{
	struct dr_replay_count count;
	struct dr_rule r;

	start(1);
	mem_checkpoint(s, "");
	mem_write(s, 10, 3);		/* 2: bad */
	mem_checkpoint(s, "");
	mem_write_flags(s, 10, DR_MAP_MERGED);
	mem_write(s, 11, 1);
	mem_checkpoint(s, "");
	mem_write_flags(s, 10, DR_MAP_MERGED);
	begin_replay();
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, H_BLOCKS * 8, 2, 2, false),
			 0);
	assert_int_equal(dr_replay_count(&s->st, &r, 0, &count), 0);
	assert_int_equal(count.mixed, 1);
	assert_int_equal(count.kept, 2);
	assert_int_equal(count.changed, 1);
	assert_true(count.next == ~0ULL);
	rule(0, H_BLOCKS, 2, 2, false);
	step_all();
	assert_int_equal(s->st.replay->mixed, 1);
	commit();
	h_end(&h);
}

static void rules_say_what_is_wrong(void **state)
{
	struct dr_rule r;
	u64 end = H_BLOCKS * 8;

	start(1);
	assert_int_equal(dr_replay_rule(&s->st, &r), -ENXIO);
	assert_int_equal(dr_replay_step(&s->st), 0);
	assert_int_equal(dr_replay_commit(&s->st, 1), -ENXIO);
	assert_int_equal(dr_replay_abort(&s->st), -ENXIO);
	mem_write(s, 3, 1);
	mem_checkpoint(s, "");
	mem_write(s, 3, 1);
	mem_checkpoint(s, "");
	mem_rollback(s, 1);		/* 2, 3 abandoned; head 4 */
	mem_write(s, 3, 1);
	mem_checkpoint(s, "");
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 0, 1, 1, false), -EINVAL);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 4, 1, false), -EINVAL);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, end, 1, 1, 1, false),
			 -ERANGE);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, end - 1, 2, 1, 1, false),
			 -ERANGE);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, ~0ULL, 1, 1, false),
			 -ERANGE);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 2, 2, false), -ENOENT);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 5, 5, false), -ENOENT);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 0, 1, false), -ENOENT);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 7, 2, 1, 4, false), 0);
	assert_true(r.block == 0 && r.len == 2);
	mem_drop(s, 1);
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 4, 4, false), -ENODATA);
	/* Also when nothing is left of the one that was dropped */
	mem_reclaim(s);
	assert_null(dr_epochs_find(&s->st.epochs, 1));
	assert_int_equal(dr_replay_make_rule(&s->st, &r, 0, 8, 4, 4, false), -ENODATA);
	h_end(&h);
}

static void one_replay_at_a_time_and_it_can_be_given_up(void **state)
{
	u32 made, e;

	start(1);
	mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	made = begin_replay();
	assert_int_equal(dr_replay_begin(&s->st), -EBUSY);
	rule(10, 1, 1, 1, false);
	step_all();
	assert_int_equal(dr_replay_abort(&s->st), 0);
	mem_flush(s);
	assert_null(s->st.replay);
	mem_reclaim(s);
	assert_null(dr_epochs_find(&s->st.epochs, made));
	e = mem_checkpoint(s, "");
	assert_true(s->st.head > made && e < made);
	assert_true(dr_slot_is_data(mem_slot(s, s->st.head, 10)));
	mem_store_restart(s);
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
}

static void a_replay_without_a_commit_is_void_after_a_crash(void **state)
{
	u32 made, head;

	start(1);
	mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	made = begin_replay();
	rule(10, 1, 1, 1, false);
	step_all();
	head = s->st.head;
	mem_store_restart(s);
	assert_int_equal(s->st.head, head);
	assert_int_equal(dr_epochs_find(&s->st.epochs, made)->state,
			 DR_EPOCH_DROPPED);
	assert_true(dr_slot_is_data(mem_slot(s, head, 10)));
	mem_reclaim(s);
	assert_null(dr_epochs_find(&s->st.epochs, made));
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
}

static void what_a_replay_shows_survives_the_drop_of_its_owner(void **state)
{
	u64 a;
	u32 head, e;

	start(1);
	a = mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	begin_replay();
	rule(10, 1, 2, 2, false);
	head = commit();
	for (e = 1; e < 4; e++)
		mem_drop(s, e);
	mem_reclaim(s);
	assert_true(mem_slot(s, head, 10) == a);
	assert_int_equal(mem_store_errors(s), 0);
	mem_store_restart(s);
	assert_true(mem_slot(s, head, 10) == a);
	/* And is freed when nobody shows it any more. */
	mem_write(s, 10, 1);
	mem_checkpoint(s, "");
	mem_drop(s, head - 1);
	mem_drop(s, head);
	mem_reclaim(s);
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
}

/*
 * The property: as if one had gone back to before the first excluded epoch
 * and written again every later write but the excluded ones.
 */
static void random_recipes_equal_writing_history_again(void **state)
{
	static u64 want[H_BLOCKS];
	u32 round, b, e, i, head, from[3], to[3], at[3], len[3], line[64], n;
	bool later[3];

	for (round = 0; round < 12; round++) {
		u32 rules = 1 + round % 3;

		start(700 + round);
		h_grow(&h, 12, 5);
		h_checkpoint(&h);
		mem_merge(s);
		/* The head's lineage, from the bottom up */
		n = 0;
		for (e = s->st.head; e; e = h.parent[e])
			line[n++] = e;
		for (i = 0; i < n / 2; i++) {
			e = line[i];
			line[i] = line[n - 1 - i];
			line[n - 1 - i] = e;
		}
		assert_true(dr_replay_begin(&s->st) > 0);
		for (i = 0; i < rules; i++) {
			u32 x = h_rand(&h, n - 1), y = h_rand(&h, n - 1);

			from[i] = line[min(x, y)];
			to[i] = line[max(x, y)];
			at[i] = h_rand(&h, H_BLOCKS);
			len[i] = 1 + h_rand(&h, H_BLOCKS - at[i]);
			later[i] = h_rand(&h, 3) == 0;
			rule(at[i], len[i], from[i], to[i], later[i]);
		}
		for (b = 0; b < H_BLOCKS; b++) {
			u32 cut = ~0u, k;

			for (i = 0; i < rules; i++)
				for (k = 0; k < n; k++)
					if (later[i] && b - at[i] < len[i] &&
					    line[k] >= from[i] &&
					    line[k] <= to[i] &&
					    h.own[line[k]][b])
						cut = min(cut, from[i]);
			want[b] = DR_SLOT_ORIGIN;
			for (k = 0; k < n; k++) {
				bool out = line[k] >= cut;

				for (i = 0; i < rules; i++)
					out |= b - at[i] < len[i] &&
					       line[k] >= from[i] &&
					       line[k] <= to[i];
				if (!out && h.own[line[k]][b])
					want[b] = h.own[line[k]][b];
			}
		}
		if (round % 2)
			step_all();
		head = commit();
		for (b = 0; b < H_BLOCKS; b++)
			assert_true(mem_slot(s, head, b) == want[b]);
		h_compare(&h);
		mem_store_restart(s);
		for (b = 0; b < H_BLOCKS; b++)
			assert_true(mem_slot(s, head, b) == want[b]);
		assert_int_equal(mem_store_errors(s), 0);
		h_end(&h);
	}
}

static void a_large_replay_in_small_steps(void **state)
{
	u32 i, steps = 0, head;
	int r;

	memset(&h, 0, sizeof(h));
	mem_store_init(s, 1, 20000, 100000);
	mem_zero(s, 0, 20000);
	mem_checkpoint(s, "");
	for (i = 0; i < 20000; i++)
		mem_write(s, i * 7919ULL % 20000, 1);
	mem_checkpoint(s, "");
	begin_replay();
	rule(0, 20000, 2, 2, false);
	s->st.txn.max_log = 400;
	do {
		r = dr_replay_step(&s->st);
		release(r);
		assert_true(steps++ < 1000);
	} while (r);
	assert_true(steps > 2);
	s->st.txn.max_log = DR_TXN_LOG;
	head = commit();
	for (i = 0; i < 20000; i += 61)
		assert_true(mem_slot(s, head, i) == DR_SLOT_ZERO);
	assert_int_equal(mem_store_errors(s), 0);
	mem_store_exit(s);
}

/* Nodes that a replay looks at which has so many rules for the same blocks */
static u64 cost_of(u32 rules, u32 at_once)
{
	u64 peeks = 0;
	u32 i;

	start(3);
	for (i = 0; i < 6; i++) {
		h_write(&h, 20);
		h_checkpoint(&h);
	}
	begin_replay();
	for (i = 0; i < rules; i++) {
		rule(i % 7, H_BLOCKS - i % 7, 4, 5, false);
		if (i % at_once != at_once - 1)
			continue;
		s->m.peeks = 0;
		step_all();
		peeks += s->m.peeks;
	}
	assert_int_equal(dr_replay_left(s->st.replay), 0);
	commit();
	assert_int_equal(mem_store_errors(s), 0);
	h_end(&h);
	return peeks;
}

static void overlapping_rules_are_computed_once(void **state)
{
	u64 one = cost_of(7, 7);

	assert_true(cost_of(9996, 9996) == one);
	/* Also when they are computed as they come */
	assert_true(cost_of(9996, 12) <= 3 * one);
}

/* Whatever fails on the way, what is committed in the end is all of it. */
static void a_replay_that_failed_starts_over(void **state)
{
	static struct mem_store m;
	struct dr_rule one;
	struct dr_state x;
	u64 slot;
	u32 bad;
	s64 r = -1;
	int i;

	memset(&m, 0, sizeof(m));
	mem_store_init(&m, 1, 10000, 30000);
	slot = mem_write(&m, 5, 1);
	mem_checkpoint(&m, "");
	mem_write(&m, 5, 1);
	mem_write(&m, 7000, 1);
	bad = mem_checkpoint(&m, "");
	mem_checkpoint(&m, "");
	mem_merge(&m);
	assert_true(dr_replay_begin(&m.st) > 0);
	assert_int_equal(dr_replay_make_rule(&m.st, &one, 40, 8, bad, bad, false), 0);
	assert_int_equal(dr_replay_rule(&m.st, &one), 1);
	assert_int_equal(dr_replay_make_rule(&m.st, &one, 56000, 8, bad, bad, false),
			 0);
	assert_int_equal(dr_replay_rule(&m.st, &one), 2);
	for (i = 1; r < 0; i++) {
		mem_forget(&m.m);
		m.m.fail_read = i;
		r = dr_replay_finish(&m.st);
		m.m.fail_read = 0;
	}
	assert_true(i > 2);
	for (; r == 1; r = dr_replay_finish(&m.st))
		dr_store_release(&m.st, false);
	assert_int_equal(r, 0);
	assert_int_equal(dr_replay_seal(&m.st, 9), 0);
	mem_flush(&m);
	dr_replay_end(&m.st);
	x = mem_state(&m, m.st.head, 5, 1);
	assert_true(x.slot == slot);
	x = mem_state(&m, m.st.head, 7000, 1);
	assert_true(x.slot == DR_SLOT_ORIGIN);
	mem_store_exit(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_epoch_is_taken_out_and_later_writes_stay),
		TEST(dropping_later_writes_only_where_a_bad_one_was),
		TEST(writes_since_the_beginning_are_merged_in),
		TEST(a_partial_write_over_a_bad_one_is_mixed),
		TEST(rules_say_what_is_wrong),
		TEST(one_replay_at_a_time_and_it_can_be_given_up),
		TEST(a_replay_without_a_commit_is_void_after_a_crash),
		TEST(what_a_replay_shows_survives_the_drop_of_its_owner),
		TEST(random_recipes_equal_writing_history_again),
		TEST(a_large_replay_in_small_steps),
		TEST(overlapping_rules_are_computed_once),
		TEST(a_replay_that_failed_starts_over),
	};

	return mem_tests("replay", tests);
}
