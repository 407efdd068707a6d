#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Views: epochs of the past as devices, while the head goes on.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

make_pair 8 256 --block-size 4K
sectors=$((8 * 2048))
open_pair v cache_mb=8
dev=$(dev_of v)

# view NAME EPOCH [RULE-WORD...]: over v, or over $over
view() {
	dmsetup create -r "$1" --table "0 $sectors deltarec-view ${over:-$dev} ${*:2}"
}

# same VIEW FILE DESCRIPTION: read past the page cache
same() {
	local out

	out=$(dd if="$(dev_of "$1")" bs=1M iflag=direct status=none | cmp - "$2" 2>&1) &&
		{ pass "$3"; return; }
	fail "$3"
	diag "$out"
}

# all DESCRIPTION: every view that is open shows its epoch
all() {
	local e

	for e in "${open[@]}"; do
		same "e$e" "image.$e" "$1: epoch $e"
	done
}

# refuse ERROR TEXT ARGUMENT...: such a view is refused, and the log says why
refuse() {
	local out

	out=$(dmsetup create -r bad --table "0 ${len:-$sectors} deltarec-view ${*:3}" 2>&1)
	like "$out$(dmesg | grep 'deltarec-view: ' | tail -n 1)" "failed: $1.*deltarec-view: .*$2" \
		"refused: ${*:3}"
}

# --- each epoch, while the head is written --------------------------------------------------

cp "$origin" image.0
cp image.0 image
for e in 1 2 3 4; do
	ok "random operations $e" fsx-lite -b -d -B 4096 -N 80 -S "$e" -m image "$dev"
	is "$(checkpoint v)" "$e" "epoch $e"
	cp image image.$e
done
# Some of this is in memory only, for the views to find there.
open=(0 1 2 3 4)
for e in "${open[@]}"; do
	ok "a view of epoch $e" view "e$e" "$e"
done
all "at once"
is "$(blockdev --getro "$(dev_of e1)") $(sectors_of "$(dev_of e1)")" "1 $sectors" \
	"a view is read-only, and as long as the origin"
cmd_fails - . dd if=/dev/zero of="$(dev_of e1)" bs=4k count=1 oflag=direct
cmd_fails - . blkdiscard "$(dev_of e1)"
is "$(dmsetup status e3)" "0 $sectors deltarec-view 3 0 -" "the status of a view"
is "$(dmsetup table e3)" "0 $sectors deltarec-view $(dmsetup info -c --noheadings -o major,minor v) 3" \
	"its table"

fio --name=head --filename="$dev" --direct=1 --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio \
	--time_based --runtime=3 --eta=never >/dev/null &
fio=$!
for i in 1 2; do
	all "while the head is written ($i)"
	checkpoint v >/dev/null
done
ok_wait "fio on the head" $fio
checkpoint v busy >/dev/null
cat "$dev" >image.busy

# --- over a head that is suspended, rolled back ------------------------------------------------

dmsetup suspend v
all "over a suspended head"
dmsetup resume v
rollback v 2 >/dev/null
all "after a rollback"
expect v image.2 "the head shows epoch 2"

# --- what is refused -------------------------------------------------------------------------

