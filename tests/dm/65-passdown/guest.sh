#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# discard_passdown: slots that are freed are discarded on the delta device,
# without the feature they are not, and what stays is untouched.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((32 * 2048))
origin=$(dev_of origin) delta=$(loop_dev backing 128M)
random_fill "$origin" 32
dev=$(dev_of v)
dd if=/dev/urandom of=A bs=1M count=16 status=none
dd if=/dev/urandom of=B bs=1M count=16 status=none
must dmdelta format "$origin" "$delta"

# used: KiB that the backing file takes
used() { sync; du -k backing | cut -f1; }
# turn_over FEATURE...: 16 MiB in an epoch that is overwritten and dropped
turn_over() {
	local epoch

	open_pair v "$@"
	dd if=A of=$dev bs=1M oflag=direct status=none
	epoch=$(checkpoint v)
	dd if=B of=$dev bs=1M oflag=direct status=none
	before=$(used)
	msg v drop "$epoch" >/dev/null
	checkpoint v >/dev/null
	settle v
	after=$(used)
}

turn_over
ok "without it the space stays taken below" [ $((before - after)) -lt 1024 ]
dmdelta close v >/dev/null
turn_over discard_passdown
diag "$before KiB before the drop, $after after it"
ok "with it 16 MiB are given back" [ $((before - after)) -ge $((15 * 1024)) ]
drop_cache $dev
ok "what stays is untouched" cmp -n $((16 << 20)) B $dev
dmdelta close v >/dev/null
expect_sound "$delta"
finish
