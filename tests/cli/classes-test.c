// SPDX-License-Identifier: GPL-2.0
/*
 * classes-test.c - classes of blocks on devices that are made up: one
 * character is one block, in one map of owners each for before, the end of
 * the damage, and now.
 *
 *   .     free                 j  journal         m  metadata
 *   ?     no file system       A  file /a, its blocks in order of their place
 *   a     another file of the name /a
 *   (..)  two owners in one block, half and half
 *
 * written: "*"; later: "x" other bytes, "=" the same ones, "s" as x, by who
 * had read damage. class: 0 to 6, f: free; action: (r)evert, revert and
 * (d)rop later, (k)eep, (l)eave, e(x)cluded: refused, (s)uspect; capital:
 * forced. "-": not in the plan.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ranges.h"
#include "recover/classes.h"

#define BLOCK		8u
#define MAX_BLOCKS	64

struct test {
	const char *name, *before, *bad, *now, *written, *later, *class,
	      *action, *rules;
	const char *zeroes, *only, *lost, *cow, *opaque, *file, *parts;
	bool force, fine;	/* fine: nothing is refused */
};

static const struct test tests[] = {
	{ "in place", "AABm.j", "AABm.j", "AABm.j", "*-****", "------",
	  "0-03f4", "r-rlll", "0+3k", .fine = true },
	{ "in place, one victim rewritten by its owner", "AABB", "AABB",
	  "AABB", "****", "-x--", "0100", "rkrr", "0+1k 2+2k", .fine = true },
	{ "the same bytes written again are no later write", "AAAB", "AAAB",
	  "AAAB", "****", "=x==", "0100", "dkdd", "0+1d 2+2d", .fine = true },
	{ "keep and drop alternate", "AAAA", "AAAA", "AAAA", "****", "-=-=",
	  "0000", "rdrd", "0+1k 1+1d 2+1k 3+1d", .fine = true },
	{ "rules are joined over what was not written", "A.mA", "A.mA",
	  "A.mA", "*--*", "----", "0--0", "r--r", "0+4k", .fine = true },
	{ "... but not over what was", "A.mA", "A.mA", "A.mA", "**-*", "----",
	  "0f-0", "rl-r", "0+1k 3+1k", .fine = true },
	{ "new file, old one unlinked", "AA..", "..BB", "..BB", "--**", "----",
	  "2222", "xxxx", "" },
	{ "truncated and written elsewhere", "AA..", "..AA", "..AA", "--**",
	  "----", "2222", "xxxx", "" },
	{ "truncated and written to the same place", "AA", "AA", "AA", "**",
	  "--", "00", "rr", "0+2k", .fine = true },
	{ "another file of the same name on the same blocks", "AA", "aa", "aa",
	  "**", "--", "22", "xx", "" },
	{ "a trojan renamed over", "AA..", "..aa", "..aa", "--**", "----",
	  "2222", "xxxx", "" },
	{ "blocks of a victim were given to another one", "AAB.", "CCB.",
	  "CCB.", "**--", "----", "22--", "xx--", "" },
	{ "grown in the damaged epochs", "A.", "AA", "AA", "**", "--", "02",
	  "rx", "0+1k" },
	{ "parts at the same place, parts elsewhere", "AAA.", "A.AA", "A.AA",
	  "*-**", "----", "2222", "xxxx", "" },
	{ "... forced: what can be, is", "AA..", "A.A.", "A.A.", "*-*-",
	  "----", "022-", "rlR-", "0+3k", .force = true, .fine = true },
	{ "appended to after the damage: mixed", "AA.B", "AA.B", "AAAB",
	  "**-*", "--x-", "0010", "rrkr", "0+4k", .fine = true },
	{ "written elsewhere in the file after the damage", "AAAB", "AAAB",
	  "AAAB", "*---", "--xx", "0-1-", "r-k-", "0+1k", .fine = true },
	{ "... with the same bytes", "AAAB", "AAAB", "AAAB", "*---", "--==",
	  "0---", "r---", "0+1k", .fine = true },
	{ "deleted after the damage", "AAB", "AAB", "..B", "***", "---",
	  "220", "llr", "2+1k", .fine = true },
	{ "deleted after it, a good file lives there", "AAB", "AAB", "CCB",
	  "***", "xx-", "220", "llr", "2+1k", .fine = true },
	{ "... named by range: refused", "AAB", "AAB", "CCB", "***", "xx-",
	  "22-", "xx-", "", .only = "**-" },
	{ "... named by path: refused", "AAB", "AAB", "CCB", "***", "xx-",
	  "22-", "xx-", "", .file = "/a" },
	{ "... forced: the later write goes with it", "AAB", "AAB", "CCB",
	  "***", "x--", "22-", "DR-", "0+1d 1+1k", .only = "**-", .force = true,
	  .fine = true },
	{ "forced, but not by name: a later write is never lost", "A.", "AA",
	  "AA", "**", "-x", "02", "rK", "0+1k", .force = true, .fine = true },
	{ "a file made after the damage on free blocks", "..", "..", "AA",
	  "**", "xx", "22", "ll", "", .fine = true },
	{ "free before and now", "..", "AA", "..", "**", "--", "ff", "ll", "",
	  .fine = true },
	{ "the journal is never put back", "jj", "jj", "jj", "**", "x-", "44",
	  "ll", "", .fine = true },
	{ "what became a journal", "A", "j", "j", "*", "-", "4", "l", "",
	  .fine = true },
	{ "metadata", "mA.", "Amm", "mmm", "***", "---", "333", "lll", "",
	  .fine = true },
	{ "metadata named by range", "mm", "mm", "mm", "**", "--", "3-", "x-",
	  "", .only = "*-" },
	{ "... and forced", "mj", "mj", "mj", "**", "--", "34", "RR", "0+2k",
	  .only = "**", .force = true, .fine = true },
	{ "force without ranges leaves metadata alone", "mAA.", "m...",
	  "m...", "***-", "----", "322-", "lRR-", "1+2k", .force = true,
	  .fine = true },
	{ "no file system", "????", "????", "????", "***-", "-x=-", "010-",
	  "rkd-", "0+1k 2+1d", .fine = true },
	{ "no file system, discarded", "???", "???", "???", "***", "---",
	  "660", "rrr", "0+3k", .zeroes = "**-", .fine = true },
	{ "zeroes over a file", "AAB", "AAB", "AAB", "***", "-x-", "610",
	  "rkr", "0+1k 2+1k", .zeroes = "**-", .fine = true },
	{ "a wiped file system, nothing later: all goes back", "mA.j", "????",
	  "????", "****", "----", "0000", "rrrr", "0+4k", .lost = "v",
	  .fine = true },
	{ "... the same bytes later do not matter", "mA.j", "????", "????",
	  "****", "--==", "0000", "rrdd", "0+2k 2+2d", .lost = "v",
	  .fine = true },
	{ "... written later: refused as a whole", "mA.j", "????", "????",
	  "***-", "---x", "333-", "xxx-", "", .lost = "v" },
	{ "... forced", "mA.j", "????", "????", "****", "---x", "3333",
	  "RRRK", "0+3k", .lost = "v", .force = true, .fine = true },
	{ "made anew in the damage: another file system", "mA.", "m.B",
	  "m.B", "***", "---", "000", "rrr", "0+3k", .lost = "v",
	  .fine = true },
	{ "a file system on what was raw", "??", "mA", "mA", "**", "--", "32",
	  "lx", "" },
	{ "copy on write", "AA..", "..AA", "..AA", "****", "----", "2222",
	  "xxxx", "", .cow = "v" },
	{ "copy on write, in place (no cow)", "AAmm", "AAmm", "AAmm", "****",
	  "----", "0033", "xxxx", "", .cow = "v" },
	{ "copy on write, forced", "AA.m", "AA.m", "AA.m", "****", "----",
	  "00f3", "RRlR", "0+2k 3+1k", .cow = "v", .force = true,
	  .fine = true },
	{ "a file system that we cannot read", "??", "??", "??", "*-", "--",
	  "3-", "x-", "", .opaque = "v" },
	{ "two owners in a block: the stricter one", "(AB)(Am)(A.)(AB)",
	  "(AB)(Am)(A.)(AC)", "(AB)(Am)(A.)(AC)", "****", "----", "0302",
	  "rlrx", "0+1k 2+1k" },
	{ "a block shared with what is not selected", "(AB)A", "(AB)A",
	  "(AB)A", "**", "--", "20", "xr", "1+1k", .file = "/a" },
	{ "selected files only", "AABBm", "AABBm", "AABBm", "*****", "-----",
	  "00---", "rr---", "0+2k", .file = "/a", .fine = true },
	{ "a selected one is gone, another is not asked for", "AB", "..",
	  "..", "--", "--", "2-", "x-", "", .file = "/a" },
	{ "ranges", "????", "????", "????", "****", "----", "-00-", "-rr-",
	  "1+2k", .only = "-**-", .fine = true },
	{ "a part of one file beside the whole of another", "AABBB", "AABBB",
	  "AABBB", "*****", "-----", "00-0-", "rr-r-", "0+2k 3+1k",
	  .file = "/a", .parts = "---*-", .fine = true },
	{ "a part that has another owner now", "AABB", "AABB", "AABC", "****",
	  "---x", "0002", "rrrx", "0+3k", .file = "/a", .parts = "--**" },
	{ "a range that nobody wrote", "????", "????", "????", "---*", "----",
	  "----", "----", "", .only = "**--", .fine = true },
	{ "suspects", "AABBm", "AABBm", "AABBm", "*----", "-xxss", "01-5-",
	  "rk-s-", "0+1k", .fine = true },
	{ "a suspect in what was damaged is mixed", "AAB", "AAB", "AAB", "**-",
	  "-ss", "015", "rks", "0+1k", .fine = true },
	{ "nothing written", "AB", "AB", "AB", "--", "--", "--", "--", "",
	  .fine = true },
};

