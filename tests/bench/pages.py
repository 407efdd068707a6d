# SPDX-License-Identifier: GPL-2.0
"""performance.rst and its pictures: see report.py."""
import glob
import os
from xml.sax.saxutils import escape

from report import Figures, MODELS, TARGETS, WORKLOADS, changes, number

NAMES = {'linear': 'linear', 'thin': 'thin', 'origin': 'snapshot, origin side',
         'cow': 'snapshot, COW side', 'deltarec': 'deltarec'}
SHORT = {'linear': 'linear', 'thin': 'thin', 'origin': 'origin', 'cow': 'COW', 'deltarec': 'deltarec'}
COLOURS = {'linear': '#bbbbbb', 'thin': '#e0a050', 'origin': '#80b070', 'cow': '#60a0c0',
           'deltarec': '#303060'}
TITLES = {
    'wt20': 'Write-through device, 20 us',
    'cache': 'Device with a volatile cache, 20 us',
    'wt100': 'Write-through device, 100 us',
    'seek': 'One request at a time, 5 ms each',
}
WHAT = dict(TITLES, large='what depends on how much was written',
            scale='two processors (it had one)')


# --- pictures ---------------------------------------------------------------------

def svg(width, height, parts):
    return ('<?xml version="1.0" encoding="utf-8"?>\n'
            '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" '
            'viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">\n'
            '<rect width="100%%" height="100%%" fill="#ffffff"/>\n%s\n</svg>\n'
            % (width, height, width, height, '\n'.join(parts)))


def words(x, y, text, anchor='start', extra=''):
    return '<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>' % (x, y, anchor, extra, escape(text))


def box(x, y, width, height, colour, title=''):
    return '<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s</title></rect>' % (
        x, y, width, height, colour, escape(title))


def line(x1, y1, x2, y2, colour, width=1):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%s"/>' % (
        x1, y1, x2, y2, colour, width)


def legend(x, y, targets):
    parts = []
    for t in targets:
        parts += [box(x, y - 9, 10, 10, COLOURS[t]), words(x + 14, y, NAMES[t])]
        x += 34 + 6.2 * len(NAMES[t])
    return parts + [line(x, y - 11, x, y + 3, '#c00000', 2), words(x + 6, y, 'bar')]


def draw_model(figures, model):
    """each workload's IOPS as ratios to dm-linear: a row for each target, and the bar"""
    left, wide, thick, top = 330, 420, 8, 40
    y, parts = top, []
    targets = TARGETS[1:]
    bars = {row['name']: float(text.split('=')[1])
            for m, row, text, _, _, _ in figures.bars() if m == model and text.startswith('iops/linear')}
    for row in WORKLOADS:
        if model not in row['models'] or not figures.get(model, 'linear', row['name'], 'iops'):
            continue
        parts.append(words(left - 8, y + 2 * thick + 4, row['title'][:58], 'end'))
        for i, t in enumerate(targets):
            x = figures.ratio(model, t, row['name'], 'iops', 'linear')
            if x is not None:
                parts.append(box(left, y + i * thick, wide * min(x, 1.1), thick - 1, COLOURS[t],
                                 '%s: %s' % (NAMES[t], number(x))))
                if t == 'deltarec':
                    parts.append(words(left + wide * min(x, 1.1) + 4, y + 4 * thick - 1, number(x)))
        if row['name'] in bars:
            x = left + wide * bars[row['name']]
            parts.append(line(x, y - 2, x, y + 4 * thick + 1, '#c00000', 2))
        y += 4 * thick + 12
    scale = []
    for i in range(0, 11, 2):
        x = left + wide * i / 10
        scale += [line(x, top - 6, x, y, '#dddddd'), words(x, top - 9, '%.1f' % (i / 10), 'middle')]
    return svg(left + wide + 90, y + 28, scale + parts + legend(20, y + 18, targets))


