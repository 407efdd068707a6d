#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts in the middle of writes, checkpoints, merges, rollbacks, replays
# and reclaim; after each boot all that was acknowledged must be there.
# tests/tools/cutlog.c knows what that is.
top=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
VM=${VM:-$top/scripts/vm} PUT=${PUT:-$top/build/put}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
truncate -s 48M "$tmp/origin"
delta=192M
[ -z "${DEEP-}" ] || delta=1G
truncate -s $delta "$tmp/delta"
truncate -s 64M "$tmp/log"

n=0
result() { n=$((n + 1)); echo "$1 $n - $2"; }

# round NUMBER OPERATIONS SECONDS cut|poweroff|end [ro]: the origin read-only
round() {
	local death=--expect-death line status before=$n

	[ "$4" = end ] && death=
	"$VM" --timeout 240 --put "$PUT" --log "$tmp/console" $death \
		--disk "$tmp/origin${5:+,ro}" --disk "$tmp/delta" --disk "$tmp/log" \
		-c "/put/tests/dm/70-power/round.sh $*" >"$tmp/out" 2>"$tmp/err"
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$tmp/out"
	if [ $status = 0 ] && [ "$n" -gt "$before" ]; then
		result ok "round $1: the machine ended as it should"
	else
		result "not ok" "round $1: the machine ended as it should"
		sed 's/^/# /' "$tmp/err" "$tmp/out"
	fi
	if grep -qE 'WARNING|BUG|Oops|Call Trace|INFO: task' "$tmp/console"; then
		result "not ok" "round $1: the kernel log is clean"
		tail -n 60 "$tmp/console" | sed 's/^/# /'
	fi
	return "$status"
}

echo TAP version 13
round 1 cm 4 cut &&
	round 2 ccrm 5 poweroff ro &&
	round 3 cccddrm 5 cut ro &&
	round 4 cccpd 5 cut ro &&
	round 5 ccrpd 6 poweroff ro &&
	round 6 - 0 end ro
last=$?
for ((i = 7; i <= 40 && last == 0; i++)); do
	[ -n "${DEEP-}" ] || break
	round $i crpdddddd $((2 + i % 5)) cut ro
	last=$?
done
echo "1..$n"
