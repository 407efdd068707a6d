#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Two databases on the device, in use before, during and after an attack that
# trojans /usr and overwrites pages of a table. Blocks bring the pages back, files
# bring /usr back; every transaction that was acknowledged is there.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

FREE_MIB=
pg=$there/srv/pg shop=$there/srv/shop.db said=/tmp/case/acknowledged
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
start() {
	as_postgres pg_ctl -D $pg -w -t 120 -l /tmp/pg.log start \
		-o "-k /tmp -c listen_addresses= -c shared_buffers=16MB -c max_wal_size=64MB" >/dev/null
}
stop() { as_postgres pg_ctl -D $pg -w -t 120 -m "${1:-fast}" stop >/dev/null; }
sql() { psql -h /tmp -U postgres -qAtX "$@" bank; }
amcheck() { pg_amcheck -h /tmp -U postgres --install-missing --heapallindexed bank; }
# The archive's rows follow from their numbers.
archive_whole() {
	[ "$(sql -c "SELECT count(*) FROM archive WHERE note = md5(id::text)" 2>&1)" = 20000 ]
}

# Each client writes down what was acknowledged, outside of the device.
trade() {
	as_postgres pgbench -h /tmp -U postgres -n -c 2 -j 2 -t "$2" -l --random-seed="$seed" \
		--log-prefix="$said/$1" bank >/tmp/case/pgbench-"$1" 2>&1
}
acknowledged() { cat $said/* | wc -l; }
orders() {
	local id

	for ((id = $2; id < $2 + $3; id++)); do
		sqlite3 -bail "$shop" "INSERT INTO orders VALUES($id, '$1 $id')" &&
			echo "$id|$1 $id" >>/tmp/case/orders || return
	done
}

setup() {
	mkdir -p $there/srv $there/usr/bin $said
	cp -L /usr/bin/{bash,ls} $there/usr/bin/
	install -d -o postgres -g postgres -m 700 $pg
	chown postgres $said
	as_postgres initdb -N --no-locale -E UTF8 -U postgres -A trust -k \
		--wal-segsize=1 -D $pg >/tmp/case/initdb 2>&1 && start || return
	psql -h /tmp -U postgres -qX -c 'CREATE DATABASE bank' postgres &&
		as_postgres pgbench -h /tmp -U postgres -i -q bank >/tmp/case/init 2>&1 &&
		sql -c 'CREATE EXTENSION amcheck' -c 'CREATE TABLE archive AS
			SELECT id, md5(id::text) AS note FROM generate_series(1, 20000) id' \
			-c 'CREATE INDEX ON archive(id)' -c 'VACUUM FREEZE archive' \
			-c CHECKPOINT || return
	sqlite3 -bail "$shop" "CREATE TABLE archive(id INTEGER PRIMARY KEY, note);
		CREATE TABLE orders(id INTEGER PRIMARY KEY, note);
		INSERT INTO archive SELECT value, hex(value * 15485863)
			FROM generate_series(1, 20000)"
}

# Pages of the table and of SQLite's archive, in place; a program renamed over.
intrude() {
	local page at

	at=$(pick 2 20 80)

	noise "$there/$table" 8k "$(pick 1 5 60)" 40 &&
		sqlite3 "$shop" "SELECT pageno FROM dbstat WHERE name = 'archive' AND
			pagetype = 'leaf' AND pageno BETWEEN $at AND $at + 20" >/tmp/case/pages || return
	while read -r page; do
		noise "$shop" 4k $((page - 1)) 1 || return
	done </tmp/case/pages
	echo trojan >$there/usr/bin/.ls && chmod 755 $there/usr/bin/.ls &&
		mv $there/usr/bin/.ls $there/usr/bin/ls
}

scenario() {
	rm -rf $said /tmp/case/orders
	must new_pair "$f"
	must mount_fs
	must setup
	table=srv/pg/$(sql -c "SELECT pg_relation_filepath('archive')")
	ok "$what: trade before" trade before 50
	ok "$what: orders before" orders before 1 20
	ok "$what: amcheck finds nothing at first" amcheck
	must sql -c CHECKPOINT
	must "$DMDELTA" checkpoint v --label good >/dev/null

	trade during 100 &
	trading=$!
	ok "$what: the intruder writes $table" intrude
	ok "$what: orders meanwhile" orders during 21 20
	ok_wait "$what: trade meanwhile" $trading /tmp/case/pgbench-during
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	ok "$what: trade afterwards" trade after 100
	ok "$what: orders afterwards" orders after 41 20
	must stop
	must start
	not_ok "$what: the archive is damaged" archive_whole
	not_ok "$what: amcheck finds the damage" amcheck
	not_ok "$what: SQLite finds the damage" eval "sqlite3 $shop 'PRAGMA integrity_check' | grep -qx ok"
	must stop
	umount_fs

	ok "$what: the tables' pages come back as blocks" "$DMDELTA" replay v --from bad --to bad \
		--path "/$table" --path /srv/shop.db
	must mount_fs
	ok "$what: /usr comes back as files" "$DMDELTA" recover v --from bad --to bad --path '/usr/**'
	ok "$what: the program is the one of before" cmp /usr/bin/ls $there/usr/bin/ls
	must start
	ok "$what: every row of the archive is there" archive_whole
	ok "$what: amcheck finds nothing" amcheck
	is "$(sql -c 'SELECT count(*) FROM pgbench_history')" "$(acknowledged)" \
		"$what: all $(acknowledged) transactions that were acknowledged are there"
	is "$(sql -c 'SELECT (SELECT sum(delta) FROM pgbench_history) =
		ALL (ARRAY[(SELECT sum(abalance) FROM pgbench_accounts),
		(SELECT sum(bbalance) FROM pgbench_branches),
		(SELECT sum(tbalance) FROM pgbench_tellers)])')" t "$what: the accounts add up"
	must stop
	is "$(sqlite3 "$shop" 'PRAGMA integrity_check')" ok "$what: SQLite finds nothing"
	ok "$what: every order is there" cmp /tmp/case/orders \
		<(sqlite3 "$shop" 'SELECT * FROM orders ORDER BY id')
	is "$(sqlite3 "$shop" 'SELECT count(*) FROM archive WHERE note = hex(id * 15485863)')" \
		20000 "$what: and SQLite's archive"
	umount_fs
	is "$(fsck_fs)" clean "$what: the file system is clean"
	close_pair
}
each ${DEEP:+xfs} ext4
finish
