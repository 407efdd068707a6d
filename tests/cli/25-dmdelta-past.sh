#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=120
#
# Commands that show the past, without device-mapper (fake-dm.c): what their
# words mean, which epochs they refuse, what a view is made of.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# ... and one that a replay is making
with_replay() {
	fresh
	echo '5 3 building - - 0 replay - -' >>"$FAKE/epochs"
}

# gives STATUS PATTERN [VARIABLE=VALUE...] ARGUMENT...
gives() {
	run "$1" "${@:3}" && says "$2"
	result $? "${*:3}: status $1, says '$2'"
}
did_not_build() {
	! grep -q build "$FAKE/log"
	result $? "... and nothing was made"
}

# --- words ------------------------------------------------------------------------

with_replay
for command in ls cat; do
	gives 16 "disk: no epoch: not '<name>@<epoch>:/path'" $command disk
	gives 16 "disk@1: no path" $command disk@1
	gives 16 "no path" $command disk@1:etc
	gives 16 "not an epoch" $command disk@:/etc
	gives 16 "name (has|is)" $command @1:/etc
	gives 16 "not an epoch" $command disk@head~x:/etc
done
gives 16 "no epoch" cp disk:/etc "$tmp"
gives 16 "no such option" cp -R disk@1:/etc "$tmp"
gives 16 "destination: missing" cp disk@1:/etc
gives 16 "no epoch: not '<name>@<epoch>';" mount disk "$tmp"
gives 16 "has a path" mount disk@1:/etc "$tmp"
gives 16 "scratch-size: " mount --scratch-size=5X disk@1 "$tmp"
gives 16 "scratch-size: less than 1 MiB" mount --scratch-size=4096 disk@1 "$tmp"
for options in remount ro,bind; do
	gives 16 "$options: only options of a new mount" mount -o $options disk@1 "$tmp"
done
gives 16 "loop: no option of this mount" mount --options ro,loop disk@1 "$tmp"
gives 16 "ro: --writable wants rw" mount -o ro --writable disk@1 "$tmp"
gives 16 "name (has|is)" view disk 1 a/b
gives 16 "json: " --json cat disk@1:/etc
gives 8 "nosuch: .*make it with mkdir" mount disk@1 "$tmp/nosuch"
gives 8 "out: not a directory" mount disk@1 "$tmp/out"
gives 8 "no epoch is mounted here" umount "$tmp"
gives 8 "nosuch: path: No such file" umount "$tmp/nosuch"
gives 8 "other: .*no such device" ls other@1:/
gives 8 "other: .*no such device" views other
did_not_build

# --- epochs ------------------------------------------------------------------------

for command in "ls disk@%s:/" "mount disk@%s $tmp" "view disk %s w"; do
	# shellcheck disable=SC2059,SC2086 # a format, words
	at() { printf "$command" "$1"; }
	# shellcheck disable=SC2046
	{
	gives 8 "4: the epoch is still being written to; 'dmdelta checkpoint'" $(at head)
	gives 8 "3: the epoch was dropped" $(at 3)
	gives 8 "5: a replay is making this epoch" $(at 5)
	gives 8 "77: no such epoch; 'dmdelta log'" $(at 77)
	gives 8 "nosuch: no epoch has this label" $(at nosuch)
	}
done
did_not_build

# --- scratch layers ------------------------------------------------------------------

# The device that the folder is on is said to be the one that is looked at.
on=$(stat -c %Hd:%Ld "$tmp")
for place in "$tmp" "$tmp/file"; do
	with_replay
	gives 8 "$place: it lies on disk: .*; choose a place on another disk, or --scratch memory" \
		FAKE_DEVNO="$on" mount --scratch "$place" disk@1 "$tmp"
	did_not_build
	for command in "cat disk@1:/f" "ls disk@1:/" "cp disk@1:/f $tmp" "diff --files disk 1 2" \
		       "plan --from 2 --to 2 disk" "preview --from 2 --to 2 disk" "owner disk 0+8@1"; do
		with_replay
		# shellcheck disable=SC2086 # words
		gives 8 "it lies on disk" FAKE_DEVNO="$on" $command --scratch "$place"
	done
done
with_replay
gives 8 "/var/tmp: warning: it lies on disk: taking memory; --scratch names" \
	FAKE_DEVNO="$(stat -c %Hd:%Ld /var/tmp)" cat disk@1:/f

# --- views ----------------------------------------------------------------------------

with_replay
gives 0 "epoch: *1" view disk good w
grep -qx "build w deltarec-view 0:0 1 ro hidden" "$FAKE/log"
result $? "a view is read-only and hidden from udev"
with_replay
gives 8 "w: table: No such file or directory" "FAKE_FAIL=build 2" view disk 1 w
cat >"$tmp/recipe" <<'END'
{ "format": "nonsense" }
END
with_replay
gives 8 "recipe" view --recipe "$tmp/recipe" disk 1 w
did_not_build
gives 0 '"views": \[' views --json
echo "1..$n"
