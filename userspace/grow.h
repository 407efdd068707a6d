/* SPDX-License-Identifier: GPL-2.0 */
/*
 * grow.h - arrays that grow by one at a time.
 */
#ifndef DR_GROW_H
#define DR_GROW_H

#include <stddef.h>

/**
 * grow() - room for one more
 * @array: or NULL, with *@room 0
 * @nr: how many are in it
 * @size: of one
 *
 * Return: the array, or NULL without memory: then the old one is as it was.
 */
void *grow(void *array, size_t nr, size_t *room, size_t size);

#endif
