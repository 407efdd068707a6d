// SPDX-License-Identifier: GPL-2.0
/*
 * note.c - see note.h.
 */
#include "note.h"

#define NOTE_BATCH	1024u	/* pieces in one update of the tree */

static struct dr_key note_key(u32 epoch, u32 kind, u32 index)
{
	return (struct dr_key){ epoch, (u64)kind << 32 | index };
}

static u32 nr_pieces(u32 len)
{
	return (len + DR_NOTE_CHUNK - 1) / DR_NOTE_CHUNK;
}

/*
 * Nodes that a note of this length may take before what it replaces is free:
 * leaves filled as the builder does, what is above them, and the paths to them
 * and to the epoch's record.
 */
static u64 note_cost(u32 len)
{
	u32 leaves = nr_pieces(len) / (dr_node_max(&dr_tree_notes, 0)) + 2;

	return leaves + leaves / (dr_node_max(&dr_tree_notes, 1) / 2) +
	       2 * DR_MAX_LEVEL;
}

int dr_note_may(const struct dr_store *st, u32 epoch, u32 len)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	u64 keep = st->space.reserve, free;

	if (!e || e->gone || e->state == DR_EPOCH_DROPPED)
		return -ENOENT;
	if (e->state == DR_EPOCH_HEAD)
		return -EBUSY;
	if (len > DR_NOTE_MAX)
		return -EFBIG;
	/* What has no room can still be made shorter, or go. */
	if (!len)
		return 0;
	/* A recovery on a full device has its recipe with it. */
	if (e->state == DR_EPOCH_BUILDING)
		keep /= 2;
	st->env.lock(st->env.ctx);
	free = st->space.free;
	st->env.unlock(st->env.ctx);
	return free < keep + note_cost(len) ? -ENOSPC : 0;
}

/* --- writing ------------------------------------------------------------- */

static int apply(struct dr_store *st, struct dr_batch *b)
{
	int r = dr_tree_apply(&st->txn, &st->new_notes, b);

	b->nr = 0;
	dr_txn_settle(&st->txn);
	return r;
}

static int add(struct dr_store *st, struct dr_batch *b,
	       const struct dr_disk_note *d, bool del)
{
	memcpy(dr_batch_at(b, b->nr), d, sizeof(*d));
	b->del[b->nr++] = del;
	return b->nr == b->max ? apply(st, b) : 0;
}

/* Delete the pieces with keys from @from to @to, @to not included */
static int delete(struct dr_store *st, struct dr_batch *b, struct dr_key from,
		  struct dr_key to)
{
	struct dr_cursor c;
	const void *entry;
	int r;

	/* The durable tree: nothing is deleted that this transaction made. */
	r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_notes, &st->notes);
	if (!r)
		r = dr_cursor_ge(&c, from, &entry);
	while (r == 1 && dr_key_cmp(dr_tree_notes.key(entry), to) < 0) {
		r = add(st, b, entry, true);
		if (!r)
			r = dr_cursor_next(&c, &entry);
	}
	dr_cursor_exit(&c);
	return r < 0 ? r : 0;
}

static int put(struct dr_store *st, u32 epoch, u32 kind, const u8 *data,
	       u32 len)
{
	u32 nr = nr_pieces(len), i, n;
	struct dr_disk_note d;
	struct dr_batch b;
	int r;

	r = dr_batch_init(&b, &st->env, &dr_tree_notes, NOTE_BATCH);
	for (i = 0; !r && i < nr; i++) {
		n = min_t(u32, len - i * DR_NOTE_CHUNK, DR_NOTE_CHUNK);
		memset(&d, 0, sizeof(d));
		d.epoch = cpu_to_le32(epoch);
		d.kind = cpu_to_le16(kind);
		d.len = cpu_to_le16(n);
		d.index = cpu_to_le32(i);
		memcpy(d.data, data + i * DR_NOTE_CHUNK, n);
		r = add(st, &b, &d, false);
	}
	/* What an older one has beyond */
	if (!r)
		r = delete(st, &b, note_key(epoch, kind, nr),
			   note_key(epoch, kind + 1, 0));
	if (!r)
		r = apply(st, &b);
	dr_batch_exit(&b, &st->env);
	return r;
}

