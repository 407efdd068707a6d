#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=120
#
# dmdelta's command line, on this machine and without device-mapper: help, bad
# usage, bad words, what format refuses, JSON, and the man page.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
dmdelta=${DMDELTA:-$top/userspace/dmdelta}
page=$top/Documentation/man/dmdelta.8

# run STATUS DESCRIPTION [PATTERN] -- ARGUMENT...: the exit status, and a
# pattern that stderr must match
run() {
	local want=$1 what=$2 pattern='' status

	shift 2
	[ "$1" = -- ] || { pattern=$1; shift; }
	shift
	"$dmdelta" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	[ $status = "$want" ] &&
		{ [ -z "$pattern" ] || grep -qE -- "$pattern" "$tmp/err"; }
	result $? "$what: status $want${pattern:+, says '$pattern'}"
	[ $status = "$want" ] ||
		sed 's/^/# /' "$tmp/out" "$tmp/err"
}

is_json() { python3 -m json.tool <"$tmp/out" >/dev/null; }

echo TAP version 13
[ -x "$dmdelta" ]
result $? "the tool is built"

# --- help, from the table of commands -----------------------------------------

commands=$("$dmdelta" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(wc -w <<<"$commands")" -ge 17 ]
result $? "help lists the commands"
for command in $commands; do
	run 0 "help $command" -- help "$command"
	grep -q "^Usage: dmdelta .*$command" "$tmp/out"
	result $? "help $command shows its usage"
	run 0 "$command --help" -- "$command" --help
	missing=
	for option in $("$dmdelta" help "$command" |
			sed -n 's/^  \(--[a-z-]*\).*/\1/p'); do
		sed 's/\\//g' "$page" | grep -q -e "$option" ||
			missing="$missing $option"
	done
	grep -q "^\.B $command$" "$page" && [ -z "$missing" ]
	result $? "the man page names $command and its options$missing"
	"$dmdelta" completion bash | grep -q "^_dmdelta_args\[$command\]="
	result $? "completion knows $command"
done
run 0 "json help" -- --json help
is_json
result $? "json help is JSON"
"$dmdelta" completion bash | bash -n
result $? "the completion script is a script"
cat >"$tmp/complete" <<-'EOF'
	eval "$("$1" completion bash)"
	COMP_WORDS=(dmdelta replay disk --d) COMP_CWORD=3
	_dmdelta
	echo "${COMPREPLY[*]}"
EOF
[ "$(bash "$tmp/complete" "$dmdelta")" = "--drop-later --dry-run" ]
result $? "options are completed"
for section in NAME SYNOPSIS DESCRIPTION COMMANDS OPTIONS "EXIT STATUS" \
	       EXAMPLES "SEE ALSO"; do
	grep -q "^\.SH $section$" "$page"
	result $? "the man page has $section"
done

# --- usage ---------------------------------------------------------------------

run 16 "no command" "^dmdelta: command: missing; see" --
run 16 "unknown command" "^dmdelta: bogus: no such command; " -- bogus
run 16 "help of an unknown command" "bogus: no such command" -- help bogus
run 16 "unknown option" "^dmdelta log: --bogus: no such option; " -- \
	log --bogus disk
run 16 "unknown short option" "-x: no such option" -- log -x disk
run 16 "option before its command" "--all: no such option" -- --all log disk
run 16 "missing word" "^dmdelta log: name: missing; see 'dmdelta help log'" -- \
	log
run 16 "second word missing" "rollback: epoch: missing" -- rollback disk
run 16 "one word too many" "log: 7: one word too many" -- log disk 7
run 16 "missing value" "--label: needs a value" -- checkpoint disk --label
run 16 "value that is not wanted" "takes no value" -- log --all=1 disk
run 16 "option twice" "given twice" -- checkpoint --label a --label b disk
run 16 "missing option" "replay: --from: missing" -- \
	replay disk --to 2 --range 0+8
run 16 "missing range" "replay: --range: missing" -- \
	replay disk --from 1 --to 2
run 16 "completion of another shell" "fish: no completion" -- completion fish
for command in $commands; do
	# These take any number of them.
	case $command in monitor) continue ;; esac
	run 16 "$command with five words" -- "$command" 1 2 3 4 5
done
run 0 "--json behind the command" -- version --json
is_json
result $? "--json behind the command is heeded"
run 16 "usage error in JSON" "no such option" -- log disk --bogus --json
is_json && grep -q '"thing":"--bogus"' "$tmp/out" &&
	grep -q '"exit":16' "$tmp/out"
result $? "a usage error is a JSON object, too"

