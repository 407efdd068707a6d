#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In the guest of tests/bench/run: the workloads on each target in turn. MODEL,
# TARGETS, ONLY (workloads, or nothing for all of the model) and QUICK come from
# the host.
# shellcheck source=tests/bench/guest-lib.sh
. /put/guest-lib.sh
[ "$QUICK" = smoke ] && SIZE=32m IO=4m
# shellcheck source=tests/bench/guest-targets.sh
. /put/guest-targets.sh

beats=10			# checkpoints while a job runs, ...
beat=100			# ms from one to the next

# --- checkpoints of any target: $oldest to $newest are there ----------------------------

reset() {
	oldest=1 newest=0
	can "room_$t" && "room_$t" "$1"
}
drop_to() {
	while [ $oldest -lt "$1" ]; do
		can "drop_$t" && "drop_$t" $oldest
		oldest=$((oldest + 1))
	done
}
# checkpoint: the one before is given up
checkpoint() {
	newest=$((newest + 1))
	can "take_$t" || return
	[ "$slices" = 0 ] || clear_slice $newest
	{
		# a snapshot of the COW side takes the name of the one before
		[ $t = cow ] && drop_to $newest
		"take_$t" $newest
		drop_to $newest
	} >commands
	batch <commands
}
drop_all() {
	drop_to $((newest + 1)) >commands
	batch <commands
}
rebuild() {
	drop_all
	"new_$t"
	reset 2
}
# history EPOCHS: each of 16 random blocks, one every 4 ms
history() {
	local i

	rebuild
	reset $(($1 + 1))
	fio --name=history --filename=$DEV --ioengine=libaio --direct=1 --bs=4k \
		--rw=randwrite --norandommap --size="$SIZE" --io_size=$(($1 * 64))k \
		--rate_iops=4000 >/dev/null 2>&1 &
	for ((i = 1; i <= $1; i++)); do
		"take_$t" $i
		echo "sleep 4"
	done | batch
	wait
	newest=$1
}
# beat: commands of checkpoints while a job runs
beats() {
	local i

	for ((i = 0; i < beats; i++)); do
		echo "sleep $beat"
		newest=$((newest + 1))
		"take_$t" $newest
		drop_to $newest
	done
}
# stalls NAME: how long the checkpoints took that "beats" has asked for
stalls() {
	awk -v beats=$beats -v take="$("take_$t" 1 | wc -l)" '
		{ lines[NR] = $1; if ($2 != "=") bad = 1 }
		END {
			if (bad || NR % beats) exit 1
			each = NR / beats
			for (i = 0; i < beats; i++) {
				sum = 0
				for (j = 2; j <= take + 1; j++)
					sum += lines[i * each + j]
				printf "%.4f\n", sum / 1e6
			}
		}' beats.out | sort -n >stalls || die "checkpoints: $(cat beats.out)"
	value "$1" checkpoint_p50_ms "$(sed -n $((beats / 2))p stalls)"
	value "$1" checkpoint_max_ms "$(tail -n 1 stalls)"
}

# --- the table --------------------------------------------------------------------------

# prepare BEFORE: false if the target has nothing of the kind
prepare() {
	local what many
	local -a words

	during=''
	IFS=, read -ra words <<<"$1"
	for what in "${words[@]}"; do
		case $what in
		-) return ;;
		checkpoint) checkpoint ;;
		rebuild) rebuild ;;
		overwrite)
			[ $t = cow ] && checkpoint
			dd if=/dev/zero of=$DEV bs=1M count=64 oflag=direct status=none ;;
		history=*)
			[ $t = cow ] || ! can "take_$t" && return 1
			many=${t}_${what#*=}
			history "${!many:-1}" ;;
		during=checkpoints)
			[ $t = cow ] && return 1
			can "take_$t" && reset $((beats + 2)) && checkpoint && during=1 ;;
		*) die "what is '$what'?" ;;
		esac
	done
	sync
	sleep 2		# until what works in the background has ended
	return 0
}

# wanted NAME MODELS
wanted() {
	local model

	[ -z "$ONLY" ] || [[ " $ONLY " == *" $1 "* ]] || return
	for model in ${2//,/ }; do
		[ "${model%\*}" = "$MODEL" ] || continue
		[ -z "$QUICK" ] || [ "$model" != "${model%\*}" ] && return
	done
	return 1
}

versions
for t in $TARGETS; do
	began=$SECONDS
	RESULTS=/get/$MODEL/$t
	"make_$t"
	reset 2
	while IFS=$'\t' read -r name job models before _; do
		[[ $name == \#* ]] && continue
		wanted "$name" "$models" && prepare "$before" || continue
		if [ -n "$during" ]; then
			beats >commands
			dmbatch -t x <commands >beats.out &
			measure "$name" "$job"
			wait
			stalls "$name"
		else
			measure "$name" "$job"
		fi
	done </put/workloads
	valid
	dmsetup table >"$RESULTS/tables"
	cat /sys/block/nullb0/queue/scheduler >"$RESULTS/scheduler"
	drop_all
	"close_$t"
	echo "$MODEL $t: $((SECONDS - began)) s of the guest's"
done
clean_log
exit 0
