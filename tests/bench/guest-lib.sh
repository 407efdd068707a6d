# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the guests of tests/bench/run: devices, the module, and measuring.

export PATH=/put:$PATH DM_DISABLE_UDEV=1

shopt -s lastpipe		# what a pipe ends in can die
die() { echo "bench: $*" >&2; exit 1; }
mkdir -p /tmp/work && cd /tmp/work || die "no /tmp/work"

# --- devices: null_blk, memory behind a latency, completed by a timer ----------------

# All pages of all devices are written before anything is measured: null_blk
# allocates a page when it is first written, and would charge whoever does.
MODEL=${MODEL:-wt20}
latency=20000 depth=128 cached=0 scheduler=none
case $MODEL in
wt20) ;;			# write-through
cache) cached=64 ;;		# MiB of volatile cache
wt100) latency=100000 ;;
# One request at a time, and each takes 5 ms wherever it is: a disk that has to
# seek for every request. That a sequential one needs no seek is not modelled,
# but neighbours that wait together are merged, and reads go first.
seek) latency=5000000 depth=1 scheduler=mq-deadline ;;
direct) ;;			# no latency: see guest-scale.sh
*) die "no model $MODEL" ;;
esac
queues=$(nproc)
modprobe null_blk nr_devices=0 || die "no null_blk"
mountpoint -q /sys/kernel/config ||
	mount -t configfs none /sys/kernel/config 2>/dev/null

# device NAME MIB [sparse]
device() {
	local dir=/sys/kernel/config/nullb/$1

	mkdir "$dir" || die "cannot make $1"
	echo "$2" >"$dir/size"
	echo 1 >"$dir/memory_backed"
	echo "$cached" >"$dir/cache_size"
	if [ $MODEL = direct ]; then
		echo 0 >"$dir/irqmode"
	else
		echo 2 >"$dir/irqmode"
		echo $latency >"$dir/completion_nsec"
	fi
	echo $depth >"$dir/hw_queue_depth"
	echo "$queues" >"$dir/submit_queues"
	echo 1 >"$dir/power" || die "cannot start $1"
	echo $scheduler >"/sys/block/$1/queue/scheduler" || die "no $scheduler"
	[ "${3-}" = sparse ] && return
	fill "/dev/$1"
}
# fill DEVICE: zeroes, in requests of a MiB; dd would clear its buffer for each
fill() {
	fio --name=fill --filename="$1" --ioengine=psync --direct=1 --rw=write --bs=1m \
		--zero_buffers >fill.out 2>&1 || die "fill: $(cat fill.out)"
	sync "$1"
}
# undevice NAME...: they are gone, and their memory
undevice() {
	local name

	for name; do
		rmdir "/sys/kernel/config/nullb/$name" || die "cannot remove $name"
	done
}

# --- the module ----------------------------------------------------------------------

# What udev loads on a machine that has the instruction
modprobe crc32c-intel 2>/dev/null
modprobe -a dm_thin_pool dm_snapshot || die "no peers"
# shellcheck disable=SC2046 # a list of names
modprobe -a $(modinfo -F depends /put/dm-deltarec.ko | tr ',' ' ')
insmod /put/dm-deltarec.ko || die "module does not load"

# batch: the lines on standard input are commands for dmbatch; all succeed
batch() {
	dmbatch -t x >batch.out || die "${FUNCNAME[*]}: $(grep -n '!' batch.out)"
	dmsetup mknodes
}
# took: how many ms the last batch took
took() { awk '{ sum += $1 } END { printf "%.4f", sum / 1e6 }' batch.out; }
table() { printf 'device %s\ncreate\nload %s\nresume\n' "$1" "$2"; }
gone() { printf 'device %s\nremove\n' "$1"; }
clean_log() { dmesg | grep -E 'WARNING|BUG|Oops' && die "the kernel complained"; }

# --- deltarec ------------------------------------------------------------------------

# shellcheck disable=SC2034 # for the guests
vault=/dev/mapper/vault
# open_vault ORIGIN DELTA: formatted anew, in blocks of the size that is measured
open_vault() {
	dmdelta format --force --block-size "$BS" "$1" "$2" >/dev/null || die format
	dmdelta open vault "$1" "$2" >/dev/null || die open
}
# word N: of its status line, from the mode on
word() { dmsetup status --noflush vault | cut -d' ' -f$(($1 + 3)); }

# --- measuring -----------------------------------------------------------------------

# What jobs/common.fio says; guests may say something else.
SIZE=256m IO=64m SYNCS=16m
case $MODEL in
cache | wt100) IO=16m SYNCS=8m ;;
seek) IO=16m SYNCS=4m ;;
esac
export DEV SIZE IO SYNCS
DISKS=''		# the null_blk devices below $DEV
RESULTS=/get		# a directory of the results of this target

# counters: a line for each disk, with its sectors, requests and flushes so far
counters() {
	local disk

	for disk in $DISKS; do
		awk -v d="$disk" '$3 == d { print d, $6, $10, $4, $8, $19 }' /proc/diskstats
	done
}
# measure NAME JOB: the job's JSON, and what the disks had to do
measure() {
	local out=$RESULTS/$1

	mkdir -p "$RESULTS"
	counters >"$out.before"
	fio --output-format=json --output="$out.fio" "/put/jobs/$2.fio" >fio.err 2>&1 ||
		die "fio $1: $(cat fio.err "$out.fio")"
	counters >"$out.after"
}
# value NAME KEY VALUE...: what was measured otherwise
value() {
	mkdir -p "$RESULTS"
	printf '%s %s\n' "${@:2}" >>"$RESULTS/$1.values"
}
# What the figures are of
versions() {
	mkdir -p /get
	{
		echo "kernel $(uname -r)"
		echo "fio $(fio --version)"
		dmsetup version | sed 's/^Library version: */libdevmapper /
			s/^Driver version: */device-mapper /'
		dmsetup targets | awk '{ print "target " $1, $2 }'
		echo "dmdelta $(dmdelta --version | sed -n '1s/.*: *//p')"
		echo "memory $(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024)) MiB"
	} >/get/versions
}
