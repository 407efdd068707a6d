// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - dmdelta: look after deltarec devices.
 */
#include <locale.h>

#include "cli.h"
#include "commands.h"
#include "output.h"
#include "past/scratch.h"

static int run(const struct cmd_line *line)
{
	int code = scratch_options(line);

	return code ? code : line->cmd->run(line);
}

int main(int argc, char **argv)
{
	struct cmd_line line;
	int code;

	setlocale(LC_ALL, "");
	catch_signals();
	code = cli_parse(&line, argc, argv);
	if (!code) {
		if (line.version)
			code = cmd_version(&line);
		else if (line.help)
			help_print(line.cmd);
		else
			code = run(&line);
	}
	code = out_finish(code);
	cli_free(&line);
	return code;
}
