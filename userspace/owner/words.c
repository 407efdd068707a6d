// SPDX-License-Identifier: GPL-2.0
/*
 * words.c - owners in words.
 */
#include <stdio.h>
#include <string.h>

#include "owner/owner.h"
#include "past/inside.h"

const char *owner_kind_word(enum owner_kind kind)
{
	switch (kind) {
	case OWNER_NONE:
		return "free";
	case OWNER_FILE:
		return "file";
	case OWNER_META:
		return "metadata";
	case OWNER_JOURNAL:
		return "journal";
	case OWNER_UNKNOWN:
		break;
	}
	return "unknown";
}

static void put_owner(FILE *f, const struct owner_extent *e)
{
	if (e->volume && strcmp(e->volume, INSIDE_DEVICE))
		fprintf(f, "%s: ", e->volume);
	if (e->kind == OWNER_NONE)
		fputs("free", f);
	else if (e->kind == OWNER_UNKNOWN)
		fputs("unknown", f);
	if (e->what)
		fprintf(f, e->kind == OWNER_NONE || e->kind == OWNER_UNKNOWN ?
			" (%s)" : "%s", e->what);
	if (e->path)
		fprintf(f, "%s%s", e->kind == OWNER_FILE ? "" : " ", e->path);
	else if (e->kind == OWNER_FILE)
		fprintf(f, "inode %llu, without a name",
			(unsigned long long)e->ino);
}

static const char *describe(const struct owner_extent *e, bool at,
			    uint64_t offset, char *buf, size_t size)
{
	FILE *f = fmemopen(buf, size, "w");

	buf[0] = '\0';
	if (!f)
		return buf;
	if (e)
		put_owner(f, e);
	else
		fputs("-", f);
	if (e && at && e->kind == OWNER_FILE && offset)
		fprintf(f, " +%llu", (unsigned long long)offset);
	if (e && e->flags & OWNER_ENCODED)
		fputs(" (encoded)", f);
	if (e && e->flags & OWNER_SHARED)
		fputs(" (shared)", f);
	fclose(f);
	return buf;
}

const char *owner_describe(const struct owner_extent *e, char *buf, size_t size)
{
	return describe(e, false, 0, buf, size);
}

const char *owner_describe_at(const struct owner_extent *e, uint64_t sector,
			      char *buf, size_t size)
{
	return describe(e, true, e ? owner_offset(e, sector) : 0, buf, size);
}
