// SPDX-License-Identifier: GPL-2.0
/*
 * env-file.c - see env-file.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "env-file.h"

int dr_node_cache_init(struct dr_node_cache *nc, u32 nr)
{
	nc->nr = nr;
	nc->clock = 0;
	nc->block = calloc(nr, sizeof(*nc->block));
	nc->used = calloc(nr, sizeof(*nc->used));
	nc->data = malloc((size_t)nr * DR_BLOCK_SIZE);
	if (nc->block && nc->used && nc->data)
		return 0;
	dr_node_cache_exit(nc);
	return -ENOMEM;
}

void dr_node_cache_exit(struct dr_node_cache *nc)
{
	free(nc->block);
	free(nc->used);
	free(nc->data);
	memset(nc, 0, sizeof(*nc));
}

/* Is the block there? *@at: its entry, or the one to be replaced */
static bool find_way(const struct dr_node_cache *nc, u64 block, u32 *at)
{
	u32 set = (block * 0x9e3779b97f4a7c15ULL >> 32) & (nc->nr - 1) &
		  ~(DR_CACHE_WAYS - 1);
	u32 i;

	*at = set;
	for (i = set; i < set + DR_CACHE_WAYS; i++) {
		if (nc->block[i] == block) {
			*at = i;
			return true;
		}
		if (nc->used[i] < nc->used[*at])
			*at = i;
	}
	return false;
}

const void *dr_node_cache_peek(struct dr_node_cache *nc, u64 block)
{
	u32 i;

	if (!find_way(nc, block, &i))
		return NULL;
	nc->used[i] = ++nc->clock;
	return nc->data + (size_t)i * DR_BLOCK_SIZE;
}

void dr_node_cache_put(struct dr_node_cache *nc, u64 block, const void *buf)
{
	u32 i;

	find_way(nc, block, &i);
	nc->block[i] = block;
	nc->used[i] = ++nc->clock;
	memcpy(nc->data + (size_t)i * DR_BLOCK_SIZE, buf, DR_BLOCK_SIZE);
}

static void file_nothing(void *ctx)
{
	(void)ctx;
}

static const void *file_peek(void *ctx, u64 block)
{
	struct dr_file *f = ctx;

	return dr_node_cache_peek(&f->nodes, block);
}

static void file_cache(void *ctx, u64 block, const void *buf)
{
	struct dr_file *f = ctx;

	dr_node_cache_put(&f->nodes, block, buf);
}

static int file_read(void *ctx, u64 block, u32 nr, void *buf)
{
	struct dr_file *f = ctx;
	size_t len = (size_t)nr * DR_BLOCK_SIZE, done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(f->fd, (u8 *)buf + done, len - done,
			  block * DR_BLOCK_SIZE + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static int file_write_nr(struct dr_file *f, u64 block, u32 nr, const void *buf)
{
	size_t len = (size_t)nr * DR_BLOCK_SIZE, done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(f->fd, (const u8 *)buf + done, len - done,
			   block * DR_BLOCK_SIZE + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static int file_write(void *ctx, u64 block, const void *buf)
{
	return file_write_nr(ctx, block, 1, buf);
}

static int file_barrier(void *ctx, u64 block, u32 nr, const void *buf)
{
	struct dr_file *f = ctx;
	int r = 0;

	if (fdatasync(f->fd))
		r = -errno;
	if (!r && nr)
		r = file_write_nr(f, block, nr, buf);
	if (!r && nr && fdatasync(f->fd))
		r = -errno;
	return r;
}

static void *file_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size ? size : 1);
}

static void file_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static void file_report(void *ctx, const char *what, u64 block,
			const char *why)
{
	struct dr_file *f = ctx;

	f->reports++;
	if (!f->quiet)
		fprintf(stderr, "corrupt %s: %llu, %s\n", what,
			(unsigned long long)block, why);
}

int dr_env_file_init(struct dr_env *env, struct dr_file *f, int fd)
{
	memset(f, 0, sizeof(*f));
	f->fd = fd;
	*env = (struct dr_env){
		.ctx = f,
		.enter = file_nothing, .leave = file_nothing,
		.lock = file_nothing, .unlock = file_nothing,
		.peek = file_peek, .cache = file_cache,
		.read = file_read, .write = file_write,
		.barrier = file_barrier,
		.alloc = file_alloc, .free = file_free,
		.report = file_report,
	};
	return dr_node_cache_init(&f->nodes, 4096);
}

void dr_env_file_exit(struct dr_file *f)
{
	dr_node_cache_exit(&f->nodes);
}
