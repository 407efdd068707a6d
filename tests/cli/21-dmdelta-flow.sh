#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=600
#
# What dmdelta does and in which order, with fake-dm.c in the place of
# device-mapper: suspend and resume in every case, freeze and thaw, aborts,
# signals, undo, paging, the tree.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# --- rollback --------------------------------------------------------------------

fresh
run 0 rollback disk good && says 'new head: *5' &&
	did 'BLKFLSBUF' 'epochs 0' 'epochs 3' 'suspend' 'rollback 1' 'resume' \
	    'BLKFLSBUF'
result $? "rollback: flush, suspend, message, resume, drop the cache"
locked
result $? "... with all its memory there, and the guard's, while it is suspended"
fresh
run 0 --json rollback disk head~2 && json "d['epoch'] == 2 and d['head'] == 5 and d['previous_head'] == 4"
result $? "rollback to head~2 in JSON"
fresh
run 8 rollback disk 77 && says '77: rollback: no such epoch' && ends $'resume\nBLKFLSBUF'
result $? "a rollback that is refused resumes"
run 8 rollback disk nosuch && says 'nosuch: no epoch has this label'
result $? "no such label"
run 8 rollback disk old && says 'old: no epoch has this label'
result $? "a dropped epoch's label is not found"
run 8 rollback disk head~9 && says 'head~9: goes behind the base'
result $? "behind the base"
fresh
run 8 FAKE_FAIL='suspend 5' rollback disk 1 && ends resume
result $? "a suspend that failed is resumed, too"
fresh
run 0 FAKE_SIGNAL='rollback 15' rollback disk 1 && ends $'resume\nBLKFLSBUF'
result $? "SIGTERM in the suspended section waits"
fresh
run 137 FAKE_SIGNAL='rollback 9' rollback disk 1 && ends_soon $'resume\nBLKFLSBUF'
result $? "SIGKILL in the suspended section: the guard resumes"
fresh
run 139 FAKE_SIGNAL='rollback 11' rollback disk 1 && ends_soon $'resume\nBLKFLSBUF'
result $? "a crash in the suspended section: the guard resumes"
fresh
echo '1 0' >"$FAKE/state"
run 8 rollback disk 1 && says "suspended; 'dmsetup resume disk'" && did
result $? "a device that is suspended already is left alone"

# --- undo ------------------------------------------------------------------------

fresh
run 8 undo disk && says 'no rollback or replay led to the head'
result $? "nothing to undo"
run 0 rollback disk 1
run 0 checkpoint disk --no-freeze
run 4 undo disk && says 'disk: 10 blocks were written since, up to epoch 6; --force leaves them behind' &&
	! grep -q '^rollback 4' "$FAKE/log"
result $? "undo of a rollback, over a checkpoint: says before what would be left behind"
run 0 --json undo disk --force && json "d['epoch'] == 4 and d['undone'] == 'rollback' and d['undone_epoch'] == 5 and d['left_blocks'] == 10 and d['head'] == 7" &&
	says '10 blocks written since stay behind'
result $? "... and with --force afterwards"
run 0 --json undo disk --force && json "d['epoch'] == 6 and d['undone_epoch'] == 7 and d['head'] == 8"
result $? "undo of the undo"
fresh
run 0 replay disk --from 2 --to 2 --range 0+8
run 4 undo disk && says '5 blocks were written since'
run 0 --json undo disk --force && json "d['epoch'] == 4 and d['undone'] == 'replay' and d['left_blocks'] == 5"
result $? "undo of a replay"
# recovered LABEL: epoch 4 is what a recovery of files made, the head is empty
recovered() {
	fresh
	sed -i '$d' "$FAKE/epochs"
	sed -i 's/^3 2 dropped/3 2 sealed/' "$FAKE/epochs"
	echo "4 3 sealed 1700000180 $1 7 checkpoint - frozen" >>"$FAKE/epochs"
	echo "5 4 head - - 0 checkpoint - -" >>"$FAKE/epochs"
}
recovered recover-2-2-3
run 0 FAKE_STATUS="rw 5 4 100/1000 50 60 ok 8 6 0 1/64 0 2/16 - - 9 0/0 - -" --json undo disk && json "d['epoch'] == 3 and d['undone'] == 'recover' and d['undone_epoch'] == 4 and d['left_blocks'] == 0" &&
	grep -qx 'rollback 3' "$FAKE/log"
