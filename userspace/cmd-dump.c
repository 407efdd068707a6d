// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-dump.c - print the metadata of a delta device as of its superblock;
 * what only the journal holds yet is not part of it.
 */
#include <stdio.h>

#include "cli.h"
#include "commands.h"
#include "delta.h"
#include "output.h"

#define MEM_ENTRIES	1024u	/* nothing will be written: the least will do */

static const struct out_column super_columns[] = {
	{ "uuid", "uuid", OUT_TEXT, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
	{ "version", "format version", OUT_NUMBER, OUT_BOTH },
	{ "compat", "compat features", OUT_NUMBER, OUT_BOTH },
	{ "ro_compat", "ro_compat features", OUT_NUMBER, OUT_BOTH },
	{ "incompat", "incompat features", OUT_NUMBER, OUT_BOTH },
	{ "generation", "generation", OUT_NUMBER, OUT_BOTH },
	{ "created", "created", OUT_TIME, OUT_BOTH },
	{ "block_bytes", "block size", OUT_BYTES, OUT_BOTH },
	{ "origin_sectors", "origin sectors", OUT_NUMBER, OUT_BOTH },
	{ "origin_identity", "origin identity", OUT_TEXT, OUT_BOTH },
	{ "total_blocks", "blocks (4 KiB)", OUT_NUMBER, OUT_BOTH },
	{ "journal_blocks", "journal blocks", OUT_NUMBER, OUT_BOTH },
	{ "reserve_blocks", "reserve blocks", OUT_NUMBER, OUT_BOTH },
	{ "journal_session", "journal session", OUT_NUMBER, OUT_BOTH },
	{ "journal_tail", "journal tail", OUT_NUMBER, OUT_BOTH },
	{ "head", "head", OUT_NUMBER, OUT_BOTH },
	{ "next_epoch", "next epoch", OUT_NUMBER, OUT_BOTH },
	{ "nr_epochs", "epochs", OUT_NUMBER, OUT_BOTH },
	{ "map_root", "map root block", OUT_NUMBER, OUT_BOTH },
	{ "nr_map_entries", "map entries", OUT_NUMBER, OUT_BOTH },
	{ "index_root", "index root block", OUT_NUMBER, OUT_BOTH },
	{ "nr_index_entries", "index entries", OUT_NUMBER, OUT_BOTH },
	{ "epoch_root", "epoch root block", OUT_NUMBER, OUT_BOTH },
	{ "notes_root", "notes root block", OUT_NUMBER, OUT_BOTH },
	{ "nr_notes_entries", "notes entries", OUT_NUMBER, OUT_BOTH },
	{ "start_epoch", "start", OUT_NUMBER, OUT_BOTH },
	{ "start_flags", "flags of the start", OUT_NUMBER, OUT_BOTH },
	{ "discard_since", "discard since", OUT_NUMBER, OUT_BOTH },
	{ "session_epoch", "session since", OUT_NUMBER, OUT_BOTH },
};

static const struct out_column epoch_columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "parent", "parent", OUT_NUMBER, OUT_BOTH },
	{ "state", "state", OUT_TEXT, OUT_BOTH },
	{ "how", "how", OUT_TEXT, OUT_BOTH },
	{ "prev", "prev", OUT_NUMBER, OUT_BOTH },
	{ "time", "time", OUT_TIME, OUT_BOTH },
	{ "nr_blocks", "blocks", OUT_NUMBER, OUT_BOTH },
	{ "frozen", "frozen", OUT_BOOL, OUT_BOTH },
	{ "note_bytes", "note", OUT_NUMBER, OUT_BOTH },
	{ "label", "label", OUT_TEXT, OUT_BOTH },
};

static const struct out_column map_columns[] = {
	{ "block", "block", OUT_NUMBER, OUT_BOTH },
	{ "nr_blocks", "blocks", OUT_NUMBER, OUT_BOTH },
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "where", "where", OUT_TEXT, OUT_BOTH },
	{ "slot", "slot", OUT_NUMBER, OUT_BOTH },
	{ "merged", "merged", OUT_BOOL, OUT_BOTH },
};

