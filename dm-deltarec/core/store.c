// SPDX-License-Identifier: GPL-2.0
/*
 * store.c - a delta device: format, open, commit, grow.
 *
 * Two superblocks are written in turn, generation n to place n mod 2; the
 * valid one with the higher generation counts (J6). Everything else is
 * reached from it through checksums.
 */
#include "fold.h"
#include "start.h"

/* Feature bits that this code knows */
#define KNOWN_INCOMPAT	0ULL
#define KNOWN_RO_COMPAT	(DR_RO_COMPAT_NOTES | DR_RO_COMPAT_MARKS | \
			 DR_RO_COMPAT_COMMIT | DR_RO_COMPAT_START)

/* --- superblock ---------------------------------------------------------- */

static void root_decode(struct dr_root *r, const struct dr_disk_root *d)
{
	r->block = le64_to_cpu(d->block);
	r->nr = le64_to_cpu(d->nr);
	r->crc = le32_to_cpu(d->crc);
	r->level = le16_to_cpu(d->level);
}

static void root_encode(struct dr_disk_root *d, const struct dr_root *r)
{
	memset(d, 0, sizeof(*d));
	d->block = cpu_to_le64(r->block);
	d->nr = cpu_to_le64(r->nr);
	d->crc = cpu_to_le32(r->crc);
	d->level = cpu_to_le16(r->level);
}

static bool root_bad(const struct dr_disk_root *d, u64 nr_blocks)
{
	return le64_to_cpu(d->block) >= nr_blocks ||
	       le16_to_cpu(d->level) >= DR_MAX_LEVEL;
}

static bool has_notes(const struct dr_disk_super *sb)
{
	return le64_to_cpu(sb->ro_compat) & DR_RO_COMPAT_NOTES;
}

static bool power_of_two(u32 n)
{
	return n && !(n & (n - 1));
}

/* Fields that later code relies on without looking again */
static const char *super_bad(const struct dr_disk_super *sb)
{
	u64 nr = le64_to_cpu(sb->nr_blocks), sectors;
	u32 slot = le32_to_cpu(sb->slot_blocks);
	u32 journal = le32_to_cpu(sb->journal_blocks);

	if (le32_to_cpu(sb->version) != DR_FORMAT_VERSION)
		return "unknown version";
	if (!power_of_two(slot) || slot > DR_MAX_SLOT_BLOCKS)
		return "impossible block size";
	if (nr < DR_MIN_BLOCKS || nr > DR_MAX_BLOCKS ||
	    dr_space_usable(nr) != nr)
		return "impossible size";
	if (journal < DR_JOURNAL_MIN || journal > DR_JOURNAL_MAX ||
	    journal >= nr / 4)
		return "impossible journal";
	if (le32_to_cpu(sb->reserve) >= nr)
		return "impossible reserve";
	sectors = le64_to_cpu(sb->origin_sectors);
	if (!sectors || sectors / DR_BLOCK_SECTORS >= DR_MAX_ORIGIN_BLOCKS)
		return "impossible origin size";
	if (root_bad(&sb->map, nr) || root_bad(&sb->index, nr) ||
	    root_bad(&sb->epochs, nr) ||
	    (has_notes(sb) && root_bad(&sb->notes, nr)))
		return "impossible root";
	if (!le32_to_cpu(sb->head_epoch) ||
	    le32_to_cpu(sb->next_epoch) <= le32_to_cpu(sb->head_epoch) ||
	    le32_to_cpu(sb->next_epoch) > DR_LAST_EPOCH + 1)
		return "impossible epochs";
	if (sb->label[DR_LABEL_MAX] || sb->origin_id[DR_ORIGIN_ID_LEN - 1] ||
	    sb->policy[DR_POLICY_MAX])
		return "unterminated text";
	if (le32_to_cpu(sb->start.flags) & ~DR_START_FLAGS)
		return "unknown flags";
	return NULL;
}

