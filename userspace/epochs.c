// SPDX-License-Identifier: GPL-2.0
/*
 * epochs.c - list the epochs, find one by number, label or descent.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "device.h"
#include "epochs.h"
#include "format.h"
#include "grow.h"

/* Older modules do not tell of notes and reads; newer ones may tell more. */
enum { MIN_EPOCH_WORDS = 9, NR_EPOCH_WORDS = 12 };

static bool take_id(const char *word, bool *present, uint32_t *id)
{
	uint64_t number = 0;

	*present = strcmp(word, DR_WORD_NONE) != 0;
	if (*present && (parse_number(word, &number) || number > UINT32_MAX))
		return false;
	*id = number;
	return true;
}

static bool take_text(const char *word, char *to, size_t size)
{
	if (!strcmp(word, DR_WORD_NONE))
		word = "";
	return (size_t)snprintf(to, size, "%s", word) < size;
}

/* "pinned,suspect" or "-"; words of newer modules are not ours to judge. */
static uint8_t take_marks(char *words)
{
	static const struct { const char *word; uint8_t mark; } marks[] = {
		{ DR_WORD_PINNED, DR_MARK_PINNED },
		{ DR_WORD_LOOSE, DR_MARK_LOOSE },
		{ DR_WORD_SUSPECT, DR_MARK_SUSPECT },
	};
	uint8_t all = 0;
	char *word;
	size_t i;

	while ((word = strsep(&words, ",")))
		for (i = 0; i < ARRAY_SIZE(marks); i++)
			if (!strcmp(word, marks[i].word))
				all |= marks[i].mark;
	return all;
}

static bool parse_line(char *line, struct epoch *e)
{
	char *words[NR_EPOCH_WORDS] = { NULL }, *word;
	uint64_t number;
	int nr = 0;

	memset(e, 0, sizeof(*e));
	while ((word = strsep(&line, " "))) {
		if (!*word)
			continue;
		if (nr < NR_EPOCH_WORDS)
			words[nr++] = word;
	}
	if (nr < MIN_EPOCH_WORDS || parse_number(words[0], &number) ||
	    number > UINT32_MAX)
		return false;
	e->id = number;
	e->has_time = strcmp(words[3], DR_WORD_NONE) != 0;
	e->has_read_first = words[10] && strcmp(words[10], DR_WORD_NONE);
	e->marks = words[11] ? take_marks(words[11]) : 0;
	return take_id(words[1], &e->has_parent, &e->parent) &&
	       take_text(words[2], e->state, sizeof(e->state)) &&
	       (!e->has_time || !parse_number(words[3], &e->time)) &&
	       take_text(words[4], e->label, sizeof(e->label)) &&
	       (!strcmp(words[5], DR_WORD_NONE) ||
		!parse_number(words[5], &e->nr_blocks)) &&
	       take_text(words[6], e->how, sizeof(e->how)) &&
	       take_id(words[7], &e->has_prev, &e->prev) &&
	       take_text(words[8], e->consistency, sizeof(e->consistency)) &&
	       (!words[9] || !strcmp(words[9], DR_WORD_NONE) ||
		!parse_number(words[9], &e->note_bytes)) &&
	       (!e->has_read_first || !parse_number(words[10], &e->read_first));
}

static int add(struct epochs *epochs, const struct epoch *e, size_t *room)
{
	struct epoch *more = grow(epochs->epochs, epochs->nr, room,
				  sizeof(*more));

	if (!more)
		return -ENOMEM;
	epochs->epochs = more;
	more[epochs->nr++] = *e;
	return 0;
}

/* A line that is not as it should be, for the message about it */
struct bad_line {
	char text[256];
};

static int not_understood(struct bad_line *bad, const char *line)
{
	snprintf(bad->text, sizeof(bad->text), "%s", line);
	return -EBADMSG;
}

/* One reply; *@cursor is where the next one starts, *@more if there is one. */
static int take_page(char *reply, struct epochs *epochs, size_t *room,
		     uint64_t *cursor, bool *more, struct bad_line *bad)
{
	char *line = strsep(&reply, "\n");
	uint64_t next = 0;
	struct epoch e;

	*more = strcmp(line, DR_WORD_NONE) != 0;
	if (*more && (parse_number(line, &next) || next <= *cursor))
		return not_understood(bad, line);
	*cursor = next;
	while ((line = strsep(&reply, "\n"))) {
		char copy[256];

		if (!*line)
			continue;
		snprintf(copy, sizeof(copy), "%s", line);
		if (!parse_line(line, &e))
			return not_understood(bad, copy);
		if (add(epochs, &e, room))
			return -ENOMEM;
	}
	return 0;
}

