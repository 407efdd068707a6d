// SPDX-License-Identifier: GPL-2.0
/*
 * retain.c - the policy of a device, as text and applied (K1-K6).
 */
#include "start.h"

#define DAY	86400

const char *const dr_keep_words[DR_NR_KEEP] = {
	[DR_KEEP_NOT] = "drop",
	[DR_KEEP_STATE] = "in use",
	[DR_KEEP_START] = "where it begins",
	[DR_KEEP_PINNED] = "pinned",
	[DR_KEEP_NAMED] = "named",
	[DR_KEEP_SUSPECT] = "suspect",
	[DR_KEEP_AROUND] = "beside a suspect one",
	[DR_KEEP_HELD] = "shown by a view",
	[DR_KEEP_UNDO] = "for undo",
	[DR_KEEP_NEWEST] = DR_POLICY_NEWEST,
	[DR_KEEP_MINUTE] = DR_POLICY_MINUTELY,
	[DR_KEEP_HOUR] = DR_POLICY_HOURLY,
	[DR_KEEP_DAY] = DR_POLICY_DAILY,
	[DR_KEEP_WEEK] = DR_POLICY_WEEKLY,
	[DR_KEEP_MONTH] = DR_POLICY_MONTHLY,
	[DR_KEEP_ALL] = "no policy",
};

/* --- text ------------------------------------------------------------------ */

enum kind {
	KEEPS,			/* so many epochs: what it does not keep may go */
	COUNT,
	TIME,			/* seconds, or with a unit: s, m, h, d, w */
	SIZE,			/* MiB, or with a unit: M, G, T */
};

static const struct key {
	const char *word;
	size_t offset;
	u32 min;
	u32 max;
	enum kind kind;
} keys[] = {
#define FIELD(f)	offsetof(struct dr_policy, f)
	{ DR_POLICY_NEWEST, FIELD(newest), 1, DR_MAX_EPOCHS, KEEPS },
	{ DR_POLICY_MINUTELY, FIELD(keep[DR_PERIOD_MINUTE]), 1, 1u << 20, KEEPS },
	{ DR_POLICY_HOURLY, FIELD(keep[DR_PERIOD_HOUR]), 1, 1u << 20, KEEPS },
	{ DR_POLICY_DAILY, FIELD(keep[DR_PERIOD_DAY]), 1, 36500, KEEPS },
	{ DR_POLICY_WEEKLY, FIELD(keep[DR_PERIOD_WEEK]), 1, 5200, KEEPS },
	{ DR_POLICY_MONTHLY, FIELD(keep[DR_PERIOD_MONTH]), 1, 1200, KEEPS },
	{ DR_POLICY_AROUND, FIELD(around), 0, 32, COUNT },
	{ DR_POLICY_EVERY, FIELD(every), 1, 366 * DAY, TIME },
	{ DR_POLICY_WRITTEN, FIELD(written), 1, ~0u, SIZE },
	{ DR_POLICY_LAG, FIELD(lag), 1, 36500u * DAY, TIME },
	{ DR_POLICY_LOW, FIELD(low), 1, 99, COUNT },
	{ DR_POLICY_CRITICAL, FIELD(critical), 1, 98, COUNT },
#undef FIELD
};

static u32 unit_of(const struct key *key, char c)
{
	static const struct { char c; u32 seconds, mib; } units[] = {
		{ 's', 1, 0 }, { 'm', 60, 0 }, { 'h', 3600, 0 },
		{ 'd', DAY, 0 }, { 'w', 7 * DAY, 0 },
		{ 'M', 0, 1 }, { 'G', 0, 1024 }, { 'T', 0, 1024 * 1024 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(units); i++)
		if (units[i].c == c)
			return key->kind == TIME ? units[i].seconds :
			       key->kind == SIZE ? units[i].mib : 0;
	return 0;
}

/* Reads "123" or "2h", up to a space or the end. NULL: what is wrong is told */
static const char *read_value(const struct key *key, const char *s, u32 *value,
			      const char **wrong)
{
	const char *first = s;
	u64 v = 0;
	u32 unit;

	*wrong = "a number is needed";
	for (; *s >= '0' && *s <= '9'; s++) {
		v = 10 * v + (*s - '0');
		if (v > ~0u)
			break;
	}
	if (s == first)
		return NULL;
	if (v <= ~0u && *s && *s != ' ') {
		unit = unit_of(key, *s++);
		*wrong = key->kind == TIME ? "the unit is not s, m, h, d or w" :
			 key->kind == SIZE ? "the unit is not M, G or T" :
					     "a number without a unit is needed";
		if (!unit || (*s && *s != ' '))
			return NULL;
		v *= unit;
	}
	*wrong = "the number is too small or too large";
	if (v < key->min || v > key->max)
		return NULL;
	*value = v;
	return s;
}

static const struct key *find_key(const char *s, size_t *len)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		*len = strlen(keys[i].word);
		if (!strncmp(s, keys[i].word, *len) && s[*len] == '=')
			return keys + i;
	}
	return NULL;
}

