#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts in the middle of writes, checkpoints, merges, rollbacks, replays
# and reclaim; after each boot all that was acknowledged must be there.
# tests/tools/cutlog.c knows what that is.
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

truncate -s 48M "$tmp/origin"
delta=192M
[ -z "${DEEP-}" ] || delta=1G
truncate -s $delta "$tmp/delta"
truncate -s 64M "$tmp/log"

# round NUMBER OPERATIONS FLUSHES cut|poweroff|end [ro]: the origin read-only
round() {
	local death=--expect-death

	[ "$4" = end ] && death=
	boot "70-power/round.sh $1 $2 $3 $4" $death --disk "$tmp/origin${5:+,ro}" \
		--disk "$tmp/delta" --disk "$tmp/log"
}

round 1 cm 80 cut &&
	round 2 ccrm 120 poweroff ro &&
	round 3 cccddrm 120 cut ro &&
	round 4 cccpd 120 cut ro &&
	round 5 ccrpd 140 poweroff ro &&
	round 6 - 0 end ro
last=$?
for ((i = 7; i <= 40 && last == 0; i++)); do
	[ -n "${DEEP-}" ] || break
	round $i crpdddddd $((50 + i % 5 * 25)) cut ro
	last=$?
done
echo "1..$n"
