// SPDX-License-Identifier: GPL-2.0
/*
 * at.c - a device, an epoch, a path.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "beneath.h"
#include "cli.h"
#include "device.h"
#include "past/at.h"

static int cut(struct past_at *at, bool with_path)
{
	char *epoch = strchr(at->copy, '@'), *path;
	int code;

	if (!epoch)
		return fail_usage(at->word, "no epoch: not '<name>@<epoch>%s'",
				  with_path ? ":/path" : "");
	*epoch++ = '\0';
	path = strstr(epoch, ":/");
	if (with_path && !path)
		return fail_usage(at->word,
				  "no path: not '<name>@<epoch>:/path'");
	if (!with_path && path)
		return fail_usage(at->word,
				  "has a path: not '<name>@<epoch>'");
	if (path) {
		*path = '\0';
		at->path = path + 1;
	}
	at->epoch_word = epoch;
	code = device_name(at->copy, &at->device);
	return code ? code : epoch_parse(epoch, &at->ref);
}

int at_parse(const char *word, bool with_path, struct past_at *at)
{
	memset(at, 0, sizeof(*at));
	at->root = -1;
	at->past.scratch.layer.fd = -1;
	at->past.view.layer.fd = -1;
	at->word = word;
	at->copy = strdup(word);
	if (!at->copy)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	return cut(at, with_path);
}

int at_resolve(struct past_at *at)
{
	struct device_status status;
	int code = device_status(at->device, &status);

	return code ? code : epoch_resolve(at->device, at->epoch_word,
					   &at->ref, &at->epoch);
}

int at_open(struct past_at *at, const char *volume)
{
	size_t nr;
	int code;

	code = past_open(at->device, at->epoch, NULL, 0, PAST_NO_MOUNT,
			 &at->past);
	if (!code)
		code = inside_pick(&at->past.inside, volume, at->word, &nr);
	if (!code)
		code = past_mount_own(&at->past, nr, at->word, 0);
	if (code)
		return code;
	at->root = open(at->past.vol[nr].dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return at->root < 0 ? fail_errno(at->word, "open", -errno) :
	       DR_EXIT_OK;
}

void at_close(struct past_at *at)
{
	if (at->root >= 0)
		close(at->root);
	at->root = -1;
	past_close(&at->past);
	free(at->copy);
	at->copy = NULL;
}

int at_find(const struct past_at *at, bool follow, int *code)
{
	int fd = open_beneath(at->root, at->path,
			      O_PATH | (follow ? 0 : O_NOFOLLOW),
			      RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	if (fd >= 0)
		return fd;
	*code = fd == -ENOENT || fd == -ENOTDIR ?
		fail(DR_EXIT_OPERATIONAL, at->word,
		     "'dmdelta ls' shows what there was",
		     "no such file in this epoch") :
		fail_errno(at->word, "open", fd);
	return -1;
}
