#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In-place encryption: the plan finds the victims, a replay of their own blocks
# gives all of them back, and the file system needs no repair.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/scenarios/ways.sh
. "$(dirname "$0")/../ways.sh"

scenario() {
	must history $f inplace $seed
	must copy_pair
	exits "0 4" "$what: plan" "$DMDELTA" --json plan v --from bad --to bad --mode blocks
	paths_with class=C0 </tmp/case/out >c0
	corpus_ list victim | LC_ALL=C sort >victims
	corpus_ list attacked | LC_ALL=C sort >attacked
	ok "$what: all that is to go back was attacked" \
		eval '[ -s c0 ] && [ -z "$(LC_ALL=C comm -23 c0 attacked)" ]'
	diag "$(wc -l <c0) paths in C0, $(wc -l <attacked) attacked"
	ok "$what: each victim is found (but for a file's second name)" \
		[ "$(LC_ALL=C comm -13 c0 victims | wc -l)" -le 4 ]
	close_pair
	result=$(try_way blocks)
	judged "$what: replay of blocks" "$result"
	like "$result" '"undone":105,"kept":115,"garbage":0,"collateral":0' "$what: all of it"
	judged "$what: files, too" "$(try_way files)"
}
each ext4 xfs
finish
