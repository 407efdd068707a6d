/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-plan.h - shared by the sources that make a plan: files.c walks the
 * trees, files-decide.c judges a path, files-links.c the names of one file.
 */
#ifndef DR_FILES_PLAN_H
#define DR_FILES_PLAN_H

#include <errno.h>

#include "files-entry.h"
#include "grow.h"

#define NO_ITEM	((size_t)-1)

/* Inodes whose blocks are in changed ranges, sorted */
struct inodes {
	uint64_t *ino;
	size_t nr, room;
};

/* A name of a regular file that has several, in base or in bad */
struct link_name {
	char *path;
	struct link_of {
		bool there;
		uint64_t dev, ino;
		size_t first;	/* lowest name of the same file */
	} in[3];		/* base, bad, now */
	bool several;		/* in base */
	bool selected;
	bool only_apart;	/* as in base, but no longer one with others */
	size_t item;
	size_t group;
};

enum { IN_BASE, IN_BAD, IN_NOW };

struct maker {
	struct files_plan *plan;
	const struct select *select;
	bool trust_inodes;	/* see files_plan_make() */
	struct inodes touched[2];	/* IN_BASE, IN_BAD */
	size_t room_items, room_times;
	struct link_name *link;
	size_t nr_links, room_links;
	/* Room for files with several names, an entry for each name */
	struct link_need {
		uint64_t ino, bytes;
	} *need;
	size_t nr_needs, room_needs;
};

/* One directory in the three trees */
struct place {
	struct place *up;
	unsigned int depth;	/* the root is 0 */
	char *path;		/* "" is the root */
	const char *name;
	int base, bad;		/* -1: no directory there */
	int now;		/* -1: see now_error */
	int now_error;		/* 1: not looked yet; negative errno */
	bool will_be;		/* now has none; the plan makes it */
	struct entry_time bad_time;	/* of deletions in it, at the latest */
};

/* Open now's directory if that has not been tried. */
void place_look(struct place *place);

/* Return: index of the new item, or NO_ITEM without memory. */
size_t plan_add(struct maker *m, const char *path, enum files_action action,
		char type);
__attribute__((format(printf, 2, 3)))
void item_mixed(struct files_item *item, const char *why, ...);

bool path_selected(const struct maker *m, const struct place *place,
		   const char *path, const struct entry *base,
		   const struct entry *bad);

/**
 * decide() - what becomes of a path that differs between base and bad
 * @diff: in what they differ, if both are there and of one type
 * @item: where it is in the plan
 *
 * A directory that is to go must still be looked into by the caller.
 * Return: 0 or a negative errno.
 */
int decide(struct maker *m, struct place *place, const char *name,
	   const char *path, struct entry *base, struct entry *bad,
	   unsigned int diff, size_t *item);

/* Return: 0, or a negative errno; names are only recorded. */
int links_note(struct maker *m, struct place *place, const char *name,
	       const char *path, const struct entry *base,
	       const struct entry *bad, size_t item);

/* All names are known: a file with several is written once. */
void needs_add(struct maker *m);

/* All names are known: judge which are one file, and choose leaders. */
int links_resolve(struct maker *m, int base_root, int now_root);

/* Errors that end the plan; the others make one path mixed. */
static inline bool error_is_ours(int error)
{
	return error == -ENOMEM || error == -ECANCELED ||
	       error == -EMFILE || error == -ENFILE;
}

#endif
