// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-monitor.c - wait for events of devices, say what they were.
 *
 * The poll is armed before the devices are looked at, so that what happens
 * while we look, or while --exec runs, ends the next wait at once. Signals are
 * let through in the wait alone.
 */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "device.h"
#include "grow.h"
#include "output.h"
#include "parse.h"
#include "tool.h"
#include "watch/state.h"

#define NR_FIRST	3		/* columns before those of the event */
#define MAX_COLUMNS	(NR_FIRST + EVENT_MAX_KEYS)
#define ENV_PREFIX	"DMDELTA_"
#define ENV_SIZE	(64 + 4 * DR_POLICY_MAX)

static const struct out_column first_columns[NR_FIRST] = {
	{ "time", NULL, OUT_TIME, OUT_BOTH },
	{ "device", NULL, OUT_TEXT, OUT_BOTH },
	{ "event", NULL, OUT_TEXT, OUT_BOTH },
};

struct watched {
	char name[DM_NAME_MAX + 1];
	bool looked;		/* at least once */
	bool seen;		/* in this round */
	struct device_state state;
};

struct monitor {
	char *const *names;	/* or none: all */
	int nr_names;
	bool only[NR_EVENTS];
	const char *program;
	uint64_t count, timeout;	/* 0: no end */
	struct timespec end;
	struct watched *watched;
	size_t nr, room;
	const char *name;	/* of the device that is told about */
	uint64_t told;
	bool first;		/* the first round */
	int fd;
	sigset_t open;		/* signals, while we wait */
	int code;
	bool done;
};

/* --- telling -------------------------------------------------------------------- */

/* A column as a variable: DMDELTA_USED_BYTES=4096 */
static void to_variable(const struct out_column *column,
			const struct out_value *value, char *to)
{
	int n = snprintf(to, ENV_SIZE, ENV_PREFIX "%s=", column->key), i;

	for (i = 0; to[i] != '='; i++)
		to[i] = toupper((unsigned char)to[i]);
	if (!value->present)
		return;
	if (column->type == OUT_TEXT)
		snprintf(to + n, ENV_SIZE - n, "%s", value->text);
	else if (column->type == OUT_BOOL)
		snprintf(to + n, ENV_SIZE - n, "%s",
			 value->number ? "yes" : "no");
	else
		snprintf(to + n, ENV_SIZE - n, "%llu",
			 (unsigned long long)value->number);
}

static void run_program(const struct monitor *m,
			const struct out_column *columns, size_t nr,
			const struct out_value *values)
{
	const char *const argv[] = { m->program, NULL };
	char text[MAX_COLUMNS][ENV_SIZE], *variables[MAX_COLUMNS + 1];
	struct tool_result result;
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		to_variable(&columns[i], &values[i], text[i]);
		variables[i] = text[i];
	}
	variables[nr] = NULL;
	ret = tool_run_with(argv, variables, &result);
	/* Our stdout is for events. */
	fputs(result.out ? result.out : "", stderr);
	fputs(result.errors ? result.errors : "", stderr);
	if (ret)
		warn(m->program, "cannot be run (%s)", strerror(-ret));
	else if (result.status)
		warn(m->program, "ended with status %d", result.status);
	tool_free(&result);
}

static void tell(const struct event *event, void *arg)
{
	const struct event_info *info = &event_infos[event->kind];
	size_t nr = event_nr_keys(event->kind), i;
	struct out_column columns[MAX_COLUMNS];
	struct out_value values[MAX_COLUMNS];
	struct monitor *m = arg;

	if (m->done || !m->only[event->kind])
		return;
	memcpy(columns, first_columns, sizeof(first_columns));
	values[0] = out_number(time(NULL));
	values[1] = out_text(m->name);
	values[2] = out_text(info->name);
	for (i = 0; i < nr; i++) {
		columns[NR_FIRST + i] = event_keys[info->keys[i]];
		values[NR_FIRST + i] = event->values[i];
	}
	nr += NR_FIRST;
	if (!out_line(columns, nr, values))
		m->done = true;
	else if (m->program)
		run_program(m, columns, nr, values);
	if (++m->told == m->count)
		m->done = true;
}

/* --- looking --------------------------------------------------------------------- */

static struct watched *find(struct monitor *m, const char *name)
{
	struct watched *w;
	size_t i;

	for (i = 0; i < m->nr; i++)
		if (!strcmp(m->watched[i].name, name))
			return &m->watched[i];
	w = grow(m->watched, m->nr, &m->room, sizeof(*w));
	if (!w)
		return NULL;
	m->watched = w;
	w = &m->watched[m->nr++];
	memset(w, 0, sizeof(*w));
	snprintf(w->name, sizeof(w->name), "%s", name);
	/* One that was not there at first has appeared. */
	w->looked = !m->first;
	return w;
}

static void compare(struct monitor *m, struct watched *w,
		    struct device_state *now)
{
	m->name = w->name;
	events_diff(w->looked ? &w->state : NULL, now, tell, m);
	state_free(&w->state);
	w->state = *now;
	w->looked = true;
}

static bool wanted(const struct monitor *m, const char *name)
{
	int i;

	for (i = 0; i < m->nr_names; i++)
		if (!strcmp(m->names[i], name))
			return true;
	return !m->nr_names;
}

