/* SPDX-License-Identifier: GPL-2.0 */
/*
 * btrfs.h - give a copy of a btrfs another identity, so that the kernel does
 * not take it for the live one.
 *
 * The kernel knows a btrfs by its fsid, wherever it lies. With the fsid of a
 * mounted file system a copy is refused (EEXIST, "duplicate device"); with
 * that of one which is not mounted, the copy takes its place, and then it is
 * the live one that is refused (seen on 6.1). So a copy gets a new fsid
 * before the kernel looks at it for the first time. The feature METADATA_UUID
 * (kernel 5.0) has been made for that: the old fsid, which is in the header of
 * each tree block, becomes the metadata uuid, and only the superblock changes.
 *
 * btrfstune -m (seen with 6.2) does it in a transaction of its own. Where the
 * log tree has not been replayed, as after every fsync() that a checkpoint
 * without freeze caught, the transaction makes the log unreadable ("parent
 * transid verify failed ... failed to read log tree", the mount fails), and
 * "rescue zero-log" then loses what was synced. So the superblock and its
 * mirrors are changed here, in place, and nothing else: the log is replayed
 * at the next mount. Nor is there a moment at which the copy has the flag
 * CHANGING_FSID_V2, with which the kernel would match it to the live one.
 *
 * A seed stops being one: the kernel refuses a seed whose fsid was changed. A
 * file system of several devices is refused here; its other devices have the
 * state of now.
 */
#ifndef DR_PAST_BTRFS_H
#define DR_PAST_BTRFS_H

#include <stddef.h>

/**
 * btrfs_new_identity() - write a new random fsid
 * @node: the copy; written to
 * @why: what stands against it, if anything does
 *
 * Return: 0; -EINVAL with @why; another negative errno.
 */
int btrfs_new_identity(const char *node, char *why, size_t size);

#endif
