// SPDX-License-Identifier: GPL-2.0
/*
 * commands.c - the table of commands.
 */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "names.h"

#define END	{ .name = NULL }

#define ARG_NAME	{ "name", WORD_NAME, false, false }
#define ARG_EPOCH	{ "epoch", WORD_EPOCH, false, false }
#define ARG_AT_PATH	{ "name@epoch:/path", WORD_OTHER, false, false }
#define ARG_DELTA	{ "delta", WORD_FILE, false, false }
#define ARG_ORIGIN	{ "origin", WORD_FILE, false, false }

const char *const feature_words[] = {
	DR_FEAT_CACHE_MB "=",
	DR_FEAT_ERROR_IF_FULL,
	DR_FEAT_QUEUE_IF_FULL,
	DR_FEAT_QUEUE_SECONDS "=",
	DR_FEAT_RECLAIM_IF_FULL,
	DR_FEAT_DISCARD_PASSDOWN,
	DR_FEAT_TRACK_READS,
	DR_FEAT_NONPERSISTENT "=" DR_WORD_KEEP,
	DR_FEAT_NONPERSISTENT "=" DR_WORD_DISCARD,
	DR_FEAT_UNDOABLE,
	NULL
};

const struct cmd_option global_options[] = {
	{ .name = "json", .help = "write one JSON document to stdout" },
	{ .name = "help", .help = "show help, of the command if there is one" },
	{ .name = "version", .help = "show the version of the tool" },
	END
};

/* Which epochs are the damage, and what of it is meant (recover/select.h) */
#define OPTION_FROM(must) \
	{ .name = "from", .arg = "epoch", .required = must, \
	  .help = "first damaged epoch" }
#define OPTION_TO(must) \
	{ .name = "to", .arg = "epoch", .required = must, \
	  .help = "last damaged epoch" }
#define OPTION_PATH \
	{ .name = "path", .arg = "glob", .many = true, \
	  .help = "these files, and what is below ('/srv/**/*.db')" }
#define OPTION_NOT_PATH \
	{ .name = "not-path", .arg = "glob", .many = true, \
	  .help = "but not these" }
#define OPTION_UID \
	{ .name = "uid", .arg = "user", .many = true, \
	  .help = "files of this owner, a name or a number" }
#define OPTION_NEWER \
	{ .name = "newer", .arg = "time", \
	  .help = "files changed then or later ('2024-05-01 13:30')" }
#define OPTION_OLDER \
	{ .name = "older", .arg = "time", \
	  .help = "files changed before then" }
#define OPTION_RANGE \
	{ .name = "range", .arg = "start+len", .many = true, \
	  .help = "where: sectors, or bytes with a suffix (4KiB+1MiB)" }
#define OPTION_PART \
	{ .name = "part", .arg = "path:start+len", .many = true, \
	  .help = "where in a file, as for --range; added to the rest" }
#define OPTION_MODE \
	{ .name = "mode", .arg = "mode", \
	  .help = "files, blocks, or auto (default)" }

/* Of every command that mounts an epoch (past/scratch.h) */
#define OPTION_SCRATCH \
	{ .name = "scratch", .arg = "place", \
	  .help = "where scratch layers are kept: memory, a folder (/var/tmp), a new file" }
#define OPTION_SCRATCH_SIZE \
	{ .name = "scratch-size", .arg = "size", \
	  .help = "room for each (default: the size of the device, if there is space)" }

static const struct cmd_option no_options[] = { END };

static const struct cmd_option format_options[] = {
	{ .name = "block-size", .arg = "size",
	  .help = "unit of mapping: a power of two, 4K (default) to 1M" },
	{ .name = "label", .arg = "label",
	  .help = "name to keep in the superblock" },
	{ .name = "force",
	  .help = "overwrite what the delta device holds" },
	END
};

static const struct cmd_option open_options[] = {
	{ .name = "cache-mb", .arg = "n",
	  .help = "memory for the map, in MiB (same as cache_mb=n)" },
	{ .name = "error-if-full",
	  .help = "writes fail when the delta device is full (default)" },
	{ .name = "queue-if-full",
	  .help = "writes wait for space when the delta device is full" },
	{ .name = "queue-seconds", .arg = "n",
	  .help = "but so long at most (same as queue_seconds=n)" },
	{ .name = "reclaim-if-full",
	  .help = "the oldest epochs are dropped before the delta device is full" },
	{ .name = "discard-passdown",
	  .help = "pass discards down when space is reclaimed" },
	{ .name = "track-reads",
	  .help = "note what is read, as evidence of what saw damage" },
	{ .name = "nonpersistent", .arg = "how", .maybe = true,
	  .help = "begin anew when opened; keep (default) or discard what was written" },
	{ .name = "undoable",
	  .help = "a session, of which close asks whether it is kept" },
	{ .name = "memory", .arg = "size",
	  .help = "no <delta>: what is written is in memory, until close" },
	END
};

