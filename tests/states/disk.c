// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - origin and delta as a power cut may leave them.
 *
 * The image holds what is durable; it is an array of references, so a state is
 * laid out by changing some of them, and undone by changing them back. What was
 * written since the last flush is in the cache: any part of it may get there.
 */
#include "states.h"

static void grow(void *array, u32 nr, u32 *max, size_t size)
{
	void **p = array;

	if (nr < *max)
		return;
	*max = *max ? 2 * *max : 1024;
	*p = realloc(*p, *max * size);
}

/* --- the recording ----------------------------------------------------------- */

static bool in_origin(const struct disk *d, u32 at)
{
	return at < d->log->origin.nr;
}

static u32 data_of(const struct log *l, const struct rec *r, u32 i)
{
	return r->data == l->gone ? l->gone : r->data + i;
}

/* Is this the n-th flush, which is not to be heard? */
static bool is_deaf(u32 *count, u32 each)
{
	return each && ++*count % each == 0;
}

static void flush(struct disk *d)
{
	u32 i, k;

	if (is_deaf(d->flushes + d->origin_caches, d->origin_caches ?
		    d->deaf.origin : d->deaf.delta))
		return;
	for (i = 0; i < d->nr_cached; i++) {
		const struct rec *r = d->log->rec + d->cached[i];

		for (k = 0; k < r->nr; k++)
			d->img[r->at + k] = data_of(d->log, r, k);
	}
	d->nr_cached = 0;
}

void disk_apply(struct disk *d, u32 rec)
{
	const struct rec *r = d->log->rec + rec;
	u32 k;

	if (r->kind == REC_FLUSH) {
		flush(d);
	} else if (in_origin(d, r->at) == d->origin_caches) {
		grow(&d->cached, d->nr_cached, &d->max_cached,
		     sizeof(*d->cached));
		d->cached[d->nr_cached++] = rec;
	} else {
		for (k = 0; k < r->nr; k++)
			d->img[r->at + k] = data_of(d->log, r, k);
	}
}

void disk_caches(struct disk *d, bool origin)
{
	struct deaf was = d->deaf;

	memset(&d->deaf, 0, sizeof(d->deaf));
	flush(d);
	d->deaf = was;
	d->origin_caches = origin;
}

/* --- a state ------------------------------------------------------------------- */

static void set(struct disk *d, u32 at, u32 sector)
{
	grow(&d->undo, d->nr_undo, &d->max_undo, sizeof(*d->undo));
	d->undo[d->nr_undo++] = (struct undo){ at, d->img[at] };
	d->img[at] = sector;
}

static void power_on(struct disk *d)
{
	d->round++;
	d->nr_vol = 0;
	d->dead = false;
	d->die_at = 0;
	d->steps = 0;
	memset(d->nodes.block, 0, d->nodes.nr * sizeof(*d->nodes.block));
}

void disk_cut(struct disk *d, enum state_kind kind)
{
	static const u8 odds[] = { 5, 30, 50, 70, 95 };
	u32 keep = odds[rnd(&d->rng, sizeof(odds))], i, k, torn = ~0u;

	d->own = d->log->own;
	power_on(d);
	if (kind == STATE_TORN && d->nr_cached)
		torn = rnd(&d->rng, d->nr_cached);
	for (i = 0; i < d->nr_cached; i++) {
		const struct rec *r = d->log->rec + d->cached[i];

		if (kind != STATE_ALL && !r->durable && i != torn &&
		    !chance(&d->rng, keep))
			continue;
		for (k = 0; k < r->nr; k++)
			if (i != torn || r->durable || chance(&d->rng, 50))
				set(d, r->at + k, data_of(d->log, r, k));
	}
}

void disk_cut_core(struct disk *d)
{
	u32 keep = rnd(&d->rng, 3) * 50, i;

	for (i = 0; i < d->nr_vol; i++)
		if (!chance(&d->rng, keep))
			set(d, d->vol[i].at, d->vol[i].was);
	power_on(d);
}

void disk_restore(struct disk *d)
{
	while (d->nr_undo--)
		d->img[d->undo[d->nr_undo].at] = d->undo[d->nr_undo].was;
	d->nr_undo = 0;
}

/* A write of the core: in the cache until its next barrier */
static void put(struct disk *d, u32 at, u32 sector)
{
	if (d->seen[at] != d->round) {
		d->seen[at] = d->round;
		grow(&d->vol, d->nr_vol, &d->max_vol, sizeof(*d->vol));
		d->vol[d->nr_vol++] = (struct undo){ at, d->img[at] };
	}
	set(d, at, sector);
}

