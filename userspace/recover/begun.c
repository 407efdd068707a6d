// SPDX-License-Identifier: GPL-2.0
/*
 * begun.c - notes of recoveries that have not ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "begun.h"
#include "cli.h"
#include "notes.h"
#include "recover/recipe.h"
#include "recover/run.h"

char *begun_text(struct recipe *r, uint32_t epoch)
{
	struct json_object *json;
	const char *text;
	char *copy;

	r->mode = RECIPE_FILES;
	r->now = epoch;
	json = recipe_json(r);
	text = json ? json_object_to_json_string_ext(json,
						     JSON_C_TO_STRING_PLAIN) :
		      NULL;
	copy = text && strlen(text) <= DR_NOTE_MAX ? strdup(text) : NULL;
	json_object_put(json);
	return copy;
}

static bool is_text(struct json_object *o, const char *key, const char *text)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) &&
	       json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), text);
}

/* Anybody may have left a note there: whatever it is, it is no error. */
static bool is_begun(const char *note, uint32_t epoch)
{
	struct json_object *o = json_tokener_parse(note), *epochs, *now;
	bool is;

	is = json_object_is_type(o, json_type_object) &&
	     is_text(o, "format", RECIPE_FORMAT) &&
	     is_text(o, "mode", recipe_mode_word(RECIPE_FILES)) &&
	     json_object_object_get_ex(o, "epochs", &epochs) &&
	     json_object_is_type(epochs, json_type_object) &&
	     json_object_object_get_ex(epochs, "now", &now) &&
	     json_object_get_uint64(now) == epoch;
	json_object_put(o);
	return is;
}

/* The note of @id if it is that of a recovery that began there, allocated */
static char *note_at(const char *device, const struct epochs *epochs,
		     uint32_t id)
{
	const struct epoch *e = epochs_find(epochs, id);
	char *note;

	if (!e || !e->note_bytes || epoch_is(e->state, DR_STATE_DROPPED))
		return NULL;
	note = note_look(device, id);
	if (note && is_begun(note, id))
		return note;
	free(note);
	return NULL;
}

/*
 * Checkpoints may have been made while it was at work, or since. The note,
 * allocated; @first gets the first epoch above the one that has it.
 */
static char *note_below(const char *device, const struct epochs *epochs,
			const struct epoch *e, const struct epoch **first)
{
	const struct epoch *parent;
	char *note = NULL;

	for (; e && !e->has_prev && !run_first(epochs, e); e = parent) {
		parent = epochs_parent(epochs, e);
		note = parent ? note_at(device, epochs, parent->id) : NULL;
		*first = e;
		if (note)
			break;
	}
	return note;
}

const struct epoch *begun_in(const char *device, const struct epochs *epochs,
			     const struct epoch *e)
{
	const struct epoch *first;
	char *note = note_below(device, epochs, e, &first);

	free(note);
	return note ? first : NULL;
}

bool begun_at(const char *device, const struct epochs *epochs, uint32_t id)
{
	char *note = note_at(device, epochs, id);

	free(note);
	return note;
}

static uint32_t number(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ?
	       json_object_get_uint64(value) : 0;
}

/* What @r takes back was a recovery, which ended or did not. */
static bool was_recovery(const char *device, const struct epochs *epochs,
			 const struct recipe *r)
{
	const struct epoch *to = epochs_find(epochs, r->to), *first;

	first = to ? run_first(epochs, to) : NULL;
	if (!first && to)
		first = begun_in(device, epochs, to);
	return first && first->id == r->from && first->parent == r->base;
}

bool begun_undo(const char *device, const struct epochs *epochs,
		const struct epoch *e, struct recipe *r)
{
	const struct epoch *first;
	char *text = note_below(device, epochs, e, &first);
	struct json_object *note = text ? json_tokener_parse(text) : NULL;
	struct json_object *select, *numbers;
	bool is;

	is = json_object_object_get_ex(note, "select", &select) &&
	     json_object_is_type(select, json_type_object) &&
	     !json_object_object_length(select) &&
	     json_object_object_get_ex(note, "epochs", &numbers) &&
	     !recipe_for_all(device, number(numbers, "from"),
			     number(numbers, "to"), number(numbers, "base"),
			     r) &&
	     was_recovery(device, epochs, r);
	json_object_put(note);
	free(text);
	return is;
}

