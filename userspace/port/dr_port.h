/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dr_port.h (userspace) - the least that the core needs to compile here.
 * dm-deltarec/port/dr_port.h is its twin in the kernel.
 */
#ifndef DR_PORT_H
#define DR_PORT_H

#include <errno.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#include <linux/types.h>	/* __le16, __le32, __le64 */

#define cpu_to_le16(x)	((__le16)htole16(x))
#define cpu_to_le32(x)	((__le32)htole32(x))
#define cpu_to_le64(x)	((__le64)htole64(x))
#define le16_to_cpu(x)	le16toh((uint16_t)(x))
#define le32_to_cpu(x)	le32toh((uint32_t)(x))
#define le64_to_cpu(x)	le64toh((uint64_t)(x))

#ifndef __force
#define __force
#endif

#define min_t(t, a, b)	({ __typeof__(t) _m = (a), _n = (b); \
			   _m < _n ? _m : _n; })
#define max_t(t, a, b)	({ __typeof__(t) _m = (a), _n = (b); \
			   _m > _n ? _m : _n; })
#define min(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); \
			   _a < _b ? _a : _b; })
#define max(a, b)	({ __typeof__(a) _a = (a); __typeof__(b) _b = (b); \
			   _a > _b ? _a : _b; })
#define clamp_t(t, v, lo, hi) \
	({ __typeof__(t) _v = (v), _lo = (lo), _hi = (hi); \
	   _v < _lo ? _lo : _v > _hi ? _hi : _v; })
#define swap(a, b)	({ __typeof__(a) *_p = &(a), *_q = &(b), _s = *_p; \
			   *_p = *_q; *_q = _s; })
#define hweight64(w)	((u32)__builtin_popcountll(w))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define READ_ONCE(x)	__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
/* As the kernel's; who pairs with whom is said where they are used. */
#define smp_load_acquire(p)	__atomic_load_n(p, __ATOMIC_ACQUIRE)
/* As above */
#define smp_store_release(p, v)	__atomic_store_n(p, v, __ATOMIC_RELEASE)

static inline u64 div64_u64(u64 a, u64 b) { return a / b; }
static inline u64 div_u64(u64 a, u32 b) { return a / b; }
static inline u64 div64_u64_rem(u64 a, u64 b, u64 *rem)
{
	*rem = a % b;
	return a / b;
}

static inline void dr_sort(void *base, size_t nr, size_t size,
			   int (*cmp)(const void *a, const void *b))
{
	qsort(base, nr, size, cmp);
}

u32 crc32c(u32 crc, const void *data, size_t len);

#endif
