// SPDX-License-Identifier: GPL-2.0
/*
 * owner-tables.c - what lies around volumes: partition tables, the metadata
 * of LVM.
 *
 * libblkid says where the partitions are; where a table ends it does not say,
 * so the fields that tell are read here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <blkid.h>

#include "cli.h"
#include "owner/build.h"

struct tables {
	struct owner_build *b;
	int fd;
	uint64_t sectors;	/* of the device */
	unsigned int lba_sectors;	/* a logical block has so many */
};

static uint64_t get_le(const unsigned char *p, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | p[bytes];
	return value;
}

static bool read_at(const struct tables *t, uint64_t sector, void *buf,
		    size_t bytes)
{
	return pread(t->fd, buf, bytes, sector << SECTOR_SHIFT) ==
	       (ssize_t)bytes;
}

static int add(struct tables *t, uint64_t start, uint64_t sectors,
	       const char *what)
{
	if (start >= t->sectors)
		return 0;
	if (sectors > t->sectors - start)
		sectors = t->sectors - start;
	return owner_add_meta(t->b, start, sectors, what);
}

/* --- GPT ------------------------------------------------------------------- */

#define GPT_SIGNATURE	"EFI PART"
#define GPT_BYTES	92
#define GPT_MY_LBA	24	/* offsets of 64-bit fields */
#define GPT_ENTRIES_LBA	72
#define GPT_NR_ENTRIES	80	/* ... of 32-bit ones */
#define GPT_ENTRY_BYTES	84

/* A header and its entries, if there is a header */
static int add_gpt_header(struct tables *t, uint64_t lba, const char *what)
{
	unsigned int lba_bytes = t->lba_sectors << SECTOR_SHIFT;
	uint64_t bytes, entries;
	unsigned char h[GPT_BYTES];
	int ret;

	if (!read_at(t, lba * t->lba_sectors, h, sizeof(h)) ||
	    memcmp(h, GPT_SIGNATURE, strlen(GPT_SIGNATURE)) ||
	    get_le(h + GPT_MY_LBA, 8) != lba)
		return 0;
	entries = get_le(h + GPT_ENTRIES_LBA, 8);
	bytes = get_le(h + GPT_NR_ENTRIES, 4) * get_le(h + GPT_ENTRY_BYTES, 4);
	if (entries > t->sectors)
		return 0;
	ret = add(t, lba * t->lba_sectors, t->lba_sectors, what);
	if (!ret)
		ret = add(t, entries * t->lba_sectors,
			  (bytes + lba_bytes - 1) / lba_bytes * t->lba_sectors,
			  what);
	return ret;
}

static int add_gpt(struct tables *t)
{
	int ret = add(t, 0, t->lba_sectors, "protective boot record");

	if (!ret)
		ret = add_gpt_header(t, 1, "partition table");
	if (!ret)
		ret = add_gpt_header(t, t->sectors / t->lba_sectors - 1,
				     "backup partition table");
	return ret;
}

/* --- MS-DOS ---------------------------------------------------------------- */

#define DOS_ENTRIES	446
#define DOS_ENTRY_BYTES	16
#define DOS_TYPE	4
#define DOS_START	8
#define DOS_MAGIC	510
#define MAX_LOGICAL	256	/* longer chains are taken for loops */

static bool is_extended(const unsigned char *entry)
{
	unsigned char type = entry[DOS_TYPE];

	return type == 0x05 || type == 0x0f || type == 0x85;
}

/* Extended boot records: each has an entry that leads to the next. */
static int add_dos_chain(struct tables *t, uint64_t extended)
{
	unsigned char boot[SECTOR_BYTES], *next;
	uint64_t lba = extended;
	int i, ret = 0;

	for (i = 0; !ret && i < MAX_LOGICAL; i++) {
		if (!read_at(t, lba * t->lba_sectors, boot, sizeof(boot)) ||
		    get_le(boot + DOS_MAGIC, 2) != 0xaa55)
			break;
		ret = add(t, lba * t->lba_sectors, t->lba_sectors,
			  "extended partition table");
		next = boot + DOS_ENTRIES + DOS_ENTRY_BYTES;
		if (!is_extended(next))
			break;
		lba = extended + get_le(next + DOS_START, 4);
	}
	return ret;
}

