#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Checkpoints that did not freeze the file system, and a journal that is dirty at
# the end, as a power cut leaves it. To drop the epoch as a whole mounts without
# complaint and loses good work; with the journal guard everything is kept.
# shellcheck source=tests/scenarios/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/scenarios/ways.sh
. "$(dirname "$0")/../ways.sh"

scenario() {
	DIRTY=1 must history $f inplace $seed --no-freeze
	result=$(try_way epoch)
	like "$result" '"mounts":1,' "$what: control: without the guard it mounts"
	kept=$(sed 's/.*"kept":\([0-9]*\).*/\1/' <<<"$result")
	ok "$what: control: ... and has lost $((115 - kept)) of 115 pieces of good work" [ "$kept" -lt 60 ]

	must copy_pair
	exits "0 4" "$what: plan" "$DMDELTA" --json plan v --from bad --to bad --mode blocks
	guarded=$(sqlite3 :memory: "select sum(json_extract(value, '$.blocks')) from
		json_each(readfile('/tmp/case/out'), '$.paths')
		where json_extract(value, '$.class') = 'C4'")
	ok "$what: the journal's ${guarded:-0} blocks are in a class of their own" [ "${guarded:-0}" -gt 0 ]
	like "$("$DMDELTA" log v)" ' bad .*crash' "$what: the log says that the epoch was not frozen"
	close_pair
	judged "$what: blocks keep all good work" "$(try_way blocks)"
	judged "$what: files, too" "$(try_way files)"
}
each xfs ext4
finish
