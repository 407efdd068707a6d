#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The machine itself: disks, device-mapper, the programs that other cases use.
. "$(dirname "$0")/../lib.sh"

for i in 0 1 2 3; do
	is "$(sectors_of "$(disk $i)")" 2097152 "disk $i has 1 GiB"
done

ok "dm-linear over a disk" linear lin "$(disk 0)" 2048 8192
random_fill "$(dev_of lin)" 4
sum=$(sum_of "$(dev_of lin)")
drop_cache "$(disk 0)"
is "$(dd if="$(disk 0)" bs=1M skip=1 count=4 status=none | sum_of /dev/stdin)" \
	"$sum" "what was written to it is on the disk"
cmd_fails 1 "in use by the system" mkfs.ext4 -q -F "$(disk 0)"

for fs in ext4 xfs; do
	ok "mkfs.$fs" "mkfs.$fs" -q "$(disk 1)"
	mkdir -p /mnt/t
	ok "mount $fs" mount "$(disk 1)" /mnt/t
	ok "fsfreeze on $fs" fsfreeze -f /mnt/t
	ok "fsfreeze off $fs" fsfreeze -u /mnt/t
	ok "umount $fs" umount /mnt/t
	wipefs -qa "$(disk 1)"
done

ok "a RAM disk" ram_disk 16
ok "a null_blk device with a cache" null_disk n0 16 cache_size=1
dev=$(loop_dev file 16M)
is "$(sectors_of "$dev")" 32768 "a loop device"
ok "fio verifies a disk" fio --name=v --filename="$(disk 2)" --rw=randwrite \
	--size=8M --bs=4k --verify=crc32c --direct=1 --ioengine=libaio --iodepth=16
is "$(sqlite3 db 'create table t(a); insert into t values(42); select a from t;')" \
	42 "sqlite3"
ok "stress-ng" stress-ng --hdd 1 --hdd-bytes 1m --temp-path "$PWD" -t 1
not_ok "unprivileged users may not use device-mapper" \
	setpriv --reuid=65534 --clear-groups dmsetup ls
finish
