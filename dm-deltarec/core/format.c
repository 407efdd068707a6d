// SPDX-License-Identifier: GPL-2.0
/*
 * format.c - the header that every metadata block carries.
 */
#include "format.h"

u32 dr_head_crc(const void *buf)
{
	return crc32c(~0u, (const u8 *)buf + sizeof(__le32),
		      DR_BLOCK_SIZE - sizeof(__le32));
}

u32 dr_head_seal(void *buf, u16 type, u64 block, u64 gen, const u8 *uuid)
{
	struct dr_disk_head *h = buf;
	u32 crc;

	h->magic = cpu_to_le32(DR_MAGIC);
	h->block = cpu_to_le64(block);
	memcpy(h->uuid, uuid, DR_UUID_LEN);
	h->gen = cpu_to_le64(gen);
	h->type = cpu_to_le16(type);
	h->reserved0 = 0;
	h->reserved1 = 0;
	crc = dr_head_crc(buf);
	h->crc = cpu_to_le32(crc);
	return crc;
}

const char *dr_head_verify(const void *buf, u16 type, u64 block,
			   const u8 *uuid)
{
	const struct dr_disk_head *h = buf;

	if (le32_to_cpu(h->magic) != DR_MAGIC)
		return "no magic";
	if (le32_to_cpu(h->crc) != dr_head_crc(buf))
		return "checksum mismatch";
	if (le64_to_cpu(h->block) != block)
		return "belongs to another place";
	if (uuid && memcmp(h->uuid, uuid, DR_UUID_LEN))
		return "belongs to another device";
	if (le16_to_cpu(h->type) != type)
		return "is of another type";
	return NULL;
}
