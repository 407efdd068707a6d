#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Recovery of what lies inside a device: file systems in a partition and in
# logical volumes, all of them at once while in use, one chosen, and their blocks
# by path, as the offsets of partition and volume have it.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
modprobe btrfs
linear origin "$(disk 0)" 0 $((300 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((600 * 2048)) && delta=$(dev_of delta)
must "$DMDELTA" format "$origin" "$delta"
open_pair v
dev=$(dev_of v)
mkdir -p /mnt/part /mnt/root /mnt/data
all=(/mnt/part /mnt/root /mnt/data)

sfdisk -q "$dev" <<END
label: gpt
start=2048, size=40M
size=220M, type=E6D6D379-F507-44C2-A23C-238F2A3DF928
END
# As partition nodes would be
i=0
while read -r start size; do
	linear p$((i += 1)) "$dev" "$start" "$size"
done < <(sfdisk -d "$dev" | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\).*/\1 \2/p')
lvm_() { "$@" >/dev/null 2>>lvm.log; }
lvm_ pvcreate /dev/mapper/p2
lvm_ vgcreate vg /dev/mapper/p2
lvm_ lvcreate -y -Wn -L 40M -n root vg
lvm_ lvcreate -y -Wn -L 120M -n data vg
lvm_ lvextend -L +20M vg/root	# in two pieces
mkfs.ext4 -q -b 4096 /dev/mapper/p1
mkfs.ext4 -q -b 4096 /dev/vg/root
mkfs.btrfs -q /dev/vg/data
mount_all() {
	mount /dev/mapper/p1 /mnt/part && mount /dev/vg/root /mnt/root &&
		mount /dev/vg/data /mnt/data
}
must mount_all
for dir in "${all[@]}"; do
	mkdir "$dir/docs"
	for i in {1..8}; do head -c 50000 /dev/urandom >"$dir/docs/$i"; done
done
head -c 45M /dev/urandom >/mnt/root/filler	# up to the second piece
head -c 50000 /dev/urandom >/mnt/root/docs/far
sums() { (cd "$1" && find docs -type f -exec sha256sum {} + | sort -k2); }
seal() { sync; must "$DMDELTA" checkpoint v --label "$1" >/dev/null; }
encrypt() { head -c 50000 /dev/urandom | dd of="$1" conv=notrunc,fsync status=none; }

seal good
for dir in "${all[@]}"; do
	sums "$dir" >"${dir##*/}.want"
	for i in 1 2 3; do encrypt "$dir/docs/$i"; done
	echo trojan >"$dir/docs/4.new" && mv "$dir/docs/4.new" "$dir/docs/4"
	echo ransom >"$dir/docs/note"
done
seal bad
for dir in "${all[@]}"; do
	echo work >"$dir/docs/later"
	head -c 50000 /dev/urandom >"$dir/docs/3" # by its owner
	(cd "$dir" && sha256sum docs/later docs/3) >>"${dir##*/}.want"
	# sums: the last word on a file is right
	tac "${dir##*/}.want" | sort -k2 -u >want && mv want "${dir##*/}.want"
done
sync

# all_as_wanted TEXT DIRECTORY...
all_as_wanted() {
	local what=$1 dir

	shift
	for dir; do
		sums "$dir" >now
		ok "$what: ${dir##*/}" cmp now "${dir##*/}.want" ||
			diag "$(diff now "${dir##*/}.want" | head)"
	done
}
volumes() { json j "$1" 2>/dev/null; }

# --- plan and recovery, while all are in use -------------------------------------------

"$DMDELTA" --json plan v --from bad --to bad >j 2>err || diag "$(cat err)"
is "$(json j '$.mode' '$.totals.restore.items' '$.totals.mixed.items' '$.totals.quarantine.items' | xargs)" \
	"files 9 3 3" "a plan of three volumes"
ok "recover one of them" "$DMDELTA" recover v --from bad --to bad --volume vg/data
all_as_wanted "... has it" /mnt/data
not_ok "... and left the others alone" sha256sum --quiet --status -c root.want
"$DMDELTA" --json recover v --from bad --to bad >j 2>err
is $? 0 "recover all" || diag "$(cat err)"
is "$(json j '$.volumes[#-1].volume' '$.volumes[0].volume' | sort | xargs)" "partition 1 vg/root" "... but for what is done" ||
	diag "$(cat j)"
all_as_wanted "all of it" "${all[@]}"
ok "undo of that" "$DMDELTA" undo v
not_ok "... has the damage back" eval '(cd /mnt/root && sha256sum --quiet --status -c /tmp/case/root.want)'
all_as_wanted "... but not where it was recovered before" /mnt/data

# --- blocks, with the offsets of the volumes --------------------------------------------

seal whole
encrypt /mnt/root/docs/far
encrypt /mnt/data/docs/5
seal spoilt
umount "${all[@]}"
"$DMDELTA" plan v --from spoilt --to spoilt --mode blocks --path /docs/far -o far.json >out 2>&1
is $? 0 "a plan for a file in the second piece of a volume" || diag "$(cat out)"
lvm_ vgchange -an vg
dmsetup remove p1 p2
ok "replay" "$DMDELTA" replay v --recipe far.json
i=0
while read -r start size; do
	linear p$((i += 1)) "$dev" "$start" "$size"
done < <(sfdisk -d "$dev" | sed -n 's/.*start= *\([0-9]*\), size= *\([0-9]*\).*/\1 \2/p')
lvm_ vgchange -ay vg
must mount_all
is "$(cd /mnt/root && sha256sum docs/far)" "$(grep docs/far root.want)" "... that file is back"
umount "${all[@]}"
e2fsck -fn /dev/vg/root >out 2>&1
is $? 0 "the file system is sound" || diag "$(cat out)"
refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
refuses 4 'vg/data:/docs/5 +C2 +refuse' plan v --from spoilt --to spoilt --mode blocks --path /docs/5
lvm_ vgchange -an vg
dmsetup remove p1 p2
ok "close" "$DMDELTA" close v
finish
