// SPDX-License-Identifier: GPL-2.0
/*
 * diff-test.c - blocks whose state differs between two epochs.
 */
#include "history.h"

static struct history h;

static void compare(u32 from, u32 to, u32 max)
{
	bool have[H_BLOCKS] = {};
	struct dr_range out[64];
	u64 cursor = 0, next;
	u32 b, i, calls = 0;
	int n;

	while (cursor != ~0ULL) {
		n = dr_diff(&h.s.st, from, to, cursor, out, max, &next);
		assert_in_range(n, 0, max);
		assert_true(next > cursor);
		for (i = 0; i < n; i++) {
			if (i)
				assert_true(out[i].block >
					    out[i - 1].block + out[i - 1].len);
			assert_true(out[i].block >= cursor);
			for (b = 0; b < out[i].len; b++)
				have[out[i].block + b] = true;
		}
		cursor = next;
		assert_true(calls++ < H_BLOCKS + 1);
	}
	for (b = 0; b < H_BLOCKS; b++)
		assert_int_equal(have[b], h_state(&h, from, b) !=
					  h_state(&h, to, b));
}

static void any_two_epochs_in_pages_of_any_size(void **state)
{
	u32 i, k;

	for (i = 0; i < 4; i++) {
		h_begin(&h, 1, 900 + i);
		h_grow(&h, 15, 4);
		mem_merge(&h.s);
		for (k = 0; k < 30; k++) {
			u32 a = h_pick(&h), b = h_pick(&h);

			compare(a, b, 64);
			compare(b, a, 1 + k % 7);
		}
		compare(0, h.s.st.head, 64);
		compare(h.s.st.head, h.s.st.head, 1);
		h_end(&h);
	}
}

static void what_cannot_be_seen_cannot_be_compared(void **state)
{
	struct dr_range out[4];
	u64 next = 7;

	h_begin(&h, 1, 3);
	h_grow(&h, 3, 3);
	assert_int_equal(dr_diff(&h.s.st, 1, 77, 0, out, 4, &next), -ENOENT);
	assert_true(next == ~0ULL);
	assert_int_equal(dr_diff(&h.s.st, 77, 1, 0, out, 4, &next), -ENOENT);
	h_checkpoint(&h);
	mem_drop(&h.s, 1);
	assert_int_equal(dr_diff(&h.s.st, 1, 2, 0, out, 4, &next), -ENOENT);
	h_end(&h);
}

static void a_discard_twice_is_no_difference(void **state)
{
	struct dr_range out[4];
	u64 next;

	h_begin(&h, 1, 3);
	mem_zero(&h.s, 0, 100);
	mem_checkpoint(&h.s, "");
	mem_zero(&h.s, 50, 100);
	mem_merge(&h.s);
	assert_int_equal(dr_diff(&h.s.st, 1, 2, 0, out, 4, &next), 1);
	assert_true(out[0].block == 100 && out[0].len == 50);
	h_end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_two_epochs_in_pages_of_any_size),
		TEST(what_cannot_be_seen_cannot_be_compared),
		TEST(a_discard_twice_is_no_difference),
	};

	return mem_tests("diff", tests);
}
