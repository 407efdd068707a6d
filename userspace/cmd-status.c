// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-status.c - status of one device, or a line for each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "epochs.h"
#include "forecast.h"
#include "names.h"
#include "output.h"
#include "parse.h"
#include "policy.h"
#include "past/view.h"

/* Pairs are one line in text and two members in JSON. */
static const struct out_column columns[] = {
	{ "name", "name", OUT_TEXT, OUT_BOTH },
	{ "mode", "mode", OUT_TEXT, OUT_BOTH },
	{ "suspended", "suspended", OUT_BOOL, OUT_BOTH },
	{ "size_bytes", "size", OUT_BYTES, OUT_BOTH },
	{ "block_bytes", "block size", OUT_BYTES, OUT_BOTH },
	{ "head", "head", OUT_NUMBER, OUT_BOTH },
	{ "parent", "parent", OUT_NUMBER, OUT_BOTH },
	{ "nr_epochs", "epochs", OUT_NUMBER, OUT_BOTH },
	{ "head_blocks", "blocks in head", OUT_NUMBER, OUT_BOTH },
	{ "space", "space", OUT_TEXT, OUT_BOTH },
	{ "used_bytes", "used", OUT_BYTES, OUT_BOTH },
	{ "total_bytes", "of", OUT_BYTES, OUT_BOTH },
	{ "metadata_bytes", "metadata", OUT_BYTES, OUT_BOTH },
	{ "reserve_bytes", "reserve", OUT_BYTES, OUT_BOTH },
	{ NULL, "journal", OUT_TEXT, OUT_ONLY_TEXT },
	{ "journal_used", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "journal_total", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "unrecorded", "unrecorded", OUT_NUMBER, OUT_BOTH },
	{ NULL, "cache", OUT_TEXT, OUT_ONLY_TEXT },
	{ "cache_used", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "cache_total", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ NULL, "reclaim pending", OUT_TEXT, OUT_ONLY_TEXT },
	{ "reclaim_pending", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "reclaim_done", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "reclaim_total", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ NULL, "replay", OUT_TEXT, OUT_ONLY_TEXT },
	{ "replay_epoch", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "replay_rules", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "replay_done", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "replay_queued", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "generation", "generation", OUT_NUMBER, OUT_BOTH },
	{ "taken_bytes", NULL, OUT_BYTES, OUT_ONLY_JSON },
	{ "active_seconds", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ NULL, "commit", OUT_TEXT, OUT_ONLY_TEXT },
	{ "commit_epoch", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "commit_done", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "commit_total", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "commit_state", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "start_epoch", "start", OUT_NUMBER, OUT_BOTH },
	{ "begins", "begins", OUT_TEXT, OUT_BOTH },
	{ "update", "update", OUT_TEXT, OUT_BOTH },
	{ "session_epoch", "session since", OUT_NUMBER, OUT_BOTH },
	{ "session_answer", "session to", OUT_TEXT, OUT_BOTH },
	{ "nr_views", "views", OUT_NUMBER, OUT_BOTH },
};

enum { NR_COLUMNS = ARRAY_SIZE(columns) };

/* Those that a line has room for when all devices are listed */
static const char *const line_keys[] = {
	"name", "mode", "size_bytes", "head", "nr_epochs", "space",
	"used_bytes", "total_bytes",
};

/* Texts that values point to */
struct status_text {
	char journal[48], cache[48], reclaim[96], replay[96], commit[96];
};

static int count_view(const struct view_info *info, void *arg)
{
	uint64_t *nr = arg;

	(void)info;
	++*nr;
	return 0;
}

/* One that was not made by the tool has no uuid to find its views by. */
static struct out_value views_of(const char *name)
{
	char uuid[DELTA_UUID_TEXT];
	uint64_t nr = 0;
	bool known;

	view_device_uuid(name, uuid, sizeof(uuid));
	known = uuid[0] && !view_each(uuid, count_view, &nr);
	return out_maybe(known, nr);
}

/* As the table has it: a word of its own says that it is nonpersistent. */
static const char *how_it_begins(const struct device_status *s)
{
	if (!strcmp(s->begins, DR_WORD_KEEP))
		return DR_FEAT_NONPERSISTENT " " DR_WORD_KEEP;
	if (!strcmp(s->begins, DR_WORD_DISCARD))
		return DR_FEAT_NONPERSISTENT " " DR_WORD_DISCARD;
	return s->begins[0] ? s->begins : NULL;
}

static struct out_value some(const char *word)
{
	return out_text(word[0] ? word : NULL);
}

