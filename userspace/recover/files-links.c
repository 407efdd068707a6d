// SPDX-License-Identifier: GPL-2.0
/*
 * files-links.c - several names of one file.
 *
 * Of the names that base, bad and now all have, each tree makes groups. A
 * name is as it was if its group has the same first name in both: so, of
 * names that the damage tore apart or tied together, the first keeps its
 * file and the others are judged. What is to be one file again is linked to
 * a leader: a name of the group that now has as base had it, or the first
 * one that is restored.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files-plan.h"

int links_note(struct maker *m, struct place *place, const char *name,
	       const char *path, const struct entry *base,
	       const struct entry *bad, size_t item)
{
	const struct entry *trees[] = { base, bad, NULL };
	struct entry now = ENTRY_NONE;
	struct link_name *l = grow(m->link, m->nr_links, &m->room_links,
				   sizeof(*l));
	int i;

	if (!l)
		return -ENOMEM;
	m->link = l;
	l += m->nr_links;
	memset(l, 0, sizeof(*l));
	l->path = strdup(path);
	if (!l->path)
		return -ENOMEM;
	m->nr_links++;
	place_look(place);
	if (place->now >= 0 && entry_open(place->now, name, &now))
		now = ENTRY_NONE;
	trees[IN_NOW] = &now;
	for (i = IN_BASE; i <= IN_NOW; i++)
		if (entry_there(trees[i]) && S_ISREG(trees[i]->mode)) {
			l->in[i].there = true;
			l->in[i].dev = trees[i]->dev;
			l->in[i].ino = trees[i]->ino;
		}
	l->several = l->in[IN_BASE].there && base->nlink > 1;
	l->item = item;
	l->selected = item != NO_ITEM ||
		      path_selected(m, place, path, base, bad);
	entry_close(&now);
	return 0;
}

struct sorted {
	const struct link_name *names;
	int tree;
};

static int by_file(const void *a, const void *b, void *arg)
{
	const struct sorted *s = arg;
	const struct link_name *p = &s->names[*(const size_t *)a];
	const struct link_name *q = &s->names[*(const size_t *)b];
	const struct link_of *x = &p->in[s->tree], *y = &q->in[s->tree];

	if (x->there != y->there)
		return x->there ? -1 : 1;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return strcmp(p->path, q->path);
}

static bool in_all(const struct link_name *l)
{
	return l->in[IN_BASE].there && l->in[IN_BAD].there &&
	       l->in[IN_NOW].there;
}

static bool same_file(const struct link_name *a, const struct link_name *b,
		      int tree)
{
	return b->in[tree].there && a->in[tree].there &&
	       a->in[tree].dev == b->in[tree].dev &&
	       a->in[tree].ino == b->in[tree].ino;
}

static void find_first(struct maker *m, size_t *order, int tree)
{
	struct sorted s = { m->link, tree };
	const struct link_name *before = NULL;
	size_t i, first = 0;

	qsort_r(order, m->nr_links, sizeof(*order), by_file, &s);
	for (i = 0; i < m->nr_links; i++) {
		struct link_name *l = &m->link[order[i]];

		if (!in_all(l))
			continue;
		if (!before || !same_file(before, l, tree))
			first = order[i];
		l->in[tree].first = first;
		before = l;
	}
}

/* After find_first() of base, which left @order sorted by base's files */
static void find_groups(struct maker *m, const size_t *order)
{
	struct link_name *before = NULL;
	size_t i, nr = 0;

	for (i = 0; i < m->nr_links; i++) {
		struct link_name *l = &m->link[order[i]];

		if (!l->several)
			continue;
		if (!before || !same_file(before, l, IN_BASE))
			nr++;
		l->group = nr;
		before = l;
	}
}

/* In what does now differ at this path from base? */
static int diff_to_base(struct maker *m, int base_root, int now_root,
			const char *path, unsigned int *diff,
			struct files_seen *seen, uint64_t *bytes)
{
	struct entry base = ENTRY_NONE, now = ENTRY_NONE;
	int ret = entry_open_path(base_root, path, &base);

	if (!ret)
		ret = entry_open_path(now_root, path, &now);
	if (!ret)
		ret = entry_diff(&base, &now, &m->plan->compared_bytes, diff);
	if (ret)
		*diff = ENTRY_TYPE;
	entry_seen(&now, seen);
	*bytes = base.size;
	entry_close(&base);
	entry_close(&now);
	return error_is_ours(ret) ? ret : 0;
}

