// SPDX-License-Identifier: GPL-2.0
/*
 * memtable.c - see memtable.h.
 */
#include "memtable.h"

static u32 hash_block(u64 block)
{
	/* Fibonacci hashing, Knuth 6.4 */
	return block * 0x9e3779b97f4a7c15ULL >> 32;
}

static u32 bucket_count(u32 max)
{
	u32 n = 64;

	while (n < max)
		n *= 2;
	return n;
}

size_t dr_mem_bytes(u32 max)
{
	return (size_t)max * (sizeof(struct dr_mem_entry) + 2 * sizeof(u32)) +
	       (size_t)bucket_count(max) * sizeof(u32) + DR_MEM_FILTER_BITS / 8;
}

int dr_mem_init(struct dr_memtable *m, const struct dr_env *env, u32 max)
{
	memset(m, 0, sizeof(*m));
	m->max = max;
	m->max_ranges = DR_MEM_RANGES;
	m->mask = bucket_count(max) - 1;
	m->e = env->alloc(env->ctx, (size_t)max * sizeof(*m->e));
	m->bucket = env->alloc(env->ctx, ((size_t)m->mask + 1) * sizeof(u32));
	m->filter = env->alloc(env->ctx, DR_MEM_FILTER_BITS / 8);
	m->order = env->alloc(env->ctx, (size_t)max * sizeof(u32));
	m->spare = env->alloc(env->ctx, (size_t)max * sizeof(u32));
	if (m->e && m->bucket && m->filter && m->order && m->spare)
		return 0;
	dr_mem_exit(m, env);
	return -ENOMEM;
}

void dr_mem_exit(struct dr_memtable *m, const struct dr_env *env)
{
	env->free(env->ctx, m->e);
	env->free(env->ctx, m->bucket);
	env->free(env->ctx, m->filter);
	env->free(env->ctx, m->order);
	env->free(env->ctx, m->spare);
	memset(m, 0, sizeof(*m));
}

void dr_mem_reset(struct dr_memtable *m)
{
	m->used = 0;
	m->reserved = 0;
	m->recorded = 0;
	m->claimed = 0;
	m->bare = 0;
	/* A group of journal blocks that is still out must not know it again. */
	m->first = ~0ULL;
	m->nr_ranges = 0;
	memset(m->bucket, 0, ((size_t)m->mask + 1) * sizeof(u32));
	memset(m->filter, 0, DR_MEM_FILTER_BITS / 8);
}

static u32 filter_bit(u64 block)
{
	return hash_block(block >> DR_MEM_FILTER_SHIFT) % DR_MEM_FILTER_BITS;
}

static u32 *bucket_of(const struct dr_memtable *m, u64 block)
{
	return m->bucket + (hash_block(block) & m->mask);
}

void dr_mem_add(struct dr_memtable *m, u64 block, u32 epoch, u64 slot,
		u8 flags)
{
	u32 *bucket = bucket_of(m, block);
	struct dr_mem_entry *e = m->e + m->used;
	u32 bit = filter_bit(block);

	e->block = block;
	e->v = slot | (u64)flags << 60;
	e->epoch = epoch;
	e->next = *bucket;
	WRITE_ONCE(m->filter[bit / 64],
		   m->filter[bit / 64] | 1ULL << (bit % 64));
	/* Readers that see the index see the entry (pairs with dr_mem_find). */
	smp_store_release(bucket, m->used + 1);
	/* Who reads the log up to here sees it as well. */
	smp_store_release(&m->used, m->used + 1);
}

bool dr_mem_add_zero(struct dr_memtable *m, u64 block, u64 len, u32 epoch)
{
	struct dr_mem_entry *e = m->e + m->used;

	if (len < DR_MEM_RANGE_MIN) {
		for (; len; len--, block++)
			dr_mem_add(m, block, epoch, DR_SLOT_ZERO, 0);
		return true;
	}
	if (m->nr_ranges == m->max_ranges)
		return false;
	e->block = block;
	e->v = len;
	e->epoch = epoch;
	e->next = DR_MEM_IS_RANGE;
	m->range[m->nr_ranges] = m->used;
	/* Readers that see the count see the entry (pairs with dr_mem_find). */
	smp_store_release(&m->nr_ranges, m->nr_ranges + 1);
	/* As in dr_mem_add(). */
	smp_store_release(&m->used, m->used + 1);
	return true;
}

static bool visible(const struct dr_lineage *l, u32 epoch, u32 e)
{
	return e == epoch || (e < epoch && dr_lineage_has(l, e));
}

/*
 * Entries of one block are published in order of epoch along any lineage, so
 * that the newest visible entry in the log is the version looked for (M1).
 */
