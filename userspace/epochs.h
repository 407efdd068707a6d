/* SPDX-License-Identifier: GPL-2.0 */
/*
 * epochs.h - the epochs of a live device, as the target lists them.
 */
#ifndef DR_EPOCHS_H
#define DR_EPOCHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse.h"

struct epoch {
	uint32_t id;
	bool has_parent;
	uint32_t parent;
	char state[12];
	bool has_time;
	uint64_t time;
	char label[DR_LABEL_MAX + 1];	/* "": none */
	uint64_t nr_blocks;
	char how[12];
	bool has_prev;
	uint32_t prev;		/* head that its maker had sealed */
	char consistency[8];	/* "": not sealed */
	uint64_t note_bytes;	/* of its note, 0: it has none */
	bool has_read_first;	/* reads were tracked */
	uint64_t read_first;	/* blocks written soon after they were read */
	uint8_t marks;		/* DR_MARK_* */
};

/* Sorted by number, lowest first */
struct epochs {
	struct epoch *epochs;
	size_t nr;
};

/* All epochs, dropped ones included. Return: exit code, has said why. */
int epochs_load(const char *name, struct epochs *epochs);

/*
 * Those from @first on, without a word about what goes wrong.
 * Return: 0 or a negative errno; -EBADMSG: the list is not understood.
 */
int epochs_load_from(const char *name, uint32_t first, struct epochs *epochs);
void epochs_free(struct epochs *epochs);

const struct epoch *epochs_find(const struct epochs *epochs, uint32_t id);
const struct epoch *epochs_head(const struct epochs *epochs);

/* The parent, or NULL at the base. */
const struct epoch *epochs_parent(const struct epochs *epochs,
				  const struct epoch *epoch);

static inline bool epoch_is(const char *field, const char *word)
{
	return !__builtin_strcmp(field, word);
}

/* parse_epoch() for a command's word; fails with 16. */
int epoch_parse(const char *word, struct epoch_ref *ref);

/**
 * epoch_resolve() - from a reference to a number
 * @name: the device, asked for its list only where that is needed
 * @word: as typed, for messages
 *
 * A number is not looked up: the target knows whether there is one.
 * Return: exit code, has said why.
 */
int epoch_resolve(const char *name, const char *word,
		  const struct epoch_ref *ref, uint32_t *id);

/* Both for the value of an option; NULL leaves @id as it is. */
int epoch_option(const char *name, const char *word, uint32_t *id);

/* The list does not count what the head has written; the status does. */
void epochs_count_head(struct epochs *epochs, uint64_t head_blocks);

#endif
