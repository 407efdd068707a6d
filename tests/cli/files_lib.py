# SPDX-License-Identifier: GPL-2.0
"""Trees as dictionaries, on disk and back; one merge and what it did."""
import os
import shutil
import stat
import subprocess
import sys

TMP = sys.argv[1].encode()
MERGE = TMP + b"/files-merge"
TREES = (b"base", b"bad", b"now")
MTIME = 1600000000
results = failures = 0


def result(good, what, *details):
    global results, failures
    results += 1
    failures += not good
    print(f"{'ok' if good else 'not ok'} {results} - {what}", flush=True)
    if not good:
        for line in details:
            print("# " + str(line).replace("\n", "\n# "))


# --- nodes: what is at a path, without its times -------------------------------

class Node:
    """type f d l p c, content (bytes, link target, device), attributes"""

    def __init__(self, type="f", content=b"", mode=None, uid=0, gid=0,
                 xattrs=(), flags=""):
        self.type, self.content = type, content
        self.mode = mode if mode is not None else \
            {"d": 0o755, "l": 0o777}.get(type, 0o644)
        self.uid, self.gid = uid, gid
        self.xattrs, self.flags = tuple(sorted(dict(xattrs).items())), flags

    def but(self, **changes):
        kept = dict(type=self.type, content=self.content, mode=self.mode,
                    uid=self.uid, gid=self.gid, xattrs=self.xattrs,
                    flags=self.flags)
        return Node(**{**kept, **changes})

    def key(self):
        return (self.type, self.content, self.mode, self.uid, self.gid,
                self.xattrs, self.flags)

    def __eq__(self, other):
        return isinstance(other, Node) and self.key() == other.key()

    def __repr__(self):
        return repr(self.key())[:160]


def F(content, **attrs):
    return Node("f", content, **attrs)


D = Node("d")


def L(target):
    return Node("l", target)


def make(path, node):
    if node.type == "f":
        with open(path, "wb") as f:
            f.write(node.content)
    elif node.type == "d":
        os.mkdir(path)
    elif node.type == "l":
        os.symlink(node.content, path)
    elif node.type == "p":
        os.mkfifo(path)
    elif node.type == "c":
        os.mknod(path, stat.S_IFCHR | 0o600, node.content)
    elif node.type == "s":
        os.mknod(path, stat.S_IFSOCK | 0o600)
    os.chown(path, node.uid, node.gid, follow_symlinks=False)
    if node.type != "l":
        os.chmod(path, node.mode)
    if node.type != "d":
        set_xattrs(path, node)


def set_xattrs(path, node):
    for name, value in node.xattrs:
        os.setxattr(path, name, value, follow_symlinks=False)


def flag(path, how):
    subprocess.run([b"chattr", how, path], check=True)


def build(tree, spec, links=()):
    """spec: path -> Node; links: (new name, old name)"""
    root = TMP + b"/" + tree
    subprocess.run([b"chattr", b"-R", b"-f", b"-i", b"-a", root],
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(root, ignore_errors=True)
    os.mkdir(root)
    os.chmod(root, 0o755)
    for path in sorted(spec):
        make(root + b"/" + path, spec[path])
    for new, old in links:
        os.link(root + b"/" + old, root + b"/" + new)
    # A default ACL would be inherited
    for path in sorted(spec):
        if spec[path].type == "d":
            set_xattrs(root + b"/" + path, spec[path])
    for path in sorted(spec, reverse=True):
        os.utime(root + b"/" + path, (MTIME, MTIME), follow_symlinks=False)
    os.utime(root, (MTIME, MTIME))
    for path in sorted(spec, reverse=True):
        if spec[path].flags:
            flag(root + b"/" + path, b"+" + spec[path].flags.encode())


def flags_of(path):
    out = subprocess.run([b"lsattr", b"-d", path], stdout=subprocess.PIPE)
    word = out.stdout.split(b" ")[0].decode()
    return "".join(c for c in "ia" if c in word)


def read(path, with_flags=False):
    st = os.lstat(path)
    type = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l",
            stat.S_IFIFO: "p", stat.S_IFCHR: "c",
            stat.S_IFSOCK: "s"}[stat.S_IFMT(st.st_mode)]
    content = b""
    if type == "f":
        with open(path, "rb") as f:
            content = f.read()
    elif type == "l":
        content = os.readlink(path)
    elif type == "c":
        content = st.st_rdev
    xattrs = {n: os.getxattr(path, n, follow_symlinks=False)
              for n in os.listxattr(path, follow_symlinks=False)}
    return Node(type, content, stat.S_IMODE(st.st_mode), st.st_uid,
                st.st_gid, xattrs.items(),
                flags_of(path) if with_flags and type in "fd" else "")


