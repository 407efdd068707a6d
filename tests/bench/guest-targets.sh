# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # DEV, DISKS and vault are guest-lib.sh's
#
# For the guests of tests/bench/run: dm-linear, which is the limit, the peers with
# their best sensible options, and deltarec. Each target T has functions
#   make_T       the devices and the target, all written; sets DEV and DISKS
#   new_T        the target as new, on the same devices
#   take_T N     commands (for dmbatch) for the N-th checkpoint since it was new
#   drop_T N     ... that give up the N-th again, so that peers have one at most
#   room_T N     room for so many checkpoints; N is 1, 2 or more
#   few_T some_T many_T   how many epochs "history" makes (numbers)
#   close_T      takes all of it down
# What a target cannot do it has no function for.

# No device has more than 1 GiB: null_blk's tree of pages would be a level deeper
# than that of others; deltarec's sequential read took 2 % longer for it.
size=${SIZE%m}			# MiB of each target
sectors=$((size * 2048))

can() { declare -F "$1" >/dev/null; }

# --- linear ----------------------------------------------------------------------------

make_linear() {
	device nullb0 "$size"
	DISKS=nullb0 DEV=/dev/mapper/linear
	table linear "$sectors linear /dev/nullb0 0" | batch
}
new_linear() { :; }
close_linear() {
	gone linear | batch
	undevice nullb0
}

# --- thin: blocks of 64 KiB, not zeroed; metadata has room to spare -------------------

thin_some=16 thin_many=128
make_thin() {
	device nullb0 $((size * 3))
	device nullb1 64
	DISKS="nullb0 nullb1" DEV=/dev/mapper/thin
	create_thin
}
create_thin() {
	dd if=/dev/zero of=/dev/nullb1 bs=1M count=1 oflag=direct status=none
	{
		table pool "$((size * 3 * 2048)) thin-pool /dev/nullb1 /dev/nullb0 128 0 1 skip_block_zeroing"
		echo "create_thin 0"
	} | batch
	table thin "$sectors thin /dev/mapper/pool 0" | batch
	fill $DEV
}
remove_thin() { { gone thin; gone pool; } | batch; }
new_thin() {
	remove_thin
	create_thin
}
take_thin() {
	printf '%s\n' "device thin" suspend "device pool" "create_snap $1 0" \
		"device thin" resume
}
drop_thin() { printf '%s\n' "device pool" "delete $1"; }
room_thin() { :; }
close_thin() {
	remove_thin
	undevice nullb0 nullb1
}

# --- snapshots: chunks of 4 KiB, persistent --------------------------------------------

# Slices of one device, as many as there are to be snapshots
snapshot_room=$((size * 13 / 4))
slice() { echo "/dev/mapper/slice$(($1 % slices))"; }
room_of_snapshots() {
	local i each

	remove_slices
	slices=$1 each=$((snapshot_room * 2048 / slices))
	for ((i = 0; i < slices; i++)); do
		table slice$i "$each linear /dev/nullb1 $((each * i))"
	done | batch
	for ((i = 0; i < slices; i++)); do
		clear_slice $i
	done
}
slices=0
clear_slice() { dd if=/dev/zero of="$(slice "$1")" bs=4k count=1 oflag=direct status=none; }
remove_slices() {
	local i

	for ((i = 0; i < slices; i++)); do
		gone slice$i
	done | batch
	slices=0
}
make_snapshot_devices() {
	device nullb0 "$size"
	device nullb1 $snapshot_room
	DISKS="nullb0 nullb1"
}
valid() { ! dmsetup status | grep -E 'snapshot (Invalid|Overflow)' || die "a snapshot was full"; }

# The origin side: what is overwritten is copied to the snapshots first
origin_some=4 origin_many=16
make_origin() {
	make_snapshot_devices
	DEV=/dev/mapper/origin
	table origin "$sectors snapshot-origin /dev/nullb0" | batch
}
new_origin() { :; }		# once its snapshots are gone
room_origin() { room_of_snapshots "$1"; }
take_origin() {
	printf '%s\n' "device origin" suspend
	table "snap$1" "$sectors snapshot /dev/nullb0 $(slice "$1") P 8"
	printf '%s\n' "device origin" resume
}
drop_origin() { gone "snap$1"; }
close_origin() {
	gone origin | batch
	remove_slices
	undevice nullb0 nullb1
}

# The COW side: what is written goes to the snapshot. There are no snapshots of
# it, so a checkpoint is a new one of the same origin.
make_cow() {
	make_snapshot_devices
	DEV=/dev/mapper/cow
}
new_cow() { :; }
room_cow() { room_of_snapshots "$1"; }
take_cow() { table cow "$sectors snapshot /dev/nullb0 $(slice "$1") P 8"; }
drop_cow() { gone cow; }
close_cow() {
	remove_slices
	undevice nullb0 nullb1
}

# --- deltarec: as the tool makes it --------------------------------------------------

deltarec_some=100 deltarec_many=10000
make_deltarec() {
	device nullb0 "$size"
	device nullb1 $((size * 4))
	DISKS="nullb0 nullb1" DEV=$vault
	open_vault /dev/nullb0 /dev/nullb1
}
new_deltarec() {
	dmdelta close vault >/dev/null || die close
	open_vault /dev/nullb0 /dev/nullb1
}
room_deltarec() { :; }
take_deltarec() { printf '%s\n' "device vault" checkpoint; }
drop_deltarec() { :; }		# it keeps them all
close_deltarec() {
	dmdelta close vault >/dev/null || die close
	undevice nullb0 nullb1
}