before=$(facts v)
refuse 'Invalid argument' 'Needs a deltarec device and' "$dev"
refuse 'Invalid argument' 'Needs a deltarec device and' "$dev" x
refuse 'No such file or directory' 'cannot be found' /dev/mapper/nosuch 1
refuse 'No such device' 'Not a deltarec device' "$(disk 3)" 1
refuse 'No such device' 'Not a deltarec device' 77:77 1
refuse 'No such file or directory' 'no such epoch' "$dev" 4000
refuse 'Device or resource busy' 'make a checkpoint' "$dev" "$(head_of v)"
len=8 refuse 'Invalid argument' 'as long as' "$dev" 1
refuse 'Invalid argument' 'Invalid number of rules' "$dev" 4 x
refuse 'Invalid argument' 'Invalid number of rules' "$dev" 4 65537
refuse 'Invalid argument' 'number of rules does not match' "$dev" 4 1
refuse 'Invalid argument' 'number of rules does not match' "$dev" 4 1 0 8 2 2 keep_later 1
refuse 'Invalid argument' 'number of rules does not match' "$dev" 4 0 0 8 2 2 keep_later
refuse 'Invalid argument' 'A rule needs' "$dev" 4 1 0 8 2 2 keep
refuse 'Invalid argument' 'A rule needs' "$dev" 4 1 x 8 2 2 keep_later
refuse 'Invalid argument' 'A rule needs' "$dev" 4 1 0 0 2 2 keep_later
refuse 'Invalid argument' 'A rule needs' "$dev" 4 1 0 8 3 2 keep_later
refuse 'Numerical result out of range' 'not inside the device' "$dev" 4 1 $sectors 8 2 2 keep_later
refuse 'No such file or directory' 'does not descend from' "$dev" 4 1 0 8 2 4000 keep_later
refuse 'No such file or directory' 'does not descend from' "$dev" 2 2 0 8 1 1 keep_later 0 8 3 3 keep_later
is "$(facts v)" "$before" "... and nothing has changed"
cmd_fails - 'Permission denied' dmsetup create bad --table "0 $sectors deltarec-view $dev 1"
building=$(msg v replay begin)
refuse 'Device or resource busy' 'A replay is making' "$dev" "$building"
msg v replay abort >/dev/null
message_fails . e1 nonsense

# --- drop --------------------------------------------------------------------------------------

before=$(facts v)
message_fails 'Device or resource busy' v drop 3
like "$(dmesg | tail -n 5)" 'drop: a view shows it' "the log says what to do"
is "$(facts v)" "$before" "nothing has changed"
must dmsetup create -r again --table "$(dmsetup table e3)"
must dmsetup remove e3
message_fails 'Device or resource busy' v drop 3
must dmsetup remove again
ok "without its views the epoch can be dropped" msg v drop 3
refuse 'No such file or directory' 'it was dropped' "$dev" 3
ok "its space is reclaimed" settle v
refuse 'No such file or directory' 'it was dropped' "$dev" 3
open=(0 1 2 4)
all "after a drop and a reclaim"
refuse 'No data available' 'was dropped: choose' "$dev" 4 1 0 8 4 4 keep_later

# --- rules: what a view shows is what a replay leaves -------------------------------------------

# preview WHAT EPOCH FROM TO START+LEN...: before the replay is made
preview() {
	local what=$1 e=$2 from=$3 to=$4 rules=() range answer

	shift 4
	for range; do
		rules+=("${range%+*}" "${range#*+}" "$from" "$to" "${later}_later")
	done
	ok "$what: a view" view preview "$e" "$#" "${rules[@]}"
	cat "$(dev_of preview)" >image.preview
	is "$(dmsetup table preview | cut -d' ' -f5-)" "$e $# ${rules[*]}" "$what: its table"
	answer=$(replay v "$later" "$from" "$to" "$@")
	diag "replay: $answer, view: $(dmsetup status preview)"
	expect v image.preview "$what: the replay leaves what the view showed"
	same preview image.preview "$what: and the view still shows it"
	ok "$what: a replay of what was changed" [ "$(cut -d' ' -f3 <<<"$answer")" -gt 0 ]
	must dmsetup remove preview
}
rollback v 2 >/dev/null
cp image.2 image
for i in 6 7 8 9; do
	fsx-lite -b -d -B 4096 -N 60 -S "$i" -m image "$dev" >/dev/null || bail fsx
	r[i]=$(checkpoint v)
	cp image image.r$i
done
for later in keep drop; do
	preview "$later, all of it" "${r[9]}" "${r[7]}" "${r[7]}" "0+$sectors"
	is "$(rollback v "${r[9]}" | grep -c failed)" 0 "back to epoch ${r[9]}"
	preview "$later, several ranges" "${r[9]}" "${r[6]}" "${r[8]}" 0+2048 3000+72 1024+2048 8000+8000
	rollback v "${r[9]}" >/dev/null
