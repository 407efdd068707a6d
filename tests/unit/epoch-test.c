// SPDX-License-Identifier: GPL-2.0
/*
 * epoch-test.c - the table of epochs, lineages, records.
 */
#include "mem-env.h"

static struct mem_env m;
static struct dr_epochs t;

static void begin(void)
{
	mem_env_init(&m, 1);
	memset(&t, 0, sizeof(t));
}

static void end(void)
{
	dr_epochs_exit(&t, &m.env);
	mem_env_exit(&m);
}

static struct dr_epoch *add(u32 id, u32 parent)
{
	assert_int_equal(dr_epochs_reserve(&t, &m.env, 1), 0);
	return dr_epochs_add(&t, id, parent, DR_EPOCH_SEALED,
			     DR_MADE_BY_CHECKPOINT);
}

static void records_are_found_by_number(void **state)
{
	begin();
	assert_null(dr_epochs_find(&t, 1));
	add(5, 1);
	add(1, 0);
	add(9, 5);
	add(4, 1);
	assert_int_equal(t.nr, 4);
	assert_int_equal(dr_epochs_find(&t, 4)->parent, 1);
	assert_int_equal(dr_epochs_find(&t, 9)->parent, 5);
	assert_null(dr_epochs_find(&t, 0));
	assert_null(dr_epochs_find(&t, 6));
	assert_null(dr_epochs_find(&t, ~0u));
	assert_int_equal(dr_epochs_from(&t, 0), 0);
	assert_int_equal(dr_epochs_from(&t, 5), 2);
	assert_int_equal(dr_epochs_from(&t, 6), 3);
	assert_int_equal(dr_epochs_from(&t, 10), 4);
	assert_true(dr_epochs_find(&t, 4)->dirty);
	end();
}

static void gone_records_are_hidden_and_purged_when_written(void **state)
{
	u32 i;

	begin();
	for (i = 1; i <= 5; i++)
		add(i, i - 1)->dirty = false;
	t.e[1].gone = true;
	t.e[2].gone = true;
	t.e[2].dirty = true;
	assert_null(dr_epochs_find(&t, 2));
	dr_epochs_purge(&t);
	assert_int_equal(t.nr, 4);
	assert_int_equal(t.e[1].id, 3);
	assert_null(dr_epochs_find(&t, 3));
	assert_non_null(dr_epochs_find(&t, 4));
	end();
}

static void the_table_holds_a_million_and_no_more(void **state)
{
	struct dr_lineage *l;
	u32 i;

	begin();
	for (i = 1; i <= 70000; i++)
		add(i, i - 1);
	assert_int_equal(dr_epochs_find(&t, 65537)->id, 65537);
	l = dr_lineage_make(&t, &m.env, 70000);
	assert_int_equal(l->nr, 1);
	assert_int_equal(l->iv[0].lo, 1);
	assert_int_equal(l->iv[0].hi, ~0u);
	free(l);
	assert_int_equal(dr_epochs_reserve(&t, &m.env, DR_MAX_EPOCHS - 70000),
			 0);
	for (; i <= DR_MAX_EPOCHS; i++)
		dr_epochs_add(&t, i, i - 1, DR_EPOCH_SEALED, 0);
	i = t.max - t.nr;
	assert_int_equal(dr_epochs_reserve(&t, &m.env, i + 1), -EUSERS);
	end();
}

static void without_memory_the_table_stays(void **state)
{
	begin();
	m.fail_alloc = 1;
	assert_int_equal(dr_epochs_reserve(&t, &m.env, 1), -ENOMEM);
	add(1, 0);
	m.fail_alloc = 1;
	assert_int_equal(dr_epochs_reserve(&t, &m.env, 100000), -ENOMEM);
	m.fail_alloc = 1;
	assert_null(dr_lineage_make(&t, &m.env, 1));
	assert_int_equal(t.nr, 1);
	end();
}

static bool on_the_way(u32 from, u32 e)
{
	while (from && from != e)
		from = dr_epochs_find(&t, from)->parent;
	return from && from == e;
}

static void lineage_of_the_base_is_empty(void **state)
{
	struct dr_lineage *l;

	begin();
	add(1, 0);
	l = dr_lineage_make(&t, &m.env, 0);
	assert_int_equal(l->nr, 0);
	assert_false(dr_lineage_has(l, 1));
	assert_int_equal(dr_lineage_below(l, 100), 0);
	free(l);
	end();
}

/* @hole: one in so many numbers is left out */
static void compare_with_walk(u32 nr, u64 seed, u32 branch, u32 hole)
{
	u32 i, e, id = 0, want;
	struct dr_lineage *l;

	begin();
	for (i = 0; i < nr; i++) {
		u32 parent = t.nr ? t.e[t.nr - 1].id : 0;

		if (t.nr && mem_random(&seed) % branch == 0)
			parent = t.e[mem_random(&seed) % t.nr].id;
		if (mem_random(&seed) % (4 * branch) == 0)
			parent = 0;
		id += 1 + (hole && mem_random(&seed) % hole == 0 ?
			   mem_random(&seed) % 5 : 0);
		add(id, parent);
	}
	for (i = 0; i < t.nr; i += 1 + nr / 40) {
		u32 top = t.e[i].id;

		l = dr_lineage_make(&t, &m.env, top);
		want = 0;	/* highest below @e */
		for (e = 1; e <= top; e++) {
			bool have = dr_epochs_find(&t, e);

			if (have)
				assert_int_equal(dr_lineage_has(l, e),
						 on_the_way(top, e));
			/* Numbers without a record may count or not. */
			if (have && !dr_lineage_has(l, e)) {
				u32 got = dr_lineage_below(l, e);

				assert_true(got >= want && got < e);
				while (got > want) {
					assert_null(dr_epochs_find(&t, got));
					got--;
				}
			}
			if (have && on_the_way(top, e))
				want = e;
		}
		free(l);
	}
	end();
}

