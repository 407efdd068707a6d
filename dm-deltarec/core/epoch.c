// SPDX-License-Identifier: GPL-2.0
/*
 * epoch.c - the epoch table and lineages, see epoch.h.
 */
#include "epoch.h"

int dr_epochs_reserve(struct dr_epochs *t, const struct dr_env *env, u32 more)
{
	struct dr_epoch *e, *old;
	u32 max;

	if (t->nr + more <= t->max)
		return 0;
	if (t->nr + more > DR_MAX_EPOCHS)
		return -EUSERS;
	max = max_t(u32, 2 * t->max, t->nr + more + 64);
	e = env->alloc(env->ctx, (size_t)max * sizeof(*e));
	if (!e)
		return -ENOMEM;
	/* Completions count what they publish in the table that is there. */
	env->lock(env->ctx);
	if (t->nr)
		memcpy(e, t->e, (size_t)t->nr * sizeof(*e));
	old = t->e;
	t->e = e;
	t->max = max;
	env->unlock(env->ctx);
	env->free(env->ctx, old);
	return 0;
}

void dr_epochs_exit(struct dr_epochs *t, const struct dr_env *env)
{
	env->free(env->ctx, t->e);
	memset(t, 0, sizeof(*t));
}

u32 dr_epochs_from(const struct dr_epochs *t, u32 id)
{
	u32 lo = 0, hi = t->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (t->e[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct dr_epoch *dr_epochs_find(const struct dr_epochs *t, u32 id)
{
	u32 i = dr_epochs_from(t, id);

	if (i == t->nr || t->e[i].id != id || t->e[i].gone)
		return NULL;
	return t->e + i;
}

struct dr_epoch *dr_epochs_add(struct dr_epochs *t, u32 id, u32 parent,
			       u8 state, u8 how)
{
	u32 i = dr_epochs_from(t, id);
	struct dr_epoch *e = t->e + i;

	memmove(e + 1, e, (size_t)(t->nr - i) * sizeof(*e));
	memset(e, 0, sizeof(*e));
	t->nr++;
	e->id = id;
	e->parent = parent;
	e->state = state;
	e->how = how;
	e->dirty = true;
	return e;
}

void dr_epochs_purge(struct dr_epochs *t)
{
	u32 i, n = 0;

	for (i = 0; i < t->nr; i++)
		if (!t->e[i].gone || t->e[i].dirty)
			t->e[n++] = t->e[i];
	t->nr = n;
}

bool dr_label_valid(const char *label)
{
	size_t i, len = strlen(label);
	bool digits = true;

	if (!len || len > DR_LABEL_MAX)
		return false;
	for (i = 0; i < len; i++) {
		char c = label[i];

		if (c < '0' || c > '9')
			digits = false;
		if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z'))
			continue;
		/* '~' and '@' belong to the tool's own notation. */
		if (!strchr("._:+-/,=", c))
			return false;
	}
	return !digits && strcmp(label, DR_WORD_NONE) &&
	       strcmp(label, "head") && strcmp(label, "base");
}

/* Number of intervals, written to @l if it is given */
static u32 lineage_walk(const struct dr_epochs *t, u32 epoch,
			struct dr_lineage *l)
{
	u32 nr = 0, above = 0, i;

	while (epoch) {
		/* A parent is nearly always the record before. */
		i = above && t->e[above - 1].id == epoch ?
			    above - 1 : dr_epochs_from(t, epoch);
		/* Nothing recorded between this one and the one above? */
		if (!nr || i + 1 != above) {
			if (l)
				l->iv[nr].hi = nr ? epoch : ~0u;
			nr++;
		}
		if (l)
			l->iv[nr - 1].lo = epoch;
		above = i;
		if (i == t->nr || t->e[i].id != epoch)
			break;
		epoch = t->e[i].parent;
	}
	if (l)
		l->nr = nr;
	return nr;
}

struct dr_lineage *dr_lineage_make(const struct dr_epochs *t,
				   const struct dr_env *env, u32 epoch)
{
	u32 nr = lineage_walk(t, epoch, NULL);
	struct dr_lineage *l;

	l = env->alloc(env->ctx, sizeof(*l) + nr * sizeof(l->iv[0]));
	if (l)
		lineage_walk(t, epoch, l);
	return l;
}

void dr_epoch_encode(struct dr_disk_epoch *d, const struct dr_epoch *e)
{
	memset(d, 0, sizeof(*d));
	d->id = cpu_to_le32(e->id);
	d->parent = cpu_to_le32(e->parent);
	d->prev = cpu_to_le32(e->prev);
	d->state = e->state;
	d->how = e->how;
	d->flags = cpu_to_le16(e->flags);
	d->time = cpu_to_le64(e->time);
	d->nr_blocks = cpu_to_le64(e->nr_blocks);
	d->note_bytes = cpu_to_le32(e->note_bytes);
	d->read_first = cpu_to_le32(e->read_first);
	d->marks = e->marks;
	memcpy(d->label, e->label, sizeof(d->label));
}

const char *dr_epoch_decode(struct dr_epoch *e, const struct dr_disk_epoch *d)
{
	memset(e, 0, sizeof(*e));
	e->id = le32_to_cpu(d->id);
	e->parent = le32_to_cpu(d->parent);
	e->prev = le32_to_cpu(d->prev);
	e->state = d->state;
	e->how = d->how;
	e->flags = le16_to_cpu(d->flags);
	e->time = le64_to_cpu(d->time);
	e->nr_blocks = le64_to_cpu(d->nr_blocks);
	e->note_bytes = le32_to_cpu(d->note_bytes);
	e->read_first = le32_to_cpu(d->read_first);
	e->marks = d->marks;
	memcpy(e->label, d->label, sizeof(e->label));
	if (!e->id || e->parent >= e->id)
		return "impossible parent";
	if (e->state < DR_EPOCH_HEAD || e->state > DR_EPOCH_BUILDING)
		return "unknown state";
	if (e->how > DR_MADE_BY_REPLAY)
		return "unknown maker";
	if (e->flags & ~DR_EPOCH_FLAGS)
		return "unknown flags";
	if (e->marks & ~DR_MARKS_KNOWN)
		return "unknown marks";
	if (e->label[DR_LABEL_MAX] || (e->label[0] && !dr_label_valid(e->label)))
		return "impossible label";
	if (e->note_bytes > DR_NOTE_MAX)
		return "impossible length of its note";
	return NULL;
}