result $? "undo of a recovery of files that nothing was written after: a rollback"
# begun EPOCH NOW [STATE [WORD]]: the note that a recovery of files leaves when it
# begins, or when it has ended; of epoch 3
begun() {
	printf '{"format":"dmdelta-recipe","mode":"files","epochs":{"from":3,"to":3,"base":2,"now":%d},
		"run":{"state":"%s","word":"%s"}}' "$2" "${3-begun}" "${4-recover}" |
		od -An -v -tx1 | tr -d ' \n' >"$FAKE/note-$1"
}
recovered -
begun 3 3
run 4 undo disk && says 'disk: a recovery was interrupted: .* from epoch 4 to 5, 12 blocks, counts as its work; the same recover again' &&
	! grep -qE 'rollback|checkpoint' "$FAKE/log"
result $? "undo of a recovery of files that was interrupted: not without --force"
recovered recover-2-2-3
begun 4 3 interrupted
run 4 undo disk && says 'interrupted: .* from epoch 4 to 4, 7 blocks, counts as its work; --force takes' &&
	! grep -qE 'rollback|checkpoint' "$FAKE/log"
result $? "... nor of one that went on, and came to its end"
recovered recover-2-2-3
begun 4 3 ended
run 0 FAKE_STATUS="rw 5 4 100/1000 50 60 ok 8 6 0 1/64 0 2/16 - - 9 0/0 - -" undo disk && grep -qx 'rollback 3' "$FAKE/log"
result $? "... one that came to its end in one go needs none"
recovered -
sed -i 's/^4 3 sealed/4 3 dropped/' "$FAKE/epochs"
begun 4 3 interrupted
run 8 undo disk && says 'no rollback or replay led to the head'
result $? "... nothing is left of one whose epoch was dropped"
recovered -
sed -i 's/^2 1 sealed/2 1 dropped/' "$FAKE/epochs"
begun 3 3 begun undo
run 4 undo disk && says 'an undo was interrupted: .* from epoch 4 to 5, .*; what it needs was dropped; --force takes back'
result $? "an undo that was interrupted and cannot go on"
recovered -
begun 2 2
run 4 undo disk && says 'interrupted: .* from epoch 3 to 5, 13 blocks, counts'
result $? "... nor of one that others made checkpoints in"
recovered recover-2-2-3
begun 2 2
run 0 FAKE_STATUS="rw 5 4 100/1000 50 60 ok 8 6 0 1/64 0 2/16 - - 9 0/0 - -" undo disk && grep -qx 'rollback 3' "$FAKE/log"
result $? "one that was begun anew is not interrupted"
recovered recover-2-2-2
run 0 FAKE_STATUS="rw 5 4 100/1000 50 60 ok 8 6 0 1/64 0 2/16 - - 9 0/0 - -" undo disk && grep -qx 'rollback 2' "$FAKE/log"
result $? "a recovery that others made a checkpoint in"
for note in '2' 'junk' '{"format":"dmdelta-recipe"}' '[]' '{"format":"dmdelta-recipe","mode":"files","epochs":[3]}'; do
	recovered -
	begun 3 2
	[ "$note" = 2 ] || printf %s "$note" | od -An -v -tx1 | tr -d ' \n' >"$FAKE/note-3"
	run 8 undo disk && says 'no rollback or replay led to the head' && ! says 'note'
	result $? "another note is none of an interrupted recovery: $note"
