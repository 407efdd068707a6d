#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=300
#
# What 'make install' puts beside the tool: systemd units that systemd takes,
# and the program that they run.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

echo TAP version 13
make --no-print-directory -s -C "$top/userspace" install PREFIX="$tmp/inst" >"$tmp/out" 2>&1
result $? "the tool is installed"
units=$tmp/inst/lib/systemd/system
if systemd-analyze --version >/dev/null 2>&1; then
	for unit in "$units"/*; do
		instance=$tmp/$(basename "${unit/@/@my-disk}")
		cp "$unit" "$instance"
	done
	for instance in "$tmp"/*@*; do
		# It names what it does not understand, or does not find.
		systemd-analyze verify --man=no "$instance" >"$tmp/out" 2>&1 &&
			! grep -q dmdelta "$tmp/out"
		result $? "systemd understands $(basename "$instance")"
	done
else
	n=$((n + 1))
	echo "ok $n - systemd understands the units # SKIP no systemd-analyze"
fi
! grep -l '@[A-Z]*@' "$units"/* >"$tmp/out"
result $? "all paths are filled in"

# act NAME=VALUE...: as the service runs it
act() {
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DMDELTA_DEVICE=nosuch "$@" \
		"$tmp/inst/libexec/dmdelta-act" >"$tmp/out" 2>&1
}
act DMDELTA_EVENT=space DMDELTA_SPACE=low && grep -q 'nosuch: space is low: drop' "$tmp/out"
result $? "little space is said where nothing says what to do"
act DMDELTA_EVENT=space DMDELTA_SPACE=ok && [ ! -s "$tmp/out" ]
result $? "enough space is no matter"
act DMDELTA_EVENT=present DMDELTA_MODE=rw DMDELTA_SPACE=critical && grep -q 'nosuch: space is critical: drop' "$tmp/out"
result $? "little space is said of a device that is there already"
act DMDELTA_EVENT=present DMDELTA_MODE=Fail DMDELTA_SPACE='' && [ ! -s "$tmp/out" ]
result $? "nothing is enlarged for a device that has failed"
act DMDELTA_EVENT=opened DMDELTA_MODE=ro DMDELTA_SPACE=full && [ ! -s "$tmp/out" ]
result $? "... nor for one that may only be read"
act DMDELTA_EVENT=space DMDELTA_SPACE=other && [ ! -s "$tmp/out" ]
result $? "... nor for a word that is not known"
act DMDELTA_EVENT=mode DMDELTA_MODE=ro && grep -q 'nosuch: the mode is ro' "$tmp/out"
result $? "a mode that has changed is said"
act DMDELTA_EVENT=checkpoint DMDELTA_EPOCH=1 && [ ! -s "$tmp/out" ]
result $? "a checkpoint is no matter"
echo "1..$n"
