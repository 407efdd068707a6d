# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of guest-lib.sh
#
# The intruder, for guest-story.sh: overwrites bytes in place, so that no size,
# no place and no name changes. What was hit is noted in the record, which
# nothing but the claims and the final table look at.

intrude() {
	local file offset count page
	local documents=srv/documents

	# A few bytes in the middle of programs, as a back door would be patched in
	while read -r file offset count; do
		echo "./$file" >>$record/victims
		dd if=/dev/urandom of="/vault/$file" bs=1 seek="$offset" \
			count="$count" conv=notrunc,fsync status=none || return
	done <<-END
	bin/bash 700000 96
	bin/ls 60000 64
	bin/grep 90001 200
	bin/sed 12288 4096
	bin/tar 200000 5000
	usr/bin/sha256sum 20480 64
	END
	# The plan, as an encrypter would do it
	echo "./$documents/plan.txt" >>$record/victims
	dd if=/dev/urandom of=/vault/$documents/plan.txt bs=64k count=4 iflag=fullblock \
		conv=notrunc,fsync status=none || return
	# Two runs of pages of the shop's archive, in the middle of the file
	sqlite3 -cmd '.timeout 20000' "$shop" "SELECT pageno FROM dbstat
		WHERE name = 'archive' AND pagetype = 'leaf' AND
		(pageno BETWEEN 140 AND 163 OR pageno BETWEEN 200 AND 215)" \
		>$record/pages || return
	for page in 140+24 200+16; do
		yes 'pay to have it back' | tr '\n' ' ' |
			dd of="$shop" bs=4096 seek=$((${page%+*} - 1)) \
				count="${page#*+}" iflag=fullblock \
				conv=notrunc,fsync status=none || return
	done
	[ "$(wc -l <$record/pages)" = 40 ]
}