done
recovered recover-2-2-4
run 8 undo disk && says 'no rollback or replay led to the head'
result $? "a label that names no epoch below is none of ours"
recovered recover-2-2-2
sed -i '4s/.*/3 2 sealed 1700000120 - 1 rollback 1 crash/' "$FAKE/epochs"
run 4 undo disk && says 'disk: 13 blocks were written since'
result $? "nor is one with a rollback in between"
recovered recover-2-2-3x
run 8 undo disk && says 'no rollback or replay led to the head'
result $? "nor is one with more behind it"
run 0 log --graph disk && says '^[*] +4 .*recover-2-2-3x '
result $? "... to log --graph, either"
recovered recover-2-2-3
run 0 log --graph disk && says '^% +4 .*recover-2-2-3 ' && says '^@ +5 '
result $? "log --graph draws a recovery of files as one"
recovered recover-2-2-3
sed -i 's/^3 2 sealed/3 2 dropped/' "$FAKE/epochs"
run 8 undo disk && says 'epoch 3, the state before, was dropped' && ! grep -q rollback "$FAKE/log"
result $? "the state before a recovery of files was dropped"
if [ "$(id -u)" = 0 ] && { [ -d /run/dmdelta ] || mkdir -m 700 /run/dmdelta; }; then
	recovered recover-2-2-3
	exec 7>/run/dmdelta/recover-77:77
	flock 7
	run 8 FAKE_DEVNO=77:77 recover disk --from 2 --to 2 && says 'disk: another recovery is at work; nothing was changed' &&
		! grep -qE 'rollback|checkpoint|note' "$FAKE/log"
	result $? "no recovery while another one is at work"
	run 8 FAKE_DEVNO=77:77 undo disk && says 'disk: another recovery is at work' && ! grep -qE 'rollback|checkpoint' "$FAKE/log"
	result $? "nor its undo"
	exec 7>&-
	rm -f /run/dmdelta/recover-77:77
fi

# --- replay ----------------------------------------------------------------------

fresh
run 0 --json replay disk --from 2 --to head --range 8+8 --range 0+8 --range 100KiB+4KiB &&
	json "d['changed_blocks'] == 3 and d['mixed_blocks'] == 1 and d['epoch'] == 104 and d['head'] == 105 and d['nr_rules'] == 2" &&
	did 'BLKFLSBUF' 'epochs 0' 'epochs 3' 'replay begin' 'replay rule 0 16 2 4 keep_later' \
	    'replay rule 200 8 2 4 keep_later' 'note begin' 'note add' \
	    'note end 104' 'suspend' 'replay commit' \
	    'resume' 'BLKFLSBUF'
result $? "replay: ranges are joined, only commit is suspended"
says 'warning: 1 blocks come partly'
result $? "... and mixed blocks are pointed out"
fresh
run 0 --json replay disk --from 2 --to 4 --range 0+16 --drop-later --dry-run &&
	json "d['dry_run'] and d['changed_blocks'] == 2 and d['kept_later_blocks'] == 1 and d['mixed_blocks'] == 1" &&
	did 'epochs 0' 'epochs 3' 'replay count 0 16 2 4 drop_later 0' 'replay count 0 16 2 4 drop_later 8'
result $? "dry run: counts page by page, nothing else"
fresh
run 0 --json replay disk --from 2 --to 2 --range 1+2 --dry-run && says 'taken whole' &&
	did 'epochs 0' 'epochs 3' 'replay count 0 8 2 2 keep_later 0'
