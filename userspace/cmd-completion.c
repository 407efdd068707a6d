// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-completion.c - completion for bash, from the table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "output.h"

static const char *const word_names[] = {
	[WORD_NAME] = "name",
	[WORD_FILE] = "file",
	[WORD_EPOCH] = "epoch",
	[WORD_FEATURE] = "feature",
	[WORD_COMMAND] = "command",
	[WORD_SHELL] = "shell",
	[WORD_OTHER] = "other",
};

/* The part that does not depend on the table */
static const char body[] =
"_dmdelta_words()\n"
"{\n"
"	case $1 in\n"
"	name)	dmsetup ls --target deltarec 2>/dev/null | cut -f1 ;;\n"
"	epoch)	echo head base\n"
"		dmdelta --json log \"$2\" 2>/dev/null | grep -o '\"label\":\"[^\"]*\"' |\n"
"			cut -d'\"' -f4 ;;\n"
"	feature) echo \"$_dmdelta_features\" ;;\n"
"	command) echo \"${!_dmdelta_args[@]}\" ;;\n"
"	shell)	echo bash ;;\n"
"	esac\n"
"}\n"
"\n"
"_dmdelta()\n"
"{\n"
"	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
"	local cmd= name= w i n=0 kinds kind\n"
"\n"
"	for ((i = 1; i < COMP_CWORD; i++)); do\n"
"		w=${COMP_WORDS[i]}\n"
"		case $w in\n"
"		-*)	[[ \" $_dmdelta_valued \" == *\" $w \"* ]] && ((i++)) ;;\n"
"		*)	if [[ -z $cmd ]]; then cmd=$w; else ((n++)); fi\n"
"			((n == 1)) && [[ -z $name ]] && name=$w ;;\n"
"		esac\n"
"	done\n"
"	COMPREPLY=()\n"
"	if [[ \" $_dmdelta_valued \" == *\" $prev \"* ]]; then\n"
"		[[ $prev == --from || $prev == --to ]] || return\n"
"		COMPREPLY=($(compgen -W \"$(_dmdelta_words epoch \"$name\")\" -- \"$cur\"))\n"
"	elif [[ $cur == -* ]]; then\n"
"		COMPREPLY=($(compgen -W \"$_dmdelta_global ${_dmdelta_options[$cmd]}\" -- \"$cur\"))\n"
"	elif [[ -z $cmd ]]; then\n"
"		COMPREPLY=($(compgen -W \"${!_dmdelta_args[*]}\" -- \"$cur\"))\n"
"	else\n"
"		kinds=(${_dmdelta_args[$cmd]})\n"
"		kind=${kinds[n]}\n"
"		[[ -z $kind && ${kinds[-1]} == feature ]] && kind=feature\n"
"		if [[ $kind == file ]]; then\n"
"			COMPREPLY=($(compgen -f -- \"${cur:-/dev/}\"))\n"
"		else\n"
"			COMPREPLY=($(compgen -W \"$(_dmdelta_words \"$kind\" \"$name\")\" -- \"$cur\"))\n"
"		fi\n"
"	fi\n"
"}\n"
"complete -o filenames -F _dmdelta dmdelta\n";

static void print_options(const struct cmd_option *options, bool valued)
{
	for (; options->name; options++) {
		if (valued && (!options->arg || options->maybe))
			continue;
		printf("--%s ", options->name);
		if (options->letter)
			printf("-%c ", options->letter);
	}
}

static void print_bash(void)
{
	const struct cmd *cmd;
	const struct cmd_arg *a;
	int i;

	printf("# bash completion for dmdelta " DMDELTA_VERSION
	       "; made by 'dmdelta completion bash'\n");
	printf("declare -gA _dmdelta_args _dmdelta_options\n");
	for (cmd = commands; cmd->name; cmd++) {
		printf("_dmdelta_args[%s]='", cmd->name);
		for (a = cmd->args; a < cmd->args + CMD_MAX_ARGS && a->name; a++)
			printf("%s ", word_names[a->word]);
		printf("'\n_dmdelta_options[%s]='", cmd->name);
		print_options(cmd->options, false);
		printf("'\n");
	}
	printf("_dmdelta_global='");
	print_options(global_options, false);
	printf("'\n_dmdelta_valued='");
	for (cmd = commands; cmd->name; cmd++)
		print_options(cmd->options, true);
	printf("'\n_dmdelta_features='");
	for (i = 0; feature_words[i]; i++)
		printf("%s ", feature_words[i]);
	printf("'\n\n%s", body);
}

int cmd_completion(const struct cmd_line *line)
{
	if (strcmp(line->argv[0], "bash"))
		return fail(DR_EXIT_USAGE, line->argv[0],
			    "the only one is 'bash'",
			    "no completion for this shell");
	out_json(false);	/* the script is the document */
	print_bash();
	return DR_EXIT_OK;
}
