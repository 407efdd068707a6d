#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The blocks of a victim were freed and belong to a good file now: to force the
# old version is refused. With --force it is done, does its harm, and is undone.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=24
victim=$there/victim good=$there/good

for f in ext4 xfs; do
	must new_pair $f
	must mount_fs
	dd if=/dev/urandom of=$victim bs=1M count=12 conv=fsync status=none
	was=$(ranges_of $victim)
	must "$DMDELTA" checkpoint v --label good >/dev/null
	dd if=/dev/urandom of=$victim bs=1M count=12 conv=notrunc,fsync status=none
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	rm $victim	# of no use any more
	sync
	# most of what is free, so that the victim's blocks are among it
	dd if=/dev/urandom of=/tmp/case/written bs=1M count=18 status=none
	cp /tmp/case/written $good
	sync
	ranges_of $good >now
	umount_fs
	shared=$(awk -F+ 'FNR == NR { from[++n] = $1; to[n] = $1 + $2; next }
		{ for (i = 1; i <= n; i++) {
			a = $1 > from[i] ? $1 : from[i]
			b = $1 + $2 < to[i] ? $1 + $2 : to[i]
			if (a < b)
				sum += b - a
		} }
		END { print sum + 0 }' <(echo "$was") now)
	ok "$f: the good file has $shared sectors of the victim" [ "$shared" -gt 0 ]

	exits 4 "$f: a plan that forces the old version is refused" \
		"$DMDELTA" plan v --from bad --to bad --mode blocks --path /victim
	like "$(cat /tmp/case/out)" 'C2 refused' "$f: ... because somebody else owns the blocks"
	exits 4 "$f: so is the replay" "$DMDELTA" replay v --from bad --to bad --path /victim
	exits "4 16" "$f: and one that ignores later writes" \
		"$DMDELTA" replay v --from bad --to bad --path /victim --drop-later
	must mount_fs
	ok "$f: ... and the good file is as it was" cmp /tmp/case/written $good
	umount_fs

	# What the refusal prevents: a replay by plain ranges asks nobody.
	# shellcheck disable=SC2046 # options
	ok "$f: control: by plain ranges it is done" "$DMDELTA" replay v --from bad --to bad \
		$(echo "$was" | sed 's/^/--range /') --drop-later
	must mount_fs
	not_ok "$f: control: ... the good file is harmed" cmp -s /tmp/case/written $good
	umount_fs
	ok "$f: undo, whatever its mount has written" "$DMDELTA" undo v --force
	must mount_fs
	ok "$f: ... the good file is as it was" cmp /tmp/case/written $good
	umount_fs
	close_pair
done
finish
