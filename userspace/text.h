/* SPDX-License-Identifier: GPL-2.0 */
/*
 * text.h - what comes from a disk or a device as text: names are bytes, and
 * some are no text, or would steer the terminal.
 */
#ifndef DR_TEXT_H
#define DR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Shown as it is: nothing in it that text_shown() changes? */
bool text_plain(const char *s);

/* UTF-8, of whatever characters, as JSON wants it? */
bool text_utf8(const char *s);

/*
 * Bytes that are no text, control characters and those that turn the direction
 * of writing are written \ooo. In a string that has such, or something that
 * looks like that, so is each backslash: no two strings are shown alike. Not to
 * be done twice. @buf is returned.
 */
const char *text_shown(const char *s, char *buf, size_t size);

/* The same, allocated; NULL: no memory. */
char *text_dup(const char *s);

#endif
