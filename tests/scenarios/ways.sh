# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154 # variables of lib.sh
#
# The ways of recovery, each on a copy of the history; and what came of it.
# A way works on $vault, which is open and not mounted, and leaves it so.

WAYS="nothing rollback epoch victims before blocks files"

# The naive ways use plain messages: the tool might know better.
plain_replay() {
	local out

	out=$(replay $name "$@")
	fresh
	[[ $out =~ ^[0-9] ]] || { echo "replay: $out"; return 1; }
}

way_nothing() { :; }
way_rollback() { "$DMDELTA" rollback $name good; }
# every block that the epoch wrote; later writes stay
way_epoch() { plain_replay keep 2 2 "0+$(sectors_of $vault)"; }
# the blocks that held what the victims were before
way_victims() { plain_replay keep 2 2 $(cat $store/ranges); }
# the same, and later writes are ignored
way_before() { plain_replay drop 2 2 $(cat $store/ranges); }

# Exit 4: something was refused or left, and has been said.
way_blocks() {
	local status

	"$DMDELTA" plan $name --from bad --to bad --mode blocks -o /tmp/case/recipe.json
	status=$?
	[ $status = 0 ] || [ $status = 4 ] || return $status
	"$DMDELTA" replay $name --recipe /tmp/case/recipe.json
	status=$?
	[ $status = 0 ] || [ $status = 4 ]
}

# mounted and live, as an operator would
way_files() {
	local status

	mount_fs || return
	"$DMDELTA" recover $name --from bad --to bad
	status=$?
	umount_fs
	[ $status = 0 ] || [ $status = 4 ]
}

# way_available WAY: does the tool have what it needs?
way_available() {
	case $1 in
	blocks) "$DMDELTA" help plan >/dev/null 2>&1 ;;
	files) "$DMDELTA" help recover >/dev/null 2>&1 ;;
	esac
}

# try_way WAY: applies it to a copy of the history and prints a JSON object. What
# the commands said is in /tmp/case/said.
try_way() {
	local way=$1 status before began took moved mounted=1 found facts

	copy_pair || return
	before=$(written) began=$EPOCHREALTIME
	"way_$way" >/tmp/case/said 2>&1
	status=$?
	sync
	took=$(awk "BEGIN { print $EPOCHREALTIME - $began }")
	moved=$(($(written) - before))
	fresh
	mount_fs 2>/tmp/case/mount || {
		mounted=0
		repair_fs
		mount_fs 2>>/tmp/case/mount
	}
	if mountpoint -q $there; then
		facts=$(corpus_ verify)
		umount_fs
	else
		facts='"lost":1'
	fi
	fresh
	found=$(fsck_fs)
	printf '{"fs":"%s","attack":"%s","way":"%s","seed":%s,"status":%s,"seconds":%s,"moved":%s,"mounts":%s,"fsck":"%s",%s}\n' \
		"$fs" "$attack" "$way" "$seed" "$status" "$took" "$moved" \
		"$mounted" "$found" "$facts"
	close_pair
}
