// SPDX-License-Identifier: GPL-2.0
/*
 * files-text.c - paths as text: names are bytes, and some are no text.
 */
#include <stdio.h>
#include <string.h>

#include "files.h"

/* Length of the UTF-8 character at @s, or 0 if it is none */
static size_t character(const unsigned char *s)
{
	size_t len = *s < 0x80 ? 1 : *s >= 0xc2 && *s < 0xe0 ? 2 :
		     *s >= 0xe0 && *s < 0xf0 ? 3 :
		     *s >= 0xf0 && *s < 0xf5 ? 4 : 0;
	size_t i;

	if (len == 1)
		return *s >= 0x20 && *s != 0x7f;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Overlong forms, surrogates, beyond the end */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

const char *files_path_text(const char *path, char *buf, size_t size)
{
	const unsigned char *s = (const void *)path;
	size_t len, used = 0;
	bool plain = true;

	for (; *s && plain; s += len) {
		len = character(s);
		plain = len;
	}
	s = (const void *)path;
	while (*s && used + 5 < size) {
		len = character(s);
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
