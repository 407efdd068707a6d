// SPDX-License-Identifier: GPL-2.0
/*
 * begun.c - notes of recoveries that have not ended.
 */
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

/* The end of the damage may be the head: by now that is another epoch. */
static bool same_recipe(const struct recipe *r, uint32_t before,
			const char *note)
{
	struct recipe again = *r;
	char *text;
	bool same;

	if (again.to > before)
		again.to = before;
	text = begun_text(&again, before);
	same = text && !strcmp(text, note);
	free(text);
	return same;
}

int begun_by(const char *device, const struct recipe *r, uint32_t *before,
	     bool *found)
{
	const struct epoch *first;
	struct epochs epochs;
	char *note;
	int code = epochs_load(device, &epochs);

	*found = false;
	if (code)
		return code;
	note = note_below(device, &epochs, epochs_head(&epochs), &first);
	if (note) {
		*before = first->parent;
		*found = same_recipe(r, *before, note);
	}
	free(note);
	epochs_free(&epochs);
	return DR_EXIT_OK;
}
