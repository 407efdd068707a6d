#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Bad input: a clear error with its exit code, nothing lost, and nothing left
# mounted, mapped or attached.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"

SIZE_MIB=64 DELTA_MIB=128 FREE_MIB=
modprobe -a loop dm-snapshot ext4
around=''
# refused STATUS TEXT COMMAND...: and everything is as it was
refused() {
	cmd_fails "$1" "$2" timeout 600 "$DMDELTA" "${@:3}"
	[ "$(surroundings)" = "$around" ] && return
	fail "... and nothing is left"
	diag "$(diff <(echo "$around") <(surroundings))"
	around=$(surroundings)
}
# recovers STATUS TEXT OPTION...: every command that takes epochs and selectors. A
# plan makes a checkpoint of what was written; nothing was, so it makes none.
recovers() {
	refused "$1" "$2" plan v "${@:3}"
	refused "$1" "$2" preview v "${@:3}"
	refused "$1" "$2" recover v "${@:3}"
}

# --- another device, then ours -----------------------------------------------------------

mkdir -p /mnt/past /tmp/case/w
truncate -s 32M /tmp/case/w/origin.img
truncate -s 64M /tmp/case/w/delta.img
must new_pair ext4
must mount_fs
seq 1 20000 >$there/numbers
dd if=/dev/urandom of=$there/random bs=1M count=4 status=none
must "$DMDELTA" checkpoint v --label good >/dev/null
dd if=/dev/urandom of=$there/random bs=64k count=4 conv=notrunc status=none
must "$DMDELTA" checkpoint v --label bad >/dev/null
umount_fs
must "$DMDELTA" checkpoint v --label later >/dev/null
exits "0 4" "a recipe of the first device" \
	"$DMDELTA" plan v --from bad --to bad --mode blocks --path /random -o recipe.json
other=$(losetup -f --show /tmp/case/w/delta.img)
other_origin=$(losetup -f --show /tmp/case/w/origin.img)
must "$DMDELTA" format "$other_origin" "$other" >/dev/null
must "$DMDELTA" open w "$other_origin" "$other" >/dev/null
md5sum <$vault >before
around=$(surroundings)

# --- epochs --------------------------------------------------------------------------------

recovers 8 nosuch --from nosuch --to nosuch
for word in 99 nosuch; do
	refused 8 "$word" plan v --from $word --to $word
	refused 8 "$word" replay v --from $word --to $word --range 0+8
	refused 8 "$word" view v $word past
	refused 8 "$word" mount v@$word /mnt/past
	refused 8 "$word" cat v@$word:/numbers
done
recovers 16 'later than' --from later --to good
refused 16 'later than' replay v --from later --to good --range 0+8
recovers 16 'base' --from base --to good
refused 8 'nosuch' plan nosuch --from 1 --to 1

# --- ranges and paths ---------------------------------------------------------------------------

refused 16 '.' plan v --from bad --to bad --mode blocks --range 0+0
refused 16 '.' plan v --from bad --to bad --mode blocks --range 8+
refused 16 '.' plan v --from bad --to bad --mode blocks --range 63MiB+2MiB
refused 16 'behind the end' replay v --from bad --to bad --range 63MiB+2MiB
refused 16 '.' replay v --from bad --to bad --range 0+0
twice=$("$DMDELTA" --json replay v --from bad --to bad --range 0+64MiB --range 1MiB+8MiB \
	--range 4MiB+16MiB --dry-run | tee once.json | wc -c)
once=$(json once.json '$.changed_blocks')
"$DMDELTA" --json replay v --from bad --to bad --range 0+64MiB --dry-run >all.json
is "$once" "$(json all.json '$.changed_blocks')" "overlapping ranges count once ($twice)"
cmd_fails - '/never/was' "$DMDELTA" replay v --from bad --to bad --path /never/was
cmd_fails - 'no such file|not there|never' "$DMDELTA" cat v@good:/never/was
cmd_fails - '.' "$DMDELTA" cp v@good:/never/was /tmp/case/never
not_ok "... and nothing was copied" [ -e /tmp/case/never ]
cmd_fails 16 '/never/was/..: nothing is named so' "$DMDELTA" recover v --from bad --to bad --path '/never/was/**'
fresh
md5sum <$vault >before	# recover has mounted it
around=$(surroundings)

# --- recipes --------------------------------------------------------------------------------------

refused 8 'another device|other device|device' replay w --recipe recipe.json
refused 8 'another device|other device|device' preview w --recipe recipe.json
refused - '.' recover v --recipe recipe.json
refused - 'nosuch.json' replay v --recipe nosuch.json
echo '{ "format": "dmdelta-' >torn.json
refused - 'torn.json' replay v --recipe torn.json
echo '{ "format": "something else" }' >foreign.json
refused - 'foreign.json' replay v --recipe foreign.json
sed 's/"from": *[0-9]*/"from": 99/' recipe.json >lost.json
refused - '99' replay v --recipe lost.json
is "$(md5sum <$vault)" "$(cat before)" "after all this the device is as it was"

# --- views of what is dropped or in use ---------------------------------------------------------------

ok "a view" "$DMDELTA" view v good past
cmd_fails 8 'busy|in use|view' "$DMDELTA" drop v good
cmd_fails 8 'past' "$DMDELTA" view v good past
ok "close" "$DMDELTA" close past
refused 8 'no such|past' close past
refused - '.' view v head past
ok "drop" "$DMDELTA" drop v good
settle v
around=$(surroundings)
refused 8 'good' view v good past
refused 8 '1' view v 1 past
refused 8 '1' mount v@1 /mnt/past
refused 8 '.' umount /mnt/past

# --- a scratch that fills ------------------------------------------------------------------------------------

ok "mount with little scratch" "$DMDELTA" mount v@bad /mnt/past --writable --scratch memory --scratch-size 2MiB
not_ok "it fills" dd if=/dev/zero of=/mnt/past/big bs=1M count=16 conv=fsync status=none
ok "umount says so or works" eval '"$DMDELTA" umount /mnt/past || ! mountpoint -q /mnt/past'
is "$(surroundings)" "$around" "... and nothing is left"
refused - '.' mount v@bad /mnt/nosuch
refused - '.' mount v@bad /mnt/past --scratch /nosuch/folder
is "$(md5sum <$vault)" "$(cat before)" "the device is as it was"

# --- a file system that is damaged itself ---------------------------------------------------------------------

dd if=/dev/zero of=$vault bs=4k count=64 conv=fsync status=none
must "$DMDELTA" checkpoint v --label wrecked >/dev/null
around=$(surroundings)
refused - '.' mount v@wrecked /mnt/past
refused - '.' recover v --from bad --to bad
refused - '.' cat v@wrecked:/numbers
exits "0 4 8" "a plan of a wrecked file system ends" "$DMDELTA" plan v --from bad --to wrecked
ok "... and says something" [ -s /tmp/case/out -o -s /tmp/case/err ]
is "$(surroundings)" "$around" "... and leaves nothing"
ok "the epoch before has everything" eval '"$DMDELTA" cat v@later:/numbers | cmp - <(seq 1 20000)'

"$DMDELTA" close w
losetup -d "$other" "$other_origin"
close_pair
expect_sound "$store/delta.img"
finish