static const struct cmd_option close_options[] = {
	{ .name = "keep", .help = "keep what was written in the session" },
	{ .name = "commit", .help = "make what the session wrote the origin's" },
	{ .name = "discard",
	  .help = "go back to where the session began, drop what was written" },
	END
};

static const struct cmd_option update_options[] = {
	{ .name = "label", .arg = "label",
	  .help = "with end: name of the epoch that it becomes" },
	{ .name = "no-freeze",
	  .help = "with end: do not freeze the file systems on the device" },
	END
};

static const struct cmd_option log_options[] = {
	{ .name = "all", .help = "list dropped epochs as well" },
	{ .name = "graph",
	  .help = "mark recoveries in the tree, add a bar of what was written" },
	END
};

static const struct cmd_option show_options[] = {
	{ .name = "recipe", .arg = "file",
	  .help = "write the recipe that is kept with the epoch to a file" },
	{ .name = "reads",
	  .help = "list what was read in it (with track_reads)" },
	END
};

static const struct cmd_option map_options[] = {
	{ .name = "output", .letter = 'o', .arg = "file",
	  .help = "where to draw it, - for standard output" },
	{ .name = "from", .arg = "epoch", .help = "first epoch to show" },
	{ .name = "to", .arg = "epoch", .help = "last epoch to show" },
	{ .name = "rows", .arg = "n",
	  .help = "rows to fold the epochs into (160)" },
	{ .name = "no-entropy", .help = "read no content" },
	END
};

