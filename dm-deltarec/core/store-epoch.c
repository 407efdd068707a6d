// SPDX-License-Identifier: GPL-2.0
/*
 * store-epoch.c - control records: seal, roll back, drop; and what replaying
 * one from the journal does.
 *
 * The table in memory changes at once; readers of the device see it with the
 * next snapshot. Nothing is acknowledged before the record is durable, and no
 * commit writes the table between the two (J5).
 */
#include "recover.h"

/* Lineage of a head that is about to be opened on top of @below */
static struct dr_lineage *lineage_on(const struct dr_store *st,
				     const struct dr_lineage *below, u32 top,
				     u32 lo)
{
	struct dr_lineage *l;

	l = st->env.alloc(st->env.ctx,
			  sizeof(*l) + (below->nr + 1) * sizeof(l->iv[0]));
	if (!l)
		return NULL;
	l->nr = below->nr + 1;
	memcpy(l->iv + 1, below->iv, below->nr * sizeof(l->iv[0]));
	if (below->nr)
		l->iv[1].hi = top;
	l->iv[0].lo = lo;
	l->iv[0].hi = ~0u;
	return l;
}

int dr_store_prepare(struct dr_store *st)
{
	int r = dr_epochs_reserve(&st->epochs, &st->env, 2);

	if (r || st->lineage_next || st->next_epoch == st->head + 1)
		return r;
	/* Numbers were left out: they must not fall into the open interval. */
	st->lineage_next = lineage_on(st, st->lineage, st->head,
				      st->next_epoch);
	return st->lineage_next ? 0 : -ENOMEM;
}

void dr_store_free_old(struct dr_store *st)
{
	st->env.free(st->env.ctx, st->lineage_old);
	st->lineage_old = NULL;
}

static void ctl_set(struct dr_store *st, u16 type, u32 epoch, u32 head,
		    u32 parent, s64 now, const char *label, u16 flags)
{
	struct dr_disk_ctl *c = &st->ctl;

	memset(c, 0, sizeof(*c));
	c->type = cpu_to_le16(type);
	c->flags = cpu_to_le16(flags);
	c->epoch = cpu_to_le32(epoch);
	c->head = cpu_to_le32(head);
	c->parent = cpu_to_le32(parent);
	c->time = cpu_to_le64(now);
	memcpy(c->label, label, strlen(label));
	st->ctl_epoch = epoch;
}

static void ctl_ready(struct dr_store *st)
{
	st->ctl_state = DR_CTL_READY;
	st->ctl_at = st->active->used;
	st->fill_pass = 0;
	st->fill_pos = ~0u;
}

void dr_store_visit(struct dr_store *st, struct dr_epoch *e)
{
	e->flags |= DR_EPOCH_VISIT | DR_EPOCH_SPREAD;
	/* A pass under way may have been past what this is about. */
	e->pass &= ~DR_PASS_SERVED;
	e->dirty = true;
	st->reclaim_wanted = true;
}

/* Seal the head in the table; the record of it carries the counters. */
static void seal_head(struct dr_store *st, const char *label, u16 flags,
		      s64 now)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, st->head);
	struct dr_epoch *below = dr_epochs_find(&st->epochs, e->parent);

	/*
	 * Now it is certain what the head no longer shows of what is below. For
	 * what is not in the trees yet, the merge says so once more.
	 */
	if (below && below->state == DR_EPOCH_DROPPED)
		dr_store_visit(st, below);
	e->state = DR_EPOCH_SEALED;
	e->flags = (e->flags & DR_EPOCH_CUT) | flags;
	e->time = now;
	e->nr_blocks = st->head_blocks;
	e->read_first = st->head_read_first;
	memset(e->label, 0, sizeof(e->label));
	memcpy(e->label, label, strlen(label));
	e->dirty = true;
}

static void open_head(struct dr_store *st, u32 parent, u8 how, u32 prev,
		      s64 now)
{
	struct dr_epoch *e = dr_epochs_add(&st->epochs, st->next_epoch, parent,
					   DR_EPOCH_HEAD, how);

	e->prev = prev;
	e->time = now;
	st->head = st->next_epoch++;
	st->head_blocks = 0;
	st->head_read_first = st->track_reads;
}

/*
 * The head has moved onto the lineage @l. Return: what is to be freed once the
 * lock is let go of; what readers may still have is in lineage_old.
 */
static struct dr_lineage *switch_lineage(struct dr_store *st,
					 struct dr_lineage *l)
{
	struct dr_lineage *unused = st->lineage_next;

	st->lineage_old = st->lineage;
	st->lineage = l;
	st->lineage_next = NULL;
	return unused;
}

