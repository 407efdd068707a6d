/* SPDX-License-Identifier: GPL-2.0 */
/*
 * commands.h - the table of commands: the one place that knows their names,
 * words and options. Parsing, help, usage and completion are made from it.
 */
#ifndef DR_COMMANDS_H
#define DR_COMMANDS_H

#include "cli.h"

#define DMDELTA_VERSION	"1.0.0"

/* What a word is, for completion */
enum cmd_word {
	WORD_NAME,		/* of a device-mapper device */
	WORD_FILE,		/* a device node or a file */
	WORD_EPOCH,
	WORD_FEATURE,
	WORD_COMMAND,
	WORD_SHELL,
	WORD_OTHER,
};

#define CMD_MAX_ARGS	4
#define CMD_MAX_TEXT	8

struct cmd_arg {
	const char *name;
	enum cmd_word word;
	bool optional;
	bool many;		/* this one may be repeated; the last */
};

struct cmd_option {
	const char *name;	/* without the dashes */
	const char *arg;	/* name of its value, NULL: takes none */
	char letter;		/* "-o" for "--output"; 0: none */
	const char *help;
	bool required;
	bool many;
	bool maybe;		/* its value may be left out: "--name[=value]" */
};

struct cmd {
	const char *name;
	const char *summary;	/* half a line */
	const char *text[CMD_MAX_TEXT];	/* lines for "help <command>" */
	struct cmd_arg args[CMD_MAX_ARGS];
	const struct cmd_option *options;	/* ends with a NULL name */
	int (*run)(const struct cmd_line *line);
};

extern const struct cmd commands[];		/* ends with a NULL name */
extern const struct cmd_option global_options[];
extern const char *const feature_words[];	/* ends with NULL */

const struct cmd *cmd_find(const char *name);
const struct cmd_option *cmd_find_option(const struct cmd_option *options,
					 const char *name);
const struct cmd_option *cmd_find_letter(const struct cmd_option *options,
					 char letter);

/* "--name <value>", "--name[=<value>]" or "--name"; @buf is returned. */
const char *cmd_option_text(const struct cmd_option *o, char *buf, size_t size);
/* "<name> <from> <to>", as in help; @buf is returned. */
const char *cmd_synopsis(const struct cmd *cmd, char *buf, size_t size);

int cmd_abort(const struct cmd_line *line);
int cmd_cat(const struct cmd_line *line);
int cmd_check(const struct cmd_line *line);
int cmd_checkpoint(const struct cmd_line *line);
int cmd_close(const struct cmd_line *line);
int cmd_completion(const struct cmd_line *line);
int cmd_cp(const struct cmd_line *line);
int cmd_diff(const struct cmd_line *line);
int cmd_commit(const struct cmd_line *line);
int cmd_drop(const struct cmd_line *line);
int cmd_dump(const struct cmd_line *line);
int cmd_extend(const struct cmd_line *line);
int cmd_format(const struct cmd_line *line);
int cmd_help(const struct cmd_line *line);
int cmd_log(const struct cmd_line *line);
int cmd_ls(const struct cmd_line *line);
int cmd_map(const struct cmd_line *line);
int cmd_mark(const struct cmd_line *line);
int cmd_monitor(const struct cmd_line *line);
int cmd_mount(const struct cmd_line *line);
int cmd_open(const struct cmd_line *line);
int cmd_owner(const struct cmd_line *line);
int cmd_plan(const struct cmd_line *line);
int cmd_preview(const struct cmd_line *line);
int cmd_recover(const struct cmd_line *line);
int cmd_replay(const struct cmd_line *line);
int cmd_retain(const struct cmd_line *line);
int cmd_rollback(const struct cmd_line *line);
int cmd_show(const struct cmd_line *line);
int cmd_start(const struct cmd_line *line);
int cmd_status(const struct cmd_line *line);
int cmd_suspects(const struct cmd_line *line);
int cmd_umount(const struct cmd_line *line);
int cmd_undo(const struct cmd_line *line);
int cmd_update(const struct cmd_line *line);
int cmd_version(const struct cmd_line *line);
int cmd_view(const struct cmd_line *line);
int cmd_views(const struct cmd_line *line);

/* Help of one command on stdout (NULL: the list of all). */
void help_print(const struct cmd *cmd);

#endif