/* Its content is as it was, or restored anyway; its links are not. */
static int judge_links(struct maker *m, struct link_name *l, int base_root,
		       int now_root)
{
	size_t base = l->in[IN_BASE].first, bad = l->in[IN_BAD].first;
	size_t now = l->in[IN_NOW].first;
	struct files_item *item;
	struct files_seen seen;
	unsigned int diff, meant;
	uint64_t bytes;
	int ret;

	item = l->item == NO_ITEM ? NULL : &m->plan->item[l->item];
	if (base == bad || !l->selected ||
	    (item && item->action != FILES_DONE &&
	     item->action != FILES_ATTRS))
		return 0;
	if (now == base)
		return 0;
	ret = diff_to_base(m, base_root, now_root, l->path, &diff, &seen,
			   &bytes);
	if (ret)
		return ret;
	if (!item) {
		l->item = plan_add(m, l->path, FILES_DONE, 'f');
		if (l->item == NO_ITEM)
			return -ENOMEM;
		item = &m->plan->item[l->item];
		item->seen = seen;
	}
	meant = item->action == FILES_ATTRS ? ENTRY_ATTRS : 0;
	if (now != bad || (diff & ~meant)) {
		item_mixed(item, "changed since the damage");
		return 0;
	}
	item->action = FILES_RESTORE;
	item->bytes = bytes;
	l->only_apart = !diff && m->link[now].in[IN_BASE].first == base;
	return 0;
}

static int add_leader(struct maker *m, const struct link_name *l,
		      const struct files_seen *seen)
{
	struct files_plan *plan = m->plan;
	struct files_leader *leader = reallocarray(plan->leader,
						   plan->nr_leaders + 1,
						   sizeof(*leader));

	if (!leader)
		return -ENOMEM;
	plan->leader = leader;
	leader += plan->nr_leaders;
	leader->path = strdup(l->path);
	if (!leader->path)
		return -ENOMEM;
	leader->group = l->group;
	leader->seen = *seen;
	plan->nr_leaders++;
	return 0;
}

/* @names: those of one group, @nr of them */
static int choose_leader(struct maker *m, const size_t *names, size_t nr,
			 int base_root, int now_root)
{
	unsigned int diff;
	bool wanted = false;
	struct files_item *item;
	struct files_seen seen;
	uint64_t bytes;
	size_t i;
	int ret;

	for (i = 0; i < nr; i++) {
		const struct link_name *l = &m->link[names[i]];

		item = l->item == NO_ITEM ? NULL : &m->plan->item[l->item];
		if (!item)
			continue;
		item->group = l->group;
		wanted |= item->action == FILES_RESTORE ||
			  item->action == FILES_BRING_BACK;
	}
	for (i = 0; wanted && i < nr; i++) {
		const struct link_name *l = &m->link[names[i]];

		if (!l->in[IN_NOW].there ||
		    (l->item != NO_ITEM &&
		     m->plan->item[l->item].action != FILES_DONE))
			continue;
		ret = diff_to_base(m, base_root, now_root, l->path, &diff,
				   &seen, &bytes);
		if (ret)
			return ret;
		if (!diff)
			return add_leader(m, l, &seen);
	}
	/* None was left alone: the first that has base's content will do. */
	for (i = 0; i < nr; i++) {
		const struct link_name *l = &m->link[names[i]];

		if (!l->only_apart)
			continue;
		item = &m->plan->item[l->item];
		item->action = FILES_DONE;
		item->bytes = 0;
		return add_leader(m, l, &item->seen);
	}
	return 0;
}

int links_resolve(struct maker *m, int base_root, int now_root)
{
	size_t *order = calloc(m->nr_links + 1, sizeof(*order));
	size_t i, from;
	int tree, ret = 0;

	if (!order)
		return -ENOMEM;
	for (i = 0; i < m->nr_links; i++)
		order[i] = i;
	for (tree = IN_NOW; tree >= IN_BASE; tree--)
		find_first(m, order, tree);
	find_groups(m, order);
	for (i = 0; !ret && i < m->nr_links; i++)
		if (in_all(&m->link[i]))
			ret = judge_links(m, &m->link[i], base_root, now_root);
	for (from = 0; !ret && from < m->nr_links; from = i) {
		size_t group = m->link[order[from]].group;

		for (i = from + 1; group && i < m->nr_links &&
		     m->link[order[i]].group == group; i++)
			;
		if (group)
			ret = choose_leader(m, order + from, i - from,
					    base_root, now_root);
	}
	free(order);
	return ret;
}
