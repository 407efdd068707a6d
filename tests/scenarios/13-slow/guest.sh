#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A slow attack: over twenty epochs a few files each, with good work between.
# Recovery selects by path. The oracle is a twin in memory that gets the good
# work alone.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=
twin=/tmp/case/twin
sums() { (cd "$1" && find . -type f ! -path './.dmdelta*' -print0 | LC_ALL=C sort -z | xargs -0 md5sum); }
# good COMMAND: on both sides
good() { (cd $there && eval "$1") && (cd $twin && eval "$1"); }
photo() { printf 'home/alice/photos/p%02d' "$1"; }
# in an order that the seed decides; 60 and later ones are left alone
victim() { photo $((($1 * 7 + first) % 60)); }
setup() {
	local i

	first=$(pick 1 0 59)
	rm -rf $twin
	mkdir -p $twin
	(
		cd $twin && mkdir -p home/alice/photos home/alice/letters home/bob || exit
		for ((i = 0; i < 70; i++)); do
			seq $((i * 10000 + 100000)) $((i * 10000 + 104000)) >"$(photo $i)"
			seq $i 3000 >home/bob/b$i
		done
	) && cp -r $twin/home $there/
}
epoch() {
	local e=$1

	# the intruder: two in place, one renamed to a new file
	noise "$there/$(victim $((e * 3)))" 4k 0 3
	noise "$there/$(victim $((e * 3 + 1)))" 4k $((e % 4)) 2
	noise "$there/$(victim $((e * 3 + 2))).locked" 1k 0 30
	rm "$there/$(victim $((e * 3 + 2)))"
	# and good people
	good "echo 'letter $e' >home/alice/letters/l$e; seq $e 500 >>home/bob/b$e; rm home/bob/b$((69 - e))"
	[ "$e" != 9 ] || good "echo 'in good faith' >home/alice/photos/album"
	"$DMDELTA" checkpoint v --label day-"$e" >/dev/null
}

scenario() {
	must new_pair $f
	must mount_fs
	must setup
	must "$DMDELTA" checkpoint v --label before >/dev/null
	for ((e = 0; e < 20; e++)); do
		must epoch $e
	done
	good "echo 'photo retouched' >$(photo 60)"
	good "echo 'a new one' >home/alice/photos/new"
	not_ok "$what: the damage is done" diff <(sums $there) <(sums $twin)
	exits "0 4" "$what: recover by path" "$DMDELTA" recover v --from day-0 --to day-19 \
		--path '/home/alice/photos/**' --not-path '/home/alice/photos/album'
	ok "$what: every photo is back, all good work is kept" diff <(sums $there) <(sums $twin)
	ok "$what: undo" "$DMDELTA" undo v
	not_ok "$what: ... the damage is back" diff <(sums $there) <(sums $twin)
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	close_pair
}
each ext4 xfs btrfs
finish
