#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Never commit: /usr is on the protected device and returns to its base whenever
# it is activated; /home is on another device, which nobody turns back. There is
# no "commit" yet: returning is a rollback to the epoch that is the base, and an
# administrator's update becomes the base as a new sealed epoch.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=
home=/mnt/home
mkdir -p $home
mkfs.ext4 -q "$(disk 2)" && mount "$(disk 2)" $home

tree() { (cd $there && find . -type f ! -path './lost*' -print0 | sort -z | xargs -0 md5sum); }
# What a boot does: open, go back to the base, mount.
activate() {
	attach $store && "$DMDELTA" open v "$origin" "$delta" >/dev/null &&
		"$DMDELTA" rollback v "$1" >/dev/null && mount_fs
}
deactivate() { umount_fs; close_pair; }

scenario() {
	must new_pair "$f"
	must mount_fs
	mkdir -p $there/usr/{bin,lib}
	cp -L /usr/bin/{bash,ls,cat,sed} $there/usr/bin/
	tree >/tmp/case/base
	must "$DMDELTA" checkpoint v --label base-1 >/dev/null
	deactivate

	activate base-1
	echo trojan >$there/usr/bin/.ls && mv $there/usr/bin/.ls $there/usr/bin/ls
	noise $there/usr/bin/bash 4k "$(pick 1 0 100)" 3
	echo backdoor >$there/usr/lib/libpreload.so
	echo "a letter on $what" >$home/letter
	deactivate
	activate base-1
	ok "$what: /usr is as the base after reactivation" diff /tmp/case/base <(tree)
	is "$(cat $home/letter)" "a letter on $what" "$what: /home has kept its letter"

	# The update: from the base, sealed before anybody else can write
	echo "version 2" >$there/usr/lib/release
	cp -L /usr/bin/gzip $there/usr/bin/cat
	tree >/tmp/case/update
	ok "$what: the administrator's update is sealed" "$DMDELTA" checkpoint v --label base-2
	rm $there/usr/bin/sed
	echo "another letter" >>$home/letter
	deactivate
	activate base-2
	ok "$what: /usr is as updated after reactivation" diff /tmp/case/update <(tree)
	is "$(tail -n 1 $home/letter)" "another letter" "$what: /home goes on"
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	ok "$what: the old base can still be had" "$DMDELTA" rollback v base-1
	must mount_fs
	ok "$what: ... exactly" diff /tmp/case/base <(tree)
	deactivate
}
each ext4 xfs btrfs
umount $home
finish
