// SPDX-License-Identifier: GPL-2.0
/*
 * txn.c - the log of a transaction, see txn.h.
 */
#include "txn.h"

int dr_txn_init(struct dr_txn *txn, const struct dr_env *env,
		struct dr_space *sp, const u8 *uuid)
{
	u32 i;

	memset(txn, 0, sizeof(*txn));
	txn->env = env;
	txn->sp = sp;
	txn->uuid = uuid;
	txn->max_log = DR_TXN_LOG;
	txn->max_fed = ~0ULL;
	txn->log = env->alloc(env->ctx, DR_TXN_LOG * sizeof(*txn->log));
	txn->fresh = env->alloc(env->ctx, DR_TXN_FRESH * sizeof(u64));
	if (!txn->log || !txn->fresh)
		goto fail;
	for (i = 0; i < DR_MAX_LEVEL; i++) {
		txn->old[i] = env->alloc(env->ctx, DR_BLOCK_SIZE);
		if (!txn->old[i])
			goto fail;
	}
	for (i = 0; i <= DR_MAX_LEVEL; i++) {
		txn->build[i].node[0] = env->alloc(env->ctx, DR_BLOCK_SIZE);
		txn->build[i].node[1] = env->alloc(env->ctx, DR_BLOCK_SIZE);
		if (!txn->build[i].node[0] || !txn->build[i].node[1])
			goto fail;
	}
	return 0;
fail:
	dr_txn_exit(txn);
	return -ENOMEM;
}

void dr_txn_exit(struct dr_txn *txn)
{
	const struct dr_env *env = txn->env;
	u32 i;

	if (!env)
		return;
	env->free(env->ctx, txn->log);
	env->free(env->ctx, txn->fresh);
	for (i = 0; i < DR_MAX_LEVEL; i++)
		env->free(env->ctx, txn->old[i]);
	for (i = 0; i <= DR_MAX_LEVEL; i++) {
		env->free(env->ctx, txn->build[i].node[0]);
		env->free(env->ctx, txn->build[i].node[1]);
	}
	memset(txn, 0, sizeof(*txn));
}

void dr_txn_begin(struct dr_txn *txn, u64 gen)
{
	txn->gen = gen;
	txn->kept = txn->nr_log;
	txn->fed = 0;
	txn->asked = 0;
	txn->leave = 0;
	txn->nr_fresh = 0;
	txn->nr_spare = 0;
	txn->nodes_before = txn->sp->nodes;
}

bool dr_txn_roomy(struct dr_txn *txn)
{
	const struct dr_env *env = txn->env;

	if (txn->nr_log >= txn->max_log / 2 || txn->fed >= txn->max_fed)
		return false;
	if (++txn->asked < DR_TXN_PIECES || txn->asked % DR_TXN_EACH)
		return true;
	return !env->waited_for || !env->waited_for(env->ctx);
}

bool dr_txn_smaller(struct dr_txn *txn)
{
	if (txn->max_fed == 1 || !txn->fed)
		return false;
	txn->max_fed = max_t(u64, min(txn->max_fed, txn->fed) / 2, 1);
	return true;
}

void dr_txn_larger(struct dr_txn *txn)
{
	txn->max_fed = txn->max_fed > ~0ULL / 2 ? ~0ULL : 2 * txn->max_fed;
}

static int log_add(struct dr_txn *txn, u64 block, u32 nr, enum dr_txn_op op)
{
	struct dr_txn_entry *e;

	if (txn->nr_log > txn->kept && op != DR_TXN_TAKE) {
		e = txn->log + txn->nr_log - 1;
		if (e->op == op && e->block + e->nr == block &&
		    e->nr <= ~0u - nr) {
			e->nr += nr;
			return 0;
		}
	}
	if (txn->nr_log == txn->max_log)
		return -ENOSPC;
	e = txn->log + txn->nr_log++;
	*e = (struct dr_txn_entry){ .block = block, .nr = nr, .op = op };
	return 0;
}

int dr_txn_name(struct dr_txn *txn, u64 block, u32 nr)
{
	int r;

	if (!dr_space_valid(txn->sp, block, nr))
		return -EUCLEAN;
	r = log_add(txn, block, nr, DR_TXN_NAME);
	if (r)
		return r;
	/* Named twice: two versions would own one slot. */
	return dr_space_set_disk(txn->sp, block, nr) == nr ? 0 : -EUCLEAN;
}

static int give(struct dr_txn *txn, u64 block, u32 nr, enum dr_txn_op op)
{
	const struct dr_env *env = txn->env;
	bool named = op != DR_TXN_GIVE_NEW;
	int r = log_add(txn, block, nr, op);

	if (r)
		return r;
	env->lock(env->ctx);
	txn->sp->pending += nr;
	env->unlock(env->ctx);
	if (named && dr_space_clear_disk(txn->sp, block, nr) != nr)
		return -EUCLEAN;
	return 0;
}

int dr_txn_give(struct dr_txn *txn, u64 block, u32 nr)
{
	/* What is given up comes from the disk. */
	if (!dr_space_valid(txn->sp, block, nr))
		return -EUCLEAN;
	return give(txn, block, nr, dr_space_is_disk(txn->sp, block) ?
		    DR_TXN_GIVE : DR_TXN_GIVE_NEW);
}

