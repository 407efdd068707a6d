// SPDX-License-Identifier: GPL-2.0
/*
 * text.c - words of strangers in XML and HTML.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "text.h"

/*
 * One character of UTF-8: no overlong form, no surrogate, nothing behind the
 * end of Unicode. Return: its length, 0 if @s does not begin with one.
 */
static int decode(const unsigned char *s, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 :
		  s[0] >= 0xc2 ? 2 : 0;
	int i;

	if (!len || s[0] > 0xf4)
		return 0;
	*c = len == 1 ? s[0] : s[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	if (*c < least[len] || (*c >= 0xd800 && *c <= 0xdfff) || *c > 0x10ffff)
		return 0;
	return len;
}

/* Invisible, or able to make its neighbours look like something else */
static bool is_treacherous(uint32_t c)
{
	return (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x61c ||
	       c == 0x180e || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
	       c == 0xfeff || (c >= 0xfff0 && c <= 0xfffb) ||
	       (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef) ||
	       (c >= 0xe0000 && c <= 0xe0fff);
}

static void put_hidden(FILE *f, uint32_t c, bool json)
{
	if (!json)
		fprintf(f, "\\u{%x}", c);
	else if (c < 0x10000)
		fprintf(f, "\\u%04x", c);
	else
		fprintf(f, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
			0xdc00 + (c & 0x3ff));
}

static void put_character(FILE *f, const unsigned char *s, int len, uint32_t c,
			  bool json)
{
	switch (c) {
	case '\n':
		fputs(json ? "\n" : "\\x0a", f);
		break;
	case '&':
		fputs("&amp;", f);
		break;
	case '<':
		fputs("&lt;", f);
		break;
	case '>':
		fputs("&gt;", f);
		break;
	case '"':
		fputs("&quot;", f);
		break;
	case '\'':
		fputs("&#39;", f);
		break;
	default:
		if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else if (is_treacherous(c))
			put_hidden(f, c, json);
		else
			fwrite(s, 1, len, f);
	}
}

static void put(FILE *f, const char *text, size_t max, bool json)
{
	const unsigned char *s = (const unsigned char *)text, *cut = NULL;
	const unsigned char *p;
	size_t n = 0;
	uint32_t c;
	int len;

	for (p = s; *p; p += len ? len : 1) {
		len = decode(p, &c);
		if (++n == max)
			cut = p;	/* the room that "…" would take */
	}
	for (p = s; *p; p += len ? len : 1) {
		if (n > max && p == cut) {
			fputs("…", f);
			return;
		}
		len = decode(p, &c);
		if (len)
			put_character(f, p, len, c, json);
		else if (json)
			fputs("\\ufffd", f);
		else
			fprintf(f, "\\x%02x", *p);
	}
}

void text_put(FILE *f, const char *text)
{
	put(f, text, SIZE_MAX, false);
}

void text_put_cut(FILE *f, const char *text, size_t max)
{
	put(f, text, max, false);
}

void text_put_json(FILE *f, const char *text)
{
	put(f, text, SIZE_MAX, true);
}
