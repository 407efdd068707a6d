// SPDX-License-Identifier: GPL-2.0
/*
 * changes.c - the diff message, page by page.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "cli.h"
#include "device.h"
#include "epochs.h"
#include "ranges.h"

struct pages {
	const char *device;
	struct range last;	/* not handed on yet: the next may continue it */
	void (*each)(const struct range *range, void *arg);
	void *arg;
};

static void take_range(struct pages *p, const struct range *range)
{
	struct range *last = &p->last;

	if (last->len_sectors && range_end(last) == range->start_sectors) {
		last->len_sectors += range->len_sectors;
		return;
	}
	if (last->len_sectors)
		p->each(last, p->arg);
	*last = *range;
}

/* A reply is words, on one line or on several. */
static char *next_word(char *reply, char **save)
{
	static const char space[] = { ' ', '\n', '\0' };

	return strtok_r(reply, space, save);
}

static int not_understood(const struct pages *p, const char *word)
{
	return fail(DR_EXIT_OPERATIONAL, p->device,
		    "use the tool that came with the module",
		    "answer to diff not understood: '%s'", word);
}

/* One reply; *@more is false after the last one. */
static int take_page(struct pages *p, char *reply, uint64_t *cursor,
		     bool *more)
{
	char *save, *word = next_word(reply, &save);
	struct range range;
	uint64_t next;

	if (!word)
		return not_understood(p, "");
	*more = strcmp(word, DR_WORD_NONE) != 0;
	if (*more) {
		if (parse_number(word, &next) || next <= *cursor)
			return not_understood(p, word);
		*cursor = next;
	}
	while ((word = next_word(NULL, &save))) {
		if (parse_range(word, &range))
			return not_understood(p, word);
		take_range(p, &range);
	}
	return DR_EXIT_OK;
}

int changes_each(const char *device, uint32_t from, uint32_t to,
		 void (*each)(const struct range *range, void *arg),
		 void *arg)
{
	struct pages p = { .device = device, .each = each, .arg = arg };
	int code = DR_EXIT_OK, ret;
	uint64_t cursor = 0;
	bool more = true;
	char thing[32], *reply;

	while (!code && more) {
		if (cancelled())
			return fail_cancelled(device);
		ret = mapper_message(device, &reply,
				     DR_MSG_DIFF " %u %u %" PRIu64, from, to,
				     cursor);
		if (ret) {
			snprintf(thing, sizeof(thing), "%u..%u", from, to);
			return message_fail(thing, "diff", ret);
		}
		code = take_page(&p, reply, &cursor, &more);
		free(reply);
	}
	if (!code && p.last.len_sectors)
		each(&p.last, arg);
	return code;
}

static void collect(const struct range *range, void *arg)
{
	range_list_add(arg, range->start_sectors, range->len_sectors);
}

/* Hand @list over, or free it. */
static int settle(struct range_list *list, int code, struct range **ranges,
		  size_t *nr)
{
	if (!code && list->no_memory)
		code = fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (code)
		range_list_free(list);
	else
		range_list_join(list);
	*ranges = list->range;
	*nr = list->nr;
	return code;
}

int changes_between(const char *device, uint32_t from, uint32_t to,
		    struct range **ranges, size_t *nr)
{
	struct range_list list = { 0 };
	int code = changes_each(device, from, to, collect, &list);

	return settle(&list, code, ranges, nr);
}

/* The nearest one below that can be asked for; NULL behind the base */
static const struct epoch *known_below(const struct epochs *epochs,
				       const struct epoch *e)
{
	do {
		e = epochs_parent(epochs, e);
	} while (e && epoch_is(e->state, DR_STATE_DROPPED));
	return e;
}

int changes_written(const char *device, const struct epochs *epochs,
		    uint32_t from, uint32_t to, struct range **ranges,
		    size_t *nr)
{
	const struct epoch *e = epochs_find(epochs, to), *below;
	struct range_list list = { 0 };
	int code = DR_EXIT_OK;

	for (; !code && e && e->id >= from; e = below) {
		below = known_below(epochs, e);
		if (below && !epoch_is(e->state, DR_STATE_DROPPED))
			code = changes_each(device, below->id, e->id, collect,
					    &list);
		/* Many epochs write the same blocks again and again. */
		range_list_join(&list);
	}
	return settle(&list, code, ranges, nr);
}
