#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest, after the power cut: see host.sh.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
seed=$1

load_module
modprobe -a ext4 xfs
origin=$(disk 0) delta=$(disk 1)
mkdir -p /mnt/record /mnt/p && mount -o ro "$(disk 2)" /mnt/record
expect_sound "$delta" "the delta is sound after the cut"
must "$DMDELTA" open v "$origin" "$delta" >/dev/null
same() { blockdev --flushbufs $vault; cmp $vault /mnt/record/image; }
whole() {
	local p=/dev/mapper/p

	linear p $vault "$1" "$2" && eval "$3" >/dev/null 2>&1 &&
		mount -o noatime $p /mnt/p && diff -r /put/tests /mnt/p/tests &&
		seq "$seed" 50000 | cmp - /mnt/p/numbers
	set -- $?
	umount /mnt/p
	dmsetup remove p
	return "$1"
}
not_ok "no partition table is left" sfdisk -d $vault
not_ok "the device is not what it was" same

ok "rollback" "$DMDELTA" rollback v good
ok "... every byte is back" same
is "$(sfdisk -d $vault 2>&1)" "$(cat /mnt/record/partitions)" "... the partition table, too"
ok "undo" "$DMDELTA" undo v
not_ok "... and the wiped state is back" same

bad=$(msg v epochs 0 | awk '$2 == 1 { print $1; exit }')
ok "replay of epoch $bad" "$DMDELTA" replay v --from "$bad" --to "$bad" --range 0+400MiB
ok "... every byte is back" same
ok "ext4 is whole" whole 2048 131072 'e2fsck -fn $p'
ok "xfs is whole" whole 133120 655360 'xfs_repair -n $p'
ok "close" "$DMDELTA" close v
expect_sound "$delta"
finish
