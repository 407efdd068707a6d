/* SPDX-License-Identifier: GPL-2.0 */
/*
 * layer.h - a mapped device of our own, one of a stack: a view, the scratch
 * above it, a volume above that.
 *
 * Life time. A private layer has a name that was made up. It is created,
 * opened, and marked for deferred removal: from then on the kernel takes it
 * away when its last user has gone, whatever becomes of us. The users are
 * our descriptor, a mount, or the layer above; so a whole stack falls from
 * the top when the last mount or process lets go. Between creation and mark
 * a guard (guard.h) stands by, since SIGKILL does not wait.
 *
 * udev is told to leave all of them alone: their content has the identities
 * (uuids, labels, volume groups) of the live device, and nothing may be
 * activated from the past by accident. Private ones are used by the kernel's
 * node, /dev/dm-<n>, which comes and goes with the device even where no udev
 * runs.
 */
#ifndef DR_PAST_LAYER_H
#define DR_PAST_LAYER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "dm.h"
#include "parse.h"

/* Our uuids: "DMDELTA-<KIND>-<what follows>" */
#define LAYER_UUID_PREFIX	"DMDELTA-"
#define LAYER_VIEW		"VIEW"
#define LAYER_SCRATCH		"SCRATCH"
#define LAYER_VOLUME		"VOLUME"

struct layer {
	char name[DM_NAME_MAX + 1];
	char node[64];
	dev_t devno;
	uint64_t sectors;
	int fd;			/* holds it; -1: not open */
};

struct layer_spec {
	const char *kind;	/* LAYER_... */
	const char *of;		/* part of the uuid: whose it is; or "" */
	const struct mapper_target *targets;
	size_t nr;
	bool read_only;
};

/**
 * layer_open() - make a private layer
 * @thing: what the user knows it as, for messages
 * @layer: all of it is set in every case
 *
 * Return: exit code, has said why (with the kernel's words, if it had any).
 */
int layer_open(const char *thing, const struct layer_spec *spec,
	       struct layer *layer);

/* Let go, and wait for it to be gone: two seconds, if others hold it. */
void layer_close(struct layer *layer);

/* Let go; somebody else keeps it. */
void layer_release(struct layer *layer);

/* Wait until a device of this name and uuid is gone. False: it is not. */
bool layer_wait_gone(const char *name, const char *uuid);

/* "DMDELTA-<kind>-<of>-<something that is nowhere else>" */
int layer_uuid(const char *kind, const char *of, char *buf, size_t size);

/* Say why mapper_build() did not make it. */
int layer_fail(const char *thing, const char *target, enum mapper_step step,
	       int error, const char *kernel_words);

#endif
