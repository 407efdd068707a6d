// SPDX-License-Identifier: GPL-2.0
/*
 * brim-test.c - a device that is full to the brim: what makes room, goes back or
 * recovers works, and it can be opened (S4, S11, S12, R6).
 */
#include "history.h"
#include "retain.h"
#include "seen.h"

static struct history h;
static struct mem_store s;

/* --- a history on a device with @free blocks left -------------------------- */

/*
 * Writes until data may have no more, were the reserve of @free blocks only, and
 * did nobody look at what a merge may take (S12)
 */
static void fill(u64 free)
{
	struct dr_store *st = &h.s.st;
	u64 reserve = st->space.reserve, slot;
	u32 head = st->head, b, one;

	st->space.reserve = free;
	while (dr_mem_room(st->active, 1)) {
		b = h_rand(&h, H_BLOCKS);
		slot = dr_space_take_data(&st->space, 1, &one);
		if (!slot)
			break;
		st->active->reserved++;
		dr_store_publish(st, b, 1, slot, head, 0);
		h.own[head][b] = slot;
	}
	st->space.reserve = reserve;
}

/*
 * Some epochs, in memory and in the trees, and @free blocks. Space that a merge
 * gives back is taken again, so that only what is in memory is not in the trees.
 */
static void to_the_brim(u64 free, u64 seed)
{
	u32 round;
	u64 left;

	h_begin_on(&h, 1, seed, 2048);
	h_grow(&h, 12, 8);
	mem_flush(&h.s);
	mem_merge(&h.s);
	/* Slots that nobody has: overtaken ones come back with each merge. */
	for (round = 0; h.s.st.space.free > free + 300; round++) {
		left = h.s.st.space.free;
		fill(left > free + 1000 ? left - 800 : free + 200);
		h_checkpoint(&h);
		mem_flush(&h.s);
		mem_merge(&h.s);
		assert_true(round < 200);
	}
	fill(free);
	mem_flush(&h.s);
	assert_true(h.s.st.space.free == free);
	assert_true(h.s.st.active->used > 50);
}

static void is_sound(void)
{
	h_compare(&h);
	assert_int_equal(mem_store_errors(&h.s), 0);
	h_end(&h);
}

/* Merges, as the worker does */
static int merge(struct dr_store *st)
{
	int r;

	dr_store_freeze(st);
	while (st->frozen) {
		r = dr_merge_step(st);
		if (r < 0)
			return r;
		dr_store_release(st, !r);
	}
	return 0;
}

static int reclaim(struct dr_store *st)
{
	int r;

	do {
		r = dr_reclaim_step(st);
		if (r >= 0)
			dr_store_release(st, false);
	} while (r == 1);
	return r;
}

/* What the smallest step of each needs; a small device has low trees. */
#define STEP	16u

static void it_can_be_opened(void **state)
{
	u64 free;

	for (free = STEP; free < 64; free += 3) {
		to_the_brim(free, free);
		mem_store_restart(&h.s);
		is_sound();
	}
}

static void a_merge_leaves_the_spare_blocks(void **state)
{
	u64 free, spare;
	int r;

	for (free = 8; free < 90; free += 3) {
		to_the_brim(free, free);
		spare = dr_space_spare(&h.s.st.space);
		assert_true(spare >= 2 * STEP);
		r = merge(&h.s.st);
		if (free >= spare + STEP)
			assert_int_equal(r, 0);
		else
			assert_true(!r || r == -ENOSPC);
		assert_true(h.s.st.space.free >= min(spare, free));
		h_compare(&h);
		/* What it did not bring there is in the journal. */
		mem_store_restart(&h.s);
		is_sound();
	}
}

/* Without a merge: the old epochs go, which are wholly in the trees (R6). */
static void drops_make_room_for_the_merge(void **state)
{
	struct dr_store *st = &h.s.st;
	struct dr_policy p = {};
	u32 ids[32], nr, i, n;
	u64 free;

	for (free = STEP; free < 48; free += 2) {
		to_the_brim(free, free);
		while (merge(st) && st->frozen) {
			assert_int_equal(dr_retain_drop_oldest(st, &p, 3, ids,
							       &nr), 0);
			assert_true(nr > 0);
			dr_store_release(st, false);
			for (i = 0; i < nr; i++)
				h.live[ids[i]] = false;
			n = st->epochs.nr;
			assert_true(dr_reclaim_ready(st));
			assert_int_equal(reclaim(st), 0);
			assert_true(st->epochs.nr <= n);
			h_compare(&h);
		}
		is_sound();
	}
}

/*
 * What a memtable holds is left alone (R6), so while reclaim waits for a merge
 * that has no room no more of it is dropped in vain.
 */
