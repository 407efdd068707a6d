// SPDX-License-Identifier: GPL-2.0
/*
 * mem-env.c - see mem-env.h.
 */
#include "mem-env.h"

static bool fails(u32 *countdown)
{
	return *countdown && !--*countdown;
}

static void may_sleep(const struct mem_env *m)
{
	assert_false(m->in_section);
	assert_false(m->in_lock);
}

static void mem_enter(void *ctx)
{
	struct mem_env *m = ctx;

	assert_false(m->in_section);
	m->in_section = true;
}

static void mem_leave(void *ctx)
{
	struct mem_env *m = ctx;

	assert_true(m->in_section);
	m->in_section = false;
}

static const void *mem_peek(void *ctx, u64 block)
{
	struct mem_env *m = ctx;

	assert_true(m->in_section);
	m->peeks++;
	return dr_node_cache_peek(&m->nodes, block);
}

static void mem_cache(void *ctx, u64 block, const void *buf)
{
	struct mem_env *m = ctx;

	may_sleep(m);
	dr_node_cache_put(&m->nodes, block, buf);
}

static int mem_read(void *ctx, u64 block, u32 nr, void *buf)
{
	struct mem_env *m = ctx;
	u32 i;

	may_sleep(m);
	if (block >= m->nr_blocks || nr > m->nr_blocks - block)
		return -EIO;
	m->reads++;
	if (fails(&m->fail_read))
		return -EIO;
	for (i = 0; i < nr; i++) {
		u8 *to = (u8 *)buf + (size_t)i * DR_BLOCK_SIZE;

		if (m->page[block + i])
			memcpy(to, m->page[block + i], DR_BLOCK_SIZE);
		else
			memset(to, 0, DR_BLOCK_SIZE);
	}
	return 0;
}

static int write_blocks(struct mem_env *m, u64 block, u32 nr, const void *buf)
{
	u32 i;

	may_sleep(m);
	if (block >= m->nr_blocks || nr > m->nr_blocks - block)
		return -EIO;
	for (i = 0; i < nr; i++) {
		if (fails(&m->fail_write))
			return -EIO;
		m->writes++;
		memcpy(mem_block(m, block + i),
		       (const u8 *)buf + (size_t)i * DR_BLOCK_SIZE,
		       DR_BLOCK_SIZE);
	}
	return 0;
}

static int mem_write_block(void *ctx, u64 block, const void *buf)
{
	struct mem_env *m = ctx;
	int r = write_blocks(m, block, 1, buf);

	if (!r)
		m->flying[block] = 1;
	return r;
}

static int mem_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	struct mem_env *m = ctx;

	may_sleep(m);
	m->barriers++;
	memset(m->flying, 0, m->nr_blocks);
	return write_blocks(m, block, nr, buf);
}

static void *mem_alloc(void *ctx, size_t size)
{
	struct mem_env *m = ctx;

	may_sleep(m);
	return fails(&m->fail_alloc) ? NULL : calloc(1, size ? size : 1);
}

static void mem_free(void *ctx, void *p)
{
	if (p)
		may_sleep(ctx);
	free(p);
}

static void mem_lock(void *ctx)
{
	struct mem_env *m = ctx;

	assert_false(m->in_lock);
	m->in_lock = true;
}

static void mem_unlock(void *ctx)
{
	struct mem_env *m = ctx;

	assert_true(m->in_lock);
	m->in_lock = false;
}

static void mem_report(void *ctx, const char *what, u64 block, const char *why)
{
	struct mem_env *m = ctx;

	m->reports++;
	m->what = what;
	m->where = block;
	m->why = why;
}

static bool mem_cancelled(void *ctx)
{
	return fails(&((struct mem_env *)ctx)->cancel);
}

