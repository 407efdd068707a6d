// SPDX-License-Identifier: GPL-2.0
/*
 * note-test.c - notes of epochs: set, read, replace, lose; across crashes and
 * with damage.
 */
#include "mem-env.h"
#include "note.h"

static struct mem_store s;

static void begin(void)
{
	mem_store_init(&s, 1, 200, 32000);
}

static void end(void)
{
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_exit(&s);
}

/* Contents of a note that tell where one is taken for another */
static u8 *make(u32 len, u64 seed)
{
	u8 *data = malloc(len + 1);
	u32 i;

	assert_non_null(data);
	seed = seed * 2 + 1;
	for (i = 0; i < len; i++)
		data[i] = mem_random(&seed) >> 40;
	return data;
}

static int set(u32 epoch, u32 len, u64 seed)
{
	u8 *data = make(len, seed);
	int r = dr_note_may(&s.st, epoch, len);

	if (!r)
		r = dr_note_set(&s.st, epoch, data, len);
	if (!r)
		dr_store_release(&s.st, false);
	free(data);
	return r;
}

/* Is it there, as a whole and in pieces of @step bytes? */
static bool has(u32 epoch, u32 len, u64 seed, u32 step)
{
	u8 *data = make(len, seed), *got = malloc(len + 1);
	u32 at = 0, total = 0;
	bool same;
	int r = 0;

	assert_non_null(got);
	while (at < len) {
		r = dr_note_get(&s.st, epoch, at, got + at, step, &total);
		if (r <= 0 || total != len)
			break;
		assert_true(r <= step && at + r <= len);
		at += r;
	}
	same = at == len && !memcmp(data, got, len) &&
	       dr_note_get(&s.st, epoch, len, got, 1, &total) == -ERANGE;
	free(data);
	free(got);
	return same;
}

static int gone(u32 epoch)
{
	u32 total;
	u8 byte;

	return dr_note_get(&s.st, epoch, 0, &byte, 1, &total);
}

static bool feature(void)
{
	return le64_to_cpu(mem_super(&s.m)->ro_compat) & DR_RO_COMPAT_NOTES;
}

static void test_set(void **state)
{
	static const u32 len[] = { 1, 111, 112, 113, 3472, 3473, 5000, 40000,
				   300, 1 };
	u64 free;
	u32 i;

	begin();
	assert_int_equal(mem_checkpoint(&s, "a"), 1);
	assert_int_equal(mem_checkpoint(&s, "b"), 2);
	mem_merge(&s);
	assert_int_equal(set(2, 0, 1), 0);
	assert_false(feature());
	free = s.st.space.free;
	for (i = 0; i < ARRAY_SIZE(len); i++) {
		assert_int_equal(set(1, len[i], i), 0);
		assert_int_equal(set(2, len[i] + 7, i + 50), 0);
		assert_true(has(1, len[i], i, 60000));
		assert_true(has(1, len[i], i, 77));
		assert_true(has(2, len[i] + 7, i + 50, 1000));
		assert_true(feature());
		if (i % 3 == 0) {
			mem_store_restart(&s);
			assert_true(has(1, len[i], i, 60000));
			assert_int_equal(mem_store_errors(&s), 0);
		}
	}
	assert_int_equal(set(1, 0, 0), 0);
	assert_int_equal(gone(1), -ENODATA);
	assert_true(has(2, 8, 59, 3));
	assert_int_equal(set(2, 0, 0), 0);
	assert_int_equal(gone(2), -ENODATA);
	/* As if there had never been one */
	assert_false(feature());
	assert_int_equal(s.st.space.free, free);
	end();
}

static u32 short_of_memory;

static int short_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	short_of_memory++;
	return -ENOMEM;
}

/* What has begun to be written is not undone by trying again. */
static void test_no_memory_while_committing(void **state)
{
	begin();
	mem_checkpoint(&s, "a");
	assert_int_equal(set(1, 5000, 1), 0);
	s.st.env.barrier = short_barrier;
	assert_int_equal(set(1, 4000, 2), -EIO);
	assert_int_equal(short_of_memory, 1);
	assert_true(has(1, 5000, 1, 60000));
	mem_store_restart(&s);
	assert_true(has(1, 5000, 1, 60000));
	end();
}

