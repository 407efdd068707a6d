#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=120
#
# Recipes: what the schema refuses and how it names the member, another
# device's recipe, and a replay by rules, with fake-dm.c for device-mapper.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
said() { cat "$tmp/out" "$tmp/err" "$tmp/fake/log" 2>/dev/null; }

echo TAP version 13
dmdelta=$tmp/dmdelta
# shellcheck disable=SC2086 # MAKE_ARGS is several
make --no-print-directory -s -C "$top/userspace" BUILD="$tmp/build" \
	TOOL="$dmdelta" DM="$top/tests/cli/fake-dm.c" \
	${MAKE_ARGS-} >"$tmp/out" 2>&1
result $? "the tool is built over the fake"
[ -x "$dmdelta" ] || { echo "1..$n"; exit 1; }
export FAKE=$tmp/fake
recipe=$tmp/recipe.json

fresh() {
	rm -rf "$FAKE"
	mkdir "$FAKE"
	truncate -s 1M "$FAKE/node"
	: >"$FAKE/log"
	cat >"$FAKE/epochs" <<-'EOL'
		0 - sealed - - 0 format - -
		1 0 sealed 1700000000 good 10 format - frozen
		2 1 sealed 1700000060 - 20 checkpoint - crash
		3 2 dropped 1700000120 old 1 checkpoint - crash
		4 3 sealed 1700000180 - 5 checkpoint - crash
		5 1 sealed 1700000240 aside 5 rollback 4 crash
		6 4 head - - 5 rollback 5 -
	EOL
}

# write [PYTHON]: a good recipe, changed by a statement about d
write() {
	python3 - "$recipe" "${1-}" <<-'EOL'
		import json, sys
		d = { "format": "dmdelta-recipe", "version": 1,
		      "device": { "uuid": "11111111-2222-4333-8444-555555555555", "name": "disk" },
		      "mode": "blocks",
		      "epochs": { "from": 2, "to": 4, "base": 1, "now": 4 },
		      "select": { "path": ["/srv/**"], "not_path": ["/srv/tmp"], "uid": [0],
				  "newer": 1, "older": 2, "range": [{ "start": 0, "sectors": 16 }],
				  "part": [{ "path": "/srv/db", "start": 8, "sectors": 8 }] },
		      "force": False,
		      "rules": [{ "start": 0, "sectors": 8, "from": 2, "to": 4, "later": "keep_later" },
				{ "start": 64, "sectors": 16, "from": 2, "to": 2, "later": "drop_later" }] }
		exec(sys.argv[2])
		json.dump(d, open(sys.argv[1], "w"))
	EOL
}

# run STATUS PATTERN [VARIABLE=VALUE...] ARGUMENT...
run() {
	local want=$1 pattern=$2 status

	shift 2
	local -a settings=()
	while [[ $1 == FAKE* ]]; do settings+=("$1"); shift; done
	env LC_ALL=C "${settings[@]}" "$dmdelta" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	status=$?
	[ $status = "$want" ] || { echo "# status $status"; return 1; }
	grep -qE -- "$pattern" "$tmp/out" "$tmp/err"
}
messages() { grep -cE '^(replay|suspend|checkpoint|rollback)' "$FAKE/log"; }

# --- a good one ------------------------------------------------------------------

fresh
write
run 0 'later writes: *some left out' replay disk --recipe "$recipe" &&
	grep -qx 'replay rule 0 8 2 4 keep_later' "$FAKE/log" &&
	grep -qx 'replay rule 64 16 2 2 drop_later' "$FAKE/log" &&
	tail -n 4 "$FAKE/log" | diff - <(printf '%s\n' suspend 'replay commit' resume BLKFLSBUF)
result $? "replay by the rules of a recipe"
# The note of the replay's epoch, as it was sent
note() { sed -n 's/^note add 106 [0-9]* //p' "$FAKE/log" | tr -d '\n' | python3 -c 'import sys; sys.stdout.write(bytes.fromhex(sys.stdin.read()).decode())'; }
python3 -c 'import json, sys; a, b = json.load(open(sys.argv[1])), json.loads(sys.argv[2]); sys.exit(a != b)' \
	"$recipe" "$(note)"
