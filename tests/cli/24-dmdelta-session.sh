#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=600
#
# Where a device begins, what becomes of a session and of an update, with fake-dm.c
# in the place of device-mapper.
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

# --- where it begins, and what becomes of a session ---------------------------------

# with WORD: a status line that ends so
with() { echo "FAKE_STATUS=rw 4 2 100/1000 50 60 ok 8 6 5 1/64 0 2/16 - - 9 0/0 - $1"; }
fresh
run 0 "$(with 2,-,discard,updating,-)" --json status disk && json "d['start_epoch'] == 2 and d['begins'] == 'nonpersistent discard' and d['update'] == 'updating' and d['session_epoch'] is None" &&
	run 0 "$(with 0,2,undoable,-,discard)" --json status disk && json "d['begins'] == 'undoable' and d['session_epoch'] == 2 and d['session_answer'] == 'discard' and d['update'] is None"
result $? "status shows it"
run 8 "$(with 2,-,discard,updating)" status disk && says 'not understood: start'
result $? "... and nothing that is not whole"
fresh
for word in 5:5,None,None 5,50/200:5,50,200 -:None,None,None; do
	run 0 "$(with - | sed "s# 2/16 -# 2/16 ${word%%:*}#")" --json status disk &&
		json "(d['reclaim_pending'], d['reclaim_done'], d['reclaim_total']) == (${word#*:})"
	result $? "status: reclaim ${word%%:*}"
done
run 0 "$(with - | sed 's# 2/16 -# 2/16 5,50/200#')" status disk && grep -qE '^reclaim pending: +5 epochs, 25 % of a pass$' "$tmp/out"
result $? "... in words"
for word in "5," "5,50" "5,50/" "5,50/200x" x; do
	run 8 "$(with - | sed "s# 2/16 -# 2/16 $word#")" status disk && says 'not understood: reclaim'
	result $? "... not $word"
done
fresh
run 8 "$(with 2,-,keep,-,-)" drop disk 2 && says 'begins there when' && did
result $? "where it begins is not dropped"
run 8 "$(with 0,2,undoable,-,-)" drop disk 2 && says 'the open session began with it'
result $? "... nor what a session began with"
run 0 "$(with 2,-,keep,-,-)" --json retain disk newest=1 --dry-run && json "[e['why'] for e in d['epochs'] if e['epoch'] == 2] == ['where it begins']"
result $? "... nor by a policy"
# why EPOCH: why a policy that keeps one leaves it, with the settings so far
lines=("0 - sealed - - 0 format - -" "1 0 sealed 1700000000 - 10 format - crash" "2 1 sealed 1700000060 - 20 checkpoint - crash"
	"3 2 sealed 1700000120 - 1 checkpoint - crash" "4 3 sealed 1700000180 - 1 checkpoint - crash" "5 4 head - - 5 checkpoint - -")
printf '%s\n' "${lines[@]}" >"$FAKE/epochs"
why() { json "'|'.join(e['why'].split()[0] for e in sorted(d['epochs'], key=lambda e: e['epoch'])) == '$1'"; }
run 0 --json retain disk newest=1 --dry-run && why 'drop|drop|drop|newest'
result $? "retain --dry-run: what goes"
run 0 FAKE_VIEW="9:9 2" --json retain disk newest=1 --dry-run && why 'drop|shown|drop|newest'
result $? "... not what a view shows"
run 0 FAKE_VIEW="9:9 4 2 0 8 2 2 keep_later 8 8 2 3 drop_later" --json retain disk newest=1 --dry-run && why 'shown|shown|shown|shown'
result $? "... nor what its rules name, and stand on"
run 0 "$(with - | sed 's/ - -$/ 3,1\/2,running -/')" --json retain disk newest=1 --dry-run && why 'drop|drop|shown|newest'
result $? "... nor what is being committed"
run 0 --json retain disk lag=1m --dry-run && why 'committed|committed|no|no' && json "d['to_commit'] == 3 and d['held_up_by'] is None and (d['kept'], d['to_drop']) == (2, 2)"
result $? "... and what a lag makes part of the origin"
run 0 "$(with 0,-,discard,-,-)" --json retain disk lag=1m --dry-run && json "d['to_commit'] is None" &&
	run 0 "$(with 2,-,discard,-,-)" --json retain disk lag=1m --dry-run && json "(d['to_commit'], d['held_up_by']) == (2, 2)"
