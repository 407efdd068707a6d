// SPDX-License-Identifier: GPL-2.0
/*
 * want.c - what must be there, from the marks so far.
 *
 * Of each epoch the content, exactly; of the head, which is the one that may
 * lose something, also what was durable at the last flush, and what was written
 * since: each sector may hold any of these (C1). Of what was asked for and not
 * answered yet: what the new head would show.
 */
#include <stdarg.h>

#include "marks.h"
#include "states.h"

struct epoch *want_find(const struct want *w, u32 id)
{
	u32 i;

	for (i = w->nr; i-- > 0;)
		if (w->e[i].id == id)
			return w->e + i;
	return NULL;
}

static struct epoch *must_find(const struct want *w, u32 id)
{
	struct epoch *e = want_find(w, id);

	if (!e)
		die("mark '%s': epoch %u was never opened", w->last, id);
	return e;
}

static void *copy_of(const void *p, size_t size)
{
	return memcpy(malloc(size), p, size);
}

static size_t key_bytes(const struct want *w)
{
	return w->nr_sectors * sizeof(u64);
}

static size_t writer_bytes(const struct want *w)
{
	return w->nr_blocks * sizeof(u32);
}

/* A new epoch that shows @key (and has nothing of its own) */
static void add(struct want *w, u32 id, u32 parent, const u64 *key,
		const u32 *writer)
{
	if (want_find(w, id))
		die("mark '%s': epoch %u is there already", w->last, id);
	if (w->nr == w->max) {
		w->max = w->max ? 2 * w->max : 64;
		w->e = realloc(w->e, w->max * sizeof(*w->e));
	}
	w->e[w->nr++] = (struct epoch){
		.id = id, .parent = parent,
		.key = copy_of(key, key_bytes(w)),
		.writer = copy_of(writer, writer_bytes(w)),
	};
}

static void open_head(struct want *w, u32 id, u32 parent, const u64 *key,
		      const u32 *writer)
{
	add(w, id, parent, key, writer);
	memcpy(w->durable, key, key_bytes(w));
	w->nr_late = 0;
	w->head = id;
}

static void begin(struct want *w, u32 nr)
{
	u32 *writer, i;

	w->nr_sectors = nr;
	w->nr_blocks = (nr + PER_BLOCK - 1) / PER_BLOCK;
	w->origin = malloc(key_bytes(w));
	w->durable = malloc(key_bytes(w));
	w->next_key = malloc(key_bytes(w));
	w->next_writer = malloc(writer_bytes(w));
	writer = calloc(w->nr_blocks, sizeof(*writer));
	for (i = 0; i < nr; i++)
		w->origin[i] = i;
	open_head(w, 1, 0, w->origin, writer);
	free(writer);
}

static void write_to(struct want *w, u32 s, u32 x, u32 nr)
{
	struct epoch *h = must_find(w, w->head);
	u32 i;

	if (x + nr > w->nr_sectors)
		die("mark '%s': outside", w->last);
	for (i = x; i < x + nr; i++) {
		h->key[i] = s ? (u64)s << 32 | i : KEY_ZERO;
		h->writer[i / PER_BLOCK] = h->id;
	}
	if (w->nr_late == w->max_late) {
		w->max_late = w->max_late ? 2 * w->max_late : 64;
		w->late = realloc(w->late, w->max_late * sizeof(*w->late));
	}
	w->late[w->nr_late++] = (struct late){ x, nr, s };
}

bool want_head(const struct want *w, u32 x, u64 key)
{
	const struct late *l = w->late;
	u32 i;

	if (key == w->durable[x])
		return true;
	for (i = 0; i < w->nr_late; i++, l++)
		if (x - l->x < l->nr &&
		    key == (l->s ? (u64)l->s << 32 | x : KEY_ZERO))
			return true;
	return false;
}

