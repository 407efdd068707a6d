// SPDX-License-Identifier: GPL-2.0
/*
 * dmbatch.c - many device-mapper commands without a process for each.
 *
 * usage: dmbatch [-t] [-B bytes] NAME <COMMANDS
 *   -B  the buffer that the kernel gets for an answer, for tests of paging
 *   -t  how many nanoseconds each command took goes before its line
 *
 * A line is "suspend", "suspend noflush", "resume", "status", "table", "load
 * SECTORS TARGET ARGUMENT...", "clear", "create", "remove", "sleep
 * MILLISECONDS", or a message for the target; "5* LINE" does it five times.
 * "device NAME": the lines after it are for another device. For each line one is
 * printed: "= answer" with | for a new line, or "! error".
 * Exit status: 1 if any failed.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "dm-send.h"

static uint32_t room = DM_SEND_MAX;

static bool timed;
static char name[DM_NAME_LEN];

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int command(const char *line)
{
	long long began = now();
	const char *reply = "";
	int ret = 0;

	if (!strcmp(line, "suspend"))
		ret = dm_send(name, DM_DEV_SUSPEND, DM_SUSPEND_FLAG, NULL, room,
			      &reply);
	else if (!strcmp(line, "suspend noflush"))
		ret = dm_send(name, DM_DEV_SUSPEND, DM_SUSPEND_FLAG |
			      DM_NOFLUSH_FLAG, NULL, room, &reply);
	else if (!strcmp(line, "resume"))
		ret = dm_send(name, DM_DEV_SUSPEND, 0, NULL, room, &reply);
	else if (!strcmp(line, "status"))
		ret = dm_send(name, DM_TABLE_STATUS, DM_NOFLUSH_FLAG, NULL,
			      room, &reply);
	else if (!strcmp(line, "table"))
		ret = dm_send(name, DM_TABLE_STATUS, DM_STATUS_TABLE_FLAG, NULL,
			      room, &reply);
	else if (!strcmp(line, "clear"))
		ret = dm_send(name, DM_TABLE_CLEAR, 0, NULL, room, &reply);
	else if (!strcmp(line, "create"))
		ret = dm_send(name, DM_DEV_CREATE, 0, NULL, room, &reply);
	else if (!strcmp(line, "remove"))
		ret = dm_send(name, DM_DEV_REMOVE, 0, NULL, room, &reply);
	else if (!strncmp(line, "device ", 7))
		snprintf(name, sizeof(name), "%s", line + 7);
	else if (!strncmp(line, "load ", 5))
		ret = dm_send(name, DM_TABLE_LOAD, 0, line + 5, room, &reply);
	else if (!strncmp(line, "sleep ", 6))
		usleep(1000 * atoi(line + 6));
	else
		ret = dm_send(name, DM_TARGET_MSG, 0, line, room, &reply);
	if (timed)
		printf("%lld ", now() - began);
	printf("%s ", ret ? "!" : "=");
	if (ret)
		fputs(strerror(-ret), stdout);
	for (; *reply; reply++)
		putchar(*reply == '\n' ? '|' : *reply);
	putchar('\n');
	fflush(stdout);
	return ret;
}

int main(int argc, char **argv)
{
	int c, n, times, failed = 0;
	char line[65536];

	while ((c = getopt(argc, argv, "B:t")) != -1) {
		if (c == 't')
			timed = true;
		else
			room = c == 'B' ? atoi(optarg) : 0;
	}
	if (!room || room > DM_SEND_MAX || optind != argc - 1)
		return 2;
	snprintf(name, sizeof(name), "%s", argv[optind]);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		n = 0;
		if (sscanf(line, "%d* %n", &times, &n) != 1 || !n) {
			n = 0;
			times = 1;
		}
		while (times--)
			failed |= command(line + n) != 0;
	}
	return failed;
}
