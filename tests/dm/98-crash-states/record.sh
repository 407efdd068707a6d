#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The load that host.sh has recorded. One disk, cut into origin, delta and marks,
# so that there is one order of all writes. A flush does not say which of the
# pieces it is for, so one of the two has no volatile cache at a time: first the
# origin, then the delta. Their flushes end in the guest then.
#
# usage: record.sh SEED OPERATIONS ORIGIN DELTA MARKS, as START+SECTORS
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

seed=$1 operations=$2

# cache NAME back|through
cache() {
	local number

	number=$(dmsetup info -c --noheadings --separator : -o major,minor "$1")
	echo "write $2" >"/sys/dev/block/$number/queue/write_cache" || bail "write cache of $1"
}

# load NUMBER CACHED-PIECE OPERATIONS COMMITS: from an open to a close
load() {
	local caches=back other=through

	sync "$(disk 0)"
	[ "$2" = origin ] || { caches=through other=back; }
	cache origin $caches
	cache delta $other
	must crashload mark "$marks" "A ${2:0:1}"
	open_pair v cache_mb=4 discard_passdown >/dev/null
	ok "load $1 ends, the $2 being cached" crashload -S "$seed$1" -n "$3" -c "$4" \
		run v "$(dev_of v)" "$marks"
	diag "$(status_of v)"
	ok "close" "$DMDELTA" close v
}

cd /tmp || exit
load_module
must linear origin "$(disk 0)" "${3%+*}" "${3#*+}"
must linear delta "$(disk 0)" "${4%+*}" "${4#*+}"
must linear marks "$(disk 0)" "${5%+*}" "${5#*+}"
origin=$(dev_of origin) delta=$(dev_of delta) marks=$(dev_of marks)
must crashload fill "$origin"
must "$DMDELTA" format "$origin" "$delta" >/dev/null
must sync "$(disk 0)"
must crashload mark "$marks" "A d"
must crashload mark "$marks" "B ${3#*+}"
load 1 delta "$operations" 3
load 2 origin $((operations / 2)) 5
load 3 delta $((operations / 4)) 0
must crashload mark "$marks" Z
expect_sound "$delta"
finish
