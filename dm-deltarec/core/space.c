// SPDX-License-Identifier: GPL-2.0
/*
 * space.c - the bitmaps of space.h.
 */
#include "space.h"

#define WORDS (DR_REGION_BLOCKS / 64)

/*
 * What a search may look at, with a lock held: for a hole that leaves whole words
 * to others, and for a run; and from how many blocks on a write wants a run.
 */
#define HOLE_WORDS	64
#define RUN_LOOK	65536u
#define HOLE_COST	64u	/* blocks that are passed in the time of a hole */
#define RUN_BLOCKS	16u

u64 dr_space_usable(u64 nr)
{
	u64 tail;

	nr = min(nr, DR_MAX_BLOCKS);
	div64_u64_rem(nr, DR_REGION_BLOCKS, &tail);
	/* A region that cannot hold its own bitmap is left out. */
	return tail <= DR_JOURNAL_START ? nr - tail : nr;
}

static u32 region_of(u64 block, u32 *bit)
{
	u64 rem, region = div64_u64_rem(block, DR_REGION_BLOCKS, &rem);

	*bit = rem;
	return region;
}

/* The blocks of a region with a fixed use: bits [*lo, *hi) */
static void fixed_bits(const struct dr_space *sp, u32 region, u32 *lo, u32 *hi)
{
	if (!region) {
		*lo = 0;
		*hi = DR_JOURNAL_START + sp->journal_blocks;
	} else {
		*lo = DR_REGION_BITMAP;
		*hi = region % DR_INDEX_PAGES ? DR_REGION_BITMAP + 2 :
						DR_REGION_INDEX + 2;
	}
}

bool dr_space_fixed(const struct dr_space *sp, u64 block)
{
	u32 bit, lo, hi, region = region_of(block, &bit);

	fixed_bits(sp, region, &lo, &hi);
	return bit >= lo && bit < hi;
}

bool dr_space_valid(const struct dr_space *sp, u64 block, u64 nr)
{
	u32 bit, lo, hi, region;
	u64 n;

	if (!nr || block >= sp->nr_blocks || nr > sp->nr_blocks - block)
		return false;
	region = region_of(block, &bit);
	for (; nr; nr -= n, region++, bit = 0) {
		n = min_t(u64, nr, DR_REGION_BLOCKS - bit);
		fixed_bits(sp, region, &lo, &hi);
		if (bit < hi && bit + n > lo)
			return false;
	}
	return true;
}

/* @nr bits, at most, from @bit on that lie in one word. Return: how many */
static u32 bits_of(u32 bit, u64 nr, u64 *mask)
{
	u32 n = min_t(u64, nr, 64 - bit % 64);

	*mask = ~0ULL >> (64 - n) << (bit % 64);
	return n;
}

static void busy_change(struct dr_space *sp, u64 block, u64 nr, bool set)
{
	u32 bit, n, changed, region = region_of(block, &bit);
	u64 mask, *w;

	for (; nr; nr -= n, bit += n) {
		if (bit == DR_REGION_BLOCKS) {
			region++;
			bit = 0;
		}
		n = bits_of(bit, nr, &mask);
		w = sp->busy + (size_t)region * WORDS + bit / 64;
		mask &= set ? ~*w : *w;
		*w ^= mask;
		changed = hweight64(mask);
		sp->nr_free[region] += set ? -changed : changed;
		if (set)
			sp->free -= changed;
		else
			sp->free += changed;
	}
}

void dr_space_set_busy(struct dr_space *sp, u64 block, u64 nr)
{
	busy_change(sp, block, nr, true);
}

void dr_space_clear_busy(struct dr_space *sp, u64 block, u64 nr)
{
	busy_change(sp, block, nr, false);
}

bool dr_space_is_busy(const struct dr_space *sp, u64 block)
{
	u32 bit, region = region_of(block, &bit);

	return sp->busy[(size_t)region * WORDS + bit / 64] >> (bit % 64) & 1;
}

bool dr_space_is_disk(const struct dr_space *sp, u64 block)
{
	u32 bit, region = region_of(block, &bit);

	return le64_to_cpu(sp->disk[region].bits[bit / 64]) >> (bit % 64) & 1;
}

