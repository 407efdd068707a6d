#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The past up to an epoch becomes the origin's content, while the device is in
# use; nothing that is retained changes, and space comes back (F1-F8).
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 96
open_pair v
vault=$(dev_of v)
# write SEEK COUNT: so many blocks of 16 KiB with fresh content
write() { dd if=/dev/urandom of="$vault" bs=16k seek="$1" count="$2" oflag=direct conv=notrunc status=none; }
seal() { must checkpoint v "$@" >/dev/null; }
state() { msg v epochs 0 | awk -v e="$1" '$1 == e { print $3 }'; }
used() { status_word v 4 | cut -d/ -f1; }
# sum EPOCH: what a view of it shows
sum() {
	"$DMDELTA" view v "$1" look >/dev/null && sum_of "$(dev_of look)"
	"$DMDELTA" close look >/dev/null
}
sums() {
	local e

	for e; do echo "$e $(sum "$e")"; done
}
idle() { [ "$(status_word v 18)" = - ]; }

# --- a history with branches, a replay, discards, and views of it ---------------------

write 0 400; seal
write 100 300; blkdiscard -o 1M -l 1M "$vault"; seal
is "$(rollback v 1)" 4 "a branch that leaves below what is going to be committed"
write 200 50; seal branch
is "$(rollback v 0)" 6 "another one, from the base"
write 900 30; seal
is "$(rollback v 2)" 8 "the way of the head"
write 300 200; write 1000 20; seal
write 50 500; write 850 10; seal
replayed=$(replay v KEEP 9 9 800+4000 27200+320)
ok "a replay, part of which shows the origin" [ "${replayed%% *}" -gt 4000 ]
top=${replayed%% *}
seal later
write 10 10
all="3 4 6 8 9 $top"
before=$(sums $all) want=$(sum 8)
origin_was=$(sum_of "$origin")

# --- what is refused ----------------------------------------------------------------------

must "$DMDELTA" mark v 2 unpinned >/dev/null
facts_before=$(facts v)
message_fails 'No such file' v commit 99
message_fails 'No such file' v commit 0
message_fails 'Device or resource busy' v commit "$(head_of v)"
message_fails 'Stale file handle' v commit 4
message_fails 'Invalid argument' v commit
message_fails 'Invalid argument' v commit 8 now
message_fails 'No data' v commit stop
must "$DMDELTA" mark v 2 pinned >/dev/null
message_fails 'Operation not permitted' v commit 8
cmd_fails 8 'pinned, named, suspect' "$DMDELTA" commit v 8 --yes
must "$DMDELTA" mark v 2 unpinned >/dev/null
must "$DMDELTA" mark v 2 suspect >/dev/null
message_fails 'Operation not permitted' v commit 8
must "$DMDELTA" mark v 2 good >/dev/null
must "$DMDELTA" mark v 8 suspect >/dev/null
message_fails 'Operation not permitted' v commit 8 try
must "$DMDELTA" mark v 8 good >/dev/null
must "$DMDELTA" view v 2 look >/dev/null
message_fails 'Device or resource busy' v commit 8
must "$DMDELTA" close look >/dev/null
must "$DMDELTA" view v base look >/dev/null
message_fails 'Device or resource busy' v commit 8
must "$DMDELTA" close look >/dev/null
must blockdev --setro "$(disk 0)"
must dmsetup suspend origin
must dmsetup load origin --readonly --table "$(dmsetup table origin)"
must dmsetup resume origin
cmd_fails 8 'origin is read-only' "$DMDELTA" commit v 8 --yes
must blockdev --setrw "$(disk 0)"
must dmsetup suspend origin
must dmsetup load origin --table "$(dmsetup table origin)"
must dmsetup resume origin
linear delta2 "$(disk 1)" $((96 * 2048)) $((16 * 2048))
must "$DMDELTA" format "$origin" "$(dev_of delta2)" >/dev/null
must "$DMDELTA" open w "$origin" "$(dev_of delta2)" >/dev/null
message_fails 'Too many links' v commit 8
cmd_fails 8 'its origin is not its own: .*w' "$DMDELTA" commit v 8 --yes
must "$DMDELTA" close w >/dev/null
must linear onto "$origin"
cmd_fails 8 'its origin is not its own: .*onto' "$DMDELTA" commit v 8 --yes
must dmsetup remove onto
cmd_fails 16 'give --yes' "$DMDELTA" commit v 8
cmd_fails 16 'missing' "$DMDELTA" commit v
cmd_fails 16 'takes no epoch' "$DMDELTA" commit v 8 --stop
cmd_fails 8 'no commit is under way' "$DMDELTA" commit v --stop
ok "a rehearsal" "$DMDELTA" --json commit v 8 --dry-run
is "$(facts v)" "$facts_before" "nothing of that has changed anything"
is "$(sum_of "$origin")" "$origin_was" "... nor the origin"