static void test_refused(void **state)
{
	u64 keep;

	begin();
	mem_checkpoint(&s, "a");
	mem_checkpoint(&s, "b");
	assert_int_equal(set(0, 10, 1), -ENOENT);
	assert_int_equal(set(3, 10, 1), -EBUSY);
	assert_int_equal(set(4, 10, 1), -ENOENT);
	assert_int_equal(set(1, DR_NOTE_MAX + 1, 1), -EFBIG);
	assert_int_equal(dr_note_may(&s.st, 1, ~0u), -EFBIG);
	assert_int_equal(gone(0), -ENODATA);
	assert_int_equal(gone(3), -ENODATA);
	assert_int_equal(gone(4), -ENOENT);
	assert_int_equal(set(1, 500, 1), 0);
	mem_drop(&s, 1);
	assert_int_equal(gone(1), -ENOENT);
	assert_int_equal(set(1, 10, 1), -ENOENT);
	/* Only the reserve is left, and a bit more */
	assert_int_equal(set(2, 500, 1), 0);
	keep = s.st.space.reserve;
	s.st.space.reserve = s.st.space.free - 60;
	assert_int_equal(set(2, 200000, 2), -ENOSPC);
	assert_int_equal(set(2, 2000, 2), 0);
	s.st.space.reserve = s.st.space.free + 1;
	assert_int_equal(set(2, 2000, 3), -ENOSPC);
	assert_true(has(2, 2000, 2, 60000));
	assert_int_equal(set(2, 0, 3), 0);
	s.st.space.reserve = keep;
	end();
}

static void test_large(void **state)
{
	u64 seed = 5;
	u32 i, at, total;
	u8 *data, buf[5000];

	begin();
	mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	assert_int_equal(set(1, DR_NOTE_MAX, 1), 0);
	assert_int_equal(set(2, DR_NOTE_MAX, 2), 0);
	assert_true(has(1, DR_NOTE_MAX, 1, 30000));
	assert_int_equal(set(1, DR_NOTE_MAX, 3), 0);
	mem_store_restart(&s);
	assert_true(has(1, DR_NOTE_MAX, 3, 30000));
	assert_true(has(2, DR_NOTE_MAX, 2, 30000));
	data = make(DR_NOTE_MAX, 2);
	for (i = 0; i < 200; i++) {
		at = mem_random(&seed) % (DR_NOTE_MAX - sizeof(buf));
		assert_int_equal(dr_note_get(&s.st, 2, at, buf, sizeof(buf),
					     &total), sizeof(buf));
		assert_memory_equal(buf, data + at, sizeof(buf));
	}
	free(data);
	end();
}

/* The cost that is promised beforehand is not exceeded */
static void test_cost(void **state)
{
	static const u32 len[] = { 1, 3472, 30000, 200000, DR_NOTE_MAX };
	u64 before;
	u32 i, cost;
	u8 *data;

	for (i = 0; i < ARRAY_SIZE(len); i++) {
		begin();
		mem_checkpoint(&s, "");
		assert_int_equal(set(1, len[i], 1), 0);
		before = s.st.space.free;
		for (cost = 0; cost < before; cost++) {
			s.st.space.reserve = before - cost;
			if (!dr_note_may(&s.st, 1, len[i]))
				break;
		}
		/* The old one is not free before the commit. */
		data = make(len[i], 3);
		assert_int_equal(dr_note_set(&s.st, 1, data, len[i]), 0);
		free(data);
		assert_true(before - s.st.space.free <= cost);
		dr_store_release(&s.st, false);
		end();
	}
}

/* A power cut at every write: the old note or the new one, never another */
static void test_crash(void **state)
{
	static const struct { u32 from, to; } step[] = {
		{ 0, 5000 }, { 5000, 9000 }, { 9000, 200 }, { 200, 0 },
	};
	u32 i, k, len, done;
	u8 *data;
	int r;

	for (i = 0; i < ARRAY_SIZE(step); i++) {
		for (k = 1, done = 0; !done; k++) {
			begin();
			mem_write(&s, 3, 20);
			mem_checkpoint(&s, "");
			mem_write(&s, 5, 30);
			mem_checkpoint(&s, "");
			mem_write(&s, 7, 30);
			mem_flush(&s);
			assert_int_equal(set(2, 700, 9), 0);
			if (step[i].from)
				assert_int_equal(set(1, step[i].from, 1), 0);
			data = make(step[i].to, 2);
			s.m.fail_write = k;
			r = dr_note_set(&s.st, 1, data, step[i].to);
			free(data);
			done = !r;
			s.m.fail_write = 0;
			mem_store_restart(&s);
			len = dr_epochs_find(&s.st.epochs, 1)->note_bytes;
			assert_true(len == step[i].from || len == step[i].to);
			if (!r)
				assert_int_equal(len, step[i].to);
			if (len)
				assert_true(has(1, len, 1 + (len == step[i].to),
						500));
			else
				assert_int_equal(gone(1), -ENODATA);
			assert_true(has(2, 700, 9, 60000));
			assert_int_equal(mem_slot(&s, 3, 200 - 1),
					 DR_SLOT_ORIGIN);
			end();
		}
		assert_true(k > 3);
	}
}