"$dmdelta" monitor --list | sed 1d >"$tmp/events"
sed -n '/^\.SH EVENTS$/,/^\.SH /p' "$page" | sed -n '/^\.TP$/{n;s/^\.B //;s/\\//g;p}' |
	diff - <(awk '{ print $1 }' "$tmp/events") >"$tmp/out" && [ "$(wc -l <"$tmp/events")" -ge 10 ]
result $? "the man page has the events that there are, in their order"
sed 's/^/# /' "$tmp/out"
run 0 "events in JSON" -- monitor --list --json
is_json
result $? "... is JSON"
run 16 "an event that is none" "monitor: bogus: no such event" -- monitor --event bogus
run 16 "a program without a path" "sh: not the absolute path" -- monitor --exec sh
run 16 "a program that is none" "passwd: not the absolute path" -- monitor --exec /etc/passwd
for number in 0 -1 x "" 99999999999; do
	run 16 "count '$number'" -- monitor "--count=$number"
	run 16 "timeout '$number'" -- monitor "--timeout=$number"
done

# --- words ---------------------------------------------------------------------

for name in "a b" a/b /dev/sda "" control ..; do
	run 16 "name '$name'" "name (has|is)" -- status -- "$name"
done
for epoch in "" "~" "~1" "head~x" "3~-1" "a b" 99999999999999999999 4294967296 \
	     "head~99999999999999999999" \
	     "0123456789012345678901234567890123456789012345678"; do
	run 16 "epoch '$epoch'" "^dmdelta rollback: " -- \
		rollback disk -- "$epoch"
	grep -qF -- ": $epoch: " "$tmp/err" || [ -z "$epoch" ]
	result $? "... and names it"
done
run 16 "second epoch of diff" "diff: head~x: not an epoch" -- \
	diff disk 1 head~x
for range in 5 5+ +5 5+0 5+5X 5+1B 1KB+8 a+b 5-6 1+5+6 1.5K+8 -1+8 \
	     99999999999999999999+1 16E+1 18446744073709551615+8; do
	run 16 "range '$range'" "^dmdelta replay: $(sed 's/[+.]/\\&/g' \
		<<<"$range"): .*; see" -- \
		replay disk --from 1 --to 2 "--range=$range"
done
for range in 0+8 8s+8s 4KiB+1MiB 4K+1M 512B+1K 1024KB+64MB 1Gi+1GiB; do
	"$dmdelta" replay disk --from 1 --to 2 --range "$range" --dry-run \
		>/dev/null 2>"$tmp/err"
	[ $? = 8 ]
	result $? "range '$range' is understood"
done
for label in head base - 12 "a b" "a~b" "ä" \
	     "0123456789012345678901234567890123456789012345678"; do
	run 16 "label '$label'" "checkpoint: $label: label" -- \
		checkpoint disk "--label=$label"
done
for feature in bogus cache_mb= cache_mb=x cache_mb=1 cache_mb=99999 \
	       cache_mb=-5; do
	run 16 "feature '$feature'" "open: $feature: " -- \
		open disk /none /none "$feature"
done
run 16 "option --cache-mb 0" "--cache-mb: not from" -- \
	open --cache-mb 0 disk /none /none
run 16 "features that contradict" "contradicts" -- \
	open disk /none /none error_if_full queue_if_full
run 16 "... or so" "reclaim_if_full: contradicts queue_if_full" -- \
	open disk /none /none reclaim_if_full --queue-if-full
run 16 "a limit without a queue" "queue_seconds: needs queue_if_full" -- \
	open disk /none /none queue_seconds=9
run 16 "option --queue-seconds 0" "--queue-seconds: not from 1 to 86400" -- \
	open --queue-seconds 0 disk /none /none queue_if_full
for feature in nonpersistent= nonpersistent=maybe undoable=yes; do
	run 16 "feature '$feature'" "open: $feature" -- open disk /none /none "$feature"
done
run 16 "option --nonpersistent with another word" "neither keep nor discard" -- \
	open --nonpersistent=maybe disk /none /none
for both in "--nonpersistent --undoable" "--undoable --nonpersistent=keep" \
	    "--nonpersistent=keep --nonpersistent=discard"; do
	# shellcheck disable=SC2086 # two options
	run 16 "$both" "contradicts|given twice" -- open $both disk /none /none
done
run 16 "options and features that contradict" "contradicts" -- \
	open --undoable disk /none /none nonpersistent
run 8 "--nonpersistent takes its value behind '='" "/none: " -- \
	open --nonpersistent disk /none /none
run 16 "no delta" "open: delta: missing" -- open disk /none
for size in 0 x 5X -1; do
	run 16 "memory '$size'" "--memory: " -- \
		open disk /dev/null "--memory=$size"
done
run 16 "a delta beside --memory" "/none: no such feature" -- \
	open disk /none /none --memory 64M
run 16 "two answers" "contradicts --keep" -- close --keep --discard disk
run 16 "update of no word" "bogus: neither begin, end nor cancel" -- \
	update bogus disk
