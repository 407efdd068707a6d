#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=120
#
# Commands that show the past, without device-mapper (fake-dm.c): what their
# words mean, which epochs they refuse, what a view is made of.
top=$(cd "$(dirname "$0")/../.." && pwd)

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		sed 's/^/# /' "$tmp/out" "$tmp/err" "$tmp/fake/log" 2>/dev/null
	fi
}

echo TAP version 13
dmdelta=$tmp/dmdelta
# shellcheck disable=SC2086 # MAKE_ARGS is several
make --no-print-directory -s -C "$top/userspace" BUILD="$tmp/build" \
	TOOL="$dmdelta" DM="$top/tests/cli/fake-dm.c" \
	${MAKE_ARGS-} >"$tmp/out" 2>&1
result $? "the tool is built over the fake"
[ -x "$dmdelta" ] || { echo "1..$n"; exit 1; }
export FAKE=$tmp/fake

fresh() {
	rm -rf "$FAKE"
	mkdir "$FAKE"
	truncate -s 1M "$FAKE/node"
	: >"$FAKE/log"
	cat >"$FAKE/epochs" <<-'END'
		0 - sealed - - 0 format - -
		1 0 sealed 1700000000 good 10 format - frozen
		2 1 sealed 1700000060 - 20 checkpoint - crash
		3 2 dropped 1700000120 old 1 checkpoint - crash
		4 3 head - - 5 checkpoint - -
		5 3 building - - 0 replay - -
	END
}

# says STATUS PATTERN [VARIABLE=VALUE...] ARGUMENT...
says() {
	local want=$1 pattern=$2 status
	local -a settings=()

	shift 2
	while [[ $1 == FAKE* ]]; do settings+=("$1"); shift; done
	env "${settings[@]}" "$dmdelta" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	[ $status = "$want" ] && grep -qE -- "$pattern" "$tmp/out" "$tmp/err"
	result $? "$*: status $want, says '$pattern'"
}
did_not_build() {
	! grep -q build "$FAKE/log"
	result $? "... and nothing was made"
}

# --- words ------------------------------------------------------------------------

fresh
for command in ls cat; do
	says 16 "disk: no epoch: not '<name>@<epoch>:/path'" $command disk
	says 16 "disk@1: no path" $command disk@1
	says 16 "no path" $command disk@1:etc
	says 16 "not an epoch" $command disk@:/etc
	says 16 "name (has|is)" $command @1:/etc
	says 16 "not an epoch" $command disk@head~x:/etc
done
says 16 "no epoch" cp disk:/etc "$tmp"
says 16 "no such option" cp -R disk@1:/etc "$tmp"
says 16 "destination: missing" cp disk@1:/etc
says 16 "no epoch: not '<name>@<epoch>';" mount disk "$tmp"
says 16 "has a path" mount disk@1:/etc "$tmp"
says 16 "scratch-size: " mount --scratch-size=5X disk@1 "$tmp"
says 16 "scratch-size: less than 1 MiB" mount --scratch-size=4096 disk@1 "$tmp"
for options in remount ro,bind; do
	says 16 "$options: only options of a new mount" mount -o $options disk@1 "$tmp"
done
says 16 "loop: no option of this mount" mount --options ro,loop disk@1 "$tmp"
says 16 "ro: --writable wants rw" mount -o ro --writable disk@1 "$tmp"
says 16 "name (has|is)" view disk 1 a/b
says 16 "json: " --json cat disk@1:/etc
says 8 "nosuch: .*make it with mkdir" mount disk@1 "$tmp/nosuch"
says 8 "out: not a directory" mount disk@1 "$tmp/out"
says 8 "no epoch is mounted here" umount "$tmp"
says 8 "nosuch: path: No such file" umount "$tmp/nosuch"
says 8 "other: .*no such device" ls other@1:/
says 8 "other: .*no such device" views other
did_not_build

# --- epochs ------------------------------------------------------------------------

for command in "ls disk@%s:/" "mount disk@%s $tmp" "view disk %s w"; do
	# shellcheck disable=SC2059,SC2086 # a format, words
	at() { printf "$command" "$1"; }
	# shellcheck disable=SC2046
	{
	says 8 "4: the epoch is still being written to; 'dmdelta checkpoint'" $(at head)
	says 8 "3: the epoch was dropped" $(at 3)
	says 8 "5: a replay is making this epoch" $(at 5)
	says 8 "77: no such epoch; 'dmdelta log'" $(at 77)
	says 8 "nosuch: no epoch has this label" $(at nosuch)
	}
done
did_not_build

# --- scratch layers ------------------------------------------------------------------

# The device that the folder is on is said to be the one that is looked at.
on=$(stat -c %Hd:%Ld "$tmp")
for place in "$tmp" "$tmp/file"; do
	fresh
	says 8 "$place: it lies on disk: .*; choose a place on another disk, or --scratch memory" \
		FAKE_DEVNO="$on" mount --scratch "$place" disk@1 "$tmp"
	did_not_build
	for command in "cat disk@1:/f" "ls disk@1:/" "cp disk@1:/f $tmp" "diff --files disk 1 2" \
		       "plan --from 2 --to 2 disk" "preview --from 2 --to 2 disk" "owner disk 0+8@1"; do
		fresh
		# shellcheck disable=SC2086 # words
		says 8 "it lies on disk" FAKE_DEVNO="$on" $command --scratch "$place"
	done
done
fresh
says 8 "/var/tmp: warning: it lies on disk: taking memory; --scratch names" \
	FAKE_DEVNO="$(stat -c %Hd:%Ld /var/tmp)" cat disk@1:/f

# --- views ----------------------------------------------------------------------------

fresh
says 0 "epoch: *1" view disk good w
grep -qx "build w deltarec-view 0:0 1 ro hidden" "$FAKE/log"
result $? "a view is read-only and hidden from udev"
fresh
says 8 "w: table: No such file or directory" "FAKE_FAIL=build 2" view disk 1 w
cat >"$tmp/recipe" <<'END'
{ "format": "nonsense" }
END
fresh
says 8 "recipe" view --recipe "$tmp/recipe" disk 1 w
did_not_build
says 0 '"views": \[' views --json
echo "1..$n"
