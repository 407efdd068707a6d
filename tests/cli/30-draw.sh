#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout=300
#
# Pictures and pages, on made-up data: valid XML, and what a browser makes of
# them. Nothing in a name may run, nothing is fetched, nothing is wider than
# the window, and the page's own script sorts and filters.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
export TZ=UTC
said() { grep -av 'dbus\|WARNING\|unexpected operator' "$tmp/err" | tail -n 5; }
is() { # GOT WANTED DESCRIPTION
	[ "$1" = "$2" ] && { result 0 "$3"; return; }
	result 1 "$3"
	printf '# got:    %s\n# wanted: %s\n' "$1" "$2"
}

echo TAP version 13
pc="devmapper blkid mount json-c ext2fs com_err"
# shellcheck disable=SC2046,SC2086 # lists of words
build() {
	make --no-print-directory -s -C "$top/userspace" BUILD="$tmp/build" \
		TOOL="$tmp/dmdelta" ${MAKE_ARGS-} &&
		find "$tmp/build" -name '*.o' ! -name main.o >"$tmp/objects" &&
		"${CC:-gcc}" -std=gnu11 -Wall -Wextra -Werror -D_GNU_SOURCE \
			-I"$top/userspace" -I"$top/dm-deltarec/core" \
			-I"$top/userspace/port" $(pkg-config --cflags $pc) \
			-o "$tmp/sample" "$top/tests/cli/draw-sample.c" \
			"@$tmp/objects" $(pkg-config --libs $pc) -lm
}
build >"$tmp/out" 2>"$tmp/err"
result $? "the samples are built"
[ -x "$tmp/sample" ] || { echo "1..$n"; exit 1; }

# --- in the browser ----------------------------------------------------------------

browser=$(type -P chromium)
[ -n "$browser" ]
result $? "there is a browser"

# The test's own script comes first and reports into the document at the end.
# A page with a policy of its own gets that taken out for this, but not in the
# test of the policy itself.
browse() { # WIDTH PAGE OPTION...
	local width=$1 page=$2

	shift 2
	timeout 240 "$browser" --headless --no-sandbox --disable-gpu \
		--disable-quic --no-first-run --disable-background-networking \
		--disable-component-update --disable-sync --hide-scrollbars \
		--user-data-dir="$tmp/profile" --window-size="$width,900" \
		--enable-logging=stderr --v=0 \
		--host-resolver-rules='MAP * ~NOTFOUND' "$@" "file://$page" \
		2>"$tmp/err"
}
# What the page itself had to say, if anything
console() { grep -a 'CONSOLE' "$tmp/err"; }

# probe PAGE COPY WIDTH: a copy of the page that reports on itself in its title,
# in a frame of that width (windows do not get as narrow as telephones)
probe() {
	python3 - "$@" <<-'EOF'
	import html, re, sys
	page = open(sys.argv[1], encoding='utf-8').read()
	page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', '', page)
	report = '''<script>
	window.addEventListener('load', function () {
	var d = document, all = Array.from(d.querySelectorAll('main *')), r = {};
	r.scripts = d.scripts.length;
	r.handlers = all.filter(function (e) { return e.getAttributeNames().some(function (a) { return a.startsWith('on'); }); }).length;
	r.foreign = d.querySelectorAll('img,iframe,object,embed,link,base,form,a').length;
	r.fetched = performance.getEntriesByType('resource').length;
	r.overflow = d.documentElement.scrollWidth > d.documentElement.clientWidth;
	r.width = d.documentElement.clientWidth;
	r.rows = d.querySelectorAll('#items tbody tr').length;
	r.ranges = d.querySelectorAll('#ranges tbody tr').length;
	r.totals = d.querySelectorAll('#totals tbody tr').length;
	r.refused = d.querySelectorAll('.refused').length;
	r.alerts = window.alerts;
	r.names = d.querySelector('#items').textContent.indexOf('<scr' + 'ipt>alert(1)</scr' + 'ipt>') >= 0;
	r.recipe = JSON.parse(d.querySelector('#recipe').textContent).from;
	var button = d.querySelectorAll('#items th button');
	r.buttons = button.length;
	function sizes() { return Array.from(d.querySelectorAll('#items tbody tr')).map(function (t) { return Number(t.querySelector('[data-l=size]').getAttribute('data-v')); }); }
	Array.from(button).find(function (b) { return b.textContent === 'size'; }).click();
	var s = sizes();
	r.sorted = s.every(function (v, i) { return !i || s[i - 1] <= v; });
	var field = d.querySelector('input');
	field.value = 'mixed';
	field.dispatchEvent(new Event('input'));
	r.shown = Array.from(d.querySelectorAll('#items tbody tr')).filter(function (t) { return !t.hidden; }).length;
	d.title = 'REPORT' + JSON.stringify(r) + 'END';
	});
	window.alerts = 0;
	window.alert = function () { window.alerts++; };
	</script>'''
	page = html.escape(page.replace('<head>', '<head>' + report, 1))
	frame = '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body><iframe width="%s" height="800" style="border:0" srcdoc="%s"></iframe><script>window.addEventListener("load", function () { document.title = document.querySelector("iframe").contentDocument.title; });</script></body></html>'
	open(sys.argv[2], 'w', encoding='utf-8').write(frame % (sys.argv[3], page))
	EOF
}
report_of() { grep -ao '<title>REPORT.*END' "$1" | sed 's/^<title>REPORT//; s/END$//; s/&amp;/\&/g'; }
of() { python3 -c "import json, sys; r = json.load(open('$tmp/report')); print($1)" 2>/dev/null; }

