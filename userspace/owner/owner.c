// SPDX-License-Identifier: GPL-2.0
/*
 * owner.c - a map of owners from what the readers found.
 *
 * Readers add items that overlap: a file lies in the space of its file system,
 * that on the device; two files may share blocks. sweep() goes over them from
 * the lowest sector and keeps, at each place, the one in front.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "owner/build.h"
#include "past/mount.h"

const char *owner_string(struct owner_build *b, const char *s, size_t len)
{
	struct owner_map *map = b->map;
	char **strings = grow(map->strings, map->nr_strings,
			      &map->room_strings, sizeof(*strings));
	char *copy;

	if (!strings)
		return NULL;
	map->strings = strings;
	copy = strndup(s, len);
	if (copy)
		strings[map->nr_strings++] = copy;
	return copy;
}

/* --- adding ---------------------------------------------------------------- */

static uint64_t end_of(const struct owner_extent *e)
{
	return e->start + e->sectors;
}

static bool is_wanted(const struct owner_build *b, uint64_t start, uint64_t end)
{
	size_t low = 0, high = b->nr_ranges, mid;

	if (!b->ranges)
		return true;
	/* the first range that ends behind the start */
	while (low < high) {
		mid = low + (high - low) / 2;
		if (b->ranges[mid].start_sectors + b->ranges[mid].len_sectors <=
		    start)
			low = mid + 1;
		else
			high = mid;
	}
	return low < b->nr_ranges && b->ranges[low].start_sectors < end;
}

/* Does the offset mean something, so that it grows with the sectors? */
static bool has_offset(const struct owner_extent *e)
{
	return e->ino;
}

static int add_piece(struct owner_build *b, enum owner_depth depth,
		     const struct owner_extent *e)
{
	struct owner_item *item;

	if (!e->sectors || !is_wanted(b, e->start, end_of(e)))
		return 0;
	item = grow(b->item, b->nr, &b->room, sizeof(*item));
	if (!item)
		return -ENOMEM;
	b->item = item;
	item[b->nr].e = *e;
	item[b->nr].e.volume = b->volume;
	item[b->nr++].depth = depth;
	return 0;
}

int owner_add(struct owner_build *b, enum owner_depth depth,
	      const struct owner_extent *e)
{
	uint64_t from, to, skipped;
	struct owner_extent piece;
	int ret = 0;
	size_t i;

	if (!b->vol)
		return add_piece(b, depth, e);
	for (i = 0; !ret && i < b->vol->nr_seg; i++) {
		const struct inside_segment *seg = &b->vol->seg[i];

		from = seg->fs_start > e->start ? seg->fs_start : e->start;
		to = seg->fs_start + seg->sectors;
		if (to > end_of(e))
			to = end_of(e);
		if (from >= to)
			continue;
		skipped = from - e->start;
		piece = *e;
		piece.start = seg->dev_start + (from - seg->fs_start);
		piece.sectors = to - from;
		if (has_offset(e))
			piece.offset += skipped << SECTOR_SHIFT;
		ret = add_piece(b, depth, &piece);
	}
	return ret;
}

int owner_add_meta(struct owner_build *b, uint64_t start, uint64_t sectors,
		   const char *what)
{
	struct owner_extent e = {
		.start = start,
		.sectors = sectors,
		.kind = OWNER_META,
		.what = what,
	};

	return owner_add(b, DEPTH_OWNER, &e);
}

/* --- who is in front ------------------------------------------------------- */

static int order_kind(enum owner_kind kind)
{
	switch (kind) {
	case OWNER_META:
	case OWNER_JOURNAL:
		return 0;
	case OWNER_FILE:
		return 1;
	default:
		return 2;
	}
}

