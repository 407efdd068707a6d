#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One round in the guest, for host.sh: check what the last one left, then work
# until the power goes. Disks: origin, delta, log.
#
# usage: round.sh NUMBER OPERATIONS FLUSHES cut|poweroff|end
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

round=$1 ops=$2 more=$3 how=$4 sectors=8192
origin=$(disk 0) delta=$(disk 1) log=$(disk 2) dev=$(dev_of v)
what="round $round ($ops, $how)"

cd /tmp || exit
load_module
if [ "$round" = 1 ]; then
	must cutlog fill "$origin" $sectors
	must "$DMDELTA" format "$origin" "$delta" >/dev/null
	open_pair v cache_mb=4 >/dev/null
else
	what="after round $((round - 1))"
	expect_sound "$delta" "$what: dmdelta check of what the cut left"
	ok "$what: it opens" "$DMDELTA" open v "$origin" "$delta" cache_mb=4
	like "$(status_of v)" '^rw .* - [0-9]+ [0-9]+/[0-9]+ - -$' "$what: no replay is open"
	ok "$what: what was acknowledged is there" cutlog -S "$round" -n 6 check v "$dev" "$log" $sectors
	diag "$(status_of v)"
	ok "$what: close" "$DMDELTA" close v
	expect_sound "$delta" "$what: dmdelta check again"
	open_pair v cache_mb=4 >/dev/null
	what="round $round ($ops, $how)"
fi
if [ "$how" = end ]; then
	ok "all was written" [ "$(cutlog -n 0 check v "$dev" "$log" $sectors | wc -l)" = 1 ]
	finish
fi
flushes() { cutlog log "$log" | cut -d' ' -f1; }
until=$(($(flushes) + more))
cutlog -S "$round" -o "$ops" -w 12 run v "$dev" "$log" $sectors 2>failed &
worker=$!
enough() { [ "$(flushes)" -ge $until ] || ! kill -0 $worker; }
eventually 300 enough 2>/dev/null
if ! kill -0 $worker; then
	fail "$what: it works until the power goes"
	diag "$(cat failed)"
	finish
fi
pass "$what: $(cutlog log "$log") before the cut"
vm-"$how"
sleep 60
