// SPDX-License-Identifier: GPL-2.0
/*
 * classes.c - walk the written blocks once, with a finger in each map.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "grow.h"
#include "ranges.h"
#include "recover/classes-sum.h"

const char *const block_class_words[NR_CLASSES] = {
	[CLASS_C0] = "C0", [CLASS_C1] = "C1", [CLASS_C2] = "C2",
	[CLASS_C3] = "C3", [CLASS_C4] = "C4", [CLASS_C5] = "C5",
	[CLASS_C6] = "C6", [CLASS_FREE] = "free",
};

const char *const block_action_words[NR_BLOCK_ACTIONS] = {
	[BLOCK_REVERT] = "revert",
	[BLOCK_KEEP] = "keep",
	[BLOCK_LEAVE] = "leave",
	[BLOCK_REFUSE] = "refuse",
	[BLOCK_SUSPECT] = "suspect",
};

static const char WHY_LATER[] = "written again later: the later write stays";
static const char WHY_NEW[] =
	"came into being or grew in the damaged epochs: use files";
static const char WHY_ELSEWHERE[] =
	"written later, elsewhere in a file that is taken back in part: it becomes a mixture";
static const char WHY_FREED[] =
	"freed or given to another owner after the damage";
static const char WHY_AFTER[] = "given to its owner after the damage";
static const char WHY_META[] =
	"metadata of the file system: never changed alone";
static const char WHY_JOURNAL[] = "journal: the newest is right";
static const char WHY_ENCODED[] = "compressed: use files";
static const char WHY_SHARES[] = "shares a block with what is not selected";
static const char WHY_NEW_FS[] =
	"a file system where none was known before: roll back or use files";
static const char WHY_LOST[] =
	"the file system is gone and was written to later: roll back, or copy files out of a view";
static const char WHY_COW[] =
	"a copy-on-write file system writes no block twice: use files";
static const char WHY_OPAQUE[] =
	"a file system whose owners of blocks cannot be told: use files";
static const char WHY_SUSPECT[] =
	"written in an epoch that had read damaged blocks";

/* What is known of a stretch in which nothing changes */
struct spot {
	uint64_t at;
	const struct owner_extent *before, *bad, *now;
	bool later, same, zeroes, part;
};

struct verdict {
	enum block_class class;
	enum block_action action;
	bool drop_later, forced;
	const char *why;
	bool skip;		/* not selected */
};

struct walk {
	const struct classes_input *in;
	struct blocks_plan *plan;
	size_t room;
	size_t map_at[3];	/* fingers: extents and ranges not passed yet */
	size_t set_at[4];
	bool no_memory;
};

static const struct owner_extent nobody = { .kind = OWNER_UNKNOWN };

