#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One round in the guest, for host.sh. Disks: origin, delta, the prepared delta.
#
# usage: round.sh SEED prepare
#        round.sh SEED LAST BEFORE AFTER replay|undo STEP    looks at what the LAST
#        round.sh SEED LAST BEFORE AFTER end                 cut left; then is cut
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
seed=$1
shift

load_module
origin=$(disk 0) delta=$(disk 1)
open_it() { "$DMDELTA" open v "$origin" "$delta" >/dev/null; }
hash() { blockdev --flushbufs $vault; sum_of $vault; }
apply="replay v --from 2 --to 2 --range 1MiB+8MiB --range 12MiB+8MiB"
apply() { "$DMDELTA" $apply; }
undo() { "$DMDELTA" undo v; }
# The steps of a command are its ioctls: each one changes something, or asks.
# (Its guard, a process of its own, does none as long as the command lives.)
steps() {
	strace -o /tmp/trace -e trace=ioctl "$DMDELTA" "$@" >/dev/null && grep -c ^ioctl /tmp/trace
}

prepare() {
	local before after

	noise "$origin" 1M 0 32 oflag=direct
	must "$DMDELTA" format "$origin" "$delta"
	must open_it
	noise $vault 64k 8 64 oflag=direct
	must "$DMDELTA" checkpoint v --label good >/dev/null
	noise $vault 64k "$(pick 1 20 40)" 250 oflag=direct
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	noise $vault 64k "$(pick 2 60 130)" 100 oflag=direct
	before=$(hash)
	ok "apply" apply
	after=$(hash)
	not_ok "... changes something" [ "$before" = "$after" ]
	ok "undo" undo
	is "$(hash)" "$before" "... gives the bytes of before"
	ok "apply again" apply
	is "$(hash)" "$after" "... gives the same bytes"
	ok "undo" undo
	ok "undo of the undo" undo
	is "$(hash)" "$after" "... gives the applied bytes"
	ok "undo of that" undo
	is "$(hash)" "$before" "... and so on"
	diag "before $before"
	diag "after $after"
	diag "steps replay $(steps $apply)"
	diag "steps undo $(steps undo v)"
	ok "close" "$DMDELTA" close v
	finish
}

# look_after CUT BEFORE AFTER: what did the cut leave?
look_after() {
	local now

	expect_sound "$delta" "cut in $1: dmdelta check finds nothing"
	ok "cut in $1: it opens" open_it
	is "$(status_word v 15)" - "cut in $1: no replay is open"
	now=$(hash)
	like "$now" "^($2|$3)$" "cut in $1: the bytes of before or of after"
	if [ "$now" = "$2" ]; then
		diag "$1: before"
		ok "cut in $1: apply" apply
		is "$(hash)" "$3" "cut in $1: ... the same bytes"
	else
		diag "$1: after"
	fi
	ok "cut in $1: undo" undo
	is "$(hash)" "$2" "cut in $1: ... the bytes of before"
	ok "cut in $1: close" "$DMDELTA" close v
}

[ "$1" != prepare ] || prepare
[ "$1" = none ] || look_after "$1" "$2" "$3"
[ "$4" != end ] || finish

dd if="$(disk 2)" of="$delta" bs=1M conv=fsync status=none
must open_it
operation=$apply
if [ "$4" = undo ]; then
	must apply >/dev/null
	operation="undo v"
fi
# Stopped by the step's own system call, so the step is done and the next is not
strace -o /tmp/trace -e trace=ioctl -e inject=ioctl:signal=SIGSTOP:when="$5" \
	"$DMDELTA" $operation >/tmp/said 2>&1 &
for ((i = 0; i < 1200; i++)); do
	grep -q 'stopped by SIGSTOP' /tmp/trace && break
	kill -0 $! 2>/dev/null || break
	sleep 0.1
done
# (How often it asks how far a replay is differs: the last step may be behind.)
if grep -qE 'stopped by SIGSTOP|exited with 0' /tmp/trace; then
	pass "$4 was stopped after step $5"
else
	fail "$4 was stopped after step $5"
	diag "$(cat /tmp/said)" "$(tail -n 3 /tmp/trace)"
fi
stty -F /dev/ttyS1 raw
vm-cut
sleep 60
