#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run, with two processors and the clock of the wall:
# how much more 2 and 4 jobs do than one. Devices without latency, so that
# processors and locks decide. Each is measured $rounds times, for the median.
# shellcheck source=tests/bench/guest-lib.sh
. /put/guest-lib.sh
# shellcheck source=tests/bench/guest-targets.sh
. /put/guest-targets.sh

rounds=3
export RW JOBS
versions
for t in $TARGETS; do
	RESULTS=/get/scale/$t
	"make_$t"
	can "room_$t" && "room_$t" 2
	can "take_$t" && "take_$t" 1 | batch
	fill $DEV
	for ((i = 1; i <= rounds; i++)); do
		for RW in randread randwrite; do
			for JOBS in 1 2 4; do
				measure scale-${RW#rand}-$JOBS-$i scale
			done
		done
	done
	valid
	can "drop_$t" && "drop_$t" 1 | batch
	"close_$t"
done
clean_log
exit 0
