/* SPDX-License-Identifier: GPL-2.0 */
/*
 * text.h - words of strangers in XML and HTML.
 *
 * Labels, device names and above all paths are whatever somebody chose. What
 * is written through here can close no element and no attribute, is valid
 * UTF-8, and shows what would otherwise be unseen: control characters and
 * bytes that are no UTF-8 as \xHH, characters that turn the direction of the
 * text around or have no width as \u{HHHH}. A backslash stays as it is.
 */
#ifndef DR_DRAW_TEXT_H
#define DR_DRAW_TEXT_H

#include <stdio.h>

/* For content of elements and for attributes in double quotes. */
void text_put(FILE *f, const char *text);

/* The same, but at most @max characters; a cut is shown by "…". */
void text_put_cut(FILE *f, const char *text, size_t max);

/*
 * A JSON document, to be copied from the page: line feeds stay, and what is
 * hidden is written as JSON does it. Bytes that are no UTF-8, which JSON
 * cannot hold, become the replacement character.
 */
void text_put_json(FILE *f, const char *json);

#endif
