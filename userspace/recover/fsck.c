// SPDX-License-Identifier: GPL-2.0
/*
 * fsck.c - run a checker, keep what it says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "recover/fsck.h"

#define MAX_OUTPUT	65536
#define MAX_LINES	8
#define NOT_FOUND	127

static const struct checker {
	const char *type, *tool;
	const char *args[3];	/* before the device */
} checkers[] = {
	{ "ext2", "e2fsck", { "-f", "-n" } },
	{ "ext3", "e2fsck", { "-f", "-n" } },
	{ "ext4", "e2fsck", { "-f", "-n" } },
	{ "xfs", "xfs_repair", { "-n" } },
	{ "btrfs", "btrfs", { "check", "--readonly" } },
	{ "vfat", "fsck.fat", { "-n" } },
};

const char *fsck_word(enum fsck_verdict verdict)
{
	static const char *const words[] = {
		[FSCK_CLEAN] = "clean",
		[FSCK_ERRORS] = "errors",
		[FSCK_NOT_RUN] = "not run",
	};

	return words[verdict];
}

static void run_child(const struct checker *c, const char *node, int out)
{
	const char *argv[8] = { c->tool };
	int null = open("/dev/null", O_RDWR), n = 1;
	const char *path = getenv("PATH");
	size_t i;
	char *all;

	for (i = 0; i < ARRAY_SIZE(c->args) && c->args[i]; i++)
		argv[n++] = c->args[i];
	argv[n] = node;
	/* A plain user's PATH lacks the places of checkers. */
	if (asprintf(&all, "%s:/usr/sbin:/sbin", path ? path : "/bin") > 0)
		setenv("PATH", all, 1);
	setenv("LC_ALL", "C", 1);
	if (dup2(null, 0) >= 0 && dup2(out, 1) >= 0 && dup2(out, 2) >= 0)
		execvp(c->tool, (char *const *)argv);
	_exit(NOT_FOUND);
}

/* All that it says, as far as it fits; read to the end in any case */
static char *read_all(int fd)
{
	char *text = malloc(MAX_OUTPUT + 1), rest[4096];
	size_t len = 0;
	ssize_t n;

	for (;;) {
		if (text && len < MAX_OUTPUT)
			n = read(fd, text + len, MAX_OUTPUT - len);
		else
			n = read(fd, rest, sizeof(rest));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (text && len < MAX_OUTPUT)
			len += n;
	}
	if (text)
		text[len] = '\0';
	return text;
}

/* Lines that only say how far it has come */
static bool is_chatter(const char *line)
{
	static const char *const words[] = {
		"e2fsck ", "Pass ", "Phase ", "        - ", "Opening ",
		"Checking ", "[", "UUID: ", "WARNING: ", "No modify flag",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strncmp(line, words[i], strlen(words[i])))
			return true;
	return !*line;
}

/* The first lines that matter, in place */
static void sum_up(char *text)
{
	char *rest = text, *line, *to = text;
	int nr = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (is_chatter(line))
			continue;
		if (nr++ == MAX_LINES)
			break;
		if (to != text)
			*to++ = '\n';
		memmove(to, line, strlen(line) + 1);
		to += strlen(to);
	}
	*to = '\0';
}

static int not_run(struct fsck *fsck, const char *why)
{
	fsck->verdict = FSCK_NOT_RUN;
	free(fsck->text);
	fsck->text = strdup(why);
	return fsck->text ? DR_EXIT_OK :
	       fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
}

static int take_status(struct fsck *fsck, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		return not_run(fsck, "it is not installed");
	fsck->verdict = status ? FSCK_ERRORS : FSCK_CLEAN;
	if (!fsck->text)
		return fail(DR_EXIT_OPERATIONAL, "memory", NULL, "none left");
	if (status)
		sum_up(fsck->text);
	else
		fsck->text[0] = '\0';
	return DR_EXIT_OK;
}

static const struct checker *find(const char *type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(checkers); i++)
		if (!strcmp(checkers[i].type, type))
			return &checkers[i];
	return NULL;
}

int fsck_run(const char *node, const char *type, struct fsck *fsck)
{
	const struct checker *c = find(type);
	int pipes[2], status;
	pid_t pid;

	memset(fsck, 0, sizeof(*fsck));
	if (!c)
		return not_run(fsck, "no checker is known for it");
	fsck->tool = c->tool;
	if (pipe2(pipes, O_CLOEXEC))
		return fail_errno(c->tool, "pipe", -errno);
	pid = fork();
	if (pid < 0) {
		status = -errno;
		close(pipes[0]);
		close(pipes[1]);
		return fail_errno(c->tool, "fork", status);
	}
	if (!pid)
		run_child(c, node, pipes[1]);
	close(pipes[1]);
	fsck->text = read_all(pipes[0]);
	close(pipes[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return take_status(fsck, status);
}

void fsck_free(struct fsck *fsck)
{
	free(fsck->text);
	memset(fsck, 0, sizeof(*fsck));
}
