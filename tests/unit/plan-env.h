/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plan-env.h - a plan and a model of what it does: an array of versions.
 */
#ifndef DR_PLAN_ENV_H
#define DR_PLAN_ENV_H

#include "mem-env.h"

#define PE_BLOCKS	512u
#define PE_EPOCHS	16u

struct plan_env {
	struct mem_txn x;
	struct dr_root map, index;
	struct dr_plan plan;
	u64 want[PE_BLOCKS][PE_EPOCHS];	/* 0: no version */
};

static inline void pe_begin(struct plan_env *p, u64 nr_blocks)
{
	memset(p, 0, sizeof(*p));
	mem_txn_init(&p->x, nr_blocks, 1);
	assert_int_equal(dr_plan_init(&p->plan, &p->x.txn, &p->map, &p->index,
				      1), 0);
	dr_txn_begin(&p->x.txn, p->x.gen);
}

static inline void pe_end(struct plan_env *p)
{
	dr_plan_exit(&p->plan);
	mem_txn_exit(&p->x);
}

static inline int pe_flush(struct plan_env *p)
{
	int r = dr_plan_flush(&p->plan);

	if (r)
		return r;
	dr_txn_release(&p->x.txn, true);
	dr_txn_begin(&p->x.txn, ++p->x.gen);
	return 0;
}

static inline int pe_feed(struct plan_env *p, u64 block, u64 len, u32 epoch,
			  u64 slot, u8 change)
{
	struct dr_ver v = { .slot = slot, .epoch = epoch, .change = change };
	struct dr_urun u = { block, len, 1, &v };
	u64 i;

	if (change == DR_SET_OWN && dr_slot_is_data(slot))
		dr_space_set_busy(&p->x.sp, slot, len);
	for (i = 0; i < len && block + i < PE_BLOCKS; i++)
		p->want[block + i][epoch] =
			change == DR_SET_OWN || change == DR_SET_SHARED ?
			dr_slot_plus(slot, i, 1) : 0;
	return dr_plan_feed(&p->plan, &u);
}

/* The trees hold what the model says, in the shape that M4 and M6 ask for */
static inline void pe_compare(struct plan_env *p)
{
	static u64 have[PE_BLOCKS][PE_EPOCHS];
	static u8 indexed[PE_BLOCKS][PE_EPOCHS];
	const struct dr_env *env = &p->x.m.env;
	struct dr_map m, prev = {};
	struct dr_cursor c;
	const void *e;
	u64 i, j, nr = 0;
	int r;

	memset(have, 0, sizeof(have));
	memset(indexed, 0, sizeof(indexed));
	assert_int_equal(dr_cursor_init(&c, env, p->x.uuid, &dr_tree_map,
					&p->map), 0);
	for (r = dr_cursor_ge(&c, (struct dr_key){}, &e); r == 1;
	     r = dr_cursor_next(&c, &e)) {
		dr_map_decode(&m, e);
		nr++;
		assert_in_range(m.len, 1, DR_RUN_MAX);
		if (nr > 1 && m.block == prev.block)
			assert_int_equal(m.len, prev.len);
		else if (nr > 1)
			assert_true(m.block >= prev.block + prev.len);
		prev = m;
		for (i = m.block; i < m.block + m.len && i < PE_BLOCKS; i++)
			have[i][m.epoch] = dr_slot_plus(m.slot, i - m.block, 1);
	}
	assert_int_equal(r, 0);
	dr_cursor_exit(&c);
	assert_true(nr == p->map.nr);
	assert_memory_equal(have, p->want, sizeof(have));
	assert_int_equal(dr_cursor_init(&c, env, p->x.uuid, &dr_tree_index,
					&p->index), 0);
	j = 0;
	for (r = dr_cursor_ge(&c, (struct dr_key){}, &e); r == 1;
	     r = dr_cursor_next(&c, &e)) {
		const struct dr_disk_extent *x = e;
		u64 from = le64_to_cpu(x->block), to = from +
			   le32_to_cpu(x->len);

		assert_true(to > from);
		for (i = from; i < to && i < PE_BLOCKS; i++) {
			assert_false(indexed[i][le32_to_cpu(x->epoch)]);
			indexed[i][le32_to_cpu(x->epoch)] = 1;
		}
		j++;
	}
	assert_int_equal(r, 0);
	assert_true(j == p->index.nr);
	dr_cursor_exit(&c);
	for (i = 0; i < PE_BLOCKS; i++)
		for (j = 0; j < PE_EPOCHS; j++)
			assert_int_equal(indexed[i][j], !!have[i][j]);
}

#endif
