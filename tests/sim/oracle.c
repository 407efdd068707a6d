// SPDX-License-Identifier: GPL-2.0
/*
 * oracle.c - see oracle.h.
 */
#include <stdlib.h>

#include "oracle.h"

void or_init(struct oracle *o, u64 nr_sectors, u32 spb)
{
	memset(o, 0, sizeof(*o));
	o->nr_sectors = nr_sectors;
	o->nr_blocks = (nr_sectors + spb - 1) / spb;
	o->spb = spb;
	o->clock = 1;
}

static void free_cand(struct oracle *o, struct or_epoch *e)
{
	u64 s;

	if (!e->cand)
		return;
	for (s = 0; s < o->nr_blocks * o->spb; s++)
		free(e->cand[s].v);
	free(e->cand);
	e->cand = NULL;
}

static void free_epoch(struct oracle *o, struct or_epoch *e)
{
	u64 b;

	for (b = 0; b < o->nr_blocks; b++)
		free(e->ver[b]);
	free(e->ver);
	free(e->keeps);
	free_cand(o, e);
	free(e);
}

void or_exit(struct oracle *o)
{
	u32 i;

	for (i = 0; i < o->nr; i++)
		free_epoch(o, o->e[i]);
	free(o->e);
	free(o->base);
}

static u32 position(const struct oracle *o, u32 id)
{
	u32 lo = 0, hi = o->nr, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (o->e[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct or_epoch *or_find(const struct oracle *o, u32 id)
{
	u32 i = position(o, id);

	return i < o->nr && o->e[i]->id == id ? o->e[i] : NULL;
}

struct or_epoch *or_add(struct oracle *o, u32 id, u32 parent)
{
	struct or_epoch *e = calloc(1, sizeof(*e));
	u32 i = position(o, id);

	if (o->nr == o->max) {
		o->max = o->max ? 2 * o->max : 32;
		o->e = realloc(o->e, o->max * sizeof(*o->e));
	}
	memmove(o->e + i + 1, o->e + i, (o->nr - i) * sizeof(*o->e));
	o->e[i] = e;
	o->nr++;
	e->id = id;
	e->parent = parent;
	e->ver = calloc(o->nr_blocks, sizeof(*e->ver));
	e->keeps = calloc(o->nr_blocks, sizeof(*e->keeps));
	e->cand = calloc(o->nr_blocks * o->spb, sizeof(*e->cand));
	return e;
}

void or_remove(struct oracle *o, u32 id)
{
	u32 i = position(o, id);

	if (i == o->nr || o->e[i]->id != id)
		return;
	free_epoch(o, o->e[i]);
	o->nr--;
	memmove(o->e + i, o->e + i + 1, (o->nr - i) * sizeof(*o->e));
}

u32 or_writer(const struct oracle *o, u32 id, u64 block)
{
	const struct or_epoch *e;

	for (e = or_find(o, id); e; e = or_find(o, e->parent))
		if (e->ver[block])
			return e->id;
	return 0;
}

const struct or_ver *or_state(const struct oracle *o, u32 id, u64 block)
{
	u32 w = or_writer(o, id, block);

	return w ? or_find(o, w)->ver[block] : NULL;
}

u64 or_sector(const struct oracle *o, const struct or_ver *v, u64 sector)
{
	if (!v)
		return o->base ? o->base[sector] : OR_ORIGIN | sector;
	return v->val[sector % o->spb];
}

u64 or_value(const struct oracle *o, u32 id, u64 sector)
{
	return or_sector(o, or_state(o, id, sector / o->spb), sector);
}

bool or_same(const struct oracle *o, const struct or_ver *x,
	     const struct or_ver *y, u64 block)
{
	u64 s = block * o->spb;
	u32 i;

	for (i = 0; x != y && i < o->spb && s + i < o->nr_sectors; i++)
		if (or_sector(o, x, s + i) != or_sector(o, y, s + i))
			return false;
	return true;
}

bool or_descends(const struct oracle *o, u32 id, u32 anc)
{
	const struct or_epoch *e;

	for (e = or_find(o, id); e; e = or_find(o, e->parent))
		if (e->id == anc)
			return true;
	return !anc;
}

/* --- what a crash may leave ---------------------------------------------- */

static void insert(struct or_cand *c, u32 at, u64 val, u64 done)
{
	if (c->n == c->max) {
		c->max = c->max ? 2 * c->max : 4;
		c->v = realloc(c->v, c->max * sizeof(*c->v));
	}
	memmove(c->v + at + 1, c->v + at, (c->n - at) * sizeof(*c->v));
	c->v[at] = (struct or_val){ val, done };
	c->n++;
}

void or_clear(struct oracle *o, u32 id, u64 block)
{
	struct or_epoch *e = or_find(o, id);

	free(e->ver[block]);
	e->ver[block] = NULL;
}

void or_set(struct oracle *o, u32 id, u64 block, const struct or_ver *v)
{
	size_t size = sizeof(*v) + o->spb * sizeof(u64);
	struct or_epoch *e = or_find(o, id);
	struct or_ver *n = malloc(size);

	memcpy(n, v, size);
	or_clear(o, id, block);
	e->ver[block] = n;
	e->keeps[block] |= v->kept;
}

void or_publish(struct oracle *o, u32 id, u64 block, u64 slot, bool merged,
		const u64 *val)
{
	struct or_epoch *e = or_find(o, id);
	struct or_ver *v = e->ver[block];
	u64 now = ++o->clock;
	u32 i;

	if (!v)
		v = malloc(sizeof(*v) + o->spb * sizeof(u64));
	e->ver[block] = v;
	v->slot = slot;
	v->merged = merged;
	v->kept = false;
	for (i = 0; i < o->spb; i++) {
		struct or_cand *c = e->cand + block * o->spb + i;

		v->val[i] = val ? val[i] : 0;
		insert(c, c->n, v->val[i], now);
	}
}

void or_claim(struct oracle *o, u32 id, u64 block, const u64 *val)
{
	struct or_epoch *e = or_find(o, id);
	u32 i;

	for (i = 0; i < o->spb; i++) {
		struct or_cand *c = e->cand + block * o->spb + i;

		insert(c, c->n, val[i], 0);
	}
}

void or_inplace(struct oracle *o, u32 id, u64 slot, u64 sector, u64 val)
{
	struct or_epoch *e = or_find(o, id);
	struct or_ver *v = e->ver[sector / o->spb];
	struct or_cand *c = e->cand + sector;

	if (v && v->slot == slot) {
		v->val[sector % o->spb] = val;
		insert(c, c->n, val, 0);
	} else {
		/* A slot that has been overtaken: a crash may undo that. */
		insert(c, c->n ? c->n - 1 : 0, val, 0);
	}
}

void or_done(struct oracle *o, u32 id, u64 sector, u64 val)
{
	struct or_epoch *e = or_find(o, id);
	u32 i;

	if (!e || !e->cand)
		return;
	for (i = 0; i < e->cand[sector].n; i++)
		if (e->cand[sector].v[i].val == val)
			e->cand[sector].v[i].done = ++o->clock;
}

static void trim(struct or_cand *c, u64 mark)
{
	u32 i = c->n;

	while (i && !(c->v[i - 1].done && c->v[i - 1].done <= mark))
		i--;
	if (!i--)
		return;
	c->n -= i;
	memmove(c->v, c->v + i, c->n * sizeof(*c->v));
	c->nobase = true;
}

void or_flushed(struct oracle *o, u64 mark)
{
	u32 i;
	u64 s;

	for (i = 0; i < o->nr; i++)
		for (s = 0; o->e[i]->cand && s < o->nr_blocks * o->spb; s++)
			trim(o->e[i]->cand + s, mark);
}

void or_exact(struct oracle *o, u32 id)
{
	struct or_epoch *e = or_find(o, id);

	e->sealed = true;
	free_cand(o, e);
}

bool or_allowed(const struct oracle *o, u32 id, u64 sector, u64 val)
{
	const struct or_epoch *e = or_find(o, id);
	const struct or_cand *c = e->cand + sector;
	u32 i;

	for (i = 0; i < c->n; i++)
		if (c->v[i].val == val)
			return true;
	return !c->nobase && val == or_value(o, e->parent, sector);
}

void or_settle(struct oracle *o, u32 id)
{
	struct or_epoch *e = or_find(o, id);
	const struct or_ver *v = NULL;
	u64 s;

	e->sealed = false;
	if (!e->cand)
		e->cand = calloc(o->nr_blocks * o->spb, sizeof(*e->cand));
	for (s = 0; s < o->nr_blocks * o->spb; s++) {
		if (!(s % o->spb))
			v = or_state(o, id, s / o->spb);
		e->cand[s].n = 0;
		e->cand[s].nobase = true;
		insert(e->cand + s, 0, or_sector(o, v, s), 1);
	}
}