static void nothing_in_memory_is_dropped_for_a_merge(void **state)
{
	struct dr_store *st = &h.s.st;
	struct dr_policy p = {};
	u32 ids[32], nr, n, i, e;

	to_the_brim(STEP, 3);
	/* Sealed with what is in memory; two more without a write of their own */
	h_checkpoint(&h);
	h_checkpoint(&h);
	h_checkpoint(&h);
	e = h.parent[h.parent[st->head]];
	assert_false(dr_epoch_in_trees(st, dr_epochs_find(&st->epochs, e)));
	mem_drop(&h.s, e);
	h.live[e] = false;
	assert_false(dr_reclaim_ready(st));
	assert_int_equal(reclaim(st), 0);
	assert_non_null(dr_epochs_find(&st->epochs, e));
	h_compare(&h);
	/* All that are in the trees may go, and nothing else. */
	for (n = 0;; n += nr) {
		assert_int_equal(dr_retain_drop_oldest(st, &p, 32, ids, &nr),
				 0);
		if (!nr)
			break;
		dr_store_release(st, false);
		for (i = 0; i < nr; i++) {
			assert_true(ids[i] < st->active_since);
			h.live[ids[i]] = false;
		}
		assert_true(dr_reclaim_ready(st));
		assert_int_equal(reclaim(st), 0);
		assert_non_null(dr_epochs_find(&st->epochs, e));
	}
	assert_true(n > 0);
	h_compare(&h);
	mem_store_restart(&h.s);
	is_sound();
}

static void control_records_need_no_room(void **state)
{
	struct dr_store *st = &h.s.st;
	u64 free;
	u32 e;

	for (free = 0; free < 8; free++) {
		to_the_brim(STEP + free, free + 1);
		/* Not even for a node */
		while (st->space.free > free)
			dr_space_take_node(&st->space);
		h_checkpoint(&h);
		h_rollback(&h, 2);
		e = st->head;
		mem_drop(&h.s, 3);
		h.live[3] = false;
		h_compare(&h);
		/* That space is back, and nothing was lost. */
		mem_store_restart(&h.s);
		assert_int_equal(st->head, e);
		is_sound();
	}
}

static void an_epoch_goes_without_a_record(void **state)
{
	struct dr_store *st = &h.s.st;
	u64 free;

	for (free = STEP; free < 48; free += 4) {
		to_the_brim(free, free);
		assert_int_equal(dr_drop_now(st, 0), -EINVAL);
		assert_int_equal(dr_drop_now(st, 9999), -ENOENT);
		assert_int_equal(dr_drop_now(st, st->head), -EBUSY);
		assert_int_equal(dr_drop_now(st, 2), 0);
		dr_store_release(st, false);
		h.live[2] = false;
		assert_int_equal(dr_drop_now(st, 2), -ENOENT);
		assert_int_equal(reclaim(st), 0);
		h_compare(&h);
		mem_store_restart(&h.s);
		is_sound();
	}
}

static void a_replay_is_made_and_committed(void **state)
{
	struct dr_store *st = &h.s.st;
	u64 free, want[H_BLOCKS];
	struct dr_rule rule;
	u32 b, from;
	int r;

	for (free = 100; free < 130; free += 2) {
		to_the_brim(free, free);
		h_checkpoint(&h);
		assert_int_equal(merge(st), 0);
		assert_true(dr_replay_begin(st) > 0);
		from = h.parent[st->head];
		/* What was written last goes: all is as it was before. */
		for (b = 0; b < H_BLOCKS; b++)
			want[b] = h_state(&h, h.parent[from], b);
		assert_int_equal(dr_replay_make_rule(st, &rule, 0, H_BLOCKS * 8,
						     from, from, false), 0);
		assert_true(dr_replay_rule(st, &rule) > 0);
		do {
			r = dr_replay_finish(st);
			assert_true(r >= 0);
			dr_store_release(st, false);
		} while (r);
		assert_int_equal(dr_store_prepare(st), 0);
		assert_int_equal(dr_replay_seal(st, 9), 0);
		mem_flush(&h.s);
		dr_store_free_old(st);
		dr_replay_end(st);
		for (b = 0; b < H_BLOCKS; b++)
			assert_true(mem_slot(&h.s, st->head, b) == want[b]);
		mem_store_restart(&h.s);
		for (b = 0; b < H_BLOCKS; b++)
			assert_true(mem_slot(&h.s, st->head, b) == want[b]);
		is_sound();
	}
}

/* --- discards -------------------------------------------------------------- */

#define BLOCKS	3000u

static void small_store(u64 blocks, u64 nr)
{
	memset(&s, 0, sizeof(s));
	mem_env_init(&s.m, nr);
	assert_int_equal(mem_store_format(&s, 1, blocks, nr), 0);
	assert_int_equal(mem_store_start(&s), 0);
}

/*
 * They take no slots, but what tells of them takes nodes. That ends before the
 * room for what is in memory does.
 */
