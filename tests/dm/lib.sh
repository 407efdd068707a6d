# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For guest cases (tests/dm/*/guest.sh):  . "$(dirname "$0")/../lib.sh"
#
# A case prints TAP through the functions below and ends with "finish". It has
# four empty virtio disks of 1 GiB ($(disk 0) to $(disk 3)), may mount below
# /mnt, and starts in an empty directory of its own. What it leaves (mounts,
# devices, modules) is taken down by the runner, which also looks at the kernel
# log; a case need not.

PUT=/put
DMDELTA=$PUT/dmdelta
MODULE=$PUT/dm-deltarec.ko
export DMDELTA MODULE PATH=$PUT:$PATH
origin='' delta='' # set by make_pair
planned='' results=0 failures=0 finished=''

# --- results -------------------------------------------------------------------

# plan N: how many results there will be. Without it finish prints the plan.
plan() { planned=$1; echo "TAP version 13"; echo "1..$1"; }

pass() { results=$((results + 1)); echo "ok $results - $*"; }
fail() {
	results=$((results + 1)) failures=$((failures + 1))
	echo "not ok $results - $*"
}
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
skip() { results=$((results + 1)); echo "ok $results - $1 # SKIP $2"; }
skip_all() { echo "1..0 # SKIP $*"; finished=1; exit 4; }

# ok DESCRIPTION COMMAND...: the command succeeds
ok() {
	local what=$1 out status

	shift
	out=$("$@" 2>&1)
	status=$?
	[ $status = 0 ] && { pass "$what"; return; }
	fail "$what"
	diag "'$*' exited with $status" "$out"
	return 1
}

# not_ok DESCRIPTION COMMAND...: the command fails
not_ok() {
	local what=$1 out

	shift
	if out=$("$@" 2>&1); then
		fail "$what"
		diag "'$*' succeeded" "$out"
		return 1
	fi
	pass "$what"
}

# ok_wait DESCRIPTION PID [FILE]: a process in the background has succeeded;
# otherwise what it wrote to the file is shown
ok_wait() {
	local status

	wait "$2"
	status=$?
	[ $status = 0 ] && { pass "$1"; return; }
	fail "$1"
	diag "exit status $status" "$([ -z "${3-}" ] || tail -n 30 "$3")"
	return 1
}

# is GOT WANTED DESCRIPTION: two strings are equal
is() {
	[ "$1" = "$2" ] && { pass "$3"; return; }
	fail "$3"
	diag "got:    $1"
	diag "wanted: $2"
	return 1
}

# like TEXT REGEX DESCRIPTION: extended regular expression; ^ and $ are the
# beginning and end of the whole text
like() {
	[[ $1 =~ $2 ]] && { pass "$3"; return; }
	fail "$3"
	diag "got:    $1"
	diag "wanted: /$2/"
	return 1
}

# cmd_fails STATUS TEXT COMMAND...: it exits with that status ('-' for any but
# 0) and its output has the text (a regular expression)
cmd_fails() {
	local want=$1 text=$2 out status

	shift 2
	out=$("$@" 2>&1)
	status=$?
	if { [ "$want" = - ] && [ $status != 0 ] || [ "$want" = $status ]; } &&
	   [[ $out =~ $text ]]; then
		pass "refused: $*"
		return
	fi
	fail "refused: $*"
	diag "exit status $status, wanted $want; wanted /$text/ in:" "$out"
	return 1
}

# message_fails ERRNO DEVICE WORD...: a device-mapper message is refused. ERRNO
# is the text that dmsetup prints, e.g. 'Invalid argument'.
message_fails() {
	local text=$1 dev=$2

	shift 2
	cmd_fails - "$text" dmsetup message "$dev" 0 "$*"
}

# eventually SECONDS COMMAND...: it succeeds, before so long
eventually() {
	local i

	for ((i = 0; i < $1 * 5; i++)); do
		"${@:2}" && return
		sleep 0.2
	done
	return 1
}

bail() { echo "Bail out! $*"; finished=1; exit 1; }
must() { "$@" || bail "'$*' failed"; }

finish() {
	finished=1
	[ -n "$planned" ] || echo "1..$results"
	[ $failures = 0 ] && [ "${planned:-$results}" = $results ]
	exit
}
trap '[ -n "$finished" ] || { fail "the case ran to its end"; exit 1; }' EXIT

# --- devices ---------------------------------------------------------------------

disk() { readlink -f "/dev/vm/disk$1"; }
dev_of() { echo "/dev/mapper/$1"; }
sectors_of() { blockdev --getsz "$1"; }
sum_of() { sha256sum <"$1" | cut -d' ' -f1; }
# What the disk holds, not what the page cache above it does.
drop_cache() { blockdev --flushbufs "$1"; echo 3 >/proc/sys/vm/drop_caches; }

# linear NAME DEVICE [START [SECTORS]]: a piece of a device as /dev/mapper/NAME
linear() {
	local start=${3:-0} len=${4-}

	[ -n "$len" ] || len=$(($(sectors_of "$2") - start))
	dmsetup create "$1" --table "0 $len linear $2 $start"
}

# slow NAME DEVICE MILLISECONDS: the device as one whose writes take so long
slow() {
	dmsetup create "$1" --table "0 $(sectors_of "$2") delay $2 0 0 $2 0 $3"
}

# loop_dev FILE SIZE: prints a loop device over a sparse file
loop_dev() {
	modprobe -q loop
	truncate -s "$2" "$1" && losetup -f --show "$1"
}

# ram_disk MIB: a brd device, /dev/ram0
ram_disk() {
	rmmod brd 2>/dev/null
	modprobe brd rd_nr=1 rd_size=$(($1 * 1024)) && echo /dev/ram0
}

