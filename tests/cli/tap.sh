# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034 # $top is theirs
#
# For all cases on this machine:  . "$(dirname "$0")/tap.sh"
#
# Sets $top, and $tmp, a directory that goes when the case ends. "result" says
# what came of a check; a case ends with: echo "1..$n".
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
# said: what explains a failure; a case may know better
said() { cat "$tmp/out" "$tmp/err" 2>/dev/null; }
result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		said | head -n 60 | sed 's/^/# /'
	fi
}
