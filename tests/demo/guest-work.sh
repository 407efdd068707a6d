# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of guest-lib.sh
#
# Good work of a day, for guest-story.sh: done on the vault and on the record's
# twin. (None of it knows that there is a device underneath that remembers.)

# An epoch holds what the file system wrote, not what the application did: XFS
# in kernels before 6.6 writes a whole folio of the page cache (up to 128 KiB
# here) when a part of it is dirty, its neighbours' bad content included. Such
# blocks count as written later, and replay keeps them. So no good work here
# lies within 128 KiB, aligned, of what the intruder wrote to.

# letters DAY: eight new ones and the text that goes below four old ones, once
letters() {
	mkdir -p "/run/work/$1"
	awk -v dir="/run/work/$1" -v day="$1" 'BEGIN {
		for (n = 1; n <= 8; n++) {
			file = dir "/" day "-" n ".txt"
			for (i = 1; i <= 40 * n; i++)
				print day, "letter", n, "line", i >file
			close(file)
		}
		for (i = 1; i <= 100; i++)
			print "answered on", day, i >(dir "/answer")
		for (i = 1; i <= 2048; i++)	# 128 KiB: half of plan.txt
			printf "%-63s\n", "Plan, seen again on " day ", line " i \
				>(dir "/plan")
	}'
}

# files DAY DIRECTORY: letters written, answered, renamed, thrown away
files() {
	local work=/run/work/$1 dir=$2/srv/documents i

	cp "$work/$1"-*.txt "$dir/" || return
	case $1 in
	tuesday) i=1 ;;
	wednesday) i=2 ;;
	*) i=3 ;;
	esac
	# the first in place, the second as an editor saves, with a new file
	cat "$work/answer" >>"$dir/letter-${i}0.txt"
	cat "$dir/letter-${i}1.txt" "$work/answer" >"$dir/.new"
	mv "$dir/.new" "$dir/letter-${i}1.txt"
	mv "$dir/letter-${i}2.txt" "$dir/done-${i}2.txt"
	rm "$dir/letter-${i}3.txt"
	# The plan's author types its first half anew, without a look at the rest.
	[ "$1" != thursday ] ||
		dd if="$work/plan" of="$dir/plan.txt" bs=4096 conv=notrunc status=none
	sync -f "$2"
}

# orders DAY COUNT: prints the transactions, each first for the vault's database
# and, when that has returned, for the record's
orders() {
	echo ".timeout 20000"
	echo "ATTACH '$twin/srv/shop/shop.db' AS twin;"
	awk -v day="$1" -v count="$2" -v first="$(query \
		'SELECT 1 + max(id) FROM twin.orders')" 'BEGIN {
		for (id = first; id < first + count; id++)
			for (side = 0; side < 2; side++) {
				db = side ? "twin" : "main"
				printf "BEGIN;" \
				"INSERT INTO %s.orders VALUES(%d,%ccustomer %d%c,%d,%c%s%c);" \
				"UPDATE %s.stock SET pieces=pieces-%d WHERE item=%d;" \
				"COMMIT;\n", db, id, 39, id % 97, 39, id * 37 % 991,
				39, day, 39, db, id % 5, id % 50
			}
	}'
}

# good_work DAY ORDERS
good_work() {
	letters "$1"
	orders "$1" "$2" >"/run/work/$1/orders.sql"
	files "$1" /vault && files "$1" $twin &&
		sqlite3 -bail "$shop" <"/run/work/$1/orders.sql" &&
		say "  (good work of $1: 8 letters written, 2 answered, 1 renamed," \
			"   1 thrown away; $2 orders taken)"
}

# record_day DAY: what the files should be from now on
record_day() { sums $twin >"$record/sums/$1"; }