run 16 "update with a label for begin" "belongs to end" -- \
	update begin disk --label new
run 16 "update end with a bad label" "head: label" -- \
	update end disk --label head
run 16 "start with a bad epoch" "start: head~x: not an epoch" -- \
	start disk head~x

# --- format, check, dump on files ------------------------------------------------

truncate -s 64M "$tmp/origin"
truncate -s 32M "$tmp/delta"
for size in 4000 2K 2M 0 x 4X; do
	run 16 "block size $size" "format: $size: " -- \
		format --block-size "$size" "$tmp/origin" "$tmp/delta"
done
run 8 "no such origin" "/none: " -- format /none "$tmp/delta"
run 8 "a directory" "neither a block device" -- format "$tmp" "$tmp/delta"
run 8 "origin and delta the same" "same device" -- \
	format "$tmp/origin" "$tmp/origin"
ln -s origin "$tmp/link"
run 8 "... through a link" "same device" -- format "$tmp/origin" "$tmp/link"
truncate -s 1M "$tmp/small"
run 8 "too small a delta" "too small: it has 1 MiB .* are needed" -- \
	format "$tmp/origin" "$tmp/small"
needed=$(sed -n 's/.*at least .*(\([0-9]*\) bytes) are needed.*/\1/p' "$tmp/err")
truncate -s "${needed:-0}" "$tmp/small"
run 0 "as large as was asked for" -- format "$tmp/origin" "$tmp/small"
truncate -s 1000 "$tmp/odd"
run 8 "origin of no whole sectors" "multiple of a sector" -- \
	format "$tmp/odd" "$tmp/delta"
run 8 "open of what is not formatted" "not formatted" -- \
	open disk "$tmp/origin" "$tmp/delta"
run 8 "dump of what is not formatted" "not formatted" -- dump "$tmp/delta"
run 8 "check of what is not formatted" "not formatted" -- check "$tmp/delta"
mkfs=$(PATH=$PATH:/sbin:/usr/sbin type -P mkfs.ext4)
if [ "$mkfs" ]; then
	"$mkfs" -q "$tmp/delta"
	run 8 "a delta that holds a file system" "holds ext4; --force" -- \
		format "$tmp/origin" "$tmp/delta"
	run 0 "... with --force" -- \
		format --force "$tmp/origin" "$tmp/delta"
	[ "$(blkid -p -o value -s TYPE "$tmp/delta")" = "" ]
	result $? "... which erases its signature"
else
	run 0 "format" -- format "$tmp/origin" "$tmp/delta"
	echo "ok $((n += 1)) # SKIP mkfs.ext4 is not there"
fi
run 8 "a delta that is one already" "already; --force" -- \
	format "$tmp/origin" "$tmp/delta"
run 0 "format in JSON" -- --json format --force --block-size 64K --label new \
	"$tmp/origin" "$tmp/delta"
is_json && grep -q '"block_bytes": 65536' "$tmp/out"
result $? "format in JSON says what it made"
sha256sum "$tmp/delta" >"$tmp/sum"
run 0 "dump" -- dump "$tmp/delta"
grep -q '^label: *new' "$tmp/out"
result $? "dump shows the label"
run 0 "dump in JSON" -- dump --json "$tmp/delta"
is_json && grep -q '"head": 1' "$tmp/out"
result $? "dump in JSON is JSON"
run 0 "check" -- check "$tmp/delta"
sha256sum -c --status "$tmp/sum"
result $? "dump and check write nothing"
truncate -s 65M "$tmp/origin"
run 8 "open with an origin of another size" "wrong origin: it has 133120 sectors, the delta was formatted for 131072" -- \
	open disk "$tmp/origin" "$tmp/delta"
truncate -s 64M "$tmp/origin"
run 8 "open of files" "not a block device; 'losetup" -- \
	open disk "$tmp/origin" "$tmp/delta"
if [ "$mkfs" ]; then
	"$mkfs" -q "$tmp/origin"
	run 0 "format with an origin that has a UUID" -- \
		format --force "$tmp/origin" "$tmp/delta"
	"$mkfs" -q -F "$tmp/origin"
	run 8 "open with another file system of the same size" \
		"wrong origin: it has UUID=.*, the delta was formatted for UUID=" \
		-- open disk "$tmp/origin" "$tmp/delta"
fi
for at in 0 4096; do
	printf 'damage' | dd of="$tmp/delta" bs=1 seek=$((at + 100)) \
		conv=notrunc status=none
done
run 4 "check of damaged superblocks" "damaged" -- check "$tmp/delta"
run 8 "no device-mapper device of that name" "^dmdelta status: nosuch: " -- \
	status nosuch

echo "1..$n"
