// SPDX-License-Identifier: GPL-2.0
/*
 * sim-disk.c - see sim-disk.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim-disk.h"

#define PER_BLOCK	(DR_BLOCK_SIZE / SIM_SECTOR)

const void *sim_block(const struct sim_disk *d, u64 block)
{
	return block < d->nr && d->b[block] ? d->b[block]->data : NULL;
}

static struct sim_block *get_block(struct sim_disk *d, u64 block)
{
	if (!d->b[block]) {
		d->b[block] = malloc(sizeof(struct sim_block));
		memset(d->b[block]->data, SIM_STALE, DR_BLOCK_SIZE);
		d->b[block]->old = NULL;
	}
	return d->b[block];
}

static void push_old(struct sim_block *b, u8 mask)
{
	struct sim_old *o = malloc(sizeof(*o));

	memcpy(o->data, b->data, DR_BLOCK_SIZE);
	o->mask = mask;
	o->next = b->old;
	b->old = o;
}

static void free_old(struct sim_block *b)
{
	struct sim_old *o = b->old, *next;

	for (; o; o = next) {
		next = o->next;
		free(o);
	}
	b->old = NULL;
}

/* Change sectors of a block; the change is in the volatile cache. */
static struct sim_block *dirty_block(struct sim_disk *d, u64 block)
{
	struct sim_block *b = get_block(d, block);

	if (b->old)
		return b;
	push_old(b, 0xff);
	if (d->nr_dirty == d->max_dirty) {
		d->max_dirty = d->max_dirty ? 2 * d->max_dirty : 256;
		d->dirty = realloc(d->dirty,
				   d->max_dirty * sizeof(*d->dirty));
	}
	d->dirty[d->nr_dirty++] = block;
	return b;
}

static void flush(struct sim_disk *d)
{
	u32 i;

	for (i = 0; i < d->nr_dirty; i++)
		free_old(d->b[d->dirty[i]]);
	d->nr_dirty = 0;
}

/* One more step. True: the disk dies in it. */
static bool step(struct sim_disk *d)
{
	d->steps++;
	if (d->die_at && d->steps >= d->die_at)
		d->dead = true;
	return d->dead;
}

static void may_sleep(struct sim_disk *d, const char *what)
{
	if (!d->locked && !d->inside)
		return;
	d->misuse++;
	printf("# %s where sleeping is not allowed\n", what);
}

static int put(struct sim_disk *d, u64 block, const void *buf)
{
	struct sim_block *b;

	if (block >= d->nr)
		return -EIO;
	b = dirty_block(d, block);
	memcpy(b->data, buf, DR_BLOCK_SIZE);
	push_old(b, 0xff);
	return 0;
}

int sim_write_data(struct sim_disk *d, u64 sector, u32 n, const u64 *val)
{
	bool dies;
	u32 i;

	if (d->dead)
		return -EIO;
	dies = step(d);
	for (i = 0; i < n; i++, sector++) {
		u64 block = sector / PER_BLOCK;
		u32 s = sector % PER_BLOCK;
		struct sim_block *b = dirty_block(d, block);

		memset(b->data + s * SIM_SECTOR, 0, SIM_SECTOR);
		memcpy(b->data + s * SIM_SECTOR, val + i, 8);
		/* One record for the sectors of this call in one block */
		if (i && s && b->old->next) {
			memcpy(b->old->data, b->data, DR_BLOCK_SIZE);
			b->old->mask |= 1 << s;
		} else {
			push_old(b, 1 << s);
		}
	}
	return dies ? -EIO : 0;
}

u64 sim_read_data(const struct sim_disk *d, u64 sector)
{
	const u8 *b = sim_block(d, sector / PER_BLOCK);
	u64 val = 0xe5e5e5e5e5e5e5e5ULL;

	if (b)
		memcpy(&val, b + sector % PER_BLOCK * SIM_SECTOR, 8);
	return val;
}

static void crash_sector(struct sim_disk *d, struct sim_block *b, u32 s,
			 u32 keep)
{
	struct sim_old *o, *take = NULL;
	u32 n = 0;

	if (!chance(d->rng, keep))
		for (o = b->old; o; o = o->next)
			if (o->mask >> s & 1 && !rnd(d->rng, ++n))
				take = o;
	if (take)
		memcpy(b->data + s * SIM_SECTOR, take->data + s * SIM_SECTOR,
		       SIM_SECTOR);
}

