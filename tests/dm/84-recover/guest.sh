#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Recovery of files on a live, mounted file system, and its undo: ext4, xfs
# and btrfs; what lies below the file system; a kill; several volumes.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
linear origin "$(disk 0)" 0 $((340 * 2048)) && origin=$(dev_of origin)
linear delta "$(disk 1)" 0 $((640 * 2048)) && delta=$(dev_of delta)
dev=$(dev_of v)
mkdir -p /mnt/t
fs=

refuses() { cmd_fails "$1" "$2" "$DMDELTA" "${@:3}"; }
# json_of WANTED-STATUS COMMAND...: the document goes to j
json_of() {
	"$DMDELTA" --json "${@:2}" >j 2>err
	is $? "$1" "$fs: ${*:2}" || diag "$(cat err)"
}
counts() {
	json j '$.volumes[0].restore' '$.volumes[0].bring_back' '$.volumes[0].quarantine' \
		'$.volumes[0].attributes' '$.volumes[0].mixed' '$.volumes[0].failed' | xargs
}
# All that a file system shows, but for times of directories
tree() {
	(cd "$1" && find . -path './.dmdelta-quarantine-*' -prune -o \
		-path ./lost+found -prune -o -type f -printf '%P %m %U:%G %n %T@\n' \
		-o -printf '%P %y %m %U:%G %l\n' | sort
	find . -path './.dmdelta-quarantine-*' -prune -o -type f -print0 | sort -z |
		xargs -0r sha256sum)
}

good_files() {
	local i

	mkdir docs bin photos 'odd name'
	for i in {1..30}; do
		echo "document $i $RANDOM" >docs/$i
		head -c 20000 /dev/urandom >photos/$i.jpg
	done
	cp /bin/true bin/tool
	chown 1000:1000 docs/[1-9]
	ln -s ../docs/1 bin/link
	ln docs/2 docs/two
	mkfifo 'odd name/fifo'
	printf x >'odd name/'$'\n'
	find . -exec touch -h -d '2024-01-01 12:00' {} +
}

attack() {
	local i

	for i in {1..5}; do # in place
		openssl_like docs/$i
	done
	for i in {1..5}; do # a new file, and unlink
		head -c 20016 /dev/urandom >photos/$i.jpg.locked
		rm photos/$i.jpg
	done
	for i in {6..9}; do # truncate and rewrite
		head -c 20016 /dev/urandom >photos/$i.jpg
	done
	echo trojan >bin/.new && chmod 4755 bin/.new && mv bin/.new bin/tool
	ln -sf /etc/shadow bin/link
	chmod 777 docs/20 && chown 5 docs/21
	rm -r 'odd name'
	mkdir evil && echo note >evil/README
	[ $fs = xfs ] || chattr +i docs/5
}
# The same length and the same times as before: only the blocks tell
openssl_like() {
	local size

	size=$(stat -c %s "$1")
	head -c "$size" /dev/urandom | dd of="$1" conv=notrunc status=none
	touch -d '2024-01-01 12:00' "$1"
}

work() {
	local i

	for i in {10..15}; do echo "more $i" >>docs/$i; done
	for i in {1..6}; do echo "new $i" >docs/new.$i; done
	rm photos/30.jpg
	echo "by its owner" >docs/3
	echo "worked in" >>docs/20
}

# the wanted end, from the states that were seen before
wanted() {
	rm -rf /tmp/want && cp -a /tmp/good /tmp/want && cp -pP /mnt/t/docs/{1[0-5],new.*,3} /tmp/want/docs/
	rm /tmp/want/photos/30.jpg
	cp -p /mnt/t/docs/20 /tmp/want/docs/20
	chmod 644 /tmp/want/docs/20
}