u64 dr_txn_take_node(struct dr_txn *txn)
{
	const struct dr_env *env = txn->env;
	u64 block;

	if (txn->nr_spare) {
		/* The last of the spare ones; the list stays in one piece. */
		block = txn->fresh[--txn->nr_spare];
		txn->fresh[txn->nr_spare] = txn->fresh[--txn->nr_fresh];
	} else {
		if (txn->nr_log == txn->max_log)
			return 0;
		env->lock(env->ctx);
		/* An activation that gives up helps nobody. */
		block = txn->hold || txn->sp->free > txn->leave ?
			dr_space_take_node(txn->sp) : 0;
		env->unlock(env->ctx);
		if (!block)
			return 0;
		log_add(txn, block, 1, DR_TXN_TAKE);
	}
	dr_space_set_disk(txn->sp, block, 1);
	txn->sp->nodes++;
	return block;
}

int dr_txn_give_node(struct dr_txn *txn, u64 block, u64 gen)
{
	int r;

	if (!dr_space_valid(txn->sp, block, 1))
		return -EUCLEAN;
	if (gen == txn->gen && txn->nr_fresh < DR_TXN_FRESH) {
		/* Its TAKE stays in the log: an abort frees it for good. */
		txn->fresh[txn->nr_fresh++] = block;
		dr_space_clear_disk(txn->sp, block, 1);
	} else {
		r = give(txn, block, 1, DR_TXN_GIVE_NODE);
		if (r)
			return r;
	}
	txn->sp->nodes--;
	return 0;
}

static void set_free(struct dr_txn *txn, u64 block, u32 nr, u32 pending)
{
	const struct dr_env *env = txn->env;

	env->lock(env->ctx);
	dr_space_clear_busy(txn->sp, block, nr);
	txn->sp->pending -= pending;
	env->unlock(env->ctx);
}

void dr_txn_settle(struct dr_txn *txn)
{
	txn->nr_spare = txn->nr_fresh;
}

static void set_pending(struct dr_txn *txn, u32 nr)
{
	const struct dr_env *env = txn->env;

	env->lock(env->ctx);
	txn->sp->pending -= nr;
	env->unlock(env->ctx);
}

bool dr_txn_wrote(const struct dr_txn *txn)
{
	u32 i;

	for (i = txn->kept; i < txn->nr_log; i++)
		if (txn->log[i].op == DR_TXN_TAKE)
			return true;
	return false;
}

void dr_txn_abort(struct dr_txn *txn)
{
	u32 i = txn->nr_log;

	while (i-- > txn->kept) {
		const struct dr_txn_entry *e = txn->log + i;

		switch (e->op) {
		case DR_TXN_TAKE:
			dr_space_clear_disk(txn->sp, e->block, e->nr);
			set_free(txn, e->block, e->nr, 0);
			break;
		case DR_TXN_NAME:
			dr_space_clear_disk(txn->sp, e->block, e->nr);
			break;
		case DR_TXN_GIVE:
		case DR_TXN_GIVE_NODE:
			dr_space_set_disk(txn->sp, e->block, e->nr);
			set_pending(txn, e->nr);
			break;
		case DR_TXN_GIVE_NEW:
			set_pending(txn, e->nr);
			break;
		}
	}
	txn->sp->nodes = txn->nodes_before;
	txn->nr_log = txn->kept;
	txn->nr_fresh = 0;
	txn->nr_spare = 0;
}

#define FREE_PIECE	4096u	/* blocks in one go under the lock */

/*
 * Make free what a tree does not name. It may have got a name again since it
 * was given up: the replay of a journal over a state that is newer than its
 * beginning goes back and forth (J7).
 */
static void give_back(struct dr_txn *txn, const struct dr_txn_entry *e)
{
	const struct dr_env *env = txn->env;
	u64 block = e->block, end = block + e->nr, to;

	for (; block < end; block = to) {
		bool named = dr_space_is_disk(txn->sp, block);

		for (to = block + 1; to < end && to - block < FREE_PIECE; to++)
			if (dr_space_is_disk(txn->sp, to) != named)
				break;
		if (named) {
			set_pending(txn, to - block);
			continue;
		}
		if (env->freed)
			env->freed(env->ctx, block, to - block);
		set_free(txn, block, to - block, to - block);
	}
}

/* May something that was given up be named by a journal that counts? */
static bool journaled(const struct dr_txn *txn, enum dr_txn_op op, bool final)
{
	return !final && (op == DR_TXN_GIVE_NEW ||
			  (op == DR_TXN_GIVE && txn->hold));
}

void dr_txn_release(struct dr_txn *txn, bool final)
{
	struct dr_txn_entry *e;
	u32 i, n = 0;

	for (i = 0; i < txn->nr_log; i++) {
		e = txn->log + i;
		if (e->op == DR_TXN_TAKE || e->op == DR_TXN_NAME)
			continue;
		if (journaled(txn, e->op, final)) {
			/* Too many: they stay busy until the next activation. */
			if (n < txn->max_log / 4)
				txn->log[n++] = *e;
			else
				set_pending(txn, e->nr);
		} else {
			give_back(txn, e);
		}
	}
	for (i = 0; i < txn->nr_fresh; i++)
		set_free(txn, txn->fresh[i], 1, 0);
	txn->nr_log = n;
	txn->nr_fresh = 0;
	txn->nr_spare = 0;
}