static size_t nr_blocks(const char *map)
{
	size_t nr = 0;

	while (*map) {
		nr++;
		map += *map == '(' ? 4 : 1;
	}
	return nr;
}

static void one(struct owner_map *map, char c, uint64_t start,
		uint64_t sectors, unsigned int *seen)
{
	static char paths[26][4];
	struct owner_extent *e = &map->e[map->nr++];

	*e = (struct owner_extent){ .start = start, .sectors = sectors,
				    .volume = "v" };
	switch (c) {
	case '.':
		e->kind = OWNER_NONE;
		return;
	case 'j':
		e->kind = OWNER_JOURNAL;
		return;
	case 'm':
		e->kind = OWNER_META;
		e->what = "inode table";
		return;
	case '?':
		e->kind = OWNER_UNKNOWN;
		return;
	}
	e->kind = OWNER_FILE;
	sprintf(paths[toupper(c) - 'A'], "/%c", tolower(c));
	e->path = paths[toupper(c) - 'A'];
	e->ino = c;
	e->offset = seen[(unsigned char)c];
	seen[(unsigned char)c] += sectors * 512;
}

static void make_map(const char *text, struct owner_map *map)
{
	unsigned int seen[256] = { 0 };
	uint64_t at = 0;

	map->e = calloc(2 * MAX_BLOCKS, sizeof(*map->e));
	map->nr = 0;
	for (; *text; at += BLOCK) {
		if (*text == '(') {
			one(map, text[1], at, BLOCK / 2, seen);
			one(map, text[2], at + BLOCK / 2, BLOCK / 2, seen);
			text += 4;
		} else {
			one(map, *text++, at, BLOCK, seen);
		}
	}
}

