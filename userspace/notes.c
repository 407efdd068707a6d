// SPDX-License-Identifier: GPL-2.0
/*
 * notes.c - the note messages, piece by piece, in hexadecimal digits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "device.h"
#include "names.h"
#include "notes.h"
#include "parse.h"

#define PIECE	8192u		/* bytes of a note in one message */

static int note_fail(const char *device, uint32_t epoch, const char *doing,
		     int error)
{
	char thing[DM_NAME_MAX + 16];

	snprintf(thing, sizeof(thing), "%s@%u", device, epoch);
	switch (-error) {
	case EBUSY:
		return fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta checkpoint' seals it",
			    "%s: the open epoch has no note", doing);
	case EFBIG:
		return fail(DR_EXIT_OPERATIONAL, thing, NULL,
			    "%s: longer than %u bytes", doing, DR_NOTE_MAX);
	case ESTALE:
		return fail(DR_EXIT_OPERATIONAL, thing, "try again",
			    "%s: somebody else began a note meanwhile", doing);
	}
	return message_fail(thing, doing, error);
}

static int not_understood(const char *device)
{
	return fail(DR_EXIT_OPERATIONAL, device,
		    "use the tool that came with the module",
		    "note: unexpected answer");
}

/* --- writing ------------------------------------------------------------- */

static void to_hex(const char *data, size_t len, char *hex)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		*hex++ = digits[(unsigned char)data[i] >> 4];
		*hex++ = digits[data[i] & 15];
	}
	*hex = '\0';
}

static int send(const char *device, uint64_t ticket, const char *text,
		size_t len, size_t *at)
{
	char hex[2 * PIECE + 1], *reply;
	size_t n = len - *at < PIECE ? len - *at : PIECE;
	int ret;

	to_hex(text + *at, n, hex);
	ret = mapper_message(device, &reply, DR_MSG_NOTE " " DR_WORD_ADD
			     " %" PRIu64 " %zu %s", ticket, *at, hex);
	if (!ret)
		free(reply);
	*at += n;
	return ret;
}

int note_set(const char *device, uint32_t epoch, const char *text)
{
	size_t len = strlen(text), at = 0;
	uint64_t ticket;
	char *reply;
	int ret, code;

	if (len > DR_NOTE_MAX)
		return note_fail(device, epoch, "note", -EFBIG);
	ret = mapper_message(device, &reply, DR_MSG_NOTE " " DR_WORD_BEGIN
			     " %u %zu", epoch, len);
	if (ret)
		return note_fail(device, epoch, "note", ret);
	code = message_number(device, reply, &ticket);
	free(reply);
	if (code)
		return code;
	while (at < len && !ret)
		ret = send(device, ticket, text, len, &at);
	if (!ret) {
		ret = mapper_message(device, &reply, DR_MSG_NOTE " "
				     DR_WORD_END " %" PRIu64, ticket);
		if (!ret)
			free(reply);
	}
	return ret ? note_fail(device, epoch, "note", ret) : DR_EXIT_OK;
}

/* --- reading ------------------------------------------------------------- */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Return: how many bytes, or -1 */
static long from_hex(const char *hex, char *data, size_t room)
{
	size_t n;

	for (n = 0; *hex; n++, hex += 2) {
		int hi = digit(hex[0]), lo = hi < 0 ? -1 : digit(hex[1]);

		if (lo < 0 || n == room)
			return -1;
		data[n] = hi << 4 | lo;
	}
	return n;
}

struct reading {
	char *text;
	uint64_t total;
	uint64_t at;
};

/* "<next offset or -> <total> <digits>". Return: is it as it should be? */
static bool take_page(struct reading *r, char *reply)
{
	const char *next = strsep(&reply, " "), *word = strsep(&reply, " ");
	uint64_t total, end;
	long n;

	if (!reply || parse_number(word, &total) || !total ||
	    total > DR_NOTE_MAX)
		return false;
	/* Somebody replaced it between two pages: the parts do not fit. */
	if (r->text && total != r->total)
		return false;
	if (!r->text)
		r->text = calloc(1, total + 1);
	if (!r->text)
		return false;
	r->total = total;
	n = from_hex(reply, r->text + r->at, total - r->at);
	if (n <= 0)
		return false;
	r->at += n;
	if (strcmp(next, DR_WORD_NONE))
		return !parse_number(next, &end) && end == r->at &&
		       end < total;
	return r->at == total;
}

/* Return: 0, a negative errno, or 1 for what is not understood */
static int read_pages(const char *device, uint32_t epoch, struct reading *r)
{
	char *reply;
	int ret = 0;

	while (!ret && r->at < r->total) {
		if (cancelled())
			return -ECANCELED;
		ret = mapper_message(device, &reply, DR_MSG_NOTE " "
				     DR_WORD_GET " %u %" PRIu64, epoch, r->at);
		if (ret)
			return ret;
		ret = !take_page(r, reply);
		free(reply);
	}
	return ret;
}

int note_get(const char *device, uint32_t epoch, char **text)
{
	struct reading r = { .total = 1 };
	int ret = read_pages(device, epoch, &r);

	*text = ret ? NULL : r.text;
	if (ret)
		free(r.text);
	if (!ret || (ret == -ENODATA && !r.at))
		return DR_EXIT_OK;
	if (ret == -ECANCELED)
		return fail_cancelled(device);
	return ret > 0 ? not_understood(device) :
	       note_fail(device, epoch, "note", ret);
}

char *note_look(const char *device, uint32_t epoch)
{
	struct reading r = { .total = 1 };

	if (!read_pages(device, epoch, &r))
		return r.text;
	free(r.text);
	return NULL;
}
