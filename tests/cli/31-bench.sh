#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=600
#
# The benchmark, on devices that are small and with one workload: all targets
# are measured, nothing is lost on the way to the report, and what has become
# worse is told. How fast anything is, is not tested.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
cd "$top" || exit 1
report() { /usr/bin/python3 tests/bench/report.py "$@" >"$tmp/out" 2>&1; }

mkdir "$tmp/bench"
now=$tmp/bench/2-now.json
tests/bench/run --smoke -o "$now" >"$tmp/out" 2>&1
result $? "a run"
report check "$now"
result $? "each target has its figures"
/usr/bin/python3 - "$now" >"$tmp/out" 2>&1 <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
r = {x['target']: x for x in d['results']}
assert sorted(r) == ['cow', 'deltarec', 'linear', 'origin', 'thin'], sorted(r)
for x in r.values():
    assert x['iops'] > 0 and 0 < x['p50'] <= x['p99'] <= x['p999'], x
    assert x['mib'] == 4, x
# What is certain without a clock: where the bytes go.
assert r['linear']['bytes'] == 1 and 0.95 < r['linear']['requests'] <= 1, r['linear']
assert r['origin']['bytes'] >= 3, r['origin']      # read, copied, written
assert r['thin']['bytes'] > 3, r['thin']           # the same with 64 KiB
assert 1 <= r['deltarec']['bytes'] < 2, r['deltarec']
assert d['versions']['kernel'] and d['versions']['fio'] and d['commit']
EOF
result $? "they are what is certain of them"

tests/bench/run --smoke --again core -o "$tmp/again.json" >"$tmp/out" 2>&1 &&
	/usr/bin/python3 -c "import json, sys
a, b = (json.load(open(f))['results'] for f in sys.argv[1:])
assert a == b" "$now" "$tmp/again.json" >>"$tmp/out" 2>&1
result $? "what the guests have left is there for the next run"
make -s -C tests/bench >"$tmp/out" 2>&1 &&
	build/bench/core --json --parts --versions 20000 --blocks 20000 >"$tmp/parts.json" 2>"$tmp/out" &&
	/usr/bin/python3 -c "import json, sys
sys.path.insert(0, 'tests/bench')
import pages
p = json.load(open(sys.argv[1]))
assert all(p[key] > 0 for key, _ in pages.PARTS), p" "$tmp/parts.json" >"$tmp/out" 2>&1
result $? "each part of the core has its figures"

# What was twice as fast before is worse now, and what lacks is found.
/usr/bin/python3 - "$now" "$tmp/bench/1-then.json" "$tmp/less.json" <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
less = dict(d, results=[x for x in d['results'] if x['target'] != 'thin'])
json.dump(less, open(sys.argv[3], 'w'))
for x in d['results']:
    if x['target'] == 'deltarec':
        x['iops'] *= 2
json.dump(d, open(sys.argv[2], 'w'))
EOF
! report check "$tmp/less.json" && grep -q 'wt20 thin first' "$tmp/out"
result $? "a target without figures is found"
report show "$now" "$tmp/bench/1-then.json" && grep -Eq 'first +iops/linear' "$tmp/out"
result $? "a regression is shown"
grep -Eq '(met|NOT MET) +wt20 +first +iops/linear>=' "$tmp/out"
result $? "the bars are shown"

report pages "$tmp" && /usr/bin/python3 -m docutils --report=2 --exit-status=2 \
	--writer=null "$tmp/performance.rst" >"$tmp/out" 2>&1
result $? "the page is made of it, and is reStructuredText"
/usr/bin/python3 -c "import sys, xml.etree.ElementTree as t
for f in sys.argv[1:]: t.parse(f)" "$tmp"/bench/*.svg >"$tmp/out" 2>&1
result $? "the pictures are XML"
echo "1..$n"