static int compare_strings(const char *a, const char *b)
{
	if (a == b)
		return 0;
	if (!a || !b)
		return a ? -1 : 1;
	return strcmp(a, b);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Negative: @a is in front of @b. */
static int compare_front(const struct owner_item *a, const struct owner_item *b)
{
	int cmp = compare_numbers(b->depth, a->depth);

	if (!cmp)
		cmp = order_kind(a->e.kind) - order_kind(b->e.kind);
	if (!cmp)
		cmp = compare_strings(a->e.path, b->e.path);
	if (!cmp)
		cmp = compare_numbers(a->e.tree, b->e.tree);
	if (!cmp)
		cmp = compare_numbers(a->e.ino, b->e.ino);
	if (!cmp)
		cmp = compare_numbers(a->e.offset, b->e.offset);
	return cmp ? cmp : compare_strings(a->e.what, b->e.what);
}

static int compare_end(const struct owner_item *a, const struct owner_item *b)
{
	return compare_numbers(end_of(&a->e), end_of(&b->e));
}

static int compare_start(const void *a, const void *b)
{
	const struct owner_item *x = a, *y = b;
	int cmp = compare_numbers(x->e.start, y->e.start);

	return cmp ? cmp : compare_front(x, y);
}

struct heap {
	const struct owner_item **item;
	size_t nr;
	int (*compare)(const struct owner_item *a, const struct owner_item *b);
};

static void heap_push(struct heap *heap, const struct owner_item *item)
{
	size_t i = heap->nr++, up;

	for (; i; i = up) {
		up = (i - 1) / 2;
		if (heap->compare(heap->item[up], item) <= 0)
			break;
		heap->item[i] = heap->item[up];
	}
	heap->item[i] = item;
}

static void heap_pop(struct heap *heap)
{
	const struct owner_item *last = heap->item[--heap->nr];
	size_t i = 0, down;

	while ((down = 2 * i + 1) < heap->nr) {
		if (down + 1 < heap->nr &&
		    heap->compare(heap->item[down + 1], heap->item[down]) < 0)
			down++;
		if (heap->compare(last, heap->item[down]) <= 0)
			break;
		heap->item[i] = heap->item[down];
		i = down;
	}
	heap->item[i] = last;
}

struct sweep {
	struct owner_build *b;
	struct heap front;	/* may hold items that have ended */
	struct heap ends;	/* of the items of DEPTH_OWNER that are open */
	size_t room;		/* of the map's extents */
};

static bool continues(const struct owner_extent *a,
		      const struct owner_extent *b)
{
	if (end_of(a) != b->start || a->kind != b->kind ||
	    a->flags != b->flags || a->volume != b->volume ||
	    a->path != b->path || a->what != b->what || a->ino != b->ino ||
	    a->tree != b->tree)
		return false;
	return !has_offset(a) ||
	       a->offset + (a->sectors << SECTOR_SHIFT) == b->offset;
}

static int emit(struct sweep *sw, uint64_t start, uint64_t end)
{
	struct owner_map *map = sw->b->map;
	struct owner_extent piece = sw->front.item[0]->e, *e;

	if (has_offset(&piece))
		piece.offset += (start - piece.start) << SECTOR_SHIFT;
	piece.start = start;
	piece.sectors = end - start;
	if (sw->ends.nr > 1 && piece.kind == OWNER_FILE)
		piece.flags |= OWNER_SHARED;
	if (map->nr && continues(&map->e[map->nr - 1], &piece)) {
		map->e[map->nr - 1].sectors += piece.sectors;
		return 0;
	}
	e = grow(map->e, map->nr, &sw->room, sizeof(*e));
	if (!e)
		return -ENOMEM;
	map->e = e;
	e[map->nr++] = piece;
	return 0;
}

static int sweep_run(struct sweep *sw)
{
	const struct owner_item *item = sw->b->item;
	const struct owner_item *last = item + sw->b->nr;
	uint64_t here = 0, next;
	int ret = 0;

	while (!ret && (item < last || sw->front.nr)) {
		if (!sw->front.nr)
			here = item->e.start;
		for (; item < last && item->e.start <= here; item++) {
			heap_push(&sw->front, item);
			if (item->depth == DEPTH_OWNER)
				heap_push(&sw->ends, item);
		}
		while (sw->ends.nr && end_of(&sw->ends.item[0]->e) <= here)
			heap_pop(&sw->ends);
		while (sw->front.nr && end_of(&sw->front.item[0]->e) <= here)
			heap_pop(&sw->front);
		if (!sw->front.nr)
			continue;
		next = end_of(&sw->front.item[0]->e);
		if (item < last && item->e.start < next)
			next = item->e.start;
		if (sw->ends.nr && end_of(&sw->ends.item[0]->e) < next)
			next = end_of(&sw->ends.item[0]->e);
		ret = emit(sw, here, next);
		here = next;
	}
	return ret;
}

static int sweep(struct owner_build *b)
{
	struct sweep sw = {
		.b = b,
		.front.compare = compare_front,
		.ends.compare = compare_end,
	};
	int ret = -ENOMEM;

	qsort(b->item, b->nr, sizeof(*b->item), compare_start);
	sw.front.item = calloc(b->nr + 1, sizeof(*sw.front.item));
	sw.ends.item = calloc(b->nr + 1, sizeof(*sw.ends.item));
	if (sw.front.item && sw.ends.item)
		ret = sweep_run(&sw);
	free(sw.front.item);
	free(sw.ends.item);
	return ret;
}

/* --- volumes --------------------------------------------------------------- */

static const struct owner_reader {
	const char *type;	/* as libblkid says */
	int (*read)(struct owner_build *b, const char **why);
	bool copy_on_write;
} readers[] = {
	{ "ext2", owner_ext, false },
	{ "ext3", owner_ext, false },
	{ "ext4", owner_ext, false },
	{ "xfs", owner_xfs, false },
	{ "btrfs", owner_btrfs, true },
};

/* What has no files but is no riddle */
static const struct owner_word {
	const char *type;
	enum owner_kind kind;
	const char *what;
} words[] = {
	{ "swap", OWNER_UNKNOWN, "swap space" },
	{ "swsuspend", OWNER_UNKNOWN, "suspended system" },
	{ "jbd", OWNER_JOURNAL, "external journal" },
	{ "xfs_external_log", OWNER_JOURNAL, "external log" },
	{ "crypto_LUKS", OWNER_UNKNOWN, "encrypted (luks)" },
	{ "linux_raid_member", OWNER_UNKNOWN, "member of a raid (md)" },
	{ "LVM2_member", OWNER_UNKNOWN, "lvm physical volume" },
};

uint64_t owner_volume_sectors(const struct inside_volume *vol)
{
	uint64_t end = 0, seg_end;
	size_t i;

	for (i = 0; i < vol->nr_seg; i++) {
		seg_end = vol->seg[i].fs_start + vol->seg[i].sectors;
		if (seg_end > end)
			end = seg_end;
	}
	return end;
}

static int add_volume(struct owner_build *b, enum owner_kind kind,
		      const char *what)
{
	struct owner_extent e = {
		.sectors = owner_volume_sectors(b->vol),
		.kind = kind,
		.what = what,
	};

	return owner_add(b, DEPTH_VOLUME, &e);
}

/* Does anything that is wanted lie in the volume? */
static bool volume_wanted(const struct owner_build *b,
			  const struct inside_volume *vol)
{
	size_t i;

	for (i = 0; i < vol->nr_seg; i++)
		if (is_wanted(b, vol->seg[i].dev_start,
			      vol->seg[i].dev_start + vol->seg[i].sectors))
			return true;
	return false;
}

static int read_volume(struct owner_build *b, const struct owner_reader *r)
{
	size_t first = b->nr;
	const char *why = NULL;
	int ret = r->read(b, &why);

	if (!ret)
		ret = owner_names_resolve(b, first);
	b->nr_names = 0;
	if (!ret) {
		b->map->copy_on_write |= r->copy_on_write;
		return add_volume(b, OWNER_UNKNOWN, "behind the file system");
	}
	if (ret == -ENOMEM || ret == -ECANCELED)
		return ret;
	/* What it had found so far is worth nothing. */
	b->nr = first;
	if (!why)
		why = "its file system cannot be read";
	warn(b->volume, "%s: its blocks have no known owner (errno %d)", why,
	     -ret);
	return add_volume(b, OWNER_UNKNOWN, why);
}

/* @why: not ours */
static int add_unknown(struct owner_build *b, const char *why)
{
	if (!why)
		why = "it cannot be opened";
	why = owner_string(b, why, strlen(why));
	return why ? add_volume(b, OWNER_UNKNOWN, why) : -ENOMEM;
}

static int add_one_volume(struct owner_build *b, const struct past_volume *pv)
{
	const char *type = pv->vol->type ? pv->vol->type : "";
	size_t i;

	b->volume = owner_string(b, pv->vol->what, strlen(pv->vol->what));
	if (!b->volume)
		return -ENOMEM;
	b->vol = pv->vol;
	b->node = pv->node;
	b->dir = pv->dir;
	if (!pv->node)
		return add_unknown(b, pv->why);
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		if (!strcmp(type, readers[i].type))
			return read_volume(b, &readers[i]);
	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(type, words[i].type))
			return add_volume(b, words[i].kind, words[i].what);
	return add_unknown(b, *type ? type : "no file system");
}