bool dr_mem_find(const struct dr_memtable *m, const struct dr_lineage *l,
		 u32 epoch, u64 block, struct dr_mem_hit *hit)
{
	const u32 *bucket = bucket_of(m, block);
	/* Pair with the releases of dr_mem_add() and dr_mem_add_zero(). */
	u32 i = smp_load_acquire(bucket);
	/* As above. */
	u32 r = smp_load_acquire(&m->nr_ranges);
	const struct dr_mem_entry *e;
	bool found = false;

	for (; i; i = e->next) {
		e = m->e + i - 1;
		if (e->block != block || !visible(l, epoch, e->epoch))
			continue;
		hit->slot = dr_mem_slot(e);
		hit->flags = e->v >> 60;
		hit->epoch = e->epoch;
		hit->at = i - 1;
		found = true;
		break;
	}
	while (r--) {
		e = m->e + m->range[r];
		if (found && m->range[r] < hit->at)
			break;
		if (block - e->block >= e->v || !visible(l, epoch, e->epoch))
			continue;
		hit->slot = DR_SLOT_ZERO;
		hit->flags = 0;
		hit->epoch = e->epoch;
		hit->at = m->range[r];
		return true;
	}
	return found;
}

u64 dr_mem_run(const struct dr_memtable *m, u32 at, u64 max, u32 slot_blocks)
{
	const struct dr_mem_entry *first = m->e + at, *e = first;
	u32 step = dr_slot_is_data(dr_mem_slot(first)) ? slot_blocks : 0;
	/* Pairs with dr_mem_add_zero(). */
	u32 nr_ranges = smp_load_acquire(&m->nr_ranges);
	const u32 *bucket;
	u64 n;

	if (nr_ranges && m->range[nr_ranges - 1] >= at)
		return 1;
	for (n = 1; n < max; n++) {
		bucket = bucket_of(m, first->block + n);
		/* The newest of its bucket? Pairs with dr_mem_add(). */
		if (smp_load_acquire(bucket) != at + n + 1)
			break;
		e++;
		if (e->block != first->block + n || e->epoch != first->epoch ||
		    e->v != first->v + n * step)
			break;
	}
	return n;
}

u64 dr_mem_absent(const struct dr_memtable *m, u64 block, u64 max)
{
	u64 n = 0, step = 1ULL << DR_MEM_FILTER_SHIFT;
	u32 bit;

	if (!READ_ONCE(m->used))
		return max;
	if (READ_ONCE(m->nr_ranges))
		return 0;
	while (n < max) {
		bit = filter_bit(block + n);
		if (READ_ONCE(m->filter[bit / 64]) >> (bit % 64) & 1)
			break;
		n += step - ((block + n) & (step - 1));
	}
	return min(n, max);
}

#define DIGIT_BITS	8u
#define DIGITS		256u

/* One pass: by the digit of the block, or the epoch, that begins at bit @shift */
static void sort_by(struct dr_memtable *m, u32 n, bool epoch, u32 shift)
{
	u32 *from = m->order, *to = m->spare;
	u32 place[DIGITS] = {}, i, digit, nr, sum = 0;
	const struct dr_mem_entry *e;

	for (i = 0; i < n; i++) {
		e = m->e + from[i];
		digit = (epoch ? e->epoch : e->block) >> shift & (DIGITS - 1);
		place[digit]++;
	}
	for (digit = 0; digit < DIGITS; digit++) {
		nr = place[digit];
		place[digit] = sum;
		sum += nr;
	}
	for (i = 0; i < n; i++) {
		e = m->e + from[i];
		digit = (epoch ? e->epoch : e->block) >> shift & (DIGITS - 1);
		to[place[digit]++] = from[i];
	}
	m->order = to;
	m->spare = from;
}

/*
 * Radix sort from the least significant digit on (Knuth 5.2.5): stable, so that
 * age decides last. Digits that all have in common are left out.
 */
u32 dr_mem_sort(struct dr_memtable *m)
{
	u64 blocks = 0, epochs = 0;
	const struct dr_mem_entry *e;
	u32 i, shift, n = 0;

	for (i = 0; i < m->used; i++) {
		e = m->e + i;
		if (e->next == DR_MEM_IS_RANGE)
			continue;
		m->order[n++] = i;
		blocks |= e->block ^ m->e[m->order[0]].block;
		epochs |= e->epoch ^ m->e[m->order[0]].epoch;
	}
	for (shift = 0; epochs >> shift; shift += DIGIT_BITS)
		if (epochs >> shift & (DIGITS - 1))
			sort_by(m, n, true, shift);
	for (shift = 0; shift < 64 && blocks >> shift; shift += DIGIT_BITS)
		if (blocks >> shift & (DIGITS - 1))
			sort_by(m, n, false, shift);
	return n;
}
