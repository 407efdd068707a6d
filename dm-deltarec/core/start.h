/* SPDX-License-Identifier: GPL-2.0 */
/*
 * start.h - what an activation does with what was written before (B1-B8).
 *
 * A nonpersistent device begins at its start epoch each time, but while an
 * update of it is under way. An undoable one begins a session, which goes on
 * until the administrator has said what becomes of it. What is decided while
 * the device is in use is a commit of a few words in the superblock; what
 * follows from it is done by the commit that ends the next activation.
 */
#ifndef DR_START_H
#define DR_START_H

#include "retain.h"

enum dr_start_mode {
	DR_START_ORDINARY,
	DR_START_KEEP,		/* nonpersistent; what was written is a branch */
	DR_START_DISCARD,	/* nonpersistent; what was written is dropped */
	DR_START_UNDOABLE,
};

/* dr_disk_start in memory */
struct dr_start {
	u32 epoch;
	u32 flags;
	u32 since;
	u32 session;
};

void dr_start_decode(struct dr_start *s, const struct dr_disk_start *d);
void dr_start_get(const struct dr_store *st, struct dr_start *s);
/* Is there anything that somebody has to know who opens it? */
bool dr_start_used(const struct dr_store *st);
/* When the table has been read. Return: NULL, or what is wrong */
const char *dr_start_load(struct dr_store *st);

/*
 * Would an activation in this mode do anything with what was written before?
 * Then a store that is activated already cannot be opened so (B2).
 */
bool dr_start_due(const struct dr_start *s, u8 mode);

/* Would one in this mode pass over a session that is open (B8)? */
bool dr_start_passes_over(const struct dr_start *s, u8 mode);

/*
 * At activation: everything is merged, and the transaction that ends it has
 * begun. Return: 0; -EBUSY: a session is open, and may not be passed over;
 * -EUSERS: no more epochs; -ENOMEM; -EUCLEAN.
 */
int dr_start_begin(struct dr_store *st);

/*
 * Each of these is one commit. Context and return value: as of dr_mark();
 * -ENXIO: there is no update, or no session.
 */

/* Begin at @epoch. -ENOENT; -EBUSY: the head; -EALREADY: an update goes on */
int dr_start_set(struct dr_store *st, u32 epoch);
/*
 * An update is wanted; it is under way if nothing was written yet. Doing it
 * again changes nothing. -EOPNOTSUPP: the device is not nonpersistent.
 */
int dr_update_begin(struct dr_store *st);
int dr_update_cancel(struct dr_store *st);
/* May it end under this label ("": none)? -EEXIST: it is taken */
int dr_update_may_end(const struct dr_store *st, const char *label);
/* It ends with @epoch, which was sealed for it: begin there from now on */
int dr_update_end(struct dr_store *st, u32 epoch, const char *label);
/* What becomes of the session: DR_START_SESSION_*, or 0 not decided yet */
int dr_session_answer(struct dr_store *st, u32 answer);
/* It is over now, and kept; nothing goes back to where it began. */
int dr_session_end(struct dr_store *st);

#endif
