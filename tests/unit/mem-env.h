/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mem-env.h - the core's environment in memory, for unit tests.
 *
 * A sparse disk that never holds data, faults on request, and the rules of
 * env.h as assertions: nothing that may sleep inside enter/leave or
 * lock/unlock. Above it two fixtures: trees with their space and transaction
 * (struct mem_txn), and a whole store with a simple embedder (struct mem_store).
 */
#ifndef DR_MEM_ENV_H
#define DR_MEM_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "env-file.h"
#include "recover.h"

struct mem_env {
	struct dr_env env;
	struct dr_node_cache nodes;
	u64 nr_blocks;
	u8 **page;		/* NULL: reads as zeroes */
	u8 *flying;		/* write()n since the last barrier */
	bool in_section;
	bool in_lock;
	u64 reads;
	u64 writes;		/* blocks, barrier()'s among them */
	u64 barriers;
	u64 peeks;
	/* 1: the next one fails, 0: none does */
	u32 fail_alloc;
	u32 fail_read;
	u32 fail_write;
	u32 cancel;
	/* What was reported */
	u32 reports;
	u64 where;
	const char *what;
	const char *why;
};

void mem_env_init(struct mem_env *m, u64 nr_blocks);
void mem_env_exit(struct mem_env *m);
/* A block of the disk, to look at and to change */
void *mem_block(struct mem_env *m, u64 block);
/* Forget all cached nodes */
void mem_forget(struct mem_env *m);
/* A copy of the disk, and back to it; mem_env_exit() for copies too */
void mem_copy(struct mem_env *to, const struct mem_env *from);

/* xorshift64*, Vigna 2016; the seed is the test's own */
u64 mem_random(u64 *seed);

/* --- metadata as it lies on the disk ------------------------------------- */

struct mem_meta {
	u64 block;
	u16 type;		/* enum dr_block_type */
	u8 tree;
	u8 level;
	s64 parent;		/* position in the list */
	u32 index;		/* in the parent; of a root 0 map 1 index 2 epochs 3 notes */
};

/*
 * Everything that the valid superblock leads to, it first; parents before
 * their children. Return: how many; the list is to be freed.
 */
u32 mem_survey(struct mem_env *m, struct mem_meta **list);
/* First block of a kind in it; of a tree if @tree is not 0 */
const struct mem_meta *mem_meta_find(const struct mem_meta *list, u32 nr,
				     u16 type, u8 tree, u8 level);
/* Compute all checksums again, so that changed contents are believed */
void mem_reseal(struct mem_env *m, const struct mem_meta *list, u32 nr);
struct dr_disk_super *mem_super(struct mem_env *m);

/* --- trees --------------------------------------------------------------- */

struct mem_txn {
	struct mem_env m;
	struct dr_disk_ref super[DR_SUPER_INDEX];
	struct dr_space sp;
	struct dr_txn txn;
	u8 uuid[DR_UUID_LEN];
	u64 gen;
};

void mem_txn_init(struct mem_txn *x, u64 nr_blocks, u32 slot_blocks);
void mem_txn_exit(struct mem_txn *x);
/* One batch, one transaction */
int mem_txn_apply(struct mem_txn *x, struct dr_root *root,
		  const struct dr_batch *b);

/* --- a store ------------------------------------------------------------- */

#define MEM_ENTRIES	4096u

struct mem_store {
	struct mem_env m;
	struct dr_store st;
	bool open;
	u32 entries;		/* in a memtable; 0: MEM_ENTRIES */
	u8 start_mode;		/* of the next activation */
	s64 now;
};

/* Format and activate */
void mem_store_init(struct mem_store *s, u32 slot_blocks, u64 map_blocks,
		    u64 delta_blocks);
void mem_store_exit(struct mem_store *s);
int mem_store_format(struct mem_store *s, u32 slot_blocks, u64 map_blocks,
		     u64 delta_blocks);
int mem_store_open(struct mem_store *s);	/* not activated */
int mem_store_start(struct mem_store *s);	/* and activated */
void mem_store_stop(struct mem_store *s);
/* As after a power cut: what is in memory is lost */
void mem_store_restart(struct mem_store *s);
/* What dr_check() finds on the disk as it is; reports are not counted */
u64 mem_store_errors(struct mem_store *s);

/* Write whole blocks in the head; merges when it has to. The last slot */
u64 mem_write(struct mem_store *s, u64 block, u64 n);
void mem_write_flags(struct mem_store *s, u64 block, u8 flags);
void mem_zero(struct mem_store *s, u64 block, u64 n);
/* Record everything; journal blocks written */
u32 mem_flush(struct mem_store *s);
/* Bring all that is in memory into the trees */
void mem_merge(struct mem_store *s);
u32 mem_checkpoint(struct mem_store *s, const char *label);
u32 mem_rollback(struct mem_store *s, u32 epoch);
void mem_drop(struct mem_store *s, u32 epoch);
void mem_reclaim(struct mem_store *s);
/* State of a block at an epoch, through the memtables and the tree */
struct dr_state mem_state(struct mem_store *s, u32 epoch, u64 block, u64 max);
u64 mem_slot(struct mem_store *s, u32 epoch, u64 block);

#define TEST(function) cmocka_unit_test(function)
#define mem_tests(name, tests) \
	cmocka_run_group_tests_name(name, tests, NULL, NULL)

#endif
