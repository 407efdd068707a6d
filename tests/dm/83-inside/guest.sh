#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What can be inside a device, seen in the past while the same is active in the
# present: partitions, LVM, file systems that are odd or damaged.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

dmdelta() { "$DMDELTA" "$@"; }
refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
load_module
modprobe -a xfs btrfs
mkdir -p /mnt/live /mnt/old /mnt/too
linear origin "$(disk 0)" 0 $((300 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((400 * 2048)) && delta=$(dev_of delta)
dev=$(dev_of v)
fresh() {
	dmdelta close v >/dev/null 2>&1
	wipefs -qa "$origin"
	dmdelta format --force "$origin" "$delta" >/dev/null
	open_pair v
}
nothing_left() {
	local i left

	for ((i = 0; i < 600; i++)); do
		left=$(dmsetup ls | grep -i dmdelta; losetup --list --noheadings)
		[ -z "$left" ] && { pass "$1: nothing is left"; return; }
		sleep 0.1
	done
	fail "$1: nothing is left"
	diag "$left"
}

# --- partitions, one of them for LVM -----------------------------------------------------

fresh
lvm_type=E6D6D379-F507-44C2-A23C-238F2A3DF928
sfdisk -q $dev <<END
label: gpt
start=2048, size=40M
size=140M, type=$lvm_type
size=60M, type=$lvm_type
size=20M
END
# As partition nodes would be
sfdisk -d $dev | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\).*/\1 \2/p' >parts
i=0
while read -r start size; do
	linear p$((i += 1)) $dev "$start" "$size"
done <parts
mkfs.ext4 -q -L first /dev/mapper/p1
lvm_() { "$@" >/dev/null 2>>lvm.log; }
lvm_ pvcreate /dev/mapper/p2 /dev/mapper/p3
lvm_ vgcreate vg /dev/mapper/p2 /dev/mapper/p3
lvm_ lvcreate -y -Wn -L 20M -n root vg /dev/mapper/p2
lvm_ lvcreate -y -Wn -L 20M -n between vg /dev/mapper/p2
lvm_ lvextend -L +20M vg/root /dev/mapper/p2
lvm_ lvextend -L +20M vg/root /dev/mapper/p3
lvm_ lvcreate -y -Wn -i 2 -L 16M -n striped vg
mkfs.ext4 -q /dev/vg/root
mount /dev/vg/root /mnt/live
dd if=/dev/urandom of=/mnt/live/big bs=1M count=40 status=none
sum=$(sum_of /mnt/live/big)
mount /dev/mapper/p1 /mnt/too
echo one >/mnt/too/file
sync
dmdelta checkpoint v --label parts >/dev/null
rm /mnt/live/big
echo two >/mnt/too/file
sync
lvs_before=$(lvs -o lv_name,lv_attr,seg_pe_ranges,vg_seqno --noheadings 2>/dev/null)

refuses 8 'several volumes: partition 1 \(ext4\), partition 4 \(unknown\), vg/between \(unknown\), vg/root \(ext4\), vg/striped \(unknown\); choose one' \
	mount v@parts /mnt/old
refuses 8 'vg/striped: a volume of the kind .striped' ls v@parts:/ --volume vg/striped
refuses 8 'holds nothing that is known' ls v@parts:/ --volume 4
refuses 8 'no such volume' ls v@parts:/ --volume vg/none
ok "a partition" "$DMDELTA" mount v@parts /mnt/old --volume 1
is "$(cat /mnt/old/file)" one "... as it was"
is "$(dmdelta cat v@parts:/file --volume first)" one "by its label"
is "$(dmdelta cat v@parts:/file --volume "partition 1")" one "by its name"
is "$(dmdelta cat v@parts:/big --volume vg/root | sha256sum | cut -d' ' -f1)" "$sum" \
	"a logical volume of three pieces on two partitions"
ok "umount" "$DMDELTA" umount /mnt/old
ok "a logical volume, mounted" "$DMDELTA" mount v@parts /mnt/old --volume vg/root
is "$(sum_of /mnt/old/big)" "$sum" "... beside the live one of the same group"
ok "umount(8) of it" umount /mnt/old
is "$(lvs -o lv_name,lv_attr,seg_pe_ranges,vg_seqno --noheadings 2>/dev/null)" "$lvs_before" "the live group is as it was"
nothing_left "partitions and LVM"
umount /mnt/live /mnt/too
lvm_ vgchange -an vg
is "$(dmdelta cat v@parts:/big --volume vg/root | sha256sum | cut -d' ' -f1)" "$sum" "with the live group inactive"
is "$(dmsetup ls | grep -c '^vg')" 0 "... which stays so"
dmsetup remove p1 p2 p3 p4

# A group that has a part elsewhere
fresh
linear away "$(disk 2)" 2048 $((100 * 2048))
lvm_ pvcreate $dev "$(dev_of away)"
lvm_ vgcreate two $dev "$(dev_of away)"
lvm_ lvcreate -y -Wn -L 20M -n here two $dev
lvm_ lvcreate -y -Wn -L 350M -n both two
mkfs.ext4 -q /dev/two/here
dmdelta checkpoint v >/dev/null
like "$(dmdelta ls v@1:/ --volume two/here)" 'lost.found' "LVM on the whole device"
refuses 8 'two/both: parts of it are on other devices' ls v@1:/ --volume two/both
lvm_ vgchange -an two
lvm_ wipefs -qa "$(dev_of away)"
dmsetup remove away

# --- btrfs of all kinds ---------------------------------------------------------------------

# btrfs WORD OPTION...: one that is mounted while its past is, twice
try_btrfs() {
	local what=$1

	shift
	fresh
	mkfs.btrfs -q "$@" $dev >/dev/null
	[ "$what" != "a changed uuid" ] || btrfstune -f -m $dev >/dev/null
	mount $dev /mnt/live
	btrfs -q subvolume create /mnt/live/sub
	echo old >/mnt/live/sub/file
	btrfs subvolume set-default /mnt/live/sub
	sync -f /mnt/live
	echo synced >/mnt/live/sub/log
	sync /mnt/live/sub/log
	dmdelta checkpoint v --no-freeze >/dev/null
	echo new >/mnt/live/sub/file
	ok "btrfs, $what" "$DMDELTA" mount v@1 /mnt/old --writable
	ok "... twice" "$DMDELTA" mount v@1 /mnt/too
	is "$(cat /mnt/old/sub/file /mnt/too/sub/log | xargs)" "old synced" "... as it was, from the top"
	echo more >/mnt/old/sub/file && sync -f /mnt/old
	echo newer >/mnt/live/sub/file && sync -f /mnt/live
	is "$(cat /mnt/live/sub/file /mnt/old/sub/file /mnt/too/sub/file | xargs)" "newer more old" "... each for itself"
	umount /mnt/old /mnt/too
	umount /mnt/live
	ok "... the live one is sound" btrfs check --readonly $dev
	ok "... and its past can be mounted without it" "$DMDELTA" mount v@1 /mnt/old
	ok "... which does not keep it from being mounted" mount $dev /mnt/live
	is "$(cat /mnt/live/file)" newer "... with its own content"
	umount /mnt/live /mnt/old
	nothing_left "btrfs, $what"
}
try_btrfs "xxhash" --csum xxhash
try_btrfs "blake2, single metadata" --csum blake2 -m single
try_btrfs "a changed uuid"
fresh
linear away "$(disk 2)" 2048 $((300 * 2048))
mkfs.btrfs -q -f $dev "$(dev_of away)" >/dev/null
dmdelta checkpoint v >/dev/null
refuses 8 'btrfs of 2 devices' mount v@1 /mnt/old
dmsetup remove away
fresh
mkfs.btrfs -q $dev >/dev/null
btrfstune -f -S 1 $dev
mount $dev /mnt/live
dmdelta checkpoint v >/dev/null
ok "btrfs, a seed beside itself" "$DMDELTA" mount v@1 /mnt/old
umount /mnt/old /mnt/live

# --- damage -----------------------------------------------------------------------------------

fresh
mkfs.ext4 -q -b 1024 -O ^metadata_csum $dev
tune2fs -e panic $dev >/dev/null
mount $dev /mnt/live
mkdir /mnt/live/dir
touch /mnt/live/dir/{1..50}
block=$(debugfs -R 'blocks dir' $dev 2>/dev/null | cut -d' ' -f1)
umount /mnt/live
dd if=/dev/urandom of=$dev bs=1024 seek="$block" count=1 conv=notrunc status=none
sync $dev
dmdelta checkpoint v --label directory >/dev/null
ok "a damaged folder is no panic, whatever the superblock asks for" "$DMDELTA" mount v@directory /mnt/old
ls /mnt/old/dir >/dev/null 2>&1
umount /mnt/old
dd if=/dev/zero of=$dev bs=1024 seek=2 count=30 conv=notrunc status=none
sync $dev
dmdelta checkpoint v --label groups >/dev/null
refuses 8 'device cannot be mounted: ext4: .*EXT4-fs \(dm-[0-9]+\): ' mount v@groups /mnt/old
dd if=/dev/zero of=$dev bs=1M count=1 conv=notrunc status=none
sync $dev
dmdelta checkpoint v --label nothing >/dev/null
refuses 8 'holds nothing that is known' mount v@nothing /mnt/old
nothing_left "damage"
mkfs.xfs -q -f $dev
mount $dev /mnt/live
echo text >/mnt/live/file
sync -f /mnt/live
umount /mnt/live
# All but the first superblock's sector of the first allocation group's headers
dd if=/dev/urandom of=$dev bs=512 seek=1 count=3 conv=notrunc status=none
sync $dev
dmdelta checkpoint v --label xfs >/dev/null
refuses 8 'xfs: .*XFS \(dm-[0-9]+\): ' mount v@xfs /mnt/old
mkswap -q $dev >/dev/null 2>&1 || mkswap $dev >/dev/null
sync $dev
dmdelta checkpoint v --label swap >/dev/null
refuses 8 'holds swap, not a file system' mount v@swap /mnt/old
nothing_left "no file system"
finish
