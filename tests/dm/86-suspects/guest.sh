#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dmdelta suspects and map over a history with an attack in it: good work on a
# file system, files encrypted in place, good work again. Only the attack is
# marked, archives written to free space are not, a slow attack shows in the
# sum, and the picture is made.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((96 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((512 * 2048)) && delta=$(dev_of delta)
dev=$(dev_of v)
must dd if=/dev/zero of="$origin" bs=1M count=96 oflag=direct status=none
mkfs.ext4 -q -b 4096 -E lazy_itable_init=0 "$origin"
must "$DMDELTA" format "$origin" "$delta"
must "$DMDELTA" open --track-reads v "$origin" "$delta"
mkdir -p /mnt/t
mount -o noinit_itable "$dev" /mnt/t

# text FILE SEED: compressible, and no two files the same
text() { yes "chapter $2 of a report about nothing at all" | head -c 96K >"$1"; }
# in_place FILE: as encryption does it
in_place() {
	local size

	size=$(stat -c %s "$1")
	head -c "$size" /dev/urandom | dd of="$1" conv=notrunc bs=64k status=none
}
# reads and then overwrites, as encryption does it, at once on the device
read_and_in_place() {
	cat "$1" >/dev/null
	in_place "$1"
	sync "$1"
}
seal() { "$DMDELTA" checkpoint v --label "$1" >/dev/null; }

for i in {1..44}; do text /mnt/t/f$i $i; done
seal good-1
for i in {1..6}; do text /mnt/t/f$i again-$i; done
seal good-2
for i in {7..14}; do text /mnt/t/f$i more-$i; done
rm /mnt/t/f15
seal good-3
head -c 4M /dev/urandom >/mnt/t/archive.gz	# new random data
for i in {16..18}; do text /mnt/t/f$i x-$i; done
seal archive
for i in {19..24}; do text /mnt/t/f$i y-$i; done
seal good-5
sync
echo 3 >/proc/sys/vm/drop_caches
for i in {20..31}; do read_and_in_place /mnt/t/f$i; done
seal attack
for i in {1..8}; do text /mnt/t/f$i z-$i; done
seal good-7
for i in {1..4}; do text /mnt/t/new$i n-$i; done
seal good-8

# Progress is for terminals, and the console is one.
tool() { "$DMDELTA" "$@" 2>err; }
text=$(tool suspects v)
is $? 0 "suspects"
diag "$text"
tool --json suspects v >j
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '\$.label')) from json_each(readfile('j'), '\$.epochs') where json_extract(value, '\$.mark') = 'suspect'")" \
	attack "only the attack is a suspect"
is "$(sqlite3 :memory: "select json_extract(value, '\$.became_random') > 0.5 from json_each(readfile('j'), '\$.epochs') where json_extract(value, '\$.label') = 'attack'")" \
	1 "... since most of what it wrote became random"
is "$(sqlite3 :memory: "select count(*) from json_each(readfile('j'), '\$.reasons') where json_extract(value, '\$.reason') = 'became_random'")" \
	1 "... and that is the reason given, once"
# epochs CONDITION: the labels of those that it holds for
epochs() { sqlite3 :memory: "select group_concat(json_extract(value, '\$.label')) from json_each(readfile('j'), '\$.epochs') where $1"; }
is "$(epochs "json_extract(value, '\$.read_first') > 0.6")" attack "it read what it overwrote"
is "$(epochs "json_extract(value, '\$.read_first') < 0.3")" \
	good-1,good-2,good-3,archive,good-5,good-7,good-8 "... good work did not"
like "$text" '[0-9.]+ % of what was written had been read shortly before' "... which is a reason, too"
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '\$.mark') is null) from json_each(readfile('j'), '\$.epochs') where json_extract(value, '\$.label') like 'good%'")" \
	1,1,1,1,1,1 "good work has no mark"
is "$(json j '$.nr_suspects')" 1 "the count agrees"
like "$text" 'blocks alone' "the text says what it is worth"
tool --json suspects v --from good-5 --to good-7 >j
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '\$.label')) from json_each(readfile('j'), '\$.epochs')")" \
	good-5,attack,good-7 "--from and --to"
