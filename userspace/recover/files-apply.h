/* SPDX-License-Identifier: GPL-2.0 */
/*
 * files-apply.h - shared by the sources that carry a plan out: files-apply.c
 * goes through it, files-exchange.c puts one object in the place of another,
 * files-quarantine.c moves things away.
 *
 * Functions return 0, a negative errno, or LATE: now is no longer as it was
 * when the plan was made; nothing has been changed then.
 */
#ifndef DR_FILES_APPLY_H
#define DR_FILES_APPLY_H

#include "files-plan.h"

#define LATE	1
/* The temporary name keeps what could not be put back, for the next run. */
#define STUCK	(-EIO)

struct applier {
	struct files_plan *plan;
	const struct files_apply_options *o;
	struct files_result *result;
	int base_root, now_root;
	/* The directory that is worked in */
	struct work_dir {
		char *path;	/* beneath the root; NULL: none */
		int fd;
		struct entry self;
		uint32_t flags;	/* to be put back; 0: none were in the way */
	} dir;
	/* Files with several names, as our own work left them */
	struct files_seen *own;
	size_t nr_own, room_own;
	/* Leaders: the plan's, then those that were restored */
	struct files_leader *leader;
	size_t nr_leaders, room_leaders;
	bool *made;		/* for each item: a directory that we made */
	bool *entered;		/* for each of the plan's dir_time */
	/* Quarantine */
	int q_root;		/* -1: not opened yet */
};

/* Where item's path is: the directory is entered, its name returned. */
int dir_enter(struct applier *a, const struct files_item *item,
	      const char **name);
void dir_leave(struct applier *a);

/* Is @now as in @seen, or as we left it ourselves? */
bool still_as(const struct applier *a, const struct entry *now,
	      const struct files_seen *seen);

/* We changed @now, of which there are other names: remember how. */
int own_note(struct applier *a, const struct entry *now);

/* What has @name now: 0 as planned, LATE, or an error. */
int open_planned(struct applier *a, const struct files_item *item,
		 const char *name, struct entry *now);

/*
 * Is @is, moved by us, still as @was? Renames change its ctime, so that all
 * that it stands for is compared. Return: 0, LATE, or an error.
 */
int check_displaced(struct entry *is, const struct entry *was);

/**
 * displace() - take @name away for good, if it still is @now
 * @temp: a name in the same directory, to look at what was moved
 * @flags: RENAME_EXCHANGE: @name becomes what is @temp; RENAME_NOREPLACE
 *
 * Return: 0, LATE, an error (then nothing has changed), or STUCK.
 */
int displace(struct applier *a, const char *name, const char *temp,
	     const struct entry *now, unsigned int flags);

/* FILES_RESTORE */
int exchange_item(struct applier *a, struct files_item *item,
		  const char *name);

/* FILES_BRING_BACK */
int bring_back_item(struct applier *a, struct files_item *item,
		    const char *name);

/* Does anything go there? If so, refuse one that is not ours alone. */
bool quarantine_wanted(const struct files_plan *plan);
int quarantine_check(const struct applier *a);

/* FILES_QUARANTINE */
int quarantine_item(struct applier *a, struct files_item *item,
		    const char *name);

/* What an earlier run left: @known goes, other things are moved away. */
int leftover_item(struct applier *a, const struct files_item *item);

/* Base's copy of a mixed file as <name>.before-<epoch> */
int beside_item(struct applier *a, const struct files_item *item);

#endif
