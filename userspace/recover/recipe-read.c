// SPDX-License-Identifier: GPL-2.0
/*
 * recipe-read.c - a JSON document, held against the schema of recipes.
 *
 * Objects are described by tables of members. What is not in the table is
 * refused, so that a misspelt selector does not select everything. The reader
 * knows at each moment which member it is at, and errors name it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "cli.h"
#include "ranges.h"
#include "recover/recipe.h"

#define MAX_FILE	(64u << 20)
#define CHUNK		65536u
#define MANUAL		"see deltarec-recipe.rst"

struct reader {
	const char *thing;	/* the document, in messages */
	const char *device;
	struct recipe *r;
	struct view_rule *rule;	/* in hand, as the next one */
	struct range *range;
	char at[256];		/* "rules[3].sectors" */
};

struct member {
	const char *key;
	bool required;
	int (*take)(struct reader *rd, struct json_object *value);
};

__attribute__((format(printf, 2, 3)))
static int bad(const struct reader *rd, const char *problem, ...)
{
	char thing[512], text[256];
	va_list ap;

	va_start(ap, problem);
	vsnprintf(text, sizeof(text), problem, ap);
	va_end(ap);
	snprintf(thing, sizeof(thing), "%s: %s", rd->thing,
		 rd->at[0] ? rd->at : "document");
	return fail(DR_EXIT_OPERATIONAL, thing, MANUAL, "%s", text);
}

static int no_memory(void)
{
	return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

/* Go into a member or an element; @back is where to cut again. */
static size_t enter(struct reader *rd, const char *key, size_t index)
{
	size_t back = strlen(rd->at);

	if (key)
		snprintf(rd->at + back, sizeof(rd->at) - back, "%s%s",
			 back ? "." : "", key);
	else
		snprintf(rd->at + back, sizeof(rd->at) - back, "[%zu]", index);
	return back;
}

static int take_object(struct reader *rd, struct json_object *o,
		       const struct member *members)
{
	const struct member *m;
	struct json_object *value;
	int code = DR_EXIT_OK;
	size_t back;

	if (!json_object_is_type(o, json_type_object))
		return bad(rd, "must be an object");
	json_object_object_foreach(o, key, unused) {
		(void)unused;
		for (m = members; m->key && strcmp(m->key, key); m++)
			;
		if (m->key)
			continue;
		enter(rd, key, 0);
		return bad(rd, "no such member");
	}
	for (m = members; !code && m->key; m++) {
		back = enter(rd, m->key, 0);
		if (json_object_object_get_ex(o, m->key, &value))
			code = m->take(rd, value);
		else if (m->required)
			code = bad(rd, "missing");
		if (!code)
			rd->at[back] = '\0';
	}
	return code;
}

static int take_array(struct reader *rd, struct json_object *array,
		      int (*take)(struct reader *rd, struct json_object *o))
{
	int code = DR_EXIT_OK;
	size_t i, back;

	for (i = 0; !code && i < json_object_array_length(array); i++) {
		back = enter(rd, NULL, i);
		code = take(rd, json_object_array_get_idx(array, i));
		if (!code)
			rd->at[back] = '\0';
	}
	return code;
}

/* An array, with room made for its elements in *@into */
static int take_list(struct reader *rd, struct json_object *array, void *into,
		     size_t size, size_t max,
		     int (*take)(struct reader *rd, struct json_object *o))
{
	void **to = into;
	size_t nr;

	if (!json_object_is_type(array, json_type_array))
		return bad(rd, "must be an array");
	nr = json_object_array_length(array);
	if (nr > max)
		return bad(rd, "more than %zu elements", max);
	*to = calloc(nr + 1, size);
	return *to ? take_array(rd, array, take) : no_memory();
}

/* --- values -------------------------------------------------------------- */

static int take_number(struct reader *rd, struct json_object *value,
		       uint64_t min, uint64_t max, uint64_t *number)
{
	if (!json_object_is_type(value, json_type_int) ||
	    (json_object_get_int64(value) < 0) ||
	    json_object_get_uint64(value) < min)
		return bad(rd, min ? "must be a positive number" :
			   "must be a number that is not negative");
	*number = json_object_get_uint64(value);
	return *number > max ? bad(rd, "number too large") : DR_EXIT_OK;
}

static int take_u32(struct reader *rd, struct json_object *value, uint32_t min,
		    uint32_t *number)
{
	uint64_t n = 0;
	int code = take_number(rd, value, min, UINT32_MAX, &n);

	if (!code)
		*number = n;
	return code;
}

/* A string that fits, without NUL in it */
static int take_text(struct reader *rd, struct json_object *value, char *to,
		     size_t size)
{
	const char *text = json_object_get_string(value);

	if (!json_object_is_type(value, json_type_string))
		return bad(rd, "must be a string");
	if ((size_t)json_object_get_string_len(value) != strlen(text) ||
	    strlen(text) >= size)
		return bad(rd, "too long, or with a NUL");
	strcpy(to, text);
	return DR_EXIT_OK;
}

/* --- members ------------------------------------------------------------- */

static int take_format(struct reader *rd, struct json_object *value)
{
	return json_object_is_type(value, json_type_string) &&
	       !strcmp(json_object_get_string(value), RECIPE_FORMAT) ?
	       DR_EXIT_OK : bad(rd, "must be \"" RECIPE_FORMAT "\"");
}

static int take_version(struct reader *rd, struct json_object *value)
{
	uint64_t version = 0;
	int code = take_number(rd, value, 1, UINT64_MAX, &version);

	if (!code && version != RECIPE_VERSION)
		code = bad(rd, "this tool knows version %d", RECIPE_VERSION);
	return code;
}

static int take_uuid(struct reader *rd, struct json_object *value)
{
	static const char digits[] = "0123456789abcdef-";
	char *uuid = rd->r->device_uuid;
	int code = take_text(rd, value, uuid, sizeof(rd->r->device_uuid));

	if (!code && (strlen(uuid) != DELTA_UUID_TEXT - 1 ||
		      strspn(uuid, digits) != strlen(uuid)))
		code = bad(rd, "must be a UUID in small letters");
	return code;
}

static int take_name(struct reader *rd, struct json_object *value)
{
	return take_text(rd, value, rd->r->device_name,
			 sizeof(rd->r->device_name));
}

static int take_device(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "uuid", true, take_uuid },
		{ "name", false, take_name },
		{ NULL, false, NULL }
	};
	char uuid[DELTA_UUID_TEXT];
	int code = take_object(rd, value, members);

	if (code || !rd->device)
		return code;
	code = device_uuid(rd->device, uuid);
	if (!code && strcmp(uuid, rd->r->device_uuid))
		code = fail(DR_EXIT_OPERATIONAL, rd->thing,
			    "make a plan for this device",
			    "a recipe for another device: %s%s%s, but %s is %s",
			    rd->r->device_name, rd->r->device_name[0] ?
			    " " : "", rd->r->device_uuid, rd->device, uuid);
	return code;
}

