/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files.h - three-way merge of file trees: take damage back, keep what came
 * after it.
 *
 *   base   the tree before the damage
 *   bad    the tree at the end of the damage
 *   now    the live one
 *
 * A path that is the same in base and bad is none of our business. For every
 * other one, now decides: what still is as the damage left it becomes as it
 * was in base; what has changed since is good work, is kept and reported.
 * The same means content, type, mode, owner, extended attributes, link
 * target, and which names are one file. Times are no difference of their own.
 *
 * 1. Only now is written to, and of it only what the plan names.
 * 2. Each path goes from bad's state to base's in one step (link, rename or
 *    exchange); so an interrupted run leaves no third state, and the next one
 *    continues. Attributes that are changed in place are compared one by one,
 *    so that a mixture of bad's and base's is understood, too.
 * 3. No symbolic link is followed and no mount point is crossed in now,
 *    whatever is planted there.
 * 4. A file that somebody has open for writing is not replaced: what is
 *    written next would be lost.
 * 5. No directory may be moved or exchanged while it holds a name that the
 *    plan does not take away.
 */
#ifndef DR_FILES_H
#define DR_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owner_map;
struct range;
struct select;

enum files_action {
	FILES_RESTORE,		/* now equals bad: becomes as in base */
	FILES_BRING_BACK,	/* deleted in bad, still absent: made again */
	FILES_QUARANTINE,	/* base had none, now equals bad: moved away */
	FILES_ATTRS,		/* attributes alone, in place */
	FILES_MIXED,		/* now differs from bad: kept, reported */
	FILES_DONE,		/* now equals base already */
	NR_FILES_ACTIONS
};

/* Words for listings: "restore", "bring back" ... */
extern const char *const files_action_words[NR_FILES_ACTIONS];

/* What now looked like when the plan was made */
struct files_seen {
	bool there;
	uint32_t mode, uid, gid;
	uint64_t ino, size;
	int64_t mtime_sec, ctime_sec;
	uint32_t mtime_nsec, ctime_nsec;
};

struct files_item {
	char *path;		/* from the root of the file system: "/a/b" */
	enum files_action action;
	char type;		/* f d l c b p s; bad's when base has none */
	uint64_t bytes;		/* content to be written, or moved away */
	char *why;		/* of FILES_MIXED; else NULL */
	/* for files_plan_apply() */
	struct files_seen seen;
	unsigned int set;	/* FILES_ATTRS: which ones (files-entry.h) */
	char *xattrs;		/* names, each with its NUL, then "" */
	size_t group;		/* names of one file in base; 0: only one */
	bool parent_gone;	/* absent in bad, too: made again with it */
	bool leftover;		/* an earlier run was interrupted here ... */
	bool leftover_known;	/* ... and left what base or bad have */
};

/* A name of now that is as in base and that others are to be linked to */
struct files_leader {
	size_t group;
	char *path;
	struct files_seen seen;
};

struct files_plan {
	struct files_item *item;	/* a directory before what it holds */
	size_t nr;
	uint64_t count[NR_FILES_ACTIONS], bytes[NR_FILES_ACTIONS];
	uint64_t nr_paths;		/* looked at in base and bad */
	uint64_t compared_bytes;	/* content read */
	uint64_t write_bytes;		/* content that apply writes */
	uint64_t need_bytes;		/* by so much now grows in the end */
	uint64_t largest_bytes;		/* one object, there twice for a moment */
	struct files_leader *leader;
	size_t nr_leaders;
	/* Times of directories that nobody has touched since the damage */
	struct files_times {
		char *path;
		int64_t sec;
		uint32_t nsec;
	} *dir_time;
	size_t nr_dir_times;
};

/**
 * files_plan_make() - what a recovery would do; nothing is changed
 * @base_dir, @bad_dir, @now_dir: roots of the three trees
 * @select: which paths, or NULL for all
 * @base_owner, @bad_owner: whose blocks, then; or NULL
 * @changed: ranges of the device that differ between base and bad, or NULL
 *
 * With @changed and both maps the trees are taken for two states of one file
 * system: a file is read only if its inode differs or its blocks are in a
 * range. Without them every file that both trees have is read.
 *
 * Context: root. Signals are noticed (cancelled()).
 * Return: exit code, has said why; files_plan_free() in every case.
 */
int files_plan_make(const char *base_dir, const char *bad_dir,
		    const char *now_dir, const struct select *select,
		    const struct owner_map *base_owner,
		    const struct owner_map *bad_owner,
		    const struct range *changed, size_t nr_changed,
		    struct files_plan *plan);
void files_plan_free(struct files_plan *plan);

/* How many items apply changes something about */
uint64_t files_plan_changes(const struct files_plan *plan);
/* ... and the folders that it changes them in, or a few more */
uint64_t files_plan_folders(const struct files_plan *plan);

/**
 * files_plan_check_space() - has the file system of @now_dir room for it?
 * @thing: for messages
 *
 * Return: exit code, has said why.
 */
int files_plan_check_space(const struct files_plan *plan, const char *now_dir,
			   const char *thing);

struct files_apply_options {
	/* In the names that are made up: before-<epoch>, quarantine-<epoch> */
	uint32_t epoch;
	bool beside;		/* put base's copy beside what is mixed */
	const char *quarantine;	/* folder; NULL: in the root of now */
	const char *again;	/* command that goes on, for messages; or NULL */
	/* An item is through; may be NULL */
	void (*each)(const struct files_plan *plan, size_t nr_done, void *arg);
	void *arg;
};

struct files_result {
	uint64_t count[NR_FILES_ACTIONS];	/* done */
	uint64_t written_bytes;
	uint64_t nr_beside;
	uint64_t nr_late;	/* changed between plan and apply: mixed */
	uint64_t nr_failed;	/* and said why */
	char *quarantine;	/* where to, if anything was moved */
};

/*
 * Refuse a quarantine that is not ours alone, before anything is changed in
 * any file system. Return: exit code, has said why.
 */
int files_plan_check_quarantine(const struct files_plan *plan,
				const char *now_dir,
				const struct files_apply_options *o);

/**
 * files_plan_apply() - do it; the checks above are the caller's
 *
 * Items that turn out to be mixed only now are changed to that in @plan.
 * Return: exit code, has said why. DR_EXIT_CANCELLED and errors, want of space
 * included, leave each path as planned or untouched; plan and apply again
 * continue.
 */
int files_plan_apply(struct files_plan *plan, const char *base_dir,
		     const char *now_dir, const struct files_apply_options *o,
		     struct files_result *result);
void files_result_free(struct files_result *result);

#endif
