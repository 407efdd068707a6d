// SPDX-License-Identifier: GPL-2.0
/*
 * tool-events-test.c - from two states of a device to what happened.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "format.h"
#include "watch/events.h"

#define ROOM	64

static struct epoch lists[2][ROOM];
static struct device_state old, now;
static char told[4096];		/* "checkpoint epoch=1 label=a frozen=0\n" */

static void take(const struct event *event, void *arg)
{
	const struct event_info *info = &event_infos[event->kind];
	char *at = told + strlen(told), *end = told + sizeof(told);
	size_t i, nr = event_nr_keys(event->kind);

	assert_ptr_equal(arg, &now);
	at += snprintf(at, end - at, "%s", info->name);
	for (i = 0; i < nr; i++) {
		const struct out_column *key = &event_keys[info->keys[i]];
		const struct out_value *v = &event->values[i];

		at += snprintf(at, end - at, " %s=", key->key);
		if (!v->present)
			at += snprintf(at, end - at, "-");
		else if (key->type == OUT_TEXT)
			at += snprintf(at, end - at, "%s", v->text);
		else
			at += snprintf(at, end - at, "%llu",
				       (unsigned long long)v->number);
	}
	snprintf(at, end - at, "\n");
}

static const char *diff(void)
{
	told[0] = '\0';
	events_diff(&old, &now, take, &now);
	return told;
}

/* "id parent state label how prev seal" as the target has them */
static struct epoch *add(struct device_state *s, uint32_t id, uint32_t parent,
			 const char *state, const char *label, const char *how,
			 uint32_t prev)
{
	struct epoch *e = &s->epochs.epochs[s->epochs.nr++];

	memset(e, 0, sizeof(*e));
	e->id = id;
	e->has_parent = true;
	e->parent = parent;
	strcpy(e->state, state);
	strcpy(e->label, label);
	strcpy(e->how, how);
	e->has_prev = prev;
	e->prev = prev;
	if (!strcmp(state, DR_STATE_SEALED) || !strcmp(state, DR_STATE_DROPPED))
		strcpy(e->consistency, DR_SEAL_CRASH);
	return e;
}

static struct epoch *at(struct device_state *s, uint32_t id)
{
	return (struct epoch *)epochs_find(&s->epochs, id);
}

static void remove_epoch(struct device_state *s, uint32_t id)
{
	struct epoch *e = at(s, id), *end = s->epochs.epochs + s->epochs.nr--;

	memmove(e, e + 1, (end - e - 1) * sizeof(*e));
}

/* Epochs 1 to 3 and the head 4; now is as it was. */
static int begin(void **state)
{
	struct device_status *s = &old.status;

	memset(&old, 0, sizeof(old));
	old.there = true;
	old.has_epochs = true;
	old.has_policy = true;
	old.epochs.epochs = lists[0];
	add(&old, 0, 0, DR_STATE_SEALED, "", DR_HOW_FORMAT, 0);
	old.epochs.epochs[0].has_parent = false;
	add(&old, 1, 0, DR_STATE_SEALED, "good", DR_HOW_FORMAT, 0);
	add(&old, 2, 1, DR_STATE_SEALED, "", DR_HOW_CHECKPOINT, 0);
	add(&old, 3, 2, DR_STATE_SEALED, "", DR_HOW_CHECKPOINT, 0);
	add(&old, 4, 3, DR_STATE_HEAD, "", DR_HOW_CHECKPOINT, 0);
	strcpy(s->mode, DR_MODE_RW);
	strcpy(s->space, DR_SPACE_OK);
	s->head = 4;
	s->total = 100;
	s->used = 10;
	s->reserve = 5;
	s->info.event_nr = 7;
	strcpy(s->info.uuid, "deltarec-1");
	now = old;
	now.epochs.epochs = lists[1];
	memcpy(lists[1], lists[0], sizeof(lists[0]));
	now.status.info.event_nr = 8;
	return 0;
}

/* Seal the head of now; open another one. */
static struct epoch *seal(const char *label, uint32_t id, uint32_t parent,
			  const char *how, uint32_t prev)
{
	struct epoch *e = (struct epoch *)epochs_head(&now.epochs);

	strcpy(e->state, DR_STATE_SEALED);
	strcpy(e->label, label);
	strcpy(e->consistency, DR_SEAL_CRASH);
	add(&now, id, parent, DR_STATE_HEAD, "", how, prev);
	return e;
}

