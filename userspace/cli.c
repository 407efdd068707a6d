// SPDX-License-Identifier: GPL-2.0
/*
 * cli.c - from argv to a command, its words and its options.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "output.h"

const char *cli_option_nth(const struct cmd_line *line, const char *name,
			   int nth)
{
	int i;

	for (i = 0; i < line->nr_options; i++) {
		if (strcmp(line->options[i].option->name, name) || nth--)
			continue;
		return line->options[i].value ? line->options[i].value : "";
	}
	return NULL;
}

const char *cli_option(const struct cmd_line *line, const char *name)
{
	return cli_option_nth(line, name, 0);
}

static bool global_option(struct cmd_line *line, const char *name)
{
	const struct cmd_option *o = cmd_find_option(global_options, name);

	if (!o)
		return false;
	if (!strcmp(o->name, "json"))
		line->json = true;
	else if (!strcmp(o->name, "help"))
		line->help = true;
	else
		line->version = true;
	return true;
}

/* "--name", "--name=value" or the letter of a command's option, "-o" */
static const struct cmd_option *which_option(const struct cmd_line *line,
					     const char *word, size_t len)
{
	char name[64] = "";

	if (!line->cmd)
		return NULL;
	if (word[1] != '-')
		return word[2] ? NULL :
		       cmd_find_letter(line->cmd->options, word[1]);
	if (len - 2 < sizeof(name))
		memcpy(name, word + 2, len - 2);
	return name[0] ? cmd_find_option(line->cmd->options, name) : NULL;
}

/*
 * Take the option at argv[*i]. Its value is in the same word after '=', or
 * the next word.
 */
static int take_option(struct cmd_line *line, int argc, char **argv, int *i)
{
	struct cmd_line_option *into = &line->options[line->nr_options];
	const char *word = argv[*i];
	const char *equals = strchr(word, '=');

	if (!equals && word[1] == '-' && global_option(line, word + 2))
		return DR_EXIT_OK;
	into->option = which_option(line, word, strcspn(word, "="));
	if (!into->option)
		return fail_usage(word, line->cmd ? "no such option" :
				  "no such option before the command");
	if (!into->option->many && cli_option(line, into->option->name))
		return fail_usage(word, "given twice");
	if (into->option->maybe && !equals) {
		into->value = NULL;
	} else if (into->option->arg) {
		if (!equals && *i + 1 >= argc)
			return fail_usage(word, "needs a value, <%s>",
					  into->option->arg);
		into->value = equals ? equals + 1 : argv[++*i];
		if (!into->value[0])
			return fail_usage(word, "needs a value, <%s>",
					  into->option->arg);
	} else if (equals) {
		return fail_usage(word, "takes no value");
	}
	line->nr_options++;
	return DR_EXIT_OK;
}

static int take_word(struct cmd_line *line, char *word)
{
	if (line->cmd) {
		line->argv[line->argc++] = word;
		return DR_EXIT_OK;
	}
	line->cmd = cmd_find(word);
	if (!line->cmd)
		return fail(DR_EXIT_USAGE, word, "see 'dmdelta help'",
			    "no such command");
	out_command(line->cmd->name);
	return DR_EXIT_OK;
}

static int check_counts(const struct cmd_line *line)
{
	const struct cmd_option *o;
	const struct cmd_arg *a;
	int n = 0;

	for (a = line->cmd->args;
	     a < line->cmd->args + CMD_MAX_ARGS && a->name; a++, n++) {
		if (n >= line->argc && !a->optional)
			return fail_usage(a->name, "missing");
		if (a->many)
			n = line->argc;
	}
	if (line->argc > n)
		return fail_usage(line->argv[n], "one word too many");
	for (o = line->cmd->options; o->name; o++) {
		char dashed[64] = "--";

		if (!o->required || cli_option(line, o->name))
			continue;
		strncat(dashed, o->name, sizeof(dashed) - 3);
		return fail_usage(dashed, "missing");
	}
	return DR_EXIT_OK;
}

/* Errors in what comes first must already be told in the form asked for. */
static bool wants_json(int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--json"))
			return true;
	return false;
}

int cli_parse(struct cmd_line *line, int argc, char **argv)
{
	bool options = true;
	int i, code;

	memset(line, 0, sizeof(*line));
	line->argv = calloc(argc + 1, sizeof(*line->argv));
	line->options = calloc(argc + 1, sizeof(*line->options));
	if (!line->argv || !line->options)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	out_json(wants_json(argc, argv));

	for (i = 1; i < argc; i++) {
		char *word = argv[i];

		code = DR_EXIT_OK;
		if (!options || word[0] != '-' || !word[1])
			code = take_word(line, word);
		else if (!strcmp(word, "--"))
			options = false;
		else if (!strcmp(word, "-h"))
			line->help = true;
		else
			code = take_option(line, argc, argv, &i);
		if (code)
			return code;
	}
	if (line->help || line->version)
		return DR_EXIT_OK;
	if (!line->cmd)
		return fail(DR_EXIT_USAGE, "command", "see 'dmdelta help'",
			    "missing");
	return check_counts(line);
}

void cli_free(struct cmd_line *line)
{
	free(line->argv);
	free(line->options);
}
