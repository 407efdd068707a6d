// SPDX-License-Identifier: GPL-2.0
/*
 * dm.c - all calls to libdevmapper.
 *
 * Nodes: where udev runs, tasks that make or take a node carry a cookie and
 * we wait for it; without udev (or with DM_DISABLE_UDEV) the library makes
 * the node itself in the same call. If neither did, DM_DEVICE_MKNODES does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <libdevmapper.h>
#include <linux/dm-ioctl.h>

#include "dm.h"

/*
 * We report errors by errno in our own words; what the library would print
 * is kept out of the way.
 */
static void swallow(int level, const char *file, int line, int error,
		    const char *format, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)error;
	(void)format;
}

static struct dm_task *task_new(int type, const char *name)
{
	struct dm_task *task;

	dm_log_with_errno_init(swallow);
	task = dm_task_create(type);
	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task;
}

static int task_run(struct dm_task *task)
{
	int error;

	if (dm_task_run(task))
		return 0;
	error = dm_task_get_errno(task);
	return error ? -error : -EIO;
}

static int task_run_and_destroy(struct dm_task *task)
{
	int ret = task ? task_run(task) : -ENOMEM;

	if (task)
		dm_task_destroy(task);
	return ret;
}

/* Run and wait until udev, or the library, has done the nodes. */
static int task_run_synced(struct dm_task *task, uint16_t udev_flags)
{
	uint32_t cookie = 0;
	int ret;

	if (!task)
		return -ENOMEM;
	if (!dm_task_set_cookie(task, &cookie, udev_flags)) {
		dm_task_destroy(task);
		return -EIO;
	}
	ret = task_run_and_destroy(task);
	dm_udev_wait(cookie);
	return ret;
}

/* A kernel before 5.15 does not count them. */
static uint64_t disk_seq(dev_t devno)
{
	char path[64];
	uint64_t seq;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/diskseq",
		 major(devno), minor(devno));
	f = fopen(path, "re");
	if (!f || fscanf(f, "%" SCNu64, &seq) != 1)
		seq = 0;
	if (f)
		fclose(f);
	return seq;
}

int mapper_info(const char *name, struct mapper_info *info)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, name);
	const char *uuid;
	struct dm_info dmi;
	int ret = -ENOMEM;

	if (!task)
		return ret;
	ret = task_run(task);
	if (!ret && !dm_task_get_info(task, &dmi))
		ret = -EIO;
	if (!ret && !dmi.exists)
		ret = -ENXIO;
	if (!ret) {
		info->devno = makedev(dmi.major, dmi.minor);
		info->open_count = dmi.open_count;
		info->suspended = dmi.suspended;
		info->live = dmi.live_table;
		info->deferred = dmi.deferred_remove;
		info->event_nr = dmi.event_nr;
		info->disk_seq = disk_seq(info->devno);
		uuid = dm_task_get_uuid(task);
		snprintf(info->uuid, sizeof(info->uuid), "%s",
			 uuid ? uuid : "");
	}
	dm_task_destroy(task);
	return ret;
}

int mapper_status(const char *name, char *type, uint64_t *sectors,
		  char **params)
{
	struct dm_task *task = task_new(DM_DEVICE_STATUS, name);
	char *target_type = NULL, *target_params = NULL;
	uint64_t start, length = 0;
	struct dm_info dmi;
	int ret = -ENOMEM;

	if (!task)
		return ret;
	/* A tool that looks must not make a device flush. */
	dm_task_no_flush(task);
	ret = task_run(task);
	if (!ret && !dm_task_get_info(task, &dmi))
		ret = -EIO;
	if (!ret && !dmi.exists)
		ret = -ENXIO;
	if (!ret) {
		dm_get_next_target(task, NULL, &start, &length, &target_type,
				   &target_params);
		snprintf(type, 32, "%s", target_type ? target_type : "");
		*sectors = length;
		*params = strdup(target_params ? target_params : "");
		if (!*params)
			ret = -ENOMEM;
	}
	dm_task_destroy(task);
	return ret;
}

