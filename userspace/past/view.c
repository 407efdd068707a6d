// SPDX-License-Identifier: GPL-2.0
/*
 * view.c - devices of the target deltarec-view.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cli.h"
#include "device.h"
#include "epochs.h"
#include "past/view.h"
#include "past/words.h"
#include "use.h"

int view_check_epoch(const char *device, uint32_t epoch)
{
	const struct epoch *e;
	struct epochs epochs;
	char thing[16];
	int code = epochs_load(device, &epochs);

	if (code)
		return code;
	snprintf(thing, sizeof(thing), "%u", epoch);
	e = epochs_find(&epochs, epoch);
	if (!e)
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta log' lists them", "no such epoch");
	else if (epoch_is(e->state, DR_STATE_HEAD))
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "'dmdelta checkpoint' seals it",
			    "the epoch is still being written to");
	else if (epoch_is(e->state, DR_STATE_DROPPED))
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "choose another ('dmdelta log')",
			    "the epoch was dropped");
	else if (!epoch_is(e->state, DR_STATE_SEALED))
		code = fail(DR_EXIT_OPERATIONAL, thing,
			    "wait for the replay, or 'dmdelta abort' it",
			    "a replay is making this epoch");
	epochs_free(&epochs);
	return code;
}

void view_device_uuid(const char *device, char *buf, size_t size)
{
	static const char prefix[] = DEVICE_UUID_PREFIX;
	struct mapper_info info;

	buf[0] = '\0';
	if (!mapper_info(device, &info) &&
	    !strncmp(info.uuid, prefix, sizeof(prefix) - 1))
		snprintf(buf, size, "%s", info.uuid + sizeof(prefix) - 1);
}

/* "<dev> <epoch> [<#rules> <start> <sectors> <from> <to> <later> ...]" */
static char *make_params(dev_t devno, uint32_t epoch,
			 const struct view_rule *rules, size_t nr)
{
	char *params = NULL;
	size_t i, size = 0;
	FILE *f = open_memstream(&params, &size);

	if (!f)
		return NULL;
	fprintf(f, "%u:%u %u", major(devno), minor(devno), epoch);
	if (nr)
		fprintf(f, " %zu", nr);
	for (i = 0; i < nr; i++)
		fprintf(f, " %" PRIu64 " %" PRIu64 " %u %u %s",
			rules[i].start, rules[i].sectors, rules[i].from,
			rules[i].to, rules[i].drop_later ?
			DR_WORD_DROP_LATER : DR_WORD_KEEP_LATER);
	if (fclose(f)) {
		free(params);
		return NULL;
	}
	return params;
}

/* A view that stays: an ordinary device, but none that udev looks into */
static int open_named(const char *name, const char *of,
		      const struct mapper_target *target, struct view *view)
{
	char uuid[MAPPER_UUID_SIZE], *said;
	struct mapper_spec spec = {
		.name = name, .uuid = uuid, .targets = target, .nr = 1,
		.read_only = true, .hidden = true,
	};
	struct kernel_words words;
	enum mapper_step step;
	int ret = layer_uuid(LAYER_VIEW, of, uuid, sizeof(uuid));

	if (ret)
		return fail_errno(name, "random number", ret);
	if (cancelled())
		return fail_cancelled(name);
	kernel_words_begin(&words);
	hold_signals();
	ret = mapper_build(&spec, &step);
	release_signals();
	said = kernel_words_end(&words, DR_VIEW_TARGET_NAME);
	if (ret) {
		ret = layer_fail(name, DR_VIEW_TARGET_NAME, step, ret,
				 said ? said : "");
	} else {
		snprintf(view->name, sizeof(view->name), "%s", name);
		mapper_node(name, view->node, sizeof(view->node));
		view->sectors = target->sectors;
	}
	free(said);
	return ret;
}

static int open_private(const char *thing, const char *of,
			const struct mapper_target *target, struct view *view)
{
	struct layer_spec spec = {
		.kind = LAYER_VIEW, .of = of, .targets = target, .nr = 1,
		.read_only = true,
	};
	int code = layer_open(thing, &spec, &view->layer);

	if (code)
		return code;
	strcpy(view->name, view->layer.name);
	strcpy(view->node, view->layer.node);
	view->sectors = target->sectors;
	return DR_EXIT_OK;
}

