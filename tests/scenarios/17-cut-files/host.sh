#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A power cut in the middle of a recovery of files and of its undo, after each
# system call that changes something: every file is as before or as after, the
# good work is there, the same command ends what was begun, and undo takes all
# of it back. Without DEEP, some of the calls.
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

for seed in 1 2; do
	rm -f "$tmp"/{origin,delta,prepared}
	truncate -s 320M "$tmp/origin"
	truncate -s 96M "$tmp/delta"
	# seed 2 on xfs
	round="17-cut-files/round.sh $seed $([ $seed = 1 ] && echo ext4 || echo xfs)"
	boot "$round prepare" --disk "$tmp/origin" --disk "$tmp/delta" || continue
	cp --sparse=always "$tmp/delta" "$tmp/prepared"
	disks=(--disk "$tmp/origin,ro" --disk "$tmp/delta" --disk "$tmp/prepared,ro")
	told call >"$tmp/calls"
	# Most of the ioctls only ask.
	{
		grep -v ioctl "$tmp/calls" | some $((seed * 9)) 41
		grep ioctl "$tmp/calls" | some $((seed * 60)) 400 5
	} >"$tmp/cuts"
	echo "# seed $seed: $(wc -l <"$tmp/cuts") of $(wc -l <"$tmp/calls") calls"
	[ -s "$tmp/cuts" ] || result "not ok" "seed $seed: there are calls"

	last=none
	while read -r cut; do
		boot "$round $last $cut" --expect-death "${disks[@]}" || break
		last=${cut// /-}
	done <"$tmp/cuts"
	boot "$round $last end" "${disks[@]}"
done
echo "1..$n"
