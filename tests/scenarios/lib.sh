# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154 # results and devices come from dm/lib.sh
#
# For the scenarios in the VM:  . "$(dirname "$0")/../lib.sh"
#
# On top of tests/dm/lib.sh: a device with three epochs (good files, an attack on
# some of them, good work after it) and copies of it to try a way of recovery on.
# The oracle is the program corpus (see corpus/model.h), outside of the device.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../dm/lib.sh"

SIZE_MIB=${SIZE_MIB:-384}
DELTA_MIB=${DELTA_MIB:-512}
FREE_MIB=${FREE_MIB-105}	# of a new file system; empty: as it comes
name=v vault=/dev/mapper/v there=/mnt/v
store=/tmp/case/history		# the pair that copies are made of
fs='' attack='' seed=''
mkdir -p $there

corpus_() { (cd $there && corpus -s "$seed" -a "$attack" "$@"); }
# noise FILE BLOCK-SIZE SEEK COUNT [DD-OPTION...]: random bytes over what is there,
# other ones each time, but the same ones with the same seed
noises=0
noise() {
	noises=$((noises + 1))
	corpus -s "$seed" noise $noises | dd of="$1" bs="$2" seek="$3" count="$4" \
		iflag=fullblock conv=notrunc,fsync status=none "${@:5}"
}
# pick NUMBER FROM TO: a number between the two that the seed decides
pick() {
	local r

	r=$(corpus -s "$seed" noise $((1000 + $1)) | od -An -tu4 -N4)
	echo $((r % ($3 - $2 + 1) + $2))
}
# each FS...: "scenario" on each of these, at more than one seed; $what names both
each() {
	for f; do
		for seed in 1 2 ${DEEP:+3 4}; do
			what="$f, seed $seed" noises=0
			scenario
		done
	done
}

# The page cache knows things that the disk below may no longer hold.
fresh() { sync; echo 3 >/proc/sys/vm/drop_caches; }

# --- file systems -----------------------------------------------------------------

# Nothing is written behind the scenes' back: no lazy initialization.
make_fs() {
	case $1 in
	ext4) mkfs.ext4 -q -b 4096 -E lazy_itable_init=0,nodiscard "$2" ;;
	xfs) mkfs.xfs -q -f -K "$2" ;;
	btrfs) mkfs.btrfs -q -f -K "$2" >/dev/null 2>&1 ;;
	esac
}

mount_fs() { mount -t "$fs" -o noatime "${@:3}" "${1:-$vault}" "${2:-$there}"; }
umount_fs() { umount "${1:-$there}"; }

# fsck_fs [DEVICE]: changes nothing; prints what it finds first, if anything
fsck_fs() {
	local dev=${1:-$vault} out status

	case $fs in
	ext4) out=$(e2fsck -fn "$dev" 2>&1) ;;
	xfs) out=$(xfs_repair -n "$dev" 2>&1) ;;
	btrfs) out=$(btrfs check --readonly "$dev" 2>&1) ;;
	esac
	status=$?
	[ $status = 0 ] && { echo clean; return; }
	grep -vE '^(e2fsck|Pass|Phase|Opening|Checking|UUID|\[| *- |No modify|cache)|^$' \
		<<<"$out" | head -n 1 | tr -d '"\\' | cut -c1-70
	return 1
}

# repair_fs: what an operator would try when it does not mount
repair_fs() {
	case $fs in
	ext4) e2fsck -fy $vault ;;
	xfs) xfs_repair -L $vault ;;
	btrfs) btrfs rescue zero-log $vault ;;
	esac >/tmp/case/repair 2>&1
}

# places FILE: turns its lines "start end" of 512 bytes, as filefrag knows them, into
# places on the device. They are the same but for btrfs, which has chunks.
places() {
	[ "$fs" = btrfs ] || { cat "$1"; return; }
	btrfs inspect-internal dump-tree -t chunk $vault | awk '
	FILENAME == "-" && match($0, /CHUNK_ITEM [0-9]+/) {
		logical = substr($0, RSTART + 11, RLENGTH - 11) / 512
	}
	FILENAME == "-" && $1 == "length" { len = $2 / 512 }
	FILENAME == "-" && /stripe 0 devid/ {
		n++
		from[n] = logical; size[n] = len; at[n] = $NF / 512
	}
	FILENAME == "-" { next }
	{
		for (i = 1; i <= n; i++)
			if ($1 >= from[i] && $1 < from[i] + size[i])
				print $1 - from[i] + at[i], $2 - from[i] + at[i]
	}' - "$1"
}

# ranges_of FILE...: the blocks that hold files' data, as start+length, joined
ranges_of() {
	sync
	filefrag -s -b512 -v "$@" 2>/dev/null | awk '
	$1 ~ /^[0-9]+:$/ && !/unknown|delalloc|inline|unwritten/ {
		gsub(/[.:]+/, " ")
		print $4, $4 + $3 - $2 + 1
	}' >/tmp/case/extents
	places /tmp/case/extents | sort -n | awk '
	NR > 1 && $1 <= end { if ($2 > end) end = $2; next }
	NR > 1 { print start "+" end - start }
	{ start = $1; end = $2 }
	END { if (NR) print start "+" end - start }'
}

# --- pairs of devices --------------------------------------------------------------------

