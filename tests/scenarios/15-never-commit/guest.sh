#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Never commit: /usr is on a nonpersistent device, and as its base whenever that
# is opened; /home is on another device, which nobody turns back. An
# administrator's update becomes the new base. At the end the same system is
# tried out in a session, which is discarded.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=
home=/mnt/home
mkdir -p $home
mkfs.ext4 -q "$(disk 2)" && mount "$(disk 2)" $home

tree() { (cd $there && find . -type f ! -path './lost*' -print0 | sort -z | xargs -0 md5sum); }
# What a boot does: open and mount. Boots differ in nothing else.
boot() {
	attach $store && "$DMDELTA" open v "$origin" "$delta" "${1:---nonpersistent=discard}" >/dev/null &&
		mount_fs
}
shut_down() { umount_fs; close_pair; }

scenario() {
	must new_pair "$f"
	must mount_fs
	mkdir -p $there/usr/{bin,lib}
	cp -L /usr/bin/{bash,ls,cat,sed} $there/usr/bin/
	tree >/tmp/case/base
	must "$DMDELTA" checkpoint v --label base-1 >/dev/null
	must "$DMDELTA" start v base-1 >/dev/null
	shut_down

	must boot
	echo trojan >$there/usr/bin/.ls && mv $there/usr/bin/.ls $there/usr/bin/ls
	noise $there/usr/bin/bash 4k "$(pick 1 0 100)" 3
	echo backdoor >$there/usr/lib/libpreload.so
	echo "a letter on $what" >$home/letter
	shut_down
	must boot
	ok "$what: /usr is as the base after a restart" diff /tmp/case/base <(tree)
	is "$(cat $home/letter)" "a letter on $what" "$what: /home has kept its letter"

	# Mounting has written: so the update begins with a restart, as it should.
	# It takes another one.
	echo trojan >$there/usr/bin/ls
	ok "$what: an update is wanted" "$DMDELTA" update begin v
	shut_down
	must boot
	ok "$what: ... and begins with the base" diff /tmp/case/base <(tree)
	echo "version 2" >$there/usr/lib/release
	shut_down
	must boot
	cp -L /usr/bin/gzip $there/usr/bin/cat
	tree >/tmp/case/update
	ok "$what: the administrator's update has ended" "$DMDELTA" update end v --label base-2
	rm $there/usr/bin/sed
	echo "another letter" >>$home/letter
	shut_down
	must boot
	ok "$what: /usr is as updated after a restart" diff /tmp/case/update <(tree)
	is "$(tail -n 1 $home/letter)" "another letter" "$what: /home goes on"
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	ok "$what: the old base can be chosen again" "$DMDELTA" start v base-1
	close_pair
	must boot
	ok "$what: ... and is there after a restart, exactly" diff /tmp/case/base <(tree)
	must "$DMDELTA" start v base-2 >/dev/null
	shut_down
	must boot
	shut_down

	must boot --undoable
	ok "$what: a session begins with what there is" diff /tmp/case/update <(tree)
	rm -r "${there:?}/usr/bin"
	umount_fs
	ok "$what: it is discarded" "$DMDELTA" close v --discard
	detach
	[ "$f" != btrfs ] || btrfs device scan -u 2>/dev/null
	must boot --undoable
	ok "$what: ... and all is back" diff /tmp/case/update <(tree)
	umount_fs
	must "$DMDELTA" close v --keep >/dev/null
	detach
	[ "$f" != btrfs ] || btrfs device scan -u 2>/dev/null
}
each ext4 xfs btrfs
umount $home
finish