one_fs() {
	local n

	"$DMDELTA" format --force "$origin" "$delta" >/dev/null
	open_pair v
	mount $dev /mnt/t
	(cd /mnt/t && good_files)
	rm -rf /tmp/good && cp -a /mnt/t /tmp/good
	good=$("$DMDELTA" checkpoint v --label good)
	(cd /mnt/t && attack)
	bad=$("$DMDELTA" checkpoint v --label bad)
	tree /mnt/t >bad.tree
	(cd /mnt/t && work)
	wanted
	tree /mnt/t >worked.tree

	if [ $fs = ext4 ]; then
		json_of 0 recover v --from bad --to bad --dry-run
		is "$(counts)" "$1" "$fs: what a recovery would do"
		tree /mnt/t >now.tree
		ok "$fs: a rehearsal changes nothing" cmp worked.tree now.tree
	fi
	json_of 0 recover v --from bad --to bad
	is "$(counts)" "$1" "$fs: what it did"
	is "$(json j '$.from' '$.to' '$.base' | xargs)" "$bad $bad $good" "$fs: which epochs"
	n=$(json j '$.volumes[0].compared_bytes')
	ok "$fs: read what changed, $n bytes of 600000 in files" [ "$n" -lt 1200000 ]
	tree /mnt/t >now.tree
	tree /tmp/want >want.tree
	ok "$fs: the damage is gone, the work is there" cmp want.tree now.tree ||
		diag "$(diff want.tree now.tree | head -n 40)"
	ok "$fs: the note of the damage is in quarantine" \
		grep -q note /mnt/t/.dmdelta-quarantine-"$bad"/evil/README
	is "$(stat -c %a /mnt/t/.dmdelta-quarantine-"$bad")" 700 "$fs: which others cannot enter"
	like "$("$DMDELTA" log v)" "recover-$bad-$bad-[0-9]+ .*frozen" "$fs: a frozen epoch has it"
	"$DMDELTA" show v "recover-$bad-$bad-$(json j '$.before')" --recipe note >/dev/null
	is "$(json note '$.mode' '$.epochs.from' '$.epochs.to' | xargs)" "files $bad $bad" "$fs: its note is the recipe"
	if [ $fs = ext4 ]; then
		json_of 0 recover v --from bad --to bad
		is "$(json j '$.epoch')" "" "$fs: once more: nothing to do"
	fi

	# undo, with work after the recovery
	echo later >/mnt/t/docs/later
	echo later >>/mnt/t/docs/1
	json_of 0 undo v
	cp -p /mnt/t/docs/1 one
	rm /mnt/t/docs/later
	like "$(cat one)" '^document 1 .*later$' "$fs: undo keeps what was written since"
	tree /mnt/t | grep -v 'docs/1\( \|$\)' >now.tree
	grep -v 'docs/1\( \|$\)' worked.tree >want.tree
	ok "$fs: ... and takes back all else" cmp want.tree now.tree ||
		diag "$(diff want.tree now.tree | head -n 40)"
	not_ok "$fs: ... the quarantine, too" test -e /mnt/t/.dmdelta-quarantine-"$bad"
	[ "$fs" = ext4 ] || { umount /mnt/t; return; }
	json_of 0 undo v
	tree /mnt/t | grep -v 'docs/1\( \|$\)' >now.tree
	tree /tmp/want | grep -v 'docs/1\( \|$\)' >want.tree
	ok "$fs: undo of the undo" cmp want.tree now.tree ||
		diag "$(diff want.tree now.tree | head -n 40)"
	umount /mnt/t
}

mkfs.ext4 -q -b 4096 "$origin"
fs=ext4
one_fs "11 8 7 2 1 0"

# --- below the file system, which is not mounted ------------------------------------------

fs="ext4, raw"
block=$(debugfs -R 'blocks /photos/20.jpg' $dev 2>/dev/null | cut -d' ' -f1)
"$DMDELTA" checkpoint v >/dev/null
dd if=/dev/urandom of=$dev bs=4096 seek="$block" count=1 oflag=direct conv=notrunc status=none
raw=$("$DMDELTA" checkpoint v)
json_of 0 recover v --from "$raw" --to "$raw"
is "$(counts)" "1 0 0 0 0 0" "a block that was overwritten below the file system is found"
is "$(json j '$.files[0].path')" "/photos/20.jpg" "... by its file"
n=$(json j '$.volumes[0].compared_bytes')
ok "... and little else is read: $n bytes" [ "$n" -lt 200000 ]
e2fsck -fn $dev >fsck.out 2>&1
is $? 0 "e2fsck finds nothing" || diag "$(cat fsck.out)"
mount $dev /mnt/t
ok "... its content is back" cmp /tmp/good/photos/20.jpg /mnt/t/photos/20.jpg

# --- refused, selected, interrupted ------------------------------------------------------------

fs="ext4"
refuses 16 'from.*--to' recover v --from bad
refuses 16 'recipe' recover v --recipe x --from bad --to bad
refuses 8 'no epoch has this label' recover v --from nosuch --to bad
refuses 8 'nosuch' recover v --from bad --to bad --volume nosuch
"$DMDELTA" checkpoint v >/dev/null
for i in {1..25}; do echo spoilt >/mnt/t/docs/$i; done
spoilt=$("$DMDELTA" checkpoint v)
json_of 0 recover v --from "$spoilt" --to "$spoilt" --path '/docs/1*' --not-path /docs/11
is "$(counts)" "10 0 0 0 0 0" "--path and --not-path"
mine=$(tree /mnt/t)
refuses 16 ': /docs/nosuch: nothing is named so, neither before' recover v --from "$spoilt" --to "$spoilt" \
	--path '/docs/2*' --path /docs/nosuch
