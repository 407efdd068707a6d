#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run: the workloads, and a table of ratios.

export PATH=/put:$PATH DM_DISABLE_UDEV=1
size=256			# MiB of the mapped device
sectors=$((size * 2048))

die() { echo "bench: $*" >&2; exit 1; }

# null_blk: memory behind a fixed latency, completed by a timer
modprobe null_blk nr_devices=0 || die "no null_blk"
device() {
	local dir=/sys/kernel/config/nullb/$1

	mkdir "$dir" || die "cannot make $1"
	echo "$2" > "$dir/size"
	echo 1 > "$dir/memory_backed"
	echo 2 > "$dir/irqmode"
	echo 20000 > "$dir/completion_nsec"
	echo 128 > "$dir/hw_queue_depth"
	echo 1 > "$dir/submit_queues"
	echo 1 > "$dir/power" || die "cannot start $1"
	# It allocates a page when that is first written; not while we measure.
	dd if=/dev/zero of="/dev/$1" bs=1M oflag=direct status=none 2>/dev/null
}
mountpoint -q /sys/kernel/config ||
	mount -t configfs none /sys/kernel/config 2>/dev/null
device nullb0 $size
device nullb1 $size
device nullb2 $((size * 6))
# What udev loads on a machine that has the instruction
modprobe crc32c-intel 2>/dev/null
# shellcheck disable=SC2046 # a list of names
modprobe -a $(modinfo -F depends /put/dm-deltarec.ko | tr ',' ' ')
insmod /put/dm-deltarec.ko || die "module does not load"

dmsetup create plain --table "0 $sectors linear /dev/nullb0 0" || die linear
dmdelta format --force --block-size "$BS" /dev/nullb1 /dev/nullb2 ||
	die format
dmdelta open vault /dev/nullb1 /dev/nullb2 || die open
plain=/dev/mapper/plain
vault=/dev/mapper/vault

# bytes and requests of a disk: read and written
counters() { awk -v d="$1" '$3 == d { print $6 + $10, $4 + $8 }' /proc/diskstats; }

# job NAME DEVICE DISKS ARGUMENTS...: one line "iops KiB/s sectors requests"
job() {
	local name=$1 dev=$2 disks=$3 before=0 after=0 b a d out
	shift 3

	for d in $disks; do
		b=$(counters "$d")
		before=$((before + ${b% *}))
	done
	out=$(fio --name="$name" --filename="$dev" --ioengine=libaio --direct=1 \
		--random_generator=lfsr --output-format=terse --terse-version=3 \
		--end_fsync=0 "$@" 2>&1 | grep '^3;') || die "fio $name"
	for d in $disks; do
		a=$(counters "$d")
		after=$((after + ${a% *}))
	done
	# Terse fields: read KiB, KiB/s, IOPS = 6-8, write = 47-49
	awk -F';' -v moved=$((after - before)) '{
		kib = $6 + $47; printf "%d %d %.2f\n", $8 + $49, $7 + $48,
			moved / 2 / (kib ? kib : 1) }' <<<"$out"
}

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