# --- plans -----------------------------------------------------------------------------

python3 - "$tmp" <<'EOF'
import json, os, sys
hostile = [
	'/h/<script>alert(1)</script>', '/h/"onmouseover="alert(2)" x="',
	'/h/</pre></table></main><img src=http://127.0.0.1:9/x onerror=alert(3)>',
	'/h/\u202etxt.exe', "/h/'&amp;", '/h/' + 'long-name/' * 40, '/h/new\nline\x07',
	'/h/--><!--', '/h/' + 'x' * 300, '/h/{{7*7}}<svg/onload=alert(4)>',
]
select = dict(path=hostile)
recipe = dict(format='dmdelta-recipe', device='disk', **{'from': 12}, to=12, select=select)
files = [dict(path=p, volume='<b>vg0</b>', action='restore', bytes=4096 + i, why=p, refused=False) for i, p in enumerate(hostile)]
files += [dict(path='/w/%d' % i, volume='device', action='mixed' if i % 3 == 0 else 'bring back', bytes=i * 7919 % 1000, why=None, refused=False) for i in range(30)]
def totals(items, key):
	t = {}
	for i in items:
		e = t.setdefault(i[key], dict(items=0, bytes=0, blocks=0))
		e['items'] += 1; e['bytes'] += i['bytes']; e['blocks'] += i['bytes'] // 4096
	return t
head = dict(device='disk', device_uuid='5c1f', **{'from': 12}, to=12, base=11, now=17, recipe=recipe)
json.dump(dict(head, mode='files', reason='<i>ext4</i>', totals=totals(files, 'action'), items=files, warnings=['<u>crash</u>']), open(sys.argv[1] + '/files.json', 'w'))
kinds = ['C0', 'C1', 'C2', 'C3', 'C4', 'C6', 'free']
blocks = [dict({'class': kinds[i % 7]}, start=i * 9000, sectors=800, bytes=409600 + i, volume='partition 2', path_before=hostile[i % 10], path_now=hostile[(i + 1) % 10], what='<x>', why=hostile[i % 10], refused=kinds[i % 7] in ('C2', 'C3')) for i in range(70)]
paths = [dict({'class': kinds[i % 7]}, volume='partition 2', path=hostile[i % 10], what=None, outcome='refuse' if kinds[i % 7] in ('C2', 'C3') else 'revert', forced=i == 1, blocks=9, bytes=36864 + i, refused=kinds[i % 7] in ('C2', 'C3'), why=None) for i in range(20)]
json.dump(dict(head, mode='blocks', paths=paths, reason='asked for', totals=totals(blocks, 'class'), items=blocks), open(sys.argv[1] + '/blocks.json', 'w'))
raw = json.dumps(dict(head, mode='files', items=[dict(path='/h/RAW', action='restore', bytes=1)])).encode().replace(b'RAW', b'gr\xfc\xdf\xc0\xbcscript>')
open(sys.argv[1] + '/raw.json', 'wb').write(raw)
json.dump(dict(device='disk'), open(sys.argv[1] + '/empty.json', 'w'))
json.dump(dict(head, mode='files', items=files * 200), open(sys.argv[1] + '/many.json', 'w'))
EOF
for page in files blocks raw empty many; do
	"$tmp/sample" plan "$tmp/$page.json" >"$tmp/$page.html" 2>"$tmp/err"
	result $? "page of a plan: $page"
done
python3 -c "open('$tmp/raw.html', encoding='utf-8').read()" 2>"$tmp/err" &&
	grep -qF '/h/gr\xfc\xdf\xc0\xbcscript&gt;' "$tmp/raw.html"
result $? "names that are no UTF-8 are shown as bytes, the page is UTF-8"
is "$(grep -c '<tr><td data-l' "$tmp/many.html")" 5000 "a long list ends somewhere"
grep -q 'The first 5000 of 8000' "$tmp/many.html"
result $? "... and says so"