static void nothing(void **state)
{
	assert_string_equal(diff(), "");
	now.status.used++;
	now.status.generation++;
	assert_string_equal(diff(), "");
}

static void checkpoints(void **state)
{
	strcpy(seal("", 5, 4, DR_HOW_CHECKPOINT, 0)->consistency,
	       DR_SEAL_FROZEN);
	seal("monday", 6, 5, DR_HOW_CHECKPOINT, 0);
	assert_string_equal(diff(), "checkpoint epoch=4 label=- frozen=1\n"
			    "checkpoint epoch=5 label=monday frozen=0\n");
	/* Dropped and gone already: nothing is left to tell of it */
	remove_epoch(&now, 5);
	assert_string_equal(diff(), "checkpoint epoch=4 label=- frozen=1\n");
	remove_epoch(&now, 4);
	now.status.reclaiming = true;
	assert_string_equal(diff(), "dropped epoch=4 label=-\n");
}

static void rollbacks(void **state)
{
	seal("", 5, 2, DR_HOW_ROLLBACK, 4);
	assert_string_equal(diff(), "rollback from=4 to=2 head=5\n");
}

static void replays(void **state)
{
	/* begin: a checkpoint, and an epoch ahead of all others */
	seal("", 5, 4, DR_HOW_CHECKPOINT, 0);
	add(&now, 4101, 4, DR_STATE_BUILDING, "", DR_HOW_REPLAY, 0);
	now.status.replaying = true;
	now.status.replay_epoch = 4101;
	assert_string_equal(diff(), "checkpoint epoch=4 label=- frozen=0\n"
			    "replay-begun epoch=4101\n");
	now.status.replay_done = 2;
	now.status.replay_queued = 3;
	assert_null(strstr(diff(), "computed"));
	now.status.replay_done = 3;
	assert_non_null(strstr(diff(), "replay-computed epoch=4101\n"));
	old.status = now.status;
	assert_null(strstr(diff(), "computed"));
	/* A rule more */
	now.status.replay_done = 4;
	now.status.replay_queued = 4;
	assert_non_null(strstr(diff(), "replay-computed epoch=4101\n"));
	/* From there: given up, and soon gone */
	memcpy(lists[0], lists[1], sizeof(lists[0]));
	old.epochs.nr = now.epochs.nr;
	now.status.replaying = false;
	now.status.reclaiming = true;
	strcpy(at(&now, 4101)->state, DR_STATE_DROPPED);
	assert_string_equal(diff(), "replay-aborted epoch=4101\n");
	remove_epoch(&now, 4101);
	assert_string_equal(diff(), "replay-aborted epoch=4101\n");
	now.status.reclaiming = false;
	/* or committed */
	add(&now, 4101, 5, DR_STATE_SEALED, "", DR_HOW_REPLAY, 0);
	seal("", 4102, 4101, DR_HOW_REPLAY, 5);
	assert_string_equal(diff(),
			    "replayed epoch=4101 from=5 head=4102\n");
}

/* Begun and committed, and begun and aborted, between two looks */
static void fast_replays(void **state)
{
	seal("", 5, 4, DR_HOW_CHECKPOINT, 0);
	add(&now, 4101, 5, DR_STATE_SEALED, "", DR_HOW_REPLAY, 0);
	now.epochs.nr--;
	strcpy(at(&now, 5)->state, DR_STATE_SEALED);
	now.epochs.nr++;
	add(&now, 4102, 4101, DR_STATE_HEAD, "", DR_HOW_REPLAY, 5);
	assert_string_equal(diff(), "checkpoint epoch=4 label=- frozen=0\n"
			    "replayed epoch=4101 from=5 head=4102\n");
	begin(state);
	seal("", 5, 4, DR_HOW_CHECKPOINT, 0);
	add(&now, 4101, 4, DR_STATE_DROPPED, "", DR_HOW_REPLAY, 0);
	assert_string_equal(diff(), "checkpoint epoch=4 label=- frozen=0\n");
}

