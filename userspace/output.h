/* SPDX-License-Identifier: GPL-2.0 */
/*
 * output.h - everything that goes to stdout, as text or as one JSON document.
 *
 * Rows are described once, by columns; a table in text is an array of objects
 * in JSON, a record (one row, a line a column) is members of the document.
 * Rows are written as they come: listings may be longer than memory.
 *
 * Callers give names as they are. What goes to a terminal, messages included,
 * has no control characters and nothing that is no text (text.h); JSON has the
 * name itself, unless it is no text.
 */
#ifndef DR_OUTPUT_H
#define DR_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum out_type {
	OUT_TEXT,
	OUT_NUMBER,
	OUT_BYTES,	/* text: 4.0 MiB */
	OUT_TIME,	/* seconds since 1970; text: local time */
	OUT_BOOL,
	OUT_SHARE,	/* thousandths; text: 12.5 %, JSON: 0.125 */
	OUT_HUNDREDTHS,	/* text and JSON: 7.95 */
};

enum out_where {
	OUT_BOTH,
	OUT_ONLY_TEXT,
	OUT_ONLY_JSON,
	OUT_NOWHERE,
};

struct out_column {
	const char *key;	/* in JSON */
	const char *title;	/* in text; NULL in a record: only the value */
	enum out_type type;
	enum out_where where;
};

struct out_value {
	const char *text;	/* in a column of another type: shown instead */
	uint64_t number;
	bool present;
};

static inline struct out_value out_text(const char *text)
{
	return (struct out_value){ .text = text, .present = text };
}

static inline struct out_value out_number(uint64_t number)
{
	return (struct out_value){ .number = number, .present = true };
}

static inline struct out_value out_maybe(bool present, uint64_t number)
{
	return (struct out_value){ .number = number, .present = present };
}

void out_json(bool json);
bool out_is_json(void);
void out_command(const char *name);

/* One table at a time. */
void out_table(const char *key, const struct out_column *columns, size_t nr);
void out_row(const struct out_value *values);
void out_table_end(void);

void out_record(const struct out_column *columns, size_t nr,
		const struct out_value *values);

/*
 * What comes line by line and may never end: in JSON one object a line instead
 * of one document, an error included; warnings go to stderr alone. Call before
 * anything else.
 */
void out_lines(void);

/*
 * A line: in text the values of columns without a title, then those of the
 * others that there are, as title=value. It is written out at once.
 * Return: false: nobody reads them any more.
 */
bool out_line(const struct out_column *columns, size_t nr,
	      const struct out_value *values);

/* A list of words: "title: a, b" or an array of strings. */
void out_words(const char *key, const char *title, char *const *words,
	       size_t nr);

struct json_object;

/* For what may have come from a disk: text.h says what becomes of no text. */
struct json_object *out_string(const char *s);

/* A member of the document that is no table, in JSON alone; takes @value. */
void out_object(const char *key, struct json_object *value);

/* A sentence for people; nothing in JSON. */
__attribute__((format(printf, 1, 2)))
void out_say(const char *format, ...);

/* 4096 -> "4.0 KiB"; exact multiples of a unit without a fraction. */
const char *out_size(uint64_t bytes, char *buf, size_t size);

/* Ends the document. Return: @code, or 8 if stdout could not be written. */
int out_finish(int code);

#endif
