// SPDX-License-Identifier: GPL-2.0
/*
 * gather-test.c - which blocks were written in a set of epochs.
 */
#include "history.h"

static struct history h;

static bool odd(void *arg, const struct dr_epoch *e)
{
	return e->id % 2;
}

static bool none(void *arg, const struct dr_epoch *e)
{
	return false;
}

/* In windows of @max from @from to @end */
static void compare(u64 from, u64 end, u32 max)
{
	bool want[H_BLOCKS] = {}, have[H_BLOCKS] = {};
	struct dr_range *out = calloc(max, sizeof(*out));
	u64 cursor = from, before = from;
	u32 e, b, i;
	int n;

	for (e = 1; e < H_EPOCHS; e += 2)
		for (b = from; b < end; b++)
			want[b] |= h.live[e] && h.own[e][b];
	while (cursor < end) {
		n = dr_gather(&h.s.st, &h.s.st.index, odd, NULL, &cursor, end,
			      out, max);
		assert_in_range(n, 0, max);
		assert_true(cursor > before && cursor <= end);
		for (i = 0; i < n; i++) {
			assert_true(out[i].len);
			assert_true(out[i].block >= before &&
				    out[i].block + out[i].len <= cursor);
			if (i)
				assert_true(out[i].block >
					    out[i - 1].block + out[i - 1].len);
			for (b = 0; b < out[i].len; b++)
				have[out[i].block + b] = true;
		}
		before = cursor;
	}
	assert_memory_equal(want, have, sizeof(want));
	free(out);
}

static void windows_of_any_size_find_the_same(void **state)
{
	u32 i;

	for (i = 0; i < 6; i++) {
		h_begin(&h, 1, 500 + i);
		h_grow(&h, 10, 4);
		mem_merge(&h.s);
		compare(0, H_BLOCKS, 2);
		compare(0, H_BLOCKS, 3);
		compare(0, H_BLOCKS, 8);
		compare(0, H_BLOCKS, 1000);
		compare(37, 101, 4);
		compare(100, 101, 2);
		h_end(&h);
	}
}

static void no_epochs_no_blocks(void **state)
{
	struct dr_range out[4];
	u64 cursor = 5;

	h_begin(&h, 1, 1);
	compare(0, H_BLOCKS, 4);
	h_write(&h, 5);
	mem_merge(&h.s);
	assert_int_equal(dr_gather(&h.s.st, &h.s.st.index, none, NULL, &cursor,
				   H_BLOCKS, out, 4), 0);
	assert_true(cursor == H_BLOCKS);
	h_end(&h);
}

static void a_run_across_the_window_is_clipped(void **state)
{
	struct dr_range out[4];
	u64 cursor = 50;

	h_begin(&h, 1, 1);
	mem_zero(&h.s, 10, 100);
	mem_merge(&h.s);
	assert_int_equal(dr_gather(&h.s.st, &h.s.st.index, odd, NULL, &cursor,
				   60, out, 4), 1);
	assert_true(out[0].block == 50 && out[0].len == 10 && cursor == 60);
	h_end(&h);
}

static void errors_come_through(void **state)
{
	struct dr_range out[4];
	u64 cursor = 0;

	h_begin(&h, 1, 1);
	h_write(&h, 5);
	mem_merge(&h.s);
	mem_forget(&h.s.m);
	h.s.m.fail_read = 1;
	assert_int_equal(dr_gather(&h.s.st, &h.s.st.index, odd, NULL, &cursor,
				   60, out, 4), -EIO);
	h.s.m.fail_alloc = 1;
	assert_int_equal(dr_gather(&h.s.st, &h.s.st.index, odd, NULL, &cursor,
				   60, out, 4), -ENOMEM);
	h_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(windows_of_any_size_find_the_same),
		TEST(no_epochs_no_blocks),
		TEST(a_run_across_the_window_is_clipped),
		TEST(errors_come_through),
	};

	return mem_tests("gather", tests);
}