static const struct out_column index_columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "block", "block", OUT_NUMBER, OUT_BOTH },
	{ "nr_blocks", "blocks", OUT_NUMBER, OUT_BOTH },
};

static const struct out_column notes_columns[] = {
	{ "epoch", "epoch", OUT_NUMBER, OUT_BOTH },
	{ "kind", "kind", OUT_NUMBER, OUT_BOTH },
	{ "index", "index", OUT_NUMBER, OUT_BOTH },
	{ "bytes", "bytes", OUT_NUMBER, OUT_BOTH },
	{ "data", "data", OUT_TEXT, OUT_BOTH },
};

static const char *state_word(u8 state)
{
	static const char *const words[] = {
		[DR_EPOCH_HEAD] = DR_STATE_HEAD,
		[DR_EPOCH_SEALED] = DR_STATE_SEALED,
		[DR_EPOCH_DROPPED] = DR_STATE_DROPPED,
		[DR_EPOCH_BUILDING] = DR_STATE_BUILDING,
	};

	return state < ARRAY_SIZE(words) ? words[state] : NULL;
}

static const char *how_word(u8 how)
{
	static const char *const words[] = {
		[DR_MADE_BY_FORMAT] = DR_HOW_FORMAT,
		[DR_MADE_BY_CHECKPOINT] = DR_HOW_CHECKPOINT,
		[DR_MADE_BY_ROLLBACK] = DR_HOW_ROLLBACK,
		[DR_MADE_BY_REPLAY] = DR_HOW_REPLAY,
	};

	return how < ARRAY_SIZE(words) ? words[how] : NULL;
}

static void dump_super(const struct dr_disk_super *sb)
{
	char uuid[DELTA_UUID_TEXT], label[sizeof(sb->label) + 1];
	char identity[sizeof(sb->origin_id) + 1];

	snprintf(label, sizeof(label), "%.*s", (int)sizeof(sb->label),
		 sb->label);
	snprintf(identity, sizeof(identity), "%.*s",
		 (int)sizeof(sb->origin_id), sb->origin_id);
	out_record(super_columns, ARRAY_SIZE(super_columns),
		   (struct out_value[]){
		out_text(delta_uuid(sb->head.uuid, uuid)),
		out_text(label[0] ? label : NULL),
		out_number(le32_to_cpu(sb->version)),
		out_number(le64_to_cpu(sb->compat)),
		out_number(le64_to_cpu(sb->ro_compat)),
		out_number(le64_to_cpu(sb->incompat)),
		out_number(le64_to_cpu(sb->head.gen)),
		out_number(le64_to_cpu(sb->created)),
		out_number((u64)le32_to_cpu(sb->slot_blocks) * DR_BLOCK_SIZE),
		out_number(le64_to_cpu(sb->origin_sectors)),
		out_text(identity[0] ? identity : NULL),
		out_number(le64_to_cpu(sb->nr_blocks)),
		out_number(le32_to_cpu(sb->journal_blocks)),
		out_number(le32_to_cpu(sb->reserve)),
		out_number(le64_to_cpu(sb->session)),
		out_number(le64_to_cpu(sb->tail_seq)),
		out_number(le32_to_cpu(sb->head_epoch)),
		out_number(le32_to_cpu(sb->next_epoch)),
		out_number(le32_to_cpu(sb->nr_epochs)),
		out_number(le64_to_cpu(sb->map.block)),
		out_number(le64_to_cpu(sb->map.nr)),
		out_number(le64_to_cpu(sb->index.block)),
		out_number(le64_to_cpu(sb->index.nr)),
		out_number(le64_to_cpu(sb->epochs.block)),
		out_number(le64_to_cpu(sb->notes.block)),
		out_number(le64_to_cpu(sb->notes.nr)),
		out_number(le32_to_cpu(sb->start.epoch)),
		out_number(le32_to_cpu(sb->start.flags)),
		out_number(le32_to_cpu(sb->start.since)),
		out_number(le32_to_cpu(sb->start.session)) });
}