int dr_super_read(const struct dr_env *env, struct dr_disk_super *sb)
{
	struct dr_disk_super *buf;
	bool ours = false, found = false;
	const char *why;
	u32 place;
	int r, err = 0;

	buf = env->alloc(env->ctx, DR_BLOCK_SIZE);
	if (!buf)
		return -ENOMEM;
	for (place = 0; place < 2; place++) {
		r = env->read(env->ctx, place, 1, buf);
		if (r) {
			err = r;
			continue;
		}
		if (le32_to_cpu(buf->head.magic) == DR_MAGIC)
			ours = true;
		why = dr_head_verify(buf, DR_TYPE_SUPER, place, NULL);
		if (!why)
			why = super_bad(buf);
		if (why) {
			if (ours)
				env->report(env->ctx, "superblock", place, why);
			continue;
		}
		if (!found || le64_to_cpu(buf->head.gen) >
			      le64_to_cpu(sb->head.gen))
			*sb = *buf;
		found = true;
	}
	env->free(env->ctx, buf);
	if (!found)
		return ours ? -EUCLEAN : err ? err : -EMEDIUMTYPE;
	if (le64_to_cpu(sb->incompat) & ~KNOWN_INCOMPAT ||
	    le64_to_cpu(sb->ro_compat) & ~KNOWN_RO_COMPAT)
		return -EPROTONOSUPPORT;
	return 0;
}

/* By way of a variable, since the kernel has a macro of that name. */
static int call_barrier(const struct dr_env *env, u64 block, u32 nr,
			const void *buf)
{
	int (*fn)(void *ctx, u64 block, u32 nr, const void *buf) = env->barrier;

	return fn(env->ctx, block, nr, buf);
}

static int write_durably(const struct dr_env *env, u64 block, const void *buf)
{
	return call_barrier(env, block, 1, buf);
}

/* Write the superblock of the next generation; all before it is durable. */
static int super_write(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	u64 gen = st->gen + 1;
	int r;

	dr_head_seal(&st->sb, DR_TYPE_SUPER, gen & 1, gen, st->uuid);
	r = write_durably(env, gen & 1, &st->sb);
	if (!r)
		st->gen = gen;
	return r;
}

/* --- format -------------------------------------------------------------- */

static u32 journal_size(u64 nr_blocks)
{
	return clamp_t(u64, nr_blocks / 32, DR_JOURNAL_MIN, DR_JOURNAL_MAX);
}

/*
 * What data may not take: room for one merge, for reclaim and for a recovery
 * when the device is full. A thirty-second of it, within limits.
 */
static u32 reserve_size(u64 nr_blocks)
{
	return clamp_t(u64, nr_blocks / 32, 256, 65536);
}

u64 dr_format_min_blocks(u32 slot_blocks)
{
	return max_t(u64, DR_MIN_BLOCKS, 16ULL * slot_blocks + 1024);
}

static int format_write(struct dr_store *st, const struct dr_format_params *p)
{
	const struct dr_env *env = &st->env;
	struct dr_epoch *e;
	int r;

	r = dr_epochs_reserve(&st->epochs, env, 1);
	if (r)
		return r;
	e = dr_epochs_add(&st->epochs, 1, DR_BASE_EPOCH, DR_EPOCH_HEAD,
			  DR_MADE_BY_FORMAT);
	e->time = p->now;
	st->head = 1;
	st->next_epoch = 2;
	dr_store_begin(st);
	/* The other place must not hold an older, higher generation: zeroes. */
	r = write_durably(env, 0, st->txn.old[0]);
	if (!r)
		r = dr_store_commit(st, false);
	return r;
}

int dr_format(const struct dr_env *env, const struct dr_format_params *p)
{
	u64 nr = dr_space_usable(p->delta_blocks);
	struct dr_disk_super *sb;
	struct dr_store *st;
	int r;

	if (!power_of_two(p->slot_blocks) ||
	    p->slot_blocks > DR_MAX_SLOT_BLOCKS || !p->origin_sectors)
		return -EINVAL;
	if (p->origin_sectors / DR_BLOCK_SECTORS >= DR_MAX_ORIGIN_BLOCKS)
		return -EFBIG;
	if (nr < dr_format_min_blocks(p->slot_blocks))
		return -ENOSPC;
	st = env->alloc(env->ctx, sizeof(*st));
	if (!st)
		return -ENOMEM;
	st->env = *env;
	st->slot_blocks = p->slot_blocks;
	memcpy(st->uuid, p->uuid, DR_UUID_LEN);
	sb = &st->sb;
	sb->version = cpu_to_le32(DR_FORMAT_VERSION);
	sb->slot_blocks = cpu_to_le32(p->slot_blocks);
	sb->origin_sectors = cpu_to_le64(p->origin_sectors);
	sb->nr_blocks = cpu_to_le64(nr);
	sb->created = cpu_to_le64(p->now);
	sb->journal_blocks = cpu_to_le32(journal_size(nr));
	sb->reserve = cpu_to_le32(reserve_size(nr));
	memcpy(sb->label, p->label,
	       min_t(size_t, strlen(p->label), DR_LABEL_MAX));
	memcpy(sb->origin_id, p->origin_id,
	       min_t(size_t, strlen(p->origin_id), DR_ORIGIN_ID_LEN - 1));
	r = dr_space_init(&st->space, env, nr, p->slot_blocks,
			  journal_size(nr), sb->pages);
	if (!r)
		r = dr_txn_init(&st->txn, env, &st->space, st->uuid);
	st->journal.blocks = journal_size(nr);
	if (!r)
		r = format_write(st, p);
	dr_store_close(st);
	env->free(env->ctx, st);
	return r;
}

