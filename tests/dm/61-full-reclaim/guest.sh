#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Space that runs short: marks and their events, waits with a limit, and the
# oldest epochs dropped by themselves so that writes go on.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((96 * 2048))
origin=$(dev_of origin) delta=$(loop_dev backing 40M)
random_fill "$origin" 96
dev=$(dev_of v)
dd if=/dev/urandom of=A bs=1M count=64 status=none
dd if=/dev/urandom of=B bs=1M count=64 status=none

space() { status_word v 7; }
events_are() { [ "$(events)" = "$1" ]; }
events() { dmsetup info -c --noheadings -o events v; }
# write FILE MIB COUNT [AT]: puts MiB of the file at their place, or there
write() { dd if="$1" of=$dev bs=1M skip="$2" seek="${4-$2}" count="$3" oflag=direct status=none; }
# holds FILE MIB COUNT [AT]
holds() { blockdev --flushbufs $dev && cmp -n $(($3 << 20)) -i $(($2 << 20)):$((${4-$2} << 20)) "$1" $dev; }
within() { timeout -k 1 "$@"; }
sealed() { msg v epochs 0 | awk 'NF > 1 && $3 == "sealed" && $1 { print $1 }' | xargs; }
dropped_log() { dmesg | grep -c 'space is short: dropped'; }

# --- marks -----------------------------------------------------------------------------------

must "$DMDELTA" format "$origin" "$delta" >/dev/null
open_pair v
ok "marks are set with the policy" "$DMDELTA" retain v low=60 critical=40
is "$(msg v policy get)" "low=60 critical=40" "... and kept"
message_fails 'Invalid argument' v policy set low=5 critical=6
is "$(space)" ok "above both it is ok"
nr=$(events)
write A 0 16
is "$(space)" low "below the first it is low"
ok "... with one event" eventually 60 eval '[ "$(events)" = '$((nr + 1))' ]'
write A 0 8 && write B 16 8
is "$(space)" critical "below the second it is critical"
ok "... with one more" eventually 60 events_are $((nr + 2))
is "$("$DMDELTA" --json status v | grep -o '"space": *"[a-z]*"')" '"space": "critical"' "the tool shows it"
ok "other marks" "$DMDELTA" retain v low=5 critical=2
is "$(space)" ok "... make it ok"
ok "... with the event of a policy alone" eventually 60 events_are $((nr + 3))
ok "the old ones again" "$DMDELTA" retain v critical=40
is "$(space)" critical "... make it critical"
# Two events so close together may become one.
ok "... with one event more" eventually 60 eval 'events_are $((nr + 5)) || events_are $((nr + 4))'
must "$DMDELTA" close v
open_pair v
is "$(space)" critical "an open of it finds it so"
"$DMDELTA" close v

# --- queue_seconds ------------------------------------------------------------------------------

must "$DMDELTA" format --force "$origin" "$delta" >/dev/null
open_pair v queue_if_full queue_seconds=4
like "$(dmsetup table v)" ' 3 queue_if_full queue_seconds 4$' "the limit is in the table"
write A 0 8 && e1=$(checkpoint v a)
write B 0 8
cmd_fails 1 'No space left on device' within 300 dd if=A of=$dev bs=1M skip=8 seek=8 count=56 oflag=direct
is "$(space)" full "a write that has waited so long fails, the device is full"
ok "what was there is there" holds B 0 8
# With a limit that does not end before the drop
must dmsetup reload v --table "$(dmsetup table v | sed 's/queue_seconds 4/queue_seconds 300/')"
must dmsetup resume v
write A 60 2 &
writer=$!
ok "a drop" within 60 dmsetup message v 0 drop "$e1"
ok_wait "... in time lets a write go on" $writer
ok "... which is there" holds A 60 2
"$DMDELTA" close v
expect_sound "$delta"

# --- reclaim_if_full -------------------------------------------------------------------------------

must "$DMDELTA" format --force "$origin" "$delta" >/dev/null
open_pair v reclaim_if_full
write A 0 4 && pinned=$(checkpoint v) && msg v mark "$pinned" pinned >/dev/null
write B 0 4 && named=$(checkpoint v keep)
nr=$(events) full=$(dmesg | grep -c 'delta device is full')
for ((i = 0; i < 30; i++)); do
	write A $((i * 2)) 4 8 || break
	last=$(checkpoint v) || break
done
is "$i" 30 "120 MiB of writes go through 40 MiB"
diag "$(status_of v)" "$(sealed)" "$(dmesg | grep 'space is short' | tail -n 2)"
ok "the log names what was dropped for it" [ "$(dropped_log)" -gt 0 ]
ok "events were raised" [ "$(events)" -gt "$nr" ]
is "$(dmesg | grep -c 'delta device is full')" "$full" "it was never full"
like " $(sealed) " " $pinned $named .*$last " "what is pinned, named or newest is still there"
ok "the head holds what was written last" holds A 58 4 8
rollback v "$pinned" >/dev/null
ok "the pinned epoch shows what it did" holds A 0 4
rollback v "$last" >/dev/null
ok "... and the newest" holds A 58 4 8
ok "... and the named one" holds B 0 4

# The newest epoch and the head have to fit, each of them wholly written.
fio_verify $dev load --offset=16m --size=4m --loops=12 --numjobs=2 --offset_increment=4m >load.out 2>&1 &
load=$!
while kill -0 $load 2>/dev/null; do
	checkpoint v >/dev/null
	sleep 0.3
done
ok_wait "under load, with checkpoints, all that was written is right" $load load.out
like " $(sealed) " " $pinned $named " "the protected ones are still there"

before=$(dropped_log)
for ((i = 0; i < 30; i++)); do
	write B $((i * 2)) 4 8 2>err || break
	last=$(checkpoint v "n$i") || break
done
like "$(cat err)" 'No space left' "with all of them named there is an end: $i rounds"
is "$(space) $(status_word v 1)" "full rw" "it is full, and read-write"
diag "$(dropped_log) times dropped, $before before"
for e in $(sealed); do
	[ "$e" = "$last" ] || [ "$e" = "$pinned" ] || echo "mark $e unpinned"
done | dmbatch v >marks
is "$(grep -c '^!' marks)" 0 "names that do not protect any more"
ok "... let writes go on" eventually 60 write A 0 4 8
ok "... and they are there" holds A 0 4 8
like " $(sealed) " " $pinned .*$last " "pinned and newest stay"
ok "settle" settle v
"$DMDELTA" close v
expect_sound "$delta"
finish
