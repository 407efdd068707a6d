# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # $tmp is theirs
#
# For cases that boot several times, on the host:
#   . "$(dirname "$0")/../../rounds.sh"
# Results of all boots become one list; the caller ends it with "echo 1..$n".
top=${TOP:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
VM=${VM:-$top/scripts/vm} PUT=${PUT:-$top/build/put}

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { n=$((n + 1)); echo "$1 $n - $2"; }

suite=$(basename "$(cd "$(dirname "$0")/.." && pwd)")

# boot SCRIPT-AND-ARGUMENTS VM-OPTION...: SCRIPT is relative to the suite's
# folder; what it says is in $tmp/out as well
boot() {
	local line status script=$1 before=$n

	"$VM" --timeout $((300 * ${PATIENCE:-1})) --put "$PUT" --log "$tmp/console" "${@:2}" \
		-c "exec /put/tests/$suite/$script" >"$tmp/out" 2>"$tmp/err"
	status=$?
	while IFS= read -r line; do
		case $line in
		'ok '* | 'not ok '*) result "${line%% [0-9]*}" "${line#* - }" ;;
		'#'*) echo "$line" ;;
		esac
	done <"$tmp/out"
	if [ $status = 0 ] && [ "$n" -gt "$before" ]; then
		result ok "$script: the machine ended as it should"
	else
		result "not ok" "$script: the machine ended as it should"
		sed 's/^/# /' "$tmp/err" "$tmp/out"
	fi
	if grep -qE 'WARNING|BUG|Oops|Call Trace|INFO: task' "$tmp/console"; then
		result "not ok" "$script: the kernel log is clean"
		tail -n 60 "$tmp/console" | sed 's/^/# /'
	fi
	return $status
}

# told NAME: the value of a line "# NAME value" of the last boot
told() { sed -n "s/^# $1 //p" "$tmp/out"; }

# some FIRST EACH [DEEP-EACH] <LINES: every EACH-th line from FIRST on
some() {
	[ -z "${DEEP-}" ] || set -- 1 "${3:-1}"
	sed -n "$1~$2p"
}

echo TAP version 13
