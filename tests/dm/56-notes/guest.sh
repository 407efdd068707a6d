#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Notes of epochs: what is set can be read, also after a close and a power cut;
# what is refused changes nothing; a replay's note comes and goes with it.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 32
open_pair v
limit=$((1 << 20))

# hex FILE: the digits of its bytes
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }

# send NAME EPOCH FILE: the messages of a note, up to the last one; prints what
# the last one is
send() {
	local ticket at=0

	ticket=$(msg "$1" note begin "$2" "$(stat -c %s "$3")") || return 1
	hex "$3" | fold -w 32000 | while read -r digits || [ -n "$digits" ]; do
		echo "note add $ticket $at $digits"
		at=$((at + ${#digits} / 2))
	done | dmbatch "$1" >sent || return 1
	echo "note end $ticket"
}
set_note() { local end; end=$(send "$@") && [ "$(echo "$end" | dmbatch "$1")" = "= $2" ]; }

# note NAME EPOCH [BYTES]: the digits of a note, from answers of that size
note() {
	local next=0 reply

	while [ "$next" != - ]; do
		reply=$(echo "note get $2 $next" | dmbatch -B "${3:-65536}" "$1") ||
			{ echo "$reply"; return 1; }
		read -r _ next _ reply <<<"$reply"
		printf %s "$reply"
	done
}
note_is() {
	note "$1" "$2" "$4" >got
	hex "$3" >wanted
	ok "$5" cmp got wanted
}
bytes() { msg "${2:-v}" epochs "$1" | awk -v e="$1" '$1 == e { print $10 }'; }
text() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n' | head -c "$1"; }

expect() {
	local line got before i=0

	before=$(facts v)
	mapfile -t lines
	printf '%s\n' "${lines[@]%%;*}" | dmbatch v >answers
	while IFS= read -r got; do
		line=${lines[i]}
		i=$((i + 1))
		like "$got" "^${line#*; }\$" "${line%%;*}"
	done <answers
	is "$(facts v)" "$before" "... and nothing has changed"
}
invalid='! Invalid argument' noent='! No such file or directory'
stale='! Stale file handle' range='! Numerical result out of range'

# --- set, get, replace, clear ------------------------------------------------------

checkpoint v one >/dev/null
checkpoint v two >/dev/null
is "$(bytes 1)" - "no note at first"
text 100 >short
text 100000 >long
text $limit >longest
ok "set" set_note v 1 short
is "$(bytes 1)" 100 "the listing tells how long it is"
note_is v 1 short 65536 "get"
ok "replace by a longer one" set_note v 1 long
note_is v 1 long 65536 "get, in several answers"
ok "another epoch, the longest" set_note v 2 longest
note_is v 2 longest 16384 "get, in many answers"
note_is v 1 long 8192 "the first one is as it was, in small answers"
ok "replace by a shorter one" set_note v 1 short
note_is v 1 short 65536 "get"
: >empty
ok "clear" set_note v 2 empty
is "$(bytes 2)" - "... it is gone"

# --- what is refused -----------------------------------------------------------------

ticket=$(msg v note begin 1 10)
expect <<EOT
note; $invalid
note bogus; $invalid
note begin; $invalid
note begin 1; $invalid
note begin x 1; $invalid
note begin 1 x; $invalid
note begin 1 -1; $invalid
note begin 1 99999999999; $invalid
note begin 1 1 1; $invalid
note begin 0 1; $noent
note begin 77 1; $noent
note begin 3 1; ! Device or resource busy
note begin 1 $((limit + 1)); ! File too large
note begin 1 4294967295; ! File too large
note add; $invalid
note add $ticket 0; $invalid
note add x 0 00; $invalid
note add $ticket x 00; $invalid
note add $ticket 0 0; $invalid
note add $ticket 0 0g; $invalid
note add $ticket 0 000; $invalid
note add $ticket 0 00 00; $invalid
note add $ticket 1 00; $range
note add $ticket 4294967295 00; $range
note add $ticket 0 0000000000000000000000; ! File too large
note add $((ticket + 1)) 0 00; $stale
note add 0 0 00; $stale
note end; $invalid
note end x; $invalid
note end $ticket 1; $invalid
note end $((ticket + 1)); $stale
note end $ticket; $range
note add $ticket 0 $(head -c 20000 longest | hex -); ! File too large
note add $ticket 0 0011223344; = 5
note add $ticket 0 00; $range
note add $ticket 5 001122334455; ! File too large
note end $ticket; $range
note get; $invalid
note get 1; $invalid
note get x 0; $invalid
note get 1 x; $invalid
note get 1 0 0; $invalid
note get 2 0; ! No data available
note get 0 0; ! No data available
note get 3 0; ! No data available
note get 77 0; $noent
note get 1 100; $range
note get 1 4294967295; $range
EOT
note_is v 1 short 65536 "the note is the old one"
end=$(send v 1 long)
ok "somebody else begins one" msg v note begin 1 5
cmd_fails - 'Stale file handle' dmsetup message v 0 "$end"
note_is v 1 short 65536 "... and the old one is there"

# --- close and open ---------------------------------------------------------------------

ok "a long one again" set_note v 2 long
"$DMDELTA" close v
expect_sound "$delta"
"$DMDELTA" --json dump "$delta" >dump
is "$(sqlite3 :memory: "select group_concat(json_extract(value, '$.data'), '') from json_each(readfile('dump'), '$.notes') where json_extract(value, '$.epoch') = 1")" \
	"$(cat short)" "dump shows it"
open_pair v
note_is v 1 short 65536 "after an open it is there"
note_is v 2 long 65536 "... and the long one"
like "$("$DMDELTA" --json show v 1)" "\"note\": \"$(cat short)\"" "dmdelta show --json"
ok "dmdelta show --recipe" "$DMDELTA" show v two --recipe recipe
ok "... writes all of it" cmp recipe long
cmd_fails 8 'the epoch has no recipe' "$DMDELTA" show v head --recipe none

# --- with a replay -----------------------------------------------------------------------

dd if=/dev/urandom of=/dev/mapper/v bs=64k count=4 oflag=direct status=none
bad=$(checkpoint v bad)
dd if=/dev/urandom of=/dev/mapper/v bs=64k count=4 seek=2 oflag=direct status=none
replay=$(msg v replay begin)
ok "a note for a replay" set_note v "$replay" long
message_fails 'No such file' v note get "$replay" 0
is "$(bytes "$replay")" - "... cannot be seen yet"
ok "its rule" msg v replay rule 0 1024 "$bad" "$bad" keep_later
ok "the note, once more" set_note v "$replay" short
is "$(printf '%s\n' suspend 'replay commit' resume | dmbatch v | sed -n 's/^= \([0-9]*\) .*/\1/p')" \
	"$replay" "commit"
note_is v "$replay" short 65536 "the note has come with it"
cp short committed
aborted=$(msg v replay begin)
ok "a note for another one" set_note v "$aborted" long
ok "... that is aborted" msg v replay abort
message_fails 'No such file' v note get "$aborted" 0
message_fails 'No such file' v note begin "$aborted" 1
lost=$(msg v replay begin)
ok "a note for one that a power cut ends" set_note v "$lost" long
before=$(head_of v)

# --- power cuts ---------------------------------------------------------------------------

# The delta as it is between two writes, at any moment, is what a power cut
# leaves. It is opened beside the one that goes on.
power_cut() {
	must dmsetup suspend --nolockfs --noflush delta
	must dd if="$(disk 1)" of="$(disk 2)" bs=1M count=32 iflag=direct oflag=direct status=none
	must dmsetup resume delta
	expect_sound "$(dev_of copy)" "$1: dmdelta check"
	must dmsetup create w --table "$(dmsetup table v | sed "s/ [0-9:]* *$/ $(cat copy-number)/")"
}
linear copy "$(disk 2)" 0 $((32 * 2048))
dmsetup info -c --noheadings -o major,minor copy >copy-number
power_cut "a replay is open"
is "$(head_of w)" "$before" "the head is the one that it was"
is "$(msg w epochs "$lost" | awk -v e="$lost" '$1 == e && $3 != "dropped"')" "" "the open replay is gone"
settle w
message_fails 'No such file' w note get "$lost" 0
note_is w "$replay" committed 65536 "the committed one has its note"
dmsetup remove w
expect_sound "$(dev_of copy)"
msg v replay abort >/dev/null
text 20000 >odd
text 30000 >even
hex odd >odd.hex
hex even >even.hex
either() { cmp got odd.hex || cmp got even.hex || { head -c 300 got; return 1; }; }
set_note v 1 even
rm -f enough
for ((i = 0; ; i++)); do
	[ ! -e enough ] || break
	[ $((i % 2)) = 0 ] && file=odd || file=even
	set_note v 1 $file || break
	echo $i >acked.new
	mv acked.new acked
done &
writer=$!
for round in 1 2 3; do
	sleep 0.$((RANDOM % 7 + 1))
	power_cut "round $round"
	note w 1 >got
	ok "round $round: one of the two, whole" either
	note_is w "$replay" committed 65536 "round $round: the others are as they were"
	dmsetup remove w
done
touch enough
wait $writer
ok "$(cat acked) notes were set meanwhile" [ "$(cat acked)" -ge 2 ]

# --- reclaim, a full device -------------------------------------------------------------------

settle v
nodes=$(status_word v 5)
before=$(bytes 2)
ok "no note" set_note v 2 empty
ok "... of $before bytes takes no space" [ "$(status_word v 5)" -lt $((nodes - 20)) ]
nodes=$(status_word v 5)
ok "a note again" set_note v 2 long
ok "takes space" [ "$(status_word v 5)" -gt $((nodes + 20)) ]
ok "drop" msg v drop 2
settle v
ok "... gives it back" [ "$(status_word v 5)" -lt $((nodes + 20)) ]
for _ in 1 2 3; do
	dd if=/dev/urandom of=/dev/mapper/v bs=64k count=256 oflag=direct status=none 2>/dev/null || break
	checkpoint v >/dev/null
done
is "$(status_word v 7)" full "the device is full"
before=$(facts v)
cmd_fails - 'No space' dmsetup message v 0 "note begin 1 $limit"
is "$(facts v)" "$before" "a note has no room, and nothing has changed"
replay=$(msg v replay begin)
ok "but the recipe of a recovery has" set_note v "$replay" long
"$DMDELTA" abort v >/dev/null
is "$(status_word v 1)" rw "the device goes on"
"$DMDELTA" close v
expect_sound "$delta"
finish
