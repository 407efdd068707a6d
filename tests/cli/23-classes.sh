#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=120
#
# Classes of blocks: see classes-test.c.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
cd "$top/userspace" || exit 1
# build ARGUMENT...
build() {
	cc -O1 -g -std=gnu11 -Wall -Wextra -Wno-missing-field-initializers -Werror -D_GNU_SOURCE \
		-D_FILE_OFFSET_BITS=64 -ffunction-sections -fdata-sections \
		-I. -Iport -I../dm-deltarec/core "$@"
}
# Of these only what compares owners and joins ranges is wanted. With the
# sanitizer, nothing could be left out again.
if ! build -c -o "$tmp/owner.o" owner/owner.c ||
   ! build -c -o "$tmp/parse.o" parse.c ||
   ! build -fsanitize=address,undefined -fno-sanitize-recover=all \
	-Wl,--gc-sections -o "$tmp/classes-test" ../tests/cli/classes-test.c \
	recover/classes*.c ranges.c grow.c "$tmp/owner.o" "$tmp/parse.o"; then
	result 1 "classes-test is built"
	echo "1..$n"
	exit 1
fi
"$tmp/classes-test"