void mem_env_init(struct mem_env *m, u64 nr_blocks)
{
	memset(m, 0, sizeof(*m));
	m->nr_blocks = nr_blocks;
	m->page = calloc(nr_blocks, sizeof(*m->page));
	m->flying = calloc(nr_blocks, 1);
	assert_non_null(m->page);
	assert_non_null(m->flying);
	assert_int_equal(dr_node_cache_init(&m->nodes, 1024), 0);
	m->env = (struct dr_env){
		.ctx = m, .enter = mem_enter, .leave = mem_leave,
		.peek = mem_peek, .cache = mem_cache, .read = mem_read,
		.write = mem_write_block, .barrier = mem_barrier,
		.alloc = mem_alloc, .free = mem_free, .lock = mem_lock,
		.unlock = mem_unlock, .report = mem_report,
		.cancelled = mem_cancelled,
	};
}

void mem_env_exit(struct mem_env *m)
{
	u64 i;

	for (i = 0; i < m->nr_blocks; i++)
		free(m->page[i]);
	free(m->page);
	free(m->flying);
	dr_node_cache_exit(&m->nodes);
	m->page = NULL;
	m->nr_blocks = 0;
}

void *mem_block(struct mem_env *m, u64 block)
{
	assert_true(block < m->nr_blocks);
	if (!m->page[block]) {
		m->page[block] = calloc(1, DR_BLOCK_SIZE);
		assert_non_null(m->page[block]);
	}
	return m->page[block];
}

void mem_forget(struct mem_env *m)
{
	memset(m->nodes.block, 0, m->nodes.nr * sizeof(*m->nodes.block));
}

void mem_copy(struct mem_env *to, const struct mem_env *from)
{
	u64 i;

	if (!to->page)
		mem_env_init(to, from->nr_blocks);
	assert_int_equal(to->nr_blocks, from->nr_blocks);
	mem_forget(to);
	for (i = 0; i < from->nr_blocks; i++) {
		if (from->page[i]) {
			memcpy(mem_block(to, i), from->page[i], DR_BLOCK_SIZE);
		} else {
			free(to->page[i]);
			to->page[i] = NULL;
		}
	}
}

u64 mem_random(u64 *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1dULL;
}

/* --- metadata as it lies on the disk ------------------------------------- */

struct dr_disk_super *mem_super(struct mem_env *m)
{
	struct dr_disk_super *a = mem_block(m, 0), *b = mem_block(m, 1);

	if (dr_head_verify(a, DR_TYPE_SUPER, 0, NULL))
		return b;
	if (dr_head_verify(b, DR_TYPE_SUPER, 1, NULL))
		return a;
	return le64_to_cpu(a->head.gen) > le64_to_cpu(b->head.gen) ? a : b;
}

struct survey {
	struct mem_env *m;
	struct mem_meta *list;
	u32 nr;
	u32 max;
};

static u32 survey_add(struct survey *s, struct mem_meta meta)
{
	if (s->nr == s->max) {
		s->max = s->max ? 2 * s->max : 256;
		s->list = realloc(s->list, s->max * sizeof(*s->list));
		assert_non_null(s->list);
	}
	s->list[s->nr] = meta;
	return s->nr++;
}

static void survey_node(struct survey *s, struct mem_meta meta)
{
	const struct dr_disk_node *n = mem_block(s->m, meta.block);
	const struct dr_disk_child *c = (const void *)n->data;
	u32 at = survey_add(s, meta), i;

	for (i = 0; meta.level && i < le16_to_cpu(n->nr); i++)
		survey_node(s, (struct mem_meta){
			.block = le64_to_cpu(c[i].block), .type = DR_TYPE_NODE,
			.tree = meta.tree, .level = meta.level - 1,
			.parent = at, .index = i });
}