is "$(tree /mnt/t)" "$mine" "... and nothing was changed"
exec 5<>/mnt/t/docs/25
json_of 0 recover v --from "$spoilt" --to "$spoilt" --path /docs/25
is "$(json j '$.files[0].action' '$.files[0].why' | xargs)" "mixed open for writing" "a file in use is kept"
exec 5>&-
# notes_state STATE: the epochs whose note says so, newest first
notes_state() {
	"$DMDELTA" --json log v --all >log.json
	sqlite3 :memory: "select json_extract(value, '$.epoch') from
		json_each(readfile('log.json'), '$.epochs')
		where json_extract(value, '$.note_bytes') > 0" |
		while read -r e; do
			"$DMDELTA" show v "$e" --recipe note >/dev/null 2>&1 &&
				grep -q "\"state\": *\"$1\"" note && printf '%s ' "$e"
		done
}
# killed CALL NTH [COMMAND...]: without one, in a recovery of all that is spoilt
killed() {
	local at="$1:signal=KILL:when=$2"

	shift 2
	[ $# -gt 0 ] || set -- recover v --from "$spoilt" --to "$spoilt"
	strace -f -o /dev/null -e inject="$at" "$DMDELTA" "$@" >/dev/null 2>&1
	is $? 137 "killed in the middle of $1 ($at)"
}
mine=$(tree /mnt/t)
killed renameat2 3
ok "... something is left to do" grep -q spoilt -r /mnt/t/docs
refuses 4 'a recovery was interrupted' undo v
refuses 4 "'dmdelta recover v --from $spoilt --to $spoilt' finishes it; --force leaves it so" \
	recover v --from bad --to bad
"$DMDELTA" checkpoint v >/dev/null # by somebody else
json_of 0 recover v --from "$spoilt" --to "$spoilt" --force
ok "the next run goes on" grep -q 'interrupted after epoch .*, it goes on' err
not_ok "... and does it" grep -q spoilt -r /mnt/t/docs
is "$(find /mnt/t -name '.dmdelta-tmp*')" "" "... and leaves nothing"
is "$(notes_state begun)" "" "... nor the note of having begun"
like "$(notes_state interrupted)" "^$(json j '$.epoch') $" "... its epoch says that it was interrupted"
refuses 4 'from epoch .* counts as its work; --force takes' undo v
json_of 0 undo v --force
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "undo takes both parts back"
killed syncfs 2 # the first one is the checkpoint's
not_ok "... when all was done, but had no label" grep -q spoilt -r /mnt/t/docs
json_of 0 recover v --from "$spoilt" --to "$spoilt"
like "$("$DMDELTA" log v | head -n 3)" "recover-$spoilt-$spoilt-" "the next run labels it"
json_of 0 undo v --force
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "undo takes it back"
killed renameat2 3
json_of 0 undo v --force
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "undo --force takes an interrupted one back"
json_of 0 recover v --from "$spoilt" --to "$spoilt"
recovered=$(json j '$.epoch')
theirs=$(tree /mnt/t)
killed renameat2 3 undo v
not_ok "... something is undone, and something is not" \
	eval '[ "$(tree /mnt/t)" = "$mine" ] || [ "$(tree /mnt/t)" = "$theirs" ]'
refuses 4 "another recovery was interrupted" recover v --from bad --to bad
json_of 0 undo v
ok "the next undo goes on" grep -q 'interrupted after epoch .*, it goes on' err
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "... and ends it"
is "$(notes_state begun)" "" "... no note says that anything is unfinished"
json_of 0 undo v --force
is "$(tree /mnt/t | sum)" "$(sum <<<"$theirs")" "undo takes both parts of the undo back"
killed renameat2 3 undo v
json_of 0 undo v --force
is "$(tree /mnt/t | sum)" "$(sum <<<"$theirs")" "--force takes back what an interrupted undo has done"
is "$(notes_state begun)" "" "... no note says that anything is unfinished"
json_of 0 recover v --from "$recovered" --to "$recovered"
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "a recovery is taken back like anything else"
killed renameat2 3 recover v --from "$spoilt" --to "$spoilt" --volume device
refuses 4 "'dmdelta recover v --from $spoilt --to $spoilt --volume device' finishes it" \
	recover v --from "$spoilt" --to "$spoilt"
json_of 0 undo v --force
is "$(notes_state begun)" "" "... no note says that anything is unfinished"
killed renameat2 3
killed renameat2 2 undo v --force
json_of 0 undo v
is "$(tree /mnt/t | sum)" "$(sum <<<"$mine")" "an undo of what was interrupted goes on, too"
umount /mnt/t
ok "nothing is left mounted or mapped: close" "$DMDELTA" close v
expect_sound "$delta"

mkfs.xfs -qf "$origin"
fs=xfs
one_fs "11 8 7 2 1 0"
xfs_repair -n $dev >fsck.out 2>&1
is $? 0 "xfs_repair finds nothing" || diag "$(cat fsck.out)"
"$DMDELTA" close v

mkfs.btrfs -qf "$origin"
fs=btrfs
one_fs "11 8 7 2 1 0"
"$DMDELTA" close v
finish
