#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Plans and recipes of blocks: encryption in place is undone to the last file
# with good work kept, everything else is refused with its reason; raw devices
# and wiped ones come back byte for byte; previews touch nothing.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p /mnt/t
dev=$(dev_of v)
make_pair 48 160
open_pair v

dmdelta() { "$DMDELTA" "$@"; }
refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
# plan_v WORD...: plan of v in blocks as JSON in p; its exit status
plan_v() { dmdelta --json plan v --mode blocks "$@" >p 2>err; }
p() { json p "$@" | xargs; }
total() { json p "\$.totals.$1.blocks"; }
# A fresh ext4 with files f1 to f20, sealed as "good"; $1: more for mkfs
start() {
	dmdelta rollback v base >/dev/null
	wipefs -qa $dev
	mkfs.ext4 -q -b 4096 -E lazy_itable_init=0 $dev || bail mkfs
	mount -o noatime $dev /mnt/t
	mkdir /mnt/t/docs /mnt/t/other
	for i in $(seq 20); do
		head -c 40000 /dev/urandom >/mnt/t/docs/f$i
	done
	head -c 100000 /dev/urandom >/mnt/t/other/ledger
	sums >good
	dmdelta checkpoint v --label "good$1" >/dev/null
}
sums() { (cd /mnt/t && find . -type f -exec sha256sum {} + | sort -k2); }
seal() { dmdelta checkpoint v --label "$1" >/dev/null; }
sums_of_both() {
	drop_cache "$origin"
	drop_cache "$delta"
	echo "$(sum_of "$origin") $(sum_of "$delta")"
}
hash_of() { drop_cache $dev; sum_of $dev; }
encrypt() { head -c 40000 /dev/urandom | dd of="$1" conv=notrunc status=none; }

# --- encryption in place ------------------------------------------------------------

start 1
for i in $(seq 12); do encrypt /mnt/t/docs/f$i; done
seal bad1
encrypt /mnt/t/docs/f1			# written again by its owner
printf 'a line\n' >>/mnt/t/docs/f15	# good work, next to it
rm /mnt/t/docs/f2			# no longer wanted
head -c 300000 /dev/urandom >/mnt/t/docs/new
sums >now
# What shall be: now, but f3 to f12 as they were
{ grep -vE 'docs/f([3-9]|1[0-2])$' now; grep -E 'docs/f([3-9]|1[0-2])$' good; } | sort -k2 >want

is "$(dmdelta plan v --from bad1 --to bad1 --json >j 2>/dev/null; json j '$.mode')" files \
	"with a file system there, auto means files"
like "$(json j '$.reason')" 'file system is there before and now' "... and says why"
is "$(json j '$.totals.restore.items' '$.totals.mixed.items' | xargs)" "10 2" "... 10 to be restored; rewritten and deleted ones are mixed"
umount /mnt/t
seal work1
before=$(hash_of)
sums_before=$(sums_of_both)
plan_v --from bad1 --to bad1 -o r.json -o r.html
is $? 0 "plan of blocks: nothing is refused"
like "$(p '$.mode' '$.reason')" '^blocks asked for$' "mode blocks"
is "$(total C0)" 100 "C0: ten blocks of each of ten files"
is "$(total C1)" 10 "C1: those of the file that its owner wrote again"
ok "C4: the journal" [ "$(total C4)" -gt 0 ]
ok "C3: metadata, left alone" [ "$(total C3)" -gt 0 ]
like "$(dmdelta plan v --from bad1 --to bad1 --mode blocks)" '/docs/f3 +C0 +revert +40 KiB' "the screen names files"
ok "the page is there" grep -q '<html' r.html
is "$(json r.json '$.format' '$.mode' '$.epochs.from' | xargs)" "dmdelta-recipe blocks $(json j '$.from')" "the recipe"
dry=$(dmdelta --json replay v --recipe r.json --dry-run | tee j >/dev/null; json j '$.changed_blocks')
is "$dry" 100 "dry run of the recipe: 100 blocks"
dmdelta --json preview v --recipe r.json --keep seen >j 2>err
is $? 0 "preview" || diag "$(cat err)"
is "$(json j '$.volumes[0].mounts' '$.volumes[0].check' '$.volumes[0].tool' | xargs)" "1 clean e2fsck" "... mounts, and e2fsck finds nothing"
seen=$(sum_of "$(dev_of seen)")
dmsetup remove seen
is "$(hash_of)" "$before" "... the device is as it was"
is "$(sums_of_both)" "$sums_before" "... and so are origin and delta"
mount -o ro,noload $dev /mnt/t
refuses 8 'in use.*/mnt/t' replay v --recipe r.json
umount /mnt/t
ok "replay of the recipe" "$DMDELTA" replay v --recipe r.json
after=$(hash_of)
is "$after" "$seen" "preview and replay are the same bytes"
ok "e2fsck is content" e2fsck -fn $dev
mount -o ro,noload $dev /mnt/t
sums >got
ok "all victims are back, all good work is there" diff want got
umount /mnt/t
dmdelta undo v >/dev/null
is "$(hash_of)" "$before" "undo: as before"
dmdelta undo v >/dev/null
is "$(hash_of)" "$after" "undo of the undo: as after"

