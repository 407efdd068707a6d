/* SPDX-License-Identifier: GPL-2.0 */
/*
 * journal.h - the journal's blocks: encoding, and reading it back.
 *
 * A ring of journal_blocks blocks. Block seq lies at seq % journal_blocks; it
 * carries the session, its sequence number and the checksum of block
 * seq - 1. The journal that counts begins at the superblock's tail and ends
 * before the first block that does not continue the chain (J1). A new session
 * is durable in the superblock before its first block is written, so that a
 * stale tail is never taken for a new one (J2).
 */
#ifndef DR_JOURNAL_H
#define DR_JOURNAL_H

#include "env.h"

struct dr_journal {
	u32 blocks;		/* size of the ring */
	u64 session;
	u64 seq;		/* of the next block */
	u32 prev_crc;		/* of the last one */
	u64 tail_seq;		/* in the durable superblock */
	u32 tail_prev_crc;
	u64 claims;		/* those in blocks before this one are void */
};

static inline u64 dr_journal_place(const struct dr_journal *j, u64 seq)
{
	u64 rem;

	div64_u64_rem(seq, j->blocks, &rem);
	return DR_JOURNAL_START + rem;
}

static inline u64 dr_journal_used(const struct dr_journal *j)
{
	return j->seq - j->tail_seq;
}

/**
 * dr_journal_seal() - finish a block whose data is in place
 * @d: the block; kind and nr are set
 * Advances seq. The caller writes the block at dr_journal_place() of the seq
 * it had.
 */
void dr_journal_seal(struct dr_journal *j, struct dr_disk_journal *d,
		     const u8 *uuid);

/**
 * dr_journal_read() - read the next block of the journal, from j->seq
 * @buf: DR_BLOCK_SIZE bytes
 * Context: may sleep.
 * Return: 1 and the block (j advanced), 0 at the end, or an error.
 */
int dr_journal_read(struct dr_journal *j, const struct dr_env *env,
		    const u8 *uuid, struct dr_disk_journal *buf);

#endif
