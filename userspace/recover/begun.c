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
#include "output.h"
#include "recover/recipe.h"
#include "recover/run.h"

/* Members of "run"; the rest of a note is a recipe */
#define KEY_RUN		"run"
#define KEY_WORD	"word"
#define KEY_STATE	"state"
#define KEY_VOLUME	"volume"
#define KEY_BESIDE	"beside"
#define KEY_QUARANTINE	"quarantine"

static const char *const states[] = {
	[BEGUN] = "begun", [BEGUN_ENDED] = "ended", [BEGUN_LATE] = "interrupted",
};

static void add_text(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, out_string(text));
}

/* The recipe, and what else a run is given */
static struct json_object *run_json(const struct run *run,
				    enum begun_state state)
{
	struct json_object *json = recipe_json(run->recipe), *o;

	o = json_object_new_object();
	add_text(o, KEY_WORD, run->word);
	add_text(o, KEY_STATE, states[state]);
	add_text(o, KEY_VOLUME, run->volume);
	if (run->beside)
		json_object_object_add(o, KEY_BESIDE,
				       json_object_new_boolean(true));
	add_text(o, KEY_QUARANTINE, run->quarantine);
	json_object_object_add(json, KEY_RUN, o);
	return json;
}

char *begun_text(struct run *run, uint32_t now, enum begun_state state)
{
	struct json_object *json;
	const char *text;
	char *copy;

	run->recipe->mode = RECIPE_FILES;
	run->recipe->now = now;
	json = run_json(run, state);
	text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN);
	copy = text && strlen(text) <= DR_NOTE_MAX ? strdup(text) : NULL;
	json_object_put(json);
	return copy;
}

static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? value : NULL;
}

static bool is_text(struct json_object *o, const char *key, const char *text)
{
	struct json_object *value = member(o, key);

	return json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), text);
}

static uint32_t number(struct json_object *o, const char *key)
{
	return json_object_get_uint64(member(member(o, "epochs"), key));
}

/* Anybody may have left a note there: whatever it is, it is no error. */
static struct json_object *note_of(const char *device, const struct epoch *e,
				   enum begun_state state)
{
	struct json_object *o;
	char *text;

	if (!e || !e->note_bytes || epoch_is(e->state, DR_STATE_DROPPED))
		return NULL;
	text = note_look(device, e->id);
	o = text ? json_tokener_parse(text) : NULL;
	free(text);
	if (is_text(o, "format", RECIPE_FORMAT) &&
	    is_text(member(o, KEY_RUN), KEY_STATE, states[state]))
		return o;
	json_object_put(o);
	return NULL;
}

bool begun_late(const char *device, const struct epoch *e)
{
	struct json_object *o = note_of(device, e, BEGUN_LATE);

	json_object_put(o);
	return o;
}

/*
 * Checkpoints may have been made while it was at work, or since. Return: the
 * note, to be put; @first gets the first epoch above the one that has it.
 */
static struct json_object *note_below(const char *device,
				      const struct epochs *epochs,
				      const struct epoch *e,
				      const struct epoch **first)
{
	const struct epoch *parent;
	struct json_object *note = NULL;

	for (; !note && e && !e->has_prev && !run_first(epochs, e);
	     e = parent) {
		parent = epochs_parent(epochs, e);
		note = note_of(device, parent, BEGUN);
		/* A copy of it says which epoch it is of. */
		if (note && number(note, "now") != parent->id) {
			json_object_put(note);
			note = NULL;
		}
		*first = e;
	}
	return note;
}

bool begun_find(const char *device, const struct epochs *epochs,
		struct begun *b)
{
	const struct epoch *first;
	struct json_object *note = note_below(device, epochs,
					      epochs_head(epochs), &first);

	if (!note)
		return false;
	*b = (struct begun){
		.undo = is_text(member(note, KEY_RUN), KEY_WORD, RUN_UNDO),
		.from = number(note, "from"), .to = number(note, "to"),
		.base = number(note, "base"),
		.before = first->parent, .first = first->id,
	};
	json_object_put(note);
	return true;
}

/* --- is it the same? ------------------------------------------------------- */

static bool same_member(struct json_object *a, struct json_object *b,
			const char *key)
{
	return json_object_equal(member(a, key), member(b, key));
}

/* What is taken back, and of what: all else says how. */
static bool same(struct json_object *a, struct json_object *b)
{
	struct json_object *x = member(a, "epochs"), *y = member(b, "epochs");

	return same_member(a, b, "select") && same_member(x, y, "from") &&
	       same_member(x, y, "to") && same_member(x, y, "base") &&
	       same_member(member(a, KEY_RUN), member(b, KEY_RUN), KEY_WORD) &&
	       same_member(member(a, KEY_RUN), member(b, KEY_RUN), KEY_VOLUME);
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

/* @json: with "run" */
static char *command_of(const char *device, struct json_object *json)
{
	struct json_object *epochs = member(json, "epochs");
	struct json_object *select = member(json, "select");
	struct json_object *run = member(json, KEY_RUN);
	size_t size;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (is_text(run, KEY_WORD, RUN_UNDO)) {
		fputs("dmdelta undo", f);
		put_word(f, device);
	} else {
		fputs("dmdelta recover", f);
		put_word(f, device);
		put_options(f, epochs, "from", "--from");
		put_options(f, epochs, "to", "--to");
		put_options(f, select, "path", "--path");
		put_options(f, select, "not_path", "--not-path");
		put_options(f, select, "uid", "--uid");
		put_time(f, select, "newer", "--newer");
		put_time(f, select, "older", "--older");
		put_options(f, run, KEY_VOLUME, "--volume");
		if (member(run, KEY_BESIDE))
			fputs(" --beside", f);
		put_options(f, run, KEY_QUARANTINE, "--quarantine");
	}
	if (!fclose(f))
		return text;
	free(text);
	return NULL;
}

char *begun_command(const struct run *run)
{
	struct json_object *json = run_json(run, BEGUN);
	char *command = command_of(run->device, json);

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

int begun_by(struct run *run)
{
	const struct epoch *first, *head;
	struct json_object *note, *ours;
	uint32_t to = run->recipe->to;
	struct epochs epochs;
	int code = epochs_load(run->device, &epochs);

	if (code)
		return code;
	head = epochs_head(&epochs);
	note = note_below(run->device, &epochs, head, &first);
	if (note) {
		/* --to head: by now that is another epoch. */
		if (to == head->id)
			run->recipe->to = first->parent;
		ours = run_json(run, BEGUN);
		run->recipe->to = to;
		run->begun = same(ours, note);
		json_object_put(ours);
		if (run->begun)
			run->before = first->parent;
		else if (run->force)
			run->left_so = first->parent;
		else
			code = refuse(run->device, first->parent, note);
		json_object_put(note);
	}
	epochs_free(&epochs);
	return code;
}