is "$(json j '$.nr_suspects')" 1 "... with the history before them to compare with"

# --- files: who was hit, and what was free ------------------------------------------

old=$(for i in {32..34}; do debugfs -R "blocks /f$i" "$dev" 2>/dev/null; done)
for i in {32..34}; do mv /mnt/t/f$i /mnt/t/gone$i; done
seal renamed
rm /mnt/t/gone{32..34}
seal freed
# shellcheck disable=SC2086 # a list
for block in $old; do
	dd if=/dev/urandom of="$dev" bs=4k seek=$block count=1 oflag=direct conv=notrunc status=none
done
seal swept
# shares OPTION...: of what was written to free space
shares() {
	tool --json suspects v --to swept "$@" >j
	sqlite3 :memory: "select json_extract(value, '\$.became_random') > 0.9, json_extract(value, '\$.new_random') > 0.9, json_extract(value, '\$.nr_files') from json_each(readfile('j'), '\$.epochs') where json_extract(value, '\$.label') = 'swept'"
}
is "$(wc -w <<<"$old")" 72 "blocks of files that are deleted"
is "$(shares)" "1|0|" "what is left in free space counts as data"
is "$(shares --files)" "0|1|0" "... but not with --files, and it is nobody's"
is "$(epochs "json_extract(value, '\$.mark') = 'suspect'")" attack "... so that it is no suspect"
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '\$.label') || '=' || json_extract(value, '\$.nr_files'), ' ') from json_each(readfile('j'), '\$.epochs')")" \
	"good-1=44 good-2=6 good-3=8 archive=4 good-5=6 attack=12 good-7=8 good-8=4 renamed=0 freed=0 swept=0" \
	"files that were written to"
text /mnt/t/last 1
text=$(tool suspects v --files --from swept)
like "$text" 'checkpoint [0-9]+ .frozen. shows the device as it is now' "the head is sealed for it"
like "$text" 'samples  files  mark' "... as text"

# --- slow: a little every time ------------------------------------------------------

for n in {1..6}; do
	in_place /mnt/t/f$((34 + n))
	for i in {1..8}; do text /mnt/t/f$i slow-$n-$i; done
	seal slow-$n
done
tool --json suspects v --from slow-1 >j
is "$(sqlite3 :memory: "select count(*) from json_each(readfile('j'), '\$.reasons') where json_extract(value, '\$.reason') = 'slow'")" \
	6 "a slow attack shows in the sum"
refused() { cmd_fails "$1" "$2" "$DMDELTA" suspects "${@:3}"; }
refused 8 'no such device' nosuch
refused 8 'no epoch has this label' v --from nosuch
refused 16 'later than' v --from head --to 1
refused 8 'nothing to compare' v --to base

# --- the picture -----------------------------------------------------------------------

ok "map" "$DMDELTA" map v -o map.svg
like "$(head -c 400 map.svg)" '^<\?xml .*<svg ' "it is a picture"
is "$(grep -c '<g class="row">' map.svg)" 20 "a row for each epoch"
like "$(grep -A1 'class="row"' map.svg)" 'label attack, sealed .* MiB differ from epoch 5, .*entropy' "with its figures"
tool --json map v >j
is "$(json j '$.nr_rows' '$.rows[0].state' | xargs)" "20 head" "the same as JSON"
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '\$.label') || (json_extract(value, '\$.entropy') > 7)) from json_each(readfile('j'), '\$.rows') where json_extract(value, '\$.label') in ('good-7', 'attack', 'good-3')")" \
	good-70,attack1,good-30 "the attack is random, good work is not"
tool map v --no-entropy --from good-2 --to attack --output - >part.svg
is "$(grep -c '<g class="row">' part.svg)" 5 "--from and --to"
cmd_fails 8 'open' "$DMDELTA" map v -o /nosuch/map.svg
cmd_fails 16 '--output: missing' "$DMDELTA" map v
is "$(dmsetup ls --target deltarec-view | grep -c .)" "$(dmsetup ls --target deltarec-view | grep -c '^No devices')" "no view is left behind"
umount /mnt/t
finish
