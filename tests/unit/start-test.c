// SPDX-License-Identifier: GPL-2.0
/*
 * start-test.c - where activations begin, and what becomes of what was written
 * before (B1-B8).
 */
#include "fold.h"
#include "mem-env.h"
#include "fold.h"
#include "start.h"

#define BLOCKS	64u

static struct mem_store s;

static void begin(void)
{
	mem_store_init(&s, 1, BLOCKS, 32000);
}

static void end(void)
{
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
	assert_int_equal(s.m.reports, 0);
}

/* Close, or lose the power after a flush; then activate */
static void boot(u8 mode)
{
	mem_flush(&s);
	s.start_mode = mode;
	mem_store_restart(&s);
}

/* The commits that messages make */
static int committed(int r)
{
	if (!r)
		dr_store_release(&s.st, false);
	return r;
}

static struct dr_start start(void)
{
	struct dr_start got;

	dr_start_get(&s.st, &got);
	return got;
}

static bool is_due(u8 mode)
{
	struct dr_start got = start();

	return dr_start_due(&got, mode);
}

static u8 state_of(u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&s.st.epochs, epoch);

	return e ? e->state : 0;
}

static u32 parent(void)
{
	return dr_epochs_find(&s.st.epochs, s.st.head)->parent;
}

static bool is_base(u64 block)
{
	return mem_slot(&s, s.st.head, block) == DR_SLOT_ORIGIN;
}

static bool feature(void)
{
	return le64_to_cpu(mem_super(&s.m)->ro_compat) & DR_RO_COMPAT_START;
}

/* --- nonpersistent ------------------------------------------------------------- */

static void each_activation_begins_at_the_base(void **state)
{
	u32 head, i;

	begin();
	for (i = 0; i < 5; i++) {
		mem_write(&s, 3, 2);
		if (i & 1)
			mem_checkpoint(&s, "");
		mem_zero(&s, 9, 1);
		head = s.st.head;
		boot(DR_START_KEEP);
		assert_int_not_equal(s.st.head, head);
		assert_int_equal(parent(), 0);
		assert_true(is_base(3) && is_base(4) && is_base(9));
		/* What was written is a branch, and undo goes back to it. */
		assert_int_equal(state_of(head), DR_EPOCH_SEALED);
		assert_int_equal(mem_slot(&s, head, 9), DR_SLOT_ZERO);
		assert_int_equal(dr_epochs_find(&s.st.epochs, s.st.head)->prev,
				 head);
	}
	assert_false(feature());
	end();
}

static void nothing_written_nothing_done(void **state)
{
	u32 nr;

	begin();
	mem_write(&s, 1, 1);
	boot(DR_START_KEEP);
	nr = s.st.epochs.nr;
	boot(DR_START_KEEP);
	boot(DR_START_DISCARD);
	assert_int_equal(s.st.epochs.nr, nr);
	assert_int_equal(s.st.head, 2);
	/* A discard alone is something. */
	mem_zero(&s, 0, BLOCKS);
	boot(DR_START_KEEP);
	assert_int_equal(s.st.head, 3);
	end();
}

static void what_an_activation_without_it_writes_is_kept(void **state)
{
	begin();
	boot(DR_START_DISCARD);
	boot(DR_START_ORDINARY);
	mem_write(&s, 1, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 2, 1);
	boot(DR_START_DISCARD);
	assert_int_equal(state_of(1), DR_EPOCH_SEALED);
	assert_int_equal(state_of(2), DR_EPOCH_SEALED);
	assert_true(is_base(1) && is_base(2));
	end();
}

static void what_is_discarded_gives_its_space_back(void **state)
{
	u64 free;
	u32 i;

	begin();
	mem_write(&s, 0, 3);
	mem_checkpoint(&s, "");
	boot(DR_START_ORDINARY);
	assert_int_equal(committed(dr_start_set(&s.st, 1)), 0);
	assert_true(feature());
	boot(DR_START_DISCARD);
	mem_reclaim(&s);
	free = s.st.space.free;
	for (i = 0; i < 3; i++) {
		mem_write(&s, 0, BLOCKS);
		mem_checkpoint(&s, "");
		mem_write(&s, 0, BLOCKS / 2);
		boot(DR_START_DISCARD);
		assert_int_equal(parent(), 1);
		assert_int_equal(dr_epochs_find(&s.st.epochs, s.st.head)->prev,
				 0);
		mem_reclaim(&s);
		assert_true(s.st.space.free == free);
		/* The base, 1 and the head */
		assert_int_equal(s.st.epochs.nr, 2);
	}
	end();
}