static void dump_epochs(const struct dr_store *st)
{
	const struct dr_epoch *e;
	u32 i;

	out_say("%s", "");
	out_table("epochs", epoch_columns, ARRAY_SIZE(epoch_columns));
	for (i = 0; i < st->epochs.nr; i++) {
		e = &st->epochs.e[i];
		out_row((struct out_value[]){
			out_number(e->id), out_number(e->parent),
			out_text(state_word(e->state)),
			out_text(how_word(e->how)),
			out_maybe(e->prev, e->prev), out_number(e->time),
			out_number(e->nr_blocks),
			out_number(e->flags & DR_EPOCH_FROZEN),
			out_number(e->note_bytes),
			out_text(e->label[0] ? e->label : NULL) });
	}
	out_table_end();
}

static void map_row(const void *entry)
{
	struct dr_map m;

	dr_map_decode(&m, entry);
	out_row((struct out_value[]){
		out_number(m.block), out_number(m.len), out_number(m.epoch),
		out_text(m.slot == DR_SLOT_ZERO ? "zero" :
			 m.slot == DR_SLOT_ORIGIN ? "origin" : "data"),
		out_maybe(dr_slot_is_data(m.slot), m.slot),
		out_number(m.flags & DR_MAP_MERGED) });
}

static void index_row(const void *entry)
{
	const struct dr_disk_extent *x = entry;

	out_row((struct out_value[]){
		out_number(le32_to_cpu(x->epoch)),
		out_number(le64_to_cpu(x->block)),
		out_number(le32_to_cpu(x->len)) });
}

static void notes_row(const void *entry)
{
	const struct dr_disk_note *d = entry;
	char data[DR_NOTE_CHUNK + 1];
	u32 i, n = le16_to_cpu(d->len);

	/* What is not plain text shows as dots. */
	for (i = 0; i < n; i++)
		data[i] = d->data[i] >= ' ' && d->data[i] < 127 ?
			  d->data[i] : '.';
	data[n] = '\0';
	out_row((struct out_value[]){
		out_number(le32_to_cpu(d->epoch)),
		out_number(le16_to_cpu(d->kind)),
		out_number(le32_to_cpu(d->index)), out_number(n),
		out_text(data) });
}

static int dump_tree(const struct dr_store *st, const struct dr_tree_type *t,
		     const struct dr_root *root, void (*row)(const void *))
{
	struct dr_cursor c;
	const void *entry;
	int ret;

	ret = dr_cursor_init(&c, &st->env, st->uuid, t, root);
	if (ret)
		return ret;
	ret = dr_cursor_ge(&c, (struct dr_key){ 0, 0 }, &entry);
	while (ret > 0 && !cancelled()) {
		row(entry);
		ret = dr_cursor_next(&c, &entry);
	}
	dr_cursor_exit(&c);
	return ret > 0 ? -EINTR : ret;
}

static int dump(struct delta *d, struct dr_store *st)
{
	int ret;

	dump_super(&st->sb);
	dump_epochs(st);
	out_say("%s", "");
	out_table("map", map_columns, ARRAY_SIZE(map_columns));
	ret = dump_tree(st, &dr_tree_map, &st->map, map_row);
	out_table_end();
	if (!ret) {
		out_say("%s", "");
		out_table("index", index_columns, ARRAY_SIZE(index_columns));
		ret = dump_tree(st, &dr_tree_index, &st->index, index_row);
		out_table_end();
	}
	if (!ret) {
		out_say("%s", "");
		out_table("notes", notes_columns, ARRAY_SIZE(notes_columns));
		ret = dump_tree(st, &dr_tree_notes, &st->notes, notes_row);
		out_table_end();
	}
	return ret ? delta_fail(d, "dump", ret) : DR_EXIT_OK;
}

int cmd_dump(const struct cmd_line *line)
{
	struct dr_store st = { 0 };
	struct dr_disk_super sb;
	struct delta d;
	int code, ret;

	code = delta_open(&d, line->argv[0], VOLUME_READ_EXCL);
	if (code)
		return code;
	code = delta_super(&d, &sb);
	if (!code) {
		st.env = d.env;
		ret = dr_store_open(&st, d.nr_blocks, MEM_ENTRIES);
		if (ret) {
			/* Show at least what can be read. */
			dump_super(&sb);
			code = delta_fail(&d, "dump", ret);
		} else {
			code = dump(&d, &st);
			dr_store_close(&st);
		}
	}
	delta_close(&d);
	return code;
}