static u64 disk_change(struct dr_space *sp, u64 block, u64 nr, bool set)
{
	u32 bit, n, region = region_of(block, &bit);
	u64 mask, v, changed = 0;

	for (; nr; nr -= n, bit += n) {
		if (bit == DR_REGION_BLOCKS) {
			region++;
			bit = 0;
		}
		n = bits_of(bit, nr, &mask);
		v = le64_to_cpu(sp->disk[region].bits[bit / 64]);
		mask &= set ? ~v : v;
		if (!mask)
			continue;
		sp->disk[region].bits[bit / 64] = cpu_to_le64(v ^ mask);
		sp->dirty[region] = 1;
		changed += hweight64(mask);
	}
	return changed;
}

u64 dr_space_set_disk(struct dr_space *sp, u64 block, u64 nr)
{
	return disk_change(sp, block, nr, true);
}

u64 dr_space_clear_disk(struct dr_space *sp, u64 block, u64 nr)
{
	return disk_change(sp, block, nr, false);
}

/* --- handing out ------------------------------------------------------ */

static u32 lowest_bit(u64 w)
{
	return __builtin_ctzll(w);
}

static u32 highest_bit(u64 w)
{
	return 63 - __builtin_clzll(w);
}

/* Is the slot at @bit, of @n blocks, wholly free? n is a power of two. */
static bool slot_free(const u64 *busy, u32 bit, u32 n)
{
	u32 w;

	if (n < 64)
		return !(busy[bit / 64] >> (bit % 64) & ((1ULL << n) - 1));
	for (w = 0; w < n / 64; w++)
		if (busy[bit / 64 + w])
			return false;
	return true;
}

/* First free slot of a region at or after @bit; DR_REGION_BLOCKS: none */
static u32 find_slot(const u64 *busy, u32 bit, u32 n)
{
	u64 w;

	bit = (bit + n - 1) & ~(n - 1);
	while (bit < DR_REGION_BLOCKS) {
		if (n < 64) {
			w = ~busy[bit / 64] >> (bit % 64);
			if (!w) {
				bit = (bit / 64 + 1) * 64;
				continue;
			}
			bit = (bit + lowest_bit(w)) & ~(n - 1);
		}
		if (slot_free(busy, bit, n))
			return bit;
		bit += n;
	}
	return DR_REGION_BLOCKS;
}

/* First bit at or after @bit that is @set; @end: none before that */
static u32 next_bit(const u64 *busy, u32 bit, u32 end, bool set)
{
	u64 w;

	while (bit < end) {
		w = set ? busy[bit / 64] : ~busy[bit / 64];
		w >>= bit % 64;
		if (w)
			return min(bit + lowest_bit(w), end);
		bit = (bit / 64 + 1) * 64;
	}
	return end;
}

/*
 * A hole for few slots: the next word of the bitmap that is partly used, so
 * that whole ones are left to large writes; where none is near, the next one.
 */
static u32 find_hole(const u64 *busy, u32 bit, u32 n)
{
	u32 first = find_slot(busy, bit, n), w, i;

	if (n >= 64 || first == DR_REGION_BLOCKS || busy[first / 64])
		return first;
	for (i = 0, w = first / 64 + 1; i < HOLE_WORDS && w < WORDS; i++, w++) {
		if (!busy[w] || !~busy[w])
			continue;
		bit = find_slot(busy, w * 64, n);
		if (bit == DR_REGION_BLOCKS)
			break;
		if (busy[bit / 64])
			return bit;
		w = bit / 64;
	}
	return first;
}

/*
 * A run for @want slots of @n blocks: the first that holds them all, or the
 * longest one there is within what may be looked at, which is taken from @look.
 * @got: how many slots it has, larger than that of a run found before, or as it
 * was. Return: where it is.
 */
