// SPDX-License-Identifier: GPL-2.0
/*
 * cmd-cat.c - a file of the past, to stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "past/at.h"

static int write_all(const char *buf, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, buf, len);

		if (n < 0 && errno == EINTR && !cancelled())
			continue;
		if (n < 0)
			return -errno;
		buf += n;
		len -= n;
	}
	return 0;
}

static int copy(const struct past_at *at, int fd)
{
	static char buf[1 << 16];
	ssize_t n;
	int ret;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		ret = write_all(buf, n);
		if (cancelled())
			return fail(DR_EXIT_CANCELLED, at->word, NULL,
				    "stopped by a signal");
		if (ret)
			return fail_errno("stdout", "write", ret);
	}
	if (!n)
		return DR_EXIT_OK;
	ret = -errno;
	n = scratch_check(&at->past.scratch, at->word);
	return n ? n : fail_errno(at->word, "read", ret);
}

static int cat(const struct past_at *at)
{
	int code = DR_EXIT_OK, path = at_find(at, true, &code), fd;
	char link[32];
	struct stat st;

	if (path < 0)
		return code;
	if (fstat(path, &st)) {
		code = fail_errno(at->word, "stat", -errno);
	} else if (!S_ISREG(st.st_mode)) {
		/* A pipe would have us wait, a device would be today's. */
		code = fail(DR_EXIT_OPERATIONAL, at->word, S_ISDIR(st.st_mode) ?
			    "'dmdelta ls' lists it" : NULL,
			    "not a regular file");
	} else {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", path);
		fd = open(link, O_RDONLY | O_CLOEXEC);
		code = fd < 0 ? fail_errno(at->word, "open", -errno) :
		       copy(at, fd);
		if (fd >= 0)
			close(fd);
	}
	close(path);
	return code;
}

int cmd_cat(const struct cmd_line *line)
{
	struct past_at at;
	int code = at_parse(line->argv[0], true, &at);

	if (!code && line->json)
		code = fail_usage("--json", "a file's content is no document");
	if (!code)
		code = at_resolve(&at);
	if (!code)
		code = at_open(&at, cli_option(line, "volume"));
	if (!code)
		code = cat(&at);
	at_close(&at);
	return code;
}
