// SPDX-License-Identifier: GPL-2.0
/*
 * layer.c - mapped devices that go away by themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "device.h"
#include "guard.h"
#include "past/layer.h"
#include "past/words.h"

#define GONE_TRIES	200
#define GONE_WAIT_NS	10000000L	/* 10 ms */

/* 48 random bits, in hexadecimal */
static int random_text(char *buf, size_t size)
{
	unsigned char bytes[6];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	snprintf(buf, size, "%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1],
		 bytes[2], bytes[3], bytes[4], bytes[5]);
	return 0;
}

static void make_uuid(const char *kind, const char *of, const char *number,
		      char *buf, size_t size)
{
	snprintf(buf, size, LAYER_UUID_PREFIX "%s-%s%s%s", kind, of,
		 *of ? "-" : "", number);
}

int layer_uuid(const char *kind, const char *of, char *buf, size_t size)
{
	char number[16];
	int ret = random_text(number, sizeof(number));

	if (!ret)
		make_uuid(kind, of, number, buf, size);
	return ret;
}

/* The kernel's own node needs nobody to make it, if /dev is devtmpfs. */
static void find_node(struct layer *layer)
{
	char dir_node[PATH_MAX];
	struct stat st;

	snprintf(layer->node, sizeof(layer->node), "/dev/dm-%u",
		 minor(layer->devno));
	if (!stat(layer->node, &st) && S_ISBLK(st.st_mode) &&
	    st.st_rdev == layer->devno)
		return;
	mapper_node(layer->name, dir_node, sizeof(dir_node));
	if (strlen(dir_node) < sizeof(layer->node))
		strcpy(layer->node, dir_node);
}

/* In the guard, when we died: it may be half made or whole. */
static void take_back(void *arg)
{
	struct layer *layer = arg;

	mapper_remove(layer->name);
}

static int build(struct layer *layer, const struct mapper_spec *spec,
		 enum mapper_step *step)
{
	struct mapper_info info;
	int ret = mapper_build(spec, step);

	if (ret)
		return ret;
	*step = MAPPER_NODE;
	ret = mapper_info(spec->name, &info);
	if (!ret) {
		layer->devno = info.devno;
		find_node(layer);
		layer->fd = open(layer->node, O_RDONLY | O_CLOEXEC);
		if (layer->fd < 0)
			ret = -errno;
	}
	if (!ret)
		ret = mapper_remove_deferred(spec->name);
	if (ret) {
		layer_release(layer);
		mapper_remove(spec->name);
	}
	return ret;
}

static int build_guarded(struct layer *layer, const struct mapper_spec *spec,
			 enum mapper_step *step)
{
	struct guard guard;
	int ret;

	*step = MAPPER_CREATE;
	hold_signals();
	ret = guard_start(&guard, take_back, layer);
	if (!ret) {
		ret = build(layer, spec, step);
		guard_stop(&guard);
	}
	release_signals();
	return ret;
}

int layer_fail(const char *thing, const char *target, enum mapper_step step,
	       int error, const char *kernel_words)
{
	char library[64], driver[64], module[64] = "", remedy[96];

	if (step == MAPPER_CREATE && error == -EEXIST)
		return fail(DR_EXIT_OPERATIONAL, thing, "choose another name",
			    "a device of this name is there already");
	if (step == MAPPER_CREATE || step == MAPPER_NODE)
		return device_fail(thing, step == MAPPER_CREATE ? "create" :
				   "waiting for the device node", error);
	if (step == MAPPER_LOAD &&
	    !mapper_versions(target, library, driver, module,
			     sizeof(module)) && !module[0]) {
		snprintf(remedy, sizeof(remedy),
			 "load the module that has it, for instance 'modprobe dm-%s'",
			 target);
		return fail(DR_EXIT_OPERATIONAL, thing, remedy,
			    "the kernel has no target %s", target);
	}
	return fail(DR_EXIT_OPERATIONAL, thing, "see the kernel log",
		    "%s: %s%s%s", step == MAPPER_LOAD ? "table" : "activation",
		    strerror(-error), *kernel_words ? ": " : "", kernel_words);
}

int layer_open(const char *thing, const struct layer_spec *spec,
	       struct layer *layer)
{
	char number[16], uuid[MAPPER_UUID_SIZE], *said;
	struct mapper_spec device = {
		.name = layer->name, .uuid = uuid, .targets = spec->targets,
		.nr = spec->nr, .read_only = spec->read_only, .hidden = true,
	};
	struct kernel_words words;
	enum mapper_step step;
	size_t i;
	int ret;

	memset(layer, 0, sizeof(*layer));
	layer->fd = -1;
	for (i = 0; i < spec->nr; i++)
		layer->sectors += spec->targets[i].sectors;
	ret = random_text(number, sizeof(number));
	if (ret)
		return fail_errno(thing, "random number", ret);
	snprintf(layer->name, sizeof(layer->name), "dmdelta-%s-%s", spec->kind,
		 number);
	make_uuid(spec->kind, spec->of, number, uuid, sizeof(uuid));
	if (cancelled())
		return fail_cancelled(thing);
	kernel_words_begin(&words);
	ret = build_guarded(layer, &device, &step);
	/* "device-mapper: table: 253:5: <target>: <why>" */
	said = kernel_words_end(&words, spec->targets[0].type);
	if (ret) {
		layer->name[0] = '\0';
		ret = layer_fail(thing, spec->targets[0].type, step, ret,
				 said ? said : "");
	}
	free(said);
	return ret;
}

void layer_release(struct layer *layer)
{
	if (layer->fd >= 0)
		close(layer->fd);
	layer->fd = -1;
}

bool layer_wait_gone(const char *name, const char *uuid)
{
	struct timespec wait = { .tv_nsec = GONE_WAIT_NS };
	struct mapper_info info;
	int i;

	for (i = 0; i < GONE_TRIES; i++) {
		if (mapper_info(name, &info) || strcmp(info.uuid, uuid))
			return true;
		nanosleep(&wait, NULL);
	}
	return false;
}

void layer_close(struct layer *layer)
{
	struct mapper_info info;
	int ret;

	if (layer->fd < 0)
		return;
	ret = mapper_info(layer->name, &info);
	layer_release(layer);
	/*
	 * The number of those that have it open does not tell whether one
	 * will outlive us: a layer above has no name any more, and holds this
	 * one still while the kernel takes it down.
	 */
	if (!ret)
		layer_wait_gone(layer->name, info.uuid);
}