/* Without memory nothing changes, and nothing is lost */
static void test_memory(void **state)
{
	u32 k;
	int r;

	begin();
	mem_checkpoint(&s, "");
	assert_int_equal(set(1, 5000, 1), 0);
	for (k = 1;; k++) {
		u8 *data = make(9000, 2);

		mem_forget(&s.m);
		s.m.fail_alloc = k;
		r = dr_note_set(&s.st, 1, data, 9000);
		free(data);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		s.m.fail_alloc = 0;
		assert_true(has(1, 5000, 1, 60000));
		assert_int_equal(mem_store_errors(&s), 0);
	}
	s.m.fail_alloc = 0;
	assert_true(k > 3);
	dr_store_release(&s.st, false);
	assert_true(has(1, 9000, 2, 60000));
	end();
}

static void test_reclaim(void **state)
{
	u32 i;

	begin();
	for (i = 1; i < 12; i++) {
		mem_write(&s, i, 3);
		assert_int_equal(mem_checkpoint(&s, ""), i);
		assert_int_equal(set(i, i * 1000, i), 0);
	}
	/* Epoch 1 is needed by 2, as long as that is there. */
	mem_drop(&s, 1);
	mem_reclaim(&s);
	assert_non_null(dr_epochs_find(&s.st.epochs, 1));
	assert_int_equal(mem_store_errors(&s), 0);
	for (i = 2; i < 12; i++) {
		assert_true(has(i, i * 1000, i, 60000));
		if (i % 2) {
			mem_drop(&s, i);
			mem_write(&s, 1, 12);
		}
	}
	mem_reclaim(&s);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_restart(&s);
	for (i = 2; i < 12; i++) {
		if (i % 2)
			assert_int_equal(gone(i), -ENOENT);
		else
			assert_true(has(i, i * 1000, i, 60000));
	}
	for (i = 2; i < 12; i += 2)
		mem_drop(&s, i);
	mem_checkpoint(&s, "");
	mem_write(&s, 0, 50);
	mem_checkpoint(&s, "");
	mem_drop(&s, s.st.head - 2);
	mem_reclaim(&s);
	for (i = 1; i < 12; i++)
		assert_true(!dr_epochs_find(&s.st.epochs, i) ||
			    gone(i) == -ENOENT);
	end();
}

/* How a replay ends */
enum { COMMIT, ABORT, CUT };

static void replay(int how)
{
	u32 id;
	int r;

	begin();
	mem_write(&s, 0, 10);
	mem_checkpoint(&s, "");
	mem_write(&s, 5, 10);
	mem_checkpoint(&s, "");
	mem_merge(&s);
	id = dr_replay_begin(&s.st);
	assert_int_equal(set(id, 3000, 1), 0);
	assert_int_equal(gone(id), -ENOENT);
	assert_int_equal(set(id, 6000, 2), 0);
	assert_int_equal(mem_store_errors(&s), 0);
	if (how == COMMIT) {
		while ((r = dr_replay_commit(&s.st, 5)) == 1)
			dr_store_release(&s.st, false);
		assert_int_equal(r, 0);
		mem_flush(&s);
		dr_replay_end(&s.st);
		assert_true(has(id, 6000, 2, 60000));
		mem_store_restart(&s);
		assert_true(has(id, 6000, 2, 60000));
	} else if (how == ABORT) {
		assert_int_equal(dr_replay_abort(&s.st), 0);
		assert_int_equal(gone(id), -ENOENT);
		mem_flush(&s);
		mem_reclaim(&s);
	} else {
		mem_store_restart(&s);
		assert_int_equal(gone(id), -ENOENT);
		mem_reclaim(&s);
	}
	assert_int_equal(feature(), how == COMMIT);
	assert_int_equal(!dr_epochs_find(&s.st.epochs, id), how != COMMIT);
	end();
}

static void test_replay(void **state)
{
	replay(COMMIT);
	replay(ABORT);
	replay(CUT);
}

/* A recovery on a full device may take half of the reserve for its recipe. */
static void test_replay_full(void **state)
{
	u32 id;

	begin();
	mem_checkpoint(&s, "");
	mem_merge(&s);
	id = dr_replay_begin(&s.st);
	s.st.space.reserve = s.st.space.free;
	assert_int_equal(set(1, 100, 1), -ENOSPC);
	assert_int_equal(set(id, 100000, 1), 0);
	s.st.space.reserve = 2 * s.st.space.free;
	assert_int_equal(set(id, 100, 1), -ENOSPC);
	mem_store_exit(&s);
}

