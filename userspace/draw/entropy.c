// SPDX-License-Identifier: GPL-2.0
/*
 * entropy.c - how random blocks look; samples of them.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "entropy.h"

double entropy_bits(const void *data, size_t bytes)
{
	const unsigned char *p = data;
	size_t count[256] = { 0 }, i;
	double bits = 0;

	for (i = 0; i < bytes; i++)
		count[p[i]]++;
	for (i = 0; i < 256; i++)
		if (count[i])
			bits -= (double)count[i] / bytes *
				log2((double)count[i] / bytes);
	return bits > 0 ? bits : 0;	/* one value alone gives -0 */
}

bool is_zeroes(const void *data, size_t bytes)
{
	const unsigned char *p = data;

	return !bytes || (!p[0] && !memcmp(p, p + 1, bytes - 1));
}

/*
 * A number from a number, as even as dice: the finalizer of splitmix64. With
 * it the place within a stratum follows no period that data could have, too.
 */
static uint64_t scatter(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* @a * @b / @n; no product of a size and a small number exceeds 128 bits. */
static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t n)
{
	return (__uint128_t)a * b / n;
}

static uint64_t pieces(const struct range *range)
{
	return (range->len_sectors + SAMPLE_SECTORS - 1) / SAMPLE_SECTORS;
}

size_t samples_pick(const struct range *ranges, size_t nr, size_t max,
		    struct sample *samples)
{
	uint64_t total = 0, before = 0, low, high, at;
	size_t i, n, range = 0;

	for (i = 0; i < nr; i++)
		total += pieces(&ranges[i]);
	n = total < max ? total : max;
	for (i = 0; i < n; i++) {
		/* Stratum i of n */
		low = mul_div(total, i, n);
		high = mul_div(total, i + 1, n);
		at = low + scatter(low) % (high - low);
		while (at - before >= pieces(&ranges[range]))
			before += pieces(&ranges[range++]);
		samples[i] = (struct sample){
			.sector = ranges[range].start_sectors +
				  (at - before) * SAMPLE_SECTORS,
		};
	}
	return n;
}

void samples_read(int fd, struct sample *samples, size_t nr)
{
	unsigned char block[SAMPLE_BYTES] __attribute__((aligned(4096)));
	ssize_t got;
	size_t i;

	for (i = 0; i < nr && !cancelled(); i++) {
		do {
			got = pread(fd, block, sizeof(block),
				    samples[i].sector << SECTOR_SHIFT);
		} while (got < 0 && errno == EINTR);
		if (got <= 0)
			continue;
		samples[i].bits = entropy_bits(block, got);
		samples[i].zero = is_zeroes(block, got);
		samples[i].read = true;
	}
}