# --- commit, under load ----------------------------------------------------------------------

"$DMDELTA" view v 8 held8 >/dev/null
"$DMDELTA" view v "$top" held_top >/dev/null
had=$(used)
head -c 2M /dev/urandom >/tmp/load
touch /tmp/go
(while [ -e /tmp/go ]; do
	dd if=/tmp/load of="$vault" bs=64k seek=224 oflag=direct conv=notrunc status=none || exit 1
	dd if="$vault" bs=64k skip=224 count=32 iflag=direct status=none | cmp -s - /tmp/load || exit 2
done
exit 0) &
load=$!
"$DMDELTA" --json commit v 8 --yes >committed 2>&1
is "$?" 0 "commit up to epoch 8, with a load on the device"
diag "$(cat committed)"
is "$(json committed '$.done')" 1 "it waited for the end"
is "$(sum_of "$origin")" "$want" "the origin is what epoch 8 was"
is "$(sum_of "$(dev_of held8)")" "$want" "a view of it that was open shows the same"
is "$(sum_of "$(dev_of held_top)")" "$(sed -n "s/^$top //p" <<<"$before")" "... so does one of a later epoch"
is "$(sums $all)" "$before" "all epochs show what they showed, branches and the replay among them"
rm /tmp/go
wait $load
is "$?" 0 "the load went through"
is "$(state 1)$(state 2)" "" "the epochs below are gone"
is "$(msg v epochs 0 | awk '$1 == 0 { print $7, $8 }')" "commit 8" "the base says what it is"
is "$(sum base)" "$want" "... and shows it"
like "$("$DMDELTA" log v)" 'base' "the log shows it"
"$DMDELTA" close held8 >/dev/null
"$DMDELTA" close held_top >/dev/null
write 10 10; seal
must settle v
"$DMDELTA" view v 6 look >/dev/null
ok "what the origin was is kept for a branch" [ "$(used)" -gt "$had" ]
"$DMDELTA" close look >/dev/null
for e in 3 4 5 6 7; do must "$DMDELTA" drop v $e >/dev/null; done
must settle v
ok "without the branches space comes back ($had to $(used) blocks)" [ "$(used)" -lt $((had - 1500)) ]
message_fails 'No data' v replay count 0 8 8 8 keep_later 0
rollback v 8 >/dev/null
is "$(sum_of "$vault")" "$want" "back to epoch 8: the origin shows through"
rollback v later >/dev/null 2>&1
rollback v 9 >/dev/null
is "$(sum_of "$vault")" "$(sed -n 's/^9 //p' <<<"$before")" "... and to a later one"

# --- again, after a close in the middle, and stopped ---------------------------------------------

write 0 1000; seal
to=$(status_word v 3)
want=$(sum "$to")
"$DMDELTA" monitor v >heard 2>&1 &
monitor=$!
# told REGEX: the monitor says so
told() { ok "the monitor tells: $1" eventually 60 grep -qE " v $1\$" heard; }
told 'present .*'
# Writes to the origin take their time, so that it can be stopped in the middle,
# and the monitor comes before the end.
must modprobe dm-delay
where=$(dmsetup table origin | cut -d' ' -f4,5)
origin_is() {
	must dmsetup load origin --table "0 $(sectors_of "$origin") $*"
	must dmsetup suspend origin
	must dmsetup resume origin
}
origin_is delay $where 0 $where 200
msg v commit "$to" >/dev/null
begun() { [[ $(status_word v 18) =~ ^$to,[1-9] ]]; }
ok "it is under way" eventually 60 begun
is "$(msg v commit stop)" "$to" "stopped"
told "commit-(begun|state) epoch=$to state=stopped.*"
like "$(status_word v 18)" "^$to,[0-9]+/[0-9]+,stopped" "... as the status says"
message_fails 'Device or resource busy' v commit "$top"
cmd_fails 8 'A commit is writing to the origin' "$DMDELTA" view v base look
is "$(rollback v 0)" "failed: Device or resource busy" "the base cannot be gone back to meanwhile"
message_fails 'Device or resource busy' v drop "$to"
write 500 20
must "$DMDELTA" close v >/dev/null
expect_sound "$delta" "sound in the middle of a commit"
open_pair v
told 'opened .*'
ok "it goes on when it is opened" eventually 120 idle
told "committed epoch=$to"
kill $monitor
origin_is linear $where
is "$(sum_of "$origin")" "$want" "... to its end"
is "$(sum "$to")" "$want" "the epoch shows the same"