done
cmp -s image.preview image.r9 && fail "rules change something"
later=keep
ok "rules that bring an epoch to light" view light "${r[9]}" 1 0 $sectors "${r[7]}" "${r[9]}" keep_later
same light image.r6 "... show all of it"
for e in "${r[6]}" "${r[7]}" "${r[9]}"; do
	message_fails 'Device or resource busy' v drop "$e"
done
ok "what no rule needs can be dropped" msg v drop "${r[8]}"
ok "its space is reclaimed" settle v
same light image.r6 "the view shows the same"
all "so do the others"

# --- the head goes, and comes back ----------------------------------------------------------------

rollback v 2 >/dev/null
must "$DMDELTA" close v
all "over a head that is closed"
same light image.r6 "over a head that is closed: with rules"
is "$(dmsetup table e1)" "0 $sectors deltarec-view delta:$(dmsetup info -c --noheadings -o major,minor delta) 1" \
	"the table names the delta"
line=$(dmsetup table light)
cmd_fails - . "$DMDELTA" format --force "$origin" "$delta"
over=$delta ok "a view can be opened over the delta" view again 4
same again image.4 "... and shows its epoch"
must dmsetup remove again
open_pair v cache_mb=16
expect v image.2 "the head is back"
must dmsetup create -r again --table "$line"
same again image.r6 "a table that names the delta loads again"
is "$(dmsetup table again)" "$(dmsetup table light)" "... and names the device now"
must dmsetup remove again
all "over a head that came back, with another cache"
fio --name=head --filename="$dev" --direct=1 --rw=randwrite --bs=4k --iodepth=8 --ioengine=libaio \
	--time_based --runtime=2 --eta=never >/dev/null &
fio=$!
all "while that is written"
ok_wait "fio on the head" $fio
e=$(checkpoint v)
cat "$dev" >image.new
ok "a view of what the new head sealed" view new "$e"
same new image.new "... shows it"

# --- ten at once, over a head that does everything -------------------------------------------------

for e in 0 1 2 4; do
	must view "d$e" "$e"
done
ok "a tenth view" view dlight "${r[9]}" 1 0 $sectors "${r[7]}" "${r[9]}" keep_later
is "$(dmsetup ls --target deltarec-view | wc -l)" 11 "so many are open, and one more"
# ten DESCRIPTION: each shows what it did
ten() {
	local e bad=

	for e in 0 1 2 4; do
		cmp -s "$(dev_of "e$e")" "image.$e" || bad+=" e$e"
		cmp -s "$(dev_of "d$e")" "image.$e" || bad+=" d$e"
	done
	for e in light dlight; do
		cmp -s "$(dev_of "$e")" image.r6 || bad+=" $e"
	done
	cmp -s "$(dev_of new)" image.new || bad+=" new"
	is "$bad" "" "ten views: $1"
}
for e in e0 e1 e2 e4 d0 d1 d2 d4 light dlight new; do
	blockdev --flushbufs "$(dev_of $e)"
done
fio --name=head --filename="$dev" --direct=1 --rw=randrw --bs=4k --iodepth=8 --ioengine=libaio \
	--time_based --runtime=600 --eta=never >/dev/null 2>&1 &
fio=$!
ten "the head is written"
ten_sealed=$(checkpoint v)
ten "it was checkpointed"
like "$(replay v keep "$ten_sealed" "$ten_sealed" "0+$sectors")" '^[0-9]+ [0-9]+ [0-9]+ [0-9]+$' "a replay under them"
for e in e0 e1 e2 e4 d0 d1 d2 d4 light dlight new; do
	blockdev --flushbufs "$(dev_of $e)"
done
ten "it was replayed"
like "$(rollback v 4)" '^[0-9]+$' "a rollback under them"
ten "it was rolled back"
kill $fio
wait $fio
for e in d0 d1 d2 d4 dlight; do
	must dmsetup remove $e
done

# --- suspend, reload, remove, with reads under way -----------------------------------------------

