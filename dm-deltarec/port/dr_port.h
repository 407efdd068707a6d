/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dr_port.h (kernel) - what the core needs from the world it is compiled in:
 * fixed-width and little-endian types, byte copies, crc32c, barriers.
 * userspace/port/dr_port.h is its twin.
 */
#ifndef DR_PORT_H
#define DR_PORT_H

#include <linux/types.h>
#include <linux/bitops.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/minmax.h>
#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/crc32c.h>
#include <linux/math64.h>
#include <linux/overflow.h>
#include <linux/sort.h>
#include <asm/byteorder.h>
#include <asm/barrier.h>

static inline void dr_sort(void *base, size_t nr, size_t size,
			   int (*cmp)(const void *a, const void *b))
{
	sort(base, nr, size, cmp, NULL);
}

#endif
