/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tool.h - run a program of the system and read what it says.
 */
#ifndef DR_TOOL_H
#define DR_TOOL_H

#include <stddef.h>

#define TOOL_MISSING	127	/* as a shell has it */
#define TOOL_MAX_OUTPUT	(64L << 20)	/* of each stream; the rest is lost */

struct tool_result {
	int status;		/* exit status; 128 + n: killed by signal n */
	char *out;		/* its stdout; never NULL */
	char *errors;		/* its stderr; never NULL */
};

/**
 * tool_run() - run argv[0] and wait for its end
 * @result: to be freed with tool_free() in every case
 *
 * It is found in the system's folders alone, and as root it gets no variables
 * of ours. Its stdin is empty, its messages are in the C locale. A program that is not
 * there has status TOOL_MISSING.
 * Return: 0 when it ran, whatever its status; else a negative errno.
 */
int tool_run(const char *const *argv, struct tool_result *result);

/* The same with variables, "NAME=value" each, up to a NULL. */
int tool_run_with(const char *const *argv, char *const *variables,
		  struct tool_result *result);
void tool_free(struct tool_result *result);

/**
 * tool_fail() - say that a program failed: its first line of complaint, or
 * that it is missing and which package has it
 *
 * Return: DR_EXIT_OPERATIONAL.
 */
int tool_fail(const char *thing, const char *name, const char *package,
	      const struct tool_result *result);

#endif
