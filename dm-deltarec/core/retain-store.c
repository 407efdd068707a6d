// SPDX-License-Identifier: GPL-2.0
/*
 * retain-store.c - marks, policy, and the drops that follow, on the device.
 *
 * They are no control records: nobody waits for a policy, and marks do not
 * stand in an order with writes. Each is one commit of the trees and the
 * superblock (K5).
 */
#include "retain.h"
#include "seen.h"

int dr_commit_table(struct dr_store *st)
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
	r = dr_commit_table(st);
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
	r = dr_commit_table(st);
	if (r)
		memcpy(st->sb.policy, was, sizeof(was));
	return r;
}

static void set_dropped(struct dr_store *st, const u8 *why)
{
	struct dr_epoch *e;
	u32 i;

	for (i = 0; i < st->epochs.nr; i++) {
		if (why[i] != DR_KEEP_NOT)
			continue;
		e = st->epochs.e + i;
		e->state = DR_EPOCH_DROPPED;
		dr_store_visit(st, e);
	}
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

/* Keep all but the first @max of those that go. Return: how many go */
static u32 limit(const struct dr_store *st, u8 *why, u32 max, u32 *ids)
{
	u32 i, n = 0;

	for (i = 0; i < st->epochs.nr; i++) {
		if (why[i] != DR_KEEP_NOT)
			continue;
		if (n == max) {
			why[i] = DR_KEEP_ALL;
			continue;
		}
		if (ids)
			ids[n] = st->epochs.e[i].id;
		n++;
	}
	return n;
}

static int drop_all(struct dr_store *st, const u8 *why)
{
	const struct dr_env *env = &st->env;
	int r;

	env->lock(env->ctx);
	set_dropped(st, why);
	env->unlock(env->ctx);
	r = dr_commit_table(st);
	if (r) {
		env->lock(env->ctx);
		set_sealed(st, why);
		env->unlock(env->ctx);
	}
	return r;
}

/*
 * One commit for the first @max that @why says, or for fewer when there is no
 * room for that: it writes leaves of the tree of epochs, and frees nothing.
 */
static int drop_first(struct dr_store *st, u8 *why, u32 max, u32 *ids, u32 *nr)
{
	u32 n = limit(st, why, max, ids);
	int r = 0;

	while (n) {
		r = drop_all(st, why);
		if (r != -ENOSPC || n == 1)
			break;
		n = limit(st, why, n / 2, ids);
	}
	*nr = r ? 0 : n;
	return r;
}

/* Nothing of these can be reclaimed before a merge, and that has no room. */
static void spare_in_memory(const struct dr_store *st, u8 *why)
{
	u32 i;

	for (i = 0; i < st->epochs.nr; i++)
		if (why[i] == DR_KEEP_NOT &&
		    !dr_epoch_in_trees(st, st->epochs.e + i))
			why[i] = DR_KEEP_STATE;
}

/* @ids: not what the policy drops, but the oldest ones */
static int drop(struct dr_store *st, const struct dr_policy *p, u32 max,
		u32 *ids, u32 *nr)
{
	const struct dr_env *env = &st->env;
	u8 *why;
	int r;

	*nr = 0;
	/* A replay counts on what it has looked at. */
	if (st->replay)
		return 0;
	why = env->alloc(env->ctx, st->epochs.nr);
	if (!why)
		return -ENOMEM;
	if (ids)
		dr_retain_oldest(&st->epochs, p, st->head, why);
	else
		dr_retain(&st->epochs, p, st->head, why);
	if (ids && !dr_reclaim_ready(st))
		spare_in_memory(st, why);
	r = drop_first(st, why, max, ids, nr);
	env->free(env->ctx, why);
	return r;
}

int dr_retain_drop(struct dr_store *st, const struct dr_policy *p, u32 *nr)
{
	*nr = 0;
	return p->drops ? drop(st, p, ~0u, NULL, nr) : 0;
}

int dr_retain_drop_oldest(struct dr_store *st, const struct dr_policy *p,
			  u32 max, u32 *ids, u32 *nr)
{
	return drop(st, p, max, ids, nr);
}

int dr_drop_now(struct dr_store *st, u32 epoch)
{
	const struct dr_env *env = &st->env;
	int r = st->replay ? -EBUSY : dr_store_may_drop(st, epoch);
	u8 *why;

	if (r)
		return r;
	why = env->alloc(env->ctx, st->epochs.nr);
	if (!why)
		return -ENOMEM;
	memset(why, DR_KEEP_ALL, st->epochs.nr);
	why[dr_epochs_from(&st->epochs, epoch)] = DR_KEEP_NOT;
	r = drop_all(st, why);
	env->free(env->ctx, why);
	return r;
}
