#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# After attacks that move files to other blocks: block mode refuses, says why, and
# harms nobody; files give everything back. For the cases 2 to 4.
#
# usage: refused.sh ATTACK FS      (all file systems with DEEP)
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/scenarios/ways.sh
. "$(dirname "$0")/ways.sh"

attack=$1
scenario() {
	must history "$f" "$attack" "$seed"

	must copy_pair
	exits 4 "$what: a plan of blocks is refused" \
		"$DMDELTA" plan v --from bad --to bad --mode blocks
	case $f in
	btrfs) like "$(cat /tmp/case/out /tmp/case/err)" 'copy-on-write' "$what: ... the reason is told" ;;
	*) like "$(cat /tmp/case/out)" 'C2 refused .*: .*use files' "$what: ... the reason is told" ;;
	esac
	close_pair
	judged "$what: blocks do no harm" "$(try_way blocks)"
	judged "$what: files give everything" "$(try_way files)"
	like "$(cat /tmp/case/said)" 'mixed' "$what: what the owner wrote anew is reported"
}
if [ -n "${DEEP-}" ]; then
	each ext4 xfs btrfs
else
	each "$2"
fi
finish
