// SPDX-License-Identifier: GPL-2.0
/*
 * port.c - crc32c for userspace (Castagnoli, reflected, as the kernel's
 * crc32c(): no inversion of its own).
 */
#include "dr_port.h"

#define POLY 0x82f63b78u

static u32 table[8][256];

static void make_table(void)
{
	u32 i, j, c;

	for (i = 0; i < 256; i++) {
		for (c = i, j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ POLY : c >> 1;
		table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			table[j][i] = table[j - 1][i] >> 8 ^
				      table[0][table[j - 1][i] & 0xff];
}

/* Slicing by eight: Kounavis and Berry 2008 */
static u32 crc_table(u32 crc, const u8 *p, size_t len)
{
	if (!table[0][1])
		make_table();
	for (; len >= 8; len -= 8, p += 8) {
		u64 v;

		memcpy(&v, p, 8);
		v = le64_to_cpu(v) ^ crc;
		crc = table[7][v & 0xff] ^ table[6][v >> 8 & 0xff] ^
		      table[5][v >> 16 & 0xff] ^ table[4][v >> 24 & 0xff] ^
		      table[3][v >> 32 & 0xff] ^ table[2][v >> 40 & 0xff] ^
		      table[1][v >> 48 & 0xff] ^ table[0][v >> 56];
	}
	for (; len; len--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

#ifdef __x86_64__
__attribute__((target("sse4.2")))
static u32 crc_hw(u32 crc, const u8 *p, size_t len)
{
	u64 c = crc, v;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	for (crc = c; len; len--)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

u32 crc32c(u32 crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return crc_hw(crc, data, len);
#endif
	return crc_table(crc, data, len);
}