def snapshot(tree, with_flags=False, skip=b".dmdelta-quarantine-"):
    root = TMP + b"/" + tree
    found = {}

    def down(rel):
        for name in os.listdir(root + b"/" + rel):
            if not rel and skip and name.startswith(skip):
                continue
            path = rel + b"/" + name if rel else name
            found[path] = read(root + b"/" + path, with_flags)
            if found[path].type == "d":
                down(path)
    down(b"")
    return found


def merge(*options, wrap=(), trees=TREES):
    out = subprocess.run([*wrap, MERGE, *options,
                          *(TMP + b"/" + t for t in trees)],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    items = {}
    for line in out.stdout.decode("utf-8", "surrogateescape").split("\n"):
        if "\t" in line:
            action, path, why = line.split("\t", 2)
            items[path] = (action, why)
    return out.returncode, items, out.stderr.decode(errors="replace")


def differences(got, want):
    return [f"{p}: got {got.get(p)}, wanted {want.get(p)}"
            for p in sorted(set(got) | set(want)) if got.get(p) != want.get(p)]


def case(what, base, bad, now, want, items=None, *options, status=0,
         links=((), (), ()), with_flags=False, quarantined=None, check=None):
    """Build the three trees, merge, compare now with what is wanted"""
    for tree, spec, names in zip(TREES, (base, bad, now), links):
        build(tree, spec, names)
    code, got, err = merge(*options)
    problems = differences(snapshot(b"now", with_flags), want)
    if code != status:
        problems.append(f"exit status {code}")
    for path, action in (items or {}).items():
        if got.get(path, ("nothing", ""))[0] != action:
            problems.append(f"{path}: {got.get(path)}, wanted {action}")
    if items is not None and set(items) != set(got):
        problems.append(f"items: {sorted(got)}")
    if quarantined is not None:
        q = snapshot(b"now/.dmdelta-quarantine-7", skip=None) \
            if os.path.isdir(TMP + b"/now/.dmdelta-quarantine-7") else {}
        q = {p: n for p, n in q.items() if n.type != "d"}
        problems += ["quarantine: " + p for p in differences(q, quarantined)]
    if check:
        try:
            problems += check()
        except OSError as e:
            problems.append(str(e))
    if not options and code == 0:
        # Once more: nothing is left to do
        before = snapshot(b"now", with_flags)
        again, got, err2 = merge()
        problems += ["again: " + p for p in
                     differences(snapshot(b"now", with_flags), before)]
        problems += [f"again: {p} {a}" for p, a in got.items()
                     if a[0] not in ("done", "mixed")]
    result(not problems, what, *problems, err)


def ino(path):
    return os.lstat(TMP + b"/now/" + path).st_ino


def one_file(*names):
    return lambda: [] if len({ino(n) for n in names}) == 1 else \
        [f"{names} are several files"]


def apart(*names):
    return lambda: [] if len({ino(n) for n in names}) == len(names) else \
        [f"{names} are one file"]


def mtime_is(path, when):
    def check():
        got = os.lstat(TMP + b"/now/" + path).st_mtime
        return [] if got == when else [f"mtime of {path} is {got}"]
    return check
