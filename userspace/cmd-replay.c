// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-replay.c - leave out chosen writes, keep all others.
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

#include "cli.h"
#include "commands.h"
#include "epochs.h"
#include "output.h"
#include "parse.h"
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
	const char *from_word, *to_word;
	struct epoch_ref from_ref, to_ref;
	uint32_t from, to;
	struct range *ranges;
	size_t nr;
	const char *later;		/* DR_WORD_KEEP_LATER or DROP */
	struct device_status status;	/* before */
	uint64_t epoch, head;
	uint64_t changed, kept_later, mixed;
};

static int parse(struct replay *r, const struct cmd_line *line)
{
	const char *word, *problem;
	int code;

	r->from_word = cli_option(line, "from");
	r->to_word = cli_option(line, "to");
	r->later = cli_option(line, "drop-later") ? DR_WORD_DROP_LATER :
		   DR_WORD_KEEP_LATER;
	code = device_name(line->argv[0], &r->name);
	if (!code)
		code = epoch_parse(r->from_word, &r->from_ref);
	if (!code)
		code = epoch_parse(r->to_word, &r->to_ref);
	if (code)
		return code;
	r->ranges = calloc(line->nr_options, sizeof(*r->ranges));
	if (!r->ranges)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	while ((word = cli_option_nth(line, "range", r->nr))) {
		problem = parse_range(word, &r->ranges[r->nr]);
		if (problem)
			return fail_usage(word, "%s", problem);
		r->nr++;
	}
	r->nr = ranges_join(r->ranges, r->nr);
	return r->nr > DR_MAX_RULES ?
	       fail_usage("--range", "more than %u ranges", DR_MAX_RULES) :
	       DR_EXIT_OK;
}

static const char *range_text(const struct range *range, char *buf,
			      size_t size)
{
	snprintf(buf, size, "%" PRIu64 "+%" PRIu64, range->start_sectors,
		 range->len_sectors);
	return buf;
}

/*
 * A rule takes whole blocks. Ranges are widened here, so that those that meet
 * in a block are one rule and the block is counted once.
 */
static void widen(struct replay *r)
{
	uint64_t block = r->status.block_sectors, end, more;
	struct range *range;
	bool said = false;
	char text[64];

	for (range = r->ranges; block && range < r->ranges + r->nr; range++) {
		end = range->start_sectors + range->len_sectors;
		more = end % block ? block - end % block : 0;
		if (end + more > r->status.sectors)
			more = r->status.sectors - end;
		if (!said && (range->start_sectors % block || more)) {
			range_text(range, text, sizeof(text));
			warn(text, "each block of %llu sectors that it touches is taken whole",
			     (unsigned long long)block);
			said = true;
		}
		range->start_sectors -= range->start_sectors % block;
		range->len_sectors = end + more - range->start_sectors;
	}
	r->nr = ranges_join(r->ranges, r->nr);
}

/* What the words mean on this device, now. */
static int look(struct replay *r)
{
	const struct range *last = &r->ranges[r->nr - 1];
	char text[64];
	int code = device_status(r->name, &r->status);

	if (!code)
		code = epoch_resolve(r->name, r->from_word, &r->from_ref,
				     &r->from);
	if (!code)
		code = epoch_resolve(r->name, r->to_word, &r->to_ref, &r->to);
	if (code)
		return code;
	if (r->from == DR_BASE_EPOCH)
		return fail_usage(r->from_word,
				  "the base holds no writes to leave out");
	if (r->from > r->to)
		return fail_usage(r->from_word, "epoch %u is later than %u, where --to ends",
				  r->from, r->to);
	if (last->start_sectors + last->len_sectors > r->status.sectors)
		return fail_usage(range_text(last, text, sizeof(text)),
				  "goes behind the end of the device at sector %llu",
				  (unsigned long long)r->status.sectors);
	widen(r);
	return DR_EXIT_OK;
}

static int count_range(struct replay *r, const struct range *range)
{
	uint64_t at = range->start_sectors, next = 0, changed, kept, mixed;
	char word[32], *reply;
	bool more = true;
	int ret, n;

	while (more) {
		if (cancelled())
			return fail_cancelled(r->name);
		ret = mapper_message(r->name, &reply, DR_MSG_REPLAY " "
				     DR_WORD_COUNT " %" PRIu64 " %" PRIu64
				     " %u %u %s %" PRIu64,
				     range->start_sectors, range->len_sectors,
				     r->from, r->to, r->later, at);
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

	for (i = 0; !code && i < r->nr; i++)
		code = count_range(r, &r->ranges[i]);
	return code;
}

static int send_rules(struct replay *r)
{
	char text[64], *reply;
	size_t i;
	int ret;

	for (i = 0; i < r->nr; i++) {
		if (cancelled())
			return fail_cancelled(r->name);
		ret = mapper_message(r->name, &reply, DR_MSG_REPLAY " "
				     DR_WORD_RULE " %" PRIu64 " %" PRIu64
				     " %u %u %s", r->ranges[i].start_sectors,
				     r->ranges[i].len_sectors, r->from, r->to,
				     r->later);
		free(reply);
		if (!ret)
			continue;
		return message_fail(range_text(&r->ranges[i], text,
					       sizeof(text)),
				    "replay rule", ret);
	}
	return DR_EXIT_OK;
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
		code = wait_computed(r);
	if (!code)
		code = finish(r, sw);
	if (code && !r->head)
		abort_replay(r);
	return code;
}

static void report(const struct replay *r, bool dry)
{
	out_record(columns, 11, (struct out_value[]){
		out_number(dry), out_number(r->from), out_number(r->to),
		out_number(r->nr),
		out_text(!strcmp(r->later, DR_WORD_KEEP_LATER) ? "kept" :
			 "left out"),
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
	return code;
}