int mapper_table(const char *name,
		 int (*each)(uint64_t start, uint64_t sectors,
			     const char *type, const char *params, void *arg),
		 void *arg)
{
	struct dm_task *task = task_new(DM_DEVICE_TABLE, name);
	uint64_t start, length;
	char *type, *params;
	struct dm_info dmi;
	void *next = NULL;
	int ret = -ENOMEM;

	if (!task)
		return ret;
	dm_task_no_flush(task);
	ret = task_run(task);
	if (!ret && !dm_task_get_info(task, &dmi))
		ret = -EIO;
	if (!ret && !dmi.exists)
		ret = -ENXIO;
	if (!ret) {
		do {
			next = dm_get_next_target(task, next, &start, &length,
						  &type, &params);
			if (type)
				ret = each(start, length, type, params, arg);
		} while (next && !ret);
	}
	dm_task_destroy(task);
	return ret;
}

int mapper_list(int (*each)(const char *name, void *arg), void *arg)
{
	struct dm_task *task = task_new(DM_DEVICE_LIST, NULL);
	struct dm_names *names;
	unsigned int next = 0;
	int ret = -ENOMEM;

	if (!task)
		return ret;
	ret = task_run(task);
	names = ret ? NULL : dm_task_get_names(task);
	if (names && names->dev) {
		do {
			names = (struct dm_names *)((char *)names + next);
			ret = each(names->name, arg);
			next = names->next;
		} while (next && !ret);
	}
	dm_task_destroy(task);
	return ret;
}

int mapper_message(const char *name, char **reply, const char *format, ...)
{
	struct dm_task *task = task_new(DM_DEVICE_TARGET_MSG, name);
	const char *response;
	int ret = -ENOMEM;
	char *text = NULL;
	va_list ap;

	*reply = NULL;
	if (!task)
		return ret;
	va_start(ap, format);
	if (vasprintf(&text, format, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text && dm_task_set_sector(task, 0) && dm_task_set_message(task, text))
		ret = task_run(task);
	if (!ret) {
		response = dm_task_get_message_response(task);
		*reply = strdup(response ? response : "");
		if (!*reply)
			ret = -ENOMEM;
	}
	free(text);
	dm_task_destroy(task);
	return ret;
}

static int create_empty(const char *name, const char *uuid)
{
	struct dm_task *task = task_new(DM_DEVICE_CREATE, name);

	if (!task)
		return -ENOMEM;
	/* The node comes with resume, when there is something behind it. */
	if (!dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME) ||
	    (uuid && !dm_task_set_uuid(task, uuid))) {
		dm_task_destroy(task);
		return -EINVAL;
	}
	return task_run_and_destroy(task);
}

static int load(const struct mapper_spec *spec)
{
	struct dm_task *task = task_new(DM_DEVICE_RELOAD, spec->name);
	uint64_t start = 0;
	size_t i;

	if (!task)
		return -ENOMEM;
	for (i = 0; i < spec->nr; i++) {
		const struct mapper_target *t = &spec->targets[i];

		if (!dm_task_add_target(task, start, t->sectors, t->type,
					t->params))
			goto fail;
		start += t->sectors;
	}
	if (spec->read_only && !dm_task_set_ro(task))
		goto fail;
	return task_run_and_destroy(task);
fail:
	dm_task_destroy(task);
	return -ENOMEM;
}

