# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the guests of tests/bench/run: devices, the module, and workloads.

export PATH=/put:$PATH DM_DISABLE_UDEV=1

die() { echo "bench: $*" >&2; exit 1; }
cd /tmp || die "no /tmp"

# null_blk: memory behind a fixed latency, completed by a timer
modprobe null_blk nr_devices=0 || die "no null_blk"
# device NAME MIB [sparse]
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
	[ "${3-}" = sparse ] && return
	dd if=/dev/zero of="/dev/$1" bs=1M oflag=direct status=none 2>/dev/null
}
mountpoint -q /sys/kernel/config ||
	mount -t configfs none /sys/kernel/config 2>/dev/null
# What udev loads on a machine that has the instruction
modprobe crc32c-intel 2>/dev/null
# shellcheck disable=SC2046 # a list of names
modprobe -a $(modinfo -F depends /put/dm-deltarec.ko | tr ',' ' ')
insmod /put/dm-deltarec.ko || die "module does not load"

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
