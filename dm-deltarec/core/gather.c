// SPDX-License-Identifier: GPL-2.0
/*
 * gather.c - which blocks were written in a set of epochs, in order of block.
 *
 * The index is ordered by epoch, the answer by block: each epoch contributes
 * its runs after the cursor to a buffer of fixed size; when that is full it
 * is sorted and its upper half given up, with a limit below which it is
 * complete. So a window costs one search an epoch plus the runs themselves.
 */
#include "recover.h"

#ifndef WINDOW	/* tests make it small */
#define WINDOW	16384u
#endif

static int by_block(const void *a, const void *b)
{
	const struct dr_range *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* Sort, join what overlaps or touches; return how many are left */
static u32 join_ranges(struct dr_range *a, u32 n)
{
	u32 i, out = 0;

	dr_sort(a, n, sizeof(*a), by_block);
	for (i = 0; i < n; i++) {
		struct dr_range *last = out ? a + out - 1 : NULL;

		if (last && a[i].block <= last->block + last->len)
			last->len = max(last->len, a[i].block + a[i].len -
						   last->block);
		else
			a[out++] = a[i];
	}
	return out;
}

struct window {
	struct dr_range *out;
	u32 n;
	u32 max;
	u64 from;
	u64 limit;		/* complete below this block */
};

/* Make room by giving up the upper half */
static void shrink(struct window *w)
{
	w->n = join_ranges(w->out, w->n);
	if (w->n <= w->max / 2)
		return;
	w->n = w->max / 2;
	w->limit = w->out[w->n].block;
}

static int gather_epoch(struct dr_cursor *c, u32 epoch, struct window *w)
{
	const struct dr_disk_extent *d;
	const void *entry;
	u64 block, end;
	int r;

	r = dr_cursor_le(c, (struct dr_key){ epoch, w->from }, &entry);
	if (r < 0)
		return r;
	if (r) {
		d = entry;
		/* A run that begins before the window, or another epoch's */
		if (le32_to_cpu(d->epoch) != epoch ||
		    le64_to_cpu(d->block) + le32_to_cpu(d->len) <= w->from)
			r = dr_cursor_next(c, &entry);
	} else {
		r = dr_cursor_ge(c, (struct dr_key){ epoch, 0 }, &entry);
	}
	for (; r == 1; r = dr_cursor_next(c, &entry)) {
		d = entry;
		block = le64_to_cpu(d->block);
		end = block + le32_to_cpu(d->len);
		if (le32_to_cpu(d->epoch) != epoch || block >= w->limit)
			return 0;
		block = max(block, w->from);
		if (w->n == w->max)
			shrink(w);
		if (block >= w->limit)
			return 0;
		w->out[w->n++] = (struct dr_range){ block, end - block };
	}
	return r;
}

int dr_gather(struct dr_store *st, const struct dr_root *index,
	      bool (*wanted)(void *arg, const struct dr_epoch *e), void *arg,
	      u64 *cursor, u64 end, struct dr_range *out, u32 max)
{
	struct window w = { .out = out, .max = max, .from = *cursor,
			    .limit = end };
	struct dr_cursor c;
	u32 i;
	int r;

	r = dr_cursor_init(&c, &st->env, st->uuid, &dr_tree_index, index);
	for (i = 0; !r && i < st->epochs.nr; i++)
		if (wanted(arg, st->epochs.e + i))
			r = gather_epoch(&c, st->epochs.e[i].id, &w);
	dr_cursor_exit(&c);
	if (r)
		return r;
	w.n = join_ranges(out, w.n);
	/* Runs may reach past the limit; what is beyond comes again. */
	while (w.n && out[w.n - 1].block >= w.limit)
		w.n--;
	if (w.n && out[w.n - 1].block + out[w.n - 1].len > w.limit)
		out[w.n - 1].len = w.limit - out[w.n - 1].block;
	*cursor = w.limit;
	return w.n;
}

int dr_walk_init(struct dr_walk *w)
{
	const struct dr_env *env = &w->st->env;
	int r;

	w->window = env->alloc(env->ctx, WINDOW * sizeof(*w->window));
	if (!w->window)
		return -ENOMEM;
	r = dr_cursor_init(&w->map, env, w->st->uuid, &dr_tree_map,
			   &w->st->map);
	if (r) {
		env->free(env->ctx, w->window);
		w->window = NULL;
	}
	return r;
}

void dr_walk_exit(struct dr_walk *w)
{
	if (!w->window)
		return;
	dr_cursor_exit(&w->map);
	w->st->env.free(w->st->env.ctx, w->window);
	w->window = NULL;
}

int dr_walk_window(struct dr_walk *w, u64 *cursor, u64 end)
{
	u64 pos;
	int n, i, r;

	n = dr_gather(w->st, &w->st->index, w->wanted, w->arg, cursor, end,
		      w->window, WINDOW);
	if (n < 0)
		return n;
	for (i = 0; i < n; i++) {
		pos = w->window[i].block;
		r = w->visit(w, &pos, pos + w->window[i].len);
		if (r == 1)
			*cursor = pos;
		if (r)
			return r;
	}
	return 0;
}
