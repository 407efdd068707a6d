#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# 'dmdelta extend': delta devices of both kinds that grow, in use and full; those
# that did not, or shrank; how long it lasts; and the service that does it.
# shellcheck source=tests/dm/lib.sh
. "$(dirname "$0")/../lib.sh"

load_module
must linear origin "$(disk 0)" 0 $((96 * 2048))
origin=$(dev_of origin) delta=$(loop_dev backing 40M)
dev=$(dev_of v)
dd if=/dev/urandom of=A bs=1M count=96 status=none
must "$DMDELTA" format "$origin" "$delta" >/dev/null
total() { local n; n=$(status_word "$1" 4); echo $((${n#*/} / 256)); }
field() { "$DMDELTA" --json "${@:2}" >json.out; json json.out "\$.$1"; }
write() { dd if=A of="$dev" bs=1M skip="$1" seek="$1" count="$2" oflag=direct status=none; }

# --- a file that grows, in use ------------------------------------------------------

open_pair v
mkfs.ext4 -q $dev && mkdir -p /mnt/v && mount $dev /mnt/v
ok "not grown: fine, and said" eval '"$DMDELTA" extend v | grep -q "has not grown; enlarge it first"'
truncate -s 80M backing
cmd_fails 8 "its file .*backing has grown.*losetup -c $delta" "$DMDELTA" extend v
is "$(total v)" 40 "... nothing has changed"
losetup -c "$delta"
cmd_fails 16 'one word too many' "$DMDELTA" extend v w
cmd_fails 8 'no such device' "$DMDELTA" extend w
(for ((i = 0; i < 40; i++)); do dd if=A of=/mnt/v/f bs=64k count=4 conv=fsync status=none || exit; done) &
writer=$!
is "$(field extended extend v)" 1 "extend, mounted and written to"
is "$(json json.out '$.was_bytes' '$.total_bytes' '$.delta_bytes' | xargs)" "41943040 83886080 83886080" "... tells the sizes"
ok_wait "... the writer goes on" $writer
is "$(total v) $(field extended extend v)" "80 0" "... and once is enough"
umount /mnt/v

# --- when it is full ----------------------------------------------------------------------

cmd_fails 1 'No space left' write 0 96
is "$(status_word v 7)" full "it is full"
truncate -s 120M backing && losetup -c "$delta"
ok "extend" "$DMDELTA" extend v
is "$(total v) $(status_word v 7)" "120 ok" "... there is space"
ok "... that can be written" write 64 8
ok "... and holds it" cmp -n $((8 << 20)) -i $((64 << 20)) A $dev
sectors=$(sectors_of $dev)
"$DMDELTA" close v
expect_sound "$delta"
open_pair v queue_if_full
checkpoint v >/dev/null
write 0 96 2>errors &
writer=$!
full() { [ "$(status_word v 7)" = full ]; }
ok "it fills up" eventually 120 full
sleep 1
ok "a writer waits for space" kill -0 $writer
truncate -s 240M backing && losetup -c "$delta"
ok "extend" "$DMDELTA" extend v
ok_wait "... it goes on, without an error" $writer errors
ok "... all is there" cmp -n $((96 << 20)) A $dev

# --- how long it lasts ------------------------------------------------------------------------

like "$("$DMDELTA" status v)" 'lasts: +(full in about|unknown)' "status says how long it lasts"
taken=$(status_word v 17)
like "$taken" '^[0-9]+/[0-9]+$' "what was taken is counted"
write 0 4
now=$(status_word v 17)
is "$((${now%/*} - ${taken%/*}))" 0 "... not when it is written again in the same epoch"
checkpoint v >/dev/null
write 0 4
now=$(status_word v 17)
is "$((${now%/*} - ${taken%/*}))" 1024 "... but each block of the next"
blkdiscard -o 0 -l $((64 << 20)) $dev
is "$(status_word v 17 | cut -d/ -f1)" "${now%/*}" "... and no discards"
"$DMDELTA" retain v newest=2 every=1h >/dev/null
sleep 61
is "$(field taken_bytes status v)" $((${now%/*} * 4096)) "... in JSON"
rate=$(json json.out '$.rate_bytes') window=$(json json.out '$.rate_seconds')
full=$(json json.out '$.full_seconds') policy=$(json json.out '$.policy_bytes')
diag "rate $rate over $window, full in $full, policy $policy"
ok "a rate over a minute or more" [ "$window" -ge 60 ]
ok "... of at least what was taken since the open" [ $(((rate + 1) * window)) -ge $((${now%/*} * 4096)) ]
room=$((240 * 1024 * 1024 - $(json json.out '$.used_bytes') - $(json json.out '$.reserve_bytes')))
in_that_time() { [ $((full * rate)) -le $room ] && [ $(((full + 1) * (rate + 1))) -ge $room ]; }
ok "... by which the rest is used up in that time" in_that_time
ok "a policy that drops has a need" [ "$policy" -gt 0 ]
like "$("$DMDELTA" status v)" 'policy needs: +about .* by estimate, ' "... said in words"
"$DMDELTA" close v

# --- a mapped device that grows and shrinks; the service ---------------------------------------

must linear delta "$(disk 1)" 0 $((40 * 2048))
delta2=$(dev_of delta)
must "$DMDELTA" format "$origin" "$delta2" >/dev/null
"$DMDELTA" open v "$origin" "$delta2" >/dev/null
resize() { dmsetup load delta --table "0 $1 linear $(disk 1) 0" && dmsetup suspend --noflush delta && dmsetup resume delta; }
resize $((80 * 2048))
ok "a mapped device that has grown" "$DMDELTA" extend v
is "$(total v)" 80 "... is used"
dmsetup suspend v
cmd_fails 8 'suspended' "$DMDELTA" extend v
dmsetup resume v
resize $((40 * 2048))
cmd_fails 8 'has shrunk: 80 MiB are in use, it has 40 MiB' "$DMDELTA" extend v
resize $((80 * 2048))
# A region of 126 MiB and 6 blocks: they cannot hold their own bitmap
resize $((32256 * 8 + 6 * 8))
is "$(field unused_bytes extend v) $(json json.out '$.total_bytes')" "24576 $((32256 * 4096))" "a last piece that is of no use"
resize $((32256 * 8 + 7 * 8))
ok "... and grows" eval '"$DMDELTA" extend v | grep -q "has not grown by as much as can be used"'

mkdir -p /etc/dmdelta
cat >/etc/dmdelta/v.conf <<-EOF
	GROW="$PWD/grow-delta"
EOF
cat >grow-delta <<-EOF
	#!/bin/sh
	n=\$((\$(blockdev --getsz $delta2) + 65536))
	dmsetup load delta --table "0 \$n linear $(disk 1) 0" &&
		dmsetup suspend --noflush delta && dmsetup resume delta
EOF
chmod +x grow-delta
mkdir -p /usr/local/sbin && cp "$DMDELTA" /usr/local/sbin/dmdelta
"$DMDELTA" monitor --exec "$PUT/dmdelta-act" v >lines 2>errors &
monitor=$!
before=$(total v)
ok "the service watches" eventually 60 grep -q ' v present ' lines
write 0 96
checkpoint v >/dev/null
write 0 24
grown() { [ "$(total v)" -gt "$before" ]; }
ok "the service enlarges what gets full" eventually 120 grown
diag "$before MiB, $(total v) MiB"
kill $monitor
ok_wait "... and ends" $monitor errors
like "$(cat lines)" ' v extended ' "... and has told of it"
is "$(sectors_of $dev)" "$sectors" "the device itself has its size"
"$DMDELTA" close v
expect_sound "$delta2"
rm -rf /usr/local/sbin/dmdelta /etc/dmdelta
losetup -d "$delta"
finish
