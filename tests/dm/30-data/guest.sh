#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Every byte, through checkpoints, rollbacks, replays and reopening, for block
# sizes from 4K to 1M and devices whose last block is partial.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
dev=$(dev_of v)

# fresh BLOCK-SIZE ORIGIN-SECTORS DELTA-SECTORS: $image is what v shows
fresh() {
	linear origin "$(disk 0)" 0 "$2" && linear delta "$(disk 1)" 8 "$3" &&
		dd if=/dev/urandom of="$(dev_of origin)" bs=1M oflag=direct status=none 2>/dev/null
	origin=$(dev_of origin) delta=$(dev_of delta) image=$PWD/image
	sync "$origin"
	cat "$origin" >"$image"
	must "$DMDELTA" format --force --block-size "$1" "$origin" "$delta" >/dev/null
	open_pair v cache_mb=8 >/dev/null
}
done_with() {
	"$DMDELTA" close v >/dev/null
	expect_sound "$delta" "$1: dmdelta check finds nothing"
	dmsetup remove origin
	dmsetup remove delta
}
# change SEED [OPTION...]: random reads, writes, discards, zeroes
change() { ok "$bs: random operations, seed $1" fsx-lite -b -d -B "$bytes" -N 150 -S "$1" "${@:2}" -m image "$dev"; }

# --- random histories ----------------------------------------------------------------

history() { # BLOCK-SIZE BYTES SECTORS: epochs 1..4, the head 5, a branch
	local e

	bs=$1 bytes=$2
	fresh "$bs" "$3" $((3 * 24 + 131072 + 5))
	cp image image.0
	for e in 1 2 3 4; do
		change "$e" -o $((bytes * 2 > 65536 ? bytes * 2 : 65536))
		is "$(checkpoint v)" "$e" "$bs: epoch $e"
		cp image image.$e
	done
	change 5
	cp image image.5
	for e in 2 0 5 4 1 3; do
		rollback v $e >/dev/null
		expect v image.$e "$bs: epoch $e is as it was"
	done
	# A branch on top of epoch 3, and back again
	cp image.3 image
	change 6
	cp image image.b
	e=$(checkpoint v branch)
	rollback v 5 >/dev/null
	expect v image.5 "$bs: the head that was left is back"
	"$DMDELTA" close v >/dev/null
	open_pair v >/dev/null
	expect v image.5 "$bs: the same after closing and opening"
	rollback v "$e" >/dev/null
	expect v image.b "$bs: the branch is as it was"
	rollback v 0 >/dev/null
	expect v image.0 "$bs: epoch 0 is the origin"
	is "$(cmp "$origin" image.0 2>&1)" "" "$bs: the origin was not written to"
	done_with "$bs"
}
history 4K 4096 $((6 * 2048 + 3))
history 64K 65536 $((6 * 2048 + 8 + 1))
history 1M 1048576 $((9 * 2048 + 1000 + 7))

# --- replay, against an image made by hand ------------------------------------------------

fresh 64K $((8 * 2048)) 131072
for p in A B C D; do
	dd if=/dev/urandom of=$p bs=1M count=8 status=none
