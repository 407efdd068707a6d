// SPDX-License-Identifier: GPL-2.0
/*
 * output.c - text tables and JSON from the same rows.
 *
 * JSON is streamed: the document is opened by the first member and closed by
 * out_finish(), so that an error after half a listing still leaves a valid
 * document that carries "error".
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include <json-c/json.h>

#include "cli.h"
#include "output.h"
#include "text.h"

#define HELD_ROWS	256	/* rows seen before column widths are fixed */
#define MAX_COLUMNS	48

static struct {
	bool json;
	bool lines;			/* instead of one document */
	bool opened;			/* the document has a member */
	const char *command;
	struct json_object *error;
	struct json_object *warnings;

	const struct out_column *columns;
	size_t nr_columns;
	bool in_table;
	bool first_row;
	bool widths_fixed;
	int width[MAX_COLUMNS];
	char *held[HELD_ROWS][MAX_COLUMNS];
	size_t nr_held;
} out;

void out_json(bool json)
{
	out.json = json;
}

bool out_is_json(void)
{
	return out.json;
}

void out_command(const char *name)
{
	out.command = name;
}

const char *out_size(uint64_t bytes, char *buf, size_t size)
{
	static const char *const units[] = {
		"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB",
	};
	double value = bytes;
	int unit = 0;

	while (value >= 1024 && unit < 6) {
		value /= 1024;
		unit++;
	}
	snprintf(buf, size, value == (uint64_t)value ? "%.0f %s" : "%.1f %s",
		 value, units[unit]);
	return buf;
}

static bool in_text(const struct out_column *column)
{
	return column->where == OUT_BOTH || column->where == OUT_ONLY_TEXT;
}

static bool in_json(const struct out_column *column)
{
	return column->where == OUT_BOTH || column->where == OUT_ONLY_JSON;
}

static char *as_text(const struct out_column *column,
		     const struct out_value *value)
{
	char buf[64] = "-";
	time_t when = value->number;
	struct tm tm;

	if (value->present && value->text)
		return text_dup(value->text);
	if (value->present) {
		switch (column->type) {
		case OUT_BYTES:
			out_size(value->number, buf, sizeof(buf));
			break;
		case OUT_TIME:
			if (localtime_r(&when, &tm))
				strftime(buf, sizeof(buf), "%F %T", &tm);
			break;
		case OUT_BOOL:
			strcpy(buf, value->number ? "yes" : "no");
			break;
		case OUT_SHARE:
			snprintf(buf, sizeof(buf), "%.1f %%",
				 value->number / 10.0);
			break;
		case OUT_HUNDREDTHS:
			snprintf(buf, sizeof(buf), "%.2f",
				 value->number / 100.0);
			break;
		default:
			snprintf(buf, sizeof(buf), "%" PRIu64, value->number);
		}
	}
	return strdup(buf);
}

struct json_object *out_string(const char *s)
{
	struct json_object *o;
	char *text;

	if (text_utf8(s))
		return json_object_new_string(s);
	text = text_dup(s);
	o = json_object_new_string(text ? text : "?");
	free(text);
	return o;
}

static struct json_object *as_json(const struct out_column *column,
				   const struct out_value *value)
{
	char text[32];

	if (!value->present)
		return NULL;
	switch (column->type) {
	case OUT_SHARE:
		snprintf(text, sizeof(text), "%.3f", value->number / 1000.0);
		return json_object_new_double_s(value->number / 1000.0, text);
	case OUT_HUNDREDTHS:
		snprintf(text, sizeof(text), "%.2f", value->number / 100.0);
		return json_object_new_double_s(value->number / 100.0, text);
	case OUT_TEXT:
		return out_string(value->text);
	case OUT_BOOL:
		return json_object_new_boolean(value->number);
	default:
		return json_object_new_uint64(value->number);
	}
}

static void put_json(struct json_object *value)
{
	fputs(json_object_to_json_string_ext(value,
					     JSON_C_TO_STRING_PLAIN |
					     JSON_C_TO_STRING_NOSLASHESCAPE),
	      stdout);
	json_object_put(value);
}

/* Opens or continues the document: all but the value of a member. */
static void put_key(const char *key)
{
	fputs(out.opened ? ",\n \"" : "{\n \"", stdout);
	printf("%s\": ", key);
	out.opened = true;
}

static int text_width(const char *text)
{
	wchar_t wide[512];
	size_t n = mbstowcs(wide, text, 511);
	int width;

	if (n == (size_t)-1)
		return strlen(text);
	wide[n < 511 ? n : 511] = 0;
	width = wcswidth(wide, n);
	return width < 0 ? (int)strlen(text) : width;
}

static bool is_right(const struct out_column *column)
{
	return column->type == OUT_NUMBER || column->type == OUT_BYTES ||
	       column->type == OUT_SHARE || column->type == OUT_HUNDREDTHS;
}

