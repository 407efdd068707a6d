// SPDX-License-Identifier: GPL-2.0
/*
 * plan-index.c - the index tree's part of a plan: for each epoch the blocks
 * that have a version in it, as disjoint runs that do not touch.
 */
#include "plan.h"

static bool change_after(const struct dr_index_change *a,
			 const struct dr_index_change *b)
{
	if (a->epoch != b->epoch)
		return a->epoch > b->epoch;
	return a->block > b->block;
}

/* Merge two neighbouring parts in order, the second of which begins at @mid */
static void merge_changes(const struct dr_index_change *a, u32 mid, u32 n,
			  struct dr_index_change *to)
{
	u32 i = 0, j = mid;

	while (i < mid && j < n)
		*to++ = change_after(a + i, a + j) ? a[j++] : a[i++];
	memcpy(to, a + i, (mid - i) * sizeof(*a));
	memcpy(to + mid - i, a + j, (n - j) * sizeof(*a));
}

/*
 * Merge sort from the bottom up (Knuth 5.2.4). The changes come in order of block,
 * so those of several epochs alternate: the worst case of many a simpler sort.
 */
static void sort_changes(struct dr_plan *p)
{
	u32 i, mid, left, len, n = p->nr_ich;

	for (i = 1; i < n && !change_after(p->ich + i - 1, p->ich + i); i++)
		;
	if (i >= n)
		return;
	for (len = 1; len < n; len *= 2) {
		for (i = 0; i < n; i += 2 * len) {
			left = min(n - i, 2 * len);
			mid = min(left, len);
			merge_changes(p->ich + i, mid, left, p->ich_spare + i);
		}
		swap(p->ich, p->ich_spare);
	}
}

static int flush_batch(struct dr_plan *p)
{
	int r = dr_tree_apply(p->txn, p->index, &p->ibatch);

	p->ibatch.nr = 0;
	/* No cursor is on an older root of this tree. */
	dr_cursor_reset(&p->ic, p->index);
	return r;
}

static void put_extent(struct dr_plan *p, u32 i, u32 epoch, u64 block, u64 len,
		       bool del)
{
	struct dr_disk_extent *d = dr_batch_at(&p->ibatch, i);

	d->epoch = cpu_to_le32(epoch);
	d->block = cpu_to_le64(block);
	d->len = cpu_to_le32((u32)len);
	p->ibatch.del[i] = del;
}

#define LEN_MAX	(~0u)	/* of a run */

struct extent {
	u64 block;
	u64 end;
	u32 epoch;
};

static struct extent decode(const void *entry)
{
	const struct dr_disk_extent *d = entry;
	struct extent x = { .block = le64_to_cpu(d->block),
			    .epoch = le32_to_cpu(d->epoch) };

	x.end = x.block + le32_to_cpu(d->len);
	return x;
}

static struct dr_key extent_key(u32 epoch, u64 block)
{
	return (struct dr_key){ epoch, block };
}

static bool touches(const struct extent *x, u32 epoch, u64 s)
{
	return x->epoch == epoch && x->end >= s;
}

/* Of two that touch, the left one may be as long as it can be. */
static bool is_full(const struct extent *x, u64 s)
{
	return s - x->block >= LEN_MAX;
}

enum left {
	LEFT_NONE,
	LEFT_BATCH,		/* the run added last, which no tree has yet */
	LEFT_TREE,
	LEFT_FULL,		/* LEFT_BATCH, and to be in a tree first */
};

/* The run that grows when something is added from @s on: enum left, or an error */
static int left_of(struct dr_plan *p, u32 epoch, u64 s, struct extent *x)
{
	const void *entry;
	int r;

	if (p->ibatch.nr) {
		*x = decode(dr_batch_at(&p->ibatch, p->i_at));
		if (touches(x, epoch, s))
			return is_full(x, s) ? LEFT_FULL : LEFT_BATCH;
	}
	r = dr_cursor_le(&p->ic, extent_key(epoch, s), &entry);
	if (r != 1)
		return r;
	*x = decode(entry);
	return touches(x, epoch, s) && !is_full(x, s) ? LEFT_TREE : LEFT_NONE;
}

/*
 * Add [*s, e) of one epoch. Runs that it touches are taken in. Return: 1 with *@s
 * where to go on after the batch was applied, 0 when all is added, or an error.
 */