static void lineages_equal_a_walk_over_parents(void **state)
{
	compare_with_walk(300, 1, 2, 0);
	compare_with_walk(300, 2, 5, 3);
	compare_with_walk(400, 3, 20, 2);
	compare_with_walk(200, 4, 1, 0);
}

static void numbers_without_a_record_do_not_split_an_interval(void **state)
{
	struct dr_lineage *l;

	begin();
	add(1, 0);
	add(5000, 1);
	add(5001, 5000);
	l = dr_lineage_make(&t, &m.env, 5001);
	assert_int_equal(l->nr, 1);
	free(l);
	add(3000, 1);
	l = dr_lineage_make(&t, &m.env, 5001);
	assert_int_equal(l->nr, 2);
	assert_false(dr_lineage_has(l, 3000));
	assert_int_equal(dr_lineage_below(l, 3000), 1);
	free(l);
	end();
}

static void labels(void **state)
{
	static const char * const good[] = {
		"a", "before-upgrade", "2024-01-01", "1.", "v1.2_3:4+5/6,7=8",
		"Head", "01234567890123456789012345678901234567890123456",
		"x23456789012345678901234567890123456789012345678" + 1,
	};
	static const char * const bad[] = {
		"", "1", "0123456789", "-", "head", "base", "a b", "a~1",
		"a@b", "a\n", "\xc3\xa4", "a\"b", "a'b", "a\\b", "a;b",
		"x23456789012345678901234567890123456789012345678",
	};
	u32 i;

	for (i = 0; i < 6; i++)
		assert_true(dr_label_valid(good[i]));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(dr_label_valid(bad[i]));
	assert_true(dr_label_valid("x2345678901234567890123456789012345678901234567"));
}

static struct dr_epoch sample(void)
{
	struct dr_epoch e = {
		.id = 77, .parent = 70, .prev = 76, .state = DR_EPOCH_SEALED,
		.how = DR_MADE_BY_ROLLBACK, .flags = DR_EPOCH_FROZEN,
		.time = -5, .nr_blocks = 1ULL << 40, .label = "sample",
		.note_bytes = DR_NOTE_MAX, .read_first = 12345,
	};

	return e;
}

static void a_record_comes_back(void **state)
{
	struct dr_epoch e = sample(), f;
	struct dr_disk_epoch d;

	memset(&d, 0xff, sizeof(d));
	dr_epoch_encode(&d, &e);
	assert_null(dr_epoch_decode(&f, &d));
	assert_true(f.id == 77 && f.parent == 70 && f.prev == 76);
	assert_true(f.state == DR_EPOCH_SEALED && f.how == DR_MADE_BY_ROLLBACK);
	assert_true(f.flags == DR_EPOCH_FROZEN && f.time == -5);
	assert_true(f.nr_blocks == 1ULL << 40);
	assert_true(f.note_bytes == DR_NOTE_MAX && f.read_first == 12345);
	assert_string_equal(f.label, "sample");
	assert_int_equal(d.reserved[0] | d.reserved[sizeof(d.reserved) - 1], 0);
}

static void impossible_records_are_refused(void **state)
{
	struct dr_epoch e = sample(), f;
	struct dr_disk_epoch d;

#define BAD(change, why) do {						\
		dr_epoch_encode(&d, &e);				\
		change;							\
		assert_string_equal(dr_epoch_decode(&f, &d), why);	\
	} while (0)
	BAD(d.id = 0, "impossible parent");
	BAD(d.parent = d.id, "impossible parent");
	BAD(d.note_bytes = cpu_to_le32(DR_NOTE_MAX + 1),
	    "impossible length of its note");
	BAD(d.parent = cpu_to_le32(78), "impossible parent");
	BAD(d.state = 0, "unknown state");
	BAD(d.state = 5, "unknown state");
	BAD(d.how = 4, "unknown maker");
	BAD(d.flags = cpu_to_le16(32), "unknown flags");
	BAD(d.marks = 8, "unknown marks");
	BAD(memset(d.label, 'a', sizeof(d.label)), "impossible label");
	BAD(d.label[0] = ' ', "impossible label");
	BAD(strcpy(d.label, "12"), "impossible label");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_are_found_by_number),
		TEST(gone_records_are_hidden_and_purged_when_written),
		TEST(the_table_holds_a_million_and_no_more),
		TEST(without_memory_the_table_stays),
		TEST(lineage_of_the_base_is_empty),
		TEST(lineages_equal_a_walk_over_parents),
		TEST(numbers_without_a_record_do_not_split_an_interval),
		TEST(labels),
		TEST(a_record_comes_back),
		TEST(impossible_records_are_refused),
	};

	return mem_tests("epoch", tests);
}