def draw_history(history):
    """deltarec's ratios to dm-linear on the first model, over the documents"""
    names = ['first', 'settled', 'written', 'seqwrite', 'aged-write', 'fsync-first', 'fsync-settled']
    colours = ['#303060', '#c05020', '#408040', '#a040a0', '#907000', '#0080a0', '#707070']
    left, wide, top, high = 40, 560, 20, 240
    parts = []
    for i in range(0, 11, 2):
        y = top + high * (1 - i / 11)
        parts += [line(left, y, left + wide, y, '#dddddd'), words(left - 6, y + 4, '%.1f' % (i / 10), 'end')]
    step = wide / max(1, len(history) - 1)
    for i, f in enumerate(history):
        parts.append(words(left + i * step, top + high + 16, f.all['commit'][:7], 'middle'))
    for k, name in enumerate(names):
        points = [(left + i * step, top + high * (1 - x / 1.1)) for i, f in enumerate(history)
                  for x in [f.ratio('wt20', 'deltarec', name, 'iops', 'linear')] if x is not None]
        parts += [box(x - 3, y - 3, 6, 6, colours[k], name) for x, y in points]
        parts += [line(*a, *b, colours[k], 1.5) for a, b in zip(points, points[1:])]
        parts += [box(left + wide + 40, top + 18 * k, 10, 10, colours[k]),
                  words(left + wide + 56, top + 18 * k + 9, name)]
    return svg(left + wide + 170, top + high + 30, parts)


# --- tables -----------------------------------------------------------------------

def table(head, rows):
    """a csv-table without a frame of its own; the first column is text"""
    def cells(row):
        return '   ' + ', '.join('"%s"' % str(c).replace('"', "'") for c in row)
    return '\n'.join(['.. csv-table::', '   :header: ' + cells(head).strip(), ''] +
                     [cells(r) for r in rows]) + '\n\n'


def heading(text, mark):
    return '%s\n%s\n\n' % (text, mark * len(text))


def ratios(f, model):
    rows = []
    for row in WORKLOADS:
        base = f.get(model, 'linear', row['name'], 'iops')
        if model not in row['models'] or not f.get(model, 'deltarec', row['name'], 'iops'):
            continue
        ours = [f.ratio(model, t, row['name'], 'iops', 'linear') if base else
                f.get(model, t, row['name'], 'iops') for t in TARGETS[1:]]
        if row['name'].startswith('epochs') or not base:
            base, ours = None, [f.get(model, t, row['name'], 'iops') for t in TARGETS[1:]]
        rows.append([row['title'], number(base)] + [number(x) for x in ours])
    return table(['workload', 'linear, IOPS'] + [SHORT[t] for t in TARGETS[1:]], rows)


def details(f, model):
    rows = []
    for row in WORKLOADS:
        if model not in row['models']:
            continue
        for t in TARGETS:
            r = f.results.get((model, t, row['name']))
            if r and 'iops' in r:
                sync = 'sync_p50' in r
                rows.append([row['name'], SHORT[t], number(r['iops']), number(r['mibs'])] +
                            [number(r.get(('sync_' if sync else '') + p)) for p in ('p50', 'p99', 'p999')] +
                            [number(r['max'] / 1000)] +
                            [number(r['bytes']), number(r['requests']), r['flushes']])
    return table(['workload', 'target', 'IOPS', 'MiB/s', 'p50 us', 'p99 us', 'p99.9 us', 'longest ms', 'bytes x',
                  'requests x', 'flushes'], rows)


def bars(f):
    rows = []
    for model, row, text, value, best, met in f.bars():
        rows.append([model, row['title'], '``%s``' % text, number(value), 'met' if met else '**not met**',
                     '%s (%s)' % (number(best[0]), SHORT[best[1]]) if best else '-'])
    return table(['model', 'workload', 'bar', 'deltarec', '', 'best peer'], rows)


def large(f):
    rows = []
    for (model, t, workload), r in sorted(f.results.items()):
        if model == 'large':
            title = [row['title'] for row in WORKLOADS if row['name'] == workload][0]
            rows += [[title, SHORT[t], key.replace('_', ' '), number(value)] for key, value in r.items()
                     if key.split('_')[-1] in ('ms', 'mib', 'bytes', 'blocks', 'nodes', 'requests')]
    return table(['workload', 'target', 'figure', ''], rows)


