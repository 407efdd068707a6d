#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Devices that begin anew: nonpersistent ones and updates of them, sessions of
# undoable ones, deltas in memory (B1-B8).
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
vault=$(dev_of v)
base=$(sum_of "$origin")
write() { dd if=/dev/urandom of="$vault" bs=64k seek="$1" count="${2:-1}" oflag=direct conv=notrunc status=none; }
content() { drop_cache "$vault"; sum_of "$vault"; }
begins() { status_word v 19; }
# epochs with this state, "1 2 3"
with_state() { msg v epochs 0 | awk -v s="$1" '$3 == s && $1 { print $1 }' | xargs; }
# again FEATURE...: close and open
again() { must "$DMDELTA" close v >/dev/null && open_pair v "$@" >/dev/null; }

# --- nonpersistent, kept ------------------------------------------------------------

open_pair v nonpersistent
is "$(begins)" 0,-,keep,-,- "the status says how it begins"
like "$(dmsetup table v)" ' 2 nonpersistent keep$' "... and the table"
write 0 8
blkdiscard -f -o $((1024 * 1024)) -l $((1024 * 1024)) "$vault"
written=$(content)
printf '%s\n' suspend resume | dmbatch v >/dev/null
is "$(content)" "$written" "suspend and resume do not go back"
dmsetup reload v --table "$(dmsetup table v | sed 's/keep/discard/')" && dmsetup resume v
is "$(content)" "$written" "a reload does not go back"
is "$(begins)" 0,-,keep,-,- "... nor change what the device was opened for"
again nonpersistent=keep
is "$(content)" "$base" "closed and opened it is the base again"
is "$(with_state sealed)" 1 "what was written is a branch"
ok "undo returns to it" "$DMDELTA" undo v
is "$(content)" "$written" "... to all of it"
again nonpersistent=keep
is "$(content)" "$base" "it is the base again"
n=$(status_word v 9) head=$(head_of v)
again nonpersistent=keep
again nonpersistent=discard
is "$(status_word v 9) $(head_of v)" "$n $head" "with nothing written nothing is done"
blkdiscard -f "$vault"
again nonpersistent=keep
is "$(content)" "$base" "a discard alone is something written"

# --- discarded ----------------------------------------------------------------------

again
is "$(begins)" - "an ordinary device begins where it was"
write 20 4
good=$(checkpoint v) start=$(content)
write 30 4
ok "start" "$DMDELTA" start v "$good"
again nonpersistent=discard
kept=$(with_state sealed)
is "$(content)" "$start" "it begins at the start"
settle v
used=$(status_word v 4)
for i in 1 2; do
	write 0 100
	pinned=$(checkpoint v)
	[ $i = 1 ] || must "$DMDELTA" mark v "$pinned" pinned >/dev/null
	write 0 50
	checkpoint v >/dev/null
	write 0 2
	again nonpersistent=discard
	is "$(content)" "$start" "round $i: it is as it began"
	settle v
done
is "$(with_state sealed)" "$kept $pinned" "what was written is gone, but for what is pinned; what was there before stays"
ok "unpin and drop" eval '"$DMDELTA" mark v $pinned unpinned && "$DMDELTA" drop v $pinned'
settle v
given_back() { [ "$(status_word v 4)" = "$used" ]; }
ok "its space was given back" eventually 60 given_back || diag "$used, now $(status_word v 4)"
message_fails 'resource busy' v drop "$good"
cmd_fails 8 "begins there" "$DMDELTA" drop v "$good"
# The head stands elsewhere, so that nothing else protects the start.
left=$(head_of v)
"$DMDELTA" rollback v base >/dev/null
ok "a policy that keeps one" "$DMDELTA" retain v newest=1
ok "... drops others, but neither the start nor what undo returns to" eventually 120 eval '[ "$(with_state sealed)" = "'"$good $left"'" ]'
write 1
checkpoint v >/dev/null
write 2
again nonpersistent=discard
is "$(content)" "$start" "... to which it goes back"
"$DMDELTA" retain v none >/dev/null

