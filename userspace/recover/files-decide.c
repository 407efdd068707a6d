// SPDX-License-Identifier: GPL-2.0
/*
 * files-decide.c - judge one path: what base, bad and now say together.
 *
 * Content is merged as a whole. Attributes are merged one by one where the
 * damage left the content alone: who worked in a file whose mode was spoilt
 * keeps the work and gets the mode back. Where the content is damaged, too,
 * an attribute that is neither bad's nor base's makes the path mixed.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files-plan.h"
#include "recover/select.h"

size_t plan_add(struct maker *m, const char *path, enum files_action action,
		char type)
{
	struct files_plan *plan = m->plan;
	struct files_item *item = grow(plan->item, plan->nr,
				       &m->room_items, sizeof(*item));

	if (!item)
		return NO_ITEM;
	plan->item = item;
	item += plan->nr;
	memset(item, 0, sizeof(*item));
	item->path = strdup(path);
	if (!item->path)
		return NO_ITEM;
	item->action = action;
	item->type = type;
	return plan->nr++;
}

void item_mixed(struct files_item *item, const char *why, ...)
{
	va_list ap;

	item->action = FILES_MIXED;
	item->bytes = 0;
	free(item->why);
	va_start(ap, why);
	if (vasprintf(&item->why, why, ap) < 0)
		item->why = NULL;
	va_end(ap);
}

/* What was deleted was so when its directory changed last, or before. */
bool path_selected(const struct maker *m, const struct place *place,
		   const char *path, const struct entry *base,
		   const struct entry *bad)
{
	const struct entry *e = entry_there(bad) ? bad : base;
	struct stat st = { .st_mode = e->mode, .st_uid = e->uid,
			   .st_gid = e->gid };

	if (!m->select)
		return true;
	if (!select_path(m->select, path))
		return false;
	st.st_mtim.tv_sec = e == bad ? bad->mtime.sec : place->bad_time.sec;
	st.st_ctim.tv_sec = e == bad ? bad->ctime.sec : place->bad_time.sec;
	return select_stat(m->select, &st);
}

static bool one_of(uint64_t now, uint64_t a, uint64_t b)
{
	return now == a || now == b;
}

/*
 * A change of owner takes set-user-id, set-group-id and capabilities away: an
 * interrupted run of ours may have left them so.
 */
static bool owner_changes(const struct entry *base, const struct entry *bad)
{
	return base->uid != bad->uid || base->gid != bad->gid;
}

static bool mode_between(const struct entry *base, const struct entry *bad,
			 const struct entry *now)
{
	if (one_of(now->mode, base->mode, bad->mode))
		return true;
	return owner_changes(base, bad) &&
	       one_of(now->mode, base->mode & ~(S_ISUID | S_ISGID),
		      bad->mode & ~(S_ISUID | S_ISGID));
}

static bool xattr_between(const struct entry *base, const struct entry *bad,
			  const struct entry *now, const char *name)
{
	if (entry_same_xattr(now, base, name) ||
	    entry_same_xattr(now, bad, name))
		return true;
	return owner_changes(base, bad) && !entry_xattr(now, name) &&
	       !strcmp(name, ENTRY_CAPABILITY);
}

/* Is each attribute of now as in base or as in bad? */
static bool attrs_between(struct entry *base, struct entry *bad,
			  struct entry *now)
{
	const struct entry *all[] = { base, bad, now };
	size_t i, j;

	if (!mode_between(base, bad, now) ||
	    !one_of(now->uid, base->uid, bad->uid) ||
	    !one_of(now->gid, base->gid, bad->gid) ||
	    (now->flags & ~(base->flags | bad->flags)))
		return false;
	for (i = 0; i < 3; i++)
		for (j = 0; j < all[i]->nr_xattrs; j++)
			if (!xattr_between(base, bad, now,
					   all[i]->xattr[j].name))
				return false;
	return true;
}

static int add_name(struct files_item *item, size_t *len, const char *name)
{
	size_t more = strlen(name) + 1;
	char *grown = realloc(item->xattrs, *len + more + 1);

	if (!grown)
		return -ENOMEM;
	item->xattrs = grown;
	memcpy(grown + *len, name, more);
	*len += more;
	grown[*len] = '\0';
	return 0;
}

/*
 * Which extended attributes are to become as in base: those that now has
 * otherwise, and either (@bad NULL) all of them or those that bad spoilt.
 */
static int merge_xattrs(struct files_item *item, struct entry *base,
			struct entry *bad, struct entry *now, bool *mixed)
{
	const struct entry *both[] = { base, bad ? bad : now };
	size_t i, j, len = 0;
	int ret = 0;

	for (i = 0; i < 2; i++)
		for (j = 0; !ret && j < both[i]->nr_xattrs; j++) {
			const char *name = both[i]->xattr[j].name;

			if ((i && entry_xattr(base, name)) ||
			    entry_same_xattr(now, base, name) ||
			    (bad && entry_same_xattr(bad, base, name) &&
			     !(owner_changes(base, bad) &&
			       xattr_between(base, bad, now, name))))
				continue;
			if (bad && !xattr_between(base, bad, now, name))
				*mixed = true;
			item->set |= ENTRY_XATTRS;
			ret = add_name(item, &len, name);
		}
	return ret;
}