void sim_crash(struct sim_disk *d)
{
	static const u8 odds[] = { 0, 0, 20, 50, 80, 95, 100 };
	u32 i, s, keep = odds[rnd(d->rng, sizeof(odds))];

	for (i = 0; i < d->nr_dirty; i++) {
		struct sim_block *b = d->b[d->dirty[i]];

		for (s = 0; s < PER_BLOCK; s++)
			crash_sector(d, b, s, keep);
	}
	flush(d);
	memset(d->nodes.block, 0, d->nodes.nr * sizeof(*d->nodes.block));
	d->dead = false;
	d->die_at = 0;
	d->locked = false;
	d->inside = 0;
}

/* --- the core's environment ---------------------------------------------- */

static void env_enter(void *ctx)
{
	((struct sim_disk *)ctx)->inside++;
}

static void env_leave(void *ctx)
{
	((struct sim_disk *)ctx)->inside--;
}

static void env_lock(void *ctx)
{
	struct sim_disk *d = ctx;

	if (d->locked) {
		d->misuse++;
		printf("# locked twice\n");
	}
	d->locked = true;
}

static void env_unlock(void *ctx)
{
	((struct sim_disk *)ctx)->locked = false;
}

static const void *env_peek(void *ctx, u64 block)
{
	struct sim_disk *d = ctx;

	if (!d->inside)
		d->misuse++;
	return dr_node_cache_peek(&d->nodes, block);
}

static void env_cache(void *ctx, u64 block, const void *buf)
{
	struct sim_disk *d = ctx;

	may_sleep(d, "cache");
	dr_node_cache_put(&d->nodes, block, buf);
}

static int env_read(void *ctx, u64 block, u32 nr, void *buf)
{
	struct sim_disk *d = ctx;
	const void *b;
	u32 i;

	may_sleep(d, "read");
	if (d->dead || block + nr > d->nr)
		return -EIO;
	for (i = 0; i < nr; i++) {
		b = sim_block(d, block + i);
		if (b)
			memcpy((u8 *)buf + (size_t)i * DR_BLOCK_SIZE, b,
			       DR_BLOCK_SIZE);
		else
			memset((u8 *)buf + (size_t)i * DR_BLOCK_SIZE,
			       SIM_STALE, DR_BLOCK_SIZE);
	}
	return 0;
}

static int env_write(void *ctx, u64 block, const void *buf)
{
	struct sim_disk *d = ctx;
	bool dies;
	int r;

	may_sleep(d, "write");
	if (d->dead)
		return -EIO;
	dies = step(d);
	r = put(d, block, buf);
	return dies ? -EIO : r;
}

static int env_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	struct sim_disk *d = ctx;
	bool dies;
	u32 i;

	may_sleep(d, "barrier");
	if (d->dead || step(d))
		return -EIO;
	flush(d);
	if (!nr)
		return 0;
	dies = step(d);
	for (i = 0; i < nr; i++)
		if (put(d, block + i, (u8 *)buf + (size_t)i * DR_BLOCK_SIZE))
			return -EIO;
	if (dies)
		return -EIO;
	flush(d);
	return 0;
}

static void *env_alloc(void *ctx, size_t size)
{
	struct sim_disk *d = ctx;

	may_sleep(ctx, "alloc");
	if (d->fail_alloc && !--d->fail_alloc)
		return NULL;
	return calloc(1, size ? size : 1);
}

static void env_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static void env_report(void *ctx, const char *what, u64 block, const char *why)
{
	struct sim_disk *d = ctx;

	if (d->dead)
		return;
	d->reports++;
	if (!strcmp(what, "superblock"))
		d->super_reports++;
	if (d->verbose || strcmp(what, "superblock"))
		printf("# report: %s %llu: %s\n", what,
		       (unsigned long long)block, why);
}

static bool env_waited_for(void *ctx)
{
	struct sim_disk *d = ctx;

	return chance(d->rng, 5);
}

int sim_init(struct sim_disk *d, struct dr_env *env, u64 nr, u64 max,
	     u32 nodes, struct rng *rng)
{
	memset(d, 0, sizeof(*d));
	d->nr = nr;
	d->max = max;
	d->rng = rng;
	d->b = calloc(max, sizeof(*d->b));
	*env = (struct dr_env){
		.ctx = d, .enter = env_enter, .leave = env_leave,
		.peek = env_peek, .cache = env_cache, .read = env_read,
		.write = env_write, .barrier = env_barrier,
		.alloc = env_alloc, .free = env_free, .lock = env_lock,
		.unlock = env_unlock, .report = env_report,
		.waited_for = env_waited_for,
	};
	return dr_node_cache_init(&d->nodes, nodes);
}

void sim_exit(struct sim_disk *d)
{
	u64 i;

	flush(d);
	for (i = 0; i < d->max; i++)
		free(d->b[i]);
	free(d->b);
	free(d->dirty);
	dr_node_cache_exit(&d->nodes);
}
