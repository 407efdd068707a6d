#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A small delta is turned over many times under random and sequential writes
# and a policy: nothing is refused, and no more is used than the policy needs
# ("Running for ever" in deltarec.rst).
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

turns=$([ -n "$DEEP" ] && echo 100 || echo 12)
device=8		# MiB
newest=2
# What the policy keeps, the head, what is older, and what undo returns to: an
# epoch takes no more than the device has. And two that are on their way out.
delta_mib=$(((newest + 3 + 2) * device * 109 / 100))

make_pair $device $delta_mib
open_pair v
dev=$(dev_of v)
dm=dm-$(dmsetup info -c --noheadings -o minor delta)
full_before=$(dmesg | grep -c 'is full')
total=$(status_word v 4) total=${total#*/}
epoch=$((device * 256))
fixed=$(status_word v 4) fixed=${fixed%/*}
must cp --sparse=never "$origin" mirror
dd if=/dev/urandom of=pool bs=1M count=64 status=none
ok "a policy" "$DMDELTA" retain v newest=$newest every=1s low=30

# --- what is measured ----------------------------------------------------------------

taken=0 before=0 rounds=0 most=0 pending=0 over=''
# within: each epoch that is there, which those are that were dropped and are not
# yet reclaimed, and what is older than all of them
within() {
	read -ra w <<<"$(status_of v)"
	[ "${w[6]}" = full ] && full=" full"
	used=${w[3]%/*} bound=$((fixed + w[4] + (w[8] + 1) * epoch))
	[ "$used" -le $bound ]
}
# An epoch leaves the table before its slots are free: no reader is to be left.
look() {
	local w used bound behind full=''

	within
	[ "$used" -gt $most ] && most=$used
	# All blocks that were handed out, over all opens
	taken=$((before + ${w[16]%/*})) behind=${w[13]%,*} behind=${behind/-/0}
	[ "$behind" -gt "$pending" ] && pending=$behind
	[ "$used" -le "$bound" ] || eventually 120 within || over+=" $used>$bound"
	over+=$full
}
# stat: $requests and $sectors that were written to the delta so far
stat() { read -r _ _ _ _ requests _ sectors _ <"/sys/block/$dm/stat"; }
# random SEED: reads and writes of up to 16 KiB, held against the mirror
random() { fsx-lite -b -n -d -a 4096 -o 16384 -N 400 -S "$1" -m mirror "$dev" >fsx.out 2>&1; }
# sequential N: half of the device in pieces of 256 KiB
sequential() {
	local at=$(($1 % 2 * device * 2)) from=$(($1 % 13 * 16))

	dd if=pool of="$dev" bs=256k count=$((device * 2)) skip=$from seek=$at oflag=direct status=none conv=notrunc &&
		dd if=pool of=mirror bs=256k count=$((device * 2)) skip=$from seek=$at status=none conv=notrunc
}
round() {
	local requests sectors r s t

	rounds=$((rounds + 1))
	random $rounds || return
	stat
	r=$requests s=$sectors t=${EPOCHREALTIME/./}
	sequential $rounds || return
	stat
	r=$((requests - r)) s=$((sectors - s)) t=$((${EPOCHREALTIME/./} - t))
	look
	echo "$((taken * 10 / (turns * total))) $r $s $t" >>rounds
}
# until_ TENTHS DESCRIPTION: the load goes on to there (not in a subshell)
until_() {
	while [ $((taken * 10)) -lt $(($1 * turns * total)) ]; do
		if ! round || { [ $((rounds % 10)) = 0 ] && ! peek_back; }; then
			fail "$2"
			diag "round $rounds" "$(status_of v)" "$(tail -n 5 fsx.out)"
			return 1
		fi
	done
	pass "$2"
}
# A view of the newest epoch holds it, and shows the same all that time.
peek_back() {
	local e

	e=$(checkpoint v) && "$DMDELTA" view v "$e" w >/dev/null && cp mirror seen || return
	cmp seen "$(dev_of w)" || { diag "epoch $e is not what was written"; return 1; }
	round && blockdev --flushbufs "$(dev_of w)" && cmp seen "$(dev_of w)" &&
		"$DMDELTA" close w
}

# --- the load -----------------------------------------------------------------------------

until_ 3 "three tenths"
expect v mirror "the device holds what was written"
e=$(checkpoint v)
must msg v mark "$e" pinned >/dev/null
cp mirror past
must random 77777
must cp mirror left
rollback v "$e" >/dev/null
cp past mirror
expect v mirror "a rollback"
not_ok "... leaves something behind" cmp -s mirror left
rm left past
must msg v mark "$e" unpinned >/dev/null
until_ 6 "six tenths"
look
before=$taken
ok "close" "$DMDELTA" close v
expect_sound "$delta"
open_pair v
expect v mirror "an open"
until_ 10 "ten tenths: $((turns * total / 256)) MiB of versions in $((total / 256)) MiB"

# --- what came of it -------------------------------------------------------------------------

is "$over" "" "never was more used than the epochs that were there need"
is "$(dmesg | grep -c 'is full')" "$full_before" "it was never full"
diag "rounds: $rounds; used at most $most of $total, dropped but not reclaimed at most $pending"
# How many epochs there are at once depends on the clock, and on that how free
# space lies; so these are not held against each other here.
# Of each tenth: rounds, and of the sequential writes requests to the delta for
# each MiB, 4 KiB blocks in one, MiB/s
awk -v mib=$((device / 2)) '{ n[$1]++; r[$1] += $2; s[$1] += $3; t[$1] += $4 }
	END { for (i = 0; i < 10; i++) printf "%d %d %.2f %.1f %.1f\n", i + 1, n[i],
		r[i] / n[i] / mib, s[i] / r[i] / 8, n[i] * mib / t[i] * 1e6 }' rounds >tenths
diag "tenth, rounds, requests a MiB, blocks in each, MiB/s:" "$(cat tenths)"
drop_cache "$dev"
expect v mirror "the device holds what was written last"
ok "writes end" checkpoint v
ok "reclaim ends" settle v
"$DMDELTA" close v
expect_sound "$delta"
open_pair v
expect v mirror "... and after another open"
"$DMDELTA" close v
finish
