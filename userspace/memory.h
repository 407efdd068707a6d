/* SPDX-License-Identifier: GPL-2.0 */
/*
 * memory.h - a delta in memory, for machines without a disk to spare.
 *
 * A sparse file without a name behind a loop device: it takes what is written,
 * and is gone with the last user of the device.
 */
#ifndef DR_MEMORY_H
#define DR_MEMORY_H

#include "volume.h"

struct memory_delta {
	int fd;			/* keeps it until the target has it, or -1 */
	char path[64];
};

/* The size that was asked for. Return: exit code, has said why. */
int memory_delta_size(const char *word, uint64_t *bytes);

/**
 * memory_delta_open() - make an empty delta in memory
 * @bytes: the most that it may take
 * @m: set in every case: memory_delta_close() is always fine
 *
 * Return: exit code, has said why.
 */
int memory_delta_open(uint64_t bytes, const struct volume *origin,
		      struct memory_delta *m);
void memory_delta_close(struct memory_delta *m);

#endif