static void what_is_protected_is_not_discarded(void **state)
{
	u32 first, i;

	begin();
	boot(DR_START_DISCARD);
	first = s.st.head;
	for (i = 0; i < 5; i++) {
		mem_write(&s, i, 1);
		mem_checkpoint(&s, i == 1 ? "name" : i == 4 ? "loose" : "");
	}
	assert_int_equal(committed(dr_mark(&s.st, first, DR_MARK_PINNED, 0)), 0);
	assert_int_equal(committed(dr_mark(&s.st, first + 2, DR_MARK_SUSPECT,
					   0)), 0);
	assert_int_equal(committed(dr_mark(&s.st, first + 4, DR_MARK_LOOSE, 0)),
			 0);
	/* Branches that were left on the way were written, too. */
	mem_rollback(&s, 0);
	mem_write(&s, 30, 1);
	boot(DR_START_DISCARD);
	assert_int_equal(state_of(first), DR_EPOCH_SEALED);
	assert_int_equal(state_of(first + 1), DR_EPOCH_SEALED);
	assert_int_equal(state_of(first + 2), DR_EPOCH_SEALED);
	assert_int_equal(state_of(first + 3), DR_EPOCH_DROPPED);
	assert_int_equal(state_of(first + 4), DR_EPOCH_DROPPED);
	assert_int_equal(state_of(first + 6), DR_EPOCH_DROPPED);
	assert_true(is_base(0) && is_base(30));
	mem_reclaim(&s);
	assert_int_not_equal(mem_slot(&s, first + 2, 2), DR_SLOT_ORIGIN);
	end();
}

static void keep_after_discard_keeps(void **state)
{
	begin();
	boot(DR_START_DISCARD);
	mem_write(&s, 0, 1);
	boot(DR_START_KEEP);
	assert_int_equal(state_of(1), DR_EPOCH_SEALED);
	mem_write(&s, 0, 1);
	boot(DR_START_DISCARD);
	/* That run was begun to be kept. */
	assert_int_equal(state_of(2), DR_EPOCH_SEALED);
	end();
}

static void the_start_is_a_sealed_retained_epoch(void **state)
{
	begin();
	mem_write(&s, 0, 1);
	mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	mem_drop(&s, 2);
	assert_int_equal(committed(dr_start_set(&s.st, 3)), -EBUSY);
	assert_int_equal(committed(dr_start_set(&s.st, 2)), -ENOENT);
	assert_int_equal(committed(dr_start_set(&s.st, 99)), -ENOENT);
	assert_int_equal(start().epoch, 0);
	assert_int_equal(committed(dr_start_set(&s.st, 1)), 0);
	mem_write(&s, 1, 1);
	boot(DR_START_KEEP);
	assert_int_equal(parent(), 1);
	assert_true(is_base(1) && !is_base(0));
	assert_int_equal(committed(dr_start_set(&s.st, 0)), 0);
	assert_false(feature());
	end();
}

static void nobody_drops_the_start(void **state)
{
	struct dr_policy p;
	u32 at, nr, i;

	begin();
	for (i = 0; i < 6; i++) {
		mem_write(&s, i, 1);
		mem_checkpoint(&s, "");
	}
	assert_int_equal(committed(dr_start_set(&s.st, 2)), 0);
	assert_int_equal(dr_store_may_drop(&s.st, 2), -EADDRINUSE);
	assert_null(dr_policy_parse(&p, "newest=1", &at));
	assert_int_equal(committed(dr_retain_drop(&s.st, &p, &nr)), 0);
	assert_int_equal(nr, 4);
	assert_int_equal(state_of(2), DR_EPOCH_SEALED);
	boot(DR_START_ORDINARY);
	assert_int_equal(dr_store_may_drop(&s.st, 2), -EADDRINUSE);
	mem_reclaim(&s);
	boot(DR_START_KEEP);
	assert_int_equal(parent(), 2);
	assert_true(!is_base(0) && !is_base(1) && is_base(2));
	assert_int_equal(committed(dr_start_set(&s.st, 0)), 0);
	assert_int_equal(dr_store_may_drop(&s.st, 2), 0);
	end();
}

