// SPDX-License-Identifier: GPL-2.0
/*
 * recipe.c - recipes: from the command line, held against a device, written.
 * Reading one from a document is recipe-read.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

#include "cli.h"
#include "epochs.h"
#include "output.h"
#include "ranges.h"
#include "recover/recipe.h"

static const char *const mode_words[] = {
	[RECIPE_AUTO] = "auto",
	[RECIPE_FILES] = "files",
	[RECIPE_BLOCKS] = "blocks",
};

const char *recipe_mode_word(enum recipe_mode mode)
{
	return mode_words[mode];
}

void recipe_free(struct recipe *r)
{
	select_free(&r->select);
	free(r->rule);
	memset(r, 0, sizeof(*r));
}

/* --- held against a device ----------------------------------------------- */

static const char *number(uint32_t n, char *buf, size_t size)
{
	snprintf(buf, size, "%u", n);
	return buf;
}

static const struct epoch *on_branch(const struct epochs *epochs, uint32_t id)
{
	const struct epoch *e = epochs_head(epochs);

	while (e && e->id > id)
		e = epochs_parent(epochs, e);
	return e && e->id == id ? e : NULL;
}

static int check_epoch(const struct epochs *epochs, uint32_t id,
		       const struct epoch **found)
{
	char thing[16];

	number(id, thing, sizeof(thing));
	*found = epochs_find(epochs, id);
	if (!*found)
		return fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta log' lists them", "no such epoch");
	if (epoch_is((*found)->state, DR_STATE_DROPPED))
		return fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta log' shows what is left",
			    "the epoch was dropped");
	if (!on_branch(epochs, id))
		return fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta log' shows the branches; a rollback to that one makes it the head's",
			    "the epoch is not on the branch of the head");
	return DR_EXIT_OK;
}

static int check_epochs(const struct epochs *epochs, struct recipe *r)
{
	const struct epoch *from, *to, *base;
	char thing[16];
	int code;

	if (r->from == DR_BASE_EPOCH)
		return fail(DR_EXIT_USAGE, number(r->from, thing,
						  sizeof(thing)),
			    "the first epoch that can be damaged is 1",
			    "the base holds no writes to leave out");
	if (r->from > r->to)
		return fail(DR_EXIT_USAGE, number(r->from, thing,
						  sizeof(thing)),
			    "give the first damaged epoch, then the last",
			    "later than epoch %u, where the damage ends",
			    r->to);
	code = check_epoch(epochs, r->from, &from);
	if (!code)
		code = check_epoch(epochs, r->to, &to);
	if (code)
		return code;
	base = epochs_parent(epochs, from);
	if (!base || epoch_is(base->state, DR_STATE_DROPPED))
		return fail(DR_EXIT_OPERATIONAL,
			    number(r->from, thing, sizeof(thing)),
			    "begin with a later epoch",
			    "the epoch before it, %u, was dropped: the state before the damage is not known",
			    from->parent);
	r->base = base->id;
	return DR_EXIT_OK;
}

static int check_ranges(const struct range *ranges, size_t nr, uint64_t end)
{
	char text[64];
	size_t i;

	for (i = 0; i < nr; i++) {
		if (range_end(&ranges[i]) <= end)
			continue;
		snprintf(text, sizeof(text), "%llu+%llu",
			 (unsigned long long)ranges[i].start_sectors,
			 (unsigned long long)ranges[i].len_sectors);
		return fail_usage(text, "goes behind the end of the device at sector %llu",
				  (unsigned long long)end);
	}
	return DR_EXIT_OK;
}

static int check_rules(const struct recipe *r, uint64_t end)
{
	const struct view_rule *rule = r->rule;
	struct range range;
	int code = DR_EXIT_OK;

	for (; !code && rule < r->rule + r->nr_rules; rule++) {
		range = (struct range){ rule->start, rule->sectors };
		code = check_ranges(&range, 1, end);
	}
	return code;
}

