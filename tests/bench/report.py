#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What is made of the figures of tests/bench/run.

usage: report.py collect RAW FILE [KEY=VALUE...]
           one JSON document, FILE, of what the guests have left in RAW
       report.py check FILE
           does each target have all the workloads that it can have?
       report.py show FILE [PREVIOUS]
           the figures, the bars, and what has changed since PREVIOUS (by default
           the newest in Documentation/bench before it)
       report.py pages [DIRECTORY]
           performance.rst and its pictures in DIRECTORY (Documentation), of the
           documents in DIRECTORY/bench
"""
import datetime
import glob
import hashlib
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
DOCUMENTS = os.path.join(HERE, '..', '..', 'Documentation')
TARGETS = ['linear', 'thin', 'origin', 'cow', 'deltarec']
MODELS = ['wt20', 'cache', 'wt100', 'seek', 'large', 'scale']
PEERS = ['thin', 'origin', 'cow']
OPERATORS = {'>=': lambda a, b: a >= b, '<=': lambda a, b: a <= b, '>': lambda a, b: a > b}
CHANGED = 0.03      # by so much: worth a look


# --- the table of workloads -------------------------------------------------------

def read_bars(text):
    """{model or '': [(text, figure, of, operator, limit)]}"""
    bars = {}
    for word in text.split(','):
        model, _, bar = word.rpartition(':')
        for op in OPERATORS:
            if op in bar:
                figure, limit = bar.split(op)
                figure, _, of = figure.partition('/')
                bars.setdefault(model, []).append((bar, figure, of, op, float(limit)))
                break
    return bars


def read_workloads():
    rows = []
    with open(os.path.join(HERE, 'workloads')) as f:
        for line in f:
            if line.startswith('#'):
                continue
            name, _, models, before, bars, title = line.rstrip('\n').split('\t')
            rows.append({'name': name, 'before': before, 'bars': read_bars(bars), 'title': title,
                         'models': [m.rstrip('*') for m in models.split(',')],
                         'quick': [m.rstrip('*') for m in models.split(',') if '*' in m]})
    return rows


WORKLOADS = read_workloads()


# --- collect ----------------------------------------------------------------------

def read_pairs(path):
    with open(path) as f:
        return dict(line.rstrip('\n').split(' ', 1) for line in f)


def read_versions(path):
    """what the guest has, and the targets by their names"""
    with open(path) as f:
        return dict(line.replace('target ', 'target-', 1).split(None, 1) for line in f.read().splitlines())


def read_counters(path):
    """sectors, requests and flushes of all disks"""
    with open(path) as f:
        n = [[int(x) for x in line.split()[1:]] for line in f]
    return [sum(x[0] + x[1] for x in n), sum(x[2] + x[3] for x in n), sum(x[4] for x in n)]


def percentiles(latency):
    got = latency.get('percentile', {})
    return {key: got['%f' % p] / 1000 for key, p in (('p50', 50), ('p99', 99), ('p999', 99.9))
            if '%f' % p in got}


def read_fio(base):
    """what one job did, latencies in us"""
    with open(base + '.fio') as f:
        job = json.loads(f.read())['jobs'][0]
    if job['error']:
        sys.exit('%s: error %d' % (base, job['error']))
    way = job['write'] if job['write']['total_ios'] else job['read']
    requests = job['read']['total_ios'] + job['write']['total_ios'] + job['sync']['total_ios']
    n = [b - a for a, b in zip(read_counters(base + '.before'), read_counters(base + '.after'))]
    out = {'iops': way['iops'], 'mibs': way['bw_bytes'] / 2**20, 'mib': way['io_bytes'] / 2**20,
           'bytes': n[0] * 512 / way['io_bytes'], 'requests': n[1] / requests, 'flushes': n[2]}
    out.update(percentiles(way['clat_ns']), max=way['lat_ns']['max'] / 1000)
    if job['sync']['total_ios']:
        out.update({'sync_' + k: v for k, v in percentiles(job['sync']['lat_ns']).items()})
    return out


def collect(raw, path, pairs):
    out = dict(pair.split('=', 1) for pair in pairs)
    out['date'] = datetime.datetime.utcnow().strftime('%Y-%m-%d %H:%M')
    out['scripts'] = {}
    for script in sorted(glob.glob(HERE + '/*') + glob.glob(HERE + '/jobs/*')):
        if os.path.isfile(script):
            with open(script, 'rb') as f:
                out['scripts'][os.path.relpath(script, HERE)] = hashlib.sha256(f.read()).hexdigest()[:12]
    out['versions'] = read_versions(sorted(glob.glob(raw + '/*/versions'))[0])
    out['tables'], found = {}, {}
    for file in sorted(glob.glob(raw + '/*/*/*/*')):
        model, target, name = file.split('/')[-3:]
        name, suffix = os.path.splitext(name)
        if suffix == '.fio':
            found.setdefault((model, target, name), {}).update(read_fio(file[:-4]))
        elif suffix == '.values':
            values = {k: float(v) for k, v in read_pairs(file).items()}
            found.setdefault((model, target, name), {}).update(values)
        elif not suffix:
            with open(file) as f:
                out['tables'].setdefault('%s %s' % (model, target), {})[name] = f.read().splitlines()
    out['results'] = [dict(model=m, target=t, workload=w, **r)
                      for (m, t, w), r in sorted(scaling(found).items())]
    if not out['results']:
        sys.exit('nothing was measured')
    if os.path.exists(raw + '/core.json'):
        with open(raw + '/core.json') as f:
            out['core'] = json.load(f)
    out['parts'] = []
    for file in sorted(glob.glob(raw + '/parts-*.json')):
        with open(file) as f:
            out['parts'].append(json.load(f))
    out['parts'].sort(key=lambda p: p['versions'])
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'w') as f:
        f.write(dump(out))


def scaling(found):
    """of the rounds on the machine with two processors: the medians of 1, 2, 4 jobs"""
    out = {k: v for k, v in found.items() if k[0] != 'scale'}
    rounds = {}
    for (model, target, name), result in found.items():
        if model == 'scale':
            workload, jobs, _ = name.rsplit('-', 2)
            rounds.setdefault((model, target, workload), {}).setdefault(jobs, []).append(result['iops'])
    for key, jobs in rounds.items():
        iops = {n: statistics.median(x) for n, x in jobs.items()}
        out[key] = {'iops': iops['1'], 'scaling': iops['2'] / iops['1'], 'scaling4': iops['4'] / iops['1'],
                    'spread': max(max(x) / min(x) for x in jobs.values())}
    return out


def dump(out):
    """JSON with a line for each result, figures with as many digits as say something"""
    def short(x):
        return float('%.5g' % x) if isinstance(x, float) else x
    lines = [json.dumps({k: short(v) for k, v in r.items()}) for r in out['results']]
    head = json.dumps({k: v for k, v in out.items() if k != 'results'}, indent=1)
    return head[:-2] + ',\n "results": [\n  ' + ',\n  '.join(lines) + '\n ]\n}\n'


# --- figures and bars -------------------------------------------------------------

class Figures:
    def __init__(self, path):
        with open(path) as f:
            self.all = json.load(f)
        self.name = os.path.basename(path)
        self.results = {(r['model'], r['target'], r['workload']): r for r in self.all['results']}

    def get(self, model, target, workload, figure):
        if figure == 'stall':
            longest = self.get(model, target, workload, 'checkpoint_max_ms')
            flush = self.get(model, 'linear', 'fsync-settled', 'sync_p50')
            return None if None in (longest, flush) else longest - 2 * flush / 1000
        return self.results.get((model, target, workload), {}).get(figure)

    def ratio(self, model, target, workload, figure, of):
        """a figure, or its ratio to what "of" says; None if there is none"""
        mine = self.get(model, target, workload, figure)
        if of == 'peers':
            rest = [self.get(model, t, workload, figure) for t in PEERS]
            other = max((x for x in rest if x is not None), default=None)
        elif of == 'linear':
            other = self.get(model, 'linear', workload, figure)
        elif of:
            other = self.get(model, target, of, figure)
        else:
            return mine
        return mine / other if mine is not None and other else None

    def bars(self):
        """each bar that can be judged: (model, workload row, bar, value, best peer, met)"""
        for model in MODELS:
            for row in WORKLOADS:
                if model not in row['models']:
                    continue
                for text, figure, of, op, limit in row['bars'].get(model, row['bars'].get('', [])):
                    value = self.ratio(model, 'deltarec', row['name'], figure, of)
                    if value is None:
                        continue
                    peers = [] if of == 'peers' else \
                        [(x, t) for t in PEERS
                         for x in [self.ratio(model, t, row['name'], figure, of)] if x is not None]
                    best = (min if op == '<=' else max)(peers, default=None)
                    yield model, row, text, value, best, OPERATORS[op](value, limit)


def before(path):
    """the newest document older than this one"""
    older = [p for p in sorted(glob.glob(os.path.join(DOCUMENTS, 'bench', '*.json')))
             if os.path.abspath(p) != os.path.abspath(path)]
    if os.path.dirname(os.path.abspath(path)) == os.path.abspath(os.path.join(DOCUMENTS, 'bench')):
        older = [p for p in older if os.path.basename(p) < os.path.basename(path)]
    return Figures(older[-1]) if older else None


def changes(now, then):
    """(model, workload, figure, then, now) of what deltarec does by so much differently"""
    for (model, target, workload), result in now.results.items():
        if target != 'deltarec' or model == 'scale':
            continue
        for figure in result:
            if figure in ('iops', 'bytes', 'requests') or figure.endswith('_ms'):
                of = '' if figure.endswith('_ms') else 'linear'
                a, b = (f.ratio(model, target, workload, figure, of) for f in (then, now))
                if a and b and abs(b / a - 1) > CHANGED:
                    yield model, workload, figure + ('/' + of if of else ''), a, b


def check(figures):
    """which workloads lack results: a list of (model, target, workload)"""
    lacking = []
    quick = figures.all['mode'] != 'full'
    smoke = ['first'] if figures.all['mode'] == 'smoke' else None
    for row in WORKLOADS:
        if smoke and row['name'] not in smoke:
            continue
        for model in row['quick'] if quick else row['models']:
            for target in TARGETS:
                if model == 'large' and target != 'deltarec':
                    continue
                if 'history' in row['before'] and target in ('linear', 'cow'):
                    continue
                if 'during' in row['before'] and target == 'cow':
                    continue
                if not figures.results.get((model, target, row['name'])):
                    lacking.append('%s %s %s' % (model, target, row['name']))
    return lacking


# --- for a terminal ---------------------------------------------------------------

def number(x):
    """three digits, since bars are met or missed by hundredths"""
    if x is None:
        return '-'
    if isinstance(x, int) or abs(x) >= 100:
        return '%.0f' % x
    return '%.1f' % x if abs(x) >= 10 else '%.2f' % x if abs(x) >= 2 else '%.3f' % x


def show(figures, then):
    print('%-6s %-16s %9s' % ('model', 'workload', 'linear') +
          ''.join(' %9s' % t for t in TARGETS[1:]) + '  bytes x requests x  p99 us')
    for model in MODELS[:-1]:
        for row in WORKLOADS:
            mine = [figures.get(model, t, row['name'], 'iops') for t in TARGETS]
            if mine[0] is None:
                continue
            print('%-6s %-16s %9.0f' % (model, row['name'], mine[0]) +
                  ''.join(' %9s' % (number(x / mine[0]) if x else '-') for x in mine[1:]) +
                  '  %7s %10s %7s' % tuple(number(figures.get(model, 'deltarec', row['name'], f))
                                           for f in ('bytes', 'requests', 'p99')))
    print()
    for model, row, text, value, best, met in figures.bars():
        print('%-7s %-6s %-16s %-32s %8s  best peer %s' % (
            'met' if met else 'NOT MET', model, row['name'], text, number(value),
            '%s (%s)' % (number(best[0]), best[1]) if best else '-'))
    if then:
        print('\nchanged since %s:' % then.name)
        for model, workload, figure, a, b in changes(figures, then):
            print('%-6s %-16s %-18s %8s -> %8s' % (model, workload, figure, number(a), number(b)))


def main(args):
    if args[:1] == ['collect'] and len(args) > 2:
        collect(args[1], args[2], args[3:])
    elif args[:1] == ['check'] and len(args) == 2:
        lacking = check(Figures(args[1]))
        if lacking:
            sys.exit('nothing of:\n' + '\n'.join(lacking))
    elif args[:1] == ['show'] and len(args) in (2, 3):
        show(Figures(args[1]), Figures(args[2]) if len(args) == 3 else before(args[1]))
    elif args[:1] == ['pages'] and len(args) < 3:
        import pages
        pages.write(args[1] if len(args) == 2 else DOCUMENTS)
    else:
        sys.exit(__doc__)


if __name__ == '__main__':
    main(sys.argv[1:])
