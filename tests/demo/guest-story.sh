#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016,SC2034 # claims are evaluated later
#
# The demo in the VM, up to the power cut. Disks: origin, delta, record.
cd /put || exit
. ./guest-lib.sh
. ./guest-work.sh
. ./guest-intruder.sh
mkdir -p $record /vault /run/work
mount /dev/vm/disk2 $record || exit
cd /

open_vault() { show "mount -o noatime $vault /vault"; }

# ---------------------------------------------------------------------------------
step 0 "A disk that remembers: a base image ($FS), and an empty delta device"

depends=$(modinfo -F depends /put/dm-deltarec.ko | tr , ' ')
# shellcheck disable=SC2086 # a list of names
[ -z "$depends" ] || modprobe -a $depends
show 'insmod /put/dm-deltarec.ko'
show "blockdev --getro $origin		# the base image cannot be written to"
show "dmdelta format $origin $delta"
show "dmdelta open vault $origin $delta"
open_vault
record_day base
look
claim "every file is there, read through the device" same_sums base

# ---------------------------------------------------------------------------------
step 1 "Checkpoint, good work, checkpoint"

show 'dmdelta checkpoint vault --label monday'
good_work tuesday 60
record_day tuesday
show 'dmdelta checkpoint vault --label tuesday'
look
claim "tuesday's files and orders are those of the record" \
	eval 'same_sums tuesday && same_table orders && same_table stock'

# ---------------------------------------------------------------------------------
step 2 "An intruder overwrites programs, a plan and pages of the database"

say "  (and good work goes on meanwhile: nobody knows yet)"
good_work wednesday 60 &
intrude
intruded=$?
wait $!
worked=$?
say "  (the intruder: $(($(wc -l <$record/victims) - 1)) programs patched, plan.txt and" \
	"   $(wc -l <$record/pages) pages of shop.db overwritten in place)"
record_day wednesday
claim "the intruder and the good work of wednesday are both done" \
	eval '[ $intruded = 0 ] && [ $worked = 0 ] && same_table orders'
show 'dmdelta checkpoint vault --label wednesday'

# ---------------------------------------------------------------------------------
step 3 "Good work after it, checkpoint"

good_work thursday 60
record_day thursday
show 'dmdelta checkpoint vault --label thursday'
claim "all 180 orders were acknowledged, and are in the database" \
	eval '[ "$(query "SELECT count(*) FROM twin.orders WHERE id > 300")" = 180 ] &&
		same_table orders && same_table stock'

# ---------------------------------------------------------------------------------
step 4 "The damage is found: what, when and where"

show_failure 'cd /vault && md5sum -c --quiet var/lib/dpkg/info/*.md5sums'
show "grep -rla '[^[:print:][:space:]]' /vault/srv/documents	# no text"
show_failure "sqlite3 $shop 'PRAGMA integrity_check' >/run/integrity"
show 'head -n 4 /run/integrity'
show 'dmdelta log vault'
pages=$(sed -n 's/.*age \([0-9]*\):.*/\1/p' /run/integrity | sort -nu)
claim "SQLite names all 40 pages that the intruder wrote, and no other" \
	diff <(echo "$pages") $record/pages

# What the commands above have named, from the root of the file system
found=$(cd /vault && md5sum -c --quiet var/lib/dpkg/info/*.md5sums 2>/dev/null |
	sed -n 's,^\(.*\): FAILED$,/\1,p'
	grep -rla '[^[:print:][:space:]]' /vault/srv/documents | sed 's,^/vault,,')
claim "the files found are those that the intruder wrote to" \
	diff <(sort <<<"$found") <(sed 's,^\.,,' $record/victims | sort)
{ echo "$found"; echo /srv/shop/shop.db; } >/run/found

say "" "Which epoch wrote to them?" ""
for pair in 'monday tuesday' 'tuesday wednesday' 'wednesday thursday'; do
	show "dmdelta diff --files vault $pair | grep -wFf /run/found | tee /run/${pair#* }"
done
claim "the programs and the plan were written to on wednesday" \
	eval '[ "$(grep -c -e /bin/ -e plan.txt /run/wednesday)" -ge 7 ]'
claim "and none of them on tuesday, on thursday the plan alone" \
	eval '! grep -e /bin/ -e plan.txt /run/tuesday &&
		! grep /bin/ /run/thursday && grep plan.txt /run/thursday'
look
measure nothing
# for step 5: as it was before anybody tried to help
cp /run/now $record/sums/damaged
cp $shop $record/damaged.db

# ---------------------------------------------------------------------------------
step 5 "Roll back: the damage is gone, and so is the good work. Undo that"

show 'umount /vault'
show 'dmdelta rollback vault tuesday'
open_vault
look
claim "every file is as it was on tuesday evening" same_sums tuesday
show_claim "programs are as their packages' checksums say" \
	'cd /vault && md5sum -c --quiet var/lib/dpkg/info/*.md5sums'
claim "the database is whole" integrity $shop
claim "but all 120 orders since are gone" [ "$(lacks orders)" = 120 ]
measure rollback
say ""
show 'umount /vault'
show 'dmdelta undo vault --force'
open_vault
look
claim "everything since tuesday is back, bad and good" \
	eval 'same_sums damaged && cmp $shop $record/damaged.db'

# ---------------------------------------------------------------------------------
step 6 "Take the damage out: the programs as files, while in use ..."

programs="--from wednesday --to wednesday --path '/bin/**' --path '/usr/bin/**'"
show "dmdelta plan vault $programs"
show "dmdelta recover vault $programs"
show_claim "programs are as their packages' checksums say" \
	'cd /vault && md5sum -c --quiet var/lib/dpkg/info/*.md5sums'

# ---------------------------------------------------------------------------------
step 7 "... and where good work lies between, blocks: the plan and the database's pages"

# runs of pages, which SQLite counts from 1, as parts of the file
parts=$(awk 'NR > 1 && $1 == last + 1 { last++; next }
	NR > 1 { print first, last }
	{ first = last = $1 }
	END { print first, last }' <<<"$pages" | while read -r first last; do
	printf -- '--part /srv/shop/shop.db:%dKiB+%dKiB ' $((first * 4 - 4)) \
		$(((last - first + 1) * 4))
done)
show "dmdelta plan vault --from wednesday --to wednesday --mode blocks \\
	--path /srv/documents/plan.txt $parts\\
	-o /run/plan.json -o /run/plan.html"
show 'dmdelta preview vault --recipe /run/plan.json'
show 'umount /vault'
show 'dmdelta replay vault --recipe /run/plan.json'
show_fsck
open_vault
show_claim "the database is whole" "sqlite3 $shop 'PRAGMA integrity_check' | grep -x ok"
look
claim "every file is as if there had been no intruder" same_sums thursday
claim "the plan has its author's new first half and its old second half" \
	cmp /vault/srv/documents/plan.txt $twin/srv/documents/plan.txt
claim "every acknowledged order is there, and the old archive" \
	eval 'same_table orders && same_table stock && same_table archive'
claim "the database is, byte for byte, that of the record" \
	cmp $shop $twin/srv/shop/shop.db
measure recovery
say ""
show 'dmdelta checkpoint vault --label repaired'
show 'dmdelta log vault --graph'

# ---------------------------------------------------------------------------------
step 8 "Power off without a shutdown, while orders come in"

orders friday 5000 >/run/work/friday.sql
(sqlite3 -bail "$shop" </run/work/friday.sql >/run/work/friday.log 2>&1) &
sleep 3
say "  (no sync, no umount, no shutdown)"
finish 'done story'
stty -F /dev/ttyS1 raw
vm-poweroff
sleep 60
