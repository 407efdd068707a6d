// SPDX-License-Identifier: GPL-2.0
/*
 * words.c - the end of the kernel log (/dev/kmsg: a read is a record,
 * "<priority>,<number>,<time>,<flags>;<text>\n", then lines of a dictionary).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "past/words.h"

#define MAX_RECORDS	4	/* that are quoted: the first ones say why */
#define RECORD_SIZE	8192	/* as the kernel has it */

void kernel_words_begin(struct kernel_words *words)
{
	words->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (words->fd >= 0)
		lseek(words->fd, 0, SEEK_END);
}

/* Is @about in @text, and not as a part of "dm-51"? */
static bool names(const char *text, const char *about)
{
	size_t len = strlen(about);

	while ((text = strstr(text, about))) {
		if (!isdigit((unsigned char)text[len]))
			return true;
		text += len;
	}
	return false;
}

static const char *wanted(char *record, const char *about)
{
	char *text = strchr(record, ';');
	int priority = atoi(record);

	if (!text || LOG_PRI(priority) > LOG_WARNING)
		return NULL;
	text++;
	text[strcspn(text, "\n")] = '\0';
	return names(text, about) ? text : NULL;
}

char *kernel_words_end(struct kernel_words *words, const char *about)
{
	char record[RECORD_SIZE + 1], *said = NULL;
	const char *text;
	size_t size = 0;
	int nr = 0;
	ssize_t n;
	FILE *f;

	f = open_memstream(&said, &size);
	if (!f)
		return strdup("");
	/* EPIPE: records were overwritten before we came; go on behind */
	while (words->fd >= 0 && nr < MAX_RECORDS) {
		n = read(words->fd, record, RECORD_SIZE);
		if (n <= 0 && errno != EPIPE && errno != EINTR)
			break;
		if (n <= 0)
			continue;
		record[n] = '\0';
		text = wanted(record, about);
		if (text)
			fprintf(f, nr++ ? "; %s" : "%s", text);
	}
	fclose(f);
	if (words->fd >= 0)
		close(words->fd);
	words->fd = -1;
	return said;
}
