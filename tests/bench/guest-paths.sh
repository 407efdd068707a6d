#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run: the workloads, and a table of ratios.
# shellcheck source=tests/bench/guest-lib.sh
. /put/guest-lib.sh

size=256			# MiB of the mapped device
sectors=$((size * 2048))
device nullb0 $size
device nullb1 $size
device nullb2 $((size * 6))

dmsetup create plain --table "0 $sectors linear /dev/nullb0 0" || die linear
dmdelta format --force --block-size "$BS" /dev/nullb1 /dev/nullb2 ||
	die format
dmdelta open vault /dev/nullb1 /dev/nullb2 || die open
plain=/dev/mapper/plain
vault=/dev/mapper/vault

row() {
	local name=$1 p v

	shift
	p=$(job "$name" $plain nullb0 "$@")
	v=$(job "$name" $vault "nullb1 nullb2" "$@")
	awk -v n="$name" -v p="$p" -v v="$v" 'BEGIN {
		split(p, a); split(v, b)
		printf "%-38s %9d %9d %6.2f   x%.2f\n", n, a[1], b[1],
			b[1] / a[1], b[3] }'
}

printf '%-38s %9s %9s %6s   %s\n' "block size $BS" linear deltarec ratio bytes
row "random read 4k qd16, origin" --rw=randread --bs=4k --iodepth=16 --size=${size}m
row "first random write 4k qd16" --rw=randwrite --bs=4k --iodepth=16 --size=${size}m
row "settled random write 4k qd16" --rw=randwrite --bs=4k --iodepth=16 --size=${size}m
row "random read 4k qd16, written" --rw=randread --bs=4k --iodepth=16 --size=${size}m
dmdelta checkpoint vault > /dev/null || die checkpoint
row "first random write 4k, 2nd epoch" --rw=randwrite --bs=4k --iodepth=16 --size=${size}m
dmdelta checkpoint vault > /dev/null || die checkpoint
# What was written so far is merged now, and not while we measure the next.
dmsetup message vault 0 diff 0 1 0 > /dev/null || die diff
row "fsync each 4k, first writes" --rw=randwrite --bs=4k --fsync=1 --io_size=16m --size=${size}m
row "fsync each 4k, settled" --rw=randwrite --bs=4k --fsync=1 --io_size=16m --size=${size}m
dmdelta checkpoint vault > /dev/null || die checkpoint
row "sequential write 1M qd4, first" --rw=write --bs=1m --iodepth=4 --size=${size}m
row "sequential read 1M qd4 of that" --rw=read --bs=1m --iodepth=4 --size=${size}m
dmdelta checkpoint vault > /dev/null || die checkpoint
row "1k random write qd16, first" --rw=randwrite --bs=1k --iodepth=16 --io_size=16m --size=${size}m
dmesg | grep -E 'WARNING|BUG|Oops' && die "the kernel complained"
exit 0