bool dr_store_label_taken(const struct dr_store *st, const char *label)
{
	const struct dr_epoch *e = st->epochs.e, *end = e + st->epochs.nr;

	if (!*label)
		return false;
	/* Most have none: look at the one byte that tells. */
	for (; e < end; e++)
		if (e->label[0] == label[0] && !e->gone &&
		    e->state != DR_EPOCH_DROPPED && !strcmp(e->label, label))
			return true;
	return false;
}

s64 dr_store_seal(struct dr_store *st, const char *label, u16 flags, s64 now)
{
	u32 sealed = st->head;

	if (st->ctl_state != DR_CTL_NONE || st->group.ctl)
		return -EBUSY;
	if (dr_store_label_taken(st, label))
		return -EEXIST;
	if (st->next_epoch > DR_LAST_EPOCH)
		return -EUSERS;
	if (st->replay && st->next_epoch + 1 >= st->replay->epoch)
		return -EBUSY;
	/* An empty table is never frozen; what is in flight is of the head. */
	if (!st->active->used)
		st->active_since = st->head;
	if (st->head - st->active_since >= DR_SPAN_MAX)
		return -EAGAIN;
	ctl_set(st, DR_CTL_SEAL, sealed, st->next_epoch, sealed, now, label,
		flags);
	seal_head(st, label, flags, now);
	open_head(st, sealed, DR_MADE_BY_CHECKPOINT, 0, now);
	if (st->lineage_next)
		switch_lineage(st, st->lineage_next);
	st->ctl_state = DR_CTL_DRAINING;
	return sealed;
}

void dr_store_drained(struct dr_store *st)
{
	if (st->ctl_state == DR_CTL_DRAINING)
		ctl_ready(st);
}

/* Point the head's lineage at the new head; the old one goes to lineage_old */
static int relineage(struct dr_store *st)
{
	struct dr_lineage *l = dr_lineage_make(&st->epochs, &st->env, st->head);

	if (!l)
		return -ENOMEM;
	/* Activation only: nobody reads yet. */
	dr_store_free_old(st);
	st->lineage_old = st->lineage;
	st->lineage = l;
	return 0;
}

s64 dr_store_rollback(struct dr_store *st, u32 epoch, s64 now)
{
	const struct dr_env *env = &st->env;
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	struct dr_lineage *l, *swap, *unused;
	u32 sealed = st->head;

	if (epoch != DR_BASE_EPOCH && (!e || (e->state != DR_EPOCH_SEALED &&
					      e->state != DR_EPOCH_HEAD)))
		return -ENOENT;
	/* The origin is neither what it was nor what it is going to be. */
	if (epoch == DR_BASE_EPOCH && st->fold.epoch)
		return -EBUSY;
	if (st->ctl_state != DR_CTL_NONE)
		return -EBUSY;
	if (st->next_epoch > DR_LAST_EPOCH)
		return -EUSERS;
	/* All that can fail comes first: the lineage as it is going to be. */
	l = dr_lineage_make(&st->epochs, env, epoch);
	swap = l ? lineage_on(st, l, epoch, st->next_epoch) : NULL;
	env->free(env->ctx, l);
	if (!swap)
		return -ENOMEM;

	env->lock(env->ctx);
	ctl_set(st, DR_CTL_ROLLBACK, sealed, st->next_epoch, epoch, now, "", 0);
	seal_head(st, "", 0, now);
	open_head(st, epoch, DR_MADE_BY_ROLLBACK, sealed, now);
	unused = switch_lineage(st, swap);
	ctl_ready(st);
	env->unlock(env->ctx);
	env->free(env->ctx, unused);
	return st->head;
}

int dr_store_reopen(struct dr_store *st, u32 epoch, u8 how, s64 now)
{
	u32 sealed = st->head;
	int r = dr_epochs_reserve(&st->epochs, &st->env, 1);

	if (r)
		return r;
	if (st->next_epoch > DR_LAST_EPOCH)
		return -EUSERS;
	seal_head(st, "", 0, now);
	open_head(st, epoch, how, how == DR_MADE_BY_ROLLBACK ? sealed : 0, now);
	return relineage(st);
}

int dr_store_open_replay(struct dr_store *st, u32 epoch, s64 now)
{
	const struct dr_env *env = &st->env;
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	struct dr_lineage *l, *unused;
	u32 sealed = st->head;

	if (st->ctl_state != DR_CTL_NONE)
		return -EBUSY;
	l = lineage_on(st, st->lineage, sealed, epoch);
	if (!l)
		return -ENOMEM;
	env->lock(env->ctx);
	e->state = DR_EPOCH_SEALED;
	e->parent = sealed;
	e->time = now;
	e->dirty = true;
	st->next_epoch = epoch + 1;
	ctl_set(st, DR_CTL_REPLAY, sealed, st->next_epoch, epoch, now, "", 0);
	seal_head(st, "", 0, now);
	open_head(st, epoch, DR_MADE_BY_REPLAY, sealed, now);
	unused = switch_lineage(st, l);
	ctl_ready(st);
	env->unlock(env->ctx);
	env->free(env->ctx, unused);
	return 0;
}

