// SPDX-License-Identifier: GPL-2.0
/* Do block devices have open modes of their own? */
#include <linux/blkdev.h>

blk_mode_t probe(void);
blk_mode_t probe(void)
{
	return BLK_OPEN_READ | BLK_OPEN_WRITE;
}
