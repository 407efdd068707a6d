/* SPDX-License-Identifier: GPL-2.0 */
/*
 * model.h - which files there are, what befalls them, and what they hold.
 *
 * All of it follows from the seed, so it is the oracle of the scenarios: what a
 * file should hold is computed here once more and compared byte by byte. Nothing
 * is ever learnt by reading the device, or through the tool under test.
 *
 * Three epochs: 340 good files; an attack on 120 of them; good work (40 files
 * modified in place, 60 new, 15 of the attacked rewritten by their owner, 20
 * deleted). The ideal end has 380 files: 105 undone, 115 pieces of good work
 * kept, 160 that nobody touched.
 */
#ifndef CORPUS_MODEL_H
#define CORPUS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NR_QUIET	160
#define NR_VICTIMS	105	/* attacked, and nobody touches them again */
#define NR_REWRITTEN	15	/* attacked, then written anew by the owner */
#define NR_MODIFIED	40
#define NR_DELETED	20
#define NR_NEW		60
#define NR_BASE		(NR_QUIET + NR_VICTIMS + NR_REWRITTEN + \
			 NR_MODIFIED + NR_DELETED)
#define NR_FILES	(NR_BASE + NR_NEW)
#define NR_WORK		(NR_MODIFIED + NR_NEW + NR_REWRITTEN)
#define NR_IDEAL	(NR_FILES - NR_DELETED)

#define LOCKED		".locked"
#define XATTR		"user.origin"

enum attack { INPLACE, TRUNCATE, NEWFILE, TROJAN, NR_ATTACKS };

enum role { QUIET, VICTIM, REWRITTEN, MODIFIED, DELETED, NEW, NR_ROLES };

/* What a file can hold. */
enum version { BASE, BAD, WORK };

/* What the whole tree can be. */
enum stage { STAGE_BASE, STAGE_BAD, STAGE_WORK, STAGE_IDEAL };

struct file {
	char path[64];
	uint32_t id;		/* of the content; names of one file share it */
	enum role role;
	uint64_t size;
	mode_t mode;
	uid_t uid;
	gid_t gid;
	time_t mtime;		/* of the good version in epoch 1 */
	bool sparse;		/* every second 64 KiB is a hole */
	bool xattr;
	int other_name;		/* index of the second name, or -1 */
	bool second;		/* this is the second name */
	uint64_t bad_size;
	mode_t bad_mode;
	uint64_t work_size;
	uint64_t patch_from, patch_to;	/* MODIFIED: bytes written anew */
	bool in_place;		/* REWRITTEN: without truncating it */
};

struct model {
	uint64_t seed;
	enum attack attack;
	struct file file[NR_FILES];
};

extern const char *const attack_names[NR_ATTACKS];
extern const char *const role_names[NR_ROLES];

/* The generator behind everything: same arguments, same number. */
uint64_t mix(uint64_t seed, uint64_t a, uint64_t b);

void model_make(struct model *m, uint64_t seed, enum attack attack);

/*
 * What the file is at a stage: false if it is not there at all. The version's
 * size and, for BAD, mode differ; owner and mode of good versions do not.
 */
bool file_at(const struct model *m, const struct file *f, enum stage when,
	     enum version *version);
uint64_t file_size(const struct file *f, enum version v, enum attack attack);

/* Fills @buf with @len bytes from @offset on; both multiples of 8. */
void file_content(const struct model *m, const struct file *f,
		  enum version version, uint64_t offset, void *buf, size_t len);

/* act.c: does an epoch's work in the directory that we are in. 0 or 1. */
int act_base(const struct model *m);
int act_attack(const struct model *m);
int act_work(const struct model *m);

/* verify.c: holds the directory that we are in against the model. */
int verify_ideal(const struct model *m, bool verbose);
int verify_stage(const struct model *m, enum stage stage);

#endif
