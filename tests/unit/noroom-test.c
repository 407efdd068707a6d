// SPDX-License-Identifier: GPL-2.0
/*
 * noroom-test.c - each step without room and without memory: it is undone as a
 * whole, and when both are back it is made as if nothing had been (S6).
 */
#include "history.h"

static struct history h;
static struct mem_store s;

/* --- taking the room away, and giving it back ------------------------------ */

static u64 *taken;
static u64 nr_taken;

/* Leave @keep free blocks to the step */
static void starve(struct dr_store *st, u64 keep)
{
	struct dr_space *sp = &st->space;
	u64 b;

	nr_taken = 0;
	taken = malloc(sp->nr_blocks * sizeof(*taken));
	assert_non_null(taken);
	for (b = 0; b < sp->nr_blocks && sp->free > keep; b++) {
		if (dr_space_is_busy(sp, b))
			continue;
		dr_space_set_busy(sp, b, 1);
		taken[nr_taken++] = b;
	}
}

static void feed(struct dr_store *st)
{
	while (nr_taken)
		dr_space_clear_busy(&st->space, taken[--nr_taken], 1);
	free(taken);
	taken = NULL;
}

/* Nobody is to free what is free, or what a tree names. */
static struct dr_store *freeing;

static void freed(void *ctx, u64 block, u64 nr)
{
	for (; nr; nr--, block++) {
		assert_true(dr_space_is_busy(&freeing->space, block));
		assert_false(dr_space_is_disk(&freeing->space, block));
	}
}

static void watch(struct dr_store *st)
{
	freeing = st;
	st->env.freed = freed;
}

struct before {
	u64 free;
	u64 nodes;
	u64 pending;
	u64 gen;
};

static struct before before(const struct dr_store *st)
{
	return (struct before){ st->space.free, st->space.nodes,
				st->space.pending, st->gen };
}

/* No block is free that a node may still be on its way to. */
static void all_has_landed(const struct mem_store *m)
{
	u64 b;

	for (b = 0; b < m->st.space.nr_blocks; b++)
		assert_true(!m->m.flying[b] || dr_space_is_busy(&m->st.space, b));
}

static void nothing_changed(const struct dr_store *st, struct before b)
{
	assert_true(st->space.free == b.free);
	assert_true(st->space.nodes == b.nodes);
	assert_true(st->space.pending == b.pending);
	assert_true(st->gen == b.gen);
}

enum lack { ROOM, MEMORY };

static u32 little;

/*
 * Make a step with one more block, or one more allocation, each time, until
 * it succeeds; @again is done after each failure. Return: what it returned.
 */
static int step_with_little(struct mem_store *m, enum lack lack,
			    int (*step)(struct dr_store *st),
			    void (*again)(void), u32 *failures)
{
	struct before b;
	int r;

	for (;; little++) {
		b = before(&m->st);
		if (lack == ROOM)
			starve(&m->st, little);
		else
			m->m.fail_alloc = little + 1;
		r = step(&m->st);
		if (lack == ROOM)
			feed(&m->st);
		m->m.fail_alloc = 0;
		/* From the beginning, unless one failure brings the next. */
		if (r >= 0 && step != dr_replay_finish)
			little = 0;
		if (r >= 0)
			return r;
		assert_int_equal(r, lack == ROOM ? -ENOSPC : -ENOMEM);
		assert_true(little < 1000);
		nothing_changed(&m->st, b);
		all_has_landed(m);
		++*failures;
		if (again)
			again();
	}
}

/* --- merges ---------------------------------------------------------------- */

