// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-retain.c - show or set the policy, and what it makes of each epoch.
 *
 * The target carries it out. What it would do is computed here by the same
 * function (core/retain.c) from the same table.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "commit.h"
#include "device.h"
#include "epochs.h"
#include "gauge.h"
#include "output.h"
#include "past/view.h"
#include "policy.h"

#define WORD_NO_POLICY	"none"
#define WHY_COMMITTED	"committed"	/* beside dr_keep_words */

static const struct out_column columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "time", "time", OUT_TIME, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "nr_blocks", "blocks", OUT_NUMBER, OUT_BOTH },
	{ "dropped", NULL, OUT_BOOL, OUT_ONLY_JSON },
	{ "why", "stays as", OUT_TEXT, OUT_BOTH },
};

static const struct out_column totals[] = {
	{ "policy", "policy", OUT_TEXT, OUT_BOTH },
	{ "kept", "epochs that stay", OUT_NUMBER, OUT_BOTH },
	{ "to_drop", "to be dropped", OUT_NUMBER, OUT_BOTH },
	{ "to_commit", "to be committed up to", OUT_NUMBER, OUT_BOTH },
	{ "held_up_by", "what else is old enough is held up by", OUT_NUMBER, OUT_BOTH },
};

/* The words that were given, as one text. Return: exit code, has said why */
static int take_policy(const struct cmd_line *line, char *text, size_t size,
		       struct dr_policy *p)
{
	const char *wrong;
	size_t len = 0;
	uint32_t at;
	int i;

	text[0] = '\0';
	if (line->argc == 2 && !strcmp(line->argv[1], WORD_NO_POLICY))
		return dr_policy_parse(p, text, &at) ? DR_EXIT_OPERATIONAL :
						       DR_EXIT_OK;
	for (i = 1; i < line->argc; i++) {
		len += snprintf(text + len, size - len, "%s%s",
				i > 1 ? " " : "", line->argv[i]);
		if (len >= size)
			return fail_usage(line->argv[i],
					  "the policy is too long: %u characters at most",
					  DR_POLICY_MAX);
	}
	wrong = dr_policy_parse(p, text, &at);
	if (!wrong)
		return DR_EXIT_OK;
	text[at + strcspn(text + at, " ")] = '\0';
	return fail_usage(text + at, "%s", wrong);
}

/* --- what it does to a device that drops for room ---------------------------- */

static int find_word(uint64_t start, uint64_t sectors, const char *type,
		     const char *params, void *arg)
{
	(void)start;
	(void)sectors;
	(void)type;
	*(bool *)arg = strstr(params, " " DR_FEAT_RECLAIM_IF_FULL);
	return 0;
}

/* As the target will, when the policy is set (S8) */
static void warn_of_drops(const char *name, const struct device_status *s,
			  const struct dr_policy *p)
{
	struct dr_space space = {
		.nr_blocks = s->total, .reserve = s->reserve,
		.slot_blocks = s->block_sectors * SECTOR_BYTES /
			       UNIT_BLOCK_BYTES,
		.free = s->total - s->used,
	};
	struct dr_gauge gauge = { .level = DR_LEVEL_OK };
	char free[32], mark[32];
	bool drops = false;

	dr_gauge_set(&gauge, &space, p->low, p->critical);
	if (!p->critical || space.free >= gauge.critical ||
	    mapper_table(name, find_word, &drops) || !drops)
		return;
	warn(name, "space is critical at once with " DR_POLICY_CRITICAL
	     "=%u (%s free, the mark is %s): " DR_FEAT_RECLAIM_IF_FULL
	     " drops the oldest epochs until it is not", p->critical,
	     out_size(space.free * UNIT_BLOCK_BYTES, free, sizeof(free)),
	     out_size(gauge.critical * UNIT_BLOCK_BYTES, mark, sizeof(mark)));
}

/* --- what it makes of each epoch -------------------------------------------- */

static uint8_t state_of(const struct epoch *e)
{
	if (epoch_is(e->state, DR_STATE_SEALED))
		return DR_EPOCH_SEALED;
	if (epoch_is(e->state, DR_STATE_HEAD))
		return DR_EPOCH_HEAD;
	return epoch_is(e->state, DR_STATE_DROPPED) ? DR_EPOCH_DROPPED :
						      DR_EPOCH_BUILDING;
}

/* As the core has them; the base has no record there. */
static int make_table(const struct epochs *epochs, struct dr_epochs *t)
{
	size_t i;

	t->e = calloc(epochs->nr + 1, sizeof(*t->e));
	t->nr = 0;
	if (!t->e)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	for (i = 0; i < epochs->nr; i++) {
		const struct epoch *from = &epochs->epochs[i];
		struct dr_epoch *e = t->e + t->nr;

		if (from->id == DR_BASE_EPOCH)
			continue;
		e->id = from->id;
		e->parent = from->parent;
		e->prev = from->has_prev ? from->prev : 0;
		e->state = state_of(from);
		e->marks = from->marks;
		e->time = from->time;
		snprintf(e->label, sizeof(e->label), "%s", from->label);
		t->nr++;
	}
	return DR_EXIT_OK;
}

static void hold(struct dr_epochs *t, uint32_t id)
{
	struct dr_epoch *e = dr_epochs_find(t, id);

	if (e)
		e->held++;
}