static int resume(const char *name, uint16_t udev_flags)
{
	struct dm_task *task = task_new(DM_DEVICE_RESUME, name);

	if (task && !dm_task_set_add_node(task, DM_ADD_NODE_ON_RESUME)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task_run_synced(task, udev_flags);
}

static int wait_for_node(const char *name)
{
	char node[4096];
	struct stat st;

	mapper_node(name, node, sizeof(node));
	if (!stat(node, &st))
		return 0;
	dm_mknodes(name);
	dm_task_update_nodes();
	return stat(node, &st) ? -errno : 0;
}

int mapper_build(const struct mapper_spec *spec, enum mapper_step *step)
{
	struct mapper_info info;
	uint16_t flags = 0;
	int ret;

	/* Links by uuid or label, and who assembles volumes, look elsewhere */
	if (spec->hidden)
		flags = DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |
			DM_UDEV_DISABLE_DISK_RULES_FLAG |
			DM_UDEV_DISABLE_OTHER_RULES_FLAG;
	*step = MAPPER_CREATE;
	/* The kernel says EBUSY for a name that is taken: be precise. */
	if (!mapper_info(spec->name, &info))
		return -EEXIST;
	ret = create_empty(spec->name, spec->uuid);
	if (ret)
		return ret == -EBUSY ? -EEXIST : ret;
	*step = MAPPER_LOAD;
	ret = load(spec);
	if (!ret) {
		*step = MAPPER_RESUME;
		ret = resume(spec->name, flags);
	}
	if (!ret) {
		*step = MAPPER_NODE;
		ret = wait_for_node(spec->name);
	}
	if (ret)
		mapper_remove(spec->name);
	return ret;
}

int mapper_create(const char *name, const char *uuid, uint64_t sectors,
		  const char *target, const char *params,
		  enum mapper_step *step)
{
	struct mapper_target only = { sectors, target, params };
	struct mapper_spec spec = {
		.name = name, .uuid = uuid, .targets = &only, .nr = 1,
	};

	return mapper_build(&spec, step);
}

int mapper_remove(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);

	/* udev may be looking at it just now: the library tries again. */
	if (task)
		dm_task_retry_remove(task);
	return task_run_synced(task, 0);
}

int mapper_remove_deferred(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_REMOVE, name);

	if (task && !dm_task_deferred_remove(task)) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task_run_and_destroy(task);
}

int mapper_suspend(const char *name)
{
	return task_run_and_destroy(task_new(DM_DEVICE_SUSPEND, name));
}

int mapper_suspend_quietly(const char *name)
{
	struct dm_task *task = task_new(DM_DEVICE_SUSPEND, name);

	if (task && (!dm_task_no_flush(task) || !dm_task_skip_lockfs(task))) {
		dm_task_destroy(task);
		task = NULL;
	}
	return task_run_and_destroy(task);
}

int mapper_resume(const char *name)
{
	return resume(name, 0);
}

/* The library has no way to poll: it keeps its descriptor to itself. */
int mapper_poll_open(void)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/" DM_CONTROL_NODE, dm_dir());
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int mapper_poll_arm(int fd)
{
	struct dm_ioctl io = {
		.version = { DM_VERSION_MAJOR, 0, 0 },
		.data_size = sizeof(io),
	};

	return ioctl(fd, DM_DEV_ARM_POLL, &io) ? -errno : 0;
}

int mapper_name_of(dev_t devno, char *name, size_t size)
{
	struct dm_task *task = task_new(DM_DEVICE_INFO, NULL);
	struct dm_info dmi;
	const char *found;
	int ret = -ENOMEM;

	if (!task)
		return ret;
	if (dm_task_set_major(task, major(devno)) &&
	    dm_task_set_minor(task, minor(devno)))
		ret = task_run(task);
	if (!ret && (!dm_task_get_info(task, &dmi) || !dmi.exists))
		ret = -ENXIO;
	found = ret ? NULL : dm_task_get_name(task);
	if (found)
		snprintf(name, size, "%s", found);
	dm_task_destroy(task);
	return ret;
}

const char *mapper_node(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", dm_dir(), name);
	return buf;
}

int mapper_versions(const char *target, char *library, char *driver,
		    char *module, size_t size)
{
	struct dm_task *task;
	struct dm_versions *v;
	unsigned int next = 0;
	int ret;

	library[0] = '\0';
	driver[0] = '\0';
	module[0] = '\0';
	dm_log_with_errno_init(swallow);
	dm_get_library_version(library, size);
	task = task_new(DM_DEVICE_LIST_VERSIONS, NULL);
	if (!task)
		return -ENOMEM;
	ret = task_run(task);
	if (!ret) {
		dm_task_get_driver_version(task, driver, size);
		v = dm_task_get_versions(task);
		do {
			v = (struct dm_versions *)((char *)v + next);
			if (!strcmp(v->name, target))
				snprintf(module, size, "%u.%u.%u",
					 v->version[0], v->version[1],
					 v->version[2]);
			next = v->next;
		} while (next);
	}
	dm_task_destroy(task);
	return ret;
}