u32 mem_survey(struct mem_env *m, struct mem_meta **list)
{
	const struct dr_disk_super *sb = mem_super(m);
	const struct dr_disk_root *root[4] = { &sb->map, &sb->index,
					       &sb->epochs, &sb->notes };
	const struct dr_disk_index *x;
	struct survey s = { .m = m };
	u64 regions = (le64_to_cpu(sb->nr_blocks) + DR_REGION_BLOCKS - 1) /
		      DR_REGION_BLOCKS, r;
	u32 i, at;

	survey_add(&s, (struct mem_meta){
		.type = DR_TYPE_SUPER, .parent = -1,
		.block = le64_to_cpu(sb->head.gen) & 1 });
	for (i = 0; i < 4; i++)
		if (root[i]->block)
			survey_node(&s, (struct mem_meta){
				.block = le64_to_cpu(root[i]->block),
				.type = DR_TYPE_NODE, .tree = i + 1,
				.level = le16_to_cpu(root[i]->level),
				.index = i });
	for (r = 0; r < regions; r += DR_INDEX_PAGES) {
		i = r / DR_INDEX_PAGES;
		at = survey_add(&s, (struct mem_meta){
			.block = r * DR_REGION_BLOCKS + DR_REGION_INDEX +
				 le32_to_cpu(sb->pages[i].place),
			.type = DR_TYPE_INDEX, .index = i });
		x = mem_block(m, s.list[at].block);
		for (i = 0; i < DR_INDEX_PAGES && r + i < regions; i++)
			survey_add(&s, (struct mem_meta){
				.block = (r + i) * DR_REGION_BLOCKS +
					 DR_REGION_BITMAP +
					 le32_to_cpu(x->pages[i].place),
				.type = DR_TYPE_BITMAP, .parent = at,
				.index = i });
	}
	*list = s.list;
	return s.nr;
}

const struct mem_meta *mem_meta_find(const struct mem_meta *list, u32 nr,
				     u16 type, u8 tree, u8 level)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (list[i].type == type && (!tree || list[i].tree == tree) &&
		    list[i].level == level)
			return list + i;
	fail_msg("no such block");
	return NULL;
}

void mem_reseal(struct mem_env *m, const struct mem_meta *list, u32 nr)
{
	while (nr--) {
		const struct mem_meta *e = list + nr;
		const struct mem_meta *p = e->parent < 0 ? NULL :
					   list + e->parent;
		struct dr_disk_head *h = mem_block(m, e->block);
		__le32 crc = cpu_to_le32(dr_head_crc(h));
		void *up = p ? mem_block(m, p->block) : NULL;
		struct dr_disk_super *sb = up;
		struct dr_disk_node *n = up;
		struct dr_disk_index *x = up;

		h->crc = crc;
		if (!p)
			continue;
		if (p->type == DR_TYPE_SUPER && e->type == DR_TYPE_INDEX)
			sb->pages[e->index].crc = crc;
		else if (p->type == DR_TYPE_SUPER && e->tree == DR_TREE_NOTES)
			sb->notes.crc = crc;
		else if (p->type == DR_TYPE_SUPER)
			(&sb->map)[e->index].crc = crc;
		else if (p->type == DR_TYPE_INDEX)
			x->pages[e->index].crc = crc;
		else
			((struct dr_disk_child *)n->data)[e->index].crc = crc;
	}
}

/* --- trees --------------------------------------------------------------- */

void mem_txn_init(struct mem_txn *x, u64 nr_blocks, u32 slot_blocks)
{
	memset(x, 0, sizeof(*x));
	mem_env_init(&x->m, nr_blocks);
	memset(x->uuid, 0x5a, sizeof(x->uuid));
	assert_int_equal(dr_space_init(&x->sp, &x->m.env, nr_blocks,
				       slot_blocks, DR_JOURNAL_MIN, x->super),
			 0);
	assert_int_equal(dr_txn_init(&x->txn, &x->m.env, &x->sp, x->uuid), 0);
	x->gen = 1;
}

void mem_txn_exit(struct mem_txn *x)
{
	dr_txn_exit(&x->txn);
	dr_space_exit(&x->sp, &x->m.env);
	mem_env_exit(&x->m);
}

int mem_txn_apply(struct mem_txn *x, struct dr_root *root,
		  const struct dr_batch *b)
{
	int r;

	dr_txn_begin(&x->txn, x->gen++);
	r = dr_tree_apply(&x->txn, root, b);
	if (r)
		dr_txn_abort(&x->txn);
	else
		dr_txn_release(&x->txn, true);
	return r;
}

/* --- a store ------------------------------------------------------------- */

int mem_store_format(struct mem_store *s, u32 slot_blocks, u64 map_blocks,
		     u64 delta_blocks)
{
	struct dr_format_params p = {
		.slot_blocks = slot_blocks,
		.origin_sectors = map_blocks * slot_blocks * DR_BLOCK_SECTORS,
		.delta_blocks = delta_blocks, .now = 1, .label = "unit",
		.origin_id = "origin",
	};

	memset(p.uuid, 0xa5, sizeof(p.uuid));
	return dr_format(&s->m.env, &p);
}

