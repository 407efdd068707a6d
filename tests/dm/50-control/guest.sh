#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Suspend, resume, reload, removal, unload and messages while I/O goes on.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 64 1000
open_pair v
dev=$(dev_of v) sectors=$((64 * 2048))
d=$(dmsetup table v | cut -d' ' -f4,5)

# start_load: verified I/O in the background, reads of what was written included,
# again and again until end_load
start_load() {
	rm -f enough
	until fio_verify $dev load --size=12m --verify_backlog=256 --numjobs=2 \
		--offset_increment=16m --iodepth=8 || exit; [ -e enough ]; do :; done >load.out 2>&1 &
	load=$!
}
end_load() {
	ok "$1: the load goes on" alive
	touch enough
	ok_wait "$1: the data under it is right" $load load.out
}
alive() { kill -0 $load 2>/dev/null; }

# --- suspend and resume --------------------------------------------------------------

cycle() { # DESCRIPTION, lines for dmbatch on stdin, again and again while fio runs
	local n=0

	cat >commands
	start_load
	: >answers
	while alive && [ $n -lt 40 ]; do
		dmbatch v <commands >>answers
		n=$((n + 1))
	done
	end_load "$1"
	is "$(grep -c '^!' answers)" 0 "$1: no command failed"
	is "$n" 40 "$1: many times"
}

cycle "suspend and resume" <<EOT
suspend
sleep 50
status
resume
sleep 100
EOT
cycle "suspend without flush" <<EOT
suspend noflush
sleep 50
resume
sleep 100
EOT
cycle "reload with other features" <<EOT
load $sectors deltarec $d 2 cache_mb 8
suspend
table
resume
sleep 50
load $sectors deltarec $d 3 cache_mb 32 queue_if_full
suspend noflush
resume
sleep 50
load $sectors deltarec $d
clear
load $sectors deltarec $d 1 error_if_full
suspend
resume
sleep 50
EOT
like "$(dmsetup table v)" ' 1 error_if_full$' "the last table is the one that counts"
cycle "checkpoints and rollbacks of nothing" <<EOT
checkpoint
suspend
checkpoint
resume
diff 1 2 0
status
sleep 50
EOT

# --- messages at once -----------------------------------------------------------------

start_load
(
	echo '15* checkpoint' | dmbatch v >c1
) &
senders=$!
(
	echo '15* checkpoint - frozen' | dmbatch v >c2
) &
senders+=" $!"
(
	for i in {1..15}; do echo "diff 0 $i 0"; echo "epochs 0"; echo "sleep 20"; done | dmbatch v >c3
) &
senders+=" $!"
(
	for i in {2..20}; do echo "drop $i"; echo "sleep 20"; done | dmbatch v >c4
) &
senders+=" $!"
for i in {1..10}; do
	printf '%s\n' "replay begin" "replay rule 0 $sectors 1 1 keep_later" status "replay abort" "sleep 10"
done | dmbatch v >c5 &
senders+=" $!"
echo '100* status' | dmbatch v >c6
wait $senders
end_load "all messages at once"
is "$(cat c1 c2 | grep -c '^= [0-9]')" 30 "30 checkpoints succeeded"
is "$(cat c1 c2 | sort | uniq -d | grep -c .)" 0 "each sealed another epoch"
is "$(grep -vcE '^= rw ' c6)" 0 "status was there all the time"
diag "drops: $(grep -c '^=  *[0-9]' c4) done; replays: $(grep -c '^= [0-9]*$' c5) steps done"
is "$(cat c3 c4 c5 | grep '^!' | grep -vcE 'No such file|busy|No data|No such device')" 0 \
	"what failed said that it was too early or in use"
like "$(status_of v)" '^rw .* - [0-9]+ [0-9]+/[0-9]+ - -$' "no replay is left open"

# --- what a rollback waits for -----------------------------------------------------------

# Not for those who read along the old lineage: that alone takes three ticks.
tracing=/sys/kernel/tracing
mountpoint -q $tracing || mount -t tracefs none $tracing
echo synchronize_rcu >$tracing/set_ftrace_filter || bail "no tracing"
echo function >$tracing/current_tracer || bail "no tracing"
was=$(head_of v)
sleep 1		# since the last change
must rollback v 0 >/dev/null
is "$(grep -c '^ *dmbatch.*synchronize_rcu <-' $tracing/trace)" 0 "a rollback waits for no reader"
echo nop >$tracing/current_tracer
must rollback v "$was" >/dev/null

