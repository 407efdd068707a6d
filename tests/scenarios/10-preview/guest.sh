#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A preview replays the journal in a scratch layer: not a byte of origin, delta
# or head changes, nothing stays behind, and what it shows is what the replay
# gives.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/scenarios/ways.sh
. "$(dirname "$0")/../ways.sh"

# All of it is read over and over; xfs wants 300.
SIZE_MIB=320
# What a device shows is held against a copy: emulated, cmp takes a third of the
# time of md5sum.
shot() { blockdev --flushbufs "$1" && cp --sparse=always "$1" "$2"; }
shows() { blockdev --flushbufs "$1" && cmp "$1" "$2"; }
unchanged() {
	ok "$1: the origin is as it was" cmp /tmp/case/copy/origin.img $store/origin.img
	ok "$1: the delta is as it was" cmp /tmp/case/copy/delta.img /tmp/case/delta.before
	ok "$1: the head is as it was" shows $vault head
	is "$(surroundings)" "$around" "$1: nothing is left behind"
}

scenario() {
	DIRTY=1 must history $f inplace $seed
	must copy_pair
	exits "0 4" "$what: plan of blocks" "$DMDELTA" plan v --from bad --to bad --mode blocks -o blocks.json
	exits "0 4" "$what: plan of files" "$DMDELTA" plan v --from bad --to bad --mode files -o files.json
	sync
	must shot $vault head
	cp --sparse=always /tmp/case/copy/delta.img /tmp/case/delta.before
	around=$(surroundings)

	exits 0 "$what: preview of blocks" "$DMDELTA" --json preview v --recipe blocks.json
	is "$(json /tmp/case/out '$.volumes[0].mounts' '$.volumes[0].check' | xargs)" "1 clean" \
		"$what: ... mounts and is clean"
	unchanged "$what: preview of blocks"
	exits 0 "$what: preview of files" "$DMDELTA" --json preview v --recipe files.json
	is "$(json /tmp/case/out '$.volumes[0].mounts' '$.volumes[0].check' | xargs)" "1 clean" \
		"$what: ... mounts and is clean"
	unchanged "$what: preview of files"

	# What the journal alone holds is there as well: it was replayed.
	mkdir -p /mnt/past
	ok "$what: mount the dirty epoch" "$DMDELTA" mount v@work /mnt/past
	ok "$what: ... has what only the journal held" eval '(cd /mnt/past && corpus -s $seed is work)'
	ok "$what: umount" "$DMDELTA" umount /mnt/past
	unchanged "$what: mount of an epoch"

	ok "$what: a view with the recipe" "$DMDELTA" view v "$(json blocks.json '$.epochs.now')" w \
		--recipe blocks.json
	must shot /dev/mapper/w seen
	ok "$what: close" "$DMDELTA" close w
	exits "0 4" "$what: replay of the recipe" "$DMDELTA" replay v --recipe blocks.json
	ok "$what: gives the bytes that the view has shown" shows $vault seen
	not_ok "$what: ... which are not those of before" cmp -s seen head
	rm head seen
	close_pair
}
each xfs ${DEEP:+ext4}
finish
