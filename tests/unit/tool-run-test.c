// SPDX-License-Identifier: GPL-2.0
/*
 * tool-run-test.c - programs of the system: what they get, how they end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include "recover/fsck.h"
#include "tool.h"

static int shell(const char *script, struct tool_result *result)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	return tool_run(argv, result);
}

static void what_it_says(void **state)
{
	static const char *const none[] = { "no-such-program", NULL };
	struct tool_result r;

	assert_int_equal(shell("echo out; echo err >&2; cat; exit 3", &r), 0);
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "out\n");
	assert_string_equal(r.errors, "err\n");
	tool_free(&r);
	assert_int_equal(shell("kill -9 $$", &r), 0);
	assert_int_equal(r.status, 128 + 9);
	tool_free(&r);
	assert_int_equal(tool_run(none, &r), 0);
	assert_int_equal(r.status, TOOL_MISSING);
	tool_free(&r);
}

/* A folder of the caller's comes first in PATH; variables tell tools things. */
static void environment(void **state)
{
	char dir[] = "/tmp/dmdelta-run-XXXXXX", script[64];
	struct tool_result r;

	assert_non_null(mkdtemp(dir));
	snprintf(script, sizeof(script), "%s/id", dir);
	assert_int_equal(symlink("/bin/false", script), 0);
	setenv("PATH", dir, 1);
	setenv("LVM_SYSTEM_DIR", dir, 1);
	assert_int_equal(shell("id -u && echo $LVM_SYSTEM_DIR. && echo $LC_ALL",
			       &r), 0);
	assert_int_equal(r.status, 0);
	if (!geteuid())
		assert_string_equal(r.out, "0\n.\nC.UTF-8\n");
	tool_free(&r);
	unlink(script);
	rmdir(dir);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void interrupted(void **state)
{
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct tool_result r;

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(shell("exec >&- 2>&-; sleep 0.3; exit 5", &r), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(r.status, 5);
	tool_free(&r);
}

/* Somebody has started us with SIGCHLD ignored: children leave no status. */
static void nobody_to_wait_for(void **state)
{
	struct tool_result r;
	struct fsck fsck;

	signal(SIGCHLD, SIG_IGN);
	assert_int_equal(shell("exit 0", &r), -ECHILD);
	tool_free(&r);
	/* neither clean nor "not installed" */
	assert_int_not_equal(fsck_run("/dev/null", "vfat", &fsck), 0);
	fsck_free(&fsck);
	signal(SIGCHLD, SIG_DFL);
}

static void too_much(void **state)
{
	struct tool_result r;

	assert_int_equal(shell("head -c 80M /dev/zero | tr '\\0' x; exit 4",
			       &r), 0);
	assert_int_equal(r.status, 4);
	assert_int_equal(strlen(r.out), TOOL_MAX_OUTPUT);
	tool_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says),
		cmocka_unit_test(environment),
		cmocka_unit_test(interrupted),
		cmocka_unit_test(nobody_to_wait_for),
		cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests_name("tool-run", tests, NULL, NULL);
}