void disk_copy(struct disk *d, u32 to, u32 from, u32 nr)
{
	for (; nr--; to++)
		put(d, to, from == ~0u ? d->log->zero : d->img[from++]);
}

/* --- the core's environment ----------------------------------------------------- */

static bool step(struct disk *d)
{
	d->dead |= d->die_at && ++d->steps >= d->die_at;
	return d->dead;
}

static void env_nothing(void *ctx)
{
}

static const void *env_peek(void *ctx, u64 block)
{
	return dr_node_cache_peek(&((struct disk *)ctx)->nodes, block);
}

static void env_cache(void *ctx, u64 block, const void *buf)
{
	dr_node_cache_put(&((struct disk *)ctx)->nodes, block, buf);
}

/* First sector of a block in the image, if there are so many */
static bool place(const struct disk *d, u64 block, u32 nr, u32 *at)
{
	*at = d->log->origin.nr + block * PER_BLOCK;
	return (block + nr) * PER_BLOCK <= d->log->delta.nr;
}

static int env_read(void *ctx, u64 block, u32 nr, void *buf)
{
	struct disk *d = ctx;
	u32 at, i;

	if (d->dead || !place(d, block, nr, &at))
		return -EIO;
	for (i = 0; i < nr * PER_BLOCK; i++)
		memcpy((u8 *)buf + i * SIM_SECTOR,
		       sector_data(d->log, d->img[at + i]), SIM_SECTOR);
	return 0;
}

static int write_blocks(struct disk *d, u64 block, u32 nr, const void *buf)
{
	u32 at, i;

	if (!place(d, block, nr, &at))
		return -EIO;
	if (d->own + nr * PER_BLOCK > d->log->max)
		die("a state writes too much");
	memcpy(sector_data(d->log, d->own), buf, (size_t)nr * DR_BLOCK_SIZE);
	for (i = 0; i < nr * PER_BLOCK; i++)
		put(d, at + i, d->own++);
	return 0;
}

static int env_write(void *ctx, u64 block, const void *buf)
{
	struct disk *d = ctx;
	bool was = d->dead;
	int r;

	if (was)
		return -EIO;
	step(d);
	/* One that the power goes in may get there, in part. */
	r = write_blocks(d, block, 1, buf);
	return d->dead ? -EIO : r;
}

static void barrier(struct disk *d)
{
	if (d->deaf.core)
		return;
	d->nr_vol = 0;
	d->round++;
}

static int env_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	struct disk *d = ctx;
	int r = 0;

	if (d->dead || step(d))
		return -EIO;
	barrier(d);
	if (!nr)
		return 0;
	step(d);
	r = write_blocks(d, block, nr, buf);
	if (d->dead)
		return -EIO;
	barrier(d);
	return r;
}

static void *env_alloc(void *ctx, size_t size)
{
	return calloc(1, size ? size : 1);
}

static void env_free(void *ctx, void *p)
{
	free(p);
}

static void env_report(void *ctx, const char *what, u64 block, const char *why)
{
	struct disk *d = ctx;

	/* A torn superblock is passed over; the other one counts. */
	if (d->dead || !strcmp(what, "superblock"))
		return;
	d->reports++;
	snprintf(d->report, sizeof(d->report), "%s %llu: %s", what, ull(block),
		 why);
}

/* The old content of the origin, for a branch */
static int env_save(void *ctx, const struct dr_copy *copy)
{
	struct disk *d = ctx;
	u32 to, per = copy->nr * PER_BLOCK, from = copy->block * PER_BLOCK;

	if (d->dead || !place(d, copy->slot, copy->nr, &to))
		return -EIO;
	if (from + per > d->log->origin.nr)
		per = d->log->origin.nr - from;
	disk_copy(d, to, from, per);
	return 0;
}

void disk_init(struct disk *d, const struct log *l, struct dr_env *env)
{
	u32 n = image_sectors(l), i;

	d->log = l;
	d->img = malloc(n * sizeof(*d->img));
	d->seen = calloc(n, sizeof(*d->seen));
	for (i = 0; i < n; i++)
		d->img[i] = l->gone;
	*env = (struct dr_env){
		.ctx = d, .enter = env_nothing, .leave = env_nothing,
		.lock = env_nothing, .unlock = env_nothing, .peek = env_peek,
		.cache = env_cache, .read = env_read, .write = env_write,
		.barrier = env_barrier, .alloc = env_alloc, .free = env_free,
		.report = env_report, .save = env_save,
	};
	if (dr_node_cache_init(&d->nodes, 512))
		die("memory");
}
