/* SPDX-License-Identifier: GPL-2.0 */
/*
 * dm-send.h - device-mapper's ioctls without a process for each.
 */
#ifndef DM_SEND_H
#define DM_SEND_H

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define DM_SEND_MAX	65536u

/*
 * One command for device @name. @message is for the target; for DM_TABLE_LOAD
 * it is "<sectors> <target> <argument>...", a table of one target.
 * @room (at most DM_SEND_MAX) is the size of the buffer that the kernel gets.
 * *@reply is what came back: of a message its result, of a status the target's
 * words.
 * Return: 0, -errno, or -EOVERFLOW if the result did not fit.
 */
static int dm_send(const char *name, unsigned long command, uint32_t flags,
		   const char *message, uint32_t room, const char **reply)
{
	static char buf[DM_SEND_MAX] __attribute__((aligned(8)));
	struct dm_ioctl *io = (void *)buf;
	struct dm_target_msg *msg = (void *)(io + 1);
	struct dm_target_spec *spec = (void *)(io + 1);
	unsigned long long sectors;
	static int control = -1;
	int skip = 0;

	*reply = "";
	if (control < 0)
		control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	memset(buf, 0, sizeof(*io) + sizeof(*msg));
	io->version[0] = DM_VERSION_MAJOR;
	io->data_size = room;
	io->data_start = sizeof(*io);
	io->flags = flags;
	snprintf(io->name, sizeof(io->name), "%s", name);
	if (command == DM_TABLE_LOAD) {
		memset(spec, 0, sizeof(*spec));
		if (sscanf(message, "%llu %15s %n", &sectors, spec->target_type,
			   &skip) != 2)
			return -EINVAL;
		io->target_count = 1;
		spec->length = sectors;
		snprintf((char *)(spec + 1), DM_SEND_MAX - sizeof(*io) -
			 sizeof(*spec), "%s", message + skip);
	} else if (message) {
		snprintf(msg->message, DM_SEND_MAX - sizeof(*io) - sizeof(*msg),
			 "%s", message);
	}
	if (ioctl(control, command, io))
		return -errno;
	if (io->flags & DM_BUFFER_FULL_FLAG)
		return -EOVERFLOW;
	if (command == DM_TABLE_STATUS)
		*reply = buf + io->data_start + sizeof(struct dm_target_spec);
	else if (io->flags & DM_DATA_OUT_FLAG)
		*reply = buf + io->data_start;
	return 0;
}

#endif
