#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# First writes that are recorded beside their data (J8-J12): an fsync after each,
# then a delta as a power cut leaves it, with all of their data or not.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
v=/dev/mapper/v

# text BLOCK WHAT: a block of 4 KiB
# shellcheck disable=SC2317 # "ok" and "not_ok" call these
text() { yes "block $1 $2" | head -c 4096; }
# put BLOCK WHAT: it is written, and an fsync answered
put() { text "$1" "$2" | dd of="$v" bs=4k seek="$1" iflag=fullblock oflag=direct conv=notrunc,fsync status=none; }
shows() { cmp -s <(text "$1" "$2") <(dd if="$v" bs=4k skip="$1" count=1 iflag=direct status=none); }
shows_origin() {
	cmp -s <(dd if="$origin" bs=4k skip="$1" count=1 iflag=direct status=none) \
		<(dd if="$v" bs=4k skip="$1" count=1 iflag=direct status=none)
}
# cut_power: what the disk holds now, in ./image
cut_power() { must dd if="$delta" of=image bs=1M iflag=direct status=none; }
# found BLOCK WHAT: byte in the image where that lies
found() { grep -obaF -m 1 "block $1 $2" image | head -n 1 | cut -d: -f1; }
# spoil BLOCK WHAT: in the image it has not arrived
spoil() { must dd of=image bs=1 seek="$(found "$1" "$2")" conv=notrunc status=none <<<X; }
# again: open what the power cut left
again() {
	must "$DMDELTA" close v
	must dd if=image of="$delta" bs=1M oflag=direct status=none
	open_pair v
}

# --- with its data, and without ------------------------------------------------------

open_pair v
for ((i = 1; i <= 8; i++)); do
	must put $i one
done
cut_power
again
for ((i = 1; i <= 8; i++)); do
	ok "what an fsync was answered for is there ($i)" shows $i one
done

for ((i = 11; i <= 18; i++)); do
	must put $i one
done
cut_power
spoil 18 one
again
ok "data that was acknowledged before is there" shows 17 one
ok "a claim whose data has not arrived is none" shows_origin 18

# --- written again -------------------------------------------------------------------

for ((i = 21; i <= 24; i++)); do
	must put $i one
done
must put 24 two
ok "over a claimed version" shows 24 two
cut_power
again
ok "... after a power cut" shows 24 two
for what in three four five six; do
	must put 24 $what
	cut_power
	again
	ok "... again ($what)" shows 24 $what
	must put 25 $what
done

# --- a seal records what was claimed -------------------------------------------------

for ((i = 31; i <= 34; i++)); do
	must put $i one
done
is "$(checkpoint v)" "$(($(head_of v) - 1))" "checkpoint"
cut_power
spoil 34 one
again
not_ok "what was recorded otherwise does not depend on its data" shows_origin 34

# --- a write that fails --------------------------------------------------------------

for ((i = 41; i <= 44; i++)); do
	must put $i one
done
cut_power
next=$(($(found 44 one) / 512 + 8))
fail_at() {
	printf '0 %d linear %s 0\n%d 8 error\n%d %d linear %s %d\n' $next "$(disk 1)" \
		$next $((next + 8)) $((64 * 2048 - next - 8)) "$(disk 1)" $((next + 8))
}
fail_at | must dmsetup reload delta
must dmsetup suspend --noflush delta
must dmsetup resume delta
not_ok "a claimed write that fails" put 45 one
dmsetup reload delta --table "0 $((64 * 2048)) linear $(disk 1) 0"
must dmsetup suspend --noflush delta
must dmsetup resume delta
is "$(status_word v 1)" rw "the device goes on"
ok "... with what was there before" shows_origin 45
ok "the next one" put 46 one
cut_power
again
ok "it is there" shows 46 one
ok "... and that which failed is not" shows_origin 45
must "$DMDELTA" close v
ok "check" "$DMDELTA" check "$delta"
finish