/* The damage changed @diff, attributes only; now may have other content. */
static int merge_attrs(struct files_item *item, unsigned int diff,
		       struct entry *base, struct entry *bad,
		       struct entry *now)
{
	bool mixed = false;
	int ret;

	/* The owner that we give back may have cost the mode its bits. */
	if (!mode_between(base, bad, now))
		mixed = diff & ENTRY_MODE;
	else if (!one_of(now->mode, base->mode, bad->mode))
		diff |= ENTRY_MODE;
	if (owner_changes(base, bad) && !entry_xattr(now, ENTRY_CAPABILITY))
		diff |= ENTRY_XATTRS;
	mixed |= !one_of(now->uid, base->uid, bad->uid) && (diff & ENTRY_UID);
	mixed |= !one_of(now->gid, base->gid, bad->gid) && (diff & ENTRY_GID);
	if ((diff & ENTRY_MODE) && now->mode != base->mode)
		item->set |= ENTRY_MODE;
	if ((diff & ENTRY_UID) && now->uid != base->uid)
		item->set |= ENTRY_UID;
	if ((diff & ENTRY_GID) && now->gid != base->gid)
		item->set |= ENTRY_GID;
	if ((diff & ENTRY_FLAGS) && now->flags != base->flags)
		item->set |= ENTRY_FLAGS;
	ret = diff & ENTRY_XATTRS ?
	      merge_xattrs(item, base, bad, now, &mixed) : 0;
	if (mixed)
		item_mixed(item, "attributes changed since the damage");
	else
		item->action = item->set ? FILES_ATTRS : FILES_DONE;
	return ret;
}

/* Content came to be base's; what differs yet are attributes. */
static int finish_attrs(struct files_item *item, unsigned int diff,
			struct entry *base, struct entry *now)
{
	bool mixed = false;

	item->action = FILES_ATTRS;
	item->set = diff & ENTRY_ATTRS & ~ENTRY_XATTRS;
	return merge_xattrs(item, base, NULL, now, &mixed);
}

static bool written_now(const struct entry *now)
{
	bool busy;
	int fd;

	if (!S_ISREG(now->mode))
		return false;
	fd = entry_reopen(now, O_RDONLY | O_NOATIME);
	if (fd < 0)
		return false;
	/* A lease for reading is not given while there is a writer. */
	busy = fcntl(fd, F_SETLEASE, F_RDLCK) && errno == EAGAIN;
	close(fd);
	return busy;
}

static int decide_content(struct maker *m, struct files_item *item,
			  struct entry *base, struct entry *bad,
			  struct entry *now, unsigned int to_base)
{
	unsigned int to_bad;
	int ret = entry_diff(bad, now, &m->plan->compared_bytes, &to_bad);

	if (ret)
		return ret;
	if (((to_bad & ENTRY_CONTENT) && (to_base & ENTRY_CONTENT)) ||
	    !attrs_between(base, bad, now)) {
		item_mixed(item, "changed since the damage");
		return 0;
	}
	if (!(to_base & ENTRY_CONTENT))
		return finish_attrs(item, to_base, base, now);
	if (written_now(now)) {
		item_mixed(item, "open for writing");
		return 0;
	}
	item->action = FILES_RESTORE;
	item->bytes = S_ISREG(base->mode) ? base->size : 0;
	return 0;
}

/* Base has none. */
static int decide_created(struct maker *m, struct files_item *item,
			  struct entry *bad, struct entry *now)
{
	unsigned int to_bad;
	int ret = entry_diff(bad, now, &m->plan->compared_bytes, &to_bad);

	if (ret)
		return ret;
	if (to_bad) {
		item_mixed(item, "changed since the damage");
		return 0;
	}
	item->action = FILES_QUARANTINE;
	item->bytes = S_ISREG(now->mode) ? now->size : 0;
	return 0;
}

/* Both are there now, too. */
static int decide_there(struct maker *m, struct files_item *item,
			struct entry *base, struct entry *bad,
			struct entry *now, unsigned int diff)
{
	uint64_t *compared = &m->plan->compared_bytes;
	unsigned int to_base, to_bad;
	int ret;

	ret = entry_diff(base, now, compared, &to_base);
	if (ret)
		return ret;
	if (!to_base) {
		item->action = FILES_DONE;
		return 0;
	}
	if (!entry_there(bad)) {
		/* Made by an earlier run that was interrupted? */
		if (to_base == ENTRY_FLAGS && !(now->flags & ~base->flags))
			return finish_attrs(item, to_base, base, now);
		item_mixed(item, "made again since the damage");
		return 0;
	}
	if (diff & ENTRY_TYPE) {
		ret = entry_diff(bad, now, compared, &to_bad);
		if (ret)
			return ret;
		if (to_bad)
			item_mixed(item, "changed since the damage");
		else if (written_now(now))
			item_mixed(item, "open for writing");
		else
			item->action = FILES_RESTORE;
		item->bytes = S_ISREG(base->mode) &&
			      item->action == FILES_RESTORE ? base->size : 0;
		return 0;
	}
	if (to_base & ENTRY_TYPE) {
		item_mixed(item, "of another type since the damage");
		return 0;
	}
	return diff & ENTRY_CONTENT ?
	       decide_content(m, item, base, bad, now, to_base) :
	       merge_attrs(item, diff, base, bad, now);
}

