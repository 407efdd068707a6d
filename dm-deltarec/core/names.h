/* SPDX-License-Identifier: GPL-2.0 */
/*
 * names.h - every word that module, tool and scripts have to agree on.
 *
 * Message words, status words and limits are defined here and nowhere else;
 * Documentation/deltarec.rst explains them to the administrator.
 */
#ifndef DR_NAMES_H
#define DR_NAMES_H

#define DR_TARGET_NAME		"deltarec"

/*
 * Table of a view: <deltarec dev> <epoch> [<#rules> <rule>*], a rule being
 * <start> <sectors> <from> <to> keep_later|drop_later
 */
#define DR_VIEW_TARGET_NAME	"deltarec-view"

/* Table: <origin> <delta> [<#features> <feature>*] */
#define DR_FEAT_CACHE_MB	"cache_mb"
#define DR_FEAT_ERROR_IF_FULL	"error_if_full"
#define DR_FEAT_QUEUE_IF_FULL	"queue_if_full"
#define DR_FEAT_RECLAIM_IF_FULL	"reclaim_if_full"
#define DR_FEAT_QUEUE_SECONDS	"queue_seconds"
#define DR_FEAT_DISCARD_PASSDOWN "discard_passdown"
#define DR_FEAT_TRACK_READS	"track_reads"
#define DR_QUEUE_SECONDS_MAX	86400u
#define DR_FEAT_NONPERSISTENT	"nonpersistent"	/* keep|discard */
#define DR_FEAT_UNDOABLE	"undoable"
#define DR_CACHE_MB_DEFAULT	64u
#define DR_CACHE_MB_MIN		4u
#define DR_CACHE_MB_MAX		16384u

/* Messages; the words after the first are arguments */
#define DR_MSG_CHECKPOINT	"checkpoint"	/* [<label>|- [frozen]] */
#define DR_MSG_ROLLBACK		"rollback"	/* <epoch> */
#define DR_MSG_REPLAY		"replay"	/* begin|rule|count|commit|abort */
#define DR_MSG_DIFF		"diff"		/* <from> <to> <cursor sector> */
#define DR_MSG_EPOCHS		"epochs"	/* <cursor epoch> */
#define DR_MSG_DROP		"drop"		/* <epoch> */
#define DR_MSG_NOTE		"note"		/* begin|add|end|get */
#define DR_MSG_READS		"reads"		/* <epoch> <cursor sector> */
#define DR_MSG_MARK		"mark"		/* <epoch> <word of these:> */
#define DR_MSG_POLICY		"policy"	/* get|set [<word>*] */
#define DR_MSG_COMMIT		"commit"	/* <epoch> [try]|stop */
#define DR_MSG_START		"start"		/* <epoch> */
/* begin|cancel, end [<label>|- [frozen]] */
#define DR_MSG_UPDATE		"update"
#define DR_MSG_SESSION		"session"	/* keep|discard|ask */

#define DR_WORD_KEEP		"keep"
#define DR_WORD_DISCARD		"discard"
#define DR_WORD_ASK		"ask"
#define DR_WORD_CANCEL		"cancel"
#define DR_WORD_WANTED		"wanted"	/* an update is */
#define DR_WORD_UPDATING	"updating"

#define DR_WORD_PINNED		"pinned"
#define DR_WORD_UNPINNED	"unpinned"
#define DR_WORD_SUSPECT		"suspect"
#define DR_WORD_GOOD		"good"
#define DR_WORD_LOOSE		"loose"		/* as a mark: named, unpinned */
#define DR_WORD_SET		"set"
#define DR_WORD_TRY		"try"
#define DR_WORD_ENDED		"ended"		/* try, as if the session had */
#define DR_WORD_STOP		"stop"

/* What a commit does, in the status line */
#define DR_COMMIT_RUNNING	"running"
#define DR_COMMIT_STOPPED	"stopped"	/* by message */
#define DR_COMMIT_WAITING	"waiting"	/* room, the origin, a replay */

/* A policy: <key>=<number>, separated by spaces */
#define DR_POLICY_NEWEST	"newest"
#define DR_POLICY_MINUTELY	"minutely"
#define DR_POLICY_HOURLY	"hourly"
#define DR_POLICY_DAILY		"daily"
#define DR_POLICY_WEEKLY	"weekly"
#define DR_POLICY_MONTHLY	"monthly"
#define DR_POLICY_AROUND	"around"	/* suspect ones */
#define DR_POLICY_EVERY		"every"		/* checkpoint: time, or */
#define DR_POLICY_WRITTEN	"written"	/* what was written */
#define DR_POLICY_LAG		"lag"		/* commit: what is older */
#define DR_POLICY_LOW		"low"		/* events: percent free */
#define DR_POLICY_CRITICAL	"critical"

#define DR_WORD_BEGIN		"begin"
#define DR_WORD_RULE		"rule"
#define DR_WORD_COUNT		"count"
#define DR_WORD_COMMIT		"commit"
#define DR_WORD_ABORT		"abort"
#define DR_WORD_ADD		"add"
#define DR_WORD_END		"end"
#define DR_WORD_GET		"get"
#define DR_WORD_KEEP_LATER	"keep_later"
#define DR_WORD_DROP_LATER	"drop_later"
#define DR_WORD_FROZEN		"frozen"
#define DR_WORD_NONE		"-"		/* absent value, end of a listing */

/* How an epoch came to be; the 7th word of an epochs line */
#define DR_HOW_FORMAT		"format"
#define DR_HOW_CHECKPOINT	"checkpoint"
#define DR_HOW_ROLLBACK		"rollback"
#define DR_HOW_REPLAY		"replay"
#define DR_HOW_COMMIT		"commit"	/* the base, its 8th being which */

/* States of an epoch; the 3rd word of an epochs line */
#define DR_STATE_HEAD		"head"
#define DR_STATE_SEALED		"sealed"
#define DR_STATE_DROPPED	"dropped"
#define DR_STATE_BUILDING	"building"

/* Consistency of a sealed epoch; the 9th word of an epochs line */
#define DR_SEAL_FROZEN		"frozen"
#define DR_SEAL_CRASH		"crash"

/* Modes and fullness, 1st and 7th word of the status line */
#define DR_MODE_RW		"rw"
#define DR_MODE_RO		"ro"
#define DR_MODE_FAIL		"Fail"
#define DR_SPACE_OK		"ok"
#define DR_SPACE_LOW		"low"
#define DR_SPACE_CRITICAL	"critical"
#define DR_SPACE_FULL		"full"

/* Before a view's device: it is meant as a delta, and nothing else */
#define DR_PREFIX_DELTA		"delta:"

/* Limits */
#define DR_LABEL_MAX		47u		/* bytes, without the NUL */
#define DR_MAX_EPOCHS		1048576u	/* entries in the epoch table */
/* Without a suffix: messages have them as text. */
#define DR_MAX_RULES		65536		/* rules of one replay or view, */
#define DR_MAX_KINDS		256		/* of so many <from> <to> <later> */
#define DR_REPLAY_GAP		4096u		/* epochs opened during a replay */
#define DR_POLICY_MAX		255u		/* bytes, without the NUL */
#define DR_NOTE_MAX		1048576u	/* bytes of an epoch's note */
#define DR_BASE_EPOCH		0u
#define DR_LAST_EPOCH		(~0u - DR_REPLAY_GAP)	/* highest number */

#endif