static void drops(void **state)
{
	strcpy(at(&now, 1)->state, DR_STATE_DROPPED);
	now.status.reclaiming = true;
	assert_string_equal(diff(), "dropped epoch=1 label=good\n");
	/* one that is gone, too */
	remove_epoch(&now, 2);
	assert_string_equal(diff(), "dropped epoch=1 label=good\n"
			    "dropped epoch=2 label=-\n");
	/* All of it reclaimed before we looked */
	now.status.reclaiming = false;
	assert_string_equal(diff(), "dropped epoch=1 label=good\n"
			    "dropped epoch=2 label=-\n"
			    "reclaimed used_bytes=40960 total_bytes=409600\n");
	/* Sealed and dropped since */
	begin(state);
	seal("a", 5, 4, DR_HOW_CHECKPOINT, 0);
	seal("b", 6, 5, DR_HOW_CHECKPOINT, 0);
	strcpy(at(&now, 5)->state, DR_STATE_DROPPED);
	now.status.reclaiming = true;
	assert_string_equal(diff(), "checkpoint epoch=4 label=a frozen=0\n"
			    "checkpoint epoch=5 label=b frozen=0\n"
			    "dropped epoch=5 label=b\n");
}

static void commits(void **state)
{
	now.status.committing = true;
	now.status.commit_epoch = 2;
	strcpy(now.status.commit, DR_COMMIT_RUNNING);
	assert_string_equal(diff(), "commit-begun epoch=2 state=running\n");
	old.status = now.status;
	strcpy(now.status.commit, DR_COMMIT_WAITING);
	assert_string_equal(diff(), "commit-state epoch=2 state=waiting was=running\n");
	now.status.committing = false;
	at(&now, 0)->has_prev = true;
	at(&now, 0)->prev = 2;
	strcpy(at(&now, 0)->how, DR_HOW_COMMIT);
	assert_string_equal(diff(), "committed epoch=2\n");
	/* Begun and ended between two looks */
	old.status.committing = false;
	assert_string_equal(diff(), "committed epoch=2\n");
}

static void reclaims(void **state)
{
	strcpy(at(&old, 1)->state, DR_STATE_DROPPED);
	old.status.reclaiming = true;
	remove_epoch(&now, 1);
	now.status.used = 5;
	assert_string_equal(diff(),
			    "reclaimed used_bytes=20480 total_bytes=409600\n");
	/* It goes on, for another one */
	now.status.reclaiming = true;
	assert_string_equal(diff(), "");
}

static void set_marks(void **state)
{
	at(&now, 1)->marks = DR_MARK_LOOSE | DR_MARK_SUSPECT;
	at(&old, 2)->marks = DR_MARK_PINNED;
	assert_string_equal(diff(),
			    "marked epoch=1 label=good marks=loose,suspect was=-\n"
			    "marked epoch=2 label=- marks=- was=pinned\n");
}

static void policies(void **state)
{
	strcpy(now.policy.text, "newest=2 every=1s");
	assert_string_equal(diff(), "policy policy=newest=2 every=1s was=-\n");
	now.has_policy = false;
	assert_string_equal(diff(), "");
}

/* Words of later modules are told as they are. */
static void space_and_size(void **state)
{
	strcpy(now.status.space, "critical");
	now.status.used = 90;
	assert_string_equal(diff(),
			    "space space=critical was=ok used_bytes=368640 total_bytes=409600 reserve_bytes=20480\n");
	now = old;
	now.status.total = 200;
	assert_string_equal(diff(),
			    "extended was_bytes=409600 total_bytes=819200\n");
}

/* It is told at the next look, whatever asked for that. */
static void space_gets_better(void **state)
{
	strcpy(old.status.space, DR_SPACE_FULL);
	old.status.used = 99;
	strcpy(now.status.space, DR_SPACE_LOW);
	assert_string_equal(diff(),
			    "space space=low was=full used_bytes=40960 total_bytes=409600 reserve_bytes=20480\n");
	strcpy(now.status.space, DR_SPACE_OK);
	assert_string_equal(diff(),
			    "space space=ok was=full used_bytes=40960 total_bytes=409600 reserve_bytes=20480\n");
}

