/* SPDX-License-Identifier: GPL-2.0 */
#ifndef BENCH_PARTS_H
#define BENCH_PARTS_H

#include "env.h"

/* The store is new. Tells the figures of each part (parts.c). */
void parts(u64 versions, u64 blocks);

#endif
