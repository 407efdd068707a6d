// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-replay.c - leave out chosen writes, keep all others: by ranges, by the
 * rules of a recipe, or by those of a plan that is made here and now.
 *
 * begin seals the head; rules are computed by the target while the device is
 * live; only commit happens suspended. Until commit nothing has changed, and
 * whatever goes wrong ends in an abort.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <json-c/json.h>

#include "changes.h"
#include "cli.h"
#include "commands.h"
#include "epochs.h"
#include "notes.h"
#include "output.h"
#include "parse.h"
#include "ranges.h"
#include "recover/plan.h"
#include "switch.h"

#define POLL_NS		50000000L	/* 50 ms */
#define POLLS_IDLE	1200		/* without progress: a minute */

static const struct out_column columns[] = {
	{ "dry_run", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ "from", "left out from epoch", OUT_NUMBER, OUT_BOTH },
	{ "to", "to epoch", OUT_NUMBER, OUT_BOTH },
	{ "nr_rules", "ranges", OUT_NUMBER, OUT_BOTH },
	{ "later", "later writes", OUT_TEXT, OUT_BOTH },
	{ "changed_blocks", "blocks changed", OUT_NUMBER, OUT_BOTH },
	{ "kept_later_blocks", "blocks kept, written later", OUT_NUMBER,
	  OUT_BOTH },
	{ "mixed_blocks", "blocks mixed", OUT_NUMBER, OUT_BOTH },
	{ "epoch", "replay epoch", OUT_NUMBER, OUT_BOTH },
	{ "previous_head", "left behind", OUT_NUMBER, OUT_BOTH },
	{ "head", "new head", OUT_NUMBER, OUT_BOTH },
};

struct replay {
	const char *name;
	const char *file;		/* of the recipe, or NULL */
	bool planned;			/* files were selected */
	const char *from_word, *to_word;
	struct epoch_ref from_ref, to_ref;
	struct range *ranges;		/* as typed */
	size_t nr;
	bool drop_later, force;
	struct recipe recipe;		/* its rules are what is done */
	struct device_status status;	/* before */
	uint64_t epoch, head;
	uint64_t changed, kept_later, mixed;
};

static const char *later_word(bool drop_later)
{
	return drop_later ? DR_WORD_DROP_LATER : DR_WORD_KEEP_LATER;
}

/* Selectors of files: a plan has to say where they are. */
static const char *const selectors[] = {
	"path", "not-path", "uid", "newer", "older", "part", NULL
};

/* The first of these options that is given, with its dashes; or NULL */
static const char *given(const struct cmd_line *line, const char *const *words,
			 char *buf, size_t size)
{
	for (; *words; words++) {
		if (!cli_option(line, *words))
			continue;
		snprintf(buf, size, "--%s", *words);
		return buf;
	}
	return NULL;
}

static int parse_recipe(struct replay *r, const struct cmd_line *line)
{
	static const char *const others[] = {
		"from", "to", "range", "drop-later", NULL
	};
	const char *other;
	char buf[16];

	other = given(line, others, buf, sizeof(buf));
	if (!other)
		other = given(line, selectors, buf, sizeof(buf));
	if (other)
		return fail_usage(other, "the recipe says it");
	return recipe_load(r->file, r->name, &r->recipe);
}

/* Plan now; the views of it must be gone before the device is claimed. */
static int parse_plan(struct replay *r, const struct cmd_line *line)
{
	struct plan p = { 0 };
	int code;

	if (r->drop_later)
		return fail_usage("--drop-later",
				  "a plan says itself which later writes are none");
	code = recipe_from_line(line, r->name, &r->recipe);
	r->recipe.mode = RECIPE_BLOCKS;
	if (!code)
		code = plan_make(r->name, &r->recipe, &p);
	if (!code && p.refused)
		code = fail(DR_EXIT_UNCORRECTED, r->name,
			    "'dmdelta plan --mode blocks' with the same words says what and why; use recover, select less, or --force",
			    "a part of this is refused");
	else if (!code && !r->recipe.nr_rules)
		code = fail(DR_EXIT_UNCORRECTED, r->recipe.select.nr_path ?
			    r->recipe.select.path[0] : r->name,
			    "'dmdelta plan --mode blocks' with the same words shows what was written",
			    "nothing of it was written in these epochs, or can be had back so");
	if (!code && p.blocks.nr_forced)
		warn(r->name, "--force takes %llu blocks that would be refused or left",
		     (unsigned long long)p.blocks.nr_forced);
	plan_free(&p);
	return code;
}

