#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A wiper over partition table, superblocks and inode tables, then the power
# goes off. After the next boot: every byte of then is back.
top=${TOP:-$(cd "$(dirname "$0")/../../.." && pwd)}
VM=${VM:-$top/scripts/vm} PUT=${PUT:-$top/build/put}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
truncate -s 400M "$tmp/origin"
truncate -s 256M "$tmp/delta"
truncate -s 512M "$tmp/record"

n=0
result() { n=$((n + 1)); echo "$1 $n - $2"; }

# boot NAME OPTION...
boot() {
	local line status

	"$VM" --timeout 300 --put "$PUT" --log "$tmp/console" "${@:2}" \
		--disk "$tmp/origin" --disk "$tmp/delta" --disk "$tmp/record" \
		-c "exec /put/tests/scenarios/05-wiper/$1.sh" >"$tmp/out" 2>"$tmp/err"
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$tmp/out"
	if [ $status = 0 ]; then
		result ok "$1: the machine ended as it should"
	else
		result "not ok" "$1: the machine ended as it should"
		sed 's/^/# /' "$tmp/err"
	fi
	return $status
}

echo TAP version 13
boot wipe --expect-death && boot return
echo "1..$n"
