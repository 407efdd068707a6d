// SPDX-License-Identifier: GPL-2.0
/*
 * past.c - checkpoints, and what looks at or changes the past.
 */
#include "model.h"

static void pend(struct model *m, enum pend_kind kind, u32 sealed, u32 other)
{
	m->pend = kind;
	m->pend_sealed = sealed;
	m->pend_head = m->st->head;
	m->pend_other = other;
	m->pend_era = m->era;
	m->pend_label[0] = 0;
}

/* The pending control record is durable. */
void ctl_done(struct model *m)
{
	struct or_epoch *e;

	say(m, "control record of kind %d is durable", m->pend);
	switch (m->pend) {
	case PEND_REPLAY:
		or_exact(&m->o, m->pend_other);
		dr_replay_end(m->st);
		__attribute__((fallthrough));
	case PEND_SEAL:
	case PEND_ROLLBACK:
		or_exact(&m->o, m->pend_sealed);
		e = or_find(&m->o, m->pend_sealed);
		strcpy(e->label, m->pend_label);
		break;
	case PEND_DROP:
		or_find(&m->o, m->pend_other)->dropped = true;
		break;
	default:
		break;
	}
	m->pend = PEND_NONE;
	dr_store_free_old(m->st);
}

static void pick_label(struct model *m, char *label)
{
	*label = 0;
	if (chance(&m->rng, 20))
		snprintf(label, DR_LABEL_MAX, "l%u", rnd(&m->rng, 6));
}

static bool label_used(const struct model *m, const char *label)
{
	u32 i;

	for (i = 0; *label && i < m->o.nr; i++)
		if (!m->o.e[i]->dropped && !strcmp(m->o.e[i]->label, label))
			return true;
	return false;
}

int op_checkpoint(struct model *m)
{
	char label[DR_LABEL_MAX + 1];
	s64 r;

	if (ctl_pump(m) || ring_room(m))
		return -EIO;
	pick_label(m, label);
	for (;;) {
		r = check_ret(m, "prepare", dr_store_prepare(m->st));
		if (r < 0)
			return r;
		lock(m);
		r = dr_store_seal(m->st, label, 0, m->nr_ops);
		unlock(m);
		if (r != -EAGAIN)
			break;
		if (make_room(m))
			return -EIO;
	}
	if (r == -EEXIST && label_used(m, label))
		return 0;
	if (r < 0 || label_used(m, label))
		fail(m, "seal: %lld", (long long)r);
	say(m, "checkpoint %lld '%s', head %u", (long long)r, label,
	    m->st->head);
	or_add(&m->o, m->st->head, r);
	m->era++;
	pend(m, PEND_SEAL, r, 0);
	strcpy(m->pend_label, label);
	/* Mostly the caller waits; then others go on meanwhile. */
	return chance(&m->rng, 30) ? ctl_pump(m) : 0;
}

/* A sealed, retained epoch or 0 */
u32 random_sealed(struct model *m, u32 from)
{
	u32 i, n = 0, id = 0;

	for (i = 0; i < m->o.nr; i++) {
		const struct or_epoch *e = m->o.e[i];

		if (!e->sealed || e->dropped ||
		    (m->pend == PEND_DROP && m->pend_other == e->id) ||
		    (from && !or_descends(&m->o, from, e->id)))
			continue;
		if (!rnd(&m->rng, ++n))
			id = e->id;
	}
	return id;
}

/* Nothing in flight, all recorded and flushed, no control record pending */
static int quiesce(struct model *m)
{
	int r = ctl_pump(m);

	if (!r)
		r = io_drain(m, ~0ULL);
	return r ? r : flush_all(m);
}

