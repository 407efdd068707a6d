/* SPDX-License-Identifier: GPL-2.0 */
/*
 * switch.h - give a device other content, under everybody's feet.
 *
 * 1. switch_open(): exclusive open of the node (fails when it is mounted or
 *    otherwise claimed), dirty pages written, page cache dropped.
 * 2. switch_message(): signals held, guard started, suspend (with flush,
 *    never noflush), message, resume, page cache dropped again.
 * 3. switch_close(): only now can somebody else claim the device.
 *
 * Nobody can mount it between 1 and 3, so no file system can have cached
 * the old content when the new one appears. Whatever happens in 2, the
 * device is resumed: by us, or by the guard if we die.
 */
#ifndef DR_SWITCH_H
#define DR_SWITCH_H

#include "device.h"

struct switcher {
	const char *name;
	int fd;
	/* Of the message that is being sent, and what became of it: */
	const char *message;
	char *reply;
	int error;
};

/* Return: exit code, has said why (who uses the device, when it is busy). */
int switch_open(struct switcher *sw, const char *name);

/**
 * switch_message() - send one message while the device is suspended
 * @reply: allocated
 * @error: 0 or the negative errno of the message; the caller says why
 * @message: what to send
 *
 * Return: DR_EXIT_OK when the message was sent and the device is resumed;
 * else an exit code, has said why.
 */
int switch_message(struct switcher *sw, char **reply, int *error,
		   const char *message);

void switch_close(struct switcher *sw);

/* rollback to @epoch, for rollback and undo. Return: exit code. */
int switch_rollback(struct switcher *sw, uint32_t epoch, uint64_t *head);

#endif