const char *dr_policy_parse(struct dr_policy *p, const char *text, u32 *at)
{
	const char *s = text, *wrong;
	const struct key *key;
	u32 seen = 0;
	size_t len;

	memset(p, 0, sizeof(*p));
	p->around = 1;
	if (strlen(text) > DR_POLICY_MAX)
		return "too long";
	for (;;) {
		while (*s == ' ')
			s++;
		*at = s - text;
		if (!*s)
			return NULL;
		key = find_key(s, &len);
		if (!key)
			return "unknown word";
		if (seen & 1u << (key - keys))
			return "given twice";
		seen |= 1u << (key - keys);
		s = read_value(key, s + len + 1,
			       (u32 *)((char *)p + key->offset), &wrong);
		if (!s)
			return wrong;
		if (p->low && p->critical >= p->low)
			return "critical is not below low";
		p->drops |= key->kind == KEEPS;
	}
}

/* --- time ------------------------------------------------------------------ */

/*
 * Months since the year 0, of the Gregorian calendar, UTC. The method is that
 * of Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
static s64 month_of(u64 day)
{
	u64 z = day + 719468, era = div64_u64(z, 146097);
	u32 doe = z - era * 146097;
	u32 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	u32 mp = (5 * (doe - (365 * yoe + yoe / 4 - yoe / 100)) + 2) / 153;

	/* mp counts from March on. */
	return (yoe + era * 400) * 12 + mp + 2;
}

/* The number of the period that @time, seconds since 1970, is in */
static s64 period_of(s64 time, enum dr_period period)
{
	u64 t = max_t(s64, time, 0);

	switch (period) {
	case DR_PERIOD_MINUTE:
		return div_u64(t, 60);
	case DR_PERIOD_HOUR:
		return div_u64(t, 3600);
	case DR_PERIOD_DAY:
		return div_u64(t, DAY);
	case DR_PERIOD_WEEK:
		/* 1970 began on a Thursday, weeks begin on Mondays. */
		return div_u64(t + 3 * DAY, 7 * DAY);
	default:
		return month_of(div_u64(t, DAY));
	}
}

/* --- what is protected ----------------------------------------------------- */

static bool named(const struct dr_epoch *e)
{
	return *e->label && !(e->marks & DR_MARK_LOOSE);
}

u8 dr_retain_protects(const struct dr_epochs *t, const struct dr_epoch *e)
{
	if (e->gone || e->state != DR_EPOCH_SEALED)
		return DR_KEEP_STATE;
	if (dr_epochs_is_back(t, e->id))
		return DR_KEEP_START;
	if (e->marks & DR_MARK_PINNED)
		return DR_KEEP_PINNED;
	if (named(e))
		return DR_KEEP_NAMED;
	if (e->marks & DR_MARK_SUSPECT)
		return DR_KEEP_SUSPECT;
	return e->held ? DR_KEEP_HELD : DR_KEEP_NOT;
}

/* --- beside a suspect one -------------------------------------------------- */

#define FAR	0x7fu		/* steps: more than the policy asks for */
#define BESIDE	0x80u		/* one way or the other */

static bool is_suspect(const struct dr_epoch *e)
{
	return e->marks & DR_MARK_SUSPECT && !e->gone;
}

