// SPDX-License-Identifier: GPL-2.0
/*
 * text.c - bytes as text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Length of the UTF-8 character at @s, or 0 if it is none */
static size_t character(const unsigned char *s)
{
	size_t len = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 :
		     *s >= 0xe0 && *s < 0xf0 ? 3 :
		     *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond the end */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* C0, DEL, and C1, which some terminals take in UTF-8 as well */
static bool is_control(const unsigned char *s)
{
	return *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0);
}

/*
 * What turns the direction of writing, U+061C, 200E, 200F, 202A to 202E, 2066
 * to 2069: with one of these a name is read as another one.
 */
static bool is_direction(const unsigned char *s)
{
	if (s[0] == 0xd8)
		return s[1] == 0x9c;
	if (s[0] != 0xe2)
		return false;
	if (s[1] == 0x80)
		return s[2] == 0x8e || s[2] == 0x8f ||
		       (s[2] >= 0xaa && s[2] <= 0xae);
	return s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9;
}

static bool is_octal(unsigned char c)
{
	return c >= '0' && c <= '7';
}

/* What is written for a byte that is not shown */
static bool looks_escaped(const unsigned char *s)
{
	return s[0] == '\\' && is_octal(s[1]) && is_octal(s[2]) &&
	       is_octal(s[3]);
}

static size_t printable(const unsigned char *s)
{
	return is_control(s) || is_direction(s) || looks_escaped(s) ? 0 :
	       character(s);
}

static bool all(const char *text, size_t (*length)(const unsigned char *s))
{
	const unsigned char *s = (const void *)text;
	size_t len = 1;

	for (; *s && len; s += len)
		len = length(s);
	return len;
}

bool text_plain(const char *s)
{
	return all(s, printable);
}

bool text_utf8(const char *s)
{
	return all(s, character);
}

const char *text_shown(const char *text, char *buf, size_t size)
{
	const unsigned char *s = (const void *)text;
	bool plain = text_plain(text);
	size_t len, used = 0;

	while (*s && used + 5 < size) {
		len = printable(s);
		if (len && (plain || *s != '\\')) {
			memcpy(buf + used, s, len);
			s += len;
			used += len;
		} else {
			used += snprintf(buf + used, size - used, "\\%03o",
					 *s++);
		}
	}
	buf[used] = '\0';
	return buf;
}

char *text_dup(const char *s)
{
	size_t size = 4 * strlen(s) + 8;
	char *buf;

	if (text_plain(s))
		return strdup(s);
	buf = malloc(size);
	if (buf)
		text_shown(s, buf, size);
	return buf;
}
