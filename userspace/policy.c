// SPDX-License-Identifier: GPL-2.0
/*
 * policy.c - see policy.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "device.h"
#include "policy.h"

int policy_read(const char *name, struct policy_text *policy)
{
	char *reply;
	int ret = mapper_message(name, &reply, DR_MSG_POLICY " " DR_WORD_GET);

	if (ret)
		return ret;
	snprintf(policy->text, sizeof(policy->text), "%s",
		 strcmp(reply, DR_WORD_NONE) ? reply : "");
	free(reply);
	return 0;
}

int policy_load(const char *name, struct policy_text *policy,
		struct dr_policy *p)
{
	int ret = policy_read(name, policy);
	uint32_t at;

	if (ret)
		return message_fail(name, "policy", ret);
	if (!dr_policy_parse(p, policy->text, &at))
		return DR_EXIT_OK;
	return fail(DR_EXIT_OPERATIONAL, name,
		    "use the tool that came with the module",
		    "its policy '%s' is not understood", policy->text);
}