static void merge_in_parts(enum lack lack)
{
	u32 i, parts = 0, failures = 0;
	u64 want[4000];
	int r;

	memset(&s, 0, sizeof(s));
	mem_store_init(&s, 1, 100000, 60000);
	watch(&s.st);
	for (i = 0; i < 4000; i++)
		mem_write(&s, i * 13 % 4000, 1);
	mem_merge(&s);
	/* Each of these blocks is overtaken in memory, and its slot given up. */
	mem_checkpoint(&s, "");
	for (i = 0; i < 2000; i++)
		mem_write(&s, i * 17 % 1000, 1);
	for (i = 0; i < 4000; i++)
		want[i] = mem_slot(&s, 2, i);
	mem_flush(&s);
	s.st.txn.max_log = 400;
	assert_true(dr_store_freeze(&s.st));
	do {
		/* With little room there are many parts. */
		r = parts < 6 ? step_with_little(&s, lack, dr_merge_step, NULL,
						 &failures) :
				dr_merge_step(&s.st);
		dr_store_release(&s.st, !r);
		for (i = 0; i < 4000; i += 37)
			assert_true(mem_slot(&s, 2, i) == want[i]);
		assert_int_equal(mem_store_errors(&s), 0);
		assert_true(parts++ < 200);
	} while (r);
	assert_true(parts > 2 && failures > 6);
	assert_int_equal(s.st.space.pending, 0);
	for (i = 0; i < 4000; i++)
		assert_true(mem_slot(&s, 2, i) == want[i]);
	mem_store_restart(&s);
	for (i = 0; i < 4000; i++)
		assert_true(mem_slot(&s, 2, i) == want[i]);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void a_merge_goes_on_with_the_step_that_failed(void **state)
{
	merge_in_parts(ROOM);
	merge_in_parts(MEMORY);
}

/* A power cut while a merge waits for room loses nothing that was flushed. */
static void a_crash_while_a_merge_waits(void **state)
{
	h_begin(&h, 1, 77);
	h_grow(&h, 6, 8);
	mem_flush(&h.s);
	assert_true(dr_store_freeze(&h.s.st));
	starve(&h.s.st, 1);
	assert_int_equal(dr_merge_step(&h.s.st), -ENOSPC);
	feed(&h.s.st);
	h_compare(&h);
	/* The other table takes writes meanwhile. */
	h_write(&h, 10);
	mem_flush(&h.s);
	h_compare(&h);
	mem_store_restart(&h.s);
	h_compare(&h);
	assert_int_equal(mem_store_errors(&h.s), 0);
	h_end(&h);
}

/* --- reclaim --------------------------------------------------------------- */

/* Another commit must not make durable what the step has left behind. */
static void commit_in_between(void)
{
	h_write(&h, 1);
	mem_merge(&h.s);
	assert_int_equal(mem_store_errors(&h.s), 0);
}

static void reclaim_with_little(enum lack lack, u64 seed, u32 max_log)
{
	u32 i, failures = 0;
	int r;

	h_begin_on(&h, 1, seed, 2048);
	watch(&h.s.st);
	h_grow(&h, 20, 5);
	/* A restart in there takes the hook away. */
	watch(&h.s.st);
	mem_merge(&h.s);
	for (i = 1; i < h.s.st.head; i++)
		if (h.live[i] && i % 3) {
			mem_drop(&h.s, i);
			h.live[i] = false;
		}
	mem_merge(&h.s);
	h.s.st.txn.max_log = max_log;
	do {
		r = step_with_little(&h.s, lack, dr_reclaim_step,
				     commit_in_between, &failures);
		dr_store_release(&h.s.st, false);
		h_compare(&h);
	} while (r);
	assert_true(failures > 2);
	h.s.st.txn.max_log = DR_TXN_LOG;
	/* Nothing is left that a pass from the beginning would find. */
	i = h.s.st.map.nr;
	h.s.st.reclaim_wanted = true;
	h.s.st.reclaim_block = 0;
	mem_reclaim(&h.s);
	assert_int_equal(h.s.st.map.nr, i);
	mem_store_restart(&h.s);
	h_compare(&h);
	assert_int_equal(mem_store_errors(&h.s), 0);
	h_end(&h);
}

static void a_pass_of_reclaim_forgets_no_epoch(void **state)
{
	u64 seed;

	for (seed = 1; seed < 3; seed++) {
		reclaim_with_little(ROOM, seed, DR_TXN_LOG);
		reclaim_with_little(MEMORY, seed, DR_TXN_LOG);
		reclaim_with_little(ROOM, seed, 90);
	}
}

/* --- replay ---------------------------------------------------------------- */

static void replay_with_little(enum lack lack, bool steps)
{
	u32 failures = 0, head, i;
	struct dr_rule rule;
	u64 want[H_BLOCKS];
	int r;

	h_begin_on(&h, 1, 5, 2048);
	for (i = 0; i < 8; i++) {
		h_write(&h, 20);
		h_checkpoint(&h);
	}
	watch(&h.s.st);
	mem_merge(&h.s);
	assert_true(dr_replay_begin(&h.s.st) > 0);
	for (i = 0; i < H_BLOCKS; i++)
		want[i] = h_state(&h, 3, i);
	assert_int_equal(dr_replay_make_rule(&h.s.st, &rule, 0, H_BLOCKS * 8, 4,
					     8, false), 0);
	assert_true(dr_replay_rule(&h.s.st, &rule) > 0);
	h.s.st.txn.max_log = 120;
	do {
		r = step_with_little(&h.s, lack, steps ? dr_replay_step :
				     dr_replay_finish, NULL, &failures);
		dr_store_release(&h.s.st, false);
		assert_int_equal(mem_store_errors(&h.s), 0);
	} while (r);
	assert_true(failures > 3);
	h.s.st.txn.max_log = DR_TXN_LOG;
	little = 0;
	do {
		r = dr_replay_finish(&h.s.st);
		assert_true(r >= 0);
		dr_store_release(&h.s.st, false);
	} while (r);
	assert_int_equal(dr_store_prepare(&h.s.st), 0);
	assert_int_equal(dr_replay_seal(&h.s.st, 9), 0);
	mem_flush(&h.s);
	dr_store_free_old(&h.s.st);
	dr_replay_end(&h.s.st);
	head = h.s.st.head;
	for (i = 0; i < H_BLOCKS; i++)
		assert_true(mem_slot(&h.s, head, i) == want[i]);
	h_compare(&h);
	mem_store_restart(&h.s);
	for (i = 0; i < H_BLOCKS; i++)
		assert_true(mem_slot(&h.s, head, i) == want[i]);
	assert_int_equal(mem_store_errors(&h.s), 0);
	h_end(&h);
}

static void a_replay_leaves_nothing_out(void **state)
{
	replay_with_little(ROOM, true);
	replay_with_little(MEMORY, true);
	replay_with_little(ROOM, false);
	replay_with_little(MEMORY, false);
}

/* --- growing --------------------------------------------------------------- */

#define SMALL	4096u
#define LARGE	8192u

static void small_store(void)
{
	memset(&s, 0, sizeof(s));
	mem_env_init(&s.m, LARGE);
	assert_int_equal(mem_store_format(&s, 1, 3000, SMALL), 0);
	s.m.nr_blocks = SMALL;
	assert_int_equal(mem_store_start(&s), 0);
	watch(&s.st);
}

static void larger(void)
{
	s.m.nr_blocks = LARGE;
}

static int grow(struct dr_store *st)
{
	return dr_store_grow(st, LARGE);
}

static void it_has_not_grown(void)
{
	assert_true(s.st.space.nr_blocks == SMALL);
	mem_write(&s, 7, 1);
	mem_merge(&s);
	assert_int_equal(mem_store_errors(&s), 0);
}

static void growing_without_memory_comes_later(void **state)
{
	u32 failures = 0;
	u64 slot;

	small_store();
	slot = mem_write(&s, 5, 1);
	mem_flush(&s);
	larger();
	assert_int_equal(step_with_little(&s, MEMORY, grow, it_has_not_grown,
					  &failures), 1);
	dr_store_release(&s.st, false);
	assert_true(failures > 6);
	assert_true(s.st.space.nr_blocks == LARGE);
	assert_true(s.st.space.free > SMALL);
	mem_store_restart(&s);
	assert_true(mem_slot(&s, 1, 5) == slot);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* A merge has given up a slot that the journal names, and has steps left. */
static void growing_frees_nothing_that_the_journal_names(void **state)
{
	u64 lost;
	u32 i;

	small_store();
	lost = mem_write(&s, 5, 1);
	mem_write(&s, 5, 1);
	for (i = 0; i < 200; i++)
		mem_write(&s, 1000 - 2 * i, 1);
	mem_flush(&s);
	s.st.txn.max_log = 64;
	assert_true(dr_store_freeze(&s.st));
	assert_int_equal(dr_merge_step(&s.st), 1);
	dr_store_release(&s.st, false);
	assert_true(dr_space_is_busy(&s.st.space, lost));
	assert_false(dr_space_is_disk(&s.st.space, lost));
	larger();
	assert_int_equal(dr_store_grow(&s.st, LARGE), 1);
	dr_store_release(&s.st, false);
	assert_true(dr_space_is_busy(&s.st.space, lost));
	mem_merge(&s);
	assert_false(dr_space_is_busy(&s.st.space, lost));
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_merge_goes_on_with_the_step_that_failed),
		TEST(a_crash_while_a_merge_waits),
		TEST(a_pass_of_reclaim_forgets_no_epoch),
		TEST(a_replay_leaves_nothing_out),
		TEST(growing_without_memory_comes_later),
		TEST(growing_frees_nothing_that_the_journal_names),
	};

	return mem_tests("noroom", tests);
}
