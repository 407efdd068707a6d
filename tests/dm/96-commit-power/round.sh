#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One boot for host.sh. Disks: origin, delta, and one with what each epoch shows.
#
# usage: round.sh prepare | cut PERCENT | end
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

what=$1 percent=${2-}
origin=$(disk 0) delta=$(disk 1) told=$(disk 2) vault=$(dev_of v)
write() { dd if=/dev/urandom of="$vault" bs=64k seek="$1" count="$2" oflag=direct conv=notrunc status=none; }
sum() {
	"$DMDELTA" view v "$1" look >/dev/null && sum_of "$(dev_of look)"
	"$DMDELTA" close look >/dev/null
}
sums() {
	local e

	for e in 3 4 6 7; do echo "$e $(sum $e)"; done
}
# Where the commit is, in percent of its way
way() {
	status_word v 18 |
		awk -F '[,/]' '/-$/ { print 100 } NF == 4 { print int($2 * 100 / ($3 + !$3)) }'
}
past() { [ "$(way)" -ge "$percent" ]; }
committed() { msg v epochs 0 | awk '$1 == 0 { print $7, $8 }'; }

cd /tmp || exit
load_module
if [ "$what" = prepare ]; then
	random_fill "$origin"
	must "$DMDELTA" format "$origin" "$delta" >/dev/null
	open_pair v >/dev/null
	write 0 500; must checkpoint v >/dev/null
	write 300 300; must checkpoint v >/dev/null
	rollback v 1 >/dev/null
	write 100 50; must checkpoint v >/dev/null
	rollback v 2 >/dev/null
	for i in {0..39}; do write $((i * 19)) 9; done
	must checkpoint v >/dev/null
	write 700 40; must checkpoint v >/dev/null
	sums >sums
	dd if=sums of="$told" bs=4k conv=sync oflag=direct status=none
	is "$(msg v commit 6)" 6 "the commit begins"
	msg v commit stop >/dev/null
	ok "close" "$DMDELTA" close v
	finish
fi

expect_sound "$delta" "sound after the cut"
# However fast the machine is, a commit is not done before it is cut.
must slow far "$origin" 500
origin=$(dev_of far)
open_pair v >/dev/null
if [ "$what" = cut ]; then
	like "$(status_word v 18)" '^6,' "the commit goes on"
	(while :; do write $((RANDOM % 700)) 2; done) &
	load=$!
	ok "it has come to $percent %" eventually 120 past
	sleep "0.$((RANDOM % 10))"
	diag "cut at $(status_word v 18)"
	ok "it works until the power goes" kill -0 $load
	vm-cut
	sleep 60
fi
idle() { [ "$(status_word v 18)" = - ]; }
eventually 120 idle
is "$(committed)" "commit 6" "it came to its end"
wanted=$(dd if="$told" bs=4k count=1 iflag=direct status=none | tr -d '\0')
is "$(sums)" "$wanted" "all epochs show what they showed, the branch as well"
is "$(sum_of "$origin")" "$(sed -n 's/^6 //p' <<<"$wanted")" "the origin is what epoch 6 was"
ok "close" "$DMDELTA" close v
expect_sound "$delta"
finish
