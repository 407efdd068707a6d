#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=600
#
# The control: does the machinery fail when it must? Machines and cases that
# panic, hang, keep silent, break off, dirty the kernel log or lose their plan
# have to be reported as failed, and what stands beside them as passed.
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"
cd "$top" || exit 1

# shellcheck source=tests/cli/tap.sh
. tests/cli/tap.sh
diag() { sed 's/^/# /' "$@"; }

# --- scripts/vm ---------------------------------------------------------------

# status_is WANTED DESCRIPTION VM-ARGUMENT...
status_is() {
	local want=$1 what=$2 status

	shift 2
	scripts/vm --cpus 1 "$@" >"$tmp/out" 2>&1
	status=$?
	[ $status = "$want" ]
	result $? "$what: status $want"
	[ $status = "$want" ] || { echo "# status $status"; diag "$tmp/out"; }
}

status_is 7 "the script's own status comes back, and its files" \
	--get "$tmp/get" -c 'echo text >/get/file; exit 7'
[ "$(cat "$tmp/get/file" 2>/dev/null)" = text ]
result $? "what the script left in /get"
status_is 125 "a power cut that nobody expects" -c vm-poweroff
status_is 125 "an orderly end instead of a power cut" --expect-death -c true
status_is 124 "a guest that hangs" --timeout 6 -c 'sleep 600'
status_is 125 "a machine that does not come up" --append init=/nonexistent -c true
[ "$(grep -c 'once more' "$tmp/out")" = 2 ]
result $? "... was tried three times"

# The power goes while a file system is being written to; the disk stays.
truncate -s 64M "$tmp/disk"
status_is 0 "a power cut by the host" --expect-death --disk "$tmp/disk" -c '
	mkfs.ext4 -q /dev/vm/disk0 && mount /dev/vm/disk0 /mnt &&
	echo kept >/mnt/kept && sync && vm-cut
	while :; do date >>/mnt/more; done'
e2fsck -fy "$tmp/disk" >/dev/null 2>&1
debugfs -R 'cat /kept' "$tmp/disk" 2>/dev/null | grep -qx kept
result $? "what was synced before the cut is on the disk"

# --- guest cases ----------------------------------------------------------------

mkdir -p "$tmp/put/tests/dm"
cp tests/dm/lib.sh tests/dm/run-guest "$tmp/put/tests/dm/"
add_case() { # NAME [TIME LIMIT], the rest of the case on standard input
	mkdir "$tmp/put/tests/dm/$1"
	{
		# shellcheck disable=SC2016 # for the case
		printf '#!/bin/bash\n. "$(dirname "$0")/../lib.sh"\n'
		cat
	} >"$tmp/put/tests/dm/$1/guest.sh"
	chmod 755 "$tmp/put/tests/dm/$1/guest.sh"
	echo "timeout=${2:-60}" >"$tmp/put/tests/dm/$1/settings"
}
add_case 10-good <<<'plan 1; pass this; finish'
add_case 20-bad <<<'fail this; finish'
add_case 21-silent <<<'finished=1; exit 0'
add_case 22-breaks-off <<<'pass this; exit 0'
add_case 23-plan <<<'plan 3; pass this; finish'
add_case 24-log <<<'pass this; echo "<4>WARNING: CPU: 0 PID: 1 (a test)" >/dev/kmsg; finish'
add_case 25-hangs 5 <<<'pass this; sleep 600'
add_case 26-skips <<<'skip_all nothing to do'
add_case 27-leaves <<<'linear lin "$(disk 0)"; mkfs.ext4 -q /dev/mapper/lin; mount /dev/mapper/lin /mnt; pass this; finish'
add_case 28-bails <<<'pass this; must false; finish'
add_case 29-bails-below <<<'pass this; (must false); finish'
add_case 30-panics <<<'pass this; echo c >/proc/sysrq-trigger; sleep 600'
add_case 31-after <<<'pass this; finish'
mapfile -t cases < <(cd "$tmp/put/tests" && printf '%s\n' dm/[0-9]*)
PATIENCE=1 tests/tools/vm-cases "$tmp/logs" "$tmp/put" "${cases[@]}" \
	>"$tmp/cases" 2>"$tmp/errors"

# case_is pass|fail|skip NAME WHY
case_is() {
	local verdict=pass status log

	read -r _ status _ log < <(grep "^dm/$2 " "$tmp/cases")
	if [ -z "$log" ]; then
		verdict='not reported'
	elif grep -q 'failed to execute' "$log"; then
		verdict='not run'
	else
		tests/tools/tap -v suite="$2" -v status="$status" "$log" \
			>"$tmp/verdict"
		if grep -q ^fail "$tmp/verdict"; then
			verdict=fail
		elif grep -q ^skip "$tmp/verdict"; then
			verdict=skip
		fi
	fi
	[ "$verdict" = "$1" ]
	result $? "a case that $3: $1"
	[ "$verdict" = "$1" ] || { echo "# $verdict"; [ -z "$log" ] || diag "$log"; }
}
case_is pass 10-good "passes"
case_is fail 20-bad "fails"
case_is fail 21-silent "prints nothing"
case_is fail 22-breaks-off "ends before its end"
case_is fail 23-plan "keeps less than its plan"
case_is fail 24-log "leaves a warning in the kernel log"
case_is fail 25-hangs "hangs"
case_is skip 26-skips "skips itself"
case_is pass 27-leaves "leaves a mounted device behind"
case_is fail 28-bails "bails out"
case_is fail 29-bails-below "bails out in a subshell, and goes on"
case_is fail 30-panics "panics"
case_is pass 31-after "comes after a panic"
diag "$tmp/errors"

# --- the counting -----------------------------------------------------------------

tap_is() { # WANTED STATUS TEXT DESCRIPTION
	local got

	got=$(printf '%b' "$3" | tests/tools/tap -v suite=s -v status="$2" |
		tr '\n' ';')
	[ "$got" = "$1" ]
	result $? "counting: $4"
	[ "$got" = "$1" ] || echo "# got $got"
}
tap_is 'pass;' 0 '1..1\nok 1 - a\n' "a pass"
tap_is 'fail s: exit status 1;' 1 '' "a failure without output"
tap_is 'fail s: no results;' 0 'hello\n' "success without results"
tap_is 'pass;fail s: exit status 2;' 2 '1..1\nok 1 - a\n' "a late failure"
tap_is 'pass;fail s: b;' 1 '1..2\nok 1 - a\nnot ok 2 - b\n' "a failed result"
tap_is 'pass;fail s: planned 2 results, gave 1;' 0 '1..2\nok 1 - a\n' \
	"a plan that was not kept"
tap_is 'pass;fail s: Bail out! no disk;' 1 'ok 1 - a\nBail out! no disk\n' \
	"a test that bails out"
tap_is 'pass;fail s: Bail out! no disk;' 0 'ok 1 - a\nBail out! no disk\n1..1\n' \
	"a test that bails out and goes on"
tap_is 'skip s: 1..0 # SKIP why;' 4 '1..0 # SKIP why\n' "a test that skips itself"
tap_is 'skip s;' 4 '' "the same without a word"
tap_is 'pass;fail s: exit status 4;' 4 '1..1\nok 1 - a\n' "a result, then status 4"
tap_is 'skip s: b # SKIP why;pass;' 0 '1..2\nok 1 - b # SKIP why\nok 2\n' \
	"a skipped result"
tap_is 'pass;fail s: t2;' 1 \
	'[       OK ] t1\n[  FAILED  ] t2\n[  FAILED  ] 1 test(s)\n[  FAILED  ] t2\n' \
	"the words of cmocka"
echo "1..$n"