def scaling(f):
    rows = []
    for row in WORKLOADS:
        if 'scale' in row['models']:
            for t in TARGETS:
                r = f.results.get(('scale', t, row['name']))
                if r:
                    rows.append([row['title'].split(',')[0], SHORT[t], number(r['scaling']),
                                 number(r['scaling4']), number(r['spread'])])
    return table(['workload', 'target', '2 jobs / 1', '4 jobs / 1', 'spread of a figure'], rows)


PARTS = [
    ('memtable_add_ns', 'publish a version in a memtable, ns'),
    ('memtable_hit_ns', 'lookup, hit in a memtable that is half full, ns'),
    ('memtable_bytes', 'memory of a memtable, bytes a version'),
    ('map_hit_ns', 'lookup, hit in the tree, nodes cached, ns'),
    ('map_bytes', 'nodes of the tree, bytes a version'),
    ('apply_ns', 'bulk apply: merge into the tree, ns a version'),
    ('journal_encode_ns', 'encode for the journal, ns a version'),
    ('journal_bytes', 'journal, bytes a version'),
    ('journal_replay_ns', 'replay of the journal by an activation, merge included, ns a version'),
    ('replay_ns', 'replay of a recipe: one epoch out of 64 MiB, ns a block'),
    ('memory_mib', 'memory of all that, device included, MiB'),
]


