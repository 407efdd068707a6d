#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Marks and policies: what they protect stays, what they do not keep goes and
# gives its space back, checkpoints come by themselves (K1-K6).
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
open_pair v
vault=$(dev_of v)
write() { dd if=/dev/urandom of="$vault" bs=64k seek="$1" count="${2:-1}" oflag=direct conv=notrunc status=none; }
# epochs with this state, "1 2 3"
with_state() { msg v epochs 0 | awk -v s="$1" '$3 == s && $1 { print $1 }' | xargs; }
marks() { msg v epochs 0 | awk -v e="$1" '$1 == e { print $12 }'; }
fate() { "$DMDELTA" --json retain v "${@:2}" >fates; sqlite3 :memory: "select group_concat(json_extract(value, '$.epoch'), ' ')
	from json_each(readfile('fates'), '$.epochs') where json_extract(value, '$.why') = '$1'"; }

# --- marks -------------------------------------------------------------------------

for ((i = 0; i < 12; i++)); do
	write $i 4
	must checkpoint v "$([ $i = 4 ] && echo release || echo -)" >/dev/null
done
is "$(marks 3)" - "an epoch has no marks at first"
ok "pin" "$DMDELTA" mark v 3 pinned
ok "mark two as suspect" "$DMDELTA" mark v 7 suspect --to 8
is "$(marks 3) $(marks 7) $(marks 8) $(marks 9)" "pinned suspect suspect -" "the marks are there"
like "$("$DMDELTA" log v)" ' pinned' "the log shows them"
"$DMDELTA" --json log v >log
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '$.epoch')) from
	json_each(readfile('log'), '$.epochs') where json_extract(value, '$.suspect')")" 8,7 "... in JSON, too"
cmd_fails 8 'the epoch is pinned' "$DMDELTA" drop v 3
before=$(facts v)
cmd_fails 8 'base: always there' "$DMDELTA" mark v base pinned
cmd_fails 8 'no such epoch' "$DMDELTA" mark v 99 pinned
cmd_fails 16 'no such mark' "$DMDELTA" mark v 3 bad
cmd_fails 8 'does not lead' "$DMDELTA" mark v 8 good --to 7
message_fails 'Invalid argument' v mark 3
message_fails 'Invalid argument' v mark 3 pinned now
message_fails 'Invalid argument' v mark x pinned
is "$(facts v)" "$before" "nothing of that has changed anything"

# --- what a policy would do, and what it does ------------------------------------------

is "$(msg v policy get)" - "there is no policy at first"
is "$(fate 'no policy')" "1 2 4 10 11 12" "without one all stay"
is "$(fate drop newest=2 --dry-run)" "1 2 4 10" "a rehearsal"
is "$(fate named newest=2 --dry-run)" 5 "... the label protects"
is "$(fate 'beside a suspect one' newest=2 --dry-run)" "6 9" "... so does a suspect neighbour"
is "$(with_state dropped)" "" "... and drops nothing"
cmd_fails 16 'newest=x: a number' "$DMDELTA" retain v newest=x
cmd_fails 16 'yearly=1: unknown word' "$DMDELTA" retain v newest=1 yearly=1
cmd_fails 16 'too long' "$DMDELTA" retain v "$(printf '%300s' newest=1)"
message_fails 'Invalid argument' v policy
message_fails 'Invalid argument' v policy set newest
is "$(msg v policy get)" - "still no policy"
"$DMDELTA" view v 2 w >/dev/null
used=$(status_word v 4)
ok "a policy is set" "$DMDELTA" retain v newest=2
is "$(msg v policy get)" "newest=2" "... and kept"
ok "it drops what it does not keep" eventually 120 eval '[ "$(with_state sealed)" = "2 3 5 6 7 8 9 11 12" ]'
ok "close the view" "$DMDELTA" close w
ok "... and that one goes, too" eventually 120 eval '[ "$(with_state sealed)" = "3 5 6 7 8 9 11 12" ]'
settle v
now=$(status_word v 4)
ok "space was given back ($used, $now)" [ "${now%/*}" -lt "${used%/*}" ]
sum=$(sum_of "$vault")
ok "unpin by number and by label" eval '"$DMDELTA" mark v 3 unpinned && "$DMDELTA" mark v release unpinned'
is "$(marks 5)" loose "a label that protects no more"
ok "what is good again" "$DMDELTA" mark v 7 good --to 8
ok "all of them go" eventually 120 eval '[ "$(with_state sealed)" = "11 12" ]'
settle v
drop_cache "$vault"
is "$(sum_of "$vault")" "$sum" "the head is as it was"

# --- it lies with the device ------------------------------------------------------------

ok "mark before closing" "$DMDELTA" mark v 11 pinned
ok "close" "$DMDELTA" close v
expect_sound "$delta"
open_pair v
is "$(msg v policy get) $(marks 11)" "newest=2 pinned" "policy and marks are there after opening"
for ((i = 0; i < 4; i++)); do
	write $i
	must checkpoint v >/dev/null
done
ok "the policy goes on" eventually 120 eval '[ "$(with_state sealed)" = "11 15 16" ]'
ok "none keeps all" "$DMDELTA" retain v none
is "$(msg v policy get)" - "... it is gone"

# --- checkpoints by themselves --------------------------------------------------------------

nr() { with_state sealed | wc -w; }
ok "every second" "$DMDELTA" retain v every=1s
n=$(nr)
sleep 3
is "$(nr)" "$n" "nothing was written: no checkpoint"
# of one block: a checkpoint cannot come between
dd if=/dev/urandom of="$vault" bs=4k seek=16 count=1 oflag=direct conv=notrunc status=none
ok "one write: one checkpoint" eventually 60 eval '[ "$(nr)" = '$((n + 1))' ]'
sleep 3
is "$(nr)" $((n + 1)) "... and no more than one"
like "$(msg v epochs 0 | awk '$3 == "sealed" { l = $0 } END { print l }')" ' checkpoint - crash' \
	"it is no frozen one"
ok "by what was written" "$DMDELTA" retain v written=2M
n=$(nr)
write 0 31
sleep 3
is "$(nr)" "$n" "less than that: none"
write 40 2
ok "more than that: one" eventually 60 eval '[ "$(nr)" = '$((n + 1))' ]'

# Everything at once, with writes, for a while
ok "all together" "$DMDELTA" retain v every=1s written=1M newest=3
(for ((i = 0; i < 60; i++)); do write $((i % 100)) 8; sleep 0.2; done) &
for ((i = 0; i < 5; i++)); do
	sleep 1
	"$DMDELTA" mark v head~1 pinned >/dev/null || fail "mark while it goes on"
	printf '%s\n' suspend resume | dmbatch v >/dev/null
done
ok_wait "writers go on" $!
sum=$(sum_of "$vault")
ok "set and unset it many times" eval 'for ((i = 0; i < 20; i++)); do
	"$DMDELTA" retain v every=1s newest=$((i + 1)) >/dev/null && "$DMDELTA" retain v none >/dev/null || exit 1; done'
is "$(sum_of "$vault")" "$sum" "the device is as it was"
ok "set one that is at work while it closes" "$DMDELTA" retain v every=1s newest=1
write 3
sleep 1
ok "close" "$DMDELTA" close v
expect_sound "$delta"
finish