int dr_note_forget(struct dr_store *st, u32 epoch)
{
	struct dr_batch b;
	int r;

	if (!st->new_notes.block)
		return 0;
	r = dr_batch_init(&b, &st->env, &dr_tree_notes, NOTE_BATCH);
	if (!r)
		r = delete(st, &b, note_key(epoch, 0, 0),
			   (struct dr_key){ (u64)epoch + 1, 0 });
	if (!r)
		r = apply(st, &b);
	dr_batch_exit(&b, &st->env);
	return r;
}

int dr_reads_set(struct dr_store *st, u32 epoch, const void *bits)
{
	int r;

	dr_store_begin(st);
	r = put(st, epoch, DR_NOTE_READS, bits, DR_READS_BYTES);
	if (!r)
		r = dr_store_commit(st, false);
	if (r)
		dr_store_abort(st);
	return r;
}

int dr_note_set(struct dr_store *st, u32 epoch, const void *data, u32 len)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	u32 before = e->note_bytes;
	int r;

	dr_store_begin(st);
	r = put(st, epoch, DR_NOTE_TEXT, data, len);
	if (!r) {
		WRITE_ONCE(e->note_bytes, len);
		e->dirty = true;
		r = dr_store_commit(st, false);
	}
	if (r) {
		WRITE_ONCE(e->note_bytes, before);
		dr_store_abort(st);
	}
	return r;
}

/* --- reading ------------------------------------------------------------- */

static int get(struct dr_store *st, u32 epoch, u32 kind, u32 offset, u8 *buf,
	       u32 len)
{
	struct dr_key key = note_key(epoch, kind, offset / DR_NOTE_CHUNK);
	u32 skip = offset % DR_NOTE_CHUNK, done = 0, n;
	const struct dr_disk_note *d;
	struct dr_cursor c;
	const void *entry;
	int r;

	r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_notes, &st->notes);
	if (!r)
		r = dr_cursor_ge(&c, key, &entry);
	while (r == 1 && done < len) {
		d = entry;
		n = le16_to_cpu(d->len);
		/* A piece is missing, or is too short. */
		if (dr_key_cmp(dr_tree_notes.key(d), key) || n <= skip ||
		    n > DR_NOTE_CHUNK)
			break;
		n = min(n - skip, len - done);
		memcpy(buf + done, d->data + skip, n);
		done += n;
		skip = 0;
		key.lo++;
		r = dr_cursor_next(&c, &entry);
	}
	dr_cursor_exit(&c);
	if (r >= 0 && done < len)
		r = -EUCLEAN;
	return r < 0 ? r : 0;
}

int dr_note_get(struct dr_store *st, u32 epoch, u32 offset, void *buf, u32 max,
		u32 *total)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	u32 n;
	int r;

	if (epoch && (!e || (e->state != DR_EPOCH_SEALED &&
			     e->state != DR_EPOCH_HEAD)))
		return -ENOENT;
	if (!e || !e->note_bytes)
		return -ENODATA;
	if (offset >= e->note_bytes)
		return -ERANGE;
	*total = e->note_bytes;
	n = min(max, e->note_bytes - offset);
	r = get(st, epoch, DR_NOTE_TEXT, offset, buf, n);
	return r ? r : (int)n;
}

u32 dr_reads_shift(const struct dr_store *st)
{
	u32 shift = 0;

	while ((st->origin_sectors - 1) >> shift >= DR_READS_BITS)
		shift++;
	return shift;
}

int dr_reads_get(struct dr_store *st, u32 epoch, void *bits)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	struct dr_key key = note_key(epoch, DR_NOTE_READS, 0);
	struct dr_cursor c;
	const void *entry;
	int r;

	if (epoch && (!e || e->state == DR_EPOCH_DROPPED))
		return -ENOENT;
	r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_notes, &st->notes);
	if (!r)
		r = dr_cursor_ge(&c, key, &entry);
	if (r == 1)
		r = !dr_key_cmp(dr_tree_notes.key(entry), key);
	dr_cursor_exit(&c);
	if (r <= 0)
		return r ? r : -ENODATA;
	return get(st, epoch, DR_NOTE_READS, 0, bits, DR_READS_BYTES);
}
