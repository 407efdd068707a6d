// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-help.c - help from the table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

#define WIDTH		79	/* of a screen */
#define SYNOPSIS_MAX	512

static const struct out_column columns[] = {
	{ "command", "command", OUT_TEXT, OUT_BOTH },
	{ "synopsis", "synopsis", OUT_TEXT, OUT_BOTH },
	{ "summary", "summary", OUT_TEXT, OUT_BOTH },
};

static void print_options(const struct cmd_option *options)
{
	char left[64], text[48], letter[] = "-x, ";

	for (; options->name; options++) {
		letter[1] = options->letter;
		snprintf(left, sizeof(left), "%s%s",
			 options->letter ? letter : "",
			 cmd_option_text(options, text, sizeof(text)));
		printf("  %-22s %s%s\n", left, options->help,
		       options->many ? "; repeatable" : "");
	}
}

static void print_lines(const char *const *lines, size_t max)
{
	size_t i;

	for (i = 0; i < max && lines[i]; i++)
		printf("%s\n", lines[i]);
}

/* The length of what may not be broken: up to a space outside brackets */
static size_t piece_of(const char *text)
{
	size_t len;
	int depth = 0;

	for (len = 0; text[len]; len++) {
		if (text[len] == ' ' && !depth)
			break;
		depth += (text[len] == '[') - (text[len] == ']');
	}
	return len;
}

static void print_usage(const struct cmd *cmd)
{
	char synopsis[SYNOPSIS_MAX];
	const char *text = cmd_synopsis(cmd, synopsis, sizeof(synopsis));
	int at = printf("Usage: dmdelta [--json]");
	size_t len;

	for (; *text; text += len) {
		text += *text == ' ';
		len = piece_of(text);
		if (at + 1 + len > WIDTH)
			at = printf("\n       ");
		at += printf(" %.*s", (int)len, text);
	}
	printf("\n");
}

static void print_one(const struct cmd *cmd)
{
	print_usage(cmd);
	printf("\n%s: %s.\n", cmd->name, cmd->summary);
	print_lines(cmd->text, CMD_MAX_TEXT);
	printf("\nOptions:\n");
	print_options(cmd->options);
	print_options(global_options);
}

static const char *const before[] = {
	"Usage: dmdelta [--json] <command> [<word>...]",
	"",
	"Looks after deltarec devices: disks that remember every epoch.",
	"",
	"Commands:",
	NULL
};

static const char *const after[] = {
	"",
	"<name>   a device-mapper name, as in /dev/mapper/<name>",
	"<epoch>  a number, a label, head or base; ~2 behind it goes to its",
	"         parent's parent",
	"",
	"Exit status: 0 done, 1 errors corrected, 4 errors left, 8 failed,",
	"16 bad usage, 32 cancelled. 'dmdelta help <command>' tells more; see",
	"dmdelta(8).",
	NULL
};

static void print_all(void)
{
	const struct cmd *cmd;

	print_lines(before, SIZE_MAX);
	for (cmd = commands; cmd->name; cmd++)
		printf("  %-12s %s\n", cmd->name, cmd->summary);
	printf("\nOptions:\n");
	print_options(global_options);
	print_lines(after, SIZE_MAX);
}

static void list_json(const struct cmd *only)
{
	const struct cmd *cmd;
	char synopsis[SYNOPSIS_MAX];

	out_table("commands", columns, 3);
	for (cmd = commands; cmd->name; cmd++) {
		if (only && cmd != only)
			continue;
		out_row((struct out_value[]){
			out_text(cmd->name),
			out_text(cmd_synopsis(cmd, synopsis, sizeof(synopsis))),
			out_text(cmd->summary),
		});
	}
	out_table_end();
}

void help_print(const struct cmd *cmd)
{
	if (out_is_json())
		list_json(cmd);
	else if (cmd)
		print_one(cmd);
	else
		print_all();
}

int cmd_help(const struct cmd_line *line)
{
	const struct cmd *cmd = NULL;

	if (line->argc) {
		cmd = cmd_find(line->argv[0]);
		if (!cmd)
			return fail(DR_EXIT_USAGE, line->argv[0],
				    "see 'dmdelta help'", "no such command");
	}
	help_print(cmd);
	return DR_EXIT_OK;
}
