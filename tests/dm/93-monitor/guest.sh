#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# 'dmdelta monitor' on two devices: every event comes, with what it tells, from
# whoever makes it happen (W1-W4).
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
linear origin2 "$(disk 2)" 0 $((16 * 2048))
linear delta2 "$(disk 3)" 0 $((16 * 2048))
"$DMDELTA" format "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
open_pair v
vault=$(dev_of v)
write() { dd if=/dev/urandom of="${3:-$vault}" bs=64k seek="$1" count="${2:-1}" oflag=direct conv=notrunc status=none; }

# What is in the file from line $from on, without the time
from=1
lines() { tail -n +$from lines | sed -E 's/^\{"time":1?[0-9]{9},(.*)\}$/\1/; s/"//g'; }
# heard DESCRIPTION LINE...: these come, in any order, and nothing else does
heard() {
	local what=$1 i wanted

	shift
	wanted=$(printf '%s\n' "$@" | sort)
	for ((i = 0; i < 600; i++)); do
		[ "$(lines | wc -l)" -ge $# ] && break
		sleep 0.1
	done
	is "$(lines | sort)" "$wanted" "$what"
	from=$(($(wc -l <lines) + 1))
}
# heard_some DESCRIPTION REGEX: one of those that come is like this
heard_some() {
	local i

	for ((i = 0; i < 600; i++)); do
		lines | grep -qE "$2" && break
		sleep 0.1
	done
	lines >some
	ok "$1" grep -E "$2" some || diag "$(lines)"
	from=$(($(wc -l <lines) + 1))
}
# Until it is said so a reclaim may be heard of at any time.
reclaimed() { settle v; heard_some "$1" '^device:v,event:reclaimed,used_bytes:[0-9]+,total_bytes:67108864$'; }

"$DMDELTA" --json monitor >lines 2>errors &
monitor=$!
heard_some "what is there is told" '^device:v,event:present,mode:rw,head:1,space:ok,used_bytes:[0-9]+,total_bytes:67108864$'
"$DMDELTA" open w "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
heard_some "another one appears" '^device:w,event:opened,mode:rw,head:1,space:ok,'

# --- epochs ------------------------------------------------------------------------

write 0
checkpoint v >/dev/null
heard "checkpoint" device:v,event:checkpoint,epoch:1,label:null,frozen:false
write 1
"$DMDELTA" checkpoint v --label monday >/dev/null
heard "... with a label" device:v,event:checkpoint,epoch:2,label:monday,frozen:false
mkfs.ext4 -q "$(dev_of w)"
mkdir -p /mnt/w && mount "$(dev_of w)" /mnt/w
"$DMDELTA" checkpoint w --label frozen >/dev/null
heard "... of the other device, frozen" device:w,event:checkpoint,epoch:1,label:frozen,frozen:true
umount /mnt/w
rollback v 1 >/dev/null
heard "rollback" device:v,event:rollback,from:3,to:1,head:4
{
	write 2
	checkpoint v a
	write 3
	checkpoint v b
} >/dev/null
heard "two in a row" device:v,event:checkpoint,epoch:4,label:a,frozen:false device:v,event:checkpoint,epoch:5,label:b,frozen:false
msg v mark 4 suspect >/dev/null
heard "mark" device:v,event:marked,epoch:4,label:a,marks:suspect,was:null
"$DMDELTA" mark v 4 good >/dev/null
"$DMDELTA" mark v 5 pinned >/dev/null
heard "marks" device:v,event:marked,epoch:4,label:a,marks:null,was:suspect device:v,event:marked,epoch:5,label:b,marks:pinned,was:null
"$DMDELTA" drop v 2 >/dev/null
heard_some "drop" '^device:v,event:dropped,epoch:2,label:monday$'
from=1
reclaimed "... and its end"

# --- replay ---------------------------------------------------------------------------

dmbatch v >/dev/null <<-'EOF'
	replay begin
EOF
open=$(status_word v 15 | cut -d, -f1)
heard "replay begin" device:v,event:checkpoint,epoch:6,label:null,frozen:false "device:v,event:replay-begun,epoch:$open"
msg v replay rule 0 8192 4 4 keep_later >/dev/null
heard "... computed" "device:v,event:replay-computed,epoch:$open"
"$DMDELTA" abort v >/dev/null
heard_some "... given up" "^device:v,event:replay-aborted,epoch:$open\$"
settle v; sleep 1; from=$(($(wc -l <lines) + 1))
made=$(replay v keep 5 5 384+128)
like "$made" '^[0-9]+ [0-9]+ 16 0$' "a whole one"
read -r epoch head _ <<<"$made"
heard_some "... is told, whatever was missed of it" "^device:v,event:replayed,epoch:$epoch,from:[0-9]+,head:$head\$"

# --- policy, space, mode, going -----------------------------------------------------------

"$DMDELTA" retain v newest=3 every=1s >/dev/null
heard_some "a policy" '^device:v,event:policy,policy:newest=3 every=1s,was:null$'
write 5
heard_some "... makes checkpoints" "^device:v,event:checkpoint,epoch:$head,label:null,frozen:false\$"
for ((i = 0; i < 5; i++)); do
	write $i
	sleep 1.2
done
heard_some "... and drops" '^device:v,event:dropped,epoch:[0-9]+'
ok "no word about what went wrong" [ ! -s errors ]
"$DMDELTA" retain v none >/dev/null
heard_some "no policy" '^device:v,event:policy,policy:null,was:newest=3 every=1s$'
settle v; sleep 1; from=$(($(wc -l <lines) + 1))
write 0 256 "$(dev_of w)" 2>/dev/null
heard_some "space gets low, or none is left" '^device:w,event:space,space:[a-z]+,was:ok,used_bytes:[0-9]+,total_bytes:16777216,reserve_bytes:[0-9]+$'
rollback w 1 >/dev/null
"$DMDELTA" drop w 2 >/dev/null
has_room() { [ "$(status_word w 7)" = ok ]; }
ok "what filled it is given up" eventually 60 has_room
checkpoint w >/dev/null
heard_some "space is ok again, and that is told" '^device:w,event:space,space:ok,was:[a-z]+,used_bytes:[0-9]+,total_bytes:16777216,reserve_bytes:[0-9]+$'
"$DMDELTA" close w
heard_some "a device goes" '^device:w,event:closed$'
"$DMDELTA" open w "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
heard_some "... and comes again" '^device:w,event:opened,mode:rw,head:[0-9]+,space:ok,'
# Faster than we look, maybe: then it is closed and opened, too. Of what the new
# one does when it is open nothing is asked.
mark=$from
"$DMDELTA" close w && "$DMDELTA" open w "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
heard_some "... at once" 'event:opened'
is "$(from=$mark lines | cut -d, -f1,2 | grep -E ':(closed|opened)$' | xargs)" "device:w,event:closed device:w,event:opened" "... after it has gone"
kill "$monitor"
ok_wait "SIGTERM ends it, with 0" $monitor errors

# --- options ------------------------------------------------------------------------------

cat >act <<-EOF
	#!/bin/sh
	[ "\$DMDELTA_EVENT" != present ] || exit 0
	echo "\$DMDELTA_DEVICE \$DMDELTA_EVENT \$DMDELTA_EPOCH \$DMDELTA_LABEL" >>$PWD/acts
	$DMDELTA checkpoint w >/dev/null
EOF
chmod +x act
# watching: the monitor has looked, and will hear of all that comes
watching() { ok "$1" eventually 60 grep -q ' v present ' lines; }
: >lines
"$DMDELTA" monitor v --event present --event checkpoint --count 3 --timeout 300 --exec "$PWD/act" >lines 2>errors &
monitor=$!
watching "some events only"
head=$(head_of v)
checkpoint v one >/dev/null
checkpoint v two >/dev/null
ok_wait "two events of one kind of one device" $monitor errors
is "$(cat acts)" "v checkpoint $head one
v checkpoint $((head + 1)) two" "... each with a program, which is not heard itself"
like "$(sed -n 2p lines)" "^[0-9]{4}-.* v checkpoint epoch=$head label=one frozen=no\$" "... a line of text"
cmd_fails 4 '^$' "$DMDELTA" monitor v --event closed --count 1 --timeout 1
# Many at once, while nobody looks: none of those that are still there is missed
: >lines
"$DMDELTA" monitor v --event present --event checkpoint --count 201 --timeout 600 >lines 2>errors &
monitor=$!
watching "one more time"
echo '200* checkpoint' | dmbatch v >/dev/null
ok_wait "two hundred at once" $monitor errors
is "$(grep -c checkpoint lines) $(grep checkpoint lines | cut -d' ' -f5 | sort -u | wc -l)" "200 200" "... each told once"
"$DMDELTA" close w
"$DMDELTA" close v
expect_sound "$delta"
finish