static void what_it_begins_with(void **state)
{
	now.status.start = 2;
	assert_string_equal(diff(),
			    "begins start_epoch=2 update=- session_epoch=- session_answer=-\n");
	strcpy(now.status.update, DR_WORD_UPDATING);
	old.status.start = 2;
	assert_string_equal(diff(),
			    "begins start_epoch=2 update=updating session_epoch=- session_answer=-\n");
	begin(state);
	old.status.in_session = true;
	old.status.session = 3;
	now.status = old.status;
	strcpy(now.status.answer, DR_WORD_KEEP);
	assert_string_equal(diff(),
			    "begins start_epoch=0 update=- session_epoch=3 session_answer=keep\n");
	now.status = old.status;
	now.status.in_session = false;
	assert_string_equal(diff(),
			    "begins start_epoch=0 update=- session_epoch=- session_answer=-\n");
}

static void modes(void **state)
{
	strcpy(now.status.mode, DR_MODE_RO);
	assert_string_equal(diff(), "mode mode=ro was=rw\n");
	memset(&now.status, 0, sizeof(now.status));
	now.status.info = old.status.info;
	now.status.fail = true;
	strcpy(now.status.mode, DR_MODE_FAIL);
	/* Nothing else is known any more, and nothing is made of that. */
	assert_string_equal(diff(), "mode mode=Fail was=rw\n");
}

static void come_and_go(void **state)
{
	static const char whole[] =
		" mode=rw head=4 space=ok used_bytes=40960 total_bytes=409600\n";
	char text[256];

	memset(&now, 0, sizeof(now));
	assert_string_equal(diff(), "closed\n");
	begin(state);
	memset(&old, 0, sizeof(old));
	snprintf(text, sizeof(text), "opened%s", whole);
	assert_string_equal(diff(), text);
	snprintf(text, sizeof(text), "present%s", whole);
	told[0] = '\0';
	events_diff(NULL, &now, take, &now);
	assert_string_equal(told, text);
	/* Closed and opened again between two looks */
	begin(state);
	now.status.info.event_nr = 1;
	snprintf(text, sizeof(text), "closed\nopened%s", whole);
	assert_string_equal(diff(), text);
	/* ... which has had as many events as it had then */
	begin(state);
	now.status.info.disk_seq = 2;
	assert_string_equal(diff(), text);
	begin(state);
	strcpy(now.status.info.uuid, "deltarec-2");
	assert_string_equal(diff(), text);
	memset(&old, 0, sizeof(old));
	memset(&now, 0, sizeof(now));
	assert_string_equal(diff(), "");
}

/* Each is named once, says what it is, and has keys that there are. */
static void table(void **state)
{
	enum event_kind kind, other;
	size_t i;

	for (kind = 0; kind < NR_EVENTS; kind++) {
		assert_non_null(event_infos[kind].name);
		assert_non_null(event_infos[kind].help);
		assert_int_equal(event_find(event_infos[kind].name), kind);
		for (other = 0; other < kind; other++)
			assert_string_not_equal(event_infos[kind].name,
						event_infos[other].name);
		for (i = 0; i < event_nr_keys(kind); i++)
			assert_non_null(event_keys[event_infos[kind].keys[i]].key);
	}
	assert_int_equal(event_find("bogus"), NR_EVENTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing, begin),
		cmocka_unit_test_setup(checkpoints, begin),
		cmocka_unit_test_setup(rollbacks, begin),
		cmocka_unit_test_setup(replays, begin),
		cmocka_unit_test_setup(fast_replays, begin),
		cmocka_unit_test_setup(drops, begin),
		cmocka_unit_test_setup(commits, begin),
		cmocka_unit_test_setup(reclaims, begin),
		cmocka_unit_test_setup(set_marks, begin),
		cmocka_unit_test_setup(policies, begin),
		cmocka_unit_test_setup(space_and_size, begin),
		cmocka_unit_test_setup(space_gets_better, begin),
		cmocka_unit_test_setup(what_it_begins_with, begin),
		cmocka_unit_test_setup(modes, begin),
		cmocka_unit_test_setup(come_and_go, begin),
		cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
