#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The past, mounted: view, mount, ls, cat and cp on ext4, xfs and btrfs while
# the live file system is mounted and written to, with a journal that was dirty
# at the checkpoint; a scratch layer that fills up; commands killed anywhere.
# Nothing stays behind.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

dmdelta() { "$DMDELTA" "$@"; }
refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
json_of() {
	dmdelta --json "$@" >j 2>err
	is "$(sqlite3 :memory: "select json_valid(readfile('j'))")" 1 "JSON of $1"
}
load_module
modprobe -a xfs btrfs
mkdir -p /mnt/live /mnt/old /mnt/too
dev=$(dev_of v)

# What commands make, on this system
ours() {
	dmsetup ls | grep -i dmdelta
	losetup --list --noheadings --output NAME,BACK-FILE
	grep -E ' /mnt/(old|too) ' /proc/mounts
	find /var/tmp -mindepth 1
}
# nothing_left DESCRIPTION: soon, since the kernel takes its time
nothing_left() {
	local i

	for ((i = 0; i < 600; i++)); do
		[ -z "$(ours)" ] && { pass "$1: nothing is left"; return; }
		sleep 0.1
	done
	fail "$1: nothing is left"
	diag "$(ours)"
}
# Of the root, a btrfs that replays its log does not know the last time.
tree() { (cd "$1" && find . -mindepth 1 -name lost+found -prune -o -printf '%p %y %m %U:%G %s %T@ %l\n' | sort); }
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2); }

# --- each file system ---------------------------------------------------------------

make_tree() {
	mkdir -p $1/dir/deep $1/etc
	seq 1 3000 >$1/dir/numbers
	dd if=/dev/urandom of=$1/random bs=64k count=20 status=none
	truncate -s 3M $1/dir/holes && echo end >>$1/dir/holes
	echo theirs >$1/etc/passwd
	ln -s /etc/passwd $1/absolute
	ln -s ../../../../../etc/passwd $1/dir/deep/up
	ln $1/random $1/dir/hard
	chown 1000:33 $1/dir/numbers
	chmod 4751 $1/dir/numbers
	touch -d '2001-02-03 04:05:06.789' $1/dir/numbers
	mkfifo $1/pipe
}

try_fs() {
	local fs=$1 i

	wipefs -qa "$origin"
	mkfs.$fs -q "$origin" >/dev/null 2>&1
	dmdelta format --force "$origin" "$delta" >/dev/null
	open_pair v
	mount $dev /mnt/live
	make_tree /mnt/live
	sync -f /mnt/live
	# What fsync() promised is in the journal alone.
	echo promised >/mnt/live/synced
	sync /mnt/live/synced
	tree /mnt/live >want.tree
	sums /mnt/live >want.sums
	dmdelta checkpoint v --no-freeze --label dirty >/dev/null
	rm -r /mnt/live/dir /mnt/live/synced
	echo new >/mnt/live/random
	dmdelta checkpoint v --label frozen >/dev/null
	echo newer >/mnt/live/random

	ok "$fs: mount" "$DMDELTA" mount v@dirty /mnt/old
	tree /mnt/old >got.tree
	sums /mnt/old >got.sums
	ok "$fs: the tree is as it was" diff want.tree got.tree
	ok "$fs: the files are as they were" diff want.sums got.sums
	not_ok "$fs: it cannot be written" touch /mnt/old/file
	like "$(findmnt -no OPTIONS /mnt/old)" '^ro,nosuid,nodev,' "$fs: nothing in it can raise rights"
	ok "$fs: a second one beside it" "$DMDELTA" mount v@frozen /mnt/too --scratch memory --writable
	is "$(cat /mnt/too/random)" new "$fs: ... shows its own epoch"
	for ((i = 0; i < 20; i++)); do
		echo $i >/mnt/live/write$i && echo $i >/mnt/too/write$i
	done
	ok "$fs: the live one is written meanwhile" sync -f /mnt/live
	ok "$fs: a scratch copy, too" sync -f /mnt/too
	sums /mnt/old >got.sums
	ok "$fs: the first one stays as it is" diff want.sums got.sums
	is "$(dmdelta cat v@dirty:/synced)" promised "$fs: cat, with two mounted"
	refuses 8 'cannot be|in use|busy|it exists|held' drop v dirty
	ok "$fs: umount(8) is enough" umount /mnt/old
	ok "$fs: dmdelta umount" "$DMDELTA" umount /mnt/too
	nothing_left "$fs"
	is "$(cat /mnt/live/random)" newer "$fs: the live one is what it was"
}