static int look(const char *name, void *arg)
{
	struct device_state now;
	struct monitor *m = arg;
	struct mapper_info info;
	struct watched *w;

	if (m->done || !wanted(m, name))
		return 0;
	w = find(m, name);
	if (!w)
		return -ENOMEM;
	w->seen = true;
	/* Nothing has happened to this one. */
	if (w->state.there && !mapper_info(name, &info) &&
	    info.devno == w->state.status.info.devno &&
	    info.disk_seq == w->state.status.info.disk_seq &&
	    info.event_nr == w->state.status.info.event_nr)
		return 0;
	state_read(name, w->state.there ? &w->state : NULL, &now);
	compare(m, w, &now);
	return 0;
}

/* Those that are no deltarec devices, or gone, need not be remembered. */
static void forget(struct monitor *m)
{
	struct device_state gone = { .there = false };
	size_t i = 0;

	while (i < m->nr) {
		struct watched *w = &m->watched[i];

		if (w->state.there && !w->seen)
			compare(m, w, &gone);
		w->seen = false;
		if (w->state.there) {
			i++;
			continue;
		}
		state_free(&w->state);
		*w = m->watched[--m->nr];
	}
}

static int one_round(struct monitor *m)
{
	int ret = mapper_poll_arm(m->fd);

	if (ret == -ENOTTY)
		return fail(DR_EXIT_OPERATIONAL, "device-mapper",
			    "Linux 4.14 or newer is needed",
			    "it cannot be waited for all devices");
	if (!ret)
		ret = mapper_list(look, m);
	if (ret)
		return device_fail("device-mapper", "list of devices", ret);
	forget(m);
	m->first = false;
	return DR_EXIT_OK;
}

/* Return: false: it is time to end. */
static bool wait_for_event(struct monitor *m)
{
	struct pollfd fd = { .fd = m->fd, .events = POLLIN };
	struct timespec now, left;
	sigset_t held;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = m->end.tv_sec - now.tv_sec;
	left.tv_nsec = m->end.tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_nsec += 1000000000;
		left.tv_sec--;
	}
	if (m->timeout && left.tv_sec < 0)
		return false;
	ppoll(&fd, 1, m->timeout ? &left : NULL, &m->open);
	/* Where there was something to read at once, no signal came in. */
	sigprocmask(SIG_SETMASK, &m->open, &held);
	sigprocmask(SIG_SETMASK, &held, NULL);
	return true;
}

static int watch(struct monitor *m)
{
	int code = DR_EXIT_OK;
	bool more = true;

	m->first = true;
	clock_gettime(CLOCK_MONOTONIC, &m->end);
	m->end.tv_sec += m->timeout;
	while (!code && more) {
		code = one_round(m);
		more = !m->done && !cancelled();
		if (!code && more)
			more = wait_for_event(m) && !cancelled();
	}
	if (code || !m->count || m->told >= m->count)
		return code;
	if (cancelled())
		return fail_cancelled("monitor");
	return m->done ? DR_EXIT_OK : DR_EXIT_UNCORRECTED;
}

/* --- the command ------------------------------------------------------------------- */

static int list_events(void)
{
	static const struct out_column columns[] = {
		{ "event", "event", OUT_TEXT, OUT_BOTH },
		{ "what", "what has happened", OUT_TEXT, OUT_BOTH },
	};
	enum event_kind kind;

	out_table("events", columns, ARRAY_SIZE(columns));
	for (kind = 0; kind < NR_EVENTS; kind++)
		out_row((struct out_value[]){
			out_text(event_infos[kind].name),
			out_text(event_infos[kind].help) });
	out_table_end();
	return DR_EXIT_OK;
}

static int take_number(const struct cmd_line *line, const char *name,
		       uint64_t *number)
{
	const char *word = cli_option(line, name);

	*number = 0;
	if (word && (parse_number(word, number) || !*number ||
		     *number > INT32_MAX))
		return fail_usage(word, "not a number from 1 to %d", INT32_MAX);
	return DR_EXIT_OK;
}

static int take_options(struct monitor *m, const struct cmd_line *line)
{
	enum event_kind kind;
	const char *word;
	int code, i;

	for (i = 0; (word = cli_option_nth(line, "event", i)); i++) {
		kind = event_find(word);
		if (kind == NR_EVENTS)
			return fail(DR_EXIT_USAGE, word,
				    "'dmdelta monitor --list' lists them",
				    "no such event");
		m->only[kind] = true;
	}
	for (kind = 0; !i && kind < NR_EVENTS; kind++)
		m->only[kind] = true;
	m->program = cli_option(line, "exec");
	if (m->program && (m->program[0] != '/' || access(m->program, X_OK)))
		return fail_usage(m->program,
				  "not the absolute path of a program");
	code = take_number(line, "count", &m->count);
	return code ? code : take_number(line, "timeout", &m->timeout);
}

static void let_signals_in(struct monitor *m)
{
	sigset_t all;

	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, &m->open);
}

int cmd_monitor(const struct cmd_line *line)
{
	struct monitor m = { .names = line->argv, .nr_names = line->argc };
	const char *name;
	int code, i;

	if (cli_option(line, "list"))
		return list_events();
	out_lines();
	code = take_options(&m, line);
	for (i = 0; !code && i < line->argc; i++) {
		code = device_name(line->argv[i], &name);
		line->argv[i] = (char *)name;
	}
	if (code)
		return code;
	m.fd = mapper_poll_open();
	if (m.fd < 0)
		return device_fail("device-mapper", "waiting", m.fd);
	let_signals_in(&m);
	code = watch(&m);
	sigprocmask(SIG_SETMASK, &m.open, NULL);
	close(m.fd);
	while (m.nr)
		state_free(&m.watched[--m.nr].state);
	free(m.watched);
	return code;
}
