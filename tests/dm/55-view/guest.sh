#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Views: epochs of the past as devices, while the head goes on.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 24 256 --block-size 4K
sectors=$((24 * 2048))
open_pair v cache_mb=8
dev=$(dev_of v)

# view NAME EPOCH [RULE-WORD...]: over v, or over $over
view() {
	dmsetup create -r "$1" --table "0 $sectors deltarec-view ${over:-$dev} ${*:2}"
}

# same VIEW FILE DESCRIPTION: read past the page cache
same() {
	local out

	out=$(dd if="$(dev_of "$1")" bs=1M iflag=direct status=none | cmp - "$2" 2>&1) &&
		{ pass "$3"; return; }
	fail "$3"
	diag "$out"
}

# all DESCRIPTION: every view that is open shows its epoch
all() {
	local e

	for e in "${open[@]}"; do
		same "e$e" "image.$e" "$1: epoch $e"
	done
}

# refuse ERROR TEXT ARGUMENT...: such a view is refused, with that reason
refuse() {
	local before

	before=$(facts v)
	cmd_fails - "$1" dmsetup create -r bad --table "0 ${len:-$sectors} deltarec-view ${*:3}"
	like "$(dmesg | grep 'deltarec-view: ' | tail -n 1)" "$2" "... and the log says why"
	is "$(facts v)" "$before" "... and nothing has changed"
}

# --- each epoch, while the head is written --------------------------------------------------

cp "$origin" image.0
cp image.0 image
for e in 1 2 3 4; do
	ok "random operations $e" fsx-lite -b -d -B 4096 -N 120 -S "$e" -m image "$dev"
	is "$(checkpoint v)" "$e" "epoch $e"
	cp image image.$e
done
# Some of this is in memory only, for the views to find there.
open=(0 1 2 3 4)
for e in "${open[@]}"; do
	ok "a view of epoch $e" view "e$e" "$e"
done
all "at once"
is "$(blockdev --getro "$(dev_of e1)") $(sectors_of "$(dev_of e1)")" "1 $sectors" \
	"a view is read-only, and as long as the origin"
cmd_fails - . dd if=/dev/zero of="$(dev_of e1)" bs=4k count=1 oflag=direct
cmd_fails - . blkdiscard "$(dev_of e1)"
is "$(dmsetup status e3)" "0 $sectors deltarec-view 3 0 -" "the status of a view"
is "$(dmsetup table e3)" "0 $sectors deltarec-view $(dmsetup info -c --noheadings -o major,minor v) 3" \
	"its table"

fio --name=head --filename="$dev" --direct=1 --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio \
	--time_based --runtime=6 --eta=never >/dev/null &
fio=$!
for i in 1 2 3; do
	all "while the head is written ($i)"
	checkpoint v >/dev/null
done
ok_wait "fio on the head" $fio
checkpoint v busy >/dev/null
cat "$dev" >image.busy

# --- over a head that is suspended, rolled back, closed ---------------------------------------

dmsetup suspend v
all "over a suspended head"
dmsetup resume v
rollback v 2 >/dev/null
all "after a rollback"
expect v image.2 "the head shows epoch 2"

# --- what is refused -------------------------------------------------------------------------

refuse 'Invalid argument' 'Needs a deltarec device and' "$dev"
refuse 'Invalid argument' 'Needs a deltarec device and' "$dev" x
refuse 'No such file or directory' 'cannot be found' /dev/mapper/nosuch 1
refuse 'No such device' 'Not a deltarec device' "$(disk 3)" 1
refuse 'No such device' 'Not a deltarec device' 77:77 1
refuse 'No such file or directory' 'no such epoch' "$dev" 4000
refuse 'Device or resource busy' 'make a checkpoint' "$dev" "$(head_of v)"
len=8 refuse 'Invalid argument' 'as long as' "$dev" 1
cmd_fails - 'Permission denied' dmsetup create bad --table "0 $sectors deltarec-view $dev 1"
building=$(msg v replay begin)
refuse 'Device or resource busy' 'A replay is making' "$dev" "$building"
msg v replay abort >/dev/null
message_fails . e1 nonsense

# --- drop --------------------------------------------------------------------------------------

before=$(facts v)
message_fails 'Device or resource busy' v drop 3
like "$(dmesg | tail -n 5)" 'drop: an open view' "the log says what to do"
is "$(facts v)" "$before" "nothing has changed"
must dmsetup create -r again --table "$(dmsetup table e3)"
must dmsetup remove e3
message_fails 'Device or resource busy' v drop 3
must dmsetup remove again
ok "without its views the epoch can be dropped" msg v drop 3
refuse 'No such file or directory' 'it was dropped' "$dev" 3
ok "its space is reclaimed" settle v
refuse 'No such file or directory' 'it was dropped' "$dev" 3
open=(0 1 2 4)
all "after a drop and a reclaim"
finish
