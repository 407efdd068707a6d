/* SPDX-License-Identifier: GPL-2.0 */
/*
 * parse.h - what the words of a command line mean. No device is touched.
 *
 * Each parser returns NULL, or what is wrong with the word (a constant
 * string that can follow "<word>: ").
 */
#ifndef DR_PARSE_H
#define DR_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "names.h"

#define SECTOR_SHIFT		9
#define SECTOR_BYTES		512u
#define UNIT_BLOCK_BYTES	4096u	/* unit of space in the status line */
#define DM_NAME_MAX		127

const char *parse_number(const char *word, uint64_t *number);

/*
 * Bytes. Suffixes as coreutils have them: K, KiB = 1024; KB = 1000; M, G, T,
 * P, E likewise; B = bytes; s = sectors. A bare number counts @unit bytes.
 */
const char *parse_size(const char *word, uint64_t unit, uint64_t *bytes);

/*
 * A moment: "@<seconds>" since 1970, or "<year>-<month>-<day>", with
 * " <hour>:<minute>[:<second>]" behind it if wanted (or a T before the hour):
 * local time, or UTC with a Z at the end.
 */
const char *parse_time(const char *word, int64_t *seconds);

struct range {
	uint64_t start_sectors;
	uint64_t len_sectors;
};

/* "<start>+<len>", each in sectors, or with a suffix as above. */
const char *parse_range(const char *word, struct range *range);

/* Sort by start and join what overlaps or touches. Return: how many left. */
size_t ranges_join(struct range *ranges, size_t nr);

/* "5", "before-upgrade", "head", "base", each with "~<n>" behind. */
struct epoch_ref {
	enum { EPOCH_NUMBER, EPOCH_LABEL, EPOCH_HEAD } kind;
	uint32_t number;
	uint64_t up;		/* parents to go */
	char label[DR_LABEL_MAX + 1];
};

const char *parse_epoch(const char *word, struct epoch_ref *ref);

/* A label that an epoch may be given: one that parse_epoch() finds again. */
const char *parse_label(const char *word);

/*
 * Name of a device-mapper device, or its node in the device-mapper directory.
 * @name points into @word.
 */
const char *parse_name(const char *word, const char **name);

#endif
