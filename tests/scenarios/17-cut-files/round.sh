#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One round in the guest, for host.sh. Disks: origin, delta, the prepared delta.
#
# usage: round.sh SEED FS prepare
#        round.sh SEED FS LAST recover|undo CALL NTH    looks at what the LAST cut
#        round.sh SEED FS LAST end                      left; then is cut itself
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
seed=$1 fs=$2
shift 2

load_module
modprobe "$fs"
origin=$(disk 0) delta=$(disk 1)
calls=renameat2,renameat,rename,linkat,unlinkat,symlinkat,mkdirat,fchmod,fchown,fsync,fdatasync,syncfs,utimensat,fsetxattr,copy_file_range,ioctl
recover="recover v --from bad --to bad"
undo="undo v"

# The twin in memory, where nothing goes wrong, knows what must come of it.
twin=/tmp/case/twin
good() { (cd $there && eval "$1") && (cd $twin && eval "$1"); }
base() {
	local i

	mkdir -p docs usr/bin
	for ((i = 0; i < 12; i++)); do
		corpus -s "$seed" noise $((100 + i)) | head -c $((3000 + i * 5000)) >docs/d$i
	done
	echo tool >usr/bin/tool
	chmod 755 usr/bin/tool
	ln -s d1 docs/link
}
attack() {
	local i

	for i in 0 1 2; do
		corpus -s "$seed" noise $((200 + i)) |
			dd of=docs/d$i bs=1k seek=$i count=2 iflag=fullblock conv=notrunc status=none
	done
	for i in 3 4; do
		corpus -s "$seed" noise $((200 + i)) | head -c 9000 >docs/d$i.locked
		rm docs/d$i
	done
	echo trojan >usr/bin/.tool
	chmod 4755 usr/bin/.tool
	mv usr/bin/.tool usr/bin/tool
	mkdir usr/evil
	echo evil >usr/evil/dropper
	ln -sf /etc/shadow docs/link
	rm -r docs/d5
}
work() {
	echo "good work" >>docs/d8
	seq "$seed" 900 >docs/new
	rm docs/d9
}
# One md5sum for all: to start one for each file takes longer than all else.
tree() {
	(
		cd "$1" || exit
		find . -mindepth 1 ! -path './.dmdelta*' ! -path './lost+found' \
			\( -type f -fprint /tmp/case/files -o -type l -printf '%p -> %l\n' -o \
			-type d -printf '%p %m\n' \)
		paste -d ' ' <(xargs stat -c '%n %a' </tmp/case/files) \
			<(xargs md5sum </tmp/case/files | cut -c -32)
	) | LC_ALL=C sort
}
# What is looked for: as the attack has left it, and as it should be
twins() {
	rm -rf $twin
	mkdir -p $twin
	(cd $twin && base && attack && work)
	tree $twin >before
	rm -rf $twin
	mkdir -p $twin
	(cd $twin && base && work)
	tree $twin >after
	sort before after | uniq -d | sed 's/ .*//' >always
}
is_state() { fresh; tree $there | diff "$1" -; }
open_it() { "$DMDELTA" open v "$origin" "$delta" >/dev/null && mount_fs; }
close_it() { umount_fs; "$DMDELTA" close v; }

prepare() {
	local command call nr i

	make_fs "$fs" "$origin"
	must "$DMDELTA" format "$origin" "$delta"
	must open_it
	(cd $there && base)
	must "$DMDELTA" checkpoint v --label good >/dev/null
	(cd $there && attack)
	must "$DMDELTA" checkpoint v --label bad >/dev/null
	(cd $there && work)
	sync
	ok "the attack is there" is_state before
	umount_fs
	"$DMDELTA" close v
	cp --sparse=always "$delta" /tmp/case/delta
	must open_it
	for command in recover undo; do
		ok "$command" strace -o /tmp/trace -e trace=$calls "$DMDELTA" ${!command}
		# each call with how often it comes
		sed -n 's/^\([a-z_0-9]*\)(.*/\1/p' /tmp/trace | sort | uniq -c >counts
		while read -r nr call; do
			for ((i = 1; i <= nr; i++)); do
				diag "call $command $call $i"
			done
		done <counts
		[ $command != recover ] || ok "... gives what it should" is_state after
	done
	ok "undo gives what was before" is_state before
	close_it
	dd if=/tmp/case/delta of="$delta" bs=1M conv=fsync status=none
	finish
}

# look_after CUT
look_after() {
	local newest first second

	expect_sound "$delta" "cut in $1: dmdelta check finds nothing"
	ok "cut in $1: it opens and mounts" open_it
	newest=$(msg v epochs 0 | awk '$3 == "sealed" && $5 ~ /^(undo|recover)-/ { l = $5 } END { print l }')
	tree $there >now
	sort -u before after | LC_ALL=C sort >possible
	is "$(LC_ALL=C comm -23 now possible | grep -v dmdelta-tmp)" "" \
		"cut in $1: each file is as before or as after"
	is "$(sed 's/ .*//' now | LC_ALL=C sort | LC_ALL=C comm -13 - <(LC_ALL=C sort always))" "" \
		"cut in $1: nobody else's file is missing"
	diag "$1: $(comm -12 <(sort now) <(sort after) | wc -l) of $(wc -l <after) lines as after"
	if [[ $1 == recover* ]]; then
		exits "0 4" "cut in $1: the same command" "$DMDELTA" $recover
		ok "cut in $1: ... ends it" is_state after
		# It may have been interrupted, so all since then counts as its work.
		exits 0 "cut in $1: undo" "$DMDELTA" undo v --force
		ok "cut in $1: ... takes all back" is_state before
	else
		# Ended before the cut, it is taken back itself.
		first=before second=after
		[[ $newest != undo-* ]] || first=after second=before
		diag "$1: gives what was $first"
		exits 0 "cut in $1: the same command" "$DMDELTA" $undo
		ok "cut in $1: ... ends it" is_state $first
		exits 0 "cut in $1: undo of it" "$DMDELTA" undo v --force
		ok "cut in $1: ... gives what was $second" is_state $second
	fi
	is "$(find $there -name '.dmdelta-tmp*')" "" "cut in $1: nothing is left over"
	umount_fs
	is "$(fsck_fs)" clean "cut in $1: the file system is clean"
	ok "cut in $1: close" "$DMDELTA" close v
}

mkdir -p /tmp/case && cd /tmp/case || exit 1
twins
[ "$1" != prepare ] || prepare
[ "$1" = none ] || look_after "$1"
[ "$2" != end ] || finish

dd if="$(disk 2)" of="$delta" bs=1M conv=fsync status=none
must open_it
[ "$2" != undo ] || must "$DMDELTA" $recover >/dev/null
# Stopped by the call itself, so it is done and the next is not.
strace -o /tmp/trace -e trace="$3" -e inject="$3":signal=SIGSTOP:when="$4" \
	"$DMDELTA" ${!2} >/tmp/said 2>&1 &
for ((i = 0; i < 1200; i++)); do
	grep -q 'stopped by SIGSTOP' /tmp/trace && break
	kill -0 $! 2>/dev/null || break
	sleep 0.1
done
# (How often it asks for something may differ a little.)
if grep -qE 'stopped by SIGSTOP|exited with 0' /tmp/trace; then
	pass "$2 was stopped after $3 $4"
else
	fail "$2 was stopped after $3 $4"
	diag "$(cat /tmp/said)" "$(tail -n 3 /tmp/trace)"
fi
stty -F /dev/ttyS1 raw
vm-cut
sleep 60
