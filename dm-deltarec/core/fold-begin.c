// SPDX-License-Identifier: GPL-2.0
/*
 * fold-begin.c - what may be committed to the origin, how that begins and ends, and
 * which epochs are in it; see fold.h.
 */
#include "fold.h"
#include "retain.h"
#include "seen.h"
#include "start.h"

bool dr_fold_root(const struct dr_epochs *t, const struct dr_fold *f, u32 i)
{
	u32 parent = t->e[i].parent;

	if (t->e[i].gone || parent >= f->epoch || dr_fold_has(f, t->e[i].id))
		return false;
	return !parent || dr_fold_has(f, parent);
}

void dr_fold_hold(struct dr_store *st, int by)
{
	if (st->commit_lock)
		st->commit_lock(st->env.ctx);
	dr_epochs_find(&st->epochs, st->fold.epoch)->held += by;
	if (st->commit_unlock)
		st->commit_unlock(st->env.ctx);
}

/* A branch in which nobody is retained keeps nothing. */
u32 dr_fold_roots(const struct dr_epochs *t, const struct dr_fold *f,
		  const struct dr_order *o, u32 *root)
{
	u32 i, n = 0;

	for (i = 0; i < t->nr; i++) {
		if (!dr_fold_root(t, f, i) ||
		    o->kept[o->end[i]] == o->kept[o->pos[i]])
			continue;
		if (root && n < FOLD_ROOTS)
			root[n] = i;
		n++;
	}
	return n;
}

static int check_roots(const struct dr_store *st, u32 epoch)
{
	const struct dr_env *env = &st->env;
	struct dr_fold f = { .epoch = epoch };
	struct dr_order o;
	int r = dr_order_make(&o, st);

	f.lineage = r ? NULL : dr_lineage_make(&st->epochs, env, epoch);
	if (!f.lineage)
		r = -ENOMEM;
	else if (dr_fold_roots(&st->epochs, &f, &o, NULL) > FOLD_ROOTS)
		r = -E2BIG;
	env->free(env->ctx, f.lineage);
	dr_order_exit(&o, env);
	return r;
}

int dr_fold_may(const struct dr_store *st, u32 epoch, bool ended, u32 *who)
{
	const struct dr_epoch *e = dr_epochs_find(&st->epochs, epoch);
	struct dr_epochs t = st->epochs;
	struct dr_start start;

	if (ended)
		t.session = 0;
	*who = epoch;
	if (epoch == DR_BASE_EPOCH || !e || e->state == DR_EPOCH_DROPPED)
		return -ENOENT;
	if (st->fold.epoch)
		return st->fold.epoch == epoch ? -EALREADY : -EBUSY;
	if (st->replay || e->state != DR_EPOCH_SEALED)
		return -EBUSY;
	if (epoch >= st->head || !dr_lineage_has(st->lineage, epoch))
		return -ESTALE;
	if (e->marks & DR_MARK_SUSPECT)
		return -EPERM;
	while (e->parent) {
		e = dr_epochs_find(&st->epochs, e->parent);
		*who = e->id;
		if (e->state == DR_EPOCH_DROPPED)
			continue;
		switch (dr_retain_protects(&t, e)) {
		case DR_KEEP_NOT:
			break;
		case DR_KEEP_HELD:
			return -ETXTBSY;
		default:
			return -EPERM;
		}
	}
	*who = DR_BASE_EPOCH;
	dr_start_get(st, &start);
	/* A session may be taken back to it. */
	if (!ended && start.flags & DR_START_SESSION && !start.session)
		return -EPERM;
	return st->base_held ? -ETXTBSY : check_roots(st, epoch);
}

/*
 * What the epoch's own writes, and those of the branches, were made upon is
 * not known any more: no rule may pass over them.
 */
static void cut(struct dr_store *st)
{
	struct dr_epochs *t = &st->epochs;
	struct dr_fold *f = &st->fold;
	u32 i;

	for (i = 0; i < t->nr; i++) {
		if (t->e[i].id != f->epoch && !dr_fold_root(t, f, i))
			continue;
		t->e[i].flags |= DR_EPOCH_CUT;
		t->e[i].dirty = true;
	}
}