/* What a hostile or damaged delta may hold, with checksums that are right */
static void damage(void (*change)(struct dr_disk_note *piece), bool in_node)
{
	struct mem_meta *list;
	const struct mem_meta *leaf;
	struct dr_disk_node *n;
	u32 nr, total;
	u8 buf[8000];

	begin();
	mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	assert_int_equal(set(1, 2000, 1), 0);
	assert_int_equal(set(2, 500, 2), 0);
	mem_store_stop(&s);
	nr = mem_survey(&s.m, &list);
	leaf = mem_meta_find(list, nr, DR_TYPE_NODE, DR_TREE_NOTES, 0);
	n = mem_block(&s.m, leaf->block);
	/* 18 pieces of the first note, 5 of the second */
	assert_int_equal(le16_to_cpu(n->nr), 23);
	change((struct dr_disk_note *)n->data);
	mem_reseal(&s.m, list, nr);
	free(list);
	mem_forget(&s.m);
	assert_true(mem_store_errors(&s) > 0);
	mem_forget(&s.m);
	assert_int_equal(mem_store_start(&s), 0);
	if (in_node)
		assert_int_equal(dr_note_get(&s.st, 1, 0, buf, sizeof(buf),
					     &total), -EUCLEAN);
	mem_store_exit(&s);
}

static void no_length(struct dr_disk_note *d)
{
	d[3].len = 0;
}

static void too_long(struct dr_disk_note *d)
{
	d[3].len = cpu_to_le16(DR_NOTE_CHUNK + 1);
}

static void short_piece(struct dr_disk_note *d)
{
	d[3].len = cpu_to_le16(5);
}

static void gap(struct dr_disk_note *d)
{
	u32 i;

	for (i = 7; i < 18; i++)
		d[i].index = cpu_to_le32(i + 1);
}

static void no_beginning(struct dr_disk_note *d)
{
	u32 i;

	for (i = 0; i < 18; i++)
		d[i].index = cpu_to_le32(i + 1);
}

static void last_short(struct dr_disk_note *d)
{
	d[17].len = cpu_to_le16(2);
}

static void last_long(struct dr_disk_note *d)
{
	d[22].len = cpu_to_le16(100);
}

static void other_kind(struct dr_disk_note *d)
{
	u32 i;

	for (i = 18; i < 23; i++)
		d[i].kind = cpu_to_le16(77);
}

static void other_epoch(struct dr_disk_note *d)
{
	u32 i;

	for (i = 18; i < 23; i++)
		d[i].epoch = cpu_to_le32(99);
}

static void test_damage(void **state)
{
	damage(no_length, true);
	damage(too_long, true);
	damage(short_piece, true);
	damage(gap, true);
	damage(no_beginning, true);
	damage(last_short, true);
	damage(last_long, false);
	damage(other_kind, false);
	damage(other_epoch, false);
}

/* A note that a record names and no tree has; a device without the feature */
static void test_feature(void **state)
{
	struct dr_disk_super *sb;

	begin();
	mem_checkpoint(&s, "");
	assert_int_equal(set(1, 500, 2), 0);
	mem_store_stop(&s);
	sb = mem_super(&s.m);
	sb->ro_compat = 0;
	sb->head.crc = cpu_to_le32(dr_head_crc(sb));
	assert_true(mem_store_errors(&s) > 0);
	sb->ro_compat = cpu_to_le64(1ULL << 63);
	sb->head.crc = cpu_to_le32(dr_head_crc(sb));
	assert_int_equal(mem_store_open(&s), -EPROTONOSUPPORT);
	mem_store_exit(&s);
	/* An old device: the root is not looked at. */
	begin();
	mem_checkpoint(&s, "");
	mem_merge(&s);
	mem_store_stop(&s);
	sb = mem_super(&s.m);
	memset(&sb->notes, 0xff, sizeof(sb->notes));
	sb->head.crc = cpu_to_le32(dr_head_crc(sb));
	assert_int_equal(mem_store_errors(&s), 0);
	assert_int_equal(mem_store_start(&s), 0);
	assert_int_equal(set(1, 500, 2), 0);
	assert_true(has(1, 500, 2, 100));
	end();
}

/* --- what was read --------------------------------------------------------- */

