// SPDX-License-Identifier: GPL-2.0
/*
 * at.c - the owners of an epoch that nobody has opened yet.
 */
#include "cli.h"
#include "owner/owner.h"
#include "past/mount.h"

int owner_map_at(const char *device, uint32_t epoch, const struct range *ranges,
		 size_t nr, struct owner_map *map)
{
	struct past past;
	int code = past_open(device, epoch, NULL, 0, 0, &past);
	int closed;

	if (!code)
		code = owner_map_make(&past, ranges, nr, map);
	closed = past_close(&past);
	if (!code && closed) {
		owner_map_free(map);
		code = closed;
	}
	return code;
}