struct was {
	u8 state;
	u16 flags;
};

/* Drop what is below the epoch on its lineage. */
static void drop_below(struct dr_store *st)
{
	struct dr_epochs *t = &st->epochs;
	u32 i;

	for (i = 0; i < t->nr && t->e[i].id < st->fold.epoch; i++) {
		struct dr_epoch *e = t->e + i;

		if (e->gone || !dr_fold_has(&st->fold, e->id) ||
		    e->state != DR_EPOCH_SEALED)
			continue;
		e->state = DR_EPOCH_DROPPED;
		dr_store_visit(st, e);
	}
}

static int begin(struct dr_store *st, struct was *was)
{
	const struct dr_env *env = &st->env;
	__le64 ro_compat = st->sb.ro_compat;
	struct dr_epochs *t = &st->epochs;
	u32 i;
	int r;

	for (i = 0; i < t->nr; i++)
		was[i] = (struct was){ t->e[i].state, t->e[i].flags };
	env->lock(env->ctx);
	drop_below(st);
	cut(st);
	env->unlock(env->ctx);
	st->sb.ro_compat |= cpu_to_le64(DR_RO_COMPAT_COMMIT);
	st->sb.commit_epoch = cpu_to_le32(st->fold.epoch);
	dr_store_begin(st);
	r = dr_store_commit(st, false);
	if (!r)
		return 0;
	dr_store_abort(st);
	st->sb.commit_epoch = 0;
	st->sb.ro_compat = ro_compat;
	env->lock(env->ctx);
	for (i = 0; i < t->nr; i++) {
		t->e[i].state = was[i].state;
		t->e[i].flags = was[i].flags;
	}
	env->unlock(env->ctx);
	return r;
}

int dr_fold_begin(struct dr_store *st, u32 epoch, u32 *who)
{
	const struct dr_env *env = &st->env;
	int r = dr_fold_may(st, epoch, false, who);
	struct dr_lineage *l;
	struct was *was;

	if (r)
		return r;
	l = dr_lineage_make(&st->epochs, env, epoch);
	was = env->alloc(env->ctx, st->epochs.nr * sizeof(*was));
	/* Who looks how far it is holds the lock. */
	env->lock(env->ctx);
	st->fold = (struct dr_fold){ .epoch = l ? epoch : 0, .lineage = l };
	env->unlock(env->ctx);
	r = l && was ? begin(st, was) : -ENOMEM;
	env->free(env->ctx, was);
	if (r)
		dr_fold_close(st);
	else
		dr_fold_hold(st, 1);
	return r;
}

int dr_fold_open(struct dr_store *st)
{
	struct dr_fold *f = &st->fold;
	struct dr_epoch *e;

	f->epoch = le32_to_cpu(st->sb.commit_epoch);
	if (!f->epoch)
		return 0;
	e = dr_epochs_find(&st->epochs, f->epoch);
	if (!e || e->state != DR_EPOCH_SEALED) {
		st->env.report(st->env.ctx, "epoch", f->epoch,
			       "it is being committed, but is not there");
		return -EUCLEAN;
	}
	f->lineage = dr_lineage_make(&st->epochs, &st->env, f->epoch);
	if (!f->lineage)
		return -ENOMEM;
	e->held++;
	return 0;
}

void dr_fold_close(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct dr_lineage *l = st->fold.lineage;

	env->lock(env->ctx);
	memset(&st->fold, 0, sizeof(st->fold));
	env->unlock(env->ctx);
	env->free(env->ctx, l);
}

void dr_fold_progress(const struct dr_store *st, u64 *done, u64 *total)
{
	const struct dr_epochs *t = &st->epochs;
	const struct dr_fold *f = &st->fold;
	u32 i, before = 0, pass = 0, all = 0;

	for (i = 0; i < t->nr && t->e[i].id <= f->epoch; i++) {
		if (!dr_fold_has(f, t->e[i].id))
			continue;
		all++;
		before += t->e[i].id < f->from;
		pass += t->e[i].id >= f->from && t->e[i].id <= f->to;
	}
	*total = st->nr_map_blocks;
	*done = all ? div_u64(before * *total + pass * f->block, all) : *total;
}