/* --- open and close ------------------------------------------------------ */

static int load_epochs(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	const char *why = NULL;
	const struct dr_epoch *h;
	struct dr_cursor c;
	struct dr_epoch e;
	const void *entry;
	u32 last = 0;
	int r;

	r = dr_cursor_init(&c, env, st->uuid, &dr_tree_epochs, &st->etree);
	if (r)
		return r;
	for (r = dr_cursor_ge(&c, (struct dr_key){}, &entry); r == 1;
	     r = dr_cursor_next(&c, &entry)) {
		why = dr_epoch_decode(&e, entry);
		if (!why && (e.id > DR_LAST_EPOCH || e.id <= last))
			why = "number is too high or out of order";
		if (!why && e.parent && !dr_epochs_find(&st->epochs, e.parent))
			why = "parent is missing";
		if (why)
			break;
		r = dr_epochs_reserve(&st->epochs, env, 1);
		if (r)
			break;
		dr_epochs_add(&st->epochs, e.id, e.parent, e.state, e.how);
		st->epochs.e[st->epochs.nr - 1] = e;
		last = e.id;
	}
	dr_cursor_exit(&c);
	h = dr_epochs_find(&st->epochs, st->head);
	if (!r && (!h || h->state != DR_EPOCH_HEAD))
		why = "the head is missing";
	if (!r && !why)
		why = dr_start_load(st);
	if (why) {
		env->report(env->ctx, "epoch", r == 1 ? e.id : st->head, why);
		return -EUCLEAN;
	}
	return r;
}

static void super_decode(struct dr_store *st)
{
	const struct dr_disk_super *sb = &st->sb;

	memcpy(st->uuid, sb->head.uuid, DR_UUID_LEN);
	st->gen = le64_to_cpu(sb->head.gen);
	st->slot_blocks = le32_to_cpu(sb->slot_blocks);
	st->origin_sectors = le64_to_cpu(sb->origin_sectors);
	st->nr_map_blocks = div_u64(st->origin_sectors +
				    st->slot_blocks * DR_BLOCK_SECTORS - 1,
				    st->slot_blocks * DR_BLOCK_SECTORS);
	root_decode(&st->map, &sb->map);
	root_decode(&st->index, &sb->index);
	root_decode(&st->etree, &sb->epochs);
	if (has_notes(sb))
		root_decode(&st->notes, &sb->notes);
	st->head = le32_to_cpu(sb->head_epoch);
	st->next_epoch = le32_to_cpu(sb->next_epoch);
	st->journal.blocks = le32_to_cpu(sb->journal_blocks);
	st->journal.session = le64_to_cpu(sb->session);
	st->journal.tail_seq = le64_to_cpu(sb->tail_seq);
	st->journal.tail_prev_crc = le32_to_cpu(sb->tail_prev_crc);
	st->journal.seq = st->journal.tail_seq;
	st->journal.prev_crc = st->journal.tail_prev_crc;
}