# What is there before does not matter: no random_fill
linear origin "$(disk 0)" 0 $((320 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((900 * 2048)) && delta=$(dev_of delta)
for fs in ext4 xfs btrfs; do
	try_fs $fs
	[ $fs = btrfs ] && break
	umount /mnt/live
	dmdelta close v >/dev/null
done

ok "mount -o" "$DMDELTA" mount -o rw,suid,noexec,commit=7 v@dirty /mnt/old
like "$(findmnt -no OPTIONS /mnt/old)" '^rw,nodev,noexec,.*commit=7' "... as it says"
umount /mnt/old
refuses 8 'cannot be mounted' mount -o nosuch=1 v@dirty /mnt/old
strace -f -e trace=mount -o trace "$DMDELTA" ls v@dirty:/ >/dev/null
like "$(grep btrfs trace)" 'MS_RDONLY\|MS_NOSUID\|MS_NODEV\|MS_NOEXEC' "a mount for our own eyes"

# --- ls, cat, cp, on btrfs with a subvolume ------------------------------------------------

is "$(dmdelta cat v@dirty:/absolute)" theirs "an absolute link stays inside"
is "$(dmdelta cat v@dirty:/dir/deep/up)" theirs "a link upwards stays inside"
is "$(dmdelta cat v@dirty:/dir/../../../etc/passwd)" theirs "so does .."
refuses 8 'no such file in this epoch' cat v@frozen:/synced
refuses 8 'not a regular file' cat v@dirty:/dir
refuses 8 'not a regular file' cat v@dirty:/pipe
like "$(dmdelta ls v@dirty:/dir)" 'rwsr-x--x +1 +1000 +33 +13893 +2001-02-03 04:05:06 +numbers' "ls"
json_of ls v@dirty:/absolute
is "$(json j '$.files[0].mode' '$.files[0].target' | xargs)" "lrwxrwxrwx /etc/passwd" "ls of a link in JSON"
refuses 8 '-r copies it' cp v@dirty:/dir copied
ok "cp -r" "$DMDELTA" cp -r v@dirty:/ copied
tree copied >got.tree
sed 's/^\(.* d [0-9]* [0-9:]*\) [0-9]* /\1 /' want.tree >want.cut
sed -i 's/^\(.* d [0-9]* [0-9:]*\) [0-9]* /\1 /' got.tree
ok "cp -r keeps modes, owners, times, links" diff want.cut got.tree
ok "... holes" [ "$(stat -c %b copied/dir/holes)" -lt 64 ]
ok "... hard links" [ copied/random -ef copied/dir/hard ]
mkdir into
ok "cp into a folder" "$DMDELTA" cp v@dirty:/dir/numbers into
is "$(stat -c '%a %u %s' into/numbers)" "4751 1000 13893" "... under its name"
refuses 8 'No such file' cp v@dirty:/dir/numbers nosuch/file
nothing_left "ls, cat, cp"

# --- what is refused --------------------------------------------------------------------------

refuses 8 'still being written' mount v@head /mnt/old
refuses 8 'no such epoch' mount v@99 /mnt/old
refuses 8 'no such device' mount w@1 /mnt/old
refuses 8 'there already' view v dirty v
refuses 8 'no such volume; there are: device \(btrfs\)' mount v@dirty /mnt/old --volume vg/lv
refuses 8 'No such file' mount v@dirty /mnt/old --scratch /nosuch/file
refuses 8 '/mnt/live: it lies on v: ' mount v@dirty /mnt/old --scratch /mnt/live
refuses 8 '/mnt/live/new: it lies on v: ' mount v@dirty /mnt/old --scratch /mnt/live/new
truncate -s 40M /mnt/live/image && mkfs.ext4 -q /mnt/live/image && mount -o loop /mnt/live/image /mnt/too
refuses 8 '/mnt/too: it lies on v: ' cat v@dirty:/synced --scratch /mnt/too
mkdir -m 1777 /mnt/too/tmp && mount --bind /mnt/too/tmp /var/tmp
is "$(dmdelta cat v@dirty:/synced 2>err)" promised "the default on the device itself: memory"
like "$(cat err)" 'warning: it lies on v: taking memory' "... with a warning"
umount /var/tmp /mnt/too && rm /mnt/live/image
echo mine >mine
refuses 8 'there already' mount v@dirty /mnt/old --scratch mine
is "$(cat mine)" mine "... and the file is left alone"
refuses 8 'no epoch is mounted' umount /mnt/live
nothing_left "refusals"
ok "a scratch file" "$DMDELTA" mount v@dirty /mnt/old --scratch file --scratch-size 32M
not_ok "... has no name" [ -e file ]
(cd /mnt/old && exec sleep 600) &
busy=$!
there() { [ /proc/$busy/cwd -ef /mnt/old ]; }
ok "somebody is there" eventually 60 there
refuses 8 'in use' umount /mnt/old
kill $busy
wait
ok "umount when it is free again" "$DMDELTA" umount /mnt/old
nothing_left "a scratch file"

# --- views -----------------------------------------------------------------------------------------

ok "view" "$DMDELTA" view v dirty w
is "$(blockdev --getro "$(dev_of w)")" 1 "a view is read-only"
# The superblock, and the trees around it, into which the log would be replayed
before=$(head -c 64M "$(dev_of w)" | sha256sum)
is "$(dmdelta cat v@dirty:/synced)" promised "a view of the same btrfs does not disturb"
is "$(head -c 64M "$(dev_of w)" | sha256sum)" "$before" "... and nothing is written to it"
json_of views v
is "$(json j '$.views[0].view' '$.views[0].name' '$.views[0].epoch' '$.views[0].private' '$.views[0].open_count' | xargs)" \
	"w v 1 0 0" "views"
json_of status v
is "$(json j '$.nr_views')" 1 "status counts them"
exec 9<"$(dev_of w)"
refuses 8 'w: in use' close w
exec 9<&-
dmdelta mount v@dirty /mnt/old >/dev/null
like "$(dmdelta views)" 'ok +mounted on /mnt/old' "views says where it is mounted"
umount /mnt/live
like "$(dmdelta close v)" 'closed: v.*view w of epoch 1 stays' "close with views open"
is "$(cat /mnt/old/synced)" promised "a mount goes on without its device"
open_pair v
blockdev --flushbufs "$(dev_of w)"
is "$(head -c 64M "$(dev_of w)" | sha256sum)" "$before" "so does a view"
json_of views v
is "$(json j '$.views[#-1].name')" v "... and the device finds them when it is opened again"
dmdelta umount /mnt/old >/dev/null
ok "close of a view" "$DMDELTA" close w
nothing_left "views"

# --- scratch full ------------------------------------------------------------------------------------

ok "a small scratch layer" "$DMDELTA" mount v@frozen /mnt/old --writable --scratch-size 4M
dd if=/dev/urandom of=/mnt/old/big bs=1M count=16 conv=fsync 2>/dev/null
json_of views v
is "$(json j '$.views[0].scratch')" full "views says that it is full"
like "$(dmdelta umount /mnt/old 2>&1)" 'full.*--scratch-size' "umount says so, too"
nothing_left "a full scratch layer"

# --- killed ----------------------------------------------------------------------------------------------

# At twelve moments from the beginning of each command to its end
work() {
	if (($1 % 2)); then
		exec "$DMDELTA" mount v@dirty /mnt/old
	else
		exec "$DMDELTA" cp -r v@dirty:/ copy$1
	fi >/dev/null 2>&1
}
for i in 1 0 1 0; do
	now=${EPOCHREALTIME/./}
	(work $i)
	now=$((${EPOCHREALTIME/./} - now))
	[ $now -gt "${took[i]-$now}" ] || took[i]=$now
	umount /mnt/old 2>/dev/null
done
hits=0
# Again, if most of them have ended before: then others kept the machine busy.
for ((i = 1; i <= 12 || (hits < 6 && i <= 60); i++)); do
	work $i &
	usleep=$((took[i % 2] * ((i - 1) % 12 + 1) / 16))
	sleep "$(printf '%d.%06d' $((usleep / 1000000)) $((usleep % 1000000)))"
	kill -KILL $! 2>/dev/null && hits=$((hits + 1))
	wait $! 2>/dev/null
	umount /mnt/old 2>/dev/null
done
ok "$hits commands were killed before their end" [ $hits -ge 6 ]
nothing_left "killed"
strace -f -o /dev/null -e trace=ioctl -e inject=ioctl:delay_exit=500000 \
	"$DMDELTA" ls v@dirty:/ >/dev/null 2>&1 &
for ((i = 0; i < 600; i++)); do
	dmsetup ls | grep -q VIEW && break
	sleep 0.05
done
ok "caught with the view just made" [ $i -lt 600 ]
kill -KILL "$(pgrep -x dmdelta | head -n 1)"
wait
nothing_left "killed in the middle of making a view"
ok "and all works as before" [ "$(dmdelta cat v@dirty:/synced)" = promised ]
finish
