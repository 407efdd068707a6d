#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run --history: what the paths cost with one epoch,
# what they cost after EPOCHS and VERSIONS more, and while half of these are
# being reclaimed.
# shellcheck source=tests/bench/guest-lib.sh
. /put/guest-lib.sh

size=256			# MiB of the mapped device
device nullb0 $size
device nullb1 $((size * 2 + VERSIONS / 200)) sparse	# MiB, a quarter to spare
open_vault /dev/nullb0 /dev/nullb1

seal() { last=$(dmsetup message vault 0 checkpoint) || die checkpoint; }
# What was written so far is merged now, and not while we measure.
merge() { dmsetup message vault 0 diff 0 "$last" 0 >/dev/null || die diff; }
now() { date +%s%N; }
# load NAME ARGUMENT...: operations a second
load() {
	fio --name="$1" --filename=$vault --ioengine=libaio --direct=1 \
		--random_generator=lfsr --bs=4k --iodepth=16 --size=64m \
		--output-format=terse --terse-version=3 "${@:2}" |
		awk -F';' '/^3;/ { print $8 + $49; found = 1 } END { exit !found }' || die "fio $1"
}
# paths FILE: operations a second of each path, on a quarter of the device
paths() {
	local t

	seal
	merge
	{
		echo "first random write 4k qd16,$(load first --rw=randwrite)"
		merge
		echo "settled random write 4k qd16,$(load settled --rw=randwrite --loops=8)"
		echo "random read 4k qd16,$(load read --rw=randread --loops=8)"
		t=$(now)
		printf '300* checkpoint\n' | dmbatch vault >/dev/null || die checkpoint
		echo "checkpoint,$((300000000000 / ($(now) - t)))"
	} >"$1"
}
# compare WHAT FILE FILE
compare() {
	printf '%-38s %9s %9s %6s\n' "operations a second" "${@:1:2}" ratio
	paste -d, "$3" "$4" | awk -F, '{ split($2, a, " "); split($4, b, " ")
		printf "%-38s %9d %9d %6.2f\n", $1, a[1], b[1], b[1] / a[1] }'
}

# A map of as small runs as the history is going to make
load fill --rw=randwrite --bs=16k --iodepth=4 --size=${size}m >/dev/null
paths one

fio --name=history --filename=$vault --ioengine=libaio --direct=1 --bs=16k \
	--rw=randwrite --norandommap --iodepth=4 --size=${size}m \
	--io_size=$((VERSIONS / 256))m --rate_iops=12500 >/dev/null 2>&1 &
writer=$!
# 50,000 blocks a second
for ((i = 0; i < EPOCHS; i++)); do
	echo checkpoint
	echo "sleep $((VERSIONS / EPOCHS / 50 + 1))"
done | dmbatch vault >/dev/null || die "no history"
wait $writer || die "fio history"
seal
merge
echo "history: $(word 9) epochs, $(($(word 17 | cut -d/ -f1))) versions, delta $(word 4)," \
	"$(word 5) of them nodes, $(word 13) nodes cached"
paths many
compare "1 epoch" "$EPOCHS" one many

dmdelta retain vault newest=$((EPOCHS / 2)) >/dev/null || die retain
for ((i = 0; i < 100; i++)); do
	[ "$(word 14)" = - ] || break
	sleep 0.2
done
dropped=$(word 14)
paths reclaim
echo "reclaim: $dropped dropped epochs before, $(word 14) after"
compare quiet reclaim many reclaim
t=$(now)
while [ "$(word 14)" != - ]; do
	sleep 0.2
done
echo "the rest of reclaim, idle: $((($(now) - t) / 1000000)) ms"
clean_log
exit 0
