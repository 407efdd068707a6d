#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Apply, undo, apply: the same bytes each time. And a power cut after each step
# of each: the device then has the bytes of before or of after, nothing between,
# and all can be done once more. Without DEEP, some of the steps.
top=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
VM=${VM:-$top/scripts/vm} PUT=${PUT:-$top/build/put}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
truncate -s 32M "$tmp/origin"
truncate -s 96M "$tmp/delta"

n=0
result() { n=$((n + 1)); echo "$1 $n - $2"; }

# boot DEATH ARGUMENT...: one round of round.sh; what it says is in $tmp/out
boot() {
	local line status death=$1

	shift
	# shellcheck disable=SC2086 # an option or nothing
	"$VM" --timeout 240 --put "$PUT" --log "$tmp/console" $death \
		--disk "$tmp/origin,ro" --disk "$tmp/delta" \
		--disk "$tmp/prepared,ro" \
		-c "exec /put/tests/scenarios/11-undo/round.sh $*" >"$tmp/out" 2>"$tmp/err"
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$tmp/out"
	[ $status = 0 ] && return
	result "not ok" "the machine ended as it should ($*)"
	sed 's/^/# /' "$tmp/err"
	return 1
}

echo TAP version 13
# a first round that needs no prepared state; its origin may be written
touch "$tmp/prepared"
truncate -s 1M "$tmp/prepared"
"$VM" --timeout 240 --put "$PUT" --disk "$tmp/origin" --disk "$tmp/delta" \
	-c "exec /put/tests/scenarios/11-undo/round.sh prepare" >"$tmp/out" 2>"$tmp/err" ||
	result "not ok" "prepared"
grep -E '^(ok|not ok|#)' "$tmp/out" | sed 's/^not ok [0-9]* - /not ok - /; s/^ok [0-9]* - /ok - /' >"$tmp/tap"
while IFS= read -r line; do
	case $line in
	'ok '* | 'not ok '*) result "${line%% - *}" "${line#* - }" ;;
	*) echo "$line" ;;
	esac
done <"$tmp/tap"
before=$(sed -n 's/^# before //p' "$tmp/out") after=$(sed -n 's/^# after //p' "$tmp/out")
steps_replay=$(sed -n 's/^# steps replay //p' "$tmp/out")
steps_undo=$(sed -n 's/^# steps undo //p' "$tmp/out")
if [ -z "$before" ] || [ -z "$steps_replay" ] || [ -z "$steps_undo" ]; then
	result "not ok" "prepared"
	sed 's/^/# /' "$tmp/out" "$tmp/err"
	echo "1..$n"
	exit 1
fi
cp --sparse=always "$tmp/delta" "$tmp/prepared"

cuts=()
for ((i = 1; i <= steps_replay; i++)); do
	[ -z "${DEEP-}" ] && [ $((i % ((steps_replay + 2) / 3))) != 0 ] || cuts+=("replay $i")
done
for ((i = 1; i <= steps_undo; i++)); do
	[ -z "${DEEP-}" ] && [ $((i % ((steps_undo + 1) / 2))) != 0 ] || cuts+=("undo $i")
done
last=none
for cut in "${cuts[@]}"; do
	boot --expect-death "$last" "$before" "$after" "$cut" || break
	last=${cut// /-}
done
boot '' "$last" "$before" "$after" end
echo "1..$n"