static const struct cmd_option suspects_options[] = {
	{ .name = "from", .arg = "epoch", .help = "first epoch to list" },
	{ .name = "to", .arg = "epoch", .help = "last epoch to list" },
	{ .name = "files",
	  .help = "count the files that each epoch wrote to; takes longer" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option checkpoint_options[] = {
	{ .name = "label", .arg = "label", .help = "name of the sealed epoch" },
	{ .name = "no-freeze",
	  .help = "do not freeze the file systems on the device" },
	END
};

static const struct cmd_option diff_options[] = {
	{ .name = "files",
	  .help = "list files and structures instead of ranges" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option plan_options[] = {
	OPTION_FROM(true), OPTION_TO(true), OPTION_PATH, OPTION_NOT_PATH,
	OPTION_UID, OPTION_NEWER, OPTION_OLDER, OPTION_RANGE, OPTION_PART,
	OPTION_MODE,
	{ .name = "force", .help = "take what would be refused, too" },
	{ .name = "output", .letter = 'o', .arg = "file", .many = true,
	  .help = "write the recipe (.json) or a page to read (.html)" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option preview_options[] = {
	{ .name = "recipe", .arg = "file",
	  .help = "all this from a recipe that plan wrote" },
	OPTION_FROM(false), OPTION_TO(false), OPTION_PATH, OPTION_NOT_PATH,
	OPTION_UID, OPTION_NEWER, OPTION_OLDER, OPTION_RANGE, OPTION_PART,
	OPTION_MODE,
	{ .name = "force", .help = "take what would be refused, too" },
	{ .name = "keep", .arg = "view",
	  .help = "leave the result as the read-only device of this name" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option replay_options[] = {
	OPTION_FROM(false), OPTION_TO(false), OPTION_RANGE, OPTION_PART,
	OPTION_PATH, OPTION_NOT_PATH, OPTION_UID, OPTION_NEWER, OPTION_OLDER,
	{ .name = "drop-later",
	  .help = "leave out later writes to the same blocks, too" },
	{ .name = "recipe", .arg = "file",
	  .help = "epochs and rules from a recipe that plan wrote" },
	{ .name = "force",
	  .help = "take what would be refused, too" },
	{ .name = "dry-run", .help = "only count what would be changed" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option commit_options[] = {
	{ .name = "dry-run", .help = "only show what would be done" },
	{ .name = "yes", .help = "do not ask" },
	{ .name = "background", .help = "do not wait for the end" },
	{ .name = "stop", .help = "let the one under way rest" },
	END
};

static const struct cmd_option recover_options[] = {
	{ .name = "recipe", .arg = "file",
	  .help = "epochs and files from a recipe that plan wrote" },
	OPTION_FROM(false), OPTION_TO(false), OPTION_PATH, OPTION_NOT_PATH,
	OPTION_UID, OPTION_NEWER, OPTION_OLDER,
	{ .name = "volume", .arg = "volume",
	  .help = "only this one: \"partition 2\", vg/lv, label, uuid" },
	{ .name = "beside",
	  .help = "put the old copy beside what was changed later" },
	{ .name = "quarantine", .arg = "folder",
	  .help = "where what the damage brought is moved to" },
	{ .name = "force",
	  .help = "in spite of too little space, or of another one interrupted" },
	{ .name = "dry-run", .help = "only show what would be done" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

#define OPTION_VOLUME { .name = "volume", .arg = "volume", \
	  .help = "which, if there are several: \"partition 2\", vg/lv, label, uuid" }
#define OPTION_RECIPE { .name = "recipe", .arg = "file", \
	  .help = "with the rules of this recipe on top" }

static const struct cmd_option owner_options[] = {
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option mark_options[] = {
	{ .name = "to", .arg = "epoch",
	  .help = "and all from there to this one, which is above it" },
	END
};

static const struct cmd_option retain_options[] = {
	{ .name = "dry-run",
	  .help = "only show what the policy would keep and drop" },
	END
};

static const struct cmd_option monitor_options[] = {
	{ .name = "event", .arg = "event", .many = true,
	  .help = "only events of this name" },
	{ .name = "exec", .arg = "program",
	  .help = "run it for each event" },
	{ .name = "count", .arg = "n", .help = "end after so many events" },
	{ .name = "timeout", .arg = "seconds", .help = "end after this time" },
	{ .name = "list", .help = "list the events there are, and end" },
	END
};

static const struct cmd_option undo_options[] = {
	{ .name = "force",
	  .help = "take back what else was written since, too" },
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option view_options[] = {
	OPTION_RECIPE,
	END
};

static const struct cmd_option mount_options[] = {
	OPTION_VOLUME,
	OPTION_RECIPE,
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	{ .name = "options", .letter = 'o', .arg = "options",
	  .help = "as of mount -o; nosuid and nodev unless you say suid, dev" },
	{ .name = "writable",
	  .help = "mount read-write; what is written is lost at umount" },
	END
};

static const struct cmd_option at_options[] = {
	OPTION_VOLUME,
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

static const struct cmd_option cp_options[] = {
	{ .name = "recursive", .letter = 'r',
	  .help = "copy a folder and all that is in it" },
	OPTION_VOLUME,
	OPTION_SCRATCH, OPTION_SCRATCH_SIZE,
	END
};

const struct cmd commands[] = {
{
	.name = "format",
	.summary = "make a delta device for an origin",
	.text = {
		"Writes an empty history to <delta>. <origin> is only read:",
		"its size and, where it has one, the identity of its content",
		"are recorded, and open compares them.",
	},
	.args = { ARG_ORIGIN, ARG_DELTA },
	.options = format_options,
	.run = cmd_format,
}, {
	.name = "open",
	.summary = "make the device /dev/mapper/<name>",
	.text = {
		"Features: cache_mb=<n>, error_if_full, queue_if_full,",
		"queue_seconds=<n>, reclaim_if_full, discard_passdown,",
		"track_reads, nonpersistent=<keep|discard>, undoable; each can",
		"be given as an option, too. With --memory there is no <delta>,",
		"and all that is written is lost at close or power-off.",
	},
	.args = { ARG_NAME, ARG_ORIGIN, { "delta", WORD_FILE, true, false },
		  { "feature", WORD_FEATURE, true, true } },
	.options = open_options,
	.run = cmd_open,
}, {
	.name = "close",
	.summary = "take the device away; the history stays",
	.text = {
		"Of an undoable device asks what becomes of its session; not on",
		"a terminal, --commit, --keep or --discard has to say it. The",
		"first is done before it is taken away, and if it is refused the",
		"session goes on; the others are done by the next open.",
	},
	.args = { ARG_NAME },
	.options = close_options,
	.run = cmd_close,
}, {
	.name = "status",
	.summary = "show mode, head, space and running work",
	.text = {
		"Without a name: one line for each deltarec device.",
	},
	.args = { { "name", WORD_NAME, true, false } },
	.options = no_options,
	.run = cmd_status,
}, {
	.name = "log",
	.summary = "list the epochs as a tree, newest first",
	.args = { ARG_NAME },
	.options = log_options,
	.run = cmd_log,
}, {
	.name = "show",
	.summary = "show all about one epoch, its recipe included",
	.args = { ARG_NAME, ARG_EPOCH },
	.options = show_options,
	.run = cmd_show,
}, {
	.name = "map",
	.summary = "draw epochs against addresses (SVG)",
	.text = {
		"A row for each epoch, a column for each piece of the device;",
		"colour shows how much was written and how random it looks.",
		"Reads samples of the content; writes nothing to the device.",
	},
	.args = { ARG_NAME },
	.options = map_options,
	.run = cmd_map,
}, {
	.name = "suspects",
	.summary = "find epochs that look like an attack",
	.text = {
		"Compares samples of what each epoch wrote with what it",
		"replaced, and marks the epochs that stand out in this",
		"device's own history. Evidence from blocks alone.",
	},
	.args = { ARG_NAME },
	.options = suspects_options,
	.run = cmd_suspects,
}, {
	.name = "checkpoint",
	.summary = "seal the head epoch, print its number",
	.text = {
		"File systems mounted from the device are frozen meanwhile;",
		"whether they were is recorded with the epoch.",
	},
	.args = { ARG_NAME },
	.options = checkpoint_options,
	.run = cmd_checkpoint,
}, {
	.name = "diff",
	.summary = "list the ranges that differ between two epochs",
	.args = { ARG_NAME, { "from", WORD_EPOCH, false, false },
		  { "to", WORD_EPOCH, false, false } },
	.options = diff_options,
	.run = cmd_diff,
}, {
	.name = "owner",
	.summary = "show whose blocks these are, now and in an epoch",
	.text = {
		"The range is in sectors, or in bytes with a suffix. Shows",
		"the file or the structure that owns it now and, with",
		"@<epoch> behind it, then. An open head with writes is sealed",
		"first, as checkpoint does.",
	},
	.args = { ARG_NAME, { "start+len[@epoch]", WORD_OTHER, false, false } },
	.options = owner_options,
	.run = cmd_owner,
}, {
	.name = "view",
	.summary = "show an epoch as a read-only device",
	.text = {
		"Makes /dev/mapper/<viewname>; 'dmdelta close <viewname>'",
		"takes it away. The epoch must be sealed; it may be on any",
		"branch, and cannot be dropped meanwhile.",
	},
	.args = { ARG_NAME, ARG_EPOCH, { "viewname", WORD_OTHER, false, false } },
	.options = view_options,
	.run = cmd_view,
}, {
	.name = "views",
	.summary = "list the open views and who uses them",
	.args = { { "name", WORD_NAME, true, false } },
	.options = no_options,
	.run = cmd_views,
}, {
	.name = "mount",
	.summary = "mount the file system of an epoch",
	.text = {
		"Read-only, with a scratch layer below into which the",
		"journal is replayed. The device may be in use meanwhile.",
		"umount, or 'dmdelta umount', takes all of it away.",
	},
	.args = { { "name@epoch", WORD_OTHER, false, false },
		  { "directory", WORD_FILE, false, false } },
	.options = mount_options,
	.run = cmd_mount,
}, {
	.name = "umount",
	.summary = "unmount an epoch and wait until all of it is gone",
	.args = { { "directory", WORD_FILE, false, false } },
	.options = no_options,
	.run = cmd_umount,
}, {
	.name = "ls",
	.summary = "list a folder as it was",
	.args = { ARG_AT_PATH },
	.options = at_options,
	.run = cmd_ls,
}, {
	.name = "cat",
	.summary = "print a file as it was",
	.args = { ARG_AT_PATH },
	.options = at_options,
	.run = cmd_cat,
}, {
	.name = "cp",
	.summary = "copy a file or a tree as it was",
	.text = {
		"Modes, owners, times, links and extended attributes are",
		"kept.",
	},
	.args = { ARG_AT_PATH, { "destination", WORD_FILE, false, false } },
	.options = cp_options,
	.run = cmd_cp,
}, {
	.name = "rollback",
	.summary = "continue from an earlier epoch",
	.text = {
		"What was written since stays as a branch; undo returns to",
		"it. The device must not be in use.",
	},
	.args = { ARG_NAME, ARG_EPOCH },
	.options = no_options,
	.run = cmd_rollback,
}, {
	.name = "undo",
	.summary = "take back the last rollback, replay or recovery",
	.text = {
		"Returns to the state before it; undo of an undo does it",
		"again. Rollback and replay: the device must not be in use, and",
		"what was written since is left behind, with --force alone. A",
		"recovery of files is taken back file by file while the device",
		"is in use or when anything was written since, else by a",
		"rollback. One that was interrupted is taken back with all that",
		"was written since it began, with --force alone; an undo that",
		"was, goes on. Exit status 4: something was written since.",
	},
	.args = { ARG_NAME },
	.options = undo_options,
	.run = cmd_undo,
}, {
	.name = "plan",
	.summary = "show what a recovery would do",
	.text = {
		"Epochs --from to --to, both included, are the damage. Where a",
		"file system is there before and now, files are merged, three",
		"ways; else blocks are taken back. Nothing is changed, but a",
		"head with writes is sealed. Exit status 4: something is",
		"refused, or cannot be had back so.",
	},
	.args = { ARG_NAME },
	.options = plan_options,
	.run = cmd_plan,
}, {
	.name = "preview",
	.summary = "try a recovery where it harms nobody, and check it",
	.text = {
		"By --recipe, or by the options that plan has. The result is",
		"mounted and checked above a view, in a scratch layer. Exit",
		"status 4: it cannot be mounted, the check finds errors, or",
		"something is refused.",
	},
	.args = { ARG_NAME },
	.options = preview_options,
	.run = cmd_preview,
}, {
	.name = "recover",
	.summary = "take damage back file by file, keep later work",
	.text = {
		"Epochs --from to --to, both included, or those of --recipe",
		"are the damage. A file that still is as the damage left it",
		"becomes as it was before; one that was changed since stays,",
		"and is listed. File systems may be in use. After an",
		"interruption the same command goes on. Exit status 4:",
		"something could not be done, or another recovery was",
		"interrupted.",
	},
	.args = { ARG_NAME },
	.options = recover_options,
	.run = cmd_recover,
}, {
	.name = "replay",
	.summary = "leave out chosen writes, keep all others",
	.text = {
		"Makes an epoch that lacks the writes of epochs --from to",
		"--to, both included, to the given ranges. Later writes to",
		"the same blocks are kept unless --drop-later is given. With",
		"--recipe the rules of that file are applied, with --path or",
		"other selectors those of a plan of blocks; what a plan refuses",
		"is refused as a whole. The device must not be in use, except",
		"with --dry-run.",
	},
	.args = { ARG_NAME },
	.options = replay_options,
	.run = cmd_replay,
}, {
	.name = "abort",
	.summary = "give up a replay that another process left open",
	.args = { ARG_NAME },
	.options = no_options,
	.run = cmd_abort,
}, {
	.name = "mark",
	.summary = "pin an epoch, or say that it is suspect",
	.text = {
		"Marks: pinned, unpinned, suspect, good. No policy drops what is",
		"pinned, has a label (until it is unpinned) or is suspect, nor",
		"what lies beside a suspect epoch.",
	},
	.args = { ARG_NAME, ARG_EPOCH, { "mark", WORD_OTHER, false, false } },
	.options = mark_options,
	.run = cmd_mark,
}, {
	.name = "retain",
	.summary = "show or set which epochs are kept, and made, by themselves",
	.text = {
		"Keep: newest=<n>, and the last one of each minutely=<n>,",
		"hourly=, daily=, weekly=, monthly= for so long. Others are",
		"dropped. around=<n>: beside a suspect one (1, at most 32).",
		"Checkpoints: every=<time> (10s, 5m, 1h, 1d), written=<size>",
		"(500M, 2G), if anything was written. lag=<time>: commit what",
		"is older. Events: low=<n>, critical=<n> percent free. 'none'",
		"keeps all. Without a policy, shows the one that is set and",
		"what becomes of each epoch.",
	},
	.args = { ARG_NAME, { "policy", WORD_OTHER, true, true } },
	.options = retain_options,
	.run = cmd_retain,
}, {
	.name = "start",
	.summary = "choose where a nonpersistent device begins",
	.text = {
		"From its next opening on: a sealed epoch, or base. It is not",
		"dropped while it is that.",
	},
	.args = { ARG_NAME, ARG_EPOCH },
	.options = no_options,
	.run = cmd_start,
}, {
	.name = "update",
	.summary = "change where a nonpersistent device begins, by writing",
	.text = {
		"begin: what is written stays, at once or from the next opening",
		"on; end: the device begins there from now on; cancel: the next",
		"opening goes back.",
	},
	.args = { { "begin|end|cancel", WORD_OTHER, false, false }, ARG_NAME },
	.options = update_options,
	.run = cmd_update,
}, {
	.name = "drop",
	.summary = "give up an epoch and the space only it needs",
	.args = { ARG_NAME, ARG_EPOCH },
	.options = no_options,
	.run = cmd_drop,
}, {
	.name = "extend",
	.summary = "use what the delta device has grown by",
	.text = {
		"The delta device is enlarged first, with what made it:",
		"lvextend, losetup -c, a larger partition. Works in use, and",
		"when there is no space left. Exit status 0 also when it had",
		"not grown.",
	},
	.args = { ARG_NAME },
	.options = no_options,
	.run = cmd_extend,
}, {
	.name = "monitor",
	.summary = "print what happens to devices, as it happens",
	.text = {
		"A line for each event, with --json an object a line. Without a",
		"name: all deltarec devices, those that appear later, too. The",
		"program of --exec has what is known of the event in variables",
		"DMDELTA_EVENT, DMDELTA_DEVICE and so on; the next event waits for",
		"its end. Exit status 4: --timeout came before --count.",
	},
	.args = { { "name", WORD_NAME, true, true } },
	.options = monitor_options,
	.run = cmd_monitor,
}, {
	.name = "commit",
	.summary = "make the origin what an epoch is, while the device is in use",
	.text = {
		"Copies what the epoch shows to the origin and frees its space",
		"on the delta. The epochs below it on its branch go; branches,",
		"views and later epochs keep what they show. Not past an epoch",
		"that is pinned, named or suspect. It cannot be undone. Goes on",
		"in the background when interrupted, and after a crash. See also",
		"lag= of 'dmdelta retain'.",
	},
	.args = { ARG_NAME, { "epoch", WORD_EPOCH, true, false } },
	.options = commit_options,
	.run = cmd_commit,
}, {
	.name = "check",
	.summary = "verify a delta device that is not open; read-only",
	.text = {
		"Exit status 0: sound; 4: damaged.",
	},
	.args = { ARG_DELTA },
	.options = no_options,
	.run = cmd_check,
}, {
	.name = "dump",
	.summary = "print the metadata of a delta device",
	.args = { ARG_DELTA },
	.options = no_options,
	.run = cmd_dump,
}, {
	.name = "completion",
	.summary = "print a completion script for a shell (bash)",
	.args = { { "shell", WORD_SHELL, false, false } },
	.options = no_options,
	.run = cmd_completion,
}, {
	.name = "help",
	.summary = "show help, of one command if named",
	.args = { { "command", WORD_COMMAND, true, false } },
	.options = no_options,
	.run = cmd_help,
}, {
	.name = "version",
	.summary = "show the versions of tool, library and target",
	.options = no_options,
	.run = cmd_version,
},
	END
};

const struct cmd *cmd_find(const char *name)
{
	const struct cmd *cmd;

	for (cmd = commands; cmd->name; cmd++)
		if (!strcmp(cmd->name, name))
			return cmd;
	return NULL;
}

const struct cmd_option *cmd_find_option(const struct cmd_option *options,
					 const char *name)
{
	for (; options->name; options++)
		if (!strcmp(options->name, name))
			return options;
	return NULL;
}

const struct cmd_option *cmd_find_letter(const struct cmd_option *options,
					 char letter)
{
	for (; letter && options->name; options++)
		if (options->letter == letter)
			return options;
	return NULL;
}

const char *cmd_option_text(const struct cmd_option *o, char *buf, size_t size)
{
	if (!o->arg)
		snprintf(buf, size, "--%s", o->name);
	else
		snprintf(buf, size, o->maybe ? "--%s[=<%s>]" : "--%s <%s>",
			 o->name, o->arg);
	return buf;
}

const char *cmd_synopsis(const struct cmd *cmd, char *buf, size_t size)
{
	const struct cmd_option *o;
	const struct cmd_arg *a;
	FILE *f = fmemopen(buf, size, "w");
	char text[48];

	if (!f)
		return "";
	fputs(cmd->name, f);
	for (o = cmd->options; o->name; o++) {
		fputs(o->required ? " " : " [", f);
		fputs(cmd_option_text(o, text, sizeof(text)), f);
		if (!o->required)
			fputs("]", f);
		if (o->many)
			fputs("...", f);
	}
	for (a = cmd->args; a < cmd->args + CMD_MAX_ARGS && a->name; a++)
		fprintf(f, a->optional ? " [<%s>%s]" : " <%s>%s", a->name,
			a->many ? "..." : "");
	fclose(f);
	return buf;
}
