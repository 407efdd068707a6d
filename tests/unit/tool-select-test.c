// SPDX-License-Identifier: GPL-2.0
/*
 * tool-select-test.c - patterns, held against names that are bytes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <locale.h>
#include <cmocka.h>

#include "recover/select.h"

static bool matches(const char *pattern, const char *path)
{
	char *one = (char *)pattern;
	struct select s = { .path = &one, .nr_path = 1 };

	assert_null(select_check_pattern(pattern));
	return select_path(&s, path);
}

/* A recipe cannot hold these bytes; the wildcards reach them all the same. */
static void not_utf8(void **state)
{
	static const char *const locales[] = { "C.UTF-8", "C" };
	size_t i;

	assert_non_null(select_check_pattern("/srv/caf\351"));
	assert_non_null(select_check_path("/srv/caf\351"));
	assert_null(select_check_path("/srv/caf\303\251"));
	for (i = 0; i < 2; i++) {
		assert_non_null(setlocale(LC_ALL, locales[i]));
		assert_true(matches("/srv/caf?", "/srv/caf\351"));
		assert_true(matches("/srv/*", "/srv/caf\351"));
		assert_true(matches("/**/caf?", "/srv/\377/caf\351/below"));
		assert_true(matches("/srv/\303\251?", "/srv/\303\251\351"));
		assert_true(matches("/srv/\303\251*", "/srv/\303\251"));
		assert_false(matches("/srv/caf?", "/srv/caf"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(not_utf8),
	};

	return cmocka_run_group_tests_name("tool-select", tests, NULL, NULL);
}