result $? "a range is widened to whole blocks"
fresh
run 16 replay disk --from 2 --to 2 --range 999999+2 && says 'behind the end'
result $? "a range behind the end"
run 16 replay disk --from 3 --to 2 --range 0+8 && says 'later than epoch 2'
result $? "from after to"
run 16 replay disk --from base --to 2 --range 0+8 && says 'holds no writes'
result $? "the base cannot be left out"
# Epochs are looked at before begin, which seals the head.
while read -r words what; do
	fresh
	sed -i '$d' "$FAKE/epochs"
	printf '%s\n' '4 3 sealed 1700000180 - 5 checkpoint - crash' \
		'5 1 sealed 1700000240 - 5 rollback 4 crash' \
		'6 4 head - - 5 rollback 5 -' >>"$FAKE/epochs"
	cp "$FAKE/epochs" "$tmp/before"
	# shellcheck disable=SC2086 # --from and --to
	run 8 replay disk ${words//,/ } --range 0+8 && says "^dmdelta replay: $what" &&
		! grep -qE '^(replay|note|suspend)' "$FAKE/log" &&
		cmp -s "$FAKE/epochs" "$tmp/before"
	result $? "refused, and nothing changed: ${words//,/ }"
done <<-'EOF'
	--from,99,--to,99 99: no such epoch
	--from,2,--to,99 99: no such epoch
	--from,2,--to,none none: no epoch has this label
	--from,2,--to,3 3: the epoch was dropped
	--from,4,--to,4 4: the epoch before it, 3, was dropped
	--from,5,--to,5 5: the epoch is not on the branch of the head
	--from,2,--to,5 5: the epoch is not on the branch of the head
EOF
for at in 'replay begin 16' 'replay rule 22' 'note add 28' 'note end 5' 'suspend 5' 'replay commit 28'; do
	fresh
	run 8 FAKE_FAIL="$at" replay disk --from 2 --to 2 --range 0+8
	! says 'not understood' && [ "$(cat "$FAKE/state")" = '0 0' ] &&
		[ "$(tail -n 1 "$FAKE/epochs")" = '4 3 head - - 5 checkpoint - -' ]
	result $? "a failure at '$at' leaves no replay, nothing suspended"
done
fresh
run 32 FAKE_SIGNAL='replay rule 2' replay disk --from 2 --to 2 --range 0+8 &&
	ends 'replay abort'
result $? "a signal before the commit cancels: status 32"
fresh
echo '0 9' >"$FAKE/state"
run 8 replay disk --from 2 --to 2 --range 0+8 && says "replay 9 is open; .*abort"
result $? "another replay is open"
run 0 abort disk && says 'aborted replay: 9'
result $? "abort"
run 8 abort disk && says 'no replay is open'
result $? "nothing to abort"

# --- checkpoint ------------------------------------------------------------------

mount=/dev/shm
devno=$(awk -v m=$mount '$5 == m { print $3 }' /proc/self/mountinfo | tail -n 1)
fresh
run 0 checkpoint disk --label nightly && [ "$(cat "$tmp/out")" = 4 ] &&
	did 'checkpoint nightly'
result $? "checkpoint of what is not mounted prints the number"
if [ "$devno" ]; then
	export FAKE_DEVNO=$devno
	fresh
	run 0 checkpoint disk && [ "$(cat "$tmp/out")" = 4 ] &&
		did FIFREEZE 'checkpoint - frozen' FITHAW
	result $? "checkpoint of what is mounted freezes and thaws"
	fresh
	run 0 --json checkpoint disk --label n && json "d['frozen'] and d['file_systems'] == ['$mount']"
	result $? "... and says so in JSON"
	fresh
	run 0 checkpoint disk --no-freeze && did checkpoint
	result $? "--no-freeze"
	fresh
	run 0 FAKE_IOCTL='FIFREEZE 95' checkpoint disk && says 'cannot be frozen' &&
		did FIFREEZE checkpoint
	result $? "a file system without freeze: a warning, not frozen"
	fresh
	run 8 FAKE_IOCTL='FIFREEZE 16' checkpoint disk && says 'somebody else keeps it frozen' &&
		! grep -q checkpoint "$FAKE/log"
	result $? "a file system that somebody else froze: refused"
	fresh
	run 8 FAKE_FAIL='checkpoint 28' checkpoint disk && ends FITHAW
	result $? "a checkpoint that fails thaws"
	fresh
	run 0 FAKE_SIGNAL='checkpoint 15' checkpoint disk && ends FITHAW
	result $? "SIGTERM while frozen waits"
	fresh
	run 137 FAKE_SIGNAL='checkpoint 9' checkpoint disk && ends_soon FITHAW
	result $? "SIGKILL while frozen: the guard thaws"
	fresh
	for _ in 1 2 3 4 5 6; do
		env "$dmdelta" checkpoint disk >/dev/null 2>&1 &
	done
	wait
	awk '/FIFREEZE/ { if (n++) exit 1 } /FITHAW/ { n-- }' "$FAKE/log" &&
		[ "$(grep -c frozen "$FAKE/log")" = 6 ]
	result $? "six at once take turns"
	unset FAKE_DEVNO
else
	result 0 "file systems # SKIP $mount is not a mount"
fi
fresh
run 8 FAKE_FAIL='checkpoint 17' checkpoint disk --label a && says 'another epoch has this label'
result $? "a label that is taken"

# --- show and notes --------------------------------------------------------------

fresh
run 0 show disk 2 && says '^blocks written: *20$' && says '^made by: *checkpoint$' &&
	says '^children: *3$' && says '^note: *-$'
result $? "show"
run 0 --json show disk good && json "d['epoch'] == 1 and d['label'] == 'good' and d['parent'] == 0 and d['children'] == ['2'] and d['bytes'] == 40960 and d['note'] is None and d['consistency'] == 'frozen'"
result $? "show in JSON"
run 0 --json show disk base && json "d['epoch'] == 0 and d['parent'] is None and d['time'] is None"
result $? "show of the base"
run 8 show disk 77 && says '77: no such epoch'
result $? "show of no epoch"
run 8 show disk 2 --recipe "$tmp/recipe" && says 'the epoch has no recipe' && [ ! -e "$tmp/recipe" ]
result $? "no recipe, no file"
run 0 --json show disk 2 --reads && json "[r['range'] for r in d['reads']] == ['0+8', '32+64', '256+64'] and d['reads'][1]['len_bytes'] == 32768"
result $? "show --reads joins what two pages have split"
run 0 --json show disk 1 --reads && json "d['reads'] == []" && says 'not known what was read in epoch 1'
result $? "... and says when nothing is known"
sed -i '/^2 /s/$/ - 17/; /^1 /s/$/ - - more/' "$FAKE/epochs"
run 0 --json log disk && json "[e['read_first_blocks'] for e in d['epochs'] if e['epoch'] in (1, 2)] == [17, None]"
result $? "log tells how much was written after a read; words of later modules do no harm"
run 0 show disk 2 && says '^written after a read: *17$'
result $? "... show, too"
fresh
text=$(python3 -c "print('{\"recipe\": [' + ', '.join(str(i * 7919) for i in range(600)) + ']}')")
printf '%s' "$text" | od -An -v -tx1 | tr -d ' \n' >"$FAKE/note-2"
run 0 show disk 2 --recipe "$tmp/recipe" && [ "$(cat "$tmp/recipe")" = "$text" ] &&
	grep -qF '{"recipe": [0, 7919' "$tmp/out" && grep -q 'note get 2 1000' "$FAKE/log"
result $? "a recipe of several pages is shown and written"
run 0 --json show disk 2 && json "len(d['note']) == d['note_bytes'] == ${#text}"
result $? "... and is in JSON"
run 0 --json log disk && json "[e['note_bytes'] for e in d['epochs'] if e['epoch'] in (1, 2)] == [${#text}, 0]"
result $? "log tells which epoch has one"
run 0 log disk && says ' 2 .*note$'
result $? "... in text, too"
run 8 show disk 2 --recipe /nosuch/file && says '/nosuch/file: create'
result $? "a file that cannot be made"
run 8 FAKE_FAIL='note get 2 1000 5' show disk 2 --recipe "$tmp/none" && says 'disk@2: note: I/O error' && [ ! -e "$tmp/none" ]
result $? "a note that cannot be read"
echo 7b7g >"$FAKE/note-2"
run 8 show disk 2 && says 'unexpected answer'
result $? "an answer that is not understood"

# --- listings --------------------------------------------------------------------

fresh
run 0 diff disk 1 2 && diff - "$tmp/out" <<-'EOF'
	range  offset   size
	0+8       0 B  4 KiB
	16+16   8 KiB  8 KiB
	100+8  50 KiB  4 KiB

	ranges:  3
	sectors: 32
	size:    16 KiB
EOF
result $? "diff joins what two pages have split"
run 0 --json diff disk base head && json "[r['range'] for r in d['ranges']] == ['0+8', '16+16', '100+8'] and d['total_bytes'] == 16384"
result $? "diff in JSON"
run 8 FAKE_FAIL='diff 1 2 24 5' --json diff disk 1 2 && json "d['error']['exit'] == 8 and d['ranges'] == [] or len(d['ranges']) == 1"
result $? "an error after a page is still one JSON document"
run 0 rollback disk 1
run 0 checkpoint disk --no-freeze
run 0 rollback disk 2
run 0 log disk && diff - "$tmp/out" <<-'EOF'
	       epoch  time                 label  blocks    size  how         marks
	*          7  -                    -           5  20 KiB  rollback    head undo:6
	| *        6  2023-11-14 22:13:20  -           5  20 KiB  checkpoint  crash
	| *        5  2023-11-14 22:13:20  -           5  20 KiB  rollback    crash undo:4
	| | *      4  2023-11-14 22:13:20  -           5  20 KiB  checkpoint  crash
	|_|/
	* |        2  2023-11-14 22:14:20  -          20  80 KiB  checkpoint  crash
	|/
	*          1  2023-11-14 22:13:20  good       10  40 KiB  format      frozen
	*          0  -                    -           0     0 B  format
EOF
result $? "log draws the tree"
run 0 log --all disk && says ' 3 .*old .*dropped'
result $? "log --all shows dropped epochs"
LOCALE=C.UTF-8 run 0 log disk && says '├─┼─╯'
result $? "the tree in UTF-8"
run 0 log --graph --all disk && diff - "$tmp/out" <<-'EOF'
	       epoch  time                 label  blocks    size              how         marks
	<          7  -                    -           5  20 KiB  ===         rollback    head undo:6
	| *        6  2023-11-14 22:13:20  -           5  20 KiB  ===         checkpoint  crash
	| <        5  2023-11-14 22:13:20  -           5  20 KiB  ===         rollback    crash undo:4
	| | *      4  2023-11-14 22:13:20  -           5  20 KiB  ===         checkpoint  crash
	| | x      3  2023-11-14 22:15:20  old         1   4 KiB  =           checkpoint  dropped crash
	|_|/
	* |        2  2023-11-14 22:14:20  -          20  80 KiB  ==========  checkpoint  crash
	|/
	*          1  2023-11-14 22:13:20  good       10  40 KiB  =====       format      frozen
	+          0  -                    -           0     0 B              format
EOF
result $? "log --graph marks what epochs are, and has bars"
LOCALE=C.UTF-8 run 0 log --graph disk && says '◀ .*██▌ ' && says '● .*██████████ '
result $? "... in UTF-8"
run 0 --json log disk && json "[e['epoch'] for e in d['epochs']] == [7, 6, 5, 4, 2, 1, 0] and d['epochs'][0]['prev'] == 6"
result $? "log in JSON"
run 0 status && says '^disk +rw +488\.3 MiB'
result $? "status of all devices"
run 0 --json status disk && json "d['head'] == 7 and d['journal_total'] == 64 and d['replay_epoch'] is None and d['used_bytes'] == 409600"
result $? "status of one in JSON"
run 0 --json status && json "d['devices'][0]['name'] == 'disk' and d['devices'][0]['cache_total'] == 16"
result $? "status of all in JSON"
run 0 FAKE_STATUS=Fail status disk && says '^mode: *Fail'
result $? "status of a failed device"
run 8 FAKE_STATUS=Fail log disk && says 'the device has failed'
result $? "... which does nothing else"
run 8 FAKE_STATUS='rw 1 2' status disk && says 'not understood: number of words'
result $? "a status that is not ours"
run 8 FAKE_TYPE=linear log disk && says "not a deltarec device but 'linear'"
result $? "a device of another target"
run 8 log nosuch && says 'nosuch: no such device'
result $? "no such device"
run 0 drop disk 2 && says 'dropped epoch: 2'
result $? "drop"

# --- mark ----------------------------------------------------------------------------

fresh
run 0 --json mark disk 2 suspect --to 4 && json "[e['epoch'] for e in d['epochs']] == [4, 2]" &&
	did 'epochs 0' 'epochs 3' 'mark 4 suspect' 'mark 2 suspect'
result $? "mark of several passes over the dropped one between them"
fresh
run 8 mark disk 3 suspect --to 4 && says '3: no such epoch, or it was dropped' && ! grep -q '^mark' "$FAKE/log"
result $? "... and takes none for an end"

# --- how long it lasts -------------------------------------------------------------

now=$(date +%s)
fresh
cat >"$FAKE/epochs" <<-EOF
	0 - sealed $((now - 90000)) - 0 format - -
	1 0 sealed $((now - 43200)) - 0 format - crash
	2 1 head $((now - 43200)) - 86400 checkpoint - -
EOF
words="rw 2 1 100/1000000 50 60 ok 8 2 5 1/64 0 2/16 - - 9 0/0 - -"
# Two blocks of 4 KiB a second for half a day
run 0 FAKE_STATUS="$words" --json status disk && json "d['rate_seconds'] == 86400 and 4090 <= d['rate_bytes'] <= 4096 and 999840 <= d['full_seconds'] <= 1000100 and d['policy_bytes'] is None" ||
	{ json "d['rate_seconds'] == 3600 and 8190 <= d['rate_bytes'] <= 8193 and 499000 <= d['full_seconds'] <= 500100"; }
result $? "how long the delta lasts, of the busier window"
run 0 FAKE_STATUS="$words" status disk && says '^lasts: +full in about 5 days 18 hours at 8 KiB/s \(last hour\)$'
result $? "... in words"
run 0 FAKE_STATUS="${words% 0/0*} 0/3600 - - later words" --json status disk && json "d['taken_bytes'] == 0 and d['active_seconds'] == 3600"
result $? "a module that counts what is taken, and tells more"
run 8 FAKE_STATUS="${words% 0/0*} 7 - -" status disk && says 'not understood: taken'
result $? "a count that is none"
run 0 FAKE_STATUS="$words" FAKE_FAIL='policy get 5' status disk && says '^lasts: +unknown'
result $? "what cannot be asked is unknown"

# --- extend ------------------------------------------------------------------------

fresh
run 8 FAKE_TABLE="7:0 9999:1" extend disk && says '9999:1: the size of the delta device is not known' && ! grep -q suspend "$FAKE/log"
result $? "extend over a delta that is nowhere"
run 8 FAKE_STATUS="${words/rw/ro}" extend disk && says 'read-only'
result $? "... of a device that may only be read"
some=$(for dev in /sys/dev/block/*/size; do [ "$(cat "$dev")" -gt 80000 ] && echo "$dev"; done 2>/dev/null | head -n 1)
if [ -n "$some" ]; then
	dev=${some#/sys/dev/block/} dev=${dev%/size} size=$(($(cat "$some") / 8))
	fresh
	run 8 FAKE_TABLE="7:0 $dev" extend disk && says 'could not use what .* has grown by' && did suspend '... quietly' resume
	result $? "extend: suspend without a flush, resume, look"
	locked
	result $? "... with all memory there"
	fresh
	run 8 FAKE_TABLE="7:0 $dev" FAKE_FAIL='suspend 5' extend disk && says 'suspend: ' && ends resume
	result $? "a suspend that fails is followed by a resume"
	fresh
	run 8 FAKE_TABLE="7:0 $dev" FAKE_STATUS="rw 2 1 100/$((size + 1)) 50 60 ok 8 2 5 1/64 0 2/16 - - 9 0/0 - -" extend disk && says 'has shrunk' && did
	result $? "a delta that has shrunk is not touched"
	usable=$((size % 32256 <= 8 ? size - size % 32256 : size))
	for total in $usable $size; do
		run 0 FAKE_TABLE="7:0 $dev" FAKE_STATUS="rw 2 1 100/$total 50 60 ok 8 2 5 1/64 0 2/16 - - 9 0/0 - -" --json extend disk && json "d['extended'] is False and d['delta_bytes'] >= $((size * 4096))" && did
		result $? "one that has not grown ($total blocks) is not, either"
	done
fi

# --- monitor -----------------------------------------------------------------------

fresh
mkfifo "$tmp/poll"
exec 3<>"$tmp/poll"
# until_line N: the monitor has told that much
until_line() {
	local i

	for ((i = 0; i < 300; i++)); do
		[ "$(wc -l <"$tmp/lines")" -ge "$1" ] && return
		sleep 0.1
	done
	return 1
}
# becomes LINE...: these are the epochs now; tell the monitor
becomes() {
	printf '%s\n' "$@" >"$FAKE/epochs.new"
	mv "$FAKE/epochs.new" "$FAKE/epochs"
	printf x >&3
}
cat >"$tmp/act" <<-EOF
	#!/bin/sh
	echo "\$DMDELTA_DEVICE \$DMDELTA_EVENT \$DMDELTA_EPOCH \$DMDELTA_FROZEN \$DMDELTA_LABEL" >>"$tmp/acts"
	echo said
	exit 3
EOF
chmod +x "$tmp/act"
: >"$tmp/lines"
FAKE_POLL=$tmp/poll TZ=UTC LC_ALL=C "$dmdelta" --json monitor --count 4 --exec "$tmp/act" disk >"$tmp/lines" 2>"$tmp/err" </dev/null &
monitor=$!
until_line 1
result $? "monitor tells what is there"
lines=("0 - sealed - - 0 format - -" "1 0 sealed 1700000000 good 10 format - frozen"
	"2 1 sealed 1700000060 - 20 checkpoint - crash" "3 2 dropped 1700000120 old 1 checkpoint - crash")
becomes "${lines[@]}" "4 3 sealed 1700000180 monday 5 checkpoint - frozen" "5 4 head - - 0 checkpoint - -"
until_line 2
becomes "${lines[@]}" "4 3 sealed 1700000180 monday 5 checkpoint - frozen" "5 4 sealed 1700000240 - 0 checkpoint - crash" \
	"6 1 head - - 0 rollback 5 -"
until_line 3
# Nothing has happened: nothing is told
printf x >&3
sleep 0.3
becomes "${lines[@]}" "4 3 sealed 1700000180 monday 5 checkpoint - frozen" "5 4 sealed 1700000240 - 0 checkpoint - crash" \
	"6 1 sealed 1700000300 - 0 rollback 5 crash" "7 6 head - - 0 checkpoint - -"
wait $monitor
result $? "... and what happens, and ends when that was it"
cp "$tmp/lines" "$tmp/out"
python3 - "$tmp/lines" <<-'EOF'
	import json, sys
	lines = [json.loads(line) for line in open(sys.argv[1])]
	assert all(l.pop("time") > 1700000000 and l.pop("device") == "disk" for l in lines)
	assert lines[0] == {"event": "present", "mode": "rw", "head": 4, "space": "ok",
			    "used_bytes": 409600, "total_bytes": 4096000}, lines[0]
	assert lines[1:] == [
	    {"event": "checkpoint", "epoch": 4, "label": "monday", "frozen": True},
	    {"event": "rollback", "from": 5, "to": 1, "head": 6},
	    {"event": "checkpoint", "epoch": 6, "label": None, "frozen": False}], lines
EOF
result $? "... an object a line"
[ "$(cat "$tmp/acts")" = $'disk present   \ndisk checkpoint 4 yes monday\ndisk rollback   \ndisk checkpoint 6 no ' ] &&
	grep -q '^said$' "$tmp/err" && grep -q "act: warning: ended with status 3" "$tmp/err"
result $? "... a program gets all that in variables"
run 0 FAKE_POLL="$tmp/poll" monitor --timeout 1 --event closed && [ ! -s "$tmp/out" ]
result $? "monitor ends in time, and tells only what was asked for"
run 4 FAKE_POLL="$tmp/poll" monitor --timeout 1 --event closed --count 1
result $? "... status 4 when that was more"
run 0 FAKE_POLL="$tmp/poll" monitor --timeout 1 && says '^[0-9]{4}-[0-9-]+ [0-9:]+ disk present mode=rw head=7 space=ok used="400 KiB" of="3\.9 MiB"$'
result $? "a line of text"
run 0 FAKE_POLL="$tmp/poll" monitor --timeout 1 nosuch && [ ! -s "$tmp/out" ]
result $? "one that is not there is waited for"
run 8 FAKE_POLL="$tmp/poll" FAKE_FAIL="arm 25" --json monitor && says 'Linux 4.14 or newer' && [ "$(wc -l <"$tmp/out")" = 1 ] &&
	json "d['error']['exit'] == 8"
result $? "a kernel that is too old; the error is an object of one line"
# Closed and opened at once: nothing differs but which device it is.
echo '1 1' >"$FAKE/seq"
: >"$tmp/lines"
FAKE_POLL=$tmp/poll "$dmdelta" --json monitor --count 3 --timeout 300 disk >"$tmp/lines" 2>"$tmp/err" </dev/null &
monitor=$!
until_line 1
echo '2 1' >"$FAKE/seq.new" && mv "$FAKE/seq.new" "$FAKE/seq"
printf x >&3
wait $monitor && cp "$tmp/lines" "$tmp/out" &&
	[ "$(sed 's/.*"event":"\([a-z]*\)".*/\1/' "$tmp/lines" | xargs)" = 'present closed opened' ]
result $? "a close and an open are told even if the new device has had as many events"
rm "$FAKE/seq"
for signal in TERM INT; do
	: >"$tmp/lines"
	# Jobs in the background do not get SIGINT from a shell.
	FAKE_POLL=$tmp/poll python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])' "$dmdelta" monitor >"$tmp/lines" 2>"$tmp/err" &
	monitor=$!
	until_line 1
	kill -$signal $monitor
	wait $monitor
	result $? "SIG$signal ends it, with 0"
done
exec 3>&-
run 0 close disk && ends remove
result $? "close"

echo "1..$n"
