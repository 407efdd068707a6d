#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Apply, undo, apply: the same bytes each time. And a power cut after each step
# of each: the device then has the bytes of before or of after, nothing between,
# and all can be done once more. Without DEEP, some of the steps.
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

for seed in 1 2; do
	rm -f "$tmp"/{origin,delta,prepared}
	truncate -s 32M "$tmp/origin"
	truncate -s 96M "$tmp/delta"
	round="11-undo/round.sh $seed"
	boot "$round prepare" --disk "$tmp/origin" --disk "$tmp/delta" || continue
	before=$(told before) after=$(told after)
	cp --sparse=always "$tmp/delta" "$tmp/prepared"
	disks=(--disk "$tmp/origin,ro" --disk "$tmp/delta" --disk "$tmp/prepared,ro")
	for operation in replay undo; do
		seq -f "$operation %g" "$(told "steps $operation")"
	done >"$tmp/steps"
	nr=$(wc -l <"$tmp/steps")
	some "$seed" $(((nr + 2) / 3)) <"$tmp/steps" >"$tmp/cuts"
	[ -s "$tmp/cuts" ] || result "not ok" "seed $seed: there are steps"

	last=none
	while read -r cut; do
		boot "$round $last $before $after $cut" --expect-death "${disks[@]}" || break
		last=${cut// /-}
	done <"$tmp/cuts"
	boot "$round $last $before $after end" "${disks[@]}"
done
echo "1..$n"
