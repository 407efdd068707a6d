#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# In the VM, for tests/demo/map: two weeks of a device, and their picture. The
# clock is set to when things happen.
set -e
export PATH=/put:$PATH TZ=UTC
name=vault vault=/dev/mapper/vault
origin=$(readlink -f /dev/vm/disk0)
delta=$(readlink -f /dev/vm/disk1)
cd /
mkdir -p /vault
modules=$(modinfo -F depends /put/dm-deltarec.ko | tr ',' ' ')
# shellcheck disable=SC2086 # a list
[ -z "$modules" ] || modprobe -a $modules
insmod /put/dm-deltarec.ko

day() { date -s "2026-11-$1" >/dev/null; }
seal() { dmdelta checkpoint $name --label "$1" >/dev/null; }
start() { mount -o noatime $vault /vault; }
stop() { umount /vault; }

# report N WHEN: text. picture N: what cannot be compressed any more
report() {
	mkdir -p /vault/reports
	seq -f "order %g of $2: paid, shipped, and nothing else to report" \
		$((20000 + $1 * 97)) | head -c 160K >/vault/reports/"$1".txt
}
picture() { head -c 320K /dev/urandom >/vault/pictures/"$1".jpg; }
# pages FROM TO: those of the database, written in place, as it does
pages() {
	seq -f 'row %g in its page, with a name and a street in it' \
		$(($1 * 1000)) $(($2 * 1000)) | head -c 600K |
		dd of=/vault/shop.db bs=4k seek=$(($1 * 40)) conv=notrunc status=none
}
work() { # WHEN: a day of it
	local n=${1#*-}

	n=$((10#${n%% *}))
	pages $((n % 9)) $((n % 9 + 9))
	report "$n" "$1"
	report $((n + 100)) "$1"
	picture $((n + 200))
	seq -f "$1 %g: GET /shop/cart" 1 4000 >>/vault/access.log
}

mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,lazy_journal_init=0 "$origin"
mount "$origin" /vault
mkdir /vault/pictures /vault/bin
for n in {1..60}; do report $n base; picture $n; done
find /usr/bin -type f -name '[c-m]*' -size -600k -exec cp -t /vault/bin {} +
head -c 16M /dev/zero | tr '\0' a >/vault/shop.db
umount /vault
day '09 08:00'
dmdelta format "$origin" "$delta" >/dev/null
dmdelta open $name "$origin" "$delta" >/dev/null
start
for n in 09 10 11; do
	work "11-$n"
	day "$n 19:00"
	seal "2026-11-$n"
done
tar -C /vault -cf - reports pictures bin shop.db | gzip -1 >/vault/backup.tar.gz
day '11 23:10'
seal backup
# An upgrade that nobody liked, and the way back
for file in /vault/bin/*; do
	tr 'a-z' 'b-za' <"$file" >/vault/new && mv /vault/new "$file"
done
day '12 09:30'
seal upgrade
work 11-12
day '12 10:15'
seal after-upgrade
stop
dmdelta rollback $name backup >/dev/null
start
for n in 12 13; do
	work "11-$n"
	day "$n 19:00"
	seal "2026-11-$n"
done
# Encryption in place, at night; good work goes on until it is found
for n in {5..60}; do
	file=/vault/reports/$n.txt
	size=$(stat -c %s $file)
	head -c "$size" /dev/urandom | dd of=$file conv=notrunc bs=64k status=none
done
day '14 03:40'
seal night
work 11-14
day '14 12:00'
seal 2026-11-14
shred -n 0 -z -u /vault/backup.tar.gz
day '14 12:30'
seal backup-shredded
day '14 13:00'
dmdelta recover $name --from night --to night >/dev/null || [ $? = 4 ]
for n in 16 17; do
	work "11-$n"
	day "$n 19:00"
	seal "2026-11-$n"
done
# Pages of the database that a bad client wrote
pages 30 90
day '18 10:00'
seal bad-client
work 11-18
day '18 19:00'
seal 2026-11-18
stop
dmdelta replay $name --from bad-client --to bad-client --path /shop.db >/dev/null
start
work 11-19
day '19 12:00'
sync
dmdelta drop $name upgrade >/dev/null || :
TZ=UTC dmdelta map $name --output /get/map.svg
dmdelta log $name --graph --all
stop
