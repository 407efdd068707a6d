/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lvm.h - logical volumes inside a device, as LVM's own tools report them.
 *
 * The tools see only the nodes that we name (--devices) and are told to read
 * the metadata without locks and without a look at what is active
 * (--readonly): the live volume group has the same uuid, and must neither be
 * met nor changed. Nothing is activated; linear volumes are put together by
 * ourselves.
 */
#ifndef DR_PAST_LVM_H
#define DR_PAST_LVM_H

#include "past/inside.h"

struct lvm_pv {
	char uuid[40];		/* as blkid and LVM write it */
	char node[64];		/* where the tools find it */
	uint64_t dev_start;	/* of the whole device, sectors */
};

/* Append the volumes that lie on @pvs. Return: exit code, has said why. */
int lvm_probe(const struct lvm_pv *pvs, size_t nr, struct inside *in);

#endif
