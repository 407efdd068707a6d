/* SPDX-License-Identifier: GPL-2.0 */
/*
 * note.h - what is kept with an epoch beside its versions: a text of the
 * administrator's, such as the recipe of the replay that made it.
 *
 * A note lies in pieces in a tree of its own, keyed by (epoch, kind, index),
 * and is replaced as a whole by one commit that also writes its length into
 * the epoch's record (N1-N4 in Documentation/deltarec-design.rst).
 */
#ifndef DR_NOTE_H
#define DR_NOTE_H

#include "store.h"

/**
 * dr_note_may() - may this epoch get a note of @len bytes now?
 *
 * A sealed epoch may, and that of the open replay. What the note takes must
 * leave the reserve as it is; that of a replay may have half of it.
 * Context: takes env->lock; the epoch table stays as it is.
 * Return: 0; -ENOENT no such epoch, or dropped; -EBUSY the head; -EFBIG;
 * -ENOSPC.
 */
int dr_note_may(const struct dr_store *st, u32 epoch, u32 len);

/**
 * dr_note_set() - replace the note of an epoch; one commit
 * @data: @len bytes; none: the note goes
 * Context: may sleep; serialized with dr_merge_step() and the like; the epoch
 * table stays as it is. After a commit the embedder publishes, waits for
 * readers and calls dr_store_release(st, false).
 * Return: 0 committed. -ENOSPC and -ENOMEM: nothing has changed. Any other
 * error: the store may only be read.
 */
int dr_note_set(struct dr_store *st, u32 epoch, const void *data, u32 len);

/**
 * dr_note_get() - read a part of the note of a sealed epoch
 * @offset: below the length of the note
 * @total: length of the note
 * Context: may sleep; nothing is committed meanwhile.
 * Return: bytes read, at most @max; -ENOENT no such epoch; -ENODATA it has no
 * note; -ERANGE @offset; -EUCLEAN; what I/O returned.
 */
int dr_note_get(struct dr_store *st, u32 epoch, u32 offset, void *buf, u32 max,
		u32 *total);

/*
 * The same for the map of what was read while an epoch was the head:
 * DR_READS_BYTES of bits, which dr_reads_shift() explains. Only the head's
 * former self has one, so it is kept for a sealed epoch alone.
 */
int dr_reads_set(struct dr_store *st, u32 epoch, const void *bits);
/* -ENOENT no such epoch, -ENODATA nothing is known */
int dr_reads_get(struct dr_store *st, u32 epoch, void *bits);
/* Sectors to bits */
u32 dr_reads_shift(const struct dr_store *st);

/* Within a transaction: delete all that is kept with an epoch. Sleeps. */
int dr_note_forget(struct dr_store *st, u32 epoch);

#endif