int mem_store_open(struct mem_store *s)
{
	int r;

	assert_false(s->open);
	memset(&s->st, 0, sizeof(s->st));
	s->st.env = s->m.env;
	s->st.start_mode = s->start_mode;
	s->st.start_now = ++s->now;
	r = dr_store_open(&s->st, s->m.nr_blocks,
			  s->entries ? s->entries : MEM_ENTRIES);
	s->open = !r;
	return r;
}

int mem_store_start(struct mem_store *s)
{
	int r = mem_store_open(s);

	if (!r) {
		r = dr_store_activate(&s->st);
		if (r)
			mem_store_stop(s);
	}
	return r;
}

void mem_store_stop(struct mem_store *s)
{
	if (!s->open)
		return;
	if (s->st.replay)
		dr_replay_end(&s->st);
	dr_store_close(&s->st);
	s->open = false;
}

void mem_store_restart(struct mem_store *s)
{
	mem_store_stop(s);
	mem_forget(&s->m);
	assert_int_equal(mem_store_start(s), 0);
}

void mem_store_init(struct mem_store *s, u32 slot_blocks, u64 map_blocks,
		    u64 delta_blocks)
{
	memset(s, 0, sizeof(*s));
	mem_env_init(&s->m, delta_blocks);
	assert_int_equal(mem_store_format(s, slot_blocks, map_blocks,
					  delta_blocks), 0);
	assert_int_equal(mem_store_start(s), 0);
}

void mem_store_exit(struct mem_store *s)
{
	mem_store_stop(s);
	mem_env_exit(&s->m);
}

u64 mem_store_errors(struct mem_store *s)
{
	struct dr_store *st = calloc(1, sizeof(*st));
	struct dr_check ck = {};

	assert_non_null(st);
	st->env = s->m.env;
	assert_int_equal(dr_store_open(st, s->m.nr_blocks, 64), 0);
	assert_int_equal(dr_check(st, &ck), 0);
	dr_store_close(st);
	free(st);
	return ck.errors;
}

static void lock(struct mem_store *s)
{
	mem_lock(&s->m);
}

static void unlock(struct mem_store *s)
{
	mem_unlock(&s->m);
}

/* A node that lands late would destroy the data of who has the slot now. */
static void nothing_flies(const struct mem_store *s, u64 slot, u64 nr)
{
	for (; nr; nr--, slot++)
		assert_false(s->m.flying[slot]);
}

u64 mem_write(struct mem_store *s, u64 block, u64 n)
{
	u64 slot = 0;
	u32 got;
	int r;

	while (n) {
		got = min_t(u64, n, 1024);
		lock(s);
		r = dr_store_begin_write(&s->st, &got, &slot);
		if (!r)
			nothing_flies(s, slot, (u64)got * s->st.slot_blocks);
		if (!r)
			dr_store_publish(&s->st, block, got, slot, s->st.head,
					 0);
		unlock(s);
		if (r == -EAGAIN) {
			mem_merge(s);
			continue;
		}
		assert_int_equal(r, 0);
		block += got;
		n -= got;
		slot += (u64)(got - 1) * s->st.slot_blocks;
	}
	return slot;
}

void mem_write_flags(struct mem_store *s, u64 block, u8 flags)
{
	u64 slot;
	u32 one = 1;

	lock(s);
	assert_int_equal(dr_store_begin_write(&s->st, &one, &slot), 0);
	dr_store_publish(&s->st, block, 1, slot, s->st.head, flags);
	unlock(s);
}

void mem_zero(struct mem_store *s, u64 block, u64 n)
{
	int r;

	lock(s);
	r = dr_store_zero(&s->st, block, n);
	unlock(s);
	if (r == -EAGAIN) {
		mem_merge(s);
		lock(s);
		r = dr_store_zero(&s->st, block, n);
		unlock(s);
	}
	assert_int_equal(r, 0);
}