static int add_all(struct owner_build *b, const struct past *past)
{
	struct owner_extent device = {
		.sectors = past->view.sectors,
		.kind = OWNER_UNKNOWN,
		.what = "in no volume",
	};
	int ret = owner_add(b, DEPTH_DEVICE, &device);
	size_t i;

	if (!ret)
		ret = owner_tables(b, past->view.node, past->view.sectors);
	for (i = 0; !ret && i < past->nr; i++) {
		if (cancelled())
			return -ECANCELED;
		if (volume_wanted(b, past->vol[i].vol))
			ret = add_one_volume(b, &past->vol[i]);
	}
	return ret;
}

int owner_map_make(const struct past *past, const struct range *ranges,
		   size_t nr, struct owner_map *map)
{
	struct owner_build b = { .map = map };
	struct range *joined = NULL;
	int ret = 0;

	memset(map, 0, sizeof(*map));
	if (ranges) {
		joined = calloc(nr + 1, sizeof(*joined));
		if (!joined)
			return fail_errno("owners", "map", -ENOMEM);
		memcpy(joined, ranges, nr * sizeof(*joined));
		b.ranges = joined;
		b.nr_ranges = ranges_join(joined, nr);
	}
	ret = add_all(&b, past);
	if (!ret)
		ret = sweep(&b);
	free(b.item);
	free(b.name);
	free(joined);
	if (!ret)
		return DR_EXIT_OK;
	owner_map_free(map);
	if (ret == -ECANCELED)
		return fail_cancelled("owners");
	return fail_errno("owners", "map", ret);
}