# --- what blocks cannot do -------------------------------------------------------------

start 2
mv /mnt/t/docs/f1 /mnt/t/docs/f1.old && encrypt /mnt/t/docs/f1.locked && rm /mnt/t/docs/f1.old
encrypt /mnt/t/docs/new && mv /mnt/t/docs/new /mnt/t/docs/f2
: >/mnt/t/docs/f3 && sync && head -c 40000 /dev/urandom >/mnt/t/docs/f3
umount /mnt/t
seal bad2
plan_v --from bad2 --to bad2 -o r.json
is $? 4 "new file, rename, truncate: status 4"
is "$(p '$.refused' '$.totals.C0.blocks')" 1 "nothing is to be reverted"
for i in 1 2; do
	like "$(sqlite3 :memory: "select value from json_each(readfile('p'), '\$.paths')
		where value->>'path' = '/docs/f$i' and value->>'refused'" 2>&1)" \
		'C2.*removed, renamed or put elsewhere.*use files' "f$i is refused, with the reason"
done
refuses 4 'no rules' replay v --recipe r.json
refuses 4 'a part of this is refused' replay v --from bad2 --to bad2 --path /docs/f1
like "$(dmdelta plan v --from bad2 --to bad2 --mode blocks 2>&1)" 'C2 refused .*: .*use files' "the screen says so, too"
plan_v --from bad2 --to bad2 --path '/other/**'
is $? 0 "files that nothing happened to are not refused"
plan_v --from bad2 --to bad2 --force -o r.json
is "$? $(p '$.refused' )" "0 0" "--force overrides it"
like "$(cat err)" 'force takes [0-9]+ blocks that would be refused' "... and says so"

# --- selectors -----------------------------------------------------------------------------

start 3
ln /mnt/t/docs/f4 /mnt/t/other/name
seal linked
chown 1000 /mnt/t/docs/f4
for i in 3 4 5 12; do encrypt /mnt/t/docs/f$i; done
umount /mnt/t
seal bad3
plan_v --from bad3 --to bad3 --path '/docs/f?'
is "$? $(total C0)" "0 30" "--path with a pattern"
plan_v --from bad3 --to bad3 --path / --not-path '**/f[45]'
is "$? $(total C0)" "0 20" "--not-path"
plan_v --from bad3 --to bad3 --uid 1000
is "$? $(total C0)" "0 10" "--uid"
plan_v --from bad3 --to bad3 --newer 2001-01-01 --older 2001-01-02
is "$? $(p '$.written_blocks' '$.revert_blocks' | cut -d' ' -f2)" "0 0" "--older"
ok "replay by path" "$DMDELTA" replay v --from bad3 --to bad3 --path /docs/f3 --path /docs/f5
mount -o ro,noload $dev /mnt/t
is "$(sums | grep -v other/name | diff good - | grep -c '^>')" 2 "... brings back these two and no others"
umount /mnt/t
must "$DMDELTA" undo v >/dev/null
plan_v --from bad3 --to bad3 --path /docs/f3 --part /docs/f4:8KiB+9KiB --part /docs/f12:0+4KiB -o r.json
is "$? $(total C0) $(p '$.mode')" "0 14 blocks" "--part: blocks of a file, beside all of another"
plan_v --from bad3 --to bad3 --path /docs/f3 --part /other/name:8KiB+9KiB --part /docs/f12:0+4KiB
is "$? $(total C0) $(cat err)" "0 14 " "... by another name of it"
plan_v --from bad3 --to bad3 --part /docs/f4:36KiB+8KiB
like "$? $(total C0) $(cat err)" '^0 1 .*/docs/f4: warning: only 4 KiB of the 8 KiB' "... less of it than asked for: a warning"
ok "replay by path and part" "$DMDELTA" replay v --recipe r.json
mount -o ro,noload $dev /mnt/t
part() { dd if="$1/docs/$2" bs=4k skip="$3" count="$4" status=none | md5sum; }
mkdir -p /mnt/before /mnt/bad
"$DMDELTA" mount v@good3 /mnt/before >/dev/null
"$DMDELTA" mount v@bad3 /mnt/bad >/dev/null
is "$(part /mnt/t f3 0 10) $(part /mnt/t f4 2 3) $(part /mnt/t f12 0 1)" \
	"$(part /mnt/before f3 0 10) $(part /mnt/before f4 2 3) $(part /mnt/before f12 0 1)" "... brings them back"
is "$(part /mnt/t f4 0 2) $(part /mnt/t f4 5 5) $(part /mnt/t f12 1 9)" \
	"$(part /mnt/bad f4 0 2) $(part /mnt/bad f4 5 5) $(part /mnt/bad f12 1 9)" "... and leaves the rest of them"