static int take_mode(struct reader *rd, struct json_object *value)
{
	char word[16];
	int code = take_text(rd, value, word, sizeof(word));

	if (code)
		return code;
	if (!strcmp(word, recipe_mode_word(RECIPE_FILES)))
		rd->r->mode = RECIPE_FILES;
	else if (!strcmp(word, recipe_mode_word(RECIPE_BLOCKS)))
		rd->r->mode = RECIPE_BLOCKS;
	else
		return bad(rd, "must be \"files\" or \"blocks\"");
	return DR_EXIT_OK;
}

static int take_from(struct reader *rd, struct json_object *value)
{
	return take_u32(rd, value, 1, &rd->r->from);
}

static int take_to(struct reader *rd, struct json_object *value)
{
	int code = take_u32(rd, value, 1, &rd->r->to);

	return !code && rd->r->from > rd->r->to ?
	       bad(rd, "before epoch %u, where it begins", rd->r->from) : code;
}

static int take_base(struct reader *rd, struct json_object *value)
{
	int code = take_u32(rd, value, 0, &rd->r->base);

	return !code && rd->r->base >= rd->r->from ?
	       bad(rd, "not before epoch %u", rd->r->from) : code;
}

static int take_now(struct reader *rd, struct json_object *value)
{
	int code = take_u32(rd, value, 1, &rd->r->now);

	return !code && rd->r->now < rd->r->to ?
	       bad(rd, "before epoch %u", rd->r->to) : code;
}

static int take_epochs(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "from", true, take_from },
		{ "to", true, take_to },
		{ "base", false, take_base },
		{ "now", false, take_now },
		{ NULL, false, NULL }
	};

	return take_object(rd, value, members);
}

static int take_force(struct reader *rd, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_boolean))
		return bad(rd, "must be true or false");
	rd->r->force = json_object_get_boolean(value);
	return DR_EXIT_OK;
}

/* --- select -------------------------------------------------------------- */

static int take_pattern(struct reader *rd, struct json_object *value,
			char **patterns, size_t *nr)
{
	char text[4096];
	int code = take_text(rd, value, text, sizeof(text));
	const char *problem;

	if (code)
		return code;
	problem = select_check_pattern(text);
	if (problem)
		return bad(rd, "%s", problem);
	patterns[*nr] = strdup(text);
	if (!patterns[*nr])
		return no_memory();
	(*nr)++;
	return DR_EXIT_OK;
}

static int take_one_path(struct reader *rd, struct json_object *value)
{
	struct select *s = &rd->r->select;

	return take_pattern(rd, value, s->path, &s->nr_path);
}