# null_disk NAME MIB [ATTRIBUTE=VALUE...]: a memory-backed null_blk device with a
# volatile cache if cache_size=MIB is given; prints its path
null_disk() {
	local dir=/sys/kernel/config/nullb/$1 size=$2 pair

	shift 2
	[ -d /sys/module/null_blk ] || modprobe null_blk nr_devices=0
	mkdir "$dir" || return
	echo "$size" >"$dir/size" && echo 1 >"$dir/memory_backed" || return
	for pair; do
		echo "${pair#*=}" >"$dir/${pair%%=*}" || return
	done
	echo 1 >"$dir/power" && echo "/dev/nullb$(cat "$dir/index")"
}

# --- the module and the tool ---------------------------------------------------------

# Loads what the module needs, then the module.
load_module() {
	local deps

	[ -d /sys/module/dm_deltarec ] && return
	[ -f "$MODULE" ] || bail "no module in /put"
	deps=$(modinfo -F depends "$MODULE" | tr ',' ' ')
	# shellcheck disable=SC2086 # a list of names
	[ -z "$deps" ] || modprobe -a $deps || bail "modprobe $deps"
	insmod "$MODULE" || bail "insmod dm-deltarec.ko"
}

# random_fill DEVICE [MIB]: with bytes that nothing else has
random_fill() {
	dd if=/dev/urandom of="$1" bs=1M ${2:+count=$2} oflag=direct \
		status=none iflag=fullblock 2>/dev/null
	[ -n "${2-}" ] || sync "$1"
}

# make_pair [ORIGIN-MIB [DELTA-MIB [FORMAT-OPTION...]]]: an origin with random
# content on disk 0, a formatted delta on disk 1, as devices named "origin" and
# "delta". Sets $origin and $delta.
make_pair() {
	local origin_mib=${1:-64} delta_mib=${2:-256}

	shift $(($# < 2 ? $# : 2))
	load_module
	must linear origin "$(disk 0)" 0 $((origin_mib * 2048))
	must linear delta "$(disk 1)" 0 $((delta_mib * 2048))
	origin=$(dev_of origin) delta=$(dev_of delta)
	random_fill "$origin" "$origin_mib"
	must "$DMDELTA" format "$@" "$origin" "$delta"
}

# open_pair NAME [FEATURE...]: activates what make_pair made
open_pair() {
	local name=$1

	shift
	must "$DMDELTA" open "$name" "$origin" "$delta" "$@"
}

# --- what a live device says ----------------------------------------------------

# msg NAME WORD...: a message; prints the answer
msg() {
	local name=$1

	shift
	dmsetup message "$name" 0 "$*"
}

# The words of the status line, from the mode on
status_of() { dmsetup status --noflush "$1" | cut -d' ' -f4-; }

# status_word NAME N: 1 mode, 2 head, 3 parent, 7 space, 16 generation ...
status_word() { status_of "$1" | cut -d' ' -f"$2"; }
head_of() { status_word "$1" 2; }

# All that a refused message must leave as it is: the epochs, and of the status
# mode, head, parent, number of epochs, blocks of the head, replay.
facts() {
	msg "$1" epochs 0
	status_of "$1" | cut -d' ' -f1-3,9,10,15
}

# checkpoint NAME [LABEL [frozen]]: prints the number
checkpoint() { msg "$1" checkpoint "${@:2}"; }

# rollback NAME EPOCH: with the suspend that it needs; prints the new head
rollback() {
	printf '%s\n' suspend "rollback $2" resume | dmbatch "$1" |
		sed -n '2s/^= //p; s/^! /failed: /p'
}

# replay NAME KEEP|DROP FROM TO START+LEN...: prints what commit answers
replay() {
	local name=$1 later=$2 from=$3 to=$4 range

	shift 4
	{
		echo "replay begin"
		for range; do
			echo "replay rule ${range%+*} ${range#*+} $from $to ${later}_later"
		done
		printf '%s\n' suspend "replay commit" resume
	} | dmbatch "$name" | sed -n "$(($# + 3))"'s/^= //p; s/^! /failed: /p'
}

# expect NAME FILE DESCRIPTION: the device holds what the file does
expect() {
	local out

	blockdev --flushbufs "$(dev_of "$1")"
	out=$(cmp "$(dev_of "$1")" "$2" 2>&1) && { pass "$3"; return; }
	fail "$3"
	diag "$out" "differing 4 KiB blocks (first 20):" \
		"$(cmp -l "$(dev_of "$1")" "$2" 2>/dev/null |
			awk '{ print int(($1 - 1) / 4096) }' | uniq -c | head -n 20)"
	return 1
}

# settle NAME: waits until reclaim has ended (word 14 is "-")
settled() { [ "$(status_word "$1" 14)" = - ]; }
settle() { eventually 120 settled "$1"; }

# fio_verify DEVICE NAME [OPTION...]: writes, then reads back and compares
fio_verify() {
	local dev=$1 name=$2

	shift 2
	fio --name="$name" --filename="$dev" --direct=1 --eta=never --ioengine=libaio \
		--iodepth=16 --rw=randwrite --bs=4k --verify=crc32c \
		--verify_fatal=1 --randrepeat=0 --group_reporting \
		--output-format=terse --output="/tmp/case/fio-$name" "$@"
}

# json FILE PATH...: members of a JSON document, e.g. '$.head', one a line; a
# document that is none, or has no such member, prints nothing
json() {
	local file=$1 path query=

	shift
	for path; do
		query+="select json_extract(readfile('$file'), '$path');"
	done
	sqlite3 :memory: "$query" 2>/dev/null
}

# expect_sound DEVICE [DESCRIPTION]: 'dmdelta check' of a delta that is closed
expect_sound() { ok "${2:-dmdelta check finds nothing}" "$DMDELTA" check "$1"; }