static int parse_ranges(struct replay *r, const struct cmd_line *line)
{
	const char *word, *problem;

	r->ranges = calloc(line->nr_options + 1, sizeof(*r->ranges));
	if (!r->ranges)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	while ((word = cli_option_nth(line, "range", r->nr))) {
		problem = parse_range(word, &r->ranges[r->nr]);
		if (problem)
			return fail_usage(word, "%s", problem);
		r->nr++;
	}
	if (!r->nr)
		return fail_usage("--range", "missing, and so are --part and --path");
	r->nr = ranges_join(r->ranges, r->nr);
	return r->nr > DR_MAX_RULES ?
	       fail_usage("--range", "more than %u ranges", DR_MAX_RULES) :
	       DR_EXIT_OK;
}

static int parse(struct replay *r, const struct cmd_line *line)
{
	char buf[16];
	int code = device_name(line->argv[0], &r->name);

	r->file = cli_option(line, "recipe");
	r->from_word = cli_option(line, "from");
	r->to_word = cli_option(line, "to");
	r->drop_later = cli_option(line, "drop-later");
	r->force = cli_option(line, "force");
	if (code)
		return code;
	if (r->file)
		return parse_recipe(r, line);
	if (!r->from_word || !r->to_word)
		return fail_usage(r->from_word ? "--to" : "--from", "missing");
	r->planned = given(line, selectors, buf, sizeof(buf));
	if (r->planned)
		return parse_plan(r, line);
	code = epoch_parse(r->from_word, &r->from_ref);
	if (!code)
		code = epoch_parse(r->to_word, &r->to_ref);
	return code ? code : parse_ranges(r, line);
}

static const char *range_text(uint64_t start, uint64_t sectors, char *buf,
			      size_t size)
{
	snprintf(buf, size, "%" PRIu64 "+%" PRIu64, start, sectors);
	return buf;
}

/*
 * A rule takes whole blocks. Ranges are widened here, so that those that meet
 * in a block are one rule and the block is counted once.
 */
static void widen(struct replay *r)
{
	uint64_t block = r->status.block_sectors;
	const struct range *range;
	char text[64];

	for (range = r->ranges; block && range < r->ranges + r->nr; range++) {
		if (!(range->start_sectors % block) &&
		    (!(range->len_sectors % block) ||
		     range_end(range) == r->status.sectors))
			continue;
		warn(range_text(range->start_sectors, range->len_sectors, text,
				sizeof(text)),
		     "each block of %llu sectors that it touches is taken whole",
		     (unsigned long long)block);
		break;
	}
	r->nr = ranges_align(r->ranges, r->nr, block, r->status.sectors);
}

/* The ranges as rules, and as what was selected */
static int make_rules(struct replay *r)
{
	struct recipe *recipe = &r->recipe;
	struct mapper_info info;
	size_t i;

	snprintf(recipe->device_name, sizeof(recipe->device_name), "%s",
		 r->name);
	if (!mapper_info(r->name, &info) &&
	    device_uuid_parse(info.uuid, recipe->device_uuid))
		recipe->device_uuid[0] = '\0';

	recipe->rule = calloc(r->nr, sizeof(*recipe->rule));
	if (!recipe->rule)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; i < r->nr; i++)
		recipe->rule[i] = (struct view_rule){
			.start = r->ranges[i].start_sectors,
			.sectors = r->ranges[i].len_sectors,
			.from = recipe->from, .to = recipe->to,
			.drop_later = r->drop_later,
		};
	recipe->nr_rules = r->nr;
	/* As somebody saw it who chose these ranges: sealed with what it has */
	recipe->now = r->status.head;
	recipe->select.range = r->ranges;
	recipe->select.nr_range = r->nr;
	r->ranges = NULL;
	return DR_EXIT_OK;
}