"$DMDELTA" umount /mnt/before && "$DMDELTA" umount /mnt/bad
umount /mnt/t
refuses 16 'no blocks of this part' plan v --from bad3 --to bad3 --part /docs/f3:1MiB+4KiB
refuses 16 'no blocks of this part' plan v --from bad3 --to bad3 --part /docs/nosuch:0+4KiB
refuses 16 'not a part of a file' plan v --from bad3 --to bad3 --part /docs/f3
refuses 16 'for --mode blocks' plan v --from bad3 --to bad3 --mode files --part /docs/f3:0+8
refuses 16 'begins with' plan v --from bad3 --to bad3 --path docs
refuses 8 'no epoch has this label' plan v --from nosuch --to bad3
refuses 16 'base holds no writes' plan v --from base --to bad3
refuses 16 'later than' plan v --from bad3 --to good3
refuses 16 'behind the end' plan v --from bad3 --to bad3 --range 1GiB+4KiB
refuses 16 'ends neither' plan v --from bad3 --to bad3 -o r.txt
plan_v --from bad3 --to bad3 --range 47MiB+4KiB --range 47MiB+8KiB
is "$? $(p '$.revert_blocks')" "0 0" "ranges that overlap, where nothing was written"

# --- a database without a file system ---------------------------------------------------------

dmdelta rollback v base >/dev/null
random_fill $dev 1
seal good4
cp $dev /tmp/case/db 2>/dev/null || dd if=$dev of=/tmp/case/db bs=1M status=none
for i in 10 20 30 40; do dd if=/dev/urandom of=$dev bs=4k seek=$i count=5 oflag=direct status=none; done
seal bad4
dd if=/dev/urandom of=/tmp/case/page bs=4k count=1 status=none
dd if=/tmp/case/page of=$dev bs=4k seek=21 oflag=direct status=none	# a good transaction
seal work4
dd if=/tmp/case/page of=/tmp/case/db bs=4k seek=21 conv=notrunc status=none
plan_v --from bad4 --to bad4 -o r.json
is "$? $(p '$.mode' '$.totals.C0.blocks' '$.totals.C1.blocks')" "0 blocks 19 1" "raw: 19 to revert, one written later"
dmdelta --json plan v --from bad4 --to bad4 >j 2>/dev/null
is "$(json j '$.mode')" blocks "without a file system, auto means blocks"
ok "replay" "$DMDELTA" replay v --recipe r.json
ok "the database is back, the good transaction is in it" cmp $dev /tmp/case/db

# --- who had read the damage ------------------------------------------------------------------

must "$DMDELTA" close v >/dev/null
open_pair v track_reads >/dev/null
seal base6
dd if=/dev/urandom of=$dev bs=4k seek=100 count=2 oflag=direct status=none
seal bad6
dd if=/dev/urandom of=$dev bs=4k seek=200 count=3 oflag=direct status=none	# knew nothing of it
seal blind6
dd if=$dev of=/dev/null bs=4k skip=100 count=2 iflag=direct status=none
dd if=/dev/urandom of=$dev bs=4k seek=300 count=4 oflag=direct status=none
seal saw6
plan_v --from bad6 --to bad6
is "$? $(p '$.totals.C0.blocks' '$.totals.C5.blocks' '$.revert_blocks')" "0 2 4 2" "suspects: what was written by who had read damage, and no rule for it"

# --- a wiper -------------------------------------------------------------------------------------

start 5
umount /mnt/t
seal still5
before=$(hash_of)
dd if=/dev/urandom of=$dev bs=1M count=24 oflag=direct status=none
seal bad5
plan_v --from bad5 --to bad5 -o r.json
is "$? $(p '$.volumes[0].lost' '$.refused')" "0 1 0" "a wiper: the file system is lost, all of it can go back"
dmdelta --json plan v --from bad5 --to bad5 >j 2>/dev/null
is "$(json j '$.mode')" blocks "auto means blocks"
dmdelta --json preview v --recipe r.json >j 2>err || diag "$(cat err)"
is "$? $(json j '$.volumes[0].check')" "0 clean" "the preview is clean"
ok "replay" "$DMDELTA" replay v --recipe r.json
is "$(hash_of)" "$before" "byte for byte as before"
dmdelta undo v >/dev/null
dd if=/dev/urandom of=$dev bs=4k seek=5000 count=1 oflag=direct status=none
seal later5
plan_v --from bad5 --to bad5
is $? 4 "written later: refused as a whole"
like "$(cat p)" 'the file system is gone and was written to later' "... with the reason"

# --- another device ---------------------------------------------------------------------------------

linear origin2 "$(disk 2)" 0 $((16 * 2048))
linear delta2 "$(disk 3)" 0 $((32 * 2048))
must "$DMDELTA" format --force "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
must "$DMDELTA" open w "$(dev_of origin2)" "$(dev_of delta2)" >/dev/null
for command in replay preview; do
	refuses 8 'a recipe for another device' $command w --recipe r.json
done
is "$(dmsetup table | cut -d' ' -f4 | sort | uniq -c | xargs)" "2 deltarec 4 linear" "no view is left, and no scratch layer"
finish