static int take_one_not_path(struct reader *rd, struct json_object *value)
{
	struct select *s = &rd->r->select;

	return take_pattern(rd, value, s->not_path, &s->nr_not_path);
}

static int take_one_uid(struct reader *rd, struct json_object *value)
{
	struct select *s = &rd->r->select;
	int code = take_u32(rd, value, 0, &s->uid[s->nr_uid]);

	s->nr_uid += !code;
	return code;
}

static int take_start(struct reader *rd, struct json_object *value)
{
	return take_number(rd, value, 0, UINT64_MAX,
			   &rd->range->start_sectors);
}

static int take_sectors(struct reader *rd, struct json_object *value)
{
	return take_number(rd, value, 1,
			   UINT64_MAX - rd->range->start_sectors,
			   &rd->range->len_sectors);
}

static int take_one_range(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "start", true, take_start },
		{ "sectors", true, take_sectors },
		{ NULL, false, NULL }
	};
	struct select *s = &rd->r->select;
	int code;

	rd->range = &s->range[s->nr_range];
	code = take_object(rd, value, members);
	s->nr_range += !code;
	return code;
}

static int take_part_path(struct reader *rd, struct json_object *value)
{
	struct select *s = &rd->r->select;
	char text[4096];
	int code = take_text(rd, value, text, sizeof(text));
	const char *problem = code ? NULL : select_check_path(text);

	if (code || problem)
		return code ? code : bad(rd, "%s", problem);
	s->part[s->nr_part].path = strdup(text);
	return s->part[s->nr_part].path ? DR_EXIT_OK : no_memory();
}

static int take_one_part(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "path", true, take_part_path },
		{ "start", true, take_start },
		{ "sectors", true, take_sectors },
		{ NULL, false, NULL }
	};
	struct select *s = &rd->r->select;
	int code;

	rd->range = &s->part[s->nr_part].range;
	code = take_object(rd, value, members);
	s->nr_part++;	/* even so: there may be a path to be freed */
	return code;
}

static int take_path(struct reader *rd, struct json_object *value)
{
	return take_list(rd, value, &rd->r->select.path, sizeof(char *),
			 DR_MAX_RULES, take_one_path);
}

static int take_not_path(struct reader *rd, struct json_object *value)
{
	return take_list(rd, value, &rd->r->select.not_path, sizeof(char *),
			 DR_MAX_RULES, take_one_not_path);
}

static int take_uid(struct reader *rd, struct json_object *value)
{
	return take_list(rd, value, &rd->r->select.uid, sizeof(uint32_t),
			 DR_MAX_RULES, take_one_uid);
}

static int take_range(struct reader *rd, struct json_object *value)
{
	struct select *s = &rd->r->select;
	int code = take_list(rd, value, &s->range, sizeof(*s->range),
			     DR_MAX_RULES, take_one_range);

	if (!code)
		s->nr_range = ranges_join(s->range, s->nr_range);
	return code;
}

static int take_part(struct reader *rd, struct json_object *value)
{
	return take_list(rd, value, &rd->r->select.part,
			 sizeof(struct select_part), DR_MAX_RULES,
			 take_one_part);
}

static int take_time(struct reader *rd, struct json_object *value,
		     int64_t *time)
{
	uint64_t n = 0;
	int code = take_number(rd, value, 1, INT64_MAX, &n);

	if (!code)
		*time = n;
	return code;
}

static int take_newer(struct reader *rd, struct json_object *value)
{
	return take_time(rd, value, &rd->r->select.newer);
}

static int take_older(struct reader *rd, struct json_object *value)
{
	return take_time(rd, value, &rd->r->select.older);
}

static int take_select(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "path", false, take_path },
		{ "not_path", false, take_not_path },
		{ "uid", false, take_uid },
		{ "newer", false, take_newer },
		{ "older", false, take_older },
		{ "range", false, take_range },
		{ "part", false, take_part },
		{ NULL, false, NULL }
	};

	return take_object(rd, value, members);
}

/* --- rules --------------------------------------------------------------- */

static int take_rule_start(struct reader *rd, struct json_object *value)
{
	return take_number(rd, value, 0, UINT64_MAX, &rd->rule->start);
}

static int take_rule_sectors(struct reader *rd, struct json_object *value)
{
	return take_number(rd, value, 1, UINT64_MAX - rd->rule->start,
			   &rd->rule->sectors);
}

static int take_rule_from(struct reader *rd, struct json_object *value)
{
	return take_u32(rd, value, 1, &rd->rule->from);
}

static int take_rule_to(struct reader *rd, struct json_object *value)
{
	int code = take_u32(rd, value, 1, &rd->rule->to);

	return !code && rd->rule->from > rd->rule->to ?
	       bad(rd, "before epoch %u, where it begins", rd->rule->from) :
	       code;
}

