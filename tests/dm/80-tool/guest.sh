#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# dmdelta from format to dump on real devices: what it refuses and how it says
# so, what it does, in text and in JSON, and what is left when it is killed.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((32 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((96 * 2048)) && delta=$(dev_of delta)
linear other "$(disk 2)" 0 $((32 * 2048)) && other=$(dev_of other)
linear short "$(disk 0)" 0 $((31 * 2048))
linear tiny "$(disk 1)" 0 2048
dev=$(dev_of v)
random_fill "$origin" 32
mkfs.ext4 -q -b 4096 -U 11111111-2222-3333-4444-555555555555 "$origin"
mkfs.ext4 -q -b 4096 -U 99999999-2222-3333-4444-555555555555 "$other"
mkdir -p /mnt/t

dmdelta() { "$DMDELTA" "$@"; }
refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
# json_of COMMAND...: the document goes to j; is it one?
json_of() {
	dmdelta --json "$@" >j 2>err
	is "$(sqlite3 :memory: "select json_valid(readfile('j'))")" 1 "JSON of $1"
}

# --- format, open, close -------------------------------------------------------------

refuses 8 'too small.*bytes\) are needed' format "$origin" "$(dev_of tiny)"
refuses 8 'same device' format "$origin" "$origin"
refuses 8 'nosuch' format "$origin" /dev/nosuch
refuses 16 'power of two' format --block-size 5000 "$origin" "$delta"
refuses 16 'power of two' format --block-size 2M "$origin" "$delta"
refuses 16 '.' format "$origin"
mkfs.xfs -q "$(disk 3)"
refuses 8 'holds .*xfs.*--force' format "$origin" "$(disk 3)"
mount "$(disk 3)" /mnt/t
refuses 8 'in use.*/mnt/t|/mnt/t' format --force "$origin" "$(disk 3)"
umount /mnt/t
ok "--force" "$DMDELTA" format --force "$origin" "$(disk 3)"
ok "format" "$DMDELTA" format --label base-image "$origin" "$delta"
refuses 8 'deltarec delta device already' format "$origin" "$delta"
refuses 8 'wrong origin.*sectors' open v "$(dev_of short)" "$delta"
refuses 8 'wrong origin' open v "$other" "$delta"
refuses 8 '.' open v "$origin" "$other"
refuses 16 'feature' open v "$origin" "$delta" fast
json_of open v "$origin" "$delta" cache_mb=8
is "$(json j '$.name' '$.size_bytes' | xargs)" "v 33554432" "open says what it made"
like "$(dmsetup table v)" ' 2 cache_mb 8$' "a feature arrives in the table"
refuses 8 'there already|in use|busy' open v "$origin" "$delta"
refuses 8 'in use|busy' open w "$origin" "$delta"
refuses 8 'in use|busy' format --force "$origin" "$delta"
refuses 8 'in use|busy' check "$delta"

# --- checkpoint, log, diff, status -------------------------------------------------------

mount -o noinit_itable $dev /mnt/t		# nothing is written behind our back
echo one >/mnt/t/file
is "$(dmdelta checkpoint v --label one)" 1 "checkpoint prints the number"
echo two >/mnt/t/file
is "$(dmdelta checkpoint v --no-freeze)" 2 "checkpoint --no-freeze"
json_of checkpoint v --label three
is "$(json j '$.epoch' '$.label' '$.frozen' '$.file_systems[0]' | xargs)" "3 three 1 /mnt/t" "... says what it froze"
refuses 8 'another epoch has this label' checkpoint v --label three
refuses 16 'number' checkpoint v --label 12
refuses 8 'no such device' checkpoint nosuch
ok "the file system is not left frozen" timeout 60 touch /mnt/t/thawed
log=$(dmdelta log v)
like "$log" $'\n.* 3 .* three .*frozen\n.* 2 .*crash\n.* 1 .* one .*frozen\n' "log: labels and frozen or not"
json_of log v
is "$(json j '$.epochs[0].state' '$.epochs[1].label' '$.epochs[1].consistency' '$.epochs[2].consistency' | xargs)" \
	"head three frozen crash" "log in JSON"
