#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dmdelta owner and diff --files. What they say is held against the content of
# the files, read through the mounted file system, in both directions (see
# tests/tools/owncheck.c), and against each file system's own tools.
# shellcheck disable=SC2317 # tools_* are called by name
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
mib=320
sectors=$((mib * 2048))
linear origin "$(disk 0)" 0 $sectors && origin=$(dev_of origin)
linear delta "$(disk 1)" && delta=$(dev_of delta)
must "$DMDELTA" format "$origin" "$delta"
open_pair v
dev=$(dev_of v)
mkdir -p /mnt/t
tag() { owncheck write "$@" || bail "owncheck write $*"; }

# fill DIR: files of all kinds
fill() {
	local i deep
	deep=$1/x/$(printf 'deep/%.0s' {1..40})

	mkdir -p "$1/a" "$1/many" "$deep"
	tag "$1/a/one" 0 100
	for i in {1..8}; do tag "$1/many/f$i" 0 $((i * 5)); done
	for i in {0..5}; do	# two files that grow in turns
		tag "$1/a/t1" $((i * 2)) 2 && sync "$1/a/t1"
		tag "$1/a/t2" $((i * 2)) 2 && sync "$1/a/t2"
	done
	tag "$1/a/sparse" 0 300 7
	# not without extents
	fallocate -l 1M "$1/a/never-written" 2>/dev/null &&
		fallocate -l 2M "$1/a/part" && tag "$1/a/part" 20 10
	ln "$1/a/one" "$1/zz" && ln "$1/many/f7" "$1/a/Alias"
	ln -s "$(printf 'l%.0s' {1..1000})" "$1/a/long" && ln -s short "$1/a/short"
	for i in {1..12}; do tag "$1/many/g$i" 0 5; done
	sync "$1"
	for i in {1..12..2}; do rm "$1/many/g$i"; done
	tag "$1/a/holes-of-others" 0 120
	tag "$deep/file" 0 9
	echo small >"$1/small" && : >"$1/empty" && mkfifo "$1/fifo"
	touch "$1/many/with-a-rather-long-name-"{1..200}
}

# map_of now|then RANGE: all owners, one a line; sets $epoch
map_of() {
	"$DMDELTA" --json owner v "$2" >j || return
	epoch=$(json j '$.now_epoch')
	sqlite3 -separator $'\t' :memory: "
		select json_extract(value, '\$.start_sector'),
		       json_extract(value, '\$.nr_sectors'),
		       json_extract(value, '\$.$1_kind'),
		       json_extract(value, '\$.$1_flags'),
		       coalesce(json_extract(value, '\$.$1_path'), '-'),
		       coalesce(json_extract(value, '\$.$1_what'), '-'),
		       coalesce(json_extract(value, '\$.$1_offset_bytes'), 0)
		from json_each(readfile('j'), '\$.pieces')"
}

# joined: lines of a map that continue each other, as one
joined() {
	awk -F'\t' '
		$1 == end && $3 FS $4 FS $5 FS $6 == who &&
			($3 != "file" || $7 == at) {
			end += $2; at += $2 * 512; next }
		{ if (NR > 1) print start, end, who, first
		  start = $1; end = $1 + $2; at = $7 + $2 * 512
		  first = $3 == "file" ? $7 : 0
		  who = $3 FS $4 FS $5 FS $6 }
		END { print start, end, who, first }'
}

# sectors_with KIND WHAT FILE: of a map
sectors_with() { awk -F'\t' -v k="$1" -v w="$2" '$3 == k && $6 == w { n += $2 } END { print n + 0 }' "$3"; }
# first_of PATH FILE: first sector of a file's first extent
first_of() { awk -F'\t' -v p="$1" '$3 == "file" && $5 == p { print $1; exit }' "$2"; }

# state PATH: what diff --files says of it (in j)
state() {
	sqlite3 :memory: "select json_extract(value, '\$.state')
		from json_each(readfile('j'), '\$.owners')
		where json_extract(value, '\$.path') = '$1'"
}

# --- each file system ----------------------------------------------------------------

