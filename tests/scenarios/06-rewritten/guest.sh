#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Victims that their owner has written anew since: kept and reported, by blocks
# and by files; the version before is put beside when asked for.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

rewritten_kept() {
	local path

	corpus_ list rewritten >rewritten
	while read -r path; do
		corpus_ put "$path" work | cmp - "$there/$path" || return
	done <rewritten
}
beside_is_base() {
	local path n=0 found

	while read -r path; do
		for found in "$there/$path".*; do
			[ -f "$found" ] || continue
			corpus_ put "$path" base | cmp - "$found" && n=$((n + 1))
		done
	done <rewritten
	[ "$n" = 15 ]
}

scenario() {
	must history $f inplace $seed
	corpus_ list rewritten | LC_ALL=C sort >wanted
	if [ $f != btrfs ]; then
		must copy_pair
		exits "0 4" "$what: blocks: plan" "$DMDELTA" --json plan v --from bad --to bad \
			--mode blocks -o recipe.json
		paths_with class=C1 </tmp/case/out >c1
		ok "$what: blocks: what was written later is C1, and was rewritten" \
			eval '[ -s c1 ] && [ -z "$(LC_ALL=C comm -23 c1 wanted)" ]'
		exits "0 4" "$what: blocks: replay" "$DMDELTA" replay v --recipe recipe.json
		must mount_fs
		ok "$what: blocks: all 15 are as their owner wrote them" rewritten_kept
		umount_fs
		close_pair
	fi
	must copy_pair
	must mount_fs
	exits "0 4" "$what: files: recover --beside" "$DMDELTA" --json recover v --from bad --to bad --beside
	is "$(paths_with action=mixed </tmp/case/out)" "$(cat wanted)" "$what: files: the 15 are reported as mixed"
	ok "$what: files: all 15 are as their owner wrote them" rewritten_kept
	ok "$what: files: the version before is beside each" beside_is_base
	umount_fs
	close_pair
}
each xfs btrfs ext4
finish