/* Position of what the epoch at @i stands on; t->nr: the base */
static u32 below(const struct dr_epochs *t, u32 i)
{
	u32 id = t->e[i].parent;

	/* Nearly always the record before */
	if (i && t->e[i - 1].id == id)
		return i - 1;
	i = id ? dr_epochs_from(t, id) : t->nr;
	return i < t->nr && t->e[i].id == id ? i : t->nr;
}

/*
 * How far @e is from a suspect one if its neighbour on the way there is @steps.
 * Those that were dropped are none, only their records are still there.
 */
static u8 next_to(const struct dr_epoch *e, u8 steps, u32 around)
{
	if (steps == FAR || e->gone || e->state != DR_EPOCH_SEALED)
		return steps;
	return steps < around ? steps + 1 : FAR;
}

static void on_top(const struct dr_epochs *t, u32 around, u8 *steps)
{
	u32 i, to;

	for (i = 0; i < t->nr; i++) {
		to = below(t, i);
		steps[i] = is_suspect(t->e + i) ? 0 : to == t->nr ? FAR :
			   next_to(t->e + i, steps[to], around);
	}
}

static void underneath(const struct dr_epochs *t, u32 around, u8 *steps)
{
	u32 i, to;
	u8 n;

	for (i = t->nr; i-- > 0;) {
		to = below(t, i);
		if (to == t->nr)
			continue;
		n = next_to(t->e + to, steps[i] & FAR, around);
		if (n < (steps[to] & FAR))
			steps[to] = BESIDE | n;
	}
}

/*
 * What surrounds a suspect epoch tells what it did, and is where a recovery
 * begins: its ancestors, and what was made on top of it. Twice through the table,
 * whatever its shape. Return: is there any? Then BESIDE is set in @steps.
 */
static bool find_around(const struct dr_epochs *t, u32 around, u8 *steps)
{
	bool beside;
	u32 i;

	for (i = 0; i < t->nr && !is_suspect(t->e + i); i++)
		;
	if (i == t->nr || !around)
		return false;
	on_top(t, around, steps);
	for (i = 0; i < t->nr; i++) {
		beside = steps[i] && steps[i] != FAR;
		steps[i] = (beside ? BESIDE : 0) |
			   (is_suspect(t->e + i) ? 0 : FAR);
	}
	underneath(t, around, steps);
	return true;
}

/* --- what stays ------------------------------------------------------------ */

static void keep(const struct dr_epochs *t, u8 *why, u32 id, u8 reason)
{
	u32 i = dr_epochs_from(t, id);

	if (i < t->nr && t->e[i].id == id && why[i] == DR_KEEP_NOT)
		why[i] = reason;
}

/* The head that the last rollback or replay sealed */
static void keep_for_undo(const struct dr_epochs *t, u32 head, u8 *why)
{
	u32 i, id = head;

	while (id) {
		i = dr_epochs_from(t, id);
		if (t->e[i].prev) {
			keep(t, why, t->e[i].prev, DR_KEEP_UNDO);
			return;
		}
		id = t->e[i].parent;
	}
}

static void keep_newest(const struct dr_epochs *t, u32 nr, u32 head, u8 *why)
{
	u32 i, id = head;

	while (id && nr) {
		i = dr_epochs_from(t, id);
		if (t->e[i].state == DR_EPOCH_SEALED) {
			keep(t, why, id, DR_KEEP_NEWEST);
			nr--;
		}
		id = t->e[i].parent;
	}
}

static s64 newest_time(const struct dr_epochs *t)
{
	s64 now = 0;
	u32 i;

	for (i = 0; i < t->nr; i++)
		if (t->e[i].state == DR_EPOCH_SEALED && t->e[i].time > now)
			now = t->e[i].time;
	return now;
}

/*
 * Of each period the last epoch, so that what is kept of a period that is over
 * never changes. Later numbers are later, but for those of replays, which only
 * means that one more may stay.
 */
