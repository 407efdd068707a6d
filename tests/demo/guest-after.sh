#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# shellcheck source-path=SCRIPTDIR
# shellcheck disable=SC2016 # claims are evaluated later
#
# The demo in the VM, after the power cut. Disks: origin, delta, record.
cd /put || exit
. ./guest-lib.sh
mkdir -p $record /vault
mount /dev/vm/disk2 $record || exit
cd /

step 8 "... and activation again"

depends=$(modinfo -F depends /put/dm-deltarec.ko | tr , ' ')
# shellcheck disable=SC2086 # a list of names
[ -z "$depends" ] || modprobe -a $depends
show 'insmod /put/dm-deltarec.ko'
show "dmdelta open vault $origin $delta"
show "mount -o noatime $vault /vault"
look
claim "every file is still as if there had been no intruder" same_sums thursday
show_claim "programs are as their packages' checksums say" \
	'cd /vault && md5sum -c --quiet var/lib/dpkg/info/*.md5sums'
show_claim "the database is whole" "sqlite3 $shop 'PRAGMA integrity_check' | grep -x ok"
friday=$(query "SELECT count(*) FROM twin.orders WHERE day = 'friday'")
claim "orders were coming in when the power failed ($friday acknowledged)" \
	eval '[ $friday -gt 0 ] && [ $friday -lt 5000 ]'
claim "all of them are there" [ "$(lacks orders)" = 0 ]
claim "and at most the one that was not acknowledged yet" [ "$(adds orders)" -le 1 ]
claim "the old archive is there" same_table archive
show 'dmdelta log vault'
show 'umount /vault'
show_fsck
show 'dmdelta close vault'
show_claim "the delta device's metadata is sound" "dmdelta check $delta"
finish 'done after'