u32 mem_flush(struct mem_store *s)
{
	u8 *buf = malloc(8 * DR_BLOCK_SIZE);
	u32 nr = 0;
	int r;

	assert_non_null(buf);
	for (;;) {
		lock(s);
		r = dr_store_fill(&s->st, buf, 8);
		unlock(s);
		if (r == -EAGAIN) {
			/* With a record pending nothing could be merged. */
			assert_int_equal(s->st.ctl_state, DR_CTL_NONE);
			mem_merge(s);
			continue;
		}
		if (r <= 0)
			break;
		assert_int_equal(mem_barrier(&s->m, s->st.group.place, r, buf),
				 0);
		lock(s);
		dr_store_filled(&s->st);
		unlock(s);
		nr += r;
	}
	free(buf);
	assert_int_equal(r, 0);
	return nr;
}

/* Control records fill the ring without an entry that could be merged. */
static void commit_epochs(struct mem_store *s)
{
	if (s->st.active->used || s->st.ctl_state != DR_CTL_NONE)
		return;
	s->st.tail_known = false;
	s->st.active_since = s->st.head;
	if (!dr_journal_used(&s->st.journal))
		return;
	dr_store_begin(&s->st);
	assert_int_equal(dr_store_commit(&s->st, true), 0);
	dr_store_release(&s->st, true);
}

void mem_merge(struct mem_store *s)
{
	bool frozen;
	int r;

	lock(s);
	frozen = dr_store_freeze(&s->st);
	unlock(s);
	if (!frozen && !s->st.frozen) {
		commit_epochs(s);
		return;
	}
	do {
		r = dr_merge_step(&s->st);
		assert_true(r >= 0);
		dr_store_release(&s->st, !r);
	} while (r);
}

u32 mem_checkpoint(struct mem_store *s, const char *label)
{
	s64 epoch;

	assert_int_equal(dr_store_prepare(&s->st), 0);
	if (dr_store_half_full(&s->st))
		mem_merge(s);
	lock(s);
	epoch = dr_store_seal(&s->st, label, 0, ++s->now);
	if (epoch > 0)
		dr_store_drained(&s->st);
	unlock(s);
	assert_true(epoch > 0);
	mem_flush(s);
	dr_store_free_old(&s->st);
	assert_int_equal(s->st.ctl_state, DR_CTL_NONE);
	return epoch;
}

u32 mem_rollback(struct mem_store *s, u32 epoch)
{
	s64 head;

	assert_int_equal(dr_store_prepare(&s->st), 0);
	head = dr_store_rollback(&s->st, epoch, ++s->now);
	assert_true(head > 0);
	mem_flush(s);
	dr_store_free_old(&s->st);
	return head;
}

void mem_drop(struct mem_store *s, u32 epoch)
{
	int r;

	lock(s);
	r = dr_store_drop(&s->st, epoch);
	unlock(s);
	assert_int_equal(r, 0);
	mem_flush(s);
}

void mem_reclaim(struct mem_store *s)
{
	int r;

	mem_merge(s);
	do {
		r = dr_reclaim_step(&s->st);
		assert_true(r >= 0);
		dr_store_release(&s->st, false);
	} while (r);
}

struct dr_state mem_state(struct mem_store *s, u32 epoch, u64 block, u64 max)
{
	const struct dr_env *env = &s->m.env;
	struct dr_lineage *l = dr_lineage_make(&s->st.epochs, env, epoch);
	struct dr_state state;
	struct dr_snap snap;
	struct dr_want want;
	int r;

	assert_non_null(l);
	for (;;) {
		mem_enter(&s->m);
		dr_store_snap(&s->st, &snap);
		r = dr_map_lookup(env, &snap, l, epoch, block, max,
				  s->st.slot_blocks, &state, &want);
		mem_leave(&s->m);
		if (r != -EAGAIN)
			break;
		assert_int_equal(dr_tree_load(env, s->st.uuid, &want), 0);
	}
	env->free(env->ctx, l);
	assert_int_equal(r, 0);
	return state;
}

u64 mem_slot(struct mem_store *s, u32 epoch, u64 block)
{
	return mem_state(s, epoch, block, 1).slot;
}
