// SPDX-License-Identifier: GPL-2.0
/*
 * btrfs.c - the superblock of a btrfs and its mirrors.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/if_alg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dr_port.h"
#include "past/btrfs.h"

#define SUPER_SIZE	4096
#define CSUM_SIZE	32
#define FSID_SIZE	16
#define NR_MIRRORS	3

/* linux/btrfs_tree.h has it since 6.3 */
struct super {
	uint8_t csum[CSUM_SIZE];	/* of all that follows */
	uint8_t fsid[FSID_SIZE];
	uint64_t bytenr;		/* where it lies itself */
	uint64_t flags;
	char magic[8];
	uint8_t trees[64];
	uint64_t num_devices;
	uint8_t sizes[28];
	uint64_t compat_flags, compat_ro_flags, incompat_flags;
	uint16_t csum_type;
	uint8_t device_and_label[373];
	uint8_t metadata_uuid[FSID_SIZE];
	uint8_t rest[SUPER_SIZE - 587];
} __attribute__((packed));

_Static_assert(sizeof(struct super) == SUPER_SIZE, "superblock");
_Static_assert(offsetof(struct super, incompat_flags) == 188, "superblock");
_Static_assert(offsetof(struct super, metadata_uuid) == 571, "superblock");

static const uint64_t mirrors[NR_MIRRORS] = {
	64ull << 10, 64ull << 20, 256ull << 30
};

/* The kernel's own hashes, as it will use them itself at the mount */
static int kernel_hash(const char *name, const void *data, size_t len,
		       uint8_t *digest, size_t size)
{
	struct sockaddr_alg address = { .salg_family = AF_ALG };
	int hash, op, ret = 0;

	strcpy((char *)address.salg_type, "hash");
	strcpy((char *)address.salg_name, name);
	hash = socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (hash < 0)
		return -errno;
	op = bind(hash, (struct sockaddr *)&address, sizeof(address)) ? -1 :
	     accept4(hash, NULL, NULL, SOCK_CLOEXEC);
	if (op < 0 || send(op, data, len, 0) != (ssize_t)len ||
	    read(op, digest, size) != (ssize_t)size)
		ret = errno ? -errno : -EIO;
	if (op >= 0)
		close(op);
	close(hash);
	return ret;
}

static int checksum(const struct super *sb, uint8_t csum[CSUM_SIZE])
{
	const uint8_t *data = (const uint8_t *)sb + CSUM_SIZE;
	size_t len = SUPER_SIZE - CSUM_SIZE;
	uint32_t crc;

	memset(csum, 0, CSUM_SIZE);
	switch (le16toh(sb->csum_type)) {
	case BTRFS_CSUM_TYPE_CRC32:
		crc = htole32(~crc32c(~0u, data, len));
		memcpy(csum, &crc, sizeof(crc));
		return 0;
	case BTRFS_CSUM_TYPE_XXHASH:
		return kernel_hash("xxhash64", data, len, csum, 8);
	case BTRFS_CSUM_TYPE_SHA256:
		return kernel_hash("sha256", data, len, csum, 32);
	case BTRFS_CSUM_TYPE_BLAKE2:
		return kernel_hash("blake2b-256", data, len, csum, 32);
	}
	return -EPROTONOSUPPORT;
}

/* Return: 1: there is one; 0: there is none; or a negative errno */
static int read_super(int fd, uint64_t at, struct super *sb)
{
	ssize_t n = pread(fd, sb, SUPER_SIZE, at);
	uint8_t csum[CSUM_SIZE];
	int ret;

	if (n < 0)
		return -errno;
	if (n != SUPER_SIZE || memcmp(sb->magic, "_BHRfS_M", 8) ||
	    le64toh(sb->bytenr) != at)
		return 0;
	ret = checksum(sb, csum);
	if (ret)
		return ret;
	return !memcmp(sb->csum, csum, CSUM_SIZE);
}

static int check(const struct super *sb, char *why, size_t size)
{
	uint64_t devices = le64toh(sb->num_devices);

	if (devices != 1)
		snprintf(why, size,
			 "a btrfs of %llu devices; the others have no past here",
			 (unsigned long long)devices);
	else if (le64toh(sb->flags) & (BTRFS_SUPER_FLAG_CHANGING_FSID |
				       BTRFS_SUPER_FLAG_CHANGING_FSID_V2))
		snprintf(why, size, "a btrfs whose uuid was being changed");
	else if (le64toh(sb->flags) & (BTRFS_SUPER_FLAG_METADUMP |
				       BTRFS_SUPER_FLAG_METADUMP_V2))
		snprintf(why, size, "an image of a btrfs without its data");
	else
		return 0;
	return -EINVAL;
}

static int rewrite(int fd, uint64_t at, struct super *sb,
		   const uint8_t fsid[FSID_SIZE])
{
	uint64_t incompat = le64toh(sb->incompat_flags);
	int ret;

	if (!(incompat & BTRFS_FEATURE_INCOMPAT_METADATA_UUID)) {
		memcpy(sb->metadata_uuid, sb->fsid, FSID_SIZE);
		incompat |= BTRFS_FEATURE_INCOMPAT_METADATA_UUID;
		sb->incompat_flags = htole64(incompat);
	}
	/* The kernel does not take both; nothing is going to sprout from it. */
	sb->flags &= htole64(~BTRFS_SUPER_FLAG_SEEDING);
	memcpy(sb->fsid, fsid, FSID_SIZE);
	ret = checksum(sb, sb->csum);
	if (ret)
		return ret;
	return pwrite(fd, sb, SUPER_SIZE, at) == SUPER_SIZE ? 0 : -EIO;
}

static int rewrite_all(int fd, char *why, size_t size)
{
	uint8_t fsid[FSID_SIZE];
	struct super sb;
	int i, ret;

	if (getrandom(fsid, sizeof(fsid), 0) != sizeof(fsid))
		return -EIO;
	fsid[6] = (fsid[6] & 0x0f) | 0x40;	/* a random uuid (RFC 4122) */
	fsid[8] = (fsid[8] & 0x3f) | 0x80;
	for (i = 0; i < NR_MIRRORS; i++) {
		ret = read_super(fd, mirrors[i], &sb);
		if (!ret && !i) {
			snprintf(why, size, "its superblock is damaged");
			return -EINVAL;
		}
		if (ret > 0 && !i && check(&sb, why, size))
			return -EINVAL;
		if (ret > 0)
			ret = rewrite(fd, mirrors[i], &sb, fsid);
		if (ret < 0)
			return ret;
	}
	return fsync(fd) ? -errno : 0;
}

int btrfs_new_identity(const char *node, char *why, size_t size)
{
	int fd = open(node, O_RDWR | O_CLOEXEC), ret;

	why[0] = '\0';
	if (fd < 0)
		return -errno;
	ret = rewrite_all(fd, why, size);
	close(fd);
	return ret;
}