static u32 find_run(const u64 *busy, u32 bit, u32 n, u32 want, u32 *got,
		    u32 *look)
{
	u32 best = DR_REGION_BLOCKS, from = bit, holes = 0, end, slots;

	while (bit < DR_REGION_BLOCKS && *got < want &&
	       bit - from + holes * HOLE_COST < *look) {
		holes++;
		bit = next_bit(busy, bit, DR_REGION_BLOCKS, false);
		bit = min((bit + n - 1) & ~(n - 1), DR_REGION_BLOCKS);
		end = next_bit(busy, bit, min(bit + want * n, DR_REGION_BLOCKS),
			       true);
		slots = (end - bit) / n;
		if (slots > *got) {
			*got = slots;
			best = bit;
		}
		bit = max(end, bit + 1);
	}
	*look -= min(*look, bit - from + holes * HOLE_COST);
	return best;
}

/* The best run within RUN_LOOK blocks from the cursor. Return: 0: there is none */
static u64 take_run(struct dr_space *sp, u32 want, u32 *got)
{
	u32 n = sp->slot_blocks, look = RUN_LOOK, bit, at, region, i;
	u64 first = 0;

	*got = 0;
	region = region_of(sp->run_cursor, &bit);
	for (i = 0; i <= sp->nr_regions && look && *got < want; i++) {
		/* Those with too little are passed at a glance. */
		if (sp->nr_free[region] > (u64)*got * n) {
			at = find_run(sp->busy + (size_t)region * WORDS, bit, n,
				      want, got, &look);
			if (at < DR_REGION_BLOCKS)
				first = (u64)region * DR_REGION_BLOCKS + at;
		}
		bit = 0;
		if (++region == sp->nr_regions)
			region = 0;
	}
	return first;
}

/* The next hole for a slot, and how many lie there, @want at most */
static u64 take_hole(struct dr_space *sp, u32 want, u32 *got)
{
	u32 n = sp->slot_blocks, bit, region, i;
	const u64 *busy;

	region = region_of(sp->data_cursor, &bit);
	/* Once round, and the first region's beginning again at the end */
	for (i = 0; i <= sp->nr_regions; i++) {
		busy = sp->busy + (size_t)region * WORDS;
		if (sp->nr_free[region] >= n) {
			bit = find_hole(busy, bit, n);
			if (bit < DR_REGION_BLOCKS)
				break;
		}
		bit = 0;
		if (++region == sp->nr_regions)
			region = 0;
	}
	if (i > sp->nr_regions)
		return 0;
	for (i = 1; i < want; i++)
		if (bit + (i + 1) * n > DR_REGION_BLOCKS ||
		    !slot_free(busy, bit + i * n, n))
			break;
	*got = i;
	return (u64)region * DR_REGION_BLOCKS + bit;
}

u64 dr_space_take_data(struct dr_space *sp, u32 want, u32 *got)
{
	u32 n = sp->slot_blocks;
	u64 first = 0, *cursor = &sp->data_cursor;

	if (sp->free < sp->reserve + n)
		return 0;
	/* No run is longer than a region. */
	want = min(want, DR_REGION_BLOCKS / n);
	want = min_t(u64, want, div_u64(sp->free - sp->reserve, n));
	if (want > 1 && want * n >= RUN_BLOCKS) {
		cursor = &sp->run_cursor;
		first = take_run(sp, want, got);
	}
	if (!first) {
		cursor = &sp->data_cursor;
		first = take_hole(sp, want, got);
	}
	if (!first)
		return 0;
	sp->taken += (u64)*got * n;
	dr_space_set_busy(sp, first, (u64)*got * n);
	*cursor = first + (u64)*got * n;
	if (*cursor >= sp->nr_blocks)
		*cursor = 0;
	return first;
}

u64 dr_space_take_node(struct dr_space *sp)
{
	u32 bit, region, i;
	s64 w;

	if (!sp->free)
		return 0;
	region = region_of(sp->node_cursor, &bit);
	for (i = 0; i <= sp->nr_regions; i++) {
		u64 *busy = sp->busy + (size_t)region * WORDS;

		for (w = sp->nr_free[region] ? (s64)(bit / 64) : -1; w >= 0;
		     w--) {
			u64 f = ~busy[w];

			if (w == bit / 64 && bit % 64 != 63)
				f &= (1ULL << (bit % 64 + 1)) - 1;
			if (!f)
				continue;
			bit = w * 64 + highest_bit(f);
			sp->node_cursor = (u64)region * DR_REGION_BLOCKS + bit;
			dr_space_set_busy(sp, sp->node_cursor, 1);
			return sp->node_cursor;
		}
		region = region ? region - 1 : sp->nr_regions - 1;
		bit = DR_REGION_BLOCKS - 1;
	}
	return 0;
}

