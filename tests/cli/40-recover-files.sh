#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=600
#
# The three-way merge of files over plain directories: see files.py. Needs
# root (owners, devices, flags).
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
trap 'chattr -R -f -i -a "$tmp"; rm -rf "$tmp"' EXIT
cd "$top/userspace" || exit 1
# shellcheck disable=SC2046 # flags are words
if ! cc -O1 -g -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
	-D_FILE_OFFSET_BITS=64 -fsanitize=address,undefined \
	-fno-sanitize-recover=all -ffunction-sections -Wl,--gc-sections -I. -Iport -I../dm-deltarec/core \
	$(pkg-config --cflags json-c) -o "$tmp/files-merge" \
	../tests/cli/files-merge.c recover/files*.c recover/room.c recover/select.c \
	beneath.c grow.c output.c text.c signals.c parse.c ranges.c $(pkg-config --libs json-c); then
	result 1 "files-merge is built"
	echo "1..$n"
	exit 1
fi
python3 -B ../tests/cli/files.py "$tmp" "$@"
