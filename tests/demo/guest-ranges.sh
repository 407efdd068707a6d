#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Where, on a deltarec device, did files change between two epochs?
#
# usage: guest-ranges.sh DEVICE FROM TO FILE[@PAGE,PAGE,...]...
#
# Prints the ranges that "dmdelta diff DEVICE FROM TO" lists, cut down to the
# places of the files (or of their pages of 4 KiB, counted from 1 as SQLite does)
# as start+length in sectors, as "dmdelta replay --range" takes them. The files
# must be mounted from DEVICE itself, and their places the same as in the epochs.
set -o pipefail
[ $# -ge 4 ] || { sed -n 's/^# usage/usage/p' "$0"; exit 16; }
device=$1 from=$2 to=$3
shift 3

# One line for each piece of a file: start and end in sectors. Pieces that are
# not simply there (not written yet, inline, shared, ...) are refused.
extents() {
	filefrag -s -b512 -v "${@%@*}" | awk -v arguments="$(printf '%s\n' "$@")" '
	BEGIN {
		n = split(arguments, argument, "\n")
		for (i = 1; i <= n; i++) {
			at = match(argument[i], /@[0-9,]+$/)
			if (at)
				pages[substr(argument[i], 1, at - 1)] = \
					substr(argument[i], at + 1)
		}
	}
	/^File size of / {
		file = substr($0, 14)
		sub(/ is [0-9]+ \([0-9]+ blocks? of 512 bytes\)$/, "", file)
		n = split(pages[file], page, ",")
	}
	$1 !~ /^[0-9]+:$/ { next }
	/unknown|delalloc|inline|encoded|unwritten|shared/ {
		print file ": not a plain extent:", $0 >"/dev/stderr"
		exit 1
	}
	{
		gsub(/[.:]+/, " ")	# number, first and last in the file,
		first = $2		# first on the device
		last = $3
		start = $4
	}
	!n { print start, start + last - first + 1 }
	{
		for (i = 1; i <= n; i++) {
			at = (page[i] - 1) * 8
			if (at >= first && at <= last)
				print start + at - first, start + at - first + 8
		}
	}'
}

extents "$@" >"/tmp/extents.$$" &&
	dmdelta diff "$device" "$from" "$to" | awk '
	!diff { n++; start[n] = $1; end[n] = $2; next }
	split($1, r, /\+/) == 2 {
		for (i = 1; i <= n; i++) {
			s = r[1] > start[i] ? r[1] + 0 : start[i]
			e = r[1] + r[2] < end[i] ? r[1] + r[2] : end[i]
			if (s < e)
				print s, e
		}
	}' "/tmp/extents.$$" diff=1 - | sort -n | awk '
	NR > 1 && $1 <= end { if ($2 > end) end = $2; next }
	NR > 1 { print start "+" end - start }
	{ start = $1; end = $2 }
	END { if (NR) print start "+" end - start }'
status=$?
rm -f "/tmp/extents.$$"
exit $status
