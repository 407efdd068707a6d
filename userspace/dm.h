/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm.h - device-mapper, as far as the tool needs it.
 *
 * dm.c is the only file that calls libdevmapper. Functions return 0 or a
 * negative errno; -ENXIO: no device of that name. Names have passed
 * parse_name(), so they need no mangling.
 */
#ifndef DR_DM_H
#define DR_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAPPER_UUID_SIZE	130

struct mapper_info {
	dev_t devno;
	int open_count;
	bool suspended;
	bool live;		/* has an active table */
	bool deferred;		/* goes away with its last user */
	uint32_t event_nr;	/* events so far */
	uint64_t disk_seq;	/* no two since the boot share one; 0: unknown */
	char uuid[MAPPER_UUID_SIZE];
};

int mapper_info(const char *name, struct mapper_info *info);

/*
 * Type, length and INFO status of the first target of @name. @type holds
 * 32 bytes; @params is allocated ("" when there is no table).
 */
int mapper_status(const char *name, char *type, uint64_t *sectors,
		  char **params);

/*
 * Call @each for the targets of @name in order, until it returns non-zero.
 * Words are as in the table line.
 */
int mapper_table(const char *name,
		 int (*each)(uint64_t start, uint64_t sectors,
			     const char *type, const char *params, void *arg),
		 void *arg);

/* Call @each for every mapped device until it returns non-zero. */
int mapper_list(int (*each)(const char *name, void *arg), void *arg);

/* Send a message to sector 0; *@reply is allocated ("" when there is none). */
__attribute__((format(printf, 3, 4)))
int mapper_message(const char *name, char **reply, const char *format, ...);

enum mapper_step {
	MAPPER_CREATE,
	MAPPER_LOAD,
	MAPPER_RESUME,
	MAPPER_NODE,
};

struct mapper_target {
	uint64_t sectors;	/* each starts where the one before it ends */
	const char *type;
	const char *params;
};

struct mapper_spec {
	const char *name, *uuid;
	const struct mapper_target *targets;
	size_t nr;
	bool read_only;
	bool hidden;		/* udev shall not look at what is inside */
};

/*
 * Make a device and wait for its node. What fails is taken back; *@step says
 * what it was. -EEXIST: the name or the uuid is taken.
 */
int mapper_build(const struct mapper_spec *spec, enum mapper_step *step);

/* The same for one target, writable and for all to see. */
int mapper_create(const char *name, const char *uuid, uint64_t sectors,
		  const char *target, const char *params,
		  enum mapper_step *step);
int mapper_remove(const char *name);

/* Have the kernel remove @name when its last user closes it: maybe at once. */
int mapper_remove_deferred(const char *name);

/* Flushes and freezes, in that order; never with noflush. */
int mapper_suspend(const char *name);
int mapper_resume(const char *name);

/*
 * Does neither, and what waits inside the target goes on after the resume. Not
 * where the content changes meanwhile.
 */
int mapper_suspend_quietly(const char *name);

/*
 * Wait for events of all devices with poll(2), POLLIN: those since the last call
 * of mapper_poll_arm(). -ENOTTY: the kernel is too old.
 */
int mapper_poll_open(void);
int mapper_poll_arm(int fd);

/* Name of the mapped device with this number. -ENXIO: it is none. */
int mapper_name_of(dev_t devno, char *name, size_t size);

/* Path of the device node */
const char *mapper_node(const char *name, char *buf, size_t size);

/* Versions of library and of @target ("" when not loaded) */
int mapper_versions(const char *target, char *library, char *driver,
		    char *module, size_t size);

#endif
