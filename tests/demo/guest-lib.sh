# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for those that source it
#
# For the demo's scripts in the VM: narration, claims, and the record.
#
# The record is a disk that deltarec has nothing to do with, mounted at /record:
#   twin/       the base image's files; all good work is done there as well, and
#               none of the intruder's. So it is what we want to end up with
#   sums/       checksums of all files of the twin, a file for each day
#   victims, pages, ...   what the intruder wrote to
#   claims, times, measured-*   how it went, for the host to read
# The twin gets an order only after the database on the vault has acknowledged
# it: its table of orders is the list of acknowledged transactions.

export PATH=/put:$PATH
record=/record twin=/record/twin
origin=$(readlink -f /dev/vm/disk0)
delta=$(readlink -f /dev/vm/disk1)
vault=/dev/mapper/vault
shop=/vault/srv/shop/shop.db

bold='' good='' bad='' plain=''
if [ -n "${COLOURS-}" ]; then
	bold=$'\e[1m' good=$'\e[32m' bad=$'\e[1;31m' plain=$'\e[0m'
fi

# --- telling -------------------------------------------------------------------

say() { printf '%s\n' "$@"; }

# step NUMBER TITLE: a heading; the time is taken from here to the next one
step() {
	printf '\n%s%s. %s%s\n\n' "$bold" "$1" "$2" "$plain"
	echo "$EPOCHREALTIME $1 $2" >>$record/times
}

# show COMMAND: as a user would type it. It must succeed.
show() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	(eval "$1") || {
		claim "'$1' succeeds" false
		finish "ended here"
		exit 1
	}
}

# show_failure COMMAND: it must not succeed
show_failure() {
	printf '%s$ %s%s\n' "$bold" "$1" "$plain"
	(set -o pipefail; eval "$1" 2>&1) &&
		claim "'$1' finds something" false
	return 0
}

# show_claim TEXT COMMAND: a claim that a user's command proves
show_claim() {
	printf '%s$ %s%s\n' "$bold" "$2" "$plain"
	(set -o pipefail; eval "$2" 2>&1)
	claim "$1" [ $? = 0 ]
}

# claim TEXT COMMAND...: the text is true if the command succeeds; its output is
# shown if it does not.
claim() {
	local text=$1 out

	shift
	if out=$("$@" 2>&1); then
		printf '%s  ok%s      %s\n' "$good" "$plain" "$text"
		echo "ok $text" >>$record/claims
	else
		printf '%s  FAILED%s  %s\n' "$bad" "$plain" "$text"
		head -n 20 <<<"$out"
		echo "FAILED $text" >>$record/claims
	fi
}

# finish TEXT: the last word in the record, "done NAME" if all went its way. Only
# the record is written out, not the vault.
finish() {
	echo "$EPOCHREALTIME" >>$record/times
	dmesg | grep -E 'deltarec|WARNING|BUG' | tail -n 20 >>$record/kernel-log
	echo "$*" >>$record/claims
	sync -f $record
}

# --- looking -------------------------------------------------------------------

# sums DIRECTORY: checksums of its files. The database is looked at by content.
sums() {
	(cd "$1" && find . -type f ! -path './srv/shop/*' -print0 | sort -z |
		xargs -0 sha256sum)
}

# look: at the vault's files, for same_sums and measure
look() { sums /vault >/run/now; }
same_sums() { diff "$record/sums/$1" /run/now; }

integrity() { [ "$(sqlite3 "$1" 'PRAGMA integrity_check' 2>&1)" = ok ]; }

# query SQL: of the vault's database (main) and the record's (twin)
query() {
	sqlite3 -bail -cmd '.timeout 20000' "$shop" \
		"ATTACH '$twin/srv/shop/shop.db' AS twin; $1"
}

# lacks TABLE, adds TABLE: how many rows of the record's table the vault has not,
# and the other way round
lacks() {
	query "SELECT count(*) FROM
		(SELECT * FROM twin.$1 EXCEPT SELECT * FROM main.$1)"
}
adds() {
	query "SELECT count(*) FROM
		(SELECT * FROM main.$1 EXCEPT SELECT * FROM twin.$1)"
}
same_table() { [ "$(lacks "$1") $(adds "$1")" = '0 0' ]; }

# show_fsck: the file system's check, changing nothing
show_fsck() {
	local command="e2fsck -fn $vault"

	[ "$FS" = ext4 ] || command="xfs_repair -n $vault 2>&1 | tail -n 3"
	show_claim "the file system's check finds nothing" "$command"
}

# measure NAME: what of the damage is undone and what of the good work since
# tuesday is there, each as "got total", for the table at the end
measure() {
	local got

	{
		awk 'FILENAME == ARGV[1] { victim[$1]; next }
		FILENAME == ARGV[2] { was[$2] = $1; all[$2]; next }
		FILENAME == ARGV[3] { want[$2] = $1; all[$2]; next }
		{ now[$2] = $1; all[$2] }
		END {
			for (f in victim) {
				total++
				back += f in now && (now[f] == was[f] ||
						     now[f] == want[f])
			}
			print "files", back + 0, total
			for (f in all) {
				if (was[f] == want[f])
					continue
				work++
				kept += now[f] == want[f]
			}
			print "work", kept + 0, work
		}' $record/victims $record/sums/tuesday $record/sums/thursday \
			/run/now
		# blocks of the archive that differ from the record's
		got=$(cmp -l "$shop" $twin/srv/shop/shop.db 2>/dev/null |
			awk '!cmp { page[$1]; total++; next }
			{ bad[int(($1 - 1) / 4096) + 1] }
			END {
				for (p in bad)
					total -= p in page
				print total
			}' $record/pages cmp=1 -)
		echo "pages $got $(wc -l <$record/pages)"
		query "SELECT 'orders ' || count(main.orders.id) || ' ' || count(*)
			FROM twin.orders LEFT JOIN main.orders USING(id, customer, amount, day)
			WHERE twin.orders.day IN ('wednesday', 'thursday')"
		echo "integrity $(integrity "$shop" && echo ok || echo broken)"
	} >"$record/measured-$1"
}
