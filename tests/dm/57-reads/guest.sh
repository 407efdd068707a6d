#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# track_reads: what was read in an epoch, and how much was written right after;
# kept over a close and a reload; nothing without the feature.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 64 64
sectors=$((64 * 2048)) # four for each bit

read_first() { msg v epochs "$1" | awk -v e="$1" '$1 == e { print $11 }'; }
# rd BLOCK [COUNT], wr BLOCK [COUNT]: past the page cache
rd() { dd if=/dev/mapper/v of=/dev/null bs=4k skip="$1" count="${2:-1}" iflag=direct status=none; }
wr() { dd if=/dev/urandom of=/dev/mapper/v bs=4k seek="$1" count="${2:-1}" oflag=direct status=none; }

# --- without the feature -------------------------------------------------------------

open_pair v
rd 10
wr 10
is "$(checkpoint v)" 1 "an epoch that nobody watches"
is "$(read_first 1) $(read_first 2)" "- -" "nothing is known"
message_fails 'No data available' v reads 1 0
message_fails 'No data available' v reads 2 0
message_fails 'No data available' v reads 0 0
message_fails 'No such file' v reads 77 0
message_fails 'Invalid argument' v reads
message_fails 'Invalid argument' v reads x 0
message_fails 'Invalid argument' v reads 1 x
message_fails 'Invalid argument' v reads 1 0 0
"$DMDELTA" close v

# --- with it ---------------------------------------------------------------------------

must "$DMDELTA" open --track-reads v "$origin" "$delta"
like "$(dmsetup table v)" ' 1 track_reads$' "it is in the table"
is "$(msg v reads 2 0)" - "nothing was read yet"
rd 100 4
rd 200
wr 100 8	# half of them were read
wr 300		# was not
wr 200
wr 200		# written again in place: once is enough
rd 16383	# the last block
is "$(read_first 2)" 5 "blocks that were written after they were read"
is "$(msg v reads 2 0)" "- 800+32 1600+8 $((sectors - 8))+8" "what was read"
is "$(msg v reads 2 1604)" "- 1604+4 $((sectors - 8))+8" "... from a cursor on"
is "$(msg v reads 2 99999999999)" "-" "... behind the end"
is "$(checkpoint v)" 2 "checkpoint"
is "$(read_first 2) $(read_first 3)" "5 0" "the next one begins with none"
is "$(msg v reads 2 0)" "- 800+32 1600+8 $((sectors - 8))+8" "the map of the sealed one"
is "$(msg v reads 3 0)" - "... and of the head"
dd if=/dev/mapper/v of=/dev/null bs=1M count=1 iflag=direct status=none
wr 0 256
long=$(read_first 3)
ok "of a long read the first blocks are noted ($long)" [ "$long" -ge 64 ]
is "$(msg v reads 3 0)" "- 0+2048" "... all of it in the map"
rd 500
sleep 12
wr 500
is "$(read_first 3)" "$long" "a read of long ago does not count"
printf '%s\n' suspend 'rollback 2' resume | dmbatch v >/dev/null
is "$(read_first 3) $(read_first 4)" "$long 0" "a rollback seals"
is "$(msg v reads 3 0)" "- 0+2048 4000+8" "... and keeps the map"

# --- kept ---------------------------------------------------------------------------------

rd 700
wr 700
"$DMDELTA" close v
expect_sound "$delta"
open_pair v
is "$(read_first 2) $(read_first 3)" "5 $long" "after an open without the feature: the counters"
is "$(msg v reads 2 0)" "- 800+32 1600+8 $((sectors - 8))+8" "... and the maps"
is "$("$DMDELTA" --json show v 3 --reads | tr -d ' \n' | grep -o '"range":"[^"]*"' | xargs)" \
	"range:0+2048 range:4000+8" "dmdelta show --reads"
printf '%s\n' "load $sectors deltarec $origin $delta 1 track_reads" suspend resume | dmbatch v >/dev/null
rd 900
wr 900
ok "a reload switches it on" [ "$(read_first 4)" -ge 1 ]
is "$(msg v reads 4 0)" "- 7200+8" "... for what is read from now on"
printf '%s\n' "load $sectors deltarec $origin $delta" suspend resume | dmbatch v >/dev/null
rd 1000
before=$(read_first 4)
wr 1000
is "$(read_first 4)" "$before" "another one switches it off"
message_fails 'No data available' v reads 4 0
msg v checkpoint >/dev/null
is "$(read_first 5)" - "the next epoch knows nothing"

# --- many ranges, while others write ----------------------------------------------------------

printf '%s\n' "load $sectors deltarec $origin $delta 1 track_reads" suspend resume | dmbatch v >/dev/null
fio --name=r --filename=/dev/mapper/v --rw=read:4k --bs=4k --size=4000k --io_size=2000k --direct=1 >/dev/null
next=0 n=0 pages=0
while [ "$next" != - ] && [ $pages -lt 100 ]; do
	answer=$(echo "reads 5 $next" | dmbatch -B 8192 v)
	answer=${answer#= }
	next=${answer%% *}
	n=$((n + $(wc -w <<<"$answer") - 1))
	pages=$((pages + 1))
done
is "$n" 500 "500 ranges"
ok "... in $pages answers" [ $pages -gt 1 ]
fio --name=rw --filename=/dev/mapper/v --rw=randrw --bs=4k --direct=1 --ioengine=libaio \
	--iodepth=8 --numjobs=2 --rate_iops=400 --time_based --runtime=6 >fio.out 2>&1 &
for _ in 1 2 3 4 5; do
	checkpoint v >/dev/null
	sleep 0.5
	head=$(head_of v)
	# Nothing may have been read yet.
	msg v reads $((head - 1)) 0 >/dev/null 2>&1
done
ok_wait "reads, writes and checkpoints" $! fio.out
drops=$(msg v epochs 2 | awk '$3 == "sealed" && $1 < 8 { print $1 }')
for e in $drops; do msg v drop "$e" >/dev/null; done
ok "dropped epochs go, with their maps" settle v
message_fails 'No such file' v reads 2 0
"$DMDELTA" close v
expect_sound "$delta"
ok "the module can be unloaded" rmmod dm_deltarec
finish
