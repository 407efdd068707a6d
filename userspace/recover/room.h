/* SPDX-License-Identifier: GPL-2.0 */
/*
 * room.h - is there room on the delta for what a recovery of files writes?
 *
 * Nothing that it writes replaces anything there: the epoch before keeps all
 * that it overwrites.
 */
#ifndef DR_ROOM_H
#define DR_ROOM_H

#include <stdint.h>

#include "device.h"

/* What a recovery writes */
struct room_use {
	uint64_t content;	/* bytes, in whole blocks of the file system */
	uint64_t items;		/* objects that are made, changed or moved */
	uint64_t folders;	/* that they are in */
};

/**
 * room_needed() - an upper bound for common cases, in bytes
 * @use: what it writes
 * @block: unit of mapping in bytes
 * @device: size of the device in bytes
 */
uint64_t room_needed(const struct room_use *use, uint64_t block,
		     uint64_t device);

/* What data may still take on the delta */
uint64_t room_free(const struct device_status *status);

/*
 * Refuse what does not fit. @where: " on the delta", or nothing.
 * Return: exit code, has said why.
 */
int room_compare(const char *thing, const char *where, uint64_t need,
		 uint64_t have, const char *remedy);

/* The same for a recovery, on the delta of @device */
int room_check(const char *device, const struct room_use *use);

#endif