# --- a suspend in the middle of a merge ---------------------------------------------------

# What is left of the merge waits: the journal still has all of it (S15).
journal() { status_word v 11 | cut -d/ -f1; }
merged() { [ "$(journal)" -lt $((left / 2)) ]; }
as() { # TABLE of the delta
	must dmsetup reload delta --table "$1" && must dmsetup resume delta
}
must dmdelta close v
open_pair v
# Idle, it would merge before it is asked to.
while :; do
	dd if=$dev of=/dev/null bs=4k count=1 iflag=direct status=none
	sleep 0.1
done &
busy=$!
for i in 1 2 3; do
	must fio --name=scatter --filename=$dev --ioengine=libaio --direct=1 --rw=randwrite \
		--bs=4k --iodepth=32 --io_size=55m --randseed=$i --eta=never \
		--output=scatter.out
	last=$(checkpoint v)
done
sum=$(sum_of $dev)
table=$(dmsetup table delta)
used=$(journal)
read -r _ _ _ disk start <<<"$table"
as "0 $(sectors_of "$delta") delay $disk $start 0 $disk $start 500"
# So many ranges that the table is full, and nothing to be written
blkdiscard -p 128k -l 12m $dev
kill $busy
wait $busy
printf '%s\n' suspend | dmbatch v >answers
left=$(journal)
as "$table"
ok "a merge under way is not waited for" [ "$left" -ge "$used" ]
printf '%s\n' "rollback $last" status "sleep 1000" status resume | dmbatch v >answers
is "$(sed -n 4p answers | cut -d" " -f1-17)" "$(sed -n 2p answers | cut -d" " -f1-17)" \
	"nothing goes on while the device is suspended"
drop_cache $dev
is "$(sum_of $dev)" "$sum" "a rollback between two parts of it shows what was there"
ok "the rest is merged after the resume" eventually 60 merged
drop_cache $dev
is "$(sum_of $dev)" "$sum" "... and changes nothing"

# --- a merge that nothing asks for --------------------------------------------------------

# 6,144 blocks, of which there are records in 25 blocks at least
must fio --name=idle --filename=$dev --ioengine=libaio --direct=1 --rw=randwrite --bs=4k \
	--iodepth=32 --io_size=24m --end_fsync=1 --randseed=4 --eta=never --output=scatter.out
few_records() { [ "$(journal)" -lt 16 ]; }
ok "S16: what was written is merged once nothing else is done" eventually 20 few_records

# --- removal, unloading ------------------------------------------------------------------

exec 7<$dev
cmd_fails - 'busy' dmsetup remove v
cmd_fails - . rmmod dm_deltarec
ok "a table can be replaced while the device is open" dmsetup reload v --table "0 $sectors deltarec $d"
ok "... and resumed" dmsetup resume v
exec 7<&-
dd if=/dev/urandom of=pattern bs=1M count=8 status=none
dd if=pattern of=$dev bs=1M oflag=direct status=none
ok "remove right after writes" dmsetup remove v
open_pair v
is "$(cmp -n 8388608 pattern $dev 2>&1)" "" "they are there"
exec 7<>$dev	# whenever fsx-lite begins and ends
fsx-lite -b -d -N 1500 $dev 2>fsx.out &
load=$!
users() { dmsetup info -c --noheadings -o open "$1"; }
busy() { [ "$(users v)" -gt 1 ] || ! alive; }
eventually 60 busy
dmsetup remove --deferred v
ok "a deferred removal waits for who has it open" dmsetup info v
ok_wait "who can go on with its I/O" $load fsx.out
ok "... and begin it" dd of=/dev/null bs=1M count=1 status=none <&7
exec 7<&-
# It has no name any more before it has let go of the delta.
gone() { ! dmsetup info v && [ "$(users delta)" = 0 ]; }
ok "the device goes with its last user" eventually 60 gone
expect_sound "$delta"
ok "a table that is loaded and cleared" dmsetup create --notable v
dmsetup reload v --table "0 $sectors deltarec $d"
before=$(dd if="$delta" bs=4k count=2 status=none | sha256sum)
dmsetup clear v
dmsetup remove v
is "$(dd if="$delta" bs=4k count=2 iflag=direct status=none | sha256sum)" "$before" "... writes nothing"
ok "unload" rmmod dm_deltarec
finish