/* --- updates --------------------------------------------------------------------- */

static void an_update_becomes_the_start(void **state)
{
	u32 sealed;

	begin();
	assert_int_equal(dr_update_begin(&s.st), -EOPNOTSUPP);
	boot(DR_START_DISCARD);
	mem_write(&s, 0, 1);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	assert_int_equal(start().flags, DR_START_UPDATE_WANTED);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	assert_int_equal(committed(dr_start_set(&s.st, 0)), -EALREADY);
	assert_int_equal(dr_update_may_end(&s.st, ""), -ENXIO);
	boot(DR_START_DISCARD);
	assert_true(is_base(0));
	assert_int_equal(start().flags, DR_START_UPDATING);
	/* It may take several boots. */
	mem_write(&s, 1, 1);
	boot(DR_START_DISCARD);
	mem_write(&s, 2, 1);
	boot(DR_START_KEEP);
	assert_true(!is_base(1) && !is_base(2));
	sealed = mem_checkpoint(&s, "");
	assert_int_equal(dr_update_may_end(&s.st, "v2"), 0);
	assert_int_equal(committed(dr_update_end(&s.st, sealed, "v2")), 0);
	assert_int_equal(dr_update_may_end(&s.st, ""), -ENXIO);
	assert_int_equal(start().epoch, sealed);
	/* What belongs to the update is not discarded with what comes now. */
	assert_int_equal(start().since, sealed + 1);
	mem_write(&s, 3, 1);
	boot(DR_START_DISCARD);
	assert_int_equal(parent(), sealed);
	assert_true(!is_base(1) && !is_base(2) && is_base(3));
	assert_string_equal(dr_epochs_find(&s.st.epochs, sealed)->label, "v2");
	mem_reclaim(&s);
	assert_true(!is_base(1) && !is_base(2) && is_base(3));
	end();
}

static void with_nothing_written_it_begins_at_once(void **state)
{
	begin();
	mem_write(&s, 0, 1);
	boot(DR_START_KEEP);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	assert_int_equal(start().flags, DR_START_UPDATING);
	mem_write(&s, 1, 1);
	boot(DR_START_KEEP);
	assert_false(is_base(1));
	assert_int_equal(committed(dr_update_cancel(&s.st)), 0);
	assert_int_equal(dr_update_cancel(&s.st), -ENXIO);
	boot(DR_START_KEEP);
	assert_true(is_base(1));
	assert_int_equal(start().flags, 0);
	end();
}

/* What a journal brings back was written, discards as well. */
static void a_discard_that_was_replayed_is_something_written(void **state)
{
	begin();
	boot(DR_START_KEEP);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	mem_zero(&s, 0, BLOCKS);
	boot(DR_START_KEEP);
	assert_int_equal(s.st.head_blocks, BLOCKS);
	assert_int_equal(committed(dr_update_cancel(&s.st)), 0);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	assert_int_equal(start().flags, DR_START_UPDATE_WANTED);
	end();
}

static void an_update_that_was_cut_short_can_be_ended_again(void **state)
{
	u32 sealed;

	begin();
	boot(DR_START_KEEP);
	mem_checkpoint(&s, "other");
	boot(DR_START_KEEP);
	assert_int_equal(committed(dr_update_begin(&s.st)), 0);
	mem_write(&s, 1, 1);
	assert_int_equal(dr_update_may_end(&s.st, "other"), -EEXIST);
	/* Sealed, and then the power went. */
	mem_checkpoint(&s, "");
	boot(DR_START_KEEP);
	assert_int_equal(start().flags, DR_START_UPDATING);
	assert_false(is_base(1));
	sealed = mem_checkpoint(&s, "");
	assert_int_equal(dr_update_end(&s.st, sealed + 1, "v2"), -ENOENT);
	assert_int_equal(committed(dr_update_end(&s.st, sealed, "v2")), 0);
	boot(DR_START_KEEP);
	assert_int_equal(parent(), sealed);
	end();
}