# --- updates --------------------------------------------------------------------------

"$DMDELTA" monitor v --event present --event begins --count 2 --timeout 300 >heard 2>&1 &
monitor=$!
ok "a monitor watches" eventually 60 grep -q ' v present ' heard
ok "update begin" "$DMDELTA" update begin v
ok_wait "... and hears of it" $monitor heard
like "$(cat heard)" ' v begins start=[0-9]+ update=updating' "... what it begins with"
is "$(begins)" "$good,-,discard,updating,-" "with nothing written it is under way"
write 40 4
again nonpersistent=discard
write 50 4
updated=$(content)
again nonpersistent=keep
is "$(content)" "$updated" "restarts do not go back meanwhile"
before=$(facts v)
cmd_fails 8 'an update is updating' "$DMDELTA" start v base
message_fails 'resource busy' v start 0
message_fails 'Invalid argument' v update
message_fails 'Invalid argument' v update begin now
message_fails 'Invalid argument' v update end head
message_fails 'Invalid argument' v update end new froze
is "$(facts v)" "$before" "nothing of that has changed anything"
ok "update end" "$DMDELTA" update end v --label new
new=$(msg v epochs 0 | awk '$5 == "new" { print $1 }')
is "$(begins)" "$new,-,keep,-,-" "it begins there from now on"
write 60 4
again nonpersistent=discard
is "$(content)" "$updated" "closed and opened it is as updated"
write 60
is "$("$DMDELTA" --json update begin v >out; json out '$.update')" wanted "with something written an update is wanted"
cmd_fails 8 'begins with the next opening' "$DMDELTA" update end v
message_fails 'No such device' v update end
again nonpersistent=discard
is "$(begins) $(content)" "$new,-,discard,updating,- $updated" "it begins with the next opening, which goes back"
write 70
cmd_fails 8 'has this label' "$DMDELTA" update end v --label new
is "$(begins)" "$new,-,discard,updating,-" "... a label that is taken does not end it"
ok "update cancel" "$DMDELTA" update cancel v
again nonpersistent=discard
is "$(begins) $(content)" "$new,-,discard,-,- $updated" "a cancelled one is gone"
cmd_fails 8 'no update is under way' "$DMDELTA" update cancel v
message_fails 'No such device' v update cancel
exec 3<"$vault"
dd if=/dev/urandom of="$vault" bs=64k count=1 conv=notrunc status=none
is "$("$DMDELTA" --json update begin v >out; json out '$.update')" wanted "what was in the page cache is no part of an update"
exec 3<&-
must "$DMDELTA" update cancel v >/dev/null
ok "the base again" "$DMDELTA" start v base
again nonpersistent=discard
is "$(content)" "$base" "... is where it begins"

# --- refused ----------------------------------------------------------------------------

before=$(facts v)
cmd_fails 8 'no such epoch' "$DMDELTA" start v 999
cmd_fails 8 'still written' "$DMDELTA" start v head
message_fails 'resource busy' v start "$(head_of v)"
message_fails 'No such file' v start 999
message_fails 'Invalid argument' v start
message_fails 'Invalid argument' v start base
message_fails 'Invalid argument' v session
message_fails 'Invalid argument' v session perhaps
message_fails 'No such device' v session keep
is "$(facts v) $(begins)" "$before 0,-,discard,-,-" "nothing of that has changed anything"
again
message_fails 'not supported' v update begin
cmd_fails 8 'not open as nonpersistent' "$DMDELTA" update begin v
"$DMDELTA" view v "$new" w >/dev/null
must "$DMDELTA" close v >/dev/null
cmd_fails 8 'views of it are open' "$DMDELTA" open v "$origin" "$delta" nonpersistent
cmd_fails 8 'views of it are open' "$DMDELTA" open v "$origin" "$delta" undoable
cmd_fails - . dmsetup create v --table "0 $(sectors_of "$origin") deltarec $origin $delta 1 undoable"
like "$(dmesg | tail -n 5)" 'close the views' "with a view open it cannot begin anew, and the log says so"
ok "... but be an ordinary one" "$DMDELTA" open v "$origin" "$delta"
"$DMDELTA" close w >/dev/null