int op_rollback(struct model *m)
{
	u32 to = random_sealed(m, 0), sealed = m->st->head;
	s64 r;

	if (m->st->replay)
		return 0;
	if (chance(&m->rng, 5))
		to = 0;
	r = quiesce(m);
	if (!r)
		r = ring_room(m);
	if (r)
		return r;
	r = dr_store_rollback(m->st, to, m->nr_ops);
	if (r == -EBUSY && !to && m->fold)
		return 0;
	if (r < 0)
		fail(m, "rollback to %u: %lld", to, (long long)r);
	say(m, "rollback to %u, head %u", to, m->st->head);
	or_add(&m->o, m->st->head, to);
	pend(m, PEND_ROLLBACK, sealed, 0);
	return ctl_pump(m);
}

/* --- replay -------------------------------------------------------------- */

static int replay_begin(struct model *m)
{
	s64 r;

	if (op_checkpoint(m) || ctl_pump(m) || merge_all(m))
		return -EIO;
	r = dr_replay_begin(m->st);
	if (r < 0)
		fail(m, "replay begin: %lld", (long long)r);
	say(m, "replay begin: %lld", (long long)r);
	m->nr_rules = 0;
	m->replay_note.len = 0;
	m->counted = m->st->published;
	return 0;
}

static int replay_rule(struct model *m)
{
	struct dr_rule *rule = m->rule + m->nr_rules;
	s64 r;

	if (m->nr_rules == ARRAY_SIZE(m->rule) ||
	    random_rule(m, m->st->lineage, m->st->head, rule))
		return 0;
	r = dr_replay_rule(m->st, rule);
	if (r != ++m->nr_rules)
		fail(m, "rule: %lld", (long long)r);
	say(m, "rule %llu+%llu epochs %u..%u%s", ull(rule->block),
	    ull(rule->len), rule->from, rule->to,
	    rule->drop_later ? " drop later" : "");
	return 0;
}

static int replay_step(struct model *m)
{
	int r = merge_all(m);

	if (!r)
		r = release(m);
	if (r)
		return r;
	r = step_or_not(m, dr_replay_step);
	if (r == -EAGAIN)
		return 0;
	say(m, "replay step: %d", r);
	r = check_ret(m, "replay step", r);
	if (r == 1) {
		m->release = true;
		m->release_final = false;
		m->release_era = ++m->era;
	}
	return r < 0 ? r : 0;
}

static u64 slot_of(const struct or_ver *v)
{
	return v ? v->slot : DR_SLOT_ORIGIN;
}

/* Does the replay have a version of the block, and in which slot? */
static bool made(struct model *m, const struct dr_lineage *l, u32 id, u64 block,
		 u64 *slot)
{
	struct dr_snap snap;
	struct dr_state s;

	dr_store_snap(m->st, &snap);
	if (lookup(m, &snap, l, id, block, 1, &s))
		return false;
	*slot = s.slot;
	return s.epoch == id;
}

/*
 * The versions of the replay @id on top of @sealed. In which slot a commit left
 * something only the store knows, and so whether a replay changes that; what is
 * seen then is known. Return: how many they are
 */
static u64 or_replay(struct model *m, u32 id, u32 sealed)
{
	struct or_ver *own = calloc(1, sizeof(*own) + m->spb * sizeof(u64));
	struct dr_lineage *l = dr_lineage_make(&m->st->epochs, &m->env, id);
	struct or_rules rs = { sealed, m->rule, m->nr_rules };
	const struct or_ver *v, *now;
	u64 b, n = 0;
	bool differs;
	u32 i;

	for (b = 0; b < m->o.nr_blocks; b++) {
		v = survivor(m, &rs, b);
		now = or_state(&m->o, sealed, b);
		own->slot = slot_of(v);
		differs = own->slot != slot_of(now);
		if (m->folded)
			differs = made(m, l, id, b, &own->slot);
		if (!differs && !or_same(&m->o, v, now, b))
			fail(m, "replay %u has left block %llu", id, ull(b));
		if (!differs)
			continue;
		own->merged = v && v->merged;
		for (i = 0; i < m->spb; i++)
			own->val[i] = or_sector(&m->o, v, b * m->spb + i);
		or_set(&m->o, id, b, own);
		n++;
	}
	m->env.free(m->env.ctx, l);
	free(own);
	return n;
}