int recipe_check(const char *device, struct recipe *r)
{
	struct device_status status;
	struct epochs epochs;
	int code = device_status(device, &status);

	if (!code)
		code = epochs_load(device, &epochs);
	if (code)
		return code;
	code = check_epochs(&epochs, r);
	epochs_free(&epochs);
	if (!code)
		code = check_ranges(r->select.range, r->select.nr_range,
				    status.sectors);
	return code ? code : check_rules(r, status.sectors);
}

/* --- from the command line ----------------------------------------------- */

static int take_mode(const struct cmd_line *line, enum recipe_mode *mode)
{
	const char *word = cli_option(line, "mode");
	size_t i;

	*mode = RECIPE_AUTO;
	for (i = 0; word && i < ARRAY_SIZE(mode_words); i++) {
		if (strcmp(word, mode_words[i]))
			continue;
		*mode = i;
		return DR_EXIT_OK;
	}
	return word ? fail_usage(word, "no such mode: files, blocks or auto") :
		      DR_EXIT_OK;
}

static int take_epoch(const struct cmd_line *line, const char *option,
		      struct epoch_ref *ref)
{
	const char *word = cli_option(line, option);
	char dashed[16];

	if (word)
		return epoch_parse(word, ref);
	snprintf(dashed, sizeof(dashed), "--%s", option);
	return fail_usage(dashed, "missing");
}

static int take_device(struct recipe *r, const char *device)
{
	snprintf(r->device_name, sizeof(r->device_name), "%s", device);
	return device_uuid(device, r->device_uuid);
}

int recipe_for_all(const char *device, uint32_t from, uint32_t to,
		   uint32_t base, struct recipe *r)
{
	*r = (struct recipe){
		.mode = RECIPE_FILES, .from = from, .to = to, .base = base,
	};
	return take_device(r, device);
}

int recipe_from_line(const struct cmd_line *line, const char *device,
		     struct recipe *r)
{
	struct epoch_ref from, to;
	int code;

	memset(r, 0, sizeof(*r));
	code = take_epoch(line, "from", &from);
	if (!code)
		code = take_epoch(line, "to", &to);
	if (!code)
		code = take_mode(line, &r->mode);
	if (!code)
		code = select_from_line(line, &r->select);
	if (code)
		return code;
	r->force = cli_option(line, "force");
	if (r->mode == RECIPE_FILES && select_needs_blocks(&r->select))
		return fail_usage(select_needs_blocks(&r->select),
				  "for --mode blocks alone");
	code = take_device(r, device);
	if (!code)
		code = epoch_resolve(device, cli_option(line, "from"), &from,
				     &r->from);
	if (!code)
		code = epoch_resolve(device, cli_option(line, "to"), &to,
				     &r->to);
	return code ? code : recipe_check(device, r);
}

/* --- as a document ------------------------------------------------------- */

static struct json_object *words(char *const *word, size_t nr)
{
	struct json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; i < nr; i++)
		json_object_array_add(array, json_object_new_string(word[i]));
	return array;
}

static void add_number(struct json_object *o, const char *key, uint64_t n)
{
	json_object_object_add(o, key, json_object_new_uint64(n));
}

static struct json_object *range_json(const struct range *range)
{
	struct json_object *o = json_object_new_object();

	add_number(o, "start", range->start_sectors);
	add_number(o, "sectors", range->len_sectors);
	return o;
}

static struct json_object *part_json(const struct select_part *part)
{
	struct json_object *o = range_json(&part->range);

	json_object_object_add(o, "path", json_object_new_string(part->path));
	return o;
}

static struct json_object *select_json(const struct select *s)
{
	struct json_object *o = json_object_new_object(), *array;
	size_t i;