void dr_store_drop_replay(struct dr_store *st, u32 epoch)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	e->state = DR_EPOCH_SEALED;
	st->next_epoch = max(st->next_epoch, epoch + 1);
	dr_store_drop(st, epoch);
}

int dr_store_may_drop(const struct dr_store *st, u32 epoch)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (epoch == DR_BASE_EPOCH)
		return -EINVAL;
	if (!e || e->state == DR_EPOCH_DROPPED)
		return -ENOENT;
	if (e->state != DR_EPOCH_SEALED)
		return -EBUSY;
	if (dr_epochs_is_back(&st->epochs, epoch))
		return -EADDRINUSE;
	return e->held ? -ETXTBSY : 0;
}

int dr_store_drop(struct dr_store *st, u32 epoch)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	int r = dr_store_may_drop(st, epoch);

	if (r)
		return r;
	if (st->ctl_state != DR_CTL_NONE)
		return -EBUSY;
	ctl_set(st, DR_CTL_DROP, epoch, st->head, 0, 0, "", 0);
	e->state = DR_EPOCH_DROPPED;
	dr_store_visit(st, e);
	ctl_ready(st);
	/* A drop seals nothing: everything before it goes first. */
	st->ctl_epoch = st->head;
	return 0;
}

/* --- replaying a record at activation ------------------------------------ */

static int redo_open(struct dr_store *st, const struct dr_disk_ctl *c, u8 how)
{
	u32 epoch = le32_to_cpu(c->epoch), head = le32_to_cpu(c->head);
	u32 parent = le32_to_cpu(c->parent);
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);

	if (epoch != st->head || !e)
		return -EUCLEAN;
	if (head <= epoch || parent >= head || head > DR_LAST_EPOCH ||
	    dr_epochs_find(&st->epochs, head) ||
	    (parent && !dr_epochs_find(&st->epochs, parent)))
		return -EUCLEAN;
	if (c->label[DR_LABEL_MAX] || (c->label[0] && !dr_label_valid(c->label)))
		return -EUCLEAN;
	st->head_blocks = le64_to_cpu(c->nr_blocks);
	st->head_read_first = le32_to_cpu(c->read_first);
	seal_head(st, c->label, le16_to_cpu(c->flags) & DR_EPOCH_FROZEN,
		  le64_to_cpu(c->time));
	st->next_epoch = head;
	open_head(st, parent, how, how == DR_MADE_BY_CHECKPOINT ? 0 : epoch,
		  le64_to_cpu(c->time));
	return 0;
}

/*
 * The journal may repeat what the superblock already knows: a commit comes
 * after the record in time, but its tail may lie before it.
 */
static bool known(const struct dr_store *st, const struct dr_disk_ctl *c)
{
	const struct dr_epoch *e;

	if (le16_to_cpu(c->type) == DR_CTL_DROP) {
		e = dr_epochs_find(&st->epochs, le32_to_cpu(c->epoch));
		return !e || e->state == DR_EPOCH_DROPPED;
	}
	return le32_to_cpu(c->head) <= st->head;
}

int dr_store_redo(struct dr_store *st, const struct dr_disk_ctl *c)
{
	struct dr_epoch *e;
	u32 replay;
	int r = dr_epochs_reserve(&st->epochs, &st->env, 2);

	if (r || known(st, c))
		return r;
	switch (le16_to_cpu(c->type)) {
	case DR_CTL_SEAL:
		r = redo_open(st, c, DR_MADE_BY_CHECKPOINT);
		break;
	case DR_CTL_ROLLBACK:
		r = redo_open(st, c, DR_MADE_BY_ROLLBACK);
		break;
	case DR_CTL_REPLAY:
		replay = le32_to_cpu(c->parent);
		e = dr_epochs_find(&st->epochs, replay);
		if (!e || e->state != DR_EPOCH_BUILDING ||
		    replay <= le32_to_cpu(c->epoch))
			return -EUCLEAN;
		r = redo_open(st, c, DR_MADE_BY_REPLAY);
		if (r)
			break;
		e = dr_epochs_find(&st->epochs, replay);
		e->state = DR_EPOCH_SEALED;
		e->parent = le32_to_cpu(c->epoch);
		e->time = le64_to_cpu(c->time);
		e->dirty = true;
		break;
	case DR_CTL_DROP:
		e = dr_epochs_find(&st->epochs, le32_to_cpu(c->epoch));
		if (e->state == DR_EPOCH_HEAD)
			return -EUCLEAN;
		e->state = DR_EPOCH_DROPPED;
		dr_store_visit(st, e);
		/* A replay that was given up has a number far ahead. */
		st->next_epoch = max(st->next_epoch, e->id + 1);
		break;
	default:
		return -EUCLEAN;
	}
	return r ? r : relineage(st);
}