# try NAME MKFS MOUNT-OPTIONS
try() {
	local name=$1 top='' old i

	# shellcheck disable=SC2086 # a command and its options
	must $2 "$dev" >/dev/null
	must mount -o "$3" "$dev" /mnt/t
	if [[ $name == btrfs* ]]; then
		top=/sub
		must btrfs subvolume create /mnt/t/sub >/dev/null
	fi
	fill /mnt/t$top
	if [ -n "$top" ]; then
		must btrfs subvolume snapshot /mnt/t/sub /mnt/t/zsnap >/dev/null
		tag /mnt/t/sub/a/one 50 5
	fi
	if [[ $name == xfs* ]]; then
		cp --reflink=always /mnt/t/a/one /mnt/t/a/clone
		tag /mnt/t/a/clone 50 5
	fi
	must sync
	map_of now 0+$sectors >map || bail "$name: no map"
	ok "$name: the map agrees with all files" owncheck check map "$dev" /mnt/t
	is "$(cut -f5 map | grep -E '/(f7|zz|Alias)$' | sort -u)" "$top/a/Alias" \
		"$name: a file with several names has the first one"
	"tools_$name" "$top"
	joined <map >before
	old=$epoch

	tag "/mnt/t$top/a/t1" 0 3
	rm "/mnt/t$top/many/f3" && : >"/mnt/t$top/many/f4"
	tag "/mnt/t$top/many/f5" 25 10
	tag "/mnt/t$top/new" 0 20
	must sync
	map_of 'then' "0+$sectors@$old" | joined >after
	ok "$name: an epoch's map stays what it was" cmp before after
	"$DMDELTA" --json diff v "$old" head --files >j
	is "$(for i in many/f3 many/f4 many/f5 new a/t1; do state "$top/$i"; done | xargs)" \
		"gone gone grown new $([ -n "$top" ] && echo moved || echo in place)" \
		"$name: diff --files"
	is "$(json j '$.from')" "$old" "$name: ... says between which epochs"
	must umount /mnt/t
}

# Metadata, against what the tools say
tools_ext4() {
	local at block

	is "$(sectors_with free - map)" "$(debugfs -R stats "$dev" 2>/dev/null |
		awk -v n=$(($(dumpe2fs -h "$dev" 2>/dev/null | sed -n 's/^Block size: *//p') / 512)) \
			'/^Free blocks:/ { print $3 * n }')" "... as much is free as the superblock says"
	at=$(first_of /a/one map)
	block=$((at * 512 / $(dumpe2fs -h "$dev" 2>/dev/null | sed -n 's/^Block size: *//p')))
	is "$(debugfs -R "ncheck $(debugfs -R "icheck $block" "$dev" 2>/dev/null | awk 'END { print $2 }')" \
		"$dev" 2>/dev/null | awk 'END { print $2 }')" /a/one "... debugfs names the same owner"
}
tools_ext4_1k() { tools_ext4; }
tools_xfs() {
	local log

	log=$(xfs_db -r -c 'sb 0' -c 'convert fsblock '"$(xfs_db -r -c 'sb 0' -c 'p logstart' "$dev" |
		sed 's/.*= //')"' daddr' "$dev" | sed 's/.*(\(.*\)).*/\1/')
	is "$(awk -F'\t' '$3 == "journal" { print $1; exit }' map)" "$log" "... xfs_db has the log there"
}
tools_xfs_rmap() { tools_xfs; }
tools_btrfs() {
	local free

	ok "... tree blocks are metadata" [ "$(sectors_with metadata 'file tree' map)" -gt 0 ]
	free=$(sectors_with metadata 'chunk tree' map)
	is "$free" 64 "... and those of dup are there twice"
}
tools_btrfs_zstd() {
	ok "... compressed blocks are marked" grep -q $'\tencoded' map
}

try ext4 "mkfs.ext4 -q -F -b 4096" defaults
try ext4_1k "mkfs.ext4 -q -F -b 1024 -O ^extent,^64bit" defaults
try xfs "mkfs.xfs -q -f -m rmapbt=0" defaults
try xfs_rmap "mkfs.xfs -q -f -m rmapbt=1" defaults
try btrfs "mkfs.btrfs -q -f -m dup" defaults
try btrfs_zstd "mkfs.btrfs -q -f -m dup" compress-force=zstd

# --- partitions ------------------------------------------------------------------------