json_of status v
is "$(json j '$.mode' '$.head' '$.parent' '$.space' '$.nr_epochs' | xargs)" "rw 4 3 ok 4" "status in JSON"
like "$(dmdelta status)" $'(^|\n)v +rw ' "status of all"
json_of diff v one head~1
n=$(json j '$.nr_ranges')
ok "diff in JSON has $n ranges" [ "$n" -ge 1 ]
is "$(json j '$.from' '$.to' | xargs)" "1 3" "labels and head~1 are resolved"
refuses 8 'no epoch has this label' diff v one nosuch
refuses 8 'behind the base' diff v head~99 head

# --- refused while mounted ------------------------------------------------------------------

# What the file system still has to write it must not write in between.
sync -f /mnt/t
before=$(facts v)
refuses 8 'in use.*/mnt/t' rollback v one
refuses 8 'in use.*/mnt/t' undo v
refuses 8 'in use.*/mnt/t' replay v --from 2 --to 2 --range 0+8
refuses 8 '/mnt/t' close v
is "$(facts v)" "$before" "... and nothing has changed"
ok "replay --dry-run works while mounted" "$DMDELTA" replay v --from 2 --to 3 --range 0+65536 --dry-run
is "$(facts v)" "$before" "... and changes nothing"
umount /mnt/t

# --- rollback, undo ---------------------------------------------------------------------------

file_is() { mount -o ro,noload $dev /mnt/t && is "$(cat /mnt/t/file 2>&1)" "$1" "$2"; umount /mnt/t; }
refuses 8 'no rollback or replay' undo v
json_of rollback v one
is "$(json j '$.epoch' '$.previous_head' '$.head' | xargs)" "1 4 5" "rollback to a label"
file_is one "... shows the file of then"
json_of undo v
is "$(json j '$.undone' '$.epoch' '$.head' | xargs)" "rollback 4 6" "undo"
file_is two "... shows the later file"
ok "undo of the undo" "$DMDELTA" undo v
file_is one "... shows the first one again"
refuses 8 'no such epoch' rollback v 99
ok "rollback to head~1" "$DMDELTA" rollback v three
is "$(status_word v 3)" 3 "the head is a child of epoch 3"

# --- replay ---------------------------------------------------------------------------------------

for i in 1 2 3; do
	dd if=/dev/urandom of=$dev bs=64k seek=$((i * 16)) count=8 oflag=direct status=none
	[ $i != 2 ] || dd if=/dev/urandom of=$dev bs=64k seek=18 count=2 oflag=direct status=none
	dd if=$dev of=state.$i bs=1M status=none
	dmdelta checkpoint v --label r$i >/dev/null
done
before=$(facts v)
json_of replay v --from r1 --to r1 --range 1MiB+1MiB --dry-run
dry=$(json j '$.changed_blocks' '$.mixed_blocks' '$.kept_later_blocks' | xargs)
is "$dry" "96 0 32" "a dry run counts what would change and what is kept"
is "$(facts v)" "$before" "... and changes nothing"
json_of replay v --from r1 --to r1 --range 1MiB+1MiB
is "$(json j '$.changed_blocks' '$.mixed_blocks' | xargs)" "96 0" "the real one changes as many"
dd if="$dev" of=now bs=1M status=none
cp state.3 want
dd if="$origin" of=before bs=64k skip=16 count=8 status=none
rollback v three >/dev/null
dd if=$dev of=want bs=64k skip=16 seek=16 count=2 conv=notrunc status=none
dd if=$dev of=want bs=64k skip=20 seek=20 count=4 conv=notrunc status=none
ok "... and the content is right" cmp now want
dmdelta undo v >/dev/null
json_of replay v --from r1 --to r1 --range 2048+2048 --drop-later
is "$(json j '$.changed_blocks')" 128 "--drop-later changes all of them"
ok "undo of a replay" "$DMDELTA" undo v
refuses 16 'later than' replay v --from r2 --to r1 --range 0+8
refuses 16 'behind the end' replay v --from r1 --to r1 --range 64MiB+4K

