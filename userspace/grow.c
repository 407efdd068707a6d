// SPDX-License-Identifier: GPL-2.0
/*
 * grow.c - see grow.h.
 */
#include <stdlib.h>

#include "grow.h"

void *grow(void *array, size_t nr, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 64;

	if (nr < *room)
		return array;
	array = reallocarray(array, more, size);
	if (array)
		*room = more;
	return array;
}