static int take_later(struct reader *rd, struct json_object *value)
{
	char word[16];
	int code = take_text(rd, value, word, sizeof(word));

	if (code)
		return code;
	rd->rule->drop_later = !strcmp(word, DR_WORD_DROP_LATER);
	return rd->rule->drop_later || !strcmp(word, DR_WORD_KEEP_LATER) ?
	       DR_EXIT_OK : bad(rd, "must be \"" DR_WORD_KEEP_LATER "\" or \""
				DR_WORD_DROP_LATER "\"");
}

static int take_one_rule(struct reader *rd, struct json_object *value)
{
	static const struct member members[] = {
		{ "start", true, take_rule_start },
		{ "sectors", true, take_rule_sectors },
		{ "from", true, take_rule_from },
		{ "to", true, take_rule_to },
		{ "later", true, take_later },
		{ NULL, false, NULL }
	};
	struct recipe *r = rd->r;
	int code;

	rd->rule = &r->rule[r->nr_rules];
	code = take_object(rd, value, members);
	if (!code && r->nr_rules &&
	    rd->rule->start < rd->rule[-1].start + rd->rule[-1].sectors)
		code = bad(rd, "overlaps the rule before it; rules are sorted by start");
	r->nr_rules += !code;
	return code;
}

static int take_rules(struct reader *rd, struct json_object *value)
{
	if (rd->r->mode != RECIPE_BLOCKS)
		return bad(rd, "only where mode is \"blocks\"");
	return take_list(rd, value, &rd->r->rule, sizeof(*rd->r->rule),
			 DR_MAX_RULES, take_one_rule);
}

/* Of a note: how the recovery went that it is of. Not ours to judge here. */
static int take_run(struct reader *rd, struct json_object *value)
{
	return json_object_is_type(value, json_type_object) ?
	       DR_EXIT_OK : bad(rd, "must be an object");
}

static int take_document(struct reader *rd, struct json_object *o)
{
	static const struct member members[] = {
		{ "format", true, take_format },
		{ "version", true, take_version },
		{ "device", true, take_device },
		{ "mode", true, take_mode },
		{ "epochs", true, take_epochs },
		{ "select", false, take_select },
		{ "force", false, take_force },
		{ "rules", false, take_rules },
		{ "run", false, take_run },
		{ NULL, false, NULL }
	};
	const struct select *s = &rd->r->select;
	int code = take_object(rd, o, members);

	if (!code && s->newer && s->older && s->newer >= s->older) {
		enter(rd, "select.older", 0);
		code = bad(rd, "not after select.newer: nothing is selected");
	}
	if (!code && rd->r->mode == RECIPE_FILES && select_needs_blocks(s)) {
		enter(rd, s->nr_range ? "select.range" : "select.part", 0);
		code = bad(rd, "only where mode is \"blocks\"");
	}
	return code;
}

int recipe_parse(const char *text, const char *thing, const char *device,
		 struct recipe *r)
{
	struct reader rd = { .thing = thing, .device = device, .r = r };
	struct json_tokener *tok = json_tokener_new();
	enum json_tokener_error error;
	struct json_object *o;
	int code;

	memset(r, 0, sizeof(*r));
	if (!tok)
		return no_memory();
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, text, strlen(text) + 1);
	error = json_tokener_get_error(tok);
	if (error != json_tokener_success) {
		code = fail(DR_EXIT_OPERATIONAL, thing, MANUAL,
			    "not JSON: %s, at byte %zu",
			    json_tokener_error_desc(error),
			    json_tokener_get_parse_end(tok));
	} else {
		code = take_document(&rd, o);
	}
	json_object_put(o);
	json_tokener_free(tok);
	return code;
}

int recipe_load(const char *file, const char *device, struct recipe *r)
{
	FILE *f = fopen(file, "re");
	size_t size = 0, room = 0, got;
	char *text = NULL, *more;
	int code;

	memset(r, 0, sizeof(*r));
	if (!f)
		return fail_errno(file, "open", -errno);
	do {
		if (room - size < CHUNK + 1) {
			room = 2 * room + 2 * CHUNK;
			more = realloc(text, room);
			if (!more)
				break;
			text = more;
		}
		got = fread(text + size, 1, CHUNK, f);
		size += got;
		text[size] = '\0';
	} while (got && size < MAX_FILE);
	if (ferror(f))
		code = fail_errno(file, "read", -EIO);
	else if (!text || size >= MAX_FILE || !feof(f))
		code = fail(DR_EXIT_OPERATIONAL, file, MANUAL,
			    "too large for a recipe");
	else if (memchr(text, '\0', size))
		code = fail(DR_EXIT_OPERATIONAL, file, MANUAL,
			    "not JSON: there is a NUL in it");
	else
		code = recipe_parse(text, file, device, r);
	free(text);
	fclose(f);
	return code;
}
