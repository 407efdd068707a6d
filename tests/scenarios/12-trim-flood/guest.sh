#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An intruder deletes and trims everything, then floods the device until the
# delta is full. The declared policy acts, and sealed epochs stay as they are.
# (A sealed epoch cannot be given up but by "drop". Pinning is another matter.)
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=160 DELTA_MIB=128 FREE_MIB=
attack=inplace
flood() { noise $vault 1M 0 $SIZE_MIB oflag=direct; }
full() { [ "$(status_word v 7)" = full ]; }

scenario() {
	local policy=$f

	must new_pair ext4 "${policy}_if_full" discard_passdown
	must mount_fs
	must corpus_ base
	ok "$what: good files are sealed" "$DMDELTA" checkpoint v --label good
	rm -rf ${there:?}/[a-z]*
	ok "$what: the intruder trims what was deleted" fstrim $there
	umount_fs
	ok "$what: ... and the whole device" blkdiscard -f $vault
	must "$DMDELTA" checkpoint v --label trimmed >/dev/null
	is "$(dd if=$vault bs=1M count=64 iflag=direct status=none | tr -d '\0' | wc -c)" 0 \
		"$what: nothing can be read"
	if [ $policy = error ]; then
		not_ok "$what: the flood meets an error" flood
	else
		flood >/tmp/case/flood 2>&1 &
		flooding=$!
		ok "$what: the flood fills it" eventually 300 full
		ok "$what: the flood waits" kill -0 $flooding
	fi
	is "$(status_word v 7)" full "$what: the status says that it is full"
	is "$(status_word v 1)" rw "$what: ... and the device works"
	if [ $policy = queue ]; then
		# a suspend ends the waiting with an error: the operator is in charge
		ok "$what: rollback in spite of it" "$DMDELTA" rollback v good
		wait $flooding
		is $? 1 "$what: the flood has been ended"
	else
		ok "$what: rollback in spite of it" "$DMDELTA" rollback v good
	fi
	must mount_fs "" "" -o ro
	ok "$what: every good file is as it was" corpus_ is base
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	flooded=$(msg v epochs 0 | awk '$2 == 2 { print $1; exit }')
	ok "$what: the flood's epoch $flooded is dropped" "$DMDELTA" drop v "$flooded"
	settle v
	is "$(status_word v 7)" ok "$what: there is room again"
	must mount_fs
	ok "$what: good work goes on" corpus_ work
	ok "$what: and can be sealed" "$DMDELTA" checkpoint v --label work
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	close_pair
	expect_sound $store/delta.img
}
each error queue
finish