static void fill(const char *name, const struct device_status *s,
		 struct status_text *t, struct out_value *v)
{
	bool ok = !s->fail, replaying = ok && s->replaying;
	bool committing = ok && s->committing;
	bool reclaiming = ok && s->reclaiming;
	size_t n = 0;

	snprintf(t->journal, sizeof(t->journal), "%" PRIu64 "/%" PRIu64,
		 s->journal_used, s->journal_total);
	snprintf(t->cache, sizeof(t->cache), "%" PRIu64 "/%" PRIu64,
		 s->cache_used, s->cache_total);
	snprintf(t->reclaim, sizeof(t->reclaim), s->reclaim_total ?
		 "%" PRIu64 " epochs, %" PRIu64 " %% of a pass" :
		 "%" PRIu64 " epochs", s->reclaim_pending,
		 100 * s->reclaim_done / (s->reclaim_total ? s->reclaim_total : 1));
	snprintf(t->replay, sizeof(t->replay), "%" PRIu64 ", rules %" PRIu64
		 ", done %" PRIu64 "/%" PRIu64, s->replay_epoch,
		 s->replay_rules, s->replay_done, s->replay_queued);
	snprintf(t->commit, sizeof(t->commit), "%" PRIu64 ", %s, %" PRIu64
		 " %% done", s->commit_epoch, s->commit,
		 100 * s->commit_done / (s->commit_total ? s->commit_total : 1));
	v[n++] = out_text(name);
	v[n++] = out_text(s->mode);
	v[n++] = out_number(s->info.suspended);
	v[n++] = out_number(s->sectors << SECTOR_SHIFT);
	v[n++] = out_maybe(ok, s->block_sectors << SECTOR_SHIFT);
	v[n++] = out_maybe(ok, s->head);
	v[n++] = out_maybe(ok && s->has_parent, s->parent);
	v[n++] = out_maybe(ok, s->nr_epochs);
	v[n++] = out_maybe(ok, s->head_blocks);
	v[n++] = out_text(ok ? s->space : NULL);
	v[n++] = out_maybe(ok, s->used * UNIT_BLOCK_BYTES);
	v[n++] = out_maybe(ok, s->total * UNIT_BLOCK_BYTES);
	v[n++] = out_maybe(ok, s->metadata_used * UNIT_BLOCK_BYTES);
	v[n++] = out_maybe(ok, s->reserve * UNIT_BLOCK_BYTES);
	v[n++] = out_text(ok ? t->journal : NULL);
	v[n++] = out_maybe(ok, s->journal_used);
	v[n++] = out_maybe(ok, s->journal_total);
	v[n++] = out_maybe(ok, s->unrecorded);
	v[n++] = out_text(ok ? t->cache : NULL);
	v[n++] = out_maybe(ok, s->cache_used);
	v[n++] = out_maybe(ok, s->cache_total);
	v[n++] = out_text(reclaiming ? t->reclaim : NULL);
	v[n++] = out_maybe(reclaiming, s->reclaim_pending);
	v[n++] = out_maybe(reclaiming && s->reclaim_total, s->reclaim_done);
	v[n++] = out_maybe(reclaiming && s->reclaim_total, s->reclaim_total);
	v[n++] = out_text(replaying ? t->replay : NULL);
	v[n++] = out_maybe(replaying, s->replay_epoch);
	v[n++] = out_maybe(replaying, s->replay_rules);
	v[n++] = out_maybe(replaying, s->replay_done);
	v[n++] = out_maybe(replaying, s->replay_queued);
	v[n++] = out_maybe(ok, s->generation);
	v[n++] = out_maybe(ok, s->taken * UNIT_BLOCK_BYTES);
	v[n++] = out_maybe(ok, s->active_seconds);
	v[n++] = out_text(committing ? t->commit : NULL);
	v[n++] = out_maybe(committing, s->commit_epoch);
	v[n++] = out_maybe(committing, s->commit_done);
	v[n++] = out_maybe(committing, s->commit_total);
	v[n++] = out_text(committing ? s->commit : NULL);
	v[n++] = out_maybe(ok, s->start);
	v[n++] = out_text(how_it_begins(s));
	v[n++] = some(s->update);
	v[n++] = out_maybe(s->in_session, s->session);
	v[n++] = some(s->answer);
	v[n++] = views_of(name);
}

/* --- how long it lasts -------------------------------------------------------- */

