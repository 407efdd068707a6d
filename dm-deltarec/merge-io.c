// SPDX-License-Identifier: GPL-2.0
/*
 * merge-io.c - a write that covers part of a block.
 *
 * The slot is new. What is before and after the written part is copied into
 * it from where the block was, then the data is written in between, then the
 * whole becomes visible as one version (pending.c). Nothing has to be copied
 * from beyond the device's end, where nobody can look.
 */
#include "deltarec.h"

static void finish(struct deltarec_io *io)
{
	if (!atomic_dec_and_test(&io->copies))
		return;
	if (io->bio->bi_status || bio_op(io->bio) == REQ_OP_WRITE_ZEROES)
		bio_endio(io->bio);
	else
		submit_bio_noacct(io->bio);
}

static void copied(int read_err, unsigned long write_err, void *context)
{
	struct deltarec_io *io = context;

	if (read_err || write_err)
		WRITE_ONCE(io->bio->bi_status, BLK_STS_IOERR);
	finish(io);
}

static void zero(struct deltarec_io *io, u64 sector, u32 sectors)
{
	struct deltarec_store *s = io->dt->s;
	struct dm_io_region to = {
		.bdev = s->delta, .sector = sector, .count = sectors,
	};

	atomic_inc(&io->copies);
	dm_kcopyd_zero(s->kcopyd, 1, &to, 0, copied, io);
}

/* [off, off + sectors) of the block, from where it was */
static void copy(struct deltarec_io *io, const struct dr_state *old, u32 off,
		 u32 sectors)
{
	struct deltarec_store *s = io->dt->s;
	struct dm_io_region from, to = {
		.bdev = s->delta,
		.sector = io->slot * DR_BLOCK_SECTORS + off,
		.count = sectors,
	};

	if (!sectors)
		return;
	if (old->slot == DR_SLOT_ZERO) {
		zero(io, to.sector, sectors);
		return;
	}
	from.count = sectors;
	if (old->slot == DR_SLOT_ORIGIN) {
		from.bdev = io->dt->origin->bdev;
		from.sector = (io->block << s->block_shift) + off;
	} else {
		from.bdev = s->delta;
		from.sector = old->slot * DR_BLOCK_SECTORS + off;
	}
	atomic_inc(&io->copies);
	dm_kcopyd_copy(s->kcopyd, &from, 1, &to, 0, copied, io);
}

void deltarec_copy_start(struct deltarec_io *io,
			 const struct deltarec_step *step)
{
	struct deltarec_store *s = io->dt->s;
	u64 start = io->block << s->block_shift;
	u64 valid = min_t(u64, deltarec_block_sectors(s),
			  io->dt->ti->len - start);
	u32 off = step->sector - io->slot * DR_BLOCK_SECTORS;
	u32 end = off + step->sectors;

	atomic_set(&io->copies, 1);
	bio_set_dev(io->bio, step->bdev);
	io->bio->bi_iter.bi_sector = step->sector;
	copy(io, &step->old, 0, off);
	copy(io, &step->old, end, valid - end);
	if (bio_op(io->bio) == REQ_OP_WRITE_ZEROES)
		zero(io, step->sector, step->sectors);
	finish(io);
}

void deltarec_zero_start(struct deltarec_io *io,
			 const struct deltarec_step *step)
{
	atomic_set(&io->copies, 1);
	zero(io, step->sector, step->sectors);
	finish(io);
}