static bool text_is(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* --- lost volumes -------------------------------------------------------- */

static bool is_one_of(const char *const *words, size_t nr, const char *word)
{
	while (nr--)
		if (text_is(words[nr], word))
			return true;
	return false;
}

static bool is_lost(const struct classes_input *in,
		    const struct owner_extent *before)
{
	return before->kind != OWNER_UNKNOWN &&
	       is_one_of(in->lost, in->nr_lost, before->volume);
}

/*
 * Was anything of a lost volume written later, with other bytes? Volumes may
 * have lost each other (a partition table and what was in it), so one answer
 * stands for all of them.
 */
static int lost_and_written(const struct classes_input *in, bool *answer)
{
	struct range_list other = { 0 }, lost = { 0 }, both = { 0 };
	const struct owner_extent *e = in->before->e;
	bool no_memory;

	for (; in->nr_lost && e < in->before->e + in->before->nr; e++)
		if (is_lost(in, e))
			range_list_add(&lost, e->start, e->sectors);
	ranges_minus(in->later.range, in->later.nr, in->same.range,
		     in->same.nr, &other);
	ranges_and(lost.range, lost.nr, other.range, other.nr, &both);
	no_memory = lost.no_memory || other.no_memory || both.no_memory;
	*answer = both.nr;
	range_list_free(&other);
	range_list_free(&lost);
	range_list_free(&both);
	return no_memory ? -ENOMEM : 0;
}

/* --- one spot ------------------------------------------------------------ */

static struct verdict leave(enum block_class class, const char *why)
{
	return (struct verdict){ .class = class, .action = BLOCK_LEAVE,
				 .why = why };
}

static struct verdict refuse(enum block_class class, const char *why)
{
	return (struct verdict){ .class = class, .action = BLOCK_REFUSE,
				 .why = why };
}

/* Whoever names a file or its blocks wants to hear that they stay. */
static struct verdict leave_or_refuse(const struct classes_input *in,
				      enum block_class class, const char *why)
{
	return in->named ? refuse(class, why) : leave(class, why);
}

static struct verdict revert(const struct spot *s)
{
	if (s->later && !s->same)
		return (struct verdict){ .class = CLASS_C1,
					 .action = BLOCK_KEEP,
					 .why = WHY_LATER };
	return (struct verdict){ .class = s->zeroes ? CLASS_C6 : CLASS_C0,
				 .action = BLOCK_REVERT,
				 .drop_later = s->later };
}

static bool is_file(const struct owner_extent *e)
{
	return e->kind == OWNER_FILE;
}

static struct verdict owner_changed(const struct classes_input *in,
				    const struct spot *s)
{
	if (is_file(s->before) && !owner_same(s->before, s->bad, s->at))
		return refuse(CLASS_C2, why_gone);
	if (is_file(s->before))
		return leave_or_refuse(in, CLASS_C2, WHY_FREED);
	if (owner_same(s->bad, s->now, s->at))
		return refuse(CLASS_C2, WHY_NEW);
	return leave_or_refuse(in, CLASS_C2, WHY_AFTER);
}

static struct verdict judge_owners(const struct classes_input *in,
				   const struct spot *s)
{
	enum owner_kind before = s->before->kind, now = s->now->kind;

	if (before == OWNER_UNKNOWN && now == OWNER_UNKNOWN &&
	    (is_one_of(in->opaque, in->nr_opaque, s->before->volume) ||
	     is_one_of(in->opaque, in->nr_opaque, s->now->volume)))
		return refuse(CLASS_C3, WHY_OPAQUE);
	if (before == OWNER_UNKNOWN && now == OWNER_UNKNOWN)
		return revert(s);
	if (before == OWNER_JOURNAL || now == OWNER_JOURNAL)
		return leave(CLASS_C4, WHY_JOURNAL);
	if (before == OWNER_META || now == OWNER_META)
		return leave_or_refuse(in, CLASS_C3, WHY_META);
	if (before == OWNER_UNKNOWN || now == OWNER_UNKNOWN)
		return refuse(CLASS_C2, WHY_NEW_FS);
	if (before == OWNER_NONE && now == OWNER_NONE)
		return leave(CLASS_FREE, NULL);
	if ((s->before->flags | s->now->flags) & OWNER_ENCODED)
		return refuse(CLASS_C2, WHY_ENCODED);
	if (owner_same(s->before, s->now, s->at))
		return revert(s);
	return owner_changed(in, s);
}

static bool selected(const struct classes_input *in, const struct spot *s)
{
	if (!in->file || s->part)
		return true;
	return (is_file(s->before) && in->file(in->arg, s->before)) ||
	       (is_file(s->now) && in->file(in->arg, s->now));
}

/*
 * --force: what was refused is done, as far as it can be without taking later
 * writes. Those go, too, where somebody else's block was asked for by name:
 * else there would be nothing to force. Where ranges say which blocks, nothing
 * of them is left either.
 */
static void force(const struct classes_input *in, const struct spot *s,
		  struct verdict *v)
{
	bool takes = v->action == BLOCK_REFUSE && v->class == CLASS_C2 &&
		     in->named;

	if (v->action != BLOCK_REFUSE &&
	    !(v->action == BLOCK_LEAVE && in->only.nr))
		return;
	v->forced = true;
	if (s->later && !s->same && !takes) {
		v->action = BLOCK_KEEP;
		v->why = WHY_LATER;
		return;
	}
	v->action = BLOCK_REVERT;
	v->drop_later = s->later;
}

static struct verdict judge(const struct walk *w, const struct spot *s,
			    bool lost_written)
{
	const struct classes_input *in = w->in;
	struct verdict v;

	if (is_lost(in, s->before))
		v = lost_written ? refuse(CLASS_C3, WHY_LOST) : revert(s);
	else
		v = judge_owners(in, s);
	if (v.class != CLASS_FREE && v.action != BLOCK_REFUSE &&
	    !is_lost(in, s->before) &&
	    (is_one_of(in->cow, in->nr_cow, s->before->volume) ||
	     is_one_of(in->cow, in->nr_cow, s->now->volume)))
		v = refuse(v.class, WHY_COW);
	v.skip = !selected(in, s);
	if (in->force && !v.skip)
		force(in, s, &v);
	return v;
}

/* --- several owners in one block ----------------------------------------- */

static int weight(const struct verdict *v)
{
	switch (v->action) {
	case BLOCK_REFUSE:
		return 4;
	case BLOCK_LEAVE:
		/* What is nobody's does not mind. */
		return v->class == CLASS_FREE ? 0 : 3;
	case BLOCK_KEEP:
		return 2;
	default:
		return 1;
	}
}

static struct verdict combine(struct verdict a, struct verdict b)
{
	struct verdict *more = weight(&b) > weight(&a) ? &b : &a;
	bool mine = a.skip != b.skip;

	if (a.class == CLASS_FREE || b.class == CLASS_FREE || !mine)
		return *more;
	/* One of them is selected, the other one is not. */
	return refuse(CLASS_C2, WHY_SHARES);
}

/* --- the walk ------------------------------------------------------------ */

static uint64_t extent_end(const struct owner_extent *e)
{
	return e->start + e->sectors;
}

/* The extent at @at, and in *@stop where something else begins, if sooner. */
static const struct owner_extent *map_step(const struct owner_map *map,
					   size_t *i, uint64_t at,
					   uint64_t *stop)
{
	const struct owner_extent *e;

	while (*i < map->nr && extent_end(&map->e[*i]) <= at)
		(*i)++;
	if (*i == map->nr)
		return &nobody;
	e = &map->e[*i];
	if (e->start > at) {
		if (e->start < *stop)
			*stop = e->start;
		return &nobody;
	}
	if (extent_end(e) < *stop)
		*stop = extent_end(e);
	return e;
}

static bool set_step(const struct range_set *set, size_t *i, uint64_t at,
		     uint64_t *stop)
{
	const struct range *r;

	while (*i < set->nr && range_end(&set->range[*i]) <= at)
		(*i)++;
	if (*i == set->nr)
		return false;
	r = &set->range[*i];
	if (r->start_sectors > at) {
		if (r->start_sectors < *stop)
			*stop = r->start_sectors;
		return false;
	}
	if (range_end(r) < *stop)
		*stop = range_end(r);
	return true;
}

static void look(struct walk *w, uint64_t at, uint64_t *stop, struct spot *s)
{
	const struct classes_input *in = w->in;

	s->at = at;
	s->before = map_step(in->before, &w->map_at[0], at, stop);
	s->bad = map_step(in->bad, &w->map_at[1], at, stop);
	s->now = map_step(in->now, &w->map_at[2], at, stop);
	s->later = set_step(&in->later, &w->set_at[0], at, stop);
	s->same = set_step(&in->same, &w->set_at[1], at, stop);
	s->zeroes = set_step(&in->zeroes, &w->set_at[2], at, stop);
	s->part = set_step(&in->parts, &w->set_at[3], at, stop);
}

static bool continues(const struct blocks_item *a, const struct blocks_item *b)
{
	return a->start + a->sectors == b->start && a->class == b->class &&
	       a->action == b->action && a->drop_later == b->drop_later &&
	       a->forced == b->forced && a->why == b->why &&
	       text_is(a->volume, b->volume) && text_is(a->what, b->what) &&
	       text_is(a->path_before, b->path_before) &&
	       text_is(a->path_now, b->path_now);
}

static void add(struct walk *w, const struct blocks_item *item)
{
	struct blocks_plan *plan = w->plan;
	struct blocks_item *more;

	if (plan->nr && continues(&plan->item[plan->nr - 1], item)) {
		plan->item[plan->nr - 1].sectors += item->sectors;
		return;
	}
	more = grow(plan->item, plan->nr, &w->room, sizeof(*more));
	if (!more) {
		w->no_memory = true;
		return;
	}
	plan->item = more;
	more[plan->nr++] = *item;
}

static void put(struct walk *w, const struct spot *s, uint64_t start,
		uint64_t end, const struct verdict *v)
{
	const struct owner_extent *owner = s->before;
	struct blocks_item item = {
		.start = start, .sectors = end - start, .class = v->class,
		.action = v->action, .drop_later = v->drop_later,
		.forced = v->forced, .why = v->why,
		.path_before = s->before->path, .path_now = s->now->path,
	};

	if (owner->kind == OWNER_UNKNOWN ||
	    (owner->kind == OWNER_NONE && s->now->kind != OWNER_UNKNOWN))
		owner = s->now;
	item.volume = owner->volume;
	item.what = is_file(owner) || owner->kind == OWNER_UNKNOWN ? NULL :
		    owner->what;
	if (!v->skip)
		add(w, &item);
}

/* From one boundary to the next; blocks with a boundary inside, one by one. */
static void walk_range(struct walk *w, const struct range *range,
		       bool lost_written)
{
	uint64_t unit = w->in->block_sectors, at = range->start_sectors;
	uint64_t end = range_end(range), stop, piece;
	struct verdict v, other;
	struct spot s, first;

	while (at < end && !w->no_memory) {
		stop = end;
		look(w, at, &stop, &s);
		v = judge(w, &s, lost_written);
		first = s;
		if (stop < end)
			stop -= stop % unit;
		if (stop > at) {
			put(w, &s, at, stop, &v);
			at = stop;
			continue;
		}
		piece = at;
		stop = at - at % unit + unit < end ? at - at % unit + unit :
		       end;
		while (piece < stop) {
			uint64_t next = stop;

			look(w, piece, &next, &s);
			other = judge(w, &s, lost_written);
			if (piece > at && weight(&other) > weight(&v))
				first = s;
			v = piece > at ? combine(v, other) : other;
			piece = next;
		}
		put(w, &first, at, stop, &v);
		at = stop;
	}
}

/*
 * Files whose blocks were taken from them in the damaged epochs without being
 * written: removed, truncated, replaced by a new file of that name. Their
 * content is not where the file system looks for it.
 */
static void walk_unwritten(struct walk *w)
{
	const struct classes_input *in = w->in;
	struct verdict v = in->force ? leave(CLASS_C2, why_gone) :
				       refuse(CLASS_C2, why_gone);
	struct range_list rest = { 0 };
	struct range all;
	size_t i, j, passed = 0;

	for (i = 0; i < in->before->nr && !w->no_memory; i++) {
		const struct owner_extent *e = &in->before->e[i];

		if (!is_file(e) || is_lost(in, e) ||
		    (in->file && !in->file(in->arg, e)))
			continue;
		while (passed < in->written.nr &&
		       range_end(&in->written.range[passed]) <= e->start)
			passed++;
		all = (struct range){ e->start, e->sectors };
		rest.nr = 0;
		ranges_minus(&all, 1, in->written.range + passed,
			     in->written.nr - passed, &rest);
		for (j = 0; j < rest.nr; j++) {
			uint64_t at = rest.range[j].start_sectors, stop;
			struct spot s = { .before = e };

			for (; at < range_end(&rest.range[j]); at = stop) {
				stop = range_end(&rest.range[j]);
				s.at = at;
				s.bad = map_step(in->bad, &w->map_at[1], at,
						 &stop);
				s.now = map_step(in->now, &w->map_at[2], at,
						 &stop);
				if (!owner_same(e, s.bad, at) &&
				    !owner_same(e, s.now, at))
					put(w, &s, at, stop, &v);
			}
		}
	}
	w->no_memory = w->no_memory || rest.no_memory;
	range_list_free(&rest);
}

static void walk_suspects(struct walk *w)
{
	const struct classes_input *in = w->in;
	struct verdict v = { .class = CLASS_C5, .action = BLOCK_SUSPECT,
			     .why = WHY_SUSPECT };
	struct range_list rest = { 0 };
	struct spot s;
	size_t i;

	ranges_minus(in->suspect.range, in->suspect.nr, in->written.range,
		     in->written.nr, &rest);
	for (i = 0; i < rest.nr && !w->no_memory; i++) {
		uint64_t at = rest.range[i].start_sectors, stop;

		for (; at < range_end(&rest.range[i]); at = stop) {
			stop = range_end(&rest.range[i]);
			look(w, at, &stop, &s);
			if ((is_file(s.now) ||
			     s.now->kind == OWNER_UNKNOWN) &&
			    (!in->file ||
			     (is_file(s.now) && in->file(in->arg, s.now))))
				put(w, &s, at, stop, &v);
		}
	}
	w->no_memory = w->no_memory || rest.no_memory;
	range_list_free(&rest);
}

/* --- all of it ----------------------------------------------------------- */

/*
 * Later work in other blocks of a file that is taken back in part: it stays,
 * but the file is mixed, and somebody should look at it.
 */
static int find_mixed(struct walk *w)
{
	const struct classes_input *in = w->in;
	struct verdict v = { .class = CLASS_C1, .action = BLOCK_KEEP,
			     .why = WHY_ELSEWHERE };
	struct range_list other = { 0 }, open = { 0 }, rest = { 0 };
	struct file_names back;
	struct spot s;
	size_t i;
	int ret = file_names_find(w->plan, item_goes_back, &back);

	if (ret)
		return ret;
	ranges_minus(in->later.range, in->later.nr, in->same.range,
		     in->same.nr, &other);
	ranges_minus(other.range, other.nr, in->written.range, in->written.nr,
		     &open);
	/* Those are listed already. */
	ranges_minus(open.range, open.nr, in->suspect.range, in->suspect.nr,
		     &rest);
	memset(w->map_at, 0, sizeof(w->map_at));
	memset(w->set_at, 0, sizeof(w->set_at));
	for (i = 0; i < rest.nr && back.nr; i++) {
		uint64_t at = rest.range[i].start_sectors, stop;

		for (; at < range_end(&rest.range[i]); at = stop) {
			stop = range_end(&rest.range[i]);
			look(w, at, &stop, &s);
			if (is_file(s.now) &&
			    file_names_have(&back, s.now->volume, s.now->path))
				put(w, &s, at, stop, &v);
		}
	}
	if (other.no_memory || open.no_memory || rest.no_memory)
		ret = -ENOMEM;
	range_list_free(&other);
	range_list_free(&open);
	range_list_free(&rest);
	free(back.name);
	return ret;
}

static int by_start(const void *a, const void *b)
{
	const struct blocks_item *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void walk_all(struct walk *w, const struct range_list *meant,
		     bool lost_written)
{
	size_t i;

	for (i = 0; i < meant->nr; i++)
		walk_range(w, &meant->range[i], lost_written);
	/* A range is about blocks, not about files that have lost theirs. */
	memset(w->map_at, 0, sizeof(w->map_at));
	if (!w->in->only.nr)
		walk_unwritten(w);
	memset(w->map_at, 0, sizeof(w->map_at));
	memset(w->set_at, 0, sizeof(w->set_at));
	walk_suspects(w);
}

int classes_make(const struct classes_input *in, struct blocks_plan *plan)
{
	struct range whole = { 0, in->sectors };
	struct walk w = { .in = in, .plan = plan };
	struct range_list meant = { 0 };
	bool lost_written;
	int ret;

	memset(plan, 0, sizeof(*plan));
	ranges_and(in->written.range, in->written.nr,
		   in->only.nr ? in->only.range : &whole,
		   in->only.nr ? in->only.nr : 1, &meant);
	ret = meant.no_memory ? -ENOMEM : lost_and_written(in, &lost_written);
	if (!ret)
		ret = classes_count_later(in, &meant, plan);
	if (!ret) {
		walk_all(&w, &meant, lost_written);
		ret = w.no_memory ? -ENOMEM : classes_refuse_parts(plan);
	}
	if (!ret)
		ret = find_mixed(&w);
	range_list_free(&meant);
	if (ret || w.no_memory)
		return -ENOMEM;
	if (plan->nr)
		qsort(plan->item, plan->nr, sizeof(*plan->item), by_start);
	classes_sum_up(in, plan);
	return classes_make_rules(in, plan);
}

void blocks_plan_free(struct blocks_plan *plan)
{
	free(plan->item);
	free(plan->rule);
	memset(plan, 0, sizeof(*plan));
}