/* --- sessions ---------------------------------------------------------------------- */

static void a_session_can_be_discarded(void **state)
{
	u32 with, mine;

	begin();
	mem_write(&s, 0, 1);
	boot(DR_START_UNDOABLE);
	with = parent();
	assert_int_equal(with, 1);
	assert_int_equal(start().session, 1);
	assert_int_equal(start().flags, DR_START_SESSION);
	assert_int_equal(dr_store_may_drop(&s.st, 1), -EADDRINUSE);
	mine = s.st.head;
	mem_write(&s, 0, 2);
	/* A power cut, and an activation without it: it goes on */
	boot(DR_START_UNDOABLE);
	boot(DR_START_ORDINARY);
	mem_write(&s, 5, 1);
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().session, 1);
	assert_int_equal(s.st.head, mine);
	mem_checkpoint(&s, "");
	mem_rollback(&s, 0);
	mem_write(&s, 7, 1);
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_DISCARD)),
			 0);
	assert_int_equal(start().session, 1);
	boot(DR_START_ORDINARY);
	assert_int_equal(parent(), 1);
	assert_true(!is_base(0) && is_base(1) && is_base(5) && is_base(7));
	assert_int_equal(state_of(mine), DR_EPOCH_DROPPED);
	assert_int_equal(state_of(mine + 1), DR_EPOCH_DROPPED);
	assert_int_equal(state_of(mine + 2), DR_EPOCH_DROPPED);
	assert_false(feature());
	end();
}

static void a_session_can_be_kept(void **state)
{
	begin();
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().session, 0);
	assert_int_equal(start().flags, DR_START_SESSION);
	mem_write(&s, 0, 1);
	/* The last word counts. */
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_DISCARD)),
			 0);
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_KEEP)),
			 0);
	boot(DR_START_UNDOABLE);
	/* The next one begins with what the last one left. */
	assert_int_equal(start().flags, DR_START_SESSION);
	assert_int_equal(start().session, 1);
	assert_false(is_base(0));
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_KEEP)),
			 0);
	boot(DR_START_ORDINARY);
	assert_int_equal(dr_session_answer(&s.st, DR_START_SESSION_KEEP),
			 -ENXIO);
	assert_int_equal(start().since, 0);
	end();
}

static void the_base_stays_while_somebody_may_go_back_to_it(void **state)
{
	u32 who;

	begin();
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().session, 0);
	mem_write(&s, 0, 1);
	mem_checkpoint(&s, "");
	mem_write(&s, 1, 1);
	mem_checkpoint(&s, "");
	assert_int_equal(dr_fold_may(&s.st, 1, false, &who), -EPERM);
	assert_int_equal(who, DR_BASE_EPOCH);
	assert_int_equal(committed(dr_session_end(&s.st)), 0);
	assert_int_equal(committed(dr_fold_begin(&s.st, 1, &who)), 0);
	/* Nobody goes back to it from now on. */
	assert_int_equal(dr_store_prepare(&s.st), 0);
	assert_int_equal(dr_store_rollback(&s.st, 0, 9), -EBUSY);
	mem_rollback(&s, 1);
	end();
}

static void an_answer_can_be_taken_back(void **state)
{
	begin();
	boot(DR_START_UNDOABLE);
	mem_write(&s, 0, 1);
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_DISCARD)),
			 0);
	assert_int_equal(committed(dr_session_answer(&s.st, 0)), 0);
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().flags, DR_START_SESSION);
	assert_false(is_base(0));
	end();
}

/* What it begins with has to be there when it is discarded. */
static void a_session_on_a_dropped_epoch_seals_first(void **state)
{
	begin();
	mem_write(&s, 0, 1);
	mem_checkpoint(&s, "");
	mem_drop(&s, 1);
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().session, 2);
	assert_int_equal(state_of(2), DR_EPOCH_SEALED);
	mem_write(&s, 0, 2);
	mem_reclaim(&s);
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_DISCARD)),
			 0);
	boot(DR_START_ORDINARY);
	assert_true(!is_base(0) && is_base(1));
	end();
}

