/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ram.h - a store whose delta device is memory, and the least of an embedder,
 * for measuring the core natively.
 *
 * The memory is not there until it is used; data is never written. So the times
 * are of the code, without any device: processor time.
 */
#ifndef BENCH_RAM_H
#define BENCH_RAM_H

#include "recover.h"
#include "retain.h"

#define ENTRIES		1048576u	/* of a memtable */
#define GROUP		64u

struct ram {
	u8 *disk;
	u64 nr_blocks;
	u8 *known;	/* by block: a node that was verified */
	u64 written;
	u64 used;	/* bytes of the core, and */
	u64 peak;	/* at most, since it was set to that */
};

extern struct ram mem;
extern struct dr_store st;
extern const struct dr_env env;
extern u64 seed;		/* of rnd() */
extern double merging;		/* seconds in merge() so far */
extern bool json;		/* what tell() writes */

void die(const char *what, long r);
void must(const char *what, s64 r);
u64 rnd(void);
double seconds(void);
/* Memory that is not there until it is used */
void *sparse(u64 size);
void release(void *ctx, void *p);

/* A new store, opened */
void make(u64 delta, u64 blocks);
void open_store(void);
void write_one(u64 block);
void merge(void);
void flush(void);
/* Return: what the record took, in seconds */
double checkpoint(const char *label);
double rollback(u32 epoch);
/* One search; the nodes it needs are brought in first, as a cache would */
void look(const struct dr_lineage *l, u32 epoch, u64 block);

void tell(const char *key, double value, const char *unit);
/* Of times in seconds, in us; the median does not tell of other load */
void tell_median(const char *key, double *sec, u32 nr, const char *unit);
/* Resident, without the device */
double memory_mib(void);

#endif
