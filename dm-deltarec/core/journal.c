// SPDX-License-Identifier: GPL-2.0
/*
 * journal.c - see journal.h.
 */
#include "journal.h"

void dr_journal_seal(struct dr_journal *j, struct dr_disk_journal *d,
		     const u8 *uuid)
{
	d->session = cpu_to_le64(j->session);
	d->seq = cpu_to_le64(j->seq);
	d->prev_crc = cpu_to_le32(j->prev_crc);
	d->claims = cpu_to_le64(j->claims);
	j->prev_crc = dr_head_seal(d, DR_TYPE_JOURNAL,
				   dr_journal_place(j, j->seq), 0, uuid);
	j->seq++;
}

/* A block that continues the chain is ours; anything else is the end. */
static bool continues(const struct dr_journal *j,
		      const struct dr_disk_journal *d, const u8 *uuid)
{
	if (dr_head_verify(d, DR_TYPE_JOURNAL, dr_journal_place(j, j->seq),
			   uuid))
		return false;
	return le64_to_cpu(d->session) == j->session &&
	       le64_to_cpu(d->seq) == j->seq &&
	       le32_to_cpu(d->prev_crc) == j->prev_crc;
}

int dr_journal_read(struct dr_journal *j, const struct dr_env *env,
		    const u8 *uuid, struct dr_disk_journal *buf)
{
	u64 place = dr_journal_place(j, j->seq);
	u16 kind, nr;
	int r;

	if (dr_journal_used(j) >= j->blocks)
		return 0;
	r = env->read(env->ctx, place, 1, buf);
	if (r) {
		env->report(env->ctx, "journal block", place, "cannot be read");
		return r;
	}
	if (!continues(j, buf, uuid))
		return 0;
	kind = le16_to_cpu(buf->kind);
	nr = le16_to_cpu(buf->nr);
	if ((kind == DR_JOURNAL_MAP && nr > DR_JOURNAL_RECORDS) ||
	    (kind == DR_JOURNAL_CTL && nr != 1) ||
	    (kind == DR_JOURNAL_RANGE && nr > DR_JOURNAL_RANGES) ||
	    (kind == DR_JOURNAL_CLAIM && nr != 1) ||
	    !kind || kind > DR_JOURNAL_CLAIM ||
	    le64_to_cpu(buf->claims) > j->seq) {
		env->report(env->ctx, "journal block", place,
			    "impossible content");
		return -EUCLEAN;
	}
	j->prev_crc = le32_to_cpu(buf->head.crc);
	j->seq++;
	return 1;
}
