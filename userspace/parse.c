// SPDX-License-Identifier: GPL-2.0
/*
 * parse.c - numbers, sizes, ranges, epochs, names.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "epoch.h"
#include "parse.h"

#define WORD_HEAD	"head"
#define WORD_BASE	"base"
#define MAPPER_DIR	"/dev/mapper/"

/* Digits at *@word, which is moved behind them. */
static const char *take_number(const char **word, uint64_t *number)
{
	uint64_t n = 0;

	if (!isdigit((unsigned char)**word))
		return "not a number";
	for (; isdigit((unsigned char)**word); (*word)++) {
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, **word - '0', &n))
			return "number too large";
	}
	*number = n;
	return NULL;
}

const char *parse_number(const char *word, uint64_t *number)
{
	const char *problem = take_number(&word, number);

	if (!problem && *word)
		problem = "not a number";
	return problem;
}

/* What a suffix multiplies by; 0: no such suffix. */
static uint64_t suffix_factor(const char *suffix, size_t len)
{
	static const char letters[] = "KMGTPE";
	const char *at;
	uint64_t base, factor = 1;

	if (len == 1 && suffix[0] == 's')
		return SECTOR_BYTES;
	if (len == 1 && suffix[0] == 'B')
		return 1;
	at = len ? strchr(letters, toupper((unsigned char)suffix[0])) : NULL;
	if (!at || !*at)
		return 0;
	if (len == 1 || (len == 3 && !strncmp(suffix + 1, "iB", 2)) ||
	    (len == 2 && suffix[1] == 'i'))
		base = 1024;
	else if (len == 2 && suffix[1] == 'B')
		base = 1000;
	else
		return 0;
	for (; at >= letters; at--)
		factor *= base;
	return factor;
}

/* A size up to @end. */
static const char *take_size(const char *word, const char *end, uint64_t unit,
			     uint64_t *bytes)
{
	const char *problem = take_number(&word, bytes);
	uint64_t factor = unit;

	if (problem)
		return problem;
	if (word < end)
		factor = suffix_factor(word, end - word);
	if (!factor || word > end)
		return "unknown suffix (B, s, K, KiB, KB, M, ... are known)";
	if (__builtin_mul_overflow(*bytes, factor, bytes))
		return "number too large";
	return NULL;
}

const char *parse_size(const char *word, uint64_t unit, uint64_t *bytes)
{
	return take_size(word, word + strlen(word), unit, bytes);
}

const char *parse_range(const char *word, struct range *range)
{
	const char *plus = strchr(word, '+');
	uint64_t start, len, end;
	const char *problem;

	if (!plus || plus == word || !plus[1])
		return "not a range, <start>+<len>";
	problem = take_size(word, plus, SECTOR_BYTES, &start);
	if (!problem)
		problem = parse_size(plus + 1, SECTOR_BYTES, &len);
	if (problem)
		return problem;
	if (start % SECTOR_BYTES || len % SECTOR_BYTES)
		return "not a multiple of a sector (512 bytes)";
	if (!len)
		return "length is zero";
	if (__builtin_add_overflow(start, len, &end))
		return "number too large";
	range->start_sectors = start >> SECTOR_SHIFT;
	range->len_sectors = len >> SECTOR_SHIFT;
	return NULL;
}

const char *parse_time(const char *word, int64_t *seconds)
{
	static const char *const formats[] = {
		"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M",
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S",
	};
	const char *problem, *end;
	uint64_t number;
	struct tm tm;
	size_t i;

	if (word[0] == '@') {
		problem = parse_number(word + 1, &number);
		if (!problem && (!number || number > INT64_MAX))
			problem = "not a time";
		*seconds = problem ? 0 : number;
		return problem;
	}
	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		memset(&tm, 0, sizeof(tm));
		tm.tm_isdst = -1;
		end = strptime(word, formats[i], &tm);
		if (!end || (*end && strcmp(end, "Z")))
			continue;
		*seconds = *end ? timegm(&tm) : mktime(&tm);
		if (*seconds > 0)
			return NULL;
	}
	return "not a time: '2024-05-01', '2024-05-01 13:30' or '@<seconds>'";
}

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start_sectors < y->start_sectors ? -1 :
	       x->start_sectors > y->start_sectors;
}