	if (s->nr_path)
		json_object_object_add(o, "path", words(s->path, s->nr_path));
	if (s->nr_not_path)
		json_object_object_add(o, "not_path",
				       words(s->not_path, s->nr_not_path));
	array = s->nr_uid ? json_object_new_array() : NULL;
	for (i = 0; i < s->nr_uid; i++)
		json_object_array_add(array,
				      json_object_new_uint64(s->uid[i]));
	if (array)
		json_object_object_add(o, "uid", array);
	if (s->newer)
		add_number(o, "newer", s->newer);
	if (s->older)
		add_number(o, "older", s->older);
	array = s->nr_range ? json_object_new_array() : NULL;
	for (i = 0; i < s->nr_range; i++)
		json_object_array_add(array, range_json(&s->range[i]));
	if (array)
		json_object_object_add(o, "range", array);
	array = s->nr_part ? json_object_new_array() : NULL;
	for (i = 0; i < s->nr_part; i++)
		json_object_array_add(array, part_json(&s->part[i]));
	if (array)
		json_object_object_add(o, "part", array);
	return o;
}

static struct json_object *rules_json(const struct recipe *r)
{
	struct json_object *array = json_object_new_array(), *o;
	const struct view_rule *rule = r->rule;

	for (; rule < r->rule + r->nr_rules; rule++) {
		o = json_object_new_object();
		add_number(o, "start", rule->start);
		add_number(o, "sectors", rule->sectors);
		add_number(o, "from", rule->from);
		add_number(o, "to", rule->to);
		json_object_object_add(o, "later",
				       json_object_new_string(rule->drop_later ?
							      DR_WORD_DROP_LATER :
							      DR_WORD_KEEP_LATER));
		json_object_array_add(array, o);
	}
	return array;
}

struct json_object *recipe_json(const struct recipe *r)
{
	struct json_object *o = json_object_new_object(), *sub;

	json_object_object_add(o, "format",
			       json_object_new_string(RECIPE_FORMAT));
	add_number(o, "version", RECIPE_VERSION);
	sub = json_object_new_object();
	json_object_object_add(sub, "uuid",
			       json_object_new_string(r->device_uuid));
	json_object_object_add(sub, "name", out_string(r->device_name));
	json_object_object_add(o, "device", sub);
	json_object_object_add(o, "mode",
			       json_object_new_string(mode_words[r->mode]));
	sub = json_object_new_object();
	add_number(sub, "from", r->from);
	add_number(sub, "to", r->to);
	if (r->now || r->base)
		add_number(sub, "base", r->base);
	if (r->now)
		add_number(sub, "now", r->now);
	json_object_object_add(o, "epochs", sub);
	json_object_object_add(o, "select", select_json(&r->select));
	json_object_object_add(o, "force", json_object_new_boolean(r->force));
	if (r->mode == RECIPE_BLOCKS)
		json_object_object_add(o, "rules", rules_json(r));
	return o;
}

static int write_out(int fd, struct json_object *o)
{
	if (json_object_to_fd(fd, o, JSON_C_TO_STRING_PRETTY |
			      JSON_C_TO_STRING_SPACED |
			      JSON_C_TO_STRING_NOSLASHESCAPE) ||
	    write(fd, "\n", 1) != 1)
		return errno ? -errno : -EIO;
	return 0;
}

/* Beside the file, then in its place: a reader never meets half of it. */
static int replace(const char *file, struct json_object *o)
{
	char *temporary = NULL;
	int fd, ret;

	if (asprintf(&temporary, "%s.XXXXXX", file) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	ret = fd < 0 ? -errno : write_out(fd, o);
	if (!ret && (fchmod(fd, 0644) || fsync(fd) || rename(temporary, file)))
		ret = -errno;
	if (ret && fd >= 0)
		unlink(temporary);
	if (fd >= 0)
		close(fd);
	free(temporary);
	return ret;
}

int recipe_write(const char *file, const struct recipe *r)
{
	struct json_object *o = recipe_json(r);
	struct stat st;
	int fd, ret;

	if (!o)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (stat(file, &st) || S_ISREG(st.st_mode)) {
		ret = replace(file, o);
	} else {
		/* A pipe, or /dev/stdout */
		fd = open(file, O_WRONLY | O_CLOEXEC);
		ret = fd < 0 ? -errno : write_out(fd, o);
		if (fd >= 0)
			close(fd);
	}
	json_object_put(o);
	return ret ? fail_errno(file, "write", ret) : DR_EXIT_OK;
}
