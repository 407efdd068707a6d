#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts on devices that begin anew: each boot looks at what the last one
# left, does something, and is cut while it writes on (B1, B6, B7).
top=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
VM=${VM:-$top/scripts/vm} PUT=${PUT:-$top/build/put}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
truncate -s 16M "$tmp/origin"
truncate -s 64M "$tmp/delta"
truncate -s 1M "$tmp/told"

n=0
result() { n=$((n + 1)); echo "$1 $n - $2"; }

# round NAME cut|end: what round.sh does under this name
round() {
	local death=--expect-death line status before=$n

	[ "$2" = end ] && death=
	"$VM" --timeout $((300 * ${PATIENCE:-1})) --put "$PUT" --log "$tmp/console" $death \
		--disk "$tmp/origin" --disk "$tmp/delta" --disk "$tmp/told" \
		-c "/put/tests/dm/93-never-power/round.sh $*" >"$tmp/out" 2>"$tmp/err"
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "$1: ${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$tmp/out"
	if [ $status = 0 ] && [ "$n" -gt "$before" ]; then
		result ok "$1: the machine ended as it should"
	else
		result "not ok" "$1: the machine ended as it should"
		sed 's/^/# /' "$tmp/err" "$tmp/out"
	fi
	if grep -qE 'WARNING|BUG|Oops|Call Trace|INFO: task' "$tmp/console"; then
		result "not ok" "$1: the kernel log is clean"
		tail -n 60 "$tmp/console" | sed 's/^/# /'
	fi
	return "$status"
}

echo TAP version 13
round format cut && round keep cut && round discard cut &&
	round update cut && round updating cut && round updated cut &&
	round session cut && round discarding cut && round ordinary end
echo "1..$n"
