// SPDX-License-Identifier: GPL-2.0
/*
 * names.c - paths from directory entries.
 *
 * Entries come in any order. Sorted by what they name, a file with several
 * names has them side by side, and a path is made from the entry upwards; the
 * paths of directories are kept on the way. Directories that are damaged may
 * form a loop or hang in the air: what is in them has no path.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "owner/build.h"

/*
 * Directories deeper than this are taken for a loop. Paths that are longer
 * cannot be opened at once; a tree that is deep and wide has no end of them.
 */
#define MAX_DEPTH	4096
#define MAX_PATH	(4 * PATH_MAX)

int owner_name_add(struct owner_build *b, struct owner_node parent,
		   struct owner_node child, const char *name, size_t len)
{
	struct owner_name *n = grow(b->name, b->nr_names, &b->room_names,
				    sizeof(*n));
	const char *copy;

	if (!n)
		return -ENOMEM;
	b->name = n;
	copy = owner_string(b, name, len);
	if (!copy)
		return -ENOMEM;
	n[b->nr_names++] = (struct owner_name){
		.parent = parent, .child = child, .name = copy };
	return 0;
}

static int compare_nodes(const struct owner_node *a, const struct owner_node *b)
{
	if (a->tree != b->tree)
		return a->tree < b->tree ? -1 : 1;
	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static int compare_names(const void *a, const void *b)
{
	const struct owner_name *x = a, *y = b;

	return compare_nodes(&x->child, &y->child);
}

/* First entry of @node, or NULL. */
static struct owner_name *find(const struct owner_build *b,
			       const struct owner_node *node)
{
	size_t low = 0, high = b->nr_names, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare_nodes(&b->name[mid].child, node) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < b->nr_names && !compare_nodes(&b->name[low].child, node))
		return &b->name[low];
	return NULL;
}

static const char *path_of(struct owner_build *b, const struct owner_node *node,
			   unsigned int depth, int *error);

/* Path of one name, allocated; NULL: it has none, or *@error. */
static char *path_of_name(struct owner_build *b, const struct owner_name *n,
			  unsigned int depth, int *error)
{
	const char *dir = path_of(b, &n->parent, depth + 1, error);
	char *path;

	if (!dir || strlen(dir) + strlen(n->name) >= MAX_PATH)
		return NULL;
	if (asprintf(&path, "%s/%s", strcmp(dir, "/") ? dir : "",
		     n->name) < 0) {
		*error = -ENOMEM;
		return NULL;
	}
	return path;
}

static const char *path_of(struct owner_build *b, const struct owner_node *node,
			   unsigned int depth, int *error)
{
	struct owner_name *first, *n;
	char *best = NULL, *path;

	if (!compare_nodes(node, &b->root))
		return "/";
	first = find(b, node);
	if (!first || first->busy || depth > MAX_DEPTH)
		return NULL;
	if (first->path)
		return first->path;
	first->busy = true;
	for (n = first; n < b->name + b->nr_names &&
	     !compare_nodes(&n->child, node); n++) {
		path = path_of_name(b, n, depth, error);
		if (path && (!best || strcmp(path, best) < 0)) {
			free(best);
			best = path;
		} else {
			free(path);
		}
	}
	first->busy = false;
	if (best) {
		first->path = owner_string(b, best, strlen(best));
		if (!first->path)
			*error = -ENOMEM;
		free(best);
	}
	return first->path;
}

int owner_names_resolve(struct owner_build *b, size_t first_item)
{
	const char *path = NULL;
	struct owner_node last = { 0 };
	int error = 0;
	size_t i;

	qsort(b->name, b->nr_names, sizeof(*b->name), compare_names);
	for (i = first_item; !error && i < b->nr; i++) {
		struct owner_extent *e = &b->item[i].e;
		struct owner_node node = { e->tree, e->ino };

		if (!e->ino)
			continue;
		if (compare_nodes(&node, &last))
			path = path_of(b, &node, 0, &error);
		last = node;
		e->path = path;
	}
	return error;
}
