// SPDX-License-Identifier: GPL-2.0
/*
 * now.c - the present as an epoch. An open head cannot be viewed.
 */
#include "checkpoint.h"
#include "cli.h"
#include "device.h"
#include "output.h"
#include "parse.h"
#include "past/now.h"

int now_epoch(const char *device, uint32_t *epoch)
{
	struct checkpoint_options o = { .skip_empty = true };
	struct device_status status;
	struct checkpoint cp;
	int code = device_status(device, &status);

	if (!code)
		code = checkpoint_make(device, status.info.devno, &o, &cp);
	if (code)
		return code;
	*epoch = cp.epoch;
	if (cp.made)
		out_say("checkpoint %u (%s) shows the device as it is now",
			cp.epoch, cp.frozen ? DR_WORD_FROZEN : "not frozen");
	checkpoint_free(&cp);
	return DR_EXIT_OK;
}
