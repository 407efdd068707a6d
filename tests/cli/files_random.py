# SPDX-License-Identifier: GPL-2.0
"""Trees, attacks and good work by chance, and what the rules make of them."""
import random

from files_lib import D, F, L, Node, TREES, build, differences, merge, result, snapshot

NAMES = [b"a", b"b", b"c", b"d.x", b"e e", b"f\n", b"\xff\xfe", b"n" * 255]


def parent(path):
    return path.rpartition(b"/")[0]


def below(tree, path):
    return [p for p in tree if p.startswith(path + b"/")]


def some_node(rng, type=None):
    type = type or rng.choice("fffffdl")
    if type == "d":
        return Node("d", mode=rng.choice([0o755, 0o700]))
    if type == "l":
        return L(rng.choice([b"a", b"/etc/passwd", b"../b", b"."]))
    return F(rng.choice([b"", b"x", b"content " * rng.randrange(1, 900)]) +
             b"%d" % rng.randrange(1000), mode=rng.choice([0o644, 0o755]),
             uid=rng.choice([0, 1000]))


def some_place(rng, tree):
    dirs = [b""] + [p for p, n in tree.items()
                    if n.type == "d" and p.count(b"/") < 4]
    place = rng.choice(sorted(dirs))
    name = rng.choice(NAMES)
    return place + b"/" + name if place else name


def some_tree(rng):
    tree = {}
    for _ in range(rng.randrange(25)):
        tree.setdefault(some_place(rng, tree), some_node(rng))
    return tree


def drop(tree, path):
    for p in below(tree, path) + [path]:
        del tree[p]


def move(tree, path, to):
    if to == path or to.startswith(path + b"/") or \
       (parent(to) and tree.get(parent(to), D).type != "d"):
        return
    if to in tree:
        if path.startswith(to + b"/"):
            return
        drop(tree, to)
    for p in below(tree, path) + [path]:
        tree[to + p[len(path):]] = tree.pop(p)


def change(rng, tree, other):
    """One change, as an attacker or a user makes it; @other: a tree to take
    things from, so that both may come to the same"""
    paths = sorted(tree)
    what = rng.randrange(9)
    path = rng.choice(paths) if paths else None
    if what == 0 or not path:
        tree.setdefault(some_place(rng, tree), some_node(rng))
    elif what == 1:
        drop(tree, path)
    elif what == 2 and tree[path].type == "f":
        tree[path] = tree[path].but(content=b"%d" % rng.randrange(10**9))
    elif what == 3 and tree[path].type != "l":
        tree[path] = tree[path].but(mode=rng.choice(
            [0o600, 0o777, 0o4755] if tree[path].type == "f" else
            [0o777, 0o1777]))
    elif what == 4:
        tree[path] = tree[path].but(uid=rng.choice([0, 1000, 2000]))
        if tree[path].type == "f":
            tree[path] = tree[path].but(
                mode=tree[path].mode & 0o777)
    elif what == 5 and tree[path].type == "f":
        tree[path] = tree[path].but(xattrs={
            "user.t" + rng.choice("xy"): rng.choice([b"1", b"2"])}.items())
    elif what == 6:
        move(tree, path, some_place(rng, tree))
    elif what == 7:
        drop(tree, path)
        tree[path] = some_node(rng)
    elif what == 8 and path in other:
        node = other[path]
        if node.type == tree[path].type:
            tree[path] = node
        elif tree[path].type != "d":
            tree[path] = node


def merged_attr(b, x, n):
    """One value three ways; None: everybody wants something else"""
    if b == x:
        return n
    return b if n in (b, x) else None


