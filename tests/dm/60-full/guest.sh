#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A delta device that fills up: by error or by waiting, announced by events,
# with everything that frees space still working.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((96 * 2048))
origin=$(dev_of origin) delta=$(loop_dev backing 40M)
random_fill "$origin" 96
dev=$(dev_of v)
dd if=/dev/urandom of=A bs=1M count=8 status=none
dd if=/dev/urandom of=B bs=1M count=8 status=none
dd if=/dev/urandom of=C bs=1M count=96 status=none

space() { status_word v 7; }
events() { dmsetup info -c --noheadings -o events v; }
# write FILE MIB [COUNT]: puts MiB of the file at their place
write() { dd if="$1" of=$dev bs=1M skip="$2" seek="$2" ${3:+count="$3"} oflag=direct status=none; }
# holds FILE MIB COUNT: the device shows those MiB of the file
holds() { blockdev --flushbufs $dev && cmp -n $(($3 << 20)) -i $(($2 << 20)) "$1" $dev; }
# within SECONDS COMMAND...: does it end in time?
within() { timeout -k 1 "$@"; }
is_space() { [[ $(space) =~ ^($1)$ ]]; }

# --- error_if_full ------------------------------------------------------------------------

must "$DMDELTA" format "$origin" "$delta" >/dev/null
open_pair v error_if_full
is "$(space)" ok "a new delta has space"
write A 0 && e1=$(checkpoint v a)
write B 0 && e2=$(checkpoint v b)
nr=$(events)
within 300 dmsetup wait v "$nr" &
waiter=$!
cmd_fails 1 'No space left on device' write C 16
ok_wait "an event was raised" $waiter
is "$(space)" full "status says full"
ok "one event before, one when it was full" eventually 120 eval '[ "$(events)" -ge '$((nr + 2))' ]'
used=$(status_word v 4)
ok "the reserve is left: $used used, reserve $(status_word v 6)" \
	[ $((${used#*/} - ${used%/*})) -ge "$(status_word v 6)" ]
n=$(cmp <(tail -c +$((16777216 + 1)) C) <(dd if=$dev bs=1M skip=16 status=none) | grep -oE '(byte|char) [0-9]+' | cut -d' ' -f2)
ok "all that was acknowledged is there: $((n >> 20)) MiB" [ "$n" -gt $((8 << 20)) ]
ok "what is not there shows the origin" \
	cmp -n $((16 << 20)) -i $((64 << 20)) "$origin" $dev
ok "settled blocks can be overwritten" dd if=A of=$dev bs=1M seek=16 count=4 oflag=direct status=none
ok "... and hold it" cmp -n $((4 << 20)) -i 0:$((16 << 20)) A $dev
e3=$(checkpoint v full)
like "$e3" '^[0-9]+$' "a checkpoint works when full"
cmd_fails 1 'No space' write C 16 1
ok "a flush too" sync $dev
like "$(msg v diff "$e1" "$e2" 0)" '^- 0\+16384$' "a diff too"
like "$(rollback v "$e1")" '^[0-9]+$' "a rollback too"
ok "... and shows the old state" holds A 0 8
rollback v "$e3" >/dev/null
ok "... and back" holds B 0 8
like "$(replay v keep "$e2" "$e2" 0+2048)" '^[0-9]+ [0-9]+ 256 0$' "a replay too"
ok "... which shows what was before" holds A 0 1
rollback v "$e3" >/dev/null
cmd_fails 1 'No space' write C 60 1
for e in $(msg v epochs 0 | awk -v k="$e3" 'NF > 1 && $3 == "sealed" && $1 && $1 != k { print $1 }'); do
	echo "drop $e"
done | dmbatch v >drops
is "$(grep -c '^!' drops)" 0 "all epochs but one can be dropped"
ok "space returns" eventually 120 is_space 'ok|low'
ok "and writes go on" write C 60 4
ok "... and are there" holds C 60 4
ok "what is retained is intact" holds B 0 8
ok "settle" settle v
"$DMDELTA" close v
expect_sound "$delta"

# --- queue_if_full -------------------------------------------------------------------------

must "$DMDELTA" format --force "$origin" "$delta" >/dev/null
open_pair v queue_if_full
write A 0 && e1=$(checkpoint v a)
write B 0
write C 16 48 &
writer=$!
ok "it fills up" eventually 120 is_space full
sleep 1
ok "the writer waits" kill -0 $writer
ok "reads go on" holds B 0 8
ok "a checkpoint goes on" within 60 dmsetup message v 0 checkpoint b
ok "a suspend without flush does not hang" within 60 dmsetup suspend --noflush v
ok "... nor a resume" within 60 dmsetup resume v
sleep 1
ok "the writer waits again" kill -0 $writer

truncate -s 80M backing && losetup -c "$delta"
ok "suspend, to grow" within 60 dmsetup suspend --noflush v
ok "resume with a larger delta" within 60 dmsetup resume v
is "$(status_word v 4 | cut -d/ -f2)" $((80 * 256)) "the new size is used"
ok_wait "the writer has gone on to its end" $writer
ok "all of it is there" holds C 16 48
ok "nothing else has changed" holds B 0 8

write C 64 &
writer=$!
ok "it fills up again" eventually 120 is_space full
blocks=$(status_word v 10)
ok "dropping what is not needed" within 60 dmsetup message v 0 drop "$e1"
write_on() { [ "$(status_word v 10)" -gt "$blocks" ]; }
ok "... lets the writer go on" eventually 120 write_on
ok "... until it is full again" eventually 120 is_space full
if kill -0 $writer 2>/dev/null; then
	ok "a suspend with flush of a full, queueing device does not hang" within 60 dmsetup suspend v
	dmsetup resume v
	wait $writer
	is $? 1 "... since the writer got an error"
else
	wait $writer
	skip "suspend with flush" "the device did not fill up"
fi
ok "a rollback of it works" "$DMDELTA" rollback v b
ok "... and shows the state of then" holds B 0 8

# --- full of metadata ------------------------------------------------------------------------
# Discards take no slots, but what tells of them takes nodes, out of the reserve.

truncate -s 8M small
tiny=$(losetup -f --show small)
must "$DMDELTA" format --force --block-size 4K "$origin" "$tiny" >/dev/null
must "$DMDELTA" open m "$origin" "$tiny" error_if_full
m=$(dev_of m)
dd if=A of="$m" bs=1M count=2 oflag=direct status=none
checkpoint m good >/dev/null
for ((i = 0; i < 60; i++)); do
	fio --name=trim --filename="$m" --rw=randtrim --bs=4k --offset=16m --size=64m \
		--io_size=12m --randseed=$i --allrandrepeat=0 --eta=never >trim.out 2>&1 || break
	checkpoint m >/dev/null 2>&1 || break
done
diag "after $i rounds: $(status_of m)"
ok "metadata fills the last block" [ "$i" -lt 60 ]
like "$(tail -n 20 trim.out) $(dmesg | tail -n 30)" 'No space left|no space left|is full' "... with ENOSPC"
is "$(status_word m 1)" rw "the device is not read-only"
ok "what was written is there" cmp -n $((2 << 20)) A "$m"
ok "a suspend does not hang" within 60 dmsetup suspend m
ok "... nor a resume" within 60 dmsetup resume m
truncate -s 40M small && losetup -c "$tiny"
ok "suspend, to grow" within 60 dmsetup suspend m
ok "resume with a larger delta" within 60 dmsetup resume m
ok "discards go on" eventually 120 blkdiscard -o $((16 << 20)) -l $((8 << 20)) "$m"
ok "so do writes" dd if=B of="$m" bs=1M count=4 oflag=direct status=none
like "$(checkpoint m)" '^[0-9]+$' "... and checkpoints"
is "$(status_of m | cut -d' ' -f1,7)" "rw ok" "it is as it should be"
ok "the data is right" cmp -n $((4 << 20)) B "$m"
"$DMDELTA" close m
expect_sound "$tiny"

# --- growing under load ------------------------------------------------------------------------

fio_verify $dev load --size=8m --loops=2 --numjobs=2 --offset_increment=48m >load.out 2>&1 &
load=$!
for mib in 96 128 160; do
	truncate -s ${mib}M backing && losetup -c "$delta"
	printf '%s\n' suspend resume "sleep 200" | dmbatch v >/dev/null
done
ok_wait "the data under growth is right" $load load.out
is "$(status_word v 4 | cut -d/ -f2)" $((160 * 256)) "all of the growth is used"
is "$(space)" ok "there is space again"
"$DMDELTA" close v
expect_sound "$delta"
open_pair v
ok "it opens with its new size" [ "$(status_word v 4 | cut -d/ -f2)" = $((160 * 256)) ]
finish
