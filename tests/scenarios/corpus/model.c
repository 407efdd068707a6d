// SPDX-License-Identifier: GPL-2.0
/* model.c - files, roles and contents, all of them out of the seed. */
#include <stdio.h>
#include <string.h>

#include "model.h"

#define HOLE_SHIFT	16
#define HARD_LINKS	8	/* files with two names: half of them victims */

const char *const attack_names[NR_ATTACKS] = {
	"inplace", "truncate", "newfile", "trojan",
};

const char *const role_names[NR_ROLES] = {
	"quiet", "victim", "rewritten", "modified", "deleted", "new",
};

#define NR_DIRECTORIES	20

static const char *const directories[NR_DIRECTORIES] = {
	"home/alice/letters", "home/alice/photos/2024", "home/alice/photos/2025",
	"home/bob/mail", "home/bob/code/src", "home/bob/code/doc",
	"home/carol", "home/carol/books", "srv/www", "srv/www/img",
	"srv/data/a", "srv/data/b", "srv/data/c", "usr/bin", "usr/lib",
	"usr/lib/plugins", "var/lib/app", "var/spool", "etc", "opt/tool/share",
};

uint64_t mix(uint64_t seed, uint64_t a, uint64_t b)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15 + a * 0xbf58476d1ce4e5b9 + b;

	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9;
	x ^= x >> 27;
	x *= 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

/* 1 KiB to 1 MiB, as many between 1 and 2 KiB as between 512 KiB and 1 MiB */
static uint64_t some_size(const struct model *m, uint32_t id, uint64_t what)
{
	uint64_t r = mix(m->seed, id, what);
	uint64_t low = 1024ull << r % 10;

	return low + (r >> 8) % low;
}

static void make_file(struct model *m, uint32_t i, enum role role)
{
	struct file *f = &m->file[i];
	uint64_t r = mix(m->seed, i, 1);
	size_t dir = r % NR_DIRECTORIES;
	static const mode_t modes[] = { 0644, 0600, 0755, 0640 };

	f->id = i;
	f->role = role;
	f->other_name = -1;
	snprintf(f->path, sizeof(f->path), "%s/%s%03u", directories[dir],
		 role == NEW ? "new" : "file", i);
	f->size = some_size(m, i, 2);
	f->mode = modes[(r >> 8) % 4];
	f->uid = 1000 + dir % 4;
	f->gid = 100 + dir % 3;
	f->mtime = 1700000000 + (r >> 16) % 10000000;
	f->sparse = f->size > 4ull << HOLE_SHIFT && (r >> 48) % 4 == 0;
	f->xattr = (r >> 52) % 4 == 0;
	/* an intruder takes care of the mode every second time */
	f->bad_mode = (r >> 56) & 1 || m->attack == INPLACE ? f->mode : 0666;
	f->bad_size = m->attack == NEWFILE ? f->size + 512 :
		      (r >> 57) & 1 ? f->size : some_size(m, i, 3);
	f->work_size = role == MODIFIED ? f->size : some_size(m, i, 4);
	f->in_place = (r >> 58) & 1 && m->attack == INPLACE;
	if (f->in_place)
		f->work_size = f->size;
	if (role != MODIFIED)
		return;
	f->sparse = false;
	f->patch_from = f->size / 4 & ~7ull;
	f->patch_to = (f->size / 2 & ~7ull) + 8;
	if ((r >> 59) & 1) {	/* an end is written, and new beyond it */
		f->patch_from = f->size & ~7ull;
		f->work_size = f->size + 4000;
		f->patch_to = f->work_size;
	}
}

/* The second of two files becomes another name of the first. */
static void link_files(struct model *m, uint32_t first)
{
	struct file *f = &m->file[first], *g = &m->file[first + 1];
	struct file copy = *f;

	f->other_name = first + 1;
	strcpy(copy.path, g->path);
	copy.second = true;
	*g = copy;
}

void model_make(struct model *m, uint64_t seed, enum attack attack)
{
	static const int counts[NR_ROLES] = {
		NR_QUIET, NR_VICTIMS, NR_REWRITTEN, NR_MODIFIED, NR_DELETED,
		NR_NEW,
	};
	enum role role = QUIET;
	int i, n = 0;

	memset(m, 0, sizeof(*m));
	m->seed = seed;
	m->attack = attack;
	for (i = 0; i < NR_FILES; i++, n++) {
		if (n == counts[role]) {
			role++;
			n = 0;
		}
		make_file(m, i, role);
	}
	for (i = 0; i < HARD_LINKS / 2; i++) {
		link_files(m, i * 2);			/* quiet ones */
		link_files(m, NR_QUIET + i * 2);	/* victims */
	}
}

bool file_at(const struct model *m, const struct file *f, enum stage when,
	     enum version *version)
{
	*version = BASE;
	if (when == STAGE_BASE)
		return f->role != NEW;
	if (f->role == VICTIM || f->role == REWRITTEN)
		*version = when == STAGE_IDEAL ? BASE : BAD;
	if (when >= STAGE_WORK &&
	    (f->role == REWRITTEN || f->role == MODIFIED || f->role == NEW))
		*version = WORK;
	if (*version == BAD && m->attack == NEWFILE)
		return false;	/* its .locked twin is */
	if (f->role == DELETED)
		return when < STAGE_WORK;
	return f->role != NEW || when >= STAGE_WORK;
}

uint64_t file_size(const struct file *f, enum version v, enum attack attack)
{
	if (v == WORK)
		return f->work_size;
	return v == BASE || attack == INPLACE ? f->size : f->bad_size;
}

static bool in_hole(const struct file *f, uint64_t offset)
{
	return f->sparse && (offset >> HOLE_SHIFT) & 1;
}

/* Text (16 letters), or bytes that look as if they were encrypted. */
static uint64_t word(const struct model *m, const struct file *f,
		     enum version v, uint64_t offset)
{
	uint64_t w = mix(m->seed, f->id * 4 + v, offset + 1000);

	if (v == BAD && m->attack != TROJAN)
		return w;
	return (w & 0x0f0f0f0f0f0f0f0f) + 0x6161616161616161;
}

void file_content(const struct model *m, const struct file *f,
		  enum version version, uint64_t offset, void *buf, size_t len)
{
	uint64_t *p = buf, end = offset + len;
	enum version v;

	for (; offset < end; offset += sizeof(*p)) {
		v = version;
		if (version == WORK && f->role == MODIFIED &&
		    (offset < f->patch_from || offset >= f->patch_to))
			v = BASE;
		if (in_hole(f, offset) &&
		    (v == BASE || (v == BAD && m->attack == INPLACE)))
			*p++ = 0;
		else
			*p++ = word(m, f, v, offset);
	}
}
