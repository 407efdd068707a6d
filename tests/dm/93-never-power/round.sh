#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One boot of host.sh's: what did the last one leave, what comes next, and then
# writes until the power goes. Disks: origin, delta, and one on which a round
# tells the next ones what it saw: a sum in each 4 KiB.
#
# usage: round.sh NAME cut|end
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

round=$1 how=$2
origin=$(disk 0) delta=$(disk 1) told=$(disk 2) vault=$(dev_of v)

content() { drop_cache "$vault"; sum_of "$vault"; }
begins() { status_word v 19; }
write() { dd if=/dev/urandom of="$vault" bs=64k seek="$1" count="${2:-1}" oflag=direct,sync conv=notrunc status=none; }
# tell N: what the device is now; as N: it is as it was then
tell() { content | dd of="$told" bs=4k seek="$1" conv=sync,notrunc oflag=direct status=none; }
as() { is "$(content)" "$(dd if="$told" bs=4k skip="$1" count=1 iflag=direct status=none | head -n 1 | tr -d '\0')" "$2"; }

cd /tmp || exit
load_module
[ "$round" = format ] || expect_sound "$delta" "dmdelta check of what the cut left"
case $round in
format)
	random_fill "$origin"
	must "$DMDELTA" format "$origin" "$delta" >/dev/null
	open_pair v nonpersistent >/dev/null
	tell 0
	;;
keep)
	open_pair v nonpersistent=keep >/dev/null
	as 0 "it is the base after a power cut"
	ok "what was written is a branch" [ "$(status_word v 9)" = 2 ]
	;;
discard)
	open_pair v nonpersistent=discard >/dev/null
	as 0 "it is the base after a power cut"
	ok "what was kept before stays" [ "$(msg v epochs 0 | grep -c sealed)" = 3 ]
	write 0 4
	;;
update)
	open_pair v nonpersistent=discard >/dev/null
	as 0 "it is the base after a power cut"
	ok "what was written was dropped" [ "$(msg v epochs 0 | grep -c sealed)" = 3 ]
	ok "update begin" "$DMDELTA" update begin v
	write 100 4
	;;
updating)
	open_pair v nonpersistent=discard >/dev/null
	like "$(begins)" 'updating' "the update is under way after a power cut"
	write 100 4
	;;
updated)
	open_pair v nonpersistent=discard >/dev/null
	like "$(begins)" 'updating' "the update is still under way"
	write 100 4
	tell 1
	ok "update end" "$DMDELTA" update end v --label new
	;;
session)
	open_pair v nonpersistent=discard >/dev/null
	as 1 "it is as updated after a power cut"
	like "$(begins)" '^[1-9][0-9]*,-,discard,-,-$' "... and no update is under way"
	must "$DMDELTA" close v >/dev/null
	open_pair v undoable >/dev/null
	;;
discarding)
	open_pair v undoable >/dev/null
	like "$(begins)" '^[0-9]*,[0-9]+,undoable,-,-$' "the session goes on after a power cut"
	not_ok "what was written in it is there" [ "$(content)" = "$(dd if="$told" bs=4k skip=1 count=1 status=none | tr -d '\0')" ]
	is "$(msg v session discard)" discard "it is to be discarded"
	;;
ordinary)
	open_pair v >/dev/null
	as 1 "the discard was not lost: it is as when the session began"
	like "$(begins)" '^[0-9]+,-,-,-,-$' "the session has ended"
	settle v
	ok "close" "$DMDELTA" close v
	expect_sound "$delta"
	;;
esac
[ "$how" = end ] && finish
: >written
(while write $((RANDOM % 90)) 4; do echo >>written; done) &
some() { [ "$(wc -l <written)" -ge 5 ]; }
ok "it writes" eventually 120 some
ok "it works until the power goes" kill -0 $!
vm-"$how"
sleep 60
