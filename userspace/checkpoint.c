// SPDX-License-Identifier: GPL-2.0
/*
 * checkpoint.c - seal the head epoch.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint.h"
#include "cli.h"
#include "device.h"
#include "epochs.h"

/*
 * Nothing is mounted: what was written through the device's own page cache
 * must still be in the epoch.
 */
void checkpoint_write_cache(const char *name)
{
	char node[512];
	int fd = open(mapper_node(name, node, sizeof(node)),
		      O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd))
		warn(node, "page cache not written out (errno %d)", errno);
	if (fd >= 0)
		close(fd);
}

static const char *message_of(const struct checkpoint_options *o)
{
	return o->message ? o->message : DR_MSG_CHECKPOINT;
}

static int seal(const char *name, const struct checkpoint_options *o,
		bool frozen, char **reply)
{
	const char *label = o->label ? o->label : DR_WORD_NONE;

	if (frozen)
		return mapper_message(name, reply, "%s %s " DR_WORD_FROZEN,
				      message_of(o), label);
	if (o->label)
		return mapper_message(name, reply, "%s %s", message_of(o),
				      label);
	return mapper_message(name, reply, "%s", message_of(o));
}

/*
 * Has the head no writes? Asked while everything is frozen: it says nothing,
 * and a head that we cannot ask about has some.
 */
static bool is_empty(const char *name, const struct epoch *head)
{
	struct device_status status = { 0 };
	uint64_t sectors;
	char type[32], *params;
	bool empty;

	if (mapper_status(name, type, &sectors, &params))
		return false;
	empty = !device_status_parse(params, &status) && !status.fail &&
		status.head == head->id && !status.head_blocks;
	free(params);
	return empty;
}

/* What can take the place of a new epoch if the head has no writes? */
static int find_parent(const char *name, struct epoch *head, bool *found)
{
	const struct epoch *now, *parent;
	struct epochs epochs;
	int code = epochs_load(name, &epochs);

	if (code)
		return code;
	now = epochs_head(&epochs);
	parent = now ? epochs_parent(&epochs, now) : NULL;
	*found = parent && epoch_is(parent->state, DR_STATE_SEALED);
	if (*found)
		*head = *now;
	epochs_free(&epochs);
	return DR_EXIT_OK;
}

static int seal_frozen(const char *name, const struct checkpoint_options *o,
		       const struct epoch *head, struct checkpoint *cp)
{
	struct freeze *fr = &cp->freeze;
	char *reply = NULL;
	uint64_t epoch = 0;
	int code = DR_EXIT_OK, ret = 0;

	/* "frozen" is a promise about everything that is mounted from it. */
	cp->frozen = fr->nr && fr->nr_frozen == fr->nr;
	cp->made = !head || !is_empty(name, head);
	if (cp->made)
		ret = seal(name, o, cp->frozen, &reply);
	if (!o->no_freeze)
		code = freeze_end(fr);
	if (ret)
		code = message_fail(name, message_of(o), ret);
	else if (cp->made && message_number(name, reply, &epoch))
		code = DR_EXIT_OPERATIONAL;
	else
		cp->epoch = cp->made ? epoch : head->parent;
	free(reply);
	return code;
}

int checkpoint_make(const char *name, dev_t devno,
		    const struct checkpoint_options *o, struct checkpoint *cp)
{
	struct epoch head;
	bool can_skip = false;
	int code = DR_EXIT_OK;

	memset(cp, 0, sizeof(*cp));
	cp->freeze.lock = -1;
	if (o->skip_empty)
		code = find_parent(name, &head, &can_skip);
	if (code)
		return code;
	if (!o->no_freeze) {
		checkpoint_write_cache(name);
		code = freeze_begin(&cp->freeze, devno, name);
		if (code)
			return code;
	}
	code = seal_frozen(name, o, can_skip ? &head : NULL, cp);
	if (code)
		checkpoint_free(cp);
	return code;
}

void checkpoint_free(struct checkpoint *cp)
{
	freeze_free(&cp->freeze);
}