must wipefs -q -a -f "$dev"
printf '%s\n' 'label: gpt' 'start=2048, size=100000' 'start=200000, size=50000' |
	must sfdisk -q --no-reread --no-tell-kernel "$dev"
must linear p1 "$dev" 2048 100000
must linear p2 "$dev" 200000 50000
must mkfs.ext4 -q -F "$(dev_of p1)"
must mkswap -q "$(dev_of p2)"
must mount "$(dev_of p1)" /mnt/t
tag /mnt/t/file 0 10
must umount /mnt/t
must dmsetup remove p1
must dmsetup remove p2
map_of now 0+$sectors >map || bail "no map of partitions"
at=$(first_of /file map)
is "$(dd if="$dev" skip="$at" count=1 status=none | head -c 8)" OwnerTag "a file in a partition is where the map says"
out=$("$DMDELTA" owner v "$at+8")
like "$out" 'partition 1: /file' "... and its volume is named"
like "$("$DMDELTA" owner v 200008+8)" 'partition 2.*swap' "swap space is known"
is "$(sectors_with metadata 'partition table' map)" 33 "the partition table"
is "$(sectors_with metadata 'backup partition table' map)" 33 "... and its backup"
like "$("$DMDELTA" owner v 150000+8)" 'unknown' "between partitions nobody is known"

# --- LVM -----------------------------------------------------------------------------------

export DM_DISABLE_UDEV=1
lvm_do() {
	lvm "$1" --config "devices { use_devicesfile=0 filter=[\"a|^$dev\$|\",\"r|.*|\"] }
		activation { udev_sync=0 udev_rules=0 } backup { backup=0 archive=0 }" \
		"${@:2}" >lvm.out 2>&1 || { diag "$(cat lvm.out)"; bail "lvm $1"; }
}
must wipefs -q -a -f "$dev"
lvm_do pvcreate -ff -y "$dev"
lvm_do vgcreate vg "$dev"
lvm_do lvcreate -y -n data -L 16M vg
lvm_do lvcreate -y -n other -L 16M vg
lvm_do lvextend -L 48M vg/data		# in two pieces
must mkfs.ext4 -q -F /dev/mapper/vg-data
must mount /dev/mapper/vg-data /mnt/t
tag /mnt/t/file 0 7000
must sync
map_of now 0+$sectors >map || bail "no map of LVM"
ok "files in a logical volume of two pieces" owncheck check map "$dev" /mnt/t
like "$("$DMDELTA" owner v "$(first_of /file map)+8")" 'vg/data: /file' "... and its volume is named"
like "$("$DMDELTA" owner v 8+8)" 'lvm metadata' "the metadata of LVM is known"
must umount /mnt/t
lvm_do vgchange -an vg
must wipefs -q -a -f "$dev"

# --- what is refused ---------------------------------------------------------------------

refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
must dd if=/dev/zero of="$dev" bs=512 count=1 seek=150000 oflag=direct status=none
before=$(facts v)
refuses 16 'behind the end' owner v "0+$((sectors + 1))"
refuses 16 . owner v 0
refuses 8 'no such epoch|not.*epoch|no epoch' owner v 0+8@9999
refuses 8 'no epoch has this label' owner v 0+8@nosuch
refuses 8 'no such device' owner nosuch 0+8
refuses 8 'no such epoch|not.*epoch|no epoch' diff v 9999 head --files
is "$(facts v)" "$before" "... and no checkpoint was made"
ok "owner of blocks that were written" "$DMDELTA" owner v 0+8
n=$(status_word v 2)
ok "... again" "$DMDELTA" owner v 0+8
is "$(status_word v 2)" "$n" "a head without writes is not sealed again"
must wipefs -q -a -f "$dev"
like "$("$DMDELTA" owner v 1000+8)" 'unknown.*no file system' "no file system"
# A layer that goes has no name any more before it lets go of the one below.
left=0
for _ in {1..40}; do
	"$DMDELTA" owner v 1000+8 >/dev/null || bail "owner of no file system"
	dmsetup ls | grep -qvE '^(origin|delta|v)[[:space:]]' && left=$((left + 1))
done
is "$left" 0 "no device is left behind"
is "$(findmnt -rno TARGET | grep -c '^/mnt/')" 0 "nothing is left mounted"
finish
