// SPDX-License-Identifier: GPL-2.0
/*
 * diff.c - what differs between two epochs, by files and structures.
 *
 * The device is cut where the owner changes, in either epoch. A piece with two
 * owners was lost by the first and gained by the second, whether it was written
 * or not: deleting a file leaves its blocks as they are. A piece with one owner
 * was changed in place where the device says so. Blocks tell no more than that:
 * a file that was written anew appears as moved, one that was renamed as gone
 * under the old name and new under the other.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "changes.h"
#include "cli.h"
#include "grow.h"
#include "output.h"
#include "owner/diff.h"
#include "owner/owner.h"

enum { IN_PLACE, GAINED, LOST, NR_COUNTS };

/* One owner: a file, or a kind of metadata of a volume */
struct row {
	const struct owner_extent *e;
	uint64_t sectors[NR_COUNTS];
};

struct diff {
	struct owner_map from, to;
	struct range *range;
	size_t nr_ranges;
	struct row *row;
	size_t nr, room;
	const struct owner_extent **from_files, **to_files;	/* by path */
	size_t nr_from_files, nr_to_files;
};

static const struct out_column columns[] = {
	{ "state", "state", OUT_TEXT, OUT_BOTH },
	{ "kind", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "volume", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "path", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "what", NULL, OUT_TEXT, OUT_ONLY_JSON },
	{ "in_place_bytes", "in place", OUT_BYTES, OUT_BOTH },
	{ "new_bytes", "new", OUT_BYTES, OUT_BOTH },
	{ "gone_bytes", "gone", OUT_BYTES, OUT_BOTH },
	{ "owner", "owner", OUT_TEXT, OUT_ONLY_TEXT },
};

static const struct out_column totals[] = {
	{ "from", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "to", NULL, OUT_NUMBER, OUT_ONLY_JSON },
	{ "nr_files", "files", OUT_NUMBER, OUT_BOTH },
	{ "total_bytes", "written", OUT_BYTES, OUT_BOTH },
};

/* --- rows ------------------------------------------------------------------ */

static int compare(const char *a, const char *b)
{
	if (!a || !b)
		return !b - !a;
	return strcmp(a, b);
}

static bool is_file(const struct owner_extent *e)
{
	return e->kind == OWNER_FILE;
}

static int compare_owners(const struct owner_extent *a,
			  const struct owner_extent *b)
{
	int cmp = compare(a->volume, b->volume);

	if (!cmp)
		cmp = (int)is_file(b) - is_file(a);
	if (!cmp && is_file(a))
		return compare(a->path, b->path);
	if (!cmp)
		cmp = (int)a->kind - (int)b->kind;
	return cmp ? cmp : compare(a->what, b->what);
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return compare_owners(x->e, y->e);
}

static int count(struct diff *d, const struct owner_extent *e, int what,
		 uint64_t sectors)
{
	struct row *row;

	/* What became of free space is said by who has it now. */
	if (!e || (e->kind == OWNER_NONE && what != IN_PLACE))
		return 0;
	row = grow(d->row, d->nr, &d->room, sizeof(*row));
	if (!row)
		return -ENOMEM;
	d->row = row;
	row += d->nr++;
	memset(row, 0, sizeof(*row));
	row->e = e;
	row->sectors[what] = sectors;
	return 0;
}

static uint64_t piece_end(const struct owner_extent *e, uint64_t end)
{
	return e && e->start + e->sectors < end ? e->start + e->sectors : end;
}

/* How much of a piece was written? *@at is the first range that reaches it. */
static uint64_t changed_in(const struct diff *d, uint64_t start, uint64_t end,
			   size_t *at)
{
	uint64_t from, to, sectors = 0;
	size_t i;

	while (*at < d->nr_ranges && d->range[*at].start_sectors +
	       d->range[*at].len_sectors <= start)
		(*at)++;
	for (i = *at; i < d->nr_ranges && d->range[i].start_sectors < end; i++) {
		from = d->range[i].start_sectors;
		to = from + d->range[i].len_sectors;
		sectors += (to < end ? to : end) - (from > start ? from : start);
	}
	return sectors;
}

static int count_piece(struct diff *d, uint64_t start, uint64_t end,
		       const struct owner_extent *a,
		       const struct owner_extent *b, size_t *range)
{
	uint64_t changed = changed_in(d, start, end, range);
	int ret;

	if (a && b && owner_same(a, b, start))
		return changed ? count(d, b, IN_PLACE, changed) : 0;
	ret = count(d, a, LOST, end - start);
	return ret ? ret : count(d, b, GAINED, end - start);
}