def merged_node(b, x, n):
    """Both trees and now have one of the same type"""
    keys = sorted({k for node in (b, x, n) for k, _ in node.xattrs})
    attrs = [[getattr(node, a) for a in ("mode", "uid", "gid")] +
             [dict(node.xattrs).get(k) for k in keys] for node in (b, x, n)]
    if b.content != x.content:
        if n.content not in (b.content, x.content) or any(
                an not in (ab, ax) for ab, ax, an in zip(*attrs)):
            return None
        return b
    new = []
    for values in zip(*attrs):
        value = merged_attr(*values)
        if value is None and not (values[0] is None and
                                  values[2] in values[:2]):
            return None
        new.append(value)
    return n.but(mode=new[0], uid=new[1], gid=new[2], xattrs=[
        (k, v) for k, v in zip(keys, new[3:]) if v is not None])


def oracle(base, bad, now):
    out, mixed = dict(now), set()
    differ = [p for p in set(base) | set(bad) if base.get(p) != bad.get(p)]
    gone = set()
    # What base had not goes; a directory if nothing stays in it.
    for p in sorted(differ, key=lambda p: (-p.count(b"/"), p)):
        b, x, n = base.get(p), bad.get(p), now.get(p)
        if n is None or n == b:
            continue
        if b is None:
            if n == x and not below(out, p):
                del out[p]
            else:
                mixed.add(p)
        elif x and b.type != x.type and n.type == "d":
            if n == x and not below(out, p):
                gone.add(p)
            else:
                mixed.add(p)
    # What base had comes, from the root down.
    for p in sorted(differ):
        b, x, n = base.get(p), bad.get(p), now.get(p)
        if b is None or n == b or p in mixed:
            continue
        if n is None:
            if x is None and (not parent(p) or
                              out.get(parent(p), L(b"")).type == "d"):
                out[p] = b
            else:
                mixed.add(p)
        elif x is None:
            mixed.add(p)
        elif b.type != x.type:
            if n == x:
                out[p] = b
            else:
                mixed.add(p)
        elif n.type != b.type:
            mixed.add(p)
        else:
            merged = merged_node(b, x, n)
            if merged is None:
                mixed.add(p)
            else:
                out[p] = merged
    return out, mixed


def shown(path):
    try:
        if all(c >= " " and c != "\x7f" for c in path.decode()):
            return "/" + path.decode()
    except UnicodeDecodeError:
        pass
    text = ""
    rest = "/" + path.decode("utf-8", "surrogateescape")
    for c in rest:
        if c < " " or c in "\x7f\\":
            text += "\\%03o" % ord(c)
        elif 0xdc80 <= ord(c) <= 0xdcff:
            text += "\\%03o" % (ord(c) - 0xdc00)
        else:
            text += c
    return text


def one_chance(seed):
    rng = random.Random(seed)
    base = some_tree(rng)
    bad = dict(base)
    for _ in range(rng.randrange(1, 12)):
        change(rng, bad, {})
    now = dict(bad)
    for _ in range(rng.randrange(10) if rng.random() < 0.8 else 0):
        change(rng, now, base)
    for tree, spec in zip(TREES, (base, bad, now)):
        build(tree, spec)
    want, mixed = oracle(base, bad, now)
    code, items, err = merge()
    problems = differences(snapshot(b"now"), want)
    got_mixed = {p for p, (action, _) in items.items() if action == "mixed"}
    if got_mixed != {shown(p) for p in mixed}:
        problems.append(f"mixed: {sorted(got_mixed)}, "
                        f"wanted {sorted(map(shown, mixed))}")
    if code:
        problems.append(f"exit status {code}")
    # Nothing that now had is lost: it is there, in quarantine, or in bad.
    code, items, err2 = merge()
    problems += ["again: " + p for p in differences(snapshot(b"now"), want)]
    problems += [f"again: {p}: {a}" for p, a in items.items()
                 if a[0] not in ("done", "mixed")]
    return problems, err + err2


def chance(seeds):
    bad = []
    for seed in seeds:
        problems, err = one_chance(seed)
        if problems:
            bad.append(f"seed {seed}")
            bad += problems + [err]
            if len(bad) > 60:
                break
    result(not bad, f"{len(seeds)} random histories end as the rules say",
           *bad[:60])