static void discards_end_before_the_room_for_them(void **state)
{
	struct dr_store *st = &s.st;
	u32 i, e, head;
	u64 slot;
	int r = 0;

	small_store(BLOCKS, 2048);
	slot = mem_write(&s, BLOCKS - 1, 1);
	for (e = 0; !r; e++) {
		mem_checkpoint(&s, "");
		for (i = 0; i < 999 && !r; i++) {
			r = dr_store_zero(st, 3 * i + e % 2, 1);
			if (r == -EAGAIN) {
				assert_int_equal(merge(st), 0);
				r = 0;
			}
		}
		mem_flush(&s);
		assert_int_equal(merge(st), 0);
		assert_true(e < 2000);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(st->space.free > st->space.reserve / 4);
	head = st->head;
	mem_store_restart(&s);
	assert_int_equal(st->head, head);
	assert_true(mem_slot(&s, head, BLOCKS - 1) == slot);
	assert_true(mem_slot(&s, head, 3) == DR_SLOT_ZERO);
	assert_true(mem_slot(&s, head, 4) == DR_SLOT_ZERO);
	for (i = 1; i < head - 1; i++) {
		if (dr_store_half_full(st))
			mem_merge(&s);
		mem_drop(&s, i);
	}
	mem_reclaim(&s);
	assert_true(st->space.free > 2 * st->space.reserve);
	mem_zero(&s, 1, 1);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/*
 * Below each block lies a run of many versions, and a write cuts all of them: so
 * a table takes more than the reserve. It is not filled up then (S12).
 */
static void writes_into_tall_stacks_leave_room_for_their_merge(void **state)
{
	struct dr_store *st = &s.st;
	u64 seed = 1, slot, least = ~0ULL;
	u32 i, one, merges = 0, stalls = 0;
	int r;

	small_store(BLOCKS, 2048);
	for (i = 0; i < 60; i++) {
		mem_zero(&s, 0, BLOCKS);
		mem_checkpoint(&s, "");
		mem_merge(&s);
	}
	assert_true(st->space.nodes < 60);
	for (;;) {
		one = 1;
		r = dr_store_begin_write(st, &one, &slot);
		if (!r) {
			dr_store_publish(st, mem_random(&seed) % BLOCKS, 1,
					 slot, st->head, 0);
			continue;
		}
		if (r == -ENOSPC && !st->active->used)
			break;
		stalls += r == -EAGAIN && dr_mem_room(st->active, 1);
		mem_flush(&s);
		assert_int_equal(merge(st), 0);
		least = min(least, st->space.free);
		assert_true(merges++ < 1000);
	}
	/* A full table would have taken more than there was. */
	assert_true(st->growth > st->space.reserve);
	assert_true(stalls > 0);
	assert_true(least >= dr_space_spare(&st->space));
	mem_store_restart(&s);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/*
 * Stacks of @versions, and nothing known of merges, as the device was opened anew,
 * or only that they were @cheap. It can be opened when it is full.
 */
static void fill_after_opening(u64 delta, u32 versions, bool cheap, u64 seed)
{
	struct dr_store *st = &s.st;
	u32 i, one, merges = 0;
	u64 slot;
	int r;

	small_store(4 * delta, delta);
	for (i = 0; i < versions; i++) {
		mem_zero(&s, 0, 4 * delta);
		mem_checkpoint(&s, "");
	}
	mem_merge(&s);
	mem_store_restart(&s);
	if (cheap) {
		mem_write(&s, 0, delta / 8);
		mem_merge(&s);
		assert_true(st->growth && st->growth < st->active->max);
	}
	for (;;) {
		one = 1;
		r = dr_store_begin_write(st, &one, &slot);
		if (!r) {
			dr_store_publish(st, mem_random(&seed) % (4 * delta),
					 1, slot, st->head, 0);
			continue;
		}
		mem_flush(&s);
		if (r == -ENOSPC)
			break;
		/* Nobody waits for ever, and each merge gets on. */
		if (merge(st))
			break;
		assert_true(merges++ < 2000);
	}
	mem_store_restart(&s);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

static void what_is_not_known_is_not_taken_for_nothing(void **state)
{
	static const u32 versions[] = { 0, 60, 120, 250, 1000 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		fill_after_opening(2048, versions[i], false, i + 1);
		fill_after_opening(4096, versions[i], false, i + 2);
		/* Taller ones need what the last merges took to be known. */
		if (versions[i] < 256)
			fill_after_opening(2048, versions[i], true, i + 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_can_be_opened),
		TEST(a_merge_leaves_the_spare_blocks),
		TEST(drops_make_room_for_the_merge),
		TEST(nothing_in_memory_is_dropped_for_a_merge),
		TEST(control_records_need_no_room),
		TEST(an_epoch_goes_without_a_record),
		TEST(a_replay_is_made_and_committed),
		TEST(discards_end_before_the_room_for_them),
		TEST(writes_into_tall_stacks_leave_room_for_their_merge),
		TEST(what_is_not_known_is_not_taken_for_nothing),
	};

	return mem_tests("brim", tests);
}
