/* SPDX-License-Identifier: GPL-2.0 */
/*
 * loop.h - block devices over files that nobody else sees, and over memory.
 */
#ifndef DR_LOOP_H
#define DR_LOOP_H

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

/**
 * loop_attach() - tie @file to a free loop device, which lets go of it when
 * nobody has it open any more
 * @thing: what it is for, to be named in errors
 * @fd: the loop device, to be closed
 * @st: st_rdev is its number
 *
 * Return: exit code, has said why.
 */
int loop_attach(const char *thing, int file, int *fd, struct stat *st);

/*
 * Of /proc/meminfo, which is closed: what can be had without a process being
 * killed for it
 */
uint64_t memory_available(FILE *f);

#endif