static const struct out_column lasts[] = {
	{ NULL, "lasts", OUT_TEXT, OUT_ONLY_TEXT },
	{ "full_seconds", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "rate_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "rate_seconds", NULL, OUT_NUMBER, OUT_ONLY_JSON },
};

static const struct out_column needs[] = {
	{ NULL, "policy needs", OUT_TEXT, OUT_ONLY_TEXT },
	{ "policy_bytes", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "policy_fits", NULL, OUT_BOOL, OUT_ONLY_JSON },
};

static void print_forecast(const struct forecast *f, uint64_t total)
{
	char text[256];

	out_record(lasts, ARRAY_SIZE(lasts), (struct out_value[]){
		out_text(forecast_text(f, text, sizeof(text))),
		out_maybe(f->ends, f->seconds), out_maybe(f->known, f->rate),
		out_maybe(f->known, f->window) });
	if (!f->has_need && !out_is_json())
		return;
	out_record(needs, ARRAY_SIZE(needs), (struct out_value[]){
		out_text(forecast_policy_text(f, total, text, sizeof(text))),
		out_maybe(f->has_need, f->need),
		out_maybe(f->has_need, f->fits) });
}

/* What cannot be asked leaves it unknown: the status has been told already. */
static void forecast(const char *name, const struct device_status *s)
{
	uint64_t unit = s->block_sectors * SECTOR_BYTES / UNIT_BLOCK_BYTES;
	struct forecast f = { .known = false };
	struct forecast_in in = {
		.total = s->total, .used = s->used, .reserve = s->reserve,
		.unit = unit, .device = s->sectors / s->block_sectors,
		.taken = s->taken,
		.active = s->active_seconds, .now = time(NULL),
	};
	struct policy_text text;
	struct dr_policy policy;
	struct epochs epochs;
	uint32_t at;

	if (!policy_read(name, &text) &&
	    !dr_policy_parse(&policy, text.text, &at) &&
	    !epochs_load_from(name, DR_BASE_EPOCH, &epochs)) {
		in.policy = &policy;
		in.epochs = &epochs;
		forecast_make(&in, &f);
		epochs_free(&epochs);
	}
	print_forecast(&f, s->total);
}

static int one(const char *name)
{
	struct out_value values[NR_COLUMNS];
	struct device_status status;
	struct status_text text;
	int code = device_status_any(name, &status);

	if (code)
		return code;
	fill(name, &status, &text, values);
	out_record(columns, NR_COLUMNS, values);
	/* One that is stuck must not keep the tool. */
	if (!status.fail && !status.info.suspended && status.block_sectors)
		forecast(name, &status);
	if (!status.fail && status.replaying)
		out_say("'dmdelta abort %s' ends a replay that was left open.",
			name);
	if (!strcmp(status.update, DR_WORD_UPDATING))
		out_say("'dmdelta update end %s' makes it begin with what is there then.",
			name);
	return DR_EXIT_OK;
}

static int add_line(const char *name, void *arg)
{
	struct out_value values[NR_COLUMNS];
	char type[32] = "", *params = NULL;
	struct device_status status;
	struct status_text text;
	uint64_t sectors;
	int *code = arg;

	/* It may go away while we look: then it does not count. */
	if (!mapper_status(name, type, &sectors, &params) &&
	    !strcmp(type, DR_TARGET_NAME)) {
		if (!device_status_any(name, &status)) {
			fill(name, &status, &text, values);
			out_row(values);
		} else {
			*code = DR_EXIT_OPERATIONAL;
		}
	}
	free(params);
	return 0;
}

static int all(void)
{
	struct out_column short_columns[NR_COLUMNS];
	int code = DR_EXIT_OK, ret;
	size_t i, k;

	memcpy(short_columns, columns, sizeof(columns));
	for (i = 0; i < NR_COLUMNS; i++) {
		if (columns[i].where == OUT_BOTH)
			short_columns[i].where = OUT_ONLY_JSON;
		else if (columns[i].where == OUT_ONLY_TEXT)
			short_columns[i].where = OUT_NOWHERE;
		for (k = 0; k < ARRAY_SIZE(line_keys); k++)
			if (columns[i].key &&
			    !strcmp(columns[i].key, line_keys[k]))
				short_columns[i].where = OUT_BOTH;
	}
	out_table("devices", short_columns, NR_COLUMNS);
	ret = mapper_list(add_line, &code);
	if (ret)
		code = device_fail("status", "list of devices", ret);
	out_table_end();
	return code;
}

int cmd_status(const struct cmd_line *line)
{
	const char *name;
	int code;

	if (!line->argc)
		return all();
	code = device_name(line->argv[0], &name);
	return code ? code : one(name);
}