# --- by policy ----------------------------------------------------------------------------------------

for i in 1 2 3 4 5 6; do write $((i * 20)) 5; seal; sleep 1; done
must "$DMDELTA" mark v head~3 pinned >/dev/null
pinned() { msg v epochs 0 | awk '$12 == "pinned" { print $1 }'; }
must "$DMDELTA" retain v lag=2s newest=100 >/dev/null
base() { msg v epochs 0 | awk '$1 == 0 { print $8 }'; }
moved() { [ "$(base)" != "$to" ]; }
ok "what is older than the lag is committed" eventually 120 moved
ok "... to its end" eventually 120 idle
is "$(sum_of "$origin")" "$(sum "$(base)")" "the origin is what that epoch was"
must "$DMDELTA" retain v none >/dev/null
is "$(state "$(pinned)")" sealed "not past what is pinned"
must "$DMDELTA" mark v "$(pinned)" unpinned >/dev/null

# --- with nothing else going on ------------------------------------------------------------

# The merge that begins a commit shows that versions of a dropped epoch are hidden
# now. The commit lets reclaim go first, and no write comes that would wake it.
write 0 400; seal
to=$(status_word v 3)
write 0 400; seal
must "$DMDELTA" drop v "$(status_word v 3)" >/dev/null
must settle v
write 0 400
ok "a commit on an idle device, over a dropped epoch" "$DMDELTA" commit v "$to" --yes
is "$(sum_of "$origin")" "$(sum "$to")" "the origin is what the epoch was"

# --- an undoable session --------------------------------------------------------------------------------

must "$DMDELTA" close v >/dev/null
must "$DMDELTA" open v "$origin" "$delta" undoable >/dev/null
write 600 50
want=$(sum_of "$vault") since=$(status_word v 3)
# refused REGEX: what stands in the way is found before the session ends
refused() {
	cmd_fails 8 "$1" "$DMDELTA" close v --commit
	like "$(status_word v 19)" ",$since,undoable,-,-\$" "... and the session goes on"
}
must "$DMDELTA" mark v "$since" pinned >/dev/null
refused 'is pinned, named.*The session of v goes on'
must "$DMDELTA" mark v "$since" unpinned >/dev/null
must "$DMDELTA" view v "$since" look >/dev/null
refused 'a view, a replay or a commit is in the way'
must "$DMDELTA" close look >/dev/null
must linear onto "$origin"
refused 'its origin is not its own: .*onto'
must dmsetup remove onto
ok "close: what the session wrote becomes the origin" "$DMDELTA" close v --commit
is "$(sum_of "$origin")" "$want" "... and has"
expect_sound "$delta"

# --- an origin that a commit gave another identity ------------------------------------------

must mkfs.ext4 -q -F "$origin"
must "$DMDELTA" format --force "$origin" "$delta" >/dev/null
open_pair v
must mkfs.ext4 -q -F "$vault"
seal
must "$DMDELTA" close v >/dev/null
ok "it is another one only on the device, so far" "$DMDELTA" open v "$origin" "$delta"
ok "commit" "$DMDELTA" commit v 1 --yes
must "$DMDELTA" close v >/dev/null
"$DMDELTA" open v "$origin" "$delta" >/dev/null 2>said
is "$?" 0 "the device opens again"
like "$(cat said)" 'has a commit changed it' "... with a word about it"
is "$(sum_of "$vault")" "$(sum_of "$origin")" "... and shows the same"
must "$DMDELTA" close v >/dev/null
finish