/* Both maps cover the device. */
static int count_pieces(struct diff *d)
{
	const struct owner_extent *a = d->from.e, *b = d->to.e;
	const struct owner_extent *a_end = a + d->from.nr, *b_end = b + d->to.nr;
	uint64_t here = 0, next;
	size_t range = 0;
	int ret = 0;

	while (!ret && a < a_end && b < b_end) {
		if (cancelled())
			return -ECANCELED;
		next = piece_end(a, piece_end(b, UINT64_MAX));
		ret = count_piece(d, here, next, a, b, &range);
		a += a->start + a->sectors == next;
		b += b->start + b->sectors == next;
		here = next;
	}
	return ret;
}

/* Sort, and add up what has the same owner. */
static void join_rows(struct diff *d)
{
	size_t i, n = 0;
	int what;

	qsort(d->row, d->nr, sizeof(*d->row), compare_rows);
	for (i = 0; i < d->nr; i++) {
		if (n && !compare_owners(d->row[n - 1].e, d->row[i].e)) {
			for (what = 0; what < NR_COUNTS; what++)
				d->row[n - 1].sectors[what] +=
					d->row[i].sectors[what];
			continue;
		}
		d->row[n++] = d->row[i];
	}
	d->nr = n;
}

/* --- who was there --------------------------------------------------------- */

static int compare_files(const void *a, const void *b)
{
	return compare_owners(*(const struct owner_extent *const *)a,
			      *(const struct owner_extent *const *)b);
}

static const struct owner_extent **list_files(const struct owner_map *map,
					      size_t *nr)
{
	const struct owner_extent **files = calloc(map->nr + 1, sizeof(*files));
	size_t i;

	*nr = 0;
	if (!files)
		return NULL;
	for (i = 0; i < map->nr; i++)
		if (is_file(&map->e[i]))
			files[(*nr)++] = &map->e[i];
	qsort(files, *nr, sizeof(*files), compare_files);
	return files;
}

static bool has_file(const struct owner_extent **files, size_t nr,
		     const struct owner_extent *e)
{
	return bsearch(&e, files, nr, sizeof(*files), compare_files);
}

static const char *state_of(const struct diff *d, const struct row *row)
{
	if (is_file(row->e)) {
		if (!has_file(d->from_files, d->nr_from_files, row->e))
			return "new";
		if (!has_file(d->to_files, d->nr_to_files, row->e))
			return "gone";
	}
	if (row->sectors[GAINED])
		return row->sectors[LOST] ? "moved" : "grown";
	return row->sectors[LOST] ? "shrunk" : "in place";
}

/* --- all ------------------------------------------------------------------- */

static void put_row(const struct diff *d, const struct row *row)
{
	static char words[2 * PATH_MAX];
	struct owner_extent e = *row->e;

	/* A row of metadata is not about one directory. */
	if (!is_file(&e))
		e.path = NULL;
	e.flags = 0;
	out_row((struct out_value[]){
		out_text(state_of(d, row)), out_text(owner_kind_word(e.kind)),
		out_text(e.volume), out_text(e.path), out_text(e.what),
		out_number(row->sectors[IN_PLACE] << SECTOR_SHIFT),
		out_number(row->sectors[GAINED] << SECTOR_SHIFT),
		out_number(row->sectors[LOST] << SECTOR_SHIFT),
		out_text(owner_describe(&e, words, sizeof(words))) });
}

static void put(const struct diff *d, uint32_t from, uint32_t to)
{
	uint64_t nr_files = 0, sectors = 0;
	size_t i;

	out_table("owners", columns, ARRAY_SIZE(columns));
	for (i = 0; i < d->nr; i++) {
		put_row(d, &d->row[i]);
		nr_files += is_file(d->row[i].e);
	}
	out_table_end();
	for (i = 0; i < d->nr_ranges; i++)
		sectors += d->range[i].len_sectors;
	out_say("%s", "");
	out_record(totals, ARRAY_SIZE(totals), (struct out_value[]){
		out_number(from), out_number(to), out_number(nr_files),
		out_number(sectors << SECTOR_SHIFT) });
}

static int make(struct diff *d)
{
	int ret;

	d->from_files = list_files(&d->from, &d->nr_from_files);
	d->to_files = list_files(&d->to, &d->nr_to_files);
	if (!d->from_files || !d->to_files)
		return -ENOMEM;
	ret = count_pieces(d);
	if (!ret)
		join_rows(d);
	return ret;
}

int owner_diff(const char *device, uint32_t from, uint32_t to)
{
	struct diff d = { 0 };
	int ret, code = changes_between(device, from, to, &d.range,
					&d.nr_ranges);

	if (!code)
		code = owner_map_at(device, from, NULL, 0, &d.from);
	if (!code)
		code = owner_map_at(device, to, NULL, 0, &d.to);
	if (!code) {
		ret = make(&d);
		if (!ret)
			put(&d, from, to);
		else if (ret == -ECANCELED)
			code = fail_cancelled(device);
		else
			code = fail_errno(device, "diff", ret);
	}
	free(d.row);
	free(d.from_files);
	free(d.to_files);
	owner_map_free(&d.from);
	owner_map_free(&d.to);
	free(d.range);
	return code;
}
