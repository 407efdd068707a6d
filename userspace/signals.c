// SPDX-License-Identifier: GPL-2.0
/*
 * signals.c - a signal asks, the command decides when to listen.
 *
 * Handlers are installed without SA_RESTART, so that waits end with EINTR.
 */
#include <signal.h>

#include "cli.h"

static const int caught[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU,
};

static volatile sig_atomic_t asked;
static sigset_t before;
static int held;

static void ask(int sig)
{
	asked = sig;
}

void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = ask };
	size_t i;

	sigemptyset(&sa.sa_mask);
	for (i = 0; i < ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	/* Who has started us may not have waited for children; we do. */
	sa.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &sa, NULL);
}

bool cancelled(void)
{
	return asked && !held;
}

void hold_signals(void)
{
	sigset_t set;

	if (held++)
		return;
	sigfillset(&set);
	/* What the program itself did wrong cannot be made to wait. */
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGABRT);
	sigprocmask(SIG_SETMASK, &set, &before);
}

void release_signals(void)
{
	if (!--held)
		sigprocmask(SIG_SETMASK, &before, NULL);
}
