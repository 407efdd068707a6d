#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the guest, up to the power cut. Disks: origin, delta, record. The record,
# which deltarec has nothing to do with, gets a copy of the device's bytes.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
seed=$1

load_module
modprobe -a ext4 xfs
origin=$(disk 0) delta=$(disk 1)
mkfs.ext4 -q "$(disk 2)" && mkdir -p /mnt/record && mount "$(disk 2)" /mnt/record
sfdisk -q "$origin" <<-END
label: gpt
start=2048, size=131072
start=133120, size=655360
END
linear o1 "$origin" 2048 131072 && linear o2 "$origin" 133120 655360
make_fs ext4 /dev/mapper/o1 && make_fs xfs /dev/mapper/o2
dmsetup remove o1
dmsetup remove o2
must "$DMDELTA" format "$origin" "$delta"
must "$DMDELTA" open v "$origin" "$delta"
sfdisk -d $vault >/mnt/record/partitions

linear p1 $vault 2048 131072 && linear p2 $vault 133120 655360
mkdir -p /mnt/p1 /mnt/p2
mount -o noatime /dev/mapper/p1 /mnt/p1 && mount -o noatime /dev/mapper/p2 /mnt/p2
for p in p1 p2; do
	cp -r /put/tests /mnt/$p/
	seq "$seed" 50000 >/mnt/$p/numbers
	umount /mnt/$p
done
sync
ok "checkpoint" "$DMDELTA" checkpoint v --label good
ok "the record has every byte" dd if=$vault of=/mnt/record/image bs=1M conv=sparse status=none
truncate -s "$(blockdev --getsize64 $vault)" /mnt/record/image
sync

# wipe START COUNT: blocks of 4 KiB of the device
wipe() { noise $vault 4k "$1" "$2" oflag=direct; }
tables=$(dumpe2fs /dev/mapper/p1 2>/dev/null |
	sed -n 's/.*Inode table at \([0-9]*\)-\([0-9]*\).*/\1 \2/p')
unit=$(dumpe2fs -h /dev/mapper/p1 2>/dev/null | sed -n 's/^Block size: *//p')
dmsetup remove p1
dmsetup remove p2
wiped=0
while read -r first last; do
	wipe $((256 + first * unit / 4096)) $(((last - first + 1) * unit / 4096)) &&
		wiped=$((wiped + 1))
done <<<"$tables"
ok "inode tables are wiped ($wiped)" [ "$wiped" -ge 1 ]
wipe 0 8			# the table, the boot block
wipe $((400 * 256 - 8)) 8	# the table's copy
wipe 256 4			# ext4's superblock and group descriptors
for ((ag = 0; ag < 4; ag++)); do
	wipe $((133120 / 8 + ag * 20480)) 16	# superblock, headers, inodes
done
sync
not_ok "the wiper has done harm" cmp -s $vault /mnt/record/image
umount /mnt/record
stty -F /dev/ttyS1 raw
vm-poweroff
sleep 60