static void put_text_row(char *const *cells)
{
	size_t i, last = 0;
	int pad;

	for (i = 0; i < out.nr_columns; i++)
		if (cells[i] && cells[i][0])
			last = i;
	for (i = 0; i <= last; i++) {
		if (!cells[i])
			continue;
		pad = out.width[i] - text_width(cells[i]);
		if (pad < 0)
			pad = 0;
		if (is_right(&out.columns[i]))
			printf("%*s%s", pad, "", cells[i]);
		else
			printf("%s%*s", cells[i], i < last ? pad : 0, "");
		fputs(i < last ? "  " : "\n", stdout);
	}
}

static void put_titles(void)
{
	char *cells[MAX_COLUMNS] = { NULL };
	size_t i;

	for (i = 0; i < out.nr_columns; i++)
		if (in_text(&out.columns[i]))
			cells[i] = (char *)out.columns[i].title;
	put_text_row(cells);
}

static void flush_held(void)
{
	size_t r, i;

	if (!out.widths_fixed)
		put_titles();
	out.widths_fixed = true;
	for (r = 0; r < out.nr_held; r++) {
		put_text_row(out.held[r]);
		for (i = 0; i < out.nr_columns; i++)
			free(out.held[r][i]);
	}
	out.nr_held = 0;
}

void out_table(const char *key, const struct out_column *columns, size_t nr)
{
	size_t i;

	out.columns = columns;
	out.nr_columns = nr;
	out.in_table = true;
	out.first_row = true;
	out.widths_fixed = false;
	for (i = 0; i < nr; i++)
		out.width[i] = columns[i].title ?
			       text_width(columns[i].title) : 0;
	if (out.json) {
		put_key(key);
		putchar('[');
	}
}

static void put_json_row(const struct out_value *values)
{
	struct json_object *row = json_object_new_object(), *cell;
	size_t i;

	for (i = 0; i < out.nr_columns; i++) {
		if (!in_json(&out.columns[i]))
			continue;
		cell = as_json(&out.columns[i], &values[i]);
		json_object_object_add(row, out.columns[i].key, cell);
	}
	fputs(out.first_row ? "\n  " : ",\n  ", stdout);
	put_json(row);
	out.first_row = false;
}

void out_row(const struct out_value *values)
{
	char **cells;
	size_t i;
	int width;

	if (out.json) {
		put_json_row(values);
		return;
	}
	cells = out.held[out.nr_held++];
	for (i = 0; i < out.nr_columns; i++) {
		cells[i] = NULL;
		if (!in_text(&out.columns[i]))
			continue;
		cells[i] = as_text(&out.columns[i], &values[i]);
		width = cells[i] ? text_width(cells[i]) : 0;
		if (!out.widths_fixed && width > out.width[i])
			out.width[i] = width;
	}
	if (out.nr_held == HELD_ROWS || out.widths_fixed)
		flush_held();
}

void out_table_end(void)
{
	if (!out.in_table)
		return;
	out.in_table = false;
	if (out.json)
		fputs(out.first_row ? "]" : "\n ]", stdout);
	else
		flush_held();
}

void out_record(const struct out_column *columns, size_t nr,
		const struct out_value *values)
{
	int width = 0;
	char *text;
	size_t i;

	for (i = 0; i < nr; i++)
		if (in_text(&columns[i]) && columns[i].title &&
		    text_width(columns[i].title) > width)
			width = text_width(columns[i].title);
	for (i = 0; i < nr; i++) {
		if (out.json && in_json(&columns[i])) {
			put_key(columns[i].key);
			put_json(as_json(&columns[i], &values[i]));
		}
		if (out.json || !in_text(&columns[i]))
			continue;
		text = as_text(&columns[i], &values[i]);
		if (!columns[i].title)
			printf("%s\n", text ? text : "-");
		else
			printf("%s:%*s%s\n", columns[i].title,
			       width - text_width(columns[i].title) + 1, "",
			       text ? text : "-");
		free(text);
	}
}

void out_lines(void)
{
	out.lines = true;
}

static void put_json_line(struct json_object *line)
{
	put_json(line);
	putchar('\n');
}

static void put_text_line(const struct out_column *columns, size_t nr,
			  const struct out_value *values)
{
	bool first = true, quote;
	char *text;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (!in_text(&columns[i]) || !values[i].present)
			continue;
		text = as_text(&columns[i], &values[i]);
		quote = columns[i].title && text && strchr(text, ' ');
		printf("%s%s%s%s%s%s", first ? "" : " ",
		       columns[i].title ? columns[i].title : "",
		       columns[i].title ? "=" : "", quote ? "\"" : "",
		       text ? text : "?", quote ? "\"" : "");
		free(text);
		first = false;
	}
	putchar('\n');
}

bool out_line(const struct out_column *columns, size_t nr,
	      const struct out_value *values)
{
	struct json_object *line;
	size_t i;

	if (out.json) {
		line = json_object_new_object();
		for (i = 0; i < nr; i++)
			if (in_json(&columns[i]))
				json_object_object_add(line, columns[i].key,
						       as_json(&columns[i],
							       &values[i]));
		put_json_line(line);
	} else {
		put_text_line(columns, nr, values);
	}
	return !fflush(stdout) && !ferror(stdout);
}