result $? "... which becomes the note of its epoch"
fresh
run 0 . replay disk --from 2 --to 4 --range 64+8 --drop-later && note >"$tmp/note.json" &&
	run 0 'changed: *1$' replay disk --recipe "$tmp/note.json" --dry-run &&
	grep -q 'replay count 64 8 2 4 drop_later 64' "$FAKE/log"
result $? "a replay by range leaves a recipe as well, one that can be replayed"
fresh
run 0 'blocks changed' replay disk --recipe "$recipe" --dry-run && [ "$(grep -c 'replay count' "$FAKE/log")" = 3 ] &&
	[ "$(grep -c 'replay begin' "$FAKE/log")" = 0 ]
result $? "dry run"
for change in 'del d["select"]' 'd["select"] = {}' 'del d["force"]' 'del d["device"]["name"]' \
	      'del d["epochs"]["now"], d["rules"][1]' 'del d["epochs"]["base"]' 'd["select"]["path"] = ["**/*.doc", "/"]'; do
	fresh
	write "$change"
	run 0 '.' replay disk --recipe "$recipe" --dry-run
	result $? "optional: $change"
done

# --- the schema ------------------------------------------------------------------

# refuses PYTHON MEMBER PROBLEM
refuses() {
	fresh
	write "$1"
	run 8 "^dmdelta replay: [^ ]*recipe.json: $2: $3; see deltarec-recipe.rst" replay disk --recipe "$recipe" &&
		[ "$(messages)" = 0 ]
	result $? "$1: $2: $3"
}
refuses 'd["rules"][1]["sectors"] = 0' 'rules\[1\].sectors' 'must be a positive number'
refuses 'd["rules"][0]["sectors"] = -8' 'rules\[0\].sectors' 'must be a positive number'
refuses 'd["rules"][0]["sectors"] = "8"' 'rules\[0\].sectors' 'must be a positive number'
refuses 'd["rules"][0]["sectors"] = 8.5' 'rules\[0\].sectors' 'must be a positive number'
refuses 'd["rules"][0]["sectors"] = None' 'rules\[0\].sectors' 'must be a positive number'
refuses 'd["rules"][0]["start"] = -1' 'rules\[0\].start' 'must be a number that is not negative'
refuses 'd["rules"][0].update(start=2**64 - 4)' 'rules\[0\].sectors' 'number too large'
refuses 'd["rules"][0]["later"] = "drop"' 'rules\[0\].later' 'must be "keep_later" or "drop_later"'
refuses 'd["rules"][0]["from"] = 0' 'rules\[0\].from' 'must be a positive number'
refuses 'd["rules"][0]["to"] = 1' 'rules\[0\].to' 'before epoch 2, where it begins'
refuses 'd["rules"][0]["to"] = 2**32' 'rules\[0\].to' 'number too large'
refuses 'd["rules"][0]["stop"] = 1' 'rules\[0\].stop' 'no such member'
refuses 'del d["rules"][1]["later"]' 'rules\[1\].later' 'missing'
refuses 'd["rules"][1]["start"] = 4' 'rules\[1\]' 'overlaps the rule before it.*'
refuses 'd["rules"].reverse()' 'rules\[1\]' 'overlaps the rule before it.*'
refuses 'd["rules"][1] = 7' 'rules\[1\]' 'must be an object'
refuses 'd["rules"] = {}' 'rules' 'must be an array'
refuses 'd["rules"] = [d["rules"][0]] * 65537' 'rules' 'more than 65536 elements'
refuses 'd["mode"] = "auto"' 'mode' 'must be "files" or "blocks"'
refuses 'd["mode"] = "files"; del d["select"]["range"], d["select"]["part"]' 'rules' 'only where mode is "blocks"'
refuses 'd["mode"] = "files"; del d["rules"]' 'select.range' 'only where mode is "blocks"'
refuses 'd["mode"] = "files"; del d["rules"], d["select"]["range"]' 'select.part' 'only where mode is "blocks"'
refuses 'del d["mode"]' 'mode' 'missing'
refuses 'd["format"] = "recipe"' 'format' 'must be "dmdelta-recipe"'
refuses 'd["version"] = 2' 'version' 'this tool knows version 1'
refuses 'd["device"] = "disk"' 'device' 'must be an object'
refuses 'del d["device"]["uuid"]' 'device.uuid' 'missing'
refuses 'd["device"]["uuid"] = "nonsense"' 'device.uuid' 'must be a UUID in small letters'
refuses 'd["device"]["name"] = "x" * 200' 'device.name' 'too long, or with a NUL'
refuses 'd["epochs"]["to"] = 1' 'epochs.to' 'before epoch 2, where it begins'
refuses 'd["epochs"]["base"] = 2' 'epochs.base' 'not before epoch 2'
refuses 'd["epochs"]["now"] = 3' 'epochs.now' 'before epoch 4'
refuses 'd["force"] = 1' 'force' 'must be true or false'
refuses 'd["select"]["paths"] = []' 'select.paths' 'no such member'
refuses 'd["select"]["path"] = "/srv"' 'select.path' 'must be an array'
refuses 'd["select"]["path"] = ["/a", "srv"]' 'select.path\[1\]' "a path begins with '/', the root of its file system"
refuses 'd["select"]["not_path"] = ["/a/../b"]' 'select.not_path\[0\]' "'.' and '..' are not followed"
refuses 'd["select"]["path"] = ["/a\0b"]' 'select.path\[0\]' 'too long, or with a NUL'
refuses 'd["select"]["uid"] = ["root"]' 'select.uid\[0\]' 'must be a number that is not negative'
refuses 'd["select"]["older"] = 1' 'select.older' 'not after select.newer: nothing is selected'
refuses 'd["select"]["range"][0]["sectors"] = 0' 'select.range\[0\].sectors' 'must be a positive number'
refuses 'd["select"]["part"] = ["/srv/db"]' 'select.part\[0\]' 'must be an object'
refuses 'd["select"]["part"][0]["path"] = "srv/db"' 'select.part\[0\].path' "a path begins with '/', the root of its file system"
refuses 'd["select"]["part"][0]["path"] = "/srv/"' 'select.part\[0\].path' "a file's name does not end so"
refuses 'd["select"]["part"][0]["sectors"] = 0' 'select.part\[0\].sectors' 'must be a positive number'
refuses 'del d["select"]["part"][0]["path"]' 'select.part\[0\].path' 'missing'
refuses 'd = []' 'document' 'must be an object'

