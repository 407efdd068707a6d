/* SPDX-License-Identifier: GPL-2.0 */
/*
 * parts.h - where the selected parts of files lie on the device.
 */
#ifndef DR_PARTS_H
#define DR_PARTS_H

struct blocks_facts;
struct select;
struct sight;

/**
 * parts_gather() - find the blocks of --part, before the damage and now
 * @f: has its maps of owners; gets @parts, and more of @only
 *
 * A part is where it lay before the damage and where it lies today: whether
 * these are the same blocks is for the classes to see. Warns of parts that
 * are not all there. Return: exit code, has said why.
 */
int parts_gather(const struct sight *s, const struct select *select,
		 struct blocks_facts *f);

#endif