fio --name=view --filename="$(dev_of e1)" --direct=1 --rw=randread --bs=16k --iodepth=8 \
	--ioengine=libaio --time_based --runtime=4 --eta=never >/dev/null 2>&1 &
fio=$!
for i in 1 2 3; do
	ok "a view is suspended ($i)" dmsetup suspend e1
	ok "another epoch is loaded ($i)" dmsetup reload -r e1 \
		--table "0 $sectors deltarec-view $dev $((i == 2 ? 4 : 1))"
	ok "and resumed ($i)" dmsetup resume e1
done
same e1 image.1 "it shows what was loaded last"
ok "its table is taken away under its reader" dmsetup wipe_table e1
wait $fio
ok "and it is removed" dmsetup remove --retry e1
open=(0 2 4)
all "the others"

# --- a store that may only be read ------------------------------------------------------------------

modprobe -q dm-flakey
n=$(dmsetup table delta | cut -d' ' -f2)
where=$(dmsetup table delta | cut -d' ' -f4,5)
dmsetup suspend delta
dmsetup load delta --table "0 $n flakey $where 0 60 1 error_writes"
dmsetup resume delta
dd if=/dev/zero of="$dev" bs=4k count=64 oflag=direct conv=fsync >/dev/null 2>&1
dmsetup message v 0 checkpoint >/dev/null 2>&1
is "$(status_word v 1)" ro "writes to the delta fail: the head may only be read"
all "over a head that may only be read"
same light image.r6 "... also with rules"
is "$(dmsetup status e2)" "0 $sectors deltarec-view 2 0 -" "the status of a view is as before"
ok "a view can be opened" view again 4
same again image.4 "... and shows its epoch"
must dmsetup remove again
dmsetup suspend delta
dmsetup load delta --table "0 $n linear $where"
dmsetup resume delta
must "$DMDELTA" close v
all "when that has been closed"
cmd_fails - . "$DMDELTA" open v "$origin" "$delta"
like "$(dmesg | tail -n 20)" 'had an error: close its views' "it cannot be opened while views are there"
for e in e0 e2 e4 new light; do
	must dmsetup remove --retry $e
done
expect_sound "$delta" "nothing is damaged"
open_pair v
for e in 0 2 4; do
	must view "e$e" "$e"
done
all "in a new session"
# V8: a commit to the other one would miss there
must dmsetup create copy --table "$(dmsetup table "$origin")"
table=$(dmsetup table v) copy=$(dmsetup info -c --noheadings -o major,minor copy)
cmd_fails 1 . dmsetup reload v --table "$(awk -v c="$copy" '{ $4 = c } 1' <<<"$table")"
like "$(dmesg | tail -n 5)" 'Open views show another origin' "the log says what to do"
ok "the same one can be loaded" dmsetup reload v --table "$table"
must dmsetup suspend v
must dmsetup resume v
all "with another table"
must dmsetup remove copy

# --- a delta on a deltarec device --------------------------------------------------------------------

must linear origin2 "$(disk 2)" 0 8192
must "$DMDELTA" format --block-size 4K "$(dev_of origin2)" "$dev" >/dev/null
must "$DMDELTA" open outer "$(dev_of origin2)" "$dev"
dd if=/dev/urandom of=A bs=1M count=4 status=none
dd if=A of="$(dev_of outer)" bs=1M oflag=direct status=none
e=$(checkpoint outer)
dmsetup create -r deep --table "0 8192 deltarec-view $(dev_of outer) $e"
same deep A "a view of a device whose delta is a deltarec device"
must "$DMDELTA" close outer
must dmsetup create -r again --table "$(dmsetup table deep)"
same again A "its table loads the same again when it was closed"
for e in again deep; do
	must dmsetup remove --retry $e
done

# --- the last one closes the store -----------------------------------------------------------------

must "$DMDELTA" close v
for e in e0 e2 e4; do
	must dmsetup remove --retry $e
done
expect_sound "$delta"
open_pair v
ok "nothing is held in a new session" msg v drop "${r[7]}"
"$DMDELTA" close v
expect_sound "$delta" "dmdelta check finds nothing after that"
finish