# --- an abandoned replay -----------------------------------------------------------------------------

building=$(msg v "replay begin")
like "$(dmdelta status v)" "replay:.*$building.*rules 0" "status shows a replay that was left open"
refuses 8 "replay $building is open" replay v --from r1 --to r1 --range 0+8
refuses 8 '.' rollback v one
ok "abort" "$DMDELTA" abort v
refuses 8 'no replay is open' abort v
ok "then a rollback works" "$DMDELTA" rollback v r3

# --- killed in the middle --------------------------------------------------------------------------------

suspended() { [ "$(dmsetup info -c --noheadings -o suspended v)" = Suspended ]; }
# Every ioctl takes a second, so the suspended section lasts two at least. Who is
# to be killed is found out before, since starting a program takes long, too.
slow_rollback() {
	local i now=0 sys

	sys=/sys/block/dm-$(dmsetup info -c --noheadings -o minor v)/dm/suspended
	tool='' guard=''
	strace -o /dev/null -e trace=ioctl -e inject=ioctl:delay_enter=1000000 \
		"$DMDELTA" rollback v r2 >out 2>&1 &
	slow=$!
	for ((i = 0; i < 600; i++)); do
		[ -n "$tool" ] || tool=$(pgrep -x dmdelta)
		[ -n "$tool" ] && guard=$(pgrep -x dmdelta-guard) && break
		sleep 0.1
	done
	for ((i = 0; i < 3000; i++)); do
		read -r now <"$sys" && [ "$now" = 1 ] && break
		sleep 0.02
	done
	if [ "$now" = 1 ] && [ -n "$tool" ]; then
		pass "$1: caught while suspended"
	else
		fail "$1: caught while suspended"
	fi
}
resumed() {
	local i

	for ((i = 0; i < 300; i++)); do
		suspended || return 0
		sleep 0.2
	done
	return 1
}
slow_rollback "TERM"
kill -TERM "$tool"
wait $slow
ok "TERM: resumed" resumed
slow_rollback "KILL"
kill -KILL "$tool"
ok "KILL: its guard resumes" resumed
wait $slow
slow_rollback "KILL of both"
kill -KILL "$guard" "$tool"
wait $slow
ok "KILL of both: it stays suspended" suspended
refuses 8 "suspended.*dmsetup resume v" log v
ok "dmsetup resume revives it" dmsetup resume v
ok "and it works" timeout 60 dd if=$dev of=/dev/null bs=1M count=4 iflag=direct status=none
ok "... with rollback and all" "$DMDELTA" rollback v r3
dd if=$dev of=now bs=1M status=none
ok "the content is that of r3" cmp now state.3

# --- drop, close, check, dump ------------------------------------------------------------------------------

refuses 8 '.' drop v head
refuses 8 '.' drop v base
json_of drop v one
is "$(json j '$.epoch')" 1 "drop by label"
refuses 8 'no epoch has this label' drop v one
settle v
ok "close" "$DMDELTA" close v
refuses 8 'no such device' close v
expect_sound "$delta"
json_of check "$delta"
is "$(json j '$.result' '$.nr_errors' | xargs)" "sound 0" "check in JSON"
like "$(dmdelta dump "$delta")" 'base-image.*origin identity: *[^ ]*11111111-2222' "dump shows label and identity of the origin"
json_of dump "$delta"
root=$(json j '$.map_root')
ok "dump tells where the map is" [ "$root" -gt 0 ]
printf damage | dd of="$delta" bs=1 seek=$((root * 4096 + 100)) conv=notrunc status=none
sync "$delta"
refuses 4 'damaged' check "$delta"
json_of check "$delta"
is "$(json j '$.error.exit')" 4 "the error is in the JSON, too"
finish