for page in files:40:10 blocks:20:0; do
	IFS=: read -r page rows shown <<<"$page"
	[ $page = files ] && shown=10
	for width in 1280 400; do
		probe "$tmp/$page.html" "$tmp/probe.html" "$width"
		browse 1400 "$tmp/probe.html" --dump-dom >"$tmp/out"
		report_of "$tmp/out" >"$tmp/report"
		is "$(of "r['alerts'], r['handlers'], r['foreign'], r['fetched'], r['scripts']")" \
			"0 0 0 0 2" "$page at $width: no name runs, nothing is fetched"
		is "$(of "r['rows'], r['names'], r['recipe']")" "$rows True 12" \
			"... all rows are there, names as they are, the recipe is JSON"
		is "$(of "r['width'], r['overflow']")" "$width False" "... nothing is wider than the window"
		is "$(of "r['buttons'] > 3, r['sorted']")" "True True" "... a click sorts"
		is "$(console)" "" "... the console is silent"
	done
	[ $page = blocks ] && is "$(of "r['totals'], r['refused'], r['ranges']")" "7 2 70" "ranges are all there, refusals there, one for each class"
	[ $page = files ] && is "$(of "r['shown']")" "$shown" "the filter shows what matches"
done

# The page as it is: its policy lets its own script run, known by hash, and
# would stop another one.
browse 1280 "$tmp/files.html" --dump-dom >"$tmp/out"
grep -q '<input type="search"' "$tmp/out"
result $? "the policy lets the page's own script run"
is "$(console)" "" "... without complaints"
sed 's|</main>|<script>document.title="INTRUDER"</script><img src="http://127.0.0.1:9/x"></main>|' \
	"$tmp/files.html" >"$tmp/evil.html"
browse 1280 "$tmp/evil.html" --dump-dom >"$tmp/out"
! grep -q '<title>INTRUDER' "$tmp/out" && console | grep -q 'Content Security Policy'
result $? "... and stops one that is not"

# --- maps --------------------------------------------------------------------------

for map in one:1 story:19 wide:120 long:161; do
	IFS=: read -r map rows <<<"$map"
	"$tmp/sample" map "$map" >"$tmp/$map.svg" 2>"$tmp/err"
	result $? "map: $map"
	is "$(python3 - "$tmp/$map.svg" 2>"$tmp/err" <<-'EOF'
		import sys, xml.etree.ElementTree as t
		s = t.parse(sys.argv[1]).getroot()
		q = '{http://www.w3.org/2000/svg}'
		rows = [g for g in s.iter(q + 'g') if g.get('class') == 'row']
		titles = [g.find(q + 'title').text for g in rows]
		names = {e.tag.replace(q, '') for e in s.iter()}
		print(len(rows), all('written' in x for x in titles), names & {'script', 'image', 'a', 'foreignObject', 'use'}, 'href' in open(sys.argv[1]).read())
	EOF
	)" "$rows True set() False" "... is XML, has $rows rows with their figures and needs nothing else"
done
grep -q 'label &lt;script&gt;alert(1)&lt;/script&gt;' "$tmp/story.svg"
result $? "a label is a label"
grep -q '10,000 epochs in 161 rows' "$tmp/long.svg" && grep -q 'A row of several epochs (up to 63' "$tmp/long.svg"
result $? "folded rows are said to be so"
is "$(stat -c %s "$tmp/long.svg" | awk '{ print $1 < 2000000 }')" 1 "ten thousand epochs are less than 2 MB"
# Is every word inside the picture, and does none run into the next column?
python3 - "$tmp" <<'EOF'
import sys
for name in 'story', 'wide', 'long':
	svg = open('%s/%s.svg' % (sys.argv[1], name), encoding='utf-8').read()
	svg = svg[svg.index('<svg'):]
	open('%s/%s.html' % (sys.argv[1], name), 'w', encoding='utf-8').write('''<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="margin:0">''' + svg + '''<script>
	var s = document.querySelector('svg'), w = s.getBoundingClientRect(), bad = [];
	var t = Array.from(s.querySelectorAll('text')).map(function (e) { var b = e.getBoundingClientRect(); b.words = e.textContent; return b; });
	t.forEach(function (b) { if (b.left < 0 || b.right > w.right || b.bottom > w.bottom) bad.push('outside: ' + b.words); });
	t.sort(function (a, b) { return a.top - b.top || a.left - b.left; });
	for (var i = 1; i < t.length; i++)
		if (Math.abs(t[i].top - t[i - 1].top) < 6 && t[i].left < t[i - 1].right - 1 && t[i].words && t[i - 1].words) bad.push('over: ' + t[i - 1].words + '|' + t[i].words);
	document.title = 'REPORT' + JSON.stringify(bad) + 'END';
	</script></body></html>''')
EOF
for map in story wide long; do
	browse 1600 "$tmp/$map.html" --dump-dom >"$tmp/out"
	is "$(report_of "$tmp/out")" "[]" "$map: no words outside, none upon each other"
	is "$(console)" "" "... the console is silent"
done

echo "1..$n"