static int count_rule(struct model *m, u64 *changed)
{
	struct dr_replay_count c;
	u64 cursor = 0;
	int r;

	*changed = 0;
	do {
		r = dr_replay_count(m->st, m->rule, cursor, &c);
		if (check_ret(m, "count", r) < 0)
			return -EIO;
		*changed += c.changed;
		cursor = c.next;
	} while (cursor != ~0ULL);
	return 0;
}

static int commit_now(struct dr_store *st)
{
	return dr_replay_commit(st, 99);
}

static int replay_commit(struct model *m)
{
	u32 id = m->st->replay->epoch, sealed = m->st->head;
	u64 counted = ~0ULL, changed, n;
	int r;

	r = quiesce(m);
	if (!r)
		r = merge_all(m);
	if (!r)
		r = ring_room(m);
	if (!r && m->nr_rules == 1 && m->counted == m->st->published)
		r = count_rule(m, &counted);
	while (!r) {
		r = step_or_not(m, commit_now);
		if (r == -EAGAIN) {
			r = 0;
			continue;
		}
		r = check_ret(m, "replay commit", r);
		if (r != 1)
			break;
		m->release = true;
		m->release_final = false;
		m->release_era = ++m->era;
		r = release(m);
	}
	if (r)
		return r;
	changed = m->st->replay->changed;
	or_add(&m->o, id, sealed)->note = m->replay_note;
	n = or_replay(m, id, sealed);
	say(m, "replay %u committed, %llu changed, head %u", id, ull(changed),
	    m->st->head);
	or_add(&m->o, m->st->head, id);
	pend(m, PEND_REPLAY, sealed, id);
	if (changed != n || (counted != ~0ULL && counted != changed))
		fail(m, "replay changed %llu, counted %llu, should be %llu",
		     ull(changed), ull(counted), ull(n));
	verify_preview(m, sealed, id, m->st->replay->mixed);
	return ctl_pump(m);
}

/* All of it at once: then the dry run can be compared as well. */
static int replay_whole(struct model *m)
{
	int r = replay_begin(m);

	if (!r)
		r = replay_rule(m);
	return r ? r : replay_commit(m);
}

int op_replay(struct model *m)
{
	int r;

	if (!m->st->replay)
		return chance(&m->rng, 30) ? replay_whole(m) : replay_begin(m);
	switch (rnd(&m->rng, 8)) {
	case 0:
	case 1:
	case 2:
		return replay_rule(m);
	case 3:
	case 4:
		return replay_step(m);
	case 5:
	case 6:
		return replay_commit(m);
	}
	if (ctl_pump(m) || ring_room(m))
		return -EIO;
	r = check_ret(m, "abort", dr_replay_abort(m->st));
	if (r)
		return r;
	say(m, "replay aborted");
	pend(m, PEND_ABORT, 0, 0);
	return 0;
}

/* --- drop, reclaim, grow ------------------------------------------------- */

static int drop_one(struct model *m, u32 id)
{
	int r = ctl_pump(m);

	if (!r)
		r = ring_room(m);
	if (r)
		return r;
	lock(m);
	r = dr_store_drop(m->st, id);
	unlock(m);
	if ((r == -ETXTBSY && (is_viewed(m, id) || id == m->fold)) ||
	    (r == -EADDRINUSE && id == m->start))
		return 0;
	if (r || is_viewed(m, id) || id == m->start)
		fail(m, "drop %u: %d", id, r);
	say(m, "drop %u", id);
	pend(m, PEND_DROP, 0, id);
	return 0;
}

int op_drop(struct model *m)
{
	u32 id = random_sealed(m, 0);
	int r;

	if (!id || m->st->replay)
		return 0;
	r = drop_one(m, id);
	return !r && chance(&m->rng, 50) ? ctl_pump(m) : r;
}

