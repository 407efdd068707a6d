/* SPDX-License-Identifier: GPL-2.0 */
/*
 * env-file.h - the core's environment over a file descriptor (tool), and the
 * node cache and memory functions that tests share with it.
 */
#ifndef DR_ENV_FILE_H
#define DR_ENV_FILE_H

#include "env.h"

/*
 * A search starts again from the root after each node it had to load, so all
 * nodes of one path must fit into one set.
 */
#define DR_CACHE_WAYS		16u
_Static_assert(DR_MAX_LEVEL + 1 < DR_CACHE_WAYS, "a path fits into a set");

struct dr_node_cache {
	u32 nr;			/* power of two, in sets of DR_CACHE_WAYS */
	u64 *block;		/* 0: empty */
	u64 *used;		/* clock at the last use */
	u64 clock;
	u8 *data;
};

int dr_node_cache_init(struct dr_node_cache *nc, u32 nr);
void dr_node_cache_exit(struct dr_node_cache *nc);
const void *dr_node_cache_peek(struct dr_node_cache *nc, u64 block);
void dr_node_cache_put(struct dr_node_cache *nc, u64 block, const void *buf);

struct dr_file {
	int fd;
	bool quiet;		/* do not print reports */
	u32 reports;		/* how many there were */
	struct dr_node_cache nodes;
};

/* Prepare @env to work on @fd, which stays the caller's. 0 or -errno */
int dr_env_file_init(struct dr_env *env, struct dr_file *f, int fd);
void dr_env_file_exit(struct dr_file *f);

#endif