static int by_id(const void *a, const void *b)
{
	const struct epoch *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static int load(const char *name, uint64_t cursor, struct epochs *epochs,
		struct bad_line *bad)
{
	bool more = true;
	size_t room = 0;
	char *reply;
	int ret = 0;

	memset(epochs, 0, sizeof(*epochs));
	while (!ret && more) {
		if (cancelled()) {
			ret = -EINTR;
			break;
		}
		ret = mapper_message(name, &reply, DR_MSG_EPOCHS " %" PRIu64,
				     cursor);
		if (ret)
			break;
		ret = take_page(reply, epochs, &room, &cursor, &more, bad);
		free(reply);
	}
	if (ret)
		epochs_free(epochs);
	else
		qsort(epochs->epochs, epochs->nr, sizeof(*epochs->epochs),
		      by_id);
	return ret;
}

int epochs_load_from(const char *name, uint32_t first, struct epochs *epochs)
{
	struct bad_line bad;

	return load(name, first, epochs, &bad);
}

int epochs_load(const char *name, struct epochs *epochs)
{
	struct bad_line bad;
	int ret = load(name, DR_BASE_EPOCH, epochs, &bad);

	switch (ret) {
	case 0:
		return DR_EXIT_OK;
	case -EINTR:
		if (cancelled())
			return fail_cancelled(name);
		break;
	case -EBADMSG:
		return fail(DR_EXIT_OPERATIONAL, name,
			    "use the tool that came with the module",
			    "list of epochs not understood: '%s'", bad.text);
	case -ENOMEM:
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	}
	return message_fail(name, "list of epochs", ret);
}

void epochs_free(struct epochs *epochs)
{
	free(epochs->epochs);
	memset(epochs, 0, sizeof(*epochs));
}

const struct epoch *epochs_find(const struct epochs *epochs, uint32_t id)
{
	struct epoch key = { .id = id };

	return epochs->nr ? bsearch(&key, epochs->epochs, epochs->nr,
				    sizeof(key), by_id) : NULL;
}

const struct epoch *epochs_head(const struct epochs *epochs)
{
	size_t i = epochs->nr;

	while (i--)
		if (epoch_is(epochs->epochs[i].state, DR_STATE_HEAD))
			return &epochs->epochs[i];
	return NULL;
}

const struct epoch *epochs_parent(const struct epochs *epochs,
				  const struct epoch *epoch)
{
	/* A parent is always older: a list that says otherwise ends here. */
	if (!epoch->has_parent || epoch->parent >= epoch->id)
		return NULL;
	return epochs_find(epochs, epoch->parent);
}

int epoch_parse(const char *word, struct epoch_ref *ref)
{
	const char *problem = parse_epoch(word, ref);

	return problem ? fail_usage(word, "%s", problem) : DR_EXIT_OK;
}

static int no_such_epoch(const char *word, const char *problem)
{
	return fail(DR_EXIT_OPERATIONAL, word, "'dmdelta log' lists them",
		    "%s", problem);
}

static int find_label(const struct epochs *epochs, const char *word,
		      const char *label, const struct epoch **found)
{
	const struct epoch *e;
	size_t i;

	*found = NULL;
	for (i = 0; i < epochs->nr; i++) {
		e = &epochs->epochs[i];
		if (!epoch_is(e->label, label) ||
		    epoch_is(e->state, DR_STATE_DROPPED))
			continue;
		if (*found)
			return fail(DR_EXIT_OPERATIONAL, word,
				    "give the number",
				    "epochs %u and %u have this label",
				    (*found)->id, e->id);
		*found = e;
	}
	return *found ? DR_EXIT_OK :
	       no_such_epoch(word, "no epoch has this label");
}

static int find(const struct epochs *epochs, const char *word,
		const struct epoch_ref *ref, uint32_t *id)
{
	const struct epoch *e = NULL;
	uint64_t up;
	int code;

	if (ref->kind == EPOCH_LABEL) {
		code = find_label(epochs, word, ref->label, &e);
		if (code)
			return code;
	} else {
		e = ref->kind == EPOCH_HEAD ? epochs_head(epochs) :
		    epochs_find(epochs, ref->number);
	}
	if (!e)
		return no_such_epoch(word, "no such epoch");
	for (up = ref->up; up; up--) {
		e = epochs_parent(epochs, e);
		if (!e)
			return no_such_epoch(word, "goes behind the base");
	}
	*id = e->id;
	return DR_EXIT_OK;
}

int epoch_resolve(const char *name, const char *word,
		  const struct epoch_ref *ref, uint32_t *id)
{
	struct device_status status;
	struct epochs epochs;
	int code;

	if (!ref->up && ref->kind == EPOCH_NUMBER) {
		*id = ref->number;
		return DR_EXIT_OK;
	}
	if (!ref->up && ref->kind == EPOCH_HEAD) {
		code = device_status(name, &status);
		*id = status.head;
		return code;
	}
	code = epochs_load(name, &epochs);
	if (code)
		return code;
	code = find(&epochs, word, ref, id);
	epochs_free(&epochs);
	return code;
}

int epoch_option(const char *name, const char *word, uint32_t *id)
{
	struct epoch_ref ref;
	int code;

	if (!word)
		return DR_EXIT_OK;
	code = epoch_parse(word, &ref);
	return code ? code : epoch_resolve(name, word, &ref, id);
}

void epochs_count_head(struct epochs *epochs, uint64_t head_blocks)
{
	size_t i;

	for (i = 0; i < epochs->nr; i++)
		if (epoch_is(epochs->epochs[i].state, DR_STATE_HEAD))
			epochs->epochs[i].nr_blocks = head_blocks;
}
