#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Every message with good and bad arguments: the error number that comes out,
# and that a message which is refused changes nothing.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 16 64
open_pair v
sectors=$((16 * 2048))
label47=$(printf 'l%.0s' {1..47})

# expect: each line is "message; answer", a regular expression for all of it;
# a message that is refused is "! text". "unchanged:" before the first of
# several that may change nothing.
expect() {
	local line got before='' i=0

	mapfile -t lines
	[[ ${lines[0]} == unchanged: ]] && { before=$(facts v); lines=("${lines[@]:1}"); }
	printf '%s\n' "${lines[@]%%;*}" | dmbatch v >answers
	while IFS= read -r got; do
		line=${lines[i]}
		i=$((i + 1))
		[[ ${line%%;*} == suspend* || ${line%%;*} == resume ]] && [ "$got" = "= " ] && continue
		like "$got" "^${line#*; }\$" "${line%%;*}"
	done <answers
	[ -z "$before" ] || is "$(facts v)" "$before" "... and nothing has changed"
}

invalid='! Invalid argument' noent='! No such file or directory'
busy='! Device or resource busy' nosupp='! Operation not supported'

message_fails 'Invalid argument' v nonsense
message_fails 'Operation not supported' v rollback 0
ok "words may be in upper case" dmsetup message v 0 EPOCHS 0
ok "dmsetup prints the number of a checkpoint" [ "$(checkpoint v first frozen)" = 1 ]

# --- checkpoint, epochs ------------------------------------------------------------

expect <<EOT
checkpoint; = 2
checkpoint -; = 3
checkpoint third-label; = 4
checkpoint $label47; = 5
checkpoint - frozen; = 6
epochs 0; = -\|0 - sealed [0-9]+ base - format - - - - -\|1 0 sealed [0-9]+ first 0 format - frozen - - -\|2 1 sealed [0-9]+ - 0 checkpoint - crash - - -\|3 2 .*\|4 3 sealed [0-9]+ third-label 0 checkpoint - crash - - -\|5 4 sealed [0-9]+ $label47 .*\|6 5 sealed [0-9]+ - 0 checkpoint - frozen - - -\|7 6 head [0-9]+ - 0 checkpoint - - - - -
epochs 6; = -\|6 5 .*\|7 6 .*
epochs 1000; = -
status; = rw 7 6 .*
EOT
expect <<EOT
unchanged:
checkpoint first; ! File exists
checkpoint third-label; ! File exists
checkpoint ${label47}x; $invalid
checkpoint 12; $invalid
checkpoint a*b; $invalid
checkpoint head~1; $invalid
checkpoint x thawed; $invalid
checkpoint x frozen more; $invalid
epochs; $invalid
epochs x; $invalid
epochs -1; $invalid
epochs 0 0; $invalid
EOT

# --- rollback -----------------------------------------------------------------------

expect <<EOT
unchanged:
rollback; $invalid
rollback x; $invalid
rollback -1; $invalid
rollback 99999999999; $invalid
rollback 1 2; $invalid
rollback 1; $nosupp
suspend noflush
rollback 1; $nosupp
resume
suspend
rollback 77; $noent
rollback; $invalid
resume
EOT
expect <<EOT
suspend
rollback 2; = 8
resume
epochs 7; = -\|7 6 sealed [0-9]+ - 0 checkpoint - crash - - -\|8 2 head [0-9]+ - 0 rollback 7 - - - -
suspend
rollback 0; = 9
resume
epochs 9; = -\|9 0 head [0-9]+ - 0 rollback 8 - - - -
suspend
rollback 9; = 10
rollback 8; = 11
resume
status; = rw 11 8 .*
EOT

# --- drop ----------------------------------------------------------------------------

expect <<EOT
unchanged:
drop; $invalid
drop x; $invalid
drop 1 2; $invalid
drop 0; $invalid
drop 11; $busy
drop 77; $noent
EOT
expect <<EOT
checkpoint to-drop; = 11
drop 11; = 11
drop 11; $noent
suspend
rollback 11; $noent
resume
checkpoint to-drop; = 12
EOT
like "$(status_of v)" '^rw 13 12 ' "the label of a dropped epoch is free again"

# --- replay ---------------------------------------------------------------------------