static void a_commit_is_tried_as_if_the_session_had_ended(void **state)
{
	u32 made, who;

	/* One that began with an epoch, and one that began with the base */
	begin();
	boot(DR_START_UNDOABLE);
	mem_write(&s, 5, 1);
	made = mem_checkpoint(&s, "");
	assert_int_equal(dr_fold_may(&s.st, made, false, &who), -EPERM);
	assert_int_equal(dr_fold_may(&s.st, made, true, &who), 0);
	/* Only that is passed over. */
	assert_int_equal(dr_fold_may(&s.st, s.st.head, true, &who), -EBUSY);
	s.st.base_held = 1;
	assert_int_equal(dr_fold_may(&s.st, made, true, &who), -ETXTBSY);
	s.st.base_held = 0;
	end();
	begin();
	mem_write(&s, 5, 1);
	boot(DR_START_UNDOABLE);
	assert_int_equal(start().session, 1);
	mem_write(&s, 6, 1);
	made = mem_checkpoint(&s, "");
	assert_int_equal(dr_fold_may(&s.st, made, false, &who), -EPERM);
	assert_int_equal(who, 1);
	assert_int_equal(dr_fold_may(&s.st, made, true, &who), 0);
	assert_int_equal(start().session, 1);
	dr_epochs_find(&s.st.epochs, 1)->marks |= DR_MARK_PINNED;
	assert_int_equal(dr_fold_may(&s.st, made, true, &who), -EPERM);
	assert_int_equal(who, 1);
	dr_epochs_find(&s.st.epochs, 1)->marks = 0;
	end();
}

static void an_open_session_is_not_passed_over(void **state)
{
	begin();
	boot(DR_START_UNDOABLE);
	mem_write(&s, 0, 1);
	mem_flush(&s);
	mem_store_stop(&s);
	s.start_mode = DR_START_KEEP;
	assert_int_equal(mem_store_start(&s), -EBUSY);
	s.start_mode = DR_START_UNDOABLE;
	assert_int_equal(mem_store_start(&s), 0);
	assert_false(is_base(0));
	end();
}

static void it_is_known_whether_an_activation_has_to_act(void **state)
{
	begin();
	assert_false(is_due(DR_START_ORDINARY));
	assert_true(is_due(DR_START_KEEP));
	boot(DR_START_DISCARD);
	assert_true(is_due(DR_START_ORDINARY));
	boot(DR_START_UNDOABLE);
	assert_false(is_due(DR_START_ORDINARY));
	assert_int_equal(committed(dr_session_answer(&s.st,
						     DR_START_SESSION_KEEP)),
			 0);
	assert_true(is_due(DR_START_ORDINARY));
	end();
}

/* --- faults at each call, and power cuts at each write -------------------------------- */

struct deed {
	u8 mode;		/* of the activation before */
	u32 answer;
	u8 next;		/* of the activation that fails */
};

static void prepare(const struct deed *d)
{
	begin();
	boot(d->mode);
	mem_write(&s, 0, 20);
	mem_checkpoint(&s, "");
	mem_write(&s, 20, 5);
	if (d->answer)
		assert_int_equal(committed(dr_session_answer(&s.st, d->answer)),
				 0);
	mem_flush(&s);
	mem_store_stop(&s);
	mem_forget(&s.m);
	s.start_mode = d->next;
}

/*
 * However often an activation is cut short: the one that gets through leaves
 * what one alone would have left (B1).
 */
