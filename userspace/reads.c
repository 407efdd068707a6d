// SPDX-License-Identifier: GPL-2.0
/*
 * reads.c - the reads message, page by page.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "device.h"
#include "ranges.h"
#include "reads.h"

static int not_understood(const char *device, const char *word)
{
	return fail(DR_EXIT_OPERATIONAL, device,
		    "use the tool that came with the module",
		    "answer to reads not understood: '%s'", word);
}

/* One reply; *@more is false after the last one. */
static int take_page(const char *device, char *reply, uint64_t *cursor,
		     bool *more, struct range_list *list)
{
	char *word = strsep(&reply, " ");
	struct range range;
	uint64_t next;

	*more = strcmp(word, DR_WORD_NONE) != 0;
	if (*more) {
		if (parse_number(word, &next) || next <= *cursor)
			return not_understood(device, word);
		*cursor = next;
	}
	while ((word = strsep(&reply, " "))) {
		if (parse_range(word, &range))
			return not_understood(device, word);
		range_list_add(list, range.start_sectors, range.len_sectors);
	}
	return DR_EXIT_OK;
}

int reads_of(const char *device, uint32_t epoch, struct range **ranges,
	     size_t *nr, bool *known)
{
	struct range_list list = { 0 };
	int code = DR_EXIT_OK, ret;
	uint64_t cursor = 0;
	char thing[16], *reply;
	bool more = true;

	*known = true;
	while (!code && more) {
		if (cancelled()) {
			code = fail_cancelled(device);
			break;
		}
		ret = mapper_message(device, &reply, DR_MSG_READS " %u %" PRIu64,
				     epoch, cursor);
		if (ret == -ENODATA) {
			*known = false;
			break;
		}
		if (ret) {
			snprintf(thing, sizeof(thing), "%u", epoch);
			code = message_fail(thing, "reads", ret);
			break;
		}
		code = take_page(device, reply, &cursor, &more, &list);
		free(reply);
	}
	if (!code && list.no_memory)
		code = fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (code)
		range_list_free(&list);
	else
		range_list_join(&list);
	*ranges = list.range;
	*nr = list.nr;
	return code;
}
