#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Writes of parts of blocks: what they ask of the devices, errors of these, and
# several of one block at once.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

modprobe -q dm-flakey
dev=$(dev_of v)
dd if=/dev/urandom of=A bs=1M count=1 status=none
dd if=/dev/urandom of=B bs=1M count=1 status=none

# fresh BLOCK-SIZE: origin of 16 MiB, delta of 64; ./image is what v shows
fresh() {
	make_pair 16 64 --force --block-size "$1" >/dev/null
	open_pair v >/dev/null
	cat "$origin" >image
	origin_is=$(dmsetup table origin) delta_is=$(dmsetup table delta)
}
done_with() {
	"$DMDELTA" close v >/dev/null
	expect_sound "$delta" "$1: dmdelta check finds nothing"
	dmsetup remove origin
	dmsetup remove delta
}
# change NAME TABLE: what it is from now on
change() { printf '%s\n' "load $2" suspend resume | dmbatch "$1" >/dev/null || bail "table of $1"; }
# becomes NAME TABLE-OF-IT TARGET [ARGUMENT...]: that target over the same sectors
becomes() {
	local name=$1 where sectors

	read -r _ sectors _ where <<<"$2"
	change "$name" "$sectors $3 $where ${*:4}"
}
# restored: both are what they were
restored() { change origin "${origin_is#0 }" && change delta "${delta_is#0 }"; }
# hold, release: reads of the origin wait in between
hold() { must dmsetup suspend --noflush --nolockfs origin; }
release() { must dmsetup resume origin; }
# under_way N: so many requests to v have begun, and not ended
under_way() { ok "$1 under way" eventually 60 in_flight v "$1"; }
# put FILE SECTOR [COUNT [DD-OPTION...]]: those sectors of the file at their place,
# in one request
put() {
	dd if="$1" of="$dev" bs=$((${3:-2} * 512)) skip=$(($2 * 512)) seek=$(($2 * 512)) count=1 \
		iflag=skip_bytes oflag=seek_bytes,direct "${@:4}" status=none
}
# noted FILE SECTOR [COUNT]: they are part of the image
noted() { dd if="$1" of=image bs=512 skip="$2" seek="$2" count="${3:-2}" conv=notrunc status=none; }
sys_of() { echo "/sys/dev/block/$(stat -c %Hr:%Lr "$(dev_of "$1")")"; }
# counted NAME COLUMN COLUMN: two of the counters in stat
counted() {
	local words

	read -ra words <"$(sys_of "$1")/stat"
	echo "${words[$2]} ${words[$3]}"
}
read_of() { counted "$1" 0 2; }		# requests and sectors
written_to() { counted "$1" 4 6; }
# less "A B" "C D": A - C, B - D
less() { echo $((${1% *} - ${2% *})) $((${1#* } - ${2#* })); }
in_flight() { [ "$(awk '{ print $1 + $2 }' "$(sys_of "$1")/inflight")" -ge "$2" ]; }
all_of() { facts v; status_word v 4; }

# --- what they ask for ---------------------------------------------------------------

for bs in 4 64; do
	fresh ${bs}K
	s=$((bs * 2))
	# asks DEVICE SECTOR READ WRITTEN DESCRIPTION: a write of a KiB there
	asks() {
		local before_r before_w

		before_r=$(read_of "$1") before_w=$(written_to delta)
		put A "$2"
		is "$(less "$(read_of "$1")" "$before_r"), $(less "$(written_to delta)" "$before_w")" \
			"$3, $4" "${bs}K: $5"
		noted A "$2"
	}
	asks origin $((s * 3 + 2)) "1 $s" "1 $s" "one request reads the block, one writes it"
	asks origin $((s * 4)) "1 $((s - 2))" "1 $s" "what is before the data is not read when it begins the block"
	asks origin $((s * 5 + s - 2)) "1 $((s - 2))" "1 $s" "nor what is after it when it ends it"
	asks origin $((s * 3 + 4)) "0 0" "1 2" "the next one goes to its place"
	checkpoint v >/dev/null
	asks delta $((s * 3 + 2)) "1 $s" "1 $s" "a version of the delta is read there"
	blkdiscard -o $((s * 512 * 7)) -l $((s * 512)) "$dev"
	dd if=/dev/zero of=image bs=512 seek=$((s * 7)) count=$s conv=notrunc status=none
	checkpoint v >/dev/null
	asks delta $((s * 7 + 2)) "0 0" "1 $s" "nothing is read of what was discarded"
	blkdiscard -z -o $((s * 512 * 3 + 1024)) -l 1536 "$dev"
	dd if=/dev/zero of=image bs=512 seek=$((s * 3 + 2)) count=3 conv=notrunc status=none
	put A $((s * 8 + 2)) 2 oflag=dsync
	noted A $((s * 8 + 2))
	is "$(status_word v 12)" 0 "${bs}K: who asks for it to be durable waits for its record"
	expect v image "${bs}K: all that arrived"
	done_with "${bs}K"
done

# --- errors ----------------------------------------------------------------------------

fresh 4K
put A 0 64
noted A 0 64
checkpoint v >/dev/null
# refused DESCRIPTION SECTOR [DD-OPTION...]: nothing has changed; it works afterwards
refused() {
	local before

	before=$(all_of)
	cmd_fails 1 'Input/output error' put B "$2" 2 "${@:3}"
	is "$(all_of)" "$before" "$1: nothing has changed"
	restored
	expect v image "$1: not what it shows"
	put B "$2"
	noted B "$2"
	expect v image "$1: the same write works later"
}
becomes origin "$origin_is" error
refused "the origin cannot be read" 802
becomes delta "$delta_is" flakey 0 60
refused "the delta cannot be read" 2
becomes delta "$delta_is" flakey 0 60
refused "the delta cannot be read for FUA" 10 oflag=dsync
becomes delta "$delta_is" flakey 0 60 1 error_writes
refused "the delta cannot be written to" 18
becomes delta "$delta_is" flakey 0 60 1 error_writes
refused "the delta cannot be written to what the origin has" 818
# Of several at once each fails by itself, or with the one that it went with.
hold
becomes delta "$delta_is" flakey 0 60 1 error_writes
before=$(all_of)
pids=''
for i in 0 2 4 6; do
	put B $((832 + i)) 2>/dev/null &
	pids+=" $!"
done
under_way 4
release
n=0
for pid in $pids; do
	wait "$pid" || n=$((n + 1))
done
is $n 4 "writes to one block at once: an error is everybody's"
is "$(all_of)" "$before" "... nothing has changed"
restored
expect v image "... not what it shows"
done_with "errors"

# --- several at once ----------------------------------------------------------------------

fresh 4K
hold
put A 802 2 &
pids=$!
under_way 1
put A 800 2 &
pids+=" $!"
put A 806 2 oflag=dsync &
durable=$!
put B 804 2 &
pids+=" $!"
under_way 4
release
ok_wait "four writes to a block" $durable
is "$(status_word v 12)" 0 "... one of them is answered when it is recorded"
for pid in $pids; do
	wait "$pid" || fail "one failed"
done
noted A 800 4 && noted B 804 2 && noted A 806
expect v image "... all of them are there"

before=$(written_to delta)
hold
pids=''
for i in 0 2 4 6; do
	put B $((1600 + i)) &
	pids+=" $!"
	noted B $((1600 + i))
done
under_way 4
release
for pid in $pids; do
	wait "$pid" || fail "one failed"
done
is "$(less "$(written_to delta)" "$before")" "1 8" "four writes that fill a block are one request"
expect v image "... with what they brought"

# C2: who comes after the seal has no part in the epoch, whatever it waits for
e=$(head_of v)
hold
put A 1202 &
first=$!
under_way 1
checkpoint v sealed >/dev/null &
seal=$!
next_head() { [ "$(head_of v)" != "$e" ]; }
ok "a checkpoint while a block is read" eventually 60 next_head
put A 1204 &
second=$!
under_way 2
release
noted A 1202
cp image image.sealed
noted A 1204
ok_wait "what began before it" $first
ok_wait "what began after it" $second
ok_wait "the checkpoint" $seal
expect v image "both are in the head"
rollback v "$e" >/dev/null
expect v image.sealed "the sealed epoch has the first alone"
cp image.sealed image

# deep BLOCKS MIB OPTION...: a KiB of each of so many blocks, from there on
deep() {
	fio --name=deep --filename="$dev" --direct=1 --eta=never --ioengine=libaio --iodepth="$1" \
		--bs=1k --size=$(($1 * 4))k --offset="$2"m --verify=crc32c --verify_fatal=1 "${@:3}"
}
# Of blocks side by side or not, what is read together is written together.
disk_writes() {
	local words

	read -ra words <"/sys/dev/block/$(stat -c %Hr:%Lr "$(disk 1)")/stat"
	echo "${words[4]}"
}
# at_once BLOCKS MIB: all of these, with their reads held until they have begun
at_once() {
	hold
	deep "$1" "$2" --rw=write:3k --do_verify=0 >deep.out 2>&1 &
	load=$!
	under_way "$1"
	release
	ok_wait "$1 blocks at once" $load deep.out
}
n=$(disk_writes)
at_once 16 8
n=$(($(disk_writes) - n))
ok "... are $n requests" [ "$n" -le 4 ]
ok "... and are right" deep 16 8 --rw=read:3k --verify_only=1

# More than there is memory for
before=$(written_to delta)
at_once 256 4
read -r n _ < <(less "$(written_to delta)" "$before")
ok "... of which some are copied by others: $n requests" [ "$n" -gt 256 ]
ok "... and are right" deep 256 4 --rw=read:3k --verify_only=1
done_with "at once"

# In any order, and of any size
for bs in 4K 64K 1M; do
	fresh $bs
	for rw in write randwrite; do
		for n in 512 1k 3584; do
			ok "$bs: fio verifies $rw of $n" fio_verify "$dev" verify --size=3m --bs=$n --rw=$rw
			checkpoint v >/dev/null
		done
	done
	done_with "$bs, fio"
done
finish
