// SPDX-License-Identifier: GPL-2.0
/*
 * tool-text-test.c - names that are no text, on a terminal and in JSON.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

/* cmocka has a fail() of its own. */
#include "cli.h"
#include "output.h"
#include "text.h"
#undef fail
static int tool_fails(const char *thing, const char *text)
{
	return fail(DR_EXIT_OPERATIONAL, thing, NULL, "%s", text);
}

#include <cmocka.h>

static void is_shown(const char *name, const char *wanted)
{
	char buf[256], *copy = text_dup(name);

	assert_string_equal(text_shown(name, buf, sizeof(buf)), wanted);
	assert_string_equal(copy, wanted);
	free(copy);
}

static void shown(void **state)
{
	is_shown("", "");
	is_shown("/srv/caf\303\251", "/srv/caf\303\251");
	is_shown("back\\slash", "back\\slash");
	is_shown("\033[2J", "\\033[2J");
	is_shown("\033\\", "\\033\\134");
	is_shown("a\nb\tc\177", "a\\012b\\011c\\177");
	is_shown("\302\2332J", "\\302\\2332J");	/* CSI as one character */
	is_shown("\302\240", "\302\240");
	is_shown("\377\376", "\\377\\376");
	is_shown("\355\240\200\300\257", "\\355\\240\\200\\300\\257");
	is_shown("cut \342\202", "cut \\342\\202");
}

/* What makes "gpj.exe" of "exe.jpg" */
static void direction(void **state)
{
	is_shown("exe.\342\200\256gpj", "exe.\\342\\200\\256gpj");
	is_shown("\342\200\252", "\\342\\200\\252");
	is_shown("\342\201\246a\342\201\251", "\\342\\201\\246a\\342\\201\\251");
	is_shown("\342\200\216\342\200\217", "\\342\\200\\216\\342\\200\\217");
	is_shown("\330\234", "\\330\\234");
	/* Neighbours of these, and letters that are written from the right */
	is_shown("\342\200\215\342\200\220", "\342\200\215\342\200\220");
	is_shown("\342\200\251\342\200\257", "\342\200\251\342\200\257");
	is_shown("\342\201\245\342\201\252", "\342\201\245\342\201\252");
	is_shown("\330\233\330\247", "\330\233\330\247");
	is_shown("cut \342\200", "cut \\342\\200");
	is_shown("cut \330", "cut \\330");
}

/* No two names look alike. */
static void backslash(void **state)
{
	is_shown("a\nb", "a\\012b");
	is_shown("a\\012b", "a\\134012b");
	is_shown("a\\134012b", "a\\134134012b");
	is_shown("C:\\x\\012", "C:\\134x\\134012");
	is_shown("\\01", "\\01");
	is_shown("\\018", "\\018");
	is_shown("it'\\''s", "it'\\''s");
}

static void cut_short(void **state)
{
	char buf[10];

	memset(buf, 'x', sizeof(buf));
	text_shown("\1\2\3\4\5", buf, sizeof(buf));
	assert_string_equal(buf, "\\001\\002");
}

/* What @say writes to @fd, allocated */
static char *said(int fd, void (*say)(void))
{
	char *text = calloc(1, 4096);
	FILE *f = tmpfile();
	int was = dup(fd);

	assert_true(text && f && was >= 0);
	fflush(NULL);
	dup2(fileno(f), fd);
	say();
	fflush(NULL);
	dup2(was, fd);
	close(was);
	rewind(f);
	assert_true(fread(text, 1, 4095, f) > 0);
	fclose(f);
	return text;
}

static const struct out_column columns[] = {
	{ "name", "NAME", OUT_TEXT, OUT_BOTH },
};

static void say_table(void)
{
	out_table("names", columns, 1);
	out_row((struct out_value[]){ out_text("\033[31mred") });
	out_row((struct out_value[]){ out_text("\377") });
	out_table_end();
	out_words("words", "words", (char *[]){ (char *)"\a" }, 1);
	out_say("one\ntwo %s", "\b");
}

static void say_message(void)
{
	tool_fails("/a\033b", "no\nline");
	warn("/c\377", "%s", "\r");
}

static void text(void **state)
{
	char *out = said(STDOUT_FILENO, say_table);
	char *errors = said(STDERR_FILENO, say_message);

	assert_string_equal(out, "NAME\n\\033[31mred\n\\377\nwords: \\007\n"
			    "one\ntwo \\010\n");
	assert_string_equal(errors, "dmdelta: /a\\033b: no\\012line\n"
			    "dmdelta: /c\\377: warning: \\015\n");
	free(out);
	free(errors);
}

static void say_document(void)
{
	say_table();
	say_message();
	out_finish(0);
}

static void json(void **state)
{
	struct json_object *o, *names, *v;
	char *out;

	out_json(true);
	out = said(STDOUT_FILENO, say_document);
	out_json(false);
	assert_true(text_utf8(out));
	o = json_tokener_parse(out);
	assert_true(json_object_object_get_ex(o, "names", &names));
	v = json_object_array_get_idx(names, 0);
	assert_true(json_object_object_get_ex(v, "name", &v));
	assert_string_equal(json_object_get_string(v), "\033[31mred");
	v = json_object_array_get_idx(names, 1);
	assert_true(json_object_object_get_ex(v, "name", &v));
	assert_string_equal(json_object_get_string(v), "\\377");
	assert_true(json_object_object_get_ex(o, "error", &v));
	assert_true(json_object_object_get_ex(v, "thing", &v));
	assert_string_equal(json_object_get_string(v), "/a\033b");
	assert_true(json_object_object_get_ex(o, "warnings", &v));
	json_object_put(o);
	free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shown),
		cmocka_unit_test(direction),
		cmocka_unit_test(backslash),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(text),
		cmocka_unit_test(json),
	};

	return cmocka_run_group_tests_name("tool-text", tests, NULL, NULL);
}