done
# put PATTERN FILE START COUNT...: those 64K blocks of the pattern
put() {
	local pattern=$1 to=$2 flag=

	shift 2
	[ "$to" = "$dev" ] && flag=oflag=direct
	while [ $# -gt 0 ]; do
		dd if="$pattern" of="$to" bs=64k skip="$1" seek="$1" count="$2" \
			conv=notrunc $flag status=none
		shift 2
	done
}
put A $dev 0 32
a=$(checkpoint v a)
put B $dev 16 32
blkdiscard -o $((60 << 16)) -l $((4 << 16)) $dev
b=$(checkpoint v b)
put C $dev 20 4 40 16
c=$(checkpoint v c)
cp image now && put A now 0 32 && put B now 16 32 && put C now 20 4 40 16
dd if=/dev/zero of=now bs=64k seek=60 count=4 conv=notrunc status=none
expect v now "before: a, b, c and a discard"

cp image kept && put A kept 0 32 && put C kept 20 4 40 16
answer=$(replay v keep "$b" "$b" 0+16384)
expect v kept "replay without b, later writes kept"
# 16-19 and 24-31 show A, 32-39 the origin, 60-63 too; 20-23, 40-47 stay C
like "$answer" '^[0-9]+ [0-9]+ 24 0$' "... which changed 24 blocks, none of them mixed"
rollback v "$c" >/dev/null
expect v now "undone by a rollback"

cp image dropped && put A dropped 0 32 && put C dropped 48 8
replay v drop "$b" "$b" 0+16384 >/dev/null
expect v dropped "replay without b, later writes to its blocks dropped"
rollback v "$c" >/dev/null

cp now part && put A part 16 2 && put C part 20 1
replay v keep "$b" "$b" $((16 * 128))+256 $((20 * 128))+128 >/dev/null
expect v part "replay of two ranges leaves the others alone"
rollback v "$c" >/dev/null

cp image both && put C both 20 4 40 16
replay v keep "$a" "$b" 0+16384 >/dev/null
expect v both "replay without a and b"
rollback v "$c" >/dev/null

# Writes that come between begin and commit are later writes.
printf '%s\n' "replay begin" "replay rule 0 16384 $b $b keep_later" | dmbatch v >/dev/null
put D $dev 18 4 62 1
printf '%s\n' suspend "replay commit" resume | dmbatch v >/dev/null
cp kept during && put D during 18 4 62 1
expect v during "what is written while a replay is open is kept"
rollback v "$c" >/dev/null

# Part of a block, written over one that is left out, makes it mixed.
dd if=D of=$dev bs=512 seek=$((17 * 128 + 5)) count=1 oflag=direct status=none
checkpoint v d >/dev/null
like "$(replay v keep "$b" "$b" 0+16384)" '^[0-9]+ [0-9]+ 23 1$' "a block merged over one that is left out is mixed"
done_with "replay"

# --- special requests -----------------------------------------------------------------------

fresh 64K $((16 * 2048)) 131072
queue=/sys/dev/block/$(stat -c %Hr:%Lr $dev)/queue
is "$(cat "$queue"/logical_block_size)" 512 "512-byte sectors are passed on"
is "$(cat "$queue"/minimum_io_size)" 65536 "the block size is the least efficient I/O"
ok "it is a write-back cache" grep -q 'write back' "$queue/write_cache"
ok "it takes discards" [ "$(cat "$queue"/discard_max_bytes)" -gt 0 ]
e=$(checkpoint v)
ok "discard of everything" blkdiscard $dev
is "$(tr -d '\0' <$dev | wc -c)" 0 "... reads as zeroes"
rollback v "$e" >/dev/null
expect v image "... and history keeps what was there"
ok "write zeroes, unaligned" blkdiscard -z -o $((3 * 512)) -l $((200 * 1024)) $dev
dd if=/dev/zero of=image bs=512 seek=3 count=400 conv=notrunc status=none
expect v image "... to the sector"
put A image 64 64
ok "bios of 4 MiB" dd if=A of=$dev bs=4M skip=1 seek=1 count=1 oflag=direct status=none
expect v image "... arrive"
ok "reads of 4 MiB" cmp <(dd if=$dev bs=4M iflag=direct status=none) image
dd if=D of=image bs=4k count=20 conv=notrunc status=none
ok "FUA writes" dd if=D of=$dev bs=4k count=20 oflag=direct,dsync status=none
expect v image "... arrive"
is "$(status_word v 12)" 0 "... and are recorded"
for args in "--bs=4k" "--bs=64k" "--bsrange=512-96k --blockalign=512 --iodepth=1" \
	"--bs=4k --fsync=1 --iodepth=1 --io_size=1m" "--bs=4k --sync=dsync --ioengine=psync --io_size=1m" \
	"--bs=12k --rw=write --numjobs=2 --offset_increment=5m --size=4m" "--bs=8k --rw=randrw --fdatasync=16"; do
	# shellcheck disable=SC2086 # a list of words
	ok "fio verifies: $args" fio_verify $dev verify --size=10m $args
done
# Data of one epoch, verified after others were written over it and rolled back
set -- --size=8m --randseed=7 --do_verify=0
ok "fio writes" fio_verify $dev first "$@"
e=$(checkpoint v)
ok "fio writes something else" fio_verify $dev second --size=8m --bs=64k
rollback v "$e" >/dev/null
ok "fio verifies the first after a rollback" fio_verify $dev first "$@" --verify_only --do_verify=1
done_with "special requests"
finish
