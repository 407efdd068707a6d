#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The blocks of a victim were freed and belong to a good file now: to force the
# old version is refused. With --force it is done, does its harm, and is undone.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=24
victim=$there/victim good=$there/good

scenario() {
	must new_pair $f
	must mount_fs
	noise $victim 1M 0 12
	was=$(ranges_of $victim)
	must "$DMDELTA" checkpoint v --label good >/dev/null
	noise $victim 1M 0 12
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	rm $victim	# of no use any more
	sync
	# most of what is free, so that the victim's blocks are among it
	rm -f /tmp/case/written
	noise /tmp/case/written 1M 0 18
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
	ok "$what: the good file has $shared sectors of the victim" [ "$shared" -gt 0 ]

	exits 4 "$what: a plan that forces the old version is refused" \
		"$DMDELTA" plan v --from bad --to bad --mode blocks --path /victim
	like "$(cat /tmp/case/out)" 'C2 refused' "$what: ... because somebody else owns the blocks"
	exits 4 "$what: so is the replay" "$DMDELTA" replay v --from bad --to bad --path /victim
	exits "4 16" "$what: and one that ignores later writes" \
		"$DMDELTA" replay v --from bad --to bad --path /victim --drop-later
	must mount_fs
	ok "$what: ... and the good file is as it was" cmp /tmp/case/written $good
	umount_fs

	# What the refusal prevents: a replay by plain ranges asks nobody.
	# shellcheck disable=SC2046 # options
	ok "$what: control: by plain ranges it is done" "$DMDELTA" replay v --from bad --to bad \
		$(echo "$was" | sed 's/^/--range /') --drop-later
	must mount_fs
	not_ok "$what: control: ... the good file is harmed" cmp -s /tmp/case/written $good
	umount_fs
	ok "$what: undo, whatever its mount has written" "$DMDELTA" undo v --force
	must mount_fs
	ok "$what: ... the good file is as it was" cmp /tmp/case/written $good
	umount_fs
	close_pair
}
each ext4 xfs
finish
