// SPDX-License-Identifier: GPL-2.0
/*
 * tool.c - a child process, its two pipes, its end.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "tool.h"

#define TOOL_PATH	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * What we run must be the system's own, and do what we say: not what the
 * caller's PATH finds, nor, as root, what variables ask for (LVM_SYSTEM_DIR,
 * E2FSCK_CONFIG, LD_...).
 */
static void clean_environment(char *const *variables)
{
	if (!geteuid())
		clearenv();
	setenv("PATH", TOOL_PATH, 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	for (; variables && *variables; variables++)
		putenv(*variables);
}

/* Between fork() and exec: only what is safe there, and our messages. */
static void child(const char *const *argv, char *const *variables, int out,
		  int errors)
{
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	/* Signals that we hold are not the program's business. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 ||
	    dup2(errors, 2) < 0)
		_exit(TOOL_MISSING);
	clean_environment(variables);
	execvp(argv[0], (char *const *)argv);
	fprintf(stderr, "%s\n", strerror(errno));
	_exit(TOOL_MISSING);
}

/* One read from a pipe that is ready; closed at its end. */
static void take(struct pollfd *from, FILE *to)
{
	long room = TOOL_MAX_OUTPUT - ftell(to);
	char buf[4096];
	ssize_t n;

	if (from->fd < 0 || !from->revents)
		return;
	n = read(from->fd, buf, sizeof(buf));
	/* What is too much is read all the same, so that it comes to its end. */
	if (n > 0)
		fwrite(buf, 1, n < room ? n : room > 0 ? room : 0, to);
	else if (!n || errno != EINTR)
		from->fd = -1;		/* poll() ignores it */
}

static void collect(int out, int errors, FILE *out_text, FILE *errors_text)
{
	struct pollfd fds[2] = {
		{ .fd = out, .events = POLLIN },
		{ .fd = errors, .events = POLLIN },
	};

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0)
			continue;	/* EINTR: the child got it, too */
		take(&fds[0], out_text);
		take(&fds[1], errors_text);
	}
}

/* Return: 0, or a negative errno: how it ended is not known. */
static int wait_for(pid_t pid, int *result)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	*result = WIFEXITED(status) ? WEXITSTATUS(status) :
		  128 + WTERMSIG(status);
	return 0;
}

static int run(const char *const *argv, char *const *variables,
	       struct tool_result *result, FILE *out_text, FILE *errors_text)
{
	int out[2], errors[2], error, ret;
	pid_t pid;

	if (pipe2(out, O_CLOEXEC))
		return -errno;
	if (pipe2(errors, O_CLOEXEC)) {
		error = errno;
		close(out[0]);
		close(out[1]);
		return -error;
	}
	fflush(NULL);
	pid = fork();
	ret = pid < 0 ? -errno : 0;
	if (!pid)
		child(argv, variables, out[1], errors[1]);
	close(out[1]);
	close(errors[1]);
	if (pid > 0) {
		collect(out[0], errors[0], out_text, errors_text);
		ret = wait_for(pid, &result->status);
	}
	close(out[0]);
	close(errors[0]);
	return ret;
}

int tool_run(const char *const *argv, struct tool_result *result)
{
	return tool_run_with(argv, NULL, result);
}

int tool_run_with(const char *const *argv, char *const *variables,
		  struct tool_result *result)
{
	size_t out_size, errors_size;
	FILE *out, *errors;
	int ret = -ENOMEM;

	memset(result, 0, sizeof(*result));
	result->status = TOOL_MISSING;
	out = open_memstream(&result->out, &out_size);
	errors = open_memstream(&result->errors, &errors_size);
	if (out && errors)
		ret = run(argv, variables, result, out, errors);
	if (out)
		fclose(out);
	if (errors)
		fclose(errors);
	return ret;
}

void tool_free(struct tool_result *result)
{
	free(result->out);
	free(result->errors);
	memset(result, 0, sizeof(*result));
}

int tool_fail(const char *thing, const char *name, const char *package,
	      const struct tool_result *result)
{
	const char *text = result->errors ? result->errors : "";
	char remedy[128];

	if (result->status == TOOL_MISSING) {
		snprintf(remedy, sizeof(remedy), "install %s", package);
		return fail(DR_EXIT_OPERATIONAL, thing, remedy,
			    "the program %s cannot be run", name);
	}
	while (isspace((unsigned char)*text))
		text++;
	return fail(DR_EXIT_OPERATIONAL, thing, NULL,
		    "%s ended with status %d: %.*s", name, result->status,
		    (int)strcspn(text, "\n"), text);
}
