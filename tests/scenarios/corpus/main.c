// SPDX-License-Identifier: GPL-2.0
/*
 * main.c - corpus: the files of the scenarios, the attacks on them, the good
 * work, and the oracle. See model.h.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

static struct model model;

static int help(void)
{
	fprintf(stderr,
		"usage: corpus [-s SEED] [-a ATTACK] [-v] COMMAND [WORD]\n"
		"In the current directory:\n"
		"  base, attack, work    does what one epoch holds\n"
		"  is STAGE              is all as after base, bad or work, or ideal?\n"
		"  verify                what a recovery reached, as members of JSON\n"
		"And:\n"
		"  list ROLE             paths: quiet, victim, rewritten, modified,\n"
		"                        deleted or new; 'attacked' for both kinds\n"
		"  put PATH VERSION      a content (base, bad, work) to standard output\n"
		"  noise NUMBER          random bytes without end, until nobody reads\n"
		"attacks: inplace, truncate, newfile, trojan\n");
	return 2;
}

static int index_of(const char *const *names, int nr, const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

static int list(const char *name)
{
	int role = index_of(role_names, NR_ROLES, name), i;
	bool attacked = !strcmp(name, "attacked");

	if (role < 0 && !attacked)
		return help();
	for (i = 0; i < NR_FILES; i++) {
		const struct file *f = &model.file[i];

		if (attacked ? f->role == VICTIM || f->role == REWRITTEN :
		    (int)f->role == role)
			puts(f->path);
	}
	return 0;
}

static int put(const char *path, int version)
{
	uint64_t at, size;
	char buf[4096];
	size_t len;
	int i;

	for (i = 0; i < NR_FILES; i++)
		if (!strcmp(model.file[i].path, path))
			break;
	if (i == NR_FILES || version < 0)
		return help();
	size = file_size(&model.file[i], version, model.attack);
	for (at = 0; at < size; at += len) {
		len = size - at > sizeof(buf) ? sizeof(buf) : size - at;
		file_content(&model, &model.file[i], version, at, buf,
			     (len + 7) & ~7ull);
		fwrite(buf, 1, len, stdout);
	}
	return fflush(stdout) != 0;
}

/* What intruders write: of no use, but the same whenever the seed is. */
static int noise(uint64_t seed, uint64_t number)
{
	uint64_t buf[8192], at = 0;
	size_t i;

	signal(SIGPIPE, SIG_IGN);
	do {
		for (i = 0; i < 8192; i++)
			buf[i] = mix(seed, ~number, at++);
	} while (fwrite(buf, sizeof(buf), 1, stdout) == 1);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const stages[] = { "base", "bad", "work", "ideal" };
	int attack = INPLACE, c, stage;
	uint64_t seed = 1;
	bool verbose = false;

	while ((c = getopt(argc, argv, "s:a:v")) != -1) {
		if (c == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (c == 'a')
			attack = index_of(attack_names, NR_ATTACKS, optarg);
		else if (c == 'v')
			verbose = true;
		else
			return help();
	}
	argv += optind;
	argc -= optind;
	if (argc < 1 || attack < 0)
		return help();
	model_make(&model, seed, attack);
	if (!strcmp(argv[0], "base"))
		return act_base(&model);
	if (!strcmp(argv[0], "attack"))
		return act_attack(&model);
	if (!strcmp(argv[0], "work"))
		return act_work(&model);
	if (!strcmp(argv[0], "verify"))
		return verify_ideal(&model, verbose);
	if (argc == 2 && !strcmp(argv[0], "list"))
		return list(argv[1]);
	if (argc == 2 && !strcmp(argv[0], "noise"))
		return noise(seed, strtoull(argv[1], NULL, 0));
	if (argc == 3 && !strcmp(argv[0], "put"))
		return put(argv[1], index_of(stages, 3, argv[2]));
	stage = argc == 2 ? index_of(stages, 4, argv[1]) : -1;
	if (stage < 0 || strcmp(argv[0], "is"))
		return help();
	return verify_stage(&model, stage);
}
