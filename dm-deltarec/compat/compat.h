/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - the only place that knows kernels apart.
 *
 * The code outside is written for the newest kernel; what is missing in an
 * older one gets its new name here. Kbuild finds out by compiling the probes
 * in this directory (compat/probe-<name>.c defines DR_HAVE_<NAME> when it
 * compiles); versions are never compared, since stable branches change them.
 */
#ifndef DR_COMPAT_H
#define DR_COMPAT_H

#include <linux/blkdev.h>
#include <linux/device-mapper.h>
#include <linux/dm-io.h>

/* Where hex2bin() lives; before, in kernel.h */
#ifdef DR_HAVE_HEX
#include <linux/hex.h>
#else
#include <linux/kernel.h>
#endif

#ifndef DR_HAVE_BLK_MODE
#define blk_mode_t	fmode_t
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
#endif

/*
 * A block device that is opened beside whoever else has it, for reading and
 * writing. 0 or a negative errno; may sleep.
 */
struct deltarec_bdev {
	struct block_device *bdev;	/* NULL: not open */
#ifdef DR_HAVE_BDEV_FILE
	struct file *file;
#endif
};

static inline int deltarec_bdev_open(struct deltarec_bdev *b, dev_t dev)
{
#ifdef DR_HAVE_BDEV_FILE
	struct file *file = bdev_file_open_by_dev(dev, BLK_OPEN_READ |
						  BLK_OPEN_WRITE, NULL, NULL);

	if (IS_ERR(file))
		return PTR_ERR(file);
	b->file = file;
	b->bdev = file_bdev(file);
#else
	struct block_device *bdev = blkdev_get_by_dev(dev, FMODE_READ |
						      FMODE_WRITE, NULL);

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	b->bdev = bdev;
#endif
	return 0;
}

static inline void deltarec_bdev_close(struct deltarec_bdev *b)
{
	if (!b->bdev)
		return;
#ifdef DR_HAVE_BDEV_FILE
	bdev_fput(b->file);
#else
	blkdev_put(b->bdev, FMODE_READ | FMODE_WRITE);
#endif
	b->bdev = NULL;
}

/*
 * dm_io() has had 4, 5 and 6 arguments. The sixth asks for what a device does
 * not support to be reported apart; we use no such requests.
 */
static inline int deltarec_dm_io(struct dm_io_request *req,
				 struct dm_io_region *where,
				 unsigned long *error_bits)
{
#if defined(DR_HAVE_DM_IO_6)
	return dm_io(req, 1, where, error_bits, NULL, IOPRIO_DEFAULT);
#elif defined(DR_HAVE_DM_IO_5)
	return dm_io(req, 1, where, error_bits, IOPRIO_DEFAULT);
#else
	return dm_io(req, 1, where, error_bits);
#endif
}

static inline void deltarec_limit_discard(struct queue_limits *limits,
					  unsigned int sectors,
					  unsigned int granularity)
{
#ifdef DR_HAVE_HW_DISCARD
	limits->max_hw_discard_sectors = sectors;
#else
	limits->max_discard_sectors = sectors;
#endif
	limits->discard_granularity = granularity;
}

#endif