/* Of people's words, lines stay lines. */
static void put_lines(FILE *f, char *text)
{
	char *line, *shown;

	while ((line = strsep(&text, "\n"))) {
		shown = text_dup(line);
		fputs(shown ? shown : "?", f);
		putc('\n', f);
		free(shown);
	}
}

void out_words(const char *key, const char *title, char *const *words,
	       size_t nr)
{
	struct json_object *array;
	char *text;
	size_t i;

	if (out.json) {
		array = json_object_new_array();
		for (i = 0; i < nr; i++)
			json_object_array_add(array,
					      out_string(words[i]));
		put_key(key);
		put_json(array);
		return;
	}
	for (i = 0; i < nr; i++) {
		text = text_dup(words[i]);
		printf("%s%s%s", i ? ", " : title, i ? "" : ": ",
		       text ? text : "?");
		free(text);
	}
	if (nr)
		putchar('\n');
}

void out_object(const char *key, struct json_object *value)
{
	if (!out.json) {
		json_object_put(value);
		return;
	}
	put_key(key);
	put_json(value);
}

void out_say(const char *format, ...)
{
	char *text = NULL;
	va_list ap;

	if (out.json)
		return;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		put_lines(stdout, text);
	free(text);
}

/* "dmdelta <command>: <thing>: <kind><text>; <remedy>" */
static void put_message(const char *thing, const char *kind, const char *text,
			const char *remedy)
{
	char *line = NULL, *shown;

	fflush(stdout);
	if (asprintf(&line, "dmdelta%s%s: %s: %s%s%s%s",
		     out.command ? " " : "", out.command ? out.command : "",
		     thing, kind, text, remedy ? "; " : "",
		     remedy ? remedy : "") < 0)
		return;
	shown = text_dup(line);
	fprintf(stderr, "%s\n", shown ? shown : "?");
	free(shown);
	free(line);
}

int fail(int code, const char *thing, const char *remedy,
	 const char *problem, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, problem);
	vsnprintf(text, sizeof(text), problem, ap);
	va_end(ap);
	out_table_end();
	put_message(thing, "", text, remedy);
	if (out.json && !out.error) {
		out.error = json_object_new_object();
		json_object_object_add(out.error, "command", out.command ?
			out_string(out.command) : NULL);
		json_object_object_add(out.error, "thing",
				       out_string(thing));
		json_object_object_add(out.error, "problem",
				       out_string(text));
		json_object_object_add(out.error, "remedy", remedy ?
				       out_string(remedy) : NULL);
		json_object_object_add(out.error, "exit",
				       json_object_new_int(code));
	}
	return code;
}

int fail_usage(const char *thing, const char *problem, ...)
{
	char text[512], remedy[64];
	va_list ap;

	va_start(ap, problem);
	vsnprintf(text, sizeof(text), problem, ap);
	va_end(ap);
	snprintf(remedy, sizeof(remedy), "see 'dmdelta help%s%s'",
		 out.command ? " " : "", out.command ? out.command : "");
	return fail(DR_EXIT_USAGE, thing, remedy, "%s", text);
}

int fail_errno(const char *thing, const char *doing, int error)
{
	return fail(DR_EXIT_OPERATIONAL, thing, NULL, "%s: %s", doing,
		    strerror(error < 0 ? -error : error));
}

int fail_cancelled(const char *thing)
{
	return fail(DR_EXIT_CANCELLED, thing, NULL,
		    "stopped by a signal before anything was changed");
}

void warn(const char *thing, const char *problem, ...)
{
	char text[1024], whole[1200];
	va_list ap;

	va_start(ap, problem);
	vsnprintf(text, sizeof(text), problem, ap);
	va_end(ap);
	snprintf(whole, sizeof(whole), "%s: %s", thing, text);
	put_message(thing, "warning: ", text, NULL);
	if (!out.json || out.lines)
		return;
	if (!out.warnings)
		out.warnings = json_object_new_array();
	json_object_array_add(out.warnings, out_string(whole));
}

static void finish_lines(void)
{
	struct json_object *line;

	if (!out.json || !out.error)
		return;
	line = json_object_new_object();
	json_object_object_add(line, "error", out.error);
	put_json_line(line);
}

int out_finish(int code)
{
	out_table_end();
	if (out.lines) {
		finish_lines();
	} else if (out.json) {
		if (out.warnings) {
			put_key("warnings");
			put_json(out.warnings);
		}
		if (out.error) {
			put_key("error");
			put_json(out.error);
		}
		fputs(out.opened ? "\n}\n" : "{}\n", stdout);
	}
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "dmdelta: stdout: cannot be written\n");
		return code ? code : DR_EXIT_OPERATIONAL;
	}
	return code;
}
