#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run: what depends on how much was written, LARGE
# MiB, which the host chooses by how much memory there is. The origin is sparse (it
# is only read, and what was never written has no page), and four times as large:
# so random blocks lie apart, and the map has an entry for each.
# shellcheck source=tests/bench/guest-lib.sh
. /put/guest-lib.sh

scattered=$((LARGE * 5 / 8))	# MiB of it in single blocks of 4 KiB

settle() {
	sync $vault
	sleep 2
}
# write MIB BLOCK-SIZE [FIO-ARGUMENT...]: at random, nothing twice; in a range as
# large unless the arguments say otherwise
write() {
	fio --name=write --filename="${DEV:-$vault}" --ioengine=libaio --direct=1 \
		--rw=randwrite --random_generator=lfsr --bs="$2" --iodepth=16 \
		--size="$1m" "${@:3}" >fio.out 2>&1 || die "write: $(cat fio.out)"
}
# steps NAME STEP...: how long each command of the last batch took; - for not that
steps() {
	local name=$1 i=0 step

	value "$name" "${name%-*}_ms" "$(took)"
	for step in "${@:2}"; do
		i=$((i + 1))
		[ "$step" = - ] || value "$name" "step_${step}_ms" \
			"$(awk -v i=$i 'NR == i { printf "%.4f", $1 / 1e6 }' batch.out)"
	done
}
back() { printf '%s\n' "device vault" suspend "rollback $1" resume | batch; }
moved() { awk '{ n += $2 + $3 } END { printf "%.0f", n * 512 }' <<<"$(counters)"; }

versions
RESULTS=/get/large/deltarec
all=$((LARGE * 4))m
device nullb0 ${all%m} sparse
device nullb1 $((LARGE * 37 / 32))

# --- rollback -----------------------------------------------------------------------------

open_vault /dev/nullb0 /dev/nullb1
base=$(dmsetup message vault 0 checkpoint) || die checkpoint
write 16 4k --size=$all --io_size=16m
settle
back "$base"
steps rollback-small - suspend rollback resume
value rollback-small written_mib 16
write $scattered 4k --size=$all --io_size=${scattered}m
write $((LARGE - scattered)) 64k --size=$all --io_size=$((LARGE - scattered))m
settle
large=$(word 2)
back "$base"
steps rollback-large - suspend rollback resume
value rollback-large written_mib "$LARGE"

# --- a map that does not fit the cache -----------------------------------------------------

back "$large"
dmdelta close vault >/dev/null || die close
dmdelta open vault /dev/nullb0 /dev/nullb1 --cache-mb 4 >/dev/null || die open
DEV=$vault DISKS="nullb0 nullb1" SIZE=$all
# until the cache holds what such reads leave in it
fio --name=warm --filename=$vault --ioengine=libaio --direct=1 --rw=randread \
	--norandommap --bs=4k --iodepth=16 --size=$SIZE --io_size=$IO >/dev/null || die warm
measure mapcache randread
held=$(word 13)
value mapcache map_nodes "$(word 5)"
value mapcache cache_nodes "${held#*/}"
dmdelta close vault >/dev/null || die close

# --- activation after a crash, and replay ----------------------------------------------------

range=64 at=256			# MiB of what is bad, and where
for name in origin:nullb0 delta:nullb1; do
	disk=${name#*:} name=${name%:*}
	table "$name" "$(blockdev --getsz "/dev/$disk") linear /dev/$disk 0"
done | batch
open_vault /dev/mapper/origin /dev/mapper/delta
write 1024 4k
dmsetup message vault 0 checkpoint >/dev/null || die checkpoint
write $range 4k --offset=${at}m
bad=$(dmsetup message vault 0 checkpoint) || die checkpoint
write 16 4k --offset=$((at * 2))m
sync $vault
written=$(word 10) epochs=$(word 9)
line=$(dmsetup table vault | cut -d' ' -f2-)
# The power goes: nothing reaches the devices any more.
for name in origin delta; do
	printf '%s\n' "device $name" "suspend noflush" \
		"load $(blockdev --getsz /dev/mapper/$name) error" resume
done | batch
dmsetup remove vault || die "no crash"
for name in origin:nullb0 delta:nullb1; do
	disk=${name#*:} name=${name%:*}
	printf '%s\n' "device $name" suspend \
		"load $(blockdev --getsz "/dev/$disk") linear /dev/$disk 0" resume
done | batch
before=$(moved)
table vault "$line" | batch
steps activation - create load resume
value activation moved_bytes $(($(moved) - before))
[ "$(word 10),$(word 9)" = "$written,$epochs" ] ||
	die "$written blocks of $epochs epochs, after the crash $(word 10) of $(word 9)"

settle
data=$(word 17) before=$(moved) reads=$(awk '$3 == "nullb0" { print $6 }' /proc/diskstats)
printf '%s\n' "device vault" "replay begin" \
	"replay rule $((at * 2048)) $((range * 2048)) $bad $bad keep_later" \
	suspend "replay commit" resume | batch
steps replay - begin rule suspend commit resume
value replay moved_bytes $(($(moved) - before))
now=$(word 17)
reads=$(($(awk '$3 == "nullb0" { print $6 }' /proc/diskstats) - reads))
value replay data_bytes $(((${now%/*} - ${data%/*}) * 4096 + reads * 512))
value replay changed_blocks "$(sed -n 's/.* = [0-9]* [0-9]* \([0-9]*\) [0-9]*$/\1/p' batch.out)"
dmdelta close vault >/dev/null || die close
{ gone origin; gone delta; } | batch
undevice nullb0 nullb1

# --- thin's way back: deactivate, snapshot, activate ---------------------------------------

SIZE=1024m RESULTS=/get/large/thin
# shellcheck source=tests/bench/guest-targets.sh
. /put/guest-targets.sh
make_thin
take_thin 1 | batch
id=1
for name in small:16 large:1024; do
	mib=${name#*:} name=${name%:*}
	write "$mib" 64k
	sync $DEV
	sleep 2
	id=$((id + 1))
	{
		gone thin
		printf '%s\n' "device pool" "create_snap $id 1"
		table thin "$sectors thin /dev/mapper/pool $id"
	} | batch
	value rollback-$name rollback_ms "$(took)"
	value rollback-$name written_mib "$mib"
done
close_thin
clean_log
exit 0