result $? "... not where the device begins with the base each time"
printf '%s\n' "${lines[@]:0:2}" "${lines[2]} - - pinned" "${lines[@]:3}" >"$FAKE/epochs"
run 0 --json retain disk lag=1m --dry-run && why 'committed|pinned|no|no' && json "(d['to_commit'], d['held_up_by']) == (2, 2)"
result $? "... and what holds it up"
run 0 retain disk lag=1m --dry-run && grep -qE '^what else is old enough is held up by: +2$' "$tmp/out"
result $? "... in words"
printf '%s\n' "${lines[@]}" >"$FAKE/epochs"
# 900 of 1000 blocks are free, 60 of them in reserve.
for words in 'critical=40:' 'critical=83:' 'critical=85:warns' 'low=90:' 'none:'; do
	run 0 FAKE_TABLE='7:0 7:1 3 cache_mb 64 reclaim_if_full' retain disk "${words%:*}" --dry-run && warned=$(grep -c 'critical at once .*3.5 MiB free.*drops the oldest' "$tmp/err")
	[ "$warned" = "$([ "${words#*:}" ] && echo 1 || echo 0)" ]
	result $? "retain ${words%:*} of a device that drops for room ${words#*:}"
done
run 0 retain disk critical=85 --dry-run && [ ! -s "$tmp/err" ]
result $? "... of another one nothing is said"
fresh
run 0 "$(with 2,-,keep,-,-)" drop disk 1
result $? "... others are"
fresh
run 0 start disk good && says 'begins with: 1' && ends 'start 1'
result $? "start takes a label"
run 0 start disk base && ends 'start 0'
result $? "start takes the base"
run 8 start disk head && says 'head: the head: it is still written' && ends 'start 0'
result $? "start does not take the head"
run 8 "$(with 2,-,keep,wanted,-)" start disk good && says 'an update is wanted'
result $? "... nor anything while an update is wanted"
for word in begin end cancel; do
	fresh
	run 8 update $word disk && says 'no update is under way|not open as nonpersistent' && did
	result $? "update $word of a device that is not nonpersistent"
done
run 0 "$(with 0,-,keep,-,-)" update begin disk && says 'update: +updating' && did 'update begin'
result $? "update begin"
run 0 FAKE_UPDATE=wanted "$(with 0,-,keep,-,-)" update begin disk && says 'begins when it is opened again'
result $? "update begin of one that was written to"
run 8 "$(with 0,-,keep,wanted,-)" update end disk && says 'the update begins with the next opening'
result $? "... cannot end before"
fresh
run 0 "$(with 0,-,keep,updating,-)" --json update end disk --label v2 && json "d['start_epoch'] == 4 and d['update'] is None" && ends 'update end v2'
result $? "update end seals with the label"
run 8 "FAKE_FAIL=update end 17" "$(with 0,-,keep,updating,-)" update end disk --label v2 && says 'another epoch has this label'
result $? "... unless it is taken"
run 0 "$(with 0,-,keep,wanted,-)" update cancel disk && ends 'update cancel'
result $? "update cancel"

open_session=$(with 0,2,undoable,-,-)
fresh
run 16 "$open_session" close disk && says 'session\? Give --commit, --keep or --discard' && did
result $? "close of a session needs an answer"
run 16 "$open_session" --json close disk && did
result $? "... in JSON, too"
for word in keep discard; do
	fresh
	run 0 "$open_session" close --$word disk && did "session $word" remove
	result $? "close --$word says so before it closes"
	fresh
	run 8 "$open_session" "FAKE_FAIL=session 5" close --$word disk && did "session $word"
	result $? "... and does not close if that cannot be said"
	fresh
	run 8 "$open_session" "FAKE_FAIL=remove 16" close --$word disk && did "session $word" remove "session ask"
	result $? "... and takes it back if it cannot close"
done
# commits FAIL ARGUMENT...: the epoch that is made is number 4, nobody has the origin
commits() { run "$1" "$open_session" FAKE_TABLE='0:0 7:1' "${@:2}" close --commit disk; }
made=('epochs 0' 'epochs 3' checkpoint 'commit 4 try ended')
fresh
commits 0 && did "${made[@]}" 'session end' 'commit 4' remove
result $? "close --commit asks whether it can be before the session ends"
fresh
commits 8 'FAKE_FAIL=commit 4 try ended 1' && says 'commit: it, or an epoch below it, is pinned' &&
	says 'The session of disk goes on, and disk stays open' && did "${made[@]}"
result $? "... does not end it if not"
fresh
commits 8 'FAKE_FAIL=session end 5' && says 'The session of disk goes on' && did "${made[@]}" 'session end'
result $? "... nor commit if it cannot end"
fresh
commits 8 'FAKE_FAIL=commit 4$ 30' && says 'the origin is read-only' && says 'The session has ended' && says "^'dmdelta commit disk 4' commits it" &&
	did "${made[@]}" 'session end' 'commit 4'
result $? "... and says what there is when something came in between"
fresh
run 16 close --keep disk && says 'no session is open' && did
result $? "no answer where there is no session"
run 0 "$(with 0,2,-,-,-)" close disk && did remove
result $? "one that was opened without it does not ask"
fresh
run 0 "$(with 0,2,undoable,-,keep)" close disk && did remove
result $? "one that was answered is not asked again"
fresh
run 0 "FAKE_STATUS=ro 4 2 100/1000 50 60 ok 8 6 5 1/64 0 2/16 - - 9 0/0 - 0,2,undoable,-,-" close disk && did remove
result $? "one that may only be read closes, and its session goes on"

# typed TEXT: what close of a session answers to that, on a terminal
typed() {
	env "$open_session" python3 - "$dmdelta" "$1" >"$tmp/out" 2>&1 <<-'EOF'
		import os, pty, sys
		pid, fd = pty.fork()
		if not pid:
		    os.execv(sys.argv[1], ["dmdelta", "close", "disk"])
		data = b""
		while b"? " not in data:
		    data += os.read(fd, 4096)
		os.write(1, data)
		os.write(fd, sys.argv[2].encode())
		try:
		    while data := os.read(fd, 4096):
		        os.write(1, data)
		except OSError:
		    pass
		sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	EOF
}
fresh
typed $'discard\n' && grep -q 'since epoch 2: commit, keep or discard?' "$tmp/out" && did 'session discard' remove
result $? "on a terminal it is asked"
fresh
typed $'what\n\nkeep\n' && did 'session keep' remove
result $? "... until it understands"
fresh
typed $'\x04'
[ $? = 32 ] && did
result $? "... the end of input cancels"
fresh
typed $'\x03'
[ $? = 32 ] && did
result $? "... so does an interrupt"

echo "1..$n"