# --- names that are no UTF-8 ----------------------------------------------------------

# The recipe with "caf" and a byte of Latin 1 for each "cafe"
bytes() { sed -i 's/cafe/caf\xe9/' "$recipe"; }
fresh
write 'd["select"]["path"] = ["/srv/cafe"]'
bytes
run 8 "select.path\[0\]: not UTF-8, as a recipe has to be: write '\?' for each such byte; see" \
	replay disk --recipe "$recipe" && [ "$(messages)" = 0 ]
result $? "a recipe with a pattern that is no UTF-8"
fresh
write 'd["select"]["part"][0]["path"] = "/srv/cafe"'
bytes
run 8 'select.part\[0\].path: not UTF-8, .*: take another name, or --range; see' \
	replay disk --recipe "$recipe" && [ "$(messages)" = 0 ]
result $? "... with such a path"
for option in path not-path; do
	fresh
	run 16 "^dmdelta plan: /caf.351: not UTF-8, .*write '\?' for each such byte" \
		plan disk --from 2 --to 4 --$option $'/caf\xe9' && [ "$(messages)" = 0 ]
	result $? "--$option that is no UTF-8"
done
run 16 "^dmdelta plan: /caf.351:0\+8: not UTF-8, .*, or --range" \
	plan disk --from 2 --to 4 --part $'/caf\xe9:0+8'
