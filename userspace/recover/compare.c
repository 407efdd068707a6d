// SPDX-License-Identifier: GPL-2.0
/*
 * compare.c - what was written again later without being changed, and what
 * was replaced by zeroes.
 *
 * A file system may write more than was changed: xfs writes back whole folios
 * of its page cache. A block that comes again with the bytes of the damage is
 * no later work. Only content tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "recover/blocks.h"

#define PIECE_BYTES	1048576u	/* a multiple of every block size */

struct compare {
	const char *node[3];
	int fd[3];
	char *buf[3];
	uint64_t unit;		/* bytes */
	struct range_list *same, *zeroes;
};

enum { BASE, BAD, NOW };

static bool all_zeroes(const char *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static int read_piece(struct compare *c, int which, uint64_t at, size_t len)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pread(c->fd[which], c->buf[which] + done, len - done,
			  at + done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail_errno(c->node[which], "read",
					  n ? -errno : -EIO);
		done += n;
	}
	return DR_EXIT_OK;
}

/* Blocks of the piece in which @pick says yes */
static void put_blocks(struct compare *c, uint64_t at, size_t len,
		       bool (*pick)(const struct compare *c, size_t offset,
				    size_t len),
		       struct range_list *list)
{
	size_t offset, n;

	for (offset = 0; offset < len; offset += n) {
		n = len - offset < c->unit ? len - offset : c->unit;
		if (pick(c, offset, n))
			range_list_add(list, (at + offset) >> SECTOR_SHIFT,
				       n >> SECTOR_SHIFT);
	}
}

static bool is_same(const struct compare *c, size_t offset, size_t len)
{
	return !memcmp(c->buf[BAD] + offset, c->buf[NOW] + offset, len);
}

static bool became_zeroes(const struct compare *c, size_t offset, size_t len)
{
	return all_zeroes(c->buf[BAD] + offset, len) &&
	       !all_zeroes(c->buf[BASE] + offset, len);
}

static bool is_zeroes(const struct compare *c, size_t offset, size_t len)
{
	return all_zeroes(c->buf[BAD] + offset, len);
}

static int take_same(struct compare *c, uint64_t at, size_t len)
{
	int code = read_piece(c, BAD, at, len);

	if (!code)
		code = read_piece(c, NOW, at, len);
	if (!code)
		put_blocks(c, at, len, is_same, c->same);
	return code;
}

/* The state before is read only where there are zeroes now. */
static int take_zeroes(struct compare *c, uint64_t at, size_t len)
{
	struct range_list any = { 0 };
	int code = read_piece(c, BAD, at, len);

	if (code)
		return code;
	put_blocks(c, at, len, is_zeroes, &any);
	if (any.no_memory)
		c->zeroes->no_memory = true;
	if (any.nr) {
		code = read_piece(c, BASE, at, len);
		if (!code)
			put_blocks(c, at, len, became_zeroes, c->zeroes);
	}
	range_list_free(&any);
	return code;
}

static int each_piece(struct compare *c, const struct range *r, size_t nr,
		      int (*take)(struct compare *c, uint64_t at, size_t len))
{
	uint64_t at, end;
	size_t len;
	int code = DR_EXIT_OK;

	for (; !code && nr; nr--, r++) {
		at = r->start_sectors << SECTOR_SHIFT;
		end = range_end(r) << SECTOR_SHIFT;
		for (; !code && at < end; at += len) {
			len = end - at < PIECE_BYTES ? end - at : PIECE_BYTES;
			if (cancelled())
				return fail_cancelled(c->node[BAD]);
			code = take(c, at, len);
		}
	}
	return code;
}

static int open_all(struct compare *c)
{
	int i;

	for (i = 0; i < 3; i++) {
		c->buf[i] = malloc(PIECE_BYTES);
		if (!c->buf[i])
			return fail(DR_EXIT_OPERATIONAL, "memory", NULL,
				    "none left");
		c->fd[i] = open(c->node[i], O_RDONLY | O_CLOEXEC);
		if (c->fd[i] < 0)
			return fail_errno(c->node[i], "open", -errno);
	}
	return DR_EXIT_OK;
}

int blocks_compare(const char *base, const char *bad, const char *now,
		   uint64_t block_sectors, const struct range_list *written,
		   const struct range_list *later,
		   const struct range_list *compared, struct range_list *same,
		   struct range_list *zeroes)
{
	struct compare c = {
		.node = { base, bad, now }, .fd = { -1, -1, -1 },
		.unit = block_sectors << SECTOR_SHIFT,
		.same = same, .zeroes = zeroes,
	};
	struct range_list both = { 0 };
	int code = open_all(&c), i;

	ranges_and(compared->range, compared->nr, later->range, later->nr,
		   &both);
	if (!code)
		code = each_piece(&c, both.range, both.nr, take_same);
	if (!code)
		code = each_piece(&c, written->range, written->nr,
				  take_zeroes);
	if (!code && (both.no_memory || same->no_memory || zeroes->no_memory))
		code = fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	range_list_free(&both);
	for (i = 0; i < 3; i++) {
		free(c.buf[i]);
		if (c.fd[i] >= 0)
			close(c.fd[i]);
	}
	return code;
}