/* Nobody who is retained may see what an epoch that is gone had. */
static void check_gone(struct model *m, const struct or_epoch *gone)
{
	u64 b;
	u32 i;

	for (b = 0; b < m->o.nr_blocks; b++) {
		if (!gone->ver[b] || gone->ver[b]->kept)
			continue;
		for (i = 0; i < m->o.nr; i++)
			if (!m->o.e[i]->dropped &&
			    or_writer(&m->o, m->o.e[i]->id, b) == gone->id)
				fail(m, "epoch %u is gone, but %u needs block %llu",
				     gone->id, m->o.e[i]->id, ull(b));
	}
}

/* Epochs that reclaim has taken out of the table */
void sync_gone(struct model *m)
{
	u32 i, k;

	for (i = 0; i < m->o.nr;) {
		struct or_epoch *e = m->o.e[i];

		if (!e->dropped || dr_epochs_find(&m->st->epochs, e->id)) {
			i++;
			continue;
		}
		check_gone(m, e);
		pass_on_kept(m, e);
		for (k = 0; k < m->o.nr; k++)
			if (m->o.e[k]->parent == e->id)
				m->o.e[k]->parent = e->parent;
		say(m, "epoch %u is gone", e->id);
		or_remove(&m->o, e->id);
	}
}

/* @merge: percent: how often all is merged before a step */
static int reclaim_some(struct model *m, u32 n, u32 merge)
{
	int r, more = 1;

	while (more && n--) {
		r = chance(&m->rng, merge) ? merge_all(m) : 0;
		if (!r)
			r = release(m);
		if (r)
			return r;
		more = step_or_not(m, dr_reclaim_step);
		if (more == -EAGAIN)
			continue;
		say(m, "reclaim step: %d", more);
		more = check_ret(m, "reclaim", more);
		if (more < 0)
			return more;
		m->release = true;
		m->release_final = false;
		m->release_era = ++m->era;
		sync_gone(m);
	}
	if (!more)
		verify_reclaimed(m);
	return 0;
}

int reclaim_all(struct model *m)
{
	return m->st->replay ? 0 : reclaim_some(m, ~0u, 100);
}

int op_reclaim(struct model *m)
{
	static const u32 merge[] = { 0, 20, 100 };

	return reclaim_some(m, chance(&m->rng, 50) ? 1 : 1000,
			    merge[rnd(&m->rng, ARRAY_SIZE(merge))]);
}

/* What is held is all that is left; and is it enough? */
int op_purge(struct model *m)
{
	u32 i, nr = 0, id[64];
	int r;

	if (m->st->replay)
		return 0;
	r = ctl_pump(m);
	if (r)
		return r;
	open_views(m);
	for (i = 0; i < m->o.nr && nr < ARRAY_SIZE(id); i++)
		if (m->o.e[i]->sealed && !m->o.e[i]->dropped)
			id[nr++] = m->o.e[i]->id;
	for (i = 0; !r && i < nr; i++)
		r = drop_one(m, id[i]);
	if (!r)
		r = ctl_pump(m);
	if (!r)
		r = reclaim_some(m, ~0u, 100);
	if (!r)
		verify_views(m);
	return dead(m) ? -EIO : r;
}

int op_grow(struct model *m)
{
	u64 nr = m->disk.nr + rnd(&m->rng, m->disk.max - m->disk.nr + 1);
	int r = ctl_pump(m);

	if (!r)
		r = io_drain(m, ~0ULL);
	if (!r)
		r = release(m);
	if (r)
		return r;
	m->disk.nr = nr;
	say(m, "grow to %llu", ull(nr));
	r = check_ret(m, "grow", dr_store_grow(m->st, nr));
	if (r == 1)
		dr_store_release(m->st, false);
	return min(r, 0);
}