int dr_store_open(struct dr_store *st, u64 device_blocks, u32 mem_entries)
{
	const struct dr_env *env = &st->env;
	struct dr_epoch *h;
	u64 nr;
	u32 i;
	int r;

	r = dr_super_read(env, &st->sb);
	if (r)
		return r;
	super_decode(st);
	nr = le64_to_cpu(st->sb.nr_blocks);
	if (device_blocks < nr)
		return -ENXIO;
	st->device_blocks = device_blocks;
	r = dr_space_init(&st->space, env, nr, st->slot_blocks,
			  st->journal.blocks, st->sb.pages);
	if (!r)
		r = dr_space_load(&st->space, env, st->uuid);
	st->space.nodes = le64_to_cpu(st->sb.nodes);
	if (!r)
		r = dr_txn_init(&st->txn, env, &st->space, st->uuid);
	if (!r)
		r = load_epochs(st);
	if (!r)
		r = dr_fold_open(st);
	/* Two tables, recorded as badly as can be, fit into half of the ring. */
	mem_entries = min(mem_entries,
			  st->journal.blocks / 16 * DR_JOURNAL_RECORDS);
	if (!r)
		r = dr_mem_init(st->table, env, mem_entries);
	if (!r)
		r = dr_mem_init(st->table + 1, env, mem_entries);
	if (!r)
		r = dr_merge_init(st);
	if (r)
		goto fail;
	st->space.reserve = le32_to_cpu(st->sb.reserve);
	for (i = 0; i < 2; i++)
		st->table[i].max_ranges = clamp_t(u32, st->journal.blocks / 32,
						  2, DR_MEM_RANGES);
	st->active = st->table;
	st->active_since = st->head;
	h = dr_epochs_find(&st->epochs, st->head);
	st->head_blocks = h->nr_blocks;
	st->head_read_first = h->read_first;
	st->lineage = dr_lineage_make(&st->epochs, env, st->head);
	if (st->lineage)
		return 0;
	r = -ENOMEM;
fail:
	dr_store_close(st);
	return r;
}

void dr_store_close(struct dr_store *st)
{
	const struct dr_env *env = &st->env;

	dr_fold_close(st);
	dr_merge_exit(st);
	dr_mem_exit(st->table, env);
	dr_mem_exit(st->table + 1, env);
	dr_txn_exit(&st->txn);
	dr_space_exit(&st->space, env);
	dr_epochs_exit(&st->epochs, env);
	env->free(env->ctx, st->lineage);
	env->free(env->ctx, st->lineage_next);
	env->free(env->ctx, st->lineage_old);
	st->lineage = NULL;
	st->lineage_next = NULL;
	st->lineage_old = NULL;
	st->active = NULL;
	st->frozen = NULL;
	st->retired = NULL;
}

/* --- commit -------------------------------------------------------------- */

void dr_store_begin(struct dr_store *st)
{
	dr_txn_begin(&st->txn, st->gen + 1);
	st->new_map = st->map;
	st->new_index = st->index;
	st->new_etree = st->etree;
	st->new_notes = st->notes;
}

void dr_store_abort(struct dr_store *st)
{
	/*
	 * A superblock whose write failed may count after the next power cut:
	 * all that it leads to stays as it is, taken.
	 */
	if (st->broken)
		return;
	/*
	 * Nodes may still be on their way to blocks that are free after this.
	 * Whoever gets one must not have it overwritten by a node that nobody
	 * wants any more, whether or not that was written without an error.
	 */
	if (dr_txn_wrote(&st->txn))
		call_barrier(&st->env, 0, 0, NULL);
	dr_txn_abort(&st->txn);
}

/* Bring the records that changed into the tree of epochs */
static int apply_epochs(struct dr_store *st)
{
	const struct dr_env *env = &st->env;
	struct dr_epoch *h = dr_epochs_find(&st->epochs, st->head);
	struct dr_batch b;
	u32 i;
	int r;

	h->nr_blocks = st->head_blocks;
	h->read_first = READ_ONCE(st->head_read_first);
	h->dirty = true;
	r = dr_batch_init(&b, env, &dr_tree_epochs, 1024);
	for (i = 0; !r && i < st->epochs.nr; i++) {
		struct dr_epoch *e = st->epochs.e + i;

		if (!e->dirty)
			continue;
		dr_epoch_encode(dr_batch_at(&b, b.nr), e);
		b.del[b.nr++] = e->gone;
		if (b.nr == b.max) {
			r = dr_tree_apply(&st->txn, &st->new_etree, &b);
			b.nr = 0;
			dr_txn_settle(&st->txn);
		}
	}
	if (!r)
		r = dr_tree_apply(&st->txn, &st->new_etree, &b);
	dr_batch_exit(&b, env);
	return r;
}

/* The journal's new tail: what the merged table was recorded in is behind */
static void set_tail(struct dr_store *st, bool merged)
{
	struct dr_journal *j = &st->journal;
	u64 seq = j->tail_seq;
	u32 crc = j->tail_prev_crc;

	if (merged && st->tail_known) {
		seq = st->tail_seq;
		crc = st->tail_prev_crc;
	} else if (merged) {
		seq = j->seq;
		crc = j->prev_crc;
	}
	st->sb.tail_seq = cpu_to_le64(seq);
	st->sb.tail_prev_crc = cpu_to_le32(crc);
}

