// SPDX-License-Identifier: GPL-2.0
/*
 * classes-sum.c - after the walk: files as a whole, sums, rules.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ranges.h"
#include "recover/classes-sum.h"

const char why_gone[] =
	"removed, renamed or put elsewhere in the damaged epochs: use files";
static const char why_parts[] =
	"parts of the file were put elsewhere in the damaged epochs: use files";

/* --- files as a whole ---------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	const struct file_name *x = a, *y = b;
	int c = strcmp(x->path, y->path);

	return c ? c : strcmp(x->volume ? x->volume : "",
			      y->volume ? y->volume : "");
}

int file_names_find(const struct blocks_plan *plan,
		    bool (*pick)(const struct blocks_item *item),
		    struct file_names *names)
{
	const struct blocks_item *item = plan->item;

	names->nr = 0;
	names->name = calloc(plan->nr + 1, sizeof(*names->name));
	if (!names->name)
		return -ENOMEM;
	for (; item < plan->item + plan->nr; item++)
		if (item->path_before && pick(item))
			names->name[names->nr++] = (struct file_name){
				item->volume, item->path_before,
			};
	if (names->nr)
		qsort(names->name, names->nr, sizeof(*names->name), by_path);
	return 0;
}

bool file_names_have(const struct file_names *names, const char *volume,
		     const char *path)
{
	struct file_name key = { volume, path };

	return path && names->nr &&
	       bsearch(&key, names->name, names->nr, sizeof(key), by_path);
}

bool item_goes_back(const struct blocks_item *item)
{
	return item->action == BLOCK_REVERT && !item->forced;
}

static bool is_gone(const struct blocks_item *item)
{
	return item->action == BLOCK_REFUSE && item->why == why_gone;
}

int classes_refuse_parts(struct blocks_plan *plan)
{
	struct blocks_item *item = plan->item;
	struct file_names gone;
	int ret = file_names_find(plan, is_gone, &gone);

	for (; !ret && item < plan->item + plan->nr; item++) {
		if (!item_goes_back(item) ||
		    !file_names_have(&gone, item->volume, item->path_before))
			continue;
		item->class = CLASS_C2;
		item->action = BLOCK_REFUSE;
		item->drop_later = false;
		item->why = why_parts;
	}
	free(gone.name);
	return ret;
}

/* --- sums and rules ------------------------------------------------------ */

static uint64_t in_blocks(const struct classes_input *in, uint64_t start,
			  uint64_t sectors)
{
	uint64_t unit = in->block_sectors;

	return (start + sectors + unit - 1) / unit - start / unit;
}

static uint64_t set_blocks(const struct classes_input *in,
			   const struct range *r, size_t nr)
{
	uint64_t total = 0;

	while (nr--)
		total += in_blocks(in, r[nr].start_sectors, r[nr].len_sectors);
	return total;
}

void classes_sum_up(const struct classes_input *in, struct blocks_plan *plan)
{
	const struct blocks_item *item = plan->item;
	uint64_t blocks;

	for (; item < plan->item + plan->nr; item++) {
		blocks = in_blocks(in, item->start, item->sectors);
		plan->blocks[item->class] += blocks;
		if (item->action == BLOCK_REVERT)
			plan->nr_revert += blocks;
		if (item->action == BLOCK_REFUSE)
			plan->refused = true;
		if (item->forced)
			plan->nr_forced += blocks;
	}
}

/* Is nothing between @start and @end of the set? */
static bool gap_is_free(const struct range_set *set, uint64_t start,
			uint64_t end)
{
	size_t low = 0, high = set->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (range_end(&set->range[mid]) <= start)
			low = mid + 1;
		else
			high = mid;
	}
	return start == end || low == set->nr ||
	       set->range[low].start_sectors >= end;
}

int classes_make_rules(const struct classes_input *in,
		       struct blocks_plan *plan)
{
	const struct blocks_item *item = plan->item;
	struct view_rule *last = NULL;
	size_t nr = 0;

	for (; item < plan->item + plan->nr; item++)
		nr += item->action == BLOCK_REVERT;
	plan->rule = calloc(nr + 1, sizeof(*plan->rule));
	if (!plan->rule)
		return -ENOMEM;
	for (item = plan->item; item < plan->item + plan->nr; item++) {
		if (item->action != BLOCK_REVERT)
			continue;
		if (last && last->drop_later == item->drop_later &&
		    gap_is_free(&in->written, last->start + last->sectors,
				item->start)) {
			last->sectors = item->start + item->sectors -
					last->start;
			continue;
		}
		last = &plan->rule[plan->nr_rules++];
		*last = (struct view_rule){
			.start = item->start, .sectors = item->sectors,
			.from = in->from, .to = in->to,
			.drop_later = item->drop_later,
		};
	}
	return 0;
}

/* Blocks of @meant that were written later with other bytes */
int classes_count_later(const struct classes_input *in,
			const struct range_list *meant,
			struct blocks_plan *plan)
{
	struct range_list other = { 0 }, both = { 0 };
	bool no_memory;

	ranges_minus(in->later.range, in->later.nr, in->same.range,
		     in->same.nr, &other);
	ranges_and(meant->range, meant->nr, other.range, other.nr, &both);
	plan->nr_written = set_blocks(in, meant->range, meant->nr);
	plan->nr_later = set_blocks(in, both.range, both.nr);
	no_memory = other.no_memory || both.no_memory;
	range_list_free(&other);
	range_list_free(&both);
	return no_memory ? -ENOMEM : 0;
}
