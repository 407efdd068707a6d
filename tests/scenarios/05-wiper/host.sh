#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A wiper over partition table, superblocks and inode tables, then the power
# goes off. After the next boot: every byte of then is back.
# shellcheck source=tests/rounds.sh
. "$(dirname "$0")/../../rounds.sh"

for seed in 1 2 ${DEEP:+3 4}; do
	rm -f "$tmp"/{origin,delta,record}
	truncate -s 400M "$tmp/origin"
	truncate -s 256M "$tmp/delta"
	truncate -s 512M "$tmp/record"
	disks=(--disk "$tmp/origin" --disk "$tmp/delta" --disk "$tmp/record")
	boot "05-wiper/wipe.sh $seed" --expect-death "${disks[@]}" &&
		boot "05-wiper/return.sh $seed" "${disks[@]}"
done
echo "1..$n"