def core(f):
    out = [heading('The core by itself', '='),
           'Natively, processor time of the machine that it ran on, with its caches and beside whatever '
           'else it did: to be compared within one run only.\n\n']
    if f.all.get('parts'):
        head = ['part'] + ['%d M versions' % (p['versions'] // 1000000) for p in f.all['parts']]
        out += ['Each part by itself (``build/bench/core --parts``). ``DEEP=1 make bench`` has the column of '
                '100 million versions, which takes longer and is not always there:\n\n',
                table(head, [[title] + [number(p[key]) for p in f.all['parts']] for key, title in PARTS])]
    return out + ['A history (``build/bench/core``; what the words mean is in tests/bench/core.c):\n\n',
                  table(['figure', ''], [[k, number(v)] for k, v in f.all['core'].items()])]


def compared(now, then):
    rows = [[model, workload, '``%s``' % figure, number(a), number(b)]
            for model, workload, figure, a, b in changes(now, then)]
    if not rows:
        return 'Nothing by more than 3 %.\n\n'
    return table(['model', 'workload', 'figure', 'then', 'now'], rows)


# --- the page ---------------------------------------------------------------------

METHOD = '''
How it is measured
==================

``make bench`` runs the workloads of tests/bench/workloads, which are fio jobs
(tests/bench/jobs), on dm-linear, the peers and deltarec in VMs, and writes the
figures to Documentation/bench; ``make bench-report`` makes this page of them.
``make bench-quick`` does the first device model alone, some of it, and prints the
figures, the bars and what has changed. Do not edit this page: its text is in
tests/bench/pages.py.

* **The clock is exact.** The guest has one processor whose clock advances by one
  nanosecond an instruction and skips what is idle (QEMU's icount). The latency of a
  device counts in the same clock. So figures do not depend on what else the host
  does, and ratios between targets can be trusted to about a hundredth. What does not
  show: caches, and processors that work side by side.
* **Devices** are null_blk, with a timer for each request's latency and all pages
  written beforehand: 20 us and 100 us, write-through; 20 us with a volatile cache
  of 64 MiB, whose flush has to write out what is in it; and one that does one
  request at a time, each in 5 ms, as a disk would that has to seek for each.
  (null_blk knows no distance: that sequential requests need no seek is not modelled;
  mq-deadline merges neighbours that wait, and lets reads go first. The others have
  no scheduler.)
* **Peers have their best options that survive a power cut:** thin with blocks of
  64 KiB, not zeroed, 64 MiB of metadata; snapshots persistent, with chunks of 4 KiB.
  All volumes are 256 MiB, no device has more than 1 GiB (null_blk's tree of pages
  would be deeper than that of others). Peers have one snapshot at a time (thin's and
  the origin's old one is deleted after the new one is made), deltarec keeps all of
  its epochs. There is no snapshot of a snapshot: a checkpoint of the COW side is a
  new snapshot of the same origin. deltarec is as ``dmdelta format`` and ``open``
  make it.
* **A checkpoint** is followed by two seconds of idleness, for all. Random jobs
  take 64 MiB of the 256 in the same order each time (16 but for the first model),
  those with fsync and of 1 KiB 16 MiB (8, and 4 with 5 ms), sequential ones all.
* **bytes x, requests x**: what reached the devices, for each byte and request of the
  user (an fsync is one). **flushes**: that reached them; a write-through device gets
  none. Latencies are those of the reads or writes, of fsync jobs those of the fsync;
  the longest is that of a read or write, from its submission on.
* **What has to be done sometime** is part of the job during which it is done. With
  the one processor that these machines have it shows: deltarec merges what was
  written into its map once enough of it has come together, or (less of it) once
  nothing was read or written for half a second, as after a checkpoint here. thin
  commits its metadata each second.
* **An fsync after a first write** waits for the data and for the record that names
  it. deltarec writes the two at the same time when few writes come between flushes,
  for which it copies the data (4 us for a block, since each byte counts as an
  instruction) and sums it up. Without a volatile cache the block layer ends a flush
  before dm-linear sees it, and deltarec has to see each: settled, that is 1.3 us.
  (It cannot say that it has no cache while it holds nothing unrecorded: then the
  block layer would take FUA from writes, too, some of them just under way.)
  A device that does one request at a time does data and record one after the other,
  however they are sent: half of what dm-linear does is what is possible.
* **The origin side of a snapshot** copies each chunk once after a checkpoint: that is
  what its sequential write costs, and the settled one does without, but is still
  split into chunks.

'''


def write(directory):
    files = sorted(glob.glob(os.path.join(directory, 'bench', '*.json')))
    history = [Figures(p) for p in files]
    f = history[-1]
    out = ['.. SPDX-License-Identifier: GPL-2.0\n\n===========\nPerformance\n===========\n\n',
           'Ratios to dm-linear on the same device, 1.00 being as fast as the device. Figures of %s, '
           'commit %s (Documentation/bench/%s).\n' % (f.all['date'], f.all['commit'], f.name), METHOD]
    lacking = [WHAT[m] for m in MODELS if not any(m == model for model, _, _ in f.results)]
    if lacking:
        out.append('Not measured in that run, so the bars of it are not here: %s.\n\n' % ', '.join(lacking))
    met = [b[-1] for b in f.bars()]
    out += [heading('Bars', '='), '%d of %d are met.\n\n' % (sum(met), len(met)), bars(f)]
    for model, title in TITLES.items():
        if not any(m == model for m, _, _ in f.results):
            continue
        picture = 'bench/%s.svg' % model
        with open(os.path.join(directory, picture), 'w', encoding='utf-8') as file:
            file.write(draw_model(f, model))
        out += [heading(title, '='), '.. image:: %s\n\n' % picture,
                'IOPS of linear, the others as ratios to it', 
                ' (epochs: IOPS)' if model == 'wt20' else '', ':\n\n', ratios(f, model),
                'All figures:\n\n', details(f, model)]
    if any(m == 'large' for m, _, _ in f.results):
        out += [heading('What depends on how much was written', '='), large(f)]
    if any(m == 'scale' for m, _, _ in f.results):
        out += [heading('Two processors', '='),
                'Devices without latency, QEMU with a thread for each processor, and the clock of the '
                'wall: noisy, the median of three. The last column is how far apart three figures of '
                'the same were at most.\n\n', scaling(f)]
    if 'core' in f.all:
        out += core(f)
    out.append(heading('History', '='))
    if len(history) > 1:
        with open(os.path.join(directory, 'bench', 'history.svg'), 'w', encoding='utf-8') as file:
            file.write(draw_history(history))
        out += ['.. image:: bench/history.svg\n\nWhat deltarec does differently since %s, commit %s:\n\n' % (
            history[-2].all['date'], history[-2].all['commit']), compared(f, history[-2])]
    else:
        out.append('There is no earlier document to compare with.\n\n')
    out += [heading('Versions', '='),
            table(['what', 'version'], sorted(f.all['versions'].items()) + [['QEMU', f.all['qemu']]])]
    with open(os.path.join(directory, 'performance.rst'), 'w', encoding='utf-8') as file:
        file.write(''.join(out).rstrip('\n') + '\n')