/* What the words mean on this device, now. */
static int look_ranges(struct replay *r)
{
	const struct range *last = &r->ranges[r->nr - 1];
	struct recipe *recipe = &r->recipe;
	char text[64];
	int code;

	code = epoch_resolve(r->name, r->from_word, &r->from_ref,
			     &recipe->from);
	if (!code)
		code = epoch_resolve(r->name, r->to_word, &r->to_ref,
				     &recipe->to);
	if (code)
		return code;
	/* Before begin seals the head for nothing */
	code = recipe_check(r->name, recipe);
	if (code)
		return code;
	if (range_end(last) > r->status.sectors)
		return fail_usage(range_text(last->start_sectors,
					     last->len_sectors, text,
					     sizeof(text)),
				  "goes behind the end of the device at sector %llu",
				  (unsigned long long)r->status.sectors);
	widen(r);
	return make_rules(r);
}

static void collect_since(const struct range *range, void *arg)
{
	range_list_add(arg, range->start_sectors, range->len_sectors);
}

/* The moment that the plan has seen must lie behind us: then @since tells. */
static int check_now(const struct replay *r)
{
	const char *thing = r->file ? r->file : r->name;
	const struct epoch *e;
	struct epochs epochs;
	int code;

	if (!r->recipe.now)
		return fail(DR_EXIT_UNCORRECTED, thing,
			    "make a new plan; --force takes back what came later, whatever it is",
			    "it drops later writes, and epochs.now, the state that it was made for, is missing");
	code = epochs_load(r->name, &epochs);
	if (code)
		return code;
	e = epochs_head(&epochs);
	while (e && e->id > r->recipe.now)
		e = epochs_parent(&epochs, e);
	if (!e || e->id != r->recipe.now)
		code = fail(DR_EXIT_UNCORRECTED, thing,
			    "make a new plan; --force takes back what is there now, whatever it is",
			    "it drops later writes, and was made for epoch %u, which did not lead to the head",
			    r->recipe.now);
	epochs_free(&epochs);
	return code;
}

/*
 * A plan drops later writes only where it has seen that they are none. What
 * came after the plan it has not seen.
 */
static int check_since(struct replay *r)
{
	struct range_list since = { 0 }, drop = { 0 }, both = { 0 };
	const struct view_rule *rule = r->recipe.rule;
	int code;

	if (r->force)
		return DR_EXIT_OK;
	for (; rule < r->recipe.rule + r->recipe.nr_rules; rule++)
		if (rule->drop_later)
			range_list_add(&drop, rule->start, rule->sectors);
	if (!drop.nr)
		return DR_EXIT_OK;
	code = check_now(r);
	if (!code)
		code = changes_each(r->name, r->recipe.now, r->status.head,
				    collect_since, &since);
	if (!code)
		ranges_and(drop.range, drop.nr, since.range, since.nr, &both);
	if (!code && (drop.no_memory || since.no_memory || both.no_memory))
		code = fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (!code && both.nr)
		code = fail(DR_EXIT_UNCORRECTED, r->file ? r->file : r->name,
			    "make a new plan; --force overrides this and loses them",
			    "%llu sectors that it takes back as a whole were written since the plan, after epoch %u",
			    (unsigned long long)ranges_total(both.range,
							     both.nr),
			    r->recipe.now);
	range_list_free(&since);
	range_list_free(&drop);
	range_list_free(&both);
	return code;
}

static int look_recipe(struct replay *r)
{
	int code;

	if (r->recipe.mode != RECIPE_BLOCKS)
		return fail(DR_EXIT_OPERATIONAL, r->file,
			    "'dmdelta recover' applies it",
			    "a recipe for files");
	if (!r->recipe.nr_rules)
		return fail(DR_EXIT_UNCORRECTED, r->file,
			    "'dmdelta plan' says what is refused and why",
			    "it has no rules: there is nothing that it would change");
	code = recipe_check(r->name, &r->recipe);
	return code ? code : check_since(r);
}