/* --- life ------------------------------------------------------------- */

static void init_region(struct dr_space *sp, u32 region)
{
	u64 first = (u64)region * DR_REGION_BLOCKS;
	struct dr_disk_bitmap *d = sp->disk + region;
	u64 *busy = sp->busy + (size_t)region * WORDS;
	u64 end = first + DR_REGION_BLOCKS;
	u32 lo, hi;

	memset(d, 0, sizeof(*d));
	memset(busy, 0, WORDS * 8);
	d->region = cpu_to_le32(region);
	sp->dirty[region] = 1;
	sp->nr_free[region] = DR_REGION_BLOCKS;
	sp->free += DR_REGION_BLOCKS;
	fixed_bits(sp, region, &lo, &hi);
	dr_space_set_disk(sp, first + lo, hi - lo);
	dr_space_set_busy(sp, first + lo, hi - lo);
	/* What does not exist is not free either. */
	if (end > sp->nr_blocks) {
		dr_space_set_disk(sp, sp->nr_blocks, end - sp->nr_blocks);
		dr_space_set_busy(sp, sp->nr_blocks, end - sp->nr_blocks);
	}
}

static int alloc_arrays(struct dr_space *sp, const struct dr_env *env)
{
	u32 nr = sp->nr_regions;

	sp->disk = env->alloc(env->ctx, (size_t)nr * DR_BLOCK_SIZE);
	sp->busy = env->alloc(env->ctx, (size_t)nr * WORDS * 8);
	sp->nr_free = env->alloc(env->ctx, (size_t)nr * sizeof(u32));
	sp->dirty = env->alloc(env->ctx, nr);
	sp->index = env->alloc(env->ctx, (size_t)sp->nr_index * DR_BLOCK_SIZE);
	sp->index_dirty = env->alloc(env->ctx, sp->nr_index);
	if (sp->disk && sp->busy && sp->nr_free && sp->dirty && sp->index &&
	    sp->index_dirty)
		return 0;
	dr_space_exit(sp, env);
	return -ENOMEM;
}

static void set_size(struct dr_space *sp, u64 nr_blocks)
{
	sp->nr_blocks = nr_blocks;
	sp->nr_regions = div_u64(nr_blocks + DR_REGION_BLOCKS - 1,
				 DR_REGION_BLOCKS);
	sp->nr_index = (sp->nr_regions + DR_INDEX_PAGES - 1) / DR_INDEX_PAGES;
	sp->node_cursor = nr_blocks - 1;
}

static void init_index(struct dr_space *sp, u32 number)
{
	memset(sp->index + number, 0, sizeof(*sp->index));
	sp->index[number].number = cpu_to_le32(number);
	sp->index_dirty[number] = 1;
}

int dr_space_init(struct dr_space *sp, const struct dr_env *env, u64 nr_blocks,
		  u32 slot_blocks, u32 journal_blocks,
		  struct dr_disk_ref *super)
{
	u32 i;
	int r;

	memset(sp, 0, sizeof(*sp));
	sp->slot_blocks = slot_blocks;
	sp->journal_blocks = journal_blocks;
	sp->super = super;
	set_size(sp, nr_blocks);
	r = alloc_arrays(sp, env);
	if (r)
		return r;
	for (i = 0; i < sp->nr_regions; i++)
		init_region(sp, i);
	for (i = 0; i < sp->nr_index; i++)
		init_index(sp, i);
	return 0;
}

