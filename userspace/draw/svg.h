/* SPDX-License-Identifier: GPL-2.0 */
/*
 * svg.h - a map drawn as one SVG file that needs nothing else.
 */
#ifndef DR_DRAW_SVG_H
#define DR_DRAW_SVG_H

#include <stdio.h>

#include "map.h"

/* Errors are those of @f, for the caller to ask with ferror(). */
void svg_map(FILE *f, const struct map *map);

#endif