static int look(struct replay *r)
{
	int code = device_status(r->name, &r->status);

	if (code)
		return code;
	if (r->planned)
		return check_since(r);
	return r->file ? look_recipe(r) : look_ranges(r);
}

static int count_rule(struct replay *r, const struct view_rule *rule)
{
	uint64_t at = rule->start, next = 0, changed, kept, mixed;
	char word[32], *reply;
	bool more = true;
	int ret, n;

	while (more) {
		if (cancelled())
			return fail_cancelled(r->name);
		ret = mapper_message(r->name, &reply, DR_MSG_REPLAY " "
				     DR_WORD_COUNT " %" PRIu64 " %" PRIu64
				     " %u %u %s %" PRIu64,
				     rule->start, rule->sectors, rule->from,
				     rule->to, later_word(rule->drop_later),
				     at);
		if (ret)
			return message_fail(r->name, "replay count", ret);
		n = sscanf(reply, "%31s %" SCNu64 " %" SCNu64 " %" SCNu64,
			   word, &changed, &kept, &mixed);
		more = n != 4 || strcmp(word, DR_WORD_NONE);
		if (n != 4 || (more && (parse_number(word, &next) ||
					next <= at))) {
			ret = message_number(r->name, reply, &next);
			free(reply);
			return ret ? ret : DR_EXIT_OPERATIONAL;
		}
		free(reply);
		r->changed += changed;
		r->kept_later += kept;
		r->mixed += mixed;
		at = next;
	}
	return DR_EXIT_OK;
}

static int dry_run(struct replay *r)
{
	int code = look(r);
	size_t i;

	for (i = 0; !code && i < r->recipe.nr_rules; i++)
		code = count_rule(r, &r->recipe.rule[i]);
	return code;
}

static int send_rules(struct replay *r)
{
	const struct view_rule *rule = r->recipe.rule;
	char text[64], *reply;
	int ret;

	for (; rule < r->recipe.rule + r->recipe.nr_rules; rule++) {
		if (cancelled())
			return fail_cancelled(r->name);
		ret = mapper_message(r->name, &reply, DR_MSG_REPLAY " "
				     DR_WORD_RULE " %" PRIu64 " %" PRIu64
				     " %u %u %s", rule->start, rule->sectors,
				     rule->from, rule->to,
				     later_word(rule->drop_later));
		free(reply);
		if (!ret)
			continue;
		return message_fail(range_text(rule->start, rule->sectors,
					       text, sizeof(text)),
				    "replay rule", ret);
	}
	return DR_EXIT_OK;
}

/*
 * The recipe goes with the epoch, so that the recovery can be read and
 * repeated. Rules that do not fit are left out: what they were made from says
 * the rest.
 */
static int store_recipe(struct replay *r)
{
	struct json_object *o;
	const char *text;
	int code;

	r->recipe.mode = RECIPE_BLOCKS;
	/* A device that was made by hand does not say whose it is. */
	if (!r->recipe.device_uuid[0])
		return DR_EXIT_OK;
	o = recipe_json(&r->recipe);
	text = o ? json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
						  JSON_C_TO_STRING_NOSLASHESCAPE) :
		   NULL;
	if (text && strlen(text) > DR_NOTE_MAX) {
		warn(r->name, "%zu rules are too long for a note: kept without them",
		     r->recipe.nr_rules);
		json_object_object_del(o, "rules");
		text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	}
	code = text ? note_set(r->name, r->epoch, text) :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	json_object_put(o);
	return code;
}