size_t ranges_join(struct range *ranges, size_t nr)
{
	uint64_t end, here;
	size_t i, to = 0;

	qsort(ranges, nr, sizeof(*ranges), by_start);
	for (i = 1; i < nr; i++) {
		end = ranges[to].start_sectors + ranges[to].len_sectors;
		if (ranges[i].start_sectors > end) {
			ranges[++to] = ranges[i];
			continue;
		}
		here = ranges[i].start_sectors + ranges[i].len_sectors;
		if (here > end)
			ranges[to].len_sectors = here -
						 ranges[to].start_sectors;
	}
	return nr ? to + 1 : 0;
}

const char *parse_label(const char *word)
{
	size_t len = strlen(word);

	if (!len)
		return "label is empty";
	if (len > DR_LABEL_MAX)
		return "label is longer than 47 bytes";
	if (!strcmp(word, WORD_HEAD) || !strcmp(word, WORD_BASE) ||
	    !strcmp(word, DR_WORD_NONE))
		return "label is a reserved word";
	if (strspn(word, "0123456789") == len)
		return "label would be read as a number";
	/* What the store accepts is decided in one place. */
	return dr_label_valid(word) ? NULL :
	       "label has a character other than letters, digits and ._:+-/,=";
}

/* "~", "~2", "~~", "~2~1": how many parents up */
static const char *take_up(const char *word, uint64_t *up)
{
	const char *problem;
	uint64_t n;

	*up = 0;
	while (*word == '~') {
		word++;
		n = 1;
		if (isdigit((unsigned char)*word)) {
			problem = take_number(&word, &n);
			if (problem)
				return problem;
		}
		if (__builtin_add_overflow(*up, n, up))
			return "number too large";
	}
	return *word ? "not an epoch: after '~' comes a number" : NULL;
}

const char *parse_epoch(const char *word, struct epoch_ref *ref)
{
	size_t len = strcspn(word, "~");
	const char *problem;
	uint64_t number;

	memset(ref, 0, sizeof(*ref));
	if (!len)
		return "not an epoch: a number, a label, head or base";
	problem = take_up(word + len, &ref->up);
	if (problem)
		return problem;
	if (len > DR_LABEL_MAX)
		return "label is longer than 47 bytes";
	memcpy(ref->label, word, len);
	if (!strcmp(ref->label, WORD_HEAD)) {
		ref->kind = EPOCH_HEAD;
	} else if (!strcmp(ref->label, WORD_BASE)) {
		ref->kind = EPOCH_NUMBER;
		ref->number = DR_BASE_EPOCH;
	} else if (isdigit((unsigned char)word[0]) &&
		   strspn(ref->label, "0123456789") == len) {
		ref->kind = EPOCH_NUMBER;
		problem = parse_number(ref->label, &number);
		if (problem || number > UINT32_MAX)
			return "number too large";
		ref->number = number;
	} else {
		ref->kind = EPOCH_LABEL;
		problem = parse_label(ref->label);
	}
	return problem;
}

const char *parse_name(const char *word, const char **name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789#+-.:=@_";

	if (!strncmp(word, MAPPER_DIR, strlen(MAPPER_DIR)))
		word += strlen(MAPPER_DIR);
	*name = word;
	if (!*word)
		return "name is empty";
	if (strlen(word) > DM_NAME_MAX)
		return "name is longer than 127 bytes";
	if (!strcmp(word, ".") || !strcmp(word, "..") ||
	    !strcmp(word, "control"))
		return "name is reserved";
	if (strspn(word, allowed) != strlen(word))
		return "name has a character other than letters, digits and #+-.:=@_";
	return NULL;
}