static int add_dos(struct tables *t)
{
	unsigned char boot[SECTOR_BYTES], *entry;
	int i, ret = add(t, 0, t->lba_sectors, "partition table");

	if (!read_at(t, 0, boot, sizeof(boot)))
		return ret;
	for (i = 0; !ret && i < 4; i++) {
		entry = boot + DOS_ENTRIES + i * DOS_ENTRY_BYTES;
		if (is_extended(entry))
			ret = add_dos_chain(t, get_le(entry + DOS_START, 4));
	}
	return ret;
}

/* --- LVM ------------------------------------------------------------------- */

#define LVM_LABEL_SECTORS	4	/* the label is in one of the first */
#define LVM_LABEL		"LABELONE"
#define LVM_LABEL_OFFSET	20	/* of the header behind the label */
#define LVM_TYPE		"LVM2 001"	/* what wipefs erases */
#define LVM_TYPE_OFFSET		24
#define LVM_HEADER_AREAS	40	/* of the first area in the header */
#define LVM_AREA_BYTES		16	/* start and length in bytes */

/*
 * The header names the areas of data and then those of metadata; a start of
 * zero ends each list. What lies before the data is metadata as well.
 */
static int add_lvm_areas(struct tables *t, uint64_t start,
			 const unsigned char *label)
{
	uint64_t at = get_le(label + LVM_LABEL_OFFSET, 4) + LVM_HEADER_AREAS;
	uint64_t offset, bytes;
	bool data = true;
	int ret = 0;

	for (; !ret && at + LVM_AREA_BYTES <= SECTOR_BYTES;
	     at += LVM_AREA_BYTES) {
		offset = get_le(label + at, 8) >> SECTOR_SHIFT;
		bytes = get_le(label + at + 8, 8);
		if (!offset && !data)
			break;
		if (!offset)
			data = false;
		else if (data)
			ret = add(t, start, offset, "lvm metadata");
		else
			ret = add(t, start + offset, bytes >> SECTOR_SHIFT,
				  "lvm metadata");
	}
	return ret;
}

static int add_lvm(struct tables *t, uint64_t start)
{
	unsigned char label[SECTOR_BYTES];
	int i;

	for (i = 0; i < LVM_LABEL_SECTORS; i++)
		if (read_at(t, start + i, label, sizeof(label)) &&
		    !memcmp(label, LVM_LABEL, strlen(LVM_LABEL)) &&
		    !memcmp(label + LVM_TYPE_OFFSET, LVM_TYPE,
			    strlen(LVM_TYPE)))
			return add_lvm_areas(t, start, label);
	return 0;
}

/* --- all ------------------------------------------------------------------- */

static int add_partitions(struct tables *t, blkid_probe probe)
{
	blkid_partlist list = blkid_probe_get_partitions(probe);
	int i, ret = 0, nr = list ? blkid_partlist_numof_partitions(list) : 0;

	for (i = 0; !ret && i < nr; i++) {
		blkid_partition part = blkid_partlist_get_partition(list, i);

		if (!blkid_partition_is_extended(part))
			ret = add_lvm(t, blkid_partition_get_start(part));
	}
	return ret;
}

static int add_probed(struct tables *t)
{
	blkid_probe probe = blkid_new_probe();
	const char *type = "";
	int ret = 0;

	if (!probe || blkid_probe_set_device(probe, t->fd, 0, 0)) {
		blkid_free_probe(probe);
		return -EIO;
	}
	blkid_probe_enable_superblocks(probe, 0);
	blkid_probe_enable_partitions(probe, 1);
	if (!blkid_do_safeprobe(probe))
		blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL);
	if (!strcmp(type, "gpt"))
		ret = add_gpt(t);
	else if (!strcmp(type, "dos"))
		ret = add_dos(t);
	else if (*type)
		ret = add(t, 0, 1, "partition table");
	if (!ret)
		ret = *type ? add_partitions(t, probe) : add_lvm(t, 0);
	blkid_free_probe(probe);
	return ret;
}

int owner_tables(struct owner_build *b, const char *node, uint64_t sectors)
{
	struct tables t = { .b = b, .sectors = sectors, .lba_sectors = 1 };
	int bytes, ret;

	t.fd = open(node, O_RDONLY | O_CLOEXEC);
	if (t.fd < 0)
		return -errno;
	if (!ioctl(t.fd, BLKSSZGET, &bytes) && bytes > (int)SECTOR_BYTES)
		t.lba_sectors = bytes >> SECTOR_SHIFT;
	ret = add_probed(&t);
	close(t.fd);
	return ret;
}