# attach DIRECTORY: origin.img (read-only) and delta.img in it, as $origin and $delta
attach() {
	origin=$(losetup -r -f --show "$1/origin.img") || return
	delta=$(losetup -f --show "$1/delta.img")
}
detach() {
	losetup -d "$origin"
	losetup -d "$delta"
}

# make_tight DEVICE: leaves so little free that freed blocks are soon used again.
# (Not on btrfs, which never writes over a block and wants room.)
make_tight() {
	local avail

	[ "$fs" != btrfs ] || return 0
	mount_fs "$1" || return
	avail=$(df -k --output=avail $there | tail -n 1)
	fallocate -l $((avail - FREE_MIB * 1024))K $there/.ballast
	umount_fs
}

# new_pair FS [OPEN-OPTION...]: a fresh pair in $store with a file system on its
# origin, open as $vault, not mounted
new_pair() {
	local dev

	fs=$1
	load_module
	modprobe -qa loop "$fs"
	rm -rf $store
	mkdir -p $store
	truncate -s "${SIZE_MIB}M" $store/origin.img
	truncate -s "${DELTA_MIB}M" $store/delta.img
	dev=$(losetup -f --show $store/origin.img) && make_fs "$fs" "$dev" || return
	[ -z "${FREE_MIB-}" ] || make_tight "$dev" || return
	losetup -d "$dev"
	attach $store || return
	"$DMDELTA" format "$origin" "$delta" >/dev/null &&
		"$DMDELTA" open $name "$origin" "$delta" "${@:2}" >/dev/null
}

close_pair() {
	"$DMDELTA" close $name >/dev/null && detach
	[ "$fs" != btrfs ] || btrfs device scan -u 2>/dev/null
	return 0
}

# history FS ATTACK SEED [CHECKPOINT-OPTION...]: the three epochs, labelled good
# and bad; the good work is in the head. Closed when done. The blocks that the
# victims had before the attack are noted in $store/ranges, for the naive ways.
# With DIRTY=1 the end is as a power cut leaves it: the journal is full.
history() {
	local options=("${@:4}")

	attack=$2 seed=$3
	new_pair "$1" && mount_fs &&
		corpus_ base && sync &&
		"$DMDELTA" checkpoint $name --label good "${options[@]}" >/dev/null &&
		(cd $there && ranges_of $(corpus_ list victim)) >$store/ranges &&
		corpus_ attack && sync &&
		"$DMDELTA" checkpoint $name --label bad "${options[@]}" >/dev/null &&
		corpus_ work && sync && corpus_ is work || return
	[ -z "${DIRTY-}" ] ||
		"$DMDELTA" checkpoint $name --label work --no-freeze >/dev/null || return
	umount_fs || return
	[ -z "${DIRTY-}" ] || "$DMDELTA" rollback $name work >/dev/null || return
	close_pair
}

# copy_pair: a fresh pair of devices with that history, open as $vault
copy_pair() {
	local to=/tmp/case/copy

	rm -rf $to
	mkdir -p $to
	cp --sparse=always $store/{origin,delta}.img $to/ && attach $to &&
		"$DMDELTA" open $name "$origin" "$delta" "$@" >/dev/null
}

# written: bytes that went to the device so far, from whatever is above it
written() {
	local minor

	minor=$(dmsetup info -c --noheadings -o minor $name)
	awk '{ print $7 * 512 }' "/sys/block/dm-$minor/stat"
}

# --- what a command says ---------------------------------------------------------------

# exits CODES DESCRIPTION COMMAND...: with one of these codes ("0 4"); what it says
# goes to /tmp/case/out and /tmp/case/err
exits() {
	local codes=" $1 " what=$2 status

	shift 2
	"$@" >/tmp/case/out 2>/tmp/case/err
	status=$?
	[[ $codes == *" $status "* ]] && { pass "$what"; return; }
	fail "$what"
	diag "'$*' exited with $status" "$(head -n 20 /tmp/case/out)" "$(head -n 20 /tmp/case/err)"
	return 1
}

# paths_with KEY=VALUE... <PLAN: the paths of a plan's lines that have all of these
# members, sorted, without the leading slash
paths_with() {
	local pair where=1

	cat >/tmp/case/plan
	for pair; do
		where+=" and json_extract(value, '$.${pair%%=*}') = '${pair#*=}'"
	done
	sqlite3 :memory: "select distinct json_extract(value, '$.path') from
		json_each(coalesce(json_extract(readfile('/tmp/case/plan'), '$.paths'),
			json_extract(readfile('/tmp/case/plan'), '$.items'),
			json_extract(readfile('/tmp/case/plan'), '$.files')))
		where $where and json_extract(value, '$.path') is not null" |
		sed 's,^/,,' | LC_ALL=C sort -u
}

# judged DESCRIPTION RESULT: a result of try_way, held against what must come of it
judged() {
	local out

	printf '%s\n' "$2" >/tmp/case/result
	out=$("$PUT/tests/scenarios/judge" /tmp/case/result) && { pass "$1"; return; }
	fail "$1"
	diag "$out" "$2" "$(head -n 30 /tmp/case/said)"
	return 1
}

# What is mounted, mapped and attached, and what the device says of itself: after
# an error all of it is as before.
surroundings() {
	findmnt -rno TARGET | sort
	dmsetup ls 2>/dev/null | cut -f1 | sort
	losetup -nO NAME | sort
	[ ! -e $vault ] || facts $name
}
