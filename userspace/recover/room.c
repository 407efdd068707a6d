// SPDX-License-Identifier: GPL-2.0
/*
 * room.c - see room.h. What a file system writes beside the content cannot be
 * known before; the figures are for ext4, which writes the most of it twice.
 */
#include <stdio.h>

#include "cli.h"
#include "output.h"
#include "parse.h"
#include "recover/room.h"

#define FS_BLOCK	4096u
#define ITEM_BYTES	512u		/* its inode and its name */
#define ITEM_LOG_BYTES	(32u * 1024)	/* its transaction in the journal */
#define LOG_BYTES	(64u * 1024 * 1024)	/* which begins anew then */
#define FIXED_BYTES	(1024u * 1024)	/* superblocks, bitmaps, the label */
#define FIXED_BLOCKS	16u		/* which lie apart */
#define ITEM_SHARE	(64u * 1024)

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Where a piece ends within a block of ours, it takes the whole. Small files of
 * one folder, written together, lie side by side; those of others do not, and
 * each folder has a block of its own and inodes elsewhere.
 */
static uint64_t rounding(const struct room_use *use, uint64_t block)
{
	if (block <= FS_BLOCK)
		return 0;
	return 3 * use->folders * (block - FS_BLOCK) +
	       use->items * (smaller(block, ITEM_SHARE) - FS_BLOCK);
}

uint64_t room_needed(const struct room_use *use, uint64_t block,
		     uint64_t device)
{
	uint64_t log = smaller(use->items * ITEM_LOG_BYTES, LOG_BYTES);
	uint64_t fixed = FIXED_BLOCKS * block;
	uint64_t need = use->content + rounding(use, block) +
			use->items * ITEM_BYTES + log;

	if (fixed < FIXED_BYTES)
		fixed = FIXED_BYTES;
	/* Whatever it writes twice is kept once. */
	return smaller(need, device) + fixed;
}

uint64_t room_free(const struct device_status *status)
{
	uint64_t taken = status->used + status->reserve;

	return status->total > taken ?
	       (status->total - taken) * UNIT_BLOCK_BYTES : 0;
}

int room_compare(const char *thing, const char *where, uint64_t need,
		 uint64_t have, const char *remedy)
{
	char need_text[32], have_text[32];

	if (need <= have)
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, thing, remedy,
		    "up to %s are needed%s, %s are free; nothing was changed",
		    out_size(need, need_text, sizeof(need_text)), where,
		    out_size(have, have_text, sizeof(have_text)));
}

int room_check(const char *device, const struct room_use *use)
{
	struct device_status status;
	int code = device_status(device, &status);

	if (code || !use->items)
		return code;
	return room_compare(device, " on the delta",
			    room_needed(use,
					status.block_sectors * SECTOR_BYTES,
					status.sectors * SECTOR_BYTES),
			    room_free(&status),
			    "'dmdelta drop' an epoch, enlarge the delta, or select fewer files; --force tries it");
}
