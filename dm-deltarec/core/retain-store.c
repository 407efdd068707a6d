// SPDX-License-Identifier: GPL-2.0
/*
 * retain-store.c - marks, policy, and the drops that follow, on the device.
 *
 * They are no control records: nobody waits for a policy, and marks do not
 * stand in an order with writes. Each is one commit of the trees and the
 * superblock (K5).
 */
#include "retain.h"

/* The caller takes back what he changed if this fails (S6). */
static int commit(struct dr_store *st)
{
	int r;

	dr_store_begin(st);
	r = dr_store_commit(st, false);
	if (r)
		dr_store_abort(st);
	return r;
}

/* Who does not know marks would lose them, or drop what is pinned. */
static void need_marks(struct dr_store *st)
{
	st->sb.ro_compat |= cpu_to_le64(DR_RO_COMPAT_MARKS);
}

int dr_mark(struct dr_store *st, u32 epoch, u8 set, u8 clear)
{
	struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	u8 was;
	int r;

	if (epoch == DR_BASE_EPOCH)
		return -EINVAL;
	if (!e || e->state == DR_EPOCH_DROPPED)
		return -ENOENT;
	was = e->marks;
	if (((was | set) & ~clear) == was)
		return 0;
	need_marks(st);
	e->marks = (was | set) & ~clear;
	e->dirty = true;
	r = commit(st);
	if (r)
		e->marks = was;
	return r;
}

int dr_policy_set(struct dr_store *st, const char *text)
{
	char was[DR_POLICY_MAX + 1];
	int r;

	memcpy(was, st->sb.policy, sizeof(was));
	memset(st->sb.policy, 0, sizeof(st->sb.policy));
	memcpy(st->sb.policy, text, min_t(size_t, strlen(text), DR_POLICY_MAX));
	need_marks(st);
	r = commit(st);
	if (r)
		memcpy(st->sb.policy, was, sizeof(was));
	return r;
}

static u32 set_dropped(struct dr_store *st, const u8 *why)
{
	struct dr_epoch *e;
	u32 i, n = 0;

	for (i = 0; i < st->epochs.nr; i++) {
		if (why[i] != DR_KEEP_NOT)
			continue;
		e = st->epochs.e + i;
		e->state = DR_EPOCH_DROPPED;
		dr_store_visit(st, e);
		n++;
	}
	return n;
}

static void set_sealed(struct dr_store *st, const u8 *why)
{
	u32 i;

	for (i = 0; i < st->epochs.nr; i++) {
		if (why[i] != DR_KEEP_NOT)
			continue;
		st->epochs.e[i].state = DR_EPOCH_SEALED;
		st->epochs.e[i].flags &= ~(DR_EPOCH_VISIT | DR_EPOCH_SPREAD);
	}
}

int dr_retain_drop(struct dr_store *st, const struct dr_policy *p, u32 *nr)
{
	const struct dr_env *env = &st->env;
	u8 *why;
	int r;

	*nr = 0;
	/* A replay counts on what it has looked at. */
	if (!p->drops || st->replay)
		return 0;
	why = env->alloc(env->ctx, st->epochs.nr);
	if (!why)
		return -ENOMEM;
	dr_retain(&st->epochs, p, st->head, why);
	env->lock(env->ctx);
	*nr = set_dropped(st, why);
	env->unlock(env->ctx);
	r = *nr ? commit(st) : 0;
	if (r) {
		env->lock(env->ctx);
		set_sealed(st, why);
		env->unlock(env->ctx);
		*nr = 0;
	}
	env->free(env->ctx, why);
	return r;
}
