/* SPDX-License-Identifier: GPL-2.0 */
/*
 * marks.h - what crashload leaves behind, and tests/states reads.
 *
 * A stamp fills a sector: it tells which write it comes from and where it
 * belongs. A mark is a sector of text, "mark <letter> <number>...", written to
 * an area of the recorded disk before something is asked of the device (small
 * letters), and after it was acknowledged (capital ones). So marks stand in the
 * recording between the writes of the device, in the right place.
 *
 *   B n           n sectors are stamped with write 0 in the origin; all begins
 *   A o|d         the origin, or the delta, has a volatile cache from now on,
 *                 and the other one has none; nothing is in any cache
 *   w s x n       write s covers n sectors from x on; it is over when the next
 *                 mark comes
 *   z x n         the same with zeroes
 *   F             a flush has ended
 *   c, C s h      checkpoint: s is sealed, h the new head
 *   r e, R e h    rollback to e
 *   p, P h        replay begin, and what is the head now
 *   q e, Q e m h  replay commit: what epoch e wrote is left out, m shows that
 *   x, X          replay abort
 *   d e, D e      drop
 *   m e, M e      commit: it has begun
 *   E e           that commit has ended
 *   N             what was asked for last was refused, and changed nothing
 *   Z             the end
 */
#ifndef MARKS_H
#define MARKS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define MARK_BYTES	512u
#define MARK_WORD	"mark "

static inline void stamp_fill(uint8_t *p, uint32_t s, uint32_t x)
{
	uint64_t *w = (uint64_t *)p, key = (uint64_t)s << 32 | x;
	int i;

	w[0] = key;
	for (i = 1; i < 64; i++)
		w[i] = key * 0x9e3779b97f4a7c15ULL + i;
}

/* Is the sector (aligned to 8 bytes) one that stamp_fill() made? Its key */
static inline bool stamp_read(const uint8_t *p, uint64_t *key)
{
	uint8_t want[512] __attribute__((aligned(8)));

	memcpy(key, p, sizeof(*key));
	stamp_fill(want, *key >> 32, *key);
	return !memcmp(p, want, sizeof(want));
}

#endif