int view_open(const char *device, uint32_t epoch, const struct view_rule *rules,
	      size_t nr, const char *viewname, struct view *view)
{
	struct mapper_target target = { .type = DR_VIEW_TARGET_NAME };
	char of[DELTA_UUID_TEXT], thing[DM_NAME_MAX + 16], *params;
	struct device_status status;
	int code;

	memset(view, 0, sizeof(*view));
	view->layer.fd = -1;
	view->epoch = epoch;
	code = device_status(device, &status);
	if (!code)
		code = view_check_epoch(device, epoch);
	if (code)
		return code;
	view_device_uuid(device, of, sizeof(of));
	params = make_params(status.info.devno, epoch, rules, nr);
	if (!params)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	target.sectors = status.sectors;
	target.params = params;
	snprintf(thing, sizeof(thing), "%s@%u", device, epoch);
	code = viewname ? open_named(viewname, of, &target, view) :
	       open_private(thing, of, &target, view);
	free(params);
	return code;
}

int view_close(struct view *view)
{
	layer_close(&view->layer);
	return DR_EXIT_OK;
}

static int take_target(uint64_t start, uint64_t sectors, const char *type,
		       const char *params, void *arg)
{
	struct view_info *info = arg;

	if (start || strcmp(type, DR_VIEW_TARGET_NAME))
		return -EINVAL;
	info->sectors = sectors;
	/* "<dev> <epoch> [<#rules> ...": of no rules nothing need be said */
	if (sscanf(params, "%*s %" SCNu32 " %" SCNu64, &info->epoch,
		   &info->nr_rules) < 1)
		return -EINVAL;
	return 0;
}

/* INFO: "<epoch> <#rules> <mixed reads or ->" */
static void take_status(struct view_info *info)
{
	char type[32], *params = NULL, mixed[32] = "";
	uint64_t sectors;

	if (!mapper_status(info->name, type, &sectors, &params) &&
	    sscanf(params, "%*s %*s %31s", mixed) == 1)
		info->has_mixed = !parse_number(mixed, &info->mixed_reads);
	free(params);
}

int view_info(const char *name, struct view_info *info)
{
	static const char prefix[] = LAYER_UUID_PREFIX LAYER_VIEW "-";
	struct mapper_info device;
	int ret;

	memset(info, 0, sizeof(*info));
	snprintf(info->name, sizeof(info->name), "%s", name);
	ret = mapper_info(name, &device);
	if (!ret)
		ret = mapper_table(name, take_target, info);
	if (ret)
		return ret;
	if (!info->sectors)
		return -EINVAL;
	info->devno = device.devno;
	info->open_count = device.open_count;
	info->private = device.deferred;
	strcpy(info->uuid, device.uuid);
	/* One that somebody made with dmsetup has another uuid, or none */
	if (!strncmp(device.uuid, prefix, sizeof(prefix) - 1) &&
	    strlen(device.uuid) >= sizeof(prefix) - 1 + DELTA_UUID_TEXT)
		snprintf(info->device_uuid, sizeof(info->device_uuid), "%.36s",
			 device.uuid + sizeof(prefix) - 1);
	take_status(info);
	return 0;
}

struct each_view {
	const char *device_uuid;
	int (*each)(const struct view_info *info, void *arg);
	void *arg;
};

static int look_at(const char *name, void *arg)
{
	struct each_view *e = arg;
	struct view_info info;

	/* Other devices, and what went away meanwhile, do not count. */
	if (view_info(name, &info))
		return 0;
	if (e->device_uuid && strcmp(e->device_uuid, info.device_uuid))
		return 0;
	return e->each(&info, e->arg);
}

int view_each(const char *device_uuid,
	      int (*each)(const struct view_info *info, void *arg), void *arg)
{
	struct each_view e = { device_uuid, each, arg };

	return mapper_list(look_at, &e);
}

int view_remove(const char *name)
{
	struct mapper_info info;
	char *users;
	int ret = mapper_remove(name), code;

	if (!ret || ret != -EBUSY)
		return ret ? device_fail(name, "remove", ret) : DR_EXIT_OK;
	users = mapper_info(name, &info) ? NULL : use_describe(info.devno);
	code = fail(DR_EXIT_OPERATIONAL, name,
		    "unmount or stop what uses it, then try again",
		    "in use: %s", users && *users ? users :
		    "claimed by the kernel or in another mount namespace");
	free(users);
	return code;
}
