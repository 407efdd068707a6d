#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
#
# In the VM, for tests/scenarios/run: tries ways of recovery. Prints a line
# "@result JSON" for each combination, and "@end" when all were tried.
#
# usage: guest-matrix.sh "FS..." "ATTACK..." "WAY..." "SEED..."
cd /put/tests/scenarios || exit
. ./lib.sh
. ./ways.sh
# A file system that a naive way broke may complain.
echo 0 >/proc/sys/kernel/panic_on_warn
modprobe dm_mod
mkdir -p /tmp/case

for seed in $4; do
	for fs in $1; do
		for attack in $2; do
			echo "# history: $fs $attack, seed $seed"
			history "$fs" "$attack" "$seed" || exit
			for way in $3; do
				way_available "$way" || continue
				result=$(try_way "$way")
				echo "@result $result"
				sed 's/^/#   /' /tmp/case/said
				dmesg -c | grep -E 'deltarec.*(error|fail)|BUG|WARNING' | sed 's/^/#   kernel: /'
			done
		done
	done
done
finished=1
echo @end