/* --- is it the same? ------------------------------------------------------- */

static bool same_member(struct json_object *a, struct json_object *b,
			const char *key)
{
	struct json_object *x, *y;

	return json_object_object_get_ex(a, key, &x) &&
	       json_object_object_get_ex(b, key, &y) &&
	       json_object_equal(x, y);
}

/* What is taken back, and of what: all else says how. */
static bool same_recipe(const struct recipe *r, struct json_object *note)
{
	struct json_object *json = recipe_json(r), *a, *b;
	bool same;

	same = json && same_member(json, note, "select") &&
	       json_object_object_get_ex(json, "epochs", &a) &&
	       json_object_object_get_ex(note, "epochs", &b) &&
	       same_member(a, b, "from") && same_member(a, b, "to") &&
	       same_member(a, b, "base");
	json_object_put(json);
	return same;
}

/* For a shell; what ls would have in quotes is in quotes. */
static void put_word(FILE *f, const char *word)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./,:@+=%";

	if (*word && !word[strspn(word, plain)]) {
		fprintf(f, " %s", word);
		return;
	}
	fputs(" '", f);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", f);
		else
			fputc(*word, f);
	}
	fputc('\'', f);
}

static void put_options(FILE *f, struct json_object *o, const char *key,
			const char *option)
{
	struct json_object *value;
	size_t i;

	if (!json_object_object_get_ex(o, key, &value))
		return;
	if (!json_object_is_type(value, json_type_array)) {
		fprintf(f, " %s", option);
		put_word(f, json_object_get_string(value));
		return;
	}
	for (i = 0; i < json_object_array_length(value); i++) {
		struct json_object *word = json_object_array_get_idx(value, i);

		fprintf(f, " %s", option);
		put_word(f, json_object_get_string(word));
	}
}

static void put_time(FILE *f, struct json_object *o, const char *key,
		     const char *option)
{
	struct json_object *value;

	if (json_object_object_get_ex(o, key, &value))
		fprintf(f, " %s @%s", option, json_object_get_string(value));
}

static char *command_of(const char *device, struct json_object *json)
{
	struct json_object *epochs, *select;
	size_t size;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	fputs("dmdelta recover", f);
	put_word(f, device);
	if (json_object_object_get_ex(json, "epochs", &epochs)) {
		put_options(f, epochs, "from", "--from");
		put_options(f, epochs, "to", "--to");
	}
	if (json_object_object_get_ex(json, "select", &select)) {
		put_options(f, select, "path", "--path");
		put_options(f, select, "not_path", "--not-path");
		put_options(f, select, "uid", "--uid");
		put_time(f, select, "newer", "--newer");
		put_time(f, select, "older", "--older");
	}
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

char *begun_command(const char *device, const struct recipe *r)
{
	struct json_object *json = recipe_json(r);
	char *command = json ? command_of(device, json) : NULL;

	json_object_put(json);
	return command;
}

/* Return: exit code, has said why */
static int refuse(const char *device, uint32_t before,
		  struct json_object *note)
{
	char *command = command_of(device, note), *remedy = NULL;
	int code;

	if (command && asprintf(&remedy, "'%s' finishes it; --force leaves it so and begins anew",
				command) < 0)
		remedy = NULL;
	code = fail(DR_EXIT_UNCORRECTED, device, remedy,
		    "another recovery was interrupted after epoch %u; nothing was changed",
		    before);
	free(remedy);
	free(command);
	return code;
}

int begun_by(const char *device, const struct recipe *r, bool force,
	     uint32_t *before, bool *found)
{
	const struct epoch *first, *head;
	struct recipe again = *r;
	struct json_object *note;
	struct epochs epochs;
	char *text;
	int code = epochs_load(device, &epochs);

	*found = false;
	if (code)
		return code;
	head = epochs_head(&epochs);
	text = note_below(device, &epochs, head, &first);
	if (text) {
		*before = first->parent;
		/* --to head: by now that is another epoch. */
		if (again.to == head->id)
			again.to = *before;
		note = json_tokener_parse(text);
		*found = same_recipe(&again, note);
		if (!*found && !force)
			code = refuse(device, *before, note);
		json_object_put(note);
	}
	free(text);
	epochs_free(&epochs);
	return code;
}