static struct range_set make_set(const char *text, const char *which)
{
	struct range_list list = { 0 };
	uint64_t at = 0;

	for (; text && *text; text++, at += BLOCK)
		if (strchr(which, *text))
			range_list_add(&list, at, BLOCK);
	return (struct range_set){ list.range, list.nr };
}

static bool match(void *arg, const struct owner_extent *e)
{
	return !strcmp(e->path, arg);
}

static bool expect(const char *what, const char *got, const char *wanted)
{
	if (!strcmp(got, wanted))
		return true;
	printf("# %s: got '%s', wanted '%s'\n", what, got, wanted);
	return false;
}

static void show(const struct blocks_plan *plan, size_t nr, char *class,
		 char *action, char *rules)
{
	static const char letters[] = "rklxs";
	const struct blocks_item *item = plan->item;
	const struct view_rule *r = plan->rule;
	uint64_t at;

	memset(class, '-', nr);
	memset(action, '-', nr);
	class[nr] = '\0';
	action[nr] = '\0';
	for (; item < plan->item + plan->nr; item++)
		for (at = item->start / BLOCK;
		     at < (item->start + item->sectors) / BLOCK; at++) {
			char c = letters[item->action];

			class[at] = item->class == CLASS_FREE ? 'f' :
				    '0' + item->class;
			if (item->drop_later && c == 'r')
				c = 'd';
			action[at] = item->forced ? toupper(c) : c;
		}
	rules[0] = '\0';
	for (; r < plan->rule + plan->nr_rules; r++)
		rules += sprintf(rules, "%s%llu+%llu%c",
				 r > plan->rule ? " " : "",
				 (unsigned long long)r->start / BLOCK,
				 (unsigned long long)r->sectors / BLOCK,
				 r->drop_later ? 'd' : 'k');
}

