#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# ext4 and xfs upon the device: stress with verification, checkpoints while
# mounted, and every epoch a sound file system after a rollback.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
dev=$(dev_of v)
linear origin "$(disk 0)" 0 $((320 * 2048))
linear delta "$(disk 1)"
origin=$(dev_of origin) delta=$(dev_of delta)

check_fs() { # what fsck would mend is a failure; the log has been replayed
	case $fs in
	ext4) e2fsck -fn $dev ;;
	xfs) xfs_repair -n $dev ;;
	esac
}

sums() { (cd /mnt/t && find . -type f -exec sha256sum {} + | sort); }

try_fs() {
	local e

	rm -f fsx.m fsx-d.m
	must "$DMDELTA" format --force "$origin" "$delta" >/dev/null
	open_pair v >/dev/null
	ok "$fs: mkfs" "mkfs.$fs" -q $dev
	mkdir -p /mnt/t
	ok "$fs: mount" mount $dev /mnt/t

	# Files that stay as they are from here on
	mkdir /mnt/t/keep
	cp /usr/bin/[a-d]* /mnt/t/keep/ 2>/dev/null
	sums >sums.1
	e=$("$DMDELTA" checkpoint v --label good)
	like "$e" '^[0-9]+$' "$fs: checkpoint while mounted"
	like "$(msg v epochs "$e" | sed -n 2p)" ' frozen( |$)' "$fs: ... is recorded as frozen"

	# fsx-lite knows what its files hold; the others verify on their own.
	fsx-lite -N 1500 -S 11 -m fsx.m /mnt/t/fsx 2>fsx.out &
	local fsx=$!
	fsx-lite -N 300 -S 12 -d -a 4096 -l 1048576 -m fsx-d.m /mnt/t/fsx-d 2>fsx-d.out &
	local fsxd=$!
	fio --name=files --directory=/mnt/t --nrfiles=8 --size=4m --rw=randwrite --bs=4k \
		--verify=crc32c --verify_fatal=1 --fsync=64 --ioengine=libaio --iodepth=8 \
		--eta=never >fio.out 2>&1 &
	local fio=$!
	ok "$fs: a checkpoint under load" "$DMDELTA" checkpoint v --label busy
	ok "$fs: one without a freeze" "$DMDELTA" checkpoint v --no-freeze --label crash
	ok_wait "$fs: fsx-lite" $fsx fsx.out
	ok_wait "$fs: fsx-lite with O_DIRECT" $fsxd fsx-d.out
	ok_wait "$fs: fio over files" $fio fio.out
	mkdir /mnt/t/stress
	ok "$fs: stress-ng" stress-ng --temp-path /mnt/t/stress --timeout 4 --verify \
		--fallocate 1 --fallocate-bytes 4m --hdd 1 --hdd-bytes 4m --hdd-opts sync,wr-rnd \
		--rename 1 --fiemap 1 --fiemap-bytes 4m --fpunch 1
	rm -rf /mnt/t/stress
	ok "$fs: fstrim" fstrim /mnt/t
	sums >sums.2
	e=$("$DMDELTA" checkpoint v --label last)
	rm -rf /mnt/t/keep
	dd if=/dev/urandom of=/mnt/t/fsx bs=1M count=1 status=none
	ok "$fs: umount" umount /mnt/t
	ok "$fs: fsck of the head" check_fs

	ok "$fs: rollback to the last checkpoint" "$DMDELTA" rollback v last
	ok "$fs: its file system mounts" mount $dev /mnt/t
	is "$(sums | diff - sums.2 | head -n 5)" "" "$fs: all files are as they were"
	ok "$fs: fsx-lite's file" fsx-lite -c -m fsx.m /mnt/t/fsx
	ok "$fs: fsx-lite's other file" fsx-lite -c -m fsx-d.m /mnt/t/fsx-d
	umount /mnt/t
	ok "$fs: fsck" check_fs
	for e in busy crash good; do
		ok "$fs: rollback to $e" "$DMDELTA" rollback v $e
		# Its log is replayed by mounting it.
		ok "$fs: it mounts" mount $dev /mnt/t
		is "$(sums | grep ' ./keep/' | diff - sums.1 | head -n 5)" "" "$fs: files from before are whole"
		umount /mnt/t
		ok "$fs: fsck" check_fs
	done
	ok "$fs: undo, whatever the mounts have written" "$DMDELTA" undo v --force
	"$DMDELTA" close v
	expect_sound "$delta" "$fs: dmdelta check"
}

for fs in ext4 xfs; do
	try_fs
done
finish
