// SPDX-License-Identifier: GPL-2.0
/*
 * tool-scratch-test.c - how large a scratch file is made.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

/* How it chooses is not for others; cmocka has a fail() of its own. */
#include "past/scratch.c"
#undef fail
#include <cmocka.h>

#define GIB	(1024ull * 1024 * 1024)

static uint64_t available(const char *text)
{
	return memory_available(fmemopen((void *)text, strlen(text), "r"));
}

static void of_meminfo(void **state)
{
	assert_int_equal(available("MemTotal:  8000000 kB\n"
				   "MemFree:   100 kB\n"
				   "MemAvailable:    3000 kB\n"
				   "SwapTotal:       9000 kB\n"
				   "SwapFree:        1000 kB\n"), 4000 * 1024);
	assert_int_equal(available("MemFree:   100 kB\n"), 0);
	assert_int_equal(memory_available(NULL), 0);
}

static uint64_t size_of(uint64_t bytes, uint64_t lower_bytes)
{
	struct stat st;
	int fd = -1, code;

	code = make_file(SCRATCH_MEMORY, bytes, lower_bytes, &fd);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	return code ? 0 : st.st_size;
}

/* Asked for, or chosen: never more than there is. */
static void in_memory(void **state)
{
	uint64_t most = memory_available(fopen("/proc/meminfo", "re"));

	assert_true(most > 16 * MIN_BYTES);
	assert_int_equal(size_of(2 * MIN_BYTES, GIB), 2 * MIN_BYTES);
	assert_int_equal(size_of(0, MIN_BYTES), MIN_BYTES);
	assert_int_equal(size_of(0, MIN_BYTES / 2), 0);
	assert_in_range(size_of(0, 1024 * GIB), MIN_BYTES, most / 2);
	assert_in_range(size_of(GIB, MIN_BYTES), MIN_BYTES, 3 * MIN_BYTES);
	assert_int_equal(size_of(2 * most, 1024 * GIB), 0);
}

/* Each would fit, but not both. */
static void more_than_one(void **state)
{
	uint64_t most = memory_available(fopen("/proc/meminfo", "re"));

	promised = 0;
	assert_true(size_of(most / 2, 1024 * GIB) > most / 3);
	assert_int_equal(size_of(most / 8 * 5, 1024 * GIB), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_meminfo),
		cmocka_unit_test(in_memory),
		cmocka_unit_test(more_than_one),
	};

	return cmocka_run_group_tests_name("tool-scratch", tests, NULL, NULL);
}