/* The less is left to compute, the shorter the device stays suspended. */
static int wait_computed(struct replay *r)
{
	struct timespec wait = { .tv_nsec = POLL_NS };
	struct device_status s;
	uint64_t done = 0;
	int idle, code;

	for (idle = 0; idle < POLLS_IDLE; idle++) {
		if (cancelled())
			return fail_cancelled(r->name);
		code = device_status(r->name, &s);
		if (code)
			return code;
		if (!s.replaying || s.replay_epoch != r->epoch)
			return fail(DR_EXIT_OPERATIONAL, r->name, "try again",
				    "it was aborted by somebody else");
		/* begin opened a head of its own: that is what stays behind. */
		r->status.head = s.head;
		if (s.replay_done >= s.replay_queued)
			return DR_EXIT_OK;
		if (s.replay_done != done)
			idle = 0;
		done = s.replay_done;
		nanosleep(&wait, NULL);
	}
	return DR_EXIT_OK;
}

static int finish(struct replay *r, struct switcher *sw)
{
	uint64_t epoch;
	char *reply;
	int code, error;

	code = switch_message(sw, &reply, &error,
			      DR_MSG_REPLAY " " DR_WORD_COMMIT);
	/* A resume that failed has been told; the commit stands all the same. */
	if (error)
		code = message_fail(r->name, "replay commit", error);
	else if (reply &&
		 sscanf(reply, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
			&epoch, &r->head, &r->changed, &r->mixed) != 4)
		code = message_number(r->name, "", &epoch);
	free(reply);
	return code;
}

static void abort_replay(struct replay *r)
{
	char *reply;

	if (mapper_message(r->name, &reply, DR_MSG_REPLAY " " DR_WORD_ABORT))
		warn(r->name, "the replay could not be aborted; see 'dmdelta status %s'",
		     r->name);
	free(reply);
}

static int run(struct replay *r, struct switcher *sw)
{
	char *reply;
	int code = look(r), ret;

	if (code)
		return code;
	if (r->status.replaying)
		return fail(DR_EXIT_OPERATIONAL, r->name,
			    "wait for it, or end it with 'dmdelta abort'",
			    "replay %" PRIu64 " is open",
			    r->status.replay_epoch);
	ret = mapper_message(r->name, &reply,
			     DR_MSG_REPLAY " " DR_WORD_BEGIN);
	if (ret)
		return message_fail(r->name, "replay begin", ret);
	code = message_number(r->name, reply, &r->epoch);
	free(reply);
	if (!code)
		code = send_rules(r);
	if (!code)
		code = store_recipe(r);
	if (!code)
		code = wait_computed(r);
	if (!code)
		code = finish(r, sw);
	if (code && !r->head)
		abort_replay(r);
	return code;
}

static const char *later_text(const struct recipe *recipe)
{
	bool drop = recipe->rule[0].drop_later;
	size_t i;

	for (i = 1; i < recipe->nr_rules; i++)
		if (recipe->rule[i].drop_later != drop)
			return "some left out";
	return drop ? "left out" : "kept";
}

static void report(const struct replay *r, bool dry)
{
	out_record(columns, 11, (struct out_value[]){
		out_number(dry), out_number(r->recipe.from),
		out_number(r->recipe.to), out_number(r->recipe.nr_rules),
		out_text(later_text(&r->recipe)),
		out_number(r->changed), out_maybe(dry, r->kept_later),
		out_number(r->mixed), out_maybe(!dry, r->epoch),
		out_maybe(!dry, r->status.head), out_maybe(!dry, r->head) });
	if (r->mixed)
		warn(r->name, "%llu blocks %s partly from writes left out: look at them",
		     (unsigned long long)r->mixed,
		     dry ? "would come" : "come");
	if (dry)
		out_say("Nothing was changed (dry run).");
	else
		out_say("'dmdelta undo %s' takes it back.", r->name);
}

int cmd_replay(const struct cmd_line *line)
{
	struct replay r = { 0 };
	struct switcher sw = { .fd = -1 };
	bool dry = cli_option(line, "dry-run");
	int code = parse(&r, line);

	if (!code && dry) {
		code = dry_run(&r);
	} else if (!code) {
		code = switch_open(&sw, r.name);
		if (!code)
			code = run(&r, &sw);
		switch_close(&sw);
	}
	if (!code)
		report(&r, dry);
	free(r.ranges);
	recipe_free(&r.recipe);
	return code;
}
