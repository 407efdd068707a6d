/* SPDX-License-Identifier: GPL-2.0 */
/*
 * policy.h - the policy of a live device (core/retain.h).
 */
#ifndef DR_POLICY_H
#define DR_POLICY_H

#include "retain.h"

struct policy_text {
	char text[DR_POLICY_MAX + 1];	/* "": none */
};

/* Ask the target, without a word about what goes wrong. 0 or -errno */
int policy_read(const char *name, struct policy_text *policy);

/* The same, understood. Return: exit code, has said why. */
int policy_load(const char *name, struct policy_text *policy,
		struct dr_policy *p);

#endif