/* What a head shows that is opened when what is asked for is done */
static void set_next(struct want *w)
{
	const struct epoch *h = must_find(w, w->head), *e = h;
	u64 *key = w->next_key;
	u32 b, x;

	if (w->asked == 'r' && !w->arg) {
		memcpy(key, w->origin, key_bytes(w));
		memset(w->next_writer, 0, writer_bytes(w));
		return;
	}
	if (w->asked == 'r')
		e = must_find(w, w->arg);
	memcpy(key, e->key, key_bytes(w));
	memcpy(w->next_writer, e->writer, writer_bytes(w));
	if (w->asked != 'q')
		return;
	/* Without what that epoch wrote: as the one before it, where it shows */
	e = must_find(w, must_find(w, w->arg)->parent);
	for (b = 0; b < w->nr_blocks; b++) {
		if (h->writer[b] != w->arg)
			continue;
		/* No later replay leaves that out again: crashload sees to it. */
		w->next_writer[b] = ~0u;
		for (x = b * PER_BLOCK;
		     x < min((b + 1) * PER_BLOCK, w->nr_sectors); x++)
			key[x] = e->key[x];
	}
}

/* What a commit of @id drops */
static void set_below(struct want *w, u32 id)
{
	struct epoch *e;
	u32 i, p;

	for (i = 0; i < w->nr; i++)
		w->e[i].below = false;
	for (p = must_find(w, id)->parent; p; p = e->parent) {
		e = must_find(w, p);
		e->below = true;
	}
}

static void drop_below(struct want *w)
{
	u32 i;

	for (i = 0; i < w->nr; i++) {
		w->e[i].dropped |= w->e[i].below;
		w->e[i].below = false;
	}
}

static void asked(struct want *w, char what, u32 arg)
{
	w->asked = what;
	w->arg = arg;
	if (strchr("crpq", what))
		set_next(w);
	if (what == 'm')
		set_below(w, arg);
}

static void acknowledged(struct want *w, char what, u32 a, u32 b, u32 c)
{
	switch (what) {
	case 'C':
		open_head(w, b, a, w->next_key, w->next_writer);
		break;
	case 'P':
		open_head(w, a, w->head, w->next_key, w->next_writer);
		break;
	case 'R':
		open_head(w, b, a, w->next_key, w->next_writer);
		break;
	case 'Q':
		add(w, b, w->head, w->next_key, w->next_writer);
		open_head(w, c, b, w->next_key, w->next_writer);
		break;
	case 'D':
		must_find(w, a)->dropped = true;
		break;
	case 'M':
		drop_below(w);
		w->fold = a;
		break;
	case 'E':
		w->fold = 0;
		w->base = a;
		memcpy(w->origin, must_find(w, a)->key, key_bytes(w));
		break;
	case 'F':
		memcpy(w->durable, must_find(w, w->head)->key, key_bytes(w));
		w->nr_late = 0;
		break;
	case 'Z':
		w->over = true;
		break;
	}
	/* The end of a commit, or of nothing, is no answer to what was asked. */
	if (!strchr("EF", what))
		w->asked = 0;
}

char want_mark(struct want *w, const char *text, bool *origin)
{
	u32 v[3] = { 0 };
	char what, word;

	snprintf(w->last, sizeof(w->last), "%.40s", text);
	what = text[0];
	w->seen++;
	if (what == 'A') {
		if (sscanf(text, "A %c", &word) != 1)
			die("mark '%s'", w->last);
		*origin = word == 'o';
		return what;
	}
	sscanf(text + 1, "%u %u %u", v, v + 1, v + 2);
	if (what == 'B')
		begin(w, v[0]);
	else if (!w->nr_sectors || !strchr("wzcrpqxdmFCRPQXDMENZ", what))
		die("mark '%s' where it has no place", w->last);
	else if (what == 'w')
		write_to(w, v[0], v[1], v[2]);
	else if (what == 'z')
		write_to(w, 0, v[0], v[1]);
	else if (what >= 'a')
		asked(w, what, v[0]);
	else
		acknowledged(w, what, v[0], v[1], v[2]);
	return what;
}

void want_init(struct want *w)
{
	memset(w, 0, sizeof(*w));
}
