#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts in the middle of a commit to the origin: after each boot all epochs
# show what they showed, and the commit goes on by itself until it is done (F4).
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

truncate -s 48M "$tmp/origin"
truncate -s 192M "$tmp/delta"
truncate -s 1M "$tmp/told"
disks=(--disk "$tmp/origin" --disk "$tmp/delta" --disk "$tmp/told")

cuts="1 30 60" # percent of the way
[ -z "${DEEP-}" ] || cuts=$(seq 0 3 90)
boot "96-commit-power/round.sh prepare" "${disks[@]}" || { echo "1..$n"; exit; }
for cut in $cuts; do
	boot "96-commit-power/round.sh cut $cut" --expect-death "${disks[@]}" || break
done
boot "96-commit-power/round.sh end" "${disks[@]}"
echo "1..$n"