static void an_activation_is_done_or_not(void **state)
{
	static const struct deed deeds[] = {
		{ DR_START_KEEP, 0, DR_START_KEEP },
		{ DR_START_DISCARD, 0, DR_START_DISCARD },
		{ DR_START_UNDOABLE, DR_START_SESSION_DISCARD,
		  DR_START_ORDINARY },
		{ DR_START_UNDOABLE, DR_START_SESSION_DISCARD,
		  DR_START_UNDOABLE },
		{ DR_START_UNDOABLE, DR_START_SESSION_KEEP,
		  DR_START_UNDOABLE },
	};
	u32 i, k, kind, head, nr, dropped, cuts = 0;
	struct dr_start want, got;
	int r;

	for (i = 0; i < ARRAY_SIZE(deeds); i++) {
		prepare(deeds + i);
		assert_int_equal(mem_store_start(&s), 0);
		want = start();
		head = s.st.head;
		nr = s.st.epochs.nr;
		dropped = dr_reclaim_pending(&s.st);
		end();
		for (kind = 0; kind < 2; kind++) {
			prepare(deeds + i);
			for (k = 1, r = -1; r; k++) {
				if (kind)
					s.m.fail_alloc = k;
				else
					s.m.fail_write = k;
				r = mem_store_start(&s);
				s.m.fail_alloc = 0;
				s.m.fail_write = 0;
				mem_forget(&s.m);
				cuts += !!r;
			}
			got = start();
			assert_memory_equal(&got, &want, sizeof(got));
			assert_int_equal(s.st.head, head);
			assert_int_equal(s.st.epochs.nr, nr);
			assert_int_equal(dr_reclaim_pending(&s.st), dropped);
			end();
		}
	}
	assert_true(cuts > 50);
}

/* A decision that could not be committed has not been made (S6). */
static void a_decision_is_made_or_not(void **state)
{
	struct dr_start was, now;
	bool label;
	u32 k;
	int r;

	for (k = 1, r = -1; r; k++) {
		begin();
		boot(DR_START_DISCARD);
		assert_int_equal(committed(dr_update_begin(&s.st)), 0);
		mem_write(&s, 0, 1);
		mem_checkpoint(&s, "");
		mem_merge(&s);
		was = start();
		s.m.fail_write = k;
		r = committed(dr_update_end(&s.st, s.st.head - 1, "v2"));
		s.m.fail_write = 0;
		mem_store_restart(&s);
		now = start();
		label = *dr_epochs_find(&s.st.epochs, 1)->label;
		if (now.flags & DR_START_UPDATING)
			assert_memory_equal(&now, &was, sizeof(now));
		else
			assert_int_equal(now.epoch, 1);
		assert_int_equal(label, now.epoch == 1);
		if (!r)
			assert_int_equal(now.epoch, 1);
		end();
	}
	assert_true(k > 3);
}

static void without_memory_a_decision_is_not_made(void **state)
{
	struct dr_start was, now;
	u32 k;
	int r;

	begin();
	mem_checkpoint(&s, "");
	was = start();
	for (k = 1, r = -1; r; k++) {
		s.m.fail_alloc = k;
		r = committed(dr_start_set(&s.st, 1));
		s.m.fail_alloc = 0;
		now = start();
		if (r == -ENOMEM) {
			assert_memory_equal(&now, &was, sizeof(now));
			assert_int_equal(s.st.epochs.start, 0);
		}
	}
	assert_int_equal(start().epoch, 1);
	assert_int_equal(s.st.epochs.start, 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_activation_begins_at_the_base),
		TEST(nothing_written_nothing_done),
		TEST(what_an_activation_without_it_writes_is_kept),
		TEST(what_is_discarded_gives_its_space_back),
		TEST(what_is_protected_is_not_discarded),
		TEST(keep_after_discard_keeps),
		TEST(the_start_is_a_sealed_retained_epoch),
		TEST(nobody_drops_the_start),
		TEST(an_update_becomes_the_start),
		TEST(with_nothing_written_it_begins_at_once),
		TEST(a_discard_that_was_replayed_is_something_written),
		TEST(an_update_that_was_cut_short_can_be_ended_again),
		TEST(a_session_can_be_discarded),
		TEST(a_session_can_be_kept),
		TEST(the_base_stays_while_somebody_may_go_back_to_it),
		TEST(an_answer_can_be_taken_back),
		TEST(a_session_on_a_dropped_epoch_seals_first),
		TEST(a_commit_is_tried_as_if_the_session_had_ended),
		TEST(an_open_session_is_not_passed_over),
		TEST(it_is_known_whether_an_activation_has_to_act),
		TEST(an_activation_is_done_or_not),
		TEST(a_decision_is_made_or_not),
		TEST(without_memory_a_decision_is_not_made),
	};

	return mem_tests("start", tests);
}
