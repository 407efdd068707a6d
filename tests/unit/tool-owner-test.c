// SPDX-License-Identifier: GPL-2.0
/*
 * tool-owner-test.c - owners of blocks, where what is read was made to hurt.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "owner/build.h"

#define SECTORS	2048

static void put_le(unsigned char *p, uint64_t value, unsigned int bytes)
{
	for (; bytes--; value >>= 8)
		*p++ = value;
}

/* Owners in an image that begins with an LVM label of this header offset */
static size_t owners_of_lvm(uint32_t offset)
{
	unsigned char image[2 * 512] = "", *label = image + 512;
	char name[] = "/tmp/dmdelta-owner-XXXXXX";
	int fd = mkstemp(name);
	struct owner_map map = { 0 };
	struct owner_build b = { .map = &map };
	size_t i;

	memcpy(label, "LABELONE", 8);
	memcpy(label + 24, "LVM2 001", 8);
	put_le(label + 20, offset, 4);
	/* where the areas of data and of metadata are named, if offset is 32 */
	put_le(label + 72, 1 << 20, 8);
	put_le(label + 104, 4096, 8);
	put_le(label + 112, 512, 8);
	assert_true(fd >= 0 && !ftruncate(fd, SECTORS * 512));
	assert_int_equal(pwrite(fd, image, sizeof(image), 0), sizeof(image));
	assert_int_equal(owner_tables(&b, name, SECTORS), 0);
	for (i = 0; i < b.nr; i++)
		assert_string_equal(b.item[i].e.what, "lvm metadata");
	free(b.item);
	owner_map_free(&map);
	close(fd);
	unlink(name);
	return b.nr;
}

static void lvm_label(void **state)
{
	uint32_t offset;

	assert_int_equal(owners_of_lvm(32), 2);
	/* behind the sector; so far that the sum begins again at nothing */
	assert_int_equal(owners_of_lvm(512), 0);
	for (offset = UINT32_MAX; offset > UINT32_MAX - 64; offset--)
		owners_of_lvm(offset);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lvm_label),
	};

	return cmocka_run_group_tests_name("tool-owner", tests, NULL, NULL);
}
