#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The table line: what the constructor takes, what it refuses and why.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
sectors=$((16 * 2048)) refused=0
linear small "$(disk 0)" 0 $((sectors - 8))
linear large "$(disk 0)" 0 $((sectors + 8))
linear empty "$(disk 2)" 0 65536

# expect_refused: each line is "what; text in the kernel log; sectors; arguments"
expect_refused() {
	local what text rest log=() i=0

	dmsetup create bad --notable
	mapfile -t lines
	for rest in "${lines[@]}"; do
		IFS=';' read -r _ _ len args <<<"$rest"
		echo "load $len deltarec $args"
	done | sed 's/  */ /g' | dmbatch bad >answers
	dmsetup remove bad
	mapfile -t log < <(dmesg | grep 'table:.*deltarec: ' | tail -n ${#lines[@]})
	while read -r rest; do
		IFS=';' read -r what text _ <<<"${lines[i]}"
		if [[ $rest == '!'* && ${log[i]} =~ deltarec:\ .*${text# } ]]; then
			pass "refused: $what"
		else
			fail "refused: $what"
			diag "${lines[i]}" "answer: $rest" "log: ${log[i]}"
		fi
		i=$((i + 1))
	done <answers
	refused=$((refused + i))
}

# --- refused -----------------------------------------------------------------------

d="$origin $delta"
expect_refused <<EOF
no arguments; Needs an origin device and a delta device; $sectors;
no delta; Needs an origin device and a delta device; $sectors; $origin
an origin that is not there; origin device cannot be opened; $sectors; /dev/nosuch $delta
a delta that is not there; delta device cannot be opened; $sectors; $origin /dev/nosuch
origin and delta the same; same device; $sectors; $delta $delta
a delta that is not formatted; not formatted; $sectors; $origin $(dev_of empty)
an origin that is smaller; [Nn]ot the origin.*size; $sectors; $(dev_of small) $delta
an origin that is larger; [Nn]ot the origin.*size; $sectors; $(dev_of large) $delta
a table that is too short; as long as the origin; $((sectors - 8)); $d
a table that is too long; as long as the origin; $((sectors + 8)); $d
a number of features that is none; number of feature; $sectors; $d x
a negative number of features; number of feature; $sectors; $d -1
too many features; number of feature; $sectors; $d 99
fewer features than said; .; $sectors; $d 2 error_if_full
more features than said; does not match; $sectors; $d 1 error_if_full discard_passdown
features with a count of 0; does not match; $sectors; $d 0 error_if_full
an unknown feature; Unknown feature; $sectors; $d 1 fast
cache_mb without a number; cache_mb needs; $sectors; $d 1 cache_mb
cache_mb that is no number; cache_mb needs; $sectors; $d 2 cache_mb much
cache_mb too small; cache_mb needs; $sectors; $d 2 cache_mb 3
cache_mb too large; cache_mb needs; $sectors; $d 2 cache_mb 16385
cache_mb negative; cache_mb needs; $sectors; $d 2 cache_mb -4
both policies for a full delta; only.one; $sectors; $d 2 error_if_full queue_if_full
a policy given twice; only.one; $sectors; $d 2 queue_if_full queue_if_full
all three of them; only.one; $sectors; $d 3 queue_if_full reclaim_if_full error_if_full
a limit without a queue; needs queue_if_full; $sectors; $d 2 queue_seconds 3
a limit for reclaim; needs queue_if_full; $sectors; $d 3 queue_seconds 3 reclaim_if_full
a limit without a number; queue_seconds needs; $sectors; $d 2 queue_if_full queue_seconds
a limit of no time; queue_seconds needs; $sectors; $d 3 queue_if_full queue_seconds 0
a limit that is too long; queue_seconds needs; $sectors; $d 3 queue_if_full queue_seconds 86401
a limit given twice; once; $sectors; $d 5 queue_if_full queue_seconds 3 queue_seconds 3
cache_mb given twice; once; $sectors; $d 4 cache_mb 8 cache_mb 8
track_reads given twice; once; $sectors; $d 2 track_reads track_reads
discard_passdown given twice; once; $sectors; $d 2 discard_passdown discard_passdown
nonpersistent without a word; needs keep or discard; $sectors; $d 1 nonpersistent
nonpersistent with another word; needs keep or discard; $sectors; $d 2 nonpersistent maybe
nonpersistent given twice; only.one; $sectors; $d 4 nonpersistent keep nonpersistent keep
nonpersistent and undoable; only.one; $sectors; $d 3 nonpersistent discard undoable
undoable given twice; only.one; $sectors; $d 2 undoable undoable
EOF
cmd_fails - . dmsetup create bad --table "0 8 linear $(disk 3) 0
8 $sectors deltarec $d"
cmd_fails - . dmsetup create -r bad --table "0 $sectors deltarec $d"
is "$(dmesg | grep -c 'table:.*deltarec: Unknown error')" 0 "no refusal is without a reason"
is "$(dmsetup ls | grep -c bad)" 0 "nothing is left of what was refused"
expect_sound "$delta" "the delta was not written to"

# --- a delta that is smaller than it was ---------------------------------------------

linear shrunk "$(disk 1)" 0 $((60 * 2048))
expect_refused <<<"a delta that has shrunk; smaller than it was; $sectors; $origin $(dev_of shrunk)"
dmsetup remove shrunk

# --- taken ----------------------------------------------------------------------------

# Each is loaded, shown, and loaded as it is shown.
dmsetup create v --table "0 $sectors deltarec $d"
{
	echo table
	while read -r features; do
		echo "load $sectors deltarec $d $features"
		printf '%s\n' suspend resume table
	done
} >commands <<EOF
1 error_if_full
1 queue_if_full
1 discard_passdown
4 cache_mb 5 queue_if_full discard_passdown
4 DISCARD_passdown CACHE_MB 16384 Error_if_full
1 track_reads
3 queue_seconds 86400 QUEUE_if_full
1 Reclaim_If_Full
5 TRACK_READS cache_mb 5 queue_if_full discard_passdown
2 nonpersistent keep
3 NONPERSISTENT Discard track_reads
1 undoable
6 undoable cache_mb 5 queue_if_full discard_passdown track_reads
EOF
dmbatch v <commands >shown
is "$(grep -c '^!' shown)" 0 "all features are taken"
sed -n '/^= [0-9]/p' shown | sed 's/^= [0-9:]* [0-9:]*//' >features
is "$(cat features)" "
 1 error_if_full
 1 queue_if_full
 1 discard_passdown
 4 cache_mb 5 queue_if_full discard_passdown
 4 cache_mb 16384 error_if_full discard_passdown
 1 track_reads
 3 queue_if_full queue_seconds 86400
 1 reclaim_if_full
 5 cache_mb 5 queue_if_full discard_passdown track_reads
 2 nonpersistent keep
 3 track_reads nonpersistent discard
 1 undoable
 6 cache_mb 5 queue_if_full discard_passdown track_reads undoable" "the table shows what was given"
sed -n 's/^= \([0-9]\)/\1/p' shown | while read -r line; do
	printf '%s\n' "load $sectors deltarec $line" suspend resume table
done | dmbatch v | sed -n '/^= [0-9]/p' >again
is "$(cat again)" "$(sed -n '/^= [0-9]/p' shown)" "what it shows reloads, and shows the same"
ok "dmsetup reload takes what dmsetup table prints" dmsetup reload v --table "$(dmsetup table v)"
dmsetup resume v
dmsetup remove v

# --- status -----------------------------------------------------------------------------

open_pair v
status=$(status_of v)
like "$status" '^rw 1 0 [0-9]+/16384 [0-9]+ [0-9]+ ok 8 1 0 [0-9]+/[0-9]+ 0 [0-9]+/[0-9]+ - - [0-9]+ [0-9]+/[0-9]+ - -$' \
	"the status of a new device has its 19 words"
dd if=/dev/urandom of=/dev/mapper/v bs=1M count=4 oflag=direct status=none
sync /dev/mapper/v
read -ra w <<<"$status"
read -ra x < <(status_of v)
is "${x[9]}" 1024 "1024 blocks of 4 KiB are in the head"
ok "that much space has gone" [ $((${x[3]%/*} - ${w[3]%/*})) -ge 1024 ]
is "${x[11]}" 0 "after a flush nothing is unrecorded"
ok "the generation does not fall" [ "${x[15]}" -ge "${w[15]}" ]

# --- one delta, one device ------------------------------------------------------------------

expect_refused <<<"a delta that another device has open; in use by another; $sectors; $d"
cmd_fails 8 . "$DMDELTA" open w "$origin" "$delta"
cmd_fails - . mkfs.ext4 -q -F "$delta"
sum=$(sum_of /dev/mapper/v)
ok "close" "$DMDELTA" close v
ok "set the origin read-only" blockdev --setro "$origin"
ok "a read-only origin opens" "$DMDELTA" open v "$origin" "$delta"
is "$(sum_of /dev/mapper/v)" "$sum" "... and shows what was written"
ok "... and takes writes" dd if=/dev/zero of=/dev/mapper/v bs=1M count=1 seek=8 oflag=direct status=none
"$DMDELTA" close v
blockdev --setrw "$origin"
blockdev --setro "$delta"
expect_refused <<<"a read-only delta; .; $sectors; $d"
blockdev --setrw "$delta"

# --- damaged superblocks -----------------------------------------------------------------------

open_pair v
sum=$(sum_of /dev/mapper/v)
checkpoint v >/dev/null
"$DMDELTA" close v
gen=$("$DMDELTA" --json dump "$delta" >dump; json dump '$.generation')
ok "dump tells the generation" [ -n "$gen" ]
dd if="$delta" of=super bs=4k count=2 status=none
# Generation n lies at place n mod 2: damage the older one.
dd if=/dev/urandom of="$delta" bs=4k count=1 seek=$(((gen + 1) % 2)) oflag=direct status=none
ok "one damaged superblock of two: check" "$DMDELTA" check "$delta"
ok "one damaged superblock of two: it opens" "$DMDELTA" open v "$origin" "$delta"
is "$(sum_of /dev/mapper/v)" "$sum" "... with the same content"
"$DMDELTA" close v
dd if=super of=both bs=4k status=none
printf x | dd of=both bs=1 seek=200 conv=notrunc status=none
printf x | dd of=both bs=1 seek=4296 conv=notrunc status=none
dd if=both of="$delta" bs=4k oflag=direct status=none
expect_refused <<<"both superblocks damaged; damaged; $sectors; $d"
cmd_fails 4 . "$DMDELTA" check "$delta"
cmd_fails - . "$DMDELTA" open v "$origin" "$delta"
ok "the module can be unloaded" rmmod dm_deltarec
is "$(dmesg | grep -c "table:.*deltarec: .*(-")" $((refused + 2)) "each refusal has one line in the log"
finish