static int add_extent(struct dr_plan *p, u32 epoch, u64 *s, u64 e)
{
	struct extent x;
	u64 from, to, next;
	const void *entry;
	int r;

	r = left_of(p, epoch, *s, &x);
	if (r < 0 || r == LEFT_FULL)
		return r < 0 ? r : 1;
	if (r == LEFT_NONE)
		x = (struct extent){ .block = *s, .end = *s };
	from = x.block;
	to = max(x.end, min_t(u64, e, from + LEN_MAX));
	/* What the last one touched is taken in already. */
	next = (r == LEFT_BATCH ? x.end : from) + 1;
	if (r != LEFT_BATCH)
		p->i_at = p->ibatch.nr++;
	r = dr_cursor_ge(&p->ic, extent_key(epoch, next), &entry);
	for (; r == 1; r = dr_cursor_next(&p->ic, &entry)) {
		x = decode(entry);
		if (x.epoch != epoch || x.block > to || x.end - from > LEN_MAX)
			break;
		if (p->ibatch.nr == p->ibatch.max) {
			to = x.block;
			break;
		}
		put_extent(p, p->ibatch.nr++, epoch, x.block, 0, true);
		to = max(to, x.end);
	}
	if (r < 0)
		return r;
	put_extent(p, p->i_at, epoch, from, to - from, false);
	*s = to;
	return to < e;
}

/* The run that holds @s, if any: the one cut last in this batch, or a base */
static int find_extent(struct dr_plan *p, u32 epoch, u64 s, struct extent *x)
{
	const void *entry;
	int r;

	if (p->ibatch.nr && !p->ibatch.del[p->ibatch.nr - 1]) {
		*x = decode(dr_batch_at(&p->ibatch, p->ibatch.nr - 1));
		if (x->epoch == epoch && x->block <= s && x->end > s) {
			p->ibatch.nr--;
			return 1;
		}
	}
	r = dr_cursor_le(&p->ic, extent_key(epoch, s), &entry);
	if (r != 1)
		return r;
	*x = decode(entry);
	return x->epoch == epoch && x->end > s;
}

/* Remove what there is of [*s, e); as add_extent() */
static int remove_extent(struct dr_plan *p, u32 epoch, u64 *s, u64 e)
{
	const void *entry;
	struct extent x;
	int r;

	while (*s < e) {
		if (p->ibatch.nr + 3 > p->ibatch.max)
			return 1;
		r = find_extent(p, epoch, *s, &x);
		if (r < 0)
			return r;
		if (!r) {
			r = dr_cursor_ge(&p->ic, extent_key(epoch, *s), &entry);
			if (r < 0)
				return r;
			if (r)
				x = decode(entry);
			if (!r || x.epoch != epoch || x.block >= e)
				break;
			*s = x.block;
		}
		put_extent(p, p->ibatch.nr++, epoch, x.block, *s - x.block,
			   *s == x.block);
		if (x.end > e)
			put_extent(p, p->ibatch.nr++, epoch, e, x.end - e,
				   false);
		*s = x.end;
	}
	*s = e;
	return 0;
}

int dr_index_apply(struct dr_plan *p)
{
	u32 i = 0, n;
	int r = 0;

	sort_changes(p);
	while (!r && i < p->nr_ich) {
		const struct dr_index_change *c = p->ich + i;
		u64 s = c->block, e = s + c->len;

		/* What follows at once goes along */
		for (n = i + 1; n < p->nr_ich; n++) {
			if (p->ich[n].epoch != c->epoch ||
			    p->ich[n].remove != c->remove ||
			    p->ich[n].block != e)
				break;
			e += p->ich[n].len;
		}
		/* A run that this batch has altered is not in the tree yet. */
		if (p->ibatch.nr && (p->ibatch.nr + 4 > p->ibatch.max ||
				     c->remove != c[-1].remove))
			r = flush_batch(p);
		if (r)
			break;
		do {
			r = c->remove ? remove_extent(p, c->epoch, &s, e)
				      : add_extent(p, c->epoch, &s, e);
			if (r == 1) {
				r = flush_batch(p);
				if (!r)
					r = 1;
			}
		} while (r == 1);
		i = n;
	}
	p->nr_ich = 0;
	return r ? r : flush_batch(p);
}
