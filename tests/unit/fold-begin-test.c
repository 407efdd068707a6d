// SPDX-License-Identifier: GPL-2.0
/*
 * What may be committed; the rounds of a commit are the simulator's business.
 */
#include "fold.h"
#include "mem-env.h"

static struct mem_store s;

/* More branches than a round can look at are found before anything is dropped. */
static void not_with_too_many_branches(void **state)
{
	u32 i, first, last, who;

	mem_store_init(&s, 1, 1000, 16384);
	mem_write(&s, 0, 1);
	first = mem_checkpoint(&s, "");
	for (i = 0; i < FOLD_ROOTS + 1; i++) {
		mem_write(&s, 1, 1);
		mem_rollback(&s, first);
		if (i % 64 == 0)
			mem_merge(&s);
	}
	mem_write(&s, 2, 1);
	last = mem_checkpoint(&s, "");
	mem_merge(&s);
	assert_int_equal(dr_fold_may(&s.st, last, false, &who), -E2BIG);
	assert_int_equal(dr_fold_begin(&s.st, last, &who), -E2BIG);
	assert_int_equal(s.st.fold.epoch, 0);
	assert_int_equal(dr_epochs_find(&s.st.epochs, first)->state,
			 DR_EPOCH_SEALED);
	mem_drop(&s, first + 1);
	assert_int_equal(dr_fold_may(&s.st, last, false, &who), 0);
	assert_int_equal(dr_fold_begin(&s.st, last, &who), 0);
	dr_store_release(&s.st, false);
	assert_int_equal(dr_epochs_find(&s.st.epochs, first)->state,
			 DR_EPOCH_DROPPED);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(not_with_too_many_branches),
	};

	return mem_tests("fold-begin", tests);
}