result $? "--part, too"
fresh
write 'd["select"]["path"] = ["/srv/caf\u00e9"]; d["device"]["name"] = "cafe"'
bytes
run 0 . replay disk --recipe "$recipe" && note >"$tmp/note.json" &&
	python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); sys.exit(d["select"]["path"] != ["/srv/caf\u00e9"] or d["device"]["name"] != "caf\\351")' "$tmp/note.json"
result $? "what is UTF-8 stays, and the name of a device is for people"

fresh
write 'd["device"]["uuid"] = "99999999-2222-4333-8444-555555555555"'
run 8 'recipe for another device: disk 9999.*, but disk is 1111' replay disk --recipe "$recipe" && [ "$(messages)" = 0 ]
result $? "a recipe for another device"
write
run 8 'does not bear the UUID of its delta' FAKE_UUID=DELTA replay disk --recipe "$recipe"
result $? "a device whose delta is not known"
for text in '' '{' '{"format": "dmdelta-recipe",}' '[1, 2' 'x'; do
	printf '%s' "$text" >"$recipe"
	run 8 'recipe.json: not JSON: ' replay disk --recipe "$recipe"
	result $? "not JSON: '$text'"
done
printf '{"format"\0: 1}' >"$recipe"
run 8 'there is a NUL in it' replay disk --recipe "$recipe"
result $? "a NUL in the file"
run 8 'none.json: open: No such file' replay disk --recipe "$tmp/none.json"
result $? "no such file"
run 8 "$tmp: read:" replay disk --recipe "$tmp"
result $? "a directory"

# --- against the device ----------------------------------------------------------

# unfit PYTHON STATUS PROBLEM
unfit() {
	fresh
	write "$1"
	run "$2" "$3" replay disk --recipe "$recipe" && [ "$(messages)" = 0 ]
	result $? "$1: $3"
}
unfit 'd["epochs"] = { "from": 2, "to": 99 }' 8 '99: no such epoch'
unfit 'd["epochs"] = { "from": 3, "to": 4 }' 8 '3: the epoch was dropped'
unfit 'd["epochs"] = { "from": 4, "to": 4 }' 8 '4: the epoch before it, 3, was dropped'
unfit 'd["epochs"] = { "from": 5, "to": 5 }' 8 '5: the epoch is not on the branch of the head'
unfit 'd["rules"][1]["start"] = 999999' 16 '999999\+16: goes behind the end'
unfit 'd["select"]["range"][0]["start"] = 999999' 16 '999999\+16: goes behind the end'
unfit 'd["mode"] = "files"; del d["rules"], d["select"]["range"], d["select"]["part"]' 8 "a recipe for files; 'dmdelta recover'"
unfit 'd["rules"] = []' 4 "it has no rules.*'dmdelta plan'"
unfit 'd["rules"][1].update(start=96, sectors=16)' 4 '8 sectors that it takes back as a whole were written since the plan, after epoch 4.*--force'
run 0 '.' replay disk --recipe "$recipe" --force
result $? "... and --force overrides that"
for change in 'del d["epochs"]["now"]' 'd["epochs"]["now"] = 5; d["rules"][1].update(start=200, sectors=8)'; do
	pattern='epochs.now, the state that it was made for, is missing'
	[[ $change == del* ]] || pattern='made for epoch 5, which did not lead to the head'
	unfit "$change" 4 "it drops later writes, and .*$pattern; make a new plan; --force"
	run 0 '.' replay disk --recipe "$recipe" --force
	result $? "... and --force overrides that"
done
fresh
write
for option in --from=2 --to=4 --range=0+8 --drop-later; do
	run 16 "$(sed 's/=.*//' <<<"$option"): the recipe says it" replay disk --recipe "$recipe" "$option"
	result $? "$option with a recipe"
done

echo "1..$n"