void owner_map_free(struct owner_map *map)
{
	size_t i;

	for (i = 0; i < map->nr_strings; i++)
		free(map->strings[i]);
	free(map->strings);
	free(map->e);
	memset(map, 0, sizeof(*map));
}

/* --- asking ---------------------------------------------------------------- */

const struct owner_extent *owner_find(const struct owner_map *map,
				      uint64_t sector)
{
	size_t low = 0, high = map->nr, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (end_of(&map->e[mid]) <= sector)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < map->nr && map->e[low].start <= sector)
		return &map->e[low];
	return NULL;
}

bool owner_same(const struct owner_extent *a, const struct owner_extent *b,
		uint64_t sector)
{
	if (a->kind != b->kind || compare_strings(a->volume, b->volume) ||
	    compare_strings(a->path, b->path) ||
	    compare_strings(a->what, b->what) || a->ino != b->ino ||
	    a->tree != b->tree || a->generation != b->generation ||
	    (a->flags ^ b->flags) & OWNER_ENCODED)
		return false;
	return !has_offset(a) || owner_offset(a, sector) == owner_offset(b, sector);
}

int owner_ranges_of(const struct owner_map *map,
		    bool (*match)(void *arg, const char *volume,
				  const char *path),
		    void *arg, struct range **ranges, size_t *nr)
{
	const struct owner_extent *e;
	size_t room = *nr;
	struct range *more;

	for (e = map->e; e < map->e + map->nr; e++) {
		if (e->kind != OWNER_FILE || !e->path ||
		    e->flags & OWNER_ENCODED ||
		    !match(arg, e->volume, e->path))
			continue;
		more = grow(*ranges, *nr, &room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		*ranges = more;
		more[(*nr)++] = (struct range){ e->start, e->sectors };
	}
	return 0;
}