static void keep_periods(const struct dr_epochs *t, const struct dr_policy *p,
			 u8 *why)
{
	s64 now = newest_time(t), at, first, seen;
	enum dr_period k;
	u32 i;

	for (k = 0; k < DR_NR_PERIODS; k++) {
		if (!p->keep[k])
			continue;
		first = period_of(now, k) - p->keep[k];
		seen = -1;
		for (i = t->nr; i-- > 0;) {
			if (t->e[i].gone || t->e[i].state != DR_EPOCH_SEALED)
				continue;
			at = period_of(t->e[i].time, k);
			if (at <= first || at == seen)
				continue;
			seen = at;
			if (why[i] == DR_KEEP_NOT)
				why[i] = DR_KEEP_MINUTE + k;
		}
	}
}

static void keep_protected(const struct dr_epochs *t,
			   const struct dr_policy *p, u32 head, u8 *why)
{
	bool any = find_around(t, p->around, why), beside;
	u32 i;

	for (i = 0; i < t->nr; i++) {
		beside = any && why[i] & BESIDE;
		why[i] = dr_retain_protects(t, t->e + i);
		if (beside && why[i] == DR_KEEP_NOT)
			why[i] = DR_KEEP_AROUND;
	}
	keep_for_undo(t, head, why);
}

void dr_retain(const struct dr_epochs *t, const struct dr_policy *p, u32 head,
	       u8 *why)
{
	u32 i;

	keep_protected(t, p, head, why);
	if (!p->drops) {
		for (i = 0; i < t->nr; i++)
			if (why[i] == DR_KEEP_NOT)
				why[i] = DR_KEEP_ALL;
		return;
	}
	/* What the head stands on is what a checkpoint has just promised. */
	keep_newest(t, max(p->newest, 1u), head, why);
	keep_periods(t, p, why);
}

u32 dr_retain_oldest(const struct dr_epochs *t, const struct dr_policy *p,
		     u32 head, u8 *why)
{
	u32 i;

	keep_protected(t, p, head, why);
	keep_newest(t, 1, head, why);
	for (i = 0; i < t->nr; i++)
		if (why[i] == DR_KEEP_NOT)
			return t->e[i].id;
	return 0;
}

/* Below this one nothing that stays may be committed, and perhaps not itself */
static bool stops_commit(u8 why, bool *itself)
{
	*itself = why == DR_KEEP_SUSPECT || why == DR_KEEP_AROUND;
	return why != DR_KEEP_NOT && why != DR_KEEP_STATE;
}

void dr_retain_lag(const struct dr_epochs *t, const struct dr_policy *p, u32 head,
		   const struct dr_committed *last, u8 *why, struct dr_lag *lag)
{
	s64 until = newest_time(t) - p->lag;
	bool itself, above = false;
	u32 id, i, best = 0;

	*lag = (struct dr_lag){ 0 };
	if (!p->lag)
		return;
	keep_protected(t, p, head, why);
	for (id = head; id; id = t->e[i].parent) {
		i = dr_epochs_from(t, id);
		if (t->e[i].state != DR_EPOCH_SEALED)
			continue;
		if (!stops_commit(why[i], &itself)) {
			itself = false;
		} else {
			best = 0;
			if (t->e[i].time <= until && (above || itself))
				lag->held_up_by = id;
		}
		if (t->e[i].time > until)
			continue;
		above = true;
		if (!best && !itself)
			best = id;
	}
	i = dr_epochs_from(t, best);
	if (best > last->epoch &&
	    (!last->epoch || t->e[i].time >= last->time + p->lag / 16))
		lag->epoch = best;
}

u32 dr_retain_commit(const struct dr_store *st, const struct dr_policy *p)
{
	struct dr_committed last = { le32_to_cpu(st->sb.base_epoch),
				     le64_to_cpu(st->sb.base_time) };
	const struct dr_epochs *t = &st->epochs;
	const struct dr_env *env = &st->env;
	struct dr_lag lag;
	u8 *why;

	if (!p->lag || st->base_held)
		return 0;
	/* A device that begins at the base each time is not to move it. */
	if (!t->start && (st->start_mode == DR_START_KEEP ||
			  st->start_mode == DR_START_DISCARD))
		return 0;
	why = env->alloc(env->ctx, t->nr);
	if (!why)
		return 0;
	dr_retain_lag(t, p, st->head, &last, why, &lag);
	env->free(env->ctx, why);
	return lag.epoch;
}
