#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Power cuts at every write: a load is recorded once, and every state that a cut
# could have left is tried on the host, without a machine (tests/states/main.c).
#
# DEEP=1: a million of them, from ten recordings. What is done is kept in
# build/crash-states, and not done again by the next run with the same module.
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

# Sectors of the disk; the last block of the origin is not a whole one.
origin=0+2051 delta=8192+49152 marks=65536+65536
rounds=1 each=25000 operations=400
[ -z "${DEEP-}" ] || { rounds=10 each=100000 operations=800; }
states=$top/build/states/states

# try FILE OPTION...: all is as it must be
try() {
	"$states" -j "$(nproc)" "${@:2}" "$1" $origin $delta $marks >"$tmp/found" 2>&1
}
figure() { sed -n "s/^$1 //p" "$tmp/found"; }

# at_least N NAME: so many states of that kind
at_least() {
	[ "$(figure "$2")" -ge "$1" ] && result ok "there are states of this kind: $2" && return
	result "not ok" "there are states of this kind: $2: $(figure "$2"), should be $1 at least"
}

# controlled WHAT OPTION...: with this fault there is something to be found
controlled() {
	local status

	try "$tmp/log" "${@:2}"
	status=$?
	if [ $status = 1 ] && grep -q '^state ' "$tmp/found"; then
		result ok "control: $1 is noticed"
		sed -n 's/^state /# state /p' "$tmp/found" | head -n 1
	else
		result "not ok" "control: $1 is noticed (status $status)"
		sed 's/^/# /' "$tmp/found"
	fi
}

# record SEED
record() {
	rm -f "$tmp/disk" "$tmp/log"
	truncate -s 64M "$tmp/disk"
	boot "98-crash-states/record.sh $1 $operations $origin $delta $marks" \
		--disk "$tmp/disk,log=$tmp/log"
}

if ! make --no-print-directory -s -C "$top/tests/states" >"$tmp/make" 2>&1; then
	result "not ok" "the program that tries states"
	sed 's/^/# /' "$tmp/make"
	echo "1..$n"
	exit 1
fi

kept=$top/build/crash-states
[ -z "${DEEP-}" ] || mkdir -p "$kept"
sum=$(cat "$PUT/dm-deltarec.ko" "$states" "$PUT/crashload" | sha256sum | cut -c 1-16)

for ((round = 1; round <= rounds; round++)); do
	note=$kept/$sum.$round
	if [ -n "${DEEP-}" ] && [ -e "$note" ]; then
		result ok "round $round was done before: $(cat "$note")"
		continue
	fi
	record "$round" || break
	if try "$tmp/log" -S "$round" -n $each; then
		result ok "round $round: $(figure states) states, all as they must be"
	else
		result "not ok" "round $round: all states are as they must be"
		mkdir -p "$kept"
		cp "$tmp/log" "$kept/failed.$round"
		echo "# the recording: build/crash-states/failed.$round"
	fi
	sed 's/^/# /' "$tmp/found"
	grep -q '^state ' "$tmp/found" && break
	at_least $((each / 2)) states
	for what in twice went-on journal committing reclaiming replaying finished unfinished \
		asked-{checkpoint,rollback,replay-begin,replay-commit,replay-abort,drop,commit}; do
		at_least 1 "$what"
	done
	[ -z "${DEEP-}" ] || figure states >"$note"
done

if [ -s "$tmp/log" ]; then
	controlled "a delta that loses each fifth flush" -d 5 -n 20000
	controlled "an origin that loses its flushes" -o 1 -n 20000
	controlled "a recovery without barriers" -c -n 20000
fi
echo "1..$n"
