# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For cases that run dmdelta over fake-dm.c:  . "$(dirname "$0")/lib.sh"
#
# Builds the tool as $dmdelta; a case begins with "fresh", says what comes of it
# with "result" and ends with: echo "1..$n".
# shellcheck source=tests/cli/tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"
said() { cat "$tmp/out" "$tmp/err" "$tmp/fake/log" 2>/dev/null; }

echo TAP version 13
dmdelta=$tmp/dmdelta
# shellcheck disable=SC2086 # MAKE_ARGS is several
make --no-print-directory -s -j"$(nproc)" -C "$top/userspace" BUILD="$tmp/build" \
	TOOL="$dmdelta" DM="$top/tests/cli/fake-dm.c" \
	${MAKE_ARGS-} >"$tmp/out" 2>&1
result $? "the tool is built over the fake"
[ -x "$dmdelta" ] || { echo "1..$n"; exit 1; }
export FAKE=$tmp/fake
# With SANITIZE=1: a crash that a test asks for is to be one.
export ASAN_OPTIONS=${ASAN_OPTIONS-}:handle_segv=0

# A base, three epochs and the head 4
fresh() {
	rm -rf "$FAKE"
	mkdir "$FAKE"
	truncate -s 1M "$FAKE/node"
	: >"$FAKE/log"
	cat >"$FAKE/epochs" <<-'EOF'
		0 - sealed - - 0 format - -
		1 0 sealed 1700000000 good 10 format - frozen
		2 1 sealed 1700000060 - 20 checkpoint - crash
		3 2 dropped 1700000120 old 1 checkpoint - crash
		4 3 head - - 5 checkpoint - -
	EOF
}

# run STATUS [VARIABLE=VALUE...] ARGUMENT...
run() {
	local want=$1 status

	shift
	local -a settings=()
	while [[ $1 == FAKE* ]]; do settings+=("$1"); shift; done
	# The shell would tell of the signals that FAKE_SIGNAL asks for.
	{
		env TZ=UTC LC_ALL="${LOCALE:-C}" "${settings[@]}" "$dmdelta" \
			"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
		status=$?
	} 2>/dev/null
	[ $status = "$want" ] || { echo "# status $status"; return 1; }
}
# What a note says is looked at elsewhere.
did() {
	sed 's/^\(note begin\|note add\) .*/\1/' "$FAKE/log" |
		diff <([ $# = 0 ] || printf '%s\n' "$@") - >"$tmp/did" 2>&1
}
# The log ends so; once the guard has come to it, which may take its time
ends() { [ "$(tail -n "$(wc -l <<<"$1")" "$FAKE/log")" = "$1" ]; }
ends_soon() {
	local i

	for ((i = 0; i < 600; i++)); do
		ends "$1" && return
		sleep 0.1
	done
	return 1
}
# We and the guard were locked into memory while the device was suspended. The
# sanitizers do without, and who is not root may not.
locked() {
	[ -n "${MAKE_ARGS-}" ] || [ "$(id -u)" != 0 ] ||
		[ "$(awk '$2 > 1000' "$FAKE/locked" | wc -l)" = 2 ]
}
says() { grep -qE -- "$1" "$tmp/out" "$tmp/err"; }
json() { python3 -c "import json, sys; d = json.load(open('$tmp/out')); sys.exit(not ($1))"; }