static void decide_absent(struct place *place, struct files_item *item,
			  const struct entry *base, const struct entry *bad)
{
	if (!entry_there(base)) {
		item->action = FILES_DONE;
	} else if (entry_there(bad)) {
		item_mixed(item, "removed since the damage");
	} else if (place->now < 0 && !place->will_be) {
		item_mixed(item, "its directory is not there any more");
	} else {
		item->action = FILES_BRING_BACK;
		item->bytes = S_ISREG(base->mode) ? base->size : 0;
		item->parent_gone = place->now < 0;
	}
}

/* What an interrupted run may have left under a name of its own */
static int look_for_leftover(struct maker *m, struct place *place,
			     struct files_item *item, struct entry *base,
			     struct entry *bad)
{
	struct entry left;
	unsigned int diff;
	char name[64];
	int ret;

	if (place->now < 0)
		return 0;
	ret = entry_open(place->now, entry_temp_name(item->path, name), &left);
	if (ret || !entry_there(&left))
		return 0;
	item->leftover = true;
	if (entry_there(base)) {
		ret = entry_diff(base, &left, &m->plan->compared_bytes, &diff);
		item->leftover_known = !ret && !(diff & ~ENTRY_ATTRS);
	}
	if (!ret && !item->leftover_known && entry_there(bad)) {
		ret = entry_diff(bad, &left, &m->plan->compared_bytes, &diff);
		item->leftover_known = !ret && !(diff & ~ENTRY_FLAGS);
	}
	entry_close(&left);
	return ret;
}

static int by_inode(const void *a, const void *b)
{
	const struct link_need *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

void needs_add(struct maker *m)
{
	size_t i;

	if (m->nr_needs)
		qsort(m->need, m->nr_needs, sizeof(*m->need), by_inode);
	for (i = 0; i < m->nr_needs; i++) {
		if (i && m->need[i].ino == m->need[i - 1].ino)
			continue;
		m->plan->write_bytes += m->need[i].bytes;
		m->plan->need_bytes += m->need[i].bytes;
	}
}

/* Without memory it counts at once, and so more than once. */
static bool add_link_need(struct maker *m, const struct entry *base,
			  uint64_t bytes)
{
	struct link_need *need;

	if (!S_ISREG(base->mode) || base->nlink < 2)
		return false;
	need = grow(m->need, m->nr_needs, &m->room_needs, sizeof(*need));
	if (!need)
		return false;
	m->need = need;
	need[m->nr_needs++] = (struct link_need){ base->ino, bytes };
	return true;
}

static void add_need(struct maker *m, const struct files_item *item,
		     const struct entry *base, const struct entry *now)
{
	uint64_t bytes = base->blocks * 512;

	if (item->action != FILES_RESTORE && item->action != FILES_BRING_BACK)
		return;
	if (bytes > m->plan->largest_bytes)
		m->plan->largest_bytes = bytes;
	if (add_link_need(m, base, bytes))
		return;
	m->plan->write_bytes += bytes;
	if (item->action == FILES_RESTORE && S_ISREG(now->mode) &&
	    now->nlink == 1)
		bytes -= bytes < now->blocks * 512 ? bytes :
			 now->blocks * 512;
	m->plan->need_bytes += bytes;
}

int decide(struct maker *m, struct place *place, const char *name,
	   const char *path, struct entry *base, struct entry *bad,
	   unsigned int diff, size_t *item)
{
	struct entry now = ENTRY_NONE;
	struct files_item *it;
	int ret = 0;

	*item = plan_add(m, path, FILES_DONE,
			 entry_type(entry_there(base) ? base : bad));
	if (*item == NO_ITEM)
		return -ENOMEM;
	it = &m->plan->item[*item];
	place_look(place);
	if (place->now >= 0)
		ret = entry_open(place->now, name, &now);
	else if (place->now_error != -ENOENT && place->now_error != -ENOTDIR &&
		 place->now_error != -ELOOP)
		ret = place->now_error;
	if (ret == -EXDEV)
		item_mixed(it, "another file system is mounted there");
	else if (ret)
		item_mixed(it, "cannot be looked at: %s", strerror(-ret));
	if (ret)
		return error_is_ours(ret) ? ret : 0;
	entry_seen(&now, &it->seen);
	if (!entry_there(&now))
		decide_absent(place, it, base, bad);
	else if (!entry_there(base))
		ret = decide_created(m, it, bad, &now);
	else
		ret = decide_there(m, it, base, bad, &now, diff);
	if (!ret)
		ret = look_for_leftover(m, place, it, base, bad);
	if (ret && !error_is_ours(ret)) {
		item_mixed(it, "cannot be read: %s", strerror(-ret));
		ret = 0;
	}
	if (entry_there(base))
		add_need(m, it, base, &now);
	entry_close(&now);
	return ret;
}