void dr_space_exit(struct dr_space *sp, const struct dr_env *env)
{
	env->free(env->ctx, sp->disk);
	env->free(env->ctx, sp->busy);
	env->free(env->ctx, sp->nr_free);
	env->free(env->ctx, sp->dirty);
	env->free(env->ctx, sp->index);
	env->free(env->ctx, sp->index_dirty);
	sp->disk = NULL;
	sp->busy = NULL;
	sp->nr_free = NULL;
	sp->dirty = NULL;
	sp->index = NULL;
	sp->index_dirty = NULL;
}

static void copy_arrays(struct dr_space *sp, const struct dr_space *old)
{
	memcpy(sp->disk, old->disk, (size_t)old->nr_regions * DR_BLOCK_SIZE);
	memcpy(sp->busy, old->busy, (size_t)old->nr_regions * WORDS * 8);
	memcpy(sp->nr_free, old->nr_free,
	       (size_t)old->nr_regions * sizeof(u32));
	memcpy(sp->dirty, old->dirty, old->nr_regions);
	memcpy(sp->index, old->index, (size_t)old->nr_index * DR_BLOCK_SIZE);
	memcpy(sp->index_dirty, old->index_dirty, old->nr_index);
}

int dr_space_grow(struct dr_space *sp, const struct dr_env *env, u64 nr_blocks,
		  struct dr_space *old)
{
	u32 i, tail;
	u64 b;
	int r;

	*old = *sp;
	set_size(sp, nr_blocks);
	r = alloc_arrays(sp, env);
	if (r) {
		*sp = *old;
		return r;
	}
	copy_arrays(sp, old);
	for (i = old->nr_regions; i < sp->nr_regions; i++)
		init_region(sp, i);
	for (i = old->nr_index; i < sp->nr_index; i++)
		init_index(sp, i);
	/* What did not exist in the last region until now */
	region_of(old->nr_blocks, &tail);
	b = old->nr_blocks;
	if (tail)
		for (; b < nr_blocks && tail < DR_REGION_BLOCKS; b++, tail++) {
			dr_space_clear_disk(sp, b, 1);
			dr_space_clear_busy(sp, b, 1);
		}
	return 0;
}

void dr_space_undo_grow(struct dr_space *sp, const struct dr_env *env,
			struct dr_space *old)
{
	dr_space_exit(sp, env);
	*sp = *old;
}

static u32 used_bits(const struct dr_disk_bitmap *d)
{
	u32 i, n = 0;
	u64 w;

	for (i = 0; i < WORDS; i++)
		for (w = le64_to_cpu(d->bits[i]); w; w &= w - 1)
			n++;
	return n;
}

static u64 bitmap_place(u32 region, u32 place)
{
	return (u64)region * DR_REGION_BLOCKS + DR_REGION_BITMAP + place;
}

static u64 index_place(u32 number, u32 place)
{
	return (u64)number * DR_INDEX_PAGES * DR_REGION_BLOCKS +
	       DR_REGION_INDEX + place;
}

int dr_space_commit(struct dr_space *sp, const struct dr_env *env, u64 gen,
		    const u8 *uuid)
{
	u32 i, place;
	u64 block;
	int r;

	for (i = 0; i < sp->nr_regions; i++) {
		struct dr_disk_ref *ref = sp->index[i / DR_INDEX_PAGES].pages +
					  i % DR_INDEX_PAGES;

		if (!sp->dirty[i])
			continue;
		place = !le32_to_cpu(ref->place);
		block = bitmap_place(i, place);
		sp->disk[i].nr_free = cpu_to_le32(DR_REGION_BLOCKS -
						  used_bits(sp->disk + i));
		ref->crc = cpu_to_le32(dr_head_seal(sp->disk + i,
						    DR_TYPE_BITMAP, block, gen,
						    uuid));
		ref->place = cpu_to_le32(place);
		r = env->write(env->ctx, block, sp->disk + i);
		if (r)
			return r;
		sp->dirty[i] = 0;
		sp->index_dirty[i / DR_INDEX_PAGES] = 1;
	}
	for (i = 0; i < sp->nr_index; i++) {
		if (!sp->index_dirty[i])
			continue;
		place = !le32_to_cpu(sp->super[i].place);
		block = index_place(i, place);
		sp->super[i].crc = cpu_to_le32(dr_head_seal(sp->index + i,
							    DR_TYPE_INDEX,
							    block, gen, uuid));
		sp->super[i].place = cpu_to_le32(place);
		r = env->write(env->ctx, block, sp->index + i);
		if (r)
			return r;
		sp->index_dirty[i] = 0;
	}
	return 0;
}

