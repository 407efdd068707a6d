// SPDX-License-Identifier: GPL-2.0
/*
 * watch/events.c - the list of events, and how they are found.
 */
#include <string.h>

#include "cli.h"
#include "events.h"
#include "format.h"

const struct out_column event_keys[NR_KEYS] = {
	[KEY_EPOCH]	= { "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	[KEY_LABEL]	= { "label", "label", OUT_TEXT, OUT_BOTH },
	[KEY_FROZEN]	= { "frozen", "frozen", OUT_BOOL, OUT_BOTH },
	[KEY_FROM]	= { "from", "from", OUT_NUMBER, OUT_BOTH },
	[KEY_TO]	= { "to", "to", OUT_NUMBER, OUT_BOTH },
	[KEY_HEAD]	= { "head", "head", OUT_NUMBER, OUT_BOTH },
	[KEY_MARKS]	= { "marks", "marks", OUT_TEXT, OUT_BOTH },
	[KEY_MODE]	= { "mode", "mode", OUT_TEXT, OUT_BOTH },
	[KEY_SPACE]	= { "space", "space", OUT_TEXT, OUT_BOTH },
	[KEY_POLICY]	= { "policy", "policy", OUT_TEXT, OUT_BOTH },
	[KEY_STATE]	= { "state", "state", OUT_TEXT, OUT_BOTH },
	[KEY_WAS]	= { "was", "was", OUT_TEXT, OUT_BOTH },
	[KEY_USED]	= { "used_bytes", "used", OUT_BYTES, OUT_BOTH },
	[KEY_TOTAL]	= { "total_bytes", "of", OUT_BYTES, OUT_BOTH },
	[KEY_RESERVE]	= { "reserve_bytes", "reserve", OUT_BYTES, OUT_BOTH },
	[KEY_WAS_TOTAL]	= { "was_bytes", "was", OUT_BYTES, OUT_BOTH },
	[KEY_START]	= { "start_epoch", "start", OUT_NUMBER, OUT_BOTH },
	[KEY_SESSION]	= { "session_epoch", "session", OUT_NUMBER, OUT_BOTH },
	[KEY_UPDATE]	= { "update", "update", OUT_TEXT, OUT_BOTH },
	[KEY_ANSWER]	= { "session_answer", "answer", OUT_TEXT, OUT_BOTH },
};

const struct event_info event_infos[NR_EVENTS] = {
	[EVENT_PRESENT] = { "present",
		"the device was there when the watch began",
		{ KEY_MODE, KEY_HEAD, KEY_SPACE, KEY_USED, KEY_TOTAL } },
	[EVENT_OPENED] = { "opened", "the device has appeared",
		{ KEY_MODE, KEY_HEAD, KEY_SPACE, KEY_USED, KEY_TOTAL } },
	[EVENT_CLOSED] = { "closed", "the device is gone", { KEY_NONE } },
	[EVENT_MODE] = { "mode", "the mode has changed: rw, ro, Fail",
		{ KEY_MODE, KEY_WAS } },
	[EVENT_SPACE] = { "space", "the word for the space left has changed",
		{ KEY_SPACE, KEY_WAS, KEY_USED, KEY_TOTAL, KEY_RESERVE } },
	[EVENT_EXTENDED] = { "extended", "more of the delta device is used",
		{ KEY_WAS_TOTAL, KEY_TOTAL } },
	[EVENT_CHECKPOINT] = { "checkpoint", "an epoch was sealed",
		{ KEY_EPOCH, KEY_LABEL, KEY_FROZEN } },
	[EVENT_ROLLBACK] = { "rollback",
		"the head stands on an earlier epoch",
		{ KEY_FROM, KEY_TO, KEY_HEAD } },
	[EVENT_REPLAY_BEGUN] = { "replay-begun", "a replay was opened",
		{ KEY_EPOCH } },
	[EVENT_REPLAY_COMPUTED] = { "replay-computed",
		"what its rules ask for is computed",
		{ KEY_EPOCH } },
	[EVENT_REPLAYED] = { "replayed", "a replay was committed",
		{ KEY_EPOCH, KEY_FROM, KEY_HEAD } },
	[EVENT_REPLAY_ABORTED] = { "replay-aborted", "a replay was given up",
		{ KEY_EPOCH } },
	[EVENT_MARKED] = { "marked", "the marks of an epoch have changed",
		{ KEY_EPOCH, KEY_LABEL, KEY_MARKS, KEY_WAS } },
	[EVENT_POLICY] = { "policy", "another policy was set",
		{ KEY_POLICY, KEY_WAS } },
	[EVENT_DROPPED] = { "dropped",
		"an epoch was dropped, by hand or by policy",
		{ KEY_EPOCH, KEY_LABEL } },
	[EVENT_RECLAIMED] = { "reclaimed",
		"what dropped epochs alone needed is free",
		{ KEY_USED, KEY_TOTAL } },
	[EVENT_COMMIT_BEGUN] = { "commit-begun",
		"an epoch is being committed to the origin",
		{ KEY_EPOCH, KEY_STATE } },
	[EVENT_COMMIT_STATE] = { "commit-state",
		"it was stopped, waits, or goes on",
		{ KEY_EPOCH, KEY_STATE, KEY_WAS } },
	[EVENT_COMMITTED] = { "committed", "the origin is what the epoch was",
		{ KEY_EPOCH } },
	[EVENT_BEGINS] = { "begins",
		"what the next opening begins with has changed",
		{ KEY_START, KEY_UPDATE, KEY_SESSION, KEY_ANSWER } },
};

enum event_kind event_find(const char *name)
{
	enum event_kind kind;

	for (kind = 0; kind < NR_EVENTS; kind++)
		if (!strcmp(event_infos[kind].name, name))
			break;
	return kind;
}

size_t event_nr_keys(enum event_kind kind)
{
	size_t nr = 0;

	while (nr < EVENT_MAX_KEYS && event_infos[kind].keys[nr])
		nr++;
	return nr;
}

/* --- what differs ------------------------------------------------------------- */

struct diff {
	const struct device_state *old, *now;
	void (*each)(const struct event *event, void *arg);
	void *arg;
};

/* @values as many as the event has keys, in their order */
static void tell(struct diff *d, enum event_kind kind,
		 const struct out_value *values)
{
	struct event event = { .kind = kind };

	memcpy(event.values, values, event_nr_keys(kind) * sizeof(*values));
	d->each(&event, d->arg);
}

#define TELL(d, kind, ...) \
	tell(d, kind, (struct out_value[]){ __VA_ARGS__ })

static struct out_value blocks(const struct device_status *s, uint64_t nr)
{
	return out_maybe(!s->fail, nr * UNIT_BLOCK_BYTES);
}

static struct out_value text(const char *s)
{
	return out_text(*s ? s : NULL);
}

static struct out_value word(const struct device_status *s, const char *text)
{
	return out_text(s->fail ? NULL : text);
}

static const char *marks_text(uint8_t marks)
{
	/* Pinned and loose exclude each other. */
	static const char *const words[2][3] = {
		{ "", DR_WORD_PINNED, DR_WORD_LOOSE },
		{ DR_WORD_SUSPECT, DR_WORD_PINNED "," DR_WORD_SUSPECT,
		  DR_WORD_LOOSE "," DR_WORD_SUSPECT },
	};

	return words[!!(marks & DR_MARK_SUSPECT)]
		    [marks & DR_MARK_PINNED ? 1 : marks & DR_MARK_LOOSE ? 2 : 0];
}

static bool is_gone(const struct epoch *e)
{
	return !e || epoch_is(e->state, DR_STATE_DROPPED);
}

static bool is_building(const struct epoch *e)
{
	return epoch_is(e->state, DR_STATE_BUILDING);
}

/* The epoch that a replay made, not the head on top of it */
static bool is_replays(const struct epoch *e)
{
	return epoch_is(e->how, DR_HOW_REPLAY) && !e->has_prev;
}

/* Was it sealed by a rollback or a replay? Then that one is told. */
static bool left_behind(const struct epochs *epochs, const struct epoch *e)
{
	const struct epoch *next = e + 1, *end = epochs->epochs + epochs->nr;

	while (next < end && (is_building(next) || is_replays(next)))
		next++;
	return next < end && next->has_prev && next->prev == e->id;
}

static void tell_sealed(struct diff *d, const struct epoch *e)
{
	if (epoch_is(e->state, DR_STATE_HEAD) ||
	    left_behind(&d->now->epochs, e))
		return;
	TELL(d, EVENT_CHECKPOINT, out_number(e->id), text(e->label),
	     out_maybe(e->consistency[0],
		       epoch_is(e->consistency, DR_SEAL_FROZEN)));
}

/* One that was not there */
static void tell_new(struct diff *d, const struct epoch *e)
{
	if (is_building(e)) {
		TELL(d, EVENT_REPLAY_BEGUN, out_number(e->id));
		return;
	}
	/* The head on top of it tells. */
	if (is_replays(e))
		return;
	if (epoch_is(e->how, DR_HOW_REPLAY))
		TELL(d, EVENT_REPLAYED, out_number(e->parent),
		     out_number(e->prev), out_number(e->id));
	else if (epoch_is(e->how, DR_HOW_ROLLBACK))
		TELL(d, EVENT_ROLLBACK, out_maybe(e->has_prev, e->prev),
		     out_number(e->parent), out_number(e->id));
	tell_sealed(d, e);
	if (is_gone(e))
		TELL(d, EVENT_DROPPED, out_number(e->id), text(e->label));
}

static void tell_known(struct diff *d, const struct epoch *old,
		       const struct epoch *now)
{
	if (is_building(old)) {
		if (is_gone(now))
			TELL(d, EVENT_REPLAY_ABORTED, out_number(old->id));
		return;
	}
	if (now && epoch_is(old->state, DR_STATE_HEAD))
		tell_sealed(d, now);
	if (is_gone(now)) {
		if (!is_gone(old))
			TELL(d, EVENT_DROPPED, out_number(old->id),
			     text(now ? now->label : old->label));
		return;
	}
	if (now->marks != old->marks)
		TELL(d, EVENT_MARKED, out_number(now->id), text(now->label),
		     text(marks_text(now->marks)), text(marks_text(old->marks)));
}

static void diff_epochs(struct diff *d)
{
	const struct epochs *old = &d->old->epochs, *now = &d->now->epochs;
	size_t i = 0, k = 0;

	/* Both are sorted; what is new has higher numbers, but for a replay's */
	for (; k < now->nr; k++) {
		for (; i < old->nr && old->epochs[i].id < now->epochs[k].id; i++)
			tell_known(d, &old->epochs[i], NULL);
		if (i < old->nr && old->epochs[i].id == now->epochs[k].id)
			tell_known(d, &old->epochs[i++], &now->epochs[k]);
		else
			tell_new(d, &now->epochs[k]);
	}
	for (; i < old->nr; i++)
		tell_known(d, &old->epochs[i], NULL);
}

static bool computed(const struct device_status *s)
{
	return s->replaying && s->replay_queued &&
	       s->replay_done == s->replay_queued;
}

/* The base says which epoch it is: one that was begun and ended in between too */
static uint32_t base_of(const struct device_state *s)
{
	const struct epoch *e = s->has_epochs ?
				epochs_find(&s->epochs, DR_BASE_EPOCH) : NULL;

	return e && e->has_prev ? e->prev : DR_BASE_EPOCH;
}

static void diff_commit(struct diff *d, bool lists)
{
	const struct device_status *old = &d->old->status;
	const struct device_status *now = &d->now->status;
	uint32_t base = base_of(d->now);

	if (old->fail || now->fail)
		return;
	if (lists && base && base != base_of(d->old))
		TELL(d, EVENT_COMMITTED, out_number(base));
	if (!now->committing)
		return;
	if (!old->committing || old->commit_epoch != now->commit_epoch)
		TELL(d, EVENT_COMMIT_BEGUN, out_number(now->commit_epoch),
		     out_text(now->commit));
	else if (strcmp(old->commit, now->commit))
		TELL(d, EVENT_COMMIT_STATE, out_number(now->commit_epoch),
		     out_text(now->commit), out_text(old->commit));
}

static void diff_status(struct diff *d)
{
	const struct device_status *old = &d->old->status;
	const struct device_status *now = &d->now->status;

	if (strcmp(old->mode, now->mode))
		TELL(d, EVENT_MODE, out_text(now->mode), out_text(old->mode));
	/* A device that has failed tells no more than that. */
	if (old->fail || now->fail)
		return;
	if (old->total != now->total)
		TELL(d, EVENT_EXTENDED, blocks(old, old->total),
		     blocks(now, now->total));
	if (strcmp(old->space, now->space))
		TELL(d, EVENT_SPACE, out_text(now->space), out_text(old->space),
		     blocks(now, now->used), blocks(now, now->total),
		     blocks(now, now->reserve));
	if (computed(now) && (!computed(old) ||
			      old->replay_queued != now->replay_queued ||
			      old->replay_epoch != now->replay_epoch))
		TELL(d, EVENT_REPLAY_COMPUTED, out_number(now->replay_epoch));
}

static void diff_start(struct diff *d)
{
	const struct device_status *old = &d->old->status;
	const struct device_status *now = &d->now->status;

	if (old->fail || now->fail)
		return;
	if (old->start != now->start || strcmp(old->update, now->update) ||
	    old->in_session != now->in_session ||
	    old->session != now->session || strcmp(old->answer, now->answer))
		TELL(d, EVENT_BEGINS, out_number(now->start), text(now->update),
		     out_maybe(now->in_session, now->session),
		     text(now->answer));
}

static bool any_dropped(const struct device_state *old,
			const struct device_state *now)
{
	const struct epoch *e = old->epochs.epochs;
	const struct epoch *end = e + old->epochs.nr;

	for (; e < end; e++)
		if (!is_gone(e) && is_gone(epochs_find(&now->epochs, e->id)))
			return true;
	return false;
}

/* Also when it began and ended in between. */
static void diff_reclaim(struct diff *d, bool lists)
{
	const struct device_status *old = &d->old->status;
	const struct device_status *now = &d->now->status;

	if (old->fail || now->fail || now->reclaiming)
		return;
	if (old->reclaiming || (lists && any_dropped(d->old, d->now)))
		TELL(d, EVENT_RECLAIMED, blocks(now, now->used),
		     blocks(now, now->total));
}

static void tell_whole(struct diff *d, enum event_kind kind)
{
	const struct device_status *s = &d->now->status;

	TELL(d, kind, out_text(s->mode), out_maybe(!s->fail, s->head),
	     word(s, s->space), blocks(s, s->used), blocks(s, s->total));
}

bool events_replaced(const struct device_state *old,
		     const struct device_state *now)
{
	return old->there && now->there &&
	       (old->status.info.devno != now->status.info.devno ||
		old->status.info.disk_seq != now->status.info.disk_seq ||
		old->status.info.event_nr > now->status.info.event_nr ||
		strcmp(old->status.info.uuid, now->status.info.uuid));
}

void events_diff(const struct device_state *old,
		 const struct device_state *now,
		 void (*each)(const struct event *event, void *arg), void *arg)
{
	struct diff d = { old, now, each, arg };
	bool lists, replaced = old && events_replaced(old, now);

	if (old && old->there && (!now->there || replaced))
		TELL(&d, EVENT_CLOSED, out_text(NULL));
	if (!now->there)
		return;
	if (!old || !old->there || replaced) {
		tell_whole(&d, old ? EVENT_OPENED : EVENT_PRESENT);
		return;
	}
	lists = old->has_epochs && now->has_epochs;
	if (lists)
		diff_epochs(&d);
	if (old->has_policy && now->has_policy &&
	    strcmp(old->policy.text, now->policy.text))
		TELL(&d, EVENT_POLICY, text(now->policy.text),
		     text(old->policy.text));
	diff_status(&d);
	diff_reclaim(&d, lists);
	diff_commit(&d, lists);
	diff_start(&d);
}