# --- sessions ------------------------------------------------------------------------------

write 5 5
was=$(content)
again undoable
since=$(status_word v 3)
is "$(begins) $(content)" "0,$since,undoable,-,- $was" "a session begins with what there is"
write 5 20
checkpoint v >/dev/null
write 30 20
message_fails 'resource busy' v drop "$since"
cmd_fails 8 'the open session began with it' "$DMDELTA" drop v "$since"
cmd_fails 16 'Give --commit, --keep or --discard' "$DMDELTA" close v
exec 3<"$vault"
cmd_fails 8 'in use' "$DMDELTA" close v --discard
exec 3<&-
is "$(begins)" "0,$since,undoable,-,-" "a device that is in use has no answer"
mine=$(content)
dmsetup remove v
cmd_fails 8 'a session is open on it' "$DMDELTA" open v "$origin" "$delta" nonpersistent
cmd_fails - . dmsetup create v --table "0 $(sectors_of "$origin") deltarec $origin $delta 2 nonpersistent keep"
like "$(dmesg | tail -n 5)" 'session is open' "a session is not passed over, and the log says so"
open_pair v >/dev/null
is "$(content)" "$mine" "opened without it goes on"
write 60
ok "closes without being asked" "$DMDELTA" close v
open_pair v undoable >/dev/null
is "$(begins)" "0,$since,undoable,-,-" "the session goes on"
ok "close with discard" "$DMDELTA" close v --discard
expect_sound "$delta"
open_pair v >/dev/null
is "$(begins) $(content)" "- $was" "what was written since is gone"
settle v
again undoable
write 7 7
mine=$(content)
ok "close with keep" "$DMDELTA" close v --keep
open_pair v undoable >/dev/null
is "$(content)" "$mine" "what was written is kept"
isnt=$(status_word v 3)
ok "the next session begins with it" [ "$isnt" != "$since" ]
ok "nothing written, discarded" "$DMDELTA" close v --discard
open_pair v >/dev/null
is "$(content)" "$mine" "... it is as it was"
ok "close" "$DMDELTA" close v
expect_sound "$delta"

# --- in memory -------------------------------------------------------------------------------

nr_loops() { cat /sys/block/loop*/loop/backing_file 2>/dev/null | wc -l; }
loops=$(nr_loops)
ok "open in memory" eval '"$DMDELTA" open v "$origin" --memory 24M >out 2>err'
like "$(cat err)" 'warning: all that is written to it is in memory' "it says what that means"
like "$(dmsetup table v)" ' 1 discard_passdown$' "what is given up is memory again"
write 0 100
mine=$(content)
ok "it has a history" eval '[ "$("$DMDELTA" checkpoint v)" = 1 ] && "$DMDELTA" rollback v base'
is "$(content)" "$base" "... which it can go back in"
ok "... and forth" eval '"$DMDELTA" undo v && [ "$(content)" = '"$mine ]"
is "$(nr_loops)" $((loops + 1)) "a loop device is behind it"
ok "close" "$DMDELTA" close v
ok "all of it is gone" eventually 60 eval '[ "$(nr_loops)" = '"$loops ]"
is "$(sum_of "$origin")" "$base" "the origin was not written"
cmd_fails 8 '--memory: too small' "$DMDELTA" open v "$origin" --memory 1M
cmd_fails 8 'asked for, .* available' "$DMDELTA" open v "$origin" --memory 900T
ok "... leaves nothing behind" eventually 60 eval '[ "$(nr_loops)" = '"$loops ]"
ok "a session in memory" "$DMDELTA" open v "$origin" --memory 24M --undoable
write 3
ok "... that may be kept, in vain" "$DMDELTA" close v --keep
finish
