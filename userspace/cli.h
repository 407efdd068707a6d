/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cli.h - a command line after it has been read, and how a command ends.
 *
 * A command gets its words checked for number and its options checked for
 * existence; what they mean it parses itself (parse.h), before it touches
 * any device, so that a bad word costs nothing. It returns an exit code.
 */
#ifndef DR_CLI_H
#define DR_CLI_H

#include <stdbool.h>
#include <stddef.h>

/* As fsck has them */
enum exit_code {
	DR_EXIT_OK		= 0,
	DR_EXIT_CORRECTED	= 1,	/* errors found and corrected */
	DR_EXIT_UNCORRECTED	= 4,	/* errors found and left */
	DR_EXIT_OPERATIONAL	= 8,
	DR_EXIT_USAGE		= 16,
	DR_EXIT_CANCELLED	= 32,	/* by a signal; nothing was changed */
};

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#endif

struct cmd;
struct cmd_option;

struct cmd_line {
	const struct cmd *cmd;
	char **argv;			/* the words, options taken out */
	int argc;
	struct cmd_line_option {
		const struct cmd_option *option;
		const char *value;	/* NULL when it takes none */
	} *options;
	int nr_options;
	bool json;
	bool help;
	bool version;
};

/**
 * cli_parse() - sort a command line into command, words and options
 * @line: where to; to be freed with cli_free() in every case
 *
 * Return: DR_EXIT_OK, or DR_EXIT_USAGE after having said why.
 */
int cli_parse(struct cmd_line *line, int argc, char **argv);
void cli_free(struct cmd_line *line);

/* Value of option @name ("" when it takes none), or NULL when not given. */
const char *cli_option(const struct cmd_line *line, const char *name);

/* The same for options that may be repeated: the @nth one, from 0. */
const char *cli_option_nth(const struct cmd_line *line, const char *name,
			   int nth);

/**
 * fail() - say what is wrong and what to do: "dmdelta <command>: <thing>:
 * <problem>; <remedy>" on stderr, and as "error" in the JSON document
 * @code: the exit code to end with
 * @thing: what the problem is about: a name, a path, an option
 * @remedy: what to do about it, or NULL
 * @problem: format of the problem
 *
 * Return: @code.
 */
__attribute__((format(printf, 4, 5)))
int fail(int code, const char *thing, const char *remedy,
	 const char *problem, ...);

/* Usage errors: remedy is the help of the command. */
__attribute__((format(printf, 2, 3)))
int fail_usage(const char *thing, const char *problem, ...);

/* fail() for a negative errno at something that has no remedy of its own. */
int fail_errno(const char *thing, const char *doing, int error);

/* "dmdelta <command>: <thing>: warning: ..." and "warnings" in JSON. */
__attribute__((format(printf, 2, 3)))
void warn(const char *thing, const char *problem, ...);

/* Has a signal asked us to stop? Long loops ask; false inside hold_signals. */
bool cancelled(void);

/* fail() of a command that was asked to stop before it changed anything. */
int fail_cancelled(const char *thing);

/*
 * Between these, signals wait. Whatever is done there ends as it should and
 * is not undone because of them.
 */
void hold_signals(void);
void release_signals(void);

/* Let catchable signals set the flag behind cancelled(). */
void catch_signals(void);

#endif