/* "<dev> <epoch> [<#rules> [<start> <sectors> <from> <to> <later>]*]" */
static int hold_seen(uint64_t start, uint64_t sectors, const char *type,
		     const char *params, void *arg)
{
	const struct dr_epoch *first;
	struct dr_epochs *t = arg;
	uint32_t from, to;
	int n = 0;

	(void)start;
	(void)sectors;
	(void)type;
	if (sscanf(params, "%*s %" SCNu32 " %*s%n", &to, &n) == 1)
		hold(t, to);
	while (n && sscanf(params += n, "%*s %*s %" SCNu32 " %" SCNu32 " %*s%n",
			   &from, &to, &n) == 2) {
		first = dr_epochs_find(t, from);
		hold(t, from);
		hold(t, to);
		if (first)
			hold(t, first->parent);
	}
	return 0;
}

static int hold_view(const struct view_info *info, void *arg)
{
	mapper_table(info->name, hold_seen, arg);
	return 0;
}

/* What open views show, and a commit that is under way makes the origin */
static void hold_all(const char *name, const struct device_status *status,
		     struct dr_epochs *t)
{
	char uuid[MAPPER_UUID_SIZE];

	view_device_uuid(name, uuid, sizeof(uuid));
	if (uuid[0])
		view_each(uuid, hold_view, t);
	if (status->committing)
		hold(t, status->commit_epoch);
}

/* What the target would do of its own accord */
struct fate {
	uint8_t *why;		/* of each epoch of the table */
	struct dr_lag lag;
	bool *committed;	/* part of the origin then, and no epoch any more */
};

static int fates(const struct epochs *epochs, const struct dr_epochs *t,
		 const struct device_status *status, const struct dr_policy *p,
		 struct fate *f)
{
	const struct epoch *head = epochs_head(epochs);
	const struct epoch *base = epochs_find(epochs, DR_BASE_EPOCH);
	struct dr_committed last = { 0 };
	uint32_t id, i;

	f->why = malloc(t->nr + 1);
	f->committed = calloc(t->nr + 1, sizeof(*f->committed));
	if (!f->why || !f->committed)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (base && base->has_prev)
		last = (struct dr_committed){ base->prev, base->time };
	/* A device that begins at the base each time does not move it. */
	if (head && (status->start || (strcmp(status->begins, DR_WORD_KEEP) &&
				       strcmp(status->begins, DR_WORD_DISCARD))))
		dr_retain_lag(t, p, head->id, &last, f->why, &f->lag);
	id = f->lag.epoch;
	while (id) {
		i = dr_epochs_from(t, id);
		id = t->e[i].parent;
		if (id)
			f->committed[dr_epochs_from(t, id)] = true;
	}
	dr_retain(t, p, head ? head->id : 0, f->why);
	return DR_EXIT_OK;
}

static void print(const struct epochs *epochs, const struct dr_epochs *t,
		  const struct fate *f, const char *policy)
{
	uint64_t kept = 0, dropped = 0;
	uint32_t i;

	out_table("epochs", columns, ARRAY_SIZE(columns));
	for (i = 0; i < t->nr; i++) {
		const struct epoch *e = epochs_find(epochs, t->e[i].id);
		bool goes = f->committed[i] || f->why[i] == DR_KEEP_NOT;

		if (t->e[i].state != DR_EPOCH_SEALED)
			continue;
		out_row((struct out_value[]){
			out_number(e->id), out_maybe(e->has_time, e->time),
			out_text(e->label[0] ? e->label : NULL),
			out_number(e->nr_blocks), out_number(goes),
			out_text(f->committed[i] ? WHY_COMMITTED :
				 dr_keep_words[f->why[i]]) });
		*(goes ? &dropped : &kept) += 1;
	}
	out_table_end();
	out_say("%s", "");
	out_record(totals, ARRAY_SIZE(totals), (struct out_value[]){
		out_text(*policy ? policy : NULL), out_number(kept),
		out_number(dropped),
		out_maybe(f->lag.epoch, f->lag.epoch),
		out_maybe(f->lag.held_up_by, f->lag.held_up_by) });
}

static int show(const char *name, const struct device_status *status,
		const char *policy, const struct dr_policy *p)
{
	struct dr_epochs t = { .start = status->start,
			       .session = status->session };
	struct epochs epochs;
	struct fate f = { 0 };
	int code = epochs_load(name, &epochs);

	if (code)
		return code;
	code = make_table(&epochs, &t);
	if (!code) {
		hold_all(name, status, &t);
		code = fates(&epochs, &t, status, p, &f);
	}
	if (!code)
		print(&epochs, &t, &f, policy);
	free(f.why);
	free(f.committed);
	free(t.e);
	epochs_free(&epochs);
	return code;
}

int cmd_retain(const struct cmd_line *line)
{
	bool dry_run = cli_option(line, "dry-run"), set = line->argc > 1;
	struct device_status status;
	struct policy_text now;
	struct dr_policy p;
	const char *name;
	char *reply;
	int code = device_name(line->argv[0], &name), ret;

	if (!code && set)
		code = take_policy(line, now.text, sizeof(now.text), &p);
	if (!code)
		code = device_status(name, &status);
	if (!code && !set)
		code = policy_load(name, &now, &p);
	if (!code && set && p.lag && !dry_run)
		code = commit_check_origin(name);
	if (!code && set)
		warn_of_drops(name, &status, &p);
	if (!code && set && !dry_run) {
		ret = mapper_message(name, &reply, DR_MSG_POLICY " "
				     DR_WORD_SET " %s", now.text);
		if (ret)
			return message_fail(name, "policy", ret);
		free(reply);
	}
	return code ? code : show(name, &status, now.text, &p);
}
