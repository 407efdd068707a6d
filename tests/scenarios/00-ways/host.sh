#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Every way of recovery after every attack, held against what must come of it;
# see ../judge. Without DEEP the controls alone, after the attack that tells most:
# the other cases try the ways that are to be used.
top=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
run=$top/tests/scenarios/run

[ -z "${DEEP-}" ] || exec "$run" --seed 1 --seed 2 --seed 3
exec "$run" --seed 1 --fs ext4 --fs xfs --attack newfile \
	--way rollback --way epoch --way victims --way before