/* Read a page and hold it against the reference that leads to it */
static int load_page(const struct dr_env *env, const u8 *uuid, void *buf,
		     u16 type, u64 block, const struct dr_disk_ref *ref)
{
	const struct dr_disk_head *h = buf;
	const char *why, *what;
	int r;

	what = type == DR_TYPE_INDEX ? "index page" : "bitmap page";
	if (le32_to_cpu(ref->place) > 1) {
		env->report(env->ctx, what, block, "has an impossible place");
		return -EUCLEAN;
	}
	r = env->read(env->ctx, block, 1, buf);
	if (r) {
		env->report(env->ctx, what, block, "cannot be read");
		return r;
	}
	why = dr_head_verify(buf, type, block, uuid);
	if (!why && h->crc != ref->crc)
		why = "is not the one that is referred to";
	if (why) {
		env->report(env->ctx, what, block, why);
		return -EUCLEAN;
	}
	return 0;
}

void dr_space_take_disk(struct dr_space *sp)
{
	u32 i, w;

	sp->free = 0;
	for (i = 0; i < sp->nr_regions; i++) {
		for (w = 0; w < WORDS; w++)
			sp->busy[(size_t)i * WORDS + w] =
				le64_to_cpu(sp->disk[i].bits[w]);
		sp->nr_free[i] = le32_to_cpu(sp->disk[i].nr_free);
		sp->free += sp->nr_free[i];
	}
}

/* Return: NULL, or what is wrong with the page. */
static const char *check_region(struct dr_space *sp, u32 region)
{
	u64 first = (u64)region * DR_REGION_BLOCKS, b;
	const struct dr_disk_bitmap *d = sp->disk + region;
	u32 lo, hi;

	if (le32_to_cpu(d->region) != region)
		return "belongs to another region";
	if (le32_to_cpu(d->nr_free) != DR_REGION_BLOCKS - used_bits(d))
		return "counts its free blocks wrong";
	fixed_bits(sp, region, &lo, &hi);
	for (b = first + lo; b < first + hi; b++)
		if (!dr_space_is_disk(sp, b))
			return "says free of what has a fixed use";
	for (b = max(first, sp->nr_blocks); b < first + DR_REGION_BLOCKS; b++)
		if (!dr_space_is_disk(sp, b))
			return "says free of what does not exist";
	return NULL;
}

int dr_space_load(struct dr_space *sp, const struct dr_env *env,
		  const u8 *uuid)
{
	const char *why;
	u32 i, place;
	u64 block;
	int r;

	for (i = 0; i < sp->nr_index; i++) {
		place = le32_to_cpu(sp->super[i].place);
		r = load_page(env, uuid, sp->index + i, DR_TYPE_INDEX,
			      index_place(i, place), sp->super + i);
		if (r)
			return r;
		if (le32_to_cpu(sp->index[i].number) != i) {
			env->report(env->ctx, "index page",
				    index_place(i, place),
				    "has another number");
			return -EUCLEAN;
		}
		sp->index_dirty[i] = 0;
	}
	for (i = 0; i < sp->nr_regions; i++) {
		struct dr_disk_ref *ref = sp->index[i / DR_INDEX_PAGES].pages +
					  i % DR_INDEX_PAGES;

		place = le32_to_cpu(ref->place);
		block = bitmap_place(i, place);
		r = load_page(env, uuid, sp->disk + i, DR_TYPE_BITMAP, block,
			      ref);
		if (r)
			return r;
		sp->dirty[i] = 0;
		why = check_region(sp, i);
		if (why) {
			env->report(env->ctx, "bitmap page", block, why);
			return -EUCLEAN;
		}
	}
	dr_space_take_disk(sp);
	return 0;
}