static int set_reads(u32 epoch, u64 seed)
{
	u8 *bits = make(DR_READS_BYTES, seed);
	int r = dr_note_may(&s.st, epoch, DR_READS_BYTES);

	if (!r)
		r = dr_reads_set(&s.st, epoch, bits);
	if (!r)
		dr_store_release(&s.st, false);
	free(bits);
	return r;
}

static bool has_reads(u32 epoch, u64 seed)
{
	u8 *want = make(DR_READS_BYTES, seed), got[DR_READS_BYTES];
	bool same = !dr_reads_get(&s.st, epoch, got) &&
		    !memcmp(want, got, sizeof(got));

	free(want);
	return same;
}

static void test_reads(void **state)
{
	u8 bits[DR_READS_BYTES];

	begin();
	mem_checkpoint(&s, "");
	mem_checkpoint(&s, "");
	assert_int_equal(dr_reads_get(&s.st, 1, bits), -ENODATA);
	assert_int_equal(set_reads(1, 1), 0);
	assert_int_equal(dr_reads_get(&s.st, 0, bits), -ENODATA);
	assert_int_equal(dr_reads_get(&s.st, 2, bits), -ENODATA);
	assert_int_equal(dr_reads_get(&s.st, 9, bits), -ENOENT);
	/* Beside notes, whichever comes first */
	assert_int_equal(set(1, 3000, 2), 0);
	assert_int_equal(set(2, 500, 3), 0);
	assert_int_equal(set_reads(2, 4), 0);
	assert_int_equal(mem_store_errors(&s), 0);
	mem_store_restart(&s);
	assert_true(has_reads(1, 1) && has_reads(2, 4));
	assert_true(has(1, 3000, 2, 100) && has(2, 500, 3, 100));
	assert_int_equal(set(1, 0, 0), 0);
	assert_true(has_reads(1, 1) && feature());
	assert_int_equal(mem_store_errors(&s), 0);
	mem_drop(&s, 1);
	assert_int_equal(dr_reads_get(&s.st, 1, bits), -ENOENT);
	mem_drop(&s, 2);
	mem_reclaim(&s);
	assert_false(feature());
	end();
}

/* All pieces of the second note become reads: too few of them */
static void test_reads_damage(void **state)
{
	struct mem_meta *list;
	struct dr_disk_node *n;
	u32 nr, i;

	begin();
	mem_checkpoint(&s, "");
	assert_int_equal(set(1, 500, 2), 0);
	mem_store_stop(&s);
	nr = mem_survey(&s.m, &list);
	n = mem_block(&s.m, mem_meta_find(list, nr, DR_TYPE_NODE,
					  DR_TREE_NOTES, 0)->block);
	for (i = 0; i < le16_to_cpu(n->nr); i++)
		((struct dr_disk_note *)n->data)[i].kind =
			cpu_to_le16(DR_NOTE_READS);
	mem_reseal(&s.m, list, nr);
	free(list);
	mem_forget(&s.m);
	assert_true(mem_store_errors(&s) > 0);
	mem_store_exit(&s);
}

/* The counter goes with the head's record, the journal's or the tree's */
static void test_read_first(void **state)
{
	u32 sealed;

	begin();
	mem_write(&s, 1, 5);
	sealed = mem_checkpoint(&s, "");
	s.st.track_reads = true;
	s.st.head_read_first = 8;
	mem_write(&s, 2, 5);
	assert_int_equal(mem_checkpoint(&s, ""), sealed + 1);
	assert_int_equal(s.st.head_read_first, 1);
	s.st.head_read_first = 5;
	/* From the journal alone; what is of the head is not recorded yet. */
	mem_store_restart(&s);
	assert_int_equal(dr_epochs_find(&s.st.epochs, sealed)->read_first, 0);
	assert_int_equal(dr_epochs_find(&s.st.epochs, sealed + 1)->read_first,
			 8);
	assert_int_equal(s.st.head_read_first, 0);
	s.st.head_read_first = 12;
	mem_write(&s, 2, 5);
	mem_merge(&s);
	mem_store_restart(&s);
	assert_int_equal(s.st.head_read_first, 12);
	assert_int_equal(dr_epochs_find(&s.st.epochs, sealed + 1)->read_first,
			 8);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_set), TEST(test_no_memory_while_committing),
		TEST(test_refused), TEST(test_large),
		TEST(test_cost), TEST(test_crash), TEST(test_memory),
		TEST(test_reclaim), TEST(test_replay), TEST(test_replay_full),
		TEST(test_damage), TEST(test_feature),
		TEST(test_reads), TEST(test_reads_damage),
		TEST(test_read_first),
	};

	return mem_tests("note", tests);
}