static bool try_one(const struct test *t)
{
	char class[MAX_BLOCKS], action[MAX_BLOCKS], rules[MAX_BLOCKS * 8];
	size_t nr = nr_blocks(t->before), i;
	struct owner_map before, bad, now;
	struct classes_input in = {
		.sectors = nr * BLOCK, .block_sectors = BLOCK,
		.from = 3, .to = 5,
		.before = &before, .bad = &bad, .now = &now,
		.written = make_set(t->written, "*"),
		.later = make_set(t->later, "x=s"),
		.same = make_set(t->later, "="),
		.suspect = make_set(t->later, "s"),
		.zeroes = make_set(t->zeroes, "*"),
		.only = make_set(t->only, "*"),
		.parts = make_set(t->parts, "*"),
		.lost = &t->lost, .nr_lost = t->lost ? 1 : 0,
		.cow = &t->cow, .nr_cow = t->cow ? 1 : 0,
		.opaque = &t->opaque, .nr_opaque = t->opaque ? 1 : 0,
		.file = t->file ? match : NULL, .arg = (void *)t->file,
		.named = t->only || t->file || t->parts, .force = t->force,
	};
	struct blocks_plan plan;
	uint64_t sum = 0;
	bool good;

	make_map(t->before, &before);
	make_map(t->bad, &bad);
	make_map(t->now, &now);
	good = !classes_make(&in, &plan);
	show(&plan, nr, class, action, rules);
	good &= expect("class", class, t->class);
	good &= expect("action", action, t->action);
	good &= expect("rules", rules, t->rules);
	good &= expect("refused", plan.refused ? "yes" : "no",
		       t->fine ? "no" : "yes");
	for (i = 0; i < NR_CLASSES; i++)
		sum += plan.blocks[i];
	for (i = 0; i < nr; i++)
		sum -= class[i] != '-';
	good &= expect("sum", sum ? "wrong" : "right", "right");
	blocks_plan_free(&plan);
	free(before.e);
	free(bad.e);
	free(now.e);
	free((void *)in.written.range);
	free((void *)in.later.range);
	free((void *)in.same.range);
	free((void *)in.suspect.range);
	free((void *)in.zeroes.range);
	free((void *)in.only.range);
	free((void *)in.parts.range);
	return good;
}

int main(void)
{
	size_t nr = sizeof(tests) / sizeof(*tests), i;
	int failed = 0;

	printf("1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		bool good = try_one(&tests[i]);

		printf("%sok %zu - %s\n", good ? "" : "not ", i + 1,
		       tests[i].name);
		failed |= !good;
	}
	return failed;
}