expect <<EOT
unchanged:
replay; $invalid
replay end; $invalid
replay begin now; $invalid
replay rule 0 8 12 12 keep_later; ! No such device or address
replay commit; $nosupp
replay abort; ! No such device or address
replay count; $invalid
replay count 0 8 12 12 keep_later; $invalid
suspend
replay commit; ! No such device or address
resume
EOT
expect <<EOT
replay begin; = [0-9]+
replay begin; $busy
status; = rw 14 13 .* [0-9]+,0,0/0 [0-9]+ [0-9]+/[0-9]+ - -
EOT
building=$(msg v epochs 0 | awk '$3 == "building" { print $1 }')
ok "the replay's epoch is listed as building" [ "$building" -gt 4000 ]
expect <<EOT
unchanged:
replay rule; $invalid
replay rule 0 8 12 12; $invalid
replay rule 0 8 12 12 keep_later more; $invalid
replay rule x 8 12 12 keep_later; $invalid
replay rule 0 x 12 12 keep_later; $invalid
replay rule 0 8 x 12 keep_later; $invalid
replay rule 0 8 12 x keep_later; $invalid
replay rule 0 8 12 12 later; $invalid
replay rule 0 0 12 12 keep_later; $invalid
replay rule 0 8 13 12 keep_later; $invalid
replay rule $sectors 8 12 12 keep_later; ! Numerical result out of range
replay rule 0 $((sectors + 1)) 12 12 keep_later; ! Numerical result out of range
replay rule 18446744073709551608 16 12 12 keep_later; ! Numerical result out of range
replay rule 0 8 77 78 keep_later; $noent
replay rule 0 8 12 14 keep_later; $noent
replay rule 0 8 5 5 keep_later; $noent
replay commit; $nosupp
suspend noflush
replay commit; $nosupp
resume
suspend
rollback $building; $noent|$busy
rollback 12; $busy
resume
drop $building; $busy
drop 12; $busy
EOT
expect <<EOT
replay rule 0 8 8 8 drop_later; = 1
replay rule 16 8 8 8 KEEP_LATER; = 2
checkpoint during; = 14
replay abort; = $building
replay abort; ! No such device or address
replay begin; = [0-9]+
replay rule 0 $sectors 8 8 keep_later; = 1
suspend
replay commit; = [0-9]+ [0-9]+ 0 0
replay commit; ! No such device or address
resume
EOT
like "$(status_of v)" '^rw [0-9]+ [0-9]+ .* - [0-9]+ [0-9]+/[0-9]+ - -$' "no replay is open after the commit"
head=$(head_of v) parent=$(status_word v 3)
is "$(msg v epochs "$parent" | awk -v h="$head" '$1 == h { print $3, $7 } $1 != h && NF > 1 { print $3, $7 }' | tr '\n' ' ')" \
	"sealed replay head replay " "the replay's epoch is sealed, its child is the head"

# --- diff ------------------------------------------------------------------------------

checkpoint v d0 >/dev/null
for at in 0 3 4 9 100; do
	dd if=/dev/urandom of=/dev/mapper/v bs=4k seek=$at count=1 oflag=direct status=none
done
d0=$head d1=$(checkpoint v d1)
expect <<EOT
unchanged:
diff; $invalid
diff $d0 $d1; $invalid
diff $d0 $d1 x; $invalid
diff x $d1 0; $invalid
diff $d0 x 0; $invalid
diff $d0 $d1 0 0; $invalid
diff 4000000 $d1 0; $noent
diff $d0 4000000 0; $noent
EOT
expect <<EOT
diff $d0 $d1 0; = - 0\\+8 24\\+16 72\\+8 800\\+8
diff $d1 $d0 0; = - 0\\+8 24\\+16 72\\+8 800\\+8
diff $d0 $d1 32; = - 32\\+8 72\\+8 800\\+8
diff $d0 $d1 808; = -
diff $d0 $d1 99999999; = -
diff $d0 $d0 0; = -
diff 0 $d1 0; = - 0\\+8 .*
replay count 0 $sectors $d1 $d1 keep_later 0; = - 5 0 0
replay count 0 32 $d1 $d1 drop_later 0; = - 2 0 0
EOT

# --- long lists come in pieces -----------------------------------------------------------

# Every other block, 300 of them
fsx-lite -b -d -n -N 0 -m image /dev/mapper/v
fio --name=x --filename=/dev/mapper/v --rw=write:4k --bs=4k --size=2400k --io_size=1200k \
	--direct=1 --end_fsync=1 >/dev/null
d2=$(checkpoint v d2)
pages() { # BYTES MESSAGE...: all answers, first words cut off, on one line
	local bytes=$1 next=0 i=0 answer

	shift
	while [ "$next" != - ] && [ $i -lt 2000 ]; do
		answer=$(echo "$* $next" | dmbatch -B "$bytes" v)
		answer=${answer#= }
		next=${answer%%[ |]*}
		[ "$answer" = "$next" ] || printf '%s ' "${answer#*[ |]}"
		i=$((i + 1))
	done
	echo $i >pages
}
whole=$(pages 65536 diff "$d1" "$d2")
is "$(wc -w <<<"$whole")" 300 "a diff of 300 ranges in one answer"
is "$(pages 8192 diff "$d1" "$d2")" "$whole" "the same in small answers"
ok "... of which there were several" [ "$(cat pages)" -gt 1 ]
echo '600* checkpoint' | dmbatch v >/dev/null
whole=$(pages 65536 epochs | grep -o 'checkpoint - ' | wc -l)
ok "more than 600 epochs are listed" [ "$whole" -gt 600 ]
is "$(pages 16384 epochs | grep -o 'checkpoint - ' | wc -l)" "$whole" "as many in small answers"
ok "... of which there were several" [ "$(cat pages)" -gt 3 ]
"$DMDELTA" close v
expect_sound "$delta"
finish
