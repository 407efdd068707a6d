#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Somebody appends to a file that was tainted: that is reported as mixed, and
# never silently merged.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=384 FREE_MIB=
file=$there/log/journal.txt

scenario() {
	must new_pair $f
	must mount_fs
	mkdir $there/log
	seq -f 'line %06g of the journal' 1 4000 >$file
	seq 1 1000 >$there/log/other
	cp $file was
	must "$DMDELTA" checkpoint v --label good >/dev/null
	noise $file 4k "$(pick 1 1 16)" "$(pick 2 1 4)"
	noise $there/log/other 500 "$(pick 3 0 4)" 1
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	echo "appended in good faith" >>$file
	sync
	cp $file now

	exits "0 4" "$what: plan of files" "$DMDELTA" --json plan v --from bad --to bad --mode files
	is "$(paths_with action=mixed </tmp/case/out)" log/journal.txt "$what: ... reports it as mixed"
	exits "0 4" "$what: recover" "$DMDELTA" --json recover v --from bad --to bad
	is "$(paths_with action=mixed </tmp/case/out)" log/journal.txt "$what: ... reports it as mixed"
	ok "$what: ... and leaves it as it is" cmp $file now
	ok "$what: the other file is back" eval 'seq 1 1000 | cmp - $there/log/other'
	must "$DMDELTA" undo v >/dev/null
	umount_fs

	# By blocks it is the operator who says so, and the report names the file.
	if [ $f != btrfs ]; then
		exits "0 4" "$what: plan of blocks" "$DMDELTA" --json plan v --from bad --to bad \
			--mode blocks --path /log/journal.txt -o recipe.json
		cp /tmp/case/out planned
		is "$(paths_with <planned)" log/journal.txt "$what: ... names the file"
		exits "0 4" "$what: replay" "$DMDELTA" replay v --recipe recipe.json
		must mount_fs
		ok "$what: the tainted blocks are back, the appended line is kept" \
			eval '{ cat was; echo "appended in good faith"; } | cmp - $file'
		umount_fs
	fi
	is "$(fsck_fs)" clean "$what: the file system is clean"
	close_pair
}
each ext4 xfs btrfs
finish