static void fill_super(struct dr_store *st)
{
	u64 ro_compat = le64_to_cpu(st->sb.ro_compat) &
			~(DR_RO_COMPAT_NOTES | DR_RO_COMPAT_START);

	/* Who does not know the tree may write only while it is empty. */
	if (st->new_notes.block)
		ro_compat |= DR_RO_COMPAT_NOTES;
	/* Who does not know what to go back to would drop it. */
	if (dr_start_used(st))
		ro_compat |= DR_RO_COMPAT_START;
	st->sb.ro_compat = cpu_to_le64(ro_compat);
	st->sb.nr_blocks = cpu_to_le64(st->space.nr_blocks);
	st->sb.session = cpu_to_le64(st->journal.session);
	st->sb.head_epoch = cpu_to_le32(st->head);
	st->sb.next_epoch = cpu_to_le32(st->next_epoch);
	st->sb.nr_epochs = cpu_to_le32((u32)st->new_etree.nr);
	st->sb.nodes = cpu_to_le64(st->space.nodes);
	root_encode(&st->sb.map, &st->new_map);
	root_encode(&st->sb.index, &st->new_index);
	root_encode(&st->sb.epochs, &st->new_etree);
	root_encode(&st->sb.notes, &st->new_notes);
}

/* The new roots are durable: readers may have them. */
static void install(struct dr_store *st, bool merged)
{
	u32 i;

	st->map = st->new_map;
	st->index = st->new_index;
	st->etree = st->new_etree;
	st->notes = st->new_notes;
	st->journal.tail_seq = le64_to_cpu(st->sb.tail_seq);
	st->journal.tail_prev_crc = le32_to_cpu(st->sb.tail_prev_crc);
	if (merged && st->frozen) {
		/* In the trees is as good as in the journal. */
		st->frozen->recorded = st->frozen->used;
		/* A group that is still out must not know it again. */
		st->frozen->first = ~0ULL;
		st->retired = st->frozen;
		st->frozen = NULL;
	}
	for (i = 0; i < st->epochs.nr; i++)
		st->epochs.e[i].dirty = false;
	dr_epochs_purge(&st->epochs);
}

/*
 * From here on there is no way back: pages change places, and another commit
 * would write over those that the durable superblock names. So whatever goes
 * wrong, memory included, is an I/O error to who tells them apart.
 */
static int write_commit(struct dr_store *st, bool merged)
{
	const struct dr_env *env = &st->env;
	int r;

	r = dr_space_commit(&st->space, env, st->txn.gen, st->uuid);
	if (!r) {
		env->lock(env->ctx);
		set_tail(st, merged);
		env->unlock(env->ctx);
		fill_super(st);
		r = super_write(st);
		st->broken = r;
	}
	return r ? -EIO : 0;
}

int dr_store_commit(struct dr_store *st, bool merged)
{
	const struct dr_env *env = &st->env;
	int r;

	if (st->commit_lock)
		st->commit_lock(env->ctx);
	r = apply_epochs(st);
	if (!r)
		r = write_commit(st, merged);
	if (!r) {
		env->lock(env->ctx);
		install(st, merged);
		env->unlock(env->ctx);
	}
	if (st->commit_unlock)
		st->commit_unlock(env->ctx);
	return r;
}

void dr_store_release(struct dr_store *st, bool final)
{
	dr_txn_release(&st->txn, final);
	if (st->retired) {
		dr_mem_reset(st->retired);
		st->env.lock(st->env.ctx);
		st->retired = NULL;
		st->env.unlock(st->env.ctx);
	}
}

/* --- growing -------------------------------------------------------------- */

int dr_store_grow(struct dr_store *st, u64 device_blocks)
{
	u64 nr = dr_space_usable(device_blocks);
	struct dr_space old;
	int r;

	st->device_blocks = device_blocks;
	if (nr <= st->space.nr_blocks)
		return 0;
	r = dr_space_grow(&st->space, &st->env, nr, &old);
	if (r)
		return r;
	dr_store_begin(st);
	r = dr_store_commit(st, false);
	if (!r) {
		dr_space_exit(&old, &st->env);
		return 1;
	}
	dr_store_abort(st);
	/* No journal may name what the superblock does not know. */
	if (st->broken)
		dr_space_exit(&old, &st->env);
	else
		dr_space_undo_grow(&st->space, &st->env, &old);
	return r;
}
