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
